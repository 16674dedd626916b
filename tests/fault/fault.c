/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fault/fault.h"

#include <errno.h>
#include <link.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Ours stand before glibc's own, which keeps other names for this; a sanitizer's malloc must stay, and
 * the linker leads Attune's calls past ours (--wrap). */
#ifdef ATTUNE_FAULT_WRAPS
#define OURS(name) __wrap_##name
#define REAL(name) __real_##name
void *OURS(malloc)(size_t size);
void *OURS(calloc)(size_t count, size_t size);
void *OURS(realloc)(void *block, size_t size);
void *OURS(memalign)(size_t alignment, size_t size);
void *OURS(aligned_alloc)(size_t alignment, size_t size);
int OURS(posix_memalign)(void **block, size_t alignment, size_t size);
void OURS(free)(void *block);
#else
#define OURS(name) name
#define REAL(name) __libc_##name
#endif
void *REAL(malloc)(size_t size);
void *REAL(calloc)(size_t count, size_t size);
void *REAL(realloc)(void *block, size_t size);
void *REAL(memalign)(size_t alignment, size_t size);
void REAL(free)(void *block);

enum { FOREIGN_MAX = 64, TRACKED = 1 << 16 };

static struct {
    uintptr_t first, last;
} foreign[FOREIGN_MAX];
static int foreign_count, ready;
static atomic_long counted, fail_at, live;
static atomic_int armed, fail_onward;
/* Addresses of counted blocks, hashed; more than a test ever has. */
static _Atomic uintptr_t tracked[TRACKED];

static int note_module(struct dl_phdr_info *module, size_t size, void *unused)
{
    static const char *const names[] = {"libdnnl", "libhwloc",  "libgomp", "libomp",  "libstdc++",
                                        "libpci",  "libOpenCL", "libxml2", "libudev", "libltdl",
                                        "ld-linux"};
    (void)size;
    (void)unused;
    for (size_t n = 0; n < sizeof names / sizeof *names; n++)
        for (int i = 0; strstr(module->dlpi_name, names[n]) && i < module->dlpi_phnum; i++)
            if (module->dlpi_phdr[i].p_type == PT_LOAD && foreign_count < FOREIGN_MAX) {
                foreign[foreign_count].first = module->dlpi_addr + module->dlpi_phdr[i].p_vaddr;
                foreign[foreign_count].last =
                    foreign[foreign_count].first + module->dlpi_phdr[i].p_memsz;
                foreign_count++;
            }
    return 0;
}

static int is_foreign(uintptr_t caller)
{
    for (int i = 0; i < foreign_count; i++)
        if (caller >= foreign[i].first && caller < foreign[i].last)
            return 1;
    return 0;
}

__attribute__((constructor)) static void begin(void)
{
    const char *at = getenv("ATTUNE_FAULT_AT"), *onward = getenv("ATTUNE_FAULT_ONWARD");
    dl_iterate_phdr(note_module, NULL);
    ready = 1;
    if (at)
        fault_arm(atol(at), onward != NULL);
}

__attribute__((destructor)) static void end(void)
{
    const char *to = getenv("ATTUNE_FAULT_COUNT");
    char text[32];
    if (to) {
        const int length = snprintf(text, sizeof text, "%ld\n", fault_disarm());
        if (write(atoi(to), text, (size_t)length) != length)
            _exit(125);
    }
}

void fault_arm(long at, int onward)
{
    counted = 0;
    fail_at = at;
    fail_onward = onward;
    armed = 1;
}

long fault_disarm(void)
{
    armed = 0;
    return counted;
}

long fault_live(void)
{
    return live;
}

/* Whether the allocation that `caller` asks for is to fail. */
static int fails(void *caller, int *counts)
{
    *counts = armed && ready && !is_foreign((uintptr_t)caller);
    if (!*counts)
        return 0;
    const long number = ++counted, at = fail_at;
    if (at == 0 || !(number == at || (fail_onward && number > at)))
        return 0;
    errno = ENOMEM;
    return 1;
}

static _Atomic uintptr_t *slot_of(uintptr_t block, uintptr_t wanted)
{
    for (size_t i = 0; i < TRACKED; i++) {
        _Atomic uintptr_t *slot = &tracked[(block / 16 + i) % TRACKED];
        uintptr_t expected = wanted;
        if (*slot == wanted && atomic_compare_exchange_strong(slot, &expected, block))
            return slot;
        if (wanted != 0 && *slot == 0)
            return NULL;
    }
    return NULL;
}

/* Freed slots keep a mark, so that a search goes on behind them. */
enum { GONE = 1 };

static void *track(void *block, int counts)
{
    if (block && counts && (slot_of((uintptr_t)block, 0) || slot_of((uintptr_t)block, GONE)))
        live++;
    return block;
}

static void forget(void *block)
{
    if (!block || live == 0)
        return;
    _Atomic uintptr_t *slot = slot_of((uintptr_t)block, (uintptr_t)block);
    if (slot) {
        *slot = GONE;
        live--;
    }
}

void *OURS(malloc)(size_t size)
{
    int counts;
    if (fails(__builtin_return_address(0), &counts))
        return NULL;
    return track(REAL(malloc)(size), counts);
}

void *OURS(calloc)(size_t count, size_t size)
{
    int counts;
    if (fails(__builtin_return_address(0), &counts))
        return NULL;
    return track(REAL(calloc)(count, size), counts);
}

void *OURS(realloc)(void *block, size_t size)
{
    int counts;
    if (fails(__builtin_return_address(0), &counts))
        return NULL;
    forget(block);
    return track(REAL(realloc)(block, size), counts);
}

static void *aligned(size_t alignment, size_t size, void *caller)
{
    int counts;
    if (fails(caller, &counts))
        return NULL;
    return track(REAL(memalign)(alignment, size), counts);
}

void *OURS(memalign)(size_t alignment, size_t size)
{
    return aligned(alignment, size, __builtin_return_address(0));
}

void *OURS(aligned_alloc)(size_t alignment, size_t size)
{
    return aligned(alignment, size, __builtin_return_address(0));
}

int OURS(posix_memalign)(void **block, size_t alignment, size_t size)
{
    void *made = aligned(alignment, size, __builtin_return_address(0));
    if (!made)
        return ENOMEM;
    *block = made;
    return 0;
}

void OURS(free)(void *block)
{
    forget(block);
    REAL(free)(block);
}
