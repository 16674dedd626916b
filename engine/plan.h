/* SPDX-License-Identifier: Apache-2.0
 *
 * A plan: the resolved problem, the steps that lower a mechanism to the core's three operands, the
 * kernels and tiles, and where everything lies in the workspace. Immutable after creation.
 */
#ifndef ATTUNE_ENGINE_PLAN_H
#define ATTUNE_ENGINE_PLAN_H

#include "arch/registry.h"
#include "engine/context.h"
#include "engine/projection.h"
#include "engine/shares.h"
#include "engine/shape.h"
#include "tuner/lookup.h"

/* Where rows of an operand lie at execution. */
enum attune_place { ATTUNE_NOWHERE = 0, ATTUNE_AT_INPUT, ATTUNE_AT_WORKSPACE, ATTUNE_AT_PREPARED };

struct attune_view {
    enum attune_place place;
    int32_t input;  /* enum attune_input, at ATTUNE_AT_INPUT */
    int32_t dtype;  /* enum attune_dtype */
    int64_t offset; /* elements from the input's start; bytes from the workspace's or payload's */
    int64_t stride_b, stride_h, stride_t; /* elements; columns have stride 1 */
};

/* Which length ends a sequence's rows. */
enum attune_side { ATTUNE_ALL_ROWS = 0, ATTUNE_QUERY_ROWS, ATTUNE_KEY_ROWS, ATTUNE_EITHER_ROWS };

enum attune_step_kind {
    ATTUNE_STEP_GATHER,  /* a whole input of any strides and type -> packed float32 */
    ATTUNE_STEP_COPY,    /* rows -> float32 rows, plus a bias where given */
    ATTUNE_STEP_PROJECT, /* rows (or windows of rows) times a weight, by oneDNN */
    ATTUNE_STEP_FOLD,    /* score_vector -> fold, center, scale, reach of each head */
    ATTUNE_STEP_COMPOSE, /* the location form's two weights -> one */
    ATTUNE_STEP_LSTM     /* the LSTM's weights -> the layouts of the lstm kernel */
};

struct attune_step {
    enum attune_step_kind kind;
    int32_t keys_only; /* part of what attune_plan_prepare() does once a sequence */
    enum attune_side side;
    struct attune_view src, dst, weight, bias; /* bias ATTUNE_NOWHERE: none */
    int64_t b, t;                              /* rows: b sequences of t */
    int64_t inputs, outputs;                   /* columns of src and dst */
    int64_t window;                            /* > 0: a convolution over time of that width */
    int32_t accumulate;                        /* add to dst instead of overwriting */
    struct attune_projection *projection;
};
#define ATTUNE_MAX_STEPS 24 /* the most that a lowering makes is 13 (location, all half precision) */

/* score_tanh's vectors of one head, in the workspace: floats from `offset`. */
struct attune_fold_layout {
    size_t offset;
    int64_t a_pad;   /* terms, padded */
    int64_t stride;  /* floats a head: fold[a_pad], center[...], u[a], then scale and reach */
    int64_t center, u, scale, reach;
};

/* The lstm kernel's weights in the workspace: floats from `offset`. */
struct attune_lstm_layout {
    size_t offset;
    int64_t lanes, n_pad, a_pad;
    int64_t a, b, bias, r, w, u, hidden, total; /* float offsets of each piece */
};

/* The location form: its weights composed, in the workspace: floats from `offset`. */
struct attune_location_layout {
    size_t offset;
    int64_t ones;    /* [a][width], then from here a scale of 1 for each row */
    int64_t sound;   /* and here 1 where float32 holds it */
    int64_t columns; /* of a panel of `wsum` */
    struct attune_view kernel, w_location, previous;
    attune_wsum_fn *wsum; /* of many rows, whatever the core takes */
};

/* Prepared keys: this header, then the payload. */
struct attune_prepared_header {
    char magic[8];
    uint32_t version;
    uint32_t kind;  /* 1: raw rows; 2: raw rows, peaks and expanded panels */
    int64_t b, h, t_k, a, a_pad, width;
    uint64_t check; /* FNV-1a of the fields above */
};

struct attune_prepared_layout {
    struct attune_view source; /* rows of keys as prepare computes them */
    int32_t expanded;          /* peaks and panels are kept too */
    int64_t rows;              /* bytes from the buffer's start: raw rows [b][t_k][h * a] */
    int64_t peaks;             /* [b][h][t_k] */
    int64_t panels;            /* [b][h][panel_stride] */
    int64_t panel_stride;      /* floats: t_k rounded up to the panel's width, times a_pad */
    size_t size;               /* bytes, header included; 0: keys are not prepared */
    struct attune_prepared_header header; /* what a buffer that this plan reads begins with */
};

