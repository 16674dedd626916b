/* SPDX-License-Identifier: Apache-2.0
 *
 * score_tanh and score_direct against float64. score_tanh is held to the error of a plain float32
 * evaluation of the row, 4 times its largest, with a few units of 2^-24 of sum |u| beside it.
 */
#include <float.h>
#include <math.h>
#include <string.h>

#include "kernel_tests.h"

static const float UNTOUCHED = -77.0f;

static int64_t round_up(int64_t n, int64_t step)
{
    return (n + step - 1) / step * step;
}

struct tanh_case {
    int64_t m, n, a;
    float spread; /* of x and y, around +-spread */
    int same_sign, dropped;
    enum test_side side;
};

struct tanh_operands {
    int64_t keys; /* with those that fill the last panel */
    float *x, *y, *u, *q, *k, *fold, *center;
    struct attune_score_tanh_args args;
};

static void random_floats(float *x, int64_t count, float spread)
{
    for (int64_t i = 0; i < count; i++)
        x[i] = (2 * test_random() - 1) * spread;
}

/* The score vector as contract and comment of score_tanh describe it. */
static void make_fold(const struct tanh_case *c, struct tanh_operands *o)
{
    float scale = 0;
    for (int64_t t = 0; t < c->a; t++) {
        o->u[t] = 2 * test_random() - (c->same_sign ? 0.0f : 1.0f);
        if (c->dropped && t % 3 == 1) o->u[t] = 0.0f;
        scale = fmaxf(scale, fabsf(o->u[t]));
    }
    o->args.scale = scale > 0 ? scale : 1.0f;
    for (int64_t t = 0; t < o->args.a_pad; t++) {
        const int kept = t < c->a && fabsf(o->u[t]) > scale * 0x1p-20f;
        o->fold[t] = kept ? o->args.scale / o->u[t] : ATTUNE_FOLD_DROPPED;
        if (t % ATTUNE_CENTER_STEP == 0) o->center[t / ATTUNE_CENTER_STEP] = 0.0f;
        o->center[t / ATTUNE_CENTER_STEP] +=
            kept ? o->u[t] / o->args.scale / 2 : 1 / ATTUNE_FOLD_DROPPED;
    }
}

static void make_operands(const struct attune_kernel *kernel, const struct tanh_case *c,
                          struct tanh_operands *o)
{
    const int64_t a_pad = round_up(c->a, ATTUNE_TERM_STEP), width = kernel->width;
    o->keys = round_up(c->n, width);
    o->x = test_floats(c->m * c->a, c->side);
    o->y = test_floats(c->n * c->a, c->side);
    o->u = test_floats(c->a, c->side);
    o->q = test_floats(c->m * a_pad, c->side);
    o->k = test_floats(o->keys * a_pad, c->side);
    o->fold = test_floats(a_pad, c->side);
    o->center = test_floats((a_pad + ATTUNE_CENTER_STEP - 1) / ATTUNE_CENTER_STEP, c->side);
    const int64_t lds = round_up(c->n, ATTUNE_KEY_STEP);
    o->args = (struct attune_score_tanh_args){
        .q = o->q, .ldq = a_pad, .m = c->m, .k = o->k, .n = c->n, .a_pad = a_pad, .fold = o->fold,
        .center = o->center, .s = test_floats(c->m * lds, c->side), .lds = lds};
    make_fold(c, o);
    random_floats(o->x, c->m * c->a, c->spread);
    random_floats(o->y, c->n * c->a, c->spread);
    for (int64_t at = 0; at < c->m * a_pad; at++) {
        const int64_t t = at % a_pad;
        o->q[at] = o->fold[t] == ATTUNE_FOLD_DROPPED
                       ? 0.0f
                       : (float)exp(2.0 * (double)o->x[at / a_pad * c->a + t]) * o->fold[t];
    }
    for (int64_t at = 0; at < o->keys * a_pad; at++) {
        const int64_t j = at / (a_pad * width) * width + at % width, t = at / width % a_pad;
        o->k[at] = j < c->n && t < c->a ? (float)exp(2.0 * (double)o->y[j * c->a + t]) : 0.0f;
    }
    for (int64_t at = 0; at < c->m * lds; at++)
        o->args.s[at] = UNTOUCHED;
}

