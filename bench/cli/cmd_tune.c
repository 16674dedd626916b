/* SPDX-License-Identifier: Apache-2.0
 *
 * attune tune: measures what this machine should use, and keeps it. Owns options, interruption and
 * exit codes; measuring is the library's.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "bench/cli/options.h"
#include "bench/cli/tune.h"

enum {
    OPTION_QUICK = 256,
    OPTION_FULL,
    OPTION_BUDGET,
    OPTION_SPEC,
    OPTION_FROM,
    OPTION_FROM_MISSED,
    OPTION_ONLY,
    OPTION_DRY_RUN,
    OPTION_FORCE,
    OPTION_JSON
};

static const struct attune_option options[] = {
    {OPTION_QUICK, "quick", NULL, "shorter samples: about half the time"},
    {OPTION_FULL, "full", NULL, "longer samples: surer of small gains"},
    {OPTION_BUDGET, "budget", "SEC", "begin no key after so many seconds (default 110; with --full none)"},
    {OPTION_SPEC, "spec", "SPEC", "tune for this problem; may be given again"},
    {OPTION_FROM, "from", "FILE", "tune for a problem file, or for a list of SPECs, one a line"},
    {OPTION_FROM_MISSED, "from-missed", NULL, "tune for what programs run with ATTUNE_TUNE=record\n"
                                              "asked for"},
    {OPTION_ONLY, "only", "WORD", "prefill, decode, or a mechanism: leave the others out"},
    {'t', "threads", "N", "threads (default: all that the process may use)"},
    {OPTION_DRY_RUN, "dry-run", NULL, "show what would be tuned"},
    {OPTION_FORCE, "force", NULL, "tune again what is known, beside another tuning too; keep results\n"
                                  "of a noisy machine"},
    {OPTION_JSON, "json", NULL, "one JSON object instead of a table"},
};

static const struct attune_usage usage = {
    .command = "tune",
    .synopsis = "[--quick|--full] [--budget SEC] [--spec SPEC]... [--from FILE]...\n"
                "                   [--from-missed] [--only WORD] [--threads N] [--dry-run] [--force]\n"
                "                   [--json]",
    .about = "Measures which kernels and tiles are fastest on this machine, and keeps what is surely\n"
             "faster than the default in this machine's cache file, where programs find it. Without\n"
             "--spec, --from and --from-missed it tunes a set of problems of every mechanism.\n",
    .options = options,
    .count = sizeof options / sizeof *options,
    .notes =
        "Before anything is measured every kernel is checked against float64, as `attune selftest`\n"
        "does. A candidate replaces the default only when its result is right and the 95 % interval\n"
        "of its speed-up lies above 1.5 % and above twice the machine's own noise; otherwise the key\n"
        "is a tie and the default stays. Each key is saved when it is done: after Ctrl-C (exit code\n"
        "130) the next run goes on where this one ended. Exit code 3: the machine is too busy to\n"
        "measure on, and nothing was saved; or another `attune tune` is measuring for the same file.\n"
        "Where cores are of several kinds, kernels are tuned for each, on a core of it, the fastest first.\n"
        "The file is ATTUNE_CACHE, or lies in ${XDG_DATA_HOME:-~/.local/share}/attune.\n",
};

enum { MAX_PROBLEMS = 256, DEFAULT_BUDGET = 110 };

struct request {
    struct attune_tune_options options;
    struct attune_tune_set set;
    struct attune_tune_show show;
    const char *only;
    int64_t threads, budget;
    const char *name[MAX_PROBLEMS]; /* of SPECs and files, in order */
    int is_file[MAX_PROBLEMS], names;
    int json, short_of_memory;
};

static volatile sig_atomic_t interrupted;

static void note_interruption(int number)
{
    (void)number;
    interrupted = 1;
}

/* The first Ctrl-C lets the present key end; a second one ends the process. */
static void catch_interruption(void)
{
    struct sigaction before, action = {.sa_handler = note_interruption,
                                       .sa_flags = (int)SA_RESETHAND | SA_RESTART};
    if (sigaction(SIGINT, NULL, &before) == 0 && before.sa_handler != SIG_IGN)
        (void)sigaction(SIGINT, &action, NULL);
}

static int progress(void *user, const struct attune_tune_progress *event)
{
    struct request *request = user;
    if (!attune_tune_show_event(&request->show, event))
        request->short_of_memory = 1;
    return interrupted || request->short_of_memory;
}

/* What was not done, and why. */
static void say_rest(const struct request *request, enum attune_status status)
{
    const struct attune_tune_show *results = &request->show;
    const int32_t left = attune_tune_show_left(results);
    char keys[24];
    if (request->set.count == 0 && request->only != NULL && request->names > 0)
        (void)printf("Nothing to tune: --only %s leaves all of these problems out.\n", request->only);
    else if (results->keys == 0)
        (void)printf("Nothing to tune: %s.\n",
                     request->options.missed && request->names == 0
                         ? "no program that ran with ATTUNE_TUNE=record has asked for a key in vain"
                         : "these problems have nothing to compute");
    else if (left > 0)
        (void)printf("%s left%s: the next run goes on from there.\n", attune_tune_keys(left, keys),
                     status == ATTUNE_OK ? " when the time was over (--budget)" : "");
    else if (results->measured == 0)
        (void)printf("%s tuned for this machine already; nothing to do (--full measures longer, --force "
                     "again).\n",
                     results->known == 1 ? "The key is" : "All keys are");
}

