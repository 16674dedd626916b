/* SPDX-License-Identifier: Apache-2.0
 *
 * adjust and weights against float64, and their exact rules for masks, infinities and NaN.
 */
#include <float.h>
#include <math.h>
#include <string.h>

#include "kernel_tests.h"

struct adjust_case {
    int64_t n;
    enum test_fill fill;
    float scale, softcap;
    int bias, mask;
    enum test_side side;
};

/* One score in float64, and the rounding it may have. */
static double adjusted(float s, const struct attune_adjust_args *args, int64_t j, double *bound)
{
    double x = (double)s * (double)args->scale;
    *bound = fabs(x) * 0x1p-24 + 0x1p-149;
    if (args->softcap > 0) {
        x = (double)args->softcap * tanh(x / (double)args->softcap);
        *bound = fabs(x) * 0x1p-20 + 0x1p-140;
    }
    if (args->bias) {
        if (args->bias[j] == -INFINITY || x == -(double)INFINITY) return -(double)INFINITY;
        x += (double)args->bias[j];
        *bound += fabs(x) * 0x1p-24;
        if (x < -(double)FLT_MAX) x = -(double)FLT_MAX;
    }
    return x;
}

static void run_adjust(const struct attune_kernel *kernel, const struct adjust_case *c)
{
    test_case_begin(kernel, "n %d, %s, scale %g, softcap %g, bias %d, mask %d, side %d", (int)c->n,
                    test_fill_name(c->fill), (double)c->scale, (double)c->softcap, c->bias, c->mask,
                    (int)c->side);
    float *before = test_floats(c->n, c->side), *bias = test_floats(c->n, c->side);
    uint8_t *mask = test_take((size_t)c->n, c->side);
    struct attune_adjust_args args = {.s = test_floats(c->n, c->side), .n = c->n, .scale = c->scale,
                                      .softcap = c->softcap, .bias = c->bias ? bias : NULL,
                                      .mask = c->mask ? mask : NULL};
    test_fill_floats(before, c->n, c->fill);
    test_fill_floats(bias, c->n, c->bias > 1 ? TEST_NAN : TEST_NORMAL);
    int some = 0;
    for (int64_t j = 0; j < c->n; j++) {
        if (j % 3 == 1) bias[j] = -INFINITY;
        mask[j] = (uint8_t)(c->mask > 1 ? 0 : j % 2 == 0 ? 0 : j % 256);
        some |= !(args.bias && bias[j] == -INFINITY) && !(args.mask && mask[j] == 0);
    }
    memcpy(args.s, before, (size_t)c->n * sizeof *before);
    const int attended = kernel->run.adjust(&args);
    if ((attended != 0) != some) test_case_fail("returned %d", attended);
    for (int64_t j = 0; j < c->n; j++) {
        double bound = 0, want = -(double)INFINITY;
        if (!(args.mask && mask[j] == 0)) want = adjusted(before[j], &args, j, &bound);
        if (!test_near(args.s[j], want, bound))
            test_case_fail("[%d] is %.9g, not %.9g", (int)j, (double)args.s[j], want);
    }
    test_case_end();
}

/* What only exact values show: a finite bias is never a mask, however large. */
static void run_adjust_rules(const struct attune_kernel *kernel)
{
    const struct {
        float s, scale, softcap, bias, want;
        int attended;
    } rules[] = {
        {-FLT_MAX, 1, 0, -FLT_MAX, -FLT_MAX, 1},   {-INFINITY, 1, 0, 0, -INFINITY, 1},
        {0, 1, 0, -INFINITY, -INFINITY, 0},        {NAN, 1, 0, -INFINITY, -INFINITY, 0},
        {INFINITY, 1, 0, -INFINITY, -INFINITY, 0}, {NAN, 1, 0, 1, NAN, 1},
        {1, 1, 0, NAN, NAN, 1},                    {1e30f, 1e30f, 50, 0, 50, 1},
        {-INFINITY, 1, 30, 1, -29, 1},             {3, 2, 0, INFINITY, INFINITY, 1},
        {FLT_MAX, 1, 0, FLT_MAX, INFINITY, 1}};
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        test_case_begin(kernel, "rule %d", (int)i);
        float *s = test_floats(1, TEST_AT_END), bias = rules[i].bias;
        *s = rules[i].s;
        const struct attune_adjust_args args = {s, 1, rules[i].scale, rules[i].softcap, &bias, NULL};
        if ((kernel->run.adjust(&args) != 0) != rules[i].attended) test_case_fail("attended");
        if (!test_near(*s, (double)rules[i].want, 0)) test_case_fail("gave %.9g", (double)*s);
        test_case_end();
    }
}