static double oracle(const float *x, const float *y, const float *u, int64_t a, double *size)
{
    double sum = 0;
    *size = 0;
    for (int64_t t = 0; t < a; t++) {
        const double term = (double)u[t] * tanh((double)x[t] + (double)y[t]);
        sum += term;
        *size += fabs(term);
    }
    return sum;
}

/* The largest error in a row of a float32 evaluation in the order of the formula. */
static double plain_error(const struct tanh_case *c, const struct tanh_operands *o, int64_t i)
{
    double largest = 0, size;
    for (int64_t j = 0; j < c->n; j++) {
        const float *x = o->x + i * c->a, *y = o->y + j * c->a;
        float sum = 0.0f;
        for (int64_t t = 0; t < c->a; t++)
            sum += o->u[t] * (float)tanh((double)(x[t] + y[t]));
        largest = fmax(largest, fabs((double)sum - oracle(x, y, o->u, c->a, &size)));
    }
    return largest;
}

static void check_scores(const struct attune_kernel *kernel, const struct tanh_case *c,
                         const struct tanh_operands *o)
{
    double weight = 0, size;
    for (int64_t t = 0; t < c->a; t++)
        weight += fabs((double)o->u[t]);
    for (int64_t i = 0; i < c->m; i++) {
        const double bound = 4 * plain_error(c, o, i) + 8 * 0x1p-24 * weight;
        for (int64_t j = 0; j < c->n; j++) {
            const float got = o->args.s[i * o->args.lds + j];
            const double want = oracle(o->x + i * c->a, o->y + j * c->a, o->u, c->a, &size);
            if (!test_near(got, want, bound))
                test_case_fail("[%d][%d] is %.9g, off by %.1f * 2^-24 sum |u|", (int)i, (int)j,
                               (double)got, fabs((double)got - want) / (0x1p-24 * weight));
        }
        for (int64_t j = round_up(c->n, kernel->width); j < o->args.lds; j++)
            if (o->args.s[i * o->args.lds + j] != UNTOUCHED)
                test_case_fail("wrote past the panel of row %d", (int)i);
    }
}

/* A row alone, and keys from a multiple of ATTUNE_KEY_STEP on alone, have the bits of the whole. */
static void check_alone(const struct attune_kernel *kernel, const struct tanh_case *c,
                        const struct tanh_operands *o)
{
    float *s = test_floats(o->args.lds, TEST_AT_END);
    for (int64_t i = 0; i < c->m; i++)
        for (int64_t first = 0; first < c->n; first += ATTUNE_KEY_STEP) {
            struct attune_score_tanh_args args = o->args;
            args.q += i * args.ldq;
            args.k += first * args.a_pad;
            args.m = 1;
            args.n -= first;
            args.s = s;
            kernel->run.score_tanh(&args);
            if (!test_same_bits(s, o->args.s + i * o->args.lds + first, args.n))
                test_case_fail("row %d, keys from %d alone: other bits", (int)i, (int)first);
        }
}

