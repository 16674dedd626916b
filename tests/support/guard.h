/* SPDX-License-Identifier: Apache-2.0
 *
 * Memory between two pages that may not be touched, so that an access one byte outside dies at
 * once.
 */
#ifndef ATTUNE_TESTS_GUARD_H
#define ATTUNE_TESTS_GUARD_H

#include <stddef.h>

struct guard {
    unsigned char *data; /* size bytes; never NULL, also for size 0 */
    size_t size;
    void *map;
    size_t map_size;
};

/* at_end: the last byte is followed by the guard page at once; else the first byte is preceded by
 * one. At the end, data is aligned to what `size` is a multiple of. */
void guard_create(struct guard *guard, size_t size, int at_end);
void guard_destroy(struct guard *guard);
/* From here on the memory can be read only. */
void guard_freeze(struct guard *guard);
/* From here on what is destroyed is kept for the next guard of as many pages, with what is written
 * there: for many small runs in one thread, none of which freezes. */
void guard_keep_mappings(void);

#endif
