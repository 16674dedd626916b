/* SPDX-License-Identifier: Apache-2.0
 *
 * How many workers a plan has, and blocks of rows that give each as much to do. Decides who computes what,
 * never what is computed: no bit depends on it.
 */
#include "engine/plan.h"

/* Work below which waking another worker costs more than it brings: flop at the rate of dot scores. */
#define WORK_A_WORKER 200000.0
/* Each projection is a step of its own, with a hand-over before and cold weights on another core: as many
 * times that work again. */
#define WORK_A_PROJECTION 4
/* Rows to a key below which passing the keys takes as long as so many rows would. */
#define LEAST_ROWS 3.0
/* Flop that a tanh of a pair takes as long as, and an exponential of a row of queries or keys. */
#define TANH_FLOP 6.0
#define EXPAND_FLOP 12.0
/* What a block costs beside its rows, in rows. */
#define ROWS_A_BLOCK 2.0
/* Blocks for each worker where they take different times. */
#define UNEVEN_BLOCKS 4

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t ceil_div(int64_t value, int64_t by)
{
    return (value + by - 1) / by;
}

static double work_of_pair(const struct attune_shape *shape)
{
    const double a = (double)shape->a, n = (double)shape->n, sum = 2.0 * (double)shape->e;
    if (shape->kind == ATTUNE_SCORE_DOT)
        return sum + 2.0 * (double)shape->d;
    if (shape->kind == ATTUNE_SCORE_TANH)
        return sum + TANH_FLOP * a;
    return sum + 8.0 * n * n + 2.0 * n * a;
}

static int32_t count_projections(const struct attune_plan *plan)
{
    int32_t count = 0;
    for (int32_t i = 0; i < plan->step_count; i++)
        count += plan->steps[i].kind == ATTUNE_STEP_PROJECT;
    return count;
}

static double work_of_projections(const struct attune_plan *plan)
{
    double work = 0;
    for (int32_t i = 0; i < plan->step_count; i++) {
        const struct attune_step *step = &plan->steps[i];
        if (step->kind == ATTUNE_STEP_PROJECT)
            work += 2.0 * (double)step->b * (double)step->t * (double)step->inputs * (double)step->outputs;
    }
    return work;
}

static double work_of(const struct attune_plan *plan)
{
    const struct attune_shape *shape = &plan->shape;
    const double units = (double)(shape->b * shape->g), rows = (double)plan->rows;
    double work = work_of_pair(shape) * units * (double)shape->t_k * (rows < LEAST_ROWS ? LEAST_ROWS : rows);
    if (shape->kind == ATTUNE_SCORE_TANH)
        work += EXPAND_FLOP * (double)shape->a * units *
                (rows + (shape->prepared ? 0.0 : (double)shape->t_k));
    if (plan->location.wsum != NULL)
        work += 2.0 * (double)shape->b * (double)shape->t_k * (double)shape->width * (double)shape->a;
    return work + work_of_projections(plan);
}

static int64_t count_workers(const struct attune_plan *plan, int64_t tile_rows)
{
    const struct attune_shape *shape = &plan->shape;
    const int32_t projections = count_projections(plan);
    const double useful = work_of(plan) / (WORK_A_WORKER * (1 + WORK_A_PROJECTION * projections));
    int64_t workers = plan->context->threads;
    if (plan->parallel.threads > 0)
        workers = least(workers, plan->parallel.threads);
    else if (useful < (double)workers)
        workers = useful < 1.0 ? 1 : (int64_t)useful;
    const int64_t pieces = shape->b * shape->g * plan->splits * ceil_div(plan->rows, tile_rows);
    return projections > 0 ? workers : least(workers, pieces > 1 ? pieces : 1);
}

