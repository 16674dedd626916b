/* SPDX-License-Identifier: Apache-2.0
 *
 * The steps of a lowering, one worker's share at a time: gathers, copies, projections, and weights
 * brought into kernel layouts. Knows views, not mechanisms.
 */
#include <math.h>
#include <string.h>

#include "engine/convert.h"
#include "engine/core.h"

static int64_t share(int64_t total, int32_t index, int32_t count)
{
    return total / count * index + (total % count < index ? total % count : index);
}

/* Rows of sequence b that a step works on. Raw scores show every query row, also beyond its length;
 * the output never does, and its rows there are cleared while other workers still project. */
static int64_t row_limit(const struct attune_execution *execution, const struct attune_step *step,
                         enum attune_side side, int64_t b)
{
    const struct attune_shape *shape = &execution->plan->shape;
    int shows_all = execution->plan->needs_all && step != execution->plan->out_projection;
    if (side == ATTUNE_ALL_ROWS || (side != ATTUNE_KEY_ROWS && shows_all))
        return step->t;
    int64_t keys = attune_shape_key_length(shape, execution->args, b);
    if (side == ATTUNE_KEY_ROWS)
        return keys;
    int64_t queries = attune_shape_query_length(shape, execution->args, b);
    return side == ATTUNE_QUERY_ROWS || queries > keys ? queries : keys;
}

static int64_t row_total(const struct attune_execution *execution, const struct attune_step *step)
{
    int64_t total = 0;
    for (int64_t b = 0; b < step->b; b++)
        total += row_limit(execution, step, step->side, b);
    return total;
}

/* The sequence and position of the `index`-th row that a step works on. */
struct row_cursor {
    int64_t b, t, limit;
};

static struct row_cursor find_row(const struct attune_execution *execution,
                                  const struct attune_step *step, int64_t index)
{
    struct row_cursor cursor = {0, index, row_limit(execution, step, step->side, 0)};
    while (cursor.t >= cursor.limit) {
        cursor.t -= cursor.limit;
        cursor.b++;
        cursor.limit = row_limit(execution, step, step->side, cursor.b);
    }
    return cursor;
}

static void next_row(const struct attune_execution *execution, const struct attune_step *step,
                     struct row_cursor *cursor)
{
    cursor->t++;
    while (cursor->t >= cursor->limit && cursor->b + 1 < step->b) {
        cursor->t = 0;
        cursor->b++;
        cursor->limit = row_limit(execution, step, step->side, cursor->b);
    }
}

static const char *row_at(const struct attune_execution *execution, const struct attune_view *view,
                          int64_t b, int64_t t)
{
    return attune_view_base(execution, view) +
           (b * view->stride_b + t * view->stride_t) * (int64_t)attune_dtype_size(view->dtype);
}

/* A whole tensor of any strides, packed as float32; shared out along the outer axes. */
static void gather_input(const struct attune_execution *execution, const struct attune_step *step,
                         int32_t worker, int32_t workers)
{
    const struct attune_tensor *tensor = &execution->plan->shape.problem.in[step->src.input];
    const void *src = execution->args->in[step->src.input];
    float *dst = (float *)(execution->workspace + step->dst.offset);
    int64_t columns = tensor->size[tensor->rank - 1], rows = 1;
    for (int32_t axis = 0; axis + 1 < tensor->rank; axis++)
        rows *= tensor->size[axis];
    int64_t end = share(rows, worker + 1, workers), step_k = tensor->stride[tensor->rank - 1];
    for (int64_t row = share(rows, worker, workers); row < end; row++) {
        int64_t rest = row, offset = 0;
        for (int32_t axis = tensor->rank - 2; axis >= 0; axis--) {
            offset += rest % tensor->size[axis] * tensor->stride[axis];
            rest /= tensor->size[axis];
        }
        for (int64_t k = 0; k < columns; k++)
            dst[row * columns + k] = attune_load_float(src, tensor->dtype, offset + k * step_k);
    }
}

