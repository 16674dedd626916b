/* SPDX-License-Identifier: Apache-2.0
 *
 * The machine card of a file of results: everything about CPU, system, build and settings that bears
 * on a time and can be read without measuring. Says nothing that identifies the user or the host.
 */
#ifndef ATTUNE_BENCH_MACHINE_H
#define ATTUNE_BENCH_MACHINE_H

#include "arch/topology.h"
#include "bench/result_file.h"
#include "tuner/cache_layers.h"

struct attune_machine_request {
    const char *label;   /* NULL: none */
    const char *max_isa; /* the ceiling in force, "" for none */
    uint32_t features;   /* left below it */
    int argc;            /* the command's arguments */
    char *const *argv;
    const struct attune_cache_sources *tuned; /* files of tuned choices that were read; NULL: none */
};

/* Describes this machine, now. Returns 0 when memory is short. Free in any case. */
int attune_machine_describe(const struct attune_machine_request *request,
                            struct attune_machine_line *line);
void attune_machine_free(struct attune_machine_line *line);

/* Parts of it that `attune info` shows too: {"l1d": ..}, counts and memory, words of features. */
json_t *attune_machine_caches(const struct attune_topology *topology);
json_t *attune_machine_topology(const struct attune_topology *topology);
json_t *attune_machine_features(uint32_t features);

#endif
