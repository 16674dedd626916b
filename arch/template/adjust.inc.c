/* SPDX-License-Identifier: Apache-2.0
 *
 * adjust: what happens to a row of raw scores before softmax: scale, softcap, bias, mask. Needs a
 * vocabulary and f32_math.h; defines the wrappers of ADJUST.
 */
#include <float.h>
#include <math.h>

#include "arch/kernels.h"

/* A vector of scores and, where an operand is given, of bias and mask. */
struct adjust_vector {
    vf s, bias, mask;
};

/* The mask says attend where it is not 0, whatever the score; a bias of -inf says the same of a score
 * that is NaN. A sum with any other bias is held at -FLT_MAX, in the operand order that lets a NaN
 * through. `attended` collects ones. */
VINLINE vf adjust_vector(const struct attune_adjust_args *args, struct adjust_vector in, vf *attended)
{
    const vf masked = vset1(-INFINITY);
    vf s = vmul(in.s, vset1(args->scale)), keep = vset1(1.0f);
    if (args->softcap > 0) {
        const vf cap = vset1(args->softcap);
        s = vdiv(s, cap);
        vtanh(&s, 1);
        s = vmul(cap, s);
    }
    if (args->bias) {
        const vm out = veq(in.bias, masked);
        s = vselect(out, masked, vmax(vset1(-FLT_MAX), vadd(s, in.bias)));
        keep = vselect(out, vzero(), keep);
    }
    if (args->mask) {
        const vm out = veq(in.mask, vzero());
        s = vselect(out, masked, s);
        keep = vselect(out, vzero(), keep);
    }
    *attended = vmax(*attended, keep);
    return s;
}

VINLINE int adjust(const struct attune_adjust_args *args)
{
    vf attended = vzero();
    int64_t j = 0;
    struct adjust_vector in = {vzero(), vzero(), vzero()};
    const int8_t *mask = (const int8_t *)args->mask;
    for (; j + VLANES <= args->n; j += VLANES) {
        in.s = vload(args->s + j);
        if (args->bias) in.bias = vload(args->bias + j);
        if (mask) in.mask = vload_i8(mask + j);
        vstore(args->s + j, adjust_vector(args, in, &attended));
    }
    if (j < args->n) {
        const int64_t rest = args->n - j;
        vf last = vzero();
        in.s = vload_tail(args->s + j, rest);
        if (args->bias) in.bias = vload_tail(args->bias + j, rest);
        if (mask) in.mask = vload_i8_tail(mask + j, rest);
        vstore_tail(args->s + j, adjust_vector(args, in, &last), rest);
        attended = vmax(attended, vkeep(last, rest));
    }
    return vhmax(attended) > 0;
}

#define ADJUST(isa, variant, requires)                                                             \
    attune_adjust_fn attune_adjust_##isa##_##variant;                                              \
    int attune_adjust_##isa##_##variant(const struct attune_adjust_args *args)                     \
    {                                                                                              \
        return adjust(args);                                                                       \
    }
#include "arch/kernels.def"
