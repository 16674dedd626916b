/* SPDX-License-Identifier: Apache-2.0
 *
 * From a row's maximum, sum and unnormalised output to what the caller asked for.
 */
#include <float.h>
#include <math.h>
#include <string.h>

#include "engine/core.h"

#define LN_2 0.6931471805599453

static int64_t row_offset(const struct attune_worker *worker, const struct attune_sink_view *view,
                          const struct attune_row *at)
{
    return worker->b * view->stride_b + at->head * view->stride_h + at->i * view->stride_t;
}

float *attune_core_out_row(const struct attune_worker *worker, const struct attune_row *at)
{
    const struct attune_sink_view *view = &worker->execution->out;
    return view->base == NULL ? NULL : view->base + row_offset(worker, view, at);
}

void attune_core_write_lse(const struct attune_worker *worker, const struct attune_row *at,
                           double lse)
{
    const struct attune_sink_view *view = &worker->execution->lse;
    if (view->base == NULL)
        return;
    /* -inf says that nothing may be attended: what is only below float32 is held at its end. */
    if (isfinite(lse))
        lse = fmax(fmin(lse, (double)FLT_MAX), -(double)FLT_MAX);
    view->base[row_offset(worker, view, at)] = (float)lse;
}

/* A row that may attend nothing. */
static void finish_empty(struct attune_worker *worker, const struct attune_row *at)
{
    const struct attune_shape *shape = &worker->plan->shape;
    const struct attune_sink_view *view = &worker->execution->alignments;
    float *out = attune_core_out_row(worker, at);
    if (out != NULL)
        memset(out, 0, (size_t)shape->e * sizeof *out);
    attune_core_write_lse(worker, at, -(double)INFINITY);
    if (view->base == NULL)
        return;
    float *weights = view->base + row_offset(worker, view, at);
    for (int64_t j = 0; j < shape->t_k; j++)
        weights[j * view->stride_k] = 0;
}

/* The scores that mask left in the alignments' own memory become weights. */
static void finish_alignments(struct attune_worker *worker, const struct attune_row *at, float max,
                              float sum)
{
    const struct attune_plan *plan = worker->plan;
    const struct attune_sink_view *view = &worker->execution->alignments;
    if (view->base == NULL)
        return;
    float *row = view->base + row_offset(worker, view, at);
    struct attune_weights_args weights = {.factor = plan->factor,
                                          .row_max = max,
                                          .row_sum = sum};
    for (int64_t j = 0; j < plan->shape.t_k; j += plan->tiles.kv_block) {
        int64_t left = plan->shape.t_k - j;
        weights.n = left < plan->tiles.kv_block ? left : plan->tiles.kv_block;
        float *dst = row + j * view->stride_k;
        weights.s = weights.w = view->stride_k == 1 ? dst : worker->bias;
        for (int64_t k = 0; view->stride_k != 1 && k < weights.n; k++)
            worker->bias[k] = dst[k * view->stride_k];
        plan->kernel.weights(&weights);
        for (int64_t k = 0; view->stride_k != 1 && k < weights.n; k++)
            dst[k * view->stride_k] = worker->bias[k];
    }
}

/* Whether statistics are numbers that a quotient can be made of. A maximum of -FLT_MAX: nothing that
 * float32 can tell apart was above it. */
static int sound(float max, float sum)
{
    return sum > 0 && sum <= FLT_MAX && fabsf(max) < FLT_MAX;
}

/* What follows `out` of a row that float32 has held. */
static void finish_rest(struct attune_worker *worker, const struct attune_row *at, float max, float sum)
{
    if (worker->execution->lse.base != NULL)
        attune_core_write_lse(worker, at,
                              ((double)worker->plan->factor * (double)max + log2((double)sum)) * LN_2);
    finish_alignments(worker, at, max, sum);
}

int attune_core_finish(struct attune_worker *worker, int64_t row, float max, float sum,
                       const float *out)
{
    const struct attune_plan *plan = worker->plan;
    const struct attune_row *at = &worker->rows[row];
    uint8_t flawed = 0;
    if (!at->any) {
        finish_empty(worker, at);
        return 1;
    }
    if (!sound(max, sum))
        return 0;
    struct attune_finish_args finish = {.o = out, .m = 1, .e = plan->shape.e, .sum = &sum,
                                        .scale = plan->out_scale,
                                        .out = attune_core_out_row(worker, at), .flawed = &flawed};
    if (finish.out != NULL)
        plan->kernel.finish(&finish);
    if (flawed)
        return 0;
    finish_rest(worker, at, max, sum);
    return 1;
}

/* The end of the rows from `row` on that one call can finish: of one head, with something to attend. */
static int64_t run_end(const struct attune_worker *worker, int64_t row)
{
    const int64_t head = worker->rows[row].head;
    while (row < worker->row_count && worker->rows[row].head == head && worker->rows[row].any &&
           sound(worker->max[row], worker->sum[row]))
        row++;
    return row;
}

void attune_core_finish_rows(struct attune_worker *worker, uint8_t *again)
{
    const struct attune_plan *plan = worker->plan;
    const int shown = worker->execution->lse.base != NULL || worker->execution->alignments.base != NULL;
    for (int64_t row = 0, end; row < worker->row_count; row = end) {
        end = run_end(worker, row);
        if (end == row) {
            again[end++] = !attune_core_finish(worker, row, worker->max[row], worker->sum[row],
                                               worker->out + row * plan->ldo);
            continue;
        }
        struct attune_finish_args finish = {.o = worker->out + row * plan->ldo, .ldo = plan->ldo,
                                            .m = end - row, .e = plan->shape.e,
                                            .sum = worker->sum + row, .scale = plan->out_scale,
                                            .out = attune_core_out_row(worker, &worker->rows[row]),
                                            .ldout = worker->execution->out.stride_t,
                                            .flawed = again + row};
        memset(again + row, 0, (size_t)(end - row));
        if (finish.out != NULL)
            plan->kernel.finish(&finish);
        for (int64_t i = row; shown && i < end; i++)
            if (!again[i])
                finish_rest(worker, &worker->rows[i], worker->max[i], worker->sum[i]);
    }
}
