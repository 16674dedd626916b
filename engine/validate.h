/* SPDX-License-Identifier: Apache-2.0
 *
 * The checks behind attune_shape_resolve(), in the order in which they run: fields, tensors,
 * outputs. Each fails with a detail that names the first field or tensor at fault.
 */
#ifndef ATTUNE_ENGINE_VALIDATE_H
#define ATTUNE_ENGINE_VALIDATE_H

#include "engine/shape.h"

/* Checks every field that is no tensor, and fills in the defaults in shape->problem, which the
 * caller has set to the user's problem. score_scale of self dot waits for D (validate_tensors). */
enum attune_status attune_validate_fields(struct attune_shape *shape);
/* Checks every input against the rules of its mechanism and form, and resolves the extents. */
enum attune_status attune_validate_tensors(struct attune_shape *shape);
/* Checks the outputs that are asked for and gives each its natural shape where it has none. */
enum attune_status attune_validate_outputs(struct attune_shape *shape);

/* dtype, rank, extents and strides that hold for any tensor whatever its meaning. Also that the
 * last element's offset in bytes fits in 63 bits. */
enum attune_status attune_validate_layout(const char *name, const struct attune_tensor *tensor,
                                          int unit_last);
/* Packed row-major strides; they stop at INT64_MAX instead of overflowing, for the checks to find.
 */
void attune_tensor_pack(struct attune_tensor *tensor);
/* The natural shape of an output of a resolved problem. */
void attune_shape_natural(const struct attune_shape *shape, enum attune_output output,
                          struct attune_tensor *tensor);
/* Elements from the first to behind the last that the tensor reaches; 0 where an extent is 0. Only
 * for tensors that passed attune_validate_layout(). */
int64_t attune_tensor_span(const struct attune_tensor *tensor);

#endif
