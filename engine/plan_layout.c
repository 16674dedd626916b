/* SPDX-License-Identifier: Apache-2.0
 *
 * Sizes: blocks, splits, workers and where each piece lies in the workspace. Pure arithmetic over a
 * lowered plan.
 */
#include <math.h>

#include "engine/core.h"
#include "engine/status.h"

#define LOG2_E 1.4426950408889634
/* Packed kv blocks that one worker keeps for the next q block of the same keys: bytes. Beyond it every
 * q block packs anew, which 256 rows amortise to about 1 %. */
#define MAX_PACKED_BYTES (16 << 20)
#define CACHE_LINE 64

static int64_t round_up(int64_t value, int64_t step)
{
    return (value + step - 1) / step * step;
}

static int64_t ceil_div(int64_t value, int64_t by)
{
    return (value + by - 1) / by;
}

static int64_t least_common_multiple(int64_t a, int64_t b)
{
    int64_t x = a, y = b;
    while (y != 0) {
        int64_t rest = x % y;
        x = y;
        y = rest;
    }
    return a / x * b;
}

static void size_operands(struct attune_plan *plan)
{
    const struct attune_shape *shape = &plan->shape;
    switch (shape->kind) {
    case ATTUNE_SCORE_DOT:
        plan->key_columns = plan->query_columns = shape->d;
        plan->keys_packed = plan->kernel.score_rows == NULL;
        break;
    case ATTUNE_SCORE_TANH:
        plan->key_columns = plan->query_columns = plan->fold.a_pad;
        plan->keys_packed = !(plan->prepared.size != 0 && plan->prepared.expanded);
        break;
    case ATTUNE_SCORE_LSTM:
        plan->key_columns = 4 * plan->lstm.n_pad;
        plan->query_columns = 0; /* the kernel reads the projected rows where they lie */
        plan->keys_packed = 0;
        break;
    }
    plan->ldo = round_up(shape->e, 16);
}

static void size_blocks(struct attune_plan *plan)
{
    const struct attune_shape *shape = &plan->shape;
    const struct attune_choice *choice = &plan->choice;
    const struct attune_kernel *kernel = attune_choice_score(choice, (int32_t)shape->kind);
    plan->ordered = shape->kind == ATTUNE_SCORE_LSTM;
    plan->tiles = (struct attune_tiles){
        .strip = choice->strip,
        .q_block = choice->q_block,
        .kv_block = choice->kv_block,
        .kv_split = choice->kv_split == ATTUNE_CHOICE_UNSPLIT ? 0 : choice->kv_split,
    };
    const struct attune_kernel *softmax = plan->kernel.row[ATTUNE_OP_SOFTMAX];
    plan->trim = ATTUNE_KEY_STEP;
    int64_t step = least_common_multiple(kernel->width > 0 ? kernel->width : 1, softmax->width);
    if (shape->kind != ATTUNE_SCORE_LSTM && ATTUNE_KEY_STEP % step == 0)
        plan->trim = step;
    plan->lds = round_up(shape->t_k, ATTUNE_KEY_STEP);
    if (plan->lds > plan->tiles.kv_block || plan->lds == 0)
        plan->lds = plan->tiles.kv_block;
    plan->splits = plan->tiles.kv_split > 0 ? ceil_div(shape->t_k, plan->tiles.kv_split) : 1;
    if (plan->splits < 1)
        plan->splits = 1;
}

/* Values are read where they lie, or converted row by row, where few query rows share them. So are float32
 * ones whose rows follow each other, which panels serve no better: 2 to 5 % faster at T = 64 and 128, the
 * same from 256 on. Rows further apart meet in few sets of the caches and are brought into panels of
 * columns, as is what has to be converted. */