static int show(struct request *request, enum attune_status status, struct attune_trouble *trouble)
{
    struct attune_tune_show *results = &request->show;
    if (request->json)
        return attune_tune_show_json(results, stdout) ? 0
                                                      : attune_trouble_memory(trouble, "the JSON object");
    attune_tune_show_table(results, stdout);
    /* Beside another tuning not even the keys were listed. */
    if (status == ATTUNE_OK || status == ATTUNE_ERROR_CANCELLED ||
        (status == ATTUNE_ERROR_UNFIT && results->keys > 0))
        say_rest(request, status);
    return 0;
}

static int exit_code(enum attune_status status, struct attune_trouble *trouble)
{
    const int code = attune_trouble_status(trouble, status);
    if (status == ATTUNE_ERROR_CANCELLED)
        return attune_trouble_set(trouble, ATTUNE_EXIT_INTERRUPTED,
                                  "interrupted; what is done is kept");
    if (status == ATTUNE_ERROR_UNFIT)
        trouble->code = ATTUNE_EXIT_MACHINE;
    return status == ATTUNE_ERROR_UNFIT ? ATTUNE_EXIT_MACHINE : code;
}

static int tune(struct request *request, struct attune_trouble *trouble)
{
    const struct attune_context_options context_options = {.struct_size = sizeof context_options,
                                                           .threads = (int32_t)request->threads};
    struct attune_context *context = NULL;
    enum attune_status status = attune_context_create(&context_options, &context);
    if (status != ATTUNE_OK)
        return attune_trouble_status(trouble, status);
    request->options.progress = progress;
    request->options.user = request;
    catch_interruption();
    attune_tune_show_begin(&request->show, request->options.seconds, request->json);
    status = attune_tune(context, request->set.problem, request->set.count, &request->options);
    if (request->short_of_memory)
        status = ATTUNE_ERROR_NO_MEMORY;
    int code = status == ATTUNE_OK ? 0 : exit_code(status, trouble);
    attune_context_release(context);
    struct attune_trouble later;
    const int shown = show(request, status, &later);
    if (code == 0 && shown != 0) {
        *trouble = later;
        code = shown;
    }
    return code;
}

/* The problems to tune for. On failure *subject is the one at fault. */
static int collect(struct request *request, const char **subject, struct attune_trouble *trouble)
{
    int code = 0;
    if (request->names == 0 && !request->options.missed)
        return attune_tune_set_canonical(&request->set, request->only, trouble);
    for (int i = 0; i < request->names && code == 0; i++) {
        *subject = request->name[i];
        code = request->is_file[i]
                   ? attune_tune_set_file(&request->set, *subject, request->only, trouble)
                   : attune_tune_set_spec(&request->set, *subject, request->only, trouble);
    }
    return code;
}

static int run(struct request *request)
{
    struct attune_trouble trouble;
    const char *subject = NULL;
    int code = collect(request, &subject, &trouble);
    if (code == 0) {
        subject = NULL;
        code = tune(request, &trouble);
    }
    attune_tune_show_free(&request->show);
    attune_tune_set_free(&request->set);
    return code ? attune_trouble_report(&trouble, "tune", subject) : 0;
}

static int take_name(struct request *request, int is_file)
{
    if (request->names == MAX_PROBLEMS)
        return attune_options_wrong(&usage, "more than %d problems; put them into one file for --from",
                                    MAX_PROBLEMS);
    request->is_file[request->names] = is_file;
    request->name[request->names++] = optarg;
    return 0;
}

static int take_option(struct request *request, int id)
{
    switch (id) {
    case OPTION_QUICK:
    case OPTION_FULL:
        request->options.effort = id == OPTION_FULL ? ATTUNE_TUNE_FULL : ATTUNE_TUNE_QUICK;
        return 0;
    case OPTION_SPEC:
    case OPTION_FROM:
        return take_name(request, id == OPTION_FROM);
    case OPTION_FROM_MISSED:
        request->options.missed = 1;
        return 0;
    case OPTION_ONLY:
        request->only = optarg;
        return attune_tune_set_knows(optarg)
                   ? 0
                   : attune_options_wrong(&usage, "--only: \"%.40s\" is not one of %s", optarg,
                                          attune_tune_set_words());
    case OPTION_DRY_RUN:
        request->options.dry_run = 1;
        return 0;
    case OPTION_FORCE:
        request->options.force = 1;
        return 0;
    case OPTION_JSON:
        request->json = 1;
        return 0;
    case OPTION_BUDGET:
        return attune_options_integer(&usage, "budget", optarg, 1, 1000000, &request->budget);
    default:
        return attune_options_integer(&usage, "threads", optarg, 1, ATTUNE_OPTIONS_THREADS, &request->threads);
    }
}

int attune_command_tune(int argc, char **argv)
{
    struct request request = {.options = {.struct_size = sizeof request.options,
                                          .effort = ATTUNE_TUNE_NORMAL}};
    int code = 0, id;
    while ((id = attune_options_next(&usage, argc, argv, &code)) >= 0)
        if ((code = take_option(&request, id)) != 0)
            return code;
    if (id == ATTUNE_OPTIONS_EXIT)
        return code;
    if (optind < argc)
        return attune_options_wrong(&usage, "'%s' is no option", argv[optind]);
    if (request.only != NULL && request.options.missed)
        return attune_options_wrong(&usage, "--only: the keys of --from-missed have no mechanism to tell "
                                            "them by");
    if (request.budget == 0 && request.options.effort != ATTUNE_TUNE_FULL)
        request.budget = DEFAULT_BUDGET;
    request.options.seconds = (double)request.budget;
    return run(&request);
}
