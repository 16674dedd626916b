/* SPDX-License-Identifier: Apache-2.0
 *
 * What the fuzz targets share: a failure that libFuzzer keeps the input of, and what every failure
 * of the command's readers must look like.
 */
#ifndef ATTUNE_TESTS_FUZZ_H
#define ATTUNE_TESTS_FUZZ_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/cli/command.h"

#define MUST(condition, ...)                                                                       \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s: ", __FILE__, __LINE__, #condition);                        \
            fprintf(stderr, __VA_ARGS__);                                                          \
            fputc('\n', stderr);                                                                   \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* A reader that refuses its input says wrong input (2), or no memory (4), and why. */
static inline void fuzz_check_trouble(int code, const struct attune_trouble *trouble)
{
    MUST(code == trouble->code, "returned %d, said %d", code, trouble->code);
    MUST(code == ATTUNE_EXIT_USE || (code == ATTUNE_EXIT_SYSTEM && strstr(trouble->text, "memory")),
         "code %d: %s", code, trouble->text);
    MUST(strchr(trouble->text, ':') != NULL || strncmp(trouble->text, "truncated", 9) == 0,
         "names nothing: %s", trouble->text);
}

/* Small blocks come and go by the hundred. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "malloc_context_size=1:quarantine_size_mb=4";
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

#endif
