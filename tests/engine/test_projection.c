/* SPDX-License-Identifier: Apache-2.0
 *
 * Dense products: right, and with bits that depend on the row alone, wherever and however it is
 * computed.
 */
#include <criterion/criterion.h>
#include <float.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "engine/projection.h"
#include "engine/threads.h"

static int64_t allocations, live, fail_at = -1;

static void *allocate(void *user, size_t alignment, size_t size)
{
    (void)user;
    void *memory = NULL;
    if (allocations++ == fail_at)
        return NULL;
    live++;
    return posix_memalign(&memory, alignment, size) == 0 ? memory : NULL;
}

static void release(void *user, void *memory)
{
    (void)user;
    live--;
    free(memory);
}

static const struct attune_allocator allocator = {allocate, release, NULL};

static void fill(float *data, int64_t n, uint32_t seed)
{
    for (int64_t i = 0; i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        data[i] = ldexpf((float)(seed >> 8) / 16777216.0f - 0.5f, (int)(seed & 7));
    }
}

struct problem {
    struct attune_projection_shape shape;
    struct attune_projection *projection;
    int64_t rows;
    float *src, *weight, *bias, *dst;
};

static struct problem make(int64_t rows, int64_t inputs, int64_t outputs, int64_t padding,
                           int transposed, int bias)
{
    int64_t length = transposed ? outputs : inputs, lines = transposed ? inputs : outputs;
    struct problem problem = {
        .shape = {inputs, outputs, length + padding, transposed, bias}, .rows = rows};
    const char *max_isa = getenv("ATTUNE_MAX_ISA");
    cr_assert_eq(attune_projection_create(&problem.shape, max_isa, &allocator, &problem.projection),
                 ATTUNE_OK, "%s", attune_error_detail());
    /* Exactly as large as the contract says: the last line of a weight has no padding behind it. */
    int64_t span = (lines - 1) * (length + padding) + length;
    problem.src = malloc((size_t)(rows * inputs) * sizeof(float));
    problem.weight = malloc((size_t)span * sizeof(float));
    problem.bias = malloc((size_t)outputs * sizeof(float));
    problem.dst = malloc((size_t)(rows * outputs) * sizeof(float));
    fill(problem.src, rows * inputs, 1);
    fill(problem.weight, span, 2);
    fill(problem.bias, outputs, 3);
    return problem;
}

static void destroy(struct problem *problem)
{
    attune_projection_release(problem->projection);
    free(problem->src);
    free(problem->weight);
    free(problem->bias);
    free(problem->dst);
}

/* Rows [first, last) into dst, in blocks. */
static void run_rows(const struct problem *problem, int64_t first, int64_t last, float *dst)
{
    const int64_t block = attune_projection_block_rows(problem->projection);
    const int64_t inputs = problem->shape.inputs, outputs = problem->shape.outputs;
    unsigned char *scratch = malloc(attune_projection_scratch_size(problem->projection));
    for (int64_t i = first; i < last; i += block) {
        int64_t rows = last - i < block ? last - i : block;
        enum attune_status status = attune_projection_run(
            problem->projection, problem->src + i * inputs, inputs, problem->weight,
            problem->shape.bias ? problem->bias : NULL, dst + (i - first) * outputs, outputs, rows,
            scratch);
        cr_assert_eq(status, ATTUNE_OK);
    }
    free(scratch);
}

static void check_values(const struct problem *problem)
{
    const struct attune_projection_shape *shape = &problem->shape;
    for (int64_t i = 0; i < problem->rows; i++)
        for (int64_t o = 0; o < shape->outputs; o++) {
            double sum = shape->bias ? problem->bias[o] : 0, size = fabs(sum);
            for (int64_t k = 0; k < shape->inputs; k++) {
                double weight = shape->transposed ? problem->weight[k * shape->weight_stride + o]
                                                  : problem->weight[o * shape->weight_stride + k];
                sum += problem->src[i * shape->inputs + k] * weight;
                size += fabs(problem->src[i * shape->inputs + k] * weight);
            }
            double error = fabs(problem->dst[i * shape->outputs + o] - sum);
            cr_assert_leq(error, (double)(shape->inputs + 2) * FLT_EPSILON / 2 * size,
                          "row %lld column %lld", (long long)i, (long long)o);
        }
}

static const struct {
    int64_t rows, inputs, outputs;
} sizes[] = {{1, 1, 1},      {3, 1, 5},     {17, 3, 1},     {33, 7, 16},    {64, 16, 31},
             {70, 31, 33},   {130, 64, 64}, {65, 100, 17},  {20, 255, 128}, {97, 256, 48},
             {81, 384, 100}, {16, 700, 5},  {66, 1030, 70}, {40, 512, 300}};
