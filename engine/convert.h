/* SPDX-License-Identifier: Apache-2.0
 *
 * One element of any tensor type as a number: for the rare paths that go element by element. Whole
 * rows are converted by the pack kernels.
 */
#ifndef ATTUNE_ENGINE_CONVERT_H
#define ATTUNE_ENGINE_CONVERT_H

#include <stdint.h>
#include <string.h>

#include "attune/attune.h"

static inline float attune_half_to_float(uint16_t half)
{
    uint32_t sign = (uint32_t)(half & 0x8000u) << 16, bits = half & 0x7fffu;
    float value;
    if (bits >= 0x7c00u) { /* infinity, NaN: the exponent becomes all ones too */
        bits = 0x7f800000u | (bits & 0x3ffu) << 13;
        memcpy(&value, &bits, sizeof value);
    } else { /* scaling by 2^112 rebiases the exponent and makes subnormals normal, exactly */
        bits <<= 13;
        memcpy(&value, &bits, sizeof value);
        value *= 0x1p112f;
    }
    uint32_t all;
    memcpy(&all, &value, sizeof all);
    all |= sign;
    memcpy(&value, &all, sizeof value);
    return value;
}

static inline float attune_bfloat_to_float(uint16_t bits)
{
    uint32_t wide = (uint32_t)bits << 16;
    float value;
    memcpy(&value, &wide, sizeof value);
    return value;
}

/* Element `index` of an array of float32, float16, bfloat16 or int8. */
static inline float attune_load_float(const void *array, int32_t dtype, int64_t index)
{
    switch (dtype) {
    case ATTUNE_F16:
        return attune_half_to_float(((const uint16_t *)array)[index]);
    case ATTUNE_BF16:
        return attune_bfloat_to_float(((const uint16_t *)array)[index]);
    case ATTUNE_I8:
        return (float)((const int8_t *)array)[index];
    default:
        return ((const float *)array)[index];
    }
}

#endif
