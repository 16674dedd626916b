/* SPDX-License-Identifier: Apache-2.0
 *
 * The check of the fused kernel.
 */
#include <float.h>
#include <math.h>
#include <stddef.h>

#include "tuner/selftest_kit.h"

#define U ATTUNE_SELFTEST_U

/* Column c of row i by the definition, and how far float32 may be from it. */
static double tile_oracle(const struct attune_tile_args *args, int64_t width, int64_t i, int64_t c,
                          double *bound)
{
    double sum = 0, weight = 0, value = 0, size = 0, peak = -DBL_MAX;
    for (int pass = 0; pass < 2; pass++)
        for (int64_t j = 0; j < args->n && j < args->last[i]; j++) {
            double s = 0, terms = 0;
            for (int64_t t = 0; t < args->d; t++) {
                const double product = (double)args->q[i * args->ldq + t] *
                                       (double)args->k[(j / width * args->d + t) * width + j % width];
                s += product;
                terms += fabs(product);
            }
            if (pass == 0) {
                peak = fmax(peak, s);
                size = fmax(size, terms);
                continue;
            }
            const double p = exp2((double)args->factor * (s - peak));
            const double v = (double)args->v[c / width * args->panel_stride + j * args->ldv + c % width];
            sum += p;
            value += p * v;
            weight += p * fabs(v);
        }
    const double error = 2 * (double)args->factor * (double)(args->d + 3) * U * size;
    *bound = weight * (error + (double)(args->n + 40) * U) + 0x1p-120;
    return sum > 0 ? value : 0;
}

static void tile_case(struct attune_check *check, int64_t m, int64_t n, int64_t d, int64_t e)
{
    const int64_t width = check->kernel->width, lds = attune_check_round_up(n, ATTUNE_KEY_STEP);
    const int64_t panel = attune_check_round_up(n, width) * d;
    int64_t first[64] = {0}, last[64];
    attune_check_begin(check);
    float *k = attune_check_floats(check, panel, 1);
    for (int64_t j = n; j < attune_check_round_up(n, width); j++)
        for (int64_t t = 0; t < d; t++)
            k[(j / width * d + t) * width + j % width] = 0;
    struct attune_tile_args args = {
        .q = attune_check_floats(check, m * d, 1), .ldq = d, .m = m, .k = k, .d = d, .n = n,
        .v = attune_check_floats(check, n * attune_check_round_up(e, width), 1), .ldv = width,
        .panel_stride = n * width, .e = e, .first = first, .last = last, .limit_stride = 1,
        .factor = 0.8f, .row_max = attune_check_floats(check, m, 0),
        .row_sum = attune_check_floats(check, m, 0), .o = attune_check_floats(check, m * (e + 1), 0),
        .ldo = e + 1, .scratch = attune_check_floats(check, 2 * check->kernel->rows * lds, 0), .lds = lds};
    for (int64_t i = 0; i < m; i++) {
        last[i] = i % 2 ? n : n - i / 2;
        args.row_max[i] = -FLT_MAX;
        args.row_sum[i] = 0;
        for (int64_t c = 0; c < e; c++)
            args.o[i * args.ldo + c] = 0;
    }
    check->kernel->run.tile(&args);
    for (int64_t i = 0; i < m; i++) {
        for (int64_t c = 0; c < e; c++) {
            double bound;
            const double want = tile_oracle(&args, width, i, c, &bound);
            attune_check_near(check, args.o[i * args.ldo + c], want, bound, "o", i, c);
        }
        attune_check_untouched(check, args.o[i * args.ldo + e], "beyond o", i, e);
    }
}

void attune_check_tile(struct attune_check *check)
{
    const int64_t rows = check->kernel->rows, width = check->kernel->width;
    tile_case(check, 1, width, 5, width);
    tile_case(check, rows, 2 * width + 3, 8, width + 1);
    tile_case(check, 2 * rows + 1, 3 * width, 17, 2 * width);
}