#define SIZES (sizeof sizes / sizeof *sizes)

Test(projection, values)
{
    for (size_t i = 0; i < SIZES; i++)
        for (int way = 0; way < 8; way++) {
            struct problem problem = make(sizes[i].rows, sizes[i].inputs, sizes[i].outputs,
                                          way & 1 ? 3 : 0, (way & 2) != 0, (way & 4) != 0);
            run_rows(&problem, 0, problem.rows, problem.dst);
            check_values(&problem);
            destroy(&problem);
        }
    cr_assert_eq(live, 0);
}

Test(projection, bits_of_a_row_are_its_own)
{
    for (size_t i = 0; i < SIZES; i++)
        for (int way = 0; way < 4; way++) {
            struct problem problem = make(sizes[i].rows, sizes[i].inputs, sizes[i].outputs, 0,
                                          way & 1, (way & 2) != 0);
            const size_t row = (size_t)sizes[i].outputs * sizeof(float);
            float *some = malloc((size_t)problem.rows * row);
            run_rows(&problem, 0, problem.rows, problem.dst);
            for (int64_t first = 0; first < problem.rows; first += 1 + first / 3)
                for (int64_t count = 1; first + count <= problem.rows; count += 1 + count / 2) {
                    run_rows(&problem, first, first + count, some);
                    cr_assert_eq(memcmp(some, problem.dst + first * sizes[i].outputs,
                                        (size_t)count * row),
                                 0, "%lld x %lld, way %d: %lld rows from %lld",
                                 (long long)sizes[i].inputs, (long long)sizes[i].outputs, way,
                                 (long long)count, (long long)first);
                }
            free(some);
            destroy(&problem);
        }
}

struct shared {
    const struct problem *problem;
    float *dst;
};

static void run_part(void *argument, int32_t worker, int32_t workers)
{
    const struct shared *shared = argument;
    const struct problem *problem = shared->problem;
    const int64_t block = attune_projection_block_rows(problem->projection);
    for (int64_t i = worker * block; i < problem->rows; i += workers * block)
        run_rows(problem, i, i + block < problem->rows ? i + block : problem->rows,
                 shared->dst + i * problem->shape.outputs);
}

Test(projection, bits_are_the_same_in_every_kind_of_thread)
{
    const struct attune_team_options team = {.pin = 1};
    struct problem problem = make(700, 300, 500, 0, 0, 1);
    const size_t size = 700 * 500 * sizeof(float);
    float *again = malloc(size);
    struct shared shared = {&problem, again};
    run_rows(&problem, 0, problem.rows, problem.dst);
    for (int threads = 1; threads <= 4; threads++) {
        omp_set_num_threads(threads);
        memset(again, 0, size);
        run_rows(&problem, 0, problem.rows, again);
        cr_assert_eq(memcmp(again, problem.dst, size), 0, "OpenMP set to %d", threads);
        cr_assert_eq(omp_get_max_threads(), threads);
        memset(again, 0, size);
        attune_team_run(&team, threads, run_part, &shared);
        cr_assert_eq(memcmp(again, problem.dst, size), 0, "a team of %d", threads);
        memset(again, 0, size);
#pragma omp parallel num_threads(threads)
        run_part(&shared, omp_get_thread_num(), omp_get_num_threads());
        cr_assert_eq(memcmp(again, problem.dst, size), 0, "inside a region of %d", threads);
    }
    /* Created where OpenMP has another number of threads, or in a parallel region. */
    for (int region = 0; region < 2; region++) {
        struct attune_projection *first = problem.projection;
        omp_set_num_threads(4);
#pragma omp parallel num_threads(2) if (region)
#pragma omp single
        (void)attune_projection_create(&problem.shape, getenv("ATTUNE_MAX_ISA"), &allocator,
                                       &problem.projection);
        memset(again, 0, size);
        run_rows(&problem, 0, problem.rows, again);
        cr_assert_eq(memcmp(again, problem.dst, size), 0);
        attune_projection_release(problem.projection);
        problem.projection = first;
    }
    free(again);
    destroy(&problem);
}

