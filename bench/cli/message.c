/* SPDX-License-Identifier: Apache-2.0
 *
 * The one line that a failure prints, and what a stream takes: colours, a width. Text from input
 * files is untrusted: everything outside printable ASCII leaves here escaped, and in names of files all
 * that is no character to show.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "bench/cli/command.h"
#include "bench/text.h"

int attune_trouble_set(struct attune_trouble *trouble, enum attune_exit code, const char *format,
                       ...)
{
    va_list arguments;

    trouble->code = (int)code;
    va_start(arguments, format);
    (void)vsnprintf(trouble->text, sizeof trouble->text, format, arguments);
    va_end(arguments);
    return trouble->code;
}

int attune_trouble_status(struct attune_trouble *trouble, enum attune_status status)
{
    const char *detail = attune_error_detail();
    enum attune_exit code = ATTUNE_EXIT_SYSTEM;

    if (status == ATTUNE_ERROR_INVALID || status == ATTUNE_ERROR_UNSUPPORTED ||
        status == ATTUNE_ERROR_OVERFLOW)
        code = ATTUNE_EXIT_USE;
    return attune_trouble_set(trouble, code, "%s",
                              detail[0] != '\0' ? detail : attune_status_string(status));
}

int attune_trouble_memory(struct attune_trouble *trouble, const char *what)
{
    return attune_trouble_set(trouble, ATTUNE_EXIT_SYSTEM, "out of memory: %s", what);
}

static void print_escaped(const char *text)
{
    for (const unsigned char *c = (const unsigned char *)text; *c != '\0'; c++) {
        if (*c >= 0x20 && *c < 0x7f)
            (void)putc_unlocked(*c, stderr);
        else
            (void)fprintf(stderr, "\\x%02x", *c);
    }
}

int attune_trouble_report(const struct attune_trouble *trouble, const char *command,
                          const char *subject)
{
    static char line[8192];
    int color = attune_color_wanted(stderr);

    /* Collected and sent at once: two processes writing to one log keep their lines whole. */
    (void)fflush(stdout);
    (void)setvbuf(stderr, line, _IOFBF, sizeof line);
    (void)fprintf(stderr, "%sattune%s%s:%s ", color ? "\033[31m" : "", command != NULL ? " " : "",
                  command != NULL ? command : "", color ? "\033[0m" : "");
    if (subject != NULL) {
        attune_text_print(subject, stderr); /* a path is shown as it was typed */
        (void)fputs(": ", stderr);
    }
    print_escaped(trouble->text);
    (void)putc_unlocked('\n', stderr);
    (void)fflush(stderr);
    return trouble->code;
}

int attune_color_wanted(FILE *stream)
{
    const char *no_color = getenv("NO_COLOR");
    const char *terminal = getenv("TERM");

    if (no_color != NULL && no_color[0] != '\0')
        return 0;
    if (terminal == NULL || strcmp(terminal, "dumb") == 0)
        return 0;
    return isatty(fileno(stream));
}

int attune_terminal_width(FILE *stream)
{
    struct winsize size;

    return ioctl(fileno(stream), TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}
