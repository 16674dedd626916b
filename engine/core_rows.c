/* SPDX-License-Identifier: Apache-2.0
 *
 * Few query rows over long keys: scores and weighted sums straight from the caller's rows, whatever
 * their type, in one pass over keys and values for all query heads that share them. Nothing is packed.
 */
#include <string.h>

#include "engine/core.h"

static const char *row_at(const void *rows, int64_t stride, int32_t dtype, int64_t key)
{
    return (const char *)rows + key * stride * (int64_t)attune_dtype_size(dtype);
}

static const float *scale_at(const float *scale, int64_t key)
{
    return scale == NULL ? NULL : scale + key;
}

void attune_core_score_rows(struct attune_worker *worker, const struct attune_block *block,
                            int64_t row, int64_t rows, int64_t first, int64_t count)
{
    const struct attune_plan *plan = worker->plan;
    struct attune_score_rows_args score = {
        .q = worker->query_rows + row * worker->query_stride, .ldq = worker->query_stride, .m = rows,
        .k = row_at(block->key_rows, block->key_row_stride, plan->key.dtype, first),
        .ldk = block->key_row_stride, .scale = scale_at(block->key_scale, first), .n = count,
        .d = plan->shape.d, .s = worker->scores, .lds = plan->lds};
    plan->kernel.score_rows(&score);
}

void attune_core_wsum_rows(struct attune_worker *worker, const struct attune_block *block,
                           int64_t row, int64_t rows, int64_t first, int64_t count)
{
    const struct attune_plan *plan = worker->plan;
    struct attune_wsum_rows_args wsum = {
        .p = worker->scores, .ldp = plan->lds, .m = rows,
        .v = row_at(block->value_rows, block->value_stride, plan->value.dtype, first),
        .ldv = block->value_stride, .scale = scale_at(block->value_scale, first), .n = count,
        .e = plan->shape.e, .alpha = worker->alpha + row, .o = worker->out + row * plan->ldo,
        .ldo = plan->ldo};
    plan->kernel.wsum_rows(&wsum);
}

/* All bits 0 is 0 in every type. */
void attune_core_clear_rows(struct attune_worker *worker, struct attune_block *block)
{
    const struct attune_plan *plan = worker->plan;
    const uint8_t *attended = attune_core_attended(worker, 0, block->first, block->count);
    size_t bytes = (size_t)plan->shape.e * attune_dtype_size(plan->value.dtype);
    float *scale = worker->careful_values;
    char *values = (char *)(scale + plan->tiles.kv_block);
    for (int64_t j = 0; j < block->count; j++) {
        if (block->value_scale != NULL)
            scale[j] = attended[j] ? block->value_scale[j] : 0.0f;
        if (attended[j])
            memcpy(values + (size_t)j * bytes,
                   row_at(block->value_rows, block->value_stride, plan->value.dtype, j), bytes);
        else
            memset(values + (size_t)j * bytes, 0, bytes);
    }
    block->value_rows = values;
    block->value_stride = plan->shape.e;
    if (block->value_scale != NULL)
        block->value_scale = scale;
}
