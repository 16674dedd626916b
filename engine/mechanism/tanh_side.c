/* SPDX-License-Identifier: Apache-2.0
 *
 * Sides of the tanh score. See tanh_side.h.
 */
#include "engine/mechanism/tanh_side.h"

/* Rows that need no projection: copied only to add a bias or to change their type. */
static struct attune_view plain_side(struct attune_builder *builder,
                                     const struct attune_tanh_side *request)
{
    const struct attune_shape *shape = &builder->plan->shape;
    int64_t columns = shape->h * shape->a;
    struct attune_view rows =
        attune_builder_rows(builder, request->rows, request->side, request->t, columns);
    if (request->bias >= 0 && attune_given(shape, request->bias)) {
        struct attune_view bias = attune_builder_matrix(builder, request->bias);
        struct attune_step *step = attune_builder_step(builder, ATTUNE_STEP_COPY);
        step->src = rows;
        step->bias = bias;
        step->side = request->side;
        step->b = shape->b;
        step->t = request->t;
        step->inputs = step->outputs = columns;
        rows = (struct attune_view){.place = ATTUNE_AT_WORKSPACE,
                                    .dtype = ATTUNE_F32,
                                    .offset = (int64_t)attune_builder_take(
                                        builder, shape->b * request->t * columns),
                                    .stride_b = request->t * columns,
                                    .stride_t = columns};
        step->dst = rows;
    }
    rows.stride_h = shape->a;
    return rows;
}

enum attune_status attune_lower_tanh_side(struct attune_builder *builder,
                                          const struct attune_tanh_side *request,
                                          struct attune_view *dst)
{
    const struct attune_shape *shape = &builder->plan->shape;
    if (!attune_given(shape, request->weight)) {
        *dst = plain_side(builder, request);
        return ATTUNE_OK;
    }
    struct attune_projected projected = {
        .src = attune_builder_rows(builder, request->rows, request->side, request->t,
                                   request->columns),
        .weight = attune_builder_matrix(builder, request->weight),
        .t = request->t,
        .inputs = request->columns * (request->window > 0 ? request->window : 1),
        .outputs = shape->h * shape->a,
        .weight_stride = request->weight_stride,
        .window = request->window,
        .side = request->side,
    };
    if (request->bias >= 0)
        projected.bias = attune_builder_matrix(builder, request->bias);
    projected.weight.offset += projected.weight.place == ATTUNE_AT_WORKSPACE
                                   ? request->weight_offset * (int64_t)sizeof(float)
                                   : request->weight_offset;
    enum attune_status status = attune_builder_project(builder, &projected, dst);
    dst->stride_h = shape->a;
    return status;
}

void attune_lower_fold(struct attune_builder *builder)
{
    struct attune_plan *plan = builder->plan;
    struct attune_fold_layout *fold = &plan->fold;
    int64_t a = plan->shape.a;
    fold->a_pad = (a + ATTUNE_TERM_STEP - 1) / ATTUNE_TERM_STEP * ATTUNE_TERM_STEP;
    fold->center = fold->a_pad;
    fold->u = fold->center + (fold->a_pad + ATTUNE_CENTER_STEP - 1) / ATTUNE_CENTER_STEP;
    fold->scale = fold->u + a;
    fold->reach = fold->scale + 1;
    fold->stride = (fold->reach + 1 + 15) / 16 * 16;
    fold->offset = attune_builder_take(builder, plan->shape.h * fold->stride);
    struct attune_view vector = attune_builder_matrix(builder, ATTUNE_IN_SCORE_VECTOR);
    struct attune_step *step = attune_builder_step(builder, ATTUNE_STEP_FOLD);
    step->src = vector;
}
