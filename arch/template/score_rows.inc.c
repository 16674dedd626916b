/* SPDX-License-Identifier: Apache-2.0
 *
 * Scores of a few query rows against key rows where the caller has them, of any element type. Needs a
 * vocabulary; defines the wrappers of SCORE_ROWS(isa, variant, requires, rows, keys, dtype), whose
 * numbers are compile-time constants: rows <= 4, keys <= 4, and
 * rows * keys + keys + 1 <= VREGISTERS.
 */
#include "arch/kernels.h"
#include "arch/simd/f32_load.h"

/* Tiles of several keys read several rows side by side, which the hardware's prefetchers take for as
 * many streams and follow badly where a row is long: from DRAM 33 against 40 GB/s on Zen 5 with rows of
 * 512 bytes. Beyond ROWS_WINDOW bytes a tile takes one key, and leaves it to the scheduler to overlap
 * the chains of its neighbours. */
enum { ROWS_MOST = 4, ROWS_KEYS = 4, ROWS_WINDOW = 512 };

/* One vector of terms: keys + rows loads for rows * keys FMA. The barriers keep the compiler from
 * loading a key once for every row. */
VINLINE void score_rows_step(const float *const *q, const char *const *k, int64_t t, vf *sum,
                             const int rows, const int keys, const int dtype)
{
    vf y[ROWS_KEYS];
    _Pragma("GCC unroll 4") for (int l = 0; l < keys; l++) y[l] = vload_as(k[l], t, dtype);
    _Pragma("GCC unroll 4") for (int r = 0; r < rows; r++)
    {
        vf x = vload(q[r] + t);
        VKEEP_ALIVE(x);
        _Pragma("GCC unroll 4") for (int l = 0; l < keys; l++)
            sum[r * keys + l] = vfma(x, y[l], sum[r * keys + l]);
    }
}

/* Partial sums of rows x keys scores, by lane: part[r][l]. One chain a score, in order of the terms. */
VINLINE void score_rows_tile(const struct attune_score_rows_args *args, const float *query, int64_t key,
                             vf part[ROWS_MOST][VLANES], int64_t at, const int rows, const int keys,
                             const int dtype)
{
    const int64_t size = vsize_of(dtype), line = 64 / size, d = args->d, whole = d / VLANES * VLANES;
    const int64_t ahead = vahead(d, args->ldk, size);
    const float *q[ROWS_MOST];
    const char *k[ROWS_KEYS];
    vf sum[ROWS_MOST * ROWS_KEYS];
    _Pragma("GCC unroll 4") for (int r = 0; r < rows; r++) q[r] = query + r * args->ldq;
    _Pragma("GCC unroll 4") for (int l = 0; l < keys; l++)
        k[l] = (const char *)args->k + (key + l) * args->ldk * size;
    _Pragma("GCC unroll 16") for (int c = 0; c < rows * keys; c++) sum[c] = vzero();

    int64_t t = 0;
    for (; t + line <= whole; t += line) {
        _Pragma("GCC unroll 4") for (int l = 0; l < keys; l++) vprefetch(k[l] + t * size + ahead);
        _Pragma("GCC unroll 8") for (int64_t u = 0; u < line; u += VLANES)
            score_rows_step(q, k, t + u, sum, rows, keys, dtype);
    }
    if (t < d)
        _Pragma("GCC unroll 4") for (int l = 0; l < keys; l++) vprefetch(k[l] + t * size + ahead);
    for (; t < whole; t += VLANES) score_rows_step(q, k, t, sum, rows, keys, dtype);
    if (whole < d)
        _Pragma("GCC unroll 4") for (int l = 0; l < keys; l++)
        {
            const vf y = vload_as_tail(k[l] + whole * size, 0, d - whole, dtype);
            _Pragma("GCC unroll 4") for (int r = 0; r < rows; r++) sum[r * keys + l] =
                vfma(vload_tail(q[r] + whole, d - whole), y, sum[r * keys + l]);
        }
    _Pragma("GCC unroll 4") for (int r = 0; r < rows; r++)
        _Pragma("GCC unroll 4") for (int l = 0; l < keys; l++) part[r][at + l] = sum[r * keys + l];
}

/* Up to VLANES keys: their horizontals are taken together, a row at a time. */
VINLINE void score_rows_group(const struct attune_score_rows_args *args, int64_t i, int64_t j,
                              const int rows, const int keys, const int dtype)
{
    const int64_t count = args->n - j < VLANES ? args->n - j : VLANES;
    const float *q = args->q + i * args->ldq;
    vf part[ROWS_MOST][VLANES];
    int64_t l = 0;
    if (args->d * vsize_of(dtype) * keys <= ROWS_WINDOW)
        for (; l + keys <= count; l += keys) score_rows_tile(args, q, j + l, part, l, rows, keys, dtype);
    for (; l < count; l++) score_rows_tile(args, q, j + l, part, l, rows, 1, dtype);
    for (; l < VLANES; l++)
        _Pragma("GCC unroll 4") for (int r = 0; r < rows; r++) part[r][l] = vzero();
    const vf scale = args->scale ? vload_tail(args->scale + j, count) : vset1(1.0f);
    _Pragma("GCC unroll 4") for (int r = 0; r < rows; r++)
    {
        const vf s = vreduce_add(part[r]);
        vstore(args->s + (i + r) * args->lds + j, args->scale ? vmul(s, scale) : s);
    }
}

/* Keys outside, rows inside: a group of keys is read from afar once. */
VINLINE void score_rows(const struct attune_score_rows_args *args, const int rows, const int keys,
                        const int dtype)
{
    for (int64_t j = 0; j < args->n; j += VLANES) {
        int64_t i = 0;
        for (; args->m - i >= rows; i += rows) score_rows_group(args, i, j, rows, keys, dtype);
        if (rows > 3 && args->m - i == 3) score_rows_group(args, i, j, 3, keys, dtype);
        if (rows > 2 && args->m - i == 2) score_rows_group(args, i, j, 2, keys, dtype);
        if (rows > 1 && args->m - i == 1) score_rows_group(args, i, j, 1, keys, dtype);
    }
}

#define SCORE_ROWS(isa, variant, requires, rows, keys, dtype)                                      \
    attune_score_rows_fn attune_score_rows_##isa##_##variant;                                      \
    void attune_score_rows_##isa##_##variant(const struct attune_score_rows_args *args)            \
    {                                                                                              \
        score_rows(args, rows, keys, ATTUNE_PACK_##dtype);                                         \
    }
#include "arch/kernels.def"
