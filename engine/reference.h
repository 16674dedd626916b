/* SPDX-License-Identifier: Apache-2.0
 *
 * Straight-line float64 of every mechanism, with the error bound that a float32 result must keep:
 * for `--check`, the tuner and the bench. Slow, allocates T_k-sized rows; shares no arithmetic with
 * the kernels.
 */
#ifndef ATTUNE_ENGINE_REFERENCE_H
#define ATTUNE_ENGINE_REFERENCE_H

#include "engine/shape.h"

/* value and bound of each output asked for, packed in its natural shape; NULL where not asked. */
struct attune_reference {
    double *value[ATTUNE_OUTPUT_COUNT];
    double *bound[ATTUNE_OUTPUT_COUNT];
    int64_t count[ATTUNE_OUTPUT_COUNT];
};

enum attune_status attune_reference_run(const struct attune_shape *shape,
                                        const struct attune_args *args,
                                        struct attune_reference *result);
void attune_reference_free(struct attune_reference *result);
/* Compares a float32 result with float64 expectations under a bound. Returns the largest
 * |got - want| / bound (infinite where NaN or an infinity does not match); at most 1 is right. */
double attune_reference_compare(const float *got, const double *want, const double *bound,
                                int64_t count, double *largest_error, int64_t *worst_index);

#endif
