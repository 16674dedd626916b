/* SPDX-License-Identifier: Apache-2.0
 *
 * Convolutional: u . tanh(W_c * [x_t; x_t'] + b). A convolution over stacked channels is the sum of
 * one over x around t and one over x around t', so each side is one convolution over time. The
 * location-sensitive form is additive whose keys gain W_l conv(previous alignments).
 */
#include "engine/mechanism/tanh_side.h"

static enum attune_status lower_pairwise(struct attune_builder *builder)
{
    struct attune_plan *plan = builder->plan;
    const struct attune_shape *shape = &plan->shape;
    struct attune_tanh_side side = {.rows = ATTUNE_IN_X,
                                    .weight = ATTUNE_IN_KERNEL,
                                    .weight_stride = 2 * shape->c * shape->width,
                                    .bias = ATTUNE_IN_BIAS_HIDDEN,
                                    .columns = shape->c,
                                    .t = shape->t_q,
                                    .window = shape->width,
                                    .side = ATTUNE_QUERY_ROWS};
    enum attune_status status = attune_lower_tanh_side(builder, &side, &plan->query);
    if (status != ATTUNE_OK)
        return status;
    side.weight_offset = shape->c * shape->width;
    side.bias = -1;
    side.side = ATTUNE_KEY_ROWS;
    return attune_lower_tanh_side(builder, &side, &plan->key);
}

/* k' += W_l f, f = conv(previous alignments): onto a copy of the keys' rows where these are the
 * caller's own (no w_key) or prepared, since every step has its own alignments. */
static enum attune_status add_location(struct attune_builder *builder)
{
    struct attune_plan *plan = builder->plan;
    const struct attune_shape *shape = &plan->shape;
    struct attune_projected filter = {
        .src = attune_builder_rows(builder, ATTUNE_IN_PREVIOUS_ALIGNMENTS, ATTUNE_KEY_ROWS,
                                   shape->t_k, 1),
        .weight = attune_builder_matrix(builder, ATTUNE_IN_LOCATION_KERNEL),
        .t = shape->t_k,
        .inputs = shape->width,
        .outputs = shape->f,
        .weight_stride = shape->width,
        .window = shape->width,
        .side = ATTUNE_KEY_ROWS,
    };
    struct attune_view features, located = plan->key;
    if (filter.src.place == ATTUNE_AT_INPUT)
        filter.src.stride_t = shape->problem.in[ATTUNE_IN_PREVIOUS_ALIGNMENTS].stride[1];
    enum attune_status status = attune_builder_project(builder, &filter, &features);
    if (status != ATTUNE_OK)
        return status;
    struct attune_step *copy = attune_builder_step(builder, ATTUNE_STEP_COPY);
    copy->src = plan->key;
    copy->side = ATTUNE_KEY_ROWS;
    copy->b = shape->b;
    copy->t = shape->t_k;
    copy->inputs = copy->outputs = shape->a;
    located = (struct attune_view){.place = ATTUNE_AT_WORKSPACE,
                                   .dtype = ATTUNE_F32,
                                   .offset = (int64_t)attune_builder_take(
                                       builder, shape->b * shape->t_k * shape->a),
                                   .stride_b = shape->t_k * shape->a,
                                   .stride_h = shape->a,
                                   .stride_t = shape->a};
    copy->dst = located;
    struct attune_projected add = {
        .src = features,
        .weight = attune_builder_matrix(builder, ATTUNE_IN_W_LOCATION),
        .onto = located,
        .t = shape->t_k,
        .inputs = shape->f,
        .outputs = shape->a,
        .weight_stride = shape->f,
        .side = ATTUNE_KEY_ROWS,
    };
    plan->key = located;
    return attune_builder_project(builder, &add, &located);
}

enum attune_status attune_lower_convolutional(struct attune_builder *builder)
{
    struct attune_plan *plan = builder->plan;
    enum attune_status status;
    if (plan->shape.problem.form == ATTUNE_LOCATION) {
        status = attune_lower_additive(builder);
        if (status == ATTUNE_OK)
            status = add_location(builder);
        return status;
    }
    status = lower_pairwise(builder);
    plan->value = attune_builder_values(builder, ATTUNE_IN_X);
    attune_lower_fold(builder);
    return status;
}
