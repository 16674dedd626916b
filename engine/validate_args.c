/* SPDX-License-Identifier: Apache-2.0
 *
 * The pointers of one execution against a resolved problem: presence, alignment, overlap, and the
 * values of the lengths. Reads nothing but the lengths.
 */
#include <inttypes.h>

#include "engine/shape.h"
#include "engine/status.h"
#include "engine/validate.h"

static enum attune_status check_pointer(const char *name, const struct attune_tensor *tensor,
                                        const void *pointer)
{
    if (!pointer)
        return attune_tensor_span(tensor) == 0
                   ? ATTUNE_OK
                   : attune_fail(ATTUNE_ERROR_INVALID, "%s: its pointer is NULL", name);
    if ((uintptr_t)pointer % attune_dtype_size(tensor->dtype) != 0)
        return attune_fail(ATTUNE_ERROR_INVALID,
                           "%s: its pointer is not aligned to its element of %zu "
                           "bytes",
                           name, attune_dtype_size(tensor->dtype));
    return ATTUNE_OK;
}

static enum attune_status check_lengths(const struct attune_shape *shape,
                                        const struct attune_args *args, enum attune_input input)
{
    int keys = input == ATTUNE_IN_KEY_LENGTHS;
    int64_t limit = keys ? shape->t_k : shape->t_q;
    if (shape->problem.in[input].dtype == ATTUNE_ABSENT)
        return ATTUNE_OK;
    for (int64_t b = 0; b < shape->b; b++) {
        int64_t value = keys ? attune_shape_key_length(shape, args, b)
                             : attune_shape_query_length(shape, args, b);
        if (value < 0 || value > limit)
            return attune_fail(ATTUNE_ERROR_INVALID,
                               "%s: %" PRId64 " at %" PRId64 ", it must be 0 to %s = %" PRId64,
                               attune_input_name((int32_t)input), value, b, keys ? "T_k" : "T_q",
                               limit);
    }
    return ATTUNE_OK;
}

/* Inputs that prepared keys stand for: execute may do without them. */
static int is_prepared(const struct attune_shape *shape, int32_t input)
{
    int value = shape->problem.in[ATTUNE_IN_VALUE].dtype != ATTUNE_ABSENT;
    return shape->prepared && (input == ATTUNE_IN_W_KEY || (input == ATTUNE_IN_KEY && value));
}

static int is_key_side(int32_t input)
{
    return input == ATTUNE_IN_KEY || input == ATTUNE_IN_W_KEY || input == ATTUNE_IN_WEIGHT ||
           input == ATTUNE_IN_KEY_LENGTHS;
}

static enum attune_status check_inputs(const struct attune_shape *shape,
                                       const struct attune_args *args)
{
    for (int32_t i = 0; i < ATTUNE_INPUT_SLOTS; i++) {
        const struct attune_tensor *tensor = &shape->problem.in[i];
        const char *name = attune_input_name(i);
        if (tensor->dtype == ATTUNE_ABSENT) {
            if (args->in[i] && name)
                return attune_fail(ATTUNE_ERROR_INVALID,
                                   "%s: a pointer is given, but the problem has no such tensor",
                                   name);
            if (args->in[i])
                return attune_fail(ATTUNE_ERROR_INVALID,
                                   "in[%" PRId32 "]: no input has this number", i);
            continue;
        }
        if (!args->in[i] && is_prepared(shape, i))
            continue;
        enum attune_status status = check_pointer(name, tensor, args->in[i]);
        if (status != ATTUNE_OK)
            return status;
    }
    return ATTUNE_OK;
}

struct range {
    uintptr_t first, last; /* bytes [first, last) */
};

static struct range range_of(const struct attune_tensor *tensor, const void *pointer)
{
    struct range range = {(uintptr_t)pointer, (uintptr_t)pointer};
    if (pointer && tensor->dtype != ATTUNE_ABSENT)
        range.last += (uintptr_t)attune_tensor_span(tensor) * attune_dtype_size(tensor->dtype);
    return range;
}

