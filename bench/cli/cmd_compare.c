/* SPDX-License-Identifier: Apache-2.0
 *
 * attune compare: which of these machines, builds or settings is faster, and where. Owns the options
 * and the exit code.
 */
#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/cli/compare.h"
#include "bench/cli/forecast.h"
#include "bench/cli/options.h"

enum {
    OPTION_LIVE = 256,
    OPTION_FAIL_ABOVE,
    OPTION_MARKDOWN,
    OPTION_JSON,
    OPTION_CSV,
    OPTION_CASE,
    OPTION_SPEC,
    OPTION_FROM,
    OPTION_EFFECT,
    OPTION_LAUNCHES,
    OPTION_SECONDS,
    OPTION_MACHINE,
    MAX_NAMES = 256
};

static const struct attune_option options[] = {
    {OPTION_FAIL_ABOVE, "fail-above", "P%",
     "exit 1 when a result of another column is slower than A by\nmore than P percent, and surely so"},
    {OPTION_MARKDOWN, "markdown", NULL, "tables in Markdown"},
    {OPTION_JSON, "json", NULL, "one JSON object"},
    {OPTION_CSV, "csv", NULL, "comma-separated values, a line for each result"},
    {OPTION_MACHINE, "machine", "FILE",
     "also predict what the machine would do whose roofs this file\nholds (its machine and roof "
     "lines), and say how good such\npredictions are here; one file of results is enough"},
    {OPTION_LIVE, "live", NULL, "A and B are commands or settings; run both in turn"},
    {OPTION_CASE, "case", "NAME", "live: this case or pattern of the suite; may be given again\n"
                                  "(default: the quick suite)"},
    {OPTION_SPEC, "spec", "SPEC", "live: this problem; may be given again"},
    {OPTION_FROM, "from", "FILE", "live: cases from a file, as attune bench --from takes it"},
    {'t', "threads", "N", "live: threads, a number or all (default 1)"},
    {OPTION_EFFECT, "effect", "P%", "live: a smaller difference is none (default 1%)"},
    {OPTION_LAUNCHES, "launches", "N", "live: how often both are started anew (default 9)"},
    {OPTION_SECONDS, "seconds", "S", "live: of samples a case and launch (default 0.1)"},
};

static const char notes[] =
    "examples:\n"
    "  attune bench --suite standard -o before.jsonl    then change something, and\n"
    "  attune bench --suite standard -o after.jsonl\n"
    "  attune compare before.jsonl after.jsonl --fail-above 3%\n"
    "  attune compare epyc.jsonl xeon.jsonl graviton.jsonl --markdown\n"
    "  attune compare --live build.old/attune build/attune --case 'prefill/*'\n"
    "  attune compare --live ATTUNE_MAX_ISA=avx2 ATTUNE_MAX_ISA=avx512 --spec self:dot,t=512,d=64\n"
    "\n"
    "Columns are runs, engines and settings, rows are cases; every column is compared with the first.\n"
    "X/A speed above 1 means that X is faster. Runs on one machine are compared as shares of the\n"
    "roofs measured in the same rounds, since the clock and the neighbours differ from run to run;\n"
    "different machines by time. The 95 % interval includes the noise that each run found in itself\n"
    "and 2 % for what differs between two runs of one build; where it does not lie beyond 1.5 %, there\n"
    "is \"no difference\"; \"too noisy\" means that a result did not settle, or that the interval is too\n"
    "wide to say so. What must be decided finer needs --live.\n"
    "share: of the roof that binds; high in both columns means that the machines differ, and not\n"
    "how well they are used. a thread: speed for each thread. wins: cases in which it is fastest.\n"
    "\n"
    "--live starts two processes and gives each problem to both, a sample each in the order A B B A;\n"
    "pages lie elsewhere in each process, so both are started several times, and a difference counts\n"
    "where the 95 % interval over the launches lies beyond --effect. A side is the path of an\n"
    "attune command, or settings NAME=VALUE (several with blanks between) for this command.\n";

static const struct attune_usage usage = {
    .command = "compare",
    .synopsis = "A [B...] [options]  |  attune compare --live A B [options]",
    .about = "Answers \"which of these CPUs, builds or settings is faster, and where?\" from files "
             "of\n"
             "results (attune bench -o), any number of them.\n",
    .options = options,
    .count = sizeof options / sizeof *options,
    .notes = notes,
};

