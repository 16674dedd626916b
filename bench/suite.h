/* SPDX-License-Identifier: Apache-2.0
 *
 * The named cases of `attune bench`, as suite.def lists them.
 */
#ifndef ATTUNE_BENCH_SUITE_H
#define ATTUNE_BENCH_SUITE_H

enum attune_tier { ATTUNE_TIER_QUICK, ATTUNE_TIER_STANDARD, ATTUNE_TIER_FULL, ATTUNE_TIERS };

struct attune_suite_case {
    enum attune_tier tier; /* the first that holds it */
    const char *family, *name, *spec;
};

int attune_suite_count(void);
/* In the order of the list; NULL behind the end. */
const struct attune_suite_case *attune_suite_at(int index);
/* The case of this name, NULL where there is none. */
const struct attune_suite_case *attune_suite_find(const char *name);
/* Whether a name fits a pattern of the shell, whose * takes slashes too. */
int attune_suite_match(const char *pattern, const char *name);
/* "quick", "standard", "full". */
const char *attune_tier_word(enum attune_tier tier);

#endif
