/* SPDX-License-Identifier: Apache-2.0
 *
 * Operands made ready for the kernels: query rows of a block, keys and values of a kv block, and the
 * scores of a strip. A kv block is packed when a worker first meets it and kept for its next q block.
 */
#include <math.h>
#include <string.h>

#include "engine/core.h"

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* The batch entry and key/value head that a unit number means. */
static void enter_unit(struct attune_worker *worker, int64_t unit)
{
    const struct attune_shape *shape = &worker->plan->shape;
    worker->b = unit / shape->g;
    worker->g = unit % shape->g;
    worker->key_length = attune_shape_key_length(shape, worker->execution->args, worker->b);
}

static const char *query_at(const struct attune_worker *worker, int64_t head, int64_t i)
{
    const struct attune_view *view = &worker->plan->query;
    int64_t offset = worker->b * view->stride_b + head * view->stride_h + i * view->stride_t;
    return worker->execution->query + offset * (int64_t)attune_dtype_size(view->dtype);
}

/* Rows that lie at one distance from each other, in float32, are read where they are. */
static int find_dot_rows(struct attune_worker *worker)
{
    const struct attune_plan *plan = worker->plan;
    const struct attune_view *view = &plan->query;
    const struct attune_row *first = &worker->rows[0];
    int64_t t_q = plan->shape.t_q;
    int one_head = first->i + worker->row_count <= t_q;
    if (view->dtype != ATTUNE_F32 || !(one_head || t_q == 1 || view->stride_h == t_q * view->stride_t))
        return 0;
    worker->query_rows = (const float *)query_at(worker, first->head, first->i);
    worker->query_stride = one_head && t_q > 1 ? view->stride_t : t_q == 1 ? view->stride_h
                                                                           : view->stride_t;
    return 1;
}

/* Consecutive rows of one head, converted. */
static void load_dot_rows(struct attune_worker *worker, int64_t row, int64_t count)
{
    const struct attune_plan *plan = worker->plan;
    const struct attune_row *first = &worker->rows[row];
    struct attune_pack_values_args convert = {
        .src = query_at(worker, first->head, first->i), .stride = plan->query.stride_t,
        .n = count, .e = plan->shape.d, .width = plan->shape.d, .panel_stride = plan->shape.d,
        .dst = worker->query + row * plan->query_columns};
    plan->kernel.convert[plan->query.dtype](&convert);
}

static void load_tanh_rows(struct attune_worker *worker, int64_t row, int64_t count)
{
    const struct attune_plan *plan = worker->plan;
    const struct attune_row *first = &worker->rows[row];
    const float *fold = worker->execution->fold + first->head * plan->fold.stride;
    struct attune_expand_rows_args expand = {
        .x = (const float *)query_at(worker, first->head, first->i),
        .ldx = plan->query.stride_t, .n = count, .a = plan->shape.a, .a_pad = plan->fold.a_pad,
        .fold = fold, .dst = worker->query + row * plan->query_columns,
        .ldd = plan->query_columns, .peak = worker->peak + row};
    plan->kernel.expand_rows(&expand);
    for (int64_t i = row; i < row + count; i++)
        worker->rows[i].far = !(worker->peak[i] <= fold[plan->fold.reach]);
}

static void load_limits(struct attune_worker *worker)
{
    const struct attune_plan *plan = worker->plan;
    const struct attune_shape *shape = &plan->shape;
    int by_pair = attune_given(shape, ATTUNE_IN_MASK) || attune_given(shape, ATTUNE_IN_BIAS);
    int64_t head = worker->g * plan->group + worker->row_first / shape->t_q;
    int64_t i = worker->row_first % shape->t_q;
    for (int64_t row = 0; row < worker->row_count; row++) {
        struct attune_row *at = &worker->rows[row];
        *at = (struct attune_row){.head = head, .i = i, .last = shape->t_k};
        if (plan->uneven)
            attune_shape_attended(shape, worker->execution->args, worker->b, i, &at->first, &at->last);
        at->any = !by_pair && at->first < at->last;
        if (++i == shape->t_q) {
            i = 0;
            head++;
        }
    }
}

/* What the rows of each strip may attend together, and what all of them may. */
static void load_strips(struct attune_worker *worker)
{
    const struct attune_plan *plan = worker->plan;
    int64_t size = plan->tiles.strip;
    if (!plan->uneven) {
        const struct attune_strip all = {.high = plan->shape.t_k, .every_high = plan->shape.t_k};
        for (int64_t row = 0, strip = 0; row < worker->row_count; row += size)
            worker->strips[strip++] = all;
        return;
    }
    struct attune_strip *strip = worker->strips;
    for (int64_t first = 0; first < worker->row_count; first += size, strip++) {
        const int64_t end = least(first + size, worker->row_count);
        *strip = (struct attune_strip){.low = INT64_MAX, .every_high = INT64_MAX};
        for (int64_t row = first; row < end; row++) {
            const struct attune_row *at = &worker->rows[row];
            if (at->first < at->last) {
                strip->low = at->first < strip->low ? at->first : strip->low;
                strip->high = at->last > strip->high ? at->last : strip->high;
            }
            strip->every_low = at->first > strip->every_low ? at->first : strip->every_low;
            strip->every_high = at->last < strip->every_high ? at->last : strip->every_high;
        }
    }
}