void test_adjust(const struct attune_kernel *kernel)
{
    const int64_t lanes = kernel->lanes;
    const int64_t n[] = {0, 1, lanes - 1, lanes, lanes + 1, 2 * lanes + 3, 61, 5 * lanes + 3};
    for (int i = 0; i < 8; i++)
        for (int option = 0; option < 12; option++) {
            const struct adjust_case c = {n[i], TEST_NORMAL, 0.37f, option & 1 ? 1.5f : 0.0f,
                                          option >> 1 & 1, option >> 2, (enum test_side)(i % 2)};
            run_adjust(kernel, &c);
        }
    for (int fill = 0; fill < TEST_FILLS; fill++)
        for (int option = 0; option < 6; option++) {
            const struct adjust_case c = {4 * lanes + 3, (enum test_fill)fill, -1.25f,
                                          option & 1 ? 20.0f : 0.0f, option >> 1, option & 1,
                                          TEST_AT_END};
            run_adjust(kernel, &c);
        }
    run_adjust_rules(kernel);
}

static void run_weights(const struct attune_kernel *kernel, int64_t n, enum test_fill fill,
                        float row_max, float row_sum, int in_place, enum test_side side)
{
    test_case_begin(kernel, "n %d, %s, max %g, sum %g, in place %d, side %d", (int)n,
                    test_fill_name(fill), (double)row_max, (double)row_sum, in_place, (int)side);
    const float factor = 1.4426950f;
    float *s = test_floats(n, side), *before = test_floats(n, side);
    test_fill_floats(before, n, fill);
    for (int64_t j = 0; j < n; j++) {
        if (j % 4 == 3) before[j] = -INFINITY;
        before[j] = fminf(before[j] * 9.0f, row_max); /* fminf drops a NaN */
        if (fill == TEST_NAN && j % 4 == 1) before[j] = NAN;
    }
    memcpy(s, before, (size_t)n * sizeof *s);
    const struct attune_weights_args args = {s, n, factor, row_max, row_sum,
                                             in_place ? s : test_floats(n, side)};
    kernel->run.weights(&args);
    for (int64_t j = 0; j < n; j++) {
        const double x = (double)factor * ((double)before[j] - (double)row_max);
        const double want = before[j] == -INFINITY ? 0 : exp2(x) / (double)row_sum;
        const double bound = want * (0x1.4p-22 + 1.4 * fabs(x) * 0x1p-24) + 0x1p-126;
        if (before[j] == -INFINITY ? args.w[j] != 0.0f : !test_near(args.w[j], want, bound))
            test_case_fail("[%d] is %.9g, not %.9g", (int)j, (double)args.w[j], want);
    }
    test_case_end();
}

void test_weights(const struct attune_kernel *kernel)
{
    const int64_t lanes = kernel->lanes;
    const int64_t n[] = {0, 1, lanes - 1, lanes, lanes + 1, 2 * lanes + 3, 61};
    for (int i = 0; i < 7; i++)
        for (int option = 0; option < 4; option++)
            run_weights(kernel, n[i], TEST_NORMAL, option & 1 ? 9.5f : 0.25f, 3.5f, option >> 1,
                        (enum test_side)(i % 2));
    run_weights(kernel, 4 * lanes + 3, TEST_NAN, 9.5f, NAN, 0, TEST_AT_END);
    run_weights(kernel, 4 * lanes + 3, TEST_NORMAL, 3e38f, 1.0f, 0, TEST_AT_END);
    /* Nothing attended: all weights 0, whatever the sum. */
    test_case_begin(kernel, "an empty row");
    float *s = test_floats(5, TEST_AT_END);
    for (int j = 0; j < 5; j++) s[j] = -INFINITY;
    const struct attune_weights_args args = {s, 5, 1.0f, -FLT_MAX, 0.0f, s};
    kernel->run.weights(&args);
    for (int j = 0; j < 5; j++)
        if (s[j] != 0.0f) test_case_fail("[%d] is %g", j, (double)s[j]);
    test_case_end();
}
