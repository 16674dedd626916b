/* SPDX-License-Identifier: Apache-2.0
 *
 * Which tensors each mechanism and form knows, of what rank and element type, and that their
 * extents agree; resolves the extents. Knows no fields beyond form, heads and recurrence, and no
 * pointers.
 *
 * The axes of a tensor are written as a string, one letter an axis. A letter stands for the same
 * extent wherever it appears; the first tensor that has it sets it:
 *   B batch   Q T_q   K T_k   T both of them   H heads   G key/value heads   D, E head sizes
 *   q D_q   k D_k   A score space   C channels   N units   S state   F filters   W width   O
 * columns and the products  a H*A   p D_q+D_k   c 2*C   n 4*N   i 3*H*D   o H*D,  and 1.
 */
#include "engine/validate.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "engine/status.h"

enum kind { FLOATS, FLOATS_OR_I8, BOOLS, INTEGERS };

struct checker {
    struct attune_shape *shape;
    const struct attune_problem *problem;
    char what[40];       /* "self dot", for messages */
    int64_t extent[128]; /* by letter; -1 while not known */
    int32_t owner[128];  /* the input that set it */
    char known[ATTUNE_INPUT_COUNT];
};

static const char *axis_name(char letter)
{
    switch (letter) {
    case 'B': return "B";
    case 'Q': return "T_q";
    case 'K': return "T_k";
    case 'T': return "T";
    case 'H': return "H";
    case 'G': return "G";
    case 'D': return "D";
    case 'E': return "E";
    case 'q': return "D_q";
    case 'k': return "D_k";
    case 'A': return "A";
    case 'C': return "C";
    case 'N': return "N";
    case 'S': return "S";
    case 'F': return "F";
    case 'W': return "width";
    case 'O': return "O";
    case 'a': return "H*A";
    case 'p': return "D_q+D_k";
    case 'c': return "2*C";
    case 'n': return "4*N";
    case 'i': return "3*H*D";
    case 'o': return "H*D";
    default: return "1";
    }
}

static void axes_text(const char *axes, char *text, size_t size)
{
    size_t used = 0;
    for (const char *axis = axes; *axis && used < size; axis++)
        used += (size_t)snprintf(text + used, size - used, "%s%s", axis == axes ? "" : ",",
                                 axis_name(*axis));
}

static int is_product(char letter)
{
    return strchr("apcnio1", letter) != NULL;
}

/* The value of a product, INT64_MAX where it does not fit (no tensor then has it). */
static int64_t product_value(const struct checker *c, char letter)
{
    int64_t value = 1, h = c->extent['H'];
    int overflow = 0;
    switch (letter) {
    case 'a': overflow = __builtin_mul_overflow(h, c->extent['A'], &value); break;
    case 'p': overflow = __builtin_add_overflow(c->extent['q'], c->extent['k'], &value); break;
    case 'c': overflow = __builtin_mul_overflow(c->extent['C'], 2, &value); break;
    case 'n': overflow = __builtin_mul_overflow(c->extent['N'], 4, &value); break;
    case 'i':
        overflow = __builtin_mul_overflow(h, c->extent['D'], &value) ||
                   __builtin_mul_overflow(value, 3, &value);
        break;
    case 'o': overflow = __builtin_mul_overflow(h, c->extent['D'], &value); break;
    default: break;
    }
    return overflow ? INT64_MAX : value;
}

static enum attune_status check_axis(struct checker *c, enum attune_input input, int32_t axis,
                                     char letter)
{
    const char *name = attune_input_name((int32_t)input);
    int64_t size = c->problem->in[input].size[axis];
    if (size == 0 && !strchr("BQKT", letter))
        return attune_fail(ATTUNE_ERROR_INVALID,
                           "%s: size 0 on axis %" PRId32 " (%s), at least 1 is needed", name, axis,
                           axis_name(letter));
    if (is_product(letter)) {
        int64_t want = product_value(c, letter);
        if (size != want)
            return attune_fail(ATTUNE_ERROR_INVALID,
                               "%s: size %" PRId64 " on axis %" PRId32 ", where %s is %" PRId64,
                               name, size, axis, axis_name(letter), want);
        return ATTUNE_OK;
    }
    char key = letter == 'T' ? 'Q' : letter;
    if (c->extent[(int)key] < 0) {
        c->extent[(int)key] = size;
        c->owner[(int)key] = (int32_t)input;
        if (letter == 'T') {
            c->extent['K'] = size;
            c->owner['K'] = (int32_t)input;
        }
    } else if (c->extent[(int)key] != size) {
        return attune_fail(
            ATTUNE_ERROR_INVALID,
            "%s: size %" PRId64 " on axis %" PRId32 ", where %s is %" PRId64 " in %s", name, size,
            axis, axis_name(letter), c->extent[(int)key], attune_input_name(c->owner[(int)key]));
    }
    return ATTUNE_OK;
}

