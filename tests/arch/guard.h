/* SPDX-License-Identifier: Apache-2.0
 *
 * Memory with nothing mapped on either side. guard.c knows where the canaries are.
 */
#ifndef ATTUNE_TESTS_ARCH_GUARD_H
#define ATTUNE_TESTS_ARCH_GUARD_H

/* Takes every operand back. 0 when a canary beside one was overwritten. */
int guard_release_all(void);

#endif
