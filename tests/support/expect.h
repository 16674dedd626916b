/* SPDX-License-Identifier: Apache-2.0
 *
 * Counted expectations, for programs of one main that go on after one that failed: where Criterion's
 * processes would be in the way of counting allocations, or of a sanitizer. Any thread may expect.
 */
#ifndef ATTUNE_TESTS_EXPECT_H
#define ATTUNE_TESTS_EXPECT_H

#include <stdatomic.h>
#include <stdio.h>

static atomic_int passed, failed;

#define EXPECT(condition, ...)                                                                     \
    do {                                                                                           \
        if (condition) {                                                                           \
            passed++;                                                                              \
        } else {                                                                                   \
            failed++;                                                                              \
            printf("%s:%d: %s: ", __FILE__, __LINE__, #condition);                                 \
            printf(__VA_ARGS__);                                                                   \
            putchar('\n');                                                                         \
        }                                                                                          \
    } while (0)

#endif
