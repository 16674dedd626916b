/* SPDX-License-Identifier: Apache-2.0
 *
 * The vector vocabulary in AVX-512 F, BW, DQ and VL: sixteen float lanes, tails in mask registers.
 * f32_scalar.h says what each word means. Knows nothing of kernels.
 */
#ifndef ATTUNE_ARCH_SIMD_F32_AVX512_H
#define ATTUNE_ARCH_SIMD_F32_AVX512_H

#if !defined(__AVX512F__) || !defined(__AVX512BW__) || !defined(__AVX512DQ__) || !defined(__AVX512VL__)
#error "compile with -mavx512f -mavx512bw -mavx512dq -mavx512vl"
#endif

#include <immintrin.h>
#include <stdint.h>

#include "arch/simd/f32_eighths.h"

#define ATTUNE_ONLY
#define ATTUNE_ONLY_AVX512

#define VLANES 16
#define VREGISTERS 32
#define vf __m512
#define vi __m512i
#define vm __mmask16
#define VINLINE static inline __attribute__((always_inline))

VINLINE vf vzero(void) { return _mm512_setzero_ps(); }
VINLINE vf vset1(float x) { return _mm512_set1_ps(x); }
VINLINE vf vbroadcast(const float *p) { return _mm512_set1_ps(*p); }
VINLINE vf vload(const float *p) { return _mm512_loadu_ps(p); }
VINLINE void vstore(float *p, vf v) { _mm512_storeu_ps(p, v); }

/* Lane l is kept where l < n. */
VINLINE __mmask16 vtail_mask(int64_t n) { return (__mmask16)((1u << n) - 1u); }
VINLINE vf vload_tail(const float *p, int64_t n) { return _mm512_maskz_loadu_ps(vtail_mask(n), p); }
VINLINE void vstore_tail(float *p, vf v, int64_t n) { _mm512_mask_storeu_ps(p, vtail_mask(n), v); }
VINLINE vf vkeep(vf v, int64_t n) { return _mm512_maskz_mov_ps(vtail_mask(n), v); }

VINLINE vf vadd(vf a, vf b) { return _mm512_add_ps(a, b); }
VINLINE vf vsub(vf a, vf b) { return _mm512_sub_ps(a, b); }
VINLINE vf vmul(vf a, vf b) { return _mm512_mul_ps(a, b); }
VINLINE vf vdiv(vf a, vf b) { return _mm512_div_ps(a, b); }
VINLINE vf vfma(vf a, vf b, vf c) { return _mm512_fmadd_ps(a, b, c); }
VINLINE vf vfnma(vf a, vf b, vf c) { return _mm512_fnmadd_ps(a, b, c); }
VINLINE vf vmax(vf a, vf b) { return _mm512_max_ps(a, b); }
VINLINE vf vmin(vf a, vf b) { return _mm512_min_ps(a, b); }
VINLINE vf vabs(vf a) { return _mm512_abs_ps(a); }
VINLINE vf vlargest(vf a, vf b)
{
    return _mm512_castsi512_ps(_mm512_max_epi32(_mm512_castps_si512(a), _mm512_castps_si512(b)));
}
VINLINE vf vcopysign(vf magnitude, vf sign)
{
    const vf bit = _mm512_set1_ps(-0.0f);
    return _mm512_or_ps(_mm512_andnot_ps(bit, magnitude), _mm512_and_ps(bit, sign));
}
VINLINE vf vreciprocal(vf a) { return _mm512_rcp14_ps(a); }

VINLINE vm vlt(vf a, vf b) { return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ); }
VINLINE vm veq(vf a, vf b) { return _mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ); }
VINLINE vf vselect(vm m, vf a, vf b) { return _mm512_mask_blend_ps(m, b, a); }
VINLINE int vany(vm m) { return m != 0; }

VINLINE vf vround(vf a)
{
    return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
VINLINE vi vto_int(vf a) { return _mm512_cvtps_epi32(a); }
VINLINE vf vfrom_int(vi a) { return _mm512_cvtepi32_ps(a); }
VINLINE vf vadd_exponent(vf a, vi n)
{
    return _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(a), _mm512_slli_epi32(n, 23)));
}
VINLINE vf vpower_eighths(vi n)
{
    static const uint32_t entries[VLANES] = {ATTUNE_EIGHTHS, ATTUNE_EIGHTHS};
    const __m512i entry = _mm512_permutexvar_epi32(n, _mm512_loadu_si512(entries));
    return _mm512_castsi512_ps(_mm512_add_epi32(entry, _mm512_slli_epi32(n, 20)));
}

VINLINE vf vload_f16(const uint16_t *p)
{
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(const void *)p));
}
VINLINE vf vfrom_bf16(__m256i half)
{
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16));
}
VINLINE vf vload_bf16(const uint16_t *p)
{
    return vfrom_bf16(_mm256_loadu_si256((const __m256i *)(const void *)p));
}
VINLINE vf vload_i8(const int8_t *p)
{
    const __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)p);
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(bytes));
}
VINLINE vf vload_f16_tail(const uint16_t *p, int64_t n)
{
    return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(vtail_mask(n), p));
}
VINLINE vf vload_bf16_tail(const uint16_t *p, int64_t n)
{
    return vfrom_bf16(_mm256_maskz_loadu_epi16(vtail_mask(n), p));
}
VINLINE vf vload_i8_tail(const int8_t *p, int64_t n)
{
    const __m128i bytes = _mm_maskz_loadu_epi8(vtail_mask(n), p);
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(bytes));
}

