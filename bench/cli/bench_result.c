/* SPDX-License-Identifier: Apache-2.0
 *
 * From a trial to its line of the file of results.
 */
#include <math.h>
#include <string.h>

#include "bench/cli/bench.h"

static void add_pair(struct attune_pairs *pairs, const char *name, double value)
{
    pairs->at[pairs->count].name = name;
    pairs->at[pairs->count++].value = value;
}

static void set_roofs(const struct attune_roofs *roofs, struct attune_pairs *pairs)
{
    pairs->count = 0;
    add_pair(pairs, "fma", roofs->fma);
    for (int level = ATTUNE_L1; level < ATTUNE_LEVELS; level++)
        add_pair(pairs, attune_level_word((enum attune_level)level), roofs->read[level]);
    add_pair(pairs, "tanh", roofs->tanh);
    add_pair(pairs, "exp", roofs->exp);
}

/* The element type of the first input given. */
static const char *dtype_of(const struct attune_problem *problem, const enum attune_input *inputs,
                            int count)
{
    for (int i = 0; i < count; i++)
        if (problem->in[inputs[i]].dtype != ATTUNE_ABSENT)
            return attune_dtype_name(problem->in[inputs[i]].dtype);
    return "f32";
}

static void set_types(const struct attune_bench_case *one, struct attune_result_line *line)
{
    static const enum attune_input queries[] = {ATTUNE_IN_Q, ATTUNE_IN_QUERY, ATTUNE_IN_X};
    static const enum attune_input keys[] = {ATTUNE_IN_K, ATTUNE_IN_KEY, ATTUNE_IN_X};
    line->dtype = dtype_of(&one->problem, queries, 3);
    line->kv = dtype_of(&one->problem, keys, 3);
}

static void set_figures(const struct attune_bench_trial *trial, struct attune_result_line *line)
{
    const struct attune_figures *figures = &trial->figures;
    const struct attune_work *work = &trial->entry->work;
    line->min_s = figures->minimum;
    line->median_s = figures->median;
    line->low_s = figures->low;
    line->high_s = figures->high;
    line->noise = figures->noise;
    line->samples = trial->entry->samples;
    line->calls = (double)trial->entry->calls;
    line->settled = figures->settled;
    line->work = figures->bound.amount;
    line->work_unit = attune_work_unit_word(figures->bound.unit);
    line->bound_by = figures->bound.name;
    line->roof = figures->bound.roof;
    line->share = figures->share;
    line->pairs = work->pairs > 0 ? work->pairs : NAN;
    line->arithmetic = work->amount;
    line->arithmetic_unit = attune_work_unit_word(work->unit);
    line->bytes = work->bytes;
    line->explain = trial->explain;
    line->explain_apart = trial->explain_apart;
    set_roofs(&figures->roofs, &line->roofs);
}

void attune_bench_result(const struct attune_bench_trial *trial, const char *machine,
                         struct attune_result_line *line)
{
    static char version[32];
    const struct attune_bench_setting *setting = trial->setting;
    snprintf(version, sizeof version, "%d.%d.%d", ATTUNE_VERSION_MAJOR, ATTUNE_VERSION_MINOR,
             ATTUNE_VERSION_PATCH);
    *line = (struct attune_result_line){
        .machine = machine,
        .name = trial->of->name,
        .family = trial->of->family,
        .spec = trial->of->spec,
        .engine = "attune",
        .version = version,
        .isa = setting->isa,
        .isa_asked = setting->isa_asked,
        .threads = setting->threads,
        .threads_asked = setting->threads_asked,
        .kernels = trial->kernels[0] ? trial->kernels : NULL,
        .tiles = trial->tiles,
        .choice = trial->choice,
        .tuned = trial->tuned,
        .outcome = trial->code == 0                   ? "ok"
                   : trial->code == ATTUNE_EXIT_CHECK ? "wrong"
                                                      : "failed",
        .reason = trial->code ? trial->trouble.text : NULL,
        .min_s = NAN,
        .median_s = NAN,
        .low_s = NAN,
        .high_s = NAN,
        .noise = NAN,
        .samples = NAN,
        .calls = NAN,
        .work = NAN,
        .roof = NAN,
        .share = NAN,
        .pairs = NAN,
        .arithmetic = NAN,
        .bytes = NAN,
        .error_over_bound = trial->error,
    };
    set_types(trial->of, line);
    if (trial->code == 0)
        set_figures(trial, line);
}

void attune_bench_series(const struct attune_bench_trial *trial,
                         struct attune_bench_series *series, struct attune_result_line *line)
{
    if (trial->code != 0)
        return;
    for (int32_t i = 0; i < trial->entry->rounds; i++) {
        series->seconds[i] = trial->entry->round[i].minimum;
        series->roof[i] = attune_rounds_roof(trial->entry, &trial->figures, i);
    }
    line->round_s = (struct attune_series){series->seconds, trial->entry->rounds};
    line->round_roof = (struct attune_series){series->roof, trial->entry->rounds};
}
