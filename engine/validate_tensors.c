/* SPDX-License-Identifier: Apache-2.0
 *
 * Which tensors each mechanism and form knows, and the axes of each (validate_axes.h); resolves the
 * extents. Knows no fields beyond form, heads and recurrence, and no pointers.
 */
#include "engine/validate.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "engine/status.h"
#include "engine/validate_axes.h"

#define CHECK(call)                                                                                \
    do {                                                                                           \
        enum attune_status status_ = (call);                                                       \
        if (status_ != ATTUNE_OK)                                                                  \
            return status_;                                                                        \
    } while (0)

/* The values, which are the keys where absent: `width` is the letter of the keys' width. */
static enum attune_status check_value(struct attune_axes *c, const char *axes, char width)
{
    CHECK(attune_axes_optional(c, ATTUNE_IN_VALUE, ATTUNE_FLOATS, axes));
    if (!attune_axes_given(c, ATTUNE_IN_VALUE))
        c->extent['E'] =
            attune_axis_is_product(width) ? attune_axes_product(c, width) : c->extent[(int)width];
    return ATTUNE_OK;
}

/* query and key with their projections, for additive (several heads where score_vector has two
 * axes) and location. Without its projection a tensor is in the score space already. */
static enum attune_status check_additive(struct attune_axes *c, int location)
{
    int several = !location && c->problem->in[ATTUNE_IN_SCORE_VECTOR].rank == 2;
    int w_query = attune_axes_given(c, ATTUNE_IN_W_QUERY),
        w_key = attune_axes_given(c, ATTUNE_IN_W_KEY);
    int value_heads = several && c->problem->in[ATTUNE_IN_VALUE].rank == 4;
    if (!several)
        c->extent['H'] = 1;
    CHECK(attune_axes_required(c, ATTUNE_IN_SCORE_VECTOR, ATTUNE_FLOATS, several ? "HA" : "A"));
    CHECK(attune_axes_required(c, ATTUNE_IN_QUERY, ATTUNE_FLOATS, w_query ? "BQq" : "BQa"));
    CHECK(attune_axes_required(c, ATTUNE_IN_KEY, ATTUNE_FLOATS, w_key ? "BKk" : "BKa"));
    CHECK(attune_axes_optional(c, ATTUNE_IN_W_QUERY, ATTUNE_FLOATS, "aq"));
    CHECK(attune_axes_optional(c, ATTUNE_IN_W_KEY, ATTUNE_FLOATS, "ak"));
    CHECK(attune_axes_optional(c, ATTUNE_IN_BIAS_HIDDEN, ATTUNE_FLOATS, "a"));
    c->shape->out_heads = several;
    if (!w_query)
        c->extent['q'] = attune_axes_product(c, 'a');
    if (!w_key)
        c->extent['k'] = attune_axes_product(c, 'a');
    return check_value(c, value_heads ? "BHKE" : "BKE", 'k');
}

static enum attune_status check_location(struct attune_axes *c)
{
    CHECK(check_additive(c, 1));
    CHECK(attune_axes_required(c, ATTUNE_IN_LOCATION_KERNEL, ATTUNE_FLOATS, "F1W"));
    CHECK(attune_axes_required(c, ATTUNE_IN_W_LOCATION, ATTUNE_FLOATS, "AF"));
    return attune_axes_required(c, ATTUNE_IN_PREVIOUS_ALIGNMENTS, ATTUNE_FLOATS, "BK");
}

