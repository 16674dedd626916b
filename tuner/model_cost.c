/* SPDX-License-Identifier: Apache-2.0
 *
 * What a choice costs: cycles of one core for the query rows that share keys, counted from what its kernels
 * do. Only candidates are compared, so that what all of them do alike is left out where it is hard to count.
 * The counts hold for any vector length; the cycles of a step were fitted once to 45,000 timings of 550
 * shapes and 40 candidates on a Zen 5, AVX2 and AVX-512 together. Knows no cache but by its size.
 */
#include <math.h>

#include "arch/cpu.h"
#include "tuner/model.h"

/* A tile's FMA, the loads beside them (a tile of 16 x 1, with its 17 loads for 16 FMA, ran at 67 % of the
 * peak), and the wait for the term before. */
#define FMA_A_CYCLE 2.0
#define LOADS_A_CYCLE 1.4
#define FMA_LATENCY 5.0
/* A vector of sums: where it starts from memory, is scaled and goes back; where it only goes there. */
#define SUM_CYCLES 4.0
#define SCORE_CYCLES 1.0
/* A vector of exponentials: in a pass of its own; between the FMA of a fused kernel; there, but where no FMA
 * are left to ride between, one waiting for the other. */
#define EXP_CYCLES 8.0
#define RIDE_CYCLES 5.0
#define ALONE_CYCLES 20.0
/* Of a tanh score: a vector of terms, two over one division. */
#define TERM_CYCLES 1.3
#define ALONE_ROW 0.02
/* Kernels read by rows: the sums of a batch are reduced, a lane each; the terms that fill no vector; a vector
 * of another type is widened by a unit that an FMA would take; a chunk of keys begins. */
#define REDUCE_CYCLES 1.25
#define TAIL_CYCLES 0.5
#define WIDEN_CYCLES 0.5
#define CHUNK_CYCLES 8.0
#define ASK_LOADS 0.5
/* A vector of values of another type that is brought into panels; a byte's has a scale too, and takes twice it. */
#define CONVERT_CYCLES 3.0
/* Blocks of lanes x lanes that are only part of one are packed with a condition a lane. */
#define PART_BLOCK 1.6
/* A strip: its calls, or its turn in a fused kernel; for as many of its rows as a vector has lanes, a lane of
 * their maxima and sums, which are reduced together. A row: its limits where there are any, which a fused
 * kernel puts into effect itself. */
#define STRIP_CYCLES 60.0
#define FUSED_CYCLES 0.0
#define GROUP_CYCLES 13.0
#define ROW_CYCLES 60.0
#define LIMIT_CYCLES 10.0
#define HIDE_CYCLES 15.0
#define EDGE_CYCLES 18.0
/* Rows that share keys: their own making ready, and what they leave. */
#define UNIT_CYCLES 400.0
/* Bytes a cycle from L2, and from beyond it. Columns of values by panels jump from row to row: half as fast. */
#define NEAR_BYTES 48.0
#define FAR_BYTES 10.0
#define JUMPS 2.5
#define TORN 1.15
/* Of that many strips of a causal problem the cost is counted. */
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

/* One term, or key, of a tile of rows x vectors sums, while so many lines are asked for ahead. */
static double step_cycles(double rows, double vectors, double lines)
{
    const double issue = fmax(rows * vectors / FMA_A_CYCLE, (rows + vectors + lines) / LOADS_A_CYCLE);
    return fmax(issue, FMA_LATENCY);
}

static double bytes_of(int32_t dtype)
{
    return dtype == ATTUNE_PACK_F32 ? 4 : dtype == ATTUNE_PACK_I8 ? 1 : 2;
}

/* Of a vector of elements, where kernels of rows ask for it. */
static double lines_of(const struct attune_kernel *kernel)
{
    return ASK_LOADS * bytes_of(kernel->dtype) * (double)kernel->lanes / 64;
}

/* Rows that are scored together, and the keys up to the last that one of them may attend. */
struct strip {
    int64_t rows, keys;
};

/* ---- Scores. ---- */

static double panels_of_dot(const struct attune_kernel *score, struct strip strip, int64_t d)
{
    const double vectors = (double)score->width / score->lanes;
    const int64_t full = strip.rows / score->rows, left = strip.rows % score->rows;
    double cycles = (double)full * (double)d * step_cycles(score->rows, vectors, 0);
    if (left > 0)
        cycles += (double)d * step_cycles((double)left, vectors, 0);
    return (double)ceil_div(strip.keys, score->width) *
           (cycles + SCORE_CYCLES * vectors * (double)strip.rows);
}

