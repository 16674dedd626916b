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
enum { ROWS_MOST = 4, ROWS_KEYS = VREGISTERS / 4, ROWS_GROUP = 32, SCORE_ROWS_AHEAD = 8192 };
enum { ROWS_SUMS = VLANES > ROWS_MOST * 4 ? VLANES : ROWS_MOST * 4 };

/* Keys of a tile with fewer rows: as many as keep the chains. */
#define ROWS_TILE_KEYS(rows, keys, count)                                                          \
    ((count) > 2 ? (keys) : (rows) * (keys) / (count) > ROWS_KEYS ? ROWS_KEYS : (rows) * (keys) / (count))
/* Keys of a batch, whose sums fill whole vectors when they are reduced; a tile at least. */
#define ROWS_BATCH_KEYS(tile, count)                                                               \
    (VLANES / ((count) == 3 ? 4 : (count)) > (tile) ? VLANES / ((count) == 3 ? 4 : (count)) : (tile))

/* Vectors of each key a step: as many as fill a line, and two where there is little else to do. */
#define ROWS_TOGETHER(rows, bytes)                                                                 \
    ((bytes) <= VLINE / 4 ? 4 : (bytes) < VLINE || VLANES == 4 || ((rows) == 1 && VREGISTERS <= 16) ? 2 : 1)

/* A group of keys, the rows that it meets and their scores; key strides in bytes. Copied from the caller's
 * arguments, which the compiler would read again after every store of scores. */
struct score_rows_place {
    const float *q[ROWS_MOST];
    const char *k, *last; /* its first key; the last of all */
    const float *scale;   /* of the first key; NULL: none */
    float *s;
    int64_t ldk, lds, d, left; /* left: keys from k on */
    int64_t ahead;             /* bytes; 0: rows do not lie side by side, and were asked for already */
};

/* A vector of terms of each key onto the sums. The barrier keeps the compiler from loading a row's terms once
 * for every key. */
VINLINE void score_rows_step(const struct score_rows_place *at, const char *const *k, int64_t t, vf *sum,
                             const int rows, const int keys, const int batch, const int dtype)
{
    vf y[ROWS_KEYS];
    _Pragma("GCC unroll 8") for (int l = 0; l < keys; l++) y[l] = vload_as(k[l], t, dtype);
    _Pragma("GCC unroll 4") for (int r = 0; r < rows; r++)
    {
        vf x = vload(at->q[r] + t);
        VKEEP_ALIVE(x);
        _Pragma("GCC unroll 8") for (int l = 0; l < keys; l++)
            sum[r * batch + l] = vfma(x, y[l], sum[r * batch + l]);
    }
}

VINLINE void score_rows_tail(const struct score_rows_place *at, const char *const *k, int64_t t, vf *sum,
                             const int rows, const int keys, const int batch, const int dtype)
{
    _Pragma("GCC unroll 8") for (int l = 0; l < keys; l++)
    {
        const vf y = vload_as_tail(k[l] + t * vsize_of(dtype), 0, at->d - t, dtype);
        _Pragma("GCC unroll 4") for (int r = 0; r < rows; r++) sum[r * batch + l] =
            vfma(vload_tail(at->q[r] + t, at->d - t), y, sum[r * batch + l]);
    }
}

/* Sums of rows x keys scores from key k on: sum[r * batch + l], by lane; one chain a score, in order of the
 * terms. Keys beyond the last repeat it. Bound: keys + rows loads for rows * keys FMA. */
VINLINE void score_rows_tile(const struct score_rows_place *at, const char *key, vf *sum,
                             const int rows, const int keys, const int batch, const int dtype)
{
    const int64_t size = vsize_of(dtype), whole = at->d / VLANES * VLANES;
    const int64_t bytes = keys * VLANES * size; /* of a vector of each key */
    const int together = ROWS_TOGETHER(rows, bytes);
    const char *ask = key + at->ahead, *k[ROWS_KEYS];
    int64_t t = 0;
    _Pragma("GCC unroll 8") for (int l = 0; l < keys; l++)
        k[l] = key + l * at->ldk < at->last ? key + l * at->ldk : at->last;
    for (const int64_t step = at->ahead != 0 ? together * bytes : 0; t + together * VLANES <= whole;
         t += together * VLANES, ask += step) {
        vask(ask, together * bytes);
        _Pragma("GCC unroll 4") for (int u = 0; u < together; u++)
            score_rows_step(at, k, t + u * VLANES, sum, rows, keys, batch, dtype);
    }
    if (together > 1)
        for (; t < whole; t += VLANES) score_rows_step(at, k, t, sum, rows, keys, batch, dtype);
    if (t < at->d) score_rows_tail(at, k, t, sum, rows, keys, batch, dtype);
}

