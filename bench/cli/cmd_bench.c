/* SPDX-License-Identifier: Apache-2.0
 *
 * attune bench: times synthetic problems (SPECs) and real ones (problem files) against the
 * machine's roofs. Owns options and the list of cases; running is timing.c's, showing report.c's.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "arch/cpu.h"
#include "bench/cli/options.h"
#include "bench/cli/report.h"
#include "bench/cli/spec.h"
#include "bench/synthetic.h"
#include "bench/verify.h"

enum {
    OPTION_SPEC = 256,
    OPTION_THREADS,
    OPTION_SECONDS,
    OPTION_JSON,
    OPTION_DATA,
    MAX_CASES = 256
};

static const struct attune_option options[] = {
    {OPTION_SPEC, "spec", "SPEC", "time this synthetic problem; may be given again"},
    {OPTION_DATA, "data", "DIR", "time and check every problem file (*.safetensors) of a folder"},
    {OPTION_THREADS, "threads", "N", "threads (default: all that the process may use)"},
    {OPTION_SECONDS, "seconds", "S", "seconds of samples a case (default 1)"},
    {OPTION_JSON, "json", NULL, "one JSON object a line for each case instead of a table"},
};

static const char notes[] =
    "Every result is checked against the float64 reference (some rows of it where all would take\n"
    "too long) before it is timed; a wrong one is reported, exit code 1, and not timed.\n"
    "\n"
    "work: 2 (D + E) flop a pair of query and key for dot scores, A tanh for tanh scores, 8 N^2 "
    "flop\n"
    "for recurrent ones; only pairs that may attend are counted; projections are timed and not\n"
    "counted. Where reading keys and values once takes longer at its roof than the arithmetic at\n"
    "its own, the work is those bytes.\n"
    "roof: the one that binds, the best of many short probes run between the samples of the case.\n"
    "flop: FMA from registers. byte: reads from the level that holds keys and values. tanh: the\n"
    "fastest score_tanh kernel on one tile in L1: what the arithmetic of the score can do here, "
    "not\n"
    "a limit of the processor.\n";

static const struct attune_usage usage = {
    .command = "bench",
    .synopsis = "[--spec SPEC]... [--data DIR] [--threads N] [--seconds S] [--json]",
    .about =
        "Times attention through the public API against the machine's measured roofs. Without\n"
        "--spec or --data, one case for each mechanism.\n",
    .options = options,
    .count = sizeof options / sizeof *options,
    .notes = notes,
};

static const char *const default_specs[] = {
    "additive,b=4,t=128,a=256,e=32",
    "additive,b=8,tq=1,tk=256,d=256,a=128,prepared=1",
    "multiplicative:general,b=4,t=256,d=256",
    "self:dot,h=8,t=1024,d=64",
    "self:dot,h=8,t=1024,d=64,causal=top_left",
    "self:pairwise,b=4,t=128,c=128,a=128",
    "convolutional:pairwise,b=4,t=128,c=128,a=128,width=3",
    "convolutional:location,b=4,tq=1,tk=512,d=256,a=128,f=8,width=31",
    "recurrent,t=64,c=64,n=32,a=64",
};

struct bench {
    const char *spec[MAX_CASES];
    int count, json, width;
    int64_t threads;
    double seconds;
    struct attune_context *context;
    struct attune_probes *probes;
    struct attune_roofs roofs; /* as of the last case */
};

/* Times what `done` names and describes; its result has been computed into args by the runner. */
static int time_case(struct bench *bench, struct attune_runner *runner, struct attune_case *done,
                     struct attune_trouble *trouble)
{
    const enum attune_status status =
        attune_timing_run(runner, &done->shape, bench->probes, bench->seconds, &done->timing);
    if (status != ATTUNE_OK)
        return attune_trouble_status(trouble, status);
    bench->roofs = done->timing.roofs;
    if (!bench->json)
        attune_report_row(done, bench->width, stdout);
    else if (!attune_report_json(done, stdout))
        return attune_trouble_memory(trouble, "a line of JSON");
    return ATTUNE_EXIT_FINE;
}

static int run_synthetic(struct bench *bench, const struct attune_problem *problem,
                         const struct attune_args *args, struct attune_case *done,
                         struct attune_trouble *trouble)
{
    struct attune_runner runner;
    enum attune_status status = attune_runner_open(&runner, bench->context, problem, args);
    int code = ATTUNE_EXIT_FINE;
    if (status == ATTUNE_OK)
        status = attune_verify(&done->shape, &runner.args, 1.0, &done->error);
    if (status != ATTUNE_OK)
        code = attune_trouble_status(trouble, status);
    else if (!(done->error <= 1))
        code = attune_trouble_set(trouble, ATTUNE_EXIT_CHECK,
                                  "wrong result: the error is %.3g times its bound", done->error);
    else
        code = time_case(bench, &runner, done, trouble);
    attune_runner_close(&runner);
    return code;
}

