/* SPDX-License-Identifier: Apache-2.0
 *
 * The streaming core: for blocks of query rows, over blocks of keys: score tile, mask, online softmax,
 * weighted sum. One execution's view of memory, shared by the files core_*.c; nothing outside engine/
 * sees it.
 */
#ifndef ATTUNE_ENGINE_CORE_H
#define ATTUNE_ENGINE_CORE_H

#include <stdatomic.h>

#include "engine/plan.h"

/* One output as the core writes it: element (b, h, i, j). */
struct attune_sink_view {
    float *base; /* NULL: not asked for */
    int64_t stride_b, stride_h, stride_t, stride_k;
};

/* What one execution resolves before its workers start. */
struct attune_execution {
    const struct attune_plan *plan;
    const struct attune_args *args;
    char *workspace; /* aligned */
    const char *query, *key, *value;
    const float *fold;     /* of head 0 */
    const float *lstm;     /* the lstm kernel's weights */
    struct attune_sink_view out, alignments, lse, scores;
    const struct attune_step *step; /* the step being run */
    char *prepared;                 /* being written by attune_plan_prepare() */
    int32_t alone;                  /* nobody is woken for it: the caller does every worker's part */
    _Atomic int failed;             /* a projection did not get its memory */
    _Atomic int32_t claimed;        /* pieces of the core's work that workers have taken */
};

/* One query row of a q block. */
struct attune_row {
    int64_t head, i;     /* query head, position */
    int64_t first, last; /* keys that it may attend by lengths, causal and window; empty if first >= last */
    int32_t any;         /* some key may be attended */
    int32_t far;         /* its tanh argument is out of the folded kernel's range */
};

/* The rows that are scored together: [low, high) holds every key that one of them may attend,
 * [every_low, every_high) only keys that all of them may. */
struct attune_strip {
    int64_t low, high, every_low, every_high;
};

/* One worker's memory, and the unit (batch entry, key/value head) it is at. */
struct attune_worker {
    const struct attune_execution *execution;
    const struct attune_plan *plan;
    int64_t b, g;
    int64_t key_length;
    int64_t row_first, row_count; /* rows of the unit in this q block */
    struct attune_row *rows;
    struct attune_strip *strips;
    const float *query_rows; /* the block's queries as the score kernel reads them */
    int64_t query_stride;
    float *query, *peak, *out, *max, *sum, *alpha, *scores, *bias, *state;
    uint8_t *mask;
    double *exact_scores, *exact_out;
    uint8_t *again; /* rows that finish could not hold */
    int64_t *tags;
    float *keys, *key_peak, *values, *careful_values;
    float *line, *located; /* of the location form: alignments, and keys by rows */
    int32_t careful; /* values of keys that a row may not attend are replaced by 0 */
};

/* Keys and values of one kv block as the kernels want them. */
struct attune_block {
    int64_t first, count;
    const float *keys;     /* panels */
    const void *key_rows;  /* rows as they lie: of score_rows, of lstm, of tanh's direct path */
    int64_t key_row_stride;
    const float *key_peak;
    float least_peak, most_peak; /* a NaN above all */
    const float *values;    /* as wsum reads them */
    const void *value_rows; /* as wsum_rows reads them */
    int64_t value_stride, value_panel;
    const float *key_scale, *value_scale; /* of rows; NULL: none */
};

/* execute.c: addresses of a view. */
const char *attune_view_base(const struct attune_execution *execution, const struct attune_view *view);
static inline const float *attune_view_floats(const struct attune_execution *execution,
                                              const struct attune_view *view)
{
    return (const float *)attune_view_base(execution, view);
}

/* steps.c: runs one step's share of a worker; the only one's, where a step is too small to be shared. */
void attune_step_work(void *argument, int32_t worker, int32_t workers);
/* steps_weights.c */
void attune_step_fold(const struct attune_execution *execution, const struct attune_step *step);
void attune_step_lstm(const struct attune_execution *execution, int32_t worker, int32_t workers);