/* NaN in a row or a key, and denominators that overflow, stay in their own row and column. */
static void check_contained(const struct attune_kernel *kernel, const struct tanh_case *c,
                            struct tanh_operands *o)
{
    const int64_t row = c->m / 2, key = c->n / 2, width = kernel->width;
    float *whole = test_floats(c->m * o->args.lds, TEST_AT_END);
    memcpy(whole, o->args.s, (size_t)(c->m * o->args.lds) * sizeof *whole);
    for (int nan = 0; nan < 2; nan++) {
        o->q[row * o->args.ldq] = nan ? NAN : FLT_MAX;
        o->k[key / width * width * o->args.a_pad + key % width] = nan ? NAN : FLT_MAX;
        kernel->run.score_tanh(&o->args);
        for (int64_t i = 0; i < c->m; i++)
            for (int64_t j = 0; j < c->n; j++) {
                const float got = o->args.s[i * o->args.lds + j];
                if (i != row && j != key
                        ? !test_same_bits(&got, whole + i * o->args.lds + j, 1)
                        : nan && !isnan(got))
                    test_case_fail("[%d][%d] is %g", (int)i, (int)j, (double)got);
            }
    }
}

static void run_tanh(const struct attune_kernel *kernel, const struct tanh_case *c)
{
    struct tanh_operands o;
    test_case_begin(kernel, "m %d, n %d, a %d, spread %g, same sign %d, dropped %d, side %d",
                    (int)c->m, (int)c->n, (int)c->a, (double)c->spread, c->same_sign, c->dropped,
                    (int)c->side);
    make_operands(kernel, c, &o);
    kernel->run.score_tanh(&o.args);
    check_scores(kernel, c, &o);
    if (c->m > 0 && c->n > 0) {
        check_alone(kernel, c, &o);
        check_contained(kernel, c, &o);
    }
    test_case_end();
}

/* The far end of the stated range: |fold| (1 + e^(2 (x + y))) at 2^(120 / terms). */
static void run_reach(const struct attune_kernel *kernel)
{
    const float reach = (float)(120.0 / kernel->terms * 0.34657359 / 2 - 0.35) - 2.6f;
    for (int sign = -1; sign <= 1; sign += 2) {
        struct tanh_case c = {5, kernel->width + 1, 12, 0.0f, 0, 1, TEST_AT_END};
        struct tanh_operands o;
        test_case_begin(kernel, "x + y = %g", 2.0 * sign * (double)reach);
        make_operands(kernel, &c, &o);
        for (int64_t at = 0; at < c.m * o.args.ldq; at++)
            o.q[at] *= (float)exp(2.0 * sign * (double)reach);
        for (int64_t at = 0; at < o.keys * o.args.a_pad; at++)
            o.k[at] *= (float)exp(2.0 * sign * (double)reach);
        for (int64_t at = 0; at < c.m * c.a; at++) o.x[at] = (float)sign * reach;
        for (int64_t at = 0; at < c.n * c.a; at++) o.y[at] = (float)sign * reach;
        kernel->run.score_tanh(&o.args);
        check_scores(kernel, &c, &o);
        test_case_end();
    }
}

void test_score_tanh(const struct attune_kernel *kernel)
{
    const int64_t rows = kernel->rows, width = kernel->width;
    const int64_t m[] = {0, 1, rows - 1, rows, rows + 1, 2 * rows + 3};
    const int64_t n[] = {0, 1, width - 1, width, width + 1, 2 * width + 3,
                         width + kernel->lanes, width / 2 + 1, width + width / 2};
    const int64_t a[] = {1, 3, 4, 5, 16, 19, 64, 257};
    for (int i = 0; i < 6; i++)
        for (int j = 0; j < 9; j++) {
            if (test_small && (i + j) % 3) continue;
            const struct tanh_case c = {m[i], n[j], a[(i + j) % 6], 1.5f, i % 2, j % 2,
                                        (enum test_side)((i + j) % 2)};
            run_tanh(kernel, &c);
        }
    for (int i = 0; i < (test_small ? 6 : 8); i++)
        for (int option = 0; option < 8; option++) {
            const struct tanh_case c = {rows + 1, width + 1, a[i], option & 1 ? 3.0f : 0.5f,
                                        option >> 1 & 1, option >> 2, (enum test_side)(i % 2)};
            run_tanh(kernel, &c);
        }
    const struct tanh_case two_blocks = {2, ATTUNE_KEY_STEP + 5, 9, 1.0f, 0, 0, TEST_AT_END};
    run_tanh(kernel, &two_blocks);
    run_reach(kernel);
}

