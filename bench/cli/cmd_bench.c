/* SPDX-License-Identifier: Apache-2.0
 *
 * attune bench: times synthetic problems and real ones against the machine's roofs. Owns the options;
 * the rest is told in bench.h.
 */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "bench/cli/bench.h"
#include "bench/cli/output.h"
#include "bench/cli/serve.h"
#include "bench/cli/spec.h"

enum {
    OPTION_SPEC = 256,
    OPTION_SUITE,
    OPTION_FROM,
    OPTION_KERNEL,
    OPTION_ISA,
    OPTION_TUNED,
    OPTION_UNTUNED,
    OPTION_EXPLAIN,
    OPTION_SECONDS,
    OPTION_JSON,
    OPTION_DATA,
    OPTION_LIST,
    OPTION_LABEL,
    OPTION_SERVE,
    OPTION_LANDSCAPE
};

static const struct attune_option options[] = {
    {OPTION_SUITE, "suite", "SIZE",
     "quick (30 s, the default), standard (4 minutes) or full; with\nnames given, only those of it"},
    {OPTION_SPEC, "spec", "SPEC", "time this synthetic problem; may be given again"},
    {OPTION_FROM, "from", "FILE", "cases from a file: a name, a pattern or a SPEC a line"},
    {OPTION_DATA, "data", "DIR", "time and check every problem file (*.safetensors) of a folder"},
    {OPTION_KERNEL, "kernel", "NAME",
     "each kernel of this name alone, against its own roof; a pattern:\n'score_*', '*_avx2_*'"},
    {'t', "threads", "LIST",
     "numbers of threads: 1,2,all (all: every CPU that the process may\nuse). Default: 1,all for "
     "the suite, all for SPECs and files"},
    {OPTION_ISA, "isa", "LIST", "ceilings: scalar,avx2,avx512,neon or all; default: the best alone"},
    {OPTION_TUNED, "tuned", NULL, "with what the tuner found (the default)"},
    {OPTION_UNTUNED, "untuned", NULL, "without it; with both options, each case both ways"},
    {OPTION_EXPLAIN, "explain", NULL, "measure what part of the time goes where"},
    {OPTION_LANDSCAPE, "landscape", NULL,
     "measure other tiles than the plan's too, a grid of q_block and\nkv_block for each result"},
    {OPTION_SECONDS, "seconds", "S", "seconds of samples a result, instead of the suite's own"},
    {'o', "output", "FILE", "write all of it to a file of results (JSON Lines)"},
    {OPTION_LABEL, "label", "TEXT", "what to call this machine or build in comparisons"},
    {OPTION_JSON, "json", NULL, "one JSON object a line for each result instead of a table"},
    {OPTION_SERVE, "serve", NULL, "take samples on request: the other end of attune compare --live"},
    {OPTION_LIST, "list", NULL, "show the cases chosen, and measure nothing"},
};

static const char notes[] =
    "examples:\n"
    "  attune bench                             what this CPU does, in half a minute\n"
    "  attune bench 'decode/*' --explain        one family, and where its time goes\n"
    "  attune bench --suite standard -o a.jsonl for attune compare\n"
    "  attune bench --kernel 'score_dot_*'      kernels alone, each instruction set\n"
    "\n"
    "How close a result is to what the machine could do is its share of the roof that binds: of the\n"
    "FMA peak, of the tanh score's arithmetic, or of the bandwidth of the cache or memory that holds\n"
    "keys and values, each measured in short probes between the samples of the same run. +- is the\n"
    "A/A noise: how much the case differs from itself. A result that did not settle says so.\n"
    "--explain runs a copy of the plan whose kernels are timed one by one: projection (and all else\n"
    "before the core), packing, score, mask, softmax, weighted sum, tile (those three in one kernel),\n"
    "merge (of splits), finish, other (the loops between, threads waiting for each other).\n"
    "\n"
    "Every result is checked against the float64 reference (some rows of it where all would take\n"
    "too long), a problem file against its expected results, before it is timed; a wrong one is\n"
    "reported, exit code 1, and not timed. Ctrl-C ends the run and keeps what is done (exit code\n"
    "130).\n"
    "\n"
    "work: 2 (D + E) flop a pair of query and key for dot scores, A tanh for tanh scores, 8 N^2 "
    "flop\n"
    "for recurrent ones; only pairs that may attend are counted; projections are timed and not\n"
    "counted. Where reading keys and values once takes longer at its roof than the arithmetic at\n"
    "its own, the work is those bytes.\n";

