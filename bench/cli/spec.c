/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads a SPEC: the words and keys, which mechanism knows which key, and the defaults. spec_shape.c
 * makes the tensors.
 */
#include "bench/cli/spec.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/cli/options.h"
#include "bench/cli/spec_keys.h"

enum kind { EXTENT, COUNT, LIMIT, NUMBER, FLAG, CAUSAL, RECURRENCE, FLOAT_TYPE, ANY_TYPE };

static const struct {
    const char *name;
    enum kind kind;
} keys[SPEC_KEY_COUNT] = {
    [SPEC_B] = {"b", EXTENT},
    [SPEC_H] = {"h", COUNT},
    [SPEC_G] = {"g", COUNT},
    [SPEC_T] = {"t", EXTENT},
    [SPEC_TQ] = {"tq", EXTENT},
    [SPEC_TK] = {"tk", EXTENT},
    [SPEC_D] = {"d", COUNT},
    [SPEC_E] = {"e", COUNT},
    [SPEC_A] = {"a", COUNT},
    [SPEC_C] = {"c", COUNT},
    [SPEC_N] = {"n", COUNT},
    [SPEC_F] = {"f", COUNT},
    [SPEC_S] = {"s", COUNT},
    [SPEC_WIDTH] = {"width", COUNT},
    [SPEC_CAUSAL] = {"causal", CAUSAL},
    [SPEC_PAST] = {"past", EXTENT},
    [SPEC_WINDOW_LEFT] = {"window_left", LIMIT},
    [SPEC_WINDOW_RIGHT] = {"window_right", LIMIT},
    [SPEC_SOFTCAP] = {"softcap", NUMBER},
    [SPEC_RECURRENCE] = {"recurrence", RECURRENCE},
    [SPEC_DTYPE] = {"dtype", FLOAT_TYPE},
    [SPEC_KV] = {"kv", ANY_TYPE},
    [SPEC_PREPARED] = {"prepared", FLAG},
};

/* Words of the kinds that take one, with the library's number for each. */
static const struct {
    enum kind kind;
    const char *word;
    int64_t number;
} words[] = {
    {CAUSAL, "none", ATTUNE_CAUSAL_NONE},
    {CAUSAL, "top_left", ATTUNE_TOP_LEFT},
    {CAUSAL, "bottom_right", ATTUNE_BOTTOM_RIGHT},
    {RECURRENCE, "scan", ATTUNE_SCAN},
    {RECURRENCE, "step", ATTUNE_STEP},
    {FLOAT_TYPE, "f32", ATTUNE_F32},
    {FLOAT_TYPE, "f16", ATTUNE_F16},
    {FLOAT_TYPE, "bf16", ATTUNE_BF16},
    {ANY_TYPE, "f32", ATTUNE_F32},
    {ANY_TYPE, "f16", ATTUNE_F16},
    {ANY_TYPE, "bf16", ATTUNE_BF16},
    {ANY_TYPE, "i8", ATTUNE_I8},
};

#define BIT(key) (1u << SPEC_##key)
#define COMMON                                                                                     \
    (BIT(B) | BIT(T) | BIT(TQ) | BIT(TK) | BIT(E) | BIT(CAUSAL) | BIT(PAST) | BIT(WINDOW_LEFT) |   \
     BIT(WINDOW_RIGHT) | BIT(SOFTCAP) | BIT(DTYPE))

