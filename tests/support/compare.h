/* SPDX-License-Identifier: Apache-2.0
 *
 * Results against the oracle, and against each other bit for bit. Both answer NULL, or a text that
 * says what is wrong, valid until the next call.
 */
#ifndef ATTUNE_TESTS_COMPARE_H
#define ATTUNE_TESTS_COMPARE_H

#include "tests/support/box.h"

/* Every output inside its bound; the bound itself no larger than `loosest` (relative to 1 +
 * |value|); nothing written outside the outputs. Also that engine/reference.c agrees with the
 * oracle. */
const char *compare_with_oracle(const struct box *box, const struct box_result *result,
                                double loosest);
/* The largest error that compare_with_oracle() has seen in this process, as a share of its bound. */
double compare_worst(void);
/* The reference of the engine alone. */
const char *compare_reference(const struct box *box);
/* The same bits in every output that both have. */
const char *compare_bits(const struct box_result *one, const struct box_result *other);

#endif
