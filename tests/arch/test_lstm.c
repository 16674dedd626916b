/* SPDX-License-Identifier: Apache-2.0
 *
 * lstm against float64: states and scores of one step, with and without a state before, rows alone,
 * NaN kept to its row.
 */
#include <math.h>
#include <string.h>

#include "kernel_tests.h"

static const float UNTOUCHED = -77.0f;
static const double U = 0x1p-24;

static int64_t round_up(int64_t n, int64_t step)
{
    return (n + step - 1) / step * step;
}

struct lstm_case {
    int64_t m, n, a;
    float spread; /* of gate inputs */
    int scan, bias, nan;
    enum test_side side;
};

struct lstm_operands {
    float *c_before, *h_alone, *c_alone;
    int64_t width;
    struct attune_lstm_args args;
};

static float *random_floats(int64_t count, float spread, enum test_side side)
{
    float *x = test_floats(count, side);
    for (int64_t i = 0; i < count; i++)
        x[i] = (2 * test_random() - 1) * spread;
    return x;
}

static void clear_padding(float *x, int64_t rows, int64_t stride, int64_t n, int64_t n_pad)
{
    for (int64_t i = 0; i < rows; i++)
        for (int64_t unit = n; unit < n_pad; unit++)
            x[i * stride + unit] = 0.0f;
}

/* Gate inputs and weights of padding units are 0; `stride` floats a vector of units, 4 gates each. */
static void clear_gates(float *x, int64_t vectors, int64_t first_unit, int64_t width, int64_t n)
{
    for (int64_t at = 0; at < vectors * 4 * width; at++)
        if (first_unit + at % width >= n) x[at] = 0.0f;
}

static void make_operands(const struct attune_kernel *kernel, const struct lstm_case *c,
                          struct lstm_operands *o)
{
    const int64_t width = kernel->width, n_pad = round_up(c->n, width), a_pad = round_up(c->a, width);
    const int64_t ldx = 4 * n_pad + 3, ldh = n_pad + 5, lds = 7, rows = c->m > 0 ? c->m - 1 : 0;
    const int64_t held = c->m > 0 ? rows * ldh + n_pad : 0;
    const float near = 1.0f / (float)c->n;
    float *x = random_floats(c->m > 0 ? rows * ldx + 4 * n_pad : 0, c->spread, c->side);
    float *y = random_floats(4 * n_pad, c->spread, c->side);
    float *r = random_floats(4 * n_pad * c->n, 3 * near, c->side);
    float *w = random_floats(a_pad * c->n, 3 * near, c->side);
    float *u = random_floats(a_pad, 1.0f, c->side), *bias = random_floats(a_pad, 1.0f, c->side);
    float *h_in = random_floats(held, 1.0f, c->side);
    o->c_before = random_floats(held, 2.0f, c->side);
    o->h_alone = test_floats(n_pad, TEST_AT_END);
    o->c_alone = test_floats(n_pad, TEST_AT_END);
    o->width = width;
    for (int64_t unit = 0; unit < n_pad; unit += width) {
        clear_gates(y + 4 * unit, 1, unit, width, c->n);
        clear_gates(r + 4 * unit * c->n, c->n, unit, width, c->n);
        for (int64_t i = 0; i < c->m; i++)
            clear_gates(x + i * ldx + 4 * unit, 1, unit, width, c->n);
    }
    for (int64_t at = 0; at < a_pad * c->n; at++)
        if (at / (c->n * width) * width + at % width >= c->a) w[at] = 0.0f;
    for (int64_t t = c->a; t < a_pad; t++) u[t] = bias[t] = 0.0f;
    clear_padding(h_in, c->m, ldh, c->n, n_pad);
    clear_padding(o->c_before, c->m, ldh, c->n, n_pad);
    if (c->nan && c->m > 0) x[c->m / 2 * ldx] = NAN;
    o->args = (struct attune_lstm_args){
        .x = x, .ldx = ldx, .m = c->m, .y = y, .r = c->scan ? r : NULL, .n = c->n, .n_pad = n_pad,
        .h_in = c->scan ? h_in : NULL, .h_out = test_floats(held, c->side),
        .c = test_floats(held, c->side), .ldh = ldh, .w = w, .u = u,
        .bias = c->bias ? bias : NULL, .a_pad = a_pad,
        .s = test_floats(c->m > 0 ? rows * lds + 1 : 0, c->side), .lds = lds};
    for (int64_t at = 0; at < held; at++) o->args.h_out[at] = UNTOUCHED;
    for (int64_t at = 0; at < held; at++)
        o->args.c[at] = c->scan || at % ldh >= n_pad ? o->c_before[at] : NAN;
    for (int64_t at = 0; at < rows * lds; at++) o->args.s[at] = UNTOUCHED;
}

