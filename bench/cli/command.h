/* SPDX-License-Identifier: Apache-2.0
 *
 * What every sub-command shares: exit codes, the type of its function, and how a failure travels
 * from where it is found to the one line on stderr. Knows nothing of any command's work.
 */
#ifndef ATTUNE_BENCH_CLI_COMMAND_H
#define ATTUNE_BENCH_CLI_COMMAND_H

#include <stdio.h>

#include "attune/attune.h"

enum attune_exit {
    ATTUNE_EXIT_FINE = 0,
    ATTUNE_EXIT_CHECK = 1,   /* a check that was asked for failed */
    ATTUNE_EXIT_USE = 2,     /* wrong use, or input that is not what it should be */
    ATTUNE_EXIT_MACHINE = 3, /* this machine cannot do it */
    ATTUNE_EXIT_SYSTEM = 4,  /* the system refused: cannot write, no memory */
    ATTUNE_EXIT_INTERRUPTED = 130
};

/* A sub-command: argv[0] is its own name; returns an enum attune_exit. */
typedef int attune_command_fn(int argc, char **argv);
#define COMMAND(name, help) attune_command_fn attune_command_##name;
#include "bench/cli/commands.def"
#undef COMMAND

/* A failure: the exit code it leads to and what to say, without the command and the file. */
struct attune_trouble {
    int code;
    char text[512];
};

/* Fills *trouble and returns `code`, so that a check ends in `return attune_trouble_set(...)`. */
int attune_trouble_set(struct attune_trouble *trouble, enum attune_exit code, const char *format,
                       ...) __attribute__((format(printf, 3, 4)));
/* The same from a library status, with attune_error_detail(). */
int attune_trouble_status(struct attune_trouble *trouble, enum attune_status status);
/* "out of memory: `what`", as a system failure. */
int attune_trouble_memory(struct attune_trouble *trouble, const char *what);

/* Prints exactly one line on stderr, "attune COMMAND: SUBJECT: TEXT", and returns the exit code.
 * `command` and `subject` (a file's path, a spec) may be NULL. Whatever the text quotes from an
 * input file is escaped: a hostile name cannot make a second line or move the cursor. */
int attune_trouble_report(const struct attune_trouble *trouble, const char *command,
                          const char *subject);

/* Whether to colour what goes to `stream`: a terminal that is not dumb, and no NO_COLOR. */
int attune_color_wanted(FILE *stream);
/* Columns of the terminal behind `stream`; 0: none, or it does not tell. */
int attune_terminal_width(FILE *stream);

#endif
