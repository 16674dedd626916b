/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/oracle.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef long double number;

struct oracle {
    const struct attune_problem *p;
    const struct attune_args *args;
    int64_t batch, heads, groups, queries, keys, width, columns; /* width of a head's values */
    double **value;
    unsigned char *attended; /* of the row at hand */
};

static int has(const struct oracle *o, enum attune_input input)
{
    return o->p->in[input].dtype != ATTUNE_ABSENT;
}

static int64_t size(const struct oracle *o, enum attune_input input, int axis)
{
    return o->p->in[input].size[axis];
}

static double from_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return (double)value;
}

/* A half is rebuilt as float32 bits; its denormals through the number that they count. */
static double from_half(uint32_t half)
{
    const uint32_t sign = (half & 0x8000u) << 16, rest = half & 0x7fffu;
    if (rest >= 0x7c00u)
        return from_bits(sign | 0x7f800000u | (rest & 0x3ffu) << 13);
    if (rest < 0x400u)
        return (sign ? -1.0 : 1.0) * (double)rest / 16777216.0;
    return from_bits(sign | ((rest << 13) + 0x38000000u));
}

double oracle_element(const struct attune_problem *problem, const struct attune_args *args,
                      enum attune_input input, int64_t offset)
{
    const char *base = (const char *)args->in[input] +
                       offset * (int64_t)attune_dtype_size(problem->in[input].dtype);
    float f;
    uint16_t s;
    int32_t i;
    int64_t l;
    switch (problem->in[input].dtype) {
    case ATTUNE_F32: memcpy(&f, base, sizeof f); return (double)f;
    case ATTUNE_F16: memcpy(&s, base, sizeof s); return from_half(s);
    case ATTUNE_BF16: memcpy(&s, base, sizeof s); return from_bits((uint32_t)s << 16);
    case ATTUNE_I32: memcpy(&i, base, sizeof i); return (double)i;
    case ATTUNE_I64: memcpy(&l, base, sizeof l); return (double)l;
    case ATTUNE_I8: return (double)*(const signed char *)base;
    default: return *(const unsigned char *)base ? 1.0 : 0.0;
    }
}

/* Element of an input at up to four indices, of which the tensor takes as many as it has axes. */
static number at(const struct oracle *o, enum attune_input input, int64_t i, int64_t j, int64_t k,
                 int64_t l)
{
    const struct attune_tensor *t = &o->p->in[input];
    const int64_t index[4] = {i, j, k, l};
    int64_t offset = 0;
    for (int axis = 0; axis < t->rank; axis++)
        offset += index[axis] * t->stride[axis];
    return (number)oracle_element(o->p, o->args, input, offset);
}

static int64_t length(const struct oracle *o, enum attune_input input, int64_t b, int64_t whole)
{
    return has(o, input) ? (int64_t)at(o, input, b, 0, 0, 0) : whole;
}

static int64_t key_length(const struct oracle *o, int64_t b)
{
    return length(o, ATTUNE_IN_KEY_LENGTHS, b, o->keys);
}

static int64_t query_length(const struct oracle *o, int64_t b)
{
    return length(o, ATTUNE_IN_QUERY_LENGTHS, b, o->queries);
}

/* ---- scores, one pair at a time ---- */

static number location_feature(const struct oracle *o, int64_t b, int64_t f, int64_t j)
{
    const int64_t taps = size(o, ATTUNE_IN_LOCATION_KERNEL, 2);
    number sum = 0;
    for (int64_t tap = 0; tap < taps; tap++) {
        const int64_t key = j - taps / 2 + tap;
        if (key >= 0 && key < key_length(o, b))
            sum += at(o, ATTUNE_IN_LOCATION_KERNEL, f, 0, tap, 0) *
                   at(o, ATTUNE_IN_PREVIOUS_ALIGNMENTS, b, key, 0, 0);
    }
    return sum;
}

static number projected(const struct oracle *o, enum attune_input weight, enum attune_input input,
                        int64_t b, int64_t t, int64_t row)
{
    if (!has(o, weight))
        return at(o, input, b, t, row, 0);
    number sum = 0;
    for (int64_t c = 0; c < size(o, input, 2); c++)
        sum += at(o, weight, row, c, 0, 0) * at(o, input, b, t, c, 0);
    return sum;
}

