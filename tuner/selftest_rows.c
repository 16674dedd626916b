/* SPDX-License-Identifier: Apache-2.0
 *
 * Checks of the kernels that read keys and values where they lie, of any type.
 */
#include <math.h>
#include <string.h>

#include "tuner/selftest_kit.h"

#define U ATTUNE_SELFTEST_U

enum { KEYS = 37, COLUMNS = 137, STRIDE = COLUMNS + 3 };

static void score_case(struct attune_check *check, int64_t m, int64_t n, int64_t d, int scaled)
{
    const struct attune_kernel *kernel = check->kernel;
    const int64_t lds = attune_check_round_up(n, ATTUNE_KEY_STEP);
    attune_check_begin(check);
    const struct attune_check_source k = attune_check_source(check, KEYS * STRIDE);
    const float *q = attune_check_floats(check, m * d, 1);
    const float *scale = scaled ? attune_check_floats(check, n, 2) : NULL;
    float *s = attune_check_floats(check, m * lds, 0);
    const struct attune_score_rows_args args = {q, d, m, k.src, STRIDE, scale, n, d, s, lds};
    kernel->run.score_rows(&args);
    const double roundings = (double)d / kernel->lanes + log2(kernel->lanes) + 3;
    for (int64_t i = 0; i < m; i++) {
        for (int64_t j = 0; j < n; j++) {
            const double factor = scaled ? (double)scale[j] : 1;
            double sum = 0, size = 0;
            for (int64_t t = 0; t < d; t++) {
                const double term = (double)q[i * d + t] * k.value[j * STRIDE + t] * factor;
                sum += term;
                size += fabs(term);
            }
            attune_check_near(check, s[i * lds + j], sum, roundings * U * size + 0x1p-140, "score", i, j);
        }
        for (int64_t j = attune_check_round_up(n, kernel->width); j < lds; j++)
            attune_check_untouched(check, s[i * lds + j], "beyond score", i, j);
    }
}

void attune_check_score_rows(struct attune_check *check)
{
    const int64_t rows = check->kernel->rows, m[] = {1, rows - 1, rows, 2 * rows + 2};
    const int64_t n[] = {1, 16, KEYS}, d[] = {1, 16, 64, COLUMNS};
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 3; j++)
            score_case(check, m[i], n[j], d[(i + j) % 4], j % 2);
}

static void wsum_case(struct attune_check *check, int64_t m, int64_t n, int64_t e, int scaled)
{
    const int64_t ldo = e + 3;
    attune_check_begin(check);
    const struct attune_check_source v = attune_check_source(check, KEYS * STRIDE);
    const float *p = attune_check_floats(check, m * n, 1), *alpha = attune_check_floats(check, m, 1);
    const float *scale = scaled ? attune_check_floats(check, n, 2) : NULL;
    const float *before = attune_check_floats(check, m * ldo, 1);
    float *o = attune_check_floats(check, m * ldo, 0);
    for (int64_t i = 0; i < m; i++)
        memcpy(o + i * ldo, before + i * ldo, (size_t)e * sizeof *o);
    const struct attune_wsum_rows_args args = {p, n, m, v.src, STRIDE, scale, n, e, alpha, o, ldo};
    check->kernel->run.wsum_rows(&args);
    for (int64_t i = 0; i < m; i++) {
        for (int64_t c = 0; c < e; c++) {
            double sum = (double)alpha[i] * (double)before[i * ldo + c], size = fabs(sum);
            for (int64_t j = 0; j < n; j++) {
                const double weight = (double)p[i * n + j] * (scaled ? (double)scale[j] : 1);
                sum += weight * v.value[j * STRIDE + c];
                size += fabs(weight * v.value[j * STRIDE + c]);
            }
            attune_check_near(check, o[i * ldo + c], sum, (double)(n + 3) * U * size + 0x1p-140, "sum", i,
                              c);
        }
        for (int64_t c = e; c < ldo; c++)
            attune_check_untouched(check, o[i * ldo + c], "beyond sum", i, c);
    }
}

void attune_check_wsum_rows(struct attune_check *check)
{
    const int64_t rows = check->kernel->rows, m[] = {1, rows - 1, rows, 2 * rows + 2};
    const int64_t n[] = {1, 17, KEYS}, e[] = {1, 16, 64, COLUMNS};
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 3; j++)
            wsum_case(check, m[i], n[j], e[(i + j) % 4], j % 2);
}
