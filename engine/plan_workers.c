/* SPDX-License-Identifier: Apache-2.0
 *
 * How many workers a plan has, and blocks of rows that give each as much to do. Decides who computes what,
 * never what is computed: no bit depends on it.
 */
#include "engine/plan.h"

/* Cycles of work that another worker must have for each time that work is handed over, which takes 0.2 to 1
 * microseconds between two cores that look for it, as they are near each other or not. */
#define CYCLES_A_WORKER 2500.0
/* What it takes a thread to wake that sleeps: 25 microseconds. */
#define WAKE_CYCLES 100000.0
#define CYCLES_A_NANOSECOND 4.0
/* A projection finds its weights cold on another core: as many times that work again. */
#define WORK_A_PROJECTION 3
/* Flop of a dense product that a lane does in a cycle. */
#define FLOP_A_LANE 2.5
/* What a block costs beside its rows, in rows, and beside its keys, in keys. */
#define ROWS_A_BLOCK 2.0
#define KEYS_A_ROW 16.0
/* Blocks for each worker where they take different times that only an execution knows. */
#define UNEVEN_BLOCKS 4
/* Where the most loaded has so many times an even share, or less, no smaller block is tried. */
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
    return count;
}

/* Times that an execution hands work over. */
static int32_t count_rounds(const struct attune_plan *plan)
{
    int32_t rounds = 1 + (plan->out_projection != NULL);
    for (int32_t i = 0; i < plan->step_count; i++)
        rounds += attune_step_is_shared(&plan->steps[i]);
    return rounds;
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

static int64_t count_workers(const struct attune_plan *plan, double work, int64_t tile_rows)
{
    const struct attune_shape *shape = &plan->shape;
    const int32_t projections = count_projections(plan);
    const double useful =
        work / (CYCLES_A_WORKER * (count_rounds(plan) + WORK_A_PROJECTION * projections));
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

/* The blocks of a head, what they cost as the core deals them out, and what they do cost: rows, or pairs where
 * a mask makes them differ. */
struct blocks {
    const struct attune_plan *plan;
    int64_t q_block, count;
    int masked; /* lengths come with an execution, and nothing is known of them */
    double dealt, taken;
};

static double dealt(const struct blocks *blocks, int64_t block)
{
    return blocks->masked ? attune_plan_block_cost(blocks->plan, NULL, 0, blocks->q_block, block)
                          : (double)least(blocks->q_block, blocks->plan->rows - block * blocks->q_block);
}

static double taken(const struct blocks *blocks, int64_t block)
{
    const int64_t rows = least(blocks->q_block, blocks->plan->rows - block * blocks->q_block);
    return dealt(blocks, block) * (1 + ROWS_A_BLOCK / (double)rows);
}

static struct blocks cut(const struct attune_plan *plan, int64_t q_block)
{
    struct blocks blocks = {.plan = plan, .q_block = q_block, .count = ceil_div(plan->rows, q_block),
                            .masked = plan->uneven && !attune_given(&plan->shape, ATTUNE_IN_KEY_LENGTHS) &&
                                      !attune_given(&plan->shape, ATTUNE_IN_QUERY_LENGTHS)};
    for (int64_t block = 0; block < blocks.count; block++) {
        blocks.dealt += dealt(&blocks, block);
        blocks.taken += taken(&blocks, block);
    }
    return blocks;
}

/* Where the items of worker `i` begin, as the core has it. */
static int64_t item_of(const struct blocks *blocks, int64_t units, int64_t pieces, int64_t i, int64_t workers)
{
    if (!blocks->masked || i == workers)
        return units * blocks->count * pieces * i / workers;
    const double before = blocks->dealt * (double)units * (double)i / (double)workers;
    const int64_t unit = (int64_t)(before / blocks->dealt);
    double left = before - blocks->dealt * (double)unit, cost;
    int64_t block = 0;
    for (; block < blocks->count && (cost = dealt(blocks, block)) / 2 < left; block++)
        left -= cost;
    return (unit * blocks->count + block) * pieces;
}

/* What the items before one cost. */
static double cost_before(const struct blocks *blocks, int64_t pieces, int64_t item)
{
    const int64_t whole = item / pieces, unit = whole / blocks->count, block = whole % blocks->count;
    double cost = blocks->taken * (double)unit;
    for (int64_t at = 0; at < block; at++)
        cost += taken(blocks, at);
    if (item % pieces > 0)
        cost += taken(blocks, block) * (double)(item % pieces) / (double)pieces;
    return cost;
}

/* The most that one of `workers` has to do, where an item is a block's `pieces`th part. */
static double heaviest(const struct blocks *blocks, int64_t pieces, int64_t workers)
{
    const int64_t units = blocks->plan->shape.b * blocks->plan->shape.g;
    double most = 0, before = 0;
    for (int64_t i = 1; i <= workers; i++) {
        const double done = cost_before(blocks, pieces, item_of(blocks, units, pieces, i, workers));
        if (done - before > most)
            most = done - before;
        before = done;
    }
    return most;
}

/* The block, of whole tiles, that shares rows out best; of equals the largest. */
static int64_t balanced_block(const struct attune_plan *plan, int64_t tile_rows, int64_t workers)
{
    const int64_t units = plan->shape.b * plan->shape.g, largest = plan->tiles.q_block;
    const struct blocks few = cut(plan, largest);
    const int64_t needed = plan->uneven && !few.masked ? UNEVEN_BLOCKS * workers : 0;
    const double even = few.taken * (double)units / (double)workers;
    int64_t best = largest;
    double least_cost = 0;
    for (int64_t q_block = largest; q_block > 0; q_block = (q_block - 1) / tile_rows * tile_rows) {
        const struct blocks blocks = cut(plan, q_block);
        const double cost = heaviest(&blocks, plan->splits, workers);
        if (units * plan->splits * blocks.count < needed && q_block > tile_rows)
            continue;
        if (least_cost == 0 || cost < least_cost) {
            least_cost = cost;
            best = q_block;
        }
        if (cost <= WELL_SHARED * even)
            break;
    }
    return best;
}

/* Whether each worker takes all splits of a block: what it then has too much costs less than handing over the
 * merge does. */
static int gathers(const struct attune_plan *plan, double work, int64_t workers)
{
    if (plan->splits == 1 || plan->shape.b * plan->shape.g * plan->rows == 0)
        return 0;
    const struct blocks blocks = cut(plan, plan->tiles.q_block);
    const double more = heaviest(&blocks, 1, workers) - heaviest(&blocks, plan->splits, workers);
    return more * work / (blocks.taken * (double)(plan->shape.b * plan->shape.g)) < CYCLES_A_WORKER;
}

static int64_t brief_of(double work, int32_t workers)
{
    const double saved = work * (workers - 1) / workers;
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
    const double work = work_of(plan);
    struct attune_tiles *tiles = &plan->tiles;
    plan->uneven = shape->problem.causal != ATTUNE_CAUSAL_NONE ||
                   shape->problem.window_left >= 0 || shape->problem.window_right >= 0 ||
                   attune_given(shape, ATTUNE_IN_KEY_LENGTHS) ||
                   attune_given(shape, ATTUNE_IN_QUERY_LENGTHS);
    tiles->q_block = least(tiles->q_block, rows);
    plan->workers = (int32_t)count_workers(plan, work, tile_rows);
    if (plan->workers > 1 && shape->b * shape->g * plan->rows > 0)
        tiles->q_block = balanced_block(plan, tile_rows, plan->workers);
    tiles->strip = least(tiles->strip, tiles->q_block);
    plan->gathered = gathers(plan, work, plan->workers);
    plan->brief = brief_of(work, plan->workers);
    plan->q_blocks = ceil_div(rows, tiles->q_block);
    choose_schedule(plan);
}
