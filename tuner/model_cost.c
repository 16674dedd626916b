/* SPDX-License-Identifier: Apache-2.0
 *
 * What a choice costs: cycles that one core takes for the query rows that share keys, counted from what its
 * kernels do. The counts are those of the templates and hold for any length of a vector. The cycles of what is
 * counted are written down beside where they come from, or were fitted once to 70,000 timings of 820 shapes by
 * 40 pairs of kernels each on a Zen 5, AVX2 and AVX-512 by the same numbers: most of those come out within 10 %,
 * and the pair that costs least here was within 5 % of the fastest for 97 % of other shapes.
 */
#include <math.h>

#include "arch/cpu.h"
#include "tuner/model.h"

/* A tile's FMA, the loads beside them (a tile of 16 x 1, with its 17 loads for 16 FMA, runs at 88 % of the
 * peak), and the wait for the term before. A line asked for ahead takes a part of a load. */
#define FMA_A_CYCLE 2.0
#define LOADS_A_CYCLE 2.0
#define FMA_LATENCY 5.0
#define ASK_LOADS 0.5
/* A vector of sums that starts from memory, is scaled and goes back; a vector that only goes there. */
#define SUM_CYCLES 4.0
#define STORE_CYCLES 1.0
/* A vector of exponentials: in a pass of its own; between the FMA of a fused kernel, on whose ports half of its
 * operations are; there, but with no FMA left to be between, each waiting for the one before it. */
#define EXP_CYCLES 8.0
#define RIDE_CYCLES 5.0
#define WAIT_CYCLES 20.0
/* A vector of terms of the tanh score. A row alone takes so much longer for each vector of a panel. */
#define TERM_CYCLES 1.3
#define TERM_ALONE 0.04
/* Keys read by rows: an FMA among them, of which some wait; a lane of the sums that are reduced; a row's masked
 * vector. Rows of other types: a vector is widened on a unit that an FMA would take. */
#define ROWS_FMA 1.1
#define REDUCE_CYCLES 1.25
#define TAIL_CYCLES 0.5
#define WIDEN_CYCLES 0.5
/* Values read by rows: a panel of a chunk of keys begins. */
#define CHUNK_CYCLES 8.0
/* A vector of values of another type is brought into panels; a byte has a scale as well, and takes twice it. */
#define CONVERT_CYCLES 3.0
/* A block of lanes x lanes that is not all there is packed with a condition a lane. */
#define PART_BLOCK 1.6
/* A strip in three kernels: their calls. */
#define STRIP_CYCLES 60.0
/* Rows of a strip, rounded up to lanes, whose maxima and sums are reduced together: each. */
#define GROUP_CYCLES 13.0
/* A row of a strip: what it takes anyway; its limits, where it has any; what is hidden from it in a panel, by a
 * fused kernel; a last vector that is padded, by the others. */
#define ROW_CYCLES 60.0
#define LIMIT_CYCLES 10.0
#define HIDE_CYCLES 18.0
#define PAD_CYCLES 18.0
/* Rows that share keys are made ready, and leave their results. */
#define UNIT_CYCLES 400.0
/* Bytes a cycle from L2, and from beyond it. Panels of columns jump from row to row of the values, and panels
 * that are no whole lines of them meet each line twice: so many times as long. */
#define NEAR_BYTES 48.0
#define FAR_BYTES 10.0
#define JUMPS 2.5
#define PART_LINES 1.15
#define LINE 64
/* Strips of a causal problem that are looked at, evenly spread. */
#define SAMPLES 16

static int64_t round_up(int64_t value, int64_t step)
{
    return (value + step - 1) / step * step;
}

static int64_t ceil_div(int64_t value, int64_t by)
{
    return (value + by - 1) / by;
}

static double vectors_of(int64_t count, const struct attune_kernel *kernel)
{
    return (double)ceil_div(count, kernel->lanes);
}

/* One term, or key, of a tile of rows x vectors sums, with so many other loads beside. */
static double step_cycles(double rows, double vectors, double loads)
{
    const double issue = fmax(rows * vectors / FMA_A_CYCLE, (rows + vectors + loads) / LOADS_A_CYCLE);
    return fmax(issue, FMA_LATENCY);
}

static double bytes_of(int32_t dtype)
{
    return dtype == ATTUNE_PACK_F32 ? 4 : dtype == ATTUNE_PACK_I8 ? 1 : 2;
}

/* Loads that asking for a vector of a row takes. */
static double asks_of(const struct attune_kernel *kernel)
{
    return ASK_LOADS * bytes_of(kernel->dtype) * (double)kernel->lanes / LINE;
}

/* Rows that are scored together, and the keys up to the last that one of them may attend. */
struct strip {
    int64_t rows, keys;
};

