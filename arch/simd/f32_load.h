/* SPDX-License-Identifier: Apache-2.0
 *
 * Vectors of float32 from an array of any element type, over any vocabulary. The type is a
 * compile-time constant, so that one load and what converts it remain.
 */
#ifndef ATTUNE_ARCH_SIMD_F32_LOAD_H
#define ATTUNE_ARCH_SIMD_F32_LOAD_H

#include "arch/registry.h"

VINLINE vf vload_as(const void *src, int64_t at, const int dtype)
{
    if (dtype == ATTUNE_PACK_F16) return vload_f16((const uint16_t *)src + at);
    if (dtype == ATTUNE_PACK_BF16) return vload_bf16((const uint16_t *)src + at);
    if (dtype == ATTUNE_PACK_I8) return vload_i8((const int8_t *)src + at);
    return vload((const float *)src + at);
}

VINLINE vf vload_as_tail(const void *src, int64_t at, int64_t n, const int dtype)
{
    if (dtype == ATTUNE_PACK_F16) return vload_f16_tail((const uint16_t *)src + at, n);
    if (dtype == ATTUNE_PACK_BF16) return vload_bf16_tail((const uint16_t *)src + at, n);
    if (dtype == ATTUNE_PACK_I8) return vload_i8_tail((const int8_t *)src + at, n);
    return vload_tail((const float *)src + at, n);
}

/* Bytes of an element. */
VINLINE int64_t vsize_of(const int dtype)
{
    return dtype == ATTUNE_PACK_F32 ? 4 : dtype == ATTUNE_PACK_I8 ? 1 : 2;
}

/* What a kernel asks the caches for while it reads rows in order: lines VAHEAD bytes ahead, far enough for
 * the latency of memory at its bandwidth (100 ns at 40 GB/s are 4 KiB), near enough to lie in L1 still when
 * their turn comes. They cross pages, which the hardware's prefetchers do not, and go in the order of
 * memory, which those follow, whatever the order of a tile's loads: from DRAM 39 against 29 GB/s on Zen 5.
 * A call may ask for some lines twice, or beyond the last row. */
enum { VAHEAD = 8192, VLINE = 64, VAHEAD_SCALES = 256 }; /* bytes, bytes, and keys for a scale a row */
struct vahead {
    const char *row;
    int64_t at, bytes, stride;
};

/* Ahead of `row`, whose `columns` elements lie `stride` apart from the next one's. */
VINLINE struct vahead vahead_of(const char *row, int64_t columns, int64_t stride, int64_t size)
{
    const int64_t rows = VAHEAD / (columns * size + 1) + 1;
    return (struct vahead){.row = row + rows * stride * size,
                           .bytes = columns == stride ? INT64_MAX : columns * size,
                           .stride = stride * size};
}

VINLINE void vahead_ask(struct vahead *ahead, const int lines)
{
    _Pragma("GCC unroll 8") for (int i = 0; i < lines; i++)
    {
        vprefetch(ahead->row + ahead->at);
        ahead->at += VLINE;
        if (ahead->at >= ahead->bytes) {
            ahead->at = 0;
            ahead->row += ahead->stride;
        }
    }
}

#endif
