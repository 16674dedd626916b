/* SPDX-License-Identifier: Apache-2.0
 *
 * The location-sensitive form's share of the keys: k'_j += W_l f_j, f = conv(previous alignments). Both
 * are linear in the alignments, so the two weights become one kernel C = W_l K of A x width, and a key
 * gains sum_w C[.][w] x[j + w - width / 2]. A window of the alignments is a row that begins one element
 * after the one before, which makes this a weighted sum of C's columns as wsum computes it.
 *
 * For each key and term that is `width` products, where W_l f costs F and f another width F / A. It is
 * also all that a key costs: oneDNN would want every window gathered and every result added.
 */
#include <math.h>
#include <string.h>

#include "engine/convert.h"
#include "engine/core.h"

/* Rows at once: whole tiles of every wsum kernel, few enough for L1 beside C. */
enum { LOCATE_ROWS = 24 };

static const float ones[LOCATE_ROWS] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
                                        1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static const float *floats_at(const struct attune_execution *execution, const struct attune_view *view)
{
    return (const float *)attune_view_base(execution, view);
}

/* Bits of the largest magnitude, which order as integers, NaN last: a loop that compilers vectorize. */
static float largest(const float *x, int64_t n)
{
    int32_t most = 0;
    for (int64_t i = 0; i < n; i++) {
        int32_t bits;
        memcpy(&bits, &x[i], sizeof bits);
        bits &= 0x7fffffff;
        most = bits > most ? bits : most;
    }
    float magnitude;
    memcpy(&magnitude, &most, sizeof magnitude);
    return magnitude;
}

/* Whether float32 holds C to the precision of its factors: no product overflowed, and those that count
 * are far from underflow. */
static int is_sound(const struct attune_execution *execution, const float *composed)
{
    const struct attune_shape *shape = &execution->plan->shape;
    const struct attune_location_layout *layout = &execution->plan->location;
    double product = (double)largest(floats_at(execution, &layout->kernel), shape->f * shape->width) *
                     (double)largest(floats_at(execution, &layout->w_location), shape->a * shape->f);
    return isfinite(largest(composed, shape->a * shape->width)) && (product == 0 || product >= 0x1p-60);
}

/* C by rows, then in panels of its columns; and whether it may be used. */
void attune_step_compose(const struct attune_execution *execution)
{
    const struct attune_plan *plan = execution->plan;
    const struct attune_location_layout *layout = &plan->location;
    int64_t a = plan->shape.a, f = plan->shape.f, width = plan->shape.width;
    float *base = (float *)(execution->workspace + layout->offset);
    memset(base, 0, (size_t)(a * width) * sizeof *base);
    for (int64_t row = 0; row < a; row += LOCATE_ROWS) {
        struct attune_wsum_args product = {.p = floats_at(execution, &layout->w_location) + row * f,
                                           .ldp = f, .m = least(LOCATE_ROWS, a - row),
                                           .v = floats_at(execution, &layout->kernel), .ldv = width,
                                           .panel_stride = layout->columns, .n = f, .e = width,
                                           .alpha = ones, .o = base + row * width, .ldo = width};
        layout->wsum(&product);
    }
    base[layout->sound] = is_sound(execution, base) ? 1.0f : 0.0f;
    struct attune_pack_keys_args pack = {.src = base, .stride = width, .n = a, .d = width,
                                         .d_pad = width, .width = layout->columns,
                                         .dst = base + layout->panels};
    plan->kernel.pack_keys(&pack);
}

/* What C cannot hold: its factors apart, in float64. */
static void locate_apart(const struct attune_execution *execution, const float *window, float *dst)
{
    const struct attune_plan *plan = execution->plan;
    const float *kernel = floats_at(execution, &plan->location.kernel);
    const float *w_location = floats_at(execution, &plan->location.w_location);
    int64_t f = plan->shape.f, width = plan->shape.width;
    for (int64_t a = 0; a < plan->shape.a; a++) {
        double sum = 0;
        for (int64_t i = 0; i < f; i++) {
            double feature = 0;
            for (int64_t w = 0; w < width; w++)
                feature += (double)kernel[i * width + w] * (double)window[w];
            sum += (double)w_location[a * f + i] * feature;
        }
        dst[a] = (float)((double)dst[a] + sum);
    }
}