static void size_values(struct attune_plan *plan)
{
    if (plan->kernel.wsum_rows != NULL) {
        plan->value_stride = plan->value.stride_t;
        return;
    }
    int64_t width = plan->kernel.row[ATTUNE_OP_WSUM]->width, e = plan->shape.e;
    int few = plan->rows <= ATTUNE_MODEL_DIRECT_ROWS, dense = plan->value.stride_t == e;
    plan->values_packed = plan->value.dtype != ATTUNE_F32 || !(few || dense);
    int by_rows = few || !plan->values_packed;
    plan->value_stride = !by_rows ? width : plan->values_packed ? e : plan->value.stride_t;
    plan->value_panel = by_rows ? width : plan->tiles.kv_block * width;
    if (plan->values_packed)
        plan->value_floats = plan->tiles.kv_block * (by_rows ? e : round_up(e, width));
}

static int64_t keys_floats(const struct attune_plan *plan)
{
    return plan->keys_packed ? plan->tiles.kv_block * plan->key_columns : 0;
}

static size_t take(size_t *used, int64_t bytes)
{
    size_t at = *used;
    *used += (size_t)round_up(bytes, CACHE_LINE);
    return at;
}

/* See attune_worker.careful. */
static int64_t careful_bytes(const struct attune_plan *plan)
{
    int64_t keys = plan->tiles.kv_block, e = plan->shape.e, floats = (int64_t)sizeof(float);
    if (plan->kernel.wsum_rows != NULL)
        return keys * (floats + e * (int64_t)attune_dtype_size(plan->value.dtype));
    return keys * floats * round_up(e, plan->kernel.row[ATTUNE_OP_WSUM]->width);
}

static size_t scratch_size(const struct attune_plan *plan)
{
    size_t most = 0;
    for (int32_t i = 0; i < plan->step_count + (plan->out_projection != NULL); i++) {
        const struct attune_step *step = &plan->steps[i];
        if (step->kind != ATTUNE_STEP_PROJECT)
            continue;
        int64_t rows = attune_projection_block_rows(step->projection);
        size_t size = attune_projection_scratch_size(step->projection) +
                      (size_t)round_up(rows * step->inputs * 4, CACHE_LINE) +
                      (size_t)round_up(rows * step->outputs * 4, CACHE_LINE);
        if (size > most)
            most = size;
    }
    return most;
}

static void lay_out_worker(struct attune_plan *plan)
{
    const struct attune_shape *shape = &plan->shape;
    const struct attune_tiles *tiles = &plan->tiles;
    struct attune_worker_layout *worker = &plan->worker;
    int64_t keys = keys_floats(plan), values = plan->value_floats;
    int64_t slot = 4 * (keys + values);
    int64_t blocks = ceil_div(shape->t_k, tiles->kv_block);
    plan->slots = plan->q_blocks > 1 && slot * blocks <= MAX_PACKED_BYTES ? blocks : 1;
    if (plan->slots < 1)
        plan->slots = 1;
    size_t used = 0;
    int64_t floats = (int64_t)sizeof(float);
    const struct attune_kernel *tile = plan->kernel.row[ATTUNE_OP_TILE];
    int64_t score_rows = tile != NULL && 2 * tile->rows > tiles->strip ? 2 * tile->rows : tiles->strip;
    worker->rows = take(&used, tiles->q_block * (int64_t)sizeof(struct attune_row));
    worker->strips = take(&used, ceil_div(tiles->q_block, tiles->strip > 0 ? tiles->strip : 1) *
                                     (int64_t)sizeof(struct attune_strip));
    worker->query = take(&used, tiles->q_block * plan->query_columns * floats);
    worker->peak = take(&used, tiles->q_block * floats);
    worker->out = take(&used, tiles->q_block * plan->ldo * floats);
    worker->max = take(&used, tiles->q_block * floats);
    worker->sum = take(&used, tiles->q_block * floats);
    worker->alpha = take(&used, tiles->q_block * floats);
    worker->scores = take(&used, score_rows * plan->lds * floats);
    worker->bias = take(&used, tiles->kv_block * floats);
    worker->mask = take(&used, tiles->kv_block);
    worker->state = take(&used, shape->kind == ATTUNE_SCORE_LSTM
                                    ? 3 * tiles->q_block * plan->lstm.n_pad * floats : 0);
    worker->again = take(&used, tiles->q_block);
    worker->exact = take(&used, (tiles->kv_block + shape->e) * (int64_t)sizeof(double));
    worker->tags = take(&used, plan->slots * (int64_t)sizeof(int64_t));
    worker->keys = take(&used, plan->slots * keys * floats);
    worker->key_peak = take(&used, shape->kind == ATTUNE_SCORE_TANH
                                       ? plan->slots * tiles->kv_block * floats : 0);
    worker->values = take(&used, plan->slots * values * floats);
    worker->careful = take(&used, careful_bytes(plan));
    const int location = plan->location.wsum != NULL;
    worker->line = take(&used, location ? (tiles->kv_block + shape->width) * floats : 0);
    worker->located = take(&used, location ? tiles->kv_block * shape->a * floats : 0);
    worker->scratch = take(&used, (int64_t)scratch_size(plan));
    worker->size = used;
}

