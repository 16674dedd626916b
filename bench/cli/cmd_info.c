/* SPDX-License-Identifier: Apache-2.0
 *
 * attune info: what this machine is, which kernels it can run, and what a problem would be
 * dispatched to. Owns options and finding out; showing is info_text.c's and info_json.c's.
 */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "bench/cli/info.h"
#include "bench/cli/options.h"
#include "bench/cli/subject.h"

enum { OPTION_EXPLAIN = 256, OPTION_THREADS, OPTION_JSON };

static const struct attune_option options[] = {
    {OPTION_EXPLAIN, "explain", "FILE|SPEC", "show what this problem would be dispatched to"},
    {OPTION_THREADS, "threads", "N", "threads to plan for (default: all that the process may use)"},
    {OPTION_JSON, "json", NULL, "one JSON object instead of text"},
};

static const struct attune_usage usage = {
    .command = "info",
    .synopsis = "[--explain FILE|SPEC [--threads N]] [--json]",
    .about = "Shows the CPU and its features, caches and cores, which files of tuned choices are read,\n"
             "and every kernel with whether this machine can run it. Measures nothing.\n",
    .options = options,
    .count = sizeof options / sizeof *options,
    .notes = "ATTUNE_MAX_ISA (scalar, avx2, avx512, neon) takes features away; a word of another\n"
             "architecture leaves the scalar kernels.\n",
};

struct request {
    const char *explain;
    int64_t threads;
    int json;
};

int attune_info_usable(const struct attune_info *info, const struct attune_kernel *kernel,
                       char *text, size_t size)
{
    const uint32_t wanted = kernel->requires;
    const struct {
        const char *reason, *subject;
        uint32_t missing;
    } causes[] = {
        {"not in this CPU", "", wanted & ~info->cpu->listed},
        {"not enabled by the system", "", wanted & info->cpu->listed & ~info->cpu->usable},
        {"masked by max_isa ", info->max_isa, wanted & info->cpu->usable & ~info->features},
    };
    size_t length = 0;
    text[0] = '\0';
    for (size_t i = 0; i < sizeof causes / sizeof *causes; i++) {
        if (causes[i].missing == 0)
            continue;
        length += (size_t)snprintf(text + length, size - length, "%s%s%s:", length ? "; " : "",
                                   causes[i].reason, causes[i].subject);
        for (int bit = 0; bit < ATTUNE_CPU_FEATURE_COUNT && length < size; bit++)
            if ((causes[i].missing >> bit & 1u) != 0)
                length += (size_t)snprintf(text + length, size - length, " %s",
                                           attune_cpu_feature_word(bit));
        if (length >= size)
            break;
    }
    return attune_kernel_usable(kernel, info->features);
}

char *attune_info_kernels(const struct attune_plan *plan)
{
    const size_t size = attune_plan_describe(plan, NULL, 0) + 1;
    char *text = malloc(size);
    if (text != NULL)
        attune_plan_describe(plan, text, size);
    return text;
}

static int show_machine(const struct request *request, const struct attune_context *context,
                        struct attune_trouble *trouble)
{
    const struct attune_info info = {attune_cpu_detect(), attune_topology_get(), context->max_isa,
                                     context->features, context};
    if (!request->json)
        attune_info_text(&info, stdout);
    else if (!attune_info_json(&info, stdout))
        return attune_trouble_memory(trouble, "the JSON object");
    return ATTUNE_EXIT_FINE;
}

static int explain_problem(const struct request *request, struct attune_context *context,
                           const struct attune_problem *problem, struct attune_trouble *trouble)
{
    struct attune_plan *plan = NULL;
    const enum attune_status status = attune_plan_create(context, problem, &plan);
    if (status != ATTUNE_OK)
        return attune_trouble_status(trouble, status);
    const struct attune_explanation explanation = {request->explain, plan};
    const int shown = request->json ? attune_info_explain_json(&explanation, stdout) : 1;
    if (!request->json)
        attune_info_explain_text(&explanation, stdout);
    attune_plan_release(plan);
    return shown ? ATTUNE_EXIT_FINE : attune_trouble_memory(trouble, "the JSON object");
}

static int explain(const struct request *request, struct attune_context *context,
                   struct attune_trouble *trouble)
{
    struct attune_subject subject;
    int code = attune_subject_read(request->explain, &subject, trouble);
    if (code == 0)
        code = explain_problem(request, context, &subject.problem, trouble);
    attune_subject_free(&subject);
    return code;
}

static int show(const struct request *request)
{
    const struct attune_context_options context_options = {.struct_size = sizeof context_options,
                                                           .threads = (int32_t)request->threads};
    struct attune_context *context = NULL;
    struct attune_trouble trouble;
    const enum attune_status status = attune_context_create(&context_options, &context);
    int code = status != ATTUNE_OK    ? attune_trouble_status(&trouble, status)
               : request->explain     ? explain(request, context, &trouble)
                                      : show_machine(request, context, &trouble);
    attune_context_release(context);
    return code ? attune_trouble_report(&trouble, "info", request->explain) : code;
}

int attune_command_info(int argc, char **argv)
{
    struct request request = {0};
    int code = 0, id;
    while ((id = attune_options_next(&usage, argc, argv, &code)) >= 0) {
        if (id == OPTION_EXPLAIN)
            request.explain = optarg;
        else if (id == OPTION_JSON)
            request.json = 1;
        else if ((code = attune_options_integer(&usage, "threads", optarg, 1, ATTUNE_OPTIONS_THREADS,
                                                &request.threads)) != 0)
            return code;
    }
    if (id == ATTUNE_OPTIONS_EXIT)
        return code;
    if (optind < argc)
        return attune_options_wrong(&usage, "'%s' is no option", argv[optind]);
    return show(&request);
}