struct request {
    int markdown, json, csv, live;
    const char *machine; /* to predict; NULL: none */
    double fail_above; /* as a part of 1; NaN: not asked for */
    const char *names[MAX_NAMES], *specs[MAX_NAMES];
    struct attune_live with;
};

/* "3%" or "3". */
static int read_percent(const char *option, const char *text, double *part)
{
    char *end = NULL;
    *part = strtod(text, &end) / 100;
    if (end == text || !(*end == '\0' || strcmp(end, "%") == 0) || !(*part >= 0) || *part > 10)
        return attune_options_wrong(&usage, "--%s: '%.40s' is no percentage such as 3%%", option,
                                    text);
    return 0;
}

static int add_name(const char **names, int *count, const char *name)
{
    if (*count == MAX_NAMES)
        return attune_options_wrong(&usage, "more than %d cases", MAX_NAMES);
    names[(*count)++] = name;
    return 0;
}

static int take_seconds(struct request *request)
{
    char *end = NULL;
    request->with.seconds = strtod(optarg, &end);
    if (end == optarg || *end || !(request->with.seconds > 0) || request->with.seconds > 60)
        return attune_options_wrong(&usage, "--seconds: '%.40s' is no number above 0, at most 60",
                                    optarg);
    return 0;
}

static int take_live_option(struct request *request, int id)
{
    int64_t number = 0;
    int code = 0;
    switch (id) {
    case OPTION_CASE:
        return add_name(request->names, &request->with.name_count, optarg);
    case OPTION_SPEC:
        return add_name(request->specs, &request->with.spec_count, optarg);
    case OPTION_FROM:
        request->with.from = optarg;
        return 0;
    case OPTION_EFFECT:
        return read_percent("effect", optarg, &request->with.effect);
    case OPTION_LAUNCHES:
        code = attune_options_integer(&usage, "launches", optarg, 6, 99, &number);
        request->with.launches = (int)number;
        return code;
    case OPTION_SECONDS:
        return take_seconds(request);
    default:
        if (strcmp(optarg, "all") != 0 && !attune_integer_parse(optarg, 1, ATTUNE_OPTIONS_THREADS, &number))
            return attune_options_wrong(
                &usage, "--threads: %.40s is not \"all\" nor a whole number from 1 to %d", optarg,
                ATTUNE_OPTIONS_THREADS);
        request->with.threads = optarg;
        return 0;
    }
}

static int take_option(struct request *request, int id)
{
    switch (id) {
    case OPTION_FAIL_ABOVE:
        return read_percent("fail-above", optarg, &request->fail_above);
    case OPTION_MARKDOWN:
        request->markdown = 1;
        return 0;
    case OPTION_JSON:
        request->json = 1;
        return 0;
    case OPTION_CSV:
        request->csv = 1;
        return 0;
    case OPTION_LIVE:
        request->live = 1;
        return 0;
    case OPTION_MACHINE:
        request->machine = optarg;
        return 0;
    default:
        return take_live_option(request, id);
    }
}

/* The largest slow-down that is sure, as a part of 1, and where. */
static double worst_of(const struct attune_comparison *comparison, double above, int *count)
{
    double worst = 0;
    *count = 0;
    for (int32_t i = 0; i < comparison->rows; i++)
        for (int c = 1; c < comparison->columns; c++) {
            const struct attune_ratio *ratio = &comparison->row[i].cell[c].ratio;
            if (ratio->verdict != ATTUNE_SLOWER || 1 / ratio->estimate - 1 <= above)
                continue;
            worst = fmax(worst, 1 / ratio->estimate - 1);
            ++*count;
        }
    return worst;
}

static int judge(const struct request *request, const struct attune_comparison *comparison)
{
    int count = 0;
    if (isnan(request->fail_above))
        return ATTUNE_EXIT_FINE;
    const double worst = worst_of(comparison, request->fail_above, &count);
    if (comparison->noisy > 0)
        fprintf(stderr, "attune compare: %d results are too noisy to fail or pass\n",
                comparison->noisy);
    if (count == 0)
        return ATTUNE_EXIT_FINE;
    struct attune_trouble trouble;
    (void)attune_trouble_set(&trouble, ATTUNE_EXIT_CHECK,
                             "%d result%s slower than A by more than %g %%, the worst by %.1f %%",
                             count, count == 1 ? " is" : "s are", 100 * request->fail_above,
                             100 * worst);
    return attune_trouble_report(&trouble, "compare", NULL);
}

