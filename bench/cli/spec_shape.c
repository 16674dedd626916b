/* SPDX-License-Identifier: Apache-2.0
 *
 * From the keys of a SPEC to a problem: the defaults, then every tensor of the mechanism, optional
 * ones that real models have (biases) included. Knows nothing of the notation.
 */
#include "bench/cli/spec_keys.h"

struct builder {
    struct attune_problem *problem;
    int64_t b, h, g, tq, tk, d, e, a, c, n, f, s, width; /* defaults filled in */
    int32_t dtype, kv;
    int with_d, with_c, with_s;
    int overflow;
};

static int given(const struct attune_spec_keys *spec, int key)
{
    return (int)(spec->given >> key & 1u);
}

static int64_t value_or(const struct attune_spec_keys *spec, int key, int64_t otherwise)
{
    return given(spec, key) ? spec->value[key] : otherwise;
}

static int64_t times(struct builder *builder, int64_t left, int64_t right)
{
    int64_t product;

    if (!__builtin_mul_overflow(left, right, &product))
        return product;
    builder->overflow = 1;
    return 0;
}

#define TENSOR(builder, name, type, ...)                                                           \
    attune_problem_input((builder)->problem, ATTUNE_IN_##name, (enum attune_dtype)(type),          \
                         (int32_t)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)),            \
                         (int64_t[]){__VA_ARGS__})

/* query, key, value as [B, T, .], and with heads the value per head. */
static void shape_sequences(struct builder *m, int64_t query, int64_t key)
{
    TENSOR(m, QUERY, m->dtype, m->b, m->tq, query);
    TENSOR(m, KEY, m->kv, m->b, m->tk, key);
    if (m->h > 1)
        TENSOR(m, VALUE, m->kv, m->b, m->h, m->tk, m->e);
    else
        TENSOR(m, VALUE, m->kv, m->b, m->tk, m->e);
}

static void shape_additive(struct builder *m)
{
    int64_t space = times(m, m->h, m->a);

    shape_sequences(m, m->with_d ? m->d : space, m->with_d ? m->d : space);
    if (m->with_d) {
        TENSOR(m, W_QUERY, m->dtype, space, m->d);
        TENSOR(m, W_KEY, m->dtype, space, m->d);
        TENSOR(m, BIAS_HIDDEN, m->dtype, space);
    }
    if (m->h > 1)
        TENSOR(m, SCORE_VECTOR, m->dtype, m->h, m->a);
    else
        TENSOR(m, SCORE_VECTOR, m->dtype, m->a);
}

static void shape_multiplicative(struct builder *m)
{
    shape_sequences(m, m->d, m->d);
    if (m->problem->form == ATTUNE_GENERAL)
        TENSOR(m, WEIGHT, m->dtype, m->d, m->d);
    if (m->problem->form == ATTUNE_CONCAT) {
        TENSOR(m, WEIGHT, m->dtype, m->a, times(m, 2, m->d));
        TENSOR(m, SCORE_VECTOR, m->dtype, m->a);
    }
}

static void shape_self_dot(struct builder *m)
{
    if (m->with_c) {
        int64_t hidden = times(m, m->h, m->d);
        TENSOR(m, X, m->dtype, m->b, m->tq, m->c);
        TENSOR(m, IN_WEIGHT, m->dtype, times(m, 3, hidden), m->c);
        TENSOR(m, IN_BIAS, m->dtype, times(m, 3, hidden));
        TENSOR(m, OUT_WEIGHT, m->dtype, m->c, hidden);
        TENSOR(m, OUT_BIAS, m->dtype, m->c);
        m->problem->heads = m->h;
        return;
    }
    TENSOR(m, Q, m->dtype, m->b, m->h, m->tq, m->d);
    TENSOR(m, K, m->kv, m->b, m->g, m->tk, m->d);
    TENSOR(m, V, m->kv, m->b, m->g, m->tk, m->e);
    if (m->kv == ATTUNE_I8) {
        TENSOR(m, KEY_SCALE, ATTUNE_F32, m->b, m->g, m->tk);
        TENSOR(m, VALUE_SCALE, ATTUNE_F32, m->b, m->g, m->tk);
    }
}

