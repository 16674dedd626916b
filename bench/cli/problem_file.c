/* SPDX-License-Identifier: Apache-2.0
 *
 * From a safetensors file to a problem: which name is which input, which is an expectation, and
 * that there is nothing else. What shapes agree is the library's to check.
 */
#include "bench/cli/problem_file.h"

#include <inttypes.h>
#include <string.h>

#include "engine/shape.h"

#define WRONG(...) attune_trouble_set(trouble, ATTUNE_EXIT_USE, __VA_ARGS__)

static const char expected_prefix[] = "expected_";

/* The number of an output that `name` is the expectation of; -1 for none. */
static int expectation_of(const char *name)
{
    size_t prefix = sizeof expected_prefix - 1;

    if (strncmp(name, expected_prefix, prefix) != 0)
        return -1;
    for (int32_t i = 0; i < ATTUNE_OUTPUT_COUNT; i++) {
        if (strcmp(name + prefix, attune_output_name(i)) == 0)
            return i;
    }
    return -1;
}

static int add_input(struct attune_problem_file *file, const struct attune_safetensor *tensor,
                     struct attune_trouble *trouble)
{
    int32_t input = 0;

    while (input < ATTUNE_INPUT_COUNT && strcmp(tensor->name, attune_input_name(input)) != 0)
        input++;
    if (input == ATTUNE_INPUT_COUNT)
        return WRONG("%.64s: no tensor of a problem has this name", tensor->name);
    if (tensor->dtype == ATTUNE_ABSENT)
        return WRONG("%s: dtype %s is none that an input may have", tensor->name, tensor->type);
    if (tensor->rank > ATTUNE_MAX_RANK)
        return WRONG("%s: shape: %" PRId32 " axes, at most %d are known", tensor->name,
                     tensor->rank, ATTUNE_MAX_RANK);
    attune_problem_input(&file->problem, (enum attune_input)input, (enum attune_dtype)tensor->dtype,
                         tensor->rank, tensor->size);
    file->in[input] = tensor->data;
    return 0;
}

static int add_tensors(struct attune_problem_file *file, struct attune_trouble *trouble)
{
    int code = 0;

    for (size_t i = 0; i < file->tensors.count && code == 0; i++) {
        const struct attune_safetensor *tensor = &file->tensors.tensors[i];
        int output = expectation_of(tensor->name);
        if (output < 0)
            code = add_input(file, tensor, trouble);
        else if (strcmp(tensor->type, "F32") != 0 && strcmp(tensor->type, "F64") != 0)
            code = WRONG("%s: dtype %s, it must be F32 or F64", tensor->name, tensor->type);
        else
            file->expected[output] = tensor;
    }
    return code;
}

/* Expectations have the natural shape of their output. */
static int check_expected(const struct attune_problem_file *file, struct attune_trouble *trouble)
{
    for (int32_t i = 0; i < ATTUNE_OUTPUT_COUNT; i++) {
        const struct attune_safetensor *expected = file->expected[i];
        struct attune_tensor natural;
        enum attune_status status;
        if (expected == NULL)
            continue;
        status = attune_problem_output_shape(&file->problem, (enum attune_output)i, &natural);
        if (status != ATTUNE_OK)
            return attune_trouble_status(trouble, status);
        if (expected->rank != natural.rank)
            return WRONG("%s: shape: %" PRId32 " axes, %s has %" PRId32, expected->name,
                         expected->rank, attune_output_name(i), natural.rank);
        for (int32_t axis = 0; axis < natural.rank; axis++) {
            if (expected->size[axis] != natural.size[axis])
                return WRONG("%s: shape: %" PRId64 " on axis %" PRId32 ", %s has %" PRId64,
                             expected->name, expected->size[axis], axis, attune_output_name(i),
                             natural.size[axis]);
        }
    }
    return 0;
}

static int fill(struct attune_problem_file *file, struct attune_trouble *trouble)
{
    const char *text = attune_safetensors_metadata(&file->tensors, "attune.problem");
    struct attune_shape shape;
    enum attune_status status;
    int code;

    if (text == NULL)
        return WRONG("attune.problem: missing from __metadata__, this is no problem file");
    code = attune_problem_fields_read(text, strlen(text), &file->problem, trouble);
    if (code == 0)
        code = add_tensors(file, trouble);
    if (code != 0)
        return code;
    status = attune_shape_resolve(&file->problem, &shape);
    if (status != ATTUNE_OK)
        return attune_trouble_status(trouble, status);
    return check_expected(file, trouble);
}

int attune_problem_file_read(const char *path, struct attune_problem_file *file,
                             struct attune_trouble *trouble)
{
    int code;

    memset(file, 0, sizeof *file);
    code = attune_safetensors_read(path, &file->tensors, trouble);
    if (code != 0)
        return code;
    code = fill(file, trouble);
    if (code != 0)
        attune_problem_file_free(file);
    return code;
}

void attune_problem_file_free(struct attune_problem_file *file)
{
    attune_safetensors_free(&file->tensors);
    memset(file, 0, sizeof *file);
}