static int ranges_meet(struct range a, struct range b)
{
    return a.first < a.last && b.first < b.last && a.first < b.last && b.first < a.last;
}

static enum attune_status check_overlap(const struct attune_shape *shape,
                                        const struct attune_args *args, int32_t output)
{
    const struct attune_problem *p = &shape->problem;
    const char *name = attune_output_name(output);
    struct range mine = range_of(&p->out[output], args->out[output]);
    for (int32_t i = 0; i < ATTUNE_INPUT_COUNT; i++)
        if (ranges_meet(mine, range_of(&p->in[i], args->in[i])))
            return attune_fail(ATTUNE_ERROR_INVALID, "%s: its memory overlaps that of %s", name,
                               attune_input_name(i));
    for (int32_t i = 0; i < output; i++)
        if (ranges_meet(mine, range_of(&p->out[i], args->out[i])))
            return attune_fail(ATTUNE_ERROR_INVALID, "%s: its memory overlaps that of %s", name,
                               attune_output_name(i));
    struct range workspace = {(uintptr_t)args->workspace,
                              (uintptr_t)args->workspace + args->workspace_size};
    struct range prepared = {(uintptr_t)args->prepared,
                             (uintptr_t)args->prepared + args->prepared_size};
    if (args->workspace && ranges_meet(mine, workspace))
        return attune_fail(ATTUNE_ERROR_INVALID, "%s: its memory overlaps the workspace", name);
    if (args->prepared && ranges_meet(mine, prepared))
        return attune_fail(ATTUNE_ERROR_INVALID, "%s: its memory overlaps the prepared keys", name);
    return ATTUNE_OK;
}

static enum attune_status check_outputs(const struct attune_shape *shape,
                                        const struct attune_args *args)
{
    for (int32_t i = 0; i < ATTUNE_OUTPUT_SLOTS; i++) {
        const struct attune_tensor *tensor = &shape->problem.out[i];
        const char *name = attune_output_name(i);
        enum attune_status status;
        if (tensor->dtype == ATTUNE_ABSENT) {
            if (args->out[i])
                return attune_fail(ATTUNE_ERROR_INVALID,
                                   "%s: a pointer is given, but the problem does not "
                                   "ask for it",
                                   name ? name : "out[]");
            continue;
        }
        if ((status = check_pointer(name, tensor, args->out[i])) != ATTUNE_OK ||
            (status = check_overlap(shape, args, i)) != ATTUNE_OK)
            return status;
    }
    return ATTUNE_OK;
}

static enum attune_status check_struct(const struct attune_args *args)
{
    if (!args)
        return attune_fail(ATTUNE_ERROR_INVALID, "args: NULL");
    if (args->struct_size != sizeof *args)
        return attune_fail(ATTUNE_ERROR_INVALID, "struct_size: %zu, a struct attune_args has %zu",
                           args->struct_size, sizeof *args);
    return ATTUNE_OK;
}

enum attune_status attune_shape_check_args(const struct attune_shape *shape,
                                           const struct attune_args *args)
{
    enum attune_status status;
    if ((status = check_struct(args)) != ATTUNE_OK ||
        (status = check_inputs(shape, args)) != ATTUNE_OK ||
        (status = check_lengths(shape, args, ATTUNE_IN_KEY_LENGTHS)) != ATTUNE_OK ||
        (status = check_lengths(shape, args, ATTUNE_IN_QUERY_LENGTHS)) != ATTUNE_OK)
        return status;
    return check_outputs(shape, args);
}

enum attune_status attune_shape_check_key_args(const struct attune_shape *shape,
                                               const struct attune_args *args)
{
    enum attune_status status = check_struct(args);
    for (int32_t i = 0; status == ATTUNE_OK && i < ATTUNE_INPUT_COUNT; i++)
        if (is_key_side(i) && shape->problem.in[i].dtype != ATTUNE_ABSENT)
            status = check_pointer(attune_input_name(i), &shape->problem.in[i], args->in[i]);
    return status == ATTUNE_OK ? check_lengths(shape, args, ATTUNE_IN_KEY_LENGTHS) : status;
}