static enum attune_status check_multiplicative(struct attune_axes *c)
{
    int dot = c->problem->form == ATTUNE_DOT;
    c->extent['H'] = 1;
    CHECK(attune_axes_required(c, ATTUNE_IN_QUERY, ATTUNE_FLOATS, dot ? "BQD" : "BQq"));
    CHECK(attune_axes_required(c, ATTUNE_IN_KEY, ATTUNE_FLOATS, dot ? "BKD" : "BKk"));
    if (dot)
        c->extent['q'] = c->extent['k'] = c->extent['D'];
    if (c->problem->form == ATTUNE_GENERAL)
        CHECK(attune_axes_required(c, ATTUNE_IN_WEIGHT, ATTUNE_FLOATS, "qk"));
    if (c->problem->form == ATTUNE_CONCAT) {
        CHECK(attune_axes_required(c, ATTUNE_IN_SCORE_VECTOR, ATTUNE_FLOATS, "A"));
        CHECK(attune_axes_required(c, ATTUNE_IN_WEIGHT, ATTUNE_FLOATS, "Ap"));
        CHECK(attune_axes_optional(c, ATTUNE_IN_BIAS_HIDDEN, ATTUNE_FLOATS, "A"));
    }
    return check_value(c, "BKE", 'k');
}

static enum attune_status check_qkv(struct attune_axes *c)
{
    const struct attune_tensor *in = c->problem->in;
    CHECK(attune_axes_required(c, ATTUNE_IN_Q, ATTUNE_FLOATS, "BHQD"));
    CHECK(attune_axes_required(c, ATTUNE_IN_K, ATTUNE_FLOATS_OR_I8, "BGKD"));
    CHECK(attune_axes_required(c, ATTUNE_IN_V, ATTUNE_FLOATS_OR_I8, "BGKE"));
    if (c->extent['H'] % c->extent['G'] != 0)
        return attune_fail(ATTUNE_ERROR_INVALID,
                           "k: %" PRId64 " heads on axis 1, they must divide the %" PRId64
                           " heads of q",
                           c->extent['G'], c->extent['H']);
    for (int which = 0; which < 2; which++) {
        enum attune_input data = which ? ATTUNE_IN_V : ATTUNE_IN_K;
        enum attune_input scale = which ? ATTUNE_IN_VALUE_SCALE : ATTUNE_IN_KEY_SCALE;
        if (attune_axes_given(c, scale) && in[data].dtype != ATTUNE_I8)
            return attune_fail(ATTUNE_ERROR_INVALID, "%s: only an int8 %s has one",
                               attune_input_name((int32_t)scale), which ? "v" : "k");
        if (in[data].dtype == ATTUNE_I8 && !attune_axes_given(c, scale))
            return attune_fail(ATTUNE_ERROR_INVALID, "%s: missing; %s is int8 and needs it",
                               attune_input_name((int32_t)scale), which ? "v" : "k");
        CHECK(attune_axes_optional(c, scale, ATTUNE_FLOATS, "BGK"));
    }
    if (c->problem->heads != 0)
        return attune_fail(ATTUNE_ERROR_INVALID,
                           "heads: %" PRId64 " is only for x with in_weight; q has its own axis",
                           c->problem->heads);
    c->shape->out_heads = 1;
    return ATTUNE_OK;
}

static enum attune_status check_self_x(struct attune_axes *c)
{
    const struct attune_tensor *in_weight = &c->problem->in[ATTUNE_IN_IN_WEIGHT];
    int64_t heads = c->problem->heads, rows = in_weight->size[0];
    if (heads < 1)
        return attune_fail(ATTUNE_ERROR_INVALID,
                           "heads: missing; x with in_weight needs it, at least 1");
    CHECK(attune_axes_required(c, ATTUNE_IN_X, ATTUNE_FLOATS, "BTC"));
    if (in_weight->dtype != ATTUNE_ABSENT && in_weight->rank == 2 && rows > 0) {
        if (rows % 3 != 0 || rows / 3 % heads != 0)
            return attune_fail(ATTUNE_ERROR_INVALID,
                               "heads: %" PRId64 ", but in_weight has %" PRId64
                               " rows, which are not 3*H*D",
                               heads, rows);
        c->extent['D'] = rows / 3 / heads;
        c->owner['D'] = ATTUNE_IN_IN_WEIGHT;
    }
    c->extent['H'] = c->extent['G'] = heads;
    CHECK(attune_axes_required(c, ATTUNE_IN_IN_WEIGHT, ATTUNE_FLOATS, "iC"));
    CHECK(attune_axes_optional(c, ATTUNE_IN_IN_BIAS, ATTUNE_FLOATS, "i"));
    CHECK(attune_axes_optional(c, ATTUNE_IN_OUT_WEIGHT, ATTUNE_FLOATS, "Oo"));
    if (attune_axes_given(c, ATTUNE_IN_OUT_BIAS) && !attune_axes_given(c, ATTUNE_IN_OUT_WEIGHT))
        return attune_fail(ATTUNE_ERROR_INVALID,
                           "out_weight: missing; out_bias is given and goes with it");
    CHECK(attune_axes_optional(c, ATTUNE_IN_OUT_BIAS, ATTUNE_FLOATS, "O"));
    c->extent['E'] = c->extent['D'];
    c->shape->from_x = 1;
    return ATTUNE_OK;
}

