/* SPDX-License-Identifier: Apache-2.0
 *
 * What a page is written with: text that cannot become markup, numbers as people read them, the
 * style sheet and the script. Knows nothing of results.
 */
#ifndef ATTUNE_BENCH_CLI_REPORT_PAGE_H
#define ATTUNE_BENCH_CLI_REPORT_PAGE_H

#include <stdio.h>

enum { ATTUNE_PAGE_NUMBER = 48 };

/* Text of any origin between tags or in a quoted attribute: markup is escaped, what is no UTF-8 and
 * what controls a terminal or the direction of text becomes "?", and 400 characters are enough. */
void attune_page_text(FILE *file, const char *text);
/* printf() whose result goes through attune_page_text(); at most 1023 bytes. */
void attune_page_format(FILE *file, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* In a table of Markdown: nothing of it ends the cell or begins markup. As code, what code cannot
 * hold is dropped. */
void attune_markdown_cell(FILE *file, const char *text);
void attune_markdown_code(FILE *file, const char *text);
/* In a terminal: at most so many characters, none of which moves the cursor. */
void attune_plain_text(FILE *file, const char *text, int most);

/* Each fills `text` and returns it. "1.31 ms" */
const char *attune_page_seconds(double seconds, char text[ATTUNE_PAGE_NUMBER]);
/* "191 GFLOP/s", "31.2 GB/s", "15.9 Gtanh/s"; `unit` as result files have it. */
const char *attune_page_rate(double rate, const char *unit, char text[ATTUNE_PAGE_NUMBER]);
/* "1 MiB" */
const char *attune_page_bytes(double bytes, char text[ATTUNE_PAGE_NUMBER]);
/* Three digits that count. */
const char *attune_page_digits(double value, char text[ATTUNE_PAGE_NUMBER]);

/* From the doctype to the open <main>, and from there to the end. */
void attune_page_open(FILE *file, const char *title);
void attune_page_close(FILE *file);
/* A section with its heading; `id` is ours, not a file's. */
void attune_page_section(FILE *file, const char *id, const char *heading);
void attune_page_section_end(FILE *file);

/* report_style.c: the style sheet, the script, and the script's hash as the page's policy names it:
 * a browser runs no other, should text ever escape. */
extern const char attune_page_style[], attune_page_script[], attune_page_script_hash[];

#endif
