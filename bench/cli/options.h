/* SPDX-License-Identifier: Apache-2.0
 *
 * Options of a command from one table: getopt_long's, and the text of --help, so that the two
 * cannot differ. -h/--help and --version belong to every command and are not listed.
 */
#ifndef ATTUNE_BENCH_CLI_OPTIONS_H
#define ATTUNE_BENCH_CLI_OPTIONS_H

#include "bench/cli/command.h"

struct attune_option {
    int id;               /* the short letter, or a number from 256 on where there is none */
    const char *name;     /* the long form, without dashes */
    const char *argument; /* what to call its value in --help; NULL: takes none */
    const char *help;
};

struct attune_usage {
    const char *command;  /* "run"; NULL for attune itself */
    const char *synopsis; /* "FILE [-o RESULT] ..." */
    const char *about;    /* a paragraph, ending in a newline */
    void (*more)(void);   /* prints what follows it; may be NULL */
    const struct attune_option *options;
    int count;
    const char *notes; /* after the options, ending in a newline; may be NULL */
};

enum { ATTUNE_OPTIONS_END = -1, ATTUNE_OPTIONS_EXIT = -2 };
enum { ATTUNE_OPTIONS_MAX = 32, ATTUNE_OPTIONS_THREADS = 1024 /* the library has no more */ };

/* The id of the next option; its value is getopt's optarg, the first operand argv[optind] at
 * ATTUNE_OPTIONS_END. ATTUNE_OPTIONS_EXIT: leave with *code, all is said (help, version, an option
 * that is none). */
int attune_options_next(const struct attune_usage *usage, int argc, char **argv, int *code);
/* Says "TEXT; see 'attune COMMAND --help'" on stderr and returns ATTUNE_EXIT_USE. */
int attune_options_wrong(const struct attune_usage *usage, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* A decimal integer in minimum .. maximum and nothing else. Returns 0, or ATTUNE_EXIT_USE after
 * saying what is wrong with `--name`. */
int attune_options_integer(const struct attune_usage *usage, const char *name, const char *text,
                           int64_t minimum, int64_t maximum, int64_t *value);
/* Plain parsing of the same; 1 when `text` is such a number. */
int attune_integer_parse(const char *text, int64_t minimum, int64_t maximum, int64_t *value);

void attune_usage_print(const struct attune_usage *usage);
void attune_version_print(void);

#endif
