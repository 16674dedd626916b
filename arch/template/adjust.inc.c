/* SPDX-License-Identifier: Apache-2.0
 *
 * adjust: what happens to a row of raw scores before softmax: scale, softcap, bias, mask. Needs a
 * vocabulary and f32_math.h; defines the wrappers of ADJUST.
 */
#include <float.h>
#include <math.h>

#include "arch/kernels.h"

/* s <- softcap tanh(s scale / softcap), several vectors side by side. */
VINLINE void adjust_softcap(const struct attune_adjust_args *args)
{
    const vf scale = vset1(args->scale), cap = vset1(args->softcap);
    float *s = args->s;
    vf x[VMATH_MOST];
    int64_t j = 0;
    for (; j + VMATH_MOST * VLANES <= args->n; j += VMATH_MOST * VLANES) {
        VMATH_EACH(i, VMATH_MOST) x[i] = vdiv(vmul(vload(s + j + i * VLANES), scale), cap);
        vtanh(x, VMATH_MOST);
        VMATH_EACH(i, VMATH_MOST) vstore(s + j + i * VLANES, vmul(cap, x[i]));
    }
    for (; j < args->n; j += VLANES) {
        const int64_t rest = args->n - j < VLANES ? args->n - j : VLANES;
        x[0] = vdiv(vmul(vload_tail(s + j, rest), scale), cap);
        vtanh(x, 1);
        vstore_tail(s + j, vmul(cap, x[0]), rest);
    }
}

/* The mask says attend where it is not 0, whatever the score; a bias of -inf says the same of a score
 * that is NaN. A sum with any other bias is held at -FLT_MAX, in the operand order that lets a NaN
 * through; but a score that was -inf before stays it. `attended` collects ones. */
VINLINE vf adjust_vector(vf s, int has_bias, vf bias, int has_mask, vf mask, vf *attended)
{
    const vf masked = vset1(-INFINITY);
    vf keep = vset1(1.0f);
    if (has_bias) {
        const vm out = veq(bias, masked);
        s = vselect(out, masked, vmax(vmin(vset1(-FLT_MAX), s), vadd(s, bias)));
        keep = vselect(out, vzero(), keep);
    }
    if (has_mask) {
        const vm out = veq(mask, vzero());
        s = vselect(out, masked, s);
        keep = vselect(out, vzero(), keep);
    }
    *attended = vmax(*attended, keep);
    return s;
}

/* What there is of bias and mask is constant in each instance of the loop. */
VINLINE int adjust_row(const struct attune_adjust_args *args, float factor, int has_bias, int has_mask)
{
    float *s = args->s;
    const float *bias = args->bias;
    const int8_t *mask = (const int8_t *)args->mask;
    const vf scale = vset1(factor);
    vf attended = vzero(), last = vzero();
    int64_t j = 0;
    for (; j + VLANES <= args->n; j += VLANES) {
        const vf b = has_bias ? vload(bias + j) : vzero();
        const vf m = has_mask ? vload_i8(mask + j) : vzero();
        vstore(s + j, adjust_vector(vmul(vload(s + j), scale), has_bias, b, has_mask, m, &attended));
    }
    if (j < args->n) {
        const int64_t rest = args->n - j;
        const vf b = has_bias ? vload_tail(bias + j, rest) : vzero();
        const vf m = has_mask ? vload_i8_tail(mask + j, rest) : vzero();
        const vf x = vmul(vload_tail(s + j, rest), scale);
        vstore_tail(s + j, adjust_vector(x, has_bias, b, has_mask, m, &last), rest);
        attended = vmax(attended, vkeep(last, rest));
    }
    return vhmax(attended) > 0;
}

VINLINE int adjust(const struct attune_adjust_args *args)
{
    float scale = args->scale;
    if (args->softcap > 0) {
        adjust_softcap(args);
        scale = 1.0f;
    }
    if (args->bias && args->mask) return adjust_row(args, scale, 1, 1);
    if (args->bias) return adjust_row(args, scale, 1, 0);
    if (args->mask) return adjust_row(args, scale, 0, 1);
    return adjust_row(args, scale, 0, 0);
}

#define ADJUST(isa, variant, requires)                                                             \
    attune_adjust_fn attune_adjust_##isa##_##variant;                                              \
    int attune_adjust_##isa##_##variant(const struct attune_adjust_args *args)                     \
    {                                                                                              \
        return adjust(args);                                                                       \
    }
#include "arch/kernels.def"
