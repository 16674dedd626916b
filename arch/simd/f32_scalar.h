/* SPDX-License-Identifier: Apache-2.0
 *
 * The vector vocabulary with one lane, in plain C: the fallback, and the definition of each word.
 * The compiler may put neighbouring lanes of a kernel together; it may not reorder or fuse.
 *
 * Words: vf a float vector, vi an int32 vector, vm the result of a comparison; VLANES lanes.
 *   vload_tail, vstore_tail  the first n lanes alone, 0 <= n <= VLANES; other lanes load as 0
 *   vkeep                    lanes from n on become 0
 *   vfma, vfnma              a * b + c and c - a * b; fused on all but scalar
 *   vmax, vmin               a > b ? a : b and a < b ? a : b: a NaN in a is dropped, in b it stays
 *   vlargest                 of two magnitudes (vabs) the larger, and a NaN above all
 *   vreciprocal              an estimate, relative error below 1.5 * 2^-12, infinite at 0
 *   vto_int                  nearest even; a NaN becomes a number whose low 9 bits are 0
 *   vadd_exponent            a * 2^n by integer addition: a NaN stays one where n came from a NaN
 *   vpower_eighths           2^(n / 8) within 0.54 * 2^-24 where that is normal; n from a NaN gives some number
 *   vreduce_add, vreduce_max lane l of the result is vhsum, vhmax of v[l], bit for bit
 *   vtranspose               lane l of v[r] <-> lane r of v[l]
 */
#ifndef ATTUNE_ARCH_SIMD_F32_SCALAR_H
#define ATTUNE_ARCH_SIMD_F32_SCALAR_H

#include <stdint.h>
#include <string.h>

#include "arch/simd/f32_eighths.h"

#define ATTUNE_ONLY
#define ATTUNE_ONLY_SCALAR

#define VLANES 1
#define VREGISTERS 16
#define vf float
#define vi int32_t
#define vm int
#define VINLINE static inline __attribute__((always_inline))

VINLINE vf vzero(void) { return 0.0f; }
VINLINE vf vset1(float x) { return x; }
VINLINE vf vbroadcast(const float *p) { return *p; }
VINLINE vf vload(const float *p) { return *p; }
VINLINE void vstore(float *p, vf v) { *p = v; }
VINLINE vf vload_tail(const float *p, int64_t n) { return n > 0 ? *p : 0.0f; }
VINLINE void vstore_tail(float *p, vf v, int64_t n)
{
    if (n > 0) *p = v;
}
VINLINE vf vkeep(vf v, int64_t n) { return n > 0 ? v : 0.0f; }

VINLINE vf vadd(vf a, vf b) { return a + b; }
VINLINE vf vsub(vf a, vf b) { return a - b; }
VINLINE vf vmul(vf a, vf b) { return a * b; }
VINLINE vf vdiv(vf a, vf b) { return a / b; }
VINLINE vf vfma(vf a, vf b, vf c) { return a * b + c; }
VINLINE vf vfnma(vf a, vf b, vf c) { return c - a * b; }
VINLINE vf vmax(vf a, vf b) { return a > b ? a : b; }
VINLINE vf vmin(vf a, vf b) { return a < b ? a : b; }
VINLINE vf vreciprocal(vf a) { return 1.0f / a; }

VINLINE uint32_t vbits(vf a)
{
    uint32_t bits;
    memcpy(&bits, &a, sizeof bits);
    return bits;
}
VINLINE vf vfrom_bits(uint32_t bits)
{
    vf a;
    memcpy(&a, &bits, sizeof a);
    return a;
}
VINLINE vf vabs(vf a) { return vfrom_bits(vbits(a) & 0x7fffffffu); }
VINLINE vf vlargest(vf a, vf b) { return vbits(a) > vbits(b) ? a : b; }
VINLINE vf vcopysign(vf magnitude, vf sign)
{
    return vfrom_bits((vbits(magnitude) & 0x7fffffffu) | (vbits(sign) & 0x80000000u));
}

VINLINE vm vlt(vf a, vf b) { return a < b; }
VINLINE vm veq(vf a, vf b) { return a == b; }
VINLINE vf vselect(vm m, vf a, vf b) { return m ? a : b; }
VINLINE int vany(vm m) { return m; }

/* Adding 1.5 * 2^23 leaves the integer in the low bits, rounded to nearest even. */
VINLINE vi vto_int(vf a)
{
    const float limit = 0x1p22f;
    return a > -limit && a < limit ? (vi)(vbits(a + 0x1.8p23f) - vbits(0x1.8p23f)) : 0;
}
VINLINE vf vfrom_int(vi a) { return (float)a; }
/* Beyond 2^22 the low bits would not hold it; beyond 2^23 a float is an integer already. */
VINLINE vf vround(vf a)
{
    const float magic = 0x1p23f;
    return vabs(a) < magic ? vcopysign(vabs(a) + magic - magic, a) : a;
}
VINLINE vf vadd_exponent(vf a, vi n) { return vfrom_bits(vbits(a) + ((uint32_t)n << 23)); }

VINLINE vf vpower_eighths(vi n)
{
    static const uint32_t entry[8] = {ATTUNE_EIGHTHS};
    return vfrom_bits(entry[n & 7] + ((uint32_t)n << 20));
}

/* The fields move into place as a denormal or a small number, and one multiplication by 2^112
 * rebiases both exactly; infinity and NaN then want the rest of their exponent. */
VINLINE vf vload_f16(const uint16_t *p)
{
    const uint32_t magnitude = (uint32_t)(*p & 0x7fffu) << 13, sign = (uint32_t)(*p & 0x8000u) << 16;
    const float value = vfrom_bits(magnitude) * 0x1p112f;
    const uint32_t bits = magnitude >= 0x0f800000u ? magnitude | 0x7f800000u : vbits(value);
    return vfrom_bits(bits | sign);
}
VINLINE vf vload_bf16(const uint16_t *p) { return vfrom_bits((uint32_t)*p << 16); }
VINLINE vf vload_i8(const int8_t *p) { return (float)*p; }
VINLINE vf vload_f16_tail(const uint16_t *p, int64_t n) { return n > 0 ? vload_f16(p) : 0.0f; }
VINLINE vf vload_bf16_tail(const uint16_t *p, int64_t n) { return n > 0 ? vload_bf16(p) : 0.0f; }
VINLINE vf vload_i8_tail(const int8_t *p, int64_t n) { return n > 0 ? vload_i8(p) : 0.0f; }

VINLINE float vhsum(vf v) { return v; }
VINLINE float vhmax(vf v) { return v; }
VINLINE vf vreduce_add(const vf v[VLANES]) { return v[0]; }
VINLINE vf vreduce_max(const vf v[VLANES]) { return v[0]; }
VINLINE void vtranspose(vf v[VLANES]) { (void)v; }

VINLINE void vprefetch(const void *p) { __builtin_prefetch(p); }
/* Keeps a vector alive and its computation in place: for the probes. */
#if defined(__x86_64__)
#define VKEEP_ALIVE(v) __asm__ volatile("" : "+x"(v))
#elif defined(__aarch64__)
#define VKEEP_ALIVE(v) __asm__ volatile("" : "+w"(v))
#else
#define VKEEP_ALIVE(v) __asm__ volatile("" : "+m"(v))
#endif

#endif
