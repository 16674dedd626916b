/* SPDX-License-Identifier: Apache-2.0
 *
 * AArch64's auxiliary vector and MIDR decoded. The kernel sets a HWCAP bit only for what it saves
 * the registers of, so that listed and usable are the same here.
 */
#include "cpu_decode.h"

#include <stdio.h>
#include <string.h>

/* Bits of AT_HWCAP and AT_HWCAP2: Linux's ABI, written out so that this compiles everywhere. */
#define HWCAP_BIT_ASIMD 1
#define HWCAP_BIT_ASIMDHP 10
#define HWCAP_BIT_ASIMDDP 20
#define HWCAP_BIT_SVE 22
#define HWCAP2_BIT_I8MM 13
#define HWCAP2_BIT_BF16 14

static const char *implementer_name(uint32_t implementer)
{
    static const struct {
        uint32_t code;
        const char *name;
    } implementers[] = {
        {0x41, "ARM"},      {0x42, "Broadcom"}, {0x43, "Cavium"}, {0x46, "Fujitsu"},
        {0x48, "HiSilicon"}, {0x4e, "NVIDIA"},   {0x51, "Qualcomm"}, {0x53, "Samsung"},
        {0x61, "Apple"},    {0x6d, "Microsoft"}, {0xc0, "Ampere"},
    };
    for (size_t i = 0; i < sizeof implementers / sizeof *implementers; i++) {
        if (implementers[i].code == implementer) {
            return implementers[i].name;
        }
    }
    return "unknown";
}

static uint32_t bit(uint64_t word, int index, uint32_t feature)
{
    return (word >> index & 1u) != 0 ? feature : 0;
}

void attune_cpu_decode_arm(uint64_t hwcap, uint64_t hwcap2, uint64_t midr, struct attune_cpu *cpu)
{
    uint32_t implementer = (uint32_t)(midr >> 24 & 0xFFu), part = (uint32_t)(midr >> 4 & 0xFFFu);
    memset(cpu, 0, sizeof *cpu);
    snprintf(cpu->vendor, sizeof cpu->vendor, "%s", implementer_name(implementer));
    if (midr != 0) {
        snprintf(cpu->brand, sizeof cpu->brand, "%s part 0x%03x r%up%u", cpu->vendor,
                 (unsigned)part, (unsigned)(midr >> 20 & 0xFu), (unsigned)(midr & 0xFu));
    }
    cpu->family = (int32_t)implementer;
    cpu->model = (int32_t)part;
    cpu->stepping = (int32_t)((midr >> 20 & 0xFu) << 4 | (midr & 0xFu));
    cpu->listed = bit(hwcap, HWCAP_BIT_ASIMD, ATTUNE_CPU_NEON) |
                  bit(hwcap, HWCAP_BIT_ASIMDHP, ATTUNE_CPU_FP16) |
                  bit(hwcap, HWCAP_BIT_ASIMDDP, ATTUNE_CPU_DOTPROD) |
                  bit(hwcap, HWCAP_BIT_SVE, ATTUNE_CPU_SVE) |
                  bit(hwcap2, HWCAP2_BIT_I8MM, ATTUNE_CPU_I8MM) |
                  bit(hwcap2, HWCAP2_BIT_BF16, ATTUNE_CPU_BF16);
    cpu->usable = cpu->listed;
}
