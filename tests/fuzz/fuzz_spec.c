/* SPDX-License-Identifier: Apache-2.0
 *
 * The notation of `--spec`. What is accepted describes tensors whose bytes can be counted, and the
 * library resolves it or names what it does not compute.
 */
#include "bench/cli/spec.h"
#include "engine/shape.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct attune_trouble trouble = {.text = ""};
    struct attune_problem problem;
    struct attune_shape shape;
    char *text = malloc(size + 1);

    memcpy(text, bytes, size);
    text[size] = '\0';
    int code = attune_spec_parse(text, &problem, &trouble);
    free(text);
    if (code != 0) {
        fuzz_check_trouble(code, &trouble);
        return 0;
    }
    for (int i = 0; i < ATTUNE_INPUT_COUNT; i++)
        for (int32_t axis = 0; axis < problem.in[i].rank; axis++)
            MUST(problem.in[i].size[axis] >= 0 && problem.in[i].stride[axis] >= 0, "%s",
                 attune_input_name(i));
    if (attune_shape_resolve(&problem, &shape) != ATTUNE_OK)
        MUST(strchr(attune_error_detail(), ':') != NULL, "%s", attune_error_detail());
    return 0;
}
