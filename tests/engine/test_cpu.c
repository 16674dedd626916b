/* SPDX-License-Identifier: Apache-2.0
 *
 * What is made of CPUID, XCR0 and HWCAP values, of this machine and of others.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "arch/cpu_decode.h"

#define XCR0_SSE 0x3u
#define XCR0_YMM 0x7u
#define XCR0_ZMM 0xE7u
#define OSXSAVE (1u << 27)
#define AVX2_WORDS (ATTUNE_CPU_AVX | ATTUNE_CPU_AVX2 | ATTUNE_CPU_FMA | ATTUNE_CPU_F16C)
#define AVX512_WORDS                                                                               \
    (ATTUNE_CPU_AVX512F | ATTUNE_CPU_AVX512BW | ATTUNE_CPU_AVX512DQ | ATTUNE_CPU_AVX512VL)

struct fake {
    char vendor[13], brand[49];
    uint32_t last_leaf, last_extended, signature;
    uint32_t leaf1_ecx, leaf7_eax, leaf7_ebx, leaf7_ecx, leaf7_edx, leaf7_1_eax;
    uint64_t xcr0;
    int xcr0_reads;
};

static struct attune_cpuid_registers fake_leaf(void *user, uint32_t leaf, uint32_t subleaf)
{
    const struct fake *fake = user;
    struct attune_cpuid_registers r = {0, 0, 0, 0};
    if (leaf == 0) {
        r.eax = fake->last_leaf;
        memcpy(&r.ebx, fake->vendor, 4);
        memcpy(&r.edx, fake->vendor + 4, 4);
        memcpy(&r.ecx, fake->vendor + 8, 4);
    } else if (leaf == 1) {
        r.eax = fake->signature;
        r.ecx = fake->leaf1_ecx;
    } else if (leaf == 7 && subleaf == 0) {
        cr_assert_geq(fake->last_leaf, 7, "asked for a leaf that does not exist");
        r = (struct attune_cpuid_registers){fake->leaf7_eax, fake->leaf7_ebx, fake->leaf7_ecx,
                                            fake->leaf7_edx};
    } else if (leaf == 7 && subleaf == 1) {
        cr_assert_geq(fake->leaf7_eax, 1, "asked for a sub-leaf that does not exist");
        r.eax = fake->leaf7_1_eax;
    } else if (leaf == 0x80000000u) {
        r.eax = fake->last_extended;
    } else if (leaf >= 0x80000002u && leaf <= 0x80000004u) {
        memcpy(&r, fake->brand + 16 * (leaf - 0x80000002u), 16);
    }
    return r;
}

static uint64_t fake_xcr0(void *user)
{
    struct fake *fake = user;
    fake->xcr0_reads++;
    return fake->xcr0;
}

static struct attune_cpu decode(struct fake *fake)
{
    const struct attune_cpuid_source source = {fake_leaf, fake_xcr0, fake};
    struct attune_cpu cpu;
    attune_cpu_decode_x86(&source, &cpu);
    return cpu;
}

static struct fake avx2_machine(void)
{
    struct fake fake = {.last_leaf = 13, .last_extended = 0x80000008u, .signature = 0x000306C3u};
    memcpy(fake.vendor, "GenuineIntel", 12);
    memcpy(fake.brand, "  A CPU @ 3 GHz ", 16);
    fake.leaf1_ecx = 1u << 28 | 1u << 12 | 1u << 29 | OSXSAVE;
    fake.leaf7_ebx = 1u << 5;
    fake.xcr0 = XCR0_YMM;
    return fake;
}

static struct fake avx512_machine(void)
{
    struct fake fake = avx2_machine();
    fake.leaf7_eax = 1;
    fake.leaf7_ebx |= 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31;
    fake.leaf7_ecx = 1u << 11;
    fake.leaf7_edx = 1u << 23;
    fake.leaf7_1_eax = 1u << 5;
    fake.xcr0 = XCR0_ZMM;
    return fake;
}

Test(cpu, avx2_is_usable_where_ymm_is_saved)
{
    struct fake fake = avx2_machine();
    struct attune_cpu cpu = decode(&fake);
    cr_assert_eq(cpu.listed, AVX2_WORDS);
    cr_assert_eq(cpu.usable, AVX2_WORDS);
    cr_assert_str_eq(cpu.vendor, "GenuineIntel");
    cr_assert_str_eq(cpu.brand, "A CPU @ 3 GHz");
    cr_assert_eq(cpu.family, 6);
    cr_assert_eq(cpu.model, 0x3C);
    cr_assert_eq(cpu.stepping, 3);
}

Test(cpu, nothing_is_usable_without_osxsave_and_xcr0_is_not_read)
{
    struct fake fake = avx512_machine();
    fake.leaf1_ecx &= ~OSXSAVE;
    struct attune_cpu cpu = decode(&fake);
    cr_assert_eq(cpu.usable, 0);
    cr_assert_neq(cpu.listed, 0);
    cr_assert_eq(fake.xcr0_reads, 0, "XGETBV faults without OSXSAVE");
}

Test(cpu, nothing_is_usable_where_only_xmm_is_saved)
{
    struct fake fake = avx512_machine();
    fake.xcr0 = XCR0_SSE;
    cr_assert_eq(decode(&fake).usable, 0);
}

Test(cpu, avx512_needs_every_part_of_its_state)
{
    struct fake fake = avx512_machine();
    const uint32_t all = AVX2_WORDS | AVX512_WORDS | ATTUNE_CPU_AVX512VNNI |
                         ATTUNE_CPU_AVX512BF16 | ATTUNE_CPU_AVX512FP16;
    cr_assert_eq(decode(&fake).usable, all);
    for (int part = 5; part <= 7; part++) {
        fake.xcr0 = XCR0_ZMM & ~(1u << part);
        struct attune_cpu cpu = decode(&fake);
        cr_assert_eq(cpu.usable, AVX2_WORDS, "state component %d", part);
        cr_assert_eq(cpu.listed, all);
    }
}

Test(cpu, nothing_is_usable_without_avx_itself)
{
    struct fake fake = avx512_machine();
    fake.leaf1_ecx &= ~(1u << 28);
    cr_assert_eq(decode(&fake).usable, 0);
}

Test(cpu, no_part_of_avx512_without_its_foundation)
{
    struct fake fake = avx512_machine();
    fake.leaf7_ebx &= ~(1u << 16);
    cr_assert_eq(decode(&fake).usable, AVX2_WORDS);
}

Test(cpu, leaves_that_do_not_exist_are_not_read)
{
    struct fake fake = avx512_machine();
    fake.leaf7_eax = 0;
    cr_assert_eq(decode(&fake).listed & ATTUNE_CPU_AVX512BF16, 0);
    fake.last_leaf = 6;
    cr_assert_eq(decode(&fake).usable, AVX2_WORDS & ~ATTUNE_CPU_AVX2);
    fake.last_leaf = 0;
    fake.last_extended = 0;
    struct attune_cpu cpu = decode(&fake);
    cr_assert_eq(cpu.listed, 0);
    cr_assert_str_eq(cpu.brand, "");
}

Test(cpu, an_unknown_vendor_is_as_good_as_any)
{
    struct fake fake = avx2_machine();
    memcpy(fake.vendor, "\x01unknown\"\n\xff ", 12);
    memset(fake.brand, 'x', 48);
    struct attune_cpu cpu = decode(&fake);
    cr_assert_eq(cpu.usable, AVX2_WORDS);
    cr_assert_str_eq(cpu.vendor, "?unknown\"??");
    cr_assert_eq(strlen(cpu.brand), 48);
}

Test(cpu, extended_families_and_models)
{
    struct fake fake = avx2_machine();
    fake.signature = 0x00A10F11u; /* AMD family 25 */
    struct attune_cpu cpu = decode(&fake);
    cr_assert_eq(cpu.family, 25);
    cr_assert_eq(cpu.model, 17);
    cr_assert_eq(cpu.stepping, 1);
}

