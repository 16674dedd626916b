/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads the registers of the machine it runs on, once, and answers for the words of ATTUNE_MAX_ISA.
 * What the registers mean is decoded in cpu_x86.c and cpu_arm.c; an architecture with neither has
 * no features and runs the scalar kernels.
 */
#include "cpu.h"

#include <pthread.h>
#include <string.h>

#include "cpu_decode.h"

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>

static struct attune_cpuid_registers read_leaf(void *user, uint32_t leaf, uint32_t subleaf)
{
    struct attune_cpuid_registers r;
    (void)user;
    __cpuid_count(leaf, subleaf, r.eax, r.ebx, r.ecx, r.edx);
    return r;
}

static uint64_t read_xcr0(void *user)
{
    uint32_t low, high;
    (void)user;
    /* By hand: _xgetbv() wants -mxsave, which would let the compiler use XSAVE here. */
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

static void read_machine(struct attune_cpu *cpu)
{
    const struct attune_cpuid_source source = {read_leaf, read_xcr0, NULL};
    attune_cpu_decode_x86(&source, cpu);
}

#elif defined(__aarch64__) && defined(__linux__)
#include <stdio.h>
#include <sys/auxv.h>

#define HWCAP_BIT_CPUID 11

/* CPU 0's, so that all processes see one machine where cores differ; 0 where the system does not tell. */
static uint64_t midr_of_first(void)
{
    unsigned long long midr = 0;
    FILE *file = fopen("/sys/devices/system/cpu/cpu0/regs/identification/midr_el1", "re");
    if (file != NULL) {
        if (fscanf(file, "%llx", &midr) != 1) {
            midr = 0;
        }
        (void)fclose(file);
    }
    return midr;
}

static void read_machine(struct attune_cpu *cpu)
{
    uint64_t hwcap = getauxval(AT_HWCAP), midr = midr_of_first();
    /* Linux emulates the read for user space where it says so; else it is an illegal instruction. */
    if (midr == 0 && (hwcap >> HWCAP_BIT_CPUID & 1u) != 0) {
        __asm__ volatile("mrs %0, MIDR_EL1" : "=r"(midr));
    }
    attune_cpu_decode_arm(hwcap, getauxval(AT_HWCAP2), midr, cpu);
}

#else

static void read_machine(struct attune_cpu *cpu)
{
    strcpy(cpu->vendor, "unknown");
}

#endif

static struct attune_cpu machine;
static pthread_once_t machine_once = PTHREAD_ONCE_INIT;

static void detect_once(void)
{
    read_machine(&machine);
}

const struct attune_cpu *attune_cpu_detect(void)
{
    pthread_once(&machine_once, detect_once);
    return &machine;
}

/* Zen 5 (family 1Ah) and later; Intel's cores with AVX-512. Measured on Zen 5 and Emerald Rapids: the tanh
 * score with a division for two terms in place of one for four runs 1.1 and 0.5 times as fast. */
uint32_t attune_cpu_traits(const struct attune_cpu *cpu)
{
    if (strcmp(cpu->vendor, "AuthenticAMD") == 0)
        return cpu->family >= 0x1A ? ATTUNE_CPU_DIVIDES_FAST : 0;
    return strcmp(cpu->vendor, "GenuineIntel") == 0 ? ATTUNE_CPU_WIDE_SHARES : 0;
}

const char *attune_cpu_feature_word(int index)
{
    static const char *const words[] = {
#define X(name, word) #word,
        ATTUNE_CPU_FEATURES(X)
#undef X
    };
    return index >= 0 && index < ATTUNE_CPU_FEATURE_COUNT ? words[index] : NULL;
}

/* What may remain below each ceiling. The instruction sets of the other architecture are no error:
 * nothing of this machine remains below them, so `neon` on x86 means scalar, and a job script with
 * one word runs everywhere. */
static const struct {
    const char *word;
    uint32_t keep;
} ceilings[] = {
    {"scalar", 0},
    {"avx2", ATTUNE_REQUIRES_AVX2},
    {"avx512", ATTUNE_REQUIRES_AVX512 | ATTUNE_CPU_AVX512VNNI | ATTUNE_CPU_AVX512BF16 |
                   ATTUNE_CPU_AVX512FP16},
    {"neon", ATTUNE_CPU_NEON | ATTUNE_CPU_DOTPROD | ATTUNE_CPU_FP16 | ATTUNE_CPU_BF16 |
                 ATTUNE_CPU_I8MM},
};

int attune_cpu_mask(const char *max_isa, uint32_t *features)
{
    if (max_isa == NULL || *max_isa == '\0') {
        return 1;
    }
    for (size_t i = 0; i < sizeof ceilings / sizeof *ceilings; i++) {
        if (strcmp(ceilings[i].word, max_isa) == 0) {
            *features &= ceilings[i].keep;
            return 1;
        }
    }
    return 0;
}

const char *attune_cpu_isa_words(void)
{
    return "scalar, avx2, avx512, neon";
}
