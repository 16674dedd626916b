/* SPDX-License-Identifier: Apache-2.0
 *
 * The fp64 reference from scores to outputs: scale, softcap, bias and mask, softmax, weighted sum
 * and the projection behind it, each with the bound that a float32 result must keep:
 *
 *   |O - O*| <= [2 ds + 2 eps_exp + u(2T + 2B + ln T + 6)] sum_j p_j |v_j| + u |O*| + FLT_MIN sum_j
 * |v_j|
 *
 * for T attended keys in B blocks, where ds bounds the error of the row's adjusted scores. For dot
 * without projections ds follows from the length of the chain; elsewhere it is four times the
 * largest error of a naive float32 evaluation, and never below what the magnitudes involved allow
 * for: with few keys a naive evaluation may be exact by luck. Shares no arithmetic with the
 * kernels.
 */
#include "engine/reference.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/reference_parts.h"
#include "engine/status.h"

#define U ATTUNE_ROUNDOFF
/* The exponential of the softmax kernels: 2 ulp. */
#define EXP_ERROR (4 * U)
/* Keys of the smallest block between two merges of the online softmax. */
#define BLOCK 64
#define MAX_BLOCKS 48

/* One row of scores, from raw to weights. */
struct row {
    double *score, *error; /* of the keys below key_lengths[b] */
    float *naive;
    double *weight;
    unsigned char *attended;
    double spread; /* ds: bound on the error of an attended score */
    double peak;   /* m */
    double sum;    /* of exp(s - m), sink included */
    int64_t count; /* attended keys */
};

struct outputs {
    struct attune_reference *result;
    double *heads, *heads_bound; /* of one sequence, [T_q][H*E], before out_weight */
    double *value_error;         /* [E]: of the projected values, the largest over the keys */
};

void *attune_reference_reserve(struct attune_reference_job *job, int64_t count, size_t size)
{
    void *block = job->failed || job->block_count == MAX_BLOCKS
                      ? NULL
                      : calloc(count > 0 ? (size_t)count : 1, size);
    if (block)
        job->blocks[job->block_count++] = block;
    else
        job->failed = 1;
    return block;
}

/* How far off the naive evaluation is: infinite where it left float32's range and the exact one did
 * not; 0 where the exact value is itself no number. */
static double naive_distance(double exact, float naive)
{
    if (!isfinite(exact))
        return 0;
    return isfinite(naive) ? fabs(exact - (double)naive) : (double)INFINITY;
}

static int is_exact_dot(const struct attune_shape *s)
{
    return s->kind == ATTUNE_SCORE_DOT && !s->from_x && s->problem.form == ATTUNE_DOT;
}

/* Scale and softcap, with the errors carried along. */
static void scale_scores(const struct attune_shape *s, struct row *row, int64_t keys)
{
    const struct attune_problem *p = &s->problem;
    /* A scan amplifies roundings by factors that differ from one evaluation to the next. */
    const double factor = ATTUNE_NAIVE_FACTOR * (s->kind == ATTUNE_SCORE_LSTM ? 4 : 1);
    double worst = 0;
    for (int64_t j = 0; j < keys; j++) {
        const double off = naive_distance(row->score[j], row->naive[j]);
        if (!is_exact_dot(s) && isfinite(off))
            worst = fmax(worst, off);
    }
    for (int64_t j = 0; j < keys; j++) {
        const double off = is_exact_dot(s) ? 0 : naive_distance(row->score[j], row->naive[j]);
        const double error = fmax(row->error[j], factor * fmax(off, worst));
        row->score[j] *= p->score_scale;
        row->error[j] = error * fabs(p->score_scale) + 2 * U * fabs(row->score[j]) + 0x1p-149;
        if (p->softcap > 0 && p->stage != ATTUNE_RAW) {
            row->score[j] = p->softcap * tanh(row->score[j] / p->softcap);
            row->error[j] += 6 * U * fabs(row->score[j]) + p->softcap * 0x1p-149;
        }
    }
}

static size_t output_index(const struct attune_shape *s, int64_t b, int64_t h, int64_t i)
{
    return (size_t)((b * s->h + h) * s->t_q + i);
}