void attune_core_load_rows(struct attune_worker *worker, int64_t unit, int64_t first, int64_t count)
{
    const struct attune_plan *plan = worker->plan;
    worker->row_first = first;
    worker->row_count = count;
    enter_unit(worker, unit);
    load_limits(worker);
    load_strips(worker);
    worker->query_rows = worker->query;
    worker->query_stride = plan->query_columns;
    if (plan->shape.kind == ATTUNE_SCORE_DOT && find_dot_rows(worker))
        return;
    for (int64_t row = 0; row < count;) { /* a stretch of one head at a time */
        int64_t run = least(count - row, plan->shape.t_q - worker->rows[row].i);
        if (plan->shape.kind == ATTUNE_SCORE_DOT)
            load_dot_rows(worker, row, run);
        else if (plan->shape.kind == ATTUNE_SCORE_TANH)
            load_tanh_rows(worker, row, run);
        row += run;
    }
}

static const float *scales_of(const struct attune_worker *worker, const struct attune_view *view,
                              int64_t key)
{
    const float *base = attune_view_floats(worker->execution, view);
    const struct attune_shape *shape = &worker->plan->shape;
    return base == NULL ? NULL : base + (worker->b * shape->g + worker->g) * shape->t_k + key;
}

static const char *operand_at(const struct attune_worker *worker, const char *base,
                              const struct attune_view *view, int64_t key)
{
    int64_t offset = worker->b * view->stride_b + worker->g * view->stride_h + key * view->stride_t;
    return base + offset * (int64_t)attune_dtype_size(view->dtype);
}

static void pack_keys(struct attune_worker *worker, const struct attune_block *block, float *dst,
                      float *peak)
{
    const struct attune_plan *plan = worker->plan;
    const char *src = operand_at(worker, worker->execution->key, &plan->key, block->first);
    const float *scale = scales_of(worker, &plan->key_scale, block->first);
    int tanh = plan->shape.kind == ATTUNE_SCORE_TANH;
    const struct attune_kernel *score =
        plan->kernel.row[tanh ? ATTUNE_OP_SCORE_TANH : ATTUNE_OP_SCORE_DOT];
    int64_t d = tanh ? plan->shape.a : plan->shape.d;
    struct attune_pack_keys_args pack = {.src = src, .stride = plan->key.stride_t, .scale = scale,
                                         .scale_stride = 1, .n = block->count, .d = d,
                                         .d_pad = plan->key_columns, .width = score->width,
                                         .dst = dst};
    plan->kernel.pack_keys(&pack);
    if (!tanh)
        return;
    if (plan->location.wsum != NULL)
        attune_core_locate_panels(worker, block, dst);
    struct attune_expand_panels_args expand = {.panels = dst, .n = block->count, .a = d,
                                               .a_pad = plan->key_columns, .width = score->width,
                                               .peak = peak};
    plan->kernel.expand_panels(&expand);
}

static void pack_values(struct attune_worker *worker, const struct attune_block *block, float *dst)
{
    const struct attune_plan *plan = worker->plan;
    struct attune_pack_values_args pack = {
        .src = operand_at(worker, worker->execution->value, &plan->value, block->first),
        .stride = plan->value.stride_t,
        .scale = scales_of(worker, &plan->value_scale, block->first), .scale_stride = 1,
        .n = block->count, .e = plan->shape.e, .width = plan->value_stride,
        .panel_stride = plan->value_panel, .dst = dst};
    plan->kernel.pack_values(&pack);
}

/* Prepared panels of the tanh score, as attune_plan_prepare() left them. */
static void find_prepared(const struct attune_worker *worker, struct attune_block *block)
{
    const struct attune_plan *plan = worker->plan;
    const struct attune_prepared_layout *layout = &plan->prepared;
    const char *base = worker->execution->args->prepared;
    int64_t unit = worker->b * plan->shape.h + worker->g;
    block->keys = (const float *)(base + layout->panels) + unit * layout->panel_stride +
                  block->first * plan->key_columns;
    block->key_peak = (const float *)(base + layout->peaks) + unit * plan->shape.t_k + block->first;
}

