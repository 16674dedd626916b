/* SPDX-License-Identifier: Apache-2.0
 *
 * e^x, tanh and the logistic function over the vocabulary, accurate to a few ulp everywhere; include
 * it after one of f32_<isa>.h. Knows nothing of kernels.
 */
#ifndef ATTUNE_ARCH_SIMD_F32_MATH_H
#define ATTUNE_ARCH_SIMD_F32_MATH_H

/* e^x - 1 at the remainder r = x - n ln 2 of the nearest n: p and n such that e^x = 2^n (1 + p).
 * The first part of ln 2 has 16 bits, so n times it is exact, fused or not. p is r + r^2 P(r), P the
 * polynomial of degree 4 that is minimax for the relative error of p: 0.28 * 2^-24 on |r| <= ln 2 / 2.
 * Finite x must lie in [-87, 88]. NaN stays. */
VINLINE vf vexpm1_reduced(vf x, vi *n)
{
    *n = vto_int(vmul(x, vset1(0x1.715476p+0f)));
    const vf k = vfrom_int(*n);
    const vf r = vfnma(k, vset1(0x1.7f7d1cp-20f), vfnma(k, vset1(0x1.62e4p-1f), x));
    vf p = vset1(0x1.6bec06p-10f);
    p = vfma(p, r, vset1(0x1.122776p-7f));
    p = vfma(p, r, vset1(0x1.555674p-5f));
    p = vfma(p, r, vset1(0x1.5554b0p-3f));
    p = vfma(p, r, vset1(0x1.fffffep-2f));
    return vfma(p, vmul(r, r), r);
}

/* e^x, 1 ulp, where x lies in [-87, 88]; outside that the value at the nearer end. NaN stays. The
 * bounds keep 2^n (1 + p) a normal number. */
VINLINE vf vexp(vf x)
{
    vi n;
    const vf p = vexpm1_reduced(vmax(vset1(-87.0f), vmin(vset1(88.0f), x)), &n);
    return vadd_exponent(vadd(p, vset1(1.0f)), n);
}

/* tanh x = numerator / denominator with numerator = +-(e^|2x| - 1), denominator = e^|2x| + 1, so that
 * a product of several such functions needs one division. |2x| stops at 20, where the quotient rounds
 * to 1. For x near 0, n is 0 and the numerator keeps the relative accuracy of p. */
VINLINE void vtanh_fraction(vf x, vf *numerator, vf *denominator)
{
    const vf magnitude = vabs(x);
    vi n;
    const vf p = vexpm1_reduced(vmin(vset1(20.0f), vadd(magnitude, magnitude)), &n);
    const vf power = vadd_exponent(vset1(1.0f), n);
    const vf expm1 = vfma(power, p, vsub(power, vset1(1.0f)));
    *denominator = vadd(expm1, vset1(2.0f));
    *numerator = vcopysign(expm1, x);
}

/* Error below 3 ulp for every argument, denormals too; NaN stays, infinity gives 1. */
VINLINE vf vtanh(vf x)
{
    vf numerator, denominator;
    vtanh_fraction(x, &numerator, &denominator);
    return vdiv(numerator, denominator);
}

/* The denominator of sigmoid x = 1 / (1 + e^-x). Below x = -88 it stays at e^88, an absolute error
 * under 2^-126. */
VINLINE vf vsigmoid_denominator(vf x)
{
    return vadd(vexp(vsub(vzero(), x)), vset1(1.0f));
}

#endif
