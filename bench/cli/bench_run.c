/* SPDX-License-Identifier: Apache-2.0
 *
 * Measures cases under settings, in batches that memory holds: all trials of a batch side by side, in
 * rounds. What is done is told and kept, whatever ends the run.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "arch/topology.h"
#include "bench/cli/bench.h"
#include "bench/cli/bench_table.h"
#include "bench/cli/estimate.h"
#include "bench/cli/interrupt.h"
#include "bench/cli/output.h"
#include "bench/cli/progress.h"
#include "bench/explain.h"
#include "bench/machine.h"
#include "bench/text.h"
#include "engine/context.h"

/* Fewer where samples are so short that rounds of the probes would take most of the time. */
enum { ROUNDS = 12, FEW_ROUNDS = 6 };
static const double few_seconds = 0.05;
/* Seconds of float64 reference for a case: within a budget, and where nobody waits for the end; there
 * for all cases together too. */
static const double check_in_budget = 0.1, check_alone = 1, check_most = 10;
static const double default_seconds = 1, least_seconds = 0.05, most_seconds = 2.5;
static const double explain_seconds = 0.25, landscape_seconds = 8;
/* What preparing takes, about: bytes of inputs that are filled in a second, and any first run. */
static const double fill_rate = 5e8, first_run = 0.01;

struct session {
    struct attune_bench *bench;
    struct attune_bench_trial *trials;
    struct attune_entry **entries; /* of the batch */
    int count, done, worst;
    double start, round_seconds; /* of all probes */
    int batch_first, batch_count;
    struct attune_machine_line machine;
    struct attune_output_file output;
    int writes; /* the output is open */
    char what[64];
    struct attune_progress progress;
    struct attune_estimate estimate;
    struct attune_table table;
};

/* A kernel alone is compared with the roofs of its own instruction set. */
static int belongs(const struct attune_bench_case *one, const struct attune_bench_setting *setting)
{
    return one->source != ATTUNE_BENCH_KERNEL || strcmp(one->kernel->isa, setting->isa) == 0;
}

static int list_trials(struct session *session, struct attune_trouble *trouble)
{
    struct attune_bench *bench = session->bench;
    const size_t most = (size_t)bench->case_count * (size_t)bench->setting_count;
    session->trials = calloc(most + 1, sizeof *session->trials);
    session->entries = calloc(most + 1, sizeof(struct attune_entry *));
    if (!session->trials || !session->entries)
        return attune_trouble_memory(trouble, "the list of trials");
    for (int i = 0; i < bench->case_count; i++)
        for (int j = 0; j < bench->setting_count; j++)
            if (belongs(&bench->cases[i], &bench->settings[j])) {
                session->trials[session->count].of = &bench->cases[i];
                session->trials[session->count++].setting = &bench->settings[j];
            }
    snprintf(session->what, sizeof session->what, "%d result%s", session->count,
             session->count == 1 ? "" : "s");
    return 0;
}

/* The first rounds of the probes, which also tell what a round costs. */
static void warm_probes(struct session *session)
{
    const double start = attune_clock_seconds();
    const struct attune_bench_setting *settings = session->bench->settings;
    for (int i = 0; i < session->bench->setting_count; i++) {
        int seen = 0;
        for (int j = 0; j < i; j++)
            seen |= settings[j].probes == settings[i].probes;
        if (!seen && !attune_interrupted())
            attune_probes_round(settings[i].probes);
    }
    session->round_seconds = attune_clock_seconds() - start;
}

/* `done` of the piece of work that has begun. */
static int on_step(void *user, double done)
{
    struct session *session = user;
    attune_progress_left(&session->progress,
                         attune_estimate_left(&session->estimate, done, attune_clock_seconds()));
    return attune_interrupted();
}

static void begin_work(struct session *session, enum attune_work_sort sort, double seconds)
{
    attune_estimate_begin(&session->estimate, sort, seconds, attune_clock_seconds());
    (void)on_step(session, 0);
}

/* Trials from `first` on whose cases memory holds together: at least those of one case. */
static int batch_size(const struct session *session, int first)
{
    const double memory = (double)attune_topology_get()->memory;
    const double room = memory > 0 ? memory / 4 : 1e9;
    double bytes = 0;
    int end = first;
    while (end < session->count) {
        const struct attune_bench_case *one = session->trials[end].of;
        const double more = attune_bench_case_bytes(one);
        if (end > first && bytes + more > room)
            break;
        bytes += more;
        while (end < session->count && session->trials[end].of == one)
            end++;
    }
    return end - first;
}

