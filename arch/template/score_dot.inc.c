/* SPDX-License-Identifier: Apache-2.0
 *
 * Scores of query rows against keys, by panels or by rows. Needs a vocabulary; defines the wrappers
 * of SCORE_DOT(isa, variant, requires, rows, vectors, layout), whose numbers are compile-time
 * constants: rows <= 12, and rows * vectors + vectors + 1 <= VREGISTERS for PANELS; for ROWS
 * rows 1, 2 or 4 and rows * vectors + vectors <= VREGISTERS, its `vectors` being keys.
 */
#include <string.h>

#include "arch/kernels.h"
#include "arch/template/dot_tile.inc.c"

enum { DOT_CHAINS = 16, DOT_AHEAD = 8192 };

/* Panels outside, rows inside: a panel stays in L1 while every row of the strip passes it. */
VINLINE void score_dot_PANELS(const struct attune_score_dot_args *args, const int rows,
                              const int vectors)
{
    const int64_t width = vectors * VLANES;
    for (int64_t j = 0; j < args->n; j += width) {
        const float *panel = args->k + j * args->d;
        int64_t i = 0;
        for (; i + rows <= args->m; i += rows)
            dot_tile(args, args->q + i * args->ldq, panel, args->s + i * args->lds + j, rows, vectors, NULL);
        dot_edge(args, args->q + i * args->ldq, panel, args->s + i * args->lds + j, args->m - i, rows,
                 vectors);
    }
}

/* One vector of terms of one key, for every row. */
VINLINE void dot_rows_step(const float *const *q, const float *k, int64_t t, vf *sum, const int rows,
                           const int keys)
{
    const vf y = vload(k + t);
    _Pragma("GCC unroll 4") for (int r = 0; r < rows; r++)
        sum[r * keys] = vfma(vload(q[r] + t), y, sum[r * keys]);
}

/* rows x keys scores, each a vector of partial sums over the terms. Rows and keys beyond the last
 * repeat it, and their scores are dropped. Bound: rows + keys loads for rows * keys FMA; with one or
 * two rows the keys' bytes from wherever they lie. Those take key after key, so that memory is read in
 * one stream (from DRAM 1.5 times faster than eight streams side by side, 3 times than sixteen), and
 * leave it to the scheduler to overlap their chains. */
VINLINE void dot_rows_tile(const struct attune_score_dot_args *args, int64_t i, int64_t j,
                           const int rows, const int keys)
{
    enum { GROUPS = (DOT_CHAINS + VLANES - 1) / VLANES };
    const int64_t d = args->d, whole = d / VLANES * VLANES;
    const int64_t rows_left = args->m - i < rows ? args->m - i : rows;
    const int64_t keys_left = args->n - j < keys ? args->n - j : keys;
    const float *q[4], *k[DOT_CHAINS];
    vf sum[GROUPS * VLANES];
    _Pragma("GCC unroll 4") for (int r = 0; r < rows; r++)
        q[r] = args->q + (i + (r < rows_left ? r : rows_left - 1)) * args->ldq;
    _Pragma("GCC unroll 16") for (int l = 0; l < keys; l++)
        k[l] = args->k + (j + (l < keys_left ? l : keys_left - 1)) * args->ldk;
    _Pragma("GCC unroll 16") for (int c = 0; c < GROUPS * VLANES; c++) sum[c] = vzero();

    if (rows > 2) {
        for (int64_t t = 0; t < whole; t += VLANES)
            _Pragma("GCC unroll 16") for (int l = 0; l < keys; l++)
                dot_rows_step(q, k[l], t, sum + l, rows, keys);
    } else {
        _Pragma("GCC unroll 16") for (int l = 0; l < keys; l++)
            for (int64_t t = 0; t < whole; t += VLANES) dot_rows_step(q, k[l], t, sum + l, rows, keys);
    }
    if (whole < d)
        _Pragma("GCC unroll 16") for (int l = 0; l < keys; l++)
        {
            const vf y = vload_tail(k[l] + whole, d - whole);
            _Pragma("GCC unroll 4") for (int r = 0; r < rows; r++) sum[r * keys + l] =
                vfma(vload_tail(q[r] + whole, d - whole), y, sum[r * keys + l]);
        }

    float scores[GROUPS * VLANES];
    _Pragma("GCC unroll 16") for (int g = 0; g < GROUPS; g++)
        if (g * VLANES < rows * keys) vstore(scores + g * VLANES, vreduce_add(sum + g * VLANES));
    float *s = args->s + i * args->lds + j;
    for (int64_t r = 0; r < rows_left; r++) {
        if (keys_left == keys)
            memcpy(s + r * args->lds, scores + r * keys, (size_t)keys * sizeof *s);
        else
            memcpy(s + r * args->lds, scores + r * keys, (size_t)keys_left * sizeof *s);
    }
}

/* Keys that a tile will read DOT_AHEAD bytes of keys later. Several keys side by side are several
 * streams, which the hardware's prefetcher follows badly: 8 against 22 GB/s from DRAM on Zen 4. */
VINLINE void dot_rows_fetch(const struct attune_score_dot_args *args, int64_t j, const int keys)
{
    const int64_t ahead = DOT_AHEAD / 4 / (args->d > 0 ? args->d : 1);
    for (int l = 0; l < keys; l++)
        for (int64_t t = 0; t < args->d; t += 16)
            __builtin_prefetch(args->k + (j + ahead + l) * args->ldk + t);
}

VINLINE void dot_rows_strip(const struct attune_score_dot_args *args, int64_t i, const int rows,
                            const int keys)
{
    for (int64_t j = 0; j < args->n; j += keys) {
        if (i == 0) dot_rows_fetch(args, j, keys);
        dot_rows_tile(args, i, j, rows, keys);
    }
}

/* Fewer rows take more keys at once, so that the number of chains stays. */
VINLINE void score_dot_ROWS(const struct attune_score_dot_args *args, const int rows, const int keys)
{
    int64_t i = 0;
    for (; args->m - i > 2 && rows == 4; i += 4) dot_rows_strip(args, i, 4, rows * keys / 4);
    for (; args->m - i > 1 && rows >= 2; i += 2) dot_rows_strip(args, i, 2, rows * keys / 2);
    for (; args->m - i > 0; i++) dot_rows_strip(args, i, 1, rows * keys);
}

#define SCORE_DOT(isa, variant, requires, rows, vectors, layout)                                   \
    attune_score_dot_fn attune_score_dot_##isa##_##variant;                                        \
    void attune_score_dot_##isa##_##variant(const struct attune_score_dot_args *args)              \
    {                                                                                              \
        score_dot_##layout(args, rows, vectors);                                                   \
    }
#include "arch/kernels.def"
