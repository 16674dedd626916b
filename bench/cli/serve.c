/* SPDX-License-Identifier: Apache-2.0
 *
 * Serves one problem at a time. Nothing is checked here: that is what attune bench is for.
 */
#include "bench/cli/serve.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

struct served {
    struct attune_bench *bench;
    struct attune_bench_case one;
    struct attune_bench_trial trial;
    int is_open;
};

static void close_problem(struct served *served)
{
    if (!served->is_open)
        return;
    attune_bench_close_trial(&served->trial);
    attune_bench_close_case(&served->one);
    free(served->one.spec);
    served->is_open = 0;
}

static void answer_trouble(const struct attune_trouble *trouble)
{
    (void)printf("error %s\n", trouble->text);
}

static void open_problem(struct served *served, const char *arguments)
{
    struct attune_trouble trouble;
    char *spec = NULL;
    const double seconds = strtod(arguments, &spec);
    close_problem(served);
    served->one = (struct attune_bench_case){.source = ATTUNE_BENCH_SPEC,
                                             .spec = strdup(spec + strspn(spec, " "))};
    memset(&served->trial, 0, sizeof served->trial);
    served->trial.of = &served->one;
    served->trial.setting = &served->bench->settings[0];
    served->is_open = 1;
    int code = served->one.spec ? attune_bench_open_case(&served->one, &trouble)
                                : attune_trouble_memory(&trouble, "spec");
    if (code == 0)
        code = attune_bench_open_trial(&served->trial, 0, &trouble);
    if (code) {
        answer_trouble(&trouble);
        close_problem(served);
        return;
    }
    const struct attune_entry *entry = served->trial.entry;
    (void)printf("ok %lld\n",
                 (long long)attune_measure_calibrate(entry->run, entry->argument, seconds));
}

static void take_sample(const struct served *served, const char *arguments)
{
    const struct attune_entry *entry = served->trial.entry;
    const long long calls = strtoll(arguments, NULL, 10);
    if (!served->is_open || calls < 1)
        (void)printf("error nothing to sample\n");
    else
        (void)printf("t %.9e\n", attune_measure_sample(entry->run, entry->argument, calls));
}

static void serve_line(struct served *served, char *line)
{
    line[strcspn(line, "\r\n")] = '\0';
    if (strncmp(line, "open ", 5) == 0) {
        open_problem(served, line + 5);
    } else if (strncmp(line, "sample ", 7) == 0) {
        take_sample(served, line + 7);
    } else if (strcmp(line, "close") == 0) {
        close_problem(served);
        (void)printf("ok\n");
    } else {
        (void)printf("error no such request\n");
    }
    (void)fflush(stdout);
}

int attune_bench_serve(struct attune_bench *bench)
{
    static struct served served; /* too large for a small stack */
    struct attune_trouble trouble;
    char line[ATTUNE_SERVE_LINE];
    served.bench = bench;
    /* Ctrl-C is the business of who started this; it ends with its input. */
    (void)signal(SIGINT, SIG_IGN);
    const int code = attune_bench_open_settings(bench, &trouble);
    if (code)
        return attune_trouble_report(&trouble, "bench", NULL);
    (void)printf("%s\n", ATTUNE_SERVE_GREETING);
    (void)fflush(stdout);
    while (fgets(line, sizeof line, stdin))
        serve_line(&served, line);
    close_problem(&served);
    attune_bench_close_settings(bench);
    return 0;
}