static int predict(const struct request *request, const struct attune_comparison *comparison)
{
    struct attune_forecast forecast;
    struct attune_trouble trouble;
    int code = 0;
    const enum attune_status status =
        attune_forecast_make(&comparison->results, request->machine, &forecast);
    if (status == ATTUNE_OK)
        attune_forecast_print(&forecast, request->markdown, stdout);
    else
        code = attune_trouble_status(&trouble, status);
    attune_forecast_free(&forecast);
    return code ? attune_trouble_report(&trouble, "compare", request->machine) : 0;
}

static int compare_files(const struct request *request, char *const *paths, int count)
{
    struct attune_comparison comparison;
    struct attune_trouble trouble;
    int at = 0, code = 0;
    const enum attune_status status =
        attune_compare((const char *const *)paths, count, &comparison, &at);
    if (status != ATTUNE_OK) {
        (void)attune_trouble_status(&trouble, status);
        code = attune_trouble_report(&trouble, "compare", at < count ? paths[at] : NULL);
    } else if (request->machine && comparison.columns < 2) {
        code = predict(request, &comparison);
    } else if (comparison.columns < 2 && comparison.notes == 0) {
        code = attune_options_wrong(&usage, "one column alone is nothing to compare: give another "
                                            "file, or one with several engines or settings");
    } else {
        const int whole = request->json  ? attune_compare_json(&comparison, stdout)
                          : request->csv ? attune_compare_csv(&comparison, stdout)
                                         : attune_compare_text(&comparison, request->markdown,
                                                               stdout);
        if (!whole) {
            (void)attune_trouble_memory(&trouble, "the comparison");
            code = attune_trouble_report(&trouble, "compare", NULL);
        } else {
            code = request->machine ? predict(request, &comparison) : 0;
            code = code ? code : judge(request, &comparison);
        }
    }
    attune_comparison_free(&comparison);
    return code;
}

static int compare_live(struct request *request, char *const *sides, int count)
{
    struct attune_live_outcome outcome;
    struct attune_trouble trouble;
    if (count != 2)
        return attune_options_wrong(&usage, "--live: two commands or settings must be given");
    if (request->csv || request->markdown)
        return attune_options_wrong(&usage, "--live: prints a table or --json");
    request->with.side[0] = sides[0];
    request->with.side[1] = sides[1];
    request->with.names = request->names;
    request->with.specs = request->specs;
    request->with.json = request->json;
    const int code = attune_live_run(&request->with, &outcome, &trouble);
    if (code)
        return attune_trouble_report(&trouble, "compare", NULL);
    if (isnan(request->fail_above) || outcome.worst <= request->fail_above)
        return ATTUNE_EXIT_FINE;
    (void)attune_trouble_set(&trouble, ATTUNE_EXIT_CHECK,
                             "B is slower than A by more than %g %%, the worst by %.1f %%",
                             100 * request->fail_above, 100 * outcome.worst);
    return attune_trouble_report(&trouble, "compare", NULL);
}

int attune_command_compare(int argc, char **argv)
{
    struct request request = {
        .fail_above = NAN,
        .with = {.threads = "1", .effect = 0.01, .launches = 9, .seconds = 0.1}};
    int code = 0, id;
    while ((id = attune_options_next(&usage, argc, argv, &code)) >= 0)
        if ((code = take_option(&request, id)) != 0)
            return code;
    if (id == ATTUNE_OPTIONS_EXIT)
        return code;
    if (optind == argc)
        return attune_options_wrong(&usage, "a file of results must be given");
    if (request.markdown + request.json + request.csv > 1)
        return attune_options_wrong(&usage, "--markdown, --json and --csv exclude each other");
    if (request.machine && (request.live || request.json || request.csv))
        return attune_options_wrong(&usage, "--machine: prints tables; not with --live, --json, --csv");
    return request.live ? compare_live(&request, argv + optind, argc - optind)
                        : compare_files(&request, argv + optind, argc - optind);
}