/* Vectors of a panel's keys: the last is cut to half of them, or a quarter. Left-over rows go one by one. */
static double panels_of_tanh(const struct attune_kernel *score, struct strip strip, int64_t terms)
{
    const int64_t whole = strip.keys / score->width, all = score->width / score->lanes;
    const int64_t left = ceil_div(strip.keys % score->width, score->lanes);
    const int64_t cut = left > all / 2 ? all : left > 1 ? all / 2 : left;
    const double alone = (double)(strip.rows % score->rows) * ALONE_ROW * (double)all;
    return TERM_CYCLES * (double)(whole * all + cut) * ((double)strip.rows + alone) * (double)terms;
}

/* A step of the scan for each pair: the products of four gates and of the score, five exponentials a unit. */
static double steps_of_lstm(const struct attune_kernel *score, struct strip strip, int64_t n, int64_t a)
{
    const double products = (double)(4 * n + a) * vectors_of(n, score) / FMA_A_CYCLE;
    return (double)(strip.rows * strip.keys) * (products + 5 * EXP_CYCLES * vectors_of(n, score));
}

/* So many rows at a time; fewer ones take more keys, which fill the vectors of sums that are reduced. */
static double rows_of_dot(const struct attune_kernel *score, struct strip strip, int64_t d, int typed)
{
    double cycles = 0;
    for (int64_t row = 0; row < strip.rows; row += score->rows) {
        const int64_t rows = strip.rows - row < score->rows ? strip.rows - row : score->rows;
        const int64_t batch = score->lanes / (rows == 3 ? 4 : rows);
        const double keys = (double)round_up(strip.keys, batch > 0 ? batch : 1);
        double a_key = vectors_of(d, score) * (1.1 * (double)rows / FMA_A_CYCLE + (typed ? WIDEN_CYCLES : 0));
        a_key += d % score->lanes != 0 ? TAIL_CYCLES * (double)rows : 0;
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
static double rows_of_wsum(const struct attune_kernel *wsum, struct strip strip, int64_t e, int typed)
{
    const int64_t whole = e / wsum->lanes, vectors = wsum->width / wsum->lanes;
    double cycles = 0;
    for (int64_t row = 0; row < strip.rows; row += wsum->rows) {
        const int64_t rows = strip.rows - row < wsum->rows ? strip.rows - row : wsum->rows;
        const int64_t panels = ceil_div(whole, rows == 1 ? 8 : rows == 2 ? 2 * vectors : vectors);
        const int last = e % wsum->lanes != 0;
        const double many = (double)whole / (double)(panels > 0 ? panels : 1);
        double a_key = typed ? WIDEN_CYCLES * (double)whole : 0;
        if (panels > 0)
            a_key += (double)panels * step_cycles((double)rows, many, many * lines_of(wsum));
        if (last)
            a_key += step_cycles((double)rows, 1, 1);
        cycles += (double)strip.keys * a_key +
                  chunks_of(strip.keys, e, panels + last == 1) *
                      (CHUNK_CYCLES * (double)(panels + last) + SCORE_CYCLES * (double)rows * vectors_of(e, wsum));
    }
    return cycles + SUM_CYCLES * (double)strip.rows * vectors_of(e, wsum);
}

/* ---- All of it. ---- */

struct count {
    const struct attune_model_problem *problem;
    const struct attune_kernel *score, *wsum;
    int fused;
};

/* Exponentials ride between the sums of the strip before: one between every two keys of whole panels. */
static double exponentials(const struct count *count, struct strip strip, int first)
{
    const struct attune_kernel *score = count->score, *wsum = count->wsum;
    if (!count->fused)
        return EXP_CYCLES * (double)strip.rows * vectors_of(strip.keys, score);
    const double vectors = (double)strip.rows * (double)(round_up(strip.keys, score->width) / score->lanes);
    const double places = (double)(strip.keys / 8 * 4) * (double)(count->problem->key.e / wsum->width);
    const double riding = first ? 0 : fmin(vectors, places);
    return RIDE_CYCLES * riding + ALONE_CYCLES * (vectors - riding);
}

/* What a kernel takes that computes for so long and waits for its operand meanwhile, a row of `width` elements a
 * key. The first strip brings it near; a further one brings again what lies in place, and comes from afar. */
static double beside_transfer(const struct count *count, const struct attune_kernel *kernel, double cycles,
                              double bytes, int again)
{
    const struct attune_model_problem *problem = count->problem;
    const double all = 4.0 * (double)problem->t_k * (double)(problem->key.d + problem->key.e);
    const int far = all > 2.0 * (double)problem->topology->l2.size;
    const int jumps = kernel->operation == ATTUNE_OP_WSUM && problem->key.e > kernel->width;
    const int torn = far && kernel->operation == ATTUNE_OP_WSUM_ROWS && problem->rows > 2 &&
                     4 * kernel->width % 64 != 0;
    const int by_rows = kernel->operation == ATTUNE_OP_WSUM_ROWS || kernel->operation == ATTUNE_OP_SCORE_ROWS;
    if (all <= (double)problem->topology->l1d.size || (again && !(far && by_rows)))
        return cycles;
    return hypot(cycles, bytes * (jumps && (far || kernel->lanes <= 8) ? JUMPS : torn ? TORN : 1) / (far ? FAR_BYTES : NEAR_BYTES));
}

/* Times that rows pass the values: a panel that L1 does not hold comes again for every tile of rows. */
static double passes_of(const struct count *count, struct strip strip)
{
    const double panel = 4.0 * (double)strip.keys * (double)count->wsum->width;
    if (count->wsum->operation == ATTUNE_OP_WSUM_ROWS || panel <= (double)count->problem->topology->l1d.size)
        return 1;
    return (double)ceil_div(strip.rows, count->wsum->rows);
}

static double strip_cycles(const struct count *count, struct strip strip, int first)
{
    const struct attune_key *key = &count->problem->key;
    const int limited = key->mask == ATTUNE_KEY_CAUSAL || key->mask == ATTUNE_KEY_WINDOW;
    double score = 0, wsum;
    if (key->score == ATTUNE_KEY_TANH)
        score = panels_of_tanh(count->score, strip, round_up(key->a, ATTUNE_TERM_STEP));
    else if (count->score->operation == ATTUNE_OP_SCORE_DOT)
        score = panels_of_dot(count->score, strip, key->d);
    else if (key->score == ATTUNE_KEY_LSTM)
        score = steps_of_lstm(count->score, strip, key->n, key->a);
    else if (count->score->operation == ATTUNE_OP_SCORE_ROWS)
        score = rows_of_dot(count->score, strip, key->d, key->dtype_k != ATTUNE_PACK_F32);
    if (count->wsum->operation == ATTUNE_OP_WSUM)
        wsum = panels_of_wsum(count->wsum, strip, key->e);
    else
        wsum = rows_of_wsum(count->wsum, strip, key->e, key->dtype_v != ATTUNE_PACK_F32);
    score = beside_transfer(count, count->score, score, (double)(key->d * strip.keys) * bytes_of(key->dtype_k), !first);
    wsum = beside_transfer(count, count->wsum, wsum, passes_of(count, strip) * (double)(key->e * strip.keys) * bytes_of(key->dtype_v), !first);
    const int hides = count->fused && (limited || strip.keys % count->score->width != 0);
    const int64_t lanes = count->score->lanes;
    const int torn = !count->fused && strip.keys % lanes != 0;
    return score + wsum + exponentials(count, strip, first) + (count->fused ? FUSED_CYCLES : STRIP_CYCLES) +
           GROUP_CYCLES * (double)round_up(strip.rows, lanes) +
           (ROW_CYCLES + (limited ? LIMIT_CYCLES : 0) + (hides ? HIDE_CYCLES : 0) + (torn ? EDGE_CYCLES : 0)) * (double)strip.rows;
}

/* Keys in panels, values of other types as float32: once for all rows. A block of lanes x lanes is transposed
 * in log2(lanes) shuffles a vector. */
static double packing(const struct count *count)
{
    const struct attune_key *key = &count->problem->key;
    const int64_t t_k = count->problem->t_k, lanes = count->score->lanes;
    double cycles = 0;
    if (count->wsum->operation == ATTUNE_OP_WSUM && key->dtype_v != ATTUNE_PACK_F32)
        cycles += (key->dtype_v == ATTUNE_PACK_I8 ? 2 : 1) * CONVERT_CYCLES * (double)t_k *
                  vectors_of(key->e, count->wsum);
    if (key->prepared || key->score == ATTUNE_KEY_LSTM || count->score->operation == ATTUNE_OP_SCORE_ROWS)
        return cycles;
    const int tanh = key->score == ATTUNE_KEY_TANH;
    const int64_t d = tanh ? round_up(key->a, ATTUNE_TERM_STEP) : key->d;
    const double full = (double)((t_k / lanes) * (d / lanes));
    const double all = (double)ceil_div(round_up(t_k, count->score->width), lanes) * vectors_of(d, count->score);
    cycles += (double)lanes * (log2((double)lanes) + 0.5) * (full + PART_BLOCK * (all - full));
    return cycles + (tanh ? EXP_CYCLES * (double)d * vectors_of(t_k, count->score) : 0);
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
    double cycles = UNIT_CYCLES + packing(&count);
    for (int64_t at = 0, many = 1; at < strips; at += many) {
        many = at == 0 || step < 1 ? 1 : at + step < strips ? step : strips - at;
        cycles += (double)many * strip_cycles(&count, strip_at(problem, (at + many / 2) * rows, rows), at == 0);
    }
    return cycles;
}
