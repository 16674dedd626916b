/* SPDX-License-Identifier: Apache-2.0
 *
 * A problem whose fields have been checked, with every extent resolved: what plan, reference and
 * command work from, so that none of them interprets the problem a second time.
 */
#ifndef ATTUNE_ENGINE_SHAPE_H
#define ATTUNE_ENGINE_SHAPE_H

#include "attune/attune.h"

/* How scores are made once projections are done. */
enum attune_score_kind { ATTUNE_SCORE_DOT = 0, ATTUNE_SCORE_TANH = 1, ATTUNE_SCORE_LSTM = 2 };

struct attune_shape {
    struct attune_problem problem; /* defaults filled in: form, score_scale, output_scale, windows (-1),
                                      natural shape of every output that is asked for */
    enum attune_score_kind kind;
    int64_t b, h, g;    /* batch, query heads, key/value heads (g = h where every head has its keys) */
    int64_t t_q, t_k;
    int64_t d;          /* head size of q and k (dot), 0 otherwise */
    int64_t e;          /* head size of values */
    int64_t d_q, d_k;   /* columns of query and key before any projection */
    int64_t a;          /* score space of one head (tanh, lstm) */
    int64_t c, n, s, f; /* channels of x, LSTM units, state, location filters; 0 where there are none */
    int64_t width;      /* of a convolution over time */
    int64_t out_width;  /* columns of `out` after out_weight, h * e without */
    int32_t from_x;     /* self dot over x with in_weight */
    int32_t out_heads;  /* `out` has an axis of heads: [B,H,T_q,E] */
    int32_t prepared;   /* ATTUNE_PREPARED_KEYS */
};

/* Checks every field and tensor description, and resolves them. On failure the detail names the first
 * field or tensor at fault, its value, and what would be right. */
enum attune_status attune_shape_resolve(const struct attune_problem *problem,
                                        struct attune_shape *shape);
/* Checks pointers: present where a tensor is described, aligned to its element, outputs overlapping
 * nothing; values of lengths inside 0..T. Needs no workspace. */
enum attune_status attune_shape_check_args(const struct attune_shape *shape,
                                           const struct attune_args *args);
/* The same for attune_plan_prepare(): the tensors of the key side (key, w_key, weight, key_lengths). */
enum attune_status attune_shape_check_key_args(const struct attune_shape *shape,
                                               const struct attune_args *args);
/* key_lengths[b] and query_lengths[b], or T_k and T_q where there are none. */
int64_t attune_shape_key_length(const struct attune_shape *shape, const struct attune_args *args,
                                int64_t b);
int64_t attune_shape_query_length(const struct attune_shape *shape, const struct attune_args *args,
                                  int64_t b);
/* Keys [*first, *last) that query i of sequence b may attend by lengths, causal and window; empty
 * when *first >= *last, and for i >= query_lengths[b]. */
void attune_shape_attended(const struct attune_shape *shape, const struct attune_args *args,
                           int64_t b, int64_t i, int64_t *first, int64_t *last);
/* Elements from the start of an input to index (b, h, i, j) of its broadcast [B,H,T_q,T_k] view:
 * for mask and bias, whose axes are aligned from the right. */
int64_t attune_shape_pair_offset(const struct attune_tensor *tensor, int64_t b, int64_t h, int64_t i,
                                 int64_t j);

#endif