/* The same kernels under another number of threads give the same bits: once is enough. */
static int checked_before(const struct session *session, int index)
{
    const struct attune_bench_trial *trial = &session->trials[index];
    for (int i = index - 1; i >= 0 && session->trials[i].of == trial->of; i--)
        if (session->trials[i].setting->features == trial->setting->features &&
            session->trials[i].setting->untuned == trial->setting->untuned &&
            session->trials[i].code == 0)
            return i;
    return -1;
}

static double check_seconds(const struct attune_bench *bench)
{
    return bench->budget > 0 ? check_in_budget : fmin(check_alone, check_most / bench->case_count);
}

/* Seconds that opening a trial takes, by plan. */
static double opening_seconds(const struct session *session, int index)
{
    const struct attune_bench_trial *trial = &session->trials[index];
    if (index > 0 && session->trials[index - 1].of == trial->of)
        return first_run;
    return first_run + check_seconds(session->bench) + attune_bench_case_bytes(trial->of) / fill_rate;
}

static void open_trial(struct session *session, int index)
{
    struct attune_bench_trial *trial = &session->trials[index];
    const int before = checked_before(session, index);
    const double check = check_seconds(session->bench);
    begin_work(session, ATTUNE_PREPARING, opening_seconds(session, index));
    if (index == 0 || session->trials[index - 1].of != trial->of)
        trial->code = attune_bench_open_case(trial->of, &trial->trouble);
    else if (session->trials[index - 1].entry == NULL)
        trial->code = session->trials[index - 1].code;
    if (trial->code) {
        trial->trouble = index > 0 && session->trials[index - 1].of == trial->of
                             ? session->trials[index - 1].trouble
                             : trial->trouble;
        return;
    }
    attune_bench_enter_setting(trial->setting);
    trial->code = attune_bench_open_trial(trial, before < 0 ? check : 0, &trial->trouble);
    if (before >= 0 && trial->of->source == ATTUNE_BENCH_SPEC)
        trial->error = session->trials[before].error;
}

static double seconds_each(const struct session *session, int count, double limit)
{
    const struct attune_bench *bench = session->bench;
    if (bench->seconds > 0 || bench->budget == 0)
        return bench->seconds > 0 ? bench->seconds : default_seconds;
    const double left = limit - ROUNDS * session->round_seconds;
    return fmin(most_seconds, fmax(least_seconds, 0.85 * left / (count > 0 ? count : 1)));
}

/* Seconds that rounds of so many trials take, by plan. */
static double measuring_seconds(const struct session *session, int count, double limit)
{
    return count * seconds_each(session, count, limit) + ROUNDS * session->round_seconds;
}

/* All of the run, by plan: so that an estimate stands from the first moment on. */
static void expect_work(struct session *session)
{
    const struct attune_bench *bench = session->bench;
    double preparing = 0;
    for (int i = 0; i < session->count; i++) {
        const int surveyed = session->trials[i].of->source != ATTUNE_BENCH_KERNEL;
        preparing += opening_seconds(session, i);
        attune_estimate_expect(&session->estimate, ATTUNE_SURVEYING,
                               surveyed * ((bench->explain != 0) * explain_seconds +
                                           (bench->landscape != 0) * landscape_seconds));
    }
    attune_estimate_expect(&session->estimate, ATTUNE_PREPARING, preparing);
    attune_estimate_expect(&session->estimate, ATTUNE_MEASURING,
                           measuring_seconds(session, session->count, bench->budget - preparing));
}

static void explain_trial(struct session *session, struct attune_bench_trial *trial)
{
    if (!session->bench->explain || attune_interrupted() || trial->of->source == ATTUNE_BENCH_KERNEL)
        return;
    begin_work(session, ATTUNE_SURVEYING, explain_seconds);
    attune_explain(&trial->runner, explain_seconds, &trial->explain, &trial->explain_apart);
}