static const struct {
    enum attune_mechanism mechanism;
    enum attune_form form;
    uint32_t known; /* keys beside COMMON */
    uint32_t required;
} forms[] = {
    /* The first line of a mechanism is its default form. */
    {ATTUNE_ADDITIVE, ATTUNE_FORM_DEFAULT, BIT(H) | BIT(D) | BIT(A) | BIT(KV) | BIT(PREPARED), 0},
    {ATTUNE_MULTIPLICATIVE, ATTUNE_DOT, BIT(D) | BIT(KV), BIT(D)},
    {ATTUNE_MULTIPLICATIVE, ATTUNE_GENERAL, BIT(D) | BIT(KV), BIT(D)},
    {ATTUNE_MULTIPLICATIVE, ATTUNE_CONCAT, BIT(D) | BIT(A) | BIT(KV) | BIT(PREPARED), BIT(D)},
    {ATTUNE_SELF, ATTUNE_DOT, BIT(H) | BIT(G) | BIT(D) | BIT(C) | BIT(KV), 0},
    {ATTUNE_SELF, ATTUNE_PAIRWISE, BIT(C) | BIT(A) | BIT(S), BIT(C)},
    {ATTUNE_CONVOLUTIONAL, ATTUNE_PAIRWISE, BIT(C) | BIT(A) | BIT(WIDTH), BIT(C)},
    {ATTUNE_CONVOLUTIONAL, ATTUNE_LOCATION,
     BIT(D) | BIT(A) | BIT(F) | BIT(WIDTH) | BIT(KV) | BIT(PREPARED), BIT(F) | BIT(WIDTH)},
    {ATTUNE_RECURRENT, ATTUNE_FORM_DEFAULT, BIT(C) | BIT(N) | BIT(A) | BIT(RECURRENCE),
     BIT(C) | BIT(N)},
};
enum { FORM_COUNT = sizeof forms / sizeof forms[0] };

#define WRONG(...) attune_trouble_set(trouble, ATTUNE_EXIT_USE, __VA_ARGS__)

/* The row of "mechanism[:form]", or a failure. */
static int find_form(const char *text, int *row, struct attune_trouble *trouble)
{
    const char *colon = strchr(text, ':');
    size_t length = colon != NULL ? (size_t)(colon - text) : strlen(text);
    int known = 0;

    for (*row = 0; *row < FORM_COUNT; ++*row) {
        const char *mechanism = attune_mechanism_name((int32_t)forms[*row].mechanism);
        const char *form = attune_form_name((int32_t)forms[*row].form);
        if (strlen(mechanism) != length || strncmp(text, mechanism, length) != 0)
            continue;
        known = 1;
        if (colon != NULL && forms[*row].form != ATTUNE_FORM_DEFAULT &&
            strcmp(colon + 1, form) == 0)
            return 0;
        if (colon == NULL && forms[*row].mechanism != ATTUNE_MULTIPLICATIVE)
            return 0;
    }
    if (!known)
        return WRONG("mechanism: '%.64s' is none of additive, multiplicative, self, convolutional, "
                     "recurrent",
                     text);
    if (colon == NULL)
        return WRONG("form: must be given: multiplicative:dot, :general or :concat");
    return WRONG("form: '%.64s' is no form of %.*s", colon + 1, (int)length, text);
}

static int read_word(const char *text, enum kind kind, int64_t *number)
{
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (words[i].kind == kind && strcmp(words[i].word, text) == 0) {
            *number = words[i].number;
            return 1;
        }
    }
    return 0;
}

/* strtod alone would take blanks, hexadecimal, nan and inf. */
static int read_number(const char *text, double *number)
{
    char *end;

    if (text[0] == '\0' || text[strspn(text, "0123456789.eE+-")] != '\0')
        return 0;
    *number = strtod(text, &end);
    return *end == '\0' && isfinite(*number) && *number >= 0;
}

static int read_value(const char *text, int key, struct attune_spec_keys *spec)
{
    switch (keys[key].kind) {
    case EXTENT:
        return attune_integer_parse(text, 0, INT64_MAX, &spec->value[key]);
    case COUNT:
        return attune_integer_parse(text, 1, INT64_MAX, &spec->value[key]);
    case LIMIT:
        return attune_integer_parse(text, -1, INT64_MAX, &spec->value[key]);
    case FLAG:
        return attune_integer_parse(text, 0, 1, &spec->value[key]);
    case NUMBER:
        return read_number(text, &spec->softcap);
    default:
        return read_word(text, keys[key].kind, &spec->value[key]);
    }
}

static int find_key(const char *name, size_t length)
{
    int key = 0;

    while (key < SPEC_KEY_COUNT &&
           (strlen(keys[key].name) != length || strncmp(keys[key].name, name, length) != 0))
        key++;
    return key;
}

