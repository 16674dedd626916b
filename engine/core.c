/* SPDX-License-Identifier: Apache-2.0
 *
 * The tile loop. Work items are (unit, q block, kv split), a unit being the query rows that share one
 * key/value head; a worker owns consecutive items, so that kv blocks it has packed serve its next q
 * block. For each kv block, strips of rows small enough that their scores stay in L1 go through
 * score -> mask -> softmax -> weighted sum. Bits of a row depend on none of these sizes but kv_block
 * and kv_split.
 */
#include "engine/core.h"

#include <float.h>
#include <math.h>
#include <string.h>

#define LOG2_E 1.4426950408889634

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

void attune_worker_open(struct attune_worker *worker, const struct attune_execution *execution,
                        int32_t index)
{
    const struct attune_plan *plan = execution->plan;
    const struct attune_worker_layout *at = &plan->worker;
    char *base = execution->workspace + plan->worker_base + (size_t)index * at->size;
    memset(worker, 0, sizeof *worker);
    worker->execution = execution;
    worker->plan = plan;
    worker->rows = (struct attune_row *)(base + at->rows);
    worker->strips = (struct attune_strip *)(base + at->strips);
    worker->query = (float *)(base + at->query);
    worker->peak = (float *)(base + at->peak);
    worker->out = (float *)(base + at->out);
    worker->max = (float *)(base + at->max);
    worker->sum = (float *)(base + at->sum);
    worker->alpha = (float *)(base + at->alpha);
    worker->scores = (float *)(base + at->scores);
    worker->bias = (float *)(base + at->bias);
    worker->mask = (uint8_t *)(base + at->mask);
    worker->state = (float *)(base + at->state);
    worker->again = (uint8_t *)(base + at->again);
    worker->exact_scores = (double *)(base + at->exact);
    worker->exact_out = worker->exact_scores + plan->tiles.kv_block;
    worker->tags = (int64_t *)(base + at->tags);
    worker->keys = (float *)(base + at->keys);
    worker->key_peak = (float *)(base + at->key_peak);
    worker->values = (float *)(base + at->values);
    worker->careful_values = (float *)(base + at->careful);
    memset(worker->tags, 0, (size_t)plan->slots * sizeof *worker->tags);
}

void attune_core_enter_unit(struct attune_worker *worker, int64_t unit)
{
    const struct attune_shape *shape = &worker->plan->shape;
    worker->b = unit / shape->g;
    worker->g = unit % shape->g;
    worker->key_length = attune_shape_key_length(shape, worker->execution->args, worker->b);
}

/* Fresh statistics; the sink is a first logit without a value, in the first split. */
static void reset_rows(struct attune_worker *worker, int with_sink)
{
    const struct attune_plan *plan = worker->plan;
    const struct attune_tensor *sink = &plan->shape.problem.in[ATTUNE_IN_SINK];
    for (int64_t row = 0; row < worker->row_count; row++) {
        worker->max[row] = -FLT_MAX;
        worker->sum[row] = 0;
        if (sink->dtype == ATTUNE_ABSENT || !with_sink)
            continue;
        /* In the scores' unit; what rounding it to float32 loses goes into its own weight. */
        double factor = (double)plan->factor;
        double logit = attune_core_sink(worker, worker->rows[row].head) * LOG2_E / factor;
        if (logit == -(double)INFINITY)
            continue;
        worker->max[row] = logit < -FLT_MAX ? -FLT_MAX : (float)logit;
        worker->sum[row] = (float)exp2((logit - (double)worker->max[row]) * factor);
    }
    memset(worker->out, 0, (size_t)(worker->row_count * plan->ldo) * sizeof *worker->out);
    if (plan->shape.kind == ATTUNE_SCORE_LSTM)
        memset(worker->state, 0,
               (size_t)(3 * plan->tiles.q_block * plan->lstm.n_pad) * sizeof *worker->state);
}