static void store_scores(const struct attune_shape *s, struct attune_reference *result,
                         const struct row *row, int64_t b, int64_t h, int64_t i, int64_t keys,
                         int masked)
{
    const size_t first = output_index(s, b, h, i) * (size_t)s->t_k;
    double *value = result->value[ATTUNE_OUT_SCORES], *bound = result->bound[ATTUNE_OUT_SCORES];
    if (!value)
        return;
    for (int64_t j = 0; j < s->t_k; j++) {
        const int shown = j < keys && (!masked || row->attended[j]);
        value[first + (size_t)j] = shown ? row->score[j] : (double)-INFINITY;
        bound[first + (size_t)j] = shown ? row->error[j] : 0;
    }
}

/* Softcap where the stage `raw` left it out, then bias and mask. */
static void mask_scores(const struct attune_reference_job *job, struct row *row, int64_t b,
                        int64_t h, int64_t i, int64_t keys)
{
    const struct attune_shape *s = job->shape;
    const struct attune_problem *p = &s->problem;
    const struct attune_tensor *mask = &p->in[ATTUNE_IN_MASK], *bias = &p->in[ATTUNE_IN_BIAS];
    int64_t first, last;
    attune_shape_attended(s, job->args, b, i, &first, &last);
    row->count = 0;
    for (int64_t j = 0; j < keys; j++) {
        double added = 0;
        row->attended[j] = j >= first && j < last;
        if (row->attended[j] && mask->dtype != ATTUNE_ABSENT)
            row->attended[j] =
                attune_reference_element(job, ATTUNE_IN_MASK,
                                         attune_shape_pair_offset(mask, b, h, i, j)) != 0;
        if (row->attended[j] && bias->dtype != ATTUNE_ABSENT)
            added = attune_reference_element(job, ATTUNE_IN_BIAS,
                                             attune_shape_pair_offset(bias, b, h, i, j));
        if (isinf(added) && added < 0)
            row->attended[j] = 0;
        if (!row->attended[j])
            continue;
        if (p->softcap > 0 && p->stage == ATTUNE_RAW) {
            row->score[j] = p->softcap * tanh(row->score[j] / p->softcap);
            row->error[j] += 6 * U * fabs(row->score[j]) + p->softcap * 0x1p-149;
        }
        row->score[j] += added;
        if (bias->dtype != ATTUNE_ABSENT) {
            const double terms = is_exact_dot(s) ? (double)s->d + 3 : 2;
            row->error[j] += terms * U * fabs(added) + U * fabs(row->score[j]);
        }
        row->count++;
    }
}

/* A score so far below the peak, its error included, that all weights like it come to less than the
 * bound's FLT_MIN: what it is off by, which is much where a bias of -3e38 stands for a mask, says
 * nothing of the row. */
#define FAR_BELOW 110

/* Everything of the softmax except the weighted sum. A NaN score makes the peak NaN by hand: fmax
 * would drop it. */
static void soften(const struct attune_reference_job *job, struct row *row, int64_t h, int64_t keys)
{
    const struct attune_tensor *sink = &job->shape->problem.in[ATTUNE_IN_SINK];
    double extra = -INFINITY;
    if (sink->dtype != ATTUNE_ABSENT)
        extra = attune_reference_element(job, ATTUNE_IN_SINK, h * sink->stride[0]);
    row->peak = extra;
    row->spread = 0;
    row->sum = 0;
    for (int64_t j = 0; j < keys; j++) {
        if (!row->attended[j])
            continue;
        row->peak =
            isnan(row->score[j]) || isnan(row->peak) ? (double)NAN : fmax(row->peak, row->score[j]);
    }
    for (int64_t j = 0; j < keys; j++) {
        row->weight[j] = row->attended[j] ? exp(row->score[j] - row->peak) : 0;
        row->sum += row->weight[j];
        if (row->attended[j] && !(row->score[j] + row->error[j] < row->peak - FAR_BELOW))
            row->spread = fmax(row->spread, row->error[j]);
    }
    if (sink->dtype != ATTUNE_ABSENT) {
        row->sum += exp(extra - row->peak);
        if (extra >= row->peak - FAR_BELOW)
            row->spread += 2 * U * fabs(extra);
    }
    for (int64_t j = 0; j < keys; j++)
        row->weight[j] /= row->sum;
}

