/* SPDX-License-Identifier: Apache-2.0
 *
 * Words and numbers of the tuner's lines, and the one way a refusal is filled in. Strict where the
 * writer is: a text has one spelling, so that a changed bit never means the same.
 */
#include "tuner/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tuner/fault.h"

int attune_fault_set(struct attune_fault *fault, int system, const char *format, ...)
{
    if (fault == NULL)
        return -1;
    va_list arguments;
    fault->system = system;
    va_start(arguments, format);
    if (vsnprintf(fault->text, sizeof fault->text, format, arguments) < 0)
        fault->text[0] = '\0';
    va_end(arguments);
    return -1;
}

int attune_span_word(struct attune_span *rest, struct attune_span *word)
{
    if (rest->length == 0)
        return 0;
    const char *blank = memchr(rest->start, ' ', rest->length);
    size_t length = blank != NULL ? (size_t)(blank - rest->start) : rest->length;
    size_t taken = blank != NULL ? length + 1 : length;
    *word = (struct attune_span){rest->start, length};
    *rest = (struct attune_span){rest->start + taken, rest->length - taken};
    return 1;
}

int attune_span_split(struct attune_span span, char separator, struct attune_span *before,
                      struct attune_span *after)
{
    const char *at = span.length > 0 ? memchr(span.start, separator, span.length) : NULL;
    if (at == NULL) {
        *before = span;
        *after = (struct attune_span){span.start + span.length, 0};
        return 0;
    }
    size_t length = (size_t)(at - span.start);
    *before = (struct attune_span){span.start, length};
    *after = (struct attune_span){at + 1, span.length - length - 1};
    return 1;
}

int attune_span_equals(struct attune_span span, const char *text)
{
    return strlen(text) == span.length && memcmp(span.start, text, span.length) == 0;
}

int attune_span_integer(struct attune_span span, int64_t minimum, int64_t maximum, int64_t *value)
{
    const int negative = span.length > 0 && span.start[0] == '-';
    const size_t first = negative ? 1 : 0;
    int64_t number = 0;
    if (span.length == first || (span.start[first] == '0' && span.length > 1))
        return 0;
    for (size_t i = first; i < span.length; i++) {
        const char c = span.start[i];
        if (c < '0' || c > '9' || __builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, c - '0', &number))
            return 0;
    }
    number = negative ? -number : number;
    if (number < minimum || number > maximum)
        return 0;
    *value = number;
    return 1;
}

int attune_span_hex(struct attune_span span, uint32_t *value)
{
    uint32_t number = 0;
    if (span.length != 8)
        return 0;
    for (size_t i = 0; i < span.length; i++) {
        const char c = span.start[i];
        if (c >= '0' && c <= '9')
            number = number << 4 | (uint32_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            number = number << 4 | (uint32_t)(c - 'a' + 10);
        else
            return 0;
    }
    *value = number;
    return 1;
}

void attune_text_make_plain(char *text)
{
    unsigned char *const bytes = (unsigned char *)text;
    int more = 0; /* bytes that the present UTF-8 character still takes */
    for (size_t i = 0; bytes[i] != '\0'; i++) {
        const unsigned char c = bytes[i];
        const int continues = c >= 0x80 && c < 0xc0;
        const int c1 = c >= 0x80 && c < 0xa0 && (more == 0 || bytes[i - 1] == 0xc2);
        if (c < 0x20 || c == 0x7f || c1)
            bytes[i] = '?';
        more = continues ? more - (more > 0) : c < 0xc0 ? 0 : c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
    }
}

void attune_text_append(char *text, size_t size, size_t *length, const char *format, ...)
{
    const size_t left = *length < size ? size - *length : 0;
    va_list arguments;
    va_start(arguments, format);
    const int written = vsnprintf(left > 0 ? text + *length : NULL, left, format, arguments);
    va_end(arguments);
    *length += written > 0 ? (size_t)written : 0;
}