static number hidden_bias(const struct oracle *o, int64_t row)
{
    return has(o, ATTUNE_IN_BIAS_HIDDEN) ? at(o, ATTUNE_IN_BIAS_HIDDEN, row, 0, 0, 0) : 0;
}

static number additive_score(const struct oracle *o, int64_t b, int64_t h, int64_t i, int64_t j)
{
    const int many = o->p->in[ATTUNE_IN_SCORE_VECTOR].rank == 2;
    const int64_t terms = size(o, ATTUNE_IN_SCORE_VECTOR, many);
    number sum = 0;
    for (int64_t t = 0; t < terms; t++) {
        const int64_t row = h * terms + t;
        number z = hidden_bias(o, row) +
                   projected(o, ATTUNE_IN_W_QUERY, ATTUNE_IN_QUERY, b, i, row) +
                   projected(o, ATTUNE_IN_W_KEY, ATTUNE_IN_KEY, b, j, row);
        for (int64_t f = 0; has(o, ATTUNE_IN_W_LOCATION) && f < size(o, ATTUNE_IN_W_LOCATION, 1);
             f++)
            z += at(o, ATTUNE_IN_W_LOCATION, t, f, 0, 0) * location_feature(o, b, f, j);
        sum += (many ? at(o, ATTUNE_IN_SCORE_VECTOR, h, t, 0, 0)
                     : at(o, ATTUNE_IN_SCORE_VECTOR, t, 0, 0, 0)) *
               tanhl(z);
    }
    return sum;
}

static number multiplicative_score(const struct oracle *o, int64_t b, int64_t i, int64_t j)
{
    const int64_t d_q = size(o, ATTUNE_IN_QUERY, 2), d_k = size(o, ATTUNE_IN_KEY, 2);
    number sum = 0;
    if (o->p->form == ATTUNE_DOT)
        for (int64_t d = 0; d < d_q; d++)
            sum += at(o, ATTUNE_IN_QUERY, b, i, d, 0) * at(o, ATTUNE_IN_KEY, b, j, d, 0);
    else if (o->p->form == ATTUNE_GENERAL)
        for (int64_t q = 0; q < d_q; q++)
            for (int64_t k = 0; k < d_k; k++)
                sum += at(o, ATTUNE_IN_QUERY, b, i, q, 0) * at(o, ATTUNE_IN_WEIGHT, q, k, 0, 0) *
                       at(o, ATTUNE_IN_KEY, b, j, k, 0);
    else
        for (int64_t t = 0; t < size(o, ATTUNE_IN_SCORE_VECTOR, 0); t++) {
            number z = hidden_bias(o, t);
            for (int64_t c = 0; c < d_q + d_k; c++)
                z += at(o, ATTUNE_IN_WEIGHT, t, c, 0, 0) *
                     (c < d_q ? at(o, ATTUNE_IN_QUERY, b, i, c, 0)
                              : at(o, ATTUNE_IN_KEY, b, j, c - d_q, 0));
            sum += at(o, ATTUNE_IN_SCORE_VECTOR, t, 0, 0, 0) * tanhl(z);
        }
    return sum;
}

/* Row `row` of in_weight over x_t. */
static number in_projection(const struct oracle *o, int64_t b, int64_t t, int64_t row)
{
    number sum = has(o, ATTUNE_IN_IN_BIAS) ? at(o, ATTUNE_IN_IN_BIAS, row, 0, 0, 0) : 0;
    for (int64_t c = 0; c < size(o, ATTUNE_IN_X, 2); c++)
        sum += at(o, ATTUNE_IN_IN_WEIGHT, row, c, 0, 0) * at(o, ATTUNE_IN_X, b, t, c, 0);
    return sum;
}

static number dot_score(const struct oracle *o, int64_t b, int64_t h, int64_t i, int64_t j)
{
    number sum = 0;
    if (has(o, ATTUNE_IN_X)) {
        const int64_t all = size(o, ATTUNE_IN_IN_WEIGHT, 0) / 3, d = all / o->heads;
        for (int64_t c = h * d; c < (h + 1) * d; c++)
            sum += in_projection(o, b, i, c) * in_projection(o, b, j, all + c);
        return sum;
    }
    const int64_t group = h * o->groups / o->heads;
    for (int64_t d = 0; d < size(o, ATTUNE_IN_Q, 3); d++)
        sum += at(o, ATTUNE_IN_Q, b, h, i, d) * at(o, ATTUNE_IN_K, b, group, j, d);
    return has(o, ATTUNE_IN_KEY_SCALE) ? sum * at(o, ATTUNE_IN_KEY_SCALE, b, group, j, 0) : sum;
}

