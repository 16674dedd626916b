/* SPDX-License-Identifier: Apache-2.0
 *
 * tile: scores, softmax and weighted sums of query rows against one kv block in one pass. Needs a
 * vocabulary; defines the wrappers of TILE(isa, variant, requires, rows, vectors), constants as in
 * dot_tile.inc.c and wsum_tile.inc.c.
 *
 * Strips of `rows` rows follow each other in a pipeline: while the weights of one strip meet the values,
 * those of the next are raised between the FMA (softmax_ride). Bound, a vector of scores of D = E = 64 on
 * two FMA units: 64 cycles of FMA for the two products, 4 for the seven operations of the exponential that
 * take the same units and the maximum: 94 %. Apart, the exponential alone took 5.5 and the maximum 0.6.
 */
#include <string.h>

#include "arch/template/dot_tile.inc.c"
#include "arch/template/wsum_tile.inc.c"

enum { TILE_ROWS = 12, TILE_GROUPS = (TILE_ROWS + VLANES - 1) / VLANES };

/* Rows on their way: scored, but not yet summed. */
struct tile_strip {
    int64_t row, rows;
    int64_t low, high;  /* keys scored, whole vectors; empty if low >= high */
    int64_t first, end; /* those of them that some row may attend */
    int raised;        /* its weights are there */
    float *s;
    float alpha[TILE_ROWS], peak[TILE_GROUPS * VLANES];
    float chains[TILE_ROWS * 2 * VLANES];
};

VINLINE int64_t tile_first(const struct attune_tile_args *args, int64_t row)
{
    const int64_t first = args->first ? args->first[row * args->limit_stride] - args->key : 0;
    return first < 0 ? 0 : first;
}

VINLINE int64_t tile_last(const struct attune_tile_args *args, int64_t row)
{
    const int64_t last = args->last ? args->last[row * args->limit_stride] - args->key : args->n;
    return last > args->n ? args->n : last;
}

/* The keys that any row of the strip may attend, by whole vectors of `lanes`; [*every, *every_last) all of
 * them may. */
VINLINE void tile_range(const struct attune_tile_args *args, struct tile_strip *strip, int64_t lanes,
                        int64_t *every, int64_t *every_last)
{
    int64_t low = args->n, high = 0;
    *every = 0;
    *every_last = args->n;
    for (int64_t i = strip->row; i < strip->row + strip->rows; i++) {
        const int64_t first = tile_first(args, i), last = tile_last(args, i);
        if (first < last) {
            low = first < low ? first : low;
            high = last > high ? last : high;
        }
        *every = first > *every ? first : *every;
        *every_last = last < *every_last ? last : *every_last;
    }
    strip->first = low;
    strip->end = high;
    strip->low = low / lanes * lanes;
    strip->high = (high + lanes - 1) / lanes * lanes;
}