/* The scale of scores goes into the base-2 exponent of softmax where nothing stands between the two;
 * a negative, zero or extreme scale, softcap, bias or mask need the scores themselves adjusted. */
void attune_plan_resolve_scales(struct attune_plan *plan)
{
    const struct attune_shape *shape = &plan->shape;
    double scale = shape->problem.score_scale, factor = scale * LOG2_E;
    plan->scale = (float)scale;
    plan->softcap = (float)shape->problem.softcap;
    plan->out_scale = (float)shape->problem.output_scale;
    plan->adjusted = !(factor > 0x1p-100 && factor < 0x1p100) || shape->problem.softcap > 0 ||
                     attune_given(shape, ATTUNE_IN_BIAS) || attune_given(shape, ATTUNE_IN_MASK);
    plan->factor = plan->adjusted ? (float)LOG2_E : (float)factor;
    /* Numbers that float32 cannot hold to full precision, or that make what it rounds or drops at its
     * ends count (a sum of 1e-40 times a scale of 1e38): rare enough for float64 throughout. */
    double cap = shape->problem.softcap, beta = fabs(shape->problem.output_scale);
    plan->exact_rows = (scale != 0 && !(fabs(scale) >= 0x1p-100 && fabs(scale) <= 0x1p100)) ||
                       (cap != 0 && !(cap >= 0x1p-100 && cap <= 0x1p100)) ||
                       (beta != 0 && !(beta >= 0x1p-126 && beta <= 0x1p127));
    plan->needs_all = shape->problem.out[ATTUNE_OUT_SCORES].dtype != ATTUNE_ABSENT &&
                      shape->problem.stage != ATTUNE_MASKED;
    plan->shown = plan->adjusted ||
                  shape->problem.out[ATTUNE_OUT_ALIGNMENTS].dtype != ATTUNE_ABSENT ||
                  shape->problem.out[ATTUNE_OUT_SCORES].dtype != ATTUNE_ABSENT;
}

enum attune_status attune_plan_lay_out(struct attune_plan *plan, size_t lowered_bytes)
{
    const struct attune_shape *shape = &plan->shape;
    size_operands(plan);
    size_blocks(plan);
    size_values(plan);
    attune_plan_size_workers(plan);
    lay_out_worker(plan);
    size_t used = lowered_bytes;
    if (plan->splits > 1) {
        plan->partial_stride = 16 + plan->ldo;
        plan->partial = take(&used, shape->b * shape->g * plan->rows * plan->splits *
                                        plan->partial_stride * (int64_t)sizeof(float));
    }
    if (plan->schedule == ATTUNE_SCHEDULE_WEIGHTED)
        plan->dealt = take(&used, (plan->workers + 1) * (int64_t)sizeof(float));
    plan->worker_base = used;
    double total = (double)used + (double)plan->workers * (double)plan->worker.size;
    if (total > 0x1p62)
        return attune_fail(ATTUNE_ERROR_OVERFLOW, "workspace: %.3g bytes do not fit", total);
    plan->workspace_size = used + (size_t)plan->workers * plan->worker.size + CACHE_LINE;
    return ATTUNE_OK;
}
