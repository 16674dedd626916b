/* SPDX-License-Identifier: Apache-2.0
 *
 * The core's work: items are (unit, q block, kv split), a unit being the query rows that share one
 * key/value head. A worker owns consecutive items, so that kv blocks it has packed serve its next q
 * block; kv splits are merged in index order afterwards, or at once where one worker has them all. Rows
 * that float32 cannot hold are computed again. The tile loop itself is core_stream.c.
 */
#include "engine/core.h"

#include <string.h>

#include "tuner/measure.h"

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static void open_worker(struct attune_worker *worker, const struct attune_execution *execution,
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
    worker->line = (float *)(base + at->line);
    worker->located = (float *)(base + at->located);
    memset(worker->tags, 0, (size_t)plan->slots * sizeof *worker->tags);
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

/* Finishes the rows of a block; `again` does a row that float32 could not hold, or must not. */
static void finish_block(struct attune_worker *worker, int64_t unit,
                         void (*again)(struct attune_worker *, int64_t unit, int64_t row))
{
    const struct attune_plan *plan = worker->plan;
    int64_t first = worker->row_first, count = worker->row_count;
    int any = 0;
    attune_core_finish_rows(worker, worker->again);
    for (int64_t row = 0; row < count; row++) {
        worker->again[row] |= plan->exact_rows && (worker->rows[row].any || plan->needs_all);
        any |= worker->again[row];
    }
    for (int64_t row = 0; any && row < count; row++)
        if (worker->again[row])
            again(worker, unit, first + row);
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

/* The splits of row `row` of all become those of row `at` of the block. */
static void merge_row(struct attune_worker *worker, int64_t unit, int64_t row, int64_t at)
{
    const struct attune_plan *plan = worker->plan;
    const float *partial = partial_at(worker, unit, row, 0);
    int any = 0;
    for (int64_t split = 0; split < plan->splits; split++)
        any |= partial[split * plan->partial_stride + PARTIAL_ANY] != 0;
    worker->rows[at].any = any;
    struct attune_merge_args merge = {.parts = plan->splits, .row_max = partial + PARTIAL_MAX,
                                      .row_sum = partial + PARTIAL_SUM, .factor = plan->factor,
                                      .stat_stride = plan->partial_stride,
                                      .o = partial + PARTIAL_OUT, .o_stride = plan->partial_stride,
                                      .e = plan->shape.e, .out_max = worker->max + at,
                                      .out_sum = worker->sum + at, .out_o = worker->out + at * plan->ldo};
    plan->kernel.merge(&merge);
}

/* One row, loaded alone. */
static int merge_and_finish(struct attune_worker *worker, int64_t unit, int64_t row)
{
    merge_row(worker, unit, row, 0);
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
        if (merge_and_finish(worker, unit, row))
            return;
    }
    attune_core_exact_row(worker, 0);
}

static void merge_split_row(struct attune_worker *worker, int64_t unit, int64_t row)
{
    const struct attune_plan *plan = worker->plan;
    attune_core_load_rows(worker, unit, row, 1);
    if (!merge_and_finish(worker, unit, row) ||
        (plan->exact_rows && (worker->rows[0].any || plan->needs_all)))
        merge_again(worker, unit, row);
}

void attune_core_merge_work(void *argument, int32_t index, int32_t workers)
{
    const struct attune_execution *execution = argument;
    const struct attune_plan *plan = execution->plan;
    struct attune_worker worker;
    open_worker(&worker, execution, index);
    int64_t total = plan->shape.b * plan->shape.g * plan->rows;
    int64_t end = total * (index + 1) / workers;
    for (int64_t at = total * index / workers; at < end; at++)
        merge_split_row(&worker, at / plan->rows, at % plan->rows);
}

/* A q block of sequence b, as the plan shares them out. */
static double block_cost(const struct attune_execution *execution, int64_t b, int64_t block)
{
    return attune_plan_block_cost(execution->plan, execution->args, b, execution->plan->tiles.q_block, block);
}

static double sequence_cost(const struct attune_execution *execution, int64_t b)
{
    double cost = 0;
    for (int64_t block = 0; block < execution->plan->q_blocks; block++)
        cost += block_cost(execution, b, block);
    return cost;
}

/* Items that a block of rows is. */
static int64_t pieces_of(const struct attune_plan *plan)
{
    return plan->gathered ? 1 : plan->splits;
}

/* The item at which a part of the work, 0 to 1, ends: items are dealt out in order, by cost where they
 * differ. Every head of a sequence costs the same, so that it is enough to walk sequences, then one
 * head's blocks. */
static int64_t item_at(const struct attune_execution *execution, int64_t items, double part)
{
    const struct attune_plan *plan = execution->plan;
    const struct attune_shape *shape = &plan->shape;
    if (part <= 0 || part >= 1 || !plan->uneven)
        return part < 1 ? (int64_t)(part * (double)items) : items;
    double total = 0, cost = 0;
    for (int64_t b = 0; b < shape->b; b++)
        total += sequence_cost(execution, b);
    double left = total * part;
    int64_t b = 0;
    while ((cost = sequence_cost(execution, b)) <= left && b + 1 < shape->b) {
        left -= cost;
        b++;
    }
    left *= (double)shape->g / cost; /* now in heads of this sequence */
    int64_t head = least((int64_t)left, shape->g - 1), block = 0;
    left = (left - (double)head) * cost;
    while (block < plan->q_blocks && (cost = block_cost(execution, b, block)) / 2 < left) {
        left -= cost;
        block++;
    }
    return ((b * shape->g + head) * plan->q_blocks + block) * pieces_of(plan);
}

/* All splits of a block by one worker: the same bits without another hand-over. */
static void run_gathered(struct attune_worker *worker, int64_t unit)
{
    for (int64_t split = 0; split < worker->plan->splits; split++)
        stream_split(worker, unit, split);
    for (int64_t at = 0; at < worker->row_count; at++)
        merge_row(worker, unit, worker->row_first + at, at);
    finish_block(worker, unit, merge_again);
}

static void run_items(struct attune_worker *worker, int64_t first, int64_t end)
{
    const struct attune_plan *plan = worker->plan;
    const int64_t pieces = pieces_of(plan);
    for (int64_t item = first; item < end; item++) {
        int64_t split = item % pieces, block = item / pieces % plan->q_blocks;
        int64_t unit = item / pieces / plan->q_blocks, from = block * plan->tiles.q_block;
        attune_core_load_rows(worker, unit, from, least(plan->tiles.q_block, plan->rows - from));
        if (plan->gathered) {
            run_gathered(worker, unit);
        } else if (plan->splits > 1) {
            stream_split(worker, unit, split);
        } else {
            attune_core_stream(worker, 0, plan->shape.t_k);
            finish_block(worker, unit, finish_again);
        }
    }
}

/* Pieces for each worker, where who is free takes the next one. */
#define CLAIMED_PIECES 8

static void run_claimed(struct attune_execution *execution, struct attune_worker *worker, int64_t items,
                        int32_t workers)
{
    const int32_t pieces = CLAIMED_PIECES * workers;
    int32_t piece;
    while ((piece = atomic_fetch_add_explicit(&execution->claimed, 1, memory_order_relaxed)) < pieces)
        run_items(worker, item_at(execution, items, (double)piece / pieces),
                  item_at(execution, items, (double)(piece + 1) / pieces));
}

static void run_weighted(struct attune_worker *worker, int64_t items, int32_t index)
{
    const struct attune_execution *execution = worker->execution;
    const struct attune_plan *plan = execution->plan;
    const float *begin = (const float *)(execution->workspace + plan->dealt);
    const double started = attune_clock_seconds();
    run_items(worker, item_at(execution, items, (double)begin[index]),
              item_at(execution, items, (double)begin[index + 1]));
    if (!execution->alone)
        attune_shares_note(plan->shares, index, begin[index + 1] - begin[index],
                           attune_clock_seconds() - started);
}

void attune_core_work(void *argument, int32_t index, int32_t workers)
{
    struct attune_execution *execution = argument;
    const struct attune_plan *plan = execution->plan;
    struct attune_worker worker;
    open_worker(&worker, execution, index);
    const int64_t items = plan->shape.b * plan->shape.g * plan->q_blocks * pieces_of(plan);
    if (plan->schedule == ATTUNE_SCHEDULE_CLAIMED)
        run_claimed(execution, &worker, items, workers);
    else if (plan->schedule == ATTUNE_SCHEDULE_WEIGHTED)
        run_weighted(&worker, items, index);
    else
        run_items(&worker, item_at(execution, items, (double)index / workers),
                  item_at(execution, items, (double)(index + 1) / workers));
}
