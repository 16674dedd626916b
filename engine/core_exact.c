/* SPDX-License-Identifier: Apache-2.0
 *
 * One row in float64, by the formulas: for rows whose float32 result overflowed on the way (scores or
 * sums beyond FLT_MAX, a scale that float32 cannot hold) or is denormal, or whose attended data are not
 * finite. Which rows come here depends on their own data alone. Slow, and as rare as such data.
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
    const float *base = attune_view_floats(worker->execution, view);
    const struct attune_shape *shape = &worker->plan->shape;
    return base == NULL ? 1.0
                        : (double)base[(worker->b * shape->g + worker->g) * shape->t_k + key];
}

/* Of key j of the block. */
static double exact_score(const struct attune_worker *worker, const struct attune_row *at,
                          const struct attune_block *block, int64_t j)
{
    const struct attune_plan *plan = worker->plan;
    const struct attune_execution *execution = worker->execution;
    int64_t q = worker->b * plan->query.stride_b + at->head * plan->query.stride_h +
                at->i * plan->query.stride_t;
    int64_t k = j * block->key_row_stride;
    double sum = 0;
    if (plan->shape.kind == ATTUNE_SCORE_DOT) {
        for (int64_t d = 0; d < plan->shape.d; d++)
            sum += element(execution->query, &plan->query, q + d) *
                   element(block->key_rows, &plan->key, k + d);
        return sum * scale_of(worker, &plan->key_scale, block->first + j);
    }
    const float *u = execution->fold + at->head * plan->fold.stride + plan->fold.u;
    for (int64_t t = 0; t < plan->shape.a; t++)
        sum += (double)u[t] * tanh(element(execution->query, &plan->query, q + t) +
                                   element(block->key_rows, &plan->key, k + t));
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
                                       : exact_score(worker, at, block, j);
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

/* Softmax by its formula, one pass over the keys for each of its three stages. */
enum exact_pass { FIND_MAX, ADD_UP, SHOW_WEIGHTS };

struct exact_state {
    double max, sum;
    int any;
};

static void add_value(struct attune_worker *worker, int64_t key, double weight)
{
    const struct attune_plan *plan = worker->plan;
    int64_t at = worker->b * plan->value.stride_b + worker->g * plan->value.stride_h +
                 key * plan->value.stride_t;
    double scale = scale_of(worker, &plan->value_scale, key);
    for (int64_t c = 0; c < plan->shape.e; c++)
        worker->exact_out[c] +=
            weight * (element(worker->execution->value, &plan->value, at + c) * scale);
}

static void show_weight(const struct attune_worker *worker, int64_t key, double weight)
{
    const struct attune_sink_view *view = &worker->execution->alignments;
    const struct attune_row *at = &worker->rows[0];
    view->base[worker->b * view->stride_b + at->head * view->stride_h + at->i * view->stride_t +
               key * view->stride_k] = (float)weight;
}

static void pass_block(struct attune_worker *worker, const struct attune_block *block,
                       enum exact_pass pass, struct exact_state *state)
{
    const uint8_t *attended = attune_core_attended(worker, 0, block->first, block->count);
    for (int64_t j = 0; j < block->count; j++) {
        double s = worker->exact_scores[j];
        if (!attended[j])
            continue;
        if (pass == FIND_MAX) {
            state->max = !state->any || s > state->max || isnan(s) ? s : state->max;
            state->any = 1;
        } else if (pass == ADD_UP) {
            double weight = exp(s - state->max);
            state->sum += weight;
            add_value(worker, block->first + j, weight);
        } else {
            show_weight(worker, block->first + j, exp(s - state->max) / state->sum);
        }
    }
}

static void stream_exact(struct attune_worker *worker, enum exact_pass pass,
                         struct exact_state *state)
{
    const struct attune_plan *plan = worker->plan;
    if (plan->shape.kind == ATTUNE_SCORE_LSTM)
        memset(worker->state, 0,
               (size_t)(3 * plan->tiles.q_block * plan->lstm.n_pad) * sizeof *worker->state);
    for (int64_t index = 0; index * plan->tiles.kv_block < worker->key_length; index++) {
        struct attune_block block;
        attune_core_load_block(worker, index, &block);
        if (plan->location.wsum != NULL && block.key_rows != worker->located)
            attune_core_locate_rows(worker, &block);
        exact_block(worker, &block);
        adjust_block(worker, &block);
        pass_block(worker, &block, pass, state);
    }
}

void attune_core_exact_row(struct attune_worker *worker, int64_t row)
{
    const struct attune_plan *plan = worker->plan;
    const struct attune_row *at = &worker->rows[row];
    struct exact_state state = {0, 0, 0};
    double sink = -(double)INFINITY;
    memset(worker->exact_out, 0, (size_t)plan->shape.e * sizeof *worker->exact_out);
    attune_core_prefill(worker, 0, plan->shape.t_k);
    if (attune_given(&plan->shape, ATTUNE_IN_SINK))
        sink = attune_core_sink(worker, at->head);
    stream_exact(worker, FIND_MAX, &state);
    for (int64_t key = 0; worker->execution->alignments.base != NULL && key < plan->shape.t_k; key++)
        show_weight(worker, key, 0);
    if (!state.any) /* its scores are shown; attune_core_finish() wrote the rest */
        return;
    if (sink > state.max || isnan(sink))
        state.max = sink;
    if (sink != -(double)INFINITY)
        state.sum = exp(sink - state.max);
    stream_exact(worker, ADD_UP, &state);
    attune_core_write_lse(worker, at, state.max + log(state.sum));
    float *out = attune_core_out_row(worker, at);
    for (int64_t c = 0; out != NULL && c < plan->shape.e; c++)
        out[c] = (float)(plan->shape.problem.output_scale * (worker->exact_out[c] / state.sum));
    if (worker->execution->alignments.base != NULL)
        stream_exact(worker, SHOW_WEIGHTS, &state);
}