static void convert_row(const struct attune_execution *execution, const void *src, int32_t dtype,
                        int64_t columns, float *dst)
{
    struct attune_pack_values_args convert = {.src = src, .stride = columns, .n = 1, .e = columns,
                                              .width = columns, .panel_stride = columns, .dst = dst};
    execution->plan->kernel.convert[dtype](&convert);
}

static void copy_rows(const struct attune_execution *execution, const struct attune_step *step,
                      int32_t worker, int32_t workers)
{
    int64_t total = row_total(execution, step);
    int64_t index = share(total, worker, workers), end = share(total, worker + 1, workers);
    const float *bias = (const float *)attune_view_base(execution, &step->bias);
    if (index >= end)
        return;
    struct row_cursor cursor = find_row(execution, step, index);
    for (; index < end; index++, next_row(execution, step, &cursor)) {
        float *dst = (float *)(execution->workspace + step->dst.offset) +
                     cursor.b * step->dst.stride_b + cursor.t * step->dst.stride_t;
        convert_row(execution, row_at(execution, &step->src, cursor.b, cursor.t), step->src.dtype,
                    step->inputs, dst);
        for (int64_t k = 0; bias != NULL && k < step->outputs; k++)
            dst[k] += bias[k];
    }
}

/* What a convolution over time sees at t: column c * width + w is x[t + w - width / 2][c], 0 outside
 * the sequence; so a kernel [outputs][channels][width] is the weight of a plain product. */
static void gather_window(const struct attune_execution *execution, const struct attune_step *step,
                          int64_t b, int64_t t, float *dst)
{
    const struct attune_shape *shape = &execution->plan->shape;
    int64_t length = step->side == ATTUNE_KEY_ROWS
                         ? attune_shape_key_length(shape, execution->args, b)
                         : attune_shape_query_length(shape, execution->args, b);
    int64_t channels = step->inputs / step->window;
    for (int64_t w = 0; w < step->window; w++) {
        int64_t at = t + w - step->window / 2;
        if (at < 0 || at >= length) {
            for (int64_t c = 0; c < channels; c++)
                dst[c * step->window + w] = 0.0f;
            continue;
        }
        const float *x = (const float *)row_at(execution, &step->src, b, at);
        for (int64_t c = 0; c < channels; c++)
            dst[c * step->window + w] = x[c];
    }
}

static void gather_rows(const struct attune_execution *execution, const struct attune_step *step,
                        struct row_cursor cursor, int64_t rows, float *dst)
{
    for (int64_t i = 0; i < rows; i++, next_row(execution, step, &cursor)) {
        if (step->window > 0)
            gather_window(execution, step, cursor.b, cursor.t, dst + i * step->inputs);
        else
            memcpy(dst + i * step->inputs, row_at(execution, &step->src, cursor.b, cursor.t),
                   (size_t)step->inputs * sizeof *dst);
    }
}

/* Where a projected row goes: the workspace, or the output itself for the last projection. */
static float *projected_row(const struct attune_execution *execution, const struct attune_step *step,
                            int64_t b, int64_t t)
{
    if (step == execution->plan->out_projection) {
        const struct attune_tensor *out = &execution->plan->shape.problem.out[ATTUNE_OUT_OUT];
        return (float *)execution->args->out[ATTUNE_OUT_OUT] + b * out->stride[0] + t * out->stride[1];
    }
    return (float *)(execution->workspace + step->dst.offset) + b * step->dst.stride_b +
           t * step->dst.stride_t;
}

static void scatter_rows(const struct attune_execution *execution, const struct attune_step *step,
                         struct row_cursor cursor, int64_t rows, const float *src)
{
    for (int64_t i = 0; i < rows; i++, next_row(execution, step, &cursor)) {
        float *dst = projected_row(execution, step, cursor.b, cursor.t);
        if (step->accumulate)
            for (int64_t k = 0; k < step->outputs; k++)
                dst[k] += src[i * step->outputs + k];
        else
            memcpy(dst, src + i * step->outputs, (size_t)step->outputs * sizeof *dst);
    }
}

