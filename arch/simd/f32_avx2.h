/* SPDX-License-Identifier: Apache-2.0
 *
 * The vector vocabulary in AVX2, FMA and F16C: eight float lanes. f32_scalar.h says what each word
 * means; the four headers define the same words with the same results, apart from the rounding of an
 * unfused vfma and the tree of a horizontal. Knows nothing of kernels.
 */
#ifndef ATTUNE_ARCH_SIMD_F32_AVX2_H
#define ATTUNE_ARCH_SIMD_F32_AVX2_H

#if !defined(__AVX2__) || !defined(__FMA__) || !defined(__F16C__)
#error "compile with -mavx2 -mfma -mf16c"
#endif

#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#include "arch/simd/f32_eighths.h"

#define ATTUNE_ONLY
#define ATTUNE_ONLY_AVX2

#define VLANES 8
#define VREGISTERS 16
#define vf __m256
#define vi __m256i
#define vm __m256
#define VINLINE static inline __attribute__((always_inline))

VINLINE vf vzero(void) { return _mm256_setzero_ps(); }
VINLINE vf vset1(float x) { return _mm256_set1_ps(x); }
VINLINE vf vbroadcast(const float *p) { return _mm256_broadcast_ss(p); }
VINLINE vf vload(const float *p) { return _mm256_loadu_ps(p); }
VINLINE void vstore(float *p, vf v) { _mm256_storeu_ps(p, v); }

/* Lane l is kept where l < n. */
VINLINE __m256i vtail_mask(int64_t n)
{
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int32_t)n), lane);
}
VINLINE vf vload_tail(const float *p, int64_t n) { return _mm256_maskload_ps(p, vtail_mask(n)); }
VINLINE void vstore_tail(float *p, vf v, int64_t n) { _mm256_maskstore_ps(p, vtail_mask(n), v); }
VINLINE vf vkeep(vf v, int64_t n) { return _mm256_and_ps(v, _mm256_castsi256_ps(vtail_mask(n))); }

VINLINE vf vadd(vf a, vf b) { return _mm256_add_ps(a, b); }
VINLINE vf vsub(vf a, vf b) { return _mm256_sub_ps(a, b); }
VINLINE vf vmul(vf a, vf b) { return _mm256_mul_ps(a, b); }
VINLINE vf vdiv(vf a, vf b) { return _mm256_div_ps(a, b); }
VINLINE vf vfma(vf a, vf b, vf c) { return _mm256_fmadd_ps(a, b, c); }
VINLINE vf vfnma(vf a, vf b, vf c) { return _mm256_fnmadd_ps(a, b, c); }
VINLINE vf vmax(vf a, vf b) { return _mm256_max_ps(a, b); }
VINLINE vf vmin(vf a, vf b) { return _mm256_min_ps(a, b); }
VINLINE vf vabs(vf a) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a); }
VINLINE vf vlargest(vf a, vf b)
{
    return _mm256_castsi256_ps(_mm256_max_epi32(_mm256_castps_si256(a), _mm256_castps_si256(b)));
}
VINLINE vf vcopysign(vf magnitude, vf sign)
{
    const vf bit = _mm256_set1_ps(-0.0f);
    return _mm256_or_ps(_mm256_andnot_ps(bit, magnitude), _mm256_and_ps(bit, sign));
}
VINLINE vf vreciprocal(vf a) { return _mm256_rcp_ps(a); }

VINLINE vm vlt(vf a, vf b) { return _mm256_cmp_ps(a, b, _CMP_LT_OQ); }
VINLINE vm veq(vf a, vf b) { return _mm256_cmp_ps(a, b, _CMP_EQ_OQ); }
VINLINE vf vselect(vm m, vf a, vf b) { return _mm256_blendv_ps(b, a, m); }
VINLINE int vany(vm m) { return _mm256_movemask_ps(m) != 0; }

VINLINE vf vround(vf a)
{
    return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
VINLINE vi vto_int(vf a) { return _mm256_cvtps_epi32(a); }
VINLINE vf vfrom_int(vi a) { return _mm256_cvtepi32_ps(a); }
VINLINE vf vadd_exponent(vf a, vi n)
{
    return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(a), _mm256_slli_epi32(n, 23)));
}
VINLINE vf vpower_eighths(vi n)
{
    const __m256i entry = _mm256_permutevar8x32_epi32(_mm256_setr_epi32(ATTUNE_EIGHTHS), n);
    return _mm256_castsi256_ps(_mm256_add_epi32(entry, _mm256_slli_epi32(n, 20)));
}

