/* SPDX-License-Identifier: Apache-2.0
 *
 * THE CONTRACT: what every kernel computes, reads and writes, once for all instruction sets. Kernels
 * themselves are listed in kernels.def and nowhere else; registry.h finds them.
 *
 * Common to all: lengths and strides count elements. A kernel reads and writes only the elements that
 * its contract names: not one byte beyond, whatever the alignment (element alignment is enough). It
 * computes in float32, rounds to nearest, keeps denormals, never calls libm, allocates or locks.
 * For one element of output the order of operations depends on its own indices and on the kernel's
 * compile-time constants only, never on how many rows or keys the call holds: an edge tile gives the
 * bits of a full one, and a call split at a multiple of ATTUNE_KEY_STEP keys gives the bits of the
 * whole. NaN in an operand makes NaN in every result it takes part in.
 */
#ifndef ATTUNE_ARCH_KERNELS_H
#define ATTUNE_ARCH_KERNELS_H

#include <stddef.h>
#include <stdint.h>

/* Scores live in scratch rows whose length is a multiple of this, so that a kernel may write, and
 * read back, whole panels: lds is a multiple, and every row has round_up(n, ATTUNE_KEY_STEP) elements
 * of scratch. It is a multiple of every panel width in kernels.def (asserted in registry.c). */
#define ATTUNE_KEY_STEP 192

/* The terms of the tanh score are padded to a multiple of this (rows, panels, fold, center). */
#define ATTUNE_TERM_STEP 4
/* One entry of `center` for so many terms. Few, since what is left after its subtraction is small
 * where tanh is: over 16 terms of one sign the rounding of their sum alone was 3 times as large as the
 * error of everything else. */
#define ATTUNE_CENTER_STEP 4
/* A term that is dropped has fold = this and expanded query 0, so it adds exactly 1 / this. */
#define ATTUNE_FOLD_DROPPED 0x1p30f
/* A term whose share of the largest is not above this is dropped: it could not move a float32 sum. */
#define ATTUNE_FOLD_LEAST 0x1p-30f

/* Panels. Keys, `width` of them: element [d] of key j at panel[(j / width) * d_pad * width + d * width +
 * j % width]; keys beyond the last are zero. Values, `width` columns: column c of value j at
 * v[(c / width) * panel_stride + j * ldv + c % width]. */

/* pack_keys: n rows of d elements -> panels, converted to float32 and, where scale is
 * given, multiplied by scale[j * scale_stride]. Terms d .. d_pad-1 and missing keys become 0. Source
 * type is the kernel's `dtype`. width is any multiple of 8 up to 64, or any number for scalar. */
struct attune_pack_keys_args {
    const void *src;
    int64_t stride; /* between rows of src, in its elements */
    const float *scale;
    int64_t scale_stride;
    int64_t n, d, d_pad, width;
    float *dst; /* round_up(n, width) * d_pad floats */
};
typedef void attune_pack_keys_fn(const struct attune_pack_keys_args *args);

/* pack_values: n rows of e elements -> float32 columns panels: column c of row j at
 * dst[(c / width) * panel_stride + j * width + c % width]; columns e .. round_up(e, width)-1 become 0.
 * With width >= e it is a plain conversion to rows of `width`. Any width >= 1. scale as above. */
struct attune_pack_values_args {
    const void *src;
    int64_t stride;
    const float *scale;
    int64_t scale_stride;
    int64_t n, e, width, panel_stride;
    float *dst;
};
typedef void attune_pack_values_fn(const struct attune_pack_values_args *args);

/* score_dot: s[i * lds + j] = sum_d q[i * ldq + d] * k_j[d] for i < m, j < n, keys in panels of the
 * row's `width` (d_pad = d); may also write s up to the panel's end. One chain over d in order. Error of
 * one score: (d + 3) * 2^-24 * sum |q k|. m, n, d >= 0; d = 0 gives zeros. */
struct attune_score_dot_args {
    const float *q;
    int64_t ldq, m;
    const float *k;
    int64_t n, d;
    float *s;
    int64_t lds;
};
typedef void attune_score_dot_fn(const struct attune_score_dot_args *args);

