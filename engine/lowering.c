/* SPDX-License-Identifier: Apache-2.0
 *
 * Building blocks of the lowerings: workspace for intermediate rows, and the steps that fill it.
 * Knows steps and views, not mechanisms.
 */
#include <string.h>

#include "engine/plan.h"
#include "engine/status.h"

int attune_given(const struct attune_shape *shape, int32_t input)
{
    return shape->problem.in[input].dtype != ATTUNE_ABSENT;
}

size_t attune_builder_take(struct attune_builder *builder, int64_t floats)
{
    size_t at = builder->used;
    builder->used += ((size_t)floats * sizeof(float) + 63) / 64 * 64;
    return at;
}

struct attune_step *attune_builder_step(struct attune_builder *builder, enum attune_step_kind kind)
{
    struct attune_plan *plan = builder->plan;
    struct attune_step *step = &plan->steps[plan->step_count++];
    memset(step, 0, sizeof *step);
    step->kind = kind;
    step->b = 1;
    step->keys_only = builder->keys_only;
    return step;
}

static int is_packed(const struct attune_tensor *tensor)
{
    int64_t expected = 1;
    for (int32_t axis = tensor->rank - 1; axis >= 0; axis--) {
        if (tensor->size[axis] != 1 && tensor->stride[axis] != expected)
            return 0;
        expected *= tensor->size[axis];
    }
    return 1;
}

static int64_t element_count(const struct attune_tensor *tensor)
{
    int64_t count = 1;
    for (int32_t axis = 0; axis < tensor->rank; axis++)
        count *= tensor->size[axis];
    return count;
}

struct attune_view attune_builder_matrix(struct attune_builder *builder, int32_t input)
{
    const struct attune_tensor *tensor = &builder->plan->shape.problem.in[input];
    struct attune_view view = {.place = ATTUNE_AT_INPUT, .input = input, .dtype = ATTUNE_F32};
    if (tensor->dtype == ATTUNE_ABSENT)
        return (struct attune_view){.place = ATTUNE_NOWHERE};
    if (tensor->dtype == ATTUNE_F32 && is_packed(tensor))
        return view;
    struct attune_step *step = attune_builder_step(builder, ATTUNE_STEP_GATHER);
    step->src = view;
    step->src.dtype = tensor->dtype;
    view.place = ATTUNE_AT_WORKSPACE;
    view.offset = (int64_t)attune_builder_take(builder, element_count(tensor));
    step->dst = view;
    return view;
}

/* Rows of an input [B, T, columns] or [B, H, T, columns], as they lie. */
static struct attune_view input_rows(const struct attune_shape *shape, int32_t input)
{
    const struct attune_tensor *tensor = &shape->problem.in[input];
    struct attune_view view = {.place = ATTUNE_AT_INPUT, .input = input, .dtype = tensor->dtype};
    view.stride_b = tensor->stride[0];
    if (tensor->rank == 4) {
        view.stride_h = tensor->stride[1];
        view.stride_t = tensor->stride[2];
    } else {
        view.stride_t = tensor->stride[1];
    }
    return view;
}

struct attune_view attune_builder_rows(struct attune_builder *builder, int32_t input,
                                       enum attune_side side, int64_t t, int64_t columns)
{
    const struct attune_shape *shape = &builder->plan->shape;
    struct attune_view view = input_rows(shape, input);
    if (view.dtype == ATTUNE_F32)
        return view;
    struct attune_step *step = attune_builder_step(builder, ATTUNE_STEP_COPY);
    step->src = view;
    step->side = side;
    step->b = shape->b;
    step->t = t;
    step->inputs = step->outputs = columns;
    step->dst = (struct attune_view){.place = ATTUNE_AT_WORKSPACE,
                                     .dtype = ATTUNE_F32,
                                     .offset = (int64_t)attune_builder_take(
                                         builder, shape->b * t * columns),
                                     .stride_b = t * columns,
                                     .stride_t = columns};
    return step->dst;
}

