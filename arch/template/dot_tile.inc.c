/* SPDX-License-Identifier: Apache-2.0
 *
 * The register tile of scores against a panel of keys, shared by score_dot and tile. Needs a vocabulary;
 * rows and vectors are compile-time constants, rows <= 16, rows * vectors + vectors + 1 <= VREGISTERS.
 */
#ifndef ATTUNE_ARCH_TEMPLATE_DOT_TILE
#define ATTUNE_ARCH_TEMPLATE_DOT_TILE

#include "arch/kernels.h"
#include "arch/simd/rows.h"

enum { DOT_ROWS = 16, DOT_VECTORS = 4 };

/* rows x (vectors * VLANES) scores against those lanes of a panel of `width`. Bound: rows * vectors FMA
 * against vectors + rows loads a term: two loads a cycle keep two FMA units busy wherever that is at most
 * rows * vectors, as in 6 x 2 (12, 8) and 4 x 3 (12, 7); the 12 chains cover 4 to 5 cycles of latency.
 * `peak`, where it is given, takes the maximum of each row lane by lane; a NaN is dropped there. */
VINLINE void dot_tile(const struct attune_score_dot_args *args, const float *q, const float *panel,
                      float *s, const int rows, const int vectors, const int width, vf *peak)
{
    struct vrows query = vrows_open(q, args->ldq, rows);
    vf sum[DOT_ROWS][DOT_VECTORS];
    _Pragma("GCC unroll 16") for (int i = 0; i < rows; i++)
        _Pragma("GCC unroll 4") for (int v = 0; v < vectors; v++) sum[i][v] = vzero();
    _Pragma("GCC unroll 2") for (int64_t t = 0; t < args->d; t++, panel += width, vrows_step(&query, rows, 1))
    {
        vf k[DOT_VECTORS];
        _Pragma("GCC unroll 4") for (int v = 0; v < vectors; v++) k[v] = vload(panel + v * VLANES);
        _Pragma("GCC unroll 16") for (int i = 0; i < rows; i++)
        {
            const vf x = vbroadcast(vrows_at(&query, i, 0));
            _Pragma("GCC unroll 4") for (int v = 0; v < vectors; v++)
                sum[i][v] = vfma(x, k[v], sum[i][v]);
        }
    }
    _Pragma("GCC unroll 16") for (int i = 0; i < rows; i++)
        _Pragma("GCC unroll 4") for (int v = 0; v < vectors; v++)
            vstore(s + i * args->lds + v * VLANES, sum[i][v]);
    if (peak)
        _Pragma("GCC unroll 16") for (int i = 0; i < rows; i++)
            _Pragma("GCC unroll 4") for (int v = 0; v < vectors; v++)
                peak[i] = vmax(sum[i][v], peak[i]);
}

#define DOT_EDGE(count)                                                                            \
    case count:                                                                                    \
        if (count < rows)                                                                          \
            dot_tile(args, q, panel, s, count < rows ? count : 1, vectors, vectors * VLANES, NULL); \
        break;

/* The rows that do not fill a tile, each count with its own constant. */
VINLINE void dot_edge(const struct attune_score_dot_args *args, const float *q, const float *panel,
                      float *s, int64_t left, const int rows, const int vectors)
{
    switch (left) {
        DOT_EDGE(1) DOT_EDGE(2) DOT_EDGE(3) DOT_EDGE(4) DOT_EDGE(5) DOT_EDGE(6) DOT_EDGE(7)
        DOT_EDGE(8) DOT_EDGE(9) DOT_EDGE(10) DOT_EDGE(11) DOT_EDGE(12) DOT_EDGE(13) DOT_EDGE(14)
        DOT_EDGE(15)
    default:
        break;
    }
}

#endif
