/* SPDX-License-Identifier: Apache-2.0
 *
 * Problem descriptions: filling one in, resolving it, and asking a resolved one what a query may
 * attend. The rules themselves stand in validate_*.c; knows no kernels.
 */
#include "engine/shape.h"

#include <string.h>

#include "engine/status.h"
#include "engine/validate.h"

void attune_problem_init(struct attune_problem *problem, enum attune_mechanism mechanism)
{
    memset(problem, 0, sizeof *problem);
    problem->struct_size = sizeof *problem;
    problem->mechanism = (int32_t)mechanism;
    problem->score_scale = 1;
    problem->output_scale = 1;
    problem->window_left = -1;
    problem->window_right = -1;
}

/* A number that is no input lands in the last slot, which no input has, for the checks to find. */
void attune_problem_input(struct attune_problem *problem, enum attune_input input,
                          enum attune_dtype dtype, int32_t rank, const int64_t *size)
{
    int known = attune_input_name((int32_t)input) != NULL;
    struct attune_tensor *tensor = &problem->in[known ? (int32_t)input : ATTUNE_INPUT_SLOTS - 1];
    memset(tensor, 0, sizeof *tensor);
    tensor->dtype = (int32_t)dtype;
    tensor->rank = rank;
    if (rank < 1 || rank > ATTUNE_MAX_RANK)
        return;
    memcpy(tensor->size, size, (size_t)rank * sizeof *size);
    attune_tensor_pack(tensor);
}

void attune_problem_output(struct attune_problem *problem, enum attune_output output)
{
    int known = attune_output_name((int32_t)output) != NULL;
    struct attune_tensor *tensor = &problem->out[known ? (int32_t)output : ATTUNE_OUTPUT_SLOTS - 1];
    memset(tensor, 0, sizeof *tensor);
    tensor->dtype = ATTUNE_F32;
}

static enum attune_status resolve(const struct attune_problem *problem, struct attune_shape *shape)
{
    enum attune_status status;
    memset(shape, 0, sizeof *shape);
    if (!problem)
        return attune_fail(ATTUNE_ERROR_INVALID, "problem: NULL");
    if (problem->struct_size != sizeof *problem)
        return attune_fail(ATTUNE_ERROR_INVALID,
                           "struct_size: %zu, a struct attune_problem has %zu",
                           problem->struct_size, sizeof *problem);
    shape->problem = *problem;
    if ((status = attune_validate_fields(shape)) != ATTUNE_OK ||
        (status = attune_validate_tensors(shape)) != ATTUNE_OK)
        return status;
    return attune_validate_outputs(shape);
}

/* The stride of an axis that has no second element may be any number, and multiples of it overflow. */
static void settle_strides(struct attune_problem *problem)
{
    for (int32_t i = 0; i < ATTUNE_INPUT_COUNT + ATTUNE_OUTPUT_COUNT; i++) {
        struct attune_tensor *tensor =
            i < ATTUNE_INPUT_COUNT ? &problem->in[i] : &problem->out[i - ATTUNE_INPUT_COUNT];
        for (int32_t axis = 0; tensor->dtype != ATTUNE_ABSENT && axis < tensor->rank; axis++)
            if (tensor->size[axis] <= 1)
                tensor->stride[axis] = 0;
    }
}

enum attune_status attune_shape_resolve(const struct attune_problem *problem,
                                        struct attune_shape *shape)
{
    enum attune_status status = resolve(problem, shape);
    if (status != ATTUNE_OK)
        return status;
    settle_strides(&shape->problem);
    for (int32_t i = 0; i < ATTUNE_OUTPUT_COUNT; i++)
        if (shape->problem.out[i].dtype != ATTUNE_ABSENT)
            return ATTUNE_OK;
    return attune_fail(ATTUNE_ERROR_INVALID, "outputs: none is asked for");
}

enum attune_status attune_problem_output_shape(const struct attune_problem *problem,
                                               enum attune_output output,
                                               struct attune_tensor *tensor)
{
    struct attune_shape shape;
    attune_detail_clear();
    if (!tensor)
        return attune_fail(ATTUNE_ERROR_INVALID, "shape: NULL");
    memset(tensor, 0, sizeof *tensor);
    if (!attune_output_name((int32_t)output))
        return attune_fail(ATTUNE_ERROR_INVALID, "output: %d is none", (int)output);
    enum attune_status status = resolve(problem, &shape);
    if (status != ATTUNE_OK)
        return status;
    attune_shape_natural(&shape, output, tensor);
    return ATTUNE_OK;
}

static int64_t length(const struct attune_shape *shape, const struct attune_args *args,
                      enum attune_input input, int64_t b, int64_t otherwise)
{
    const struct attune_tensor *tensor = &shape->problem.in[input];
    if (tensor->dtype == ATTUNE_ABSENT)
        return otherwise;
    int64_t offset = b * tensor->stride[0];
    return tensor->dtype == ATTUNE_I64 ? ((const int64_t *)args->in[input])[offset]
                                       : ((const int32_t *)args->in[input])[offset];
}

int64_t attune_shape_key_length(const struct attune_shape *shape, const struct attune_args *args,
                                int64_t b)
{
    return length(shape, args, ATTUNE_IN_KEY_LENGTHS, b, shape->t_k);
}

int64_t attune_shape_query_length(const struct attune_shape *shape, const struct attune_args *args,
                                  int64_t b)
{
    return length(shape, args, ATTUNE_IN_QUERY_LENGTHS, b, shape->t_q);
}

void attune_shape_attended(const struct attune_shape *shape, const struct attune_args *args,
                           int64_t b, int64_t i, int64_t *first, int64_t *last)
{
    const struct attune_problem *p = &shape->problem;
    int64_t keys = attune_shape_key_length(shape, args, b);
    int64_t queries = attune_shape_query_length(shape, args, b);
    int64_t diagonal = p->causal == ATTUNE_BOTTOM_RIGHT ? i + (keys - queries) : i + p->past;
    *first = 0;
    *last = i < queries ? keys : 0;
    if (p->causal != ATTUNE_CAUSAL_NONE && diagonal < *last - 1)
        *last = diagonal + 1;
    /* In this form no sum can overflow: diagonal lies between -T_q and INT64_MAX. */
    if (p->window_right >= 0 && diagonal < *last - 1 && p->window_right < *last - 1 - diagonal)
        *last = diagonal + p->window_right + 1;
    if (p->window_left >= 0 && diagonal > p->window_left)
        *first = diagonal - p->window_left;
    if (*last < 0)
        *last = 0;
}

int64_t attune_shape_pair_offset(const struct attune_tensor *tensor, int64_t b, int64_t h,
                                 int64_t i, int64_t j)
{
    const int64_t index[ATTUNE_MAX_RANK] = {b, h, i, j};
    int64_t offset = 0;
    for (int32_t axis = 0; axis < tensor->rank; axis++)
        if (tensor->size[axis] != 1)
            offset += index[ATTUNE_MAX_RANK - tensor->rank + axis] * tensor->stride[axis];
    return offset;
}
