/* SPDX-License-Identifier: Apache-2.0
 *
 * Checks of the kernels around the scores: packing, masks, softmax, weighted sums, merging.
 */
#include <float.h>
#include <math.h>
#include <string.h>

#include "tuner/selftest_kit.h"

#define U ATTUNE_SELFTEST_U

/* ---- pack ---- */

static double half_value(uint16_t bits)
{
    const int exponent = bits >> 10 & 31;
    const double fraction = bits & 1023;
    const double magnitude = exponent == 0 ? ldexp(fraction, -24) : ldexp(1024 + fraction, exponent - 25);
    return bits & 0x8000 ? -magnitude : magnitude;
}

/* Floats of the check's memory that begin at a multiple of 16 bytes. */
static void *take_aligned(struct attune_check *check, int64_t count)
{
    check->used = (check->used + 3) / 4 * 4;
    return attune_check_floats(check, count, 0);
}

struct attune_check_source attune_check_source(struct attune_check *check, int64_t count)
{
    const float *numbers = attune_check_floats(check, count, 1);
    void *const src = take_aligned(check, count);
    double *const value = take_aligned(check, 2 * count);
    for (int64_t i = 0; i < count; i++) {
        const uint16_t bits = (uint16_t)lrintf(32767 * (1 + numbers[i]));
        const uint32_t wide = (uint32_t)(bits & 0xbfff) << 16; /* a finite bfloat16 */
        float brain;
        memcpy(&brain, &wide, sizeof brain);
        switch (check->kernel->dtype) {
        case ATTUNE_PACK_F32:
            ((float *)src)[i] = numbers[i];
            value[i] = (double)numbers[i];
            break;
        case ATTUNE_PACK_F16:
            ((uint16_t *)src)[i] = bits & 0xbbff; /* finite too */
            value[i] = half_value(bits & 0xbbff);
            break;
        case ATTUNE_PACK_BF16:
            ((uint16_t *)src)[i] = (uint16_t)(wide >> 16);
            value[i] = (double)brain;
            break;
        default:
            ((int8_t *)src)[i] = (int8_t)(bits >> 8);
            value[i] = (int8_t)(bits >> 8);
        }
    }
    return (struct attune_check_source){src, value};
}

enum { PACKED_ROWS = 37, PACKED_COLUMNS = 21, PACKED_WIDTH = 16 };

/* Conversions are exact; with a scale one product is rounded. */
static void check_packed(struct attune_check *check, float got, double value, const float *scale,
                         int64_t j, int64_t t)
{
    const double want = scale != NULL ? value * (double)scale[j] : value;
    attune_check_near(check, got, want, scale != NULL ? fabs(want) * U + 0x1p-149 : 0, "packed", j, t);
}

void attune_check_pack_keys(struct attune_check *check)
{
    enum { D = PACKED_COLUMNS, D_PAD = D + 3, KEYS = 48 };
    for (int scaled = 0; scaled < 2; scaled++) {
        attune_check_begin(check);
        const struct attune_check_source k = attune_check_source(check, PACKED_ROWS * D);
        const float *scale = scaled ? attune_check_floats(check, PACKED_ROWS, 2) : NULL;
        float *dst = attune_check_floats(check, KEYS * D_PAD, 0);
        const struct attune_pack_keys_args args = {k.src, D,     scale,        1,  PACKED_ROWS,
                                                   D,     D_PAD, PACKED_WIDTH, dst};
        check->kernel->run.pack_keys(&args);
        for (int64_t j = 0; j < KEYS; j++)
            for (int64_t t = 0; t < D_PAD; t++) {
                const int inside = j < PACKED_ROWS && t < D;
                check_packed(check,
                             dst[(j / PACKED_WIDTH * D_PAD + t) * PACKED_WIDTH + j % PACKED_WIDTH],
                             inside ? k.value[j * D + t] : 0, inside ? scale : NULL, j, t);
            }
    }
}

void attune_check_pack_values(struct attune_check *check)
{
    enum { E = PACKED_COLUMNS, PANELS = 2, STRIDE = PACKED_ROWS * PACKED_WIDTH };
    for (int scaled = 0; scaled < 2; scaled++) {
        attune_check_begin(check);
        const struct attune_check_source v = attune_check_source(check, PACKED_ROWS * E);
        const float *scale = scaled ? attune_check_floats(check, PACKED_ROWS, 2) : NULL;
        float *dst = attune_check_floats(check, PANELS * STRIDE, 0);
        const struct attune_pack_values_args args = {v.src,        E,      scale, 1, PACKED_ROWS, E,
                                                     PACKED_WIDTH, STRIDE, dst};
        check->kernel->run.pack_values(&args);
        for (int64_t j = 0; j < PACKED_ROWS; j++)
            for (int64_t c = 0; c < PANELS * PACKED_WIDTH; c++)
                check_packed(check, dst[c / PACKED_WIDTH * STRIDE + j * PACKED_WIDTH + c % PACKED_WIDTH],
                             c < E ? v.value[j * E + c] : 0, c < E ? scale : NULL, j, c);
    }
}

