#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# peers.sh SOURCE_DIR: what of bench/peers can be tested without installing the peers: its options, its
# statistics, and that oneDNN's chain computes attention.
set -u
peers=$1/bench/peers
failures=0
fail() { printf 'FAILED: %s\n' "$*"; failures=$((failures + 1)); }
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT

"$peers/run.sh" --help | grep -q 'one result file' || fail "--help does not help"
said=$("$peers/run.sh" --ggml "$folder" 2>&1)
[ $? -eq 2 ] || fail "--ggml with a folder that holds none: not exit code 2"
case $said in *--ggml*ggml.h*) ;; *) fail "--ggml: said '$said'" ;; esac

cat >"$folder/driver.c" <<'C'
#include "native.h"

#include <math.h>
#include <stdio.h>

enum { HEADS = 4, QUERIES = 5, KEYS = 7, D = 6, E = 3 };
static float q[HEADS * QUERIES * D], k[HEADS * KEYS * D], v[HEADS * KEYS * E], mask[QUERIES * KEYS],
    out[HEADS * QUERIES * E];

static double expected(int groups, int masked, int h, int i, int e)
{
    const int g = h / (HEADS / groups);
    double sum = 0, total = 0;
    for (int j = 0; j < KEYS; j++) {
        double score = 0;
        for (int d = 0; d < D; d++)
            score += (double)q[(h * QUERIES + i) * D + d] * (double)k[(g * KEYS + j) * D + d];
        const double weight = exp(score / sqrt(D) + (masked ? (double)mask[i * KEYS + j] : 0));
        total += weight;
        sum += weight * (double)v[(g * KEYS + j) * E + e];
    }
    return sum / total;
}

static double worst(int groups, int masked)
{
    const struct peer_problem problem = {1, HEADS, groups, QUERIES, KEYS, D, E, q, k, v,
                                         masked ? mask : NULL, out, 1};
    double error = 0;
    void *opened = peer_open(&problem);
    if (!opened || peer_run(opened) || peer_run(opened))
        return INFINITY;
    for (int h = 0; h < HEADS; h++)
        for (int i = 0; i < QUERIES; i++)
            for (int e = 0; e < E; e++)
                error = fmax(error, fabs((double)out[(h * QUERIES + i) * E + e] -
                                         expected(groups, masked, h, i, e)));
    peer_close(opened);
    return error;
}

int main(void)
{
    for (int i = 0; i < HEADS * KEYS * D; i++)
        k[i] = (float)((i * 37) % 17) / 8 - 1;
    for (int i = 0; i < HEADS * QUERIES * D; i++)
        q[i] = (float)((i * 29) % 13) / 6 - 1;
    for (int i = 0; i < HEADS * KEYS * E; i++)
        v[i] = (float)((i * 23) % 11) / 5 - 1;
    for (int i = 0; i < QUERIES * KEYS; i++)
        mask[i] = i % KEYS <= i / KEYS ? 0 : -INFINITY;
    printf("%d %d %d\n", worst(HEADS, 0) < 1e-5, worst(2, 0) < 1e-5, worst(HEADS, 1) < 1e-5);
    return worst(2, 1) < 1; /* grouped heads and a mask: refused, so that no wrong number is told */
}
C
if "${CC:-cc}" -std=c11 -O1 -Wall -Wextra -Werror -I"$peers" -o "$folder/driver" "$folder/driver.c" \
    "$peers/onednn_chain.c" -ldnnl -lm; then
    said=$("$folder/driver") || fail "the chain takes a mask with grouped heads"
    [ "$said" = "1 1 1" ] || fail "the chain computes something else: '$said'"
else
    fail "onednn_chain.c does not build"
fi

# The structures as the header has them.
cat >"$folder/layout.c" <<'C'
#include <attune/attune.h>
#include <stdio.h>

int main(void)
{
    printf("%zu %zu %zu %zu %zu\n", sizeof(struct attune_problem), sizeof(struct attune_args),
           offsetof(struct attune_problem, window_right), offsetof(struct attune_problem, out),
           offsetof(struct attune_args, workspace));
}
C
"${CC:-cc}" -I"$1/engine/include" -o "$folder/layout" "$folder/layout.c" || fail "the header does not build"
if command -v python3 >/dev/null; then
    said=$(PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$peers python3 -c '
import ctypes as c, attune_layout as a
print(c.sizeof(a.Problem), c.sizeof(a.Args), a.Problem.window_right.offset, a.Problem.out.offset,
      a.Args.workspace.offset)')
    [ "$said" = "$("$folder/layout")" ] || fail "attune_layout.py is not the header: '$said'"
    PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$peers python3 - <<'PYTHON' || fail "statistics_of.py"
import statistics_of as s
# The median of ten lies between the second and the ninth with 97.9 %, between the third and the
# eighth with 89 %; five values have no narrower interval than all of them.
assert s.order_interval(range(1, 11)) == (2, 9)
assert s.order_interval([3, 1, 2, 5, 4]) == (1, 5)
assert s.order_interval(range(1, 26)) == (8, 18)
assert s.noise([[1.0, 1.0]] * 10) == 0
assert s.noise([[1.0]] * 10) is None
told = s.summary([[2.0, 3.0], [2.01, 4.0], [2.02, 2.5]])
assert told["min_s"] == 2.0 and told["samples"] == 6 and told["settled"]
assert told["round_s"] == [2.0, 2.01, 2.02]
assert not s.summary([[1.0], [2.0], [2.0]])["settled"]
PYTHON
else
    echo "no python3: statistics_of.py is not tested"
fi
[ "$failures" -eq 0 ] && echo "peers: options, statistics, layout, oneDNN's chain"
exit $((failures != 0))
