/* SPDX-License-Identifier: Apache-2.0
 *
 * A file that appears whole or not at all: written beside its place, synced, renamed over it. A
 * symbolic link is followed (the link stays, its target is replaced); what is no regular file (a
 * FIFO, a device, /dev/stdout) is written straight. Knows nothing of what is written.
 */
#ifndef ATTUNE_BENCH_CLI_OUTPUT_H
#define ATTUNE_BENCH_CLI_OUTPUT_H

#include <stddef.h>

#include "bench/cli/command.h"
#include "tuner/atomic_file.h"

struct attune_output_file {
    int fd;
    struct attune_atomic_file file; /* target NULL: written straight */
};

/* Opens the output; *output stays where it is until it is committed or discarded. Returns 0, or fills *trouble ("cannot write: REASON") and leaves nothing
 * behind. */
int attune_output_open(struct attune_output_file *output, const char *path,
                       struct attune_trouble *trouble);
int attune_output_write(struct attune_output_file *output, const void *data, size_t size,
                        struct attune_trouble *trouble);
/* Makes it durable and visible; on failure the old file, if any, is untouched and *output is
 * closed. */
int attune_output_commit(struct attune_output_file *output, struct attune_trouble *trouble);
/* Gives it up, leaving nothing behind. Harmless after a commit. */
void attune_output_discard(struct attune_output_file *output);

/* All of it at once. */
int attune_output_put(const char *path, const void *data, size_t size,
                      struct attune_trouble *trouble);

/* Whether both paths lead to one file that is there. */
int attune_output_is_same_file(const char *a, const char *b);
/* Whether `path` is where standard output goes already: text must then go elsewhere. */
int attune_output_is_stdout(const char *path);
/* Removes the temporary file of an output in progress. For signal handlers. */
void attune_output_abandon(void);

#endif
