/* SPDX-License-Identifier: Apache-2.0
 *
 * Dense products by oneDNN's matmul, 2.6 and 3.x: the only file that includes dnnl.h. It owns the
 * choice of a row block whose bits depend on the row alone, and the guard that keeps every call
 * serial. Knows nothing of mechanisms or of the team.
 *
 * oneDNN promises a row the same bits neither for another number of rows nor at another position in
 * the block (2.6 on AVX2 differs in tails of 8 rows past a multiple of 24), so creation tries it.
 */
#include "engine/projection.h"

#include <dnnl.h>
#include <string.h>

#include "engine/status.h"
#include "engine/threads.h"

/* Blocks to try, large first. One core of a Zen 4, 2.6.3 on AVX2, 256 -> 128 columns: 64 rows make
 * 90 to 95 GFLOP/s of 118, 48 make 76, 16 make 60, 8 make 40 (a small call mostly packs the
 * weight); 256 rows make no more. A block of one row has one position and needs no trial. */
static const int64_t candidate_rows[] = {64, 48, 16, 1};
#define CANDIDATES ((int)(sizeof candidate_rows / sizeof *candidate_rows))
#define LARGEST_ROWS 64
/* A short rest takes a second, smaller block where that has the same bits: a decoder's single row
 * would otherwise pay for 64. */
#define SMALL_ROWS 16

#define ALIGNMENT ((size_t)64)

#if DNNL_VERSION_MAJOR >= 3
#define MEMORY_DESC const_dnnl_memory_desc_t
#else
#define MEMORY_DESC const dnnl_memory_desc_t *
#endif

enum { SRC, WEIGHT, BIAS, DST, SCRATCHPAD, OPERANDS };

struct block {
    int64_t rows;
    dnnl_primitive_t primitive;
    MEMORY_DESC desc[OPERANDS]; /* owned by the primitive */
    size_t scratchpad;
};

struct attune_projection {
    struct attune_projection_shape shape;
    struct attune_allocator allocator;
    dnnl_engine_t engine;
    struct block large, small; /* small.primitive NULL: there is none */
};

static enum attune_status map_status(dnnl_status_t status)
{
    switch (status) {
    case dnnl_success:
        return ATTUNE_OK;
    case dnnl_out_of_memory:
        return attune_fail(ATTUNE_ERROR_NO_MEMORY, "projection: oneDNN is out of memory");
    case dnnl_unimplemented:
        return attune_fail(ATTUNE_ERROR_UNSUPPORTED, "projection: oneDNN does not implement it");
    default:
        return attune_fail(ATTUNE_ERROR_SYSTEM, "projection: oneDNN's status %d", (int)status);
    }
}

/* oneDNN's ceiling can be set once a process and before its first use: whoever is first decides. A
 * later, lower ceiling then leaves results right but not those of that instruction set. */
static void cap_isa(const char *max_isa)
{
    static const struct {
        const char *word;
        dnnl_cpu_isa_t isa;
    } ceilings[] = {
        {"scalar", dnnl_cpu_isa_sse41}, /* x86-64's least: oneDNN knows none below */
        {"neon", dnnl_cpu_isa_sse41},   /* on x86 the same as scalar; elsewhere ignored */
        {"avx2", dnnl_cpu_isa_avx2},
        {"avx512", dnnl_cpu_isa_avx512_core},
    };
    for (size_t i = 0; max_isa != NULL && i < sizeof ceilings / sizeof *ceilings; i++) {
        if (strcmp(ceilings[i].word, max_isa) == 0) {
            (void)dnnl_set_max_cpu_isa(ceilings[i].isa);
        }
    }
}

/* The primitive descriptor: the one part that differs between oneDNN 2 and 3. */
struct matrix {
    dnnl_dim_t rows, columns, row_stride, column_stride;
};

#if DNNL_VERSION_MAJOR >= 3