static enum attune_status check_dtype(const char *name, int32_t dtype, enum kind kind)
{
    static const char *const wanted[] = {
        [FLOATS] = "f32, f16 or bf16",
        [FLOATS_OR_I8] = "f32, f16, bf16 or i8",
        [BOOLS] = "bool",
        [INTEGERS] = "i32 or i64",
    };
    int is_float = dtype == ATTUNE_F32 || dtype == ATTUNE_F16 || dtype == ATTUNE_BF16;
    int fits = (kind == FLOATS && is_float) ||
               (kind == FLOATS_OR_I8 && (is_float || dtype == ATTUNE_I8)) ||
               (kind == BOOLS && dtype == ATTUNE_BOOL) ||
               (kind == INTEGERS && (dtype == ATTUNE_I32 || dtype == ATTUNE_I64));
    if (fits)
        return ATTUNE_OK;
    const char *given = attune_dtype_name(dtype);
    return attune_fail(ATTUNE_ERROR_INVALID, "%s: dtype %s (%" PRId32 "), it must be %s", name,
                       given ? given : "unknown", dtype, wanted[kind]);
}

static int is_given(const struct checker *c, enum attune_input input)
{
    return c->problem->in[input].dtype != ATTUNE_ABSENT;
}

static int needs_unit_last(enum attune_input input)
{
    return input <= ATTUNE_IN_X;
}

/* An input that may be there. */
static enum attune_status optional(struct checker *c, enum attune_input input, enum kind kind,
                                   const char *axes)
{
    const struct attune_tensor *tensor = &c->problem->in[input];
    const char *name = attune_input_name((int32_t)input);
    enum attune_status status;
    c->known[input] = 1;
    if (!is_given(c, input))
        return ATTUNE_OK;
    if ((status = check_dtype(name, tensor->dtype, kind)) != ATTUNE_OK)
        return status;
    if (tensor->rank != (int32_t)strlen(axes)) {
        char text[64];
        axes_text(axes, text, sizeof text);
        return attune_fail(ATTUNE_ERROR_INVALID, "%s: rank %" PRId32 ", it must be [%s]", name,
                           tensor->rank, text);
    }
    if ((status = attune_validate_layout(name, tensor, needs_unit_last(input))) != ATTUNE_OK)
        return status;
    for (int32_t axis = 0; axis < tensor->rank; axis++)
        if ((status = check_axis(c, input, axis, axes[axis])) != ATTUNE_OK)
            return status;
    return ATTUNE_OK;
}

static enum attune_status required(struct checker *c, enum attune_input input, enum kind kind,
                                   const char *axes)
{
    if (!is_given(c, input))
        return attune_fail(ATTUNE_ERROR_INVALID, "%s: missing; %s needs it",
                           attune_input_name((int32_t)input), c->what);
    return optional(c, input, kind, axes);
}

/* Two inputs that go together: given both or neither. */
static enum attune_status together(const struct checker *c, enum attune_input one,
                                   enum attune_input other)
{
    if (is_given(c, one) == is_given(c, other))
        return ATTUNE_OK;
    enum attune_input missing = is_given(c, one) ? other : one;
    return attune_fail(ATTUNE_ERROR_INVALID, "%s: missing; %s is given and goes with it",
                       attune_input_name((int32_t)missing),
                       attune_input_name((int32_t)(missing == one ? other : one)));
}

#define CHECK(call)                                                                                \
    do {                                                                                           \
        enum attune_status status_ = (call);                                                       \
        if (status_ != ATTUNE_OK)                                                                  \
            return status_;                                                                        \
    } while (0)