static int64_t round_up(int64_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

/* Blocks of rows; a block inside one sequence is read and written in place, one that spans sequences
 * goes through the worker's scratch. */
static void project_block(struct attune_execution *execution, const struct attune_step *step,
                          int64_t first, int64_t rows, char *scratch)
{
    int64_t block = attune_projection_block_rows(step->projection);
    float *gathered = (float *)scratch;
    float *result = (float *)(scratch + round_up(block * step->inputs * 4));
    char *inner = (char *)result + round_up(block * step->outputs * 4);
    struct row_cursor cursor = find_row(execution, step, first);
    int whole = cursor.t + rows <= cursor.limit;
    const float *src = gathered, *bias = (const float *)attune_view_base(execution, &step->bias);
    const float *weight = (const float *)attune_view_base(execution, &step->weight);
    int64_t src_stride = step->inputs;
    if (whole && step->window == 0) {
        src = (const float *)row_at(execution, &step->src, cursor.b, cursor.t);
        src_stride = step->src.stride_t;
    } else {
        gather_rows(execution, step, cursor, rows, gathered);
    }
    int in_place = whole && !step->accumulate;
    float *dst = in_place ? projected_row(execution, step, cursor.b, cursor.t) : result;
    int64_t dst_stride = step->outputs;
    if (in_place)
        dst_stride = step == execution->plan->out_projection
                         ? execution->plan->shape.problem.out[ATTUNE_OUT_OUT].stride[1]
                         : step->dst.stride_t;
    enum attune_status status = attune_projection_run(step->projection, src, src_stride, weight, bias,
                                                      dst, dst_stride, rows, inner);
    if (status != ATTUNE_OK)
        atomic_store(&execution->failed, 1);
    else if (!in_place)
        scatter_rows(execution, step, cursor, rows, result);
}

/* Rows of the projected output beyond the query's length are 0. */
static void clear_dead_rows(const struct attune_execution *execution, const struct attune_step *step)
{
    for (int64_t b = 0; b < step->b; b++)
        for (int64_t t = attune_shape_query_length(&execution->plan->shape, execution->args, b);
             t < step->t; t++)
            memset(projected_row(execution, step, b, t), 0, (size_t)step->outputs * sizeof(float));
}

static void project_rows(struct attune_execution *execution, const struct attune_step *step,
                         int32_t worker, int32_t workers)
{
    const struct attune_plan *plan = execution->plan;
    char *scratch = execution->workspace + plan->worker_base +
                    (size_t)worker * plan->worker.size + plan->worker.scratch;
    int64_t block = attune_projection_block_rows(step->projection);
    int64_t total = row_total(execution, step), blocks = (total + block - 1) / block;
    int64_t end = share(blocks, worker + 1, workers);
    for (int64_t index = share(blocks, worker, workers); index < end; index++) {
        int64_t first = index * block;
        project_block(execution, step, first, total - first < block ? total - first : block, scratch);
    }
}

int attune_step_is_shared(const struct attune_step *step)
{
    return step->kind != ATTUNE_STEP_FOLD && step->kind != ATTUNE_STEP_COMPOSE;
}

void attune_step_work(void *argument, int32_t worker, int32_t workers)
{
    struct attune_execution *execution = argument;
    const struct attune_step *step = execution->step;
    switch (step->kind) {
    case ATTUNE_STEP_GATHER:
        gather_input(execution, step, worker, workers);
        break;
    case ATTUNE_STEP_COPY:
        copy_rows(execution, step, worker, workers);
        break;
    case ATTUNE_STEP_PROJECT:
        project_rows(execution, step, worker, workers);
        if (step == execution->plan->out_projection && worker == 0)
            clear_dead_rows(execution, step);
        break;
    case ATTUNE_STEP_FOLD:
        attune_step_fold(execution, step);
        break;
    case ATTUNE_STEP_COMPOSE:
        attune_step_compose(execution);
        break;
    case ATTUNE_STEP_LSTM:
        attune_step_lstm(execution, worker, workers);
        break;
    }
}
