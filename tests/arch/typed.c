/* SPDX-License-Identifier: Apache-2.0
 *
 * Operands of any element type: their values in float32, and the fills of kernel_tests.h in each type.
 * Decoding is written from the formats' definitions, apart from what the kernels do.
 */
#include <math.h>
#include <string.h>

#include "kernel_tests.h"

static float half_value(uint16_t bits)
{
    const int exponent = bits >> 10 & 31, mantissa = bits & 1023;
    const float sign = bits & 0x8000 ? -1.0f : 1.0f;
    if (exponent == 31) return mantissa ? NAN : sign * INFINITY;
    if (exponent == 0) return sign * (float)mantissa * 0x1p-24f;
    return sign * ldexpf((float)(mantissa + 1024), exponent - 25);
}

float test_typed_value(int32_t dtype, const void *src, int64_t at)
{
    uint32_t bits;
    float value;
    switch (dtype) {
    case ATTUNE_PACK_F16: return half_value(((const uint16_t *)src)[at]);
    case ATTUNE_PACK_I8: return (float)((const int8_t *)src)[at];
    case ATTUNE_PACK_BF16:
        bits = (uint32_t)((const uint16_t *)src)[at] << 16;
        memcpy(&value, &bits, sizeof value);
        return value;
    default: return ((const float *)src)[at];
    }
}

size_t test_typed_size(int32_t dtype)
{
    return dtype == ATTUNE_PACK_F32 ? 4 : dtype == ATTUNE_PACK_I8 ? 1 : 2;
}

/* Cut off, not rounded; what is denormal in float32 becomes so in half. Magnitudes up to 1. */
static uint16_t half_bits(float x)
{
    const uint16_t sign = signbit(x) ? 0x8000 : 0;
    int exponent;
    if (isnan(x)) return 0x7e00;
    if (isinf(x)) return sign | 0x7c00;
    if (x != 0 && fabsf(x) < 0x1p-126f) return sign | (uint16_t)(1 + test_random() * 1022);
    const float fraction = frexpf(fabsf(x), &exponent); /* in [0.5, 1) */
    if (exponent < -13) return sign | (uint16_t)ldexpf(fraction, exponent + 24);
    return sign | (uint16_t)(((exponent + 14) << 10) + (int)(fraction * 2048) - 1024);
}

static uint16_t bfloat_bits(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return (uint16_t)(bits >> 16);
}

void test_fill_typed(int32_t dtype, void *dst, int64_t count, enum test_fill fill)
{
    if (dtype == ATTUNE_PACK_F32) {
        test_fill_floats(dst, count, fill);
        return;
    }
    for (int64_t i = 0; i < count; i++) {
        float x;
        test_fill_floats(&x, 1, fill);
        if (dtype == ATTUNE_PACK_F16) ((uint16_t *)dst)[i] = half_bits(x);
        if (dtype == ATTUNE_PACK_BF16) ((uint16_t *)dst)[i] = bfloat_bits(x);
        if (dtype == ATTUNE_PACK_I8)
            ((int8_t *)dst)[i] = (int8_t)(fabsf(x) <= 1 ? lrintf(127 * x) : -128);
    }
}
