/* SPDX-License-Identifier: Apache-2.0
 *
 * What this CPU and this operating system can execute. Capability only: whether an instruction set is
 * worth using is measured elsewhere. Knows nothing of kernels.
 */
#ifndef ATTUNE_ARCH_CPU_H
#define ATTUNE_ARCH_CPU_H

#include <fenv.h>
#include <stddef.h>
#include <stdint.h>

/* One bit a feature; X(bit name, word in texts). */
#define ATTUNE_CPU_FEATURES(X)                                                                     \
    X(AVX, avx) X(AVX2, avx2) X(FMA, fma) X(F16C, f16c) X(AVX512F, avx512f) X(AVX512BW, avx512bw)  \
    X(AVX512DQ, avx512dq) X(AVX512VL, avx512vl) X(AVX512VNNI, avx512vnni)                          \
    X(AVX512BF16, avx512bf16) X(AVX512FP16, avx512fp16) X(NEON, neon) X(DOTPROD, dotprod)          \
    X(FP16, fp16) X(BF16, bf16) X(I8MM, i8mm) X(SVE, sve)

enum attune_cpu_feature_index {
#define X(name, word) ATTUNE_CPU_INDEX_##name,
    ATTUNE_CPU_FEATURES(X)
#undef X
    ATTUNE_CPU_FEATURE_COUNT
};
enum attune_cpu_feature {
#define X(name, word) ATTUNE_CPU_##name = 1u << ATTUNE_CPU_INDEX_##name,
    ATTUNE_CPU_FEATURES(X)
#undef X
};

/* What a kernel of an instruction set needs, as kernels.def names it. */
enum {
    ATTUNE_REQUIRES_SCALAR = 0,
    ATTUNE_REQUIRES_AVX2 = ATTUNE_CPU_AVX | ATTUNE_CPU_AVX2 | ATTUNE_CPU_FMA | ATTUNE_CPU_F16C,
    ATTUNE_REQUIRES_AVX512 = ATTUNE_REQUIRES_AVX2 | ATTUNE_CPU_AVX512F | ATTUNE_CPU_AVX512BW |
                             ATTUNE_CPU_AVX512DQ | ATTUNE_CPU_AVX512VL,
    ATTUNE_REQUIRES_NEON = ATTUNE_CPU_NEON
};

struct attune_cpu {
    char vendor[16];
    char brand[64];
    int32_t family, model, stepping; /* MIDR's implementer, part, variant.revision on Arm */
    uint32_t listed; /* what CPUID or the auxiliary vector lists */
    uint32_t usable; /* and the operating system saves the registers of */
};

/* Detected once; thread-safe; never fails. */
const struct attune_cpu *attune_cpu_detect(void);
/* What is known of some microarchitectures beyond what they can execute: which of the right ways is fast.
 * Defaults rest on it until something is measured; no result does. */
enum attune_cpu_trait {
    ATTUNE_CPU_DIVIDES_FAST = 1, /* a vector of quotients every two cycles or so; elsewhere it takes 4 to 16 */
    ATTUNE_CPU_WIDE_SHARES = 2,  /* all arithmetic on 512 bits takes the two ports of FMA */
};
uint32_t attune_cpu_traits(const struct attune_cpu *cpu);
/* "avx2" for one feature bit; NULL when the index is none. */
const char *attune_cpu_feature_word(int index);
/* The features left below a ceiling ("scalar", "avx2", "avx512", "neon"; NULL or "" for no ceiling).
 * Only takes away: below a word of the other architecture nothing of this one remains (neon on x86 is
 * scalar). Returns 0 and leaves *features alone when the word is unknown on every machine. */
int attune_cpu_mask(const char *max_isa, uint32_t *features);
/* "scalar, avx2, avx512, neon", for error texts. */
const char *attune_cpu_isa_words(void);

/* A counter that runs at one rate on every core, in units of its own: for times too short for a call
 * of the clock. */
static inline uint64_t attune_cpu_ticks(void)
{
#if defined(__x86_64__) || defined(__i386__)
    return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
    uint64_t ticks;
    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(ticks));
    return ticks;
#else
    return 0;
#endif
}

/* The calling thread's floating-point mode. attune_cpu_mode_enter() sets rounding to nearest, denormals
 * and no traps, and returns what attune_cpu_mode_leave() brings back, flags of MXCSR included. fegetenv
 * and fesetenv do the same, and load and store x87's registers for 60 ns, a tenth of the smallest
 * executions. */
struct attune_cpu_mode {
#if defined(__x86_64__)
    unsigned mxcsr;
    unsigned short x87;
#else
    fenv_t environment;
#endif
};

#if defined(__x86_64__)
static inline void attune_cpu_load_mode(unsigned mxcsr, unsigned short x87, unsigned short x87_now)
{
    __builtin_ia32_ldmxcsr(mxcsr);
    if (x87 != x87_now)
        __asm__ volatile("fldcw %0" : : "m"(x87));
}
#endif

static inline struct attune_cpu_mode attune_cpu_mode_enter(void)
{
    struct attune_cpu_mode mode;
#if defined(__x86_64__)
    mode.mxcsr = __builtin_ia32_stmxcsr();
    __asm__ volatile("fnstcw %0" : "=m"(mode.x87));
    attune_cpu_load_mode(0x1f80, 0x37f, mode.x87); /* those of a process that starts */
#else
    fegetenv(&mode.environment);
    fesetenv(FE_DFL_ENV);
#endif
    return mode;
}

static inline void attune_cpu_mode_leave(const struct attune_cpu_mode *mode)
{
#if defined(__x86_64__)
    attune_cpu_load_mode(mode->mxcsr, mode->x87, 0x37f);
#else
    fesetenv(&mode->environment);
#endif
}

/* For the body of a loop that waits for another thread's store. */
static inline void attune_cpu_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb" ::: "memory"); /* waits some tens of cycles; yield is a no-op on most cores */
#endif
}

#endif
