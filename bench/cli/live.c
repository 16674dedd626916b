/* SPDX-License-Identifier: Apache-2.0
 *
 * attune compare --live: both sides take samples of each problem in turn, A B B A, in several launches.
 * A launch is the independent observation: within it pages lie where they lie.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/cli/bench.h"
#include "bench/cli/compare.h"
#include "bench/cli/grid.h"
#include "bench/cli/interrupt.h"
#include "bench/cli/json.h"
#include "bench/cli/live_side.h"
#include "bench/cli/progress.h"
#include "bench/text.h"
#include "tuner/statistics.h"

enum { LAUNCHES_MOST = 99, BLOCKS_MOST = 256, LEAST_BLOCKS = 3, LEAST_LAUNCHES = 6 };
static const double confidence = 0.95;
/* A sample, as a part of a case's time in a launch: short ones fit between the turns of other work. */
static const double sample_part = 0.008;
/* With several threads those of the side that waits may still spin: they get this long to sleep. */
static const unsigned pause_us = 2000;

struct contest {
    const struct attune_bench_case *of;
    int launches, open; /* open: takes part in the next launch */
    double ratio[2 * LAUNCHES_MOST]; /* logarithm of B's time over A's, a launch each */
    double fastest[2];
};

/* Samples of one case in one launch. */
struct bout {
    int64_t calls;
    double sample[2][2 * BLOCKS_MOST];
    int32_t count[2];
};

struct match {
    const struct attune_live *live;
    struct attune_bench cases;
    struct contest *contest;
    struct bout *bout; /* the present one */
    struct attune_side side[2];
    struct attune_progress progress;
    double decided; /* seconds until the launches that all cases take part in were over */
    char what[64];
};

/* Cases by the rules of attune bench, whose --help tells them. */
static int choose(struct match *match)
{
    static const struct attune_usage usage = {.command = "compare"};
    const struct attune_live *live = match->live;
    struct attune_bench *cases = &match->cases;
    int code = live->from ? attune_bench_add_list(cases, &usage, live->from) : 0;
    for (int i = 0; i < live->spec_count && code == 0; i++)
        code = attune_bench_add_spec(cases, &usage, live->specs[i]);
    for (int i = 0; i < live->name_count && code == 0; i++)
        code = attune_bench_add_suite(cases, &usage, ATTUNE_TIER_FULL, live->names[i]);
    if (code == 0 && cases->case_count == 0)
        code = attune_bench_add_suite(cases, &usage, ATTUNE_TIER_QUICK, NULL);
    return code;
}

static int sample(struct match *match, int which, struct attune_trouble *trouble)
{
    struct bout *bout = match->bout;
    double *seconds = &bout->sample[which][bout->count[which]++];
    const int code = attune_side_sample(&match->side[which], bout->calls, seconds, trouble);
    if (strcmp(match->live->threads, "1") != 0)
        (void)usleep(pause_us);
    return code;
}

/* The sample that an eighth of a side's are below: what it takes undisturbed, without the luck that a
 * minimum needs. */
static double undisturbed(struct bout *bout, int which)
{
    (void)attune_statistics_median(bout->sample[which], bout->count[which]); /* sorts */
    return bout->sample[which][bout->count[which] / 8];
}

/* Blocks of A B B A, or B A A B in every other launch, until the case's time is over. */
static int run_blocks(struct match *match, struct contest *contest, int launch,
                      struct attune_trouble *trouble)
{
    static const int order[] = {0, 1, 1, 0};
    struct bout *bout = match->bout;
    int code = sample(match, launch % 2, trouble);
    if (code == 0)
        code = sample(match, 1 - launch % 2, trouble);
    bout->count[0] = bout->count[1] = 0; /* those were to warm up */
    const double until = attune_clock_seconds() + match->live->seconds;
    int blocks = 0;
    for (; code == 0 && blocks < BLOCKS_MOST && !attune_interrupted() &&
           (blocks < LEAST_BLOCKS || attune_clock_seconds() < until);
         blocks++)
        for (int i = 0; i < 4 && code == 0; i++)
            code = sample(match, order[i] ^ (launch % 2), trouble);
    if (code || blocks < LEAST_BLOCKS)
        return code;
    contest->ratio[contest->launches++] = log(undisturbed(bout, 1) / undisturbed(bout, 0));
    for (int which = 0; which < 2; which++)
        contest->fastest[which] = fmin(contest->fastest[which], bout->sample[which][0]);
    return 0;
}