static dnnl_status_t create_desc(const struct matrix *matrix, int bias, dnnl_engine_t engine,
                                 dnnl_primitive_attr_t attr, dnnl_primitive_desc_t *desc)
{
    dnnl_memory_desc_t md[SCRATCHPAD] = {NULL, NULL, NULL, NULL};
    dnnl_status_t status = dnnl_success;
    for (int i = 0; i < SCRATCHPAD && status == dnnl_success; i++) {
        dnnl_dims_t sizes = {matrix[i].rows, matrix[i].columns};
        dnnl_dims_t strides = {matrix[i].row_stride, matrix[i].column_stride};
        status = dnnl_memory_desc_create_with_strides(&md[i], 2, sizes, dnnl_f32, strides);
    }
    if (status == dnnl_success) {
        status = dnnl_matmul_primitive_desc_create(desc, engine, md[SRC], md[WEIGHT],
                                                   bias ? md[BIAS] : NULL, md[DST], attr);
    }
    for (int i = 0; i < SCRATCHPAD; i++) {
        dnnl_memory_desc_destroy(md[i]); /* NULL is allowed */
    }
    return status;
}

#else

static dnnl_status_t create_desc(const struct matrix *matrix, int bias, dnnl_engine_t engine,
                                 dnnl_primitive_attr_t attr, dnnl_primitive_desc_t *desc)
{
    dnnl_memory_desc_t md[SCRATCHPAD];
    dnnl_matmul_desc_t operation;
    dnnl_status_t status = dnnl_success;
    for (int i = 0; i < SCRATCHPAD && status == dnnl_success; i++) {
        dnnl_dims_t sizes = {matrix[i].rows, matrix[i].columns};
        dnnl_dims_t strides = {matrix[i].row_stride, matrix[i].column_stride};
        status = dnnl_memory_desc_init_by_strides(&md[i], 2, sizes, dnnl_f32, strides);
    }
    if (status == dnnl_success) {
        status = dnnl_matmul_desc_init(&operation, &md[SRC], &md[WEIGHT], bias ? &md[BIAS] : NULL,
                                       &md[DST]);
    }
    if (status == dnnl_success) {
        status = dnnl_primitive_desc_create(desc, &operation, attr, engine, NULL);
    }
    return status;
}

#endif

static dnnl_status_t create_attributes(dnnl_primitive_attr_t *attr)
{
    dnnl_status_t status = dnnl_primitive_attr_create(attr);
    if (status == dnnl_success) {
        status = dnnl_primitive_attr_set_scratchpad_mode(*attr, dnnl_scratchpad_mode_user);
    }
    if (status == dnnl_success) { /* an environment variable may ask for bfloat16 products */
        status = dnnl_primitive_attr_set_fpmath_mode(*attr, dnnl_fpmath_mode_strict);
    }
    return status;
}

static void query_descs(struct block *block)
{
    const_dnnl_primitive_desc_t desc = NULL;
    dnnl_primitive_get_primitive_desc(block->primitive, &desc);
    block->desc[SRC] = dnnl_primitive_desc_query_md(desc, dnnl_query_src_md, 0);
    block->desc[WEIGHT] = dnnl_primitive_desc_query_md(desc, dnnl_query_weights_md, 0);
    block->desc[BIAS] = dnnl_primitive_desc_query_md(desc, dnnl_query_weights_md, 1);
    block->desc[DST] = dnnl_primitive_desc_query_md(desc, dnnl_query_dst_md, 0);
    block->desc[SCRATCHPAD] = dnnl_primitive_desc_query_md(desc, dnnl_query_scratchpad_md, 0);
    block->scratchpad = dnnl_memory_desc_get_size(block->desc[SCRATCHPAD]);
}

static enum attune_status create_block(const struct attune_projection *projection, int64_t rows,
                                       struct block *block)
{
    const struct attune_projection_shape *shape = &projection->shape;
    const struct matrix matrix[SCRATCHPAD] = {
        [SRC] = {rows, shape->inputs, shape->inputs, 1},
        [WEIGHT] = {shape->inputs, shape->outputs, shape->transposed ? shape->weight_stride : 1,
                    shape->transposed ? 1 : shape->weight_stride},
        [BIAS] = {1, shape->outputs, shape->outputs, 1},
        [DST] = {rows, shape->outputs, shape->outputs, 1},
    };
    dnnl_primitive_attr_t attr = NULL;
    dnnl_primitive_desc_t desc = NULL;
    dnnl_status_t status = create_attributes(&attr);
    memset(block, 0, sizeof *block);
    block->rows = rows;
    if (status == dnnl_success) {
        status = create_desc(matrix, shape->bias, projection->engine, attr, &desc);
    }
    if (status == dnnl_success) {
        status = dnnl_primitive_create(&block->primitive, desc);
        dnnl_primitive_desc_destroy(desc);
    }
    if (status == dnnl_success) {
        query_descs(block);
    }
    (void)dnnl_primitive_attr_destroy(attr); /* NULL is allowed */
    return map_status(status);
}

