/* SPDX-License-Identifier: Apache-2.0
 *
 * attune selftest: whether every kernel computes what it should on this machine. Owns options and what
 * is said; checking is the library's.
 */
#include <getopt.h>
#include <string.h>

#include "bench/cli/options.h"
#include "engine/context.h"
#include "tuner/measure.h"

enum { OPTION_ALL = 256, OPTION_JSON };

static const struct attune_option options[] = {
    {OPTION_ALL, "all", NULL, "list every kernel, not only those that fail"},
    {OPTION_JSON, "json", NULL, "one JSON object a line for each kernel"},
};

static const struct attune_usage usage = {
    .command = "selftest",
    .synopsis = "[--all] [--json]",
    .about = "Checks every kernel that this machine can run against float64. One that fails is barred\n"
             "in this machine's cache file: no program uses it from then on.\n",
    .options = options,
    .count = sizeof options / sizeof *options,
    .notes = "Exit code 1: a kernel failed. Please report its line with the output of `attune info`.\n",
};

struct request {
    int all, json, kernels;
};

static void report(void *user, const char *kernel, double error, const char *detail)
{
    struct request *request = user;
    const int right = error <= 1;
    request->kernels++;
    if (request->json) /* names and details are printable ASCII without quotes or backslashes */
        (void)printf("{\"kernel\":\"%s\",\"right\":%s,\"error\":%.4g,\"detail\":\"%s\"}\n", kernel,
                     right ? "true" : "false", error < 1e9 ? error : 1e9, detail);
    else if (request->all || !right)
        (void)printf("%-34s %s  error %.2f of its bound%s%s\n", kernel, right ? "right" : "WRONG", error,
                     right ? "" : ": ", detail);
}

/* A bar is worth nothing unless the next process sees it; so is a bar that was taken away. */
static int keep(struct attune_context *context, struct attune_trouble *trouble)
{
    struct attune_fault fault;
    if (attune_context_save_cache(context, &fault) >= 0)
        return 0;
    return attune_trouble_set(trouble, ATTUNE_EXIT_SYSTEM, "the cache cannot be written: %s", fault.text);
}

static int run(struct request *request)
{
    const double begun = attune_clock_seconds();
    struct attune_context *context = NULL;
    struct attune_trouble trouble;
    const enum attune_status status = attune_context_create(NULL, &context);
    if (status != ATTUNE_OK) {
        (void)attune_trouble_status(&trouble, status);
        return attune_trouble_report(&trouble, "selftest", NULL);
    }
    const int32_t wrong = attune_selftest(context, report, request);
    int code = wrong < 0 ? attune_trouble_memory(&trouble, "the checks") : keep(context, &trouble);
    attune_context_release(context);
    if (code == 0 && wrong > 0)
        code = attune_trouble_set(&trouble, ATTUNE_EXIT_CHECK,
                                  "%d of %d kernels are wrong here and barred; please report the lines "
                                  "above with the output of `attune info`", wrong, request->kernels);
    if (code == 0 && !request->json)
        (void)printf("%d kernels are right, checked in %.2f s\n", request->kernels,
                     attune_clock_seconds() - begun);
    return code ? attune_trouble_report(&trouble, "selftest", NULL) : 0;
}

int attune_command_selftest(int argc, char **argv)
{
    struct request request = {0};
    int code = 0, id;
    while ((id = attune_options_next(&usage, argc, argv, &code)) >= 0) {
        if (id == OPTION_ALL)
            request.all = 1;
        else
            request.json = 1;
    }
    if (id == ATTUNE_OPTIONS_EXIT)
        return code;
    if (optind < argc)
        return attune_options_wrong(&usage, "'%s' is no option", argv[optind]);
    return run(&request);
}
