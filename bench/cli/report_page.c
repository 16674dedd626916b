/* SPDX-License-Identifier: Apache-2.0
 *
 * Writing HTML. Every text that comes from a file passes attune_page_text().
 */
#include "bench/cli/report_page.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "bench/cli/picture_grid.h"

enum { MOST_CHARACTERS = 400, MOST_IN_CELL = 160, FORMATTED = 1024 };

static const char *entity(char character)
{
    switch (character) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return NULL;
    }
}

void attune_page_text(FILE *file, const char *text)
{
    for (int i = 0; text && *text; i++) {
        const struct attune_character character = attune_character_at(text);
        if (i == MOST_CHARACTERS) {
            fputs("\xe2\x80\xa6", file);
            return;
        }
        if (entity(*text))
            fputs(entity(*text), file);
        else
            fwrite(character.shown, 1, (size_t)character.shown_bytes, file);
        text += character.bytes;
    }
}

void attune_page_format(FILE *file, const char *format, ...)
{
    char text[FORMATTED];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    attune_page_text(file, text);
}

void attune_markdown_cell(FILE *file, const char *text)
{
    for (int i = 0; *text && i < MOST_IN_CELL; i++) {
        const struct attune_character character = attune_character_at(text);
        if (strchr("|\\`*_<>[]&~#", *text))
            putc('\\', file);
        fwrite(character.shown, 1, (size_t)character.shown_bytes, file);
        text += character.bytes;
    }
}

void attune_markdown_code(FILE *file, const char *text)
{
    putc('`', file);
    for (int i = 0; *text && i < MOST_IN_CELL; i++) {
        const struct attune_character character = attune_character_at(text);
        if (!strchr("|`", *text))
            fwrite(character.shown, 1, (size_t)character.shown_bytes, file);
        text += character.bytes;
    }
    putc('`', file);
}

void attune_plain_text(FILE *file, const char *text, int most)
{
    for (int i = 0; *text && i < most; i++) {
        const struct attune_character character = attune_character_at(text);
        fwrite(character.shown, 1, (size_t)character.shown_bytes, file);
        text += character.bytes;
    }
}

const char *attune_page_digits(double value, char text[ATTUNE_PAGE_NUMBER])
{
    if (value != 0 && (fabs(value) >= 1e6 || fabs(value) < 1e-3))
        snprintf(text, ATTUNE_PAGE_NUMBER, "%.2e", value);
    else
        snprintf(text, ATTUNE_PAGE_NUMBER, "%.*f",
                 value < 9.995   ? 2
                 : value < 99.95 ? 1
                                 : 0,
                 value);
    return text;
}

const char *attune_page_seconds(double seconds, char text[ATTUNE_PAGE_NUMBER])
{
    static const char *const units[] = {"ns", "\xc2\xb5s", "ms", "s"};
    char digits[ATTUNE_PAGE_NUMBER];
    int unit = 3;
    while (unit > 0 && seconds < 0.9995) {
        seconds *= 1e3;
        unit--;
    }
    snprintf(text, ATTUNE_PAGE_NUMBER, "%.20s %s", attune_page_digits(seconds, digits),
             units[unit]);
    return text;
}

const char *attune_page_rate(double rate, const char *unit, char text[ATTUNE_PAGE_NUMBER])
{
    static const char *const prefixes[] = {"", "k", "M", "G", "T", "P"};
    const char *name = !unit                       ? ""
                       : strcmp(unit, "flop") == 0 ? "FLOP"
                       : strcmp(unit, "byte") == 0 ? "B"
                                                   : unit;
    char digits[ATTUNE_PAGE_NUMBER];
    int prefix = 0;
    while (prefix < 5 && rate >= 999.5) {
        rate /= 1e3;
        prefix++;
    }
    snprintf(text, ATTUNE_PAGE_NUMBER, "%.20s %s%.12s/s", attune_page_digits(rate, digits),
             prefixes[prefix], name);
    return text;
}

const char *attune_page_bytes(double bytes, char text[ATTUNE_PAGE_NUMBER])
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    int unit = 0;
    while (unit < 4 && bytes >= 1024) {
        bytes /= 1024;
        unit++;
    }
    snprintf(text, ATTUNE_PAGE_NUMBER, "%.*f %s", bytes == floor(bytes) ? 0 : 1, bytes,
             units[unit]);
    return text;
}

void attune_page_open(FILE *file, const char *title)
{
    fputs("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
          "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
          "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
          "style-src 'unsafe-inline'; img-src data:; script-src '",
          file);
    fputs(attune_page_script_hash, file);
    fputs("'\">\n<link rel=\"icon\" href=\"data:,\">\n<title>", file);
    attune_page_text(file, title);
    fputs("</title>\n<style>\n", file);
    fputs(attune_page_style, file);
    fputs("</style>\n</head>\n<body>\n<main>\n", file);
}

void attune_page_close(FILE *file)
{
    fputs("</main>\n<script>", file);
    fputs(attune_page_script, file);
    fputs("</script>\n</body>\n</html>\n", file);
}

void attune_page_section(FILE *file, const char *id, const char *heading)
{
    fprintf(file, "<section id=\"%s\">\n<h2>", id);
    attune_page_text(file, heading);
    fputs("</h2>\n", file);
}

void attune_page_section_end(FILE *file)
{
    fputs("</section>\n", file);
}
