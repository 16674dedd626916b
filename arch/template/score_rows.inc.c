/* SPDX-License-Identifier: Apache-2.0
 *
 * Scores of a few query rows against key rows where the caller has them, of any element type. Needs a
 * vocabulary; defines the wrappers of SCORE_ROWS(isa, variant, requires, rows, keys, dtype), whose
 * numbers are compile-time constants: rows 4, keys 1, 2 or 4.
 *
 * What binds four rows over keys of 128 terms, in cycles of a Zen 5 for a key: 64 FMA of 8 lanes 32, 32 of
 * 16 lanes 16; beside them run 11 operations of horizontals. Measured, keys from L2: 35 and 20. Widening 8 or
 * 16 bits to 32 crosses the halves of a register, which only two units do, one of them an FMA's: each takes a
 * quarter of a cycle from the FMA, 4 and 2 cycles a key (float16 to 8 lanes does not). Measured, bfloat16: 40
 * and 24. From memory (42 GB/s) float32 takes 51 cycles, a byte 13. Spreading keys by a broadcast and a shuffle
 * within the halves was 5 % faster for bfloat16 in AVX2 and slower for everything else.
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
    const int64_t bytes = keys * VLANES * vsize_of(dtype); /* of a vector of each key */
    const int together = ROWS_TOGETHER(rows, bytes);
    const int64_t whole = at->d / VLANES * VLANES, steps = whole / (together * VLANES) * (together * VLANES);
    const int64_t walk = at->ahead != 0 ? together * bytes : 0;
    const char *ask = key + at->ahead, *k[ROWS_KEYS];
    int64_t t = 0;
    _Pragma("GCC unroll 8") for (int l = 0; l < keys; l++)
        k[l] = key + l * at->ldk < at->last ? key + l * at->ldk : at->last;
    for (; t < steps; t += together * VLANES, ask += walk) {
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
    const int scaled = dtype == ATTUNE_PACK_I8 && at->scale != NULL;
    if (scaled) score_rows_scales(at, key, factor, rows, batch);
    _Pragma("GCC unroll 16") for (int c = 0; c < ROWS_SUMS; c++) sum[c] = vzero();
    _Pragma("GCC unroll 4") for (int l = 0; l < batch; l += keys)
        score_rows_tile(at, at->k + (key + l) * at->ldk, sum + l, rows, keys, batch, dtype);
    _Pragma("GCC unroll 16") for (int c = 0; c < rows * batch; c += VLANES)
    {
        const vf score = vreduce_add(sum + c);
        vstore(scores + c, scaled ? vmul(score, vload(factor + c)) : score);
    }
    if (at->left - key >= batch)
        _Pragma("GCC unroll 4") for (int r = 0; r < rows; r++)
            memcpy(s + r * at->lds, scores + r * batch, (size_t)batch * sizeof *s);
    else
        for (int r = 0; r < rows; r++)
            for (int64_t l = 0; l < at->left - key; l++) s[r * at->lds + l] = scores[r * batch + l];
}

/* Scales of other types, which are rare, in a pass of their own. */
VINLINE void score_rows_scale(const float *scale, int64_t count, float *s, int64_t lds, const int rows)
{
    for (int64_t l = 0; l < count; l += VLANES) {
        const int64_t lanes = count - l < VLANES ? count - l : VLANES;
        const vf factor = vload_tail(scale + l, lanes);
        for (int r = 0; r < rows; r++)
            vstore_tail(s + r * lds + l, vmul(vload_tail(s + r * lds + l, lanes), factor), lanes);
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
    if (dtype != ATTUNE_PACK_I8 && args->scale)
        score_rows_scale(args->scale + j, count, at.s, at.lds, rows);
}

/* Keys outside, rows inside: a group of keys is read from afar once. `group` takes one group and 1 .. 4 rows. */
typedef void score_rows_group_fn(const struct attune_score_rows_args *args, int64_t i, int64_t j);

VINLINE void score_rows(const struct attune_score_rows_args *args, score_rows_group_fn *const *group,
                        const int rows, const int dtype)
{
    const int64_t size = vsize_of(dtype), ldk = args->ldk * size;
    const int64_t first = vahead_rows(SCORE_ROWS_AHEAD, args->d, size);
    const int far = args->n * ldk > VFAR;
    if (far) vask_first(args->k, first, args->d, args->ldk, size);
    for (int64_t j = 0; j < args->n; j += ROWS_GROUP) {
        if (far) vask_pages((const char *)args->k + j * ldk, ROWS_GROUP * ldk, ldk);
        for (int64_t i = 0; i < args->m; i += rows)
            group[args->m - i < rows ? args->m - i : rows](args, i, j);
    }
}

/* A function for each number of rows: the compiler keeps what one of them needs in registers, but not what
 * all of them do. */
#define SCORE_ROWS_GROUP(kernel, count, rows, keys, dtype)                                         \
    static __attribute__((noinline)) void kernel##_of_##count(                                     \
        const struct attune_score_rows_args *args, int64_t i, int64_t j)                           \
    {                                                                                              \
        score_rows_group(args, i, j, count, ROWS_TILE_KEYS(rows, keys, count), dtype);             \
    }

#define SCORE_ROWS_KERNEL(kernel, rows, keys, dtype)                                               \
    SCORE_ROWS_GROUP(kernel, 1, rows, keys, dtype)                                                 \
    SCORE_ROWS_GROUP(kernel, 2, rows, keys, dtype)                                                 \
    SCORE_ROWS_GROUP(kernel, 3, rows, keys, dtype)                                                 \
    SCORE_ROWS_GROUP(kernel, 4, rows, keys, dtype)                                                 \
    attune_score_rows_fn kernel;                                                                   \
    void kernel(const struct attune_score_rows_args *args)                                         \
    {                                                                                              \
        static score_rows_group_fn *const group[] = {NULL, kernel##_of_1, kernel##_of_2,           \
                                                     kernel##_of_3, kernel##_of_4};                \
        score_rows(args, group, rows, dtype);                                                      \
    }

#define SCORE_ROWS(isa, variant, requires, rows, keys, dtype)                                      \
    SCORE_ROWS_KERNEL(attune_score_rows_##isa##_##variant, rows, keys, ATTUNE_PACK_##dtype)
#include "arch/kernels.def"