/* The bracket of the bound at the top: relative to sum p |v|. */
static double relative_bound(const struct row *row)
{
    const double t = (double)row->count, blocks = ceil(t / BLOCK);
    return expm1(2 * row->spread) + 2 * EXP_ERROR + U * (2 * t + 2 * blocks + log(fmax(t, 1)) + 6);
}

/* A bound that is no number comes of an infinite one times 0; a NaN value must be met by NaN. */
static double settled(double value, double bound)
{
    return isnan(value) ? 0 : isnan(bound) ? (double)INFINITY : bound;
}

static void store_weights(const struct attune_shape *s, struct attune_reference *result,
                          const struct row *row, int64_t b, int64_t h, int64_t i, int64_t keys)
{
    const size_t at = output_index(s, b, h, i), first = at * (size_t)s->t_k;
    const double relative = relative_bound(row);
    double *value = result->value[ATTUNE_OUT_ALIGNMENTS];
    double *bound = result->bound[ATTUNE_OUT_ALIGNMENTS];
    for (int64_t j = 0; value && j < keys; j++)
        if (row->attended[j]) {
            value[first + (size_t)j] = row->weight[j];
            bound[first + (size_t)j] =
                settled(row->weight[j], (relative + U) * row->weight[j] + (double)FLT_MIN);
        }
    if (!result->value[ATTUNE_OUT_LSE])
        return;
    const double lse = row->peak + log(row->sum);
    result->value[ATTUNE_OUT_LSE][at] = lse;
    result->bound[ATTUNE_OUT_LSE][at] =
        settled(lse, row->spread + relative_bound(&(struct row){.count = row->count}) +
                         4 * U * (fabs(row->peak) + fabs(lse)));
}

/* An infinite value under a weight that float32 flushes to 0 is an infinity or a NaN by the order
 * of the blocks: no statement is made about it. */
static void weigh_values(const struct attune_reference_job *job, const struct outputs *out,
                         const struct row *row, int64_t h, int64_t i, int64_t keys)
{
    const struct attune_shape *s = job->shape;
    const double relative = relative_bound(row), scale = s->problem.output_scale;
    const int projected = job->value_side.weight != NULL;
    for (int64_t c = 0; c < s->e; c++) {
        double sum = 0, size = 0, all = 0, inherited = 0;
        int open = 0;
        for (int64_t j = 0; j < keys; j++) {
            if (!row->attended[j])
                continue;
            const double v = job->value.exact[j * s->e + c];
            const double off = ATTUNE_NAIVE_FACTOR * U * job->value.magnitude[j * s->e + c];
            sum += row->weight[j] * v;
            size += row->weight[j] * fabs(v);
            all += fabs(v);
            inherited += row->weight[j] * fmax(off, projected ? out->value_error[c] : 0);
            open |= isinf(v) && row->weight[j] < 0x1p-100;
        }
        const size_t at = (size_t)((i * s->h + h) * s->e + c);
        const double bound = relative * size + inherited + U * fabs(sum) + (double)FLT_MIN * all +
                             (double)(row->count + 2) * 0x1p-149;
        out->heads[at] = sum * scale;
        out->heads_bound[at] =
            open ? (double)INFINITY
                 : settled(sum, bound * fabs(scale) + 2 * U * fabs(sum * scale) + 0x1p-149);
    }
}

static void run_row(struct attune_reference_job *job, const struct outputs *out, struct row *row,
                    int64_t b, int64_t h, int64_t i)
{
    const struct attune_shape *s = job->shape;
    const int64_t keys = attune_shape_key_length(s, job->args, b);
    const int masked = s->problem.stage == ATTUNE_MASKED;
    attune_reference_scores(job, h, i, keys, row->score, row->naive, row->error);
    scale_scores(s, row, keys);
    if (!masked)
        store_scores(s, out->result, row, b, h, i, keys, 0);
    mask_scores(job, row, b, h, i, keys);
    if (masked)
        store_scores(s, out->result, row, b, h, i, keys, 1);
    if (row->count == 0) {
        if (out->result->value[ATTUNE_OUT_LSE])
            out->result->value[ATTUNE_OUT_LSE][output_index(s, b, h, i)] = -INFINITY;
        return;
    }
    soften(job, row, h, keys);
    store_weights(s, out->result, row, b, h, i, keys);
    weigh_values(job, out, row, h, i, keys);
}

