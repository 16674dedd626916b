/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/generate.h"

#include <math.h>
#include <string.h>

const struct generate_kind generate_kinds[] = {
    {"additive", ATTUNE_ADDITIVE, ATTUNE_FORM_DEFAULT, 0, 0},
    {"dot", ATTUNE_MULTIPLICATIVE, ATTUNE_DOT, 0, 0},
    {"general", ATTUNE_MULTIPLICATIVE, ATTUNE_GENERAL, 0, 0},
    {"concat", ATTUNE_MULTIPLICATIVE, ATTUNE_CONCAT, 0, 0},
    {"self_qkv", ATTUNE_SELF, ATTUNE_DOT, 0, 0},
    {"self_x", ATTUNE_SELF, ATTUNE_DOT, 1, 0},
    {"pairwise", ATTUNE_SELF, ATTUNE_PAIRWISE, 0, 0},
    {"convolutional", ATTUNE_CONVOLUTIONAL, ATTUNE_PAIRWISE, 0, 0},
    {"location", ATTUNE_CONVOLUTIONAL, ATTUNE_LOCATION, 0, 0},
    {"recurrent_scan", ATTUNE_RECURRENT, ATTUNE_FORM_DEFAULT, 0, 0},
    {"recurrent_step", ATTUNE_RECURRENT, ATTUNE_FORM_DEFAULT, 0, 1},
};
const int generate_kind_count = sizeof generate_kinds / sizeof generate_kinds[0];

const struct generate_options generate_anything = {.t_q = -1, .t_k = -1, .batch = -1};

struct generator {
    struct box *box;
    struct test_random *random;
    const struct generate_options *options;
    int64_t b, h, t_q, t_k;
};

static enum attune_dtype float_type(struct generator *g)
{
    if (g->options->only_f32 || random_chance(g->random, 75))
        return ATTUNE_F32;
    return random_chance(g->random, 50) ? ATTUNE_F16 : ATTUNE_BF16;
}

static void add(struct generator *g, enum attune_input input, double scale, int32_t rank, int64_t a,
                int64_t b, int64_t c, int64_t d)
{
    const int64_t size[ATTUNE_MAX_RANK] = {a, b, c, d};
    box_input(g->box, input, float_type(g), scale, rank, size);
}

static int64_t extent(struct generator *g, int64_t most)
{
    return random_between(g->random, 1, most);
}

static double fan(int64_t inputs)
{
    return 1 / sqrt((double)inputs);
}

static void maybe_value(struct generator *g)
{
    if (random_chance(g->random, 60))
        add(g, ATTUNE_IN_VALUE, 1, 3, g->b, g->t_k, extent(g, 40), 0);
}

static void maybe_hidden_bias(struct generator *g, int64_t size)
{
    if (random_chance(g->random, 50))
        add(g, ATTUNE_IN_BIAS_HIDDEN, 0.5, 1, size, 0, 0, 0);
}

static void add_query_and_key(struct generator *g, int64_t wide)
{
    const int w_query = random_chance(g->random, 60), w_key = random_chance(g->random, 60);
    const int64_t d_q = w_query ? extent(g, 30) : wide, d_k = w_key ? extent(g, 30) : wide;
    add(g, ATTUNE_IN_QUERY, 1, 3, g->b, g->t_q, d_q, 0);
    add(g, ATTUNE_IN_KEY, 1, 3, g->b, g->t_k, d_k, 0);
    if (w_query)
        add(g, ATTUNE_IN_W_QUERY, fan(d_q), 2, wide, d_q, 0, 0);
    if (w_key)
        add(g, ATTUNE_IN_W_KEY, fan(d_k), 2, wide, d_k, 0, 0);
    maybe_hidden_bias(g, wide);
}