/* Kernels by operation; those that the problem does not need are NULL. */
struct attune_kernel_choice {
    const struct attune_kernel *row[ATTUNE_OP_COUNT];
    attune_pack_keys_fn *pack_keys;
    attune_pack_values_fn *pack_values;                 /* of the values' type */
    attune_pack_values_fn *convert[ATTUNE_PACK_I8 + 1]; /* rows of any type, by type */
    attune_fold_fn *fold;
    attune_expand_rows_fn *expand_rows;
    attune_expand_panels_fn *expand_panels;
    attune_score_dot_fn *score_dot;
    attune_score_rows_fn *score_rows; /* NULL: score_dot */
    attune_score_tanh_fn *score_tanh;
    attune_score_direct_fn *score_direct;
    attune_adjust_fn *adjust;
    attune_softmax_fn *softmax;
    attune_wsum_fn *wsum;
    attune_wsum_rows_fn *wsum_rows; /* NULL: wsum */
    attune_tile_fn *tile; /* instead of the three, where scores are neither adjusted nor shown; or NULL */
    attune_merge_fn *merge;
    attune_finish_fn *finish;
    attune_weights_fn *weights;
    attune_lstm_fn *lstm;
};

/* One worker's private memory: byte offsets from its base. */
struct attune_worker_layout {
    size_t rows;     /* q_block struct attune_row */
    size_t strips;   /* q_block / strip struct attune_strip */
    size_t query;    /* q_block rows of float32 queries (expanded, for tanh) */
    size_t peak;     /* q_block peaks of query rows */
    size_t out;      /* q_block rows of unnormalised output */
    size_t max, sum, alpha; /* q_block each */
    size_t scores;   /* strip rows of lds */
    size_t bias, mask; /* kv_block floats and bytes: one gathered row */
    size_t state;    /* lstm: h, h and c of q_block rows */
    size_t again;    /* q_block bytes */
    size_t exact;    /* kv_block + e doubles */
    size_t careful;  /* one kv block of values (after its scales, for rows): see attune_worker.careful */
    size_t tags;     /* slots int64: which kv block a slot holds */
    size_t keys, values, key_peak; /* slots of packed kv blocks */
    size_t line, located; /* location: kv_block + width alignments, a kv block of keys by rows */
    size_t scratch;  /* projections: gathered rows, result rows, oneDNN's */
    size_t size;
};

struct attune_plan {
    struct attune_context *context;
    struct attune_shape shape;
    struct attune_model_problem asked; /* what the choice was looked up by: the core tier's key */
    struct attune_choice choice;       /* kernels and tiles */
    struct attune_choice parallel;     /* threads and schedule, 0 where they are left to the layout */
    enum attune_origin origin, parallel_origin;
    struct attune_kernel_choice kernel;
    struct attune_tiles tiles;

    struct attune_step steps[ATTUNE_MAX_STEPS];
    int32_t step_count;
    struct attune_view query, key, value; /* the core's operands */
    struct attune_view key_scale, value_scale; /* int8: float32 [b][g][t_k] */
    struct attune_view lstm_source[7];    /* weight_ih, weight_hh, w_recurrent, score_vector, biases */
    struct attune_step *out_projection;   /* self dot over x with out_weight: the last step */
    struct attune_fold_layout fold;
    struct attune_lstm_layout lstm;
    struct attune_location_layout location;
    struct attune_prepared_layout prepared;

    int64_t group;         /* query heads that share keys: h / g */
    int64_t rows;          /* query rows that share keys: group * t_q */
    int64_t q_blocks;      /* of a unit (b, g) */
    int64_t splits;        /* of the key axis */
    int32_t gathered;      /* a block's splits are all one worker's, which merges them */
    int64_t key_columns;   /* floats of a key in the core: d, a_pad, or 4 n_pad */
    int64_t query_columns; /* floats of a query row in the core */
    int64_t ldo, lds;
    int64_t trim;          /* keys at which a tile may begin inside a block: multiple of a panel */
    int32_t keys_packed, values_packed;
    int64_t value_stride, value_panel; /* of values as wsum reads them */
    int64_t value_floats;              /* of a packed kv block of values */
    int64_t slots;         /* packed kv blocks that one worker keeps */
    int32_t adjusted;      /* scores pass through adjust; otherwise factor does the scale */
    int32_t exact_rows;    /* score_scale is beyond float32: every row in float64 */
    float scale, softcap, factor, out_scale;
    int32_t ordered;       /* keys are passed from the first, without gaps or splits */
    int32_t shown;         /* scores are adjusted or shown: every tile passes through mask */
    int32_t needs_all;     /* raw scores are asked for: no tile is skipped */

