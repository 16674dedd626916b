/* SPDX-License-Identifier: Apache-2.0
 *
 * What a peer that is a C library is built as: a shared object with these functions. One problem at
 * a time, float32, packed: softmax(q k^T / sqrt(d) + mask) v, query head h with keys of group
 * h / (heads / groups).
 */
#ifndef ATTUNE_BENCH_PEERS_NATIVE_H
#define ATTUNE_BENCH_PEERS_NATIVE_H

#include <stdint.h>

struct peer_problem {
    int64_t batch, heads, groups, queries, keys, d, e;
    const float *q;    /* [batch, heads, queries, d] */
    const float *k;    /* [batch, groups, keys, d] */
    const float *v;    /* [batch, groups, keys, e] */
    const float *mask; /* [queries, keys], added to the scores; NULL: none */
    float *out;        /* [batch, heads, queries, e], or as peer_heads_last() says */
    int32_t threads;
};

const char *peer_version(void);
/* How the peer is used, a few words. */
const char *peer_setting(void);
/* Whether `out` is [batch, queries, heads, e]. */
int peer_heads_last(void);
/* NULL on failure. The problem's arrays must outlive it. */
void *peer_open(const struct peer_problem *problem);
/* 0, or not. */
int peer_run(void *opened);
/* NULL is allowed. */
void peer_close(void *opened);
/* Why the last open or run failed. */
const char *peer_trouble(void);

#endif