/* One scale a key beside each row's sums. */
VINLINE void score_rows_scales(const struct score_rows_place *at, int64_t key, float *factor,
                               const int rows, const int batch)
{
    const int64_t count = at->left - key < batch ? at->left - key : batch;
    vprefetch(at->scale + key + VAHEAD_SCALES);
    if (count == batch)
        _Pragma("GCC unroll 4") for (int r = 0; r < rows; r++)
            memcpy(factor + r * batch, at->scale + key, (size_t)batch * sizeof *factor);
    else
        for (int c = 0; c < rows * batch; c++)
            factor[c] = c % batch < count ? at->scale[key + c % batch] : 0.0f;
}

/* A batch of keys, a tile at a time, then the horizontals of all its sums together: while they are
 * reduced the next batch's products are under way. They leave through memory, `batch` scores of a row at
 * once; scales come through it, written long before they are read. */
VINLINE void score_rows_batch(const struct score_rows_place *at, int64_t key, const int rows,
                              const int keys, const int batch, const int dtype)
{
    vf sum[ROWS_SUMS];
    float factor[ROWS_SUMS], scores[ROWS_SUMS], *s = at->s + key;
    if (at->scale) score_rows_scales(at, key, factor, rows, batch);
    _Pragma("GCC unroll 16") for (int c = 0; c < ROWS_SUMS; c++) sum[c] = vzero();
    _Pragma("GCC unroll 4") for (int l = 0; l < batch; l += keys)
        score_rows_tile(at, at->k + (key + l) * at->ldk, sum + l, rows, keys, batch, dtype);
    _Pragma("GCC unroll 16") for (int c = 0; c < rows * batch; c += VLANES)
    {
        const vf score = vreduce_add(sum + c);
        vstore(scores + c, at->scale ? vmul(score, vload(factor + c)) : score);
    }
    if (at->left - key >= batch)
        _Pragma("GCC unroll 4") for (int r = 0; r < rows; r++)
            memcpy(s + r * at->lds, scores + r * batch, (size_t)batch * sizeof *s);
    else
        for (int r = 0; r < rows; r++)
            for (int64_t l = 0; l < at->left - key; l++) s[r * at->lds + l] = scores[r * batch + l];
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
                                  .scale = args->scale ? args->scale + j : NULL,
                                  .s = args->s + i * args->lds + j,
                                  .ldk = ldk, .lds = args->lds, .d = args->d, .left = left,
                                  .ahead = args->ldk == args->d ? ahead : 0};
    _Pragma("GCC unroll 4") for (int r = 0; r < rows; r++) at.q[r] = args->q + (i + r) * args->ldq;
    for (int64_t key = 0; key < count; key += batch) {
        if (at.ahead == 0)
            for (int64_t l = key; l < key + batch; l++) vask_row(at.k + ahead + l * ldk, at.d * size);
        score_rows_batch(&at, key, rows, keys, batch, dtype);
    }
}

#define SCORE_ROWS_GROUP(count)                                                                    \
    if (rows >= count && args->m - i == count)                                                     \
    score_rows_group(args, i, j, count, ROWS_TILE_KEYS(rows, keys, count), dtype)

/* Keys outside, rows inside: a group of keys is read from afar once. */
VINLINE void score_rows(const struct attune_score_rows_args *args, const int rows, const int keys,
                        const int dtype)
{
    const int64_t size = vsize_of(dtype), ldk = args->ldk * size;
    const int64_t first = vahead_rows(SCORE_ROWS_AHEAD, args->d, size);
    const int far = args->n * ldk > VFAR;
    if (far) vask_first(args->k, first, args->d, args->ldk, size);
    for (int64_t j = 0; j < args->n; j += ROWS_GROUP) {
        int64_t i = 0;
        if (far) vask_pages((const char *)args->k + j * ldk, ROWS_GROUP * ldk, ldk);
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
