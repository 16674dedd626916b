/* SPDX-License-Identifier: Apache-2.0
 *
 * The vector vocabulary in AArch64's baseline Advanced SIMD: four float lanes. f32_scalar.h says what
 * each word means. Knows nothing of kernels.
 */
#ifndef ATTUNE_ARCH_SIMD_F32_NEON_H
#define ATTUNE_ARCH_SIMD_F32_NEON_H

#if !defined(__aarch64__) || !defined(__ARM_NEON)
#error "compile for AArch64"
#endif

#include <arm_neon.h>
#include <stdint.h>
#include <string.h>

#include "arch/simd/f32_eighths.h"

#define ATTUNE_ONLY
#define ATTUNE_ONLY_NEON

#define VLANES 4
#define VREGISTERS 32
#define vf float32x4_t
#define vi int32x4_t
#define vm uint32x4_t
#define VINLINE static inline __attribute__((always_inline))

VINLINE vf vzero(void) { return vdupq_n_f32(0.0f); }
VINLINE vf vset1(float x) { return vdupq_n_f32(x); }
VINLINE vf vbroadcast(const float *p) { return vld1q_dup_f32(p); }
VINLINE vf vload(const float *p) { return vld1q_f32(p); }
VINLINE void vstore(float *p, vf v) { vst1q_f32(p, v); }

/* No masked memory access in baseline Advanced SIMD: tails go by halves and lanes. */
VINLINE vf vload_tail(const float *p, int64_t n)
{
    if (n >= VLANES) return vld1q_f32(p);
    const vf zero = vdupq_n_f32(0.0f);
    const vf half = n & 2 ? vcombine_f32(vld1_f32(p), vget_low_f32(zero)) : zero;
    if (n & 1) return n & 2 ? vld1q_lane_f32(p + 2, half, 2) : vld1q_lane_f32(p, half, 0);
    return half;
}
VINLINE void vstore_tail(float *p, vf v, int64_t n)
{
    if (n >= VLANES) {
        vst1q_f32(p, v);
        return;
    }
    if (n & 2) vst1_f32(p, vget_low_f32(v));
    if (n & 1) {
        if (n & 2)
            vst1q_lane_f32(p + 2, v, 2);
        else
            vst1q_lane_f32(p, v, 0);
    }
}
VINLINE vf vkeep(vf v, int64_t n)
{
    static const int32_t lane[VLANES] = {0, 1, 2, 3};
    const uint32x4_t kept = vcgtq_s32(vdupq_n_s32((int32_t)n), vld1q_s32(lane));
    return vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(v), kept));
}

VINLINE vf vadd(vf a, vf b) { return vaddq_f32(a, b); }
VINLINE vf vsub(vf a, vf b) { return vsubq_f32(a, b); }
VINLINE vf vmul(vf a, vf b) { return vmulq_f32(a, b); }
VINLINE vf vdiv(vf a, vf b) { return vdivq_f32(a, b); }
VINLINE vf vfma(vf a, vf b, vf c) { return vfmaq_f32(c, a, b); }
VINLINE vf vfnma(vf a, vf b, vf c) { return vfmsq_f32(c, a, b); }
/* Not vmaxq, which lets a NaN on either side through. */
VINLINE vf vmax(vf a, vf b) { return vbslq_f32(vcgtq_f32(a, b), a, b); }
VINLINE vf vmin(vf a, vf b) { return vbslq_f32(vcltq_f32(a, b), a, b); }
VINLINE vf vabs(vf a) { return vabsq_f32(a); }
VINLINE vf vlargest(vf a, vf b)
{
    return vreinterpretq_f32_s32(vmaxq_s32(vreinterpretq_s32_f32(a), vreinterpretq_s32_f32(b)));
}
VINLINE vf vcopysign(vf magnitude, vf sign)
{
    return vbslq_f32(vdupq_n_u32(0x80000000u), sign, magnitude);
}
/* The estimate has 8 bits; one step of Newton's makes 16. The step turns 0 * inf into 2, so that
 * infinity stays. */
VINLINE vf vreciprocal(vf a)
{
    const vf estimate = vrecpeq_f32(a);
    return vmulq_f32(estimate, vrecpsq_f32(a, estimate));
}

