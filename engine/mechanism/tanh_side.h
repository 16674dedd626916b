/* SPDX-License-Identifier: Apache-2.0
 *
 * What every lowering to the tanh score shares: sides that are a projection of rows, or the rows
 * themselves where a weight is absent, and the folded score vector.
 */
#ifndef ATTUNE_ENGINE_MECHANISM_TANH_SIDE_H
#define ATTUNE_ENGINE_MECHANISM_TANH_SIDE_H

#include "engine/plan.h"

struct attune_tanh_side {
    int32_t rows;   /* input that holds the rows */
    int32_t weight; /* input that holds the weight [h * a, columns]; absent: rows are the side */
    int64_t weight_offset, weight_stride; /* columns of a wider weight */
    int32_t bias;   /* input added to each row, or -1 */
    int64_t columns, t;
    int64_t window; /* > 0: a convolution over time */
    enum attune_side side;
};

/* Rows [B, t, h * a] in float32. */
enum attune_status attune_lower_tanh_side(struct attune_builder *builder,
                                          const struct attune_tanh_side *request,
                                          struct attune_view *dst);
/* The step that folds score_vector; after it the core's tanh score is ready. */
void attune_lower_fold(struct attune_builder *builder);

#endif
