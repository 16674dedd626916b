/* SPDX-License-Identifier: Apache-2.0
 *
 * The tile loop: for each kv block, strips of rows small enough that their scores stay in L1 go through
 * score -> mask -> softmax -> weighted sum. Bits of a row depend on none of these sizes but kv_block.
 * Knows a block of rows and a range of keys, not where either comes from.
 */
#include <float.h>
#include <math.h>
#include <string.h>

#include "engine/core.h"

#define LOG2_E 1.4426950408889634

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t most(int64_t a, int64_t b)
{
    return a > b ? a : b;
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
    if (plan->kernel.wsum_rows != NULL) {
        attune_core_clear_rows(worker, block);
        return;
    }
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
    if (plan->kernel.wsum_rows != NULL) {
        attune_core_wsum_rows(worker, block, row, rows, low, count);
        return;
    }
    struct attune_wsum_args wsum = {.p = worker->scores, .ldp = plan->lds, .m = rows,
                                    .v = block->values + low * block->value_stride,
                                    .ldv = block->value_stride, .panel_stride = block->value_panel,
                                    .n = count, .e = plan->shape.e, .alpha = worker->alpha + row,
                                    .o = worker->out + row * plan->ldo, .ldo = plan->ldo};
    plan->kernel.wsum(&wsum);
}

/* All rows against one kv block, strip by strip. */
static void stream_strips(struct attune_worker *worker, const struct attune_block *block)
{
    int64_t strip = worker->plan->tiles.strip;
    for (int64_t row = 0; row < worker->row_count; row += strip)
        stream_tile(worker, block, row, least(strip, worker->row_count - row));
}

/* The same, fused. */
static void stream_fused(struct attune_worker *worker, const struct attune_block *block)
{
    const struct attune_plan *plan = worker->plan;
    struct attune_tile_args tile = {.q = worker->query_rows, .ldq = worker->query_stride,
                                    .m = worker->row_count, .k = block->keys, .d = plan->shape.d,
                                    .n = block->count, .v = block->values,
                                    .ldv = block->value_stride, .panel_stride = block->value_panel,
                                    .e = plan->shape.e, .key = block->first, .factor = plan->factor,
                                    .row_max = worker->max, .row_sum = worker->sum,
                                    .o = worker->out, .ldo = plan->ldo, .scratch = worker->scores,
                                    .lds = plan->lds};
    if (plan->uneven) {
        tile.first = &worker->rows->first;
        tile.last = &worker->rows->last;
        tile.limit_stride = sizeof *worker->rows / sizeof(int64_t);
    }
    plan->kernel.tile(&tile);
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
        if (plan->kernel.tile != NULL)
            stream_fused(worker, &block);
        else
            stream_strips(worker, &block);
    }
}
