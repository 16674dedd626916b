/* SPDX-License-Identifier: Apache-2.0
 *
 * The location-sensitive form's share of a kv block's keys, while they are near: row t of C times the
 * alignments that end up at each lane of a panel of keys. A tap's operands are the alignments from one
 * on, `width` of them, which begin one element after those of the tap before; so this is a weighted sum of
 * rows one element apart, as wsum computes it, onto the panel where it lies.
 *
 * All that a key costs is `width` products a term: oneDNN would want every window gathered and every
 * result added.
 */
#include <string.h>

#include "engine/convert.h"
#include "engine/core.h"

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* C by rows of `width`, and what lies behind it. */
static const float *composed_of(const struct attune_execution *execution)
{
    return (const float *)(execution->workspace + execution->plan->location.offset);
}

/* The alignments that the windows of a block's keys see, 0 outside the sequence. */
static const float *load_line(struct attune_worker *worker, const struct attune_block *block)
{
    const struct attune_plan *plan = worker->plan;
    const struct attune_view *view = &plan->location.previous;
    const char *base = attune_view_base(worker->execution, view);
    const int64_t low = block->first - plan->shape.width / 2, count = block->count + plan->shape.width - 1;
    const int64_t from = low < 0 ? -low : 0, end = least(count, worker->key_length - low);
    int64_t at = worker->b * view->stride_b + (low + from) * view->stride_t;
    memset(worker->line, 0, (size_t)count * sizeof *worker->line);
    for (int64_t i = from; i < end; i++, at += view->stride_t)
        worker->line[i] = attune_load_float(base, view->dtype, at);
    return worker->line;
}

/* What C cannot hold: its factors apart, in float64, onto terms that lie `step` apart. */
static void locate_apart(const struct attune_execution *execution, const float *window, float *dst,
                         int64_t step)
{
    const struct attune_plan *plan = execution->plan;
    const float *kernel = attune_view_floats(execution, &plan->location.kernel);
    const float *w_location = attune_view_floats(execution, &plan->location.w_location);
    int64_t f = plan->shape.f, width = plan->shape.width;
    for (int64_t a = 0; a < plan->shape.a; a++) {
        double sum = 0;
        for (int64_t i = 0; i < f; i++) {
            double feature = 0;
            for (int64_t w = 0; w < width; w++)
                feature += (double)kernel[i * width + w] * (double)window[w];
            sum += (double)w_location[a * f + i] * feature;
        }
        dst[a * step] = (float)((double)dst[a * step] + sum);
    }
}

static void locate_panel(const struct attune_worker *worker, const float *line, float *panel,
                         int64_t panel_width, int64_t lanes)
{
    const struct attune_location_layout *layout = &worker->plan->location;
    const float *composed = composed_of(worker->execution);
    int64_t a = worker->plan->shape.a, width = worker->plan->shape.width;
    if (composed[layout->sound] == 0) {
        for (int64_t lane = 0; lane < lanes; lane++)
            locate_apart(worker->execution, line + lane, panel + lane, panel_width);
        return;
    }
    struct attune_wsum_args taps = {.p = composed, .ldp = width, .m = a, .v = line, .ldv = 1,
                                    .panel_stride = layout->columns, .n = width, .e = lanes,
                                    .alpha = composed + layout->ones, .o = panel, .ldo = panel_width};
    layout->wsum(&taps);
}

void attune_core_locate_panels(struct attune_worker *worker, const struct attune_block *block,
                               float *panels)
{
    const struct attune_plan *plan = worker->plan;
    const int64_t width = plan->kernel.row[ATTUNE_OP_SCORE_TANH]->width;
    const float *line = load_line(worker, block);
    for (int64_t j = 0; j < block->count; j += width)
        locate_panel(worker, line + j, panels + j * plan->key_columns, width,
                     least(width, block->count - j));
}

/* A key's row: rare, so without a kernel. */
static void locate_row(const struct attune_execution *execution, const float *window, float *row)
{
    const struct attune_plan *plan = execution->plan;
    const float *composed = composed_of(execution);
    int64_t width = plan->shape.width;
    if (composed[plan->location.sound] == 0) {
        locate_apart(execution, window, row, 1);
        return;
    }
    for (int64_t t = 0; t < plan->shape.a; t++) {
        double sum = (double)row[t];
        for (int64_t w = 0; w < width; w++)
            sum += (double)composed[t * width + w] * (double)window[w];
        row[t] = (float)sum;
    }
}

void attune_core_locate_rows(struct attune_worker *worker, struct attune_block *block)
{
    const struct attune_plan *plan = worker->plan;
    int64_t a = plan->shape.a;
    struct attune_pack_values_args copy = {.src = block->key_rows, .stride = block->key_row_stride,
                                           .n = block->count, .e = a, .width = a, .panel_stride = a,
                                           .dst = worker->located};
    plan->kernel.convert[plan->key.dtype](&copy);
    const float *line = load_line(worker, block);
    for (int64_t j = 0; j < block->count; j++)
        locate_row(worker->execution, line + j, worker->located + j * a);
    block->key_rows = worker->located;
    block->key_row_stride = a;
}
