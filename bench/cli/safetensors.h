/* SPDX-License-Identifier: Apache-2.0
 *
 * Reader and writer of the safetensors format: 8 bytes of header length, a JSON header, the
 * tensors' bytes. The reader takes nothing on trust and holds the whole file in memory, so that a
 * file cut off later cannot fault. Knows the format's types and nothing of attention.
 */
#ifndef ATTUNE_BENCH_CLI_SAFETENSORS_H
#define ATTUNE_BENCH_CLI_SAFETENSORS_H

#include <jansson.h>

#include "bench/cli/command.h"

enum {
    ATTUNE_SAFETENSORS_MAX_RANK = 8,
    ATTUNE_SAFETENSORS_MAX_HEADER = 16 << 20, /* bytes; labels of thousands of sentences fit */
    ATTUNE_SAFETENSORS_MAX_NAME = 256
};

struct attune_safetensor {
    const char *name;
    const char *type; /* the format's word: "F32", "F64", "BF16", "I64", "BOOL" ... */
    int32_t
        dtype; /* enum attune_dtype; ATTUNE_ABSENT for types that no kernel reads (F64, U8 ...) */
    int32_t rank;
    int64_t size[ATTUNE_SAFETENSORS_MAX_RANK];
    int64_t count;    /* elements */
    const void *data; /* aligned to its element */
    size_t bytes;
    void *copy; /* of the reader: what `data` points to where the file had it unaligned */
};

struct attune_safetensors {
    json_t *header;
    struct attune_safetensor *tensors; /* in the order of their bytes */
    size_t count;
    void *data;
};

/* Reads a whole file. Returns 0, or fills *trouble (ATTUNE_EXIT_USE for a file that is wrong,
 * ATTUNE_EXIT_SYSTEM where the system failed) and holds nothing. */
int attune_safetensors_read(const char *path, struct attune_safetensors *file,
                            struct attune_trouble *trouble);
void attune_safetensors_free(struct attune_safetensors *file);
/* NULL where there is none. */
const struct attune_safetensor *attune_safetensors_find(const struct attune_safetensors *file,
                                                        const char *name);
const char *attune_safetensors_metadata(const struct attune_safetensors *file, const char *key);

/* Writes tensors (name, type, rank, size, data, bytes) to exactly `path`, whole or not at all. */
int attune_safetensors_write(const char *path, const struct attune_safetensor *tensors,
                             size_t count, struct attune_trouble *trouble);

#endif
