/* SPDX-License-Identifier: Apache-2.0
 *
 * A malloc that fails on demand. fault.c is a shared library that stands before libc: linked to a
 * test it is steered by these functions, preloaded into a command by the environment:
 *
 *     ATTUNE_FAULT_AT=N         the N-th counted allocation fails, from 1
 *     ATTUNE_FAULT_ONWARD=1     and all after it
 *     ATTUNE_FAULT_COUNT=FD     writes how many were counted to this descriptor at the end
 *
 * Counted is what Attune asks for, directly or through libc and jansson; beside a sanitizer, whose own
 * malloc stays, directly alone. oneDNN, hwloc and the OpenMP runtime end the process where they get
 * nothing (a C++ exception, exit(1)), and nobody outside can help it; their calls are let through.
 */
#ifndef ATTUNE_TESTS_FAULT_H
#define ATTUNE_TESTS_FAULT_H

/* From now on counts from 0; the `at`-th fails (from 1; 0: none), and where `onward` all after it. */
void fault_arm(long at, int onward);
/* Returns how many were counted. */
long fault_disarm(void);
/* Counted blocks that are alive. */
long fault_live(void);

#endif