static enum attune_status check_self_pairwise(struct attune_axes *c)
{
    int per_query = c->problem->in[ATTUNE_IN_STATE].rank == 3;
    CHECK(attune_axes_required(c, ATTUNE_IN_X, ATTUNE_FLOATS, "BTC"));
    CHECK(attune_axes_required(c, ATTUNE_IN_SCORE_VECTOR, ATTUNE_FLOATS, "A"));
    CHECK(attune_axes_required(c, ATTUNE_IN_WEIGHT, ATTUNE_FLOATS, "Ac"));
    CHECK(attune_axes_optional(c, ATTUNE_IN_BIAS_HIDDEN, ATTUNE_FLOATS, "A"));
    CHECK(attune_axes_together(c, ATTUNE_IN_STATE, ATTUNE_IN_W_STATE));
    CHECK(attune_axes_optional(c, ATTUNE_IN_STATE, ATTUNE_FLOATS, per_query ? "BTS" : "BS"));
    CHECK(attune_axes_optional(c, ATTUNE_IN_W_STATE, ATTUNE_FLOATS, "AS"));
    return check_value(c, "BKE", 'C');
}

static enum attune_status check_convolutional(struct attune_axes *c)
{
    CHECK(attune_axes_required(c, ATTUNE_IN_X, ATTUNE_FLOATS, "BTC"));
    CHECK(attune_axes_required(c, ATTUNE_IN_SCORE_VECTOR, ATTUNE_FLOATS, "A"));
    CHECK(attune_axes_required(c, ATTUNE_IN_KERNEL, ATTUNE_FLOATS, "AcW"));
    CHECK(attune_axes_optional(c, ATTUNE_IN_BIAS_HIDDEN, ATTUNE_FLOATS, "A"));
    return check_value(c, "BKE", 'C');
}

/* A step from the zero state never meets weight_hh, so that it may be left out there. */
static enum attune_status check_recurrent(struct attune_axes *c)
{
    CHECK(attune_axes_required(c, ATTUNE_IN_X, ATTUNE_FLOATS, "BTC"));
    CHECK(attune_axes_required(c, ATTUNE_IN_SCORE_VECTOR, ATTUNE_FLOATS, "A"));
    CHECK(attune_axes_required(c, ATTUNE_IN_W_RECURRENT, ATTUNE_FLOATS, "AN"));
    CHECK(attune_axes_required(c, ATTUNE_IN_WEIGHT_IH, ATTUNE_FLOATS, "nc"));
    if (c->problem->recurrence == ATTUNE_SCAN)
        CHECK(attune_axes_required(c, ATTUNE_IN_WEIGHT_HH, ATTUNE_FLOATS, "nN"));
    else
        CHECK(attune_axes_optional(c, ATTUNE_IN_WEIGHT_HH, ATTUNE_FLOATS, "nN"));
    CHECK(attune_axes_optional(c, ATTUNE_IN_BIAS_IH, ATTUNE_FLOATS, "n"));
    CHECK(attune_axes_optional(c, ATTUNE_IN_BIAS_HH, ATTUNE_FLOATS, "n"));
    CHECK(attune_axes_optional(c, ATTUNE_IN_BIAS_HIDDEN, ATTUNE_FLOATS, "A"));
    return check_value(c, "BKE", 'C');
}