static void make_additive(struct generator *g)
{
    const int several = random_chance(g->random, 40);
    const int64_t a = extent(g, 40);
    g->h = several ? extent(g, 3) : 1;
    add_query_and_key(g, g->h * a);
    add(g, ATTUNE_IN_SCORE_VECTOR, 2 * fan(a), several ? 2 : 1, several ? g->h : a, a, 0, 0);
    if (several && random_chance(g->random, 50))
        add(g, ATTUNE_IN_VALUE, 1, 4, g->b, g->h, g->t_k, extent(g, 40));
    else
        maybe_value(g);
}

static void make_multiplicative(struct generator *g, enum attune_form form)
{
    const int64_t d_q = extent(g, 40), d_k = form == ATTUNE_DOT ? d_q : extent(g, 40);
    const int64_t a = extent(g, 40);
    add(g, ATTUNE_IN_QUERY, 1, 3, g->b, g->t_q, d_q, 0);
    add(g, ATTUNE_IN_KEY, form == ATTUNE_DOT ? 2 * fan(d_q) : 1, 3, g->b, g->t_k, d_k, 0);
    if (form == ATTUNE_GENERAL)
        add(g, ATTUNE_IN_WEIGHT, fan(d_q * d_k) * 2, 2, d_q, d_k, 0, 0);
    if (form == ATTUNE_CONCAT) {
        add(g, ATTUNE_IN_WEIGHT, fan(d_q + d_k), 2, a, d_q + d_k, 0, 0);
        add(g, ATTUNE_IN_SCORE_VECTOR, 2 * fan(a), 1, a, 0, 0, 0);
        maybe_hidden_bias(g, a);
    }
    maybe_value(g);
}

static void make_int8(struct generator *g, enum attune_input data, enum attune_input scale,
                      int64_t groups, int64_t columns)
{
    const int64_t size[ATTUNE_MAX_RANK] = {g->b, groups, g->t_k, columns};
    box_input(g->box, data, ATTUNE_I8, 0, 4, size);
    add(g, scale, 0.02, 3, g->b, groups, g->t_k, 0);
}

static void make_self_qkv(struct generator *g)
{
    const int64_t groups = extent(g, 3), d = extent(g, 70), e = extent(g, 70);
    g->h = groups * extent(g, 3);
    add(g, ATTUNE_IN_Q, 1, 4, g->b, g->h, g->t_q, d);
    if (!g->options->only_f32 && random_chance(g->random, 20))
        make_int8(g, ATTUNE_IN_K, ATTUNE_IN_KEY_SCALE, groups, d);
    else
        add(g, ATTUNE_IN_K, 1, 4, g->b, groups, g->t_k, d);
    if (!g->options->only_f32 && random_chance(g->random, 20))
        make_int8(g, ATTUNE_IN_V, ATTUNE_IN_VALUE_SCALE, groups, e);
    else
        add(g, ATTUNE_IN_V, 1, 4, g->b, groups, g->t_k, e);
}

static void make_self_x(struct generator *g)
{
    const int64_t d = extent(g, 12), c = extent(g, 16);
    g->h = g->box->problem.heads = extent(g, 4);
    add(g, ATTUNE_IN_X, 1, 3, g->b, g->t_q, c, 0);
    add(g, ATTUNE_IN_IN_WEIGHT, fan(c), 2, 3 * g->h * d, c, 0, 0);
    if (random_chance(g->random, 50))
        add(g, ATTUNE_IN_IN_BIAS, 0.5, 1, 3 * g->h * d, 0, 0, 0);
    if (random_chance(g->random, 60)) {
        const int64_t o = extent(g, 20);
        add(g, ATTUNE_IN_OUT_WEIGHT, fan(g->h * d), 2, o, g->h * d, 0, 0);
        if (random_chance(g->random, 60))
            add(g, ATTUNE_IN_OUT_BIAS, 0.5, 1, o, 0, 0, 0);
    }
}

