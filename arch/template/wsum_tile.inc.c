/* SPDX-License-Identifier: Apache-2.0
 *
 * Weighted sums in register tiles, shared by wsum and tile. Needs a vocabulary; rows and vectors are
 * compile-time constants, rows <= 12, vectors <= 8 and rows * vectors + vectors + 1 <= VREGISTERS (one
 * row: vectors + 1, the values being operands in memory).
 */
#ifndef ATTUNE_ARCH_TEMPLATE_WSUM_TILE
#define ATTUNE_ARCH_TEMPLATE_WSUM_TILE

#include "arch/kernels.h"
#include "arch/simd/rows.h"
#include "arch/template/softmax_rows.inc.c"

enum { WSUM_ROWS = 12, WSUM_VECTORS = 8, WSUM_STRETCH = 8, WSUM_SLOTS = 4 };
static const int wsum_slot_order[WSUM_SLOTS] = {2, 1, 3, 0};

/* A tile's place, and how many columns of its last vector there are. */
struct wsum_tile {
    const float *p, *v, *alpha;
    float *o;
    int64_t columns;
};

VINLINE vf wsum_load(const float *at, int64_t columns, const int masked)
{
    return masked ? vload_tail(at, columns) : vload(at);
}

/* One key's value, weighted, onto the sums of a tile; key j of the weights. */
VINLINE void wsum_key(const struct vrows *weight, const float *v, int64_t j, int64_t columns,
                      const int rows, const int vectors, const int masked,
                      vf sum[WSUM_ROWS][WSUM_VECTORS])
{
    vf value[WSUM_VECTORS];
    _Pragma("GCC unroll 8") for (int c = 0; c < vectors; c++)
        value[c] = wsum_load(v + c * VLANES, columns, masked && c == vectors - 1);
    _Pragma("GCC unroll 12") for (int i = 0; i < rows; i++)
    {
        const vf p = vbroadcast(vrows_at(weight, i, j));
        _Pragma("GCC unroll 8") for (int c = 0; c < vectors; c++) sum[i][c] = vfma(p, value[c], sum[i][c]);
    }
}

/* Bound: rows * vectors FMA against rows + vectors loads a key, as in score_dot's tile; one row is
 * bound by the loads of the values alone. Values stream: each is read once for `rows` rows. A rider, where
 * there is one, takes a step after each stretch of keys. */
VINLINE void wsum_tile(const struct attune_wsum_args *args, const struct wsum_tile *tile,
                       const int rows, const int vectors, const int masked,
                       struct softmax_rider *rider)
{
    const int64_t ldo = args->ldo, ldv = args->ldv, n = args->n, columns = tile->columns;
    const int last = vectors - 1;
    vf sum[WSUM_ROWS][WSUM_VECTORS];
    _Pragma("GCC unroll 12") for (int i = 0; i < rows; i++)
    {
        const vf alpha = vbroadcast(tile->alpha + i);
        _Pragma("GCC unroll 8") for (int c = 0; c < vectors; c++) sum[i][c] = vmul(
            alpha, wsum_load(tile->o + i * ldo + c * VLANES, columns, masked && c == last));
    }
    struct vrows weight = vrows_open(tile->p, args->ldp, rows);
    const float *v = tile->v;
    int64_t j = 0;
    if (rider)
        for (; j + WSUM_STRETCH <= n; j += WSUM_STRETCH, vrows_step(&weight, rows, WSUM_STRETCH)) {
            _Pragma("GCC unroll 4") for (int slot = 0; slot < WSUM_SLOTS; slot++)
            {
                _Pragma("GCC unroll 8") for (int k = 0; k < WSUM_STRETCH / WSUM_SLOTS; k++, v += ldv)
                    wsum_key(&weight, v, slot * (WSUM_STRETCH / WSUM_SLOTS) + k, columns, rows, vectors,
                             masked, sum);
                if (rider->slots > wsum_slot_order[slot]) softmax_ride(rider);
            }
        }
    _Pragma("GCC unroll 2") for (; j < n; j++, v += ldv, vrows_step(&weight, rows, 1))
        wsum_key(&weight, v, 0, columns, rows, vectors, masked, sum);
    _Pragma("GCC unroll 12") for (int i = 0; i < rows; i++)
        _Pragma("GCC unroll 8") for (int c = 0; c < vectors; c++)
        {
            float *at = tile->o + i * ldo + c * VLANES;
            if (masked && c == last)
                vstore_tail(at, sum[i][c], columns);
            else
                vstore(at, sum[i][c]);
        }
}

