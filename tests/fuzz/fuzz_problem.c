/* SPDX-License-Identifier: Apache-2.0
 *
 * The JSON of a problem file's metadata `attune.problem`. What is accepted has every field in the
 * range that the struct promises, or the library refuses it by name.
 */
#include "bench/cli/problem_file.h"
#include "engine/shape.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct attune_trouble trouble = {.text = ""};
    struct attune_problem problem;
    struct attune_shape shape;
    int outputs = 0;
    char *text = malloc(size + 1); /* its own block: one byte beyond is seen */

    memcpy(text, bytes, size);
    int code = attune_problem_fields_read(text, size, &problem, &trouble);
    free(text);
    if (code != 0) {
        fuzz_check_trouble(code, &trouble);
        return 0;
    }
    MUST(attune_mechanism_name(problem.mechanism) != NULL, "mechanism %d", problem.mechanism);
    for (int i = 0; i < ATTUNE_OUTPUT_SLOTS; i++)
        outputs += problem.out[i].dtype != ATTUNE_ABSENT;
    MUST(outputs > 0 && outputs <= ATTUNE_OUTPUT_COUNT, "%d outputs", outputs);
    MUST(attune_shape_resolve(&problem, &shape) != ATTUNE_OK, "a problem without tensors");
    MUST(strchr(attune_error_detail(), ':') != NULL, "%s", attune_error_detail());
    return 0;
}