Test(cpu, arm_features_come_from_the_auxiliary_vector)
{
    struct attune_cpu cpu;
    attune_cpu_decode_arm(1u << 1 | 1u << 10 | 1u << 20 | 1u << 22, 1u << 13 | 1u << 14,
                          0x413FD0C1u, &cpu);
    cr_assert_eq(cpu.usable, ATTUNE_CPU_NEON | ATTUNE_CPU_FP16 | ATTUNE_CPU_DOTPROD |
                                 ATTUNE_CPU_SVE | ATTUNE_CPU_I8MM | ATTUNE_CPU_BF16);
    cr_assert_eq(cpu.usable, cpu.listed);
    cr_assert_str_eq(cpu.vendor, "ARM");
    cr_assert_eq(cpu.model, 0xD0C);
    cr_assert_eq(cpu.stepping, 0x31);
    attune_cpu_decode_arm(0, 0, 0, &cpu);
    cr_assert_eq(cpu.listed, 0);
    cr_assert_str_eq(cpu.vendor, "unknown");
    cr_assert_str_eq(cpu.brand, "");
}

Test(cpu, this_machine_is_detected_once)
{
    const struct attune_cpu *cpu = attune_cpu_detect();
    cr_assert_eq(cpu, attune_cpu_detect());
    cr_assert_eq(cpu->usable & ~cpu->listed, 0);
    cr_assert_neq(cpu->vendor[0], '\0');
}

Test(cpu, ceilings_only_take_away)
{
    static const char *const words[] = {"scalar", "avx2", "avx512", "neon"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        for (uint32_t before = 0; before < 1u << ATTUNE_CPU_FEATURE_COUNT; before += 37) {
            uint32_t after = before;
            cr_assert(attune_cpu_mask(words[i], &after));
            cr_assert_eq(after & ~before, 0);
        }
    uint32_t x86 = AVX2_WORDS | AVX512_WORDS, arm = ATTUNE_CPU_NEON | ATTUNE_CPU_SVE, all = x86;
    cr_assert(attune_cpu_mask("avx2", &all));
    cr_assert_eq(all, AVX2_WORDS);
    all = x86;
    cr_assert(attune_cpu_mask("avx512", &all));
    cr_assert_eq(all, x86);
    cr_assert(attune_cpu_mask("neon", &x86));
    cr_assert_eq(x86, 0, "nothing of x86 is below a word of Arm");
    cr_assert(attune_cpu_mask("neon", &arm));
    cr_assert_eq(arm, ATTUNE_CPU_NEON);
    cr_assert(attune_cpu_mask("avx512", &arm));
    cr_assert_eq(arm, 0);
}

Test(cpu, no_ceiling_and_unknown_words_change_nothing)
{
    static const char *const unknown[] = {"AVX2", "avx", "avx2 ", " avx2", "sse", "native"};
    uint32_t features = AVX2_WORDS;
    cr_assert(attune_cpu_mask(NULL, &features));
    cr_assert(attune_cpu_mask("", &features));
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++)
        cr_assert_not(attune_cpu_mask(unknown[i], &features), "%s", unknown[i]);
    cr_assert_eq(features, AVX2_WORDS);
    cr_assert_str_eq(attune_cpu_feature_word(ATTUNE_CPU_INDEX_AVX512F), "avx512f");
    cr_assert_null(attune_cpu_feature_word(-1));
    cr_assert_null(attune_cpu_feature_word(ATTUNE_CPU_FEATURE_COUNT));
}
