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

/* The gates' sums become c and h of one row's unit block. */
VINLINE void lstm_activate(const vf gate[LSTM_GATES], int scan, float *c, float *h)
{
    vf cell, candidate, scale;
    vtanh_fraction(gate[2], &candidate, &scale);
    cell = vdiv(candidate, vmul(vsigmoid_denominator(gate[0]), scale));
    if (scan) cell = vadd(cell, vdiv(vload(c), vsigmoid_denominator(gate[1])));
    vstore(c, cell);
    vtanh_fraction(cell, &candidate, &scale);
    vstore(h, vdiv(candidate, vmul(vsigmoid_denominator(gate[3]), scale)));
}

VINLINE void lstm_units(const struct attune_lstm_args *args, int64_t i, int64_t unit, int rows)
{
    enum { STEP = LSTM_GATES * VLANES };
    const int64_t ldh = args->ldh;
    const float *h = args->h_in ? args->h_in + i * ldh : NULL;
    vf gate[LSTM_MOST_ROWS][LSTM_GATES];
    _Pragma("GCC unroll 4") for (int g = 0; g < LSTM_GATES; g++)
    {
        const int64_t at = unit * LSTM_GATES + g * VLANES;
        _Pragma("GCC unroll 8") for (int row = 0; row < rows; row++) gate[row][g] =
            vadd(vload(args->x + (i + row) * args->ldx + at), vload(args->y + at));
    }
    if (args->r) {
        const float *r = args->r + unit * LSTM_GATES * args->n;
        for (int64_t k = 0; k < args->n; k++, r += STEP)
            _Pragma("GCC unroll 4") for (int g = 0; g < LSTM_GATES; g++)
            {
                const vf weight = vload(r + g * VLANES);
                _Pragma("GCC unroll 8") for (int row = 0; row < rows; row++) gate[row][g] =
                    vfma(vbroadcast(h + row * ldh + k), weight, gate[row][g]);
            }
    }
    for (int row = 0; row < rows; row++) {
        const int64_t at = (i + row) * ldh + unit;
        lstm_activate(gate[row], args->r != NULL, args->c + at, args->h_out + at);
    }
}

/* u tanh(W h), `panels` panels of terms at once, added to each row's sum in the order of the terms. */
VINLINE void lstm_score_panels(const struct attune_lstm_args *args, const float *h, int64_t term,
                               int rows, int panels, vf sum[LSTM_MOST_ROWS])
{
    vf product[LSTM_MOST_ROWS][LSTM_GATES];
    const float *w = args->w + term * args->n;
    _Pragma("GCC unroll 4") for (int p = 0; p < panels; p++)
        _Pragma("GCC unroll 8") for (int row = 0; row < rows; row++) product[row][p] = vzero();
    for (int64_t k = 0; k < args->n; k++)
        _Pragma("GCC unroll 4") for (int p = 0; p < panels; p++)
        {
            const vf weight = vload(w + (p * args->n + k) * VLANES);
            _Pragma("GCC unroll 8") for (int row = 0; row < rows; row++) product[row][p] =
                vfma(vbroadcast(h + row * args->ldh + k), weight, product[row][p]);
        }
    for (int p = 0; p < panels; p++)
        for (int row = 0; row < rows; row++)
            sum[row] = vfma(vload(args->u + term + p * VLANES), vtanh(product[row][p]), sum[row]);
}

VINLINE void lstm_score(const struct attune_lstm_args *args, int64_t i, int rows)
{
    const float *h = args->h_out + i * args->ldh;
    vf sum[LSTM_MOST_ROWS];
    for (int row = 0; row < rows; row++) sum[row] = vzero();
    int64_t term = 0;
    for (; term + LSTM_GATES * VLANES <= args->a_pad; term += LSTM_GATES * VLANES)
        lstm_score_panels(args, h, term, rows, LSTM_GATES, sum);
    for (; term < args->a_pad; term += VLANES) lstm_score_panels(args, h, term, rows, 1, sum);
    for (int row = 0; row < rows; row++) args->s[(i + row) * args->lds] = vhsum(sum[row]);
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
