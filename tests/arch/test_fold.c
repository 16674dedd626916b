/* SPDX-License-Identifier: Apache-2.0
 *
 * fold against its contract: every operation in it is a correctly rounded one, so that all instruction
 * sets have the bits of the plain loop here.
 */
#include <math.h>
#include <string.h>

#include "kernel_tests.h"

static const float UNTOUCHED = -77.0f;

struct fold_case {
    int64_t a;
    float size;    /* of the score vector's elements */
    int small;     /* every fifth is too small to fold, or 0 */
    float special; /* takes the place of one element, unless 0 */
    enum test_side side;
};

static void fill(const struct fold_case *c, float *u)
{
    for (int64_t t = 0; t < c->a; t++) {
        u[t] = (2 * test_random() - 1) * c->size;
        if (c->small && t % 5 == 2) u[t] *= t % 2 ? 0x1p-31f : 0.0f;
    }
    if (c->special != 0) u[c->a / 2] = c->special;
    if (c->special != 0) u[0] = c->size; /* the largest lies before it */
}

struct folded {
    float scale, largest;
    int sound;
};

static struct folded find_scale(const float *u, int64_t a)
{
    struct folded want = {0, 0, 1};
    for (int64_t t = 0; t < a; t++) {
        want.sound &= isfinite(u[t]) != 0;
        want.scale = fmaxf(want.scale, fabsf(u[t]));
    }
    want.sound &= want.scale >= 0x1p-100f && want.scale <= 0x1p100f;
    return want;
}

static void check_terms(const struct attune_fold_args *args, struct folded *want)
{
    float center = 0;
    for (int64_t t = 0; t < args->a_pad; t++) {
        const float share = t < args->a && want->sound ? args->u[t] / want->scale : 0.0f;
        const int kept = fabsf(share) > ATTUNE_FOLD_LEAST;
        const float fold = kept ? want->scale / args->u[t] : ATTUNE_FOLD_DROPPED;
        if (args->fold[t] != fold)
            test_case_fail("fold[%d] is %.9g, not %.9g", (int)t, (double)args->fold[t], (double)fold);
        if (kept) want->largest = fmaxf(want->largest, fabsf(fold));
        center = t % ATTUNE_CENTER_STEP ? center : 0;
        center += kept ? share / 2 : 1 / ATTUNE_FOLD_DROPPED;
        if (t % ATTUNE_CENTER_STEP == ATTUNE_CENTER_STEP - 1 &&
            args->center[t / ATTUNE_CENTER_STEP] != center)
            test_case_fail("center of %d is %.9g, not %.9g", (int)t,
                           (double)args->center[t / ATTUNE_CENTER_STEP], (double)center);
    }
}

static void run_fold(const struct attune_kernel *kernel, const struct fold_case *c)
{
    test_case_begin(kernel, "a %d, size %g, small %d, special %g, side %d", (int)c->a,
                    (double)c->size, c->small, (double)c->special, (int)c->side);
    const int64_t a_pad = (c->a + ATTUNE_TERM_STEP - 1) / ATTUNE_TERM_STEP * ATTUNE_TERM_STEP;
    float *u = test_floats(c->a, c->side), *center = test_floats(a_pad / ATTUNE_CENTER_STEP, c->side);
    struct attune_fold_args args = {.u = u, .a = c->a, .a_pad = a_pad,
                                    .fold = test_floats(a_pad, c->side), .center = center,
                                    .scale = test_floats(1, c->side),
                                    .largest = test_floats(1, c->side)};
    fill(c, u);
    *args.scale = *args.largest = UNTOUCHED;
    kernel->run.fold(&args);
    struct folded want = find_scale(u, c->a);
    check_terms(&args, &want);
    if (*args.scale != want.scale) test_case_fail("scale is %.9g", (double)*args.scale);
    if (*args.largest != want.largest) test_case_fail("largest is %.9g", (double)*args.largest);
    test_case_end();
}

void test_fold(const struct attune_kernel *kernel)
{
    static const float special[] = {0.0f, NAN, INFINITY, -INFINITY, 0x1p101f, 1e-40f};
    for (int64_t a = 1; a <= 40; a += a < 20 ? 1 : 5)
        for (int side = 0; side < TEST_SIDES; side++)
            run_fold(kernel, &(struct fold_case){a, 1.5f, a % 2 == 0, 0, (enum test_side)side});
    for (size_t i = 0; i < sizeof special / sizeof *special; i++)
        run_fold(kernel, &(struct fold_case){37, 1.0f, 1, special[i], TEST_AT_END});
    run_fold(kernel, &(struct fold_case){200, 0x1p-99f, 0, 0, TEST_AT_END});
    run_fold(kernel, &(struct fold_case){200, 0x1p-104f, 0, 0, TEST_AT_END});
    run_fold(kernel, &(struct fold_case){200, 0x1p104f, 0, 0, TEST_AT_END});
    run_fold(kernel, &(struct fold_case){9, 0.0f, 0, 0, TEST_AT_END});
}
