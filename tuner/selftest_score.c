/* SPDX-License-Identifier: Apache-2.0
 *
 * Checks of the kernels that make scores: dot, tanh with its expansions, the LSTM's step.
 */
#include <math.h>

#include "tuner/selftest_kit.h"

#define U ATTUNE_SELFTEST_U

/* ---- score_dot ---- */

static void dot_case(struct attune_check *check, int64_t m, int64_t n, int64_t d)
{
    const struct attune_kernel *kernel = check->kernel;
    const int64_t lds = attune_check_round_up(n, ATTUNE_KEY_STEP), width = kernel->width;
    const int64_t written = attune_check_round_up(n, width);
    attune_check_begin(check);
    const float *q = attune_check_floats(check, m * d, 1);
    const float *k = attune_check_floats(check, attune_check_round_up(n, width) * d, 1);
    float *s = attune_check_floats(check, m * lds, 0);
    const struct attune_score_dot_args args = {q, d, m, k, n, d, s, lds};
    kernel->run.score_dot(&args);
    for (int64_t i = 0; i < m; i++) {
        for (int64_t j = 0; j < n; j++) {
            double sum = 0, size = 0;
            for (int64_t t = 0; t < d; t++) {
                const float key = k[j / width * d * width + t * width + j % width];
                const double term = (double)q[i * d + t] * (double)key;
                sum += term;
                size += fabs(term);
            }
            attune_check_near(check, s[i * lds + j], sum, (double)(d + 3) * U * size, "score", i, j);
        }
        for (int64_t j = written; j < lds; j++)
            attune_check_untouched(check, s[i * lds + j], "beyond score", i, j);
    }
}

void attune_check_score_dot(struct attune_check *check)
{
    const int64_t rows = check->kernel->rows, width = check->kernel->width;
    const int64_t m[] = {1, rows, rows + 1, 2 * rows + 1}, n[] = {1, width, 2 * width + 3, 200};
    const int64_t d[] = {1, 7, 64, 67};
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++)
            dot_case(check, m[i], n[j], d[(i + j) % 4]);
}

/* ---- fold and expand ---- */

static void fold_case(struct attune_check *check, int64_t a)
{
    const int64_t a_pad = attune_check_round_up(a, ATTUNE_TERM_STEP), blocks = a_pad / ATTUNE_CENTER_STEP;
    float scale, largest, most = 0;
    double least = 1;
    attune_check_begin(check);
    float *u = attune_check_floats(check, a, 3), *fold = attune_check_floats(check, a_pad + 1, 0);
    float *center = attune_check_floats(check, blocks + 1, 0);
    u[a / 2] = a > 2 ? 0 : u[a / 2]; /* dropped */
    const struct attune_fold_args args = {u, a, a_pad, fold, center, &scale, &largest};
    check->kernel->run.fold(&args);
    for (int64_t t = 0; t < a; t++)
        most = fmaxf(most, fabsf(u[t]));
    attune_check_near(check, scale, (double)most, 0, "scale", 0, 0);
    for (int64_t block = 0; block < blocks; block++) {
        double sum = 0, size = 0;
        for (int64_t t = block * ATTUNE_CENTER_STEP; t < (block + 1) * ATTUNE_CENTER_STEP; t++) {
            const double w = t < a ? (double)u[t] / (double)most : 0;
            const int kept = fabs(w) > (double)ATTUNE_FOLD_LEAST;
            attune_check_near(check, fold[t], kept ? 1 / w : (double)ATTUNE_FOLD_DROPPED,
                              kept ? 3 * U / fabs(w) : 0, "fold", t, 0);
            least = kept ? fmin(least, fabs(w)) : least;
            sum += kept ? w / 2 : 1 / (double)ATTUNE_FOLD_DROPPED;
            size += fabs(w);
        }
        attune_check_near(check, center[block], sum, 6 * U * size + 0x1p-50, "center", block, 0);
    }
    attune_check_near(check, largest, 1 / least, 3 * U / least, "largest", 0, 0);
    attune_check_untouched(check, fold[a_pad], "beyond fold", a_pad, 0);
    attune_check_untouched(check, center[blocks], "beyond center", blocks, 0);
}