/* The values, which are the keys where absent: `width` is the letter of the keys' width. */
static enum attune_status check_value(struct checker *c, const char *axes, char width)
{
    CHECK(optional(c, ATTUNE_IN_VALUE, FLOATS, axes));
    if (!is_given(c, ATTUNE_IN_VALUE))
        c->extent['E'] = is_product(width) ? product_value(c, width) : c->extent[(int)width];
    return ATTUNE_OK;
}

/* query and key with their projections, for additive (several heads where score_vector has two
 * axes) and location. Without its projection a tensor is in the score space already. */
static enum attune_status check_additive(struct checker *c, int location)
{
    int several = !location && c->problem->in[ATTUNE_IN_SCORE_VECTOR].rank == 2;
    int w_query = is_given(c, ATTUNE_IN_W_QUERY), w_key = is_given(c, ATTUNE_IN_W_KEY);
    int value_heads = several && c->problem->in[ATTUNE_IN_VALUE].rank == 4;
    if (!several)
        c->extent['H'] = 1;
    CHECK(required(c, ATTUNE_IN_SCORE_VECTOR, FLOATS, several ? "HA" : "A"));
    CHECK(required(c, ATTUNE_IN_QUERY, FLOATS, w_query ? "BQq" : "BQa"));
    CHECK(required(c, ATTUNE_IN_KEY, FLOATS, w_key ? "BKk" : "BKa"));
    CHECK(optional(c, ATTUNE_IN_W_QUERY, FLOATS, "aq"));
    CHECK(optional(c, ATTUNE_IN_W_KEY, FLOATS, "ak"));
    CHECK(optional(c, ATTUNE_IN_BIAS_HIDDEN, FLOATS, "a"));
    c->shape->out_heads = several;
    if (!w_query)
        c->extent['q'] = product_value(c, 'a');
    if (!w_key)
        c->extent['k'] = product_value(c, 'a');
    return check_value(c, value_heads ? "BHKE" : "BKE", 'k');
}

static enum attune_status check_location(struct checker *c)
{
    CHECK(check_additive(c, 1));
    CHECK(required(c, ATTUNE_IN_LOCATION_KERNEL, FLOATS, "F1W"));
    CHECK(required(c, ATTUNE_IN_W_LOCATION, FLOATS, "AF"));
    return required(c, ATTUNE_IN_PREVIOUS_ALIGNMENTS, FLOATS, "BK");
}

static enum attune_status check_multiplicative(struct checker *c)
{
    int dot = c->problem->form == ATTUNE_DOT;
    c->extent['H'] = 1;
    CHECK(required(c, ATTUNE_IN_QUERY, FLOATS, dot ? "BQD" : "BQq"));
    CHECK(required(c, ATTUNE_IN_KEY, FLOATS, dot ? "BKD" : "BKk"));
    if (dot)
        c->extent['q'] = c->extent['k'] = c->extent['D'];
    if (c->problem->form == ATTUNE_GENERAL)
        CHECK(required(c, ATTUNE_IN_WEIGHT, FLOATS, "qk"));
    if (c->problem->form == ATTUNE_CONCAT) {
        CHECK(required(c, ATTUNE_IN_SCORE_VECTOR, FLOATS, "A"));
        CHECK(required(c, ATTUNE_IN_WEIGHT, FLOATS, "Ap"));
        CHECK(optional(c, ATTUNE_IN_BIAS_HIDDEN, FLOATS, "A"));
    }
    return check_value(c, "BKE", 'k');
}

static enum attune_status check_qkv(struct checker *c)
{
    const struct attune_tensor *in = c->problem->in;
    CHECK(required(c, ATTUNE_IN_Q, FLOATS, "BHQD"));
    CHECK(required(c, ATTUNE_IN_K, FLOATS_OR_I8, "BGKD"));
    CHECK(required(c, ATTUNE_IN_V, FLOATS_OR_I8, "BGKE"));
    if (c->extent['H'] % c->extent['G'] != 0)
        return attune_fail(ATTUNE_ERROR_INVALID,
                           "k: %" PRId64 " heads on axis 1, they must divide the %" PRId64
                           " heads of q",
                           c->extent['G'], c->extent['H']);
    for (int which = 0; which < 2; which++) {
        enum attune_input data = which ? ATTUNE_IN_V : ATTUNE_IN_K;
        enum attune_input scale = which ? ATTUNE_IN_VALUE_SCALE : ATTUNE_IN_KEY_SCALE;
        if (is_given(c, scale) && in[data].dtype != ATTUNE_I8)
            return attune_fail(ATTUNE_ERROR_INVALID, "%s: only an int8 %s has one",
                               attune_input_name((int32_t)scale), which ? "v" : "k");
        if (in[data].dtype == ATTUNE_I8 && !is_given(c, scale))
            return attune_fail(ATTUNE_ERROR_INVALID, "%s: missing; %s is int8 and needs it",
                               attune_input_name((int32_t)scale), which ? "v" : "k");
        CHECK(optional(c, scale, FLOATS, "BGK"));
    }
    if (c->problem->heads != 0)
        return attune_fail(ATTUNE_ERROR_INVALID,
                           "heads: %" PRId64 " is only for x with in_weight; q has its own axis",
                           c->problem->heads);
    c->shape->out_heads = 1;
    return ATTUNE_OK;
}