/* score_rows: s[i * lds + j] = scale_j * sum_d q[i * ldq + d] * k_j[d] for i < m, j < n, for a few query
 * rows: key j lies at k + j * ldk in the kernel's `dtype`; scale NULL: all 1. May also write s up to the
 * next multiple of `width` keys. Lane-wise chains over d, then a fixed tree, then the scale. Error of
 * one score: (d / lanes + log2(lanes) + 3) * 2^-24 * |scale_j| sum |q k|. m, n, d >= 0; d = 0 gives
 * zeros. It asks the caches for rows beyond the n keys, which need not be there: asking never faults. */
struct attune_score_rows_args {
    const float *q;
    int64_t ldq, m;
    const void *k;
    int64_t ldk;
    const float *scale;
    int64_t n, d;
    float *s;
    int64_t lds;
};
typedef void attune_score_rows_fn(const struct attune_score_rows_args *args);

/* fold: the score vector u of the tanh score as score_tanh reads it: *scale = max_t |u[t]|, and with w =
 * u / scale fold[t] = 1 / w[t] and center[block] the sum of w[t] / 2 of its kept terms. Terms of |w| <=
 * ATTUNE_FOLD_LEAST and the padding a .. a_pad-1 are dropped: fold ATTUNE_FOLD_DROPPED, and 1 over that in
 * center. *largest = max |fold[t]| of the kept terms; 0 where none is: u is not finite, or *scale is out
 * of 2^+-100. */
struct attune_fold_args {
    const float *u;
    int64_t a, a_pad;
    float *fold, *center;
    float *scale, *largest;
};
typedef void attune_fold_fn(const struct attune_fold_args *args);

/* expand: dst[i * ldd + t] = e^(2 x[i * ldx + t]) * (fold ? fold[t] : 1) for i < n, t < a; terms
 * a .. a_pad-1 become 0. Where a term is dropped (|fold[t]| = ATTUNE_FOLD_DROPPED) it becomes 0 too.
 * peak[i] = max_t |x[i][t]| (NaN where x has NaN). x may equal dst. Where peak is so large that
 * e^(2x) leaves the float range the values are unspecified, but there is no trap: the caller looks
 * at peak. */
struct attune_expand_rows_args {
    const float *x;
    int64_t ldx, n, a, a_pad;
    const float *fold;
    float *dst;
    int64_t ldd;
    float *peak;
};
typedef void attune_expand_rows_fn(const struct attune_expand_rows_args *args);

/* expand_panels: the same, without fold, for keys that lie in panels already: panels[p][t][lane] for
 * round_up(n, width) keys, in place; peak[j] for the n keys. Padding keys and terms may end as any
 * finite value. */
struct attune_expand_panels_args {
    float *panels;
    int64_t n, a, a_pad, width;
    float *peak;
};
typedef void attune_expand_panels_fn(const struct attune_expand_panels_args *args);

/* score_tanh: s_ij = -2 * scale * sum_blocks ( sum_{t in block} 1 / (fold[t] + q_it * k_tj) - center[block] )
 * over a_pad terms in blocks of ATTUNE_CENTER_STEP, where q is expanded and folded (expand_rows), k
 * expanded panels of the row's `width`, fold[t] = 1 / w_t, w = score_vector / scale, and center[block]
 * the sum of w_t / 2 over its kept terms (1 / ATTUNE_FOLD_DROPPED for a dropped one). Since
 * w tanh(x + y) = w - 2 / (1/w + e^2x e^2y / w), s_ij is sum_t score_vector_t tanh(x_it + y_jt).
 * `terms` of the row says how many denominators share a division: the caller keeps
 * |fold| (1 + e^(2(x+y))) to the power `terms` inside 2^+-120; outside it results are unspecified
 * for that pair alone. May write s up to the panel's end. */
struct attune_score_tanh_args {
    const float *q;
    int64_t ldq, m;
    const float *k;
    int64_t n, a_pad;
    const float *fold, *center;
    float scale;
    float *s;
    int64_t lds;
};
typedef void attune_score_tanh_fn(const struct attune_score_tanh_args *args);

/* score_tanh_direct: s[j * s_stride] = sum_t u[t] * tanh(x[t] + y_j[t]) for j < n, y_j = y + j * ldy,
 * none of them expanded: for pairs out of score_tanh's range. Error of tanh: 4 ulp, for any argument.
 * Finite x, y, u with a finite sum give a finite score, an infinite argument saturates. */
