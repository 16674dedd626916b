/* SPDX-License-Identifier: Apache-2.0
 *
 * Self-attention. dot: heads of q, k and v, given or projected from x together. pairwise:
 * u . tanh(W [x_t; x_t'] + W_h h_t), whose W splits into a query side and a key side.
 */
#include "engine/mechanism/tanh_side.h"

static struct attune_view heads_of(const struct attune_shape *shape, int32_t input)
{
    const struct attune_tensor *tensor = &shape->problem.in[input];
    return (struct attune_view){.place = ATTUNE_AT_INPUT,
                                .input = input,
                                .dtype = tensor->dtype,
                                .stride_b = tensor->stride[0],
                                .stride_h = tensor->stride[1],
                                .stride_t = tensor->stride[2]};
}

static enum attune_status lower_projected(struct attune_builder *builder)
{
    struct attune_plan *plan = builder->plan;
    const struct attune_shape *shape = &plan->shape;
    int64_t width = shape->h * shape->d, floats = (int64_t)sizeof(float);
    struct attune_projected all = {
        .src = attune_builder_rows(builder, ATTUNE_IN_X, ATTUNE_EITHER_ROWS, shape->t_k, shape->c),
        .weight = attune_builder_matrix(builder, ATTUNE_IN_IN_WEIGHT),
        .bias = attune_builder_matrix(builder, ATTUNE_IN_IN_BIAS),
        .t = shape->t_k,
        .inputs = shape->c,
        .outputs = 3 * width,
        .weight_stride = shape->c,
        .side = ATTUNE_EITHER_ROWS,
    };
    enum attune_status status = attune_builder_project(builder, &all, &plan->query);
    if (status != ATTUNE_OK)
        return status;
    plan->query.stride_h = shape->d;
    plan->key = plan->value = plan->query;
    plan->key.offset += width * floats;
    plan->value.offset += 2 * width * floats;
    if (!attune_given(shape, ATTUNE_IN_OUT_WEIGHT))
        return ATTUNE_OK;
    struct attune_projected last = {
        .weight = attune_builder_matrix(builder, ATTUNE_IN_OUT_WEIGHT),
        .bias = attune_builder_matrix(builder, ATTUNE_IN_OUT_BIAS),
        .t = shape->t_q,
        .inputs = width,
        .outputs = shape->out_width,
        .weight_stride = width,
        .side = ATTUNE_QUERY_ROWS,
    };
    plan->core_out = attune_builder_take(builder, shape->b * shape->t_q * width);
    last.src = (struct attune_view){.place = ATTUNE_AT_WORKSPACE,
                                    .dtype = ATTUNE_F32,
                                    .offset = (int64_t)plan->core_out,
                                    .stride_b = shape->t_q * width,
                                    .stride_t = width};
    struct attune_view unused;
    status = attune_builder_project(builder, &last, &unused);
    plan->out_projection = &plan->steps[--plan->step_count];
    return status;
}

static enum attune_status lower_pairwise(struct attune_builder *builder)
{
    struct attune_plan *plan = builder->plan;
    const struct attune_shape *shape = &plan->shape;
    struct attune_tanh_side side = {.rows = ATTUNE_IN_X,
                                    .weight = ATTUNE_IN_WEIGHT,
                                    .weight_stride = 2 * shape->c,
                                    .bias = ATTUNE_IN_BIAS_HIDDEN,
                                    .columns = shape->c,
                                    .t = shape->t_q,
                                    .side = ATTUNE_QUERY_ROWS};
    enum attune_status status = attune_lower_tanh_side(builder, &side, &plan->query);
    if (status != ATTUNE_OK)
        return status;
    side.weight_offset = shape->c;
    side.bias = -1;
    side.side = ATTUNE_KEY_ROWS;
    status = attune_lower_tanh_side(builder, &side, &plan->key);
    if (status != ATTUNE_OK || !attune_given(shape, ATTUNE_IN_STATE))
        return status;
    struct attune_projected state = {
        .src = attune_builder_matrix(builder, ATTUNE_IN_STATE),
        .weight = attune_builder_matrix(builder, ATTUNE_IN_W_STATE),
        .onto = plan->query,
        .t = shape->t_q,
        .inputs = shape->s,
        .outputs = shape->a,
        .weight_stride = shape->s,
        .side = ATTUNE_QUERY_ROWS,
    };
    int per_query = shape->problem.in[ATTUNE_IN_STATE].rank == 3;
    state.src.stride_b = per_query ? shape->t_q * shape->s : shape->s;
    state.src.stride_t = per_query ? shape->s : 0;
    struct attune_view unused;
    return attune_builder_project(builder, &state, &unused);
}

enum attune_status attune_lower_self(struct attune_builder *builder)
{
    struct attune_plan *plan = builder->plan;
    const struct attune_shape *shape = &plan->shape;
    if (shape->problem.form == ATTUNE_PAIRWISE) {
        enum attune_status status = lower_pairwise(builder);
        plan->value = attune_builder_values(builder, ATTUNE_IN_X);
        attune_lower_fold(builder);
        return status;
    }
    if (shape->from_x)
        return lower_projected(builder);
    plan->query = heads_of(shape, ATTUNE_IN_Q);
    plan->key = heads_of(shape, ATTUNE_IN_K);
    plan->value = heads_of(shape, ATTUNE_IN_V);
    plan->key_scale = attune_builder_matrix(builder, ATTUNE_IN_KEY_SCALE);
    plan->value_scale = attune_builder_matrix(builder, ATTUNE_IN_VALUE_SCALE);
    return ATTUNE_OK;
}