static double widening(const struct attune_kernel *by_rows)
{
    return by_rows->dtype != ATTUNE_PACK_F32 ? WIDEN_CYCLES : 0;
}

/* ---- Scores. ---- */

/* Whole panels, but that a full strip of a fused kernel takes only the vectors that hold its keys. */
static double panels_of_dot(const struct attune_kernel *score, struct strip strip, int64_t d, int fused)
{
    const double vectors = (double)score->width / score->lanes;
    const int64_t full = strip.rows / score->rows, left = strip.rows % score->rows;
    double cycles = (double)full * (double)d * step_cycles(score->rows, vectors, 0);
    if (left > 0)
        cycles += (double)d * step_cycles((double)left, vectors, 0);
    const int64_t step = fused && left == 0 ? score->lanes : score->width;
    return (double)round_up(strip.keys, step) / (double)score->width *
           (cycles + STORE_CYCLES * vectors * (double)strip.rows);
}

/* Vectors of a panel's keys: the last is cut to half of them, or a quarter. Left-over rows go one by one. */
static double panels_of_tanh(const struct attune_kernel *score, struct strip strip, int64_t terms)
{
    const int64_t whole = strip.keys / score->width, all = score->width / score->lanes;
    const int64_t left = ceil_div(strip.keys % score->width, score->lanes);
    const int64_t cut = left > all / 2 ? all : left > 1 ? all / 2 : left;
    const double alone = (double)(strip.rows % score->rows) * TERM_ALONE * (double)all;
    return TERM_CYCLES * (double)(whole * all + cut) * ((double)strip.rows + alone) * (double)terms;
}

/* A step of the scan for each pair: the products of four gates and of the score, five exponentials a unit. */
static double steps_of_lstm(const struct attune_kernel *score, struct strip strip, int64_t n, int64_t a)
{
    const double products = (double)(4 * n + a) * vectors_of(n, score) / FMA_A_CYCLE;
    return (double)(strip.rows * strip.keys) * (products + 5 * EXP_CYCLES * vectors_of(n, score));
}

/* So many rows at a time; fewer ones take more keys, which fill the vectors of sums that are reduced. */
static double rows_of_dot(const struct attune_kernel *score, struct strip strip, int64_t d)
{
    double cycles = 0;
    for (int64_t row = 0; row < strip.rows; row += score->rows) {
        const int64_t rows = strip.rows - row < score->rows ? strip.rows - row : score->rows;
        const int64_t batch = score->lanes / (rows == 3 ? 4 : rows);
        const double keys = (double)round_up(strip.keys, batch > 0 ? batch : 1);
        double a_key = vectors_of(d, score) * (ROWS_FMA * (double)rows / FMA_A_CYCLE + widening(score));
        if (d % score->lanes != 0)
            a_key += TAIL_CYCLES * (double)rows;
        cycles += keys * (a_key + REDUCE_CYCLES * (double)rows);
    }
    return cycles;
}

/* ---- Weighted sums. ---- */

/* Rows x vectors of columns; what is left of the rows in a tile of its own, or in tiles of 4, 2 and 1 rows
 * at the last columns. */
static double panel_of_wsum(const struct attune_kernel *wsum, struct strip strip, double vectors, int last)
{
    double cycles = SUM_CYCLES * (double)strip.rows * vectors;
    int64_t rows = wsum->rows;
    for (int64_t left = strip.rows; left > 0;) {
        if (left < rows)
            rows = !last ? left : left >= 4 ? 4 : left >= 2 && rows > 2 ? 2 : 1;
        cycles += (double)(left / rows) * (double)strip.keys * step_cycles((double)rows, vectors, 0);
        left %= rows;
    }
    return cycles;
}

static double panels_of_wsum(const struct attune_kernel *wsum, struct strip strip, int64_t e)
{
    const double vectors = (double)wsum->width / wsum->lanes;
    double cycles = (double)(e / wsum->width) * panel_of_wsum(wsum, strip, vectors, 0);
    if (e % wsum->width > 0)
        cycles += panel_of_wsum(wsum, strip, vectors_of(e % wsum->width, wsum), 1);
    return cycles;
}

/* Keys are taken in chunks, and each begins with sums from memory; one where a tile holds all of them. */
static double chunks_of(int64_t keys, int64_t e, int one_tile)
{
    const int64_t chunk = 2048 / (e > 0 ? e : 1) / 16 * 16;
    return (double)ceil_div(keys, one_tile ? 256 : chunk < 16 ? 16 : chunk > 64 ? 64 : chunk);
}

/* Panels as even as can be, and a vector of its own for the columns that are left. One row takes 8 vectors,
 * two twice as many as four. */
