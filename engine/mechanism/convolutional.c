/* SPDX-License-Identifier: Apache-2.0
 *
 * Convolutional: u . tanh(W_c * [x_t; x_t'] + b). A convolution over stacked channels is the sum of
 * one over x around t and one over x around t', so each side is one convolution over time. The
 * location-sensitive form is additive whose keys gain W_l conv(previous alignments).
 */
#include "engine/mechanism/tanh_side.h"
#include "engine/status.h"

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

/* k' += W_l f, f = conv(previous alignments): of every step's own, so the core adds it. */
static enum attune_status add_location(struct attune_builder *builder)
{
    struct attune_plan *plan = builder->plan;
    const struct attune_shape *shape = &plan->shape;
    const struct attune_tensor *previous = &shape->problem.in[ATTUNE_IN_PREVIOUS_ALIGNMENTS];
    struct attune_location_layout *location = &plan->location;
    if ((double)shape->a * (double)shape->width > 0x1p56)
        return attune_fail(ATTUNE_ERROR_OVERFLOW, "w_location: A = %lld times a width of %lld",
                           (long long)shape->a, (long long)shape->width);
    location->ones = shape->a * shape->width;
    location->sound = location->ones + shape->a;
    location->offset = attune_builder_take(builder, location->sound + 1);
    location->kernel = attune_builder_matrix(builder, ATTUNE_IN_LOCATION_KERNEL);
    location->w_location = attune_builder_matrix(builder, ATTUNE_IN_W_LOCATION);
    location->previous = (struct attune_view){.place = ATTUNE_AT_INPUT,
                                              .input = ATTUNE_IN_PREVIOUS_ALIGNMENTS,
                                              .dtype = previous->dtype,
                                              .stride_b = previous->stride[0],
                                              .stride_t = previous->stride[1]};
    attune_builder_step(builder, ATTUNE_STEP_COMPOSE);
    return ATTUNE_OK;
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
