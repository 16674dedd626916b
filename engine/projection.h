/* SPDX-License-Identifier: Apache-2.0
 *
 * Dense products outside the core, by oneDNN: dst = src * weight^T + bias. projection.c alone includes
 * dnnl.h. Rows are computed in blocks of one fixed size (the last padded), each serial, so that a row's
 * bits depend neither on threads nor on how many rows there are.
 */
#ifndef ATTUNE_ENGINE_PROJECTION_H
#define ATTUNE_ENGINE_PROJECTION_H

#include <stdint.h>

#include "attune/attune.h"

struct attune_projection;

struct attune_projection_shape {
    int64_t inputs, outputs; /* columns of src and of dst */
    int64_t weight_stride;   /* of weight [outputs, inputs], or [inputs, outputs] when transposed */
    int32_t transposed;      /* weight is stored [inputs, outputs] */
    int32_t bias;            /* a bias [outputs] is added */
};

/* At plan time. `max_isa` caps oneDNN's instruction set like ours (a word of ATTUNE_MAX_ISA). */
enum attune_status attune_projection_create(const struct attune_projection_shape *shape,
                                            const char *max_isa,
                                            const struct attune_allocator *allocator,
                                            struct attune_projection **projection);
void attune_projection_release(struct attune_projection *projection);
/* Rows of one block, and the scratch bytes that one worker needs for it (any alignment). */
int64_t attune_projection_block_rows(const struct attune_projection *projection);
size_t attune_projection_scratch_size(const struct attune_projection *projection);
/* One block of at most block_rows rows. weight and bias packed as in the shape. Thread-safe with
 * separate scratch. Fails only with ATTUNE_ERROR_NO_MEMORY, inside oneDNN. */
enum attune_status attune_projection_run(const struct attune_projection *projection,
                                         const float *src, int64_t src_stride, const float *weight,
                                         const float *bias, float *dst, int64_t dst_stride,
                                         int64_t rows, void *scratch);

#endif