static int run_contest(struct match *match, struct contest *contest, int launch,
                       struct attune_trouble *trouble)
{
    int64_t calls[2] = {0, 0};
    int code = 0;
    for (int i = 0; i < 2 && code == 0; i++) {
        const int which = i ^ (launch % 2);
        code = attune_side_open(&match->side[which], contest->of->spec,
                                sample_part * match->live->seconds, &calls[which], trouble);
    }
    *match->bout = (struct bout){.calls = calls[0] > calls[1] ? calls[0] : calls[1]};
    return code ? code : run_blocks(match, contest, launch, trouble);
}

/* B's speed over A's. */
static struct attune_ratio decide(const struct contest *contest, double effect)
{
    double sorted[2 * LAUNCHES_MOST];
    memcpy(sorted, contest->ratio, (size_t)contest->launches * sizeof *sorted);
    const struct attune_interval slower =
        attune_statistics_interval(sorted, contest->launches, confidence);
    struct attune_ratio ratio = {.estimate = exp(-slower.median),
                                 .low = exp(-slower.high),
                                 .high = exp(-slower.low)};
    ratio.verdict = attune_difference_of(&ratio, effect);
    return ratio;
}

/* Whether a case looks different and is not sure to be: it gets as many launches again, once. */
static int is_open(const struct match *match, const struct contest *contest)
{
    if (contest->launches < match->live->launches)
        return 1;
    const struct attune_ratio ratio = decide(contest, match->live->effect);
    return ratio.verdict == ATTUNE_SAME && fabs(log(ratio.estimate)) > match->live->effect;
}

static int count_open(const struct match *match)
{
    int open = 0;
    for (int i = 0; i < match->cases.case_count; i++)
        open += match->contest[i].open;
    return open;
}

/* How far it is after `part` of a launch: as many launches again, of the cases that are open, were not
 * known to be needed. */
static void show_progress(struct match *match, int launch, double part)
{
    const int launches = match->live->launches;
    if (launch < launches)
        attune_progress_step(&match->progress, (launch + part) / launches);
    else
        attune_progress_left(&match->progress, match->decided / launches * (2 * launches - launch - part) *
                                                   count_open(match) / match->cases.case_count);
}

/* Which side starts first alternates, as everything else does. */
static int run_launch(struct match *match, int launch, struct attune_trouble *trouble)
{
    const struct attune_live *live = match->live;
    const int first = launch % 2;
    int code = 0;
    for (int i = 0; i < 2 && code == 0; i++) {
        const int which = i ^ first;
        code = attune_side_start(&match->side[which], (char)('A' + which), live->side[which],
                                 live->threads, trouble);
    }
    for (int i = 0; i < match->cases.case_count && code == 0 && !attune_interrupted(); i++) {
        if (match->contest[i].open)
            code = run_contest(match, &match->contest[i], launch, trouble);
        show_progress(match, launch, (i + 1.0) / match->cases.case_count);
    }
    attune_side_stop(&match->side[0]);
    attune_side_stop(&match->side[1]);
    return code;
}

static void count(struct attune_live_outcome *outcome, const struct attune_ratio *ratio)
{
    outcome->cases++;
    outcome->same += ratio->verdict == ATTUNE_SAME;
    outcome->faster += ratio->verdict == ATTUNE_FASTER;
    outcome->slower += ratio->verdict == ATTUNE_SLOWER;
    if (ratio->verdict == ATTUNE_SLOWER)
        outcome->worst = fmax(outcome->worst, 1 / ratio->estimate - 1);
}

static int tell_json(const struct match *match, struct attune_live_outcome *outcome)
{
    for (int i = 0; i < match->cases.case_count; i++) {
        const struct contest *contest = &match->contest[i];
        if (contest->launches < LEAST_LAUNCHES)
            continue;
        const struct attune_ratio ratio = decide(contest, match->live->effect);
        count(outcome, &ratio);
        json_t *object = json_pack(
            "{s:s, s:s, s:s, s:f, s:f, s:f, s:f, s:f, s:i, s:s}", "case", contest->of->name,
            "spec", contest->of->spec, "threads", match->live->threads, "a_s",
            contest->fastest[0], "b_s", contest->fastest[1], "speedup", ratio.estimate, "low",
            ratio.low, "high", ratio.high, "launches", contest->launches, "verdict",
            attune_difference_word(ratio.verdict));
        if (!attune_json_print(object, 9, stdout))
            return 0;
    }
    return 1;
}

