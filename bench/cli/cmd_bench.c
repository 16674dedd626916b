/* SPDX-License-Identifier: Apache-2.0
 *
 * attune bench: times synthetic problems (SPECs) and real ones (problem files) against the
 * machine's roofs. Owns options and the list of cases; running is bench_case.c's, showing
 * report.c's.
 */
#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "arch/cpu.h"
#include "bench/cli/bench_case.h"
#include "bench/cli/options.h"
#include "bench/cli/report.h"

enum {
    OPTION_SPEC = 256,
    OPTION_THREADS,
    OPTION_SECONDS,
    OPTION_JSON,
    OPTION_DATA,
    MAX_CASES = 256,
    MAX_LEFT_OUT = 1024
};

static const struct attune_option options[] = {
    {OPTION_SPEC, "spec", "SPEC", "time this synthetic problem; may be given again"},
    {OPTION_DATA, "data", "DIR", "time and check every problem file (*.safetensors) of a folder"},
    {'t', "threads", "N", "threads (default: all that the process may use)"},
    {OPTION_SECONDS, "seconds", "S", "seconds of samples a case (default 1)"},
    {OPTION_JSON, "json", NULL, "one JSON object a line for each case instead of a table"},
};

static const char notes[] =
    "Every result is checked against the float64 reference (some rows of it where all would take\n"
    "too long), a problem file against its expected results, before it is timed; a wrong one is\n"
    "reported, exit code 1, and not timed.\n"
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

struct request {
    struct attune_bench bench;
    const char *name[MAX_CASES];
    int is_file[MAX_CASES];
    int count, json;
    struct attune_table table;
    char *path[MAX_CASES]; /* names that are this command's own */
    int paths;
    char *left_out[MAX_LEFT_OUT]; /* files of --data that hold no problem */
    int left_outs;
};

static int add_case(struct request *request, const char *name, int is_file)
{
    if (request->count == MAX_CASES)
        return attune_options_wrong(&usage, "more than %d cases", MAX_CASES);
    request->is_file[request->count] = is_file;
    request->name[request->count++] = name;
    return 0;
}

static int is_tensor_file(const struct dirent *entry)
{
    static const char suffix[] = ".safetensors";
    const size_t length = strlen(entry->d_name), tail = sizeof suffix - 1;
    return length > tail && strcmp(entry->d_name + length - tail, suffix) == 0;
}

static int add_file(struct request *request, char *path)
{
    int code = 0;
    if (!attune_bench_is_problem(path)) {
        if (request->left_outs == MAX_LEFT_OUT)
            code = attune_options_wrong(&usage, "more than %d files without a problem",
                                        MAX_LEFT_OUT);
        else
            request->left_out[request->left_outs++] = path;
    } else if ((code = add_case(request, path, 1)) == 0) {
        request->path[request->paths++] = path;
    }
    if (code)
        free(path);
    return code;
}

/* Every tensor file of a folder, by name. */
static int add_folder(struct request *request, const char *folder)
{
    struct dirent **entries;
    const int count = scandir(folder, &entries, is_tensor_file, alphasort);
    int code = 0;
    if (count < 0)
        return attune_options_wrong(&usage, "--data %s: %s", folder, strerror(errno));
    if (count == 0)
        code = attune_options_wrong(&usage, "--data %s: no *.safetensors there", folder);
    for (int i = 0; i < count; i++) {
        char *path = NULL;
        if (code == 0 && asprintf(&path, "%s/%s", folder, entries[i]->d_name) < 0)
            code = attune_options_wrong(&usage, "--data %s: no memory", folder);
        free(entries[i]);
        if (code == 0)
            code = add_file(request, path);
    }
    free(entries);
    if (code == 0 && request->count == 0)
        code = attune_options_wrong(&usage, "--data %s: no file there holds a problem", folder);
    return code;
}

/* Room for the longest shape. Cases that are wrong are told about when their turn comes. */
static int shape_width(const struct request *request)
{
    struct attune_shape shape;
    char text[256];
    int width = 5;
    for (int i = 0; i < request->count; i++)
        if (attune_bench_shape(request->name[i], request->is_file[i], &shape) == 0) {
            const int length = attune_report_shape(&shape, text, sizeof text);
            width = length > width ? length : width;
        }
    return width;
}