/* Values of keys that the one row may not attend become 0: their weight is 0, but 0 * NaN is not. */
static void clear_unattended(struct attune_worker *worker, struct attune_block *block)
{
    const struct attune_plan *plan = worker->plan;
    int64_t width = plan->kernel.row[ATTUNE_OP_WSUM]->width, e = plan->shape.e;
    const uint8_t *attended = attune_core_attended(worker, 0, block->first, block->count);
    int64_t panels = (e + width - 1) / width, stride = plan->tiles.kv_block * width;
    for (int64_t panel = 0; panel < panels; panel++)
        for (int64_t j = 0; j < block->count; j++) {
            const float *src = block->values + panel * block->value_panel + j * block->value_stride;
            float *dst = worker->careful_values + panel * stride + j * width;
            int64_t columns = least(width, e - panel * width);
            for (int64_t c = 0; c < columns; c++)
                dst[c] = attended[j] ? src[c] : 0.0f;
        }
    block->values = worker->careful_values;
    block->value_stride = width;
    block->value_panel = stride;
}

/* One strip of rows against one kv block. */
static void stream_tile(struct attune_worker *worker, const struct attune_block *block, int64_t row,
                        int64_t rows)
{
    const struct attune_plan *plan = worker->plan;
    const struct attune_strip *strip = &worker->strips[row / plan->tiles.strip];
    int64_t end = block->first + block->count, low = strip->low, high = strip->high;
    int attends = low < least(high, end) && high > block->first;
    int scanned = plan->ordered && high > block->first; /* a scan has to pass keys it does not show */
    if (!attends && !scanned && !plan->needs_all)
        return;
    if (plan->needs_all || plan->ordered)
        low = block->first;
    high = plan->needs_all ? end : least(high, end);
    low = low <= block->first ? 0 : (low - block->first) / plan->trim * plan->trim;
    int64_t count = high - block->first - low;
    attune_core_score(worker, block, row, rows, low, count);
    int64_t key = block->first + low;
    if (plan->shown || key < strip->every_low || key + count > strip->every_high)
        attune_core_mask(worker, row, rows, key, count);
    if (!attends)
        return;
    struct attune_softmax_args softmax = {.s = worker->scores, .lds = plan->lds, .m = rows,
                                          .n = count, .factor = plan->factor,
                                          .row_max = worker->max + row,
                                          .row_sum = worker->sum + row,
                                          .alpha = worker->alpha + row};
    plan->kernel.softmax(&softmax);
    struct attune_wsum_args wsum = {.p = worker->scores, .ldp = plan->lds, .m = rows,
                                    .v = block->values + low * block->value_stride,
                                    .ldv = block->value_stride, .panel_stride = block->value_panel,
                                    .n = count, .e = plan->shape.e, .alpha = worker->alpha + row,
                                    .o = worker->out + row * plan->ldo, .ldo = plan->ldo};
    plan->kernel.wsum(&wsum);
}

void attune_core_stream(struct attune_worker *worker, int64_t key_first, int64_t key_last)
{
    const struct attune_plan *plan = worker->plan;
    int64_t low = key_last, high = key_first, block_keys = plan->tiles.kv_block;
    reset_rows(worker, key_first == 0);
    attune_core_prefill(worker, key_first, key_last);
    for (int64_t row = 0; row < worker->row_count; row += plan->tiles.strip) {
        const struct attune_strip *strip = &worker->strips[row / plan->tiles.strip];
        low = least(low, strip->low);
        high = most(high, strip->high);
    }
    low = plan->needs_all || plan->ordered ? key_first : most(low, key_first);
    high = least(plan->needs_all ? worker->key_length : high, key_last);
    for (int64_t index = low / block_keys; index * block_keys < high; index++) {
        struct attune_block block;
        attune_core_load_block(worker, index, &block);
        if (worker->careful)
            clear_unattended(worker, &block);
        for (int64_t row = 0; row < worker->row_count; row += plan->tiles.strip)
            stream_tile(worker, &block, row, least(plan->tiles.strip, worker->row_count - row));
    }
}

