/* SPDX-License-Identifier: Apache-2.0
 *
 * Counted expectations, for programs that must go on after one that failed. Criterion's processes would
 * be in the way of counting allocations.
 */
#ifndef ATTUNE_TESTS_EXPECT_H
#define ATTUNE_TESTS_EXPECT_H

#include <stdio.h>

static int passed, failed;

#define EXPECT(condition, ...)                                                                     \
    do {                                                                                           \
        if (condition) {                                                                           \
            passed++;                                                                              \
        } else {                                                                                   \
            failed++;                                                                              \
            printf("%s: ", #condition);                                                            \
            printf(__VA_ARGS__);                                                                   \
            putchar('\n');                                                                         \
        }                                                                                          \
    } while (0)

#endif
