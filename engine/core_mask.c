/* SPDX-License-Identifier: Apache-2.0
 *
 * Between scores and softmax: scale, softcap, bias and masks of a strip, and the scores that the caller
 * asked to see. Masks select: a masked score is -inf whatever stood there.
 */
#include <math.h>
#include <string.h>

#include "engine/convert.h"
#include "engine/core.h"

/* Elements j .. of one row of an output. */
static float *sink_at(const struct attune_worker *worker, const struct attune_sink_view *view,
                      const struct attune_row *at, int64_t key)
{
    return view->base + worker->b * view->stride_b + at->head * view->stride_h +
           at->i * view->stride_t + key * view->stride_k;
}

static void show(const struct attune_worker *worker, const struct attune_sink_view *view,
                 const struct attune_row *at, int64_t key, int64_t count, const float *s, float scale)
{
    if (view->base == NULL)
        return;
    float *dst = sink_at(worker, view, at, key);
    for (int64_t j = 0; j < count; j++)
        dst[j * view->stride_k] = s[j] * scale;
}

const float *attune_core_bias_row(struct attune_worker *worker, int64_t head, int64_t i, int64_t key,
                                  int64_t count)
{
    const struct attune_tensor *tensor = &worker->plan->shape.problem.in[ATTUNE_IN_BIAS];
    const char *base = worker->execution->args->in[ATTUNE_IN_BIAS];
    if (tensor->dtype == ATTUNE_ABSENT)
        return NULL;
    int64_t offset = attune_shape_pair_offset(tensor, worker->b, head, i, key);
    int64_t last = tensor->rank - 1;
    int64_t step = last >= 0 && tensor->size[last] != 1 ? tensor->stride[last] : 0;
    if (tensor->dtype == ATTUNE_F32 && step == 1)
        return (const float *)base + offset;
    for (int64_t j = 0; j < count; j++)
        worker->bias[j] = attune_load_float(base, tensor->dtype, offset + j * step);
    return worker->bias;
}

const uint8_t *attune_core_mask_row(struct attune_worker *worker, int64_t head, int64_t i,
                                    int64_t key, int64_t count)
{
    const struct attune_tensor *tensor = &worker->plan->shape.problem.in[ATTUNE_IN_MASK];
    const uint8_t *base = worker->execution->args->in[ATTUNE_IN_MASK];
    if (tensor->dtype == ATTUNE_ABSENT)
        return NULL;
    int64_t offset = attune_shape_pair_offset(tensor, worker->b, head, i, key);
    int64_t last = tensor->rank - 1;
    int64_t step = last >= 0 && tensor->size[last] != 1 ? tensor->stride[last] : 0;
    if (step == 1)
        return base + offset;
    for (int64_t j = 0; j < count; j++)
        worker->mask[j] = base[offset + j * step];
    return worker->mask;
}

const uint8_t *attune_core_attended(struct attune_worker *worker, int64_t row, int64_t key,
                                    int64_t count)
{
    const struct attune_row *at = &worker->rows[row];
    const uint8_t *mask = attune_core_mask_row(worker, at->head, at->i, key, count);
    const float *bias = attune_core_bias_row(worker, at->head, at->i, key, count);
    for (int64_t j = 0; j < count; j++)
        worker->mask[j] = key + j >= at->first && key + j < at->last &&
                          (mask == NULL || mask[j] != 0) && (bias == NULL || bias[j] != -INFINITY);
    return worker->mask;
}

double attune_core_sink(const struct attune_worker *worker, int64_t head)
{
    const struct attune_tensor *tensor = &worker->plan->shape.problem.in[ATTUNE_IN_SINK];
    return (double)attune_load_float(worker->execution->args->in[ATTUNE_IN_SINK], tensor->dtype,
                                     head * tensor->stride[0]);
}

static void hide(float *s, int64_t from, int64_t to)
{
    for (int64_t j = from; j < to; j++)
        s[j] = -INFINITY;
}

/* Scale and softcap where they are shown apart; adjust then finds scale 1 and no softcap, and scales
 * by 1, which changes no bit. */
static void show_stages(struct attune_worker *worker, const struct attune_row *at, int64_t key,
                        int64_t count, float *s)
{
    const struct attune_plan *plan = worker->plan;
    const struct attune_sink_view *scores = &worker->execution->scores;
    struct attune_adjust_args stage = {.s = s, .n = count, .scale = plan->scale};
    if (!plan->adjusted) {
        show(worker, scores, at, key, count, s, plan->scale);
        return;
    }
    plan->kernel.adjust(&stage);
    if (plan->shape.problem.stage == ATTUNE_RAW)
        show(worker, scores, at, key, count, s, 1);
    if (plan->softcap > 0) {
        stage.scale = 1;
        stage.softcap = plan->softcap;
        plan->kernel.adjust(&stage);
    }
    if (plan->shape.problem.stage == ATTUNE_SOFTCAP)
        show(worker, scores, at, key, count, s, 1);
}

/* One row; [from, to) are the columns that lengths, causal and window leave. */
static void mask_row(struct attune_worker *worker, struct attune_row *at, int64_t key, int64_t count,
                     int64_t from, int64_t to, float *s)
{
    const struct attune_plan *plan = worker->plan;
    if (plan->needs_all)
        show_stages(worker, at, key, count, s);
    if (plan->adjusted && from < to) {
        struct attune_adjust_args adjust = {
            .s = s + from, .n = to - from, .scale = plan->needs_all ? 1 : plan->scale,
            .softcap = plan->needs_all ? 0 : plan->softcap,
            .bias = attune_core_bias_row(worker, at->head, at->i, key + from, to - from),
            .mask = attune_core_mask_row(worker, at->head, at->i, key + from, to - from)};
        at->any |= plan->kernel.adjust(&adjust) != 0;
    }
    hide(s, 0, from);
    hide(s, to, count);
    show(worker, &worker->execution->alignments, at, key, count, s, 1);
    if (!plan->needs_all)
        show(worker, &worker->execution->scores, at, key, count, s, plan->adjusted ? 1 : plan->scale);
}

void attune_core_mask(struct attune_worker *worker, int64_t row, int64_t rows, int64_t key,
                      int64_t count)
{
    for (int64_t i = 0; i < rows; i++) {
        struct attune_row *at = &worker->rows[row + i];
        int64_t from = at->first - key, to = at->last - key;
        from = from < 0 ? 0 : from > count ? count : from;
        to = to > count ? count : to < from ? from : to;
        mask_row(worker, at, key, count, from, to, worker->scores + i * worker->plan->lds);
    }
}

void attune_core_prefill(struct attune_worker *worker, int64_t key_first, int64_t key_last)
{
    const struct attune_sink_view *views[] = {&worker->execution->alignments,
                                              &worker->execution->scores};
    for (int v = 0; v < 2; v++)
        for (int64_t row = 0; views[v]->base != NULL && row < worker->row_count; row++) {
            float *dst = sink_at(worker, views[v], &worker->rows[row], key_first);
            for (int64_t j = 0; j < key_last - key_first; j++)
                dst[j * views[v]->stride_k] = -INFINITY;
        }
}
