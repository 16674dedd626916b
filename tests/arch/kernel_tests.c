/* SPDX-License-Identifier: Apache-2.0
 *
 * kernel_tests [--list] [--detect] [--small] [--filter TEXT] [--require ISA]: every kernel of the
 * registry that this CPU can run, against its contract. Prints the checks of each instruction set, and
 * ends with "N passed, N failed"; exits with 0 when none failed.
 *   --list          the kernels, and whether this CPU can run them
 *   --detect        what this CPU is taken for, and no test
 *   --small         small shapes, for emulators
 *   --filter TEXT   only kernels whose name contains TEXT
 *   --require ISA   fails when no kernel of that instruction set ran
 */
#include "kernel_tests.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/cpu.h"
#include "guard.h"

int test_small;

static struct {
    const struct attune_kernel *kernel;
    char name[192], reason[256];
    int failed;
} current;
static int passed, failed;

void test_case_begin(const struct attune_kernel *kernel, const char *format, ...)
{
    va_list list;
    current.kernel = kernel;
    current.failed = 0;
    va_start(list, format);
    vsnprintf(current.name, sizeof current.name, format, list);
    va_end(list);
}

void test_case_fail(const char *format, ...)
{
    va_list list;
    if (current.failed++) return;
    va_start(list, format);
    vsnprintf(current.reason, sizeof current.reason, format, list);
    va_end(list);
}

void test_case_end(void)
{
    if (!guard_release_all()) test_case_fail("wrote outside its operands");
    if (current.failed == 0) {
        passed++;
        return;
    }
    failed++;
    printf("FAILED %s: %s: %s (%d)\n", current.kernel ? current.kernel->name : "registry",
           current.name, current.reason, current.failed);
}

static kernel_test_fn *const tests[ATTUNE_OP_COUNT] = {
#define X(name, word) [ATTUNE_OP_##name] = test_##word,
    KERNEL_TESTS(X)
#undef X
};

/* Every ceiling: what is found is usable, in the order of the list, and no operation is left out. */
static void test_registry(void)
{
    const char *const words[] = {"scalar", "avx2", "avx512", "neon"};
    for (size_t w = 0; w < sizeof words / sizeof words[0]; w++) {
        uint32_t features = attune_cpu_detect()->usable;
        test_case_begin(NULL, "ceiling %s", words[w]);
        if (!attune_cpu_mask(words[w], &features)) test_case_fail("unknown word");
        for (int op = 0; op < ATTUNE_OP_COUNT; op++) {
            const struct attune_kernel *kernel = NULL;
            int found = 0, last = -1;
            while ((kernel = attune_kernel_next((enum attune_operation)op, features, kernel))) {
                const int index = (int)(kernel - attune_kernel_at(0));
                if (index <= last || kernel->operation != (enum attune_operation)op ||
                    (kernel->requires & ~features))
                    test_case_fail("%s out of place", kernel->name);
                last = index;
                found++;
            }
            if (!found) test_case_fail("no %s", attune_operation_word((enum attune_operation)op));
        }
        test_case_end();
    }
    test_case_begin(NULL, "names");
    for (int i = 0; i < attune_kernel_count(); i++)
        if (attune_kernel_find(attune_kernel_at(i)->name) != attune_kernel_at(i))
            test_case_fail("two kernels are called %s", attune_kernel_at(i)->name);
    if (attune_kernel_find("score_dot_abacus") || attune_kernel_at(-1) ||
        attune_kernel_at(attune_kernel_count()))
        test_case_fail("found what is not there");
    test_case_end();
}

static int usable(const struct attune_kernel *kernel)
{
    return attune_kernel_usable(kernel, attune_cpu_detect()->usable);
}

static void run_kernel(const struct attune_kernel *kernel)
{
    if (tests[kernel->operation]) {
        tests[kernel->operation](kernel);
        return;
    }
    test_case_begin(kernel, "a test of this operation");
    test_case_fail("there is none");
    test_case_end();
}

/* The checks of each instruction set in turn; `required` must be among those that ran. */
static void run_kernels(const char *filter, const char *required)
{
    int ran = required == NULL;
    for (int i = 0; i < attune_kernel_count();) {
        const char *isa = attune_kernel_at(i)->isa;
        const int before = passed + failed;
        for (; i < attune_kernel_count() && strcmp(attune_kernel_at(i)->isa, isa) == 0; i++)
            if (usable(attune_kernel_at(i)) && strstr(attune_kernel_at(i)->name, filter))
                run_kernel(attune_kernel_at(i));
        printf("%s: %d checks\n", isa, passed + failed - before);
        if (required && strcmp(required, isa) == 0 && passed + failed > before) ran = 1;
    }
    if (!ran) {
        printf("FAILED: no kernel of %s ran\n", required);
        failed++;
    }
}

static int list_kernels(void)
{
    for (int i = 0; i < attune_kernel_count(); i++)
        printf("%-32s %s\n", attune_kernel_at(i)->name,
               usable(attune_kernel_at(i)) ? "usable" : "not on this CPU");
    return 0;
}

static int detect(void)
{
    const struct attune_cpu *cpu = attune_cpu_detect();
    for (int i = 0; i < ATTUNE_CPU_FEATURE_COUNT; i++)
        if (cpu->listed & (1u << i))
            printf("%s: %s\n", attune_cpu_feature_word(i),
                   cpu->usable & (1u << i) ? "usable" : "listed, not saved by this system");
    for (int i = 0; i < attune_kernel_count(); i++)
        if (usable(attune_kernel_at(i))) {
            printf("widest: %s\n", attune_kernel_at(i)->isa);
            return 0;
        }
    return 1;
}

int main(int argc, char **argv)
{
    const char *filter = "", *required = NULL;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--list") == 0) return list_kernels();
        if (strcmp(argv[i], "--detect") == 0) return detect();
        if (strcmp(argv[i], "--small") == 0) {
            test_small = 1;
        } else if (strcmp(argv[i], "--filter") == 0 && i + 1 < argc) {
            filter = argv[++i];
        } else if (strcmp(argv[i], "--require") == 0 && i + 1 < argc) {
            required = argv[++i];
        } else {
            fprintf(stderr, "usage: kernel_tests [--list] [--detect] [--small] [--filter TEXT] "
                            "[--require ISA]\n");
            return 2;
        }
    }
    if (*filter == '\0') test_registry();
    run_kernels(filter, required);
    if (passed + failed == 0) {
        printf("FAILED: nothing is called %s\n", filter);
        failed++;
    }
    printf("%d passed, %d failed\n", passed, failed);
    return failed != 0;
}
