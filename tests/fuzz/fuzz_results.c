/* SPDX-License-Identifier: Apache-2.0
 *
 * The reader of files of results. What it accepts can be written, and reads as the same again.
 */
#include "bench/result_file.h"
#include "tests/fuzz/fuzz.h"

/* Every line of a kind, written and read beside the machines it refers to. */
static void check_kind(const struct attune_results *results, enum attune_result_kind kind,
                       const void *lines, size_t size)
{
    for (int32_t i = 0; i < results->count[kind]; i++) {
        char *text = attune_line_text(kind, (const char *)lines + (size_t)i * size);
        MUST(text != NULL, "%s %d cannot be written", attune_line_word(kind), i);
        struct attune_results again = {0};
        const enum attune_status status = attune_results_parse(text, strlen(text), &again);
        /* Alone it lacks its machine, and nothing else. */
        MUST(status == ATTUNE_OK || strstr(attune_error_detail(), "machine") != NULL, "%s: %s", text,
             attune_error_detail());
        attune_results_free(&again);
        free(text);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct attune_results results = {0};
    if (attune_results_parse((const char *)data, size, &results) == ATTUNE_OK) {
        check_kind(&results, ATTUNE_LINE_MACHINE, results.machine, sizeof *results.machine);
        check_kind(&results, ATTUNE_LINE_ROOF, results.roof, sizeof *results.roof);
        check_kind(&results, ATTUNE_LINE_RESULT, results.result, sizeof *results.result);
        check_kind(&results, ATTUNE_LINE_LANDSCAPE, results.landscape, sizeof *results.landscape);
    }
    attune_results_free(&results);
    return 0;
}
