/* SPDX-License-Identifier: Apache-2.0
 *
 * The inputs of the fp64 reference: every mechanism's query side, key side and values as rows of
 * numbers, through its projections and convolutions. Knows no scores and no softmax.
 */
#include "engine/reference_parts.h"

#include <math.h>
#include <string.h>

enum side { QUERY, KEY, VALUE };

static int is_given(const struct attune_reference_job *job, enum attune_input input)
{
    return job->shape->problem.in[input].dtype != ATTUNE_ABSENT;
}

static double half_value(uint16_t bits)
{
    int exponent = bits >> 10 & 31, fraction = bits & 1023;
    double magnitude = exponent == 31  ? (fraction ? (double)NAN : (double)INFINITY)
                       : exponent == 0 ? ldexp(fraction, -24)
                                       : ldexp(1024 + fraction, exponent - 25);
    return bits & 0x8000 ? -magnitude : magnitude;
}

static double brain_value(uint16_t bits)
{
    uint32_t wide = (uint32_t)bits << 16;
    float value;
    memcpy(&value, &wide, sizeof value);
    return (double)value;
}

double attune_reference_element(const struct attune_reference_job *job, enum attune_input input,
                                int64_t offset)
{
    const void *data = job->args->in[input];
    switch (job->shape->problem.in[input].dtype) {
    case ATTUNE_F32: return (double)((const float *)data)[offset];
    case ATTUNE_F16: return half_value(((const uint16_t *)data)[offset]);
    case ATTUNE_BF16: return brain_value(((const uint16_t *)data)[offset]);
    case ATTUNE_I8: return (double)((const int8_t *)data)[offset];
    default: return (double)((const uint8_t *)data)[offset];
    }
}

static double at2(const struct attune_reference_job *job, enum attune_input input, int64_t i,
                  int64_t j)
{
    const int64_t *stride = job->shape->problem.in[input].stride;
    return attune_reference_element(job, input, i * stride[0] + j * stride[1]);
}

static double at3(const struct attune_reference_job *job, enum attune_input input, int64_t i,
                  int64_t j, int64_t k)
{
    const int64_t *stride = job->shape->problem.in[input].stride;
    return attune_reference_element(job, input, i * stride[0] + j * stride[1] + k * stride[2]);
}

static double at4(const struct attune_reference_job *job, enum attune_input input, int64_t i,
                  int64_t j, int64_t k, int64_t l)
{
    const int64_t *stride = job->shape->problem.in[input].stride;
    return attune_reference_element(job, input,
                                    i * stride[0] + j * stride[1] + k * stride[2] + l * stride[3]);
}

/* rows x columns of a weight, from its column `column` on, into columns `at`.. of packed rows of
 * `width`. */
static void pack_columns(const struct attune_reference_job *job, enum attune_input input,
                         int64_t row, int64_t rows, int64_t column, int64_t columns, double *packed,
                         int64_t width, int64_t at)
{
    for (int64_t r = 0; packed && r < rows; r++)
        for (int64_t c = 0; c < columns; c++)
            packed[r * width + at + c] = at2(job, input, row + r, column + c);
}

static double *pack_weight(struct attune_reference_job *job, enum attune_input input, int64_t row,
                           int64_t rows, int64_t column, int64_t columns)
{
    double *packed = attune_reference_reserve(job, rows * columns, sizeof *packed);
    pack_columns(job, input, row, rows, column, columns, packed, columns, 0);
    return packed;
}

static double *pack_vector(struct attune_reference_job *job, enum attune_input input, int64_t first,
                           int64_t count)
{
    if (!is_given(job, input))
        return NULL;
    double *packed = attune_reference_reserve(job, count, sizeof *packed);
    const int64_t stride = job->shape->problem.in[input].stride[0];
    for (int64_t i = 0; packed && i < count; i++)
        packed[i] = attune_reference_element(job, input, (first + i) * stride);
    return packed;
}

/* The half of a convolution's kernel that sees channels from `channel` on, as rows of [width][C].
 */