/* steps_location.c */
void attune_step_compose(const struct attune_execution *execution);

/* prepare.c: one worker's share of a prepared buffer's payload. */
void attune_prepare_work(void *argument, int32_t worker, int32_t workers);

/* core_stream.c */
/* Streams keys [key_first, key_last) past the rows of the block, from fresh statistics. */
void attune_core_stream(struct attune_worker *worker, int64_t key_first, int64_t key_last);

/* core.c: one worker's share of the items, and of the rows whose kv splits are to be merged. */
void attune_core_work(void *argument, int32_t worker, int32_t workers);
void attune_core_merge_work(void *argument, int32_t worker, int32_t workers);

/* core_block.c: rows and kv blocks made ready for the kernels. */
void attune_core_load_rows(struct attune_worker *worker, int64_t unit, int64_t first, int64_t count);
void attune_core_load_block(struct attune_worker *worker, int64_t index, struct attune_block *block);
/* Scores of a strip of rows against keys [first, first + count) of the block, into worker->scores. */
void attune_core_score(struct attune_worker *worker, const struct attune_block *block, int64_t row,
                       int64_t rows, int64_t first, int64_t count);

/* core_location.c: adds their location to a block's keys: in panels, in place; and as rows, which the
 * block then names. */
void attune_core_locate_panels(struct attune_worker *worker, const struct attune_block *block,
                               float *panels);
void attune_core_locate_rows(struct attune_worker *worker, struct attune_block *block);

/* core_rows.c: the same for few query rows, from rows of any type, and their weighted sums; and values of
 * keys that the one row may not attend, as 0. */
void attune_core_score_rows(struct attune_worker *worker, const struct attune_block *block,
                            int64_t row, int64_t rows, int64_t first, int64_t count);
void attune_core_wsum_rows(struct attune_worker *worker, const struct attune_block *block,
                           int64_t row, int64_t rows, int64_t first, int64_t count);
void attune_core_clear_rows(struct attune_worker *worker, struct attune_block *block);

/* core_mask.c: scores of a strip adjusted and masked; shows them where they are asked for. */
void attune_core_mask(struct attune_worker *worker, int64_t row, int64_t rows, int64_t key,
                      int64_t count);
/* Bias and mask of one row as contiguous float32 and bytes; NULL where there are none. */
const float *attune_core_bias_row(struct attune_worker *worker, int64_t head, int64_t i, int64_t key,
                                  int64_t count);
const uint8_t *attune_core_mask_row(struct attune_worker *worker, int64_t head, int64_t i,
                                    int64_t key, int64_t count);
/* Which of the keys [key, key + count) row `row` may attend, as bytes in worker->mask. */
const uint8_t *attune_core_attended(struct attune_worker *worker, int64_t row, int64_t key,
                                    int64_t count);

/* The logit of the sink of a head. */
double attune_core_sink(const struct attune_worker *worker, int64_t head);
/* Sets alignments and scores of the block's rows to -inf in [key_first, key_last). */
void attune_core_prefill(struct attune_worker *worker, int64_t key_first, int64_t key_last);

/* core_finish.c: from unnormalised rows to outputs. */
/* The row of `out` that a query row writes; NULL when it is not asked for. */
float *attune_core_out_row(const struct attune_worker *worker, const struct attune_row *at);
void attune_core_write_lse(const struct attune_worker *worker, const struct attune_row *at,
                           double lse);
/* Writes the outputs of a row. Returns 0 when float32 could not hold the row: out, alignments and lse
 * then have to be computed again. */
int attune_core_finish(struct attune_worker *worker, int64_t row, float max, float sum,
                       const float *out);

/* The same of every row of the block; again[row] is set where it would return 0. */
void attune_core_finish_rows(struct attune_worker *worker, uint8_t *again);

/* core_exact.c: one row in float64, where float32 overflowed or data are not finite. */
void attune_core_exact_row(struct attune_worker *worker, int64_t row);

#endif
