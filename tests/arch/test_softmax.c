/* SPDX-License-Identifier: Apache-2.0
 *
 * softmax, merge and finish against float64: running statistics, exact weights, NaN and infinities.
 */
#include <float.h>
#include <math.h>
#include <string.h>

#include "kernel_tests.h"

struct softmax_case {
    int64_t m, n;
    enum test_fill fill;
    float spread, factor;
    enum test_side side;
};

struct softmax_operands {
    float *before; /* scores before the call */
    float *max_before, *sum_before;
    struct attune_softmax_args args;
};

static int64_t round_up(int64_t n, int64_t step)
{
    return (n + step - 1) / step * step;
}

static void make_operands(const struct softmax_case *c, struct softmax_operands *o)
{
    const int64_t lds = round_up(c->n, ATTUNE_KEY_STEP), size = c->m * lds;
    o->args = (struct attune_softmax_args){
        .s = test_floats(size, c->side), .lds = lds, .m = c->m, .n = c->n, .factor = c->factor,
        .row_max = test_floats(c->m, c->side), .row_sum = test_floats(c->m, c->side),
        .alpha = test_floats(c->m, c->side)};
    o->before = test_floats(size, c->side);
    o->max_before = test_floats(c->m, c->side);
    o->sum_before = test_floats(c->m, c->side);
    test_fill_floats(o->before, size, c->fill);
    for (int64_t at = 0; at < size; at++)
        o->before[at] *= c->spread;
    for (int64_t i = 0; i < c->m; i++) {
        /* A first block, one below what was seen before, and one above. */
        o->max_before[i] = i % 3 == 0 ? -FLT_MAX : (i % 3 == 1 ? 2.0f : -2.0f) * c->spread;
        o->sum_before[i] = i % 3 == 0 ? 0.0f : 3.25f;
    }
    memcpy(o->args.s, o->before, (size_t)size * sizeof *o->before);
    memcpy(o->args.row_max, o->max_before, (size_t)c->m * sizeof(float));
    memcpy(o->args.row_sum, o->sum_before, (size_t)c->m * sizeof(float));
}

/* 2^x as the kernel may give it: 2 ulp, x itself off by two roundings; below 2^-126 it runs to zero. */
static int near_exp2(float got, double x)
{
    if (isnan(x)) return isnan(got);
    if (x < -127.0 * (1 + 0x1p-22)) return got == 0.0f;
    if (x == 0.0) return got == 1.0f;
    return test_near(got, exp2(x), exp2(x) * (0x1p-22 + 2 * 0.7 * fabs(x) * 0x1p-24) + 0x1p-126);
}

static void check_row(const struct attune_kernel *kernel, const struct softmax_operands *o, int64_t i)
{
    const struct attune_softmax_args *args = &o->args;
    const float *s = o->before + i * args->lds, *p = args->s + i * args->lds;
    const double c = (double)args->factor;
    float peak = o->max_before[i];
    for (int64_t j = 0; j < args->n; j++)
        peak = s[j] > peak ? s[j] : peak;
    if (!(args->row_max[i] == peak)) /* an infinity compares; NaN never gets there */
        test_case_fail("row_max[%d] is %g, not %g", (int)i, (double)args->row_max[i], (double)peak);
    const double alpha = c * ((double)o->max_before[i] - (double)peak);
    if (!near_exp2(args->alpha[i], alpha))
        test_case_fail("alpha[%d] is %.9g", (int)i, (double)args->alpha[i]);
    double sum = (double)o->sum_before[i] * (double)args->alpha[i];
    for (int64_t j = 0; j < args->n; j++) {
        if (!near_exp2(p[j], c * ((double)s[j] - (double)peak)))
            test_case_fail("p[%d][%d] is %.9g of %.9g", (int)i, (int)j, (double)p[j], (double)s[j]);
        sum += (double)p[j];
    }
    if (!test_near(args->row_sum[i], sum, (double)(args->n + 3) * 0x1p-24 * sum))
        test_case_fail("row_sum[%d] is %.9g, not %.9g", (int)i, (double)args->row_sum[i], sum);
    for (int64_t j = args->n; j < round_up(args->n, kernel->lanes); j++)
        if (p[j] != 0.0f) test_case_fail("padding [%d][%d] is %g", (int)i, (int)j, (double)p[j]);
}

/* Each row alone gives the same bits; so does a longer row whose further scores are all masked. */
static void check_alone(const struct attune_kernel *kernel, const struct softmax_operands *o)
{
    for (int64_t i = 0; i < o->args.m; i++) {
        float alpha, row_max = o->max_before[i], row_sum = o->sum_before[i];
        float *row = o->before + i * o->args.lds;
        for (int64_t j = o->args.n; j < o->args.lds; j++)
            row[j] = -INFINITY;
        const struct attune_softmax_args args = {row, o->args.lds, 1, o->args.lds, o->args.factor,
                                                 &row_max, &row_sum, &alpha};
        kernel->run.softmax(&args);
        if (!test_same_bits(row, o->args.s + i * o->args.lds, o->args.n) ||
            !test_same_bits(&alpha, o->args.alpha + i, 1) ||
            !test_same_bits(&row_max, o->args.row_max + i, 1) ||
            !test_same_bits(&row_sum, o->args.row_sum + i, 1))
            test_case_fail("row %d alone, masked to its end: other bits", (int)i);
    }
}