static enum attune_status check_self_x(struct checker *c)
{
    const struct attune_tensor *in_weight = &c->problem->in[ATTUNE_IN_IN_WEIGHT];
    int64_t heads = c->problem->heads, rows = in_weight->size[0];
    if (heads < 1)
        return attune_fail(ATTUNE_ERROR_INVALID,
                           "heads: missing; x with in_weight needs it, at least 1");
    CHECK(required(c, ATTUNE_IN_X, FLOATS, "BTC"));
    if (in_weight->dtype != ATTUNE_ABSENT && in_weight->rank == 2 && rows > 0) {
        if (rows % 3 != 0 || rows / 3 % heads != 0)
            return attune_fail(ATTUNE_ERROR_INVALID,
                               "in_weight: %" PRId64 " rows are not 3*H*D with H = %" PRId64
                               " heads",
                               rows, heads);
        c->extent['D'] = rows / 3 / heads;
        c->owner['D'] = ATTUNE_IN_IN_WEIGHT;
    }
    c->extent['H'] = c->extent['G'] = heads;
    CHECK(required(c, ATTUNE_IN_IN_WEIGHT, FLOATS, "iC"));
    CHECK(optional(c, ATTUNE_IN_IN_BIAS, FLOATS, "i"));
    CHECK(optional(c, ATTUNE_IN_OUT_WEIGHT, FLOATS, "Oo"));
    if (is_given(c, ATTUNE_IN_OUT_BIAS) && !is_given(c, ATTUNE_IN_OUT_WEIGHT))
        return attune_fail(ATTUNE_ERROR_INVALID,
                           "out_weight: missing; out_bias is given and goes with it");
    CHECK(optional(c, ATTUNE_IN_OUT_BIAS, FLOATS, "O"));
    c->extent['E'] = c->extent['D'];
    c->shape->from_x = 1;
    return ATTUNE_OK;
}

static enum attune_status check_self_pairwise(struct checker *c)
{
    int per_query = c->problem->in[ATTUNE_IN_STATE].rank == 3;
    CHECK(required(c, ATTUNE_IN_X, FLOATS, "BTC"));
    CHECK(required(c, ATTUNE_IN_SCORE_VECTOR, FLOATS, "A"));
    CHECK(required(c, ATTUNE_IN_WEIGHT, FLOATS, "Ac"));
    CHECK(optional(c, ATTUNE_IN_BIAS_HIDDEN, FLOATS, "A"));
    CHECK(together(c, ATTUNE_IN_STATE, ATTUNE_IN_W_STATE));
    CHECK(optional(c, ATTUNE_IN_STATE, FLOATS, per_query ? "BTS" : "BS"));
    CHECK(optional(c, ATTUNE_IN_W_STATE, FLOATS, "AS"));
    return check_value(c, "BKE", 'C');
}

static enum attune_status check_convolutional(struct checker *c)
{
    CHECK(required(c, ATTUNE_IN_X, FLOATS, "BTC"));
    CHECK(required(c, ATTUNE_IN_SCORE_VECTOR, FLOATS, "A"));
    CHECK(required(c, ATTUNE_IN_KERNEL, FLOATS, "AcW"));
    CHECK(optional(c, ATTUNE_IN_BIAS_HIDDEN, FLOATS, "A"));
    return check_value(c, "BKE", 'C');
}