/* Rows of the one of `workers` that has most, when the blocks of all units are shared in order. */
static int64_t heaviest(const struct attune_plan *plan, int64_t units, int64_t q_block, int64_t workers)
{
    const int64_t rows = plan->rows, blocks = ceil_div(rows, q_block), items = units * blocks;
    int64_t most = 0, before = 0;
    for (int64_t i = 1; i <= workers; i++) {
        const int64_t item = items * i / workers;
        const int64_t done = item / blocks * rows + least(item % blocks * q_block, rows);
        if (done - before > most)
            most = done - before;
        before = done;
    }
    return most;
}

/* The block, of whole tiles, that shares rows out best; of equals the largest. */
static int64_t balanced_block(const struct attune_plan *plan, int64_t tile_rows, int64_t workers)
{
    const int64_t units = plan->shape.b * plan->shape.g * plan->splits, largest = plan->tiles.q_block;
    const int64_t needed = plan->uneven ? UNEVEN_BLOCKS * workers : 0;
    int64_t best = largest;
    double least_cost = 0;
    for (int64_t q_block = largest; q_block > 0; q_block = (q_block - 1) / tile_rows * tile_rows) {
        const int enough = units * ceil_div(plan->rows, q_block) >= needed || q_block <= tile_rows;
        const double cost = (double)heaviest(plan, units, q_block, workers) *
                            (1 + ROWS_A_BLOCK / (double)q_block);
        if (enough && (least_cost == 0 || cost < least_cost)) {
            least_cost = cost;
            best = q_block;
        }
    }
    return best;
}

/* Whether each worker takes all splits of a block: what it then has too much costs less than handing over the
 * merge does. */
static int gathers(const struct attune_plan *plan, int64_t workers)
{
    const int64_t units = plan->shape.b * plan->shape.g, q_block = plan->tiles.q_block;
    if (plan->splits == 1 || units * plan->rows == 0)
        return 0;
    const double apart = (double)heaviest(plan, units * plan->splits, q_block, workers);
    const double together = (double)heaviest(plan, units, q_block, workers) * (double)plan->splits;
    const double row = work_of(plan) / (double)(units * plan->rows * plan->splits);
    return (together - apart) * row < WORK_A_WORKER;
}

/* Left to us, cores of several kinds share by speed. */
static void choose_schedule(struct attune_plan *plan)
{
    const int mixed = attune_topology_worker_kind(plan->workers - 1) != 0;
    plan->schedule = (enum attune_schedule)plan->parallel.schedule;
    if (plan->schedule == ATTUNE_SCHEDULE_MODEL)
        plan->schedule = mixed ? ATTUNE_SCHEDULE_WEIGHTED : ATTUNE_SCHEDULE_EVEN;
    if (plan->workers == 1)
        plan->schedule = ATTUNE_SCHEDULE_EVEN;
}

void attune_plan_size_workers(struct attune_plan *plan)
{
    const struct attune_shape *shape = &plan->shape;
    const struct attune_kernel *kernel = attune_choice_score(&plan->choice, (int32_t)shape->kind);
    const int64_t tile_rows = kernel->rows > 0 ? kernel->rows : 1, rows = plan->rows > 0 ? plan->rows : 1;
    struct attune_tiles *tiles = &plan->tiles;
    plan->uneven = shape->problem.causal != ATTUNE_CAUSAL_NONE ||
                   shape->problem.window_left >= 0 || shape->problem.window_right >= 0 ||
                   attune_given(shape, ATTUNE_IN_KEY_LENGTHS) ||
                   attune_given(shape, ATTUNE_IN_QUERY_LENGTHS);
    tiles->q_block = least(tiles->q_block, rows);
    plan->workers = (int32_t)count_workers(plan, tile_rows);
    if (plan->workers > 1 && shape->b * shape->g * plan->rows > 0)
        tiles->q_block = balanced_block(plan, tile_rows, plan->workers);
    tiles->strip = least(tiles->strip, tiles->q_block);
    plan->gathered = gathers(plan, plan->workers);
    plan->q_blocks = ceil_div(rows, tiles->q_block);
    choose_schedule(plan);
}
