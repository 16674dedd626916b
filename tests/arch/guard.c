/* SPDX-License-Identifier: Apache-2.0
 *
 * Operands against unmapped pages, their fills and their comparison. A pool of regions is mapped once
 * and used again, so that a case costs no system call.
 */
#include "guard.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "kernel_tests.h"

/* Pages of every size that the tested systems use, up to 64 KiB. */
enum { GUARD = 65536, CAPACITY = 4 * 65536, REGIONS = 16, CANARY_SIZE = 256, CANARY = 0xc5 };

static struct {
    unsigned char *memory; /* CAPACITY bytes */
    unsigned char *canary;
} region[REGIONS];
static int taken;

static void map_region(int index)
{
    unsigned char *map = mmap(NULL, GUARD + CAPACITY + GUARD, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED || mprotect(map, GUARD, PROT_NONE) != 0 ||
        mprotect(map + GUARD + CAPACITY, GUARD, PROT_NONE) != 0) {
        perror("guarded memory");
        exit(1);
    }
    region[index].memory = map + GUARD;
}

void *test_take(size_t size, enum test_side side)
{
    if (taken == REGIONS || size + CANARY_SIZE > CAPACITY) {
        fprintf(stderr, "a case wants more guarded memory than there is\n");
        exit(1);
    }
    if (!region[taken].memory) map_region(taken);
    unsigned char *memory = region[taken].memory;
    unsigned char *data = side == TEST_AT_START ? memory : memory + CAPACITY - size;
    region[taken].canary = side == TEST_AT_START ? data + size : data - CANARY_SIZE;
    memset(data, CANARY, size);
    memset(region[taken++].canary, CANARY, CANARY_SIZE);
    return data;
}

float *test_floats(int64_t count, enum test_side side)
{
    return test_take((size_t)count * sizeof(float), side);
}

int guard_release_all(void)
{
    int intact = 1;
    while (taken > 0) {
        taken--;
        for (int i = 0; i < CANARY_SIZE; i++)
            intact &= region[taken].canary[i] == CANARY;
    }
    return intact;
}

float test_random(void)
{
    static uint32_t state = 0x9e3779b9u;
    state = state * 1664525u + 1013904223u;
    return (float)(state >> 8) * 0x1p-24f;
}

const char *test_fill_name(enum test_fill fill)
{
    static const char *const names[] = {"normal", "equal", "zero", "denormal", "inf", "NaN"};
    return names[fill];
}

static float special(enum test_fill fill)
{
    const float sign = test_random() < 0.5f ? -1.0f : 1.0f;
    switch (fill) {
    case TEST_ZERO: return sign * 0.0f;
    case TEST_DENORMAL: return sign * test_random() * 0x1p-126f;
    case TEST_INF: return sign * INFINITY;
    case TEST_NAN: return NAN;
    default: return sign;
    }
}

void test_fill_floats(float *x, int64_t count, enum test_fill fill)
{
    const float share = fill == TEST_ZERO || fill == TEST_DENORMAL ? 0.5f : 0.05f;
    for (int64_t i = 0; i < count; i++) {
        x[i] = fill == TEST_EQUAL ? 0.75f : test_random() * 2.0f - 1.0f;
        if (fill != TEST_NORMAL && fill != TEST_EQUAL && test_random() < share)
            x[i] = special(fill);
    }
}

int test_near(float got, double want, double bound)
{
    if (isnan(want)) return isnan(got);
    if (isinf(want)) return (double)got == want;
    return fabs((double)got - want) <= bound;
}

int test_same_bits(const float *a, const float *b, int64_t count)
{
    return count <= 0 || memcmp(a, b, (size_t)count * sizeof *a) == 0;
}