/* How far the values' projection may be off, column by column. */
static void measure_values(const struct attune_reference_job *job, struct outputs *out,
                           int64_t keys)
{
    const int64_t e = job->shape->e;
    for (int64_t c = 0; c < e; c++) {
        out->value_error[c] = 0;
        for (int64_t j = 0; j < keys; j++)
            out->value_error[c] =
                fmax(out->value_error[c],
                     ATTUNE_NAIVE_FACTOR *
                         naive_distance(job->value.exact[j * e + c], job->value.naive[j * e + c]));
    }
}

/* One row of out = out_weight * heads + out_bias. */
static void project_row(const struct attune_reference_job *job, const double *heads,
                        const double *heads_bound, double *value, double *bound)
{
    const struct attune_shape *s = job->shape;
    const int64_t in = s->h * s->e;
    double worst = 0;
    for (int64_t o = 0; o < s->out_width; o++) {
        double sum = job->out_bias ? job->out_bias[o] : 0, size = fabs(sum), inherited = 0;
        float naive = (float)sum;
        for (int64_t c = 0; c < in; c++) {
            const double weight = job->out_weight[o * in + c];
            sum += weight * heads[c];
            size += fmax(fabs(weight * heads[c]), fabs(heads[c]) > (double)FLT_MAX ? (double)INFINITY : 0);
            inherited += fabs(weight) * heads_bound[c];
            naive += (float)weight * (float)heads[c];
        }
        worst = fmax(worst, naive_distance(sum, naive));
        value[o] = sum;
        bound[o] = settled(sum, inherited + ATTUNE_NAIVE_FACTOR * U * size + U * fabs(sum) +
                                    (double)(in + 4) * 0x1p-149);
        if (size > (double)FLT_MAX) /* a float32 sum may overflow on its way */
            bound[o] = settled(sum, INFINITY);
    }
    for (int64_t o = 0; o < s->out_width; o++)
        bound[o] = isnan(value[o]) ? 0 : bound[o] + ATTUNE_NAIVE_FACTOR * worst;
}

/* Rows beyond query_lengths stay 0; a row that attends nothing is 0 before the projection. */
static void store_out(const struct attune_reference_job *job, const struct outputs *out, int64_t b)
{
    const struct attune_shape *s = job->shape;
    const int64_t queries = attune_shape_query_length(s, job->args, b), in = s->h * s->e;
    double *value = out->result->value[ATTUNE_OUT_OUT];
    double *bound = out->result->bound[ATTUNE_OUT_OUT];
    for (int64_t i = 0; value && i < queries; i++) {
        const double *heads = out->heads + i * in, *heads_bound = out->heads_bound + i * in;
        if (job->out_weight) {
            const int64_t at = (b * s->t_q + i) * s->out_width;
            project_row(job, heads, heads_bound, value + at, bound + at);
            continue;
        }
        for (int64_t c = 0; c < in; c++) {
            const int64_t head = c / s->e;
            const int64_t at = s->out_heads ? ((b * s->h + head) * s->t_q + i) * s->e + c % s->e
                                            : (b * s->t_q + i) * in + c;
            value[at] = heads[c];
            bound[at] = heads_bound[c];
        }
    }
}

static int64_t output_count(const struct attune_tensor *tensor)
{
    int64_t count = 1;
    for (int32_t axis = 0; axis < tensor->rank; axis++)
        count *= tensor->size[axis];
    return count;
}

static int allocate_result(const struct attune_shape *s, struct attune_reference *result)
{
    memset(result, 0, sizeof *result);
    for (int32_t i = 0; i < ATTUNE_OUTPUT_COUNT; i++) {
        if (s->problem.out[i].dtype == ATTUNE_ABSENT)
            continue;
        result->count[i] = output_count(&s->problem.out[i]);
        const size_t count = result->count[i] > 0 ? (size_t)result->count[i] : 1;
        result->value[i] = calloc(count, sizeof(double));
        result->bound[i] = calloc(count, sizeof(double));
        if (!result->value[i] || !result->bound[i])
            return 0;
    }
    return 1;
}

