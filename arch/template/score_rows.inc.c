/* SPDX-License-Identifier: Apache-2.0
 *
 * Scores of a few query rows against key rows where the caller has them, of any element type. Needs a
 * vocabulary; defines the wrappers of SCORE_ROWS(isa, variant, requires, rows, keys, dtype), whose
 * numbers are compile-time constants: rows <= 4, keys <= 4, powers of two.
 */
#include <string.h>

#include "arch/kernels.h"
#include "arch/simd/f32_load.h"

/* A group of keys stays near while all rows pass. */
enum { ROWS_MOST = 4, ROWS_KEYS = 8, ROWS_GROUP = 32, SCORE_ROWS_AHEAD = 8192 };
enum { ROWS_SUMS = VLANES > ROWS_MOST * 4 ? VLANES : ROWS_MOST * 4 };

/* Keys of a tile with fewer rows: as many as keep the chains. */
#define ROWS_TILE_KEYS(rows, keys, count)                                                          \
    ((count) > 2 ? (keys) : (rows) * (keys) / (count) > ROWS_KEYS ? ROWS_KEYS : (rows) * (keys) / (count))
/* Keys of a batch, whose sums fill whole vectors when they are reduced; a tile at least. */
#define ROWS_BATCH_KEYS(tile, count)                                                               \
    (VLANES / ((count) == 3 ? 4 : (count)) > (tile) ? VLANES / ((count) == 3 ? 4 : (count)) : (tile))

/* A group of keys, the rows that it meets and their scores; key strides in bytes. Copied from the caller's
 * arguments, which the compiler would read again after every store of scores. */
struct score_rows_place {
    const float *q[ROWS_MOST];
    const char *k, *last; /* its first key; the last of all */
    float *s;
    int64_t ldk, lds, d, left; /* left: keys from k on */
    int64_t ahead;             /* bytes; 0: rows do not lie side by side, and were asked for already */
};

/* Sums of rows x keys scores from key k on: sum[r * batch + l], by lane; one chain a score, in order of the
 * terms. Keys beyond the last repeat it. Bound: keys + rows loads for rows * keys FMA. The barrier keeps the
 * compiler from loading a row's terms once for every key. */
VINLINE void score_rows_tile(const struct score_rows_place *at, const char *key, vf *sum,
                             const int rows, const int keys, const int batch, const int dtype)
{
    const int64_t size = vsize_of(dtype), d = at->d, whole = d / VLANES * VLANES;
    const int64_t step = at->ahead != 0 ? keys * VLANES * size : 0;
    const char *ask = key + at->ahead, *k[ROWS_KEYS];
    _Pragma("GCC unroll 8") for (int l = 0; l < keys; l++)
        k[l] = key + l * at->ldk < at->last ? key + l * at->ldk : at->last;
    for (int64_t t = 0; t < whole; t += VLANES, ask += step) {
        vf y[ROWS_KEYS];
        vask(ask, keys * VLANES * size);
        _Pragma("GCC unroll 8") for (int l = 0; l < keys; l++) y[l] = vload_as(k[l], t, dtype);
        _Pragma("GCC unroll 4") for (int r = 0; r < rows; r++)
        {
            vf x = vload(at->q[r] + t);
            VKEEP_ALIVE(x);
            _Pragma("GCC unroll 8") for (int l = 0; l < keys; l++)
                sum[r * batch + l] = vfma(x, y[l], sum[r * batch + l]);
        }
    }
    if (whole < d)
        _Pragma("GCC unroll 8") for (int l = 0; l < keys; l++)
        {
            const vf y = vload_as_tail(k[l] + whole * size, 0, d - whole, dtype);
            _Pragma("GCC unroll 4") for (int r = 0; r < rows; r++) sum[r * batch + l] =
                vfma(vload_tail(at->q[r] + whole, d - whole), y, sum[r * batch + l]);
        }
}

/* A batch of keys, a tile at a time, then the horizontals of all its sums together: while they are
 * reduced the next batch's products are under way. They leave through memory, `batch` scores of a row at
 * once. */
