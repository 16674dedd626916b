/* SPDX-License-Identifier: Apache-2.0
 *
 * Additive (Bahdanau): score = u . tanh(W_k x_j + W_q h_i + b). Also multiplicative concat, whose
 * W [h; x] is W's query columns times h plus its key columns times x.
 */
#include "engine/mechanism/tanh_side.h"

enum attune_status attune_lower_additive(struct attune_builder *builder)
{
    struct attune_plan *plan = builder->plan;
    const struct attune_shape *shape = &plan->shape;
    int concat = shape->problem.mechanism == ATTUNE_MULTIPLICATIVE;
    int64_t total = concat ? shape->d_q + shape->d_k : 0;
    struct attune_tanh_side query = {.rows = ATTUNE_IN_QUERY,
                                     .weight = concat ? ATTUNE_IN_WEIGHT : ATTUNE_IN_W_QUERY,
                                     .weight_stride = concat ? total : shape->d_q,
                                     .bias = ATTUNE_IN_BIAS_HIDDEN,
                                     .columns = shape->d_q,
                                     .t = shape->t_q,
                                     .side = ATTUNE_QUERY_ROWS};
    struct attune_tanh_side key = {.rows = ATTUNE_IN_KEY,
                                   .weight = concat ? ATTUNE_IN_WEIGHT : ATTUNE_IN_W_KEY,
                                   .weight_offset = concat ? shape->d_q : 0,
                                   .weight_stride = concat ? total : shape->d_k,
                                   .bias = -1,
                                   .columns = shape->d_k,
                                   .t = shape->t_k,
                                   .side = ATTUNE_KEY_ROWS};
    enum attune_status status = attune_lower_tanh_side(builder, &query, &plan->query);
    builder->keys_only = 1;
    if (status == ATTUNE_OK)
        status = attune_lower_tanh_side(builder, &key, &plan->key);
    builder->keys_only = 0;
    if (status != ATTUNE_OK)
        return status;
    attune_builder_prepared_keys(builder, shape->problem.form != ATTUNE_LOCATION);
    plan->value = attune_builder_values(builder, ATTUNE_IN_KEY);
    attune_lower_fold(builder);
    return ATTUNE_OK;
}
