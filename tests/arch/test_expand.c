/* SPDX-License-Identifier: Apache-2.0
 *
 * expand_rows and expand_panels against float64: values, padding, dropped terms, peaks, every NaN.
 */
#include <math.h>
#include <string.h>

#include "kernel_tests.h"

static const float UNTOUCHED = -77.0f;

static int64_t round_up(int64_t n, int64_t step)
{
    return (n + step - 1) / step * step;
}

/* e^(2x) within 1.5 ulp and the product with the fold; outside +-43 the value is unspecified. */
static int near_expanded(float got, float x, float fold)
{
    if (fabsf(fold) == ATTUNE_FOLD_DROPPED) return got == 0.0f;
    if (!(fabsf(x) <= 43.0f)) return isnan(x) ? isnan(got) : 1;
    const double want = exp(2.0 * (double)x) * (double)fold;
    return test_near(got, want, fabs(want) * 0x1.2p-22);
}

static int is_peak(float peak, const float *x, int64_t stride, int64_t a)
{
    float want = 0.0f;
    for (int64_t t = 0; t < a; t++) {
        if (isnan(x[t * stride])) return isnan(peak);
        want = fmaxf(want, fabsf(x[t * stride]));
    }
    return peak == want;
}

struct rows_case {
    int64_t n, a;
    enum test_fill fill;
    int fold, in_place;
    enum test_side side;
};

static void check_row(const struct attune_expand_rows_args *args, const float *x, int64_t i)
{
    const float *dst = args->dst + i * args->ldd;
    for (int64_t t = 0; t < args->a; t++)
        if (!near_expanded(dst[t], x[t], args->fold ? args->fold[t] : 1.0f))
            test_case_fail("[%d][%d] is %.9g of %.9g", (int)i, (int)t, (double)dst[t], (double)x[t]);
    for (int64_t t = args->a; t < args->a_pad; t++)
        if (dst[t] != 0.0f) test_case_fail("padding [%d][%d] is not 0", (int)i, (int)t);
    for (int64_t t = args->a_pad; i + 1 < args->n && t < args->ldd; t++)
        if (dst[t] != UNTOUCHED) test_case_fail("wrote between rows %d", (int)i);
    if (!is_peak(args->peak[i], x, 1, args->a))
        test_case_fail("peak[%d] is %g", (int)i, (double)args->peak[i]);
}

static void run_rows(const struct attune_kernel *kernel, const struct rows_case *c)
{
    test_case_begin(kernel, "n %d, a %d, %s, fold %d, in place %d, side %d", (int)c->n, (int)c->a,
                    test_fill_name(c->fill), c->fold, c->in_place, (int)c->side);
    const int64_t a_pad = round_up(c->a, ATTUNE_TERM_STEP), ldd = a_pad + 1, ldx = c->a + 3;
    const int64_t size = c->n > 0 ? (c->n - 1) * ldd + a_pad : 0;
    float *x = test_floats(c->n > 0 ? (c->n - 1) * ldx + c->a : 0, c->side);
    float *fold = test_floats(c->a, c->side);
    if (c->n > 0) test_fill_floats(x, (c->n - 1) * ldx + c->a, c->fill);
    test_fill_floats(fold, c->a, TEST_NORMAL);
    for (int64_t t = 2; t < c->a; t += 5) fold[t] = ATTUNE_FOLD_DROPPED;
    struct attune_expand_rows_args args = {.x = x, .ldx = ldx, .n = c->n, .a = c->a, .a_pad = a_pad,
                                           .fold = c->fold ? fold : NULL,
                                           .dst = test_floats(size, c->side), .ldd = ldd,
                                           .peak = test_floats(c->n, c->side)};
    for (int64_t at = 0; at < size; at++) args.dst[at] = UNTOUCHED;
    if (c->in_place) {
        for (int64_t i = 0; i < c->n; i++)
            memcpy(args.dst + i * ldd, x + i * ldx, (size_t)c->a * sizeof *x);
        args.x = args.dst;
        args.ldx = ldd;
    }
    kernel->run.expand_rows(&args);
    for (int64_t i = 0; i < c->n; i++) check_row(&args, x + i * ldx, i);
    test_case_end();
}

void test_expand_rows(const struct attune_kernel *kernel)
{
    const int64_t lanes = kernel->lanes, n[] = {0, 1, 3};
    const int64_t a[] = {1, 2, lanes - 1, lanes, lanes + 1, 2 * lanes + 3, 100};
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 7; j++)
            for (int option = 0; option < 4; option++) {
                const struct rows_case c = {n[i], a[j], TEST_NORMAL, option & 1, option >> 1,
                                            (enum test_side)((i + j) % 2)};
                if (a[j] > 0) run_rows(kernel, &c);
            }
    for (int fill = 0; fill < TEST_FILLS; fill++) {
        const struct rows_case c = {3, 3 * lanes + 1, (enum test_fill)fill, fill % 2, 0, TEST_AT_END};
        run_rows(kernel, &c);
    }
}

static void run_panels(const struct attune_kernel *kernel, int64_t n, int64_t a, int64_t width,
                       enum test_fill fill, enum test_side side)
{
    test_case_begin(kernel, "n %d, a %d, width %d, %s, side %d", (int)n, (int)a, (int)width,
                    test_fill_name(fill), (int)side);
    const int64_t a_pad = round_up(a, ATTUNE_TERM_STEP), size = round_up(n, width) * a_pad;
    float *before = test_floats(size, side);
    struct attune_expand_panels_args args = {.panels = test_floats(size, side), .n = n, .a = a,
                                             .a_pad = a_pad, .width = width,
                                             .peak = test_floats(n, side)};
    test_fill_floats(before, size, fill);
    for (int64_t at = 0; at < size; at++)
        if (at / width % a_pad >= a || at / (a_pad * width) * width + at % width >= n) before[at] = 0;
    memcpy(args.panels, before, (size_t)size * sizeof *before);
    kernel->run.expand_panels(&args);
    for (int64_t at = 0; at < size; at++) {
        const int64_t t = at / width % a_pad, j = at / (a_pad * width) * width + at % width;
        const float got = args.panels[at];
        if (t < a && j < n ? !near_expanded(got, before[at], 1.0f) : !isfinite(got))
            test_case_fail("key %d, term %d is %.9g of %.9g", (int)j, (int)t, (double)got,
                           (double)before[at]);
    }
    for (int64_t j = 0; j < n; j++)
        if (!is_peak(args.peak[j], before + j / width * width * a_pad + j % width, width, a))
            test_case_fail("peak[%d] is %g", (int)j, (double)args.peak[j]);
    test_case_end();
}

void test_expand_panels(const struct attune_kernel *kernel)
{
    const int64_t widths[] = {8, 16, 24, 64, 1, 3}, a[] = {1, 4, 7, 18};
    for (int w = 0; w < (kernel->lanes == 1 ? 6 : 4); w++)
        for (int i = 0; i < 4; i++) {
            const int64_t n[] = {0, 1, widths[w] - 1, widths[w], widths[w] + 1, 2 * widths[w] + 3};
            for (int j = 0; j < 6; j++)
                run_panels(kernel, n[j], a[i], widths[w], TEST_NORMAL, (enum test_side)((i + j) % 2));
        }
    for (int fill = 0; fill < TEST_FILLS; fill++)
        run_panels(kernel, 21, 9, 16, (enum test_fill)fill, TEST_AT_START);
}
