/* SPDX-License-Identifier: Apache-2.0
 *
 * What a command is asked about: a problem by SPEC, or one in a file. Tells the two apart.
 */
#ifndef ATTUNE_BENCH_CLI_SUBJECT_H
#define ATTUNE_BENCH_CLI_SUBJECT_H

#include "bench/cli/problem_file.h"

struct attune_subject {
    struct attune_problem problem;
    struct attune_problem_file file; /* where it came from one */
    int from_file;
};

/* 0, or an exit code after filling *trouble. Free it in either case. */
int attune_subject_read(const char *text, struct attune_subject *subject,
                        struct attune_trouble *trouble);
void attune_subject_free(struct attune_subject *subject);

#endif
