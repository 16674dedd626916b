/* SPDX-License-Identifier: Apache-2.0
 *
 * e^x, tanh and the logistic function over the vocabulary, accurate to a few ulp everywhere; include
 * it after one of f32_<isa>.h. Knows nothing of kernels.
 *
 * Each is a chain of some 60 to 90 cycles, so the words take `count` vectors and go through them step
 * by step: out-of-order windows do not reach far enough to overlap such chains one after the other.
 */
#ifndef ATTUNE_ARCH_SIMD_F32_MATH_H
#define ATTUNE_ARCH_SIMD_F32_MATH_H

enum { VMATH_MOST = 4 };
#define VMATH_EACH(i, count) _Pragma("GCC unroll 4") for (int i = 0; i < (count); i++)

/* e^x - 1 at the remainder r = x - n ln 2 of the nearest n: p and n such that e^x = 2^n (1 + p).
 * The first part of ln 2 has 16 bits, so n times it is exact, fused or not. p is r + r^2 P(r), P the
 * polynomial of degree 4 that is minimax for the relative error of p: 0.28 * 2^-24 on |r| <= ln 2 / 2.
 * Finite x must lie in [-87, 88]. NaN stays. */
VINLINE void vexpm1_reduced(const vf *x, int count, vf *p, vi *n)
{
    vf r[VMATH_MOST];
    VMATH_EACH(i, count) n[i] = vto_int(vmul(x[i], vset1(0x1.715476p+0f)));
    VMATH_EACH(i, count) r[i] = vfnma(vfrom_int(n[i]), vset1(0x1.62e4p-1f), x[i]);
    VMATH_EACH(i, count) r[i] = vfnma(vfrom_int(n[i]), vset1(0x1.7f7d1cp-20f), r[i]);
    VMATH_EACH(i, count) p[i] = vfma(r[i], vset1(0x1.6bec06p-10f), vset1(0x1.122776p-7f));
    VMATH_EACH(i, count) p[i] = vfma(p[i], r[i], vset1(0x1.555674p-5f));
    VMATH_EACH(i, count) p[i] = vfma(p[i], r[i], vset1(0x1.5554b0p-3f));
    VMATH_EACH(i, count) p[i] = vfma(p[i], r[i], vset1(0x1.fffffep-2f));
    VMATH_EACH(i, count) p[i] = vfma(p[i], vmul(r[i], r[i]), r[i]);
}

/* e^x, 1 ulp, of any x; outside [-87, 88], which keeps 2^n (1 + p) a normal number, the value at the nearer
 * bound. NaN stays. */
VINLINE void vexp(vf *x, int count)
{
    vf p[VMATH_MOST];
    vi n[VMATH_MOST];
    VMATH_EACH(i, count) x[i] = vmax(vset1(-87.0f), vmin(vset1(88.0f), x[i]));
    vexpm1_reduced(x, count, p, n);
    VMATH_EACH(i, count) x[i] = vadd_exponent(vadd(p[i], vset1(1.0f)), n[i]);
}

/* e^(2x) where 2x lies in [-87, 88], within 1.15 ulp (unfused 1.37); unspecified outside that. NaN stays.
 * 2x = n ln 2 / 8 + 2s with |2s| <= ln 2 / 16, so that a polynomial of degree 3 is enough where the whole
 * remainder wants one of 6: e^(2s) - 1 = 2s + 2s^2 (1 + ...), minimax to 0.43 * 2^-24. The first part of
 * ln 2 / 16 has 13 bits and |n| at most 10, so their product is exact, fused or not. Bound: 12 operations, of
 * which 7 go to two multipliers, 3.5 cycles a vector on Zen 5; 4.2 are measured, 5.4 of degree 6. */
VINLINE void vexp_twice(vf *x, int count)
{
    vf s[VMATH_MOST], p[VMATH_MOST], power[VMATH_MOST];
    vi n[VMATH_MOST];
    VMATH_EACH(i, count) n[i] = vto_int(vmul(x[i], vset1(0x1.715476p+4f)));
    VMATH_EACH(i, count) s[i] = vfnma(vfrom_int(n[i]), vset1(0x1.62ep-5f), x[i]);
    VMATH_EACH(i, count) s[i] = vfnma(vfrom_int(n[i]), vset1(0x1.0bfbe8p-19f), s[i]);
    VMATH_EACH(i, count) power[i] = vpower_eighths(n[i]);
    VMATH_EACH(i, count) p[i] = vfma(s[i], vset1(0x1.555654p+0f), vset1(0x1.000874p+1f));
    VMATH_EACH(i, count) p[i] = vfma(p[i], s[i], vset1(2.0f));
    VMATH_EACH(i, count) p[i] = vmul(p[i], s[i]);
    VMATH_EACH(i, count) x[i] = vfma(power[i], p[i], power[i]);
}

/* tanh x = numerator / denominator with numerator = +-(e^|2x| - 1), denominator = e^|2x| + 1, so that
 * a product of several such functions needs one division. |2x| stops at 20, where the quotient rounds
 * to 1. For x near 0, n is 0 and the numerator keeps the relative accuracy of p. */
VINLINE void vtanh_fraction(const vf *x, int count, vf *numerator, vf *denominator)
{
    vf p[VMATH_MOST], power[VMATH_MOST];
    vi n[VMATH_MOST];
    VMATH_EACH(i, count) p[i] = vabs(x[i]);
    VMATH_EACH(i, count) p[i] = vmin(vset1(20.0f), vadd(p[i], p[i]));
    vexpm1_reduced(p, count, p, n);
    VMATH_EACH(i, count) power[i] = vadd_exponent(vset1(1.0f), n[i]);
    VMATH_EACH(i, count) p[i] = vfma(power[i], p[i], vsub(power[i], vset1(1.0f)));
    VMATH_EACH(i, count) numerator[i] = vcopysign(p[i], x[i]);
    VMATH_EACH(i, count) denominator[i] = vadd(p[i], vset1(2.0f));
}

/* Error below 3 ulp for every argument, denormals too; NaN stays, infinity gives 1. */
VINLINE void vtanh(vf *x, int count)
{
    vf numerator[VMATH_MOST], denominator[VMATH_MOST];
    vtanh_fraction(x, count, numerator, denominator);
    VMATH_EACH(i, count) x[i] = vdiv(numerator[i], denominator[i]);
}

/* The denominator of sigmoid x = 1 / (1 + e^-x). Below x = -88 it stays at e^88, an absolute error
 * under 2^-126. */
VINLINE void vsigmoid_denominator(vf *x, int count)
{
    VMATH_EACH(i, count) x[i] = vsub(vzero(), x[i]);
    vexp(x, count);
    VMATH_EACH(i, count) x[i] = vadd(x[i], vset1(1.0f));
}

#endif
