/* SPDX-License-Identifier: Apache-2.0
 *
 * The attune command: finds the sub-command in the table and hands over. Owns what all of them need
 * at the start and the end of the process: interruption, and that standard output really took it
 * all.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "bench/cli/json.h"
#include "bench/cli/options.h"
#include "bench/cli/output.h"

static const struct {
    const char *name;
    const char *help;
    attune_command_fn *run;
} commands[] = {
#define COMMAND(name, help) {#name, help, attune_command_##name},
#include "bench/cli/commands.def"
#undef COMMAND
    {NULL, NULL, NULL},
};

static void print_commands(void)
{
    (void)printf("\ncommands:\n");
    for (int i = 0; commands[i].name != NULL; i++)
        (void)printf("  %-10s %s\n", commands[i].name, commands[i].help);
}

static const struct attune_usage usage = {
    .command = NULL,
    .synopsis = "COMMAND [ARGUMENTS]",
    .about = "Computes attention on CPUs with the fastest kernels that this machine can run.\n",
    .more = print_commands,
    .notes = "exit codes: 0 fine, 1 a check failed, 2 wrong use or input, 3 machine unfit,\n"
             "4 the system refused (cannot write, no memory), 130 interrupted.\n"
             "'attune COMMAND --help' tells more of each.\n",
};

/* Only calls that are safe in a handler: the half-written file goes, the code says why. */
static void interrupted(int signal_number)
{
    attune_output_abandon();
    if (signal_number == SIGINT)
        _exit(ATTUNE_EXIT_INTERRUPTED);
    (void)signal(signal_number, SIG_DFL);
    (void)raise(signal_number);
}

static void catch_interruptions(void)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};

    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        struct sigaction action = {.sa_handler = interrupted};
        struct sigaction before;
        /* What the caller ignores stays ignored (nohup, background jobs). */
        if (sigaction(numbers[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
            (void)sigaction(numbers[i], &action, NULL);
    }
}

/* With a standard stream closed the next file opened would take its number, and what is printed
 * would end up in a result. In its place stands one that cannot be used, so that printing fails. */
static void keep_standard_streams(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) == -1)
            (void)open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
    }
}

/* A full disk behind standard output shows only when the buffer is written. */
static int finish_output(int code)
{
    struct attune_trouble trouble;

    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    (void)attune_trouble_set(&trouble, ATTUNE_EXIT_SYSTEM, "cannot write standard output: %s",
                             strerror(errno != 0 ? errno : EIO));
    return attune_trouble_report(&trouble, NULL, NULL);
}

static int dispatch(int argc, char **argv)
{
    const char *name = argv[optind];
    int first = optind;

    for (int i = 0; commands[i].name != NULL; i++) {
        if (strcmp(name, commands[i].name) == 0) {
            optind = 0; /* glibc: start anew, with this command's own table */
            return commands[i].run(argc - first, argv + first);
        }
    }
    return attune_options_wrong(&usage, "%.64s: no such command", name);
}

int main(int argc, char **argv)
{
    int code = ATTUNE_EXIT_FINE;

    keep_standard_streams();
    catch_interruptions();
    attune_json_guard();
    (void)signal(SIGXFSZ, SIG_IGN); /* a file over the limit is a write that failed, and is told so */
    if (attune_options_next(&usage, argc, argv, &code) != ATTUNE_OPTIONS_END)
        return finish_output(code);
    if (optind >= argc)
        return attune_options_wrong(&usage, "a command must be given");
    return finish_output(dispatch(argc, argv));
}