void attune_check_fold(struct attune_check *check)
{
    for (int64_t a = 1; a < 80; a += 13)
        fold_case(check, a);
}

/* e^(2x) within 1.5 ulp, times the fold. */
static void check_expanded(struct attune_check *check, float got, float x, float fold, int64_t i,
                           int64_t t)
{
    const int dropped = fabsf(fold) == ATTUNE_FOLD_DROPPED;
    const double want = dropped ? 0 : exp(2.0 * (double)x) * (double)fold;
    attune_check_near(check, got, want, fabs(want) * 0x1.2p-22, "expanded", i, t);
}

void attune_check_expand_rows(struct attune_check *check)
{
    enum { N = 3 };
    for (int64_t a = 1; a < 40; a += 5) {
        const int64_t a_pad = attune_check_round_up(a, ATTUNE_TERM_STEP);
        attune_check_begin(check);
        const float *x = attune_check_floats(check, N * a, 9);
        float *fold = attune_check_floats(check, a, 2), *dst = attune_check_floats(check, N * a_pad, 0);
        float peak[N];
        fold[a / 2] = ATTUNE_FOLD_DROPPED;
        const struct attune_expand_rows_args args = {x, a, N, a, a_pad, fold, dst, a_pad, peak};
        check->kernel->run.expand_rows(&args);
        for (int64_t i = 0; i < N; i++) {
            float largest = 0;
            for (int64_t t = 0; t < a_pad; t++)
                check_expanded(check, dst[i * a_pad + t], t < a ? x[i * a + t] : 0,
                               t < a ? fold[t] : ATTUNE_FOLD_DROPPED, i, t);
            for (int64_t t = 0; t < a; t++)
                largest = fmaxf(largest, fabsf(x[i * a + t]));
            attune_check_near(check, peak[i], (double)largest, 0, "peak", i, 0);
        }
    }
}

void attune_check_expand_panels(struct attune_check *check)
{
    enum { WIDTH = 16, N = 2 * WIDTH - 3 };
    for (int64_t a = 1; a < 12; a += 5) {
        const int64_t a_pad = attune_check_round_up(a, ATTUNE_TERM_STEP), size = 2 * WIDTH * a_pad;
        attune_check_begin(check);
        float *before = attune_check_floats(check, size, 9);
        float *panels = attune_check_floats(check, size, 0), *peak = attune_check_floats(check, N, 0);
        for (int64_t at = 0; at < size; at++)
            panels[at] = before[at] = at / WIDTH % a_pad < a ? before[at] : 0;
        const struct attune_expand_panels_args args = {panels, N, a, a_pad, WIDTH, peak};
        check->kernel->run.expand_panels(&args);
        for (int64_t j = 0; j < N; j++) {
            float largest = 0;
            for (int64_t t = 0; t < a; t++) {
                const int64_t at = (j / WIDTH * a_pad + t) * WIDTH + j % WIDTH;
                largest = fmaxf(largest, fabsf(before[at]));
                check_expanded(check, panels[at], before[at], 1, j, t);
            }
            attune_check_near(check, peak[j], (double)largest, 0, "peak", j, 0);
        }
    }
}

/* ---- score_tanh and score_direct ---- */

/* Sum of u tanh(x + y), the size of its terms, and the error of a plain float32 evaluation. */
static double tanh_sum(const float *x, const float *y, const float *u, int64_t a, double *size,
                       double *plain)
{
    double sum = 0;
    float rounded = 0;
    *size = 0;
    for (int64_t t = 0; t < a; t++) {
        sum += (double)u[t] * tanh((double)x[t] + (double)y[t]);
        *size += fabs((double)u[t]);
        rounded += u[t] * (float)tanh((double)(x[t] + y[t]));
    }
    *plain = fabs((double)rounded - sum);
    return sum;
}