static const float tile_lanes[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

VINLINE float tile_clamp(int64_t key, int64_t width)
{
    return (float)(key < 0 ? 0 : key > width ? width : key);
}

/* Scores from key j on that not all rows may attend whole: what they may not becomes -inf. By selection,
 * since limits differ from row to row: a loop over what is hidden guesses each of its ends wrong. */
VINLINE void tile_hide(const struct attune_tile_args *args, const struct tile_strip *strip, int64_t j,
                       const int vectors, vf *part)
{
    const int64_t width = vectors * VLANES;
    const vf hidden = vset1(-__builtin_inff());
    for (int64_t i = 0; i < strip->rows; i++) {
        const vf first = vset1(tile_clamp(tile_first(args, strip->row + i) - j, width));
        const vf last = vset1(tile_clamp(tile_last(args, strip->row + i) - j, width));
        float *s = strip->s + i * args->lds + j - strip->low;
        _Pragma("GCC unroll 4") for (int v = 0; v < vectors; v++)
        {
            const vf lane = vadd(vload(tile_lanes), vset1((float)(v * VLANES)));
            vf x = vload(s + v * VLANES);
            x = vselect(vlt(lane, first), hidden, vselect(vlt(lane, last), x, hidden));
            vstore(s + v * VLANES, x);
            part[i] = vmax(x, part[i]);
        }
    }
}

/* Scores of a full strip against `vectors` vectors of keys of a panel, from key j on; `whole`: all its rows
 * may attend all of them. */
VINLINE void tile_panel(const struct attune_tile_args *args, const struct tile_strip *strip, int64_t j,
                        int whole, const int rows, const int vectors, const int width, vf *part)
{
    const struct attune_score_dot_args dot = {.ldq = args->ldq, .d = args->d, .lds = args->lds};
    const float *q = args->q + strip->row * args->ldq;
    const float *panel = args->k + j / width * width * args->d + j % width;
    float *s = strip->s + j - strip->low;
    if (whole) {
        dot_tile(&dot, q, panel, s, rows, vectors, width, part);
    } else {
        dot_tile(&dot, q, panel, s, rows, vectors, width, NULL);
        tile_hide(args, strip, j, vectors, part);
    }
}

/* Of a strip with fewer rows, panel by panel. */
VINLINE void tile_edge(const struct attune_tile_args *args, const struct tile_strip *strip, const int rows,
                       const int vectors, vf *part)
{
    const int64_t width = vectors * VLANES;
    const struct attune_score_dot_args dot = {.ldq = args->ldq, .d = args->d, .lds = args->lds};
    for (int64_t j = strip->low; j < strip->high; j += width) {
        dot_edge(&dot, args->q + strip->row * args->ldq, args->k + j * args->d, strip->s + j - strip->low,
                 strip->rows, rows, vectors);
        tile_hide(args, strip, j, vectors, part);
    }
}

/* Of a full strip: whole panels, but of the first and the last the vectors that some row may attend. With
 * causal rows, T = 128 and panels of two vectors, that is 9 % fewer scores. */
VINLINE void tile_full(const struct attune_tile_args *args, const struct tile_strip *strip, int64_t every,
                       int64_t every_last, const int rows, const int vectors, vf *part)
{
    const int width = vectors * VLANES;
    const int64_t inner = (strip->low + width - 1) / width * width;
    int64_t j = strip->low;
    for (; j < inner && j < strip->high; j += VLANES)
        tile_panel(args, strip, j, j >= every && j + VLANES <= every_last, rows, 1, width, part);
    for (; j + width <= strip->high; j += width)
        tile_panel(args, strip, j, j >= every && j + width <= every_last, rows, vectors, width, part);
    for (; j < strip->high; j += VLANES)
        tile_panel(args, strip, j, j >= every && j + VLANES <= every_last, rows, 1, width, part);
}

/* Scores, maxima and scales of a strip. */
VINLINE void tile_score(const struct attune_tile_args *args, struct tile_strip *strip, const int rows,
                        const int vectors)
{
    int64_t every, every_last;
    vf part[TILE_GROUPS * VLANES];
    tile_range(args, strip, strip->rows < rows ? vectors * VLANES : VLANES, &every, &every_last);
    if (strip->low >= strip->high) return;
    for (int i = 0; i < TILE_GROUPS * VLANES; i++) part[i] = vset1(-FLT_MAX);
    if (strip->rows < rows)
        tile_edge(args, strip, rows, vectors, part);
    else
        tile_full(args, strip, every, every_last, rows, vectors, part);
    for (int64_t i = 0; i < strip->rows; i += VLANES) {
        const int64_t count = strip->rows - i < VLANES ? strip->rows - i : VLANES;
        vstore(strip->peak + i, softmax_open(part + i, count, vset1(args->factor),
                                             args->row_max + strip->row + i, strip->alpha + i));
    }
}

/* All steps of a strip's weights, to be taken between `keys` keys of a weighted sum. Whether a row's first
 * vector is an odd one of the kv block only swaps its two chains, whose sum is the same. */
VINLINE struct softmax_rider tile_rider(const struct attune_tile_args *args, struct tile_strip *strip,
                                        int64_t keys)
{
    const int64_t width = strip->low < strip->high ? strip->high - strip->low : 0;
    const int64_t row_steps = width / VLANES, steps = strip->rows * row_steps;
    memset(strip->chains, 0, sizeof strip->chains);
    return (struct softmax_rider){.s = strip->s, .peak = strip->peak, .chains = strip->chains,
                                  .factor = vset1(args->factor), .left = steps, .row_steps = row_steps,
                                  .next_row = args->lds - width,
                                  .slots = keys < WSUM_STRETCH ? WSUM_SLOTS : (steps + keys / WSUM_STRETCH - 1) / (keys / WSUM_STRETCH)};
}

/* The sums of a strip whose weights are raised. */
VINLINE void tile_close(const struct attune_tile_args *args, const struct tile_strip *strip)
{
    for (int64_t i = 0; i < strip->rows && strip->low < strip->high; i += VLANES) {
        const int64_t count = strip->rows - i < VLANES ? strip->rows - i : VLANES;
        vf part[VLANES];
        for (int64_t l = 0; l < VLANES; l++) {
            const float *chain = strip->chains + (i + l) * 2 * VLANES;
            part[l] = l < count ? vadd(vload(chain), vload(chain + VLANES)) : vzero();
        }
        softmax_close(part, count, strip->alpha + i, args->row_sum + strip->row + i);
    }
}

/* The weights of a strip that could not ride: the first. */
VINLINE void tile_raise(const struct attune_tile_args *args, struct tile_strip *strip)
{
    struct softmax_rider rider = tile_rider(args, strip, 0);
    while (rider.left > 0) softmax_ride(&rider);
    tile_close(args, strip);
}

/* Weighted sums of one strip, with the weights of the next. */
VINLINE void tile_sum(const struct attune_tile_args *args, struct tile_strip *strip, struct tile_strip *next,
                      const int rows, const int vectors)
{
    const int64_t width = vectors * VLANES, keys = strip->low < strip->high ? strip->end - strip->first : 0;
    const int64_t whole = strip->rows == rows && keys > 0 ? args->e / width : 0;
    struct attune_wsum_args sum = {.p = strip->s + strip->first - strip->low, .ldp = args->lds,
                                   .m = strip->rows, .v = args->v + strip->first * args->ldv, .ldv = args->ldv,
                                   .panel_stride = args->panel_stride, .n = keys,
                                   .e = args->e, .alpha = strip->alpha,
                                   .o = args->o + strip->row * args->ldo, .ldo = args->ldo};
    if (!strip->raised) tile_raise(args, strip);
    struct softmax_rider rider = tile_rider(args, next, whole * keys);
    for (int64_t panel = 0; panel < whole; panel++) {
        const struct wsum_tile at = {sum.p, sum.v + panel * sum.panel_stride, sum.alpha,
                                     sum.o + panel * width, 0};
        wsum_tile(&sum, &at, rows, vectors, 0, &rider);
    }
    while (rider.left > 0) softmax_ride(&rider);
    tile_close(args, next);
    next->raised = 1;
    sum.v += whole * sum.panel_stride;
    sum.o += whole * width;
    sum.e -= whole * width;
    if (keys > 0) wsum(&sum, rows, vectors);
}

/* The first strip waits until the second is scored, or nothing would hide how long its maxima take. */
VINLINE void tile(const struct attune_tile_args *args, const int rows, const int vectors)
{
    struct tile_strip strips[2], *current = &strips[0], *next = &strips[1];
    current->s = args->scratch;
    next->s = args->scratch + rows * args->lds;
    for (int64_t row = 0; row < args->m + rows; row += rows) {
        next->row = row;
        next->rows = row >= args->m ? 0 : args->m - row < rows ? args->m - row : rows;
        next->raised = 0;
        tile_score(args, next, rows, vectors);
        if (row > 0) tile_sum(args, current, next, rows, vectors);
        struct tile_strip *done = current;
        current = next;
        next = done;
    }
}

#define TILE(isa, variant, requires, rows, vectors)                                                \
    attune_tile_fn attune_tile_##isa##_##variant;                                                  \
    void attune_tile_##isa##_##variant(const struct attune_tile_args *args)                        \
    {                                                                                              \
        tile(args, rows, vectors);                                                                 \
    }
#include "arch/kernels.def"