/* Rows that float32 could not hold, one by one: first with unattended values cleared, which gives the
 * bits of a problem whose padding is finite, then in float64. */
static void finish_again(struct attune_worker *worker, int64_t unit, int64_t first)
{
    attune_core_load_rows(worker, unit, first, 1);
    if (!worker->plan->exact_rows) {
        worker->careful = 1;
        attune_core_stream(worker, 0, worker->plan->shape.t_k);
        worker->careful = 0;
        if (attune_core_finish(worker, 0, worker->max[0], worker->sum[0], worker->out))
            return;
    }
    attune_core_exact_row(worker, 0);
}

static void finish_block(struct attune_worker *worker, int64_t unit)
{
    const struct attune_plan *plan = worker->plan;
    int64_t first = worker->row_first, count = worker->row_count;
    int again = 0;
    for (int64_t row = 0; row < count; row++) {
        int held = attune_core_finish(worker, row, worker->max[row], worker->sum[row],
                                      worker->out + row * plan->ldo);
        worker->again[row] = !held || (plan->exact_rows && (worker->rows[row].any || plan->needs_all));
        again |= worker->again[row];
    }
    for (int64_t row = 0; again && row < count; row++)
        if (worker->again[row])
            finish_again(worker, unit, first + row);
}

static float *partial_at(const struct attune_worker *worker, int64_t unit, int64_t row, int64_t split)
{
    const struct attune_plan *plan = worker->plan;
    float *base = (float *)(worker->execution->workspace + plan->partial);
    return base + ((unit * plan->rows + row) * plan->splits + split) * plan->partial_stride;
}

/* A split's statistics, whether anything may be attended, and its unnormalised output. */
#define PARTIAL_MAX 0
#define PARTIAL_SUM 1
#define PARTIAL_ANY 2
#define PARTIAL_OUT 16

static void store_partials(struct attune_worker *worker, int64_t unit, int64_t split)
{
    const struct attune_plan *plan = worker->plan;
    for (int64_t row = 0; row < worker->row_count; row++) {
        float *partial = partial_at(worker, unit, worker->row_first + row, split);
        partial[PARTIAL_MAX] = worker->max[row];
        partial[PARTIAL_SUM] = worker->sum[row];
        partial[PARTIAL_ANY] = (float)worker->rows[row].any;
        memcpy(partial + PARTIAL_OUT, worker->out + row * plan->ldo,
               (size_t)plan->shape.e * sizeof *partial);
    }
}

static void stream_split(struct attune_worker *worker, int64_t unit, int64_t split)
{
    const struct attune_plan *plan = worker->plan;
    int64_t from = split * plan->tiles.kv_split;
    attune_core_stream(worker, from, least(from + plan->tiles.kv_split, plan->shape.t_k));
    store_partials(worker, unit, split);
}

static int merge_row(struct attune_worker *worker, int64_t unit, int64_t row)
{
    const struct attune_plan *plan = worker->plan;
    const float *partial = partial_at(worker, unit, row, 0);
    int any = 0;
    for (int64_t split = 0; split < plan->splits; split++)
        any |= partial[split * plan->partial_stride + PARTIAL_ANY] != 0;
    worker->rows[0].any = any;
    struct attune_merge_args merge = {.parts = plan->splits, .row_max = partial + PARTIAL_MAX,
                                      .row_sum = partial + PARTIAL_SUM, .factor = plan->factor,
                                      .stat_stride = plan->partial_stride,
                                      .o = partial + PARTIAL_OUT, .o_stride = plan->partial_stride,
                                      .e = plan->shape.e, .out_max = worker->max,
                                      .out_sum = worker->sum, .out_o = worker->out};
    plan->kernel.merge(&merge);
    return attune_core_finish(worker, 0, worker->max[0], worker->sum[0], worker->out);
}