/* A step from the zero state never meets weight_hh, so that it may be left out there. */
static enum attune_status check_recurrent(struct checker *c)
{
    CHECK(required(c, ATTUNE_IN_X, FLOATS, "BTC"));
    CHECK(required(c, ATTUNE_IN_SCORE_VECTOR, FLOATS, "A"));
    CHECK(required(c, ATTUNE_IN_W_RECURRENT, FLOATS, "AN"));
    CHECK(required(c, ATTUNE_IN_WEIGHT_IH, FLOATS, "nc"));
    if (c->problem->recurrence == ATTUNE_SCAN)
        CHECK(required(c, ATTUNE_IN_WEIGHT_HH, FLOATS, "nN"));
    else
        CHECK(optional(c, ATTUNE_IN_WEIGHT_HH, FLOATS, "nN"));
    CHECK(optional(c, ATTUNE_IN_BIAS_IH, FLOATS, "n"));
    CHECK(optional(c, ATTUNE_IN_BIAS_HH, FLOATS, "n"));
    CHECK(optional(c, ATTUNE_IN_BIAS_HIDDEN, FLOATS, "A"));
    return check_value(c, "BKE", 'C');
}

static enum attune_status check_mechanism(struct checker *c)
{
    enum attune_form form = (enum attune_form)c->problem->form;
    switch (c->problem->mechanism) {
    case ATTUNE_ADDITIVE: return check_additive(c, 0);
    case ATTUNE_MULTIPLICATIVE: return check_multiplicative(c);
    case ATTUNE_SELF:
        if (form == ATTUNE_PAIRWISE)
            return check_self_pairwise(c);
        return is_given(c, ATTUNE_IN_X) || is_given(c, ATTUNE_IN_IN_WEIGHT) ? check_self_x(c)
                                                                            : check_qkv(c);
    case ATTUNE_CONVOLUTIONAL:
        return form == ATTUNE_LOCATION ? check_location(c) : check_convolutional(c);
    default: return check_recurrent(c);
    }
}

/* mask and bias, broadcastable to [B,H,T_q,T_k]. */
static enum attune_status check_broadcast(struct checker *c, enum attune_input input,
                                          enum kind kind)
{
    const struct attune_tensor *tensor = &c->problem->in[input];
    const char *name = attune_input_name((int32_t)input), letters[] = "BHQK";
    c->known[input] = 1;
    if (!is_given(c, input))
        return ATTUNE_OK;
    CHECK(check_dtype(name, tensor->dtype, kind));
    CHECK(attune_validate_layout(name, tensor, 0));
    for (int32_t axis = 0; axis < tensor->rank; axis++) {
        char letter = letters[ATTUNE_MAX_RANK - tensor->rank + axis];
        int64_t size = tensor->size[axis], want = c->extent[(int)letter];
        if (size != 1 && size != want)
            return attune_fail(ATTUNE_ERROR_INVALID,
                               "%s: size %" PRId64 " on axis %" PRId32
                               ", which broadcasts neither as 1 "
                               "nor as %s = %" PRId64,
                               name, size, axis, axis_name(letter), want);
    }
    return ATTUNE_OK;
}

static enum attune_status check_common(struct checker *c)
{
    CHECK(optional(c, ATTUNE_IN_KEY_LENGTHS, INTEGERS, "B"));
    CHECK(optional(c, ATTUNE_IN_QUERY_LENGTHS, INTEGERS, "B"));
    CHECK(optional(c, ATTUNE_IN_SINK, FLOATS, "H"));
    CHECK(check_broadcast(c, ATTUNE_IN_MASK, BOOLS));
    return check_broadcast(c, ATTUNE_IN_BIAS, FLOATS);
}

/* A tensor that the mechanism does not know is an error: a misspelt one must not be ignored. */
static enum attune_status check_unknown(const struct checker *c)
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

static int64_t extent_or(const struct checker *c, char letter, int64_t otherwise)
{
    return c->extent[(int)letter] < 0 ? otherwise : c->extent[(int)letter];
}

static void resolve_extents(const struct checker *c, struct attune_shape *shape)
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
    struct checker c = {.shape = shape, .problem = p};
    snprintf(c.what, sizeof c.what, "%s%s%s", attune_mechanism_name(p->mechanism), form ? " " : "",
             form ? form : "");
    memset(c.extent, -1, sizeof c.extent);
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
