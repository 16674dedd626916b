/* SPDX-License-Identifier: Apache-2.0
 *
 * tile against the three kernels that it stands in for, bit by bit, and against float64: rows and keys
 * that fill no tile, limits of causal and window, every fill, rows alone.
 */
#include <float.h>
#include <math.h>
#include <string.h>

#include "kernel_tests.h"

struct tile_case {
    int64_t m, n, d, e;
    int64_t window; /* keys a row may attend, along a diagonal; 0: all */
    enum test_fill fill;
    enum test_side side;
};

struct tile_operands {
    struct attune_tile_args args;
    int64_t o_size;
    float *o_before, *max_before, *sum_before;
};

static int64_t up(int64_t value, int64_t step)
{
    return (value + step - 1) / step * step;
}

/* Values in panels whose last holds exactly the columns that there are. */
static void make_values(const struct tile_case *c, int64_t width, struct attune_tile_args *args)
{
    const int64_t whole = c->e > 0 ? (c->e - 1) / width : 0, last = c->e - whole * width;
    args->ldv = width;
    args->panel_stride = c->n * width + 1;
    const int64_t size = c->n > 0 && c->e > 0
                             ? whole * args->panel_stride + (c->n - 1) * args->ldv + last : 0;
    float *v = test_floats(size, c->side);
    test_fill_floats(v, size, c->fill);
    args->v = v;
}

/* Keys beyond the last are zero, as pack_keys leaves them. */
static void make_keys(const struct tile_case *c, int64_t width, struct attune_tile_args *args)
{
    const int64_t size = up(c->n, width) * c->d;
    float *k = test_floats(size, c->side);
    test_fill_floats(k, size, c->fill);
    for (int64_t j = c->n; j < up(c->n, width); j++)
        for (int64_t t = 0; t < c->d; t++) k[(j / width * c->d + t) * width + j % width] = 0;
    args->k = k;
}

/* Row i attends `window` keys up to i of them; the last row none. Two numbers a row, as a caller has them
 * in a structure. */
static void make_limits(const struct tile_case *c, struct attune_tile_args *args)
{
    args->key = 1000;
    if (c->window == 0 || c->m == 0) return;
    int64_t *limits = test_take((size_t)(2 * c->m) * sizeof *limits, c->side);
    for (int64_t i = 0; i < c->m; i++) {
        limits[2 * i] = args->key + i * 3 - c->window + 1;
        limits[2 * i + 1] = i + 1 < c->m ? args->key + i * 3 + 1 : limits[2 * i];
    }
    args->first = limits;
    args->last = limits + 1;
    args->limit_stride = 2;
}

static void make_operands(const struct attune_kernel *kernel, const struct tile_case *c,
                          struct tile_operands *o)
{
    struct attune_tile_args *args = &o->args;
    *args = (struct attune_tile_args){.m = c->m, .n = c->n, .d = c->d, .e = c->e, .ldq = c->d + 1,
                                      .ldo = c->e + 3, .lds = up(c->n, ATTUNE_KEY_STEP),
                                      .factor = 0.7f};
    const int64_t q_size = c->m > 0 ? (c->m - 1) * args->ldq + c->d : 0;
    o->o_size = c->m > 0 ? (c->m - 1) * args->ldo + c->e : 0;
    float *q = test_floats(q_size, c->side);
    test_fill_floats(q, q_size, TEST_NORMAL);
    args->q = q;
    make_keys(c, kernel->width, args);
    make_values(c, kernel->width, args);
    make_limits(c, args);
    args->row_max = test_floats(c->m, c->side);
    args->row_sum = test_floats(c->m, c->side);
    args->o = test_floats(o->o_size, c->side);
    args->scratch = test_floats(2 * kernel->rows * args->lds, c->side);
    o->o_before = test_floats(o->o_size, c->side);
    o->max_before = test_floats(c->m, c->side);
    o->sum_before = test_floats(c->m, c->side);
    test_fill_floats(o->o_before, o->o_size, TEST_NORMAL);
    for (int64_t i = 0; i < c->m; i++) {
        o->max_before[i] = i % 3 ? test_random() * 4 : -FLT_MAX;
        o->sum_before[i] = i % 3 ? test_random() * 9 : 0;
    }
    memcpy(args->o, o->o_before, (size_t)o->o_size * sizeof *args->o);
    memcpy(args->row_max, o->max_before, (size_t)c->m * sizeof *args->o);
    memcpy(args->row_sum, o->sum_before, (size_t)c->m * sizeof *args->o);
}

static int attends(const struct attune_tile_args *args, int64_t i, int64_t j)
{
    const int64_t at = i * args->limit_stride;
    return !args->first || (args->key + j >= args->first[at] && args->key + j < args->last[at]);
}

static const struct attune_kernel *sibling(const struct attune_kernel *kernel,
                                           enum attune_operation operation)
{
    for (int i = 0; i < attune_kernel_count(); i++) {
        const struct attune_kernel *other = attune_kernel_at(i);
        const int fits = operation == ATTUNE_OP_SOFTMAX
                             ? other->terms == 2
                             : other->width == kernel->width;
        if (other->operation == operation && fits && strcmp(other->isa, kernel->isa) == 0)
            return other;
    }
    return NULL;
}

