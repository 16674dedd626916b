/* SPDX-License-Identifier: Apache-2.0
 *
 * getopt_long and --help from one table. Knows no command's options.
 */
#include "bench/cli/options.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { OPTION_HELP = 'h', OPTION_VERSION = 1024 };

void attune_version_print(void)
{
    uint32_t version = attune_version();

    (void)printf("attune %" PRIu32 ".%" PRIu32 ".%" PRIu32 "\n", version >> 16,
                 (version >> 8) & 255u, version & 255u);
}

static void print_option(int id, const char *name, const char *argument, const char *help)
{
    char left[64];

    (void)snprintf(left, sizeof left, "%c%c%s--%s%s%s", id < 256 ? '-' : ' ', id < 256 ? id : ' ',
                   id < 256 ? ", " : "  ", name, argument != NULL ? " " : "",
                   argument != NULL ? argument : "");
    (void)printf("  %-24s ", left);
    for (const char *c = help; *c != '\0'; c++) {
        (void)putchar(*c);
        if (*c == '\n')
            (void)printf("%27s", "");
    }
    (void)putchar('\n');
}

void attune_usage_print(const struct attune_usage *usage)
{
    (void)printf("usage: attune%s%s %s\n\n%s", usage->command != NULL ? " " : "",
                 usage->command != NULL ? usage->command : "", usage->synopsis, usage->about);
    if (usage->more != NULL)
        usage->more();
    (void)printf("\noptions:\n");
    for (int i = 0; i < usage->count; i++) {
        const struct attune_option *option = &usage->options[i];
        print_option(option->id, option->name, option->argument, option->help);
    }
    print_option(OPTION_HELP, "help", NULL, "print this and exit");
    print_option(OPTION_VERSION, "version", NULL, "print the version and exit");
    if (usage->notes != NULL)
        (void)printf("\n%s", usage->notes);
}

int attune_options_wrong(const struct attune_usage *usage, const char *format, ...)
{
    struct attune_trouble trouble;
    char text[sizeof trouble.text / 2];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    (void)attune_trouble_set(&trouble, ATTUNE_EXIT_USE, "%s; see 'attune%s%s --help'", text,
                             usage->command != NULL ? " " : "",
                             usage->command != NULL ? usage->command : "");
    return attune_trouble_report(&trouble, usage->command, NULL);
}

/* getopt's two forms of the table. A leading '+' stops attune itself at the command's name; a
 * leading ':' tells a missing value from an unknown option. */
static void build_tables(const struct attune_usage *usage, char *letters, struct option *table)
{
    int n = 0;

    if (usage->command == NULL)
        *letters++ = '+';
    *letters++ = ':';
    *letters++ = OPTION_HELP;
    for (int i = 0; i < usage->count && i < ATTUNE_OPTIONS_MAX; i++) {
        const struct attune_option *option = &usage->options[i];
        int has_argument = option->argument != NULL ? required_argument : no_argument;
        table[n++] = (struct option){option->name, has_argument, NULL, option->id};
        if (option->id < 256) {
            *letters++ = (char)option->id;
            if (has_argument == required_argument)
                *letters++ = ':';
        }
    }
    *letters = '\0';
    table[n++] = (struct option){"help", no_argument, NULL, OPTION_HELP};
    table[n++] = (struct option){"version", no_argument, NULL, OPTION_VERSION};
    table[n] = (struct option){NULL, 0, NULL, 0};
}

int attune_options_next(const struct attune_usage *usage, int argc, char **argv, int *code)
{
    char letters[2 * ATTUNE_OPTIONS_MAX + 4];
    struct option table[ATTUNE_OPTIONS_MAX + 3];
    int id;

    build_tables(usage, letters, table);
    opterr = 0;
    optopt = 0;
    id = getopt_long(argc, argv, letters, table, NULL);
    *code = ATTUNE_EXIT_FINE;
    switch (id) {
    case OPTION_HELP:
        attune_usage_print(usage);
        return ATTUNE_OPTIONS_EXIT;
    case OPTION_VERSION:
        attune_version_print();
        return ATTUNE_OPTIONS_EXIT;
    case ':':
        *code = attune_options_wrong(usage, "%s: a value must follow", argv[optind - 1]);
        return ATTUNE_OPTIONS_EXIT;
    case '?':
        /* optopt holds the letter, or 0 or the id of a long option that was given wrongly. */
        if (optopt > 0 && optopt < 256 && strncmp(argv[optind - 1], "--", 2) != 0)
            *code = attune_options_wrong(usage, "unknown option -%c", optopt);
        else
            *code = attune_options_wrong(usage, "%.100s: no such option, or not with a value",
                                         argv[optind - 1]);
        return ATTUNE_OPTIONS_EXIT;
    default:
        return id;
    }
}

int attune_integer_parse(const char *text, int64_t minimum, int64_t maximum, int64_t *value)
{
    const char *digits = text[0] == '-' ? text + 1 : text;
    char *end;
    intmax_t number;

    /* strtoimax alone would take blanks, a plus sign and an empty text. */
    if (digits[0] < '0' || digits[0] > '9')
        return 0;
    errno = 0;
    number = strtoimax(text, &end, 10);
    if (*end != '\0' || errno == ERANGE || number < minimum || number > maximum)
        return 0;
    *value = number;
    return 1;
}

int attune_options_integer(const struct attune_usage *usage, const char *name, const char *text,
                           int64_t minimum, int64_t maximum, int64_t *value)
{
    if (attune_integer_parse(text, minimum, maximum, value))
        return 0;
    return attune_options_wrong(usage,
                                "--%s: %.64s is not a whole number from %" PRId64 " to %" PRId64,
                                name, text, minimum, maximum);
}
