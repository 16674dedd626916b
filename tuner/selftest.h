/* SPDX-License-Identifier: Apache-2.0
 *
 * Each kernel against float64 on the machine at hand, in a fraction of a second: what was only emulated
 * when it was written may first meet silicon here. Straight from the contracts of arch/kernels.h; the
 * tests keep checks of their own, which go further.
 */
#ifndef ATTUNE_TUNER_SELFTEST_H
#define ATTUNE_TUNER_SELFTEST_H

#include "arch/registry.h"

struct attune_selftest {
    double ratio;     /* the largest error over its bound; at most 1 is right, infinite beyond measure */
    char detail[160]; /* what was wrong first; "" */
};

/* 0; -1 without memory. */
int attune_selftest_kernel(const struct attune_kernel *kernel, struct attune_selftest *result);
/* Whether there is a check for an operation. */
int attune_selftest_knows(enum attune_operation operation);

#endif