static enum attune_status check_mechanism(struct attune_axes *c)
{
    enum attune_form form = (enum attune_form)c->problem->form;
    switch (c->problem->mechanism) {
    case ATTUNE_ADDITIVE: return check_additive(c, 0);
    case ATTUNE_MULTIPLICATIVE: return check_multiplicative(c);
    case ATTUNE_SELF:
        if (form == ATTUNE_PAIRWISE)
            return check_self_pairwise(c);
        return attune_axes_given(c, ATTUNE_IN_X) || attune_axes_given(c, ATTUNE_IN_IN_WEIGHT)
                   ? check_self_x(c)
                   : check_qkv(c);
    case ATTUNE_CONVOLUTIONAL:
        return form == ATTUNE_LOCATION ? check_location(c) : check_convolutional(c);
    default: return check_recurrent(c);
    }
}

/* mask and bias, broadcastable to [B,H,T_q,T_k]. */
static enum attune_status check_broadcast(struct attune_axes *c, enum attune_input input,
                                          enum attune_type_class kind)
{
    const struct attune_tensor *tensor = &c->problem->in[input];
    const char *name = attune_input_name((int32_t)input), letters[] = "BHQK";
    c->known[input] = 1;
    if (!attune_axes_given(c, input))
        return ATTUNE_OK;
    CHECK(attune_axes_dtype(name, tensor->dtype, kind));
    CHECK(attune_validate_layout(name, tensor, 0));
    for (int32_t axis = 0; axis < tensor->rank; axis++) {
        char letter = letters[ATTUNE_MAX_RANK - tensor->rank + axis];
        int64_t size = tensor->size[axis], want = c->extent[(int)letter];
        if (size != 1 && size != want)
            return attune_fail(ATTUNE_ERROR_INVALID,
                               "%s: size %" PRId64 " on axis %" PRId32
                               ", which broadcasts neither as 1 "
                               "nor as %s = %" PRId64,
                               name, size, axis, attune_axis_name(letter), want);
    }
    return ATTUNE_OK;
}

static enum attune_status check_common(struct attune_axes *c)
{
    CHECK(attune_axes_optional(c, ATTUNE_IN_KEY_LENGTHS, ATTUNE_INTEGERS, "B"));
    CHECK(attune_axes_optional(c, ATTUNE_IN_QUERY_LENGTHS, ATTUNE_INTEGERS, "B"));
    CHECK(attune_axes_optional(c, ATTUNE_IN_SINK, ATTUNE_FLOATS, "H"));
    CHECK(check_broadcast(c, ATTUNE_IN_MASK, ATTUNE_BOOLS));
    return check_broadcast(c, ATTUNE_IN_BIAS, ATTUNE_FLOATS);
}

/* A tensor that the mechanism does not know is an error: a misspelt one must not be ignored. */
static enum attune_status check_unknown(const struct attune_axes *c)
{
    for (int32_t i = 0; i < ATTUNE_INPUT_SLOTS; i++) {
        const struct attune_tensor *tensor = &c->problem->in[i];
        const char *name = attune_input_name(i);
        if (!name && (tensor->dtype != ATTUNE_ABSENT || tensor->rank != 0))
            return attune_fail(ATTUNE_ERROR_INVALID, "in[%" PRId32 "]: no input has this number",
                               i);
        if (name && tensor->dtype == ATTUNE_ABSENT && tensor->rank != 0)
            return attune_fail(ATTUNE_ERROR_INVALID, "%s: rank %" PRId32 " but no dtype", name,
                               tensor->rank);
        if (name && tensor->dtype != ATTUNE_ABSENT && !c->known[i])
            return attune_fail(ATTUNE_ERROR_INVALID, "%s: %s does not know it", name, c->what);
    }
    return ATTUNE_OK;
}