/* Over one x, with values of their own: what pairwise, convolutional and recurrent share. */
static void shape_over_x(struct builder *m)
{
    TENSOR(m, X, m->dtype, m->b, m->tq, m->c);
    TENSOR(m, VALUE, m->dtype, m->b, m->tk, m->e);
    TENSOR(m, SCORE_VECTOR, m->dtype, m->a);
}

static void shape_self_pairwise(struct builder *m)
{
    shape_over_x(m);
    TENSOR(m, WEIGHT, m->dtype, m->a, times(m, 2, m->c));
    if (m->with_s) {
        TENSOR(m, STATE, m->dtype, m->b, m->tq, m->s);
        TENSOR(m, W_STATE, m->dtype, m->a, m->s);
    }
}

static void shape_convolutional(struct builder *m)
{
    if (m->problem->form == ATTUNE_PAIRWISE) {
        shape_over_x(m);
        TENSOR(m, KERNEL, m->dtype, m->a, times(m, 2, m->c), m->width);
        TENSOR(m, BIAS_HIDDEN, m->dtype, m->a);
        return;
    }
    shape_additive(m);
    TENSOR(m, LOCATION_KERNEL, m->dtype, m->f, 1, m->width);
    TENSOR(m, W_LOCATION, m->dtype, m->a, m->f);
    TENSOR(m, PREVIOUS_ALIGNMENTS, m->dtype, m->b, m->tk);
}

static void shape_recurrent(struct builder *m)
{
    int64_t gates = times(m, 4, m->n);

    shape_over_x(m);
    TENSOR(m, WEIGHT_IH, m->dtype, gates, times(m, 2, m->c));
    TENSOR(m, WEIGHT_HH, m->dtype, gates, m->n);
    TENSOR(m, BIAS_IH, m->dtype, gates);
    TENSOR(m, BIAS_HH, m->dtype, gates);
    TENSOR(m, W_RECURRENT, m->dtype, m->a, m->n);
}

static void shape_tensors(struct builder *m)
{
    switch (m->problem->mechanism) {
    case ATTUNE_ADDITIVE:
        shape_additive(m);
        break;
    case ATTUNE_MULTIPLICATIVE:
        shape_multiplicative(m);
        break;
    case ATTUNE_SELF:
        if (m->problem->form == ATTUNE_PAIRWISE)
            shape_self_pairwise(m);
        else
            shape_self_dot(m);
        break;
    case ATTUNE_CONVOLUTIONAL:
        shape_convolutional(m);
        break;
    default:
        shape_recurrent(m);
        break;
    }
}

/* The first given of d, a, n, c: the default of e and of a. 0 where none is. */
static int64_t first_width(const struct attune_spec_keys *spec)
{
    static const int order[] = {SPEC_D, SPEC_A, SPEC_N, SPEC_C};

    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        if (given(spec, order[i]))
            return spec->value[order[i]];
    }
    return 0;
}

#define WRONG(...) attune_trouble_set(trouble, ATTUNE_EXIT_USE, __VA_ARGS__)

static int fill_lengths(const struct attune_spec_keys *spec, struct builder *m, int over_x,
                        struct attune_trouble *trouble)
{
    if (given(spec, SPEC_T) && (given(spec, SPEC_TQ) || given(spec, SPEC_TK)))
        return WRONG("t: not together with tq or tk");
    if (!given(spec, SPEC_T) && !(given(spec, SPEC_TQ) && given(spec, SPEC_TK)))
        return WRONG("t: must be given, or both of tq and tk");
    m->tq = value_or(spec, SPEC_TQ, spec->value[SPEC_T]);
    m->tk = value_or(spec, SPEC_TK, spec->value[SPEC_T]);
    if (over_x && m->tq != m->tk)
        return WRONG("tk: must equal tq, queries and keys are one x");
    return 0;
}

static int fill_widths(const struct attune_spec_keys *spec, struct builder *m,
                       struct attune_trouble *trouble)
{
    int64_t width = first_width(spec);

