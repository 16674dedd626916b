/* SPDX-License-Identifier: Apache-2.0
 *
 * Weighted sums of value rows where the caller has them, of any element type, for a few query rows.
 * Needs a vocabulary; defines the wrappers of WSUM_ROWS(isa, variant, requires, rows, vectors, dtype),
 * whose numbers are compile-time constants: rows <= 4, and rows * vectors + vectors + 1 <= VREGISTERS.
 */
#include "arch/kernels.h"
#include "arch/simd/f32_load.h"

/* Keys are taken WSUM_BYTES of values at a time: few enough that memory is read almost in order and what
 * was asked for ahead lies in L1 still, enough that loading and storing the sums costs little. */
enum { WSUM_ROWS_MOST = 4, WSUM_VECTORS_MOST = 8, WSUM_KEYS_LEAST = 16, WSUM_BYTES = 8192 };
enum { WSUM_KEYS = 64, WSUM_KEYS_LONG = 256 }; /* of one chunk at most */
/* A chunk is gone through panel by panel: all of it has to be near when its first is read. */
enum { WSUM_ROWS_AHEAD = WSUM_BYTES + 6144 };

/* A tile's place: some rows, some columns, the keys of a chunk. Strides of v are bytes. */
struct wsum_rows_tile {
    const float *p;
    const char *v;
    float *o;
    int64_t ldp, ldv, ldo, n;
    const char *ask; /* what is asked for at its next key */
    int64_t ahead;   /* bytes; 0: rows lie side by side, and `ask` walks through the chunk ahead */
    int64_t columns; /* of the one vector of a masked tile */
};

VINLINE vf wsum_rows_load(const char *v, int64_t c, int64_t columns, const int masked, const int dtype)
{
    return masked ? vload_as_tail(v, 0, columns, dtype) : vload_as(v, c * VLANES, dtype);
}

/* One key. A single row's values are used once and need no register. */
VINLINE void wsum_rows_step(const float *const *p, const char *v, int64_t j, int64_t columns,
                            vf sum[WSUM_ROWS_MOST][WSUM_VECTORS_MOST], const int rows, const int vectors,
                            const int masked, const int dtype)
{
    if (rows == 1) {
        const vf weight = vbroadcast(p[0] + j);
        _Pragma("GCC unroll 8") for (int c = 0; c < vectors; c++)
            sum[0][c] = vfma(weight, wsum_rows_load(v, c, columns, masked, dtype), sum[0][c]);
        return;
    }
    vf value[WSUM_VECTORS_MOST];
    _Pragma("GCC unroll 8") for (int c = 0; c < vectors; c++)
        value[c] = wsum_rows_load(v, c, columns, masked, dtype);
    _Pragma("GCC unroll 4") for (int i = 0; i < rows; i++)
    {
        const vf weight = vbroadcast(p[i] + j);
        _Pragma("GCC unroll 8") for (int c = 0; c < vectors; c++)
            sum[i][c] = vfma(weight, value[c], sum[i][c]);
    }
}

/* Bound: rows * vectors FMA against vectors + rows loads a key. */
VINLINE void wsum_rows_tile(struct wsum_rows_tile *tile, const int rows, const int vectors,
                            const int masked, const int dtype)
{
    const int64_t width = vectors * VLANES * vsize_of(dtype); /* bytes */
    const int64_t n = tile->n, ldv = tile->ldv, columns = tile->columns;
    const int64_t step = tile->ahead != 0 ? ldv : width;
    const char *v = tile->v, *ask = tile->ahead != 0 ? v + tile->ahead : tile->ask;
    const float *p[WSUM_ROWS_MOST];
    vf sum[WSUM_ROWS_MOST][WSUM_VECTORS_MOST];
    _Pragma("GCC unroll 4") for (int i = 0; i < rows; i++)
    {
        const float *o = tile->o + i * tile->ldo;
        p[i] = tile->p + i * tile->ldp;
        _Pragma("GCC unroll 8") for (int c = 0; c < vectors; c++)
            sum[i][c] = masked ? vload_tail(o, columns) : vload(o + c * VLANES);
    }
    _Pragma("GCC unroll 2") for (int64_t j = 0; j < n; j++, v += ldv, ask += step)
    {
        vask(ask, width);
        wsum_rows_step(p, v, j, columns, sum, rows, vectors, masked, dtype);
    }
    tile->ask = ask;
    _Pragma("GCC unroll 4") for (int i = 0; i < rows; i++)
        _Pragma("GCC unroll 8") for (int c = 0; c < vectors; c++)
        {
            float *o = tile->o + i * tile->ldo + c * VLANES;
            if (masked)
                vstore_tail(o, sum[i][c], columns);
            else
                vstore(o, sum[i][c]);
        }
}

#define WSUM_ROWS_PANEL(count)                                                                     \
    case count:                                                                                    \
        if (count <= vectors)                                                                      \
            wsum_rows_tile(&tile, rows, count <= vectors ? count : 1, 0, dtype);                   \
        break;

/* All columns of some rows, in panels as even as can be: narrow ones have too few chains. */
VINLINE void wsum_rows_strip(struct wsum_rows_tile tile, int64_t e, const int rows, const int vectors,
                             const int dtype)
{
    int64_t left = e / VLANES;
    while (left > 0) {
        const int64_t panels = (left + vectors - 1) / vectors, take = (left + panels - 1) / panels;
        switch (take) {
            WSUM_ROWS_PANEL(1) WSUM_ROWS_PANEL(2) WSUM_ROWS_PANEL(3) WSUM_ROWS_PANEL(4)
            WSUM_ROWS_PANEL(5) WSUM_ROWS_PANEL(6) WSUM_ROWS_PANEL(7) WSUM_ROWS_PANEL(8)
        default:
            break;
        }
        left -= take;
        tile.v += take * VLANES * vsize_of(dtype);
        tile.o += take * VLANES;
    }
    tile.columns = e % VLANES;
    if (VLANES > 1 && tile.columns > 0) wsum_rows_tile(&tile, rows, 1, 1, dtype);
}

