/* SPDX-License-Identifier: Apache-2.0
 *
 * Scores of a few query rows against key rows where the caller has them, of any element type. Needs a
 * vocabulary; defines the wrappers of SCORE_ROWS(isa, variant, requires, rows, keys, dtype), whose
 * numbers are compile-time constants: rows <= 4, keys <= 4, ATTUNE_KEY_STEP a multiple of keys * VLANES,
 * and rows * keys + keys + 1 <= VREGISTERS.
 */
#include "arch/kernels.h"
#include "arch/simd/f32_load.h"

enum { ROWS_MOST = 4, ROWS_KEYS = 8, ROWS_GROUP = 4 * VLANES > ROWS_KEYS ? 4 * VLANES : ROWS_KEYS };

/* Keys of a tile with fewer rows: as many as keep the chains. */
#define ROWS_TILE_KEYS(rows, keys, count)                                                          \
    ((count) > 2 ? (keys) : (rows) * (keys) / (count) > ROWS_KEYS ? ROWS_KEYS : (rows) * (keys) / (count))

/* Partial sums of rows x keys scores, by lane: part[r][at + l]; one chain a score, in order of the terms.
 * Keys beyond the last repeat it. Bound: keys + rows loads for rows * keys FMA. The barrier keeps the
 * compiler from loading a row's terms once for every key. */
VINLINE void score_rows_tile(const struct attune_score_rows_args *args, const float *query, int64_t key,
                             vf part[ROWS_MOST][ROWS_GROUP], int64_t at, struct vahead *from,
                             const int rows, const int keys, const int dtype)
{
    const int64_t size = vsize_of(dtype), d = args->d, whole = d / VLANES * VLANES;
    const int64_t left = args->n - key - 1;
    struct vahead ahead = *from;
    const float *q[ROWS_MOST];
    const char *k[ROWS_KEYS];
    vf sum[ROWS_MOST * ROWS_KEYS];
    _Pragma("GCC unroll 4") for (int r = 0; r < rows; r++) q[r] = query + r * args->ldq;
    _Pragma("GCC unroll 8") for (int l = 0; l < keys; l++)
        k[l] = (const char *)args->k + (key + (l < left ? l : left)) * args->ldk * size;
    _Pragma("GCC unroll 32") for (int c = 0; c < rows * keys; c++) sum[c] = vzero();

    _Pragma("GCC unroll 2") for (int64_t t = 0; t < whole; t += VLANES)
    {
        vf y[ROWS_KEYS];
        vahead_ask(&ahead, (int)((keys * VLANES * size + VLINE - 1) / VLINE));
        _Pragma("GCC unroll 8") for (int l = 0; l < keys; l++) y[l] = vload_as(k[l], t, dtype);
        _Pragma("GCC unroll 4") for (int r = 0; r < rows; r++)
        {
            vf x = vload(q[r] + t);
            VKEEP_ALIVE(x);
            _Pragma("GCC unroll 8") for (int l = 0; l < keys; l++)
                sum[r * keys + l] = vfma(x, y[l], sum[r * keys + l]);
        }
    }
    if (whole < d)
        _Pragma("GCC unroll 8") for (int l = 0; l < keys; l++)
        {
            const vf y = vload_as_tail(k[l] + whole * size, 0, d - whole, dtype);
            _Pragma("GCC unroll 4") for (int r = 0; r < rows; r++) sum[r * keys + l] =
                vfma(vload_tail(q[r] + whole, d - whole), y, sum[r * keys + l]);
        }
    _Pragma("GCC unroll 4") for (int r = 0; r < rows; r++)
        _Pragma("GCC unroll 8") for (int l = 0; l < keys; l++) part[r][at + l] = sum[r * keys + l];
    *from = ahead;
}

/* A group of keys: the horizontals of VLANES of them are taken together, a row at a time. */
VINLINE void score_rows_group(const struct attune_score_rows_args *args, int64_t i, int64_t j,
                              const int group, const int rows, const int keys, const int dtype)
{
    const int64_t size = vsize_of(dtype), count = args->n - j < group ? args->n - j : group;
    const float *q = args->q + i * args->ldq;
    vf part[ROWS_MOST][ROWS_GROUP];
    struct vahead ahead = vahead_of((const char *)args->k + j * args->ldk * size, args->d, args->ldk, size);
    int64_t filled = 0;
    for (; filled < count; filled += keys)
        score_rows_tile(args, q, j + filled, part, filled, &ahead, rows, keys, dtype);
    for (; filled % VLANES != 0; filled++)
        for (int r = 0; r < rows; r++) part[r][filled] = vzero();
    for (int64_t l = 0; l < count; l += VLANES) {
        const int64_t lanes = count - l < VLANES ? count - l : VLANES;
        const vf scale = args->scale ? vload_tail(args->scale + j + l, lanes) : vset1(1.0f);
        if (args->scale) vprefetch(args->scale + j + l + VAHEAD_SCALES);
        for (int r = 0; r < rows; r++) {
            const vf s = vreduce_add(part[r] + l);
            vstore(args->s + (i + r) * args->lds + j + l, args->scale ? vmul(s, scale) : s);
        }
    }
}

#define SCORE_ROWS_GROUP(count)                                                                    \
    if (rows >= count && args->m - i == count)                                                     \
    score_rows_group(args, i, j, group, count, ROWS_TILE_KEYS(rows, keys, count), dtype)

/* Keys outside, rows inside: a group of keys is read from afar once. */
VINLINE void score_rows(const struct attune_score_rows_args *args, const int rows, const int keys,
                        const int dtype)
{
    const int whole = VLANES % keys == 0 ? VLANES : keys * VLANES;
    const int group = whole > ROWS_KEYS ? whole : ROWS_KEYS;
    for (int64_t j = 0; j < args->n; j += group) {
        int64_t i = 0;
        for (; args->m - i >= rows; i += rows)
            score_rows_group(args, i, j, group, rows, keys, dtype);
        SCORE_ROWS_GROUP(3);
        SCORE_ROWS_GROUP(2);
        SCORE_ROWS_GROUP(1);
    }
}

#define SCORE_ROWS(isa, variant, requires, rows, keys, dtype)                                      \
    attune_score_rows_fn attune_score_rows_##isa##_##variant;                                      \
    void attune_score_rows_##isa##_##variant(const struct attune_score_rows_args *args)            \
    {                                                                                              \
        score_rows(args, rows, keys, ATTUNE_PACK_##dtype);                                         \
    }
#include "arch/kernels.def"
