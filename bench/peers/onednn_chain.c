/* SPDX-License-Identifier: Apache-2.0
 *
 * Attention as a user of oneDNN writes it: matmul, softmax in place, matmul, with the scale and the
 * mask as post-operations of the first; all heads at once, or one after another where there is a
 * mask (one that is broadcast over heads falls back to oneDNN's reference, 500 times slower). Takes
 * oneDNN 2 and 3.
 */
#include "native.h"

#include <dnnl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { Q, K, V, SCORES, MASK, OUT, OPERANDS };
enum { SCORE, SOFTMAX, WSUM, STEPS, ARGUMENTS = 4 };

#if DNNL_VERSION_MAJOR >= 3
#define DESC dnnl_memory_desc_t
#define DESC_OF(desc) (desc)
#else
#define DESC dnnl_memory_desc_t
#define DESC_OF(desc) (&(desc))
#endif

struct chain {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    DESC desc[OPERANDS];
    dnnl_memory_t memory[OPERANDS];
    dnnl_primitive_t step[STEPS];
    dnnl_exec_arg_t arguments[STEPS][ARGUMENTS];
    int counts[STEPS];
    struct peer_problem problem;
    int64_t rows; /* of a matrix of scores: the query heads of a group, over the same keys */
    int64_t matrices, at_once; /* in all, and in one execution */
};

static char trouble[128];

/* Remembers what failed; 1 when `status` is one. */
static int failed(dnnl_status_t status, const char *what)
{
    if (status == dnnl_success)
        return 0;
    snprintf(trouble, sizeof trouble, "oneDNN: %s: status %d", what, (int)status);
    return 1;
}

static dnnl_status_t make_desc(DESC *desc, int64_t matrices, int64_t rows, int64_t columns,
                               int64_t row_stride, int64_t column_stride, int64_t matrix_stride)
{
    const dnnl_dims_t sizes = {matrices, rows, columns};
    const dnnl_dims_t strides = {matrix_stride, row_stride, column_stride};
#if DNNL_VERSION_MAJOR >= 3
    return dnnl_memory_desc_create_with_strides(desc, 3, sizes, dnnl_f32, strides);
#else
    return dnnl_memory_desc_init_by_strides(desc, 3, sizes, dnnl_f32, strides);
#endif
}

static int make_operand(struct chain *chain, int operand, void *data, int64_t matrices,
                        int64_t rows, int64_t columns, int transposed)
{
    const dnnl_status_t status =
        make_desc(&chain->desc[operand], matrices, rows, columns, transposed ? 1 : columns,
                  transposed ? rows : 1, rows * columns);
    return failed(status, "memory descriptor") ||
           failed(dnnl_memory_create(&chain->memory[operand], DESC_OF(chain->desc[operand]),
                                     chain->engine, data ? data : DNNL_MEMORY_ALLOCATE),
                  "memory");
}

static int make_operands(struct chain *chain)
{
    const struct peer_problem *p = &chain->problem;
    const int64_t n = chain->at_once, rows = chain->rows;
    return make_operand(chain, Q, (void *)(uintptr_t)p->q, n, rows, p->d, 0) ||
           make_operand(chain, K, (void *)(uintptr_t)p->k, n, p->d, p->keys, 1) ||
           make_operand(chain, V, (void *)(uintptr_t)p->v, n, p->keys, p->e, 0) ||
           make_operand(chain, SCORES, NULL, n, rows, p->keys, 0) ||
           (p->mask &&
            make_operand(chain, MASK, (void *)(uintptr_t)p->mask, n, rows, p->keys, 0)) ||
           make_operand(chain, OUT, p->out, n, rows, p->e, 0);
}

