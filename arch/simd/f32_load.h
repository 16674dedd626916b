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

/* Bytes between a row that a kernel reads and the one that it asks the caches for meanwhile, rows being
 * read in order: far enough for the latency of memory at its bandwidth (100 ns at 40 GB/s are 4 KiB),
 * near enough to lie in L1 still when its turn comes. It crosses pages, which the hardware does not. */
enum { VAHEAD = 8192 };
VINLINE int64_t vahead(int64_t columns, int64_t stride, int64_t size)
{
    return (VAHEAD / (columns * size + 1) + 1) * stride * size;
}

#endif
