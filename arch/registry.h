/* SPDX-License-Identifier: Apache-2.0
 *
 * The table that kernels.def expands to, and ways to look into it. A kernel's identity is its name.
 */
#ifndef ATTUNE_ARCH_REGISTRY_H
#define ATTUNE_ARCH_REGISTRY_H

#include "kernels.h"

/* X(enumerator, word, member and function type) */
#define ATTUNE_OPERATIONS(X)                                                                       \
    X(PACK_KEYS, pack_keys) X(PACK_VALUES, pack_values) X(FOLD, fold) X(EXPAND_ROWS, expand_rows)  \
    X(EXPAND_PANELS, expand_panels) X(SCORE_DOT, score_dot) X(SCORE_ROWS, score_rows)              \
    X(SCORE_TANH, score_tanh) X(SCORE_DIRECT, score_direct) X(ADJUST, adjust) X(SOFTMAX, softmax)  \
    X(WSUM, wsum) X(WSUM_ROWS, wsum_rows) X(TILE, tile) X(MERGE, merge) X(FINISH, finish)          \
    X(WEIGHTS, weights) X(LSTM, lstm) X(PROBE_FMA, probe_fma) X(PROBE_READ, probe_read)            \
    X(PROBE_TANH, probe_tanh) X(PROBE_EXP, probe_exp)

enum attune_operation {
#define X(name, word) ATTUNE_OP_##name,
    ATTUNE_OPERATIONS(X)
#undef X
    ATTUNE_OP_COUNT
};

struct attune_kernel {
    const char *name; /* "score_dot_avx2_6x16": identity in caches, logs, tests, benches */
    enum attune_operation operation;
    const char *isa;     /* "avx2" */
    const char *variant; /* "6x16" */
    uint32_t requires;   /* ATTUNE_CPU_ bits */
    int32_t rows;        /* rows of a register tile; 1 where there is none */
    int32_t width;       /* keys, columns or units of a panel; keys of a group (rows); else lanes */
    int32_t lanes;       /* of a vector */
    int32_t terms;       /* denominators over one division, for score_tanh; chains of the sum, for softmax */
    int32_t dtype;       /* element type it reads, for pack and rows: enum attune_pack_dtype */
    union {
#define X(name, word) attune_##word##_fn *word;
        ATTUNE_OPERATIONS(X)
#undef X
    } run;
};

/* Source types of pack kernels; the numbers are those of enum attune_dtype in the public header. */
enum attune_pack_dtype { ATTUNE_PACK_F32 = 1, ATTUNE_PACK_F16 = 2, ATTUNE_PACK_BF16 = 3, ATTUNE_PACK_I8 = 4 };

int attune_kernel_count(void);
const struct attune_kernel *attune_kernel_at(int index);
const struct attune_kernel *attune_kernel_find(const char *name);
const char *attune_operation_word(enum attune_operation operation);
/* Which state of its operation's templates a timing belongs to: what was tuned with another revision
 * says nothing of this one. */
int attune_operation_revision(enum attune_operation operation);
/* Whether a CPU with these features can run it. */
int attune_kernel_usable(const struct attune_kernel *kernel, uint32_t features);
/* The next usable kernel of an operation after `previous` (NULL: the first): widest instruction set
 * first, then the order of kernels.def. NULL at the end. */
const struct attune_kernel *attune_kernel_next(enum attune_operation operation, uint32_t features,
                                               const struct attune_kernel *previous);

#endif
