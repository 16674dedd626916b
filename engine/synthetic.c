/* SPDX-License-Identifier: Apache-2.0
 *
 * Random inputs: uniform, weights scaled by the width of what they multiply, so that scores spread
 * over a few units as in trained models and no softmax degenerates to one key.
 */
#include "engine/synthetic.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/status.h"

enum { ALIGNMENT = 64 };

/* splitmix64: one multiplication chain a number, the same numbers everywhere. */
static double next_uniform(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    z ^= z >> 31;
    return (double)(z >> 11) * 0x1p-52 - 1;
}

static uint16_t bits_of_bf16(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

/* Rounds by adding a power of two at which the last place of the sum is that of the half; exponents
 * from 2^-14 to 2^15 become normal halves, below that denormal ones. Finite values up to 65504
 * only. */
static uint16_t bits_of_f16(float value)
{
    int exponent;
    const float magnitude = fabsf(value);
    frexpf(magnitude, &exponent);
    exponent = exponent < -13 ? -13 : exponent;
    const long units = lrintf(ldexpf(magnitude, 11 - exponent)); /* of 2^(exponent - 11) */
    const long biased = units < 1024 ? units : units - 1024 + ((long)(exponent + 14) << 10);
    return (uint16_t)((value < 0 ? 0x8000 : 0) | biased);
}

static int64_t elements_of(const struct attune_tensor *tensor)
{
    int64_t count = 1;
    for (int32_t i = 0; i < tensor->rank; i++)
        count *= tensor->size[i];
    return count;
}

/* The largest magnitude of an input's numbers. */
static double amplitude_of(int32_t input, const struct attune_tensor *tensor)
{
    switch (input) {
    case ATTUNE_IN_W_QUERY:
    case ATTUNE_IN_W_KEY:
    case ATTUNE_IN_WEIGHT:
    case ATTUNE_IN_IN_WEIGHT:
    case ATTUNE_IN_OUT_WEIGHT:
    case ATTUNE_IN_W_STATE:
    case ATTUNE_IN_KERNEL:
    case ATTUNE_IN_LOCATION_KERNEL:
    case ATTUNE_IN_W_LOCATION:
    case ATTUNE_IN_WEIGHT_IH:
    case ATTUNE_IN_WEIGHT_HH:
    case ATTUNE_IN_W_RECURRENT:
        return sqrt(3.0 * (double)tensor->size[0] / (double)elements_of(tensor));
    case ATTUNE_IN_SCORE_VECTOR:
        return sqrt(3.0 / (double)tensor->size[tensor->rank - 1]);
    case ATTUNE_IN_KEY_SCALE:
    case ATTUNE_IN_VALUE_SCALE:
        return 1.0 / 127;
    case ATTUNE_IN_PREVIOUS_ALIGNMENTS:
        return 2.0 / (double)tensor->size[tensor->rank - 1];
    default:
        return 1;
    }
}

static int is_positive(int32_t input)
{
    return input == ATTUNE_IN_KEY_SCALE || input == ATTUNE_IN_VALUE_SCALE ||
           input == ATTUNE_IN_PREVIOUS_ALIGNMENTS;
}

static void fill(int32_t input, const struct attune_tensor *tensor, int64_t count, void *memory)
{
    uint64_t state = UINT64_C(0x5eed) + (uint64_t)input * UINT64_C(0x100000001);
    const double amplitude = amplitude_of(input, tensor);
    for (int64_t i = 0; i < count; i++) {
        double value = next_uniform(&state);
        value = amplitude * (is_positive(input) ? fabs(value) : value);
        if (tensor->dtype == ATTUNE_F32)
            ((float *)memory)[i] = (float)value;
        else if (tensor->dtype == ATTUNE_F16)
            ((uint16_t *)memory)[i] = bits_of_f16((float)value);
        else if (tensor->dtype == ATTUNE_BF16)
            ((uint16_t *)memory)[i] = bits_of_bf16((float)value);
        else if (tensor->dtype == ATTUNE_I8)
            ((int8_t *)memory)[i] = (int8_t)lrint(127 * value);
        else
            ((uint8_t *)memory)[i] = 1;
    }
}

/* Every sequence at full length. */
static void fill_lengths(const struct attune_problem *problem, int32_t input, int64_t count,
                         void *memory)
{
    struct attune_problem bare = *problem;
    struct attune_tensor scores;
    bare.in[ATTUNE_IN_KEY_LENGTHS].dtype = bare.in[ATTUNE_IN_QUERY_LENGTHS].dtype = ATTUNE_ABSENT;
    if (attune_problem_output_shape(&bare, ATTUNE_OUT_SCORES, &scores) != ATTUNE_OK)
        return;
    const int64_t length = scores.size[input == ATTUNE_IN_KEY_LENGTHS ? 3 : 2];
    for (int64_t i = 0; i < count; i++) {
        if (problem->in[input].dtype == ATTUNE_I32)
            ((int32_t *)memory)[i] = (int32_t)length;
        else
            ((int64_t *)memory)[i] = length;
    }
}

static void *allocate(int64_t count, size_t size)
{
    const size_t bytes = (size_t)count * size;
    return aligned_alloc(ALIGNMENT, bytes / ALIGNMENT * ALIGNMENT + ALIGNMENT);
}

enum attune_status attune_synthetic_fill(const struct attune_problem *problem,
                                         struct attune_args *args)
{
    *args = (struct attune_args){.struct_size = sizeof *args};
    for (int32_t i = 0; i < ATTUNE_INPUT_COUNT; i++) {
        const struct attune_tensor *tensor = &problem->in[i];
        if (tensor->dtype == ATTUNE_ABSENT)
            continue;
        const int64_t count = elements_of(tensor);
        void *memory = allocate(count, attune_dtype_size((int32_t)tensor->dtype));
        if (!memory)
            return attune_fail(ATTUNE_ERROR_NO_MEMORY, "no memory for %s", attune_input_name(i));
        args->in[i] = memory;
        if (i == ATTUNE_IN_KEY_LENGTHS || i == ATTUNE_IN_QUERY_LENGTHS)
            fill_lengths(problem, i, count, memory);
        else
            fill(i, tensor, count, memory);
    }
    return ATTUNE_OK;
}

size_t attune_synthetic_bytes(const struct attune_problem *problem)
{
    size_t bytes = 0;
    for (int32_t i = 0; i < ATTUNE_INPUT_COUNT; i++)
        if (problem->in[i].dtype != ATTUNE_ABSENT)
            bytes += (size_t)elements_of(&problem->in[i]) * attune_dtype_size(problem->in[i].dtype);
    return bytes;
}

enum attune_status attune_synthetic_copy(const struct attune_problem *problem,
                                         const struct attune_args *from, struct attune_args *args)
{
    *args = (struct attune_args){.struct_size = sizeof *args};
    for (int32_t i = 0; i < ATTUNE_INPUT_COUNT; i++) {
        const struct attune_tensor *tensor = &problem->in[i];
        if (tensor->dtype == ATTUNE_ABSENT)
            continue;
        const size_t size = attune_dtype_size(tensor->dtype);
        void *memory = allocate(elements_of(tensor), size);
        if (!memory)
            return attune_fail(ATTUNE_ERROR_NO_MEMORY, "no memory for %s", attune_input_name(i));
        args->in[i] = memory;
        memcpy(memory, from->in[i], (size_t)elements_of(tensor) * size);
    }
    return ATTUNE_OK;
}

void attune_synthetic_free(struct attune_args *args)
{
    for (int32_t i = 0; i < ATTUNE_INPUT_COUNT; i++)
        free((void *)(uintptr_t)args->in[i]);
    *args = (struct attune_args){.struct_size = sizeof *args};
}