static void make_fold(const float *u, int64_t a, int64_t a_pad, float scale, float *fold, float *center)
{
    for (int64_t t = 0; t < a_pad; t++) {
        fold[t] = t < a ? scale / u[t] : ATTUNE_FOLD_DROPPED;
        if (t % ATTUNE_CENTER_STEP == 0)
            center[t / ATTUNE_CENTER_STEP] = 0;
        center[t / ATTUNE_CENTER_STEP] += t < a ? u[t] / scale / 2 : 1 / ATTUNE_FOLD_DROPPED;
    }
}

static void tanh_case(struct attune_check *check, int64_t m, int64_t n, int64_t a)
{
    const int64_t width = check->kernel->width, a_pad = attune_check_round_up(a, ATTUNE_TERM_STEP);
    const int64_t lds = attune_check_round_up(n, ATTUNE_KEY_STEP);
    const int64_t keys = attune_check_round_up(n, width);
    attune_check_begin(check);
    const float *x = attune_check_floats(check, m * a, 2), *y = attune_check_floats(check, n * a, 2);
    float *u = attune_check_floats(check, a, 1), *fold = attune_check_floats(check, a_pad, 1);
    float *center = attune_check_floats(check, a_pad / ATTUNE_CENTER_STEP + 1, 1);
    float *q = attune_check_floats(check, m * a_pad, 1), *k = attune_check_floats(check, keys * a_pad, 1);
    float *s = attune_check_floats(check, m * lds, 0);
    for (int64_t t = 0; t < a; t++)
        u[t] = copysignf(0.25f + 0.75f * fabsf(u[t]), u[t]);
    make_fold(u, a, a_pad, 1, fold, center);
    for (int64_t at = 0; at < m * a_pad; at++)
        q[at] = at % a_pad < a ? expf(2 * x[at / a_pad * a + at % a_pad]) * fold[at % a_pad] : 0;
    for (int64_t at = 0; at < keys * a_pad; at++) {
        const int64_t j = at / (a_pad * width) * width + at % width, t = at / width % a_pad;
        k[at] = j < n && t < a ? expf(2 * y[j * a + t]) : 0;
    }
    const struct attune_score_tanh_args args = {q, a_pad, m, k, n, a_pad, fold, center, 1, s, lds};
    check->kernel->run.score_tanh(&args);
    for (int64_t i = 0; i < m; i++) {
        double largest = 0, size, plain;
        for (int64_t j = 0; j < n; j++) {
            (void)tanh_sum(x + i * a, y + j * a, u, a, &size, &plain);
            largest = fmax(largest, plain);
        }
        for (int64_t j = 0; j < n; j++)
            attune_check_near(check, s[i * lds + j],
                              tanh_sum(x + i * a, y + j * a, u, a, &size, &plain),
                              4 * largest + 8 * U * size, "score", i, j);
        for (int64_t j = keys; j < lds; j++)
            attune_check_untouched(check, s[i * lds + j], "beyond score", i, j);
    }
}

void attune_check_score_tanh(struct attune_check *check)
{
    const int64_t rows = check->kernel->rows, width = check->kernel->width;
    const int64_t m[] = {1, rows + 1, 2 * rows + 1}, n[] = {1, width, 2 * width + 3}, a[] = {3, 16, 65};
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++)
            tanh_case(check, m[i], n[j], a[(i + j) % 3]);
}

void attune_check_score_direct(struct attune_check *check)
{
    enum { N = 5 };
    for (int64_t a = 1; a < 40; a += 7) {
        attune_check_begin(check);
        const float *x = attune_check_floats(check, a, 4), *y = attune_check_floats(check, N * a, 4);
        const float *u = attune_check_floats(check, a, 1);
        float *s = attune_check_floats(check, 2 * N, 0);
        const struct attune_score_direct_args args = {x, y, a, N, a, u, s, 2};
        check->kernel->run.score_direct(&args);
        for (int64_t j = 0; j < N; j++) {
            double size, plain;
            const double want = tanh_sum(x, y + j * a, u, a, &size, &plain);
            attune_check_near(check, s[2 * j], want, 4 * plain + (double)(a + 6) * U * size, "score", j, 0);
            attune_check_untouched(check, s[2 * j + 1], "between scores", j, 0);
        }
    }
}