/* Within each quarter (v0+v2)+(v1+v3), then quarters (0+2)+(1+3): as vreduce_add's shuffles do. */
VINLINE float vhsum(vf v)
{
    v = _mm512_add_ps(v, _mm512_permute_ps(v, 0x4e));
    v = _mm512_add_ps(v, _mm512_permute_ps(v, 0xb1));
    v = _mm512_add_ps(v, _mm512_shuffle_f32x4(v, v, 0x4e));
    return _mm512_cvtss_f32(_mm512_add_ps(v, _mm512_shuffle_f32x4(v, v, 0xb1)));
}
VINLINE float vhmax(vf v)
{
    v = _mm512_max_ps(v, _mm512_permute_ps(v, 0x4e));
    v = _mm512_max_ps(v, _mm512_permute_ps(v, 0xb1));
    v = _mm512_max_ps(v, _mm512_shuffle_f32x4(v, v, 0x4e));
    return _mm512_cvtss_f32(_mm512_max_ps(v, _mm512_shuffle_f32x4(v, v, 0xb1)));
}

/* Lane l of the result reduces v[l]. After two steps quad[i] holds, in each quarter, v[4i .. 4i+3]
 * reduced over that quarter; the last two steps are a 4 x 4 transpose of quarters with the reduction
 * in it. */
#define ATTUNE_REDUCE(name, op)                                                                    \
    VINLINE vf name(const vf v[VLANES])                                                            \
    {                                                                                              \
        vf pair[8], quad[4];                                                                       \
        _Pragma("GCC unroll 8") for (int i = 0; i < 8; i++) pair[i] =                              \
            op(_mm512_unpacklo_ps(v[2 * i], v[2 * i + 1]),                                         \
               _mm512_unpackhi_ps(v[2 * i], v[2 * i + 1]));                                        \
        _Pragma("GCC unroll 4") for (int i = 0; i < 4; i++) quad[i] =                              \
            op(_mm512_shuffle_ps(pair[2 * i], pair[2 * i + 1], 0x44),                              \
               _mm512_shuffle_ps(pair[2 * i], pair[2 * i + 1], 0xee));                             \
        const vf low = op(_mm512_shuffle_f32x4(quad[0], quad[1], 0x44),                            \
                          _mm512_shuffle_f32x4(quad[0], quad[1], 0xee));                           \
        const vf high = op(_mm512_shuffle_f32x4(quad[2], quad[3], 0x44),                           \
                           _mm512_shuffle_f32x4(quad[2], quad[3], 0xee));                          \
        return op(_mm512_shuffle_f32x4(low, high, 0x88), _mm512_shuffle_f32x4(low, high, 0xdd));   \
    }
ATTUNE_REDUCE(vreduce_add, _mm512_add_ps)
ATTUNE_REDUCE(vreduce_max, _mm512_max_ps)
#undef ATTUNE_REDUCE

VINLINE void vtranspose(vf v[VLANES])
{
    vf a[16], b[16];
    for (int i = 0; i < 16; i += 2) {
        a[i] = _mm512_unpacklo_ps(v[i], v[i + 1]);
        a[i + 1] = _mm512_unpackhi_ps(v[i], v[i + 1]);
    }
    for (int i = 0; i < 16; i += 4) {
        b[i] = _mm512_shuffle_ps(a[i], a[i + 2], 0x44);
        b[i + 1] = _mm512_shuffle_ps(a[i], a[i + 2], 0xee);
        b[i + 2] = _mm512_shuffle_ps(a[i + 1], a[i + 3], 0x44);
        b[i + 3] = _mm512_shuffle_ps(a[i + 1], a[i + 3], 0xee);
    }
    for (int i = 0; i < 4; i++) {
        a[i] = _mm512_shuffle_f32x4(b[i], b[i + 4], 0x44);
        a[i + 4] = _mm512_shuffle_f32x4(b[i], b[i + 4], 0xee);
        a[i + 8] = _mm512_shuffle_f32x4(b[i + 8], b[i + 12], 0x44);
        a[i + 12] = _mm512_shuffle_f32x4(b[i + 8], b[i + 12], 0xee);
    }
    for (int i = 0; i < 4; i++) {
        v[i] = _mm512_shuffle_f32x4(a[i], a[i + 8], 0x88);
        v[i + 4] = _mm512_shuffle_f32x4(a[i], a[i + 8], 0xdd);
        v[i + 8] = _mm512_shuffle_f32x4(a[i + 4], a[i + 12], 0x88);
        v[i + 12] = _mm512_shuffle_f32x4(a[i + 4], a[i + 12], 0xdd);
    }
}

VINLINE void vprefetch(const void *p) { _mm_prefetch((const char *)p, _MM_HINT_T0); }
/* Keeps a vector alive and its computation in place: for the probes. */
#define VKEEP_ALIVE(v) __asm__ volatile("" : "+v"(v))

#endif