static number pairwise_score(const struct oracle *o, int64_t b, int64_t i, int64_t j)
{
    const int64_t channels = size(o, ATTUNE_IN_X, 2);
    number sum = 0;
    for (int64_t t = 0; t < size(o, ATTUNE_IN_SCORE_VECTOR, 0); t++) {
        number z = hidden_bias(o, t);
        for (int64_t c = 0; c < 2 * channels; c++)
            z += at(o, ATTUNE_IN_WEIGHT, t, c, 0, 0) *
                 at(o, ATTUNE_IN_X, b, c < channels ? i : j, c % channels, 0);
        for (int64_t c = 0; has(o, ATTUNE_IN_STATE) && c < size(o, ATTUNE_IN_W_STATE, 1); c++)
            z += at(o, ATTUNE_IN_W_STATE, t, c, 0, 0) * (o->p->in[ATTUNE_IN_STATE].rank == 3
                                                             ? at(o, ATTUNE_IN_STATE, b, i, c, 0)
                                                             : at(o, ATTUNE_IN_STATE, b, c, 0, 0));
        sum += at(o, ATTUNE_IN_SCORE_VECTOR, t, 0, 0, 0) * tanhl(z);
    }
    return sum;
}

/* The stack's channel c at `shift` from the pair: x around i, or around j, zero outside its length.
 */
static number stacked(const struct oracle *o, int64_t b, int64_t i, int64_t j, int64_t c,
                      int64_t shift)
{
    const int64_t channels = size(o, ATTUNE_IN_X, 2);
    const int64_t t = (c < channels ? i : j) + shift;
    const int64_t end = c < channels ? query_length(o, b) : key_length(o, b);
    return t < 0 || t >= end ? 0 : at(o, ATTUNE_IN_X, b, t, c % channels, 0);
}

static number convolutional_score(const struct oracle *o, int64_t b, int64_t i, int64_t j)
{
    const int64_t taps = size(o, ATTUNE_IN_KERNEL, 2);
    number sum = 0;
    for (int64_t t = 0; t < size(o, ATTUNE_IN_SCORE_VECTOR, 0); t++) {
        number z = hidden_bias(o, t);
        for (int64_t c = 0; c < size(o, ATTUNE_IN_KERNEL, 1); c++)
            for (int64_t tap = 0; tap < taps; tap++)
                z += at(o, ATTUNE_IN_KERNEL, t, c, tap, 0) * stacked(o, b, i, j, c, tap - taps / 2);
        sum += at(o, ATTUNE_IN_SCORE_VECTOR, t, 0, 0, 0) * tanhl(z);
    }
    return sum;
}

static number sigmoid(number x)
{
    return (1 + tanhl(x / 2)) / 2;
}

static number lstm_gate(const struct oracle *o, int64_t b, int64_t i, int64_t j, int64_t row,
                        const number *h)
{
    const int64_t channels = size(o, ATTUNE_IN_X, 2);
    number z = 0;
    for (int64_t c = 0; c < 2 * channels; c++)
        z += at(o, ATTUNE_IN_WEIGHT_IH, row, c, 0, 0) *
             at(o, ATTUNE_IN_X, b, c < channels ? i : j, c % channels, 0);
    if (has(o, ATTUNE_IN_BIAS_IH))
        z += at(o, ATTUNE_IN_BIAS_IH, row, 0, 0, 0);
    if (has(o, ATTUNE_IN_BIAS_HH))
        z += at(o, ATTUNE_IN_BIAS_HH, row, 0, 0, 0);
    for (int64_t k = 0; o->p->recurrence == ATTUNE_SCAN && k < size(o, ATTUNE_IN_W_RECURRENT, 1);
         k++)
        z += at(o, ATTUNE_IN_WEIGHT_HH, row, k, 0, 0) * h[k];
    return z;
}

