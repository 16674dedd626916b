/* SPDX-License-Identifier: Apache-2.0
 *
 * Registers of identification to struct attune_cpu, one decoder an architecture. Pure: the values
 * come from the caller, so that tests feed any machine's, and each decoder compiles on every machine.
 */
#ifndef ATTUNE_ARCH_CPU_DECODE_H
#define ATTUNE_ARCH_CPU_DECODE_H

#include "cpu.h"

struct attune_cpuid_registers {
    uint32_t eax, ebx, ecx, edx;
};

/* Where CPUID and XCR0 come from. xcr0 is called only when CPUID lists OSXSAVE: else XGETBV faults. */
struct attune_cpuid_source {
    struct attune_cpuid_registers (*leaf)(void *user, uint32_t leaf, uint32_t subleaf);
    uint64_t (*xcr0)(void *user);
    void *user;
};

void attune_cpu_decode_x86(const struct attune_cpuid_source *source, struct attune_cpu *cpu);
/* AT_HWCAP, AT_HWCAP2 and MIDR_EL1 (0 where it cannot be read) of an AArch64 Linux. */
void attune_cpu_decode_arm(uint64_t hwcap, uint64_t hwcap2, uint64_t midr, struct attune_cpu *cpu);

#endif