static double rows_of_wsum(const struct attune_kernel *wsum, struct strip strip, int64_t e)
{
    const int64_t whole = e / wsum->lanes, vectors = wsum->width / wsum->lanes;
    double cycles = 0;
    for (int64_t row = 0; row < strip.rows; row += wsum->rows) {
        const int64_t rows = strip.rows - row < wsum->rows ? strip.rows - row : wsum->rows;
        const int64_t panels = ceil_div(whole, rows == 1 ? 8 : rows == 2 ? 2 * vectors : vectors);
        const double each = (double)whole / (double)(panels > 0 ? panels : 1);
        const int last = e % wsum->lanes != 0;
        double a_key = widening(wsum) * (double)whole;
        if (panels > 0)
            a_key += (double)panels * step_cycles((double)rows, each, each * asks_of(wsum));
        if (last)
            a_key += step_cycles((double)rows, 1, 1);
        const double a_chunk = CHUNK_CYCLES * (double)(panels + last) +
                               STORE_CYCLES * (double)rows * vectors_of(e, wsum);
        cycles += (double)strip.keys * a_key + a_chunk * chunks_of(strip.keys, e, panels + last == 1);
    }
    return cycles + SUM_CYCLES * (double)strip.rows * vectors_of(e, wsum);
}

/* ---- All of it. ---- */

/* What is counted: a pair of kernels, or one in their place. */
struct count {
    const struct attune_model_problem *problem;
    const struct attune_kernel *score, *wsum;
    int fused;
};

/* They ride between the FMA of the strip before: one between every two keys of a whole panel. */
static double exponentials(const struct count *count, struct strip strip, int first)
{
    const struct attune_kernel *score = count->score, *wsum = count->wsum;
    if (!count->fused)
        return EXP_CYCLES * (double)strip.rows * vectors_of(strip.keys, score);
    const double vectors = (double)strip.rows * vectors_of(strip.keys, score);
    const double places = (double)(strip.keys / 8 * 4) * (double)(count->problem->key.e / wsum->width);
    const double riding = first ? 0 : fmin(vectors, places);
    return RIDE_CYCLES * riding + WAIT_CYCLES * (vectors - riding);
}

/* Softmax but for the exponentials, and limits. */
static double row_cycles(const struct count *count, struct strip strip)
{
    const int32_t mask = count->problem->key.mask;
    const int limited = mask == ATTUNE_KEY_CAUSAL || mask == ATTUNE_KEY_WINDOW;
    double a_row = ROW_CYCLES + (limited ? LIMIT_CYCLES : 0);
    if (count->fused)
        a_row += limited || strip.keys % count->score->lanes != 0 ? HIDE_CYCLES : 0;
    else
        a_row += strip.keys % count->score->lanes != 0 ? PAD_CYCLES : 0;
    return a_row * (double)strip.rows + GROUP_CYCLES * (double)round_up(strip.rows, count->score->lanes);
}

/* Times as long that values take to come as if they were read once from the first byte to the last. */
static double detours(const struct count *count, struct strip strip, int far)
{
    const struct attune_kernel *wsum = count->wsum;
    const double panel = 4.0 * (double)strip.keys * (double)wsum->width;
    if (wsum->operation == ATTUNE_OP_WSUM_ROWS)
        return far && strip.rows > 2 && 4 * wsum->width % LINE != 0 ? PART_LINES : 1;
    const int jumps = count->problem->key.e > wsum->width && (far || 4 * wsum->lanes < LINE);
    const int again = panel > (double)count->problem->topology->l1d.size; /* for every tile of rows */
    return (jumps ? JUMPS : 1) * (again ? (double)ceil_div(strip.rows, wsum->rows) : 1);
}

/* A kernel computes for so long, and waits for bytes meanwhile. */
static double beside(double cycles, double bytes, int far)
{
    return hypot(cycles, bytes / (far ? FAR_BYTES : NEAR_BYTES));
}

