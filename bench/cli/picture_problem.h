/* SPDX-License-Identifier: Apache-2.0
 *
 * One alignment of a problem file, computed and handed to whoever draws it.
 */
#ifndef ATTUNE_BENCH_CLI_PICTURE_PROBLEM_H
#define ATTUNE_BENCH_CLI_PICTURE_PROBLEM_H

#include "bench/cli/command.h"
#include "bench/cli/picture.h"

/* Draws; returns 0, or fills *trouble. The picture lives as long as the call. */
typedef int attune_picture_draw_fn(const struct attune_picture *picture, void *user,
                                   struct attune_trouble *trouble);

struct attune_picture_request {
    const char *file;
    const char *entry; /* a number or the key labels of a sequence; NULL: the first */
    int64_t head;
    const char *rows, *columns; /* what they are */
    attune_picture_draw_fn *draw;
    void *user;
};

/* Returns 0 or what draw() returned, or fills *trouble. */
int attune_picture_problem(const struct attune_picture_request *request,
                           struct attune_trouble *trouble);

#endif
