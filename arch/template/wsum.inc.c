/* SPDX-License-Identifier: Apache-2.0
 *
 * Weighted sums of value rows, onto rescaled running sums. Needs a vocabulary; defines the wrappers
 * of WSUM(isa, variant, requires, rows, vectors), compile-time constants as in wsum_tile.inc.c.
 */
#include "arch/template/wsum_tile.inc.c"

#define WSUM(isa, variant, requires, rows, vectors)                                                \
    attune_wsum_fn attune_wsum_##isa##_##variant;                                                  \
    void attune_wsum_##isa##_##variant(const struct attune_wsum_args *args)                        \
    {                                                                                              \
        wsum(args, rows, vectors);                                                                 \
    }
#include "arch/kernels.def"