    m->c = spec->value[SPEC_C];
    m->d = spec->value[SPEC_D];
    m->n = spec->value[SPEC_N];
    m->f = spec->value[SPEC_F];
    m->s = spec->value[SPEC_S];
    m->width = value_or(spec, SPEC_WIDTH, 3);
    m->with_d = given(spec, SPEC_D);
    m->with_c = given(spec, SPEC_C);
    m->with_s = given(spec, SPEC_S);
    if (spec->mechanism == ATTUNE_SELF && spec->form == ATTUNE_DOT && m->with_c) {
        if (given(spec, SPEC_G) && m->g != m->h)
            return WRONG("g: must equal h when heads come from x (c)");
        if (given(spec, SPEC_KV))
            return WRONG("kv: not when keys and values come from x (c)");
        if (!m->with_d && m->c % m->h != 0)
            return WRONG("d: must be given, c is not a multiple of h");
        if (!m->with_d)
            width = m->d = m->c / m->h;
        if (value_or(spec, SPEC_E, m->d) != m->d)
            return WRONG("e: must equal d when values come from x (c)");
    } else if (width == 0) {
        return WRONG("%s: must be given", spec->mechanism == ATTUNE_SELF ? "d" : "a");
    }
    m->a = value_or(spec, SPEC_A, width);
    m->e = value_or(spec, SPEC_E, width);
    if (m->kv == ATTUNE_I8 && !(spec->mechanism == ATTUNE_SELF && spec->form == ATTUNE_DOT))
        return WRONG("kv: i8 only with self:dot");
    return 0;
}

static void fill_fields(const struct attune_spec_keys *spec, struct attune_problem *problem)
{
    attune_problem_init(problem, spec->mechanism);
    problem->form = (int32_t)spec->form;
    problem->causal = (int32_t)spec->value[SPEC_CAUSAL];
    problem->recurrence = (int32_t)spec->value[SPEC_RECURRENCE];
    problem->past = spec->value[SPEC_PAST];
    problem->has_window_left = given(spec, SPEC_WINDOW_LEFT);
    problem->window_left = value_or(spec, SPEC_WINDOW_LEFT, -1);
    problem->has_window_right = given(spec, SPEC_WINDOW_RIGHT);
    problem->window_right = value_or(spec, SPEC_WINDOW_RIGHT, -1);
    problem->softcap = spec->softcap;
    if (spec->value[SPEC_PREPARED])
        problem->flags |= ATTUNE_PREPARED_KEYS;
    attune_problem_output(problem, ATTUNE_OUT_OUT);
}

/* Fails when the bytes of a tensor cannot be counted. */
static int check_elements(struct builder *m, struct attune_trouble *trouble)
{
    if (m->overflow)
        return WRONG("extents: a product of two of them is over 2^63");
    for (int i = 0; i < ATTUNE_INPUT_COUNT; i++) {
        const struct attune_tensor *tensor = &m->problem->in[i];
        int64_t count = 8; /* bytes of the largest element */
        for (int32_t axis = 0; tensor->dtype != ATTUNE_ABSENT && axis < tensor->rank; axis++)
            count = times(m, count, tensor->size[axis] > 0 ? tensor->size[axis] : 1);
        if (m->overflow)
            return WRONG("%s: has over 2^63 bytes", attune_input_name(i));
    }
    return 0;
}

int attune_spec_shape(const struct attune_spec_keys *spec, struct attune_problem *problem,
                      struct attune_trouble *trouble)
{
    struct builder m = {.problem = problem};
    int over_x;
    int code;

    m.b = value_or(spec, SPEC_B, 1);
    m.h = value_or(spec, SPEC_H, 1);
    m.g = value_or(spec, SPEC_G, m.h);
    m.dtype = (int32_t)value_or(spec, SPEC_DTYPE, ATTUNE_F32);
    m.kv = (int32_t)value_or(spec, SPEC_KV, m.dtype);
    over_x = given(spec, SPEC_C); /* every form that knows c has one x */
    code = fill_lengths(spec, &m, over_x, trouble);
    if (code == 0)
        code = fill_widths(spec, &m, trouble);
    if (code != 0)
        return code;
    fill_fields(spec, problem);
    shape_tensors(&m);
    return check_elements(&m, trouble);
}