/* Measures the trials of the batch that are open. */
static void measure(struct session *session, double limit)
{
    int count = 0;
    for (int i = 0; i < session->batch_count; i++) {
        struct attune_bench_trial *trial = &session->trials[session->batch_first + i];
        if (trial->code == 0 && trial->entry)
            session->entries[count++] = trial->entry;
    }
    const double seconds = seconds_each(session, count, limit);
    begin_work(session, ATTUNE_MEASURING, measuring_seconds(session, count, limit));
    const struct attune_rounds_options options = {
        .seconds = seconds,
        .limit = session->bench->budget > 0 ? limit : 0,
        .rounds = seconds < few_seconds ? FEW_ROUNDS : ROUNDS,
        .until_settled = session->bench->budget > 0 || session->bench->seconds == 0,
        .clock = &attune_clock_monotonic,
        .step = on_step,
        .user = session};
    (void)attune_rounds_run(session->entries, count, &options);
    for (int i = 0; i < session->batch_count; i++) {
        struct attune_bench_trial *trial = &session->trials[session->batch_first + i];
        trial->measured = trial->code == 0 && trial->entry &&
                          attune_rounds_figures(trial->entry, &trial->figures);
        if (trial->measured)
            explain_trial(session, trial);
    }
}

static int write_line(struct session *session, enum attune_result_kind kind, const void *line,
                      struct attune_trouble *trouble)
{
    char *text = attune_line_text(kind, line);
    if (!text)
        return attune_trouble_memory(trouble, "a line of JSON");
    int code = 0;
    if (session->writes)
        code = attune_output_write(&session->output, text, strlen(text), trouble);
    if (code == 0 && session->writes)
        code = attune_output_write(&session->output, "\n", 1, trouble);
    if (session->bench->json && kind == ATTUNE_LINE_RESULT)
        puts(text);
    free(text);
    return code;
}

/* What a trial has come to, to all who want to know. */
static int tell(struct session *session, const struct attune_bench_trial *trial)
{
    struct attune_result_line line;
    struct attune_bench_series series;
    struct attune_trouble trouble;
    int code = 0;
    if (trial->code == 0 && !trial->measured)
        return 0; /* interrupted before its first round */
    attune_bench_result(trial, session->machine.id, &line);
    attune_bench_series(trial, &series, &line);
    if (trial->code == 0 || session->writes)
        code = write_line(session, ATTUNE_LINE_RESULT, &line, &trouble);
    if (code)
        return attune_trouble_report(&trouble, "bench", session->bench->output);
    if (trial->code)
        return attune_trouble_report(&trial->trouble, "bench", trial->of->name);
    if (!session->bench->json)
        attune_table_row(&session->table, trial);
    return 0;
}

static int tell_landscape(struct session *session, const struct attune_bench_trial *trial)
{
    struct attune_bench_landscape landscape;
    struct attune_trouble trouble;
    if (!session->bench->landscape || !trial->measured || trial->of->kernel || attune_interrupted())
        return 0;
    begin_work(session, ATTUNE_SURVEYING, landscape_seconds);
    int code = attune_bench_landscape(trial, session->machine.id, on_step, session, &landscape,
                                      &trouble);
    attune_progress_clear(&session->progress);
    if (code == 0 && landscape.line.points.count == 0)
        return 0; /* interrupted */
    if (code == 0 && session->writes)
        code = write_line(session, ATTUNE_LINE_LANDSCAPE, &landscape.line, &trouble);
    if (code)
        return attune_trouble_report(&trouble, "bench", trial->of->name);
    if (!session->bench->json)
        attune_bench_print_landscape(&landscape, session->table.file);
    return 0;
}

static void keep_worst(struct session *session, int code)
{
    session->worst = code > session->worst ? code : session->worst;
}

static void run_batch(struct session *session, int count)
{
    const struct attune_bench *bench = session->bench;
    const int first = session->done;
    const double before = attune_clock_seconds();
    const double left = bench->budget - (before - session->start);
    const double share = left * count / (session->count - first);
    session->batch_first = first;
    session->batch_count = count;
    for (int i = 0; i < count && !attune_interrupted(); i++)
        open_trial(session, first + i);
    measure(session, share - (attune_clock_seconds() - before));
    attune_progress_clear(&session->progress);
    for (int i = 0; i < count; i++) {
        keep_worst(session, tell(session, &session->trials[first + i]));
        keep_worst(session, tell_landscape(session, &session->trials[first + i]));
    }
    for (int i = 0; i < count; i++) {
        struct attune_bench_trial *trial = &session->trials[first + i];
        attune_bench_close_trial(trial);
        if (i + 1 == count || session->trials[first + i + 1].of != trial->of)
            attune_bench_close_case(trial->of);
    }
    session->done += count;
}

