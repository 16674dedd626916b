/* SPDX-License-Identifier: Apache-2.0
 *
 * The landscape around a plan's tiles: the same problem with its kernels and every q_block and kv_block
 * of a grid, side by side in rounds.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/cli/bench.h"
#include "bench/cli/grid.h"
#include "engine/plan.h"

enum { AXIS = 8, ROUNDS = 6 };
static const double seconds_a_point = 0.12;

struct site {
    struct attune_runner runner;
    struct attune_entry *entry;
    struct attune_point point;
};

struct survey {
    const struct attune_bench_trial *trial;
    struct site site[ATTUNE_BENCH_POINTS];
    int count;
};

/* Doubling steps of `unit` up to what holds `extent` and is legal. */
static int axis(int64_t unit, int64_t extent, int64_t most, int64_t *values)
{
    const int64_t enough = (extent + unit - 1) / unit * unit;
    int count = 0;
    for (int64_t value = unit; count < AXIS && value <= most; value *= 2) {
        values[count++] = value < enough ? value : enough;
        if (value >= enough)
            break;
    }
    return count;
}

/* A point whose tiles this plan cannot take is left out. */
static int open_site(struct survey *survey, int64_t q_block, int64_t kv_block,
                     struct attune_trouble *trouble)
{
    const struct attune_bench_trial *trial = survey->trial;
    struct site *site = &survey->site[survey->count];
    struct attune_choice choice = trial->runner.plan->choice;
    choice.verdict = ATTUNE_VERDICT_WIN; /* a tie has no tiles of its own */
    choice.speedup = choice.low = choice.high = 1000;
    choice.strip = (int32_t)trial->runner.plan->tiles.strip;
    choice.q_block = (int32_t)q_block;
    choice.kv_block = (int32_t)kv_block;
    choice.kv_split = ATTUNE_CHOICE_UNSPLIT;
    if (trial->runner.plan->tiles.kv_split > 0)
        choice.kv_split =
            (int32_t)((trial->runner.plan->tiles.kv_split + kv_block - 1) / kv_block * kv_block);
    const enum attune_status status =
        attune_runner_open_forced(&site->runner, trial->setting->context, &trial->of->problem,
                                  &trial->of->args, &choice);
    if (status == ATTUNE_ERROR_INVALID || status == ATTUNE_ERROR_UNSUPPORTED) {
        attune_runner_close(&site->runner);
        return 0;
    }
    survey->count++;
    if (status != ATTUNE_OK)
        return attune_trouble_status(trouble, status);
    site->entry = calloc(1, sizeof *site->entry);
    if (!site->entry)
        return attune_trouble_memory(trouble, "samples");
    site->entry->run = attune_runner_execute;
    site->entry->argument = &site->runner;
    site->point = (struct attune_point){(double)site->runner.plan->tiles.q_block,
                                        (double)site->runner.plan->tiles.kv_block, NAN};
    return 0;
}

static int open_sites(struct survey *survey, struct attune_trouble *trouble)
{
    const struct attune_plan *plan = survey->trial->runner.plan;
    int64_t q[AXIS], kv[AXIS];
    const int rows = axis(plan->tiles.strip, plan->rows, ATTUNE_CHOICE_Q_BLOCK_MAX, q);
    const int columns =
        axis(ATTUNE_KEY_STEP, plan->shape.t_k, ATTUNE_CHOICE_KV_BLOCK_MAX, kv);
    int code = 0;
    for (int i = 0; i < rows && code == 0; i++)
        for (int j = 0; j < columns && code == 0; j++)
            code = open_site(survey, q[i], kv[j], trouble);
    return code;
}

static void measure(struct survey *survey, int (*step)(void *user, double done), void *user)
{
    struct attune_entry *entries[ATTUNE_BENCH_POINTS];
    const struct attune_rounds_options options = {.seconds = seconds_a_point,
                                                  .rounds = ROUNDS,
                                                  .clock = &attune_clock_monotonic,
                                                  .step = step,
                                                  .user = user};
    for (int i = 0; i < survey->count; i++)
        entries[i] = survey->site[i].entry;
    (void)attune_rounds_run(entries, survey->count, &options);
    for (int i = 0; i < survey->count; i++) {
        struct attune_figures figures;
        if (attune_rounds_figures(entries[i], &figures))
            survey->site[i].point.seconds = figures.minimum;
    }
}

