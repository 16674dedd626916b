/* SPDX-License-Identifier: Apache-2.0
 *
 * Strict reading of JSON from files that may be hostile: no duplicate keys, no NUL, no lenient
 * numbers, and messages that name the key at fault. Knows nothing of the keys themselves.
 */
#ifndef ATTUNE_BENCH_CLI_JSON_H
#define ATTUNE_BENCH_CLI_JSON_H

#include <stdio.h>

#include <jansson.h>

#include "bench/cli/command.h"

/* From now on a process that has no memory for JSON says so and ends, exit code 4. */
void attune_json_guard(void);
/* The object that `text` holds; NULL after filling *trouble, whose text begins with `what`. */
json_t *attune_json_parse(const char *text, size_t length, const char *what,
                          struct attune_trouble *trouble);
/* An integer (2, never 2.0) that fits in int64_t: returns 1. */
int attune_json_integer(const json_t *value, int64_t *number);
/* A number of either kind; JSON has no other than finite ones. Returns 1. */
int attune_json_number(const json_t *value, double *number);
/* An object, NULL where memory was short, on a line of its own; consumes it. 0: memory is short. A `file`
 * that cannot be written is noticed by who closes it. */
int attune_json_print(json_t *object, int digits, FILE *file);
/* The text of a short value ("true", "1.5", "[...]") for a message. Never fails. */
const char *attune_json_show(const json_t *value, char *text, size_t size);

#endif