static void make_pairwise(struct generator *g)
{
    const int64_t c = extent(g, 20), a = extent(g, 30), s = extent(g, 10);
    add(g, ATTUNE_IN_X, 1, 3, g->b, g->t_q, c, 0);
    add(g, ATTUNE_IN_WEIGHT, fan(c), 2, a, 2 * c, 0, 0);
    add(g, ATTUNE_IN_SCORE_VECTOR, 2 * fan(a), 1, a, 0, 0, 0);
    maybe_hidden_bias(g, a);
    if (random_chance(g->random, 60)) {
        const int per_query = random_chance(g->random, 50);
        add(g, ATTUNE_IN_STATE, 1, per_query ? 3 : 2, g->b, per_query ? g->t_q : s, s, 0);
        add(g, ATTUNE_IN_W_STATE, fan(s), 2, a, s, 0, 0);
    }
    maybe_value(g);
}

static void make_convolutional(struct generator *g)
{
    const int64_t c = extent(g, 10), a = extent(g, 24), width = 2 * extent(g, 4) - 1;
    add(g, ATTUNE_IN_X, 1, 3, g->b, g->t_q, c, 0);
    add(g, ATTUNE_IN_KERNEL, fan(c * width), 3, a, 2 * c, width, 0);
    add(g, ATTUNE_IN_SCORE_VECTOR, 2 * fan(a), 1, a, 0, 0, 0);
    maybe_hidden_bias(g, a);
    maybe_value(g);
}

static void make_location(struct generator *g)
{
    const int64_t a = extent(g, 24), f = extent(g, 5), width = 2 * extent(g, 4) - 1;
    add_query_and_key(g, a);
    add(g, ATTUNE_IN_SCORE_VECTOR, 2 * fan(a), 1, a, 0, 0, 0);
    add(g, ATTUNE_IN_LOCATION_KERNEL, 1, 3, f, 1, width, 0);
    add(g, ATTUNE_IN_W_LOCATION, fan(f), 2, a, f, 0, 0);
    add(g, ATTUNE_IN_PREVIOUS_ALIGNMENTS, 0.3, 2, g->b, g->t_k, 0, 0);
    maybe_value(g);
}

static void make_recurrent(struct generator *g, int step)
{
    const int64_t c = extent(g, 8), n = extent(g, 9), a = extent(g, 12);
    g->box->problem.recurrence = step ? ATTUNE_STEP : ATTUNE_SCAN;
    add(g, ATTUNE_IN_X, 1, 3, g->b, g->t_q, c, 0);
    add(g, ATTUNE_IN_WEIGHT_IH, fan(c), 2, 4 * n, 2 * c, 0, 0);
    if (!step || random_chance(g->random, 50))
        add(g, ATTUNE_IN_WEIGHT_HH, fan(n), 2, 4 * n, n, 0, 0);
    if (random_chance(g->random, 60))
        add(g, ATTUNE_IN_BIAS_IH, 0.5, 1, 4 * n, 0, 0, 0);
    if (random_chance(g->random, 60))
        add(g, ATTUNE_IN_BIAS_HH, 0.5, 1, 4 * n, 0, 0, 0);
    add(g, ATTUNE_IN_W_RECURRENT, 3 * fan(n), 2, a, n, 0, 0);
    add(g, ATTUNE_IN_SCORE_VECTOR, 2 * fan(a), 1, a, 0, 0, 0);
    maybe_hidden_bias(g, a);
    maybe_value(g);
}

static void add_broadcast(struct generator *g, enum attune_input input, enum attune_dtype dtype)
{
    const int64_t whole[ATTUNE_MAX_RANK] = {g->b, g->h, g->t_q, g->t_k};
    const int32_t rank = (int32_t)random_between(g->random, 0, ATTUNE_MAX_RANK);
    int64_t size[ATTUNE_MAX_RANK] = {0};
    for (int32_t axis = 0; axis < rank; axis++)
        size[axis] = random_chance(g->random, 25) ? 1 : whole[ATTUNE_MAX_RANK - rank + axis];
    box_input(g->box, input, dtype, 1, rank, size);
}

