/* SPDX-License-Identifier: Apache-2.0
 *
 * Which machine a tuned cache belongs to: vendor, family, model and stepping (MIDR on Arm), the usable
 * features, the geometry of the caches. Never the brand string, microcode or host name: hypervisors
 * invent the first two, and none of them says how fast a kernel is. How many cores there are, and how
 * they share caches, enters the topology alone, which keys the parallel tier. The machine's own fastest
 * kind of core stands for it, whichever a process may use; which these are enters the keys.
 */
#ifndef ATTUNE_TUNER_FINGERPRINT_H
#define ATTUNE_TUNER_FINGERPRINT_H

#include <stddef.h>
#include <stdint.h>

#include "arch/cpu.h"
#include "arch/topology.h"

#define ATTUNE_FINGERPRINT_TEXT 320 /* bytes that any fingerprint's text fits in */

struct attune_fingerprint {
    char text[ATTUNE_FINGERPRINT_TEXT]; /* "cpu=AuthenticAMD:26:17:0 features=avx,... l1d=49152/12/64 ..." */
    char digest[17];                    /* 16 hexadecimal digits of it: the name of a file */
    uint32_t topology;                  /* attune_fingerprint_topology() of the same machine */
};

void attune_fingerprint_of(const struct attune_cpu *cpu, const struct attune_topology *topology,
                           struct attune_fingerprint *fingerprint);
/* Cores of several kinds enter with those that the process may use. */
uint32_t attune_fingerprint_topology(const struct attune_topology *topology);
/* Names the kind of core that the caches of `topology` are of, by rank, type and caches, for the keys of
 * the core tier; 0 where the machine has one kind. */
uint32_t attune_fingerprint_kind(const struct attune_topology *topology);
/* Of this machine; computed once. Thread-safe. */
const struct attune_fingerprint *attune_fingerprint_get(void);

#endif