/* Moves h and c, and behind them room for the next h, on by the pair (i, j), and returns its score. */
static number recurrent_score(const struct oracle *o, int64_t b, int64_t i, int64_t j, number *h)
{
    const int64_t units = size(o, ATTUNE_IN_W_RECURRENT, 1);
    number *c = h + units, *next = c + units, sum = 0;
    for (int64_t n = 0; n < units; n++) {
        const number kept = o->p->recurrence == ATTUNE_SCAN ? c[n] : 0;
        c[n] =
            sigmoid(lstm_gate(o, b, i, j, units + n, h)) * kept +
            sigmoid(lstm_gate(o, b, i, j, n, h)) * tanhl(lstm_gate(o, b, i, j, 2 * units + n, h));
        next[n] = sigmoid(lstm_gate(o, b, i, j, 3 * units + n, h)) * tanhl(c[n]);
    }
    memcpy(h, next, (size_t)units * sizeof *h);
    for (int64_t t = 0; t < size(o, ATTUNE_IN_W_RECURRENT, 0); t++) {
        number z = hidden_bias(o, t);
        for (int64_t n = 0; n < units; n++)
            z += at(o, ATTUNE_IN_W_RECURRENT, t, n, 0, 0) * h[n];
        sum += at(o, ATTUNE_IN_SCORE_VECTOR, t, 0, 0, 0) * tanhl(z);
    }
    return sum;
}

static number plain_score(const struct oracle *o, int64_t b, int64_t h, int64_t i, int64_t j)
{
    switch (o->p->mechanism) {
    case ATTUNE_MULTIPLICATIVE: return multiplicative_score(o, b, i, j);
    case ATTUNE_SELF:
        return o->p->form == ATTUNE_PAIRWISE ? pairwise_score(o, b, i, j)
                                             : dot_score(o, b, h, i, j);
    case ATTUNE_CONVOLUTIONAL:
        return o->p->form == ATTUNE_LOCATION ? additive_score(o, b, h, i, j)
                                             : convolutional_score(o, b, i, j);
    default: return additive_score(o, b, h, i, j);
    }
}

static void raw_scores(const struct oracle *o, int64_t b, int64_t h, int64_t i, number *score)
{
    if (o->p->mechanism != ATTUNE_RECURRENT) {
        for (int64_t j = 0; j < key_length(o, b); j++)
            score[j] = plain_score(o, b, h, i, j);
        return;
    }
    const size_t units = (size_t)size(o, ATTUNE_IN_W_RECURRENT, 1);
    number *state = calloc(3 * units, sizeof *state);
    for (int64_t j = 0; j < key_length(o, b); j++)
        score[j] = recurrent_score(o, b, i, j, state);
    free(state);
}

/* ---- what a score means ---- */

static int by_position(const struct oracle *o, int64_t b, int64_t i, int64_t j)
{
    const struct attune_problem *p = o->p;
    const int64_t keys = key_length(o, b), queries = query_length(o, b);
    if (i >= queries || j >= keys)
        return 0;
    const number diagonal = p->causal == ATTUNE_BOTTOM_RIGHT ? (number)i + (number)(keys - queries)
                                                             : (number)i + (number)p->past;
    if (p->causal != ATTUNE_CAUSAL_NONE && (number)j > diagonal)
        return 0;
    if (p->has_window_left && p->window_left >= 0 && (number)j < diagonal - (number)p->window_left)
        return 0;
    return !(p->has_window_right && p->window_right >= 0 &&
             (number)j > diagonal + (number)p->window_right);
}

/* An element of a tensor broadcast to [B,H,T_q,T_k]. */
static number broadcast(const struct oracle *o, enum attune_input input, int64_t b, int64_t h,
                        int64_t i, int64_t j)
{
    const int64_t whole[4] = {b, h, i, j};
    int64_t index[4] = {0};
    const int rank = o->p->in[input].rank;
    for (int axis = 0; axis < rank; axis++)
        index[axis] = size(o, input, axis) == 1 ? 0 : whole[4 - rank + axis];
    return at(o, input, index[0], index[1], index[2], index[3]);
}

static number capped(const struct oracle *o, number s)
{
    return o->p->softcap > 0 ? (number)o->p->softcap * tanhl(s / (number)o->p->softcap) : s;
}

