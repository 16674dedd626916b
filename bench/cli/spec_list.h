/* SPDX-License-Identifier: Apache-2.0
 *
 * A file that lists specs or names, one a line; what stands behind # is a remark.
 */
#ifndef ATTUNE_BENCH_CLI_SPEC_LIST_H
#define ATTUNE_BENCH_CLI_SPEC_LIST_H

#include <stddef.h>

#include "bench/cli/command.h"

enum { ATTUNE_SPEC_LIST_MAX = 1 << 20 }; /* bytes */

struct attune_spec_list {
    char *text;
    size_t size, at;
    int line; /* of the item that next() gave last */
};

/* Reads the whole of a regular file. Returns 0, or an exit code and *trouble; the path is the caller's to
 * name. */
int attune_spec_list_read(const char *path, struct attune_spec_list *list,
                          struct attune_trouble *trouble);
/* The next item, NULL at the end; *code: 0, or an exit code and *trouble where a line holds more than one
 * item, or bytes that are no text. */
char *attune_spec_list_next(struct attune_spec_list *list, int *code, struct attune_trouble *trouble);
void attune_spec_list_free(struct attune_spec_list *list);

#endif