/* Contexts and plans read ATTUNE_MAX_ISA themselves; the probes keep below the same ceiling. */
static int open_machine(struct attune_bench *bench, struct attune_trouble *trouble)
{
    const struct attune_context_options context = {.struct_size = sizeof context,
                                                   .threads = bench->threads};
    const enum attune_status status = attune_context_create(&context, &bench->context);
    uint32_t features = attune_cpu_detect()->usable;
    if (status != ATTUNE_OK)
        return attune_trouble_status(trouble, status);
    attune_cpu_mask(getenv("ATTUNE_MAX_ISA"), &features);
    bench->threads = attune_context_threads(bench->context);
    bench->probes = attune_probes_create(bench->threads, features);
    return bench->probes ? 0 : attune_trouble_memory(trouble, "buffers of the probes");
}

static int run_case(struct request *request, int index, struct attune_roofs *roofs)
{
    struct attune_case done;
    struct attune_trouble trouble;
    const char *name = request->name[index];
    int code = attune_bench_run(&request->bench, name, request->is_file[index], &done, &trouble);
    if (code == 0 && request->json && !attune_report_json(&done, stdout))
        code = attune_trouble_memory(&trouble, "a line of JSON");
    if (code != 0)
        return attune_trouble_report(&trouble, "bench", name);
    if (!request->json)
        attune_report_row(&request->table, &done);
    *roofs = done.timing.roofs;
    return 0;
}

static int run_all(struct request *request)
{
    struct attune_trouble trouble;
    struct attune_roofs roofs = {0};
    int worst = open_machine(&request->bench, &trouble);
    if (worst)
        return attune_trouble_report(&trouble, "bench", NULL);
    request->table.file = stdout;
    request->table.width = shape_width(request);
    for (int i = 0; i < request->count; i++) {
        const int code = run_case(request, i, &roofs);
        worst = code > worst ? code : worst;
    }
    if (!request->json && roofs.fma > 0)
        attune_report_foot(&request->table, &roofs, request->bench.threads);
    fflush(stdout);
    for (int i = 0; i < request->left_outs; i++)
        fprintf(stderr, "left out, as it holds no problem: %s\n", request->left_out[i]);
    return worst;
}

static int take_option(struct request *request, int id)
{
    char *end = NULL;
    int64_t threads;
    switch (id) {
    case OPTION_SPEC:
        return add_case(request, optarg, 0);
    case OPTION_DATA:
        return add_folder(request, optarg);
    case OPTION_SECONDS:
        request->bench.seconds = strtod(optarg, &end);
        if (end == optarg || *end || !(request->bench.seconds > 0) || request->bench.seconds > 3600)
            return attune_options_wrong(
                &usage, "--seconds: '%s' is no number above 0, at most 3600", optarg);
        return 0;
    case OPTION_JSON:
        request->json = 1;
        return 0;
    default:
        if (attune_options_integer(&usage, "threads", optarg, 1, 4096, &threads))
            return ATTUNE_EXIT_USE;
        request->bench.threads = (int32_t)threads;
        return 0;
    }
}

static int take_options(struct request *request, int argc, char **argv, int *id)
{
    int code = 0;
    while ((*id = attune_options_next(&usage, argc, argv, &code)) >= 0)
        if ((code = take_option(request, *id)) != 0)
            return code;
    if (*id == ATTUNE_OPTIONS_EXIT)
        return code;
    if (optind < argc)
        return attune_options_wrong(&usage, "'%s' is no option", argv[optind]);
    const int none = request->count == 0;
    for (size_t i = 0; none && i < sizeof default_specs / sizeof *default_specs; i++)
        add_case(request, default_specs[i], 0);
    return 0;
}

int attune_command_bench(int argc, char **argv)
{
    struct request request = {.bench = {.seconds = 1}};
    int id;
    int code = take_options(&request, argc, argv, &id);
    if (code == 0 && id != ATTUNE_OPTIONS_EXIT)
        code = run_all(&request);
    attune_probes_release(request.bench.probes);
    attune_context_release(request.bench.context);
    for (int i = 0; i < request.paths; i++)
        free(request.path[i]);
    for (int i = 0; i < request.left_outs; i++)
        free(request.left_out[i]);
    return code;
}
