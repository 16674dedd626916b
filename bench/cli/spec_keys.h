/* SPDX-License-Identifier: Apache-2.0
 *
 * The keys of a SPEC once read: between spec.c, which reads them, and spec_shape.c, which makes
 * tensors of them. No others need it.
 */
#ifndef ATTUNE_BENCH_CLI_SPEC_KEYS_H
#define ATTUNE_BENCH_CLI_SPEC_KEYS_H

#include "bench/cli/command.h"

enum {
    SPEC_B,
    SPEC_H,
    SPEC_G,
    SPEC_T,
    SPEC_TQ,
    SPEC_TK,
    SPEC_D,
    SPEC_E,
    SPEC_A,
    SPEC_C,
    SPEC_N,
    SPEC_F,
    SPEC_S,
    SPEC_WIDTH,
    SPEC_CAUSAL,
    SPEC_PAST,
    SPEC_WINDOW_LEFT,
    SPEC_WINDOW_RIGHT,
    SPEC_SOFTCAP,
    SPEC_RECURRENCE,
    SPEC_DTYPE,
    SPEC_KV,
    SPEC_PREPARED,
    SPEC_KEY_COUNT
};

struct attune_spec_keys {
    enum attune_mechanism mechanism;
    enum attune_form form;
    uint32_t given;                /* bits by key */
    int64_t value[SPEC_KEY_COUNT]; /* numbers, and the library's numbers of words */
    double softcap;
};

/* Fills in defaults and describes the tensors. Returns as attune_spec_parse() does. */
int attune_spec_shape(const struct attune_spec_keys *spec, struct attune_problem *problem,
                      struct attune_trouble *trouble);

#endif