static void destroy_block(struct block *block)
{
    (void)dnnl_primitive_destroy(block->primitive); /* NULL is allowed */
    block->primitive = NULL;
}

/* The whole block, packed rows, in the calling thread alone: oneDNN asks OpenMP how many threads it
 * may have when a primitive is made and again when it runs: both times the answer must be one. */
static enum attune_status execute_block(const struct attune_projection *projection,
                                        const struct block *block, void *const operand[OPERANDS])
{
    static const int argument[OPERANDS] = {DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_BIAS,
                                           DNNL_ARG_DST, DNNL_ARG_SCRATCHPAD};
    dnnl_exec_arg_t arguments[OPERANDS];
    dnnl_stream_t stream = NULL;
    int count = 0, threads = attune_serial_begin();
    dnnl_status_t status =
        dnnl_stream_create(&stream, projection->engine, dnnl_stream_default_flags);
    for (int i = 0; i < OPERANDS && status == dnnl_success; i++) {
        if (i == BIAS && !projection->shape.bias) {
            continue;
        }
        arguments[count].arg = argument[i];
        arguments[count].memory = NULL;
        status = dnnl_memory_create(&arguments[count].memory, block->desc[i], projection->engine,
                                    operand[i]);
        count += status == dnnl_success;
    }
    if (status == dnnl_success) {
        status = dnnl_primitive_execute(block->primitive, stream, count, arguments);
    }
    for (int i = 0; i < count; i++) {
        dnnl_memory_destroy(arguments[i].memory);
    }
    if (stream != NULL) {
        dnnl_stream_destroy(stream);
    }
    attune_serial_end(threads);
    return map_status(status);
}