VINLINE vm vlt(vf a, vf b) { return vcltq_f32(a, b); }
VINLINE vm veq(vf a, vf b) { return vceqq_f32(a, b); }
VINLINE vf vselect(vm m, vf a, vf b) { return vbslq_f32(m, a, b); }
VINLINE int vany(vm m) { return vmaxvq_u32(m) != 0; }

VINLINE vf vround(vf a) { return vrndnq_f32(a); }
VINLINE vi vto_int(vf a) { return vcvtnq_s32_f32(a); }
VINLINE vf vfrom_int(vi a) { return vcvtq_f32_s32(a); }
VINLINE vf vadd_exponent(vf a, vi n)
{
    return vreinterpretq_f32_s32(vaddq_s32(vreinterpretq_s32_f32(a), vshlq_n_s32(n, 23)));
}
/* The entry's four bytes by number. */
VINLINE vf vpower_eighths(vi n)
{
    static const uint32_t entries[8] = {ATTUNE_EIGHTHS};
    const uint8x16x2_t table = {{vreinterpretq_u8_u32(vld1q_u32(entries)),
                                 vreinterpretq_u8_u32(vld1q_u32(entries + 4))}};
    const uint32x4_t first = vandq_u32(vreinterpretq_u32_s32(n), vdupq_n_u32(7));
    const uint32x4_t bytes = vmlaq_u32(vdupq_n_u32(0x03020100u), first, vdupq_n_u32(0x04040404u));
    const uint8x16_t entry = vqtbl2q_u8(table, vreinterpretq_u8_u32(bytes));
    return vreinterpretq_f32_s32(vaddq_s32(vreinterpretq_s32_u8(entry), vshlq_n_s32(n, 20)));
}

VINLINE vf vload_f16(const uint16_t *p) { return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p))); }
VINLINE vf vload_bf16(const uint16_t *p)
{
    return vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(p), 16));
}
VINLINE vf vload_i8(const int8_t *p)
{
    uint32_t four;
    memcpy(&four, p, sizeof four);
    const int8x8_t bytes = vreinterpret_s8_u32(vdup_n_u32(four));
    return vcvtq_f32_s32(vmovl_s16(vget_low_s16(vmovl_s8(bytes))));
}
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

/* (v0+v1) + (v2+v3), as two pairwise additions do. */
VINLINE float vhsum(vf v)
{
    const vf pairs = vpaddq_f32(v, v);
    return vgetq_lane_f32(vpaddq_f32(pairs, pairs), 0);
}
VINLINE vf vreduce_add(const vf v[VLANES])
{
    return vpaddq_f32(vpaddq_f32(v[0], v[1]), vpaddq_f32(v[2], v[3]));
}

VINLINE vf vlow_pairs(vf a, vf b)
{
    return vreinterpretq_f32_f64(vtrn1q_f64(vreinterpretq_f64_f32(a), vreinterpretq_f64_f32(b)));
}
VINLINE vf vhigh_pairs(vf a, vf b)
{
    return vreinterpretq_f32_f64(vtrn2q_f64(vreinterpretq_f64_f32(a), vreinterpretq_f64_f32(b)));
}
VINLINE void vtranspose(vf v[VLANES])
{
    const float32x4x2_t low = vtrnq_f32(v[0], v[1]), high = vtrnq_f32(v[2], v[3]);
    v[0] = vlow_pairs(low.val[0], high.val[0]);
    v[1] = vlow_pairs(low.val[1], high.val[1]);
    v[2] = vhigh_pairs(low.val[0], high.val[0]);
    v[3] = vhigh_pairs(low.val[1], high.val[1]);
}

/* Through the transpose, since vmax, unlike vpmaxq, drops a NaN. */
VINLINE vf vreduce_max(const vf v[VLANES])
{
    vf rows[VLANES] = {v[0], v[1], v[2], v[3]};
    vtranspose(rows);
    return vmax(vmax(rows[0], rows[1]), vmax(rows[2], rows[3]));
}
VINLINE float vhmax(vf v)
{
    const vf all[VLANES] = {v, v, v, v};
    return vgetq_lane_f32(vreduce_max(all), 0);
}

VINLINE void vprefetch(const void *p) { __builtin_prefetch(p); }
/* Keeps a vector alive and its computation in place: for the probes. */
#define VKEEP_ALIVE(v) __asm__ volatile("" : "+w"(v))

#endif
