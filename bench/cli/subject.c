/* SPDX-License-Identifier: Apache-2.0
 *
 * SPEC or FILE.
 */
#include "bench/cli/subject.h"

#include <string.h>
#include <unistd.h>

#include "bench/cli/spec.h"

/* A SPEC has no dot before its first comma, nor is it the name of something that exists. */
static int names_file(const char *text)
{
    const char *dot = strchr(text, '.');
    return access(text, F_OK) == 0 || strchr(text, '/') != NULL ||
           (dot != NULL && dot < text + strcspn(text, ","));
}

int attune_subject_read(const char *text, struct attune_subject *subject,
                        struct attune_trouble *trouble)
{
    subject->from_file = 0;
    if (!names_file(text))
        return attune_spec_parse(text, &subject->problem, trouble);
    const int code = attune_problem_file_read(text, &subject->file, trouble);
    if (code == 0) {
        subject->problem = subject->file.problem;
        subject->from_file = 1;
    }
    return code;
}

void attune_subject_free(struct attune_subject *subject)
{
    if (subject->from_file)
        attune_problem_file_free(&subject->file);
    subject->from_file = 0;
}