static void run_case(const struct attune_kernel *kernel, const struct softmax_case *c)
{
    struct softmax_operands o;
    test_case_begin(kernel, "m %d, n %d, %s times %g, factor %g, side %d", (int)c->m, (int)c->n,
                    test_fill_name(c->fill), (double)c->spread, (double)c->factor, (int)c->side);
    make_operands(c, &o);
    kernel->run.softmax(&o.args);
    for (int64_t i = 0; i < c->m; i++)
        check_row(kernel, &o, i);
    if (c->fill != TEST_NAN && c->fill != TEST_INF) check_alone(kernel, &o);
    test_case_end();
}

/* Scores at the ends of the float range: nothing overflows, equal scores weigh the same. */
static void run_extremes(const struct attune_kernel *kernel)
{
    const float scores[][3] = {{-FLT_MAX, -FLT_MAX, -INFINITY}, {FLT_MAX, FLT_MAX, -FLT_MAX},
                               {-INFINITY, -INFINITY, -INFINITY}, {1e30f, 1e30f, -1e30f}};
    const float want[][3] = {{1, 1, 0}, {1, 1, 0}, {0, 0, 0}, {1, 1, 0}};
    for (size_t row = 0; row < sizeof scores / sizeof scores[0]; row++) {
        test_case_begin(kernel, "scores %g, %g, %g", (double)scores[row][0], (double)scores[row][1],
                        (double)scores[row][2]);
        float *s = test_floats(ATTUNE_KEY_STEP, TEST_AT_END);
        float row_max = -FLT_MAX, row_sum = 0.0f, alpha;
        memcpy(s, scores[row], sizeof scores[row]);
        const struct attune_softmax_args args = {s, ATTUNE_KEY_STEP, 1, 3, 1.4426950f,
                                                 &row_max, &row_sum, &alpha};
        kernel->run.softmax(&args);
        if (!test_same_bits(s, want[row], 3))
            test_case_fail("weights %g, %g, %g", (double)s[0], (double)s[1], (double)s[2]);
        test_case_end();
    }
}

void test_softmax(const struct attune_kernel *kernel)
{
    const int64_t lanes = kernel->lanes;
    const int64_t m[] = {0, 1, 2, lanes - 1, lanes, lanes + 1, 2 * lanes + 3};
    const int64_t n[] = {0, 1, lanes - 1, lanes, lanes + 1, 2 * lanes + 3, 4 * lanes,
                         6 * lanes - 1, ATTUNE_KEY_STEP, ATTUNE_KEY_STEP + 2 * lanes + 3};
    for (int i = 0; i < 7; i++)
        for (int j = 0; j < 10; j++) {
            if (test_small && (i % 3 || j % 2 == 0)) continue;
            struct softmax_case c = {m[i], n[j], TEST_NORMAL, 4.0f, 1.4426950f,
                                     (enum test_side)((i + j) % 2)};
            run_case(kernel, &c);
        }
    for (int fill = 0; fill < TEST_FILLS; fill++)
        for (int side = 0; side < TEST_SIDES; side++) {
            struct softmax_case c = {lanes + 2, 9 * lanes + 1, (enum test_fill)fill,
                                     fill == TEST_NORMAL ? 200.0f : 1.0f, side ? 0.18f : 1.7f,
                                     (enum test_side)side};
            run_case(kernel, &c);
        }
    run_extremes(kernel);
}

/* Rows of partial results with statistics beside them, as the engine lays them out. */
static void run_merge(const struct attune_kernel *kernel, int64_t parts, int64_t e, int nan,
                      enum test_side side)
{
    const int64_t stride = e + 3;
    const double factor = 1.25;
    test_case_begin(kernel, "parts %d, e %d, NaN %d, side %d", (int)parts, (int)e, nan, (int)side);
    float *o = test_floats(parts > 0 ? (parts - 1) * stride + e : 0, side);
    float *stats = test_floats(2 * parts, side), *out = test_floats(e, side);
    float *out_stats = test_floats(2, side);
    if (parts > 0) test_fill_floats(o, (parts - 1) * stride + e, TEST_NORMAL);
    double peak = -(double)FLT_MAX, total = 0;
    for (int64_t p = 0; p < parts; p++) {
        /* The third part saw nothing. */
        stats[2 * p] = p == 2 ? -FLT_MAX : test_random() * 20.0f - 10.0f;
        stats[2 * p + 1] = p == 2 ? 0.0f : 1.0f + test_random();
        for (int64_t c = 0; p == 2 && c < e; c++)
            o[p * stride + c] = 0.0f;
        peak = fmax(peak, (double)stats[2 * p]);
    }
    if (nan && parts > 1 && e > 0) o[stride] = NAN;
    const struct attune_merge_args args = {.parts = parts, .row_max = stats, .row_sum = stats + 1,
                                           .stat_stride = 2, .factor = (float)factor, .o = o,
                                           .o_stride = stride, .e = e, .out_max = out_stats,
                                           .out_sum = out_stats + 1, .out_o = out};
    kernel->run.merge(&args);
    if ((double)out_stats[0] != peak) test_case_fail("the maximum is %g", (double)out_stats[0]);
    for (int64_t p = 0; p < parts; p++)
        total += exp2(factor * ((double)stats[2 * p] - peak)) * (double)stats[2 * p + 1];
    if (!test_near(out_stats[1], total, total * (double)(parts + 20) * 0x1p-23))
        test_case_fail("the sum is %.9g, not %.9g", (double)out_stats[1], total);
    for (int64_t c = 0; c < e; c++) {
        double sum = 0, size = 0;
        for (int64_t p = 0; p < parts; p++) {
            const double term = exp2(factor * ((double)stats[2 * p] - peak)) *
                                (double)o[p * stride + c];
            sum += term;
            size += fabs(term);
        }
        if (!test_near(out[c], sum, size * (double)(parts + 20) * 0x1p-23))
            test_case_fail("o[%d] is %.9g, not %.9g", (int)c, (double)out[c], sum);
    }
    test_case_end();
}

