/* SPDX-License-Identifier: Apache-2.0
 *
 * One line of what tuning found: a key (what a choice may depend on) and a choice (what is taken, and
 * how sure that is). Both have one canonical text. Knows no files, and nothing of how a choice is found.
 *
 * Two tiers. A `core` key holds nothing but what one core sees of a problem: no batch, no heads, no
 * threads; all that changes bits is chosen there. On a machine of several kinds of cores it names the
 * fastest that the process may use, since a team has cores of that kind whatever its size: bits then do
 * not depend on the number of threads. A `parallel` key adds the number of independent units
 * (batch entries times key heads), threads and topology, and only decides who computes a piece.
 */
#ifndef ATTUNE_TUNER_ENTRY_H
#define ATTUNE_TUNER_ENTRY_H

#include <stddef.h>
#include <stdint.h>

#include "arch/registry.h"
#include "tuner/fault.h"

enum attune_key_tier { ATTUNE_KEY_CORE = 0, ATTUNE_KEY_PARALLEL = 1 };
/* How scores are made; the mechanisms and forms that share one share their choices. */
enum attune_key_score { ATTUNE_KEY_DOT = 0, ATTUNE_KEY_TANH = 1, ATTUNE_KEY_LSTM = 2 };
/* Lengths alone are `none`; a bias is `arbitrary`, as a boolean mask is; a window wins over causal. */
enum attune_key_mask {
    ATTUNE_KEY_UNMASKED = 0,
    ATTUNE_KEY_CAUSAL = 1,
    ATTUNE_KEY_WINDOW = 2,
    ATTUNE_KEY_ARBITRARY = 3
};
/* The widest instruction set that the context may use. */
enum attune_key_isa {
    ATTUNE_KEY_SCALAR = 0,
    ATTUNE_KEY_AVX2 = 1,
    ATTUNE_KEY_AVX512 = 2,
    ATTUNE_KEY_NEON = 3
};

/* Words of 32 bits and no padding: compared and hashed as memory. Zero what a kind does not have
 * (start from {0}): dot has d, tanh a, lstm a and n; units and threads are parallel only. */
struct attune_key {
    int32_t tier, score, mask, isa;
    int32_t dtype_q, dtype_k, dtype_v; /* numbers of enum attune_dtype: f32, f16, bf16, i8 */
    int32_t prepared;                  /* keys are read from attune_plan_prepare()'s buffer */
    int32_t d, e, a, n;
    int32_t group;            /* query heads that share keys */
    int32_t class_q, class_k; /* attune_key_class() of T_q and of T_k */
    int32_t class_units;      /* of batch entries times key heads */
    int32_t threads;
    uint32_t cores; /* core: attune_fingerprint_kind(), 0 where cores are of one kind;
                       parallel: attune_fingerprint_topology() */
};

#define ATTUNE_KEY_WIDTH_MAX (1 << 20) /* d, e, a, n and group: larger ones are entered as this */
#define ATTUNE_KEY_CLASS_MAX 80        /* 2^40 */
#define ATTUNE_KEY_THREADS_MAX 1024
#define ATTUNE_KEY_TEXT 320   /* bytes that any key's text fits in */
#define ATTUNE_KEY_FEW_ROWS 16 /* group * T_q up to here is another regime: never near a larger one */
#define ATTUNE_KEY_NEAR 16     /* two octaves, in the unit of attune_key_distance() */

/* Half-octaves: floor(2 log2 t). 0 for t <= 1, 2 for 2, 3 for 3, 4 for 4 and 5, 5 for 6 and 7, ...;
 * no t has class 1. */
int32_t attune_key_class(int64_t t);
/* The smallest t of a class, which is what a key's text shows: 1, 2, 3, 4, 6, 8, 12, 16, 23, 32, ... */
int64_t attune_key_class_floor(int32_t class_of_t);
/* A width as a key holds it. */
int32_t attune_key_width(int64_t width);
/* The word of the widest instruction set within ATTUNE_CPU_ features. */
enum attune_key_isa attune_key_isa(uint32_t features);
const char *attune_key_isa_word(int32_t isa);

