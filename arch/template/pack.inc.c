/* SPDX-License-Identifier: Apache-2.0
 *
 * Keys into panels and values into columns, converted to float32. Needs a vocabulary; defines the
 * wrappers of PACK_KEYS and PACK_VALUES(isa, variant, requires, dtype), the source type a
 * compile-time constant. Bound: reading and writing memory; packing runs once for many query rows.
 */
#include "arch/kernels.h"
#include "arch/simd/f32_load.h"

/* The first n lanes from src[at], scaled, the rest 0; n may be negative. Padding is cut after the
 * product: an infinite scale would make NaN of it. */
VINLINE vf pack_lanes(const void *src, int64_t at, int64_t n, const float *scale, const int dtype)
{
    if (n >= VLANES) {
        const vf x = vload_as(src, at, dtype);
        return scale ? vmul(x, vset1(*scale)) : x;
    }
    if (n <= 0) return vzero();
    const vf x = vload_as_tail(src, at, n, dtype);
    return scale ? vkeep(vmul(x, vset1(*scale)), n) : x;
}

VINLINE const float *pack_scale(const float *scale, int64_t stride, int64_t row)
{
    return scale ? scale + row * stride : NULL;
}

/* Rows that will be read PACK_AHEAD bytes of rows later: the hardware's prefetcher stops at each page. */
enum { PACK_AHEAD = 4096 };
VINLINE void pack_fetch(const void *src, int64_t row, int64_t stride, int64_t columns, const int dtype)
{
    const int64_t size = dtype == ATTUNE_PACK_F32 ? 4 : dtype == ATTUNE_PACK_I8 ? 1 : 2;
    const int64_t bytes = columns * size, ahead = PACK_AHEAD / (bytes > 0 ? bytes : 1);
    const char *at = (const char *)src + (row + ahead) * stride * size;
    for (int64_t byte = 0; byte < bytes; byte += 64) vprefetch(at + byte);
}

/* Terms of VLANES keys, VLANES at a time, all of them there: the bulk of the work, without a condition a
 * lane. Positions advance by addition: products of every row's number are more than registers hold.
 * Returns the first term that is left. */
VINLINE int64_t pack_keys_whole(const struct attune_pack_keys_args *args, int64_t key, float *dst,
                                const int dtype, const int scaled)
{
    const int64_t stride = args->stride, width = args->width;
    int64_t term = 0;
    for (; term + VLANES <= args->d; term += VLANES) {
        int64_t at = key * stride + term;
        vf block[VLANES];
        _Pragma("GCC unroll 16") for (int l = 0; l < VLANES; l++, at += stride)
            block[l] = vload_as(args->src, at, dtype);
        if (scaled)
            _Pragma("GCC unroll 16") for (int l = 0; l < VLANES; l++) block[l] =
                vmul(block[l], vbroadcast(pack_scale(args->scale, args->scale_stride, key + l)));
        vtranspose(block);
        _Pragma("GCC unroll 16") for (int t = 0; t < VLANES; t++, dst += width)
            vstore(dst, block[t]);
    }
    return term;
}

/* Up to VLANES terms from `term` on of keys from `key` on, into `lanes` lanes of a panel. */
VINLINE void pack_keys_part(const struct attune_pack_keys_args *args, int64_t key, int64_t term,
                            float *dst, int64_t lanes, const int dtype)
{
    const int64_t terms = args->d_pad - term < VLANES ? args->d_pad - term : VLANES;
    vf block[VLANES];
    for (int64_t l = 0; l < VLANES; l++) {
        const int64_t j = key + l, there = l < lanes && j < args->n ? args->d - term : 0;
        const float *scale = there > 0 ? pack_scale(args->scale, args->scale_stride, j) : NULL;
        block[l] = pack_lanes(args->src, j * args->stride + term, there, scale, dtype);
    }
    vtranspose(block);
    for (int64_t t = 0; t < terms; t++)
        vstore_tail(dst + t * args->width, block[t], lanes);
}

