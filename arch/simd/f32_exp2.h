/* SPDX-License-Identifier: Apache-2.0
 *
 * 2^x over the vocabulary; include it after one of f32_<isa>.h. Knows nothing of kernels.
 */
#ifndef ATTUNE_ARCH_SIMD_F32_EXP2_H
#define ATTUNE_ARCH_SIMD_F32_EXP2_H

/* 2^x for x < 128; error below 2 ulp of a normal result (1.77 fused, 1.97 unfused, over all floats of
 * [-126, 0]). x = 0 gives exactly 1, x <= -127 exactly +0, NaN stays NaN, larger x is unspecified.
 * Monotone but for neighbours that may swap by an ulp.
 *
 * 2^n goes into the exponent field by integer addition. At -127 the polynomial is exactly 1 and the
 * addition leaves +0, so one clamp both bounds n and flushes to zero; between -127 and -126 the
 * result runs down through the denormals, off by at most 2^-127.
 * The polynomial is the minimax one on [-1/2, 1/2] of degree 5 with constant 1, for the error in ulp
 * and not the relative one: a result in [1, 2) may be off by 2.4 times what one in [1/2, 1) may.
 *
 * Each step runs over `count` vectors, at most 4, before the next: the chain is 46 cycles long, and a
 * scheduler holds no more than four or five vectors' worth of it (two at once: 12 % on Zen 4). */
enum { VEXP2_MOST = 4 };

/* x <- x - n, |x - n| <= 1/2, n clamped. */
VINLINE void vexp2_reduce(vf *x, vi *n, const int count)
{
    _Pragma("GCC unroll 4") for (int u = 0; u < count; u++) x[u] = vmax(vset1(-127.0f), x[u]);
    _Pragma("GCC unroll 4") for (int u = 0; u < count; u++)
    {
        const vf whole = vround(x[u]);
        n[u] = vto_int(whole);
        x[u] = vsub(x[u], whole);
    }
}

/* x <- 2^n 2^x */
VINLINE void vexp2_raise(vf *x, const vi *n, const int count)
{
    static const float c[] = {0x1.3cea8ap-7f, 0x1.c6be50p-5f, 0x1.ebf9bcp-3f, 0x1.62e420p-1f, 1.0f};
    vf p[VEXP2_MOST];
    _Pragma("GCC unroll 4") for (int u = 0; u < count; u++) p[u] = vset1(0x1.595006p-10f);
    _Pragma("GCC unroll 5") for (int k = 0; k < 5; k++)
        _Pragma("GCC unroll 4") for (int u = 0; u < count; u++) p[u] = vfma(p[u], x[u], vset1(c[k]));
    _Pragma("GCC unroll 4") for (int u = 0; u < count; u++) x[u] = vadd_exponent(p[u], n[u]);
}

VINLINE vf vexp2(vf x)
{
    vi n;
    vexp2_reduce(&x, &n, 1);
    vexp2_raise(&x, &n, 1);
    return x;
}

#endif