Test(projection, strided_rows_and_nothing_beyond_them)
{
    struct problem problem = make(37, 20, 24, 0, 0, 1);
    const int64_t src_stride = 23, dst_stride = 29;
    float *src = malloc(37 * 23 * sizeof *src), *dst = malloc(37 * 29 * sizeof *dst);
    for (int64_t i = 0; i < 37 * 23; i++)
        src[i] = NAN; /* between rows: never read */
    for (int64_t i = 0; i < 37 * 29; i++)
        dst[i] = -7;
    for (int64_t i = 0; i < 37; i++)
        memcpy(src + i * src_stride, problem.src + i * 20, 20 * sizeof *src);
    const size_t size = attune_projection_scratch_size(problem.projection);
    for (size_t shift = 0; shift < 3; shift++) {
        unsigned char *scratch = malloc(size + 64);
        memset(scratch, 0x5A, size + 64);
        cr_assert_eq(attune_projection_run(problem.projection, src, src_stride, problem.weight,
                                           problem.bias, dst, dst_stride, 37, scratch + shift),
                     ATTUNE_OK);
        for (size_t i = size; i < size + 64 - shift; i++)
            cr_assert_eq(scratch[shift + i], 0x5A, "wrote beyond its scratch");
        free(scratch);
    }
    run_rows(&problem, 0, 37, problem.dst);
    for (int64_t i = 0; i < 37; i++) {
        cr_assert_eq(memcmp(dst + i * dst_stride, problem.dst + i * 24, 24 * sizeof *dst), 0);
        for (int64_t j = 24; j < dst_stride; j++)
            cr_assert_eq(dst[i * dst_stride + j], -7);
    }
    free(src);
    free(dst);
    destroy(&problem);
}

Test(projection, a_row_of_nan_or_infinity_spoils_no_other)
{
    struct problem problem = make(90, 50, 40, 0, 0, 0);
    float *clean = malloc(90 * 40 * sizeof *clean);
    run_rows(&problem, 0, 90, clean);
    problem.src[5 * 50 + 3] = NAN;
    problem.src[88 * 50] = INFINITY;
    run_rows(&problem, 0, 90, problem.dst);
    for (int64_t i = 0; i < 90; i++)
        for (int64_t o = 0; o < 40; o++) {
            float got = problem.dst[i * 40 + o];
            if (i == 5)
                cr_assert(isnan(got));
            else if (i == 88)
                cr_assert_not(isfinite(got));
            else
                cr_assert_eq(memcmp(&got, clean + i * 40 + o, sizeof got), 0);
        }
    free(clean);
    destroy(&problem);
}

Test(projection, no_rows_are_no_work)
{
    struct problem problem = make(1, 8, 8, 0, 0, 0);
    cr_assert_eq(attune_projection_run(problem.projection, NULL, 8, problem.weight, NULL, NULL, 8,
                                       0, NULL),
                 ATTUNE_OK);
    destroy(&problem);
    attune_projection_release(NULL);
}

Test(projection, wrong_shapes_are_told)
{
    static const struct attune_projection_shape wrong[] = {
        {0, 4, 4, 0, 0}, {4, 0, 4, 0, 0},  {4, 4, 3, 0, 0},          {4, 8, 4, 1, 0},
        {-1, 4, 4, 0, 0}, {4, 4, -4, 0, 0}, {4, INT64_MIN, 4, 0, 0}};
    static const struct attune_projection_shape large[] = {
        {INT64_MAX, 1, INT64_MAX, 0, 0}, {1, INT64_MAX, 1, 0, 0}, {1, 1, INT64_MAX, 1, 0}};
    struct attune_projection *projection = (struct attune_projection *)&allocations;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        cr_assert_eq(attune_projection_create(&wrong[i], NULL, &allocator, &projection),
                     ATTUNE_ERROR_INVALID, "%zu", i);
        cr_assert_null(projection);
    }
    for (size_t i = 0; i < sizeof large / sizeof *large; i++)
        cr_assert_eq(attune_projection_create(&large[i], NULL, &allocator, &projection),
                     ATTUNE_ERROR_UNSUPPORTED, "%zu", i);
    cr_assert_eq(live, 0);
}

Test(projection, memory_that_runs_out_is_told_and_given_back)
{
    const struct attune_projection_shape shape = {64, 64, 64, 0, 1};
    struct attune_projection *projection = NULL;
    enum attune_status status = ATTUNE_ERROR_NO_MEMORY;
    for (fail_at = 0; status != ATTUNE_OK && fail_at < 20; fail_at++) {
        allocations = 0;
        status = attune_projection_create(&shape, NULL, &allocator, &projection);
        cr_assert(status == ATTUNE_OK || status == ATTUNE_ERROR_NO_MEMORY);
        cr_assert_eq(live, status == ATTUNE_OK);
    }
    cr_assert_eq(status, ATTUNE_OK);
    cr_assert_gt(fail_at, 2);
    attune_projection_release(projection);
    cr_assert_eq(live, 0);
}
