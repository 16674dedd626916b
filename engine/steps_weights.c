/* SPDX-License-Identifier: Apache-2.0
 *
 * Weights that the kernels read in layouts of their own: the folded score vector of the tanh score, and
 * the LSTM's matrices with their gates interleaved by vector.
 */
#include <math.h>
#include <string.h>

#include "engine/core.h"

/* Bits of exponent that the product of the denominators of one division may use. */
#define PRODUCT_BITS 120.0
#define LN_2 0.6931471805599453

/* The largest |x + y| for which no product of `terms` denominators |fold| (1 + e^(2(x+y))) leaves the
 * float range: log2 |fold| + 1 + 2 (x+y) log2 e <= PRODUCT_BITS / terms. Half of it for each side, so
 * that a pair's path depends on its own row and key alone. */
static float reach_of(float largest_fold, int32_t terms)
{
    double bits = PRODUCT_BITS / terms - log2((double)largest_fold) - 1;
    return (float)(bits * LN_2 / 2 / 2);
}

static void fold_head(const struct attune_plan *plan, const float *u, float *dst)
{
    const struct attune_fold_layout *layout = &plan->fold;
    float largest;
    struct attune_fold_args fold = {.u = u, .a = plan->shape.a, .a_pad = layout->a_pad, .fold = dst,
                                    .center = dst + layout->center, .scale = dst + layout->scale,
                                    .largest = &largest};
    plan->kernel.fold(&fold);
    memcpy(dst + layout->u, u, (size_t)plan->shape.a * sizeof *u);
    dst[layout->reach] =
        largest > 0 ? reach_of(largest, plan->kernel.row[ATTUNE_OP_SCORE_TANH]->terms) : -1.0f;
}

void attune_step_fold(const struct attune_execution *execution, const struct attune_step *step)
{
    const struct attune_plan *plan = execution->plan;
    const float *vector = (const float *)attune_view_base(execution, &step->src);
    float *dst = (float *)(execution->workspace + plan->fold.offset);
    for (int64_t h = 0; h < plan->shape.h; h++)
        fold_head(plan, vector + h * plan->shape.a, dst + h * plan->fold.stride);
}

/* Row (gate, unit) of a PyTorch matrix [4 n, columns] as row unit / W * 4 W + gate * W + unit % W. */
static void interleave_inputs(const struct attune_plan *plan, const float *ih, const float *bias_ih,
                              const float *bias_hh, float *dst, int64_t from, int64_t to)
{
    const struct attune_lstm_layout *layout = &plan->lstm;
    int64_t n = plan->shape.n, c = plan->shape.c, lanes = layout->lanes;
    for (int64_t row = from; row < to; row++) {
        int64_t unit = row / (4 * lanes) * lanes + row % lanes, gate = row / lanes % 4;
        float *a = dst + layout->a + row * c, *b = dst + layout->b + row * c;
        float bias = 0;
        if (unit >= n) {
            memset(a, 0, (size_t)c * sizeof *a);
            memset(b, 0, (size_t)c * sizeof *b);
        } else {
            const float *source = ih + (gate * n + unit) * 2 * c;
            memcpy(a, source, (size_t)c * sizeof *a);
            memcpy(b, source + c, (size_t)c * sizeof *b);
            bias += bias_ih != NULL ? bias_ih[gate * n + unit] : 0;
            bias += bias_hh != NULL ? bias_hh[gate * n + unit] : 0;
        }
        dst[layout->bias + row] = bias;
    }
}

/* r: [n_pad / W][k][4][W], zero where there is no recurrence; w: [a_pad / W][k][W]; u and the hidden
 * bias padded with zeros. */
static void interleave_state(const struct attune_plan *plan, const float *hh, const float *w,
                             const float *u, const float *hidden, float *dst, int64_t from,
                             int64_t to)
{
    const struct attune_lstm_layout *layout = &plan->lstm;
    int64_t n = plan->shape.n, a = plan->shape.a, lanes = layout->lanes;
    for (int64_t row = from; row < to; row++) {
        int64_t block = row / (4 * lanes), unit = block * lanes + row % lanes;
        int64_t gate = row / lanes % 4;
        float *r = dst + layout->r + block * n * 4 * lanes + row % (4 * lanes);
        for (int64_t k = 0; k < n; k++)
            r[k * 4 * lanes] = unit < n && hh != NULL ? hh[(gate * n + unit) * n + k] : 0.0f;
    }
    if (from != 0)
        return;
    for (int64_t t = 0; t < layout->a_pad; t++) {
        float *panel = dst + layout->w + t / lanes * n * lanes + t % lanes;
        for (int64_t k = 0; k < n; k++)
            panel[k * lanes] = t < a ? w[t * n + k] : 0.0f;
        dst[layout->u + t] = t < a ? u[t] : 0.0f;
        dst[layout->hidden + t] = t < a && hidden != NULL ? hidden[t] : 0.0f;
    }
}

void attune_step_lstm(const struct attune_execution *execution, int32_t worker, int32_t workers)
{
    const struct attune_plan *plan = execution->plan;
    const float *source[7];
    for (int i = 0; i < 7; i++)
        source[i] = (const float *)attune_view_base(execution, &plan->lstm_source[i]);
    float *dst = (float *)(execution->workspace + plan->lstm.offset);
    int64_t rows = 4 * plan->lstm.n_pad;
    int64_t from = rows * worker / workers, to = rows * (worker + 1) / workers;
    interleave_inputs(plan, source[0], source[4], source[5], dst, from, to);
    interleave_state(plan, source[1], source[2], source[3], source[6], dst, from, to);
}
