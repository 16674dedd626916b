/* SPDX-License-Identifier: Apache-2.0
 *
 * The one notation for shapes in the whole command: "mechanism[:form],key=value,..." in any order,
 * such as "self:dot,b=1,h=8,t=1024,d=64,causal=top_left". Makes descriptions, no data.
 */
#ifndef ATTUNE_BENCH_CLI_SPEC_H
#define ATTUNE_BENCH_CLI_SPEC_H

#include "bench/cli/command.h"

/* Fills *problem with every tensor of the mechanism described, packed, and `out` asked for. Returns
 * 0, or fills *trouble with ATTUNE_EXIT_USE naming the key. What the library itself checks (shapes
 * that it cannot compute) is left to attune_shape_resolve(). */
int attune_spec_parse(const char *text, struct attune_problem *problem,
                      struct attune_trouble *trouble);
/* The notation explained, for --help; ends in a newline. */
const char *attune_spec_help(void);

#endif
