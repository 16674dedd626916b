/* SPDX-License-Identifier: Apache-2.0
 *
 * Texts that come from files and from names of files: what may be shown of them. Knows no terminal and
 * no document.
 */
#ifndef ATTUNE_BENCH_TEXT_H
#define ATTUNE_BENCH_TEXT_H

#include <stdio.h>

#include <jansson.h>

/* One character of UTF-8: how many bytes it takes, what to print for it (itself, or "?" for controls
 * and for bytes that are no UTF-8, so that no label moves the cursor or breaks a document), and how
 * many columns of a terminal that fills. */
struct attune_character {
    int bytes, shown_bytes, width;
    const char *shown;
};
struct attune_character attune_character_at(const char *text);
/* Columns of a text, of at most `most`. */
int attune_text_width(const char *text, int most);
/* The text, with \xNN for each byte of what attune_character_at() does not show. */
void attune_text_print(const char *text, FILE *file);
/* A string, NULL where memory is short; null for NULL. JSON must be UTF-8, names of files need not be: one
 * that is not has "?" for what is not shown. */
json_t *attune_text_json(const char *text);

#endif