/* The folded score errs by a few units of 2^-24 of sum |u| however small tanh is: e^(2x) rounded has
 * lost what x has beyond it. Where every |x + y| is at most twice this, that is more than a float32
 * evaluation may be off, and the pair is computed again: at 1/2 few rows of random operands exceed 4
 * times a plain evaluation's error, at 1/100 they exceed it a hundredfold. With few terms a plain
 * evaluation often is right to the last bit, and all pairs are. */
#define TANH_NEAR 0.5f
#define TANH_FEW 8

static float tanh_near(const struct attune_plan *plan)
{
    return plan->shape.a <= TANH_FEW ? INFINITY : TANH_NEAR;
}

/* Peaks are magnitudes, whose bits order as they do, NaN last: a loop that compilers vectorize. */
static void find_peaks(struct attune_block *block)
{
    int32_t least_bits = INT32_MAX, most_bits = 0;
    for (int64_t j = 0; j < block->count; j++) {
        int32_t bits;
        memcpy(&bits, &block->key_peak[j], sizeof bits);
        least_bits = bits < least_bits ? bits : least_bits;
        most_bits = bits > most_bits ? bits : most_bits;
    }
    memcpy(&block->least_peak, &least_bits, sizeof least_bits);
    memcpy(&block->most_peak, &most_bits, sizeof most_bits);
}

/* Whether some pair of the block will be computed again, from the key's row. */
static int needs_key_rows(const struct attune_worker *worker, const struct attune_block *block)
{
    const struct attune_plan *plan = worker->plan;
    const float near = tanh_near(plan), reach = worker->execution->fold[plan->fold.reach];
    int far = !(block->most_peak <= reach), near_key = block->least_peak <= near;
    for (int64_t i = 0; i < worker->row_count; i++)
        far |= worker->rows[i].far || (near_key && worker->peak[i] <= near);
    return far;
}

void attune_core_load_block(struct attune_worker *worker, int64_t index, struct attune_block *block)
{
    const struct attune_plan *plan = worker->plan;
    int64_t kv_block = plan->tiles.kv_block, slot = index % plan->slots;
    int64_t blocks = (plan->shape.t_k + kv_block - 1) / kv_block;
    int64_t tag = (worker->b * plan->shape.g + worker->g) * blocks + index + 1;
    float *keys = worker->keys + slot * kv_block * plan->key_columns;
    float *peak = worker->key_peak + slot * kv_block, *values = worker->values + slot * plan->value_floats;
    memset(block, 0, sizeof *block);
    block->first = index * kv_block;
    block->count = least(kv_block, worker->key_length - block->first);
    int fresh = worker->tags[slot] != tag;
    worker->tags[slot] = tag;
    if (fresh && plan->keys_packed)
        pack_keys(worker, block, keys, peak);
    if (fresh && plan->values_packed)
        pack_values(worker, block, values);
    block->key_rows = operand_at(worker, worker->execution->key, &plan->key, block->first);
    block->key_row_stride = plan->key.stride_t;
    block->key_scale = scales_of(worker, &plan->key_scale, block->first);
    block->keys = keys;
    block->key_peak = peak;
    if (plan->shape.kind == ATTUNE_SCORE_TANH && !plan->keys_packed)
        find_prepared(worker, block);
    if (plan->shape.kind == ATTUNE_SCORE_TANH)
        find_peaks(block);
    if (plan->location.wsum != NULL && needs_key_rows(worker, block))
        attune_core_locate_rows(worker, block);
    block->value_rows = operand_at(worker, worker->execution->value, &plan->value, block->first);
    block->value_scale = scales_of(worker, &plan->value_scale, block->first);
    block->values = plan->values_packed ? values : block->value_rows;
    block->value_stride = plan->value_stride;
    block->value_panel = plan->value_panel;
}

/* Pairs whose row or key is out of the folded kernel's range, computed again without folding. */
static void score_far_pairs(struct attune_worker *worker, const struct attune_block *block,
                            int64_t row, int64_t rows, int64_t first, int64_t count)
{
    const struct attune_plan *plan = worker->plan;
    const float *fold = worker->execution->fold + worker->rows[row].head * plan->fold.stride;
    const float *keys = (const float *)block->key_rows + first * block->key_row_stride;
    struct attune_score_direct_args direct = {.ldy = block->key_row_stride, .n = count,
                                              .a = plan->shape.a, .u = fold + plan->fold.u,
                                              .s_stride = 1};
    for (int64_t i = 0; i < rows; i++) {
        const struct attune_row *at = &worker->rows[row + i];
        if (!at->far)
            continue;
        direct.x = (const float *)query_at(worker, at->head, at->i);
        direct.y = keys;
        direct.s = worker->scores + i * plan->lds;
        plan->kernel.score_direct(&direct);
    }
    if (block->most_peak <= fold[plan->fold.reach])
        return;
    direct.ldy = plan->query.stride_t;
    direct.n = rows;
    direct.s_stride = plan->lds;
    direct.y = (const float *)query_at(worker, worker->rows[row].head, worker->rows[row].i);
    for (int64_t j = 0; j < count; j++) {
        if (block->key_peak[first + j] <= fold[plan->fold.reach])
            continue;
        direct.x = keys + j * block->key_row_stride;
        direct.s = worker->scores + j;
        plan->kernel.score_direct(&direct);
    }
}