struct attune_score_direct_args {
    const float *x, *y;
    int64_t ldy, n, a;
    const float *u;
    float *s;
    int64_t s_stride;
};
typedef void attune_score_direct_fn(const struct attune_score_direct_args *args);

/* adjust: one row of raw scores, in place, for j < n:
 *   s = s * scale; if (softcap > 0) s = softcap * tanh(s / softcap)
 *   s = s + bias[j] (a finite bias makes no s -inf: the sum is held at -FLT_MAX); bias -inf -> -inf
 *   mask[j] == 0 -> s = -inf
 * bias and mask may be NULL. Returns non-zero when some j may be attended (mask true and bias not
 * -inf). */
struct attune_adjust_args {
    float *s;
    int64_t n;
    float scale, softcap;
    const float *bias;
    const uint8_t *mask;
};
typedef int attune_adjust_fn(const struct attune_adjust_args *args);

/* softmax: one block of the online softmax over m rows of n scores, in base 2. With c = `factor` > 0:
 *   M = max(row_max[i], max_j s_ij);  p_ij = 2^(c (s_ij - M));  alpha[i] = 2^(c (row_max[i] - M))
 *   row_sum[i] = row_sum[i] * alpha[i] + sum_j p_ij;  row_max[i] = M;  s_ij <- p_ij
 * The maximum is that of the scores themselves, not of c s: s - M loses nothing and cannot overflow
 * to a wrong weight, and a score equal to M gives exactly 1. A score of -inf gives exactly 0, as does
 * any c (s_ij - M) < -127. Elements j >= n up to the next multiple of the vector become 0. NaN in a
 * row makes its sum NaN. row_max[i] starts at -FLT_MAX (never -inf), row_sum[i] at 0. The sum of a
 * call runs in fixed chains by j. Error of p: 2 ulp of the exponential at its argument as rounded,
 * which is within 2 * 2^-24 of c (s_ij - M), relatively. */
struct attune_softmax_args {
    float *s;
    int64_t lds, m, n;
    float factor;
    float *row_max, *row_sum, *alpha;
};
typedef void attune_softmax_fn(const struct attune_softmax_args *args);

/* wsum: o[i * ldo + c] = alpha[i] * o[i * ldo + c] + sum_j p[i * ldp + j] * v_j[c], i < m, c < e, one
 * chain over j in order that starts at alpha * o. v as panels of the row's `width` columns, of which
 * the last holds e % width columns and no more need be readable (ldv = the row stride and panel_stride
 * = width reads row-major values in place). */
struct attune_wsum_args {
    const float *p;
    int64_t ldp, m;
    const float *v;
    int64_t ldv, panel_stride;
    int64_t n, e;
    const float *alpha;
    float *o;
    int64_t ldo;
};
typedef void attune_wsum_fn(const struct attune_wsum_args *args);

/* tile: score_dot, softmax and wsum of m query rows against one kv block, n <= lds keys from key number
 * `key` on. Row i may attend the keys [first[i * limit_stride], last[i * limit_stride]) of all
 * keys (NULL: every key of the block); others weigh 0, and keys that no row of a strip may attend are not read. k as panels of the row's
 * `width`, v as panels of the same width. Gives the bits of the three in turn with a softmax of two
 * chains; row_max, row_sum and o as there. scratch: 2 * rows * lds floats of the row's `rows`, aligned
 * like any operand. */
struct attune_tile_args {
    const float *q;
    int64_t ldq, m;
    const float *k;
    int64_t d, n;
    const float *v;
    int64_t ldv, panel_stride, e;
    int64_t key;
    const int64_t *first, *last;
    int64_t limit_stride;
    float factor;
    float *row_max, *row_sum;
    float *o;
    int64_t ldo;
    float *scratch;
    int64_t lds;
};
typedef void attune_tile_fn(const struct attune_tile_args *args);

/* wsum_rows: o[i * ldo + c] = alpha[i] * o[i * ldo + c] + sum_j (p[i * ldp + j] * scale_j) * v_j[c] for
 * a few query rows: v_j lies at v + j * ldv in the kernel's `dtype`; scale NULL: all 1. One chain over j
 * in order that starts at alpha * o. Asks the caches for rows beyond the n keys, as score_rows does. */
struct attune_wsum_rows_args {
    const float *p;
    int64_t ldp, m;
    const void *v;
    int64_t ldv;
    const float *scale;
    int64_t n, e;
    const float *alpha;
    float *o;
    int64_t ldo;
};
typedef void attune_wsum_rows_fn(const struct attune_wsum_rows_args *args);

