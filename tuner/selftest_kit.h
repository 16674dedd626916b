/* SPDX-License-Identifier: Apache-2.0
 *
 * What the self-test's checks of one operation share: memory, numbers, and the record of errors.
 */
#ifndef ATTUNE_TUNER_SELFTEST_KIT_H
#define ATTUNE_TUNER_SELFTEST_KIT_H

#include "tuner/selftest.h"

#define ATTUNE_SELFTEST_FLOATS (1 << 18)
/* What outputs hold before the call, so that a store too many shows. */
#define ATTUNE_SELFTEST_UNTOUCHED (-77.0f)
#define ATTUNE_SELFTEST_U 0x1p-24

struct attune_check {
    const struct attune_kernel *kernel;
    struct attune_selftest *result;
    uint64_t random;
    float *memory;
    size_t used;
};
typedef void attune_check_fn(struct attune_check *check);

int64_t attune_check_round_up(int64_t value, int64_t step);
/* `count` floats, uniform in -spread .. spread; 0: untouched. */
float *attune_check_floats(struct attune_check *check, int64_t count, float spread);
/* `count` finite elements of the kernel's source type, aligned to 16 bytes, and what they mean. */
struct attune_check_source {
    const void *src;
    const double *value;
};
struct attune_check_source attune_check_source(struct attune_check *check, int64_t count);
/* Begins a case of the check: its memory is that of the case before. */
void attune_check_begin(struct attune_check *check);
/* got must be within `bound` of want; the same infinity; NaN never is. */
void attune_check_near(struct attune_check *check, float got, double want, double bound,
                       const char *what, int64_t i, int64_t j);
/* The element must not have been written. */
void attune_check_untouched(struct attune_check *check, float got, const char *what, int64_t i,
                            int64_t j);

/* selftest_score.c, selftest_rows.c, selftest_sum.c, selftest_tile.c */
attune_check_fn attune_check_score_dot, attune_check_score_rows, attune_check_fold,
    attune_check_expand_rows, attune_check_expand_panels, attune_check_score_tanh,
    attune_check_score_direct, attune_check_lstm;
attune_check_fn attune_check_pack_keys, attune_check_pack_values, attune_check_adjust,
    attune_check_softmax, attune_check_wsum, attune_check_wsum_rows, attune_check_merge,
    attune_check_finish, attune_check_weights, attune_check_probe_fma, attune_check_probe_tanh,
    attune_check_probe_exp, attune_check_probe_read;
attune_check_fn attune_check_tile;

#endif
