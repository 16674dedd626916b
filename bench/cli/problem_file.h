/* SPDX-License-Identifier: Apache-2.0
 *
 * A problem file read into what the library takes: the fields of `attune.problem` as a struct
 * attune_problem, the tensors as arguments, and the expected results that lie beside them.
 */
#ifndef ATTUNE_BENCH_CLI_PROBLEM_FILE_H
#define ATTUNE_BENCH_CLI_PROBLEM_FILE_H

#include "bench/cli/safetensors.h"

struct attune_problem_file {
    struct attune_safetensors tensors;
    struct attune_problem problem; /* outputs as the file asks for them */
    const void *in[ATTUNE_INPUT_SLOTS];
    const struct attune_safetensor *expected[ATTUNE_OUTPUT_COUNT]; /* F32 or F64; NULL: none */
};

/* Reads and checks everything but the values of lengths, which attune_shape_check_args() sees.
 * Returns 0, or fills *trouble with the tensor or field at fault and holds nothing. */
int attune_problem_file_read(const char *path, struct attune_problem_file *file,
                             struct attune_trouble *trouble);
void attune_problem_file_free(struct attune_problem_file *file);

/* The fields alone, from the JSON text of `attune.problem`. */
int attune_problem_fields_read(const char *text, size_t length, struct attune_problem *problem,
                               struct attune_trouble *trouble);

#endif