/* ---- lstm ---- */

static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

/* Sum of one gate of a unit, and the rounding it may have. */
static double gate_sum(const struct attune_lstm_args *args, int64_t width, int64_t i, int64_t unit,
                       int gate, double *error)
{
    const int64_t at = unit / width * 4 * width + gate * width + unit % width;
    const double x = (double)args->x[i * args->ldx + at], y = (double)args->y[at];
    double sum = x + y, size = fabs(x) + fabs(y);
    for (int64_t k = 0; k < args->n; k++) {
        const int64_t row = (unit / width * args->n + k) * 4 + gate;
        const double term =
            (double)args->h_in[i * args->ldh + k] * (double)args->r[row * width + unit % width];
        sum += term;
        size += fabs(term);
    }
    *error = size * (double)(args->n + 2) * U;
    return sum;
}

/* A sigmoid moves by a quarter of its argument's error, tanh by all of it. */
static void check_unit(struct attune_check *check, const struct attune_lstm_args *args,
                       const float *before, int64_t i, int64_t unit)
{
    double gate[4], error[4];
    for (int g = 0; g < 4; g++)
        gate[g] = gate_sum(args, check->kernel->width, i, unit, g, &error[g]);
    const int64_t at = i * args->ldh + unit;
    const double was = (double)before[at];
    const double cell = sigmoid(gate[1]) * was + sigmoid(gate[0]) * tanh(gate[2]);
    const double cell_error = fabs(was) * (error[1] / 4 + 8 * U) + error[0] / 4 + error[2] + 12 * U;
    attune_check_near(check, args->c[at], cell, cell_error, "c", i, unit);
    attune_check_near(check, args->h_out[at], sigmoid(gate[3]) * tanh(cell),
                      cell_error + error[3] / 4 + 12 * U, "h", i, unit);
}

/* From the hidden states as they came out. */
static void check_column(struct attune_check *check, const struct attune_lstm_args *args, int64_t i)
{
    const int64_t width = check->kernel->width;
    double score = 0, error = 0;
    for (int64_t t = 0; t < args->a_pad; t++) {
        double sum = (double)args->bias[t], size = fabs(sum);
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
    attune_check_near(check, args->s[i * args->lds], score, error, "score", i, 0);
}

void attune_check_lstm(struct attune_check *check)
{
    const int64_t width = check->kernel->width;
    for (int64_t m = 1; m <= 2 * check->kernel->rows + 1; m += check->kernel->rows) {
        const int64_t n = 2 * width, a = 3 * width, ldx = 4 * n, size = m * n;
        attune_check_begin(check);
        float *before = attune_check_floats(check, size, 2), *c = attune_check_floats(check, size, 1);
        struct attune_lstm_args args = {
            .x = attune_check_floats(check, m * ldx, 2), .ldx = ldx, .m = m,
            .y = attune_check_floats(check, ldx, 2),
            .r = attune_check_floats(check, 4 * n * n, 2.0f / (float)n), .n = n, .n_pad = n,
            .h_in = attune_check_floats(check, size, 1), .h_out = attune_check_floats(check, size, 0),
            .c = c, .ldh = n, .w = attune_check_floats(check, a * n, 2.0f / (float)n),
            .u = attune_check_floats(check, a, 1), .bias = attune_check_floats(check, a, 1),
            .a_pad = a, .s = attune_check_floats(check, 2 * m, 0), .lds = 2};
        for (int64_t i = 0; i < size; i++)
            c[i] = before[i];
        check->kernel->run.lstm(&args);
        for (int64_t i = 0; i < m; i++) {
            for (int64_t unit = 0; unit < n; unit++)
                check_unit(check, &args, before, i, unit);
            check_column(check, &args, i);
            attune_check_untouched(check, args.s[2 * i + 1], "between scores", i, 0);
        }
    }
}