/* The first strip brings keys and values near; further ones bring again what lies in place and is far. */
static double strip_cycles(const struct count *count, struct strip strip, int first)
{
    const struct attune_model_problem *problem = count->problem;
    const struct attune_key *key = &problem->key;
    const struct attune_kernel *score = count->score, *wsum = count->wsum;
    const double all = 4.0 * (double)problem->t_k * (double)(key->d + key->e);
    const int far = all > 1.5 * (double)problem->topology->l2.size;
    const int comes = all > (double)problem->topology->l1d.size;
    double scores = score->operation == ATTUNE_OP_SCORE_DOT    ? panels_of_dot(score, strip, key->d, count->fused)
                    : score->operation == ATTUNE_OP_SCORE_ROWS ? rows_of_dot(score, strip, key->d)
                    : score->operation == ATTUNE_OP_LSTM
                        ? steps_of_lstm(score, strip, key->n, key->a)
                        : panels_of_tanh(score, strip, round_up(key->a, ATTUNE_TERM_STEP));
    double sums = wsum->operation == ATTUNE_OP_WSUM ? panels_of_wsum(wsum, strip, key->e)
                                                    : rows_of_wsum(wsum, strip, key->e);
    if (comes && (first || (far && score->operation == ATTUNE_OP_SCORE_ROWS)))
        scores = beside(scores, bytes_of(key->dtype_k) * (double)(strip.keys * key->d), far);
    if (comes && (first || (far && wsum->operation == ATTUNE_OP_WSUM_ROWS)))
        sums = beside(sums, detours(count, strip, far) * bytes_of(key->dtype_v) * (double)(strip.keys * key->e),
                      far);
    return scores + sums + exponentials(count, strip, first) + row_cycles(count, strip) +
           (count->fused ? 0 : STRIP_CYCLES);
}

/* Values of other types become float32 once for all rows: rows as they are for few, else panels. Those that do
 * not fill vectors, or panels, take a condition a vector. */
static double converting(const struct count *count)
{
    const struct attune_key *key = &count->problem->key;
    const struct attune_kernel *wsum = count->wsum;
    if (wsum->operation != ATTUNE_OP_WSUM || key->dtype_v == ATTUNE_PACK_F32)
        return 0;
    const int32_t whole = count->problem->rows <= ATTUNE_MODEL_DIRECT_ROWS ? wsum->lanes : wsum->width;
    const double times = (key->e % whole != 0 ? 2 : 1) * (key->dtype_v == ATTUNE_PACK_I8 ? 2 : 1);
    return times * CONVERT_CYCLES * (double)count->problem->t_k * vectors_of(key->e, wsum);
}

/* Keys become panels once for all rows. A block of lanes x lanes is transposed in log2(lanes) shuffles a
 * vector. */
static double packing(const struct count *count)
{
    const struct attune_key *key = &count->problem->key;
    const int64_t t_k = count->problem->t_k, lanes = count->score->lanes;
    const int tanh = key->score == ATTUNE_KEY_TANH;
    const int64_t d = tanh ? round_up(key->a, ATTUNE_TERM_STEP) : key->d;
    if (key->prepared || key->score == ATTUNE_KEY_LSTM || count->score->operation == ATTUNE_OP_SCORE_ROWS)
        return 0;
    const double full = (double)((t_k / lanes) * (d / lanes));
    const double all = vectors_of(round_up(t_k, count->score->width), count->score) * vectors_of(d, count->score);
    return (double)lanes * (log2((double)lanes) + 0.5) * (full + PART_BLOCK * (all - full)) +
           (tanh ? EXP_CYCLES * (double)d * vectors_of(t_k, count->score) : 0);
}

/* Rows are those of one head after the other; its last row may attend the last key. */
static struct strip strip_at(const struct attune_model_problem *problem, int64_t row, int64_t rows)
{
    const int64_t heads = problem->key.group > 0 ? problem->key.group : 1, t_q = problem->rows / heads;
    const int64_t left = problem->rows - row;
    struct strip strip = {rows < left ? rows : left, problem->t_k};
    if (problem->key.mask == ATTUNE_KEY_CAUSAL && t_q > 0 && row % t_q + strip.rows <= t_q) {
        const int64_t beyond = t_q - row % t_q - strip.rows;
        strip.keys = problem->t_k > beyond ? problem->t_k - beyond : 1;
    }
    return strip;
}

double attune_model_cycles(const struct attune_model_problem *problem, const struct attune_choice *choice,
                           const struct attune_kernel *tile)
{
    struct count count = {.problem = problem, .score = attune_choice_score(choice, problem->key.score),
                          .wsum = choice->kernel[ATTUNE_OP_WSUM_ROWS], .fused = tile != NULL};
    if (count.wsum == NULL)
        count.wsum = choice->kernel[ATTUNE_OP_WSUM];
    const int64_t rows = tile != NULL ? tile->rows : choice->strip, strips = ceil_div(problem->rows, rows);
    const int64_t step = problem->key.mask == ATTUNE_KEY_CAUSAL ? ceil_div(strips, SAMPLES) : strips - 2;
    double cycles = UNIT_CYCLES + packing(&count) + converting(&count);
    for (int64_t at = 0, many = 1; at < strips; at += many) {
        many = at == 0 || step < 1 ? 1 : at + step < strips ? step : strips - at;
        cycles += (double)many * strip_cycles(&count, strip_at(problem, (at + many / 2) * rows, rows), at == 0);
    }
    return cycles;
}
