/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/box.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/oracle.h"

#define CANARY 0xa5

void box_create(struct box *box, enum attune_mechanism mechanism, uint64_t seed)
{
    memset(box, 0, sizeof *box);
    attune_problem_init(&box->problem, mechanism);
    box->args.struct_size = sizeof box->args;
    box->random.state = seed;
}

void box_destroy(struct box *box)
{
    for (int i = 0; i < ATTUNE_INPUT_COUNT; i++)
        guard_destroy(&box->input[i]);
}

int box_has(const struct box *box, enum attune_input input)
{
    return box->problem.in[input].dtype != ATTUNE_ABSENT;
}

int box_is_shared(const struct box *box, enum attune_input input)
{
    const struct attune_tensor *tensor = &box->problem.in[input];
    for (int axis = 0; axis < tensor->rank; axis++)
        if (tensor->size[axis] > 1 && tensor->stride[axis] == 0)
            return 1;
    return 0;
}

int box_next(const struct attune_tensor *tensor, int64_t *index)
{
    for (int axis = tensor->rank - 1; axis >= 0; axis--) {
        if (++index[axis] < tensor->size[axis])
            return 1;
        index[axis] = 0;
    }
    return 0;
}

static int is_empty(const struct attune_tensor *tensor)
{
    for (int axis = 0; axis < tensor->rank; axis++)
        if (tensor->size[axis] == 0)
            return 1;
    return 0;
}

static int64_t offset_of(const struct attune_tensor *tensor, const int64_t *index)
{
    int64_t offset = 0;
    for (int axis = 0; axis < tensor->rank; axis++)
        offset += index[axis] * tensor->stride[axis];
    return offset;
}

static size_t span_bytes(const struct attune_tensor *tensor)
{
    int64_t last = 1;
    if (is_empty(tensor))
        return 0;
    for (int axis = 0; axis < tensor->rank; axis++)
        last += (tensor->size[axis] - 1) * tensor->stride[axis];
    return (size_t)last * attune_dtype_size(tensor->dtype);
}

/* A random order of the axes with random gaps; the last axis stays dense where it must. */
static void shuffle_layout(struct test_random *random, struct attune_tensor *tensor, int unit_last)
{
    int order[ATTUNE_MAX_RANK] = {0, 1, 2, 3};
    const int free_axes = unit_last ? tensor->rank - 1 : tensor->rank;
    for (int i = free_axes - 1; i > 0; i--) {
        const int j = (int)random_between(random, 0, i), kept = order[i];
        order[i] = order[j];
        order[j] = kept;
    }
    int64_t stride = 1;
    for (int i = tensor->rank - 1; i >= 0; i--) {
        const int axis = order[i];
        tensor->stride[axis] = stride;
        stride *= tensor->size[axis] > 1 ? tensor->size[axis] : 1;
        if (random_chance(random, 30))
            stride += random_between(random, 1, 5);
    }
}

/* Now and then one axis repeats a single entry. */
static void repeat_axis(struct test_random *random, struct attune_tensor *tensor, int unit_last)
{
    const int axes = unit_last ? tensor->rank - 1 : tensor->rank;
    if (axes > 0 && random_chance(random, 12))
        tensor->stride[random_between(random, 0, axes - 1)] = 0;
}

static uint16_t half_bits(double value)
{
    uint32_t bits;
    const float f = (float)value;
    memcpy(&bits, &f, sizeof bits);
    const uint32_t sign = bits >> 16 & 0x8000;
    if (isnan(value))
        return (uint16_t)(sign | 0x7e00);
    if (fabs(value) >= 65520)
        return (uint16_t)(sign | 0x7c00);
    if (fabs(value) < 0x1p-14)
        return (uint16_t)(sign | (uint32_t)nearbyint(fabs(value) * 0x1p24));
    bits += 0xfff + (bits >> 13 & 1);
    return (uint16_t)(sign | (((bits & 0x7fffffff) >> 13) - 0x1c000));
}