/* merge: joins `parts` kv splits of one row, in index order, with softmax's `factor` c:
 *   M = max_p row_max[p * stat_stride];  o[c] = sum_p w_p o_p[c], sum = sum_p w_p row_sum_p,
 *   w_p = 2^(c (row_max_p - M)), for c < e.
 * Results go to *out_max, *out_sum, out_o, which may be those of a part. A part with sum 0 and max
 * -FLT_MAX adds nothing. */
struct attune_merge_args {
    int64_t parts;
    const float *row_max, *row_sum;
    int64_t stat_stride;
    float factor;
    const float *o;
    int64_t o_stride, e;
    float *out_max, *out_sum, *out_o;
};
typedef void attune_merge_fn(const struct attune_merge_args *args);

/* finish: out[i * ldout + c] = (o[i * ldo + c] / sum[i]) * scale for i < m, c < e. The quotient is rounded
 * once, exact where it is a float; one within 2^-22 ulp of the middle between two may become either, and
 * one of |o| < 2^-100 may be off by 1.5 ulp. flawed[i] = 0 when float32 has held the row: all of out is
 * finite, and no o is denormal (its products lost bits that rounding to float32 does not cost); otherwise
 * flawed[i] = 1 and out is unspecified. */
struct attune_finish_args {
    const float *o;
    int64_t ldo, m, e;
    const float *sum;
    float scale;
    float *out;
    int64_t ldout;
    uint8_t *flawed;
};
typedef void attune_finish_fn(const struct attune_finish_args *args);

/* weights: one row of alignments from adjusted scores: w[j] = 2^(factor * (s[j] - row_max)) / row_sum,
 * exactly 0 for s = -inf. w may equal s. */
struct attune_weights_args {
    const float *s;
    int64_t n;
    float factor, row_max, row_sum;
    float *w;
};
typedef void attune_weights_fn(const struct attune_weights_args *args);

/* lstm: one step of the scan for a tile of m query rows against one key, and that key's column of
 * scores. Units are padded to n_pad, a multiple of the row's `width` W; gates lie interleaved by
 * vector, [n_pad / W][4][W] in the order i f g o: gate(i) = x[i] + y + (r ? R h_i : 0), i < m.
 *   c = sigmoid(f) c + sigmoid(i) tanh(g);  h = sigmoid(o) tanh(c)
 *   s[i * lds] = sum_t u[t] tanh(bias[t] + sum_k w[t][k] h_i[k])
 * r: [n_pad / W][n][4][W], the weights of unit k on each gate; w: panels [a_pad / W][n][W] of
 * w_recurrent; u and bias have a_pad entries, zero beyond a; bias NULL: none. The state before is
 * h_in, the state after h_out, rows of n_pad, ldh apart, that do not overlap: every unit's gates read
 * all of h_in, so the caller swaps two buffers. c is updated in place. h and c are zero at the start
 * of a scan. r NULL: a step from the zero state: h_in is not read and c only written. Padding units
 * have zero gate inputs and weights and stay finite. Error: 4 ulp each sigmoid (2^-126 where it is
 * smaller) and tanh. */
struct attune_lstm_args {
    const float *x;
    int64_t ldx, m; /* ldx >= 4 n_pad */
    const float *y;
    const float *r;
    int64_t n, n_pad;
    const float *h_in;
    float *h_out, *c;
    int64_t ldh;
    const float *w, *u, *bias;
    int64_t a_pad;
    float *s;
    int64_t lds;
};
typedef void attune_lstm_fn(const struct attune_lstm_args *args);

/* For the roofs. probe_fma: `repeats` rounds of independent FMA chains in registers; returns the flops
 * done. probe_tanh: the terms of score_tanh, all operands in registers; returns the terms. probe_exp:
 * softmax's exponential in registers; returns how many. probe_read: sums a buffer of n floats,
 * `repeats` times; returns the bytes read. */
typedef double attune_probe_fma_fn(int64_t repeats);
typedef double attune_probe_tanh_fn(int64_t repeats);
typedef double attune_probe_exp_fn(int64_t repeats);
typedef double attune_probe_read_fn(const float *buffer, int64_t n, int64_t repeats);

#endif
