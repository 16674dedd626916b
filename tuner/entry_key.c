/* SPDX-License-Identifier: Apache-2.0
 *
 * Keys: their classes, order, distance and text. One table holds a key's fields; text, checks and
 * messages follow from it.
 */
#include <stdlib.h>
#include <string.h>

#include "arch/cpu.h"
#include "tuner/entry.h"
#include "tuner/text.h"

_Static_assert(sizeof(struct attune_key) == 18 * 4, "keys are compared and hashed as memory");

static const char *const tier_words[] = {"core", "parallel", NULL};
static const char *const score_words[] = {"dot", "tanh", "lstm", NULL};
static const char *const mask_words[] = {"none", "causal", "window", "arbitrary", NULL};
static const char *const isa_words[] = {"scalar", "avx2", "avx512", "neon", NULL};
static const char *const dtype_words[] = {"", "f32", "f16", "bf16", "i8", NULL};

/* Which keys have a field. */
enum { DOT = 1, TANH = 2, LSTM = 4, ANY = DOT | TANH | LSTM, PARALLEL = 8, CORE = 16 };
enum form { NUMBER, LENGTH_CLASS, DIGEST, DIGEST_OR_NONE /* 0 is not written */ };

static const struct key_field {
    const char *name;
    size_t offset;
    unsigned of;
    enum form form;
    const char *const *words; /* the value is an index into them; NULL: a number */
    int32_t minimum, maximum;
} fields[] = {
#define AT(member) offsetof(struct attune_key, member)
    {"q", AT(dtype_q), ANY, NUMBER, dtype_words, 1, 4},
    {"k", AT(dtype_k), ANY, NUMBER, dtype_words, 1, 4},
    {"v", AT(dtype_v), ANY, NUMBER, dtype_words, 1, 4},
    {"d", AT(d), DOT, NUMBER, NULL, 1, ATTUNE_KEY_WIDTH_MAX},
    {"a", AT(a), TANH | LSTM, NUMBER, NULL, 1, ATTUNE_KEY_WIDTH_MAX},
    {"n", AT(n), LSTM, NUMBER, NULL, 1, ATTUNE_KEY_WIDTH_MAX},
    {"e", AT(e), ANY, NUMBER, NULL, 1, ATTUNE_KEY_WIDTH_MAX},
    {"tq", AT(class_q), ANY, LENGTH_CLASS, NULL, 0, ATTUNE_KEY_CLASS_MAX},
    {"tk", AT(class_k), ANY, LENGTH_CLASS, NULL, 0, ATTUNE_KEY_CLASS_MAX},
    {"group", AT(group), ANY, NUMBER, NULL, 1, ATTUNE_KEY_WIDTH_MAX},
    {"mask", AT(mask), ANY, NUMBER, mask_words, 0, 3},
    {"isa", AT(isa), ANY, NUMBER, isa_words, 0, 3},
    {"prepared", AT(prepared), ANY, NUMBER, NULL, 0, 1},
    {"units", AT(class_units), PARALLEL, LENGTH_CLASS, NULL, 0, ATTUNE_KEY_CLASS_MAX},
    {"threads", AT(threads), PARALLEL, NUMBER, NULL, 1, ATTUNE_KEY_THREADS_MAX},
    {"topology", AT(cores), PARALLEL, DIGEST, NULL, 0, 0},
    {"kind", AT(cores), CORE, DIGEST_OR_NONE, NULL, 0, 0},
#undef AT
};
enum { FIELDS = sizeof fields / sizeof *fields };

static int32_t get(const struct attune_key *key, const struct key_field *field)
{
    int32_t value;
    memcpy(&value, (const char *)key + field->offset, sizeof value);
    return value;
}

static int has(const struct attune_key *key, const struct key_field *field)
{
    const unsigned tier = key->tier == ATTUNE_KEY_PARALLEL ? PARALLEL : CORE;
    return (field->of & (1u << key->score | tier)) != 0;
}

/* floor(2^bits * log2(x)), bits <= 3: the fraction comes from squaring, a binary digit each time. */
static int32_t log2_scaled(int64_t x, int bits)
{
    if (x <= 1)
        return 0;
    int32_t result = 63 - __builtin_clzll((uint64_t)x);
    unsigned __int128 mantissa = (unsigned __int128)(uint64_t)x << (62 - result); /* 1.0 is 2^62 */
    for (int i = 0; i < bits; i++) {
        mantissa = mantissa * mantissa >> 62;
        const int carry = mantissa >> 63 != 0;
        mantissa >>= carry;
        result = 2 * result + carry;
    }
    return result;
}

int32_t attune_key_class(int64_t t)
{
    const int32_t value = log2_scaled(t, 1);
    return value < ATTUNE_KEY_CLASS_MAX ? value : ATTUNE_KEY_CLASS_MAX;
}