/* One "key=value"; `prepared` alone stands for prepared=1. */
static int read_item(const char *item, uint32_t known, struct attune_spec_keys *spec,
                     struct attune_trouble *trouble)
{
    const char *equals = strchr(item, '=');
    size_t length = equals != NULL ? (size_t)(equals - item) : strlen(item);
    int key = find_key(item, length);
    const char *value = equals != NULL ? equals + 1 : "";

    if (key == SPEC_KEY_COUNT)
        return WRONG("%.64s: no such key", item[0] != '\0' ? item : "an empty item");
    if ((known >> key & 1u) == 0)
        return WRONG("%s: this mechanism and form do not know it", keys[key].name);
    if (spec->given >> key & 1u)
        return WRONG("%s: is given twice", keys[key].name);
    if (equals == NULL && keys[key].kind == FLAG)
        value = "1";
    if (!read_value(value, key, spec))
        return WRONG("%s: '%.64s' is not a value of it", keys[key].name, value);
    spec->given |= 1u << key;
    return 0;
}

/* Splits at commas, in place. The mechanism is the item without '=' that names one: items come in
 * any order, so it is looked for first. */
static int read_items(char *text, struct attune_spec_keys *spec, struct attune_trouble *trouble)
{
    char *items[SPEC_KEY_COUNT + 2];
    int count = 0, mechanism = -1, row = 0;
    int code = 0;

    for (char *item = text; item != NULL; count++) {
        char *comma = strchr(item, ',');
        if (count == SPEC_KEY_COUNT + 2)
            return WRONG("spec: has more items than there are keys");
        if (comma != NULL)
            *comma++ = '\0';
        items[count] = item;
        if (mechanism < 0 && strchr(item, '=') == NULL && strcmp(item, "prepared") != 0)
            mechanism = count;
        item = comma;
    }
    if (mechanism < 0)
        return WRONG("mechanism: must be given, as in self:dot,t=1024,d=64");
    code = find_form(items[mechanism], &row, trouble);
    if (code != 0)
        return code;
    spec->mechanism = forms[row].mechanism;
    spec->form = forms[row].form;
    for (int i = 0; i < count && code == 0; i++) {
        if (i != mechanism)
            code = read_item(items[i], COMMON | forms[row].known, spec, trouble);
    }
    for (int key = 0; key < SPEC_KEY_COUNT && code == 0; key++) {
        if ((forms[row].required >> key & 1u) != 0 && (spec->given >> key & 1u) == 0)
            code = WRONG("%s: must be given", keys[key].name);
    }
    return code;
}

int attune_spec_parse(const char *text, struct attune_problem *problem,
                      struct attune_trouble *trouble)
{
    struct attune_spec_keys spec = {.given = 0};
    char *copy = strdup(text);
    int code;

    if (copy == NULL)
        return attune_trouble_memory(trouble, "spec");
    code = read_items(copy, &spec, trouble);
    free(copy);
    return code != 0 ? code : attune_spec_shape(&spec, problem, trouble);
}

const char *attune_spec_help(void)
{
    return "A SPEC is mechanism[:form],key=value,... in any order:\n"
           "  additive               h t|tq,tk a e; with d the projections of d columns too\n"
           "  multiplicative:dot     d e; also :general, and :concat with a\n"
           "  self[:dot]             h g t|tq,tk d e; with c (channels of x) the projections too\n"
           "  self:pairwise          c a e, s (state)\n"
           "  convolutional          c a width e; convolutional:location: d a f width e\n"
           "  recurrent              c n a e recurrence=scan|step\n"
           "and for all of them b causal=none|top_left|bottom_right past window_left window_right\n"
           "softcap dtype=f32|f16|bf16, kv=f32|f16|bf16|i8 (element type of keys and values) and\n"
           "prepared (keys made ready once) where there are such. Defaults: b, h 1, g = h,\n"
           "width 3, e and a the first given of d, a, n, c, dtype f32, kv = dtype.\n";
}
