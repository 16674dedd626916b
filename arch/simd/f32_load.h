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

/* What a kernel asks the caches for while it reads rows in order: lines some KiB ahead, far enough for the
 * latency of memory at its bandwidth (100 ns at 50 GB/s are 5 KiB) and for what else is read before their
 * turn comes, near enough to lie in L1 still by then. They cross pages, which the hardware's prefetchers do
 * not, and where rows lie side by side they go in the order of memory, which those follow, whatever the
 * order of a tile's loads: from DRAM 50 against 36 GB/s on Zen 5. What is asked for is a constant number of
 * lines a step, from a pointer that walks by a constant: comparing where a row ends cost a fifth of the
 * time where keys came from L2. Lines beyond the last row may be asked for.
 *
 * Of rows that fill more than VFAR bytes a line of each small page is asked for so far ahead, for the sake
 * of the page's translation alone: on a virtual machine its walk outlasts the lines' own way, 34 to 39 GB/s
 * of 42 where pages were small. */
enum { VLINE = 64, VPAGE = 4096, VFAR = 96 * 1024, VAHEAD_SCALES = 256 }; /* bytes; keys of a scale a row */

/* Rows of `columns` elements that `bytes` are. */
VINLINE int64_t vahead_rows(int64_t bytes, int64_t columns, int64_t size)
{
    return bytes / (columns * size + 1) + 1;
}

VINLINE void vask(const char *from, const int64_t bytes)
{
    _Pragma("GCC unroll 16") for (int64_t at = 0; at < bytes; at += VLINE) vprefetch(from + at);
}
VINLINE void vask_row(const char *row, int64_t bytes)
{
    for (int64_t at = 0; at < bytes; at += VLINE) vprefetch(row + at);
}

/* The pages VFAR ahead of rows from `row` on that `bytes` hold. */
VINLINE void vask_pages(const char *row, int64_t bytes, int64_t stride)
{
    const int64_t step = stride > VPAGE ? stride : VPAGE;
    for (int64_t at = VFAR; at < VFAR + bytes; at += step) vprefetch(row + at);
}

/* The first of many rows, before anything is read: at a step's pace they would come one by one. */
VINLINE void vask_first(const char *row, int64_t rows, int64_t columns, int64_t stride, int64_t size)
{
    for (int64_t i = 0; i < rows; i++) vask_row(row + i * stride * size, columns * size);
}

#endif
