/* SPDX-License-Identifier: Apache-2.0
 *
 * What `attune info` shows, and its two ways of showing it: text for people, one JSON object for
 * programs. Nothing here measures.
 */
#ifndef ATTUNE_BENCH_CLI_INFO_H
#define ATTUNE_BENCH_CLI_INFO_H

#include <stdio.h>

#include "arch/cpu.h"
#include "arch/topology.h"
#include "engine/plan.h"

struct attune_info {
    const struct attune_cpu *cpu;
    const struct attune_topology *topology;
    const char *max_isa; /* the ceiling in force, "" for none */
    uint32_t features;   /* what is left below it */
    const struct attune_context *context;
};

/* What a problem would be dispatched to. */
struct attune_explanation {
    const char *name; /* the file or the SPEC */
    const struct attune_plan *plan;
};

/* Why a kernel cannot run: "not in this CPU: avx512f", "not enabled by the system: ...", "masked by
 * max_isa avx2: ...". Returns 1 and an empty text when it can. */
int attune_info_usable(const struct attune_info *info, const struct attune_kernel *kernel,
                       char *text, size_t size);
/* The kernels of a plan as attune_plan_describe() tells them; free() it. NULL: no memory. */
char *attune_info_kernels(const struct attune_plan *plan);

void attune_info_text(const struct attune_info *info, FILE *file);
void attune_info_explain_text(const struct attune_explanation *explanation, FILE *file);
/* One object and a newline. Return 0 when memory is short. */
int attune_info_json(const struct attune_info *info, FILE *file);
int attune_info_explain_json(const struct attune_explanation *explanation, FILE *file);

#endif
