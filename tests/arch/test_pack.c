/* SPDX-License-Identifier: Apache-2.0
 *
 * pack_keys and pack_values element by element, every source type; and the probes' arithmetic.
 */
#include <math.h>
#include <string.h>

#include "kernel_tests.h"

struct pack_case {
    int64_t n, d, width, pad; /* columns e for values; pad: terms beyond d, for keys */
    int scaled;
    enum test_side side;
};

struct pack_source {
    void *src;
    int64_t stride;
    float *scale;
};

static int64_t round_up(int64_t n, int64_t step)
{
    return (n + step - 1) / step * step;
}

/* Random bits: every class of number of every type turns up. */
static void make_source(const struct attune_kernel *kernel, const struct pack_case *c,
                        struct pack_source *s)
{
    const size_t element = test_typed_size(kernel->dtype);
    s->stride = c->d + 3;
    const size_t size = c->n > 0 ? (size_t)((c->n - 1) * s->stride + c->d) * element : 0;
    unsigned char *bytes = test_take(size, c->side);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (unsigned char)(test_random() * 256.0f);
    s->src = bytes;
    s->scale = NULL;
    if (!c->scaled) return;
    s->scale = test_floats(c->n > 0 ? 2 * c->n - 1 : 0, c->side);
    for (int64_t j = 0; j < c->n; j++)
        s->scale[2 * j] = j % 5 == 4 ? INFINITY : test_random();
}

static void check_element(const struct attune_kernel *kernel, const struct pack_source *s, int64_t j,
                          int64_t t, int real, float got)
{
    float want = 0.0f;
    if (real) {
        want = test_typed_value(kernel->dtype, s->src, j * s->stride + t);
        if (s->scale) want *= s->scale[2 * j];
    }
    if (!test_same_bits(&got, &want, 1) && !(isnan(got) && isnan(want)))
        test_case_fail("row %d, column %d is %.9g, not %.9g", (int)j, (int)t, (double)got,
                       (double)want);
}

static void run_keys(const struct attune_kernel *kernel, const struct pack_case *c)
{
    struct pack_source s;
    const int64_t d_pad = c->d + c->pad, keys = round_up(c->n, c->width);
    test_case_begin(kernel, "n %d, d %d + %d, width %d, scaled %d, side %d", (int)c->n, (int)c->d,
                    (int)c->pad, (int)c->width, c->scaled, (int)c->side);
    make_source(kernel, c, &s);
    float *dst = test_floats(keys * d_pad, c->side);
    const struct attune_pack_keys_args args = {s.src, s.stride, s.scale, 2, c->n, c->d, d_pad,
                                               c->width, dst};
    kernel->run.pack_keys(&args);
    for (int64_t j = 0; j < keys; j++)
        for (int64_t t = 0; t < d_pad; t++)
            check_element(kernel, &s, j, t, j < c->n && t < c->d,
                          dst[j / c->width * d_pad * c->width + t * c->width + j % c->width]);
    test_case_end();
}

void test_pack_keys(const struct attune_kernel *kernel)
{
    const int64_t lanes = kernel->lanes;
    const int64_t widths[] = {8, 16, 24, 32, 48, 64, lanes == 1 ? 3 : 40};
    for (int w = 0; w < 7; w++) {
        const int64_t width = widths[w];
        const int64_t n[] = {0, 1, width - 1, width, width + 1, 2 * width + 3};
        const int64_t d[] = {1, lanes - 1, lanes, lanes + 1, 2 * lanes + 3, 0};
        for (int i = 0; i < 6; i++)
            for (int j = 0; j < 6; j++) {
                if (test_small && (i + j + w) % 5) continue;
                struct pack_case c = {n[i], d[j], width, (i + j) % 4, (i + j + w) % 2,
                                      (enum test_side)(i % 2)};
                run_keys(kernel, &c);
            }
    }
}

static void run_values(const struct attune_kernel *kernel, const struct pack_case *c)
{
    struct pack_source s;
    const int64_t panels = (c->d + c->width - 1) / c->width, panel_stride = c->n * c->width + 2;
    test_case_begin(kernel, "n %d, e %d, width %d, scaled %d, side %d", (int)c->n, (int)c->d,
                    (int)c->width, c->scaled, (int)c->side);
    make_source(kernel, c, &s);
    float *dst = test_floats(panels > 0 ? panels * panel_stride - 2 : 0, c->side);
    const struct attune_pack_values_args args = {s.src, s.stride, s.scale, 2, c->n, c->d, c->width,
                                                 panel_stride, dst};
    kernel->run.pack_values(&args);
    for (int64_t j = 0; j < c->n; j++)
        for (int64_t column = 0; column < panels * c->width; column++)
            check_element(kernel, &s, j, column, column < c->d,
                          dst[column / c->width * panel_stride + j * c->width + column % c->width]);
    test_case_end();
}

void test_pack_values(const struct attune_kernel *kernel)
{
    const int64_t lanes = kernel->lanes;
    const int64_t widths[] = {1, lanes, lanes + 3, 2 * lanes, 4 * lanes};
    for (int w = 0; w < 5; w++) {
        const int64_t width = widths[w];
        const int64_t e[] = {0, 1, width - 1, width, width + 1, 2 * width + 3, lanes + 1};
        for (int i = 0; i < 7; i++) {
            struct pack_case c = {i == 3 ? 0 : i + 1, e[i], width, 0, (i + w) % 2,
                                  (enum test_side)((i + w) / 2 % 2)};
            run_values(kernel, &c);
        }
    }
}

static void test_arithmetic(const struct attune_kernel *kernel, double (*run)(int64_t repeats))
{
    test_case_begin(kernel, "work grows with repeats");
    const double one = run(1);
    if (!(one > 0) || run(3) != 3 * one) test_case_fail("%g operations", one);
    test_case_end();
}

void test_probe_fma(const struct attune_kernel *kernel)
{
    test_arithmetic(kernel, kernel->run.probe_fma);
}

void test_probe_tanh(const struct attune_kernel *kernel)
{
    test_arithmetic(kernel, kernel->run.probe_tanh);
}

void test_probe_exp(const struct attune_kernel *kernel)
{
    test_arithmetic(kernel, kernel->run.probe_exp);
}

void test_probe_read(const struct attune_kernel *kernel)
{
    for (int64_t n = 0; n < 700; n += 173) {
        test_case_begin(kernel, "n %d", (int)n);
        float *buffer = test_floats(n, TEST_AT_END);
        memset(buffer, 0, (size_t)n * sizeof *buffer);
        const double bytes = kernel->run.probe_read(buffer, n, 2);
        if (bytes > 8.0 * (double)n || bytes < 8.0 * (double)(n - 12 * kernel->lanes))
            test_case_fail("%g bytes", bytes);
        test_case_end();
    }
}
