/* SPDX-License-Identifier: Apache-2.0
 *
 * The analytical cache model: which tiles an untuned machine should use. Pure arithmetic over cache
 * sizes; the search prunes with it later.
 */
#ifndef ATTUNE_TUNER_MODEL_H
#define ATTUNE_TUNER_MODEL_H

#include <stdint.h>

#include "arch/registry.h"
#include "arch/topology.h"

struct attune_model_input {
    const struct attune_topology *topology;
    int64_t width_k, width_v; /* floats of a key's and of a value's row in the core */
    int64_t rows;             /* query rows that share keys: T_q times the heads of a group */
    int64_t t_k;
    int32_t ordered;          /* rows keep a state: no kv split */
    int64_t state;            /* floats of state a row, when ordered */
};

struct attune_tiles {
    int64_t strip;    /* rows scored together, their scores stay in L1 */
    int64_t q_block;  /* rows that share one pass over the keys */
    int64_t kv_block; /* keys of one online-softmax step; a multiple of ATTUNE_KEY_STEP */
    int64_t kv_split; /* keys of a split, 0: no splits; a multiple of kv_block */
};

/* kv_block and kv_split depend on width_k, width_v, and the classes of rows and t_k alone. */
void attune_model_tiles(const struct attune_model_input *input, const struct attune_kernel *score,
                        struct attune_tiles *tiles);

#endif
