/* SPDX-License-Identifier: Apache-2.0
 *
 * Spawning the command and building its files. Any failure here is the test's own: it aborts.
 */
#include "support.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { SECONDS_MAX = 300, ARGUMENTS_MAX = 32 };

#define MUST(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            perror(#condition);                                                                    \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

static const char *redirected;

void cli_folder_make(struct cli_folder *folder)
{
    const char *base = getenv("TMPDIR");

    (void)snprintf(folder->path, sizeof folder->path, "%s/attune-cli-XXXXXX",
                   base != NULL && base[0] != '\0' ? base : "/tmp");
    MUST(mkdtemp(folder->path) != NULL);
}

const char *cli_folder_path(const struct cli_folder *folder, const char *name)
{
    static char buffers[8][CLI_PATH];
    static unsigned next;
    char *buffer = buffers[next++ % 8];

    (void)snprintf(buffer, CLI_PATH, "%s/%s", folder->path, name);
    return buffer;
}

static int visit(const struct cli_folder *folder, int remove)
{
    DIR *dir = opendir(folder->path);
    struct dirent *entry;
    int count = 0;

    MUST(dir != NULL);
    while ((entry = readdir(dir)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        count++;
        if (remove && unlink(cli_folder_path(folder, entry->d_name)) != 0)
            MUST(rmdir(cli_folder_path(folder, entry->d_name)) == 0);
    }
    (void)closedir(dir);
    return count;
}

int cli_folder_count(const struct cli_folder *folder)
{
    return visit(folder, 0);
}

void cli_folder_remove(struct cli_folder *folder)
{
    (void)visit(folder, 1);
    MUST(rmdir(folder->path) == 0);
}

void cli_redirect_output(const char *path)
{
    redirected = path;
}

static void become_command(char *const *argv, const int *out, const int *err)
{
    int fd = redirected != NULL ? open(redirected, O_WRONLY | O_CREAT | O_TRUNC, 0666) : out[1];

    if (fd < 0 || dup2(fd, STDOUT_FILENO) < 0 || dup2(err[1], STDERR_FILENO) < 0)
        _exit(126);
    (void)execv(ATTUNE_COMMAND, argv);
    _exit(127);
}

/* Takes what is there to read; 0 at the end of the stream. What does not fit is dropped. */
static int drain(int fd, char *text, size_t *used)
{
    char chunk[4096];
    ssize_t got = read(fd, chunk, sizeof chunk);

    if (got <= 0)
        return 0;
    for (ssize_t i = 0; i < got && *used < CLI_TEXT - 1; i++)
        text[(*used)++] = chunk[i];
    text[*used] = '\0';
    return 1;
}

static int collect(pid_t child, int out, int err, struct cli_outcome *outcome)
{
    struct pollfd streams[2] = {{out, POLLIN, 0}, {err, POLLIN, 0}};
    size_t used[2] = {0, 0};
    time_t limit = time(NULL) + SECONDS_MAX;
    int killed = 0, status = 0;

    while (streams[0].fd >= 0 || streams[1].fd >= 0) {
        if (time(NULL) > limit && !killed)
            killed = kill(child, SIGKILL) == 0;
        (void)poll(streams, 2, 1000);
        for (int i = 0; i < 2; i++) {
            if (streams[i].fd >= 0 && streams[i].revents != 0 &&
                !drain(streams[i].fd, i == 0 ? outcome->out : outcome->err, &used[i]))
                streams[i].fd = -1;
        }
    }
    MUST(waitpid(child, &status, 0) == child);
    if (killed)
        return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void cli_run_argv(struct cli_outcome *outcome, char *const *argv)
{
    int out[2], err[2];
    pid_t child;

    memset(outcome, 0, sizeof *outcome);
    MUST(pipe2(out, O_CLOEXEC) == 0 && pipe2(err, O_CLOEXEC) == 0);
    (void)fflush(NULL);
    child = fork();
    MUST(child >= 0);
    if (child == 0)
        become_command(argv, out, err);
    (void)close(out[1]);
    (void)close(err[1]);
    outcome->code = collect(child, out[0], err[0], outcome);
    (void)close(out[0]);
    (void)close(err[0]);
}

void cli_run(struct cli_outcome *outcome, const char *first, ...)
{
    char *argv[ARGUMENTS_MAX] = {(char *)(uintptr_t) "attune", (char *)(uintptr_t)first};
    va_list arguments;

    va_start(arguments, first);
    for (int i = 2; i < ARGUMENTS_MAX - 1 && argv[i - 1] != NULL; i++)
        argv[i] = va_arg(arguments, char *);
    va_end(arguments);
    cli_run_argv(outcome, argv);
}

void cli_file_raw(struct cli_file *file, const char *header, size_t header_length, size_t data)
{
    size_t actual = strlen(header);

    MUST(8 + actual + data <= sizeof file->bytes);
    for (int i = 0; i < 8; i++)
        file->bytes[i] = (unsigned char)((uint64_t)header_length >> (8 * i));
    for (size_t i = 0; i < actual; i++)
        file->bytes[8 + i] = (unsigned char)(header[i] == '\'' ? '"' : header[i]);
    for (size_t i = 0; i < data; i++) {
        float number = (float)(i / 4 % 7) * 0.25f - 0.75f;
        file->bytes[8 + actual + i] = ((unsigned char *)&number)[i % 4];
    }
    file->size = 8 + actual + data;
}

void cli_file_problem(struct cli_file *file, const char *problem, const char *tensors, size_t data)
{
    static char header[CLI_FILE / 2];
    size_t used =
        (size_t)snprintf(header, sizeof header, "{\"__metadata__\":{\"attune.problem\":\"");

    for (const char *c = problem; *c != '\0'; c++) {
        MUST(used < sizeof header - 4);
        if (*c == '\'' || *c == '"' || *c == '\\')
            header[used++] = '\\';
        header[used++] = *c;
    }
    used += (size_t)snprintf(header + used, sizeof header - used, "\"}%s%s}",
                             tensors[0] != '\0' ? "," : "", tensors);
    MUST(used < sizeof header);
    cli_file_raw(file, header, used, data);
}

void cli_file_save(const struct cli_file *file, const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);

    MUST(fd >= 0);
    MUST(write(fd, file->bytes, file->size) == (ssize_t)file->size);
    MUST(close(fd) == 0);
}

int cli_is_one_line(const char *text)
{
    size_t length = strlen(text);

    if (length < 2 || text[length - 1] != '\n')
        return 0;
    for (size_t i = 0; i < length - 1; i++) {
        if (text[i] < 0x20 || text[i] > 0x7e)
            return 0;
    }
    return 1;
}

/* What is said of the file: its path must not count as naming anything. */
static const char *after_path(const char *line)
{
    const char *path = strstr(line, "/problem: ");

    return path != NULL ? path + 10 : "";
}

const char *cli_malformed(const struct cli_file *file, const char *word)
{
    static struct cli_outcome outcome;
    static char complaint[2 * CLI_TEXT];
    struct cli_folder folder;
    const char *wrong = NULL;

    cli_folder_make(&folder);
    cli_file_save(file, cli_folder_path(&folder, "problem"));
    cli_run(&outcome, "run", cli_folder_path(&folder, "problem"), "-o",
            cli_folder_path(&folder, "result"), NULL);
    if (outcome.code != 2)
        wrong = "exit code";
    else if (!cli_is_one_line(outcome.err))
        wrong = "not one line";
    else if (word != NULL && strstr(after_path(outcome.err), word) == NULL)
        wrong = "does not name it";
    else if (outcome.out[0] != '\0')
        wrong = "output";
    else if (cli_folder_count(&folder) != 1)
        wrong = "a file is left";
    cli_folder_remove(&folder);
    if (wrong == NULL)
        return NULL;
    (void)snprintf(complaint, sizeof complaint, "%s: exit %d, stderr: %s", wrong, outcome.code,
                   outcome.err);
    return complaint;
}