static number default_scale(const struct oracle *o)
{
    if (o->p->has_score_scale)
        return (number)o->p->score_scale;
    if (o->p->mechanism != ATTUNE_SELF || o->p->form == ATTUNE_PAIRWISE)
        return 1;
    const int64_t d = has(o, ATTUNE_IN_X) ? size(o, ATTUNE_IN_IN_WEIGHT, 0) / 3 / o->heads
                                          : size(o, ATTUNE_IN_Q, 3);
    return 1 / sqrtl((number)d);
}

static number value_at(const struct oracle *o, int64_t b, int64_t h, int64_t j, int64_t c)
{
    if (has(o, ATTUNE_IN_V)) {
        const int64_t group = h * o->groups / o->heads;
        const number v = at(o, ATTUNE_IN_V, b, group, j, c);
        return has(o, ATTUNE_IN_VALUE_SCALE) ? v * at(o, ATTUNE_IN_VALUE_SCALE, b, group, j, 0) : v;
    }
    if (has(o, ATTUNE_IN_IN_WEIGHT))
        return in_projection(o, b, j, size(o, ATTUNE_IN_IN_WEIGHT, 0) / 3 * 2 + h * o->width + c);
    if (!has(o, ATTUNE_IN_VALUE))
        return at(o, has(o, ATTUNE_IN_X) ? ATTUNE_IN_X : ATTUNE_IN_KEY, b, j, c, 0);
    return o->p->in[ATTUNE_IN_VALUE].rank == 4 ? at(o, ATTUNE_IN_VALUE, b, h, j, c)
                                               : at(o, ATTUNE_IN_VALUE, b, j, c, 0);
}

/* One query of one head: fills its rows of alignments, scores and lse, and the head's sum of
 * values. */
static void one_query(const struct oracle *o, int64_t b, int64_t h, int64_t i, number *score,
                      number *sum)
{
    const int64_t row = (b * o->heads + h) * o->queries + i;
    double *alignments = o->value[ATTUNE_OUT_ALIGNMENTS], *lse = o->value[ATTUNE_OUT_LSE];
    double *scores = o->value[ATTUNE_OUT_SCORES];
    number largest = -INFINITY, total = 0;
    int broken = 0, any = 0;
    raw_scores(o, b, h, i, score);
    for (int64_t j = 0; j < o->keys; j++) {
        const int known = j < key_length(o, b);
        const number raw = known ? score[j] * default_scale(o) : -INFINITY;
        number s = known ? capped(o, raw) : -INFINITY, shown = o->p->stage == ATTUNE_RAW ? raw : s;
        int may = by_position(o, b, i, j);
        if (may && has(o, ATTUNE_IN_MASK))
            may = broadcast(o, ATTUNE_IN_MASK, b, h, i, j) != 0;
        const number bias =
            may && has(o, ATTUNE_IN_BIAS) ? broadcast(o, ATTUNE_IN_BIAS, b, h, i, j) : 0;
        may = may && !(bias == -INFINITY);
        s = may ? s + bias : -INFINITY;
        if (scores)
            scores[row * o->keys + j] = (double)(o->p->stage == ATTUNE_MASKED ? s : shown);
        any |= may;
        o->attended[j] = (unsigned char)may;
        broken |= may && isnan(s);
        score[j] = s;
        if (s > largest)
            largest = s;
    }
    if (any && has(o, ATTUNE_IN_SINK)) {
        const number sink = at(o, ATTUNE_IN_SINK, h, 0, 0, 0);
        if (sink > largest)
            largest = sink;
        total = expl(sink - largest);
    }
    for (int64_t j = 0; any && j < o->keys; j++)
        total += o->attended[j] ? expl(score[j] - largest) : 0;
    const number log_total = any ? (broken ? (number)NAN : largest + logl(total)) : -INFINITY;
    if (lse)
        lse[row] = (double)log_total;
    for (int64_t c = 0; c < o->width; c++)
        sum[c] = 0;
    for (int64_t j = 0; j < o->keys; j++) {
        const int may = o->attended[j];
        const number weight = may ? expl(score[j] - log_total) : 0;
        if (alignments)
            alignments[row * o->keys + j] = (double)weight;
        for (int64_t c = 0; may && c < o->width; c++)
            sum[c] += weight * value_at(o, b, h, j, c);
    }
    for (int64_t c = 0; c < o->width; c++)
        sum[c] *= o->p->has_output_scale ? (number)o->p->output_scale : 1;
}