static double *pack_kernel(struct attune_reference_job *job, int64_t channel)
{
    const struct attune_shape *s = job->shape;
    double *packed = attune_reference_reserve(job, s->a * s->width * s->c, sizeof *packed);
    for (int64_t a = 0; packed && a < s->a; a++)
        for (int64_t w = 0; w < s->width; w++)
            for (int64_t c = 0; c < s->c; c++)
                packed[(a * s->width + w) * s->c + c] =
                    at3(job, ATTUNE_IN_KERNEL, a, channel + c, w);
    return packed;
}

static void prepare_self(struct attune_reference_job *job)
{
    const struct attune_shape *s = job->shape;
    struct attune_reference_side *const sides[] = {&job->query_side, &job->key_side,
                                                   &job->value_side};
    const int64_t rows = s->h * s->d;
    for (int64_t part = 0; part < 3; part++) {
        sides[part]->in = s->c;
        sides[part]->direct = 0;
        sides[part]->weight = pack_weight(job, ATTUNE_IN_IN_WEIGHT, part * rows, rows, 0, s->c);
        sides[part]->bias = pack_vector(job, ATTUNE_IN_IN_BIAS, part * rows, rows);
    }
}

/* [W_1 | W_h] over [x_t; h_t], and W_2 over x_t'. */
static void prepare_pairwise(struct attune_reference_job *job)
{
    const struct attune_shape *s = job->shape;
    const int64_t width = s->c + s->s;
    double *packed = attune_reference_reserve(job, s->a * width, sizeof *packed);
    pack_columns(job, ATTUNE_IN_WEIGHT, 0, s->a, 0, s->c, packed, width, 0);
    pack_columns(job, ATTUNE_IN_W_STATE, 0, s->a, 0, s->s, packed, width, s->c);
    job->query_side.in = width;
    job->query_side.weight = packed;
    job->key_side.in = s->c;
    job->key_side.weight = pack_weight(job, ATTUNE_IN_WEIGHT, 0, s->a, s->c, s->c);
}

/* [W_k | W_l] over [x_j; f_j]; without w_key, W_l over f_j joins the key itself. */
static void prepare_key(struct attune_reference_job *job)
{
    const struct attune_shape *s = job->shape;
    const int64_t projected = is_given(job, ATTUNE_IN_W_KEY) ? s->d_k : 0;
    const int64_t width = projected + s->f, rows = s->h * s->a;
    job->key_side.direct = projected == 0;
    job->key_side.in = width;
    if (width == 0)
        return;
    job->key_side.weight = attune_reference_reserve(job, rows * width, sizeof(double));
    pack_columns(job, ATTUNE_IN_W_KEY, 0, rows, 0, projected, job->key_side.weight, width, 0);
    pack_columns(job, ATTUNE_IN_W_LOCATION, 0, rows, 0, s->f, job->key_side.weight, width,
                 projected);
}

static void prepare_additive(struct attune_reference_job *job)
{
    const struct attune_shape *s = job->shape;
    job->query_side.direct = !is_given(job, ATTUNE_IN_W_QUERY);
    if (is_given(job, ATTUNE_IN_W_QUERY)) {
        job->query_side.in = s->d_q;
        job->query_side.weight = pack_weight(job, ATTUNE_IN_W_QUERY, 0, s->h * s->a, 0, s->d_q);
    }
    prepare_key(job);
}

static void prepare_multiplicative(struct attune_reference_job *job)
{
    const struct attune_shape *s = job->shape;
    struct attune_reference_side *query = &job->query_side, *key = &job->key_side;
    key->direct = s->problem.form != ATTUNE_CONCAT;
    query->direct = s->problem.form == ATTUNE_DOT;
    if (s->problem.form == ATTUNE_GENERAL) {
        query->in = s->d_q;
        query->weight = attune_reference_reserve(job, s->d_q * s->d_k, sizeof(double));
        for (int64_t k = 0; query->weight && k < s->d_k; k++)
            for (int64_t q = 0; q < s->d_q; q++)
                query->weight[k * s->d_q + q] = at2(job, ATTUNE_IN_WEIGHT, q, k);
    }
    if (s->problem.form == ATTUNE_CONCAT) {
        query->in = s->d_q;
        query->weight = pack_weight(job, ATTUNE_IN_WEIGHT, 0, s->a, 0, s->d_q);
        key->in = s->d_k;
        key->weight = pack_weight(job, ATTUNE_IN_WEIGHT, 0, s->a, s->d_q, s->d_k);
    }
}