/* ---- adjust, softmax, weights ---- */

void attune_check_adjust(struct attune_check *check)
{
    enum { N = 53 };
    const float softcaps[] = {0, 2.5f};
    for (int cap = 0; cap < 2; cap++) {
        attune_check_begin(check);
        const float *before = attune_check_floats(check, N, 5), scale = -0.75f;
        float *bias = attune_check_floats(check, N, 3), *s = attune_check_floats(check, N, 0);
        uint8_t mask[N];
        for (int64_t j = 0; j < N; j++) {
            s[j] = before[j];
            mask[j] = j % 5 != 2;
            bias[j] = j % 7 == 3 ? -INFINITY : bias[j];
        }
        const struct attune_adjust_args args = {s, N, scale, softcaps[cap], bias, mask};
        if (check->kernel->run.adjust(&args) == 0)
            attune_check_near(check, 0, 1, 0, "attended", 0, 0);
        for (int64_t j = 0; j < N; j++) {
            const double c = (double)softcaps[cap], raw = (double)before[j] * (double)scale;
            const double score = c > 0 ? c * tanh(raw / c) : raw;
            const double want = mask[j] ? score + (double)bias[j] : -(double)INFINITY;
            attune_check_near(check, s[j], want, 12 * U * (fabs(raw) + fabs((double)bias[j])), "score", j, 0);
        }
    }
}

/* 2 ulp of the exponential, its argument off by two roundings; below 2^-126 it runs to zero. */
static double exp2_bound(double x)
{
    return exp2(x) * (0x1p-22 + 1.4 * fabs(x) * U) + 0x1p-126;
}

static void check_softmax_row(struct attune_check *check, const struct attune_softmax_args *args,
                              const float *before, float max_before, float sum_before, int64_t i)
{
    const double c = (double)args->factor;
    float peak = max_before;
    for (int64_t j = 0; j < args->n; j++)
        peak = fmaxf(peak, before[j]);
    attune_check_near(check, args->row_max[i], (double)peak, 0, "max", i, 0);
    const double shift = c * ((double)max_before - (double)peak);
    attune_check_near(check, args->alpha[i], shift < -127 ? 0 : exp2(shift), exp2_bound(shift), "alpha",
                      i, 0);
    double sum = (double)sum_before * (double)args->alpha[i];
    for (int64_t j = 0; j < args->n; j++) {
        const double x = c * ((double)before[j] - (double)peak);
        attune_check_near(check, args->s[i * args->lds + j], x < -127.1 ? 0 : exp2(x), exp2_bound(x), "p",
                          i, j);
        sum += (double)args->s[i * args->lds + j];
    }
    attune_check_near(check, args->row_sum[i], sum, (double)(args->n + 3) * U * sum, "sum", i, 0);
}

void attune_check_softmax(struct attune_check *check)
{
    enum { M = 3 };
    const int64_t n[] = {1, 15, 64, 201};
    for (int k = 0; k < 4; k++) {
        const int64_t lds = attune_check_round_up(n[k], ATTUNE_KEY_STEP);
        attune_check_begin(check);
        float *before = attune_check_floats(check, M * lds, 20), *s = attune_check_floats(check, M * lds, 0);
        float row_max[M] = {-FLT_MAX, 30, -30}, row_sum[M] = {0, 3.25f, 3.25f}, alpha[M];
        const float max_before[M] = {-FLT_MAX, 30, -30};
        before[0] = -INFINITY;
        before[n[k] - 1] = 1; /* some key is attended */
        memcpy(s, before, (size_t)(M * lds) * sizeof *s);
        const struct attune_softmax_args args = {s, lds, M, n[k], 1.4426950f, row_max, row_sum, alpha};
        check->kernel->run.softmax(&args);
        for (int64_t i = 0; i < M; i++)
            check_softmax_row(check, &args, before + i * lds, max_before[i], i == 0 ? 0 : 3.25f, i);
    }
}

void attune_check_weights(struct attune_check *check)
{
    enum { N = 53 };
    attune_check_begin(check);
    float *s = attune_check_floats(check, N, 8), *w = attune_check_floats(check, N + 1, 0);
    const float factor = 1.5f, sum = 7;
    s[4] = -INFINITY;
    const struct attune_weights_args args = {s, N, factor, 8, sum, w};
    check->kernel->run.weights(&args);
    for (int64_t j = 0; j < N; j++) {
        const double x = (double)factor * ((double)s[j] - 8);
        attune_check_near(check, w[j], exp2(x) / (double)sum,
                          (exp2_bound(x) + 2 * U * exp2(x)) / (double)sum, "weight", j, 0);
    }
    attune_check_untouched(check, w[N], "beyond weights", N, 0);
}

/* ---- wsum, merge, finish ---- */

