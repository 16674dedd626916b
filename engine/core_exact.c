/* SPDX-License-Identifier: Apache-2.0
 *
 * One row in float64, by the formulas: for rows whose float32 result overflowed on the way (scores or
 * sums beyond FLT_MAX, a scale that float32 cannot hold) or whose attended data are not finite. Which
 * rows come here depends on their own data alone. Slow, and as rare as such data.
 */
#include <math.h>
#include <string.h>

#include "engine/convert.h"
#include "engine/core.h"

static double element(const char *base, const struct attune_view *view, int64_t offset)
{
    return (double)attune_load_float(base, view->dtype, offset);
}

static double scale_of(const struct attune_worker *worker, const struct attune_view *view,
                       int64_t key)
{
    const float *base = (const float *)attune_view_base(worker->execution, view);
    const struct attune_shape *shape = &worker->plan->shape;
    return base == NULL ? 1.0
                        : (double)base[(worker->b * shape->g + worker->g) * shape->t_k + key];
}

static double exact_score(const struct attune_worker *worker, const struct attune_row *at, int64_t key)
{
    const struct attune_plan *plan = worker->plan;
    const struct attune_execution *execution = worker->execution;
    int64_t q = worker->b * plan->query.stride_b + at->head * plan->query.stride_h +
                at->i * plan->query.stride_t;
    int64_t k = worker->b * plan->key.stride_b + worker->g * plan->key.stride_h +
                key * plan->key.stride_t;
    double sum = 0;
    if (plan->shape.kind == ATTUNE_SCORE_DOT) {
        for (int64_t d = 0; d < plan->shape.d; d++)
            sum += element(execution->query, &plan->query, q + d) *
                   element(execution->key, &plan->key, k + d);
        return sum * scale_of(worker, &plan->key_scale, key);
    }
    const float *u = execution->fold + at->head * plan->fold.stride + plan->fold.u;
    for (int64_t t = 0; t < plan->shape.a; t++)
        sum += (double)u[t] * tanh(element(execution->query, &plan->query, q + t) +
                                   element(execution->key, &plan->key, k + t));
    return sum;
}

/* Raw scores of a block. The LSTM's states are bounded, so its float32 scores serve. */
static void exact_block(struct attune_worker *worker, const struct attune_block *block)
{
    const struct attune_row *at = &worker->rows[0];
    int lstm = worker->plan->shape.kind == ATTUNE_SCORE_LSTM;
    if (lstm)
        attune_core_score(worker, block, 0, 1, 0, block->count);
    for (int64_t j = 0; j < block->count; j++)
        worker->exact_scores[j] = lstm ? (double)worker->scores[j]
                                       : exact_score(worker, at, block->first + j);
}

static void show_score(const struct attune_worker *worker, enum attune_stage stage, int64_t key,
                       double s)
{
    const struct attune_sink_view *view = &worker->execution->scores;
    const struct attune_row *at = &worker->rows[0];
    if (view->base != NULL && worker->plan->shape.problem.stage == (int32_t)stage)
        view->base[worker->b * view->stride_b + at->head * view->stride_h + at->i * view->stride_t +
                   key * view->stride_k] = (float)s;
}

/* Scale, softcap and bias of a block's scores, shown where asked for; -inf where not attended. */
static void adjust_block(struct attune_worker *worker, const struct attune_block *block)
{
    const struct attune_problem *problem = &worker->plan->shape.problem;
    const struct attune_row *at = &worker->rows[0];
    const uint8_t *attended = attune_core_attended(worker, 0, block->first, block->count);
    const float *bias =
        attune_core_bias_row(worker, at->head, at->i, block->first, block->count);
    for (int64_t j = 0; j < block->count; j++) {
        double s = worker->exact_scores[j] * problem->score_scale;
        show_score(worker, ATTUNE_RAW, block->first + j, s);
        if (problem->softcap > 0)
            s = problem->softcap * tanh(s / problem->softcap);
        show_score(worker, ATTUNE_SOFTCAP, block->first + j, s);
        s = attended[j] ? s + (bias != NULL ? (double)bias[j] : 0.0) : -(double)INFINITY;
        show_score(worker, ATTUNE_MASKED, block->first + j, s);
        worker->exact_scores[j] = s;
    }
}

