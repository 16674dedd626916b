/* SPDX-License-Identifier: Apache-2.0
 *
 * Sizes and strides of one tensor: ranges, overflow, overlap with itself; natural shapes of
 * outputs. Knows nothing of which mechanism wants which tensor.
 */
#include "engine/validate.h"

#include <inttypes.h>
#include <string.h>

#include "engine/status.h"

void attune_tensor_pack(struct attune_tensor *tensor)
{
    int64_t stride = 1;
    for (int32_t axis = tensor->rank - 1; axis >= 0; axis--) {
        int64_t size = tensor->size[axis] > 1 ? tensor->size[axis] : 1;
        tensor->stride[axis] = stride;
        if (__builtin_mul_overflow(stride, size, &stride))
            stride = INT64_MAX;
    }
}

/* Both the span in bytes and the number of elements must fit: a broadcast axis has no span, but its
 * positions are counted all the same. An extent of 0 counts as 1, so that no product hides an
 * overflow. */
static int fits(const struct attune_tensor *tensor)
{
    int64_t bytes = (int64_t)attune_dtype_size(tensor->dtype), span = 0, count = bytes;
    for (int32_t axis = 0; axis < tensor->rank; axis++) {
        int64_t size = tensor->size[axis] > 1 ? tensor->size[axis] : 1, reach;
        if (__builtin_mul_overflow(size - 1, tensor->stride[axis], &reach) ||
            __builtin_add_overflow(span, reach, &span) ||
            __builtin_mul_overflow(count, size, &count))
            return 0;
    }
    return !__builtin_add_overflow(span, 1, &span) && !__builtin_mul_overflow(span, bytes, &span);
}

int64_t attune_tensor_span(const struct attune_tensor *tensor)
{
    int64_t span = 1;
    for (int32_t axis = 0; axis < tensor->rank; axis++) {
        if (tensor->size[axis] == 0)
            return 0;
        span += (tensor->size[axis] - 1) * tensor->stride[axis];
    }
    return span;
}

enum attune_status attune_validate_layout(const char *name, const struct attune_tensor *tensor,
                                          int unit_last)
{
    if (tensor->rank < 0 || tensor->rank > ATTUNE_MAX_RANK)
        return attune_fail(ATTUNE_ERROR_INVALID, "%s: rank %" PRId32 ", it must be 0 to %d", name,
                           tensor->rank, ATTUNE_MAX_RANK);
    for (int32_t axis = 0; axis < tensor->rank; axis++) {
        if (tensor->size[axis] < 0)
            return attune_fail(ATTUNE_ERROR_INVALID,
                               "%s: size %" PRId64 " on axis %" PRId32 " is negative", name,
                               tensor->size[axis], axis);
        if (tensor->stride[axis] < 0)
            return attune_fail(ATTUNE_ERROR_INVALID,
                               "%s: stride %" PRId64 " on axis %" PRId32 " is negative", name,
                               tensor->stride[axis], axis);
    }
    int32_t last = tensor->rank - 1;
    if (unit_last && last >= 0 && tensor->size[last] > 1 && tensor->stride[last] != 1)
        return attune_fail(ATTUNE_ERROR_INVALID,
                           "%s: stride %" PRId64 " on the last axis, it must be 1", name,
                           tensor->stride[last]);
    if (!fits(tensor))
        return attune_fail(ATTUNE_ERROR_OVERFLOW, "%s: its sizes and strides reach beyond 63 bits",
                           name);
    return ATTUNE_OK;
}

void attune_shape_natural(const struct attune_shape *shape, enum attune_output output,
                          struct attune_tensor *tensor)
{
    int heads = output != ATTUNE_OUT_OUT || shape->out_heads;
    int32_t rank = 0;
    memset(tensor, 0, sizeof *tensor);
    tensor->dtype = ATTUNE_F32;
    tensor->size[rank++] = shape->b;
    if (heads)
        tensor->size[rank++] = shape->h;
    tensor->size[rank++] = shape->t_q;
    if (output == ATTUNE_OUT_OUT)
        tensor->size[rank++] = shape->out_heads ? shape->e : shape->out_width;
    else if (output != ATTUNE_OUT_LSE)
        tensor->size[rank++] = shape->t_k;
    tensor->rank = rank;
    attune_tensor_pack(tensor);
}

