/* SPDX-License-Identifier: Apache-2.0
 *
 * The table that suite.def expands to.
 */
#include "bench/suite.h"

#include <fnmatch.h>
#include <stddef.h>
#include <string.h>

static const struct attune_suite_case cases[] = {
#define CASE(tier, family, name, spec) {ATTUNE_TIER_##tier, #family, name, spec},
#include "bench/suite.def"
#undef CASE
};

int attune_suite_count(void)
{
    return (int)(sizeof cases / sizeof *cases);
}

const struct attune_suite_case *attune_suite_at(int index)
{
    return index >= 0 && index < attune_suite_count() ? &cases[index] : NULL;
}

const struct attune_suite_case *attune_suite_find(const char *name)
{
    for (int i = 0; i < attune_suite_count(); i++)
        if (strcmp(cases[i].name, name) == 0)
            return &cases[i];
    return NULL;
}

int attune_suite_match(const char *pattern, const char *name)
{
    return fnmatch(pattern, name, 0) == 0;
}

const char *attune_tier_word(enum attune_tier tier)
{
    static const char *const words[ATTUNE_TIERS] = {"quick", "standard", "full"};
    return words[tier];
}
