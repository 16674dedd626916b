/* SPDX-License-Identifier: Apache-2.0
 *
 * Starting the process, and lines to and from it.
 */
#include "bench/cli/live_side.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench/cli/serve.h"

static const char own_command[] = "/proc/self/exe";

/* How long a side may take to say that it is there, and to end when it is let go. */
enum { GREETING_SECONDS = 20, END_MILLISECONDS = 2000 };

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

/* Settings without a name would be passed over, and the sides would not differ. */
static int check_words(char name, const char *what, struct attune_trouble *trouble)
{
    const char *word = what + strspn(what, " ");
    if (*word == '\0')
        return FAIL(ATTUNE_EXIT_USE, "%c: neither a command nor a setting", name);
    for (; *word; word += strcspn(word, " "), word += strspn(word, " "))
        if (*word == '=')
            return FAIL(ATTUNE_EXIT_USE, "%c: '%.40s': a setting without a name", name, word);
    return 0;
}

static int greeting(struct attune_side *side, struct attune_trouble *trouble)
{
    char line[ATTUNE_SERVE_LINE];
    struct pollfd there = {.fd = fileno(side->from), .events = POLLIN};
    if (poll(&there, 1, 1000 * GREETING_SECONDS) == 0)
        return FAIL(ATTUNE_EXIT_USE, "%c: says nothing for %d s: no attune command that knows bench "
                                     "--serve?", side->name, GREETING_SECONDS);
    return answer(side, ATTUNE_SERVE_GREETING, line, trouble);
}

int attune_side_start(struct attune_side *side, char name, const char *what, const char *threads,
                      struct attune_trouble *trouble)
{
    int in[2], out[2];
    *side = (struct attune_side){.name = name, .process = -1};
    const int code = check_words(name, what, trouble);
    if (code)
        return code;
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
    return greeting(side, trouble);
}

/* Its input is at an end, so it goes; one that does not is made to. */
static void await_end(pid_t process)
{
    const struct timespec moment = {0, 10000000};
    pid_t ended = 0;
    for (int i = 0; i < END_MILLISECONDS / 10 && ended == 0; i++) {
        ended = waitpid(process, NULL, WNOHANG);
        if (ended == 0)
            (void)nanosleep(&moment, NULL);
    }
    if (ended == 0)
        (void)kill(process, SIGKILL);
    while (ended == 0 && waitpid(process, NULL, 0) < 0 && errno == EINTR)
        ;
}

void attune_side_stop(struct attune_side *side)
{
    if (side->to)
        (void)fclose(side->to);
    if (side->from)
        (void)fclose(side->from);
    if (side->process > 0)
        await_end(side->process);
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