struct exact_state {
    double max, sum;
    int any;
};

static void add_key(struct attune_worker *worker, struct exact_state *state, int64_t key, double s)
{
    const struct attune_plan *plan = worker->plan;
    const char *base = worker->execution->value;
    int64_t at = worker->b * plan->value.stride_b + worker->g * plan->value.stride_h +
                 key * plan->value.stride_t;
    double max = state->any && !(s > state->max) && !isnan(s) ? state->max : s;
    double keep = state->any ? exp(state->max - max) : 0.0, weight = exp(s - max);
    double scale = scale_of(worker, &plan->value_scale, key);
    for (int64_t c = 0; c < plan->shape.e; c++)
        worker->exact_out[c] = (state->any ? keep * worker->exact_out[c] : 0.0) +
                               weight * element(base, &plan->value, at + c) * scale;
    state->sum = (state->any ? keep * state->sum : 0.0) + weight;
    state->max = max;
    state->any = 1;
}

static void stream_exact(struct attune_worker *worker, struct exact_state *state, double lse)
{
    const struct attune_plan *plan = worker->plan;
    const struct attune_sink_view *view = &worker->execution->alignments;
    const struct attune_row *at = &worker->rows[0];
    int64_t kv_block = plan->tiles.kv_block;
    if (plan->shape.kind == ATTUNE_SCORE_LSTM)
        memset(worker->state, 0,
               (size_t)(3 * plan->tiles.q_block * plan->lstm.n_pad) * sizeof *worker->state);
    for (int64_t index = 0; index * kv_block < worker->key_length; index++) {
        struct attune_block block;
        attune_core_load_block(worker, index, &block);
        exact_block(worker, &block);
        adjust_block(worker, &block);
        const uint8_t *attended = attune_core_attended(worker, 0, block.first, block.count);
        for (int64_t j = 0; j < block.count; j++) {
            int64_t key = block.first + j;
            if (state != NULL && attended[j])
                add_key(worker, state, key, worker->exact_scores[j]);
            if (state == NULL)
                view->base[worker->b * view->stride_b + at->head * view->stride_h +
                           at->i * view->stride_t + key * view->stride_k] =
                    attended[j] ? (float)exp(worker->exact_scores[j] - lse) : 0.0f;
        }
    }
}

void attune_core_exact_row(struct attune_worker *worker, int64_t row)
{
    const struct attune_plan *plan = worker->plan;
    const struct attune_row *at = &worker->rows[row];
    struct exact_state state = {0, 0, 0};
    memset(worker->exact_out, 0, (size_t)plan->shape.e * sizeof *worker->exact_out);
    attune_core_prefill(worker, 0, plan->shape.t_k);
    if (attune_given(&plan->shape, ATTUNE_IN_SINK)) {
        double sink = attune_core_sink(worker, at->head);
        if (sink != -(double)INFINITY)
            state = (struct exact_state){sink, 1.0, 1};
    }
    stream_exact(worker, &state, 0);
    double lse = state.max + log(state.sum);
    attune_core_write_lse(worker, at, lse);
    float *out = attune_core_out_row(worker, at);
    for (int64_t c = 0; out != NULL && c < plan->shape.e; c++)
        out[c] = (float)(plan->shape.problem.output_scale * (worker->exact_out[c] / state.sum));
    if (worker->execution->alignments.base == NULL)
        return;
    stream_exact(worker, NULL, lse);
    const struct attune_sink_view *view = &worker->execution->alignments;
    for (int64_t key = worker->key_length; key < plan->shape.t_k; key++)
        view->base[worker->b * view->stride_b + at->head * view->stride_h + at->i * view->stride_t +
                   key * view->stride_k] = 0.0f;
}