static dnnl_status_t score_attributes(const struct chain *chain, dnnl_primitive_attr_t *attr)
{
    const float scale = (float)(1 / sqrt((double)chain->problem.d));
    dnnl_post_ops_t post;
    dnnl_status_t status = dnnl_primitive_attr_create(attr);
    if (status != dnnl_success)
        return status;
    status = dnnl_post_ops_create(&post);
    if (status != dnnl_success)
        return status;
#if DNNL_VERSION_MAJOR >= 3
    status = dnnl_post_ops_append_eltwise(post, dnnl_eltwise_linear, scale, 0);
#else
    status = dnnl_post_ops_append_eltwise(post, 1, dnnl_eltwise_linear, scale, 0);
#endif
    if (status == dnnl_success && chain->problem.mask)
        status = dnnl_post_ops_append_binary(post, dnnl_binary_add, DESC_OF(chain->desc[MASK]));
    if (status == dnnl_success)
        status = dnnl_primitive_attr_set_post_ops(*attr, post);
    dnnl_post_ops_destroy(post);
    return status;
}

static dnnl_status_t matmul_desc(const struct chain *chain, int a, int b, int to,
                                 dnnl_primitive_attr_t attr, dnnl_primitive_desc_t *desc)
{
#if DNNL_VERSION_MAJOR >= 3
    return dnnl_matmul_primitive_desc_create(desc, chain->engine, chain->desc[a], chain->desc[b],
                                             NULL, chain->desc[to], attr);
#else
    dnnl_matmul_desc_t operation;
    const dnnl_status_t status =
        dnnl_matmul_desc_init(&operation, &chain->desc[a], &chain->desc[b], NULL, &chain->desc[to]);
    return status != dnnl_success
               ? status
               : dnnl_primitive_desc_create(desc, &operation, attr, chain->engine, NULL);
#endif
}

static dnnl_status_t softmax_desc(const struct chain *chain, dnnl_primitive_desc_t *desc)
{
#if DNNL_VERSION_MAJOR >= 3
    return dnnl_softmax_forward_primitive_desc_create(desc, chain->engine, dnnl_forward_inference,
                                                      dnnl_softmax_accurate, chain->desc[SCORES],
                                                      chain->desc[SCORES], 2, NULL);
#else
    dnnl_softmax_desc_t operation;
    const dnnl_status_t status =
        dnnl_softmax_forward_desc_init(&operation, dnnl_forward_inference, &chain->desc[SCORES], 2);
    return status != dnnl_success
               ? status
               : dnnl_primitive_desc_create(desc, &operation, NULL, chain->engine, NULL);
#endif
}

/* Takes the described primitive over. */
static int make_step(struct chain *chain, int step, dnnl_primitive_desc_t *desc)
{
    const dnnl_status_t status = dnnl_primitive_create(&chain->step[step], *desc);
    dnnl_primitive_desc_destroy(*desc);
    return failed(status, "primitive");
}

static int make_steps(struct chain *chain)
{
    dnnl_primitive_attr_t attr = NULL;
    dnnl_primitive_desc_t desc = NULL;
    const int bad = failed(score_attributes(chain, &attr), "post-operations") ||
                    failed(matmul_desc(chain, Q, K, SCORES, attr, &desc), "matmul of scores") ||
                    make_step(chain, SCORE, &desc) ||
                    failed(softmax_desc(chain, &desc), "softmax") ||
                    make_step(chain, SOFTMAX, &desc) ||
                    failed(matmul_desc(chain, SCORES, V, OUT, NULL, &desc), "matmul of the sum") ||
                    make_step(chain, WSUM, &desc);
    dnnl_primitive_attr_destroy(attr);
    return bad;
}

static void add_argument(struct chain *chain, int step, int argument, int operand)
{
    chain->arguments[step][chain->counts[step]++] =
        (dnnl_exec_arg_t){argument, chain->memory[operand]};
}

