/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/guard.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* Mappings that wait for another guard of as many pages; the first bytes of each tell the next. */
enum { KEPT_PAGES = 256 };
static void **kept[KEPT_PAGES + 1];
static int keeps;

static void die(const char *what)
{
    perror(what);
    abort();
}

static size_t page_size(void)
{
    static size_t size;
    if (size == 0)
        size = (size_t)sysconf(_SC_PAGESIZE);
    return size;
}

void guard_keep_mappings(void)
{
    keeps = 1;
}

/* The first byte between the guard pages of a mapping with `pages` in between. */
static unsigned char *map_pages(struct guard *guard, size_t pages)
{
    const size_t page = page_size();
    guard->map_size = (pages + 2) * page;
    if (pages > 0 && pages <= KEPT_PAGES && kept[pages]) {
        void **first = kept[pages];
        kept[pages] = *first;
        guard->map = (unsigned char *)first - page;
        return (unsigned char *)first;
    }
    guard->map = mmap(NULL, guard->map_size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (guard->map == MAP_FAILED)
        die("mmap");
    unsigned char *first = (unsigned char *)guard->map + page;
    if (pages && mprotect(first, pages * page, PROT_READ | PROT_WRITE) != 0)
        die("mprotect");
    return first;
}

void guard_create(struct guard *guard, size_t size, int at_end)
{
    const size_t page = page_size(), pages = (size + page - 1) / page;
    unsigned char *first = map_pages(guard, pages);
    guard->size = size;
    guard->data = at_end ? first + pages * page - size : first;
}

void guard_destroy(struct guard *guard)
{
    const size_t page = page_size(), pages = guard->map ? guard->map_size / page - 2 : 0;
    if (keeps && pages > 0 && pages <= KEPT_PAGES) {
        void **first = (void **)((unsigned char *)guard->map + page);
        *first = kept[pages];
        kept[pages] = first;
    } else if (guard->map) {
        munmap(guard->map, guard->map_size);
    }
    guard->map = NULL;
}

void guard_freeze(struct guard *guard)
{
    const size_t page = page_size();
    if (guard->map_size > 2 * page &&
        mprotect((unsigned char *)guard->map + page, guard->map_size - 2 * page, PROT_READ) != 0)
        die("mprotect");
}
