/* SPDX-License-Identifier: Apache-2.0
 *
 * Status codes, the per-thread detail text, and the names of everything that a problem is made of.
 * Knows no shapes and no mechanism's rules.
 */
#include "engine/status.h"

#include <stdarg.h>
#include <stdio.h>

#define DETAIL_SIZE 256
#define COUNT(array) ((int32_t)(sizeof(array) / sizeof((array)[0])))

static _Thread_local char detail[DETAIL_SIZE];

enum attune_status attune_fail(enum attune_status status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (vsnprintf(detail, sizeof detail, format, arguments) < 0)
        detail[0] = '\0';
    va_end(arguments);
    return status;
}

void attune_detail_clear(void)
{
    detail[0] = '\0';
}

const char *attune_error_detail(void)
{
    return detail;
}

uint32_t attune_version(void)
{
    return ((uint32_t)ATTUNE_VERSION_MAJOR << 16) | ((uint32_t)ATTUNE_VERSION_MINOR << 8) |
           (uint32_t)ATTUNE_VERSION_PATCH;
}

static const char *name_of(const char *const *names, int32_t count, int32_t number)
{
    return number >= 0 && number < count ? names[number] : NULL;
}

const char *attune_status_string(enum attune_status status)
{
    static const char *const texts[] = {
        [ATTUNE_OK] = "success",
        [ATTUNE_ERROR_INVALID] = "invalid argument",
        [ATTUNE_ERROR_UNSUPPORTED] = "not supported by this library",
        [ATTUNE_ERROR_OVERFLOW] = "a size does not fit in 63 bits",
        [ATTUNE_ERROR_NO_MEMORY] = "out of memory",
        [ATTUNE_ERROR_WORKSPACE] = "workspace absent or too small",
        [ATTUNE_ERROR_PREPARED] = "prepared keys absent or of another layout",
        [ATTUNE_ERROR_SYSTEM] = "the operating system or a library refused",
        [ATTUNE_ERROR_UNFIT] = "the machine is not fit to tune on now",
        [ATTUNE_ERROR_CANCELLED] = "stopped by a callback",
    };
    const char *text = name_of(texts, COUNT(texts), (int32_t)status);
    return text ? text : "unknown status";
}

const char *attune_input_name(int32_t input)
{
    static const char *const names[] = {
        [ATTUNE_IN_QUERY] = "query",
        [ATTUNE_IN_KEY] = "key",
        [ATTUNE_IN_VALUE] = "value",
        [ATTUNE_IN_Q] = "q",
        [ATTUNE_IN_K] = "k",
        [ATTUNE_IN_V] = "v",
        [ATTUNE_IN_X] = "x",
        [ATTUNE_IN_W_QUERY] = "w_query",
        [ATTUNE_IN_W_KEY] = "w_key",
        [ATTUNE_IN_BIAS_HIDDEN] = "bias_hidden",
        [ATTUNE_IN_SCORE_VECTOR] = "score_vector",
        [ATTUNE_IN_WEIGHT] = "weight",
        [ATTUNE_IN_IN_WEIGHT] = "in_weight",
        [ATTUNE_IN_IN_BIAS] = "in_bias",
        [ATTUNE_IN_OUT_WEIGHT] = "out_weight",
        [ATTUNE_IN_OUT_BIAS] = "out_bias",
        [ATTUNE_IN_STATE] = "state",
        [ATTUNE_IN_W_STATE] = "w_state",
        [ATTUNE_IN_KERNEL] = "kernel",
        [ATTUNE_IN_LOCATION_KERNEL] = "location_kernel",
        [ATTUNE_IN_W_LOCATION] = "w_location",
        [ATTUNE_IN_PREVIOUS_ALIGNMENTS] = "previous_alignments",
        [ATTUNE_IN_WEIGHT_IH] = "weight_ih",
        [ATTUNE_IN_WEIGHT_HH] = "weight_hh",
        [ATTUNE_IN_BIAS_IH] = "bias_ih",
        [ATTUNE_IN_BIAS_HH] = "bias_hh",
        [ATTUNE_IN_W_RECURRENT] = "w_recurrent",
        [ATTUNE_IN_KEY_LENGTHS] = "key_lengths",
        [ATTUNE_IN_QUERY_LENGTHS] = "query_lengths",
        [ATTUNE_IN_MASK] = "mask",
        [ATTUNE_IN_BIAS] = "bias",
        [ATTUNE_IN_SINK] = "sink",
        [ATTUNE_IN_KEY_SCALE] = "key_scale",
        [ATTUNE_IN_VALUE_SCALE] = "value_scale",
    };
    _Static_assert(sizeof names / sizeof names[0] == ATTUNE_INPUT_COUNT, "every input has a name");
    return name_of(names, COUNT(names), input);
}

const char *attune_output_name(int32_t output)
{
    static const char *const names[] = {
        [ATTUNE_OUT_OUT] = "out",
        [ATTUNE_OUT_ALIGNMENTS] = "alignments",
        [ATTUNE_OUT_LSE] = "lse",
        [ATTUNE_OUT_SCORES] = "scores",
    };
    _Static_assert(sizeof names / sizeof names[0] == ATTUNE_OUTPUT_COUNT,
                   "every output has a name");
    return name_of(names, COUNT(names), output);
}

const char *attune_mechanism_name(int32_t mechanism)
{
    static const char *const names[] = {
        [ATTUNE_ADDITIVE] = "additive",   [ATTUNE_MULTIPLICATIVE] = "multiplicative",
        [ATTUNE_SELF] = "self",           [ATTUNE_CONVOLUTIONAL] = "convolutional",
        [ATTUNE_RECURRENT] = "recurrent",
    };
    return name_of(names, COUNT(names), mechanism);
}

const char *attune_form_name(int32_t form)
{
    static const char *const names[] = {
        [ATTUNE_DOT] = "dot",           [ATTUNE_GENERAL] = "general",   [ATTUNE_CONCAT] = "concat",
        [ATTUNE_PAIRWISE] = "pairwise", [ATTUNE_LOCATION] = "location",
    };
    return name_of(names, COUNT(names), form);
}

const char *attune_dtype_name(int32_t dtype)
{
    static const char *const names[] = {
        [ATTUNE_F32] = "f32",   [ATTUNE_F16] = "f16", [ATTUNE_BF16] = "bf16", [ATTUNE_I8] = "i8",
        [ATTUNE_BOOL] = "bool", [ATTUNE_I32] = "i32", [ATTUNE_I64] = "i64",
    };
    return name_of(names, COUNT(names), dtype);
}

size_t attune_dtype_size(int32_t dtype)
{
    static const size_t sizes[] = {
        [ATTUNE_F32] = 4,  [ATTUNE_F16] = 2, [ATTUNE_BF16] = 2, [ATTUNE_I8] = 1,
        [ATTUNE_BOOL] = 1, [ATTUNE_I32] = 4, [ATTUNE_I64] = 8,
    };
    return dtype > 0 && dtype < COUNT(sizes) ? sizes[dtype] : 0;
}