static size_t align_up(size_t size)
{
    return (size + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
}

static size_t matrix_size(int64_t rows, int64_t columns)
{
    return align_up((size_t)rows * (size_t)columns * sizeof(float));
}

/* Rows that are too few for the block, or not packed, go through scratch; the rest of the block is
 * zero, which no other row reads. */
static enum attune_status run_rows(const struct attune_projection *projection,
                                   const struct block *block, const float *src, int64_t src_stride,
                                   const float *weight, const float *bias, float *dst,
                                   int64_t dst_stride, int64_t rows, unsigned char *scratch)
{
    const int64_t inputs = projection->shape.inputs, outputs = projection->shape.outputs;
    float *packed_src = (float *)(void *)scratch;
    float *packed_dst = (float *)(void *)(scratch + matrix_size(projection->large.rows, inputs));
    int whole = rows == block->rows;
    int dst_in_place = whole && dst_stride == outputs;
    void *operand[OPERANDS] = {
        [SRC] = (void *)src,
        [WEIGHT] = (void *)weight,
        [BIAS] = (void *)bias,
        [DST] = dst_in_place ? dst : packed_dst,
        [SCRATCHPAD] = (unsigned char *)packed_dst + matrix_size(projection->large.rows, outputs),
    };
    if (!whole || src_stride != inputs) {
        for (int64_t i = 0; i < rows; i++) {
            memcpy(packed_src + i * inputs, src + i * src_stride, (size_t)inputs * sizeof(float));
        }
        memset(packed_src + rows * inputs, 0,
               (size_t)(block->rows - rows) * (size_t)inputs * sizeof(float));
        operand[SRC] = packed_src;
    }
    enum attune_status status = execute_block(projection, block, operand);
    if (status == ATTUNE_OK && !dst_in_place) {
        for (int64_t i = 0; i < rows; i++) {
            memcpy(dst + i * dst_stride, packed_dst + i * outputs, (size_t)outputs * sizeof(float));
        }
    }
    return status;
}

enum attune_status attune_projection_run(const struct attune_projection *projection,
                                         const float *src, int64_t src_stride, const float *weight,
                                         const float *bias, float *dst, int64_t dst_stride,
                                         int64_t rows, void *scratch)
{
    unsigned char *aligned = (unsigned char *)(((uintptr_t)scratch + ALIGNMENT - 1) &
                                               ~(uintptr_t)(ALIGNMENT - 1));
    const struct block *small = projection->small.primitive != NULL ? &projection->small : NULL;
    for (int64_t done = 0; done < rows;) {
        /* Two small blocks cost less than a large one, three as much (13 us each against 41). */
        int64_t left = rows - done;
        int few = small != NULL && left <= 2 * small->rows;
        const struct block *block = few ? small : &projection->large;
        int64_t count = left < block->rows ? left : block->rows;
        enum attune_status status = run_rows(projection, block, src + done * src_stride, src_stride,
                                             weight, bias, dst + done * dst_stride, dst_stride, count,
                                             aligned);
        if (status != ATTUNE_OK) {
            return status;
        }
        done += count;
    }
    return ATTUNE_OK;
}

int64_t attune_projection_block_rows(const struct attune_projection *projection)
{
    return projection->large.rows;
}

size_t attune_projection_scratch_size(const struct attune_projection *projection)
{
    const struct block *large = &projection->large, *small = &projection->small;
    const size_t rows = matrix_size(large->rows, projection->shape.inputs) +
                        matrix_size(large->rows, projection->shape.outputs);
    return ALIGNMENT + rows + align_up(large->scratchpad) + align_up(small->scratchpad);
}

/* The trial's rows repeat with this period: prime to every tile height, so that equal rows meet all
 * positions of a tile. */
#define TRIAL_PERIOD 7

struct trial {
    float *weight, *bias, *src, *dst;
    float *expected; /* TRIAL_PERIOD rows, once a block has passed */
};

static size_t weight_span(const struct attune_projection_shape *shape)
{
    int64_t lines = shape->transposed ? shape->inputs : shape->outputs;
    int64_t length = shape->transposed ? shape->outputs : shape->inputs;
    return align_up(((size_t)(lines - 1) * (size_t)shape->weight_stride + (size_t)length) *
                    sizeof(float));
}

/* Signed values over 16 binary orders of magnitude: sums of their products cancel, so that another
 * order of additions rounds otherwise. */
static void fill_trial(float *data, size_t size, uint32_t seed)
{
    for (size_t i = 0; i < size / sizeof *data; i++) {
        seed = seed * 1664525u + 1013904223u;
        float magnitude = (float)(1u << (seed >> 28)) * (1.0f / 256.0f);
        data[i] = ((float)(seed >> 8 & 0xFFFFu) - 32767.5f) * (1.0f / 32768.0f) * magnitude;
    }
}

static enum attune_status create_trial(const struct attune_projection *projection,
                                       struct trial *trial)
{
    const struct attune_projection_shape *shape = &projection->shape;
    const struct attune_allocator *allocator = &projection->allocator;
    const size_t weight = weight_span(shape), row = (size_t)shape->inputs;
    const size_t src = matrix_size(LARGEST_ROWS, shape->inputs);
    const size_t dst = matrix_size(LARGEST_ROWS, shape->outputs);
    const size_t bias = matrix_size(1, shape->outputs);
    unsigned char *memory = allocator->allocate(allocator->user, ALIGNMENT,
                                                weight + bias + src + 2 * dst);
    if (memory == NULL) {
        return attune_fail(ATTUNE_ERROR_NO_MEMORY, "projection: no memory for its trial");
    }
    trial->weight = (float *)(void *)memory;
    trial->bias = (float *)(void *)(memory + weight);
    trial->src = (float *)(void *)(memory + weight + bias);
    trial->dst = (float *)(void *)(memory + weight + bias + src);
    trial->expected = (float *)(void *)(memory + weight + bias + src + dst);
    fill_trial(trial->weight, weight, 1);
    fill_trial(trial->bias, bias, 2);
    fill_trial(trial->src, TRIAL_PERIOD * row * sizeof(float), 3);
    for (size_t i = TRIAL_PERIOD; i < LARGEST_ROWS; i++) {
        memcpy(trial->src + i * row, trial->src + (i - TRIAL_PERIOD) * row, row * sizeof(float));
    }
    return ATTUNE_OK;
}

/* Whether equal rows have equal bits at all positions, and those of the block before. */
static enum attune_status try_block(const struct attune_projection *projection,
                                    const struct block *block, const struct trial *trial,
                                    int have_expected, int *same)
{
    const struct attune_allocator *allocator = &projection->allocator;
    const size_t row = (size_t)projection->shape.outputs;
    const float *expected = have_expected ? trial->expected : trial->dst;
    void *scratchpad = allocator->allocate(allocator->user, ALIGNMENT,
                                           ALIGNMENT + align_up(block->scratchpad));
    if (scratchpad == NULL) {
        return attune_fail(ATTUNE_ERROR_NO_MEMORY, "projection: no memory for its trial");
    }
    void *operand[OPERANDS] = {trial->src, trial->weight, trial->bias, trial->dst, scratchpad};
    enum attune_status status = execute_block(projection, block, operand);
    allocator->release(allocator->user, scratchpad);
    *same = status == ATTUNE_OK;
    for (size_t i = 0; *same && i < (size_t)block->rows; i++) {
        *same = memcmp(trial->dst + i * row, expected + i % TRIAL_PERIOD * row,
                       row * sizeof(float)) == 0;
    }
    if (*same && !have_expected && block->rows >= TRIAL_PERIOD) {
        memcpy(trial->expected, trial->dst, TRIAL_PERIOD * row * sizeof(float));
    }
    return status;
}

/* The next candidate from *index on that passes; the block stays without a primitive if none. */
static enum attune_status choose(const struct attune_projection *projection,
                                 const struct trial *trial, int *index, int have_expected,
                                 struct block *block)
{
    for (; *index < CANDIDATES; ++*index) {
        int same = 0;
        enum attune_status status = create_block(projection, candidate_rows[*index], block);
        if (status == ATTUNE_OK) {
            status = try_block(projection, block, trial, have_expected, &same);
        }
        if (status != ATTUNE_OK || same) {
            ++*index;
            return status;
        }
        destroy_block(block);
    }
    return ATTUNE_OK;
}

static enum attune_status choose_blocks(struct attune_projection *projection)
{
    struct trial trial;
    int index = 0;
    enum attune_status status = create_trial(projection, &trial);
    if (status != ATTUNE_OK) {
        return status;
    }
    status = choose(projection, &trial, &index, 0, &projection->large);
    while (index < CANDIDATES && candidate_rows[index] > SMALL_ROWS) {
        index++;
    }
    if (status == ATTUNE_OK && projection->large.rows > SMALL_ROWS) {
        status = choose(projection, &trial, &index, 1, &projection->small);
    }
    projection->allocator.release(projection->allocator.user, trial.weight);
    return status;
}

static enum attune_status check_shape(const struct attune_projection_shape *shape)
{
    const int64_t limit = INT32_MAX; /* oneDNN's kernels count a matrix's lines in 32 bits */
    const int64_t length = shape->transposed ? shape->outputs : shape->inputs;
    const int64_t lines = shape->transposed ? shape->inputs : shape->outputs;
    int sound = length >= 1 && lines >= 1 && shape->weight_stride >= length;
    if (sound && lines <= limit && shape->weight_stride <= limit &&
        lines * shape->weight_stride <= INT64_MAX / 64) {
        return ATTUNE_OK;
    }
    return attune_fail(sound ? ATTUNE_ERROR_UNSUPPORTED : ATTUNE_ERROR_INVALID,
                       "projection: a weight of %lld x %lld with stride %lld",
                       (long long)shape->outputs, (long long)shape->inputs,
                       (long long)shape->weight_stride);
}

enum attune_status attune_projection_create(const struct attune_projection_shape *shape,
                                            const char *max_isa,
                                            const struct attune_allocator *allocator,
                                            struct attune_projection **projection)
{
    enum attune_status status = check_shape(shape);
    *projection = NULL;
    if (status != ATTUNE_OK) {
        return status;
    }
    struct attune_projection *created =
        allocator->allocate(allocator->user, ALIGNMENT, sizeof *created);
    if (created == NULL) {
        return attune_fail(ATTUNE_ERROR_NO_MEMORY, "projection: no memory");
    }
    memset(created, 0, sizeof *created);
    created->shape = *shape;
    created->allocator = *allocator;
    cap_isa(max_isa);
    int threads = attune_serial_begin();
    status = map_status(dnnl_engine_create(&created->engine, dnnl_cpu, 0));
    if (status == ATTUNE_OK) {
        status = choose_blocks(created);
    }
    attune_serial_end(threads);
    if (status != ATTUNE_OK) {
        attune_projection_release(created);
        return status;
    }
    *projection = created;
    return ATTUNE_OK;
}

void attune_projection_release(struct attune_projection *projection)
{
    if (projection == NULL) {
        return;
    }
    const struct attune_allocator allocator = projection->allocator;
    destroy_block(&projection->large);
    destroy_block(&projection->small);
    if (projection->engine != NULL) {
        dnnl_engine_destroy(projection->engine);
    }
    allocator.release(allocator.user, projection);
}