void test_merge(const struct attune_kernel *kernel)
{
    const int64_t lanes = kernel->lanes;
    const int64_t e[] = {0, 1, lanes - 1, lanes, 4 * lanes, 5 * lanes + 3};
    for (int i = 0; i < 6; i++)
        for (int64_t parts = 0; parts < 6; parts++)
            run_merge(kernel, parts, e[i], (int)(parts % 2), (enum test_side)((i + parts) % 2));
}

/* The quotient in float64, a little to either side: in the middle between two floats both are right. */
static int right_quotient(float got, float o, float sum, float scale)
{
    const double want = (double)o / (double)sum;
    return got == (float)(want * (1 + 0x1p-44)) * scale || got == (float)(want * (1 - 0x1p-44)) * scale;
}

/* Rows of which the last has another sum, one float apart from each other. */
static void run_finish(const struct attune_kernel *kernel, int64_t e, enum test_fill fill, float sum,
                       float scale, enum test_side side)
{
    enum { M = 9 }; /* more than a kernel takes together, twice */
    test_case_begin(kernel, "e %d, %s over %g times %g, side %d", (int)e, test_fill_name(fill), (double)sum,
                    (double)scale, (int)side);
    const int64_t size = (M - 1) * (e + 1) + e;
    float *o = test_floats(size, side), *out = test_floats(size, side), *sums = test_floats(M, side);
    uint8_t *flawed = test_take(M, side);
    test_fill_floats(o, size, fill);
    for (int64_t i = 0; i < M; i++) sums[i] = i + 1 < M ? sum : 3.0f;
    for (int64_t at = 0; at < size; at++) out[at] = -77;
    const struct attune_finish_args args = {o, e + 1, M, e, sums, scale, out, e + 1, flawed};
    kernel->run.finish(&args);
    for (int64_t i = 0; i < M; i++) {
        int held = 1;
        for (int64_t c = 0; c < e; c++) {
            const float x = o[i * (e + 1) + c];
            held &= isfinite(x / sums[i] * scale) && fpclassify(x) != FP_SUBNORMAL;
        }
        for (int64_t c = 0; c < e && held; c++)
            if (!right_quotient(out[i * (e + 1) + c], o[i * (e + 1) + c], sums[i], scale))
                test_case_fail("out[%d][%d] is %.9g", (int)i, (int)c, (double)out[i * (e + 1) + c]);
        if (flawed[i] != !held) test_case_fail("flawed[%d] is %d", (int)i, flawed[i]);
        if (i + 1 < M && out[i * (e + 1) + e] != -77.0f) test_case_fail("wrote between rows");
    }
    test_case_end();
}

void test_finish(const struct attune_kernel *kernel)
{
    const int64_t lanes = kernel->lanes;
    const int64_t e[] = {0, 1, lanes - 1, lanes, lanes + 1, 3 * lanes + 2, 150};
    const float sums[] = {1.0f, 3.7f, 0.0f, INFINITY, NAN, 0x1p-110f, 0x1.8p110f};
    for (int i = 0; i < 7; i++)
        for (int fill = 0; fill < TEST_FILLS; fill++)
            run_finish(kernel, e[i], (enum test_fill)fill, sums[(i + fill) % 7], 0.75f,
                       (enum test_side)((i + fill) % 2));
    for (int i = 0; i < 7; i++)
        run_finish(kernel, lanes + 1, TEST_NORMAL, sums[i], 0.75f, TEST_AT_END);
    /* As nearly all rows are: whole vectors, a scale of 1; one of the sums is not from 1 on. */
    for (int64_t vectors = 1; vectors < 6; vectors++)
        for (int fill = 0; fill < TEST_FILLS; fill++)
            for (int i = 0; i < 3; i++)
                run_finish(kernel, vectors * lanes, (enum test_fill)fill, sums[i ? i - 1 : 5], 1.0f,
                           (enum test_side)(fill % 2));
}