static void print_spec_help(void)
{
    (void)printf("\n%s", attune_spec_help());
}

static const struct attune_usage usage = {
    .command = "bench",
    .synopsis = "[NAME...] [--suite SIZE] [--spec SPEC]... [-o FILE] [options]",
    .about = "Answers \"what does this CPU do at attention, and how close is that to what it could "
             "do?\":\n"
             "times attention through the public API against the machine's own measured roofs.\n"
             "NAME is a case of the suite or a pattern such as 'decode/*'; --list shows them. Without\n"
             "cases, the quick suite. To compare results: attune compare.\n",
    .more = print_spec_help,
    .options = options,
    .count = sizeof options / sizeof *options,
    .notes = notes,
};

/* Seconds a tier may take, start and end included; 0: as many as it needs. */
static const double budgets[ATTUNE_TIERS] = {25, 215, 0};
enum { TUNED = 1, UNTUNED = 2 };

struct request {
    struct attune_bench bench;
    int has_tier, has_kernels;
    enum attune_tier tier;
    const char *from; /* the last list */
};

static int take_tier(struct request *request, const char *word)
{
    for (int tier = 0; tier < ATTUNE_TIERS; tier++)
        if (strcmp(word, attune_tier_word((enum attune_tier)tier)) == 0) {
            request->tier = (enum attune_tier)tier;
            request->has_tier = 1;
            return 0;
        }
    return attune_options_wrong(&usage, "--suite: '%.64s' is none of quick, standard, full", word);
}

static int take_seconds(struct request *request, const char *text)
{
    char *end = NULL;
    request->bench.seconds = strtod(text, &end);
    if (end == text || *end || !(request->bench.seconds > 0) || request->bench.seconds > 3600)
        return attune_options_wrong(&usage, "--seconds: '%s' is no number above 0, at most 3600",
                                    text);
    return 0;
}

static int take_option(struct request *request, int id)
{
    struct attune_bench *bench = &request->bench;
    switch (id) {
    case OPTION_SPEC:
        return attune_bench_add_spec(bench, &usage, optarg);
    case OPTION_SUITE:
        return take_tier(request, optarg);
    case OPTION_FROM:
        request->from = optarg;
        return attune_bench_add_list(bench, &usage, optarg);
    case OPTION_DATA:
        return attune_bench_add_folder(bench, &usage, optarg);
    case OPTION_KERNEL:
        request->has_kernels = 1;
        return attune_bench_add_kernels(bench, &usage, optarg);
    case OPTION_SECONDS:
        return take_seconds(request, optarg);
    case OPTION_TUNED:
        bench->tuning |= TUNED;
        return 0;
    case OPTION_UNTUNED:
        bench->tuning |= UNTUNED;
        return 0;
    case OPTION_ISA:
        bench->isa = optarg;
        return 0;
    case OPTION_LABEL:
        bench->label = optarg;
        return 0;
    case OPTION_EXPLAIN:
        bench->explain = 1;
        return 0;
    case OPTION_LANDSCAPE:
        bench->landscape = 1;
        return 0;
    case OPTION_JSON:
        bench->json = 1;
        return 0;
    case OPTION_SERVE:
        bench->serve = 1;
        return 0;
    case OPTION_LIST:
        bench->list = 1;
        return 0;
    case 'o':
        bench->output = optarg;
        return 0;
    default:
        bench->threads = optarg;
        return 0;
    }
}