VINLINE vf vload_f16(const uint16_t *p)
{
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)p));
}
VINLINE vf vload_bf16(const uint16_t *p)
{
    const __m128i half = _mm_loadu_si128((const __m128i *)(const void *)p);
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(half), 16));
}
VINLINE vf vload_i8(const int8_t *p)
{
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)p)));
}
/* No narrow masked load in AVX2: the n elements go through a buffer. */
VINLINE vf vload_f16_tail(const uint16_t *p, int64_t n)
{
    uint16_t buffer[VLANES] = {0};
    memcpy(buffer, p, (size_t)n * sizeof *p);
    return vload_f16(buffer);
}
VINLINE vf vload_bf16_tail(const uint16_t *p, int64_t n)
{
    uint16_t buffer[VLANES] = {0};
    memcpy(buffer, p, (size_t)n * sizeof *p);
    return vload_bf16(buffer);
}
VINLINE vf vload_i8_tail(const int8_t *p, int64_t n)
{
    int8_t buffer[VLANES] = {0};
    memcpy(buffer, p, (size_t)n * sizeof *p);
    return vload_i8(buffer);
}

/* ((v0+v2)+(v1+v3)) + ((v4+v6)+(v5+v7)): the tree that vreduce_add's shuffles make. */
VINLINE float vhsum(vf v)
{
    const vf pairs = _mm256_add_ps(v, _mm256_permute_ps(v, 0x4e));
    const vf halves = _mm256_add_ps(pairs, _mm256_permute_ps(pairs, 0xb1));
    return _mm_cvtss_f32(_mm_add_ss(_mm256_castps256_ps128(halves), _mm256_extractf128_ps(halves, 1)));
}
VINLINE float vhmax(vf v)
{
    const vf pairs = _mm256_max_ps(v, _mm256_permute_ps(v, 0x4e));
    const vf halves = _mm256_max_ps(pairs, _mm256_permute_ps(pairs, 0xb1));
    return _mm_cvtss_f32(_mm_max_ss(_mm256_castps256_ps128(halves), _mm256_extractf128_ps(halves, 1)));
}

/* Lane l of the result reduces v[l]: half the shuffles of eight horizontals. */
#define ATTUNE_REDUCE(name, op)                                                                    \
    VINLINE vf name(const vf v[VLANES])                                                            \
    {                                                                                              \
        vf pair[4], quad[2];                                                                       \
        _Pragma("GCC unroll 4") for (int i = 0; i < 4; i++) pair[i] =                              \
            op(_mm256_unpacklo_ps(v[2 * i], v[2 * i + 1]),                                         \
               _mm256_unpackhi_ps(v[2 * i], v[2 * i + 1]));                                        \
        _Pragma("GCC unroll 2") for (int i = 0; i < 2; i++) quad[i] =                              \
            op(_mm256_shuffle_ps(pair[2 * i], pair[2 * i + 1], 0x44),                              \
               _mm256_shuffle_ps(pair[2 * i], pair[2 * i + 1], 0xee));                             \
        return op(_mm256_permute2f128_ps(quad[0], quad[1], 0x20),                                  \
                  _mm256_permute2f128_ps(quad[0], quad[1], 0x31));                                 \
    }
ATTUNE_REDUCE(vreduce_add, _mm256_add_ps)
ATTUNE_REDUCE(vreduce_max, _mm256_max_ps)
#undef ATTUNE_REDUCE

VINLINE void vtranspose(vf v[VLANES])
{
    vf a[8], b[8];
    for (int i = 0; i < 4; i++) {
        a[2 * i] = _mm256_unpacklo_ps(v[2 * i], v[2 * i + 1]);
        a[2 * i + 1] = _mm256_unpackhi_ps(v[2 * i], v[2 * i + 1]);
    }
    for (int i = 0; i < 8; i += 4) {
        b[i] = _mm256_shuffle_ps(a[i], a[i + 2], 0x44);
        b[i + 1] = _mm256_shuffle_ps(a[i], a[i + 2], 0xee);
        b[i + 2] = _mm256_shuffle_ps(a[i + 1], a[i + 3], 0x44);
        b[i + 3] = _mm256_shuffle_ps(a[i + 1], a[i + 3], 0xee);
    }
    for (int i = 0; i < 4; i++) {
        v[i] = _mm256_permute2f128_ps(b[i], b[i + 4], 0x20);
        v[i + 4] = _mm256_permute2f128_ps(b[i], b[i + 4], 0x31);
    }
}

VINLINE void vprefetch(const void *p) { _mm_prefetch((const char *)p, _MM_HINT_T0); }
/* Keeps a vector alive and its computation in place: for the probes. */
#define VKEEP_ALIVE(v) __asm__ volatile("" : "+x"(v))

#endif
