/* SPDX-License-Identifier: Apache-2.0
 *
 * The model: which kernels and tiles an untuned machine should use. Pure arithmetic over the problem,
 * the registry and cache sizes; what tuning found enters elsewhere.
 */
#ifndef ATTUNE_TUNER_MODEL_H
#define ATTUNE_TUNER_MODEL_H

#include <stdint.h>

#include "arch/topology.h"
#include "tuner/cache.h"

struct attune_model_input {
    const struct attune_topology *topology;
    int64_t width_k, width_v; /* floats of a key's and of a value's row in the core */
    int64_t rows;             /* query rows that share keys: T_q times the heads of a group */
    int64_t t_k;
    int32_t ordered;          /* rows keep a state: no kv split */
    int32_t in_place;         /* keys and values are read where they lie, once */
    int32_t apart;            /* scores are read back: by kernels of their own, on ports that FMA waits for */
    int32_t ragged;           /* rows attend ever other keys, by causal or window */
    int64_t state;            /* floats of state a row, when ordered */
};

struct attune_tiles {
    int64_t strip;    /* rows scored together, their scores stay in L1 */
    int64_t q_block;  /* rows that share one pass over the keys */
    int64_t kv_block; /* keys of one online-softmax step; a multiple of ATTUNE_KEY_STEP */
    int64_t kv_split; /* keys of a split, 0: no splits; a multiple of kv_block */
};

/* kv_block and kv_split depend on the input alone, which says nothing of how many heads or threads there are. */
void attune_model_tiles(const struct attune_model_input *input, const struct attune_kernel *score,
                        struct attune_tiles *tiles);

/* A problem as the core sees it: its key, and the exact sizes of what a key holds in classes. */
struct attune_model_problem {
    const struct attune_topology *topology;
    uint32_t features; /* ATTUNE_CPU_ bits that kernels may use */
    uint32_t traits;   /* attune_cpu_traits() */
    const struct attune_cache *bars; /* kernels barred there are passed over; NULL: none are */
    struct attune_key key;
    int64_t rows;      /* query rows that share keys: T_q times the heads of a group */
    int64_t t_k;
};

/* Fills what *choice leaves open: kernels of every tunable operation that the score uses, then tiles
 * that suit the score kernel. Returns the operation that no usable kernel is there for, or
 * ATTUNE_OP_COUNT. No knob of the core tier is then left open. */
enum attune_operation attune_model_complete(const struct attune_model_problem *problem,
                                            struct attune_choice *choice);
/* The next kernel of an operation that a plan for the problem may take; as attune_kernel_next(). */
const struct attune_kernel *attune_model_next(const struct attune_model_problem *problem,
                                              enum attune_operation operation,
                                              const struct attune_kernel *previous);
/* The kernel for score, softmax and sum at once that stands in for the three of a complete choice where it
 * gives their bits and is faster; NULL: none. */
const struct attune_kernel *attune_model_tile(const struct attune_model_problem *problem,
                                              const struct attune_choice *choice);
/* Cycles that a complete choice takes one core for the rows that share keys; with `tile` for the three. */
double attune_model_cycles(const struct attune_model_problem *problem, const struct attune_choice *choice,
                           const struct attune_kernel *tile);
/* Rows that share keys up to which float32 values are read where they lie, in panels too. */
#define ATTUNE_MODEL_DIRECT_ROWS 32
/* The kernel of a complete choice that makes the scores. */
const struct attune_kernel *attune_choice_score(const struct attune_choice *choice, int32_t score);

#endif
