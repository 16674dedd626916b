/* SPDX-License-Identifier: Apache-2.0
 *
 * lstm: one step of the recurrent score's scan. Needs a vocabulary and f32_math.h; defines the wrappers
 * of LSTM. Axis: `rows` query rows of a register tile; times the 4 gates they are its accumulators,
 * which with a broadcast for each row and a vector of weights must fit the registers.
 *
 * The recurrent product is a matrix product with R as its panels: 7 loads for 12 FMA in a tile of 3 by
 * 4. Unit blocks are the outer loop, so that a panel of R (16 n W bytes) stays in the first-level cache
 * while all rows pass over it. Products of two activations share a division.
 */
#include "arch/kernels.h"

enum { LSTM_GATES = 4, LSTM_MOST_ROWS = 6 };

VINLINE vf lstm_sigmoid_denominator(const float *sum)
{
    vf x = vload(sum);
    vsigmoid_denominator(&x, 1);
    return x;
}

/* The sums [row][gate][lane] of a unit block become cell and hidden states. Two loops, so that the
 * chains of the rows overlap. Not inlined, or constants of the activations take registers from the
 * tile's accumulators. */
static __attribute__((noinline)) void lstm_activate(const float *sums, int64_t rows, int scan, float *c,
                                                    float *h, int64_t ldh)
{
    enum { STEP = LSTM_GATES * VLANES };
    vf cell, numerator, scale;
    for (int64_t row = 0; row < rows; row++) {
        const float *sum = sums + row * STEP;
        const vf candidate = vload(sum + 2 * VLANES);
        vtanh_fraction(&candidate, 1, &numerator, &scale);
        cell = vdiv(numerator, vmul(lstm_sigmoid_denominator(sum), scale));
        if (scan)
            cell = vadd(cell, vdiv(vload(c + row * ldh), lstm_sigmoid_denominator(sum + VLANES)));
        vstore(c + row * ldh, cell);
    }
    for (int64_t row = 0; row < rows; row++) {
        cell = vload(c + row * ldh);
        vtanh_fraction(&cell, 1, &numerator, &scale);
        const vf output = lstm_sigmoid_denominator(sums + row * STEP + 3 * VLANES);
        vstore(h + row * ldh, vdiv(numerator, vmul(output, scale)));
    }
}

/* sums[row] += u tanh(product[row][p]) over `panels` panels, in order. */
static __attribute__((noinline)) void lstm_weigh(const float *products, int64_t rows, int64_t panels,
                                                 const float *u, float *sums)
{
    for (int64_t p = 0; p < panels; p++)
        for (int64_t row = 0; row < rows; row++) {
            vf z = vload(products + (row * panels + p) * VLANES);
            vtanh(&z, 1);
            const vf sum = vload(sums + row * VLANES);
            vstore(sums + row * VLANES, vfma(vload(u + p * VLANES), z, sum));
        }
}

/* sum[row][p] += h[row] times the next of `panels` vectors, over k in order. Panel p's vector of unit k
 * lies at weights[p * stride + k * step]. */
VINLINE void lstm_product(const float *h, int64_t ldh, const float *weights, int64_t stride,
                          int64_t step, int64_t n, int rows, int panels, vf *sum)
{
    for (int64_t k = 0; k < n; k++, weights += step) {
        vf unit[LSTM_MOST_ROWS];
        _Pragma("GCC unroll 8") for (int row = 0; row < rows; row++) unit[row] =
            vbroadcast(h + row * ldh + k);
        _Pragma("GCC unroll 4") for (int p = 0; p < panels; p++)
        {
            vf weight = vload(weights + p * stride);
            VKEEP_ALIVE(weight); /* or it is loaded again for every row: loads would bind */
            _Pragma("GCC unroll 8") for (int row = 0; row < rows; row++) sum[row * panels + p] =
                vfma(unit[row], weight, sum[row * panels + p]);
        }
    }
}

