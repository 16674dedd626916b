/* SPDX-License-Identifier: Apache-2.0
 *
 * CPUID and XCR0 decoded. A feature is usable when CPUID lists it and the operating system saves
 * the registers that it works on. Vendor, family and model decide nothing here.
 */
#include "cpu_decode.h"

#include <string.h>

/* XCR0: SSE and AVX state; with the opmask and both halves of the ZMM state. */
#define XCR0_YMM 0x06u
#define XCR0_ZMM 0xE6u

#define AVX2_FEATURES (ATTUNE_CPU_AVX | ATTUNE_CPU_AVX2 | ATTUNE_CPU_FMA | ATTUNE_CPU_F16C)
#define AVX512_FEATURES                                                                            \
    (ATTUNE_CPU_AVX512F | ATTUNE_CPU_AVX512BW | ATTUNE_CPU_AVX512DQ | ATTUNE_CPU_AVX512VL |        \
     ATTUNE_CPU_AVX512VNNI | ATTUNE_CPU_AVX512BF16 | ATTUNE_CPU_AVX512FP16)

static uint32_t bit(uint32_t word, int index, uint32_t feature)
{
    return (word >> index & 1u) != 0 ? feature : 0;
}

/* Copies `size` characters, without spaces around and with anything unprintable as '?': hypervisors
 * put what they like there, and the text ends up in logs and JSON. */
static void copy_text(char *text, const char *raw, size_t size)
{
    size_t first = 0, last = 0;
    for (size_t i = 0; i < size && raw[i] != '\0'; i++) {
        last = raw[i] != ' ' ? i + 1 : last;
    }
    while (first < last && raw[first] == ' ') {
        first++;
    }
    for (size_t i = first; i < last; i++) {
        int printable = raw[i] >= ' ' && raw[i] <= '~';
        *text++ = printable ? raw[i] : '?';
    }
    *text = '\0';
}

static void decode_brand(const struct attune_cpuid_source *source, struct attune_cpu *cpu)
{
    char raw[48];
    if (source->leaf(source->user, 0x80000000u, 0).eax < 0x80000004u) {
        return;
    }
    for (uint32_t i = 0; i < 3; i++) {
        struct attune_cpuid_registers r = source->leaf(source->user, 0x80000002u + i, 0);
        memcpy(raw + 16 * i, &r, 16);
    }
    copy_text(cpu->brand, raw, sizeof raw);
}

static void decode_signature(uint32_t eax, struct attune_cpu *cpu)
{
    uint32_t family = eax >> 8 & 0xFu, model = eax >> 4 & 0xFu;
    if (family == 0x6u || family == 0xFu) {
        model |= eax >> 12 & 0xF0u;
    }
    if (family == 0xFu) {
        family += eax >> 20 & 0xFFu;
    }
    cpu->family = (int32_t)family;
    cpu->model = (int32_t)model;
    cpu->stepping = (int32_t)(eax & 0xFu);
}

static uint32_t decode_leaf_7(const struct attune_cpuid_source *source)
{
    struct attune_cpuid_registers r = source->leaf(source->user, 7, 0);
    uint32_t listed = bit(r.ebx, 5, ATTUNE_CPU_AVX2) | bit(r.ebx, 16, ATTUNE_CPU_AVX512F) |
                      bit(r.ebx, 17, ATTUNE_CPU_AVX512DQ) | bit(r.ebx, 30, ATTUNE_CPU_AVX512BW) |
                      bit(r.ebx, 31, ATTUNE_CPU_AVX512VL) | bit(r.ecx, 11, ATTUNE_CPU_AVX512VNNI) |
                      bit(r.edx, 23, ATTUNE_CPU_AVX512FP16);
    if (r.eax >= 1) {
        listed |= bit(source->leaf(source->user, 7, 1).eax, 5, ATTUNE_CPU_AVX512BF16);
    }
    return listed;
}

void attune_cpu_decode_x86(const struct attune_cpuid_source *source, struct attune_cpu *cpu)
{
    struct attune_cpuid_registers r = source->leaf(source->user, 0, 0);
    uint32_t last_leaf = r.eax;
    char vendor[12];
    memset(cpu, 0, sizeof *cpu);
    memcpy(vendor, &r.ebx, 4);
    memcpy(vendor + 4, &r.edx, 4);
    memcpy(vendor + 8, &r.ecx, 4);
    copy_text(cpu->vendor, vendor, sizeof vendor);
    decode_brand(source, cpu);
    if (last_leaf < 1) {
        return;
    }
    r = source->leaf(source->user, 1, 0);
    decode_signature(r.eax, cpu);
    cpu->listed = bit(r.ecx, 28, ATTUNE_CPU_AVX) | bit(r.ecx, 12, ATTUNE_CPU_FMA) |
                  bit(r.ecx, 29, ATTUNE_CPU_F16C);
    if (last_leaf >= 7) {
        cpu->listed |= decode_leaf_7(source);
    }
    uint64_t saved = (r.ecx >> 27 & 1u) != 0 ? source->xcr0(source->user) : 0;
    /* All of it works on YMM registers and is encoded with VEX or EVEX: nothing without AVX itself,
     * and nothing of AVX-512 without its foundation. */
    if ((saved & XCR0_YMM) == XCR0_YMM && (cpu->listed & ATTUNE_CPU_AVX) != 0) {
        cpu->usable |= cpu->listed & AVX2_FEATURES;
        if ((saved & XCR0_ZMM) == XCR0_ZMM && (cpu->listed & ATTUNE_CPU_AVX512F) != 0) {
            cpu->usable |= cpu->listed & AVX512_FEATURES;
        }
    }
}