/* Sum of one gate of a unit, and the rounding it may have. */
static double gate_sum(const struct lstm_operands *o, int64_t i, int64_t unit, int gate, double *error)
{
    const struct attune_lstm_args *args = &o->args;
    const int64_t width = o->width, at = unit / width * 4 * width + gate * width + unit % width;
    double sum = (double)args->x[i * args->ldx + at] + (double)args->y[at];
    double size = fabs((double)args->x[i * args->ldx + at]) + fabs((double)args->y[at]);
    for (int64_t k = 0; args->r && k < args->n; k++) {
        const int64_t row = unit / width * args->n + k;
        const double term = (double)args->h_in[i * args->ldh + k] *
                            (double)args->r[(row * 4 + gate) * width + unit % width];
        sum += term;
        size += fabs(term);
    }
    *error = size * (double)(args->n + 2) * U;
    return sum;
}

static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

/* A sigmoid moves by a quarter of its argument's error, tanh by all of it. */
static void check_unit(const struct lstm_operands *o, int64_t i, int64_t unit)
{
    double gate[4], error[4];
    for (int g = 0; g < 4; g++)
        gate[g] = gate_sum(o, i, unit, g, error + g);
    const int64_t at = i * o->args.ldh + unit;
    const double before = o->args.r ? (double)o->c_before[at] : 0;
    const double cell = sigmoid(gate[1]) * before + sigmoid(gate[0]) * tanh(gate[2]);
    const double cell_error = fabs(before) * (error[1] / 4 + 8 * U) + error[0] / 4 + error[2] + 12 * U;
    if (!test_near(o->args.c[at], cell, cell_error))
        test_case_fail("c[%d][%d] is %.9g, not %.9g", (int)i, (int)unit, (double)o->args.c[at], cell);
    const double hidden = sigmoid(gate[3]) * tanh(cell);
    if (!test_near(o->args.h_out[at], hidden, cell_error + error[3] / 4 + 12 * U))
        test_case_fail("h[%d][%d] is %.9g, not %.9g", (int)i, (int)unit, (double)o->args.h_out[at],
                       hidden);
}

/* From the hidden states as they came out. */
static void check_score(const struct lstm_operands *o, int64_t i)
{
    const struct attune_lstm_args *args = &o->args;
    const int64_t width = o->width;
    double score = 0, error = 0;
    for (int64_t t = 0; t < args->a_pad; t++) {
        double sum = args->bias ? (double)args->bias[t] : 0, size = fabs(sum);
        for (int64_t k = 0; k < args->n; k++) {
            const double term = (double)args->h_out[i * args->ldh + k] *
                                (double)args->w[(t / width * args->n + k) * width + t % width];
            sum += term;
            size += fabs(term);
        }
        score += (double)args->u[t] * tanh(sum);
        error += fabs((double)args->u[t]) * (size * (double)(args->n + 2) * U + 6 * U);
    }
    error += error * (double)args->a_pad * U + (double)args->a_pad * (double)args->a_pad * U;
    if (!test_near(args->s[i * args->lds], score, error))
        test_case_fail("s[%d] is %.9g, not %.9g", (int)i, (double)args->s[i * args->lds], score);
}

