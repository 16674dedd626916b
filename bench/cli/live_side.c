/* SPDX-License-Identifier: Apache-2.0
 *
 * Starting the process, and lines to and from it.
 */
#include "bench/cli/live_side.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/cli/serve.h"

static const char own_command[] = "/proc/self/exe";

#define FAIL(code, ...) attune_trouble_set(trouble, code, __VA_ARGS__)

/* In the child: settings into the environment, and what is left is the command. */
static const char *apply(char *what)
{
    const char *command = own_command;
    if (access(what, X_OK) == 0)
        return what;
    for (char *word = strtok(what, " "); word; word = strtok(NULL, " ")) {
        char *equals = strchr(word, '=');
        if (equals && (!strchr(word, '/') || strchr(word, '/') > equals)) {
            *equals = '\0';
            (void)setenv(word, equals + 1, 1);
        } else {
            command = word;
        }
    }
    return command;
}

static void become(const char *what, const char *threads, const int *in, const int *out)
{
    char *copy = strdup(what);
    if (!copy || dup2(in[0], STDIN_FILENO) < 0 || dup2(out[1], STDOUT_FILENO) < 0)
        _exit(126);
    const char *command = apply(copy);
    (void)execl(command, "attune", "bench", "--serve", "--threads", threads, (char *)NULL);
    _exit(127);
}

/* The answer's text behind its word; a failure where it has another. */
static int answer(struct attune_side *side, const char *word, char *line,
                  struct attune_trouble *trouble)
{
    if (!fgets(line, ATTUNE_SERVE_LINE, side->from))
        return FAIL(ATTUNE_EXIT_USE, "%c: ended without an answer: no attune command that knows "
                                     "bench --serve?", side->name);
    line[strcspn(line, "\r\n")] = '\0';
    if (strncmp(line, word, strlen(word)) == 0) {
        memmove(line, line + strlen(word), strlen(line + strlen(word)) + 1);
        return 0;
    }
    const int told = strncmp(line, "error ", 6) == 0;
    return FAIL(ATTUNE_EXIT_USE, "%c: %s%.200s", side->name, told ? "" : "unexpected answer: ",
                told ? line + 6 : line);
}

int attune_side_start(struct attune_side *side, char name, const char *what, const char *threads,
                      struct attune_trouble *trouble)
{
    int in[2], out[2];
    char line[ATTUNE_SERVE_LINE];
    *side = (struct attune_side){.name = name, .process = -1};
    (void)signal(SIGPIPE, SIG_IGN);
    if (pipe2(in, O_CLOEXEC) != 0)
        return FAIL(ATTUNE_EXIT_SYSTEM, "%c: cannot make a pipe: %s", name, strerror(errno));
    if (pipe2(out, O_CLOEXEC) != 0) {
        (void)close(in[0]);
        (void)close(in[1]);
        return FAIL(ATTUNE_EXIT_SYSTEM, "%c: cannot make a pipe: %s", name, strerror(errno));
    }
    (void)fflush(NULL);
    side->process = fork();
    if (side->process == 0)
        become(what, threads, in, out);
    (void)close(in[0]);
    (void)close(out[1]);
    side->to = fdopen(in[1], "w");
    side->from = fdopen(out[0], "r");
    if (side->process < 0 || !side->to || !side->from)
        return FAIL(ATTUNE_EXIT_SYSTEM, "%c: cannot start a process: %s", name, strerror(errno));
    return answer(side, ATTUNE_SERVE_GREETING, line, trouble);
}

void attune_side_stop(struct attune_side *side)
{
    if (side->to)
        (void)fclose(side->to);
    if (side->from)
        (void)fclose(side->from);
    while (side->process > 0 && waitpid(side->process, NULL, 0) < 0 && errno == EINTR)
        ;
    *side = (struct attune_side){.name = side->name, .process = -1};
}

int attune_side_open(struct attune_side *side, const char *spec, double seconds, int64_t *calls,
                     struct attune_trouble *trouble)
{
    char line[ATTUNE_SERVE_LINE];
    (void)fprintf(side->to, "open %.6f %s\n", seconds, spec);
    (void)fflush(side->to);
    const int code = answer(side, "ok ", line, trouble);
    if (code)
        return code;
    *calls = strtoll(line, NULL, 10);
    return *calls > 0 ? 0 : FAIL(ATTUNE_EXIT_USE, "%c: unexpected answer: ok %.100s", side->name,
                                 line);
}

int attune_side_sample(struct attune_side *side, int64_t calls, double *seconds,
                       struct attune_trouble *trouble)
{
    char line[ATTUNE_SERVE_LINE];
    (void)fprintf(side->to, "sample %lld\n", (long long)calls);
    (void)fflush(side->to);
    const int code = answer(side, "t ", line, trouble);
    if (code)
        return code;
    *seconds = strtod(line, NULL);
    return *seconds > 0 ? 0 : FAIL(ATTUNE_EXIT_USE, "%c: unexpected answer: t %.100s", side->name,
                                   line);
}