/* Some -inf, which is a mask; now and then a whole row of them. */
static void add_bias(struct generator *g)
{
    int64_t index[ATTUNE_MAX_RANK] = {0};
    add_broadcast(g, ATTUNE_IN_BIAS, float_type(g));
    const struct attune_tensor *tensor = &g->box->problem.in[ATTUNE_IN_BIAS];
    if (!random_chance(g->random, 50) || g->box->input[ATTUNE_IN_BIAS].size == 0)
        return;
    do
        if (random_chance(g->random, 20))
            box_set(g->box, ATTUNE_IN_BIAS, index, -INFINITY);
    while (box_next(tensor, index));
}

static void add_positions(struct generator *g)
{
    struct attune_problem *p = &g->box->problem;
    struct test_random *random = g->random;
    p->causal =
        random_chance(random, 50) ? ATTUNE_CAUSAL_NONE : (int32_t)random_between(random, 1, 2);
    if (p->causal != ATTUNE_BOTTOM_RIGHT && random_chance(random, 30))
        p->past = random_between(random, 0, 2 * g->t_k + 1);
    if (random_chance(random, 25)) {
        p->has_window_left = 1;
        p->window_left = random_between(random, -1, g->t_k / 2);
    }
    if (random_chance(random, 25)) {
        p->has_window_right = 1;
        p->window_right = random_between(random, -1, g->t_k / 2);
    }
}

static void add_lengths(struct generator *g)
{
    const enum attune_dtype type = random_chance(g->random, 50) ? ATTUNE_I32 : ATTUNE_I64;
    if (random_chance(g->random, 40))
        box_input(g->box, ATTUNE_IN_KEY_LENGTHS, type, (double)g->t_k, 1, &g->b);
    if (random_chance(g->random, 30))
        box_input(g->box, ATTUNE_IN_QUERY_LENGTHS, type, (double)g->t_q, 1, &g->b);
}

static void add_common(struct generator *g)
{
    struct attune_problem *p = &g->box->problem;
    struct test_random *random = g->random;
    add_positions(g);
    add_lengths(g);
    if (random_chance(random, 30))
        add_broadcast(g, ATTUNE_IN_MASK, ATTUNE_BOOL);
    if (random_chance(random, 30))
        add_bias(g);
    if (random_chance(random, 20))
        add(g, ATTUNE_IN_SINK, 1, 1, g->h, 0, 0, 0);
    if (random_chance(random, 25))
        p->softcap = 0.5 + 2 * fabs(random_normal(random));
    if (random_chance(random, 40)) {
        p->has_score_scale = 1;
        p->score_scale = random_normal(random);
    }
    if (random_chance(random, 30)) {
        p->has_output_scale = 1;
        p->output_scale = 2 * random_normal(random);
    }
    const int preparable =
        p->mechanism == ATTUNE_ADDITIVE || p->form == ATTUNE_CONCAT || p->form == ATTUNE_LOCATION;
    if (preparable && random_chance(random, 40))
        p->flags |= ATTUNE_PREPARED_KEYS;
}

static void add_outputs(struct generator *g)
{
    g->box->problem.stage = (int32_t)random_between(g->random, 0, 2);
    for (int o = 0; o < ATTUNE_OUTPUT_COUNT; o++)
        if (o == ATTUNE_OUT_OUT || g->options->all_outputs || random_chance(g->random, 50))
            box_output(g->box, (enum attune_output)o);
}

static void make(struct generator *g, const struct generate_kind *kind)
{
    switch (kind->mechanism) {
    case ATTUNE_ADDITIVE: make_additive(g); break;
    case ATTUNE_MULTIPLICATIVE: make_multiplicative(g, kind->form); break;
    case ATTUNE_SELF:
        if (kind->form == ATTUNE_PAIRWISE)
            make_pairwise(g);
        else if (kind->from_x)
            make_self_x(g);
        else
            make_self_qkv(g);
        break;
    case ATTUNE_CONVOLUTIONAL:
        if (kind->form == ATTUNE_LOCATION)
            make_location(g);
        else
            make_convolutional(g);
        break;
    default: make_recurrent(g, kind->step); break;
    }
}