static void prepare_recurrent(struct attune_reference_job *job)
{
    const struct attune_shape *s = job->shape;
    const int64_t gates = 4 * s->n;
    double *bias = attune_reference_reserve(job, gates, sizeof *bias);
    const double *ih = pack_vector(job, ATTUNE_IN_BIAS_IH, 0, gates);
    const double *hh = pack_vector(job, ATTUNE_IN_BIAS_HH, 0, gates);
    for (int64_t gate = 0; bias && gate < gates; gate++)
        bias[gate] = (ih ? ih[gate] : 0) + (hh ? hh[gate] : 0);
    job->query_side.in = job->key_side.in = s->c;
    job->query_side.weight = pack_weight(job, ATTUNE_IN_WEIGHT_IH, 0, gates, 0, s->c);
    job->query_side.bias = bias;
    job->key_side.weight = pack_weight(job, ATTUNE_IN_WEIGHT_IH, 0, gates, s->c, s->c);
    if (is_given(job, ATTUNE_IN_WEIGHT_HH))
        job->recurrent_weight = pack_weight(job, ATTUNE_IN_WEIGHT_HH, 0, gates, 0, s->n);
    job->w_recurrent = pack_weight(job, ATTUNE_IN_W_RECURRENT, 0, s->a, 0, s->n);
    job->hidden_bias = pack_vector(job, ATTUNE_IN_BIAS_HIDDEN, 0, s->a);
}

static void prepare_sides(struct attune_reference_job *job)
{
    const struct attune_shape *s = job->shape;
    switch (s->problem.mechanism) {
    case ATTUNE_ADDITIVE: prepare_additive(job); break;
    case ATTUNE_MULTIPLICATIVE: prepare_multiplicative(job); break;
    case ATTUNE_SELF:
        if (s->problem.form == ATTUNE_PAIRWISE)
            prepare_pairwise(job);
        else if (s->from_x)
            prepare_self(job);
        else
            job->query_side.direct = job->key_side.direct = 1;
        break;
    case ATTUNE_CONVOLUTIONAL:
        if (s->problem.form == ATTUNE_LOCATION) {
            prepare_additive(job);
        } else {
            job->query_side.in = job->key_side.in = s->width * s->c;
            job->query_side.weight = pack_kernel(job, 0);
            job->key_side.weight = pack_kernel(job, s->c);
        }
        break;
    default: prepare_recurrent(job); break;
    }
}

