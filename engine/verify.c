/* SPDX-License-Identifier: Apache-2.0
 *
 * Picks a part of a problem that the reference can compute in time, and compares it. The part is a
 * problem of its own over the same memory: the last rows where queries are a tensor of their own,
 * the first rows (by query_lengths) where queries and keys are one x.
 */
#include "engine/verify.h"

#include <math.h>
#include <stdlib.h>

#include "engine/reference.h"
#include "engine/status.h"

/* Rough seconds that the reference takes for a flop, and for a tanh or sigmoid. */
static const double flop_seconds = 2e-9, tanh_seconds = 6e-8;

static double seconds_a_pair(const struct attune_shape *shape)
{
    const double a = (double)shape->a, n = (double)shape->n, e = (double)shape->e;
    double seconds = 2 * (e + (double)shape->d) * flop_seconds;
    if (shape->kind != ATTUNE_SCORE_DOT)
        seconds += a * tanh_seconds;
    if (shape->kind == ATTUNE_SCORE_LSTM)
        seconds += (8 * n * n + 2 * a * n) * flop_seconds + 5 * n * tanh_seconds;
    return seconds;
}

/* The part: rows [begin, begin + rows) of the first `sequences` sequences. */
struct part {
    int64_t sequences, begin, rows;
};

static enum attune_input query_input(const struct attune_shape *shape)
{
    if (shape->problem.in[ATTUNE_IN_Q].dtype != ATTUNE_ABSENT)
        return ATTUNE_IN_Q;
    return shape->problem.in[ATTUNE_IN_QUERY].dtype != ATTUNE_ABSENT ? ATTUNE_IN_QUERY
                                                                     : ATTUNE_IN_X;
}

static struct part choose_part(const struct attune_shape *shape, double seconds)
{
    const double row = (double)(shape->h * shape->t_k) * seconds_a_pair(shape);
    const double rows = row > 0 ? seconds / row : INFINITY;
    struct part part = {shape->b, 0, shape->t_q};
    if (rows < (double)(shape->b * shape->t_q)) {
        part.sequences = 1;
        /* One row at least that no edge of a convolution touches. */
        const int64_t least = 1 + shape->width / 2;
        part.rows = rows < (double)shape->t_q ? (int64_t)rows : shape->t_q;
        part.rows = part.rows < least ? least : part.rows;
        part.rows = part.rows < shape->t_q ? part.rows : shape->t_q;
        if (query_input(shape) != ATTUNE_IN_X)
            part.begin = shape->t_q - part.rows;
    }
    return part;
}

/* Makes `problem` and `args` those of the part. `lengths` has an entry for each sequence. */
static void describe_part(const struct attune_shape *shape, const struct part *part,
                          struct attune_problem *problem, struct attune_args *args,
                          int64_t *lengths)
{
    const enum attune_input input = query_input(shape);
    const struct attune_tensor *query = &shape->problem.in[input];
    *problem = shape->problem;
    for (int32_t i = 0; i < ATTUNE_OUTPUT_COUNT; i++)
        problem->out[i].rank = 0;
    if (part->begin > 0) {
        const int32_t axis = query->rank - 2;
        const int64_t skipped = part->begin * query->stride[axis];
        problem->in[input].size[axis] = part->rows;
        args->in[input] =
            (const char *)args->in[input] + skipped * (int64_t)attune_dtype_size(query->dtype);
        if (problem->causal != ATTUNE_BOTTOM_RIGHT)
            problem->past += part->begin;
    }
    if (part->sequences == shape->b && (part->begin > 0 || part->rows == shape->t_q))
        return;
    /* With as many queries as keys both alignments are one, but query_lengths would move this one.
     */
    if (input == ATTUNE_IN_X && problem->causal == ATTUNE_BOTTOM_RIGHT)
        problem->causal = ATTUNE_TOP_LEFT;
    for (int64_t b = 0; b < shape->b; b++)
        lengths[b] = b < part->sequences ? part->rows : 0;
    attune_problem_input(problem, ATTUNE_IN_QUERY_LENGTHS, ATTUNE_I64, 1, &shape->b);
    args->in[ATTUNE_IN_QUERY_LENGTHS] = lengths;
}

/* Compares the part's rows of one output, whose rows are axis `rank - 2` (the last of lse). The
 * last rows of a convolution over t differ: it ends at query_lengths there and goes on in the
 * whole. */
static double compare_output(const struct attune_shape *shape, const struct part *part,
                             const struct attune_reference *reference, enum attune_output output,
                             const float *got)
{
    const struct attune_tensor *whole = &shape->problem.out[output];
    const int32_t axis = output == ATTUNE_OUT_LSE ? whole->rank - 1 : whole->rank - 2;
    const int64_t columns = output == ATTUNE_OUT_LSE ? 1 : whole->size[axis + 1];
    const int64_t heads = axis == 2 ? whole->size[1] : 1;
    const int64_t sure = part->rows < shape->t_q && shape->problem.mechanism == ATTUNE_CONVOLUTIONAL
                             ? part->rows - shape->width / 2
                             : part->rows;
    /* Rows that the reference keeps: where queries are x it has the part's rows and zeros. */
    const int64_t stored = query_input(shape) == ATTUNE_IN_X ? shape->t_q : part->rows;
    double worst = 0;
    for (int64_t i = 0; i < part->sequences * heads && sure > 0; i++) {
        const int64_t offset = i * stored * columns;
        double error;
        int64_t index;
        const double ratio = attune_reference_compare(
            got + (i * shape->t_q + part->begin) * columns, reference->value[output] + offset,
            reference->bound[output] + offset, sure * columns, &error, &index);
        worst = fmax(worst, ratio);
    }
    return worst;
}

enum attune_status attune_verify(const struct attune_shape *shape, const struct attune_args *args,
                                 double seconds, double *ratio)
{
    const struct part part = choose_part(shape, seconds);
    struct attune_problem problem;
    struct attune_args part_args = *args;
    struct attune_shape part_shape;
    struct attune_reference reference = {0};
    int64_t *lengths = calloc((size_t)shape->b + 1, sizeof *lengths);
    if (!lengths)
        return attune_fail(ATTUNE_ERROR_NO_MEMORY, "no memory to verify with");
    describe_part(shape, &part, &problem, &part_args, lengths);
    enum attune_status status = attune_shape_resolve(&problem, &part_shape);
    if (status == ATTUNE_OK)
        status = attune_reference_run(&part_shape, &part_args, &reference);
    *ratio = 0;
    for (int32_t i = 0; i < ATTUNE_OUTPUT_COUNT && status == ATTUNE_OK; i++)
        if (reference.value[i])
            *ratio = fmax(*ratio, compare_output(shape, &part, &reference, (enum attune_output)i,
                                                 args->out[i]));
    attune_reference_free(&reference);
    free(lengths);
    return status;
}