/* On a copy of the arguments, which no store can change. */
VINLINE void pack_keys(const struct attune_pack_keys_args *given, const int dtype)
{
    const struct attune_pack_keys_args copy = *given, *args = &copy;
    const int64_t width = args->width;
    for (int64_t panel = 0; panel < args->n; panel += width)
        for (int64_t lane = 0; lane < width; lane += VLANES) {
            const int64_t key = panel + lane, lanes = width - lane < VLANES ? width - lane : VLANES;
            float *dst = args->dst + panel * args->d_pad + lane;
            for (int64_t l = 0; l < lanes; l++) pack_fetch(args->src, key + l, args->stride, args->d, dtype);
            int64_t term = 0;
            if (lanes == VLANES && key + VLANES <= args->n)
                term = args->scale ? pack_keys_whole(args, key, dst, dtype, 1)
                                   : pack_keys_whole(args, key, dst, dtype, 0);
            for (; term < args->d_pad; term += VLANES)
                pack_keys_part(args, key, term, dst + term * width, lanes, dtype);
        }
}

/* One row of one panel of columns: `columns` of the source, then zeros up to the width. */
VINLINE void pack_values_row(const struct attune_pack_values_args *args, int64_t at, int64_t columns,
                             const float *scale, float *dst, const int dtype)
{
    int64_t c = 0;
    for (; c + VLANES <= args->width; c += VLANES)
        vstore(dst + c, pack_lanes(args->src, at + c, columns - c, scale, dtype));
    const int64_t left = args->width - c;
    if (left > 0) {
        const int64_t real = columns - c < left ? columns - c : left;
        vstore_tail(dst + c, pack_lanes(args->src, at + c, real, scale, dtype), left);
    }
}

/* Rows whose columns fill whole vectors of whole panels. */
VINLINE void pack_values_whole(const struct attune_pack_values_args *args, const int dtype,
                               const int scaled)
{
    for (int64_t j = 0; j < args->n; j++) {
        pack_fetch(args->src, j, args->stride, args->e, dtype);
        const vf scale = scaled ? vbroadcast(args->scale + j * args->scale_stride) : vzero();
        for (int64_t c = 0, panel = 0; c < args->e; c += args->width, panel += args->panel_stride)
            _Pragma("GCC unroll 4") for (int64_t l = 0; l < args->width; l += VLANES)
            {
                const vf x = vload_as(args->src, j * args->stride + c + l, dtype);
                vstore(args->dst + panel + j * args->width + l, scaled ? vmul(x, scale) : x);
            }
    }
}

VINLINE void pack_values(const struct attune_pack_values_args *given, const int dtype)
{
    const struct attune_pack_values_args copy = *given, *args = &copy;
    if (args->width % VLANES == 0 && args->e % args->width == 0) {
        if (args->scale)
            pack_values_whole(args, dtype, 1);
        else
            pack_values_whole(args, dtype, 0);
        return;
    }
    for (int64_t j = 0; j < args->n; j++) {
        const float *scale = pack_scale(args->scale, args->scale_stride, j);
        float *dst = args->dst + j * args->width;
        for (int64_t c = 0; c < args->e; c += args->width, dst += args->panel_stride)
            pack_values_row(args, j * args->stride + c, args->e - c, scale, dst, dtype);
    }
}

#define PACK_KEYS(isa, variant, requires, dtype)                                                   \
    attune_pack_keys_fn attune_pack_keys_##isa##_##variant;                                        \
    void attune_pack_keys_##isa##_##variant(const struct attune_pack_keys_args *args)              \
    {                                                                                              \
        pack_keys(args, ATTUNE_PACK_##dtype);                                                      \
    }
#define PACK_VALUES(isa, variant, requires, dtype)                                                 \
    attune_pack_values_fn attune_pack_values_##isa##_##variant;                                    \
    void attune_pack_values_##isa##_##variant(const struct attune_pack_values_args *args)          \
    {                                                                                              \
        pack_values(args, ATTUNE_PACK_##dtype);                                                    \
    }
#include "arch/kernels.def"