/* The three in turn, all rows at once, on copies of what was there before. */
static void check_three(const struct attune_kernel *kernel, const struct tile_operands *o)
{
    const struct attune_tile_args *a = &o->args;
    const struct attune_kernel *dot = sibling(kernel, ATTUNE_OP_SCORE_DOT);
    const struct attune_kernel *softmax = sibling(kernel, ATTUNE_OP_SOFTMAX);
    const struct attune_kernel *wsum = sibling(kernel, ATTUNE_OP_WSUM);
    if (!dot || !softmax || !wsum) {
        test_case_fail("no score_dot, softmax or wsum that it could stand in for");
        return;
    }
    float *s = test_floats(a->m * a->lds, TEST_AT_END), *alpha = test_floats(a->m, TEST_AT_END);
    const struct attune_score_dot_args score = {a->q, a->ldq, a->m, a->k, a->n, a->d, s, a->lds};
    dot->run.score_dot(&score);
    for (int64_t i = 0; i < a->m; i++)
        for (int64_t j = 0; j < a->n; j++)
            if (!attends(a, i, j)) s[i * a->lds + j] = -INFINITY;
    const struct attune_softmax_args raise = {s, a->lds, a->m, a->n, a->factor, o->max_before,
                                              o->sum_before, alpha};
    softmax->run.softmax(&raise);
    const struct attune_wsum_args sum = {s, a->lds, a->m, a->v, a->ldv, a->panel_stride, a->n, a->e,
                                         alpha, o->o_before, a->ldo};
    wsum->run.wsum(&sum);
    if (!test_same_bits(a->row_max, o->max_before, a->m)) test_case_fail("other maxima than the three");
    if (!test_same_bits(a->row_sum, o->sum_before, a->m)) test_case_fail("other sums than the three");
    for (int64_t i = 0; i < a->m; i++)
        if (!test_same_bits(a->o + i * a->ldo, o->o_before + i * a->ldo, a->e))
            test_case_fail("row %d: other bits than the three", (int)i);
}

/* Column c of row i in float64. The bound: scores off by d + 3 roundings in the exponent, the exponential
 * by 2 ulp and its argument's rounding, then a chain of n sums. */
static double oracle(const struct tile_operands *o, int64_t i, int64_t column, int64_t width, double *bound)
{
    const struct attune_tile_args *a = &o->args;
    double s[512], error = 0, peak = (double)o->max_before[i];
    for (int64_t j = 0; j < a->n; j++) {
        double size = 0;
        s[j] = 0;
        for (int64_t t = 0; t < a->d; t++) {
            const float k = a->k[(j / width * a->d + t) * width + j % width];
            s[j] += (double)a->q[i * a->ldq + t] * (double)k;
            size += fabs((double)a->q[i * a->ldq + t] * (double)k);
        }
        error = fmax(error, (double)(a->d + 3) * 0x1p-24 * size);
        if (attends(a, i, j)) peak = fmax(peak, s[j]);
    }
    const double factor = (double)a->factor;
    const double before = exp2(factor * ((double)o->max_before[i] - peak)) *
                          (double)o->o_before[i * a->ldo + column];
    double sum = before, weighed = fabs(before);
    for (int64_t j = 0; j < a->n; j++) {
        if (!attends(a, i, j)) continue;
        const double v = (double)a->v[column / width * a->panel_stride + j * a->ldv + column % width];
        const double p = exp2(factor * (s[j] - peak));
        sum += p * v;
        weighed += p * fabs(v);
    }
    *bound = weighed * (2 * factor * error + 0x1p-21 + 100 * 0x1p-23 + (double)(a->n + 4) * 0x1p-24) +
             0x1p-120;
    return sum;
}

static void check_oracle(const struct attune_kernel *kernel, const struct tile_operands *o)
{
    for (int64_t i = 0; i < o->args.m; i++)
        for (int64_t c = 0; c < o->args.e; c += c < 3 ? 1 : 7) {
            double bound;
            const double want = oracle(o, i, c, kernel->width, &bound);
            const float got = o->args.o[i * o->args.ldo + c];
            if (!test_near(got, want, bound))
                test_case_fail("o[%d][%d] is %.9g, not %.9g +- %.3g", (int)i, (int)c, (double)got, want,
                               bound);
        }
}

static void run_case(const struct attune_kernel *kernel, const struct tile_case *c)
{
    struct tile_operands o;
    test_case_begin(kernel, "m %d, n %d, d %d, e %d, window %d, %s, side %d", (int)c->m, (int)c->n,
                    (int)c->d, (int)c->e, (int)c->window, test_fill_name(c->fill), (int)c->side);
    make_operands(kernel, c, &o);
    kernel->run.tile(&o.args);
    if (c->fill == TEST_NORMAL) check_oracle(kernel, &o);
    check_three(kernel, &o);
    test_case_end();
}

void test_tile(const struct attune_kernel *kernel)
{
    const int64_t rows = kernel->rows, width = kernel->width;
    for (int64_t m = 0; m <= 3 * rows + 1; m++) {
        if (test_small && m % rows > 1) continue;
        struct tile_case c = {m, width + 5, 7, width + 3, 0, TEST_NORMAL, (enum test_side)(m % 2)};
        run_case(kernel, &c);
        c.window = m % 2 ? 1 << 20 : 9; /* causal, and a window */
        run_case(kernel, &c);
    }
    const int64_t n[] = {0, 1, width - 1, width, 2 * width + 1, 131}, e[] = {1, width, 2 * width + 1, 3 * width};
    for (int i = 0; i < 6; i++)
        for (int j = 0; j < 4; j++) {
            if (test_small && (i + j) % 3) continue;
            struct tile_case c = {2 * rows + 1, n[i], 1 + 8 * j, e[j], (i + j) % 2 ? 40 : 0, TEST_NORMAL,
                                  (enum test_side)(i % 2)};
            run_case(kernel, &c);
        }
    for (int fill = 0; fill < TEST_FILLS; fill++)
        for (int side = 0; side < TEST_SIDES; side++) {
            struct tile_case c = {2 * rows + 2, width + 9, 6, width + 2, 0, (enum test_fill)fill,
                                  (enum test_side)side};
            run_case(kernel, &c);
        }
}