    int32_t workers;
    int64_t brief;                 /* nanoseconds by one, where waking others would take longer; else 0 */
    enum attune_schedule schedule; /* how items come to workers; never MODEL */
    struct attune_shares *shares;  /* of ATTUNE_SCHEDULE_WEIGHTED; changed by executions */
    size_t dealt;                  /* offset of workers + 1 floats: where shares begin */
    int32_t uneven; /* items differ in their numbers of attended pairs */
    size_t core_out;       /* bytes offset of [b][t_q][h * e] when out is projected; else unused */
    size_t partial;        /* kv splits: max, sum and out of each */
    int64_t partial_stride;
    size_t worker_base;
    struct attune_worker_layout worker;
    size_t workspace_size; /* slack for alignment included */
};

/* lowering.c and mechanism/: fill steps and operands. */
struct attune_builder {
    struct attune_plan *plan;
    size_t used;       /* bytes of workspace handed out so far */
    int32_t keys_only; /* the steps made now are those that attune_plan_prepare() does */
};

size_t attune_builder_take(struct attune_builder *builder, int64_t floats);
struct attune_step *attune_builder_step(struct attune_builder *builder, enum attune_step_kind kind);
/* A float32, packed view of a small input (a weight), gathered when it is not one already. */
struct attune_view attune_builder_matrix(struct attune_builder *builder, int32_t input);
/* Rows [B, T, columns] of an input as float32; copied when they are another type. */
struct attune_view attune_builder_rows(struct attune_builder *builder, int32_t input,
                                       enum attune_side side, int64_t t, int64_t columns);
/* A projection of `src` rows into new workspace rows (or onto `onto`). */
struct attune_projected {
    struct attune_view src, weight, bias, onto;
    int64_t t, inputs, outputs, weight_stride, window;
    enum attune_side side;
    int32_t transposed;
};
enum attune_status attune_builder_project(struct attune_builder *builder,
                                          const struct attune_projected *request,
                                          struct attune_view *dst);
/* Where keys are prepared, what has been lowered as the key side becomes what prepare writes, and the
 * core's keys are read back from the caller's buffer. */
void attune_builder_prepared_keys(struct attune_builder *builder, int32_t expanded);
/* The values: `value` where given, else the rows of `fallback`. */
struct attune_view attune_builder_values(struct attune_builder *builder, int32_t fallback);
int attune_given(const struct attune_shape *shape, int32_t input);

enum attune_status attune_lower_additive(struct attune_builder *builder);
enum attune_status attune_lower_multiplicative(struct attune_builder *builder);
enum attune_status attune_lower_self(struct attune_builder *builder);
enum attune_status attune_lower_convolutional(struct attune_builder *builder);
enum attune_status attune_lower_recurrent(struct attune_builder *builder);

/* plan.c: for the tuner, a plan of choices of the caller's, checked as those from a cache are. NULL:
 * that tier is looked up. */
enum attune_status attune_plan_create_forced(struct attune_context *context,
                                             const struct attune_problem *problem,
                                             const struct attune_choice *core,
                                             const struct attune_choice *parallel,
                                             struct attune_plan **plan);
/* plan_choice.c: what the tuner knows for this problem, else the model's choice; where the origin is
 * `forced`, the plan's own. */
enum attune_status attune_plan_choose(struct attune_plan *plan);
/* The key of the plan's parallel tier. */
void attune_plan_parallel_key(const struct attune_plan *plan, struct attune_key *key);
/* plan_kernels.c: the kernels of the core, before lowering (layouts follow them), and those that
 * bring operands into the core's layouts, after it (types follow the operands). */
enum attune_status attune_plan_choose_core(struct attune_plan *plan);
enum attune_status attune_plan_choose_packs(struct attune_plan *plan);
/* The failure that an operation without a usable kernel is. */
enum attune_status attune_plan_lacks(const struct attune_plan *plan, enum attune_operation operation);
/* execute.c: the header of the prepared keys of a lowered plan. */
void attune_plan_write_header(struct attune_plan *plan);
/* plan_layout.c: how scores are scaled, and who has to see them: follows from the problem alone. */
void attune_plan_resolve_scales(struct attune_plan *plan);
/* steps.c: whether all workers run a step. */
int attune_step_is_shared(const struct attune_step *step);
/* plan_workers.c: workers, their schedule, and the q block and strip that suit their number. */
void attune_plan_size_workers(struct attune_plan *plan);
/* Pairs that a q block of sequence b scores, roughly: from its first and last row, whose limits bound the
 * others'. `args` holds the lengths, where there are any. */
double attune_plan_block_cost(const struct attune_plan *plan, const struct attune_args *args, int64_t b,
                              int64_t q_block, int64_t block);
/* plan_layout.c: sizes of blocks, splits and memory. */
enum attune_status attune_plan_lay_out(struct attune_plan *plan, size_t lowered_bytes);

#endif
