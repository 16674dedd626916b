/* SPDX-License-Identifier: Apache-2.0
 *
 * How many workers a plan has, and blocks of rows that give each as much to do. Decides who computes what,
 * never what is computed: no bit depends on it.
 */
#include <math.h>

#include "engine/plan.h"

/* Cycles of work that another worker must have, to be worth what handing it over costs: a quarter of a
 * microsecond between cores that look for work. */
#define CYCLES_A_WORKER 1000.0
/* What it takes a thread to wake that sleeps: 25 microseconds. */
#define WAKE_CYCLES 100000.0
#define CYCLES_A_NANOSECOND 4.0
/* Each projection is a step of its own, with a hand-over before and cold weights on another core: as many
 * times that work again. */
#define WORK_A_PROJECTION 1
/* Flop of a dense product that a lane does in a cycle. */
#define FLOP_A_LANE 2.5
/* What a block costs beside its rows, in rows, and beside its keys, in keys. */
#define ROWS_A_BLOCK 2.0
#define KEYS_A_ROW 16.0
/* Blocks for each worker where they take different times that only an execution knows. */
#define UNEVEN_BLOCKS 4
/* The most loaded of all has so much of what each should have, or less: no smaller block is tried. */
#define WELL_SHARED 1.01

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t ceil_div(int64_t value, int64_t by)
{
    return (value + by - 1) / by;
}