/* The scale of a key goes into its weight. */
VINLINE void wsum_rows_scale(struct wsum_rows_tile *tile, const float *scale, int64_t rows, float *to)
{
    for (int64_t j = 0; j < tile->n; j += VLANES) {
        const int64_t count = tile->n - j < VLANES ? tile->n - j : VLANES;
        const vf factor = vload_tail(scale + j, count);
        vprefetch(scale + j + VAHEAD_SCALES);
        for (int64_t i = 0; i < rows; i++)
            vstore(to + i * WSUM_KEYS + j, vmul(vload_tail(tile->p + i * tile->ldp + j, count), factor));
    }
    tile->p = to;
    tile->ldp = WSUM_KEYS;
}

/* The sums so far, rescaled. */
VINLINE void wsum_rows_rescale(const struct attune_wsum_rows_args *args)
{
    for (int64_t i = 0; i < args->m; i++) {
        const vf alpha = vbroadcast(args->alpha + i);
        float *o = args->o + i * args->ldo;
        int64_t c = 0;
        for (; c + VLANES <= args->e; c += VLANES) vstore(o + c, vmul(alpha, vload(o + c)));
        if (c < args->e) vstore_tail(o + c, vmul(alpha, vload_tail(o + c, args->e - c)), args->e - c);
    }
}

/* Vectors of a tile with two rows; one row takes WSUM_VECTORS_MOST. */
enum { WSUM_TWO = (VREGISTERS - 1) / 3 < WSUM_VECTORS_MOST ? (VREGISTERS - 1) / 3 : WSUM_VECTORS_MOST };

/* Keys of a chunk. Where one tile holds all sums nothing comes back to a key, and long chunks spare the sums
 * their way through memory; not with scales, which have room for WSUM_KEYS. */
VINLINE int64_t wsum_rows_chunk(const struct attune_wsum_rows_args *args, const int rows,
                                const int vectors, const int dtype)
{
    const int64_t keys = WSUM_BYTES / (args->e * vsize_of(dtype)) / WSUM_KEYS_LEAST * WSUM_KEYS_LEAST;
    const int64_t wide = args->m == 1 ? WSUM_VECTORS_MOST : args->m == 2 ? WSUM_TWO : vectors;
    if (args->m <= rows && args->e <= wide * VLANES && args->e % VLANES == 0 && !args->scale)
        return WSUM_KEYS_LONG;
    return keys < WSUM_KEYS_LEAST ? WSUM_KEYS_LEAST : keys > WSUM_KEYS ? WSUM_KEYS : keys;
}

#define WSUM_ROWS_STRIP(count, wide)                                                               \
    if (count == tile_rows && rows >= count) wsum_rows_strip(tile, args->e, count, wide, dtype)

/* Chunks of keys outside, rows inside. Fewer rows take more columns, so that the chains stay. */
VINLINE void wsum_rows(const struct attune_wsum_rows_args *args, const int rows, const int vectors,
                       const int dtype)
{
    const int64_t size = vsize_of(dtype), ldv = args->ldv * size;
    float scaled[WSUM_ROWS_MOST * WSUM_KEYS];
    if (args->e <= 0 || args->m <= 0) return;
    const int64_t chunk = wsum_rows_chunk(args, rows, vectors, dtype);
    const int64_t first = vahead_rows(WSUM_ROWS_AHEAD, args->e, size), ahead = first * ldv;
    const int far = args->n * ldv > VFAR;
    if (far) vask_first(args->v, first, args->e, args->ldv, size);
    wsum_rows_rescale(args);
    for (int64_t j = 0; j < args->n; j += chunk) {
        if (far) vask_pages((const char *)args->v + j * ldv, chunk * ldv, ldv);
        for (int64_t i = 0, tile_rows; i < args->m; i += tile_rows) {
            tile_rows = args->m - i < rows ? args->m - i : rows;
            struct wsum_rows_tile tile = {.p = args->p + i * args->ldp + j, .ldp = args->ldp,
                                          .v = (const char *)args->v + j * ldv, .ldv = ldv,
                                          .o = args->o + i * args->ldo, .ldo = args->ldo,
                                          .n = args->n - j < chunk ? args->n - j : chunk};
            tile.ask = tile.v + ahead;
            tile.ahead = args->ldv == args->e ? 0 : ahead;
            if (args->scale) wsum_rows_scale(&tile, args->scale + j, tile_rows, scaled);
            WSUM_ROWS_STRIP(4, vectors);
            WSUM_ROWS_STRIP(3, vectors);
            WSUM_ROWS_STRIP(2, WSUM_TWO);
            WSUM_ROWS_STRIP(1, WSUM_VECTORS_MOST);
        }
    }
}

#define WSUM_ROWS(isa, variant, requires, rows, vectors, dtype)                                    \
    attune_wsum_rows_fn attune_wsum_rows_##isa##_##variant;                                        \
    void attune_wsum_rows_##isa##_##variant(const struct attune_wsum_rows_args *args)              \
    {                                                                                              \
        wsum_rows(args, rows, vectors, ATTUNE_PACK_##dtype);                                       \
    }
#include "arch/kernels.def"
