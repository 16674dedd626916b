/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading and writing the tuner's lines: words separated by single blanks, `name=value`, whole numbers.
 * No locale, no floating point, and no terminating NUL is asked for. Knows no line's meaning.
 */
#ifndef ATTUNE_TUNER_TEXT_H
#define ATTUNE_TUNER_TEXT_H

#include <stddef.h>
#include <stdint.h>

struct attune_span {
    const char *start;
    size_t length;
};

/* For "%.*s" of a span in a message, cut at what such a text has room for. */
#define ATTUNE_SPAN(span) (int)((span).length < 60 ? (span).length : 60), (span).start

/* Takes the next word off `rest`; 0 at its end. An empty word (two blanks in a row) is a word. */
int attune_span_word(struct attune_span *rest, struct attune_span *word);
/* Splits at the first `separator`; 0 where there is none, and *after is empty then. */
int attune_span_split(struct attune_span span, char separator, struct attune_span *before,
                      struct attune_span *after);
int attune_span_equals(struct attune_span span, const char *text);
/* A decimal number as the writer makes it: no sign but a minus, no leading zero, within the range. */
int attune_span_integer(struct attune_span span, int64_t minimum, int64_t maximum, int64_t *value);
/* Eight lower-case hexadecimal digits, and nothing else. */
int attune_span_hex(struct attune_span span, uint32_t *value);

/* Puts "?" for each byte of a text that could steer a terminal, whatever it takes characters to be. */
void attune_text_make_plain(char *text);

/* Appends like snprintf: *length counts what the whole text takes, whatever fits. */
void attune_text_append(char *text, size_t size, size_t *length, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
