/* SPDX-License-Identifier: Apache-2.0
 *
 * fold: the score vector as score_tanh reads it. Needs a vocabulary; defines the wrappers of FOLD. A
 * decoder's step folds anew, since nothing says that its score vector is that of the step before: with
 * 512 terms it is a tenth of a step over 16 keys, by two divisions a vector.
 */
#include <math.h>

#include "arch/kernels.h"

/* Terms at once: whole vectors of every vocabulary, and whole entries of center. */
enum { FOLD_STEP = 16 };
_Static_assert(FOLD_STEP % ATTUNE_CENTER_STEP == 0 && FOLD_STEP % VLANES == 0, "whole steps");

/* Largest |u|; *sound is 0 where folding cannot hold it. The maximum drops a NaN: those are kept aside. */
VINLINE float fold_scale(const struct attune_fold_args *args, int *sound)
{
    vf largest = vzero(), nan = vzero();
    for (int64_t t = 0; t < args->a; t += VLANES) {
        const int64_t rest = args->a - t;
        const vf u = rest >= VLANES ? vload(args->u + t) : vload_tail(args->u + t, rest);
        largest = vmax(vabs(u), largest);
        nan = vselect(veq(u, u), nan, u);
    }
    const float scale = vhmax(largest), unordered = vhsum(nan);
    *sound = unordered == unordered && scale >= 0x1p-100f && scale <= 0x1p100f;
    return scale;
}

/* FOLD_STEP terms or the `rest` that a_pad leaves; half[x] is what each adds to its entry of center. */
VINLINE void fold_terms(const struct attune_fold_args *args, int64_t t, float scale, float least,
                        float half[FOLD_STEP], vf *largest)
{
    for (int x = 0; x < FOLD_STEP && t + x < args->a_pad; x += VLANES) {
        const int64_t rest = args->a - t - x, room = args->a_pad - t - x;
        const vf u = rest >= VLANES ? vload(args->u + t + x)
                                    : vload_tail(args->u + t + x, rest > 0 ? rest : 0);
        const vf share = vdiv(u, vset1(scale)), dropped = vset1(ATTUNE_FOLD_DROPPED);
        const vm kept = vlt(vset1(least), vabs(share));
        const vf fold = vselect(kept, vdiv(vset1(scale), u), dropped);
        *largest = vmax(vselect(kept, vabs(fold), vzero()), *largest);
        vstore(half + x, vselect(kept, vmul(share, vset1(0.5f)), vset1(1 / ATTUNE_FOLD_DROPPED)));
        if (room >= VLANES)
            vstore(args->fold + t + x, fold);
        else
            vstore_tail(args->fold + t + x, fold, room);
    }
}

VINLINE void fold(const struct attune_fold_args *args)
{
    int sound;
    const float scale = fold_scale(args, &sound), least = sound ? ATTUNE_FOLD_LEAST : INFINITY;
    vf largest = vzero();
    for (int64_t t = 0; t < args->a_pad; t += FOLD_STEP) {
        float half[FOLD_STEP];
        fold_terms(args, t, scale, least, half, &largest);
        for (int x = 0; x < FOLD_STEP && t + x < args->a_pad; x += ATTUNE_CENTER_STEP)
            args->center[(t + x) / ATTUNE_CENTER_STEP] =
                half[x] + half[x + 1] + half[x + 2] + half[x + 3];
    }
    *args->scale = scale;
    *args->largest = vhmax(largest);
}
_Static_assert(ATTUNE_CENTER_STEP == 4 && ATTUNE_TERM_STEP == 4, "an entry is the sum of four");

#define FOLD(isa, variant, requires)                                                               \
    attune_fold_fn attune_fold_##isa##_##variant;                                                  \
    void attune_fold_##isa##_##variant(const struct attune_fold_args *args)                        \
    {                                                                                              \
        fold(args);                                                                                \
    }
#include "arch/kernels.def"