/* Names given, or the suite where nothing else is. */
static int add_suite_cases(struct request *request, int argc, char **argv)
{
    struct attune_bench *bench = &request->bench;
    const enum attune_tier whole =
        request->has_tier ? request->tier : bench->list ? ATTUNE_TIER_FULL : ATTUNE_TIER_QUICK;
    int code = 0;
    for (int i = optind; i < argc && code == 0; i++)
        code = attune_bench_add_suite(bench, &usage,
                                      request->has_tier ? request->tier : ATTUNE_TIER_FULL,
                                      argv[i]);
    if (code == 0 && optind == argc && (request->has_tier || bench->case_count == 0)) {
        if (bench->seconds == 0)
            bench->budget = budgets[whole];
        code = attune_bench_add_suite(bench, &usage, whole, NULL);
    }
    return code;
}

/* A kernel alone runs on one thread, below the roofs of its own instruction set. */
static int choose_for_kernels(struct request *request)
{
    struct attune_bench *bench = &request->bench;
    for (int i = 0; i < bench->case_count; i++)
        if (bench->cases[i].source != ATTUNE_BENCH_KERNEL)
            return attune_options_wrong(&usage, "--kernel: not together with other cases");
    if (bench->threads && strcmp(bench->threads, "1") != 0)
        return attune_options_wrong(&usage, "--kernel: a kernel alone runs on 1 thread");
    bench->threads = "1";
    if (!bench->isa)
        bench->isa = "all";
    return 0;
}

/* Settings beside the suite's own two take as long again. */
static void fit_budget(struct attune_bench *bench)
{
    if (bench->setting_count > 2)
        bench->budget *= bench->setting_count / 2.0;
}

/* Results do not replace what they are of. */
static int check_kept(const char *path, const struct attune_bench *bench)
{
    return path && bench->output && attune_output_is_same_file(path, bench->output)
               ? attune_options_wrong(&usage, "--output: the results would replace %.200s", path)
               : 0;
}

static int check_output(const struct request *request)
{
    const struct attune_bench *bench = &request->bench;
    int code = check_kept(request->from, bench);
    for (int i = 0; i < bench->case_count && code == 0; i++)
        if (bench->cases[i].source == ATTUNE_BENCH_FILE)
            code = check_kept(bench->cases[i].spec, bench);
    return code;
}

static int take_arguments(struct request *request, int argc, char **argv, int *id)
{
    struct attune_bench *bench = &request->bench;
    int code = 0;
    bench->argc = argc;
    bench->argv = argv;
    while ((*id = attune_options_next(&usage, argc, argv, &code)) >= 0)
        if ((code = take_option(request, *id)) != 0)
            return code;
    if (*id == ATTUNE_OPTIONS_EXIT)
        return code;
    if (!bench->serve)
        code = add_suite_cases(request, argc, argv);
    if (code || bench->list || (code = check_output(request)) != 0)
        return code;
    if (request->has_kernels && (code = choose_for_kernels(request)) != 0)
        return code;
    if (!bench->threads)
        bench->threads = bench->by_name ? "1,all" : "all";
    code = attune_bench_add_settings(bench, &usage);
    fit_budget(bench);
    return code;
}

int attune_command_bench(int argc, char **argv)
{
    struct request request = {.tier = ATTUNE_TIER_QUICK};
    int id;
    int code = take_arguments(&request, argc, argv, &id);
    if (code == 0 && id != ATTUNE_OPTIONS_EXIT) {
        if (request.bench.list)
            attune_bench_print_list(&request.bench);
        else if (request.bench.serve)
            code = attune_bench_serve(&request.bench);
        else
            code = attune_bench_run(&request.bench);
    }
    attune_bench_free(&request.bench);
    return code;
}