static int64_t extent_or(const struct attune_axes *c, char letter, int64_t otherwise)
{
    return c->extent[(int)letter] < 0 ? otherwise : c->extent[(int)letter];
}

static void resolve_extents(const struct attune_axes *c, struct attune_shape *shape)
{
    struct attune_problem *p = &shape->problem;
    int lstm = p->mechanism == ATTUNE_RECURRENT;
    int dot = p->form == ATTUNE_DOT || p->form == ATTUNE_GENERAL;
    shape->kind = lstm ? ATTUNE_SCORE_LSTM : dot ? ATTUNE_SCORE_DOT : ATTUNE_SCORE_TANH;
    shape->b = c->extent['B'];
    shape->h = extent_or(c, 'H', 1);
    shape->g = extent_or(c, 'G', shape->h);
    shape->t_q = c->extent['Q'];
    shape->t_k = c->extent['K'];
    shape->d = p->form == ATTUNE_GENERAL ? c->extent['k'] : extent_or(c, 'D', 0);
    shape->e = c->extent['E'];
    shape->c = extent_or(c, 'C', 0);
    shape->d_q = extent_or(c, 'q', shape->c ? shape->c : shape->d);
    shape->d_k = extent_or(c, 'k', shape->c ? shape->c : shape->d);
    shape->a = extent_or(c, 'A', 0);
    shape->n = extent_or(c, 'N', 0);
    shape->s = extent_or(c, 'S', 0);
    shape->f = extent_or(c, 'F', 0);
    shape->width = extent_or(c, 'W', 0);
    /* Saturates where it does not fit; attune_validate_outputs() then finds that `out` does not. */
    int64_t wide;
    if (__builtin_mul_overflow(shape->h, shape->e, &wide))
        wide = INT64_MAX;
    shape->out_width = extent_or(c, 'O', shape->from_x || shape->out_heads ? wide : shape->e);
    if (!p->has_score_scale)
        p->score_scale = p->mechanism == ATTUNE_SELF && dot ? 1 / sqrt((double)shape->d) : 1;
    p->has_score_scale = 1;
}

enum attune_status attune_validate_tensors(struct attune_shape *shape)
{
    struct attune_problem *p = &shape->problem;
    const char *form = attune_form_name(p->form);
    struct attune_axes c = {.shape = shape, .problem = p};
    snprintf(c.what, sizeof c.what, "%s%s%s", attune_mechanism_name(p->mechanism), form ? " " : "",
             form ? form : "");
    memset(c.extent, -1, sizeof c.extent);
    memset(c.owner, -1, sizeof c.owner);
    CHECK(check_mechanism(&c));
    if (p->heads != 0 && !shape->from_x)
        return attune_fail(ATTUNE_ERROR_INVALID,
                           "heads: %" PRId64 " is only for self dot over x with "
                           "in_weight, not for %s",
                           p->heads, c.what);
    if (c.extent['H'] < 0)
        c.extent['H'] = 1;
    CHECK(check_common(&c));
    CHECK(check_unknown(&c));
    if (c.extent['W'] >= 0 && c.extent['W'] % 2 == 0)
        return attune_fail(ATTUNE_ERROR_INVALID, "%s: width %" PRId64 " is even, it must be odd",
                           attune_input_name(c.owner['W']), c.extent['W']);
    int64_t last;
    if (__builtin_add_overflow(p->past, c.extent['Q'], &last))
        return attune_fail(ATTUNE_ERROR_OVERFLOW,
                           "past: %" PRId64 " plus T_q does not fit in 63 bits", p->past);
    resolve_extents(&c, shape);
    return ATTUNE_OK;
}