/* oneDNN takes AVX2 to include FMA, which a few CPUs and some hypervisors withhold: where our own
 * kernels fall back for want of a feature, it has to as well. */
static const char *projection_ceiling(const struct attune_context *context)
{
    const struct attune_kernel *widest =
        attune_kernel_next(ATTUNE_OP_SCORE_DOT, context->features, NULL);
    return strcmp(widest->isa, "scalar") == 0 ? "scalar" : context->max_isa;
}

enum attune_status attune_builder_project(struct attune_builder *builder,
                                          const struct attune_projected *request,
                                          struct attune_view *dst)
{
    struct attune_plan *plan = builder->plan;
    int64_t columns = request->outputs;
    struct attune_step *step = attune_builder_step(builder, ATTUNE_STEP_PROJECT);
    step->src = request->src;
    step->weight = request->weight;
    step->bias = request->bias;
    step->side = request->side;
    step->b = plan->shape.b;
    step->t = request->t;
    step->inputs = request->inputs;
    step->outputs = columns;
    step->window = request->window;
    step->accumulate = request->onto.place != ATTUNE_NOWHERE;
    if (step->accumulate)
        step->dst = request->onto;
    else
        step->dst = (struct attune_view){.place = ATTUNE_AT_WORKSPACE,
                                         .dtype = ATTUNE_F32,
                                         .offset = (int64_t)attune_builder_take(
                                             builder, plan->shape.b * request->t * columns),
                                         .stride_b = request->t * columns,
                                         .stride_t = columns};
    *dst = step->dst;
    struct attune_projection_shape shape = {.inputs = request->inputs,
                                            .outputs = columns,
                                            .weight_stride = request->weight_stride,
                                            .transposed = request->transposed,
                                            .bias = request->bias.place != ATTUNE_NOWHERE};
    return attune_projection_create(&shape, projection_ceiling(plan->context),
                                    &plan->context->allocator, &step->projection);
}

void attune_builder_prepared_keys(struct attune_builder *builder, int32_t expanded)
{
    struct attune_plan *plan = builder->plan;
    const struct attune_shape *shape = &plan->shape;
    struct attune_prepared_layout *layout = &plan->prepared;
    if (!shape->prepared)
        return;
    int64_t floats = (int64_t)sizeof(float), width = plan->kernel.row[ATTUNE_OP_SCORE_TANH]->width;
    int64_t a_pad = (shape->a + ATTUNE_TERM_STEP - 1) / ATTUNE_TERM_STEP * ATTUNE_TERM_STEP;
    layout->source = plan->key;
    layout->expanded = expanded;
    layout->rows = (int64_t)sizeof(struct attune_prepared_header);
    layout->peaks = layout->rows + shape->b * shape->t_k * shape->h * shape->a * floats;
    layout->panels = layout->peaks + (expanded ? shape->b * shape->h * shape->t_k * floats : 0);
    layout->panels = (layout->panels + 63) / 64 * 64;
    layout->panel_stride = (shape->t_k + width - 1) / width * width * a_pad;
    layout->size = (size_t)(layout->panels +
                            (expanded ? shape->b * shape->h * layout->panel_stride * floats : 0));
    plan->key = (struct attune_view){.place = ATTUNE_AT_PREPARED,
                                     .dtype = ATTUNE_F32,
                                     .offset = layout->rows,
                                     .stride_b = shape->t_k * shape->h * shape->a,
                                     .stride_h = shape->a,
                                     .stride_t = shape->h * shape->a};
}

struct attune_view attune_builder_values(struct attune_builder *builder, int32_t fallback)
{
    const struct attune_shape *shape = &builder->plan->shape;
    return input_rows(shape, attune_given(shape, ATTUNE_IN_VALUE) ? ATTUNE_IN_VALUE : fallback);
}