static void add_arguments(struct chain *chain)
{
    add_argument(chain, SCORE, DNNL_ARG_SRC, Q);
    add_argument(chain, SCORE, DNNL_ARG_WEIGHTS, K);
    add_argument(chain, SCORE, DNNL_ARG_DST, SCORES);
    if (chain->problem.mask)
        add_argument(chain, SCORE, DNNL_ARG_ATTR_MULTIPLE_POST_OP(1) | DNNL_ARG_SRC_1, MASK);
    add_argument(chain, SOFTMAX, DNNL_ARG_SRC, SCORES);
    add_argument(chain, SOFTMAX, DNNL_ARG_DST, SCORES);
    add_argument(chain, WSUM, DNNL_ARG_SRC, SCORES);
    add_argument(chain, WSUM, DNNL_ARG_WEIGHTS, V);
    add_argument(chain, WSUM, DNNL_ARG_DST, OUT);
}

void *peer_open(const struct peer_problem *problem)
{
    if (problem->mask && problem->heads != problem->groups) {
        snprintf(trouble, sizeof trouble, "no mask with grouped heads");
        return NULL;
    }
    struct chain *chain = calloc(1, sizeof *chain);
    if (!chain)
        return NULL;
    chain->problem = *problem;
    chain->rows = problem->heads / problem->groups * problem->queries;
    chain->matrices = problem->batch * problem->groups;
    chain->at_once = problem->mask ? 1 : chain->matrices;
    if (failed(dnnl_engine_create(&chain->engine, dnnl_cpu, 0), "engine") ||
        failed(dnnl_stream_create(&chain->stream, chain->engine, dnnl_stream_default_flags),
               "stream") ||
        make_operands(chain) || make_steps(chain)) {
        peer_close(chain);
        return NULL;
    }
    add_arguments(chain);
    return chain;
}

/* Lets operand point to where its matrix `first` lies; a matrix has `size` numbers. */
static int move_operand(struct chain *chain, int operand, const float *data, int64_t first,
                        int64_t size)
{
    void *place = (void *)(uintptr_t)(data + first * size);
    return failed(dnnl_memory_set_data_handle(chain->memory[operand], place), "data handle");
}

static int run_from(struct chain *chain, int64_t first)
{
    const struct peer_problem *p = &chain->problem;
    if (move_operand(chain, Q, p->q, first, chain->rows * p->d) ||
        move_operand(chain, K, p->k, first, p->keys * p->d) ||
        move_operand(chain, V, p->v, first, p->keys * p->e) ||
        move_operand(chain, OUT, p->out, first, chain->rows * p->e))
        return 1;
    for (int i = 0; i < STEPS; i++)
        if (failed(dnnl_primitive_execute(chain->step[i], chain->stream, chain->counts[i],
                                          chain->arguments[i]),
                   "execution"))
            return 1;
    return 0;
}

int peer_run(void *opened)
{
    struct chain *chain = opened;
    for (int64_t first = 0; first < chain->matrices; first += chain->at_once)
        if (run_from(chain, first))
            return 1;
    return failed(dnnl_stream_wait(chain->stream), "wait");
}

void peer_close(void *opened)
{
    struct chain *chain = opened;
    if (!chain)
        return;
    for (int i = 0; i < STEPS; i++)
        dnnl_primitive_destroy(chain->step[i]);
    for (int i = 0; i < OPERANDS; i++) {
        dnnl_memory_destroy(chain->memory[i]);
#if DNNL_VERSION_MAJOR >= 3
        dnnl_memory_desc_destroy(chain->desc[i]);
#endif
    }
    dnnl_stream_destroy(chain->stream);
    dnnl_engine_destroy(chain->engine);
    free(chain);
}

const char *peer_version(void)
{
    static char text[32];
    const dnnl_version_t *version = dnnl_version();
    snprintf(text, sizeof text, "%d.%d.%d", version->major, version->minor, version->patch);
    return text;
}

const char *peer_setting(void)
{
    return "matmul, softmax, matmul; all heads at once, head by head with a mask";
}

int peer_heads_last(void)
{
    return 0;
}

const char *peer_trouble(void)
{
    return trouble;
}