/* Sufficient: taken by rising stride, each axis steps over all that the smaller ones reach. Layouts
 * that interleave without meeting are refused too; nobody writes results like that. */
static int overlaps_itself(const struct attune_tensor *tensor)
{
    int taken[ATTUNE_MAX_RANK] = {0};
    int64_t reach = 0;
    for (int32_t axis = 0; axis < tensor->rank; axis++)
        if (tensor->size[axis] == 0)
            return 0;
    for (int32_t round = 0; round < tensor->rank; round++) {
        int32_t next = -1;
        for (int32_t axis = 0; axis < tensor->rank; axis++)
            if (!taken[axis] && (next < 0 || tensor->stride[axis] < tensor->stride[next]))
                next = axis;
        taken[next] = 1;
        if (tensor->size[next] > 1 && tensor->stride[next] <= reach)
            return 1;
        reach += (tensor->size[next] - 1) * tensor->stride[next];
    }
    return 0;
}

static enum attune_status check_output(const char *name, const struct attune_tensor *tensor,
                                       const struct attune_tensor *natural, int unit_last)
{
    if (tensor->dtype != ATTUNE_F32)
        return attune_fail(
            ATTUNE_ERROR_INVALID, "%s: dtype %s (%" PRId32 "), outputs are f32", name,
            attune_dtype_name(tensor->dtype) ? attune_dtype_name(tensor->dtype) : "unknown",
            tensor->dtype);
    if (tensor->rank != natural->rank)
        return attune_fail(ATTUNE_ERROR_INVALID,
                           "%s: rank %" PRId32 ", it must be %" PRId32
                           ", or 0 for the natural shape",
                           name, tensor->rank, natural->rank);
    enum attune_status status = attune_validate_layout(name, tensor, unit_last);
    if (status != ATTUNE_OK)
        return status;
    for (int32_t axis = 0; axis < tensor->rank; axis++)
        if (tensor->size[axis] != natural->size[axis])
            return attune_fail(ATTUNE_ERROR_INVALID,
                               "%s: size %" PRId64 " on axis %" PRId32 ", it must be %" PRId64,
                               name, tensor->size[axis], axis, natural->size[axis]);
    if (overlaps_itself(tensor))
        return attune_fail(ATTUNE_ERROR_INVALID, "%s: its strides make elements overlap", name);
    return ATTUNE_OK;
}

enum attune_status attune_validate_outputs(struct attune_shape *shape)
{
    for (int32_t i = 0; i < ATTUNE_OUTPUT_SLOTS; i++) {
        struct attune_tensor *tensor = &shape->problem.out[i], natural;
        const char *name = attune_output_name(i);
        if (!name && (tensor->dtype != ATTUNE_ABSENT || tensor->rank != 0))
            return attune_fail(ATTUNE_ERROR_INVALID, "out[%" PRId32 "]: no output has this number",
                               i);
        if (!name)
            continue;
        attune_shape_natural(shape, (enum attune_output)i, &natural);
        if (tensor->dtype == ATTUNE_ABSENT && tensor->rank != 0)
            return attune_fail(ATTUNE_ERROR_INVALID, "%s: rank %" PRId32 " but no dtype", name,
                               tensor->rank);
        if (tensor->dtype == ATTUNE_ABSENT && i != ATTUNE_OUT_OUT)
            continue;
        if (!fits(&natural))
            return attune_fail(ATTUNE_ERROR_OVERFLOW, "%s: its shape does not fit in 63 bits",
                               name);
        if (tensor->dtype == ATTUNE_ABSENT)
            continue;
        if (tensor->dtype == ATTUNE_F32 && tensor->rank == 0)
            *tensor = natural;
        enum attune_status status = check_output(name, tensor, &natural, i == ATTUNE_OUT_OUT);
        if (status != ATTUNE_OK)
            return status;
    }
    return ATTUNE_OK;
}
