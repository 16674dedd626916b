/* SPDX-License-Identifier: Apache-2.0
 *
 * Multiplicative (Luong): dot h . x; general h^T W x, where W^T h is computed once a query; concat is
 * additive with one weight.
 */
#include "engine/plan.h"

static struct attune_view rows_of(const struct attune_shape *shape, int32_t input)
{
    const struct attune_tensor *tensor = &shape->problem.in[input];
    return (struct attune_view){.place = ATTUNE_AT_INPUT,
                                .input = input,
                                .dtype = tensor->dtype,
                                .stride_b = tensor->stride[0],
                                .stride_t = tensor->stride[1]};
}

static enum attune_status lower_general(struct attune_builder *builder)
{
    struct attune_plan *plan = builder->plan;
    const struct attune_shape *shape = &plan->shape;
    struct attune_projected query = {
        .src = attune_builder_rows(builder, ATTUNE_IN_QUERY, ATTUNE_QUERY_ROWS, shape->t_q,
                                   shape->d_q),
        .weight = attune_builder_matrix(builder, ATTUNE_IN_WEIGHT),
        .t = shape->t_q,
        .inputs = shape->d_q,
        .outputs = shape->d_k,
        .weight_stride = shape->d_k,
        .transposed = 1,
        .side = ATTUNE_QUERY_ROWS,
    };
    return attune_builder_project(builder, &query, &plan->query);
}

enum attune_status attune_lower_multiplicative(struct attune_builder *builder)
{
    struct attune_plan *plan = builder->plan;
    const struct attune_shape *shape = &plan->shape;
    if (shape->problem.form == ATTUNE_CONCAT)
        return attune_lower_additive(builder);
    plan->key = rows_of(shape, ATTUNE_IN_KEY);
    plan->value = attune_builder_values(builder, ATTUNE_IN_KEY);
    if (shape->problem.form == ATTUNE_GENERAL)
        return lower_general(builder);
    plan->query = rows_of(shape, ATTUNE_IN_QUERY);
    return ATTUNE_OK;
}