int64_t attune_key_class_floor(int32_t class_of_t)
{
    if (class_of_t <= 0)
        return 1;
    int64_t t = INT64_C(1) << class_of_t / 2;
    if (class_of_t % 2 == 0)
        return t;
    /* The smallest t with t^2 >= 2^class: between t and 2t. */
    int64_t low = t, high = 2 * t;
    while (high - low > 1) {
        const int64_t middle = low + (high - low) / 2;
        if ((unsigned __int128)middle * (unsigned __int128)middle >> class_of_t != 0)
            high = middle;
        else
            low = middle;
    }
    return high;
}

int32_t attune_key_width(int64_t width)
{
    return width < ATTUNE_KEY_WIDTH_MAX ? (int32_t)width : ATTUNE_KEY_WIDTH_MAX;
}

enum attune_key_isa attune_key_isa(uint32_t features)
{
    if ((features & ATTUNE_REQUIRES_AVX512) == ATTUNE_REQUIRES_AVX512)
        return ATTUNE_KEY_AVX512;
    if ((features & ATTUNE_REQUIRES_AVX2) == ATTUNE_REQUIRES_AVX2)
        return ATTUNE_KEY_AVX2;
    return (features & ATTUNE_REQUIRES_NEON) != 0 ? ATTUNE_KEY_NEON : ATTUNE_KEY_SCALAR;
}

const char *attune_key_isa_word(int32_t isa)
{
    return isa >= 0 && isa <= ATTUNE_KEY_NEON ? isa_words[isa] : NULL;
}

