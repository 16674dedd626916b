/* SPDX-License-Identifier: Apache-2.0
 *
 * One kernel of the registry alone, on operands of a usual size that lie in its caches: what it does
 * when nothing else is in its way.
 */
#ifndef ATTUNE_BENCH_KERNEL_CASE_H
#define ATTUNE_BENCH_KERNEL_CASE_H

#include "arch/registry.h"
#include "bench/work.h"

struct attune_kernel_case {
    const struct attune_kernel *kernel;
    float *memory;
    struct attune_work work;
    union {
        struct attune_pack_keys_args pack_keys;
        struct attune_pack_values_args pack_values;
        struct attune_score_dot_args score_dot;
        struct attune_score_tanh_args score_tanh;
        struct attune_score_direct_args score_direct;
        struct attune_expand_rows_args expand_rows;
        struct attune_expand_panels_args expand_panels;
        struct attune_adjust_args adjust;
        struct attune_softmax_args softmax;
        struct attune_wsum_args wsum;
        struct attune_merge_args merge;
        struct attune_fold_args fold;
        struct attune_tile_args tile;
        struct attune_score_rows_args score_rows;
        struct attune_wsum_rows_args wsum_rows;
        struct attune_finish_args finish;
        struct attune_weights_args weights;
        struct attune_lstm_args lstm;
    } args;
};

/* Returns 0 for an operation that is not timed alone (a probe of the roofs), -1 when memory is short,
 * 1 when it is ready. Close it in any case. */
int attune_kernel_case_open(struct attune_kernel_case *single, const struct attune_kernel *kernel);
void attune_kernel_case_close(struct attune_kernel_case *single);
/* One call; an attune_measured_fn. */
void attune_kernel_case_run(void *single);

#endif
