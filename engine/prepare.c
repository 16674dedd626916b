/* SPDX-License-Identifier: Apache-2.0
 *
 * The payload of prepared keys: the projected rows, and for the tanh score their peaks and the panels
 * of e^(2k'), so that a decoder step costs only its own pairs.
 */
#include <string.h>

#include "engine/core.h"

static void prepare_head(const struct attune_execution *execution, int64_t b, int64_t h)
{
    const struct attune_plan *plan = execution->plan;
    const struct attune_shape *shape = &plan->shape;
    const struct attune_prepared_layout *layout = &plan->prepared;
    int64_t length = attune_shape_key_length(shape, execution->args, b), a = shape->a;
    const float *src = (const float *)attune_view_base(execution, &layout->source) +
                       b * layout->source.stride_b + h * layout->source.stride_h;
    float *rows = (float *)(execution->prepared + layout->rows) +
                  (b * shape->t_k * shape->h + h) * a;
    for (int64_t j = 0; j < length; j++)
        memcpy(rows + j * shape->h * a, src + j * layout->source.stride_t,
               (size_t)a * sizeof *rows);
    if (!layout->expanded || length == 0)
        return;
    int64_t unit = b * shape->h + h, width = plan->kernel.row[ATTUNE_OP_SCORE_TANH]->width;
    float *panels = (float *)(execution->prepared + layout->panels) + unit * layout->panel_stride;
    struct attune_pack_keys_args pack = {.src = src, .stride = layout->source.stride_t,
                                         .n = length, .d = a, .d_pad = plan->fold.a_pad,
                                         .width = width, .dst = panels};
    plan->kernel.pack_keys(&pack);
    struct attune_expand_panels_args expand = {
        .panels = panels, .n = length, .a = a, .a_pad = plan->fold.a_pad, .width = width,
        .peak = (float *)(execution->prepared + layout->peaks) + unit * shape->t_k};
    plan->kernel.expand_panels(&expand);
}

void attune_prepare_work(void *argument, int32_t worker, int32_t workers)
{
    const struct attune_execution *execution = argument;
    const struct attune_shape *shape = &execution->plan->shape;
    int64_t units = shape->b * shape->h;
    int64_t end = units * (worker + 1) / workers;
    for (int64_t unit = units * worker / workers; unit < end; unit++)
        prepare_head(execution, unit / shape->h, unit % shape->h);
}
