/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/guard.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static void die(const char *what)
{
    perror(what);
    abort();
}

void guard_create(struct guard *guard, size_t size, int at_end)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const size_t inside = (size + page - 1) / page * page;
    guard->size = size;
    guard->map_size = inside + 2 * page;
    guard->map = mmap(NULL, guard->map_size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (guard->map == MAP_FAILED)
        die("mmap");
    unsigned char *first = (unsigned char *)guard->map + page;
    if (inside && mprotect(first, inside, PROT_READ | PROT_WRITE) != 0)
        die("mprotect");
    guard->data = at_end ? first + inside - size : first;
}

void guard_destroy(struct guard *guard)
{
    if (guard->map)
        munmap(guard->map, guard->map_size);
    guard->map = NULL;
}

void guard_freeze(struct guard *guard)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    if (guard->map_size > 2 * page &&
        mprotect((unsigned char *)guard->map + page, guard->map_size - 2 * page, PROT_READ) != 0)
        die("mprotect");
}