static void reserve_matrix(struct attune_reference_job *job, struct attune_reference_matrix *matrix,
                           int64_t rows, int64_t columns)
{
    matrix->rows = rows;
    matrix->columns = columns;
    matrix->exact = attune_reference_reserve(job, rows * columns, sizeof *matrix->exact);
    matrix->naive = attune_reference_reserve(job, rows * columns, sizeof *matrix->naive);
    matrix->magnitude = attune_reference_reserve(job, rows * columns, sizeof *matrix->magnitude);
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

void attune_reference_prepare(struct attune_reference_job *job)
{
    const struct attune_shape *s = job->shape;
    const int64_t terms = s->kind == ATTUNE_SCORE_DOT    ? s->d
                          : s->kind == ATTUNE_SCORE_TANH ? s->a
                                                         : 4 * s->n;
    job->query_side.out = job->key_side.out = terms;
    job->value_side.out = s->e;
    job->value_side.direct = 1;
    prepare_sides(job);
    if (s->kind == ATTUNE_SCORE_TANH)
        job->query_side.bias = pack_vector(job, ATTUNE_IN_BIAS_HIDDEN, 0, s->h * s->a);
    if (s->kind != ATTUNE_SCORE_DOT && s->problem.in[ATTUNE_IN_SCORE_VECTOR].rank == 2)
        job->score_vector = pack_weight(job, ATTUNE_IN_SCORE_VECTOR, 0, s->h, 0, s->a);
    else if (s->kind != ATTUNE_SCORE_DOT)
        job->score_vector = pack_vector(job, ATTUNE_IN_SCORE_VECTOR, 0, s->a);
    if (is_given(job, ATTUNE_IN_OUT_WEIGHT))
        job->out_weight = pack_weight(job, ATTUNE_IN_OUT_WEIGHT, 0, s->out_width, 0, s->h * s->e);
    job->out_bias = pack_vector(job, ATTUNE_IN_OUT_BIAS, 0, s->out_width);
    reserve_matrix(job, &job->query, s->t_q, terms);
    reserve_matrix(job, &job->key, s->t_k, terms);
    reserve_matrix(job, &job->value, s->t_k, s->e);
    const int64_t widest = larger(larger(job->query_side.in, job->key_side.in), s->c);
    job->source = attune_reference_reserve(job, widest, sizeof *job->source);
    job->source_naive = attune_reference_reserve(job, widest, sizeof *job->source_naive);
    job->direct = attune_reference_reserve(job, larger(terms, s->e), sizeof *job->direct);
    job->scan_exact = attune_reference_reserve(job, 6 * s->n, sizeof *job->scan_exact);
    job->scan_naive = attune_reference_reserve(job, 6 * s->n, sizeof *job->scan_naive);
}

static enum attune_input sequence_input(const struct attune_reference_job *job, enum side side)
{
    if (is_given(job, ATTUNE_IN_X))
        return ATTUNE_IN_X;
    return side == QUERY ? ATTUNE_IN_QUERY : ATTUNE_IN_KEY;
}

/* x around t, zero outside the sequence, whose end is its length. */
static void source_window(struct attune_reference_job *job, int64_t b, int64_t t, int64_t length)
{
    const struct attune_shape *s = job->shape;
    for (int64_t w = 0; w < s->width; w++) {
        const int64_t from = t + w - s->width / 2;
        for (int64_t c = 0; c < s->c; c++)
            job->source[w * s->c + c] =
                from >= 0 && from < length ? at3(job, ATTUNE_IN_X, b, from, c) : 0;
    }
}

/* Location filters over the alignments of the step before, behind column `at` of the source. */
static void source_location(struct attune_reference_job *job, int64_t b, int64_t j, int64_t keys,
                            int64_t at)
{
    const struct attune_shape *s = job->shape;
    for (int64_t f = 0; f < s->f; f++) {
        double sum = 0;
        float naive = 0;
        for (int64_t w = 0; w < s->width; w++) {
            const int64_t from = j + w - s->width / 2;
            const double weight = at3(job, ATTUNE_IN_LOCATION_KERNEL, f, 0, w);
            const double before =
                from >= 0 && from < keys ? at2(job, ATTUNE_IN_PREVIOUS_ALIGNMENTS, b, from) : 0;
            sum += weight * before;
            naive += (float)weight * (float)before;
        }
        job->source[at + f] = sum;
        job->source_naive[at + f] = naive;
    }
}

static void source_state(struct attune_reference_job *job, int64_t b, int64_t t)
{
    const struct attune_shape *s = job->shape;
    const int per_query = s->problem.in[ATTUNE_IN_STATE].rank == 3;
    for (int64_t i = 0; i < s->s; i++)
        job->source[s->c + i] =
            per_query ? at3(job, ATTUNE_IN_STATE, b, t, i) : at2(job, ATTUNE_IN_STATE, b, i);
}

/* The row that the side's weight multiplies. */
static void fill_source(struct attune_reference_job *job, enum side side, int64_t b, int64_t row)
{
    const struct attune_shape *s = job->shape;
    const struct attune_reference_side *plan = side == QUERY ? &job->query_side
                                               : side == KEY ? &job->key_side
                                                             : &job->value_side;
    const int64_t keys = attune_shape_key_length(s, job->args, b);
    const int64_t extra = side == KEY ? s->f : side == QUERY ? s->s : 0;
    if (plan->in == 0)
        return;
    if (s->problem.mechanism == ATTUNE_CONVOLUTIONAL && s->problem.form == ATTUNE_PAIRWISE) {
        const int64_t queries = attune_shape_query_length(s, job->args, b);
        source_window(job, b, row, side == QUERY ? queries : keys);
    } else {
        for (int64_t c = 0; c < plan->in - extra; c++)
            job->source[c] = at3(job, sequence_input(job, side), b, row, c);
        if (side == QUERY)
            source_state(job, b, row);
    }
    for (int64_t c = 0; c < plan->in; c++)
        job->source_naive[c] = (float)job->source[c];
    if (side == KEY && s->f > 0)
        source_location(job, b, row, keys, plan->in - s->f);
}

/* The input itself, where no projection stands between it and the score. Returns whether it was
 * rounded on the way (int8 times its scale). */
static int fill_direct(struct attune_reference_job *job, enum side side, int64_t b, int64_t h,
                       int64_t row)
{
    const struct attune_shape *s = job->shape;
    const int64_t group = h / (s->h / s->g);
    const int heads = s->kind == ATTUNE_SCORE_DOT && is_given(job, ATTUNE_IN_Q);
    if (heads) {
        const enum attune_input input = side == QUERY ? ATTUNE_IN_Q
                                        : side == KEY ? ATTUNE_IN_K
                                                      : ATTUNE_IN_V;
        const enum attune_input scales = side == KEY ? ATTUNE_IN_KEY_SCALE : ATTUNE_IN_VALUE_SCALE;
        const int scaled = side != QUERY && is_given(job, scales);
        const double scale = scaled ? at3(job, scales, b, group, row) : 1;
        const int64_t columns = side == VALUE ? s->e : s->d;
        for (int64_t c = 0; c < columns; c++)
            job->direct[c] = scale * at4(job, input, b, side == QUERY ? h : group, row, c);
        return scaled;
    }
    const int given = side == VALUE && is_given(job, ATTUNE_IN_VALUE);
    const enum attune_input input = given ? ATTUNE_IN_VALUE : sequence_input(job, side);
    if (given && s->problem.in[input].rank == 4) {
        for (int64_t c = 0; c < s->e; c++)
            job->direct[c] = at4(job, input, b, h, row, c);
        return 0;
    }
    const int64_t columns = side == VALUE ? s->e : s->kind == ATTUNE_SCORE_DOT ? s->d : s->a;
    const int64_t first = side == VALUE ? 0 : h * columns;
    for (int64_t c = 0; c < columns; c++)
        job->direct[c] = at3(job, input, b, row, first + c);
    return 0;
}

static void evaluate_row(struct attune_reference_job *job, struct attune_reference_matrix *matrix,
                         const struct attune_reference_side *side, int64_t h, int64_t row,
                         int rounded)
{
    const int computed = rounded || side->weight || side->bias;
    for (int64_t o = 0; o < side->out; o++) {
        double exact = side->direct ? job->direct[o] : 0, magnitude = fabs(exact);
        float naive = (float)exact;
        const double *weight = side->weight ? side->weight + (h * side->out + o) * side->in : NULL;
        for (int64_t c = 0; weight && c < side->in; c++) {
            exact += weight[c] * job->source[c];
            naive += (float)weight[c] * job->source_naive[c];
            magnitude += fabs(weight[c] * job->source[c]);
        }
        if (side->bias) {
            exact += side->bias[h * side->out + o];
            naive += (float)side->bias[h * side->out + o];
            magnitude += fabs(side->bias[h * side->out + o]);
        }
        matrix->exact[row * side->out + o] = exact;
        matrix->naive[row * side->out + o] = naive;
        matrix->magnitude[row * side->out + o] = computed ? magnitude : 0;
    }
}

void attune_reference_evaluate(struct attune_reference_job *job, int64_t b, int64_t h)
{
    const int64_t keys = attune_shape_key_length(job->shape, job->args, b);
    struct attune_reference_matrix *const matrices[] = {&job->query, &job->key, &job->value};
    const struct attune_reference_side *const sides[] = {&job->query_side, &job->key_side,
                                                         &job->value_side};
    for (int side = QUERY; side <= VALUE; side++)
        for (int64_t row = 0; row < (side == QUERY ? job->shape->t_q : keys); row++) {
            fill_source(job, (enum side)side, b, row);
            const int rounded =
                sides[side]->direct ? fill_direct(job, (enum side)side, b, h, row) : 0;
            evaluate_row(job, matrices[side], sides[side], h, row, rounded);
        }
}
