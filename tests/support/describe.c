/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/describe.h"

#include <stdlib.h>
#include <string.h>

const struct describe_extents describe_different = {.b = 2, .t_q = 3, .t_k = 5, .h = 4, .g = 2,
                                                    .d = 7, .e = 9, .d_q = 11, .d_k = 13, .a = 17,
                                                    .c = 19, .n = 6, .s = 8, .f = 10, .width = 15,
                                                    .o = 21};

struct kind {
    const char *name;
    enum attune_mechanism mechanism;
    enum attune_form form;
    const char *required, *tensors; /* "name:dims" in order, dims by the letters below */
};

/* Letters as in the problem file's extents; lower case for products. */
static const struct kind kinds[DESCRIBE_KINDS] = {
    {"additive", ATTUNE_ADDITIVE, ATTUNE_FORM_DEFAULT, "query key score_vector",
     "query:BQq key:BKk w_query:aq w_key:ak bias_hidden:a score_vector:HA value:BHKE"},
    {"dot", ATTUNE_MULTIPLICATIVE, ATTUNE_DOT, "query key", "query:BQD key:BKD value:BKE"},
    {"general", ATTUNE_MULTIPLICATIVE, ATTUNE_GENERAL, "query key weight",
     "query:BQq key:BKk weight:qk value:BKE"},
    {"concat", ATTUNE_MULTIPLICATIVE, ATTUNE_CONCAT, "query key weight score_vector",
     "query:BQq key:BKk weight:Ap score_vector:A bias_hidden:A value:BKE"},
    {"self_qkv", ATTUNE_SELF, ATTUNE_DOT, "q k v", "q:BHQD k:BGKD v:BGKE"},
    {"self_x", ATTUNE_SELF, ATTUNE_DOT, "x in_weight",
     "x:BTC in_weight:iC in_bias:i out_weight:Oo out_bias:O"},
    {"pairwise", ATTUNE_SELF, ATTUNE_PAIRWISE, "x weight score_vector",
     "x:BTC weight:Ac score_vector:A bias_hidden:A state:BTS w_state:AS value:BTE"},
    {"convolutional", ATTUNE_CONVOLUTIONAL, ATTUNE_PAIRWISE, "x kernel score_vector",
     "x:BTC kernel:AcW score_vector:A bias_hidden:A value:BTE"},
    {"location", ATTUNE_CONVOLUTIONAL, ATTUNE_LOCATION,
     "query key score_vector location_kernel w_location previous_alignments",
     "query:BQq key:BKk w_query:Aq w_key:Ak bias_hidden:A score_vector:A value:BKE "
     "location_kernel:F1W w_location:AF previous_alignments:BK"},
    {"scan", ATTUNE_RECURRENT, ATTUNE_FORM_DEFAULT,
     "x weight_ih weight_hh w_recurrent score_vector",
     "x:BTC weight_ih:nc weight_hh:nN bias_ih:n bias_hh:n w_recurrent:AN score_vector:A "
     "bias_hidden:A value:BTE"},
    {"step", ATTUNE_RECURRENT, ATTUNE_FORM_DEFAULT, "x weight_ih w_recurrent score_vector",
     "x:BTC weight_ih:nc weight_hh:nN bias_ih:n bias_hh:n w_recurrent:AN score_vector:A "
     "bias_hidden:A value:BTE"},
};

static int64_t extent(const struct describe_extents *x, char letter)
{
    static const char letters[] = "BQKTHGDEqkACNSFWOapcnio1";
    const int64_t values[] = {x->b,          x->t_q,         x->t_k,          x->t_q,
                              x->h,          x->g,           x->d,            x->e,
                              x->d_q,        x->d_k,         x->a,            x->c,
                              x->n,          x->s,           x->f,            x->width,
                              x->o,          x->h * x->a,    x->d_q + x->d_k, 2 * x->c,
                              4 * x->n,      3 * x->h * x->d, x->h * x->d,    1};
    return values[strchr(letters, letter) - letters];
}