VINLINE void lstm_units(const struct attune_lstm_args *args, int64_t i, int64_t unit, int rows)
{
    enum { STEP = LSTM_GATES * VLANES };
    vf gate[LSTM_MOST_ROWS * LSTM_GATES];
    _Pragma("GCC unroll 4") for (int g = 0; g < LSTM_GATES; g++)
    {
        const int64_t at = unit * LSTM_GATES + g * VLANES;
        const vf y = vload(args->y + at);
        _Pragma("GCC unroll 8") for (int row = 0; row < rows; row++) gate[row * LSTM_GATES + g] =
            vadd(vload(args->x + (i + row) * args->ldx + at), y);
    }
    if (args->r)
        lstm_product(args->h_in + i * args->ldh, args->ldh, args->r + unit * LSTM_GATES * args->n,
                     VLANES, STEP, args->n, rows, LSTM_GATES, gate);
    float sums[LSTM_MOST_ROWS * STEP];
    _Pragma("GCC unroll 24") for (int x = 0; x < rows * LSTM_GATES; x++)
        vstore(sums + x * VLANES, gate[x]);
    lstm_activate(sums, rows, args->r != NULL, args->c + i * args->ldh + unit,
                  args->h_out + i * args->ldh + unit, args->ldh);
}

/* u tanh(b + W h), `panels` panels of terms at once, added to each row's sum in order of the terms. */
VINLINE void lstm_score_panels(const struct attune_lstm_args *args, const float *h, int64_t term,
                               int rows, int panels, float *sums)
{
    vf product[LSTM_MOST_ROWS * LSTM_GATES];
    _Pragma("GCC unroll 4") for (int p = 0; p < panels; p++)
    {
        const vf bias = args->bias ? vload(args->bias + term + p * VLANES) : vzero();
        _Pragma("GCC unroll 8") for (int row = 0; row < rows; row++) product[row * panels + p] = bias;
    }
    lstm_product(h, args->ldh, args->w + term * args->n, VLANES * args->n, VLANES, args->n, rows,
                 panels, product);
    float products[LSTM_MOST_ROWS * LSTM_GATES * VLANES];
    _Pragma("GCC unroll 24") for (int x = 0; x < rows * panels; x++)
        vstore(products + x * VLANES, product[x]);
    lstm_weigh(products, rows, panels, args->u + term, sums);
}

VINLINE void lstm_score(const struct attune_lstm_args *args, int64_t i, int rows)
{
    const float *h = args->h_out + i * args->ldh;
    float sum[LSTM_MOST_ROWS * VLANES] = {0};
    int64_t term = 0;
    for (; term + LSTM_GATES * VLANES <= args->a_pad; term += LSTM_GATES * VLANES)
        lstm_score_panels(args, h, term, rows, LSTM_GATES, sum);
    for (; term < args->a_pad; term += VLANES) lstm_score_panels(args, h, term, rows, 1, sum);
    for (int row = 0; row < rows; row++) args->s[(i + row) * args->lds] =
        vhsum(vload(sum + row * VLANES));
}

VINLINE void lstm(const struct attune_lstm_args *args, int rows)
{
    for (int64_t unit = 0; unit < args->n_pad; unit += VLANES) {
        int64_t i = 0;
        for (; i + rows <= args->m; i += rows) lstm_units(args, i, unit, rows);
        for (; i + 2 <= args->m; i += 2) lstm_units(args, i, unit, 2);
        for (; i < args->m; i++) lstm_units(args, i, unit, 1);
    }
    int64_t i = 0;
    for (; i + rows <= args->m; i += rows) lstm_score(args, i, rows);
    for (; i + 2 <= args->m; i += 2) lstm_score(args, i, 2);
    for (; i < args->m; i++) lstm_score(args, i, 1);
}

#define LSTM(isa, variant, requires, rows)                                                         \
    _Static_assert((rows) >= 2 && (rows) <= LSTM_MOST_ROWS, "rows of an LSTM tile");               \
    attune_lstm_fn attune_lstm_##isa##_##variant;                                                  \
    void attune_lstm_##isa##_##variant(const struct attune_lstm_args *args) { lstm(args, rows); }
#include "arch/kernels.def"