static int tell_table(const struct match *match, struct attune_live_outcome *outcome)
{
    const struct attune_live *live = match->live;
    struct attune_grid grid = {.columns = 6, .left = {1, 0, 0, 0, 0, 1}};
    static const char *const head[] = {"case",      "A time",          "B time",
                                       "B/A speed", "95 % interval", "B is"};
    for (int i = 0; i < 6; i++)
        attune_grid_add(&grid, "%s", head[i]);
    for (int i = 0; i < match->cases.case_count; i++) {
        const struct contest *contest = &match->contest[i];
        if (contest->launches < LEAST_LAUNCHES)
            continue;
        const struct attune_ratio ratio = decide(contest, live->effect);
        count(outcome, &ratio);
        attune_grid_add(&grid, "%s", contest->of->name);
        attune_grid_add(&grid, "%.4g us", 1e6 * contest->fastest[0]);
        attune_grid_add(&grid, "%.4g us", 1e6 * contest->fastest[1]);
        attune_grid_add(&grid, "%.3f", ratio.estimate);
        attune_grid_add(&grid, "%.3f .. %.3f", ratio.low, ratio.high);
        attune_grid_add(&grid, "%s", attune_difference_word(ratio.verdict));
    }
    for (int which = 0; which < 2; which++) {
        (void)printf("%c: ", 'A' + which);
        attune_text_print(live->side[which], stdout);
        (void)putchar('\n');
    }
    (void)printf("%s thread%s, %d launches, twice as many where that decides nothing\n\n", live->threads,
                 strcmp(live->threads, "1") == 0 ? "" : "s", live->launches);
    const int whole = attune_grid_print(&grid, stdout);
    (void)printf("\nB is faster in %d, slower in %d, no difference above %g %% in %d of %d cases.\n",
                 outcome->faster, outcome->slower, 100 * live->effect, outcome->same,
                 outcome->cases);
    return whole;
}

static int run_match(struct match *match, struct attune_trouble *trouble)
{
    int code = 0;
    match->contest = calloc((size_t)match->cases.case_count + 1, sizeof *match->contest);
    match->bout = malloc(sizeof *match->bout);
    if (!match->contest || !match->bout)
        return attune_trouble_memory(trouble, "ratios");
    for (int i = 0; i < match->cases.case_count; i++)
        match->contest[i] = (struct contest){.of = &match->cases.cases[i],
                                             .fastest = {INFINITY, INFINITY},
                                             .open = 1};
    snprintf(match->what, sizeof match->what, "%d cases, %d launches", match->cases.case_count,
             match->live->launches);
    attune_interrupt_keep();
    attune_progress_begin(&match->progress, "compare", match->what);
    const int launches = match->live->launches;
    for (int launch = 0; launch < 2 * launches && code == 0 && !attune_interrupted(); launch++) {
        for (int i = 0; launch == launches && i < match->cases.case_count; i++)
            match->contest[i].open = is_open(match, &match->contest[i]);
        if (launch == launches)
            match->decided = attune_clock_seconds() - match->progress.start;
        if (count_open(match) > 0)
            code = run_launch(match, launch, trouble);
    }
    attune_progress_clear(&match->progress);
    return code;
}

int attune_live_run(const struct attune_live *live, struct attune_live_outcome *outcome,
                    struct attune_trouble *trouble)
{
    struct match match = {.live = live};
    *outcome = (struct attune_live_outcome){0};
    int code = choose(&match);
    if (code) {
        attune_bench_free(&match.cases);
        return attune_trouble_set(trouble, (enum attune_exit)code, "no cases to compare");
    }
    code = run_match(&match, trouble);
    if (code == 0 && !(live->json ? tell_json(&match, outcome) : tell_table(&match, outcome)))
        code = attune_trouble_memory(trouble, "the table");
    if (code == 0 && attune_interrupted())
        code = attune_trouble_set(trouble, ATTUNE_EXIT_INTERRUPTED, "interrupted");
    free(match.contest);
    free(match.bout);
    attune_bench_free(&match.cases);
    return code;
}