static void check_gaps(const struct lstm_operands *o, int64_t i)
{
    const struct attune_lstm_args *args = &o->args;
    for (int64_t unit = args->n; unit < args->n_pad; unit++)
        if (!isfinite(args->h_out[i * args->ldh + unit]) || !isfinite(args->c[i * args->ldh + unit]))
            test_case_fail("padding unit of row %d is not finite", (int)i);
    for (int64_t at = args->n_pad; i + 1 < args->m && at < args->ldh; at++)
        if (args->h_out[i * args->ldh + at] != UNTOUCHED ||
            args->c[i * args->ldh + at] != o->c_before[i * args->ldh + at])
            test_case_fail("wrote between states %d", (int)i);
    for (int64_t at = 1; i + 1 < args->m && at < args->lds; at++)
        if (args->s[i * args->lds + at] != UNTOUCHED) test_case_fail("wrote between scores %d", (int)i);
}

static void check_alone(const struct attune_kernel *kernel, const struct lstm_operands *o, int64_t i)
{
    struct attune_lstm_args one = o->args;
    float s, *h = o->h_alone, *c = o->c_alone;
    memcpy(c, o->c_before + i * one.ldh, (size_t)one.n_pad * sizeof *c);
    one.x += i * one.ldx;
    one.m = 1;
    if (one.h_in) one.h_in += i * one.ldh;
    one.h_out = h;
    one.c = c;
    one.s = &s;
    kernel->run.lstm(&one);
    if (!test_same_bits(h, o->args.h_out + i * one.ldh, one.n_pad) ||
        !test_same_bits(c, o->args.c + i * one.ldh, one.n_pad) ||
        !test_same_bits(&s, o->args.s + i * one.lds, 1))
        test_case_fail("row %d alone: other bits", (int)i);
}

static void run_case(const struct attune_kernel *kernel, const struct lstm_case *c)
{
    struct lstm_operands o;
    test_case_begin(kernel, "m %d, n %d, a %d, spread %g, scan %d, bias %d, NaN %d, side %d",
                    (int)c->m, (int)c->n, (int)c->a, (double)c->spread, c->scan, c->bias, c->nan,
                    (int)c->side);
    make_operands(kernel, c, &o);
    kernel->run.lstm(&o.args);
    for (int64_t i = 0; i < c->m; i++) {
        for (int64_t unit = 0; unit < c->n; unit++)
            check_unit(&o, i, unit);
        check_score(&o, i);
        check_gaps(&o, i);
        if (!c->nan) check_alone(kernel, &o, i);
    }
    test_case_end();
}

void test_lstm(const struct attune_kernel *kernel)
{
    const int64_t rows = kernel->rows, width = kernel->width;
    const int64_t m[] = {0, 1, rows - 1, rows, rows + 1, 2 * rows + 3};
    const int64_t n[] = {1, 2, width - 1, width, width + 1, 2 * width + 3, 40};
    for (int i = 0; i < 6; i++)
        for (int j = 0; j < 7; j++) {
            if (n[j] == 0 || (test_small && (i + j) % 3)) continue;
            struct lstm_case c = {m[i], n[j], n[(i + j) % 7], 2.0f, (i + j) % 4 != 3, j % 2, 0,
                                  (enum test_side)(j % 2)};
            if (c.a == 0) c.a = 3;
            run_case(kernel, &c);
        }
    const float spread[] = {1e-30f, 1e-3f, 30.0f, 1e4f, 1e38f};
    for (int i = 0; i < 10; i++) {
        const struct lstm_case c = {rows + 1, width + 3, 5 * width, spread[i / 2], i % 2, i % 3 == 0, 0,
                                    TEST_AT_END};
        run_case(kernel, &c);
    }
    for (int scan = 0; scan < 2; scan++) {
        const struct lstm_case c = {2 * rows + 1, width + 1, width, 1.0f, scan, 0, 1, TEST_AT_END};
        run_case(kernel, &c);
    }
}