/* The alignments that the windows of `rows` keys from t on see, 0 outside the sequence. */
static void load_line(const struct attune_execution *execution, int64_t b, int64_t t, int64_t rows,
                      int64_t length, float *line)
{
    const struct attune_plan *plan = execution->plan;
    const struct attune_view *view = &plan->location.previous;
    const char *base = attune_view_base(execution, view);
    int64_t width = plan->shape.width;
    for (int64_t i = 0; i < rows + width - 1; i++) {
        int64_t at = t + i - width / 2;
        line[i] = at < 0 || at >= length ? 0.0f
                                         : attune_load_float(base, view->dtype, b * view->stride_b +
                                                                                    at * view->stride_t);
    }
}

static void locate_rows(const struct attune_execution *execution, const struct attune_step *step,
                        int64_t b, int64_t t, int64_t rows, int64_t length, float *line)
{
    const struct attune_plan *plan = execution->plan;
    const struct attune_location_layout *layout = &plan->location;
    const float *composed = (const float *)(execution->workspace + layout->offset);
    float *dst = (float *)(execution->workspace + step->dst.offset) + b * step->dst.stride_b +
                 t * step->dst.stride_t;
    struct attune_pack_values_args copy = {
        .src = attune_view_base(execution, &step->src) +
               (b * step->src.stride_b + t * step->src.stride_t) *
                   (int64_t)attune_dtype_size(step->src.dtype),
        .stride = step->src.stride_t, .n = rows, .e = plan->shape.a, .width = plan->shape.a,
        .panel_stride = plan->shape.a, .dst = dst};
    plan->kernel.convert[step->src.dtype](&copy);
    load_line(execution, b, t, rows, length, line);
    if (composed[layout->sound] == 0) {
        for (int64_t i = 0; i < rows; i++)
            locate_apart(execution, line + i, dst + i * step->dst.stride_t);
        return;
    }
    struct attune_wsum_args windows = {.p = line, .ldp = 1, .m = rows,
                                       .v = composed + layout->panels, .ldv = layout->columns,
                                       .panel_stride = plan->shape.width * layout->columns,
                                       .n = plan->shape.width, .e = plan->shape.a, .alpha = ones,
                                       .o = dst, .ldo = step->dst.stride_t};
    layout->wsum(&windows);
}

/* Rows [from, end) of all sequences' attended keys, counted through. */
void attune_step_locate(const struct attune_execution *execution, const struct attune_step *step,
                        int32_t worker, int32_t workers)
{
    const struct attune_plan *plan = execution->plan;
    float *line = (float *)(execution->workspace + plan->worker_base +
                            (size_t)worker * plan->worker.size + plan->worker.scratch);
    int64_t total = 0, first = 0;
    for (int64_t b = 0; b < step->b; b++)
        total += attune_shape_key_length(&plan->shape, execution->args, b);
    int64_t from = total * worker / workers, end = total * (worker + 1) / workers;
    for (int64_t b = 0; b < step->b && first < end; b++) {
        int64_t length = attune_shape_key_length(&plan->shape, execution->args, b);
        int64_t last = least(length, end - first);
        for (int64_t t = from > first ? from - first : 0; t < last; t += LOCATE_ROWS)
            locate_rows(execution, step, b, t, least(LOCATE_ROWS, last - t), length, line);
        first += length;
    }
}

size_t attune_step_locate_scratch(const struct attune_plan *plan)
{
    return (size_t)(LOCATE_ROWS + plan->shape.width) * sizeof(float);
}