static uint16_t brain_bits(double value)
{
    uint32_t bits;
    const float f = (float)value;
    memcpy(&bits, &f, sizeof bits);
    if (isnan(value))
        return 0x7fc0;
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static void write_element(unsigned char *base, int32_t dtype, int64_t offset, double value)
{
    unsigned char *at = base + offset * (int64_t)attune_dtype_size(dtype);
    const float f = (float)value;
    const uint16_t half = dtype == ATTUNE_F16 ? half_bits(value) : brain_bits(value);
    const int32_t i = dtype == ATTUNE_I32 ? (int32_t)value : 0;
    const int64_t l = dtype == ATTUNE_I64 ? (int64_t)value : 0;
    switch (dtype) {
    case ATTUNE_F32: memcpy(at, &f, sizeof f); break;
    case ATTUNE_F16:
    case ATTUNE_BF16: memcpy(at, &half, sizeof half); break;
    case ATTUNE_I32: memcpy(at, &i, sizeof i); break;
    case ATTUNE_I64: memcpy(at, &l, sizeof l); break;
    default: *at = (unsigned char)(int)value; break;
    }
}

static double draw(struct test_random *random, int32_t dtype, double scale)
{
    switch (dtype) {
    case ATTUNE_I8: return (double)random_between(random, -128, 127);
    case ATTUNE_BOOL: return random_chance(random, 75) ? (double)random_between(random, 1, 255) : 0;
    case ATTUNE_I32:
    case ATTUNE_I64: return (double)random_between(random, 0, (int64_t)scale);
    default: return scale * random_normal(random);
    }
}

void box_input(struct box *box, enum attune_input input, enum attune_dtype dtype, double scale,
               int32_t rank, const int64_t *size)
{
    struct attune_tensor *tensor = &box->problem.in[input];
    struct guard *guard = &box->input[input];
    const int unit_last = input <= ATTUNE_IN_X;
    int64_t index[ATTUNE_MAX_RANK] = {0};
    guard_destroy(guard);
    attune_problem_input(&box->problem, input, dtype, rank, size);
    if (box->any_layout) {
        shuffle_layout(&box->random, tensor, unit_last);
        repeat_axis(&box->random, tensor, unit_last);
    }
    guard_create(guard, span_bytes(tensor), random_chance(&box->random, 70));
    memset(guard->data, 0xff, guard->size);
    box->args.in[input] = guard->data;
    if (is_empty(tensor))
        return;
    do
        write_element(guard->data, tensor->dtype, offset_of(tensor, index),
                      draw(&box->random, (int32_t)dtype, scale));
    while (box_next(tensor, index));
}

double box_get(const struct box *box, enum attune_input input, const int64_t *index)
{
    return oracle_element(&box->problem, &box->args, input,
                          offset_of(&box->problem.in[input], index));
}

void box_set(struct box *box, enum attune_input input, const int64_t *index, double value)
{
    const struct attune_tensor *tensor = &box->problem.in[input];
    write_element(box->input[input].data, tensor->dtype, offset_of(tensor, index), value);
}

void box_set_all(struct box *box, enum attune_input input, double value)
{
    int64_t index[ATTUNE_MAX_RANK] = {0};
    if (!is_empty(&box->problem.in[input]))
        do
            box_set(box, input, index, value);
        while (box_next(&box->problem.in[input], index));
}

void box_output(struct box *box, enum attune_output output)
{
    struct attune_tensor natural;
    attune_problem_output(&box->problem, output);
    if (!box->any_layout || random_chance(&box->random, 50) ||
        attune_problem_output_shape(&box->problem, output, &natural) != ATTUNE_OK)
        return;
    shuffle_layout(&box->random, &natural, output == ATTUNE_OUT_OUT);
    box->problem.out[output] = natural;
}

/* Copies an output into packed float32, and counts the elements of its memory that belong to
 * nothing and were written all the same. */
static void gather(const struct attune_tensor *tensor, struct guard *guard, float **value,
                   int64_t *count, int64_t *strays)
{
    int64_t index[ATTUNE_MAX_RANK] = {0};
    *count = 0;
    *value = calloc(guard->size / sizeof(float) + 1, sizeof **value);
    if (is_empty(tensor))
        return;
    do {
        unsigned char *at = guard->data + offset_of(tensor, index) * (int64_t)sizeof(float);
        memcpy(&(*value)[(*count)++], at, sizeof(float));
        memset(at, CANARY, sizeof(float));
    } while (box_next(tensor, index));
    for (size_t byte = 0; byte < guard->size; byte++)
        *strays += guard->data[byte] != CANARY;
}

static void fail_with(struct box_result *result, enum attune_status status)
{
    result->status = status;
    snprintf(result->detail, sizeof result->detail, "%s", attune_error_detail());
}

/* prepare and execute, each with a workspace that ends at a guard page (and so has any alignment).
 */
static enum attune_status prepare_and_execute(struct box *box, const struct attune_plan *plan)
{
    struct guard workspace, prepared = {0};
    enum attune_status status = ATTUNE_OK;
    guard_create(&workspace, attune_plan_workspace_size(plan), 1);
    memset(workspace.data, 0xff, workspace.size);
    box->args.workspace = workspace.data;
    box->args.workspace_size = workspace.size;
    if (box->problem.flags & ATTUNE_PREPARED_KEYS) {
        guard_create(&prepared, attune_plan_prepared_size(plan), 1);
        memset(prepared.data, 0xff, prepared.size);
        status = attune_plan_prepare(plan, &box->args, prepared.data, prepared.size);
        memset(workspace.data, 0xff, workspace.size);
        box->args.prepared = prepared.data;
        box->args.prepared_size = prepared.size;
    }
    if (status == ATTUNE_OK)
        status = attune_plan_execute(plan, &box->args);
    box->args.workspace = NULL;
    box->args.prepared = NULL;
    box->args.workspace_size = box->args.prepared_size = 0;
    guard_destroy(&workspace);
    guard_destroy(&prepared);
    return status;
}

void box_run_plan(struct box *box, const struct attune_plan *plan, struct box_result *result)
{
    struct guard output[ATTUNE_OUTPUT_COUNT];
    struct attune_tensor shape[ATTUNE_OUTPUT_COUNT];
    memset(result, 0, sizeof *result);
    memset(output, 0, sizeof output);
    attune_plan_describe(plan, result->kernels, sizeof result->kernels);
    for (int o = 0; o < ATTUNE_OUTPUT_COUNT; o++) {
        shape[o] = box->problem.out[o];
        if (shape[o].dtype == ATTUNE_ABSENT)
            continue;
        if (shape[o].rank == 0)
            attune_problem_output_shape(&box->problem, (enum attune_output)o, &shape[o]);
        guard_create(&output[o], span_bytes(&shape[o]), random_chance(&box->random, 70));
        memset(output[o].data, CANARY, output[o].size);
        box->args.out[o] = output[o].data;
    }
    const enum attune_status status = prepare_and_execute(box, plan);
    if (status != ATTUNE_OK)
        fail_with(result, status);
    for (int o = 0; o < ATTUNE_OUTPUT_COUNT; o++) {
        box->args.out[o] = NULL;
        if (shape[o].dtype == ATTUNE_ABSENT)
            continue;
        gather(&shape[o], &output[o], &result->value[o], &result->count[o], &result->strays);
        guard_destroy(&output[o]);
    }
}

void box_run(struct box *box, struct attune_context *context, struct box_result *result)
{
    struct attune_plan *plan = NULL;
    const enum attune_status status = attune_plan_create(context, &box->problem, &plan);
    if (status != ATTUNE_OK) {
        memset(result, 0, sizeof *result);
        fail_with(result, status);
        return;
    }
    box_run_plan(box, plan, result);
    attune_plan_release(plan);
}

void box_result_free(struct box_result *result)
{
    for (int o = 0; o < ATTUNE_OUTPUT_COUNT; o++)
        free(result->value[o]);
    memset(result, 0, sizeof *result);
}

void box_describe(const struct box *box, char *text, size_t size)
{
    const struct attune_problem *p = &box->problem;
    const char *form = attune_form_name(p->form);
    int used = snprintf(text, size,
                        "%s %s causal=%d past=%" PRId64 " window=%" PRId64 ",%" PRId64
                        " softcap=%g flags=%u stage=%d |",
                        attune_mechanism_name(p->mechanism), form ? form : "-", p->causal, p->past,
                        p->has_window_left ? p->window_left : -1,
                        p->has_window_right ? p->window_right : -1, p->softcap, p->flags, p->stage);
    for (int i = 0; i < ATTUNE_INPUT_COUNT + ATTUNE_OUTPUT_COUNT; i++) {
        const int is_input = i < ATTUNE_INPUT_COUNT;
        const struct attune_tensor *t = is_input ? &p->in[i] : &p->out[i - ATTUNE_INPUT_COUNT];
        if (t->dtype == ATTUNE_ABSENT || used < 0 || (size_t)used >= size)
            continue;
        used +=
            snprintf(text + used, size - (size_t)used, " %s:%s",
                     is_input ? attune_input_name(i) : attune_output_name(i - ATTUNE_INPUT_COUNT),
                     attune_dtype_name(t->dtype));
        for (int axis = 0; axis < t->rank && used > 0 && (size_t)used < size; axis++)
            used += snprintf(text + used, size - (size_t)used, "%c%" PRId64 "/%" PRId64,
                             axis ? ',' : '[', t->size[axis], t->stride[axis]);
        if (t->rank && used > 0 && (size_t)used < size)
            used += snprintf(text + used, size - (size_t)used, "]");
    }
}
