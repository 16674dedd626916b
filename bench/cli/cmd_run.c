/* SPDX-License-Identifier: Apache-2.0
 *
 * `attune run`: options, the order of the steps, and which of them leads to which exit code.
 */
#include <getopt.h>

#include "bench/cli/options.h"
#include "bench/cli/output.h"
#include "bench/cli/run.h"

enum { REPEAT_MAX = 1000000 };
enum { OPTION_CHECK = 256, OPTION_JSON };

static const struct attune_option options[] = {
    {'o', "output", "RESULT",
     "write the outputs asked for to RESULT (safetensors, float32),\n"
     "whole or not at all; a symbolic link is followed, a FIFO or\n"
     "device is written straight"},
    {OPTION_CHECK, "check", NULL,
     "compare with the expected_* tensors of FILE, and where it has\n"
     "none with the built-in float64 reference; exit 1 over the bound"},
    {'t', "threads", "N", "use N threads (default: all that the process may use)"},
    {'r', "repeat", "N", "compute N times and tell the time"},
    {OPTION_JSON, "json", NULL, "print one JSON object instead of text"},
};

static const struct attune_usage usage = {
    .command = "run",
    .synopsis = "FILE [-o RESULT] [--check] [--threads N] [--repeat N] [--json]",
    .about = "Computes the problem in FILE, a safetensors file with a problem's tensors and its\n"
             "fields in the metadata `attune.problem`. Without -o it prints a summary.\n",
    .options = options,
    .count = sizeof options / sizeof options[0],
    .notes = "The check allows each element the error that float32 arithmetic may make; what it\n"
             "prints is the largest share of that bound, at most 1. RESULT is written when the\n"
             "check fails too, and never when FILE is at fault (exit 2).\n"
             "ATTUNE_MAX_ISA=scalar|avx2|avx512|neon holds back instruction sets.\n",
};

struct request {
    const char *path;
    const char *result;
    int check, json;
    int64_t threads, repeat; /* 0: not given */
};

/* Returns 0 and a request, or -1 and the exit code to leave with. */
static int read_options(int argc, char **argv, struct request *request, int *code)
{
    int id;

    *request = (struct request){.path = NULL};
    while ((id = attune_options_next(&usage, argc, argv, code)) != ATTUNE_OPTIONS_END) {
        if (id == ATTUNE_OPTIONS_EXIT)
            return -1;
        if (id == 'o')
            request->result = optarg;
        else if (id == OPTION_CHECK)
            request->check = 1;
        else if (id == OPTION_JSON)
            request->json = 1;
        else if (id == 't')
            *code = attune_options_integer(&usage, "threads", optarg, 1, ATTUNE_OPTIONS_THREADS,
                                           &request->threads);
        else
            *code =
                attune_options_integer(&usage, "repeat", optarg, 1, REPEAT_MAX, &request->repeat);
        if (*code != 0)
            return -1;
    }
    if (argc - optind != 1)
        *code = attune_options_wrong(&usage, argc == optind ? "FILE: must be given"
                                                            : "FILE: only one may be given");
    else if (request->result != NULL && request->result[0] == '\0')
        *code = attune_options_wrong(&usage, "--output: an empty path");
    else
        request->path = argv[optind];
    return request->path != NULL ? 0 : -1;
}

/* Outputs that an expectation is there for are computed too when they are to be checked. */
static void add_checked_outputs(const struct attune_problem_file *file,
                                struct attune_problem *problem)
{
    for (int i = 0; i < ATTUNE_OUTPUT_COUNT; i++) {
        if (file->expected[i] != NULL)
            attune_problem_output(problem, (enum attune_output)i);
    }
}

static int write_result(const struct attune_problem_file *file, const struct attune_run *run,
                        const char *path, struct attune_trouble *trouble)
{
    struct attune_safetensor tensors[ATTUNE_OUTPUT_COUNT];
    size_t count = 0;

    for (int i = 0; i < ATTUNE_OUTPUT_COUNT; i++) {
        const struct attune_tensor *shape = &run->shape.problem.out[i];
        struct attune_safetensor *tensor = &tensors[count];
        if (file->problem.out[i].dtype == ATTUNE_ABSENT)
            continue;
        *tensor = (struct attune_safetensor){.name = attune_output_name(i), .type = "F32"};
        tensor->rank = shape->rank;
        for (int32_t axis = 0; axis < shape->rank; axis++)
            tensor->size[axis] = shape->size[axis];
        tensor->data = run->runner.args.out[i];
        tensor->bytes = (size_t)attune_run_count(run, i) * sizeof(float);
        count++;
    }
    return attune_safetensors_write(path, tensors, count, trouble);
}

static int tell(const struct request *request, const struct attune_run_report *report,
                struct attune_trouble *trouble)
{
    /* Text would spoil a result that goes to standard output itself. */
    int taken = request->result != NULL && attune_output_is_stdout(request->result);
    FILE *stream = taken ? stderr : stdout;

    if (request->json)
        return attune_run_print_json(stream, report, trouble);
    attune_run_print(stream, report, request->result == NULL || request->repeat > 0);
    return 0;
}

/* *subject is the file that a failure is about. */
static int finish(const struct request *request, const struct attune_problem_file *file,
                  const struct attune_run *run, const char **subject,
                  struct attune_trouble *trouble)
{
    struct attune_run_check checks[ATTUNE_OUTPUT_COUNT];
    struct attune_run_report report = {.path = request->path,
                                       .result = request->result,
                                       .run = run,
                                       .checks = checks,
                                       .repeat = request->repeat};
    int failed = 0;
    int code = 0;

    if (request->check)
        code = attune_run_compare(file, run, checks, &report.check_count, trouble);
    if (code == 0 && request->result != NULL) {
        *subject = request->result;
        code = write_result(file, run, request->result, trouble);
    }
    if (code == 0)
        code = tell(request, &report, trouble);
    for (int i = 0; i < report.check_count; i++)
        failed |= !attune_run_check_passed(&checks[i]);
    return code == 0 && failed ? ATTUNE_EXIT_CHECK : code;
}

static int run_request(const struct request *request, const char **subject,
                       struct attune_trouble *trouble)
{
    struct attune_problem_file file;
    struct attune_problem problem;
    struct attune_run run;
    int code;

    if (request->result != NULL && attune_output_is_same_file(request->path, request->result))
        return attune_trouble_set(trouble, ATTUNE_EXIT_USE, "the result would replace it");
    code = attune_problem_file_read(request->path, &file, trouble);
    if (code != 0)
        return code;
    problem = file.problem;
    if (request->check)
        add_checked_outputs(&file, &problem);
    code = attune_run_compute(&file, &problem, request->threads, request->repeat, &run, trouble);
    if (code == 0) {
        code = finish(request, &file, &run, subject, trouble);
        attune_run_free(&run);
    }
    attune_problem_file_free(&file);
    return code;
}

int attune_command_run(int argc, char **argv)
{
    struct request request;
    struct attune_trouble trouble = {.text = ""};
    const char *subject;
    int code = ATTUNE_EXIT_FINE;

    if (read_options(argc, argv, &request, &code) != 0)
        return code;
    subject = request.path;
    code = run_request(&request, &subject, &trouble);
    return trouble.text[0] != '\0' ? attune_trouble_report(&trouble, usage.command, subject) : code;
}