static int32_t count_projections(const struct attune_plan *plan)
{
    int32_t count = 0;
    for (int32_t i = 0; i < plan->step_count; i++)
        count += plan->steps[i].kind == ATTUNE_STEP_PROJECT;
    return count + (plan->location.wsum != NULL);
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

/* Cycles of one core. */
static double work_of(const struct attune_plan *plan)
{
    const struct attune_shape *shape = &plan->shape;
    const int32_t lanes = attune_choice_score(&plan->choice, (int32_t)shape->kind)->lanes;
    double flop = work_of_projections(plan);
    if (plan->location.wsum != NULL)
        flop += 2.0 * (double)shape->b * (double)shape->t_k * (double)shape->width * (double)shape->a;
    return flop / (FLOP_A_LANE * lanes) +
           (double)(shape->b * shape->g) *
               attune_model_cycles(&plan->asked, &plan->choice, plan->kernel.row[ATTUNE_OP_TILE]);
}

static int64_t count_workers(const struct attune_plan *plan, int64_t tile_rows)
{
    const struct attune_shape *shape = &plan->shape;
    const int32_t projections = count_projections(plan);
    const double useful = work_of(plan) / (CYCLES_A_WORKER * (1 + WORK_A_PROJECTION * projections));
    int64_t workers = plan->context->threads;
    if (plan->parallel.threads > 0)
        workers = least(workers, plan->parallel.threads);
    else if (useful < (double)workers)
        workers = useful < 1.0 ? 1 : (int64_t)useful;
    const int64_t pieces = shape->b * shape->g * plan->splits * ceil_div(plan->rows, tile_rows);
    return projections > 0 ? workers : least(workers, pieces > 1 ? pieces : 1);
}

double attune_plan_block_cost(const struct attune_plan *plan, const struct attune_args *args, int64_t b,
                              int64_t q_block, int64_t block)
{
    const int64_t from = block * q_block, t_q = plan->shape.t_q, rows = least(q_block, plan->rows - from);
    int64_t first, last, first_again, last_again;
    attune_shape_attended(&plan->shape, args, b, from % t_q, &first, &last);
    attune_shape_attended(&plan->shape, args, b, (from + rows - 1) % t_q, &first_again, &last_again);
    const double keys = (double)(last - first + last_again - first_again) / 2;
    return (double)rows * ((keys > 0 ? keys : 0) + KEYS_A_ROW);
}

/* Blocks of a head, and what they cost: rows, where they are all alike or only an execution knows. */
struct blocks {
    const struct attune_plan *plan;
    int64_t q_block, count;
    int masked; /* they differ, as the mask says */
    double cost;
};

static struct blocks cut(const struct attune_plan *plan, int64_t q_block)
{
    const struct attune_shape *shape = &plan->shape;
    struct blocks blocks = {.plan = plan, .q_block = q_block, .count = ceil_div(plan->rows, q_block),
                            .masked = plan->uneven && !attune_given(shape, ATTUNE_IN_KEY_LENGTHS) &&
                                      !attune_given(shape, ATTUNE_IN_QUERY_LENGTHS)};
    for (int64_t block = 0; block < blocks.count && blocks.masked; block++)
        blocks.cost += attune_plan_block_cost(plan, NULL, 0, q_block, block);
    if (!blocks.masked)
        blocks.cost = (double)plan->rows;
    return blocks;
}

/* What lies before the border of worker `i`, the blocks of all units being dealt out in order as the core
 * does it. */
static double border(const struct blocks *blocks, int64_t units, int64_t i, int64_t workers)
{
    if (!blocks->masked || i == workers) {
        const int64_t item = units * blocks->count * i / workers, unit = item / blocks->count;
        return blocks->cost * (double)unit +
               (double)least(item % blocks->count * blocks->q_block, blocks->plan->rows);
    }
    double before = blocks->cost * (double)units * (double)i / (double)workers, cost;
    const double whole = blocks->cost * floor(before / blocks->cost);
    double left = before - whole;
    before = whole;
    for (int64_t block = 0; block < blocks->count; block++, left -= cost, before += cost) {
        cost = attune_plan_block_cost(blocks->plan, NULL, 0, blocks->q_block, block);
        if (cost / 2 >= left)
            break;
    }
    return before;
}

/* What the one of `workers` that has most has of an even share. */
static double heaviest(const struct attune_plan *plan, int64_t units, int64_t q_block, int64_t workers)
{
    const struct blocks blocks = cut(plan, q_block);
    double most = 0, before = 0;
    for (int64_t i = 1; i <= workers; i++) {
        const double done = border(&blocks, units, i, workers);
        if (done - before > most)
            most = done - before;
        before = done;
    }
    return most * (double)workers / (blocks.cost * (double)units);
}

/* The block, of whole tiles, that shares rows out best; of equals the largest. */
static int64_t balanced_block(const struct attune_plan *plan, int64_t tile_rows, int64_t workers)
{
    const int64_t units = plan->shape.b * plan->shape.g * plan->splits, largest = plan->tiles.q_block;
    const int64_t needed = plan->uneven && !cut(plan, largest).masked ? UNEVEN_BLOCKS * workers : 0;
    int64_t best = largest;
    double least_cost = 0;
    for (int64_t q_block = largest; q_block > 0; q_block = (q_block - 1) / tile_rows * tile_rows) {
        const int enough = units * ceil_div(plan->rows, q_block) >= needed || q_block <= tile_rows;
        const double most = heaviest(plan, units, q_block, workers);
        const double cost = most * (1 + ROWS_A_BLOCK / (double)q_block);
        if (enough && (least_cost == 0 || cost < least_cost)) {
            least_cost = cost;
            best = q_block;
        }
        if (enough && most <= WELL_SHARED)
            break;
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
    const double apart = heaviest(plan, units * plan->splits, q_block, workers);
    const double together = heaviest(plan, units, q_block, workers);
    return (together - apart) * work_of(plan) / (double)workers < CYCLES_A_WORKER;
}

static int64_t brief_of(const struct attune_plan *plan)
{
    const double work = work_of(plan), saved = work * (plan->workers - 1) / plan->workers;
    return saved < WAKE_CYCLES ? (int64_t)(work / CYCLES_A_NANOSECOND) + 1 : 0;
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
    plan->brief = brief_of(plan);
    plan->q_blocks = ceil_div(rows, tiles->q_block);
    choose_schedule(plan);
}