static void measure(struct oracle *o)
{
    const struct attune_problem *p = o->p;
    o->heads = o->groups = 1;
    if (has(o, ATTUNE_IN_Q)) {
        o->batch = size(o, ATTUNE_IN_Q, 0);
        o->heads = size(o, ATTUNE_IN_Q, 1);
        o->queries = size(o, ATTUNE_IN_Q, 2);
        o->groups = size(o, ATTUNE_IN_K, 1);
        o->keys = size(o, ATTUNE_IN_K, 2);
        o->width = size(o, ATTUNE_IN_V, 3);
        o->columns = o->heads * o->width;
        return;
    }
    const int over_x = has(o, ATTUNE_IN_X);
    o->batch = size(o, over_x ? ATTUNE_IN_X : ATTUNE_IN_QUERY, 0);
    o->queries = size(o, over_x ? ATTUNE_IN_X : ATTUNE_IN_QUERY, 1);
    o->keys = size(o, over_x ? ATTUNE_IN_X : ATTUNE_IN_KEY, 1);
    o->width = size(o, over_x ? ATTUNE_IN_X : ATTUNE_IN_KEY, 2);
    if (has(o, ATTUNE_IN_VALUE))
        o->width = size(o, ATTUNE_IN_VALUE, p->in[ATTUNE_IN_VALUE].rank - 1);
    if (p->mechanism == ATTUNE_ADDITIVE && p->in[ATTUNE_IN_SCORE_VECTOR].rank == 2)
        o->heads = size(o, ATTUNE_IN_SCORE_VECTOR, 0);
    if (has(o, ATTUNE_IN_IN_WEIGHT)) {
        o->heads = o->groups = p->heads;
        o->width = size(o, ATTUNE_IN_IN_WEIGHT, 0) / 3 / o->heads;
    }
    o->columns = o->heads * o->width;
}

/* `out` of one position from the heads' sums: side by side, by head, or through out_weight. */
static void emit(const struct oracle *o, int64_t b, int64_t i, const number *sums)
{
    double *out = o->value[ATTUNE_OUT_OUT];
    const int inside = i < query_length(o, b);
    if (!out)
        return;
    if (!has(o, ATTUNE_IN_IN_WEIGHT)) {
        for (int64_t h = 0; h < o->heads; h++)
            for (int64_t c = 0; c < o->width; c++)
                out[((b * o->heads + h) * o->queries + i) * o->width + c] =
                    (double)sums[h * o->width + c];
        return;
    }
    const int projects = has(o, ATTUNE_IN_OUT_WEIGHT);
    const int64_t wide = projects ? size(o, ATTUNE_IN_OUT_WEIGHT, 0) : o->columns;
    for (int64_t r = 0; r < wide; r++) {
        number y = projects ? 0 : sums[r];
        for (int64_t c = 0; projects && c < o->columns; c++)
            y += at(o, ATTUNE_IN_OUT_WEIGHT, r, c, 0, 0) * sums[c];
        if (has(o, ATTUNE_IN_OUT_BIAS))
            y += at(o, ATTUNE_IN_OUT_BIAS, r, 0, 0, 0);
        out[(b * o->queries + i) * wide + r] = inside ? (double)y : 0;
    }
}

void oracle_run(const struct attune_problem *problem, const struct attune_args *args,
                double *value[ATTUNE_OUTPUT_COUNT])
{
    struct oracle o = {.p = problem, .args = args, .value = value};
    measure(&o);
    number *score = calloc((size_t)o.keys + 1, sizeof *score);
    number *sums = calloc((size_t)o.columns + 1, sizeof *sums);
    o.attended = calloc((size_t)o.keys + 1, 1);
    for (int64_t b = 0; b < o.batch; b++)
        for (int64_t i = 0; i < o.queries; i++) {
            for (int64_t h = 0; h < o.heads; h++)
                one_query(&o, b, h, i, score, sums + h * o.width);
            emit(&o, b, i, sums);
        }
    free(score);
    free(sums);
    free(o.attended);
}