struct direct_case {
    int64_t n, a;
    float spread;
    enum test_fill fill;
    int64_t s_stride;
    enum test_side side;
};

static void run_direct(const struct attune_kernel *kernel, const struct direct_case *c)
{
    test_case_begin(kernel, "n %d, a %d, spread %g, %s, stride %d, side %d", (int)c->n, (int)c->a,
                    (double)c->spread, test_fill_name(c->fill), (int)c->s_stride, (int)c->side);
    const int64_t ldy = c->a + 2, count = c->n > 0 ? (c->n - 1) * c->s_stride + 1 : 0;
    float *x = test_floats(c->a, c->side), *u = test_floats(c->a, c->side);
    const int64_t elements = c->n > 0 ? (c->n - 1) * ldy + c->a : 0;
    float *y = test_floats(elements, c->side);
    struct attune_score_direct_args args = {.x = x, .y = y, .ldy = ldy, .n = c->n, .a = c->a, .u = u,
                                            .s = test_floats(count, c->side),
                                            .s_stride = c->s_stride};
    test_fill_floats(x, c->a, c->fill);
    test_fill_floats(y, elements, c->fill);
    test_fill_floats(u, c->a, TEST_NORMAL);
    for (int64_t t = 0; t < c->a; t++) x[t] *= c->spread;
    for (int64_t t = 0; t < elements; t++) y[t] *= c->spread;
    for (int64_t at = 0; at < count; at++) args.s[at] = UNTOUCHED;
    kernel->run.score_direct(&args);
    for (int64_t at = 0; at < count; at++) {
        const int64_t j = at / c->s_stride;
        double size, want = oracle(x, y + j * ldy, u, c->a, &size);
        /* x + y is rounded, which moves tanh by 1 unit at most; tanh, the product, the chain, the tree. */
        const double bound = size * 0x1p-24 * (double)(c->a / kernel->lanes + 16) +
                             (double)c->a * 0x1p-148;
        if (at % c->s_stride == 0 ? !test_near(args.s[at], want, bound) : args.s[at] != UNTOUCHED)
            test_case_fail("[%d] is %.9g, not %.9g", (int)at, (double)args.s[at], want);
    }
    for (int64_t j = 0; c->fill == TEST_NORMAL && j < c->n; j++) {
        float alone;
        struct attune_score_direct_args one = args;
        one.y += j * ldy;
        one.n = 1;
        one.s = &alone;
        kernel->run.score_direct(&one);
        if (!test_same_bits(&alone, args.s + j * c->s_stride, 1))
            test_case_fail("key %d alone: other bits", (int)j);
    }
    test_case_end();
}

void test_score_direct(const struct attune_kernel *kernel)
{
    const int64_t lanes = kernel->lanes, n[] = {0, 1, 3, 4, 5, 11};
    const int64_t a[] = {1, 2, lanes - 1, lanes, lanes + 1, 2 * lanes + 3, 100};
    const float spread[] = {1.0f, 1e-3f, 1e-30f, 1e-42f, 8.0f, 1e4f, 1e38f};
    for (int i = 0; i < 6; i++)
        for (int j = 0; j < 7; j++) {
            const struct direct_case c = {n[i], a[j], spread[(i + j) % 7], TEST_NORMAL, 1 + i % 3,
                                          (enum test_side)(j % 2)};
            if (a[j] > 0) run_direct(kernel, &c);
        }
    for (int fill = 0; fill < TEST_FILLS; fill++)
        for (int j = 0; j < 7; j++) {
            const struct direct_case c = {9, 3 * lanes + 2, spread[j], (enum test_fill)fill, 1,
                                          (enum test_side)(j % 2)};
            run_direct(kernel, &c);
        }
}