static void run_sequences(struct attune_reference_job *job, struct outputs *out, struct row *row)
{
    const struct attune_shape *s = job->shape;
    const size_t size = (size_t)(s->t_q * s->h * s->e) * sizeof *out->heads;
    for (int64_t b = 0; b < s->b; b++) {
        memset(out->heads, 0, size);
        memset(out->heads_bound, 0, size);
        for (int64_t h = 0; h < s->h; h++) {
            attune_reference_evaluate(job, b, h);
            measure_values(job, out, attune_shape_key_length(s, job->args, b));
            for (int64_t i = 0; i < s->t_q; i++)
                run_row(job, out, row, b, h, i);
        }
        store_out(job, out, b);
    }
}

enum attune_status attune_reference_run(const struct attune_shape *shape,
                                        const struct attune_args *args,
                                        struct attune_reference *result)
{
    void *blocks[MAX_BLOCKS];
    struct attune_reference_job job = {.shape = shape, .args = args, .blocks = blocks};
    struct outputs out = {.result = result};
    struct row row = {0};
    const int allocated = allocate_result(shape, result);
    if (allocated && shape->b > 0 && shape->t_q > 0) {
        attune_reference_prepare(&job);
        row.score = attune_reference_reserve(&job, shape->t_k, sizeof *row.score);
        row.error = attune_reference_reserve(&job, shape->t_k, sizeof *row.error);
        row.naive = attune_reference_reserve(&job, shape->t_k, sizeof *row.naive);
        row.weight = attune_reference_reserve(&job, shape->t_k, sizeof *row.weight);
        row.attended = attune_reference_reserve(&job, shape->t_k, sizeof *row.attended);
        const int64_t heads = shape->t_q * shape->h * shape->e;
        out.heads = attune_reference_reserve(&job, heads, sizeof *out.heads);
        out.heads_bound = attune_reference_reserve(&job, heads, sizeof *out.heads_bound);
        out.value_error = attune_reference_reserve(&job, shape->e, sizeof *out.value_error);
        if (!job.failed)
            run_sequences(&job, &out, &row);
    }
    for (int32_t i = 0; i < job.block_count; i++)
        free(blocks[i]);
    if (allocated && !job.failed)
        return ATTUNE_OK;
    attune_reference_free(result);
    return attune_fail(ATTUNE_ERROR_NO_MEMORY, "reference: no memory for float64 results");
}

void attune_reference_free(struct attune_reference *result)
{
    for (int32_t i = 0; i < ATTUNE_OUTPUT_COUNT; i++) {
        free(result->value[i]);
        free(result->bound[i]);
    }
    memset(result, 0, sizeof *result);
}

/* |got - want| in units of the bound. A value that float32 cannot hold may saturate or overflow. */
static double distance(double got, double want, double bound, double *error)
{
    *error = 0;
    if (isinf(bound) || (isnan(want) && isnan(got)) || got == want)
        return 0;
    *error = INFINITY;
    if (isnan(want) || isnan(got) || isinf(want))
        return INFINITY;
    if (fabs(want) > (double)FLT_MAX && fabs(got) >= (double)FLT_MAX && (want > 0) == (got > 0)) {
        *error = 0;
        return 0;
    }
    if (isinf(got))
        return INFINITY;
    *error = fabs(got - want);
    return *error / bound;
}

double attune_reference_compare(const float *got, const double *want, const double *bound,
                                int64_t count, double *largest_error, int64_t *worst_index)
{
    double worst = 0, largest = 0;
    int64_t index = 0;
    for (int64_t i = 0; i < count; i++) {
        double error;
        const double ratio = distance((double)got[i], want[i], bound[i], &error);
        largest = fmax(largest, error);
        if (ratio > worst) {
            worst = ratio;
            index = i;
        }
    }
    if (largest_error)
        *largest_error = largest;
    if (worst_index)
        *worst_index = index;
    return worst;
}