void generate(struct box *box, const struct generate_kind *kind,
              const struct generate_options *options, uint64_t seed)
{
    box_create(box, kind->mechanism, seed);
    struct generator g = {.box = box, .random = &box->random, .options = options, .h = 1};
    const int over_x =
        kind->from_x || kind->mechanism == ATTUNE_RECURRENT || kind->form == ATTUNE_PAIRWISE;
    box->problem.form = (int32_t)kind->form;
    box->any_layout = !options->packed && random_chance(g.random, 40);
    g.b = options->batch >= 0 ? options->batch : random_between(g.random, 1, 3);
    g.t_q = options->t_q >= 0 ? options->t_q : random_between(g.random, 1, 21);
    g.t_k = options->t_k >= 0 ? options->t_k : random_between(g.random, 1, 21);
    if (over_x)
        g.t_k = g.t_q;
    make(&g, kind);
    if (!options->plain)
        add_common(&g);
    add_outputs(&g);
}

static int64_t length_of(const struct box *box, enum attune_input lengths, int64_t b, int64_t whole)
{
    return box_has(box, lengths) ? (int64_t)box_get(box, lengths, &b) : whole;
}

/* NaN from position `first` on along `axis`, for sequence b. */
static void poison_tensor(struct box *box, enum attune_input input, int axis,
                          enum attune_input lengths, enum attune_input others)
{
    const struct attune_tensor *tensor = &box->problem.in[input];
    int64_t index[ATTUNE_MAX_RANK] = {0};
    if (!box_has(box, input) || box_is_shared(box, input) || tensor->dtype == ATTUNE_I8 ||
        box->input[input].size == 0)
        return;
    do {
        const int64_t whole = tensor->size[axis];
        const int64_t one = length_of(box, lengths, index[0], whole);
        const int64_t other = length_of(box, others, index[0], whole);
        if (index[axis] >= one && index[axis] >= other)
            box_set(box, input, index, (double)NAN);
    } while (box_next(tensor, index));
}

void generate_poison(struct box *box)
{
    static const struct {
        enum attune_input input;
        int axis;
    } keys[] = {{ATTUNE_IN_KEY, 1},         {ATTUNE_IN_K, 2},
                {ATTUNE_IN_V, 2},           {ATTUNE_IN_KEY_SCALE, 2},
                {ATTUNE_IN_VALUE_SCALE, 2}, {ATTUNE_IN_PREVIOUS_ALIGNMENTS, 1}};
    const struct attune_problem *p = &box->problem;
    const int shows_all_rows =
        p->out[ATTUNE_OUT_SCORES].dtype != ATTUNE_ABSENT && p->stage != ATTUNE_MASKED;
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        poison_tensor(box, keys[i].input, keys[i].axis, ATTUNE_IN_KEY_LENGTHS,
                      ATTUNE_IN_KEY_LENGTHS);
    poison_tensor(box, ATTUNE_IN_VALUE, p->in[ATTUNE_IN_VALUE].rank == 4 ? 2 : 1,
                  ATTUNE_IN_KEY_LENGTHS, ATTUNE_IN_KEY_LENGTHS);
    if (shows_all_rows)
        return;
    poison_tensor(box, ATTUNE_IN_QUERY, 1, ATTUNE_IN_QUERY_LENGTHS, ATTUNE_IN_QUERY_LENGTHS);
    poison_tensor(box, ATTUNE_IN_Q, 2, ATTUNE_IN_QUERY_LENGTHS, ATTUNE_IN_QUERY_LENGTHS);
    if (p->in[ATTUNE_IN_STATE].rank == 3)
        poison_tensor(box, ATTUNE_IN_STATE, 1, ATTUNE_IN_QUERY_LENGTHS, ATTUNE_IN_QUERY_LENGTHS);
    poison_tensor(box, ATTUNE_IN_X, 1, ATTUNE_IN_KEY_LENGTHS, ATTUNE_IN_QUERY_LENGTHS);
}