static int run_spec(struct bench *bench, const char *spec, struct attune_trouble *trouble)
{
    struct attune_problem problem;
    struct attune_args args = {0};
    struct attune_case done = {.name = spec, .threads = (int32_t)bench->threads};
    int code = attune_spec_parse(spec, &problem, trouble);
    if (code)
        return code;
    enum attune_status status = attune_shape_resolve(&problem, &done.shape);
    if (status == ATTUNE_OK)
        status = attune_synthetic_fill(&problem, &args);
    code = status == ATTUNE_OK ? run_synthetic(bench, &problem, &args, &done, trouble)
                               : attune_trouble_status(trouble, status);
    attune_synthetic_free(&args);
    return code;
}

/* Room for the longest shape. Wrong specs are told about when their turn comes. */
static int shape_width(const struct bench *bench)
{
    struct attune_problem problem;
    struct attune_shape shape;
    struct attune_trouble trouble;
    char text[256];
    int width = 5;
    for (int i = 0; i < bench->count; i++)
        if (attune_spec_parse(bench->spec[i], &problem, &trouble) == 0 &&
            attune_shape_resolve(&problem, &shape) == ATTUNE_OK) {
            const int length = attune_report_shape(&shape, text, sizeof text);
            width = length > width ? length : width;
        }
    return width;
}

/* Contexts and plans read ATTUNE_MAX_ISA themselves; the probes keep below the same ceiling. */
static int open_machine(struct bench *bench, struct attune_trouble *trouble)
{
    const struct attune_context_options context = {.struct_size = sizeof context,
                                                   .threads = (int32_t)bench->threads};
    const enum attune_status status = attune_context_create(&context, &bench->context);
    uint32_t features = attune_cpu_detect()->usable;
    if (status != ATTUNE_OK)
        return attune_trouble_status(trouble, status);
    attune_cpu_mask(getenv("ATTUNE_MAX_ISA"), &features);
    bench->threads = attune_context_threads(bench->context);
    bench->probes = attune_probes_create((int32_t)bench->threads, features);
    return bench->probes ? 0 : attune_trouble_memory(trouble, "buffers of the probes");
}

static int run_all(struct bench *bench)
{
    struct attune_trouble trouble;
    int worst = open_machine(bench, &trouble);
    if (worst)
        return attune_trouble_report(&trouble, "bench", NULL);
    bench->width = shape_width(bench);
    if (!bench->json)
        attune_report_head(bench->width, stdout);
    for (int i = 0; i < bench->count; i++)
        if (run_spec(bench, bench->spec[i], &trouble)) {
            const int code = attune_trouble_report(&trouble, "bench", bench->spec[i]);
            worst = code > worst ? code : worst;
        }
    if (!bench->json && bench->roofs.fma > 0)
        attune_report_roofs(&bench->roofs, (int32_t)bench->threads, stdout);
    return worst;
}

static int add_case(struct bench *bench, const char *spec)
{
    if (bench->count == MAX_CASES)
        return attune_options_wrong(&usage, "more than %d cases", MAX_CASES);
    bench->spec[bench->count++] = spec;
    return 0;
}

static int take_option(struct bench *bench, int id)
{
    char *end = NULL;
    switch (id) {
    case OPTION_SPEC:
        return add_case(bench, optarg);
    case OPTION_THREADS:
        return attune_options_integer(&usage, "threads", optarg, 1, 4096, &bench->threads);
    case OPTION_SECONDS:
        bench->seconds = strtod(optarg, &end);
        if (end == optarg || *end || !(bench->seconds > 0 && bench->seconds <= 3600))
            return attune_options_wrong(&usage, "--seconds: '%s' is no number in 0 .. 3600",
                                        optarg);
        return 0;
    default:
        bench->json = 1;
        return 0;
    }
}

int attune_command_bench(int argc, char **argv)
{
    struct bench bench = {.seconds = 1};
    int code = 0, id;
    while ((id = attune_options_next(&usage, argc, argv, &code)) >= 0)
        if ((code = take_option(&bench, id)) != 0)
            return code;
    if (id == ATTUNE_OPTIONS_EXIT)
        return code;
    if (optind < argc)
        return attune_options_wrong(&usage, "'%s' is no option", argv[optind]);
    for (size_t i = 0; bench.count == 0 && i < sizeof default_specs / sizeof *default_specs; i++)
        bench.spec[i] = default_specs[i];
    if (bench.count == 0)
        bench.count = sizeof default_specs / sizeof *default_specs;
    code = run_all(&bench);
    attune_probes_release(bench.probes);
    attune_context_release(bench.context);
    return code;
}