static void score_near_pairs(struct attune_worker *worker, const struct attune_block *block,
                             int64_t row, int64_t rows, int64_t first, int64_t count)
{
    const struct attune_plan *plan = worker->plan;
    const float *fold = worker->execution->fold + worker->rows[row].head * plan->fold.stride;
    struct attune_score_direct_args direct = {.ldy = block->key_row_stride, .a = plan->shape.a,
                                              .u = fold + plan->fold.u, .s_stride = 1};
    const float near = tanh_near(plan);
    for (int64_t i = 0; i < rows && block->least_peak <= near; i++) {
        if (!(worker->peak[row + i] <= near))
            continue;
        const struct attune_row *at = &worker->rows[row + i];
        direct.x = (const float *)query_at(worker, at->head, at->i);
        for (int64_t j = 0, end; j < count; j = end + 1) {
            for (end = j; end < count && block->key_peak[first + end] <= near; end++)
                ;
            direct.y = (const float *)block->key_rows + (first + j) * block->key_row_stride;
            direct.n = end - j;
            direct.s = worker->scores + i * plan->lds + j;
            plan->kernel.score_direct(&direct);
        }
    }
}

static void score_tanh(struct attune_worker *worker, const struct attune_block *block, int64_t row,
                       int64_t rows, int64_t first, int64_t count)
{
    const struct attune_plan *plan = worker->plan;
    const float *fold = worker->execution->fold + worker->rows[row].head * plan->fold.stride;
    struct attune_score_tanh_args score = {
        .q = worker->query + row * plan->query_columns, .ldq = plan->query_columns, .m = rows,
        .k = block->keys + first * plan->key_columns, .n = count, .a_pad = plan->fold.a_pad,
        .fold = fold, .center = fold + plan->fold.center, .scale = fold[plan->fold.scale],
        .s = worker->scores, .lds = plan->lds};
    plan->kernel.score_tanh(&score);
    score_far_pairs(worker, block, row, rows, first, count);
    score_near_pairs(worker, block, row, rows, first, count);
}

static void score_lstm(struct attune_worker *worker, const struct attune_block *block, int64_t row,
                       int64_t rows, int64_t first, int64_t count)
{
    const struct attune_plan *plan = worker->plan;
    const struct attune_lstm_layout *layout = &plan->lstm;
    const float *weights = worker->execution->lstm;
    int64_t plane = plan->tiles.q_block * layout->n_pad;
    float *state = worker->state + row * layout->n_pad; /* two planes of h in turn, then c */
    int scan = plan->shape.problem.recurrence == ATTUNE_SCAN;
    struct attune_lstm_args step = {
        .x = (const float *)query_at(worker, 0, worker->rows[row].i),
        .ldx = plan->query.stride_t, .m = rows, .r = scan ? weights + layout->r : NULL,
        .n = plan->shape.n, .n_pad = layout->n_pad,
        .c = state + 2 * plane, .ldh = layout->n_pad,
        .w = weights + layout->w, .u = weights + layout->u,
        .bias = weights + layout->hidden, .a_pad = layout->a_pad,
        .lds = plan->lds};
    for (int64_t j = 0; j < count; j++) {
        int64_t turn = (block->first + first + j) & 1;
        step.h_in = state + turn * plane;
        step.h_out = state + (1 - turn) * plane;
        step.y = (const float *)block->key_rows + (first + j) * block->key_row_stride;
        step.s = worker->scores + j;
        plan->kernel.lstm(&step);
    }
}

void attune_core_score(struct attune_worker *worker, const struct attune_block *block, int64_t row,
                       int64_t rows, int64_t first, int64_t count)
{
    const struct attune_plan *plan = worker->plan;
    if (plan->shape.kind == ATTUNE_SCORE_TANH) {
        score_tanh(worker, block, row, rows, first, count);
        return;
    }
    if (plan->shape.kind == ATTUNE_SCORE_LSTM) {
        score_lstm(worker, block, row, rows, first, count);
        return;
    }
    if (plan->kernel.score_rows != NULL) {
        attune_core_score_rows(worker, block, row, rows, first, count);
        return;
    }
    struct attune_score_dot_args score = {
        .q = worker->query_rows + row * worker->query_stride, .ldq = worker->query_stride, .m = rows,
        .k = block->keys + first * plan->key_columns, .n = count, .d = plan->shape.d,
        .s = worker->scores, .lds = plan->lds};
    plan->kernel.score_dot(&score);
}
