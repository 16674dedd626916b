/* SPDX-License-Identifier: Apache-2.0
 *
 * One tensor against its axes: element type, rank, and extents that agree with those of the tensors
 * before it. Knows no mechanism.
 */
#include "engine/validate_axes.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "engine/status.h"
#include "engine/validate.h"

const char *attune_axis_name(char letter)
{
    switch (letter) {
    case 'B': return "B";
    case 'Q': return "T_q";
    case 'K': return "T_k";
    case 'T': return "T";
    case 'H': return "H";
    case 'G': return "G";
    case 'D': return "D";
    case 'E': return "E";
    case 'q': return "D_q";
    case 'k': return "D_k";
    case 'A': return "A";
    case 'C': return "C";
    case 'N': return "N";
    case 'S': return "S";
    case 'F': return "F";
    case 'W': return "width";
    case 'O': return "O";
    case 'a': return "H*A";
    case 'p': return "D_q+D_k";
    case 'c': return "2*C";
    case 'n': return "4*N";
    case 'i': return "3*H*D";
    case 'o': return "H*D";
    default: return "1";
    }
}

static void axes_text(const char *axes, char *text, size_t size)
{
    size_t used = 0;
    for (const char *axis = axes; *axis && used < size; axis++)
        used += (size_t)snprintf(text + used, size - used, "%s%s", axis == axes ? "" : ",",
                                 attune_axis_name(*axis));
}

int attune_axis_is_product(char letter)
{
    return strchr("apcnio1", letter) != NULL;
}

int64_t attune_axes_product(const struct attune_axes *c, char letter)
{
    int64_t value = 1, h = c->extent['H'];
    int overflow = 0;
    switch (letter) {
    case 'a': overflow = __builtin_mul_overflow(h, c->extent['A'], &value); break;
    case 'p': overflow = __builtin_add_overflow(c->extent['q'], c->extent['k'], &value); break;
    case 'c': overflow = __builtin_mul_overflow(c->extent['C'], 2, &value); break;
    case 'n': overflow = __builtin_mul_overflow(c->extent['N'], 4, &value); break;
    case 'i':
        overflow = __builtin_mul_overflow(h, c->extent['D'], &value) ||
                   __builtin_mul_overflow(value, 3, &value);
        break;
    case 'o': overflow = __builtin_mul_overflow(h, c->extent['D'], &value); break;
    default: break;
    }
    return overflow ? INT64_MAX : value;
}

static enum attune_status check_axis(struct attune_axes *c, enum attune_input input, int32_t axis,
                                     char letter)
{
    const char *name = attune_input_name((int32_t)input);
    int64_t size = c->problem->in[input].size[axis];
    if (size == 0 && !strchr("BQKT", letter))
        return attune_fail(ATTUNE_ERROR_INVALID,
                           "%s: size 0 on axis %" PRId32 " (%s), at least 1 is needed", name, axis,
                           attune_axis_name(letter));
    if (attune_axis_is_product(letter)) {
        int64_t want = attune_axes_product(c, letter);
        if (size != want)
            return attune_fail(ATTUNE_ERROR_INVALID,
                               "%s: size %" PRId64 " on axis %" PRId32 ", where %s is %" PRId64,
                               name, size, axis, attune_axis_name(letter), want);
        return ATTUNE_OK;
    }
    char key = letter == 'T' ? 'Q' : letter;
    if (c->extent[(int)key] < 0) {
        c->extent[(int)key] = size;
        c->owner[(int)key] = (int32_t)input;
        if (letter == 'T') {
            c->extent['K'] = size;
            c->owner['K'] = (int32_t)input;
        }
    } else if (c->extent[(int)key] != size) {
        const char *owner = attune_input_name(c->owner[(int)key]);
        return attune_fail(ATTUNE_ERROR_INVALID,
                           "%s: size %" PRId64 " on axis %" PRId32 ", where %s is %" PRId64 "%s%s",
                           name, size, axis, attune_axis_name(letter), c->extent[(int)key],
                           owner ? " in " : "", owner ? owner : "");
    }
    return ATTUNE_OK;
}

enum attune_status attune_axes_dtype(const char *name, int32_t dtype, enum attune_type_class kind)
{
    static const char *const wanted[] = {
        [ATTUNE_FLOATS] = "f32, f16 or bf16",
        [ATTUNE_FLOATS_OR_I8] = "f32, f16, bf16 or i8",
        [ATTUNE_BOOLS] = "bool",
        [ATTUNE_INTEGERS] = "i32 or i64",
    };
    int is_float = dtype == ATTUNE_F32 || dtype == ATTUNE_F16 || dtype == ATTUNE_BF16;
    int fits = (kind == ATTUNE_FLOATS && is_float) ||
               (kind == ATTUNE_FLOATS_OR_I8 && (is_float || dtype == ATTUNE_I8)) ||
               (kind == ATTUNE_BOOLS && dtype == ATTUNE_BOOL) ||
               (kind == ATTUNE_INTEGERS && (dtype == ATTUNE_I32 || dtype == ATTUNE_I64));
    if (fits)
        return ATTUNE_OK;
    const char *given = attune_dtype_name(dtype);
    return attune_fail(ATTUNE_ERROR_INVALID, "%s: dtype %s (%" PRId32 "), it must be %s", name,
                       given ? given : "unknown", dtype, wanted[kind]);
}

int attune_axes_given(const struct attune_axes *c, enum attune_input input)
{
    return c->problem->in[input].dtype != ATTUNE_ABSENT;
}

static int needs_unit_last(enum attune_input input)
{
    return input <= ATTUNE_IN_X;
}

enum attune_status attune_axes_optional(struct attune_axes *c, enum attune_input input,
                                        enum attune_type_class kind, const char *axes)
{
    const struct attune_tensor *tensor = &c->problem->in[input];
    const char *name = attune_input_name((int32_t)input);
    enum attune_status status;
    c->known[input] = 1;
    if (!attune_axes_given(c, input))
        return ATTUNE_OK;
    if ((status = attune_axes_dtype(name, tensor->dtype, kind)) != ATTUNE_OK)
        return status;
    if (tensor->rank != (int32_t)strlen(axes)) {
        char text[64];
        axes_text(axes, text, sizeof text);
        return attune_fail(ATTUNE_ERROR_INVALID, "%s: rank %" PRId32 ", it must be [%s]", name,
                           tensor->rank, text);
    }
    if ((status = attune_validate_layout(name, tensor, needs_unit_last(input))) != ATTUNE_OK)
        return status;
    for (int32_t axis = 0; axis < tensor->rank; axis++)
        if ((status = check_axis(c, input, axis, axes[axis])) != ATTUNE_OK)
            return status;
    return ATTUNE_OK;
}

enum attune_status attune_axes_required(struct attune_axes *c, enum attune_input input,
                                        enum attune_type_class kind, const char *axes)
{
    if (!attune_axes_given(c, input))
        return attune_fail(ATTUNE_ERROR_INVALID, "%s: missing; %s needs it",
                           attune_input_name((int32_t)input), c->what);
    return attune_axes_optional(c, input, kind, axes);
}

enum attune_status attune_axes_together(const struct attune_axes *c, enum attune_input one,
                                        enum attune_input other)
{
    if (attune_axes_given(c, one) == attune_axes_given(c, other))
        return ATTUNE_OK;
    enum attune_input missing = attune_axes_given(c, one) ? other : one;
    return attune_fail(ATTUNE_ERROR_INVALID, "%s: missing; %s is given and goes with it",
                       attune_input_name((int32_t)missing),
                       attune_input_name((int32_t)(missing == one ? other : one)));
}