VINLINE void wsum_advance(const struct attune_wsum_args *args, struct wsum_tile *tile, int64_t rows)
{
    tile->p += rows * args->ldp;
    tile->alpha += rows;
    tile->o += rows * args->ldo;
}

/* Row counts 4, 2 and 1 for what does not fill a tile at the last columns: each count of its own
 * there as well would be most of the library's code. */
VINLINE void wsum_corner(const struct attune_wsum_args *args, struct wsum_tile *tile, int64_t left,
                         const int rows, const int vectors)
{
    for (; left >= 4 && rows > 4; left -= 4, wsum_advance(args, tile, 4))
        wsum_tile(args, tile, 4, vectors, 1, NULL);
    for (; left >= 2 && rows > 2; left -= 2, wsum_advance(args, tile, 2))
        wsum_tile(args, tile, 2, vectors, 1, NULL);
    for (; left >= 1; left -= 1, wsum_advance(args, tile, 1))
        wsum_tile(args, tile, 1, vectors, 1, NULL);
}

#define WSUM_EDGE(count)                                                                           \
    case count:                                                                                    \
        if (count < rows) wsum_tile(args, tile, count < rows ? count : 1, vectors, 0, NULL);       \
        break;

/* The last rows of whole columns, each count with its own constant. */
VINLINE void wsum_edge(const struct attune_wsum_args *args, struct wsum_tile *tile, int64_t left,
                       const int rows, const int vectors)
{
    switch (left) {
        WSUM_EDGE(1) WSUM_EDGE(2) WSUM_EDGE(3) WSUM_EDGE(4) WSUM_EDGE(5) WSUM_EDGE(6) WSUM_EDGE(7)
        WSUM_EDGE(8) WSUM_EDGE(9) WSUM_EDGE(10) WSUM_EDGE(11)
    default:
        break;
    }
}

/* All rows of one panel of columns. */
VINLINE void wsum_panel(const struct attune_wsum_args *args, int64_t column, const float *v,
                        int64_t columns, const int rows, const int vectors, const int masked)
{
    struct wsum_tile tile = {args->p, v, args->alpha, args->o + column, columns};
    int64_t left = args->m;
    for (; left >= rows; left -= rows, wsum_advance(args, &tile, rows))
        wsum_tile(args, &tile, rows, vectors, masked, NULL);
    if (masked)
        wsum_corner(args, &tile, left, rows, vectors);
    else
        wsum_edge(args, &tile, left, rows, vectors);
}

#define WSUM_LAST(count)                                                                           \
    case count:                                                                                    \
        if (count <= vectors)                                                                      \
            wsum_panel(args, column, v, columns - (count - 1) * VLANES, rows,                      \
                       count <= vectors ? count : 1, WSUM_MASKED);                              \
        break;

/* With one lane a vector is never partial. */
enum { WSUM_MASKED = VLANES > 1 };

/* Panels outside, rows inside: a panel of values stays near while every row of the strip passes. */
VINLINE void wsum(const struct attune_wsum_args *args, const int rows, const int vectors)
{
    const int64_t width = vectors * VLANES;
    const float *v = args->v;
    int64_t column = 0;
    for (; column + width <= args->e; column += width, v += args->panel_stride)
        wsum_panel(args, column, v, 0, rows, vectors, 0);
    const int64_t columns = args->e - column;
    switch ((columns + VLANES - 1) / VLANES) {
        WSUM_LAST(1) WSUM_LAST(2) WSUM_LAST(3) WSUM_LAST(4) WSUM_LAST(5) WSUM_LAST(6) WSUM_LAST(7)
        WSUM_LAST(8)
    default:
        break;
    }
}

#endif
