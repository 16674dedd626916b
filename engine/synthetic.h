/* SPDX-License-Identifier: Apache-2.0
 *
 * Memory and numbers for a problem that has none: reproducible random inputs of the size that
 * trained models have. Knows the tensors' names, not what mechanisms do with them.
 */
#ifndef ATTUNE_ENGINE_SYNTHETIC_H
#define ATTUNE_ENGINE_SYNTHETIC_H

#include "attune/attune.h"

/* Allocates and fills every input that the problem describes, which must be packed. Free with
 * attune_synthetic_free() in any case. */
enum attune_status attune_synthetic_fill(const struct attune_problem *problem,
                                         struct attune_args *args);
/* Bytes of these inputs; and others with the same numbers. */
size_t attune_synthetic_bytes(const struct attune_problem *problem);
enum attune_status attune_synthetic_copy(const struct attune_problem *problem,
                                         const struct attune_args *from, struct attune_args *args);
void attune_synthetic_free(struct attune_args *args);

#endif