static struct attune_pairs tiles_of(const struct attune_tiles *tiles)
{
    return (struct attune_pairs){.at = {{"q_block", (double)tiles->q_block},
                                        {"kv_block", (double)tiles->kv_block}},
                                 .count = 2};
}

/* What an untuned plan would take. */
static struct attune_pairs model_tiles(const struct attune_plan *plan)
{
    struct attune_choice model = {0};
    (void)attune_model_complete(&plan->asked, &model);
    return tiles_of(&(struct attune_tiles){.q_block = model.q_block, .kv_block = model.kv_block});
}

static void describe(const struct survey *survey, const char *machine,
                     struct attune_bench_landscape *landscape)
{
    const struct attune_bench_trial *trial = survey->trial;
    const struct attune_plan *plan = trial->runner.plan;
    attune_key_format(&plan->asked.key, landscape->key, sizeof landscape->key);
    landscape->line = (struct attune_landscape_line){.machine = machine,
                                                     .key = landscape->key,
                                                     .spec = trial->of->spec,
                                                     .isa = trial->setting->isa,
                                                     .threads = trial->setting->threads,
                                                     .chosen = tiles_of(&plan->tiles),
                                                     .model = model_tiles(plan)};
    int32_t count = 0;
    for (int i = 0; i < survey->count; i++)
        if (isfinite(survey->site[i].point.seconds))
            landscape->point[count++] = survey->site[i].point;
    landscape->line.points = (struct attune_points){landscape->point, count};
}

int attune_bench_landscape(const struct attune_bench_trial *trial, const char *machine,
                           int (*step)(void *user, double done), void *user,
                           struct attune_bench_landscape *landscape,
                           struct attune_trouble *trouble)
{
    struct survey *survey = calloc(1, sizeof *survey);
    if (!survey)
        return attune_trouble_memory(trouble, "a landscape");
    survey->trial = trial;
    attune_bench_enter_setting(trial->setting);
    const int code = open_sites(survey, trouble);
    if (code == 0) {
        measure(survey, step, user);
        describe(survey, machine, landscape);
    }
    for (int i = 0; i < survey->count; i++) {
        attune_runner_close(&survey->site[i].runner);
        free(survey->site[i].entry);
    }
    free(survey);
    return code;
}

static double fastest(const struct attune_points *points)
{
    double best = INFINITY;
    for (int32_t i = 0; i < points->count; i++)
        best = fmin(best, points->point[i].seconds);
    return best;
}

static int is_tiles(const struct attune_pairs *tiles, const struct attune_point *point)
{
    return tiles->at[0].value == point->q_block && tiles->at[1].value == point->kv_block;
}

/* Points come row by row of one q_block. */
void attune_bench_print_landscape(const struct attune_bench_landscape *landscape, FILE *file)
{
    const struct attune_landscape_line *line = &landscape->line;
    const struct attune_points *points = &line->points;
    const double best = fastest(points);
    struct attune_grid grid = {0};
    int columns = 1;
    while (columns < points->count && points->point[columns].q_block == points->point[0].q_block)
        columns++;
    fprintf(file, "    time over the fastest, by rows of a q_block and keys of a kv_block; * the "
                  "plan's, m the model's\n");
    attune_grid_add(&grid, "    q\\kv");
    for (int i = 0; i < columns && i < points->count; i++)
        attune_grid_add(&grid, "%.0f", points->point[i].kv_block);
    grid.columns = columns + 1;
    for (int32_t i = 0; i < points->count; i++) {
        const struct attune_point *point = &points->point[i];
        if (i % columns == 0)
            attune_grid_add(&grid, "%.0f", point->q_block);
        attune_grid_add(&grid, "%.3f%s%s", point->seconds / best,
                        is_tiles(&line->chosen, point) ? "*" : "",
                        is_tiles(&line->model, point) ? "m" : "");
    }
    (void)attune_grid_print(&grid, file);
}