static int input_by_name(const char *name, size_t length)
{
    for (int i = 0; i < ATTUNE_INPUT_COUNT; i++)
        if (strlen(attune_input_name(i)) == length &&
            memcmp(attune_input_name(i), name, length) == 0)
            return i;
    abort();
}

static void add(struct attune_problem *problem, const struct describe_extents *extents,
                enum attune_input input, enum attune_dtype dtype, const char *letters, size_t rank)
{
    int64_t size[ATTUNE_MAX_RANK] = {0};
    for (size_t axis = 0; axis < rank; axis++)
        size[axis] = extent(extents, letters[axis]);
    attune_problem_input(problem, input, dtype, (int32_t)rank, size);
}

const char *describe_name(int kind)
{
    return kinds[kind].name;
}

void describe_sized(struct attune_problem *problem, int kind, const struct describe_extents *extents)
{
    const struct kind *k = &kinds[kind];
    const int over_x = strchr(k->tensors, 'x') == k->tensors,
              heads = strchr(k->tensors, 'H') != NULL;
    const char *mask =
        over_x ? (strcmp(k->name, "self_x") == 0 ? "BHTT" : "B1TT") : (heads ? "BHQK" : "B1QK");
    attune_problem_init(problem, k->mechanism);
    problem->form = (int32_t)k->form;
    problem->recurrence = strcmp(k->name, "step") == 0;
    problem->heads = strcmp(k->name, "self_x") == 0 ? extents->h : 0;
    for (const char *at = k->tensors; *at; at += *at == ' ') {
        const char *colon = strchr(at, ':');
        const size_t rank = strcspn(colon + 1, " ");
        add(problem, extents, (enum attune_input)input_by_name(at, (size_t)(colon - at)), ATTUNE_F32,
            colon + 1, rank);
        at = colon + 1 + rank;
    }
    add(problem, extents, ATTUNE_IN_KEY_LENGTHS, ATTUNE_I32, "B", 1);
    add(problem, extents, ATTUNE_IN_QUERY_LENGTHS, ATTUNE_I64, "B", 1);
    add(problem, extents, ATTUNE_IN_MASK, ATTUNE_BOOL, mask, 4);
    add(problem, extents, ATTUNE_IN_BIAS, ATTUNE_F16, mask, 4);
    add(problem, extents, ATTUNE_IN_SINK, ATTUNE_F32, mask[1] == 'H' ? "H" : "1", 1);
    for (int output = 0; output < ATTUNE_OUTPUT_COUNT; output++)
        attune_problem_output(problem, (enum attune_output)output);
}

void describe_problem(struct attune_problem *problem, int kind)
{
    describe_sized(problem, kind, &describe_different);
}

int describe_is_required(int kind, enum attune_input input)
{
    const char *name = attune_input_name((int32_t)input), *found = kinds[kind].required;
    const size_t length = strlen(name);
    while ((found = strstr(found, name)) != NULL) {
        const int starts = found == kinds[kind].required || found[-1] == ' ';
        if (starts && (found[length] == ' ' || found[length] == '\0'))
            return 1;
        found++;
    }
    return 0;
}

struct attune_problem describe_self(int64_t heads, int64_t t, int64_t d)
{
    const int64_t shape[] = {1, heads, t, d};
    struct attune_problem problem;
    attune_problem_init(&problem, ATTUNE_SELF);
    attune_problem_input(&problem, ATTUNE_IN_Q, ATTUNE_F32, 4, shape);
    attune_problem_input(&problem, ATTUNE_IN_K, ATTUNE_F32, 4, shape);
    attune_problem_input(&problem, ATTUNE_IN_V, ATTUNE_F32, 4, shape);
    attune_problem_output(&problem, ATTUNE_OUT_OUT);
    return problem;
}