static void merge_again(struct attune_worker *worker, int64_t unit, int64_t row)
{
    const struct attune_plan *plan = worker->plan;
    attune_core_load_rows(worker, unit, row, 1);
    if (!plan->exact_rows) {
        worker->careful = 1;
        for (int64_t split = 0; split < plan->splits; split++)
            stream_split(worker, unit, split);
        worker->careful = 0;
        if (merge_row(worker, unit, row))
            return;
    }
    attune_core_exact_row(worker, 0);
}

void attune_core_merge_work(void *argument, int32_t index, int32_t workers)
{
    const struct attune_execution *execution = argument;
    const struct attune_plan *plan = execution->plan;
    struct attune_worker worker;
    attune_worker_open(&worker, execution, index);
    int64_t total = plan->shape.b * plan->shape.g * plan->rows;
    int64_t end = total * (index + 1) / workers;
    for (int64_t at = total * index / workers; at < end; at++) {
        int64_t unit = at / plan->rows, row = at % plan->rows;
        attune_core_enter_unit(&worker, unit);
        attune_core_load_rows(&worker, unit, row, 1);
        if (!merge_row(&worker, unit, row) ||
            (plan->exact_rows && (worker.rows[0].any || plan->needs_all)))
            merge_again(&worker, unit, row);
    }
}

/* Pairs that an item scores, roughly: from its first and last row, whose limits bound the others'. */
static double item_cost(const struct attune_execution *execution, int64_t item)
{
    const struct attune_plan *plan = execution->plan;
    int64_t block = item / plan->splits % plan->q_blocks;
    int64_t unit = item / plan->splits / plan->q_blocks;
    int64_t from = block * plan->tiles.q_block, first, last, first_again, last_again;
    int64_t rows = least(plan->tiles.q_block, plan->rows - from), b = unit / plan->shape.g;
    attune_shape_attended(&plan->shape, execution->args, b, from % plan->shape.t_q, &first, &last);
    attune_shape_attended(&plan->shape, execution->args, b, (from + rows - 1) % plan->shape.t_q,
                          &first_again, &last_again);
    double keys = (double)(last - first + last_again - first_again) / 2;
    return (double)rows * ((keys > 0 ? keys : 0) + 16);
}

/* The first item of a worker: items are dealt out in order, by cost where they differ. */
static int64_t first_item(const struct attune_execution *execution, int64_t items, int32_t index,
                          int32_t workers)
{
    if (index == 0 || index == workers || !execution->plan->uneven)
        return items * index / workers;
    double total = 0, before = 0;
    for (int64_t item = 0; item < items; item++)
        total += item_cost(execution, item);
    for (int64_t item = 0; item < items; item++) {
        double cost = item_cost(execution, item);
        if (before + cost / 2 >= total * index / workers)
            return item;
        before += cost;
    }
    return items;
}

void attune_core_work(void *argument, int32_t index, int32_t workers)
{
    const struct attune_execution *execution = argument;
    const struct attune_plan *plan = execution->plan;
    struct attune_worker worker;
    attune_worker_open(&worker, execution, index);
    int64_t items = plan->shape.b * plan->shape.g * plan->q_blocks * plan->splits;
    int64_t end = first_item(execution, items, index + 1, workers);
    for (int64_t item = first_item(execution, items, index, workers); item < end; item++) {
        int64_t split = item % plan->splits, block = item / plan->splits % plan->q_blocks;
        int64_t unit = item / plan->splits / plan->q_blocks, from = block * plan->tiles.q_block;
        attune_core_enter_unit(&worker, unit);
        attune_core_load_rows(&worker, unit, from, least(plan->tiles.q_block, plan->rows - from));
        if (plan->splits > 1) {
            stream_split(&worker, unit, split);
        } else {
            attune_core_stream(&worker, 0, plan->shape.t_k);
            finish_block(&worker, unit);
        }
    }
}
