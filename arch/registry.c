/* SPDX-License-Identifier: Apache-2.0
 *
 * The table that kernels.def expands to. Order is that of the list: widest instruction set first,
 * best first within. Chooses nothing and measures nothing.
 */
#include "registry.h"

#include <string.h>

#include "cpu.h"

#define LANES_scalar 1
#define LANES_avx2 8
#define LANES_avx512 16
#define LANES_neon 4

#define DECLARE(word, isa, variant) attune_##word##_fn attune_##word##_##isa##_##variant;
#define PACK_KEYS(isa, variant, requires, dtype) DECLARE(pack_keys, isa, variant)
#define PACK_VALUES(isa, variant, requires, dtype) DECLARE(pack_values, isa, variant)
#define FOLD(isa, variant, requires) DECLARE(fold, isa, variant)
#define EXPAND_ROWS(isa, variant, requires) DECLARE(expand_rows, isa, variant)
#define EXPAND_PANELS(isa, variant, requires) DECLARE(expand_panels, isa, variant)
#define SCORE_DOT(isa, variant, requires, rows, vectors)                                           \
    DECLARE(score_dot, isa, variant)                                                               \
    _Static_assert(ATTUNE_KEY_STEP % ((vectors) * LANES_##isa) == 0, "panel width");
#define SCORE_ROWS(isa, variant, requires, rows, keys, dtype)                                      \
    DECLARE(score_rows, isa, variant)                                                              \
    _Static_assert(ATTUNE_KEY_STEP % LANES_##isa == 0, "keys of a group");
#define SCORE_TANH(isa, variant, requires, rows, vectors, terms, estimated)                        \
    DECLARE(score_tanh, isa, variant)                                                              \
    _Static_assert(ATTUNE_KEY_STEP % ((vectors) * LANES_##isa) == 0, "panel width");               \
    _Static_assert(ATTUNE_TERM_STEP % (terms) == 0, "terms over one division");
#define SCORE_DIRECT(isa, variant, requires) DECLARE(score_direct, isa, variant)
#define ADJUST(isa, variant, requires) DECLARE(adjust, isa, variant)
#define SOFTMAX(isa, variant, requires, unroll)                                                    \
    DECLARE(softmax, isa, variant)                                                                 \
    _Static_assert(ATTUNE_KEY_STEP % ((unroll) * LANES_##isa) == 0, "chains of the sum");
#define WSUM(isa, variant, requires, rows, vectors) DECLARE(wsum, isa, variant)
#define TILE(isa, variant, requires, rows, vectors)                                                \
    DECLARE(tile, isa, variant)                                                                    \
    _Static_assert((vectors) % 2 == 0, "weights ride in steps of two vectors");
#define WSUM_ROWS(isa, variant, requires, rows, vectors, dtype) DECLARE(wsum_rows, isa, variant)
#define MERGE(isa, variant, requires) DECLARE(merge, isa, variant)
#define FINISH(isa, variant, requires) DECLARE(finish, isa, variant)
#define WEIGHTS(isa, variant, requires) DECLARE(weights, isa, variant)
#define LSTM(isa, variant, requires, rows) DECLARE(lstm, isa, variant)
#define PROBE_FMA(isa, variant, requires) DECLARE(probe_fma, isa, variant)
#define PROBE_READ(isa, variant, requires, prefetch) DECLARE(probe_read, isa, variant)
#define PROBE_TANH(isa, variant, requires, terms, estimated) DECLARE(probe_tanh, isa, variant)
#define PROBE_EXP(isa, variant, requires, unroll) DECLARE(probe_exp, isa, variant)
#include "kernels.def"

#define ROW(OPERATION, word, ISA, VARIANT, REQUIRES, ROWS, WIDTH, TERMS, DTYPE)                    \
    {.name = #word "_" #ISA "_" #VARIANT,                                                          \
     .operation = ATTUNE_OP_##OPERATION,                                                           \
     .isa = #ISA,                                                                                  \
     .variant = #VARIANT,                                                                          \
     .requires = ATTUNE_REQUIRES_##REQUIRES,                                                       \
     .rows = (ROWS),                                                                               \
     .width = (WIDTH),                                                                             \
     .lanes = LANES_##ISA,                                                                         \
     .terms = (TERMS),                                                                             \
     .dtype = (DTYPE),                                                                             \
     .run = {.word = attune_##word##_##ISA##_##VARIANT}},
#define PLAIN(OPERATION, word, isa, variant, requires)                                             \
    ROW(OPERATION, word, isa, variant, requires, 1, LANES_##isa, 0, 0)

static const struct attune_kernel kernels[] = {
#define PACK_KEYS(isa, variant, requires, dtype)                                                   \
    ROW(PACK_KEYS, pack_keys, isa, variant, requires, 1, LANES_##isa, 0,            \
        ATTUNE_PACK_##dtype)
#define PACK_VALUES(isa, variant, requires, dtype)                                                 \
    ROW(PACK_VALUES, pack_values, isa, variant, requires, 1, LANES_##isa, 0,        \
        ATTUNE_PACK_##dtype)
#define FOLD(isa, variant, requires) PLAIN(FOLD, fold, isa, variant, requires)
#define EXPAND_ROWS(isa, variant, requires) PLAIN(EXPAND_ROWS, expand_rows, isa, variant, requires)
#define EXPAND_PANELS(isa, variant, requires)                                                      \
    PLAIN(EXPAND_PANELS, expand_panels, isa, variant, requires)
#define SCORE_DOT(isa, variant, requires, rows, vectors)                                           \
    ROW(SCORE_DOT, score_dot, isa, variant, requires, rows, (vectors) * LANES_##isa, 0, 0)
#define SCORE_ROWS(isa, variant, requires, rows, keys, dtype)                                      \
    ROW(SCORE_ROWS, score_rows, isa, variant, requires, rows, LANES_##isa, 0, ATTUNE_PACK_##dtype)
#define SCORE_TANH(isa, variant, requires, rows, vectors, terms, estimated)                        \
    ROW(SCORE_TANH, score_tanh, isa, variant, requires, rows, (vectors) * LANES_##isa,             \
        terms, 0)
#define SCORE_DIRECT(isa, variant, requires)                                                       \
    PLAIN(SCORE_DIRECT, score_direct, isa, variant, requires)
#define ADJUST(isa, variant, requires) PLAIN(ADJUST, adjust, isa, variant, requires)
#define SOFTMAX(isa, variant, requires, unroll)                                                    \
    ROW(SOFTMAX, softmax, isa, variant, requires, 1, LANES_##isa, unroll, 0)
#define WSUM(isa, variant, requires, rows, vectors)                                                \
    ROW(WSUM, wsum, isa, variant, requires, rows, (vectors) * LANES_##isa, 0, 0)
#define TILE(isa, variant, requires, rows, vectors)                                                \
    ROW(TILE, tile, isa, variant, requires, rows, (vectors) * LANES_##isa, 0, 0)
#define WSUM_ROWS(isa, variant, requires, rows, vectors, dtype)                                    \
    ROW(WSUM_ROWS, wsum_rows, isa, variant, requires, rows, (vectors) * LANES_##isa, 0,            \
        ATTUNE_PACK_##dtype)
#define MERGE(isa, variant, requires) PLAIN(MERGE, merge, isa, variant, requires)
#define FINISH(isa, variant, requires) PLAIN(FINISH, finish, isa, variant, requires)
#define WEIGHTS(isa, variant, requires) PLAIN(WEIGHTS, weights, isa, variant, requires)
#define LSTM(isa, variant, requires, rows)                                                         \
    ROW(LSTM, lstm, isa, variant, requires, rows, LANES_##isa, 0, 0)
#define PROBE_FMA(isa, variant, requires) PLAIN(PROBE_FMA, probe_fma, isa, variant, requires)
#define PROBE_READ(isa, variant, requires, prefetch)                                               \
    PLAIN(PROBE_READ, probe_read, isa, variant, requires)
#define PROBE_TANH(isa, variant, requires, terms, estimated)                                       \
    PLAIN(PROBE_TANH, probe_tanh, isa, variant, requires)
#define PROBE_EXP(isa, variant, requires, unroll)                                                  \
    PLAIN(PROBE_EXP, probe_exp, isa, variant, requires)
#include "kernels.def"
};

enum { KERNEL_COUNT = sizeof kernels / sizeof kernels[0] };

int attune_kernel_count(void)
{
    return KERNEL_COUNT;
}

const struct attune_kernel *attune_kernel_at(int index)
{
    return index >= 0 && index < KERNEL_COUNT ? &kernels[index] : NULL;
}

const struct attune_kernel *attune_kernel_find(const char *name)
{
    for (int i = 0; i < KERNEL_COUNT; i++)
        if (strcmp(kernels[i].name, name) == 0) return &kernels[i];
    return NULL;
}

const char *attune_operation_word(enum attune_operation operation)
{
    static const char *const words[] = {
#define X(name, word) #word,
        ATTUNE_OPERATIONS(X)
#undef X
    };
    return (unsigned)operation < ATTUNE_OP_COUNT ? words[operation] : NULL;
}

/* One up when a template (or a vocabulary that it uses) changes so that its variants' times do. */
int attune_operation_revision(enum attune_operation operation)
{
    static const int changes[ATTUNE_OP_COUNT] = {[ATTUNE_OP_SCORE_ROWS] = 1, [ATTUNE_OP_WSUM_ROWS] = 1};
    return (unsigned)operation < ATTUNE_OP_COUNT ? 1 + changes[operation] : 0;
}

int attune_kernel_usable(const struct attune_kernel *kernel, uint32_t features)
{
    return (kernel->requires & ~features) == 0;
}

const struct attune_kernel *attune_kernel_next(enum attune_operation operation, uint32_t features,
                                               const struct attune_kernel *previous)
{
    for (int i = previous ? (int)(previous - kernels) + 1 : 0; i < KERNEL_COUNT; i++)
        if (kernels[i].operation == operation && attune_kernel_usable(&kernels[i], features))
            return &kernels[i];
    return NULL;
}
