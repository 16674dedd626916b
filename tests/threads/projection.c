/* SPDX-License-Identifier: Apache-2.0
 *
 * In the place of engine/projection.c for ThreadSanitizer's build: oneDNN brings an OpenMP runtime
 * that the sanitizer does not understand. The same interface over plain loops.
 */
#include "engine/projection.h"

#include <stdlib.h>

#include "engine/status.h"

enum { BLOCK_ROWS = 4 };

struct attune_projection {
    struct attune_projection_shape shape;
};

enum attune_status attune_projection_create(const struct attune_projection_shape *shape,
                                            const char *max_isa,
                                            const struct attune_allocator *allocator,
                                            struct attune_projection **projection)
{
    (void)max_isa;
    (void)allocator;
    *projection = malloc(sizeof **projection);
    if (*projection == NULL)
        return attune_fail(ATTUNE_ERROR_NO_MEMORY, "projection: no memory");
    (*projection)->shape = *shape;
    return ATTUNE_OK;
}

void attune_projection_release(struct attune_projection *projection)
{
    free(projection);
}

int64_t attune_projection_block_rows(const struct attune_projection *projection)
{
    (void)projection;
    return BLOCK_ROWS;
}

size_t attune_projection_scratch_size(const struct attune_projection *projection)
{
    (void)projection;
    return sizeof(float);
}

enum attune_status attune_projection_run(const struct attune_projection *projection,
                                         const float *src, int64_t src_stride, const float *weight,
                                         const float *bias, float *dst, int64_t dst_stride,
                                         int64_t rows, void *scratch)
{
    const struct attune_projection_shape *shape = &projection->shape;
    *(volatile char *)scratch = 0; /* two workers with one scratch are a race to be seen */
    for (int64_t row = 0; row < rows; row++)
        for (int64_t o = 0; o < shape->outputs; o++) {
            float sum = shape->bias ? bias[o] : 0;
            for (int64_t i = 0; i < shape->inputs; i++)
                sum += src[row * src_stride + i] *
                       weight[shape->transposed ? i * shape->weight_stride + o
                                                : o * shape->weight_stride + i];
            dst[row * dst_stride + o] = sum;
        }
    return ATTUNE_OK;
}