int attune_key_equal(const struct attune_key *a, const struct attune_key *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

/* Each word is mixed by a multiplication whose high half comes back: about 10 ns for a key. */
uint64_t attune_key_hash(const struct attune_key *key)
{
    uint64_t hash = UINT64_C(0x9E3779B97F4A7C15), pair;
    for (size_t i = 0; i < sizeof *key / sizeof pair; i++) {
        memcpy(&pair, (const char *)key + i * sizeof pair, sizeof pair);
        hash = (hash ^ pair) * UINT64_C(0xD6E8FEB86659FD93);
        hash ^= hash >> 32;
    }
    return hash;
}

int attune_key_compare(const struct attune_key *a, const struct attune_key *b)
{
    if (a->tier != b->tier)
        return a->tier < b->tier ? -1 : 1;
    if (a->score != b->score)
        return a->score < b->score ? -1 : 1;
    for (int i = 0; i < FIELDS; i++) {
        const int32_t x = get(a, &fields[i]), y = get(b, &fields[i]);
        if (x != y)
            return x < y ? -1 : 1;
    }
    return 0;
}

static int few_rows(const struct attune_key *key)
{
    return attune_key_class_floor(key->class_q) * key->group <= ATTUNE_KEY_FEW_ROWS;
}

static int32_t apart(int32_t x, int32_t y)
{
    return abs(log2_scaled(x, 3) - log2_scaled(y, 3));
}

int32_t attune_key_distance(const struct attune_key *a, const struct attune_key *b)
{
    if (a->tier != b->tier || a->score != b->score || a->mask != b->mask || a->isa != b->isa ||
        a->dtype_q != b->dtype_q || a->dtype_k != b->dtype_k || a->dtype_v != b->dtype_v ||
        a->prepared != b->prepared || a->threads != b->threads || a->cores != b->cores ||
        few_rows(a) != few_rows(b))
        return -1;
    const int32_t lengths = abs(a->class_q - b->class_q) + abs(a->class_k - b->class_k) +
                            abs(a->class_units - b->class_units);
    const int32_t widths =
        apart(a->d, b->d) + apart(a->e, b->e) + apart(a->a, b->a) + apart(a->n, b->n);
    return 4 * lengths + 2 * widths + apart(a->group, b->group);
}

size_t attune_key_format(const struct attune_key *key, char *text, size_t size)
{
    size_t length = 0;
    attune_text_append(text, size, &length, "%s %s", tier_words[key->tier],
                       score_words[key->score]);
    for (int i = 0; i < FIELDS; i++) {
        const struct key_field *field = &fields[i];
        if (!has(key, field))
            continue;
        const int32_t value = get(key, field);
        if (field->form == DIGEST_OR_NONE && value == 0)
            continue;
        attune_text_append(text, size, &length, " %s=", field->name);
        if (field->words != NULL)
            attune_text_append(text, size, &length, "%s", field->words[value]);
        else if (field->form >= DIGEST)
            attune_text_append(text, size, &length, "%08x", (unsigned)value);
        else
            attune_text_append(text, size, &length, "%lld",
                               field->form == LENGTH_CLASS
                                   ? (long long)attune_key_class_floor(value)
                                   : (long long)value);
    }
    return length;
}

static int find_word(const char *const *words, struct attune_span span)
{
    for (int i = 0; words[i] != NULL; i++)
        if (span.length > 0 && attune_span_equals(span, words[i]))
            return i;
    return -1;
}

static int word_fault(const char *name, struct attune_span value, const char *const *words,
                      struct attune_fault *fault)
{
    char list[80];
    size_t length = 0;
    for (int i = 0; words[i] != NULL; i++)
        if (words[i][0] != '\0')
            attune_text_append(list, sizeof list, &length, "%s%s", length > 0 ? ", " : "", words[i]);
    return attune_fault_set(fault, 0, "%s: \"%.*s\" is not one of %s", name, ATTUNE_SPAN(value), list);
}

static int parse_value(const struct key_field *field, struct attune_span text,
                       struct attune_key *key, struct attune_fault *fault)
{
    int64_t number = 0;
    int32_t value = 0;
    uint32_t digest = 0;
    if (field->words != NULL) {
        value = find_word(field->words, text);
        if (value < 0)
            return word_fault(field->name, text, field->words, fault);
    } else if (field->form >= DIGEST) {
        if (!attune_span_hex(text, &digest) || (field->form == DIGEST_OR_NONE && digest == 0))
            return attune_fault_set(fault, 0, "%s: \"%.*s\" is not eight digits 0-9a-f%s", field->name,
                                    ATTUNE_SPAN(text), field->form == DIGEST ? "" : ", not all 0");
        memcpy(&value, &digest, sizeof value);
    } else if (field->form == LENGTH_CLASS) {
        if (attune_span_integer(text, 1, INT64_C(1) << ATTUNE_KEY_CLASS_MAX / 2, &number))
            value = attune_key_class(number);
        if (number == 0 || attune_key_class_floor(value) != number)
            return attune_fault_set(fault, 0,
                                    "%s: \"%.*s\" is not the smallest length of a class (1, 2, 3, "
                                    "4, 6, 8, 12, 16, 23, ... 1024, 1449, ...)",
                                    field->name, ATTUNE_SPAN(text));
    } else {
        if (!attune_span_integer(text, field->minimum, field->maximum, &number))
            return attune_fault_set(fault, 0, "%s: \"%.*s\" is not a whole number from %d to %d",
                                    field->name, ATTUNE_SPAN(text), field->minimum, field->maximum);
        value = (int32_t)number;
    }
    memcpy((char *)key + field->offset, &value, sizeof value);
    return 0;
}

static int parse_field(struct attune_span word, struct attune_key *key, uint32_t *seen,
                       struct attune_fault *fault)
{
    struct attune_span name, value;
    (void)attune_span_split(word, '=', &name, &value);
    for (int i = 0; i < FIELDS; i++) {
        if (!attune_span_equals(name, fields[i].name) || !has(key, &fields[i]))
            continue;
        if (*seen >> i & 1u)
            return attune_fault_set(fault, 0, "%s: given twice", fields[i].name);
        *seen |= 1u << i;
        return parse_value(&fields[i], value, key, fault);
    }
    return attune_fault_set(fault, 0, "key: \"%.*s\" is not a field of a %s %s key", ATTUNE_SPAN(name),
                            tier_words[key->tier], score_words[key->score]);
}

int attune_key_parse(const char *text, size_t length, struct attune_key *key,
                     struct attune_fault *fault)
{
    struct attune_span rest = {text, length}, word = {text, 0};
    uint32_t seen = 0;
    memset(key, 0, sizeof *key);
    (void)attune_span_word(&rest, &word);
    if ((key->tier = find_word(tier_words, word)) < 0)
        return word_fault("tier", word, tier_words, fault);
    word.length = 0;
    (void)attune_span_word(&rest, &word);
    if ((key->score = find_word(score_words, word)) < 0)
        return word_fault("score", word, score_words, fault);
    while (attune_span_word(&rest, &word))
        if (parse_field(word, key, &seen, fault) != 0)
            return -1;
    for (int i = 0; i < FIELDS; i++)
        if (has(key, &fields[i]) && fields[i].form != DIGEST_OR_NONE && !(seen >> i & 1u))
            return attune_fault_set(fault, 0, "%s: missing, a %s %s key has it", fields[i].name,
                                    tier_words[key->tier], score_words[key->score]);
    return 0;
}

int attune_key_check(const struct attune_key *key, struct attune_fault *fault)
{
    if (key->tier < 0 || key->tier > ATTUNE_KEY_PARALLEL)
        return attune_fault_set(fault, 0, "tier: %d is not 0 or 1", key->tier);
    if (key->score < 0 || key->score > ATTUNE_KEY_LSTM)
        return attune_fault_set(fault, 0, "score: %d is not in 0..2", key->score);
    for (int i = 0; i < FIELDS; i++) {
        const struct key_field *field = &fields[i];
        const int32_t value = get(key, field);
        if (field->form >= DIGEST) /* one word, of either tier */
            continue;
        if (!has(key, field) && value != 0)
            return attune_fault_set(fault, 0, "%s: %d, but a %s %s key has none", field->name, value,
                                    tier_words[key->tier], score_words[key->score]);
        if (has(key, field) && field->form == LENGTH_CLASS && value == 1)
            return attune_fault_set(fault, 0, "%s: no length has class 1", field->name);
        if (has(key, field) && (value < field->minimum || value > field->maximum))
            return attune_fault_set(fault, 0, "%s: %d is not in %d..%d", field->name, value,
                                    field->minimum, field->maximum);
    }
    return 0;
}