VINLINE void score_rows_batch(const struct score_rows_place *at, int64_t key, const int rows,
                              const int keys, const int batch, const int dtype)
{
    vf sum[ROWS_SUMS];
    float scores[ROWS_SUMS], *s = at->s + key;
    _Pragma("GCC unroll 64") for (int c = 0; c < ROWS_SUMS; c++) sum[c] = vzero();
    _Pragma("GCC unroll 4") for (int l = 0; l < batch; l += keys)
        score_rows_tile(at, at->k + (key + l) * at->ldk, sum + l, rows, keys, batch, dtype);
    _Pragma("GCC unroll 16") for (int c = 0; c < rows * batch; c += VLANES)
        vstore(scores + c, vreduce_add(sum + c));
    if (at->left - key >= batch)
        _Pragma("GCC unroll 4") for (int r = 0; r < rows; r++)
            memcpy(s + r * at->lds, scores + r * batch, (size_t)batch * sizeof *s);
    else
        for (int r = 0; r < rows; r++)
            for (int64_t l = 0; l < at->left - key; l++) s[r * at->lds + l] = scores[r * batch + l];
}

/* Scales go onto a group's scores row by row. */
VINLINE void score_rows_scale(const float *scale, int64_t count, float *s, int64_t lds, const int rows)
{
    for (int64_t l = 0; l < count; l += VLANES) {
        const int64_t lanes = count - l < VLANES ? count - l : VLANES;
        const vf factor = vload_tail(scale + l, lanes);
        vprefetch(scale + l + VAHEAD_SCALES);
        for (int r = 0; r < rows; r++)
            vstore(s + r * lds + l, vmul(vload_tail(s + r * lds + l, lanes), factor));
    }
}

VINLINE void score_rows_group(const struct attune_score_rows_args *args, int64_t i, int64_t j,
                              const int rows, const int keys, const int dtype)
{
    const int64_t size = vsize_of(dtype), ldk = args->ldk * size, left = args->n - j;
    const int64_t count = left < ROWS_GROUP ? left : ROWS_GROUP;
    const int64_t ahead = vahead_rows(SCORE_ROWS_AHEAD, args->d, size) * ldk;
    const int batch = ROWS_BATCH_KEYS(keys, rows);
    struct score_rows_place at = {.k = (const char *)args->k + j * ldk,
                                  .last = (const char *)args->k + (args->n - 1) * ldk,
                                  .s = args->s + i * args->lds + j,
                                  .ldk = ldk, .lds = args->lds, .d = args->d, .left = left,
                                  .ahead = args->ldk == args->d ? ahead : 0};
    _Pragma("GCC unroll 4") for (int r = 0; r < rows; r++) at.q[r] = args->q + (i + r) * args->ldq;
    for (int64_t key = 0; key < count; key += batch) {
        if (at.ahead == 0)
            for (int64_t l = key; l < key + batch; l++) vask_row(at.k + ahead + l * ldk, at.d * size);
        score_rows_batch(&at, key, rows, keys, batch, dtype);
    }
    if (args->scale) score_rows_scale(args->scale + j, count, at.s, at.lds, rows);
}

#define SCORE_ROWS_GROUP(count)                                                                    \
    if (rows >= count && args->m - i == count)                                                     \
    score_rows_group(args, i, j, count, ROWS_TILE_KEYS(rows, keys, count), dtype)

/* Keys outside, rows inside: a group of keys is read from afar once. */
VINLINE void score_rows(const struct attune_score_rows_args *args, const int rows, const int keys,
                        const int dtype)
{
    const int64_t first = vahead_rows(SCORE_ROWS_AHEAD, args->d, vsize_of(dtype));
    vask_first(args->k, first < args->n ? first : args->n, args->d, args->ldk, vsize_of(dtype));
    for (int64_t j = 0; j < args->n; j += ROWS_GROUP) {
        int64_t i = 0;
        for (; args->m - i >= rows; i += rows) score_rows_group(args, i, j, rows, keys, dtype);
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