/* Each roof once, though settings may share instruction sets. */
static int write_roofs(struct session *session, struct attune_trouble *trouble)
{
    const struct attune_bench *bench = session->bench;
    int code = 0;
    for (int i = 0; i < bench->setting_count; i++) {
        const struct attune_bench_setting *setting = &bench->settings[i];
        struct attune_peak peaks[ATTUNE_PEAKS_MOST];
        int seen = 0;
        for (int j = 0; j < i; j++)
            seen |= bench->settings[j].threads == setting->threads &&
                    (setting->features & ~bench->settings[j].features) == 0;
        const int count = seen ? 0 : attune_probes_peaks(setting->probes, peaks);
        for (int k = 0; k < count && code == 0; k++) {
            const struct attune_roof_line line = {
                .machine = session->machine.id, .isa = peaks[k].isa, .roof = peaks[k].roof,
                .unit = peaks[k].unit, .probe = peaks[k].probe,
                .threads = attune_probes_threads(setting->probes), .rate = peaks[k].rate,
                .median = peaks[k].median, .rounds = peaks[k].rounds};
            code = write_line(session, ATTUNE_LINE_ROOF, &line, trouble);
        }
    }
    return code;
}

static int begin(struct session *session, struct attune_trouble *trouble)
{
    struct attune_bench *bench = session->bench;
    int code = 0;
    /* A file that cannot be written is no reason to measure first. */
    if (bench->output)
        code = attune_output_open(&session->output, bench->output, trouble);
    session->writes = bench->output && code == 0;
    if (code == 0)
        code = attune_bench_open_settings(bench, trouble);
    if (code == 0)
        code = list_trials(session, trouble);
    if (code)
        return code;
    const struct attune_machine_request request = {
        .label = bench->label, .max_isa = bench->settings[0].isa_asked,
        .features = bench->settings[0].features, .argc = bench->argc, .argv = bench->argv,
        .tuned = &bench->settings[0].context->cache_sources};
    if (!attune_machine_describe(&request, &session->machine))
        return attune_trouble_memory(trouble, "the machine card");
    return session->writes ? write_line(session, ATTUNE_LINE_MACHINE, &session->machine, trouble) : 0;
}

static int finish(struct session *session, struct attune_trouble *trouble)
{
    int code = write_roofs(session, trouble);
    if (session->writes && code == 0)
        code = attune_output_commit(&session->output, trouble);
    if (session->writes && code)
        attune_output_discard(&session->output);
    return code;
}

static void measure_all(struct session *session)
{
    const struct attune_bench *bench = session->bench;
    const int to_stdout = bench->output && attune_output_is_stdout(bench->output);
    session->start = attune_clock_seconds();
    attune_progress_begin(&session->progress, "bench", session->what);
    attune_table_begin(&session->table, bench, to_stdout ? stderr : stdout);
    warm_probes(session);
    expect_work(session);
    while (session->done < session->count && !attune_interrupted())
        run_batch(session, batch_size(session, session->done));
    if (!bench->json)
        attune_table_end(&session->table);
}

int attune_bench_run(struct attune_bench *bench)
{
    struct session session = {.bench = bench};
    struct attune_trouble trouble;
    attune_interrupt_keep();
    int code = begin(&session, &trouble);
    if (code == 0) {
        measure_all(&session);
        code = finish(&session, &trouble);
    } else if (session.writes) {
        attune_output_discard(&session.output);
    }
    if (code)
        session.worst = attune_trouble_report(&trouble, "bench", bench->output);
    fflush(stdout);
    for (int i = 0; i < bench->left_outs; i++) {
        fputs("left out, as it holds no problem: ", stderr);
        attune_text_print(bench->left_out[i], stderr);
        fputc('\n', stderr);
    }
    attune_machine_free(&session.machine);
    free(session.trials);
    free(session.entries);
    attune_bench_close_settings(bench);
    return attune_interrupted() ? ATTUNE_EXIT_INTERRUPTED : session.worst;
}
