/* SPDX-License-Identifier: Apache-2.0
 *
 * Attention as a user of ggml writes it: one ggml_flash_attn_ext over float32 keys and values,
 * whose plan and work buffer are made once. Needs a ggml built with its CPU backend.
 */
#include "native.h"

#include <ggml-cpu.h>
#include <ggml.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct flash {
    struct ggml_context *context;
    struct ggml_cgraph *graph;
    struct ggml_cplan plan;
    void *mask;
};

static char trouble[128];

static void *fail(struct flash *flash, const char *what)
{
    snprintf(trouble, sizeof trouble, "ggml: %s", what);
    peer_close(flash);
    return NULL;
}

static struct ggml_tensor *wrap(struct ggml_context *context, const float *data, int64_t width,
                                int64_t rows, int64_t heads, int64_t batch)
{
    struct ggml_tensor *tensor =
        ggml_new_tensor_4d(context, GGML_TYPE_F32, width, rows, heads, batch);
    if (tensor)
        tensor->data = (void *)(uintptr_t)data;
    return tensor;
}

/* The mask in float16, the only type that ggml takes. */
static struct ggml_tensor *make_mask(struct flash *flash, const struct peer_problem *p)
{
    const int64_t count = p->queries * p->keys;
    struct ggml_tensor *mask =
        ggml_new_tensor_4d(flash->context, GGML_TYPE_F16, p->keys, p->queries, 1, 1);
    flash->mask = malloc((size_t)count * sizeof(ggml_fp16_t));
    if (!mask || !flash->mask)
        return NULL;
    ggml_fp32_to_fp16_row(p->mask, flash->mask, count);
    mask->data = flash->mask;
    return mask;
}

void *peer_open(const struct peer_problem *p)
{
    struct flash *flash = calloc(1, sizeof *flash);
    if (!flash)
        return NULL;
    flash->context = ggml_init((struct ggml_init_params){.mem_size = 1 << 20, .no_alloc = true});
    if (!flash->context)
        return fail(flash, "no context");
    struct ggml_tensor *q = wrap(flash->context, p->q, p->d, p->queries, p->heads, p->batch);
    struct ggml_tensor *k = wrap(flash->context, p->k, p->d, p->keys, p->groups, p->batch);
    struct ggml_tensor *v = wrap(flash->context, p->v, p->e, p->keys, p->groups, p->batch);
    struct ggml_tensor *mask = p->mask ? make_mask(flash, p) : NULL;
    if (!q || !k || !v || (p->mask && !mask))
        return fail(flash, "no tensors");
    struct ggml_tensor *out =
        ggml_flash_attn_ext(flash->context, q, k, v, mask, (float)(1 / sqrt((double)p->d)), 0, 0);
    ggml_flash_attn_ext_set_prec(out, GGML_PREC_F32);
    out->data = p->out;
    flash->graph = ggml_new_graph(flash->context);
    ggml_build_forward_expand(flash->graph, out);
    flash->plan = ggml_graph_plan(flash->graph, p->threads, NULL);
    flash->plan.work_data = malloc(flash->plan.work_size + 64);
    flash->plan.threadpool = NULL;
    return flash->plan.work_data ? flash : fail(flash, "no work buffer");
}

int peer_run(void *opened)
{
    struct flash *flash = opened;
    if (ggml_graph_compute(flash->graph, &flash->plan) == GGML_STATUS_SUCCESS)
        return 0;
    snprintf(trouble, sizeof trouble, "ggml: the graph was not computed");
    return 1;
}

void peer_close(void *opened)
{
    struct flash *flash = opened;
    if (!flash)
        return;
    free(flash->plan.work_data);
    free(flash->mask);
    ggml_free(flash->context);
    free(flash);
}

const char *peer_version(void)
{
    return ggml_version();
}

const char *peer_setting(void)
{
    return "ggml_flash_attn_ext, GGML_PREC_F32";
}

int peer_heads_last(void)
{
    return 1;
}

const char *peer_trouble(void)
{
    return trouble;
}