static void wsum_case(struct attune_check *check, int64_t m, int64_t n, int64_t e)
{
    const int64_t width = check->kernel->width, ldo = e + 3;
    const int64_t panels = attune_check_round_up(e, width) / width, stride = n * width;
    attune_check_begin(check);
    const float *p = attune_check_floats(check, m * n, 1);
    const float *v = attune_check_floats(check, panels * stride, 1);
    const float *alpha = attune_check_floats(check, m, 1), *before = attune_check_floats(check, m * ldo, 1);
    float *o = attune_check_floats(check, m * ldo, 0);
    for (int64_t i = 0; i < m; i++)
        memcpy(o + i * ldo, before + i * ldo, (size_t)e * sizeof *o);
    const struct attune_wsum_args args = {p, n, m, v, width, stride, n, e, alpha, o, ldo};
    check->kernel->run.wsum(&args);
    for (int64_t i = 0; i < m; i++) {
        for (int64_t c = 0; c < e; c++) {
            double sum = (double)alpha[i] * (double)before[i * ldo + c], size = fabs(sum);
            for (int64_t j = 0; j < n; j++) {
                const double term =
                    (double)p[i * n + j] * (double)v[c / width * stride + j * width + c % width];
                sum += term;
                size += fabs(term);
            }
            attune_check_near(check, o[i * ldo + c], sum, (double)(n + 2) * U * size, "sum", i, c);
        }
        for (int64_t c = e; c < ldo; c++)
            attune_check_untouched(check, o[i * ldo + c], "beyond sum", i, c);
    }
}

void attune_check_wsum(struct attune_check *check)
{
    const int64_t rows = check->kernel->rows, width = check->kernel->width;
    const int64_t m[] = {1, rows, 2 * rows + 1}, n[] = {1, 17, 100}, e[] = {1, width, 2 * width + 3};
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++)
            wsum_case(check, m[i], n[j], e[(i + j) % 3]);
}

void attune_check_merge(struct attune_check *check)
{
    enum { PARTS = 3, E = 37, STRIDE = E + 3 };
    attune_check_begin(check);
    const float *o = attune_check_floats(check, PARTS * STRIDE, 1);
    const float row_max[PARTS] = {1.5f, -FLT_MAX, 3.25f}, row_sum[PARTS] = {2, 0, 5}, factor = 1.25f;
    float *out = attune_check_floats(check, E + 1, 0), max, sum;
    const struct attune_merge_args args = {PARTS, row_max, row_sum, 1, factor, o, STRIDE, E, &max, &sum, out};
    check->kernel->run.merge(&args);
    const double weight[PARTS] = {exp2(1.25 * (1.5 - 3.25)), 0, 1};
    attune_check_near(check, max, 3.25, 0, "max", 0, 0);
    attune_check_near(check, sum, 2 * weight[0] + 5, 8 * U * 7, "sum", 0, 0);
    for (int64_t c = 0; c < E; c++) {
        double want = 0, size = 0;
        for (int64_t part = 0; part < PARTS; part++) {
            want += weight[part] * (double)o[part * STRIDE + c];
            size += fabs(weight[part] * (double)o[part * STRIDE + c]);
        }
        attune_check_near(check, out[c], want, 10 * U * size, "merged", c, 0);
    }
    attune_check_untouched(check, out[E], "beyond merged", E, 0);
}

void attune_check_finish(struct attune_check *check)
{
    enum { E = 37 };
    attune_check_begin(check);
    float *o = attune_check_floats(check, E, 4), *out = attune_check_floats(check, E + 1, 0);
    const float sum = 3.7f;
    uint8_t flawed = 1;
    struct attune_finish_args args = {o, E, 1, E, &sum, -2.5f, out, E, &flawed};
    check->kernel->run.finish(&args);
    attune_check_near(check, flawed, 0, 0, "flawed", 0, 0);
    for (int64_t c = 0; c < E; c++) {
        const double want = (double)o[c] / (double)sum * (double)args.scale;
        attune_check_near(check, out[c], want, 3 * U * fabs(want), "out", c, 0);
    }
    attune_check_untouched(check, out[E], "beyond out", E, 0);
    o[E / 2] = NAN;
    check->kernel->run.finish(&args);
    attune_check_near(check, flawed, 1, 0, "flawed by NaN", 0, 0);
}

/* ---- probes ---- */

/* Probes of arithmetic have no result but how much they did. */
static void check_work(struct attune_check *check, double work)
{
    if (!(work > 0))
        attune_check_near(check, (float)work, 1, 0, "work", 0, 0);
}

void attune_check_probe_fma(struct attune_check *check)
{
    check_work(check, check->kernel->run.probe_fma(10));
}

void attune_check_probe_tanh(struct attune_check *check)
{
    check_work(check, check->kernel->run.probe_tanh(10));
}

void attune_check_probe_exp(struct attune_check *check)
{
    check_work(check, check->kernel->run.probe_exp(10));
}

void attune_check_probe_read(struct attune_check *check)
{
    enum { N = 4096 };
    attune_check_begin(check);
    const float *buffer = attune_check_floats(check, N, 1);
    const double bytes = check->kernel->run.probe_read(buffer, N, 2);
    if (!(bytes > 0 && bytes <= 2.0 * N * sizeof(float)))
        attune_check_near(check, (float)bytes, 2.0 * N * sizeof(float), 0, "bytes", 0, 0);
}
