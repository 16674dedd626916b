/* SPDX-License-Identifier: Apache-2.0
 *
 * Whether a computed problem is right: its outputs against the float64 reference, all of them where
 * that is affordable, else some rows. A wrong kernel must not be benchmarked.
 */
#ifndef ATTUNE_ENGINE_VERIFY_H
#define ATTUNE_ENGINE_VERIFY_H

#include "engine/shape.h"

/* The outputs in `args` have just been computed. *ratio becomes the largest error over its bound:
 * at most 1 is right. About `seconds` of reference are spent. */
enum attune_status attune_verify(const struct attune_shape *shape, const struct attune_args *args,
                                 double seconds, double *ratio);

#endif
