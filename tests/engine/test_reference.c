/* SPDX-License-Identifier: Apache-2.0
 *
 * engine/reference.c against the oracle of the tests, without any kernel.
 */
#include <criterion/criterion.h>

#include "tests/support/compare.h"
#include "tests/support/generate.h"

Test(reference, agrees_with_the_oracle, .timeout = 300)
{
    for (int kind = 0; kind < generate_kind_count; kind++)
        for (uint64_t seed = 1; seed <= 40; seed++) {
            struct box box;
            generate(&box, &generate_kinds[kind], &generate_anything, seed);
            if (seed % 2)
                generate_poison(&box);
            const char *wrong = compare_reference(&box);
            cr_expect(!wrong, "%s seed %d: %s", generate_kinds[kind].name, (int)seed, wrong);
            box_destroy(&box);
        }
}
