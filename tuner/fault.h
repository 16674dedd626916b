/* SPDX-License-Identifier: Apache-2.0
 *
 * How a refusal travels inside tuner/: one line that names the field, the value and what would be
 * right, and errno where the system refused. Knows neither statuses nor exit codes of those above.
 */
#ifndef ATTUNE_TUNER_FAULT_H
#define ATTUNE_TUNER_FAULT_H

struct attune_fault {
    int system; /* errno; 0 where the input is at fault */
    char text[320];
};

/* Fills *fault (which may be NULL) and returns -1, so that a check ends in
 * `return attune_fault_set(fault, 0, "kv_block: 100 is not a multiple of 192");`. */
int attune_fault_set(struct attune_fault *fault, int system, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