int attune_key_equal(const struct attune_key *a, const struct attune_key *b);
uint64_t attune_key_hash(const struct attune_key *key);
/* A total order, for stable listings: that of the fields. */
int attune_key_compare(const struct attune_key *a, const struct attune_key *b);
/* How far two problems are apart, in eighths of an octave added up over lengths, widths (which count
 * twice) and group; -1 where they cannot be compared: another tier, score, type, mask, instruction set,
 * thread count, kind of core or topology, prepared or not, few rows or many. */
int32_t attune_key_distance(const struct attune_key *a, const struct attune_key *b);

/* "core dot q=f32 k=f32 v=f32 d=64 e=64 tq=1024 tk=1024 group=1 mask=causal isa=avx512 prepared=0", and
 * " kind=5f0c11d2" where there are several kinds of cores. Returns the full length, like snprintf. */
size_t attune_key_format(const struct attune_key *key, char *text, size_t size);
/* Fields after the first two words may come in any order, each exactly once; kind may be absent. 0, or
 * -1 and *fault. */
int attune_key_parse(const char *text, size_t length, struct attune_key *key,
                     struct attune_fault *fault);
/* What parse checks, of a key that was filled in. */
int attune_key_check(const struct attune_key *key, struct attune_fault *fault);

enum attune_verdict { ATTUNE_VERDICT_TIE = 0, ATTUNE_VERDICT_WIN = 1 };
enum attune_effort { ATTUNE_EFFORT_QUICK = 0, ATTUNE_EFFORT_NORMAL = 1, ATTUNE_EFFORT_FULL = 2 };
enum attune_schedule {
    ATTUNE_SCHEDULE_MODEL = 0,
    ATTUNE_SCHEDULE_EVEN = 1,    /* a fixed share each */
    ATTUNE_SCHEDULE_CLAIMED = 2, /* the next piece goes to who is free */
    ATTUNE_SCHEDULE_WEIGHTED = 3 /* shares in proportion to measured speed */
};

/* NULL and 0 leave a knob to the model; a tie leaves all of them. */
struct attune_choice {
    const struct attune_kernel *kernel[ATTUNE_OP_COUNT]; /* of tunable operations */
    int32_t strip, q_block, kv_block;
    int32_t kv_split; /* keys; ATTUNE_CHOICE_UNSPLIT: none */
    int32_t threads, schedule; /* parallel */

    int32_t verdict, effort;
    int32_t speedup, low, high; /* thousandths: 1103 is 10.3 % faster; the interval around it */
    int32_t noise;              /* thousandths: half-width of the default against itself */
    int64_t date;               /* seconds since 1970 */
};

#define ATTUNE_CHOICE_UNSPLIT -1
#define ATTUNE_CHOICE_STRIP_MAX 256
#define ATTUNE_CHOICE_Q_BLOCK_MAX 1024
#define ATTUNE_CHOICE_KV_BLOCK_MAX (32 * ATTUNE_KEY_STEP)
#define ATTUNE_CHOICE_KV_SPLIT_MAX (1 << 24)
#define ATTUNE_CHOICE_RATIO_MAX 1000000 /* a thousandfold */
#define ATTUNE_CHOICE_TEXT 1024         /* bytes that any choice's text fits in */

/* Whether plans choose among the variants of an operation: not packs (their variants are types), not
 * probes. */
int attune_operation_tunable(enum attune_operation operation);
/* Whether one of its kernels takes part in computing scores of that kind (enum attune_key_score). */
int attune_operation_serves(enum attune_operation operation, int32_t score);
/* The other form of an operation, of which a choice names one: by rows where the caller has them, or
 * in panels; ATTUNE_OP_COUNT where there is but one form. */
enum attune_operation attune_operation_other(enum attune_operation operation);

/* "win speedup=1103 low=1081 high=1121 noise=8 effort=normal date=1795690000
 * kernel=score_dot_avx512_8x48@1 strip=48 kv_block=384": one line. Returns the full length. */
size_t attune_choice_format(const struct attune_choice *choice, char *text, size_t size);
/* 0, or -1 and *fault: a kernel that this library has not, or in another revision, is a fault. */
int attune_choice_parse(const char *text, size_t length, struct attune_choice *choice,
                        struct attune_fault *fault);
/* Whether a plan for `key` may take the choice on a CPU with these ATTUNE_CPU_ features: ranges,
 * multiples, kernels that can run and that the score kind uses. The only way from a file to a plan. */
int attune_choice_check(const struct attune_key *key, const struct attune_choice *choice,
                        uint32_t features, struct attune_fault *fault);

#endif
