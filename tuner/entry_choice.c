/* SPDX-License-Identifier: Apache-2.0
 *
 * Choices: their text, and whether a plan may take one. Nothing of a file is believed: a kernel is
 * looked up by name and revision, a tile must lie in its range, whatever wrote it.
 */
#include <string.h>

#include "arch/cpu.h"
#include "tuner/entry.h"
#include "tuner/text.h"

static const char *const verdict_words[] = {"tie", "win", NULL};
static const char *const effort_words[] = {"quick", "normal", "full", NULL};
static const char *const schedule_words[] = {"model", "even", "claimed", "weighted", NULL};

/* Numbers of a choice; `optional` ones are left out of the text where they are 0. */
static const struct choice_field {
    const char *name;
    size_t offset;
    int optional;
    const char *const *words;
    int32_t minimum, maximum;
} fields[] = {
#define AT(member) offsetof(struct attune_choice, member)
    {"speedup", AT(speedup), 0, NULL, 0, ATTUNE_CHOICE_RATIO_MAX},
    {"low", AT(low), 0, NULL, 0, ATTUNE_CHOICE_RATIO_MAX},
    {"high", AT(high), 0, NULL, 0, ATTUNE_CHOICE_RATIO_MAX},
    {"noise", AT(noise), 0, NULL, 0, ATTUNE_CHOICE_RATIO_MAX},
    {"effort", AT(effort), 0, effort_words, 0, ATTUNE_EFFORT_FULL},
    {"strip", AT(strip), 1, NULL, 1, ATTUNE_CHOICE_STRIP_MAX},
    {"q_block", AT(q_block), 1, NULL, 1, ATTUNE_CHOICE_Q_BLOCK_MAX},
    {"kv_block", AT(kv_block), 1, NULL, ATTUNE_KEY_STEP, ATTUNE_CHOICE_KV_BLOCK_MAX},
    {"kv_split", AT(kv_split), 1, NULL, ATTUNE_CHOICE_UNSPLIT, ATTUNE_CHOICE_KV_SPLIT_MAX},
    {"threads", AT(threads), 1, NULL, 1, ATTUNE_KEY_THREADS_MAX},
    {"schedule", AT(schedule), 1, schedule_words, 1, ATTUNE_SCHEDULE_WEIGHTED},
#undef AT
};
enum { FIELDS = sizeof fields / sizeof *fields };
#define DATE_MAX (INT64_C(1) << 40)

static int32_t get(const struct attune_choice *choice, const struct choice_field *field)
{
    int32_t value;
    memcpy(&value, (const char *)choice + field->offset, sizeof value);
    return value;
}

int attune_operation_tunable(enum attune_operation operation)
{
    return operation != ATTUNE_OP_PACK_KEYS && operation != ATTUNE_OP_PACK_VALUES &&
           operation != ATTUNE_OP_TILE && /* follows from score_dot, softmax and wsum */
           operation != ATTUNE_OP_PROBE_FMA && operation != ATTUNE_OP_PROBE_READ &&
           (unsigned)operation < ATTUNE_OP_COUNT;
}

size_t attune_choice_format(const struct attune_choice *choice, char *text, size_t size)
{
    size_t length = 0;
    attune_text_append(text, size, &length, "%s date=%lld", verdict_words[choice->verdict],
                       (long long)choice->date);
    for (int i = 0; i < FIELDS; i++) {
        const int32_t value = get(choice, &fields[i]);
        if (fields[i].optional && value == 0)
            continue;
        if (fields[i].words != NULL)
            attune_text_append(text, size, &length, " %s=%s", fields[i].name,
                               fields[i].words[value]);
        else
            attune_text_append(text, size, &length, " %s=%d", fields[i].name, value);
    }
    for (int i = 0; i < ATTUNE_OP_COUNT; i++)
        if (choice->kernel[i] != NULL)
            attune_text_append(text, size, &length, " kernel=%s@%d", choice->kernel[i]->name,
                               attune_operation_revision((enum attune_operation)i));
    return length;
}

static int parse_kernel(struct attune_span text, struct attune_choice *choice,
                        struct attune_fault *fault)
{
    struct attune_span name_text, revision_text;
    char name[64];
    int64_t revision;
    (void)attune_span_split(text, '@', &name_text, &revision_text);
    if (!attune_span_integer(revision_text, 1, INT32_MAX, &revision) ||
        name_text.length >= sizeof name)
        return attune_fault_set(fault, 0, "kernel: \"%.*s\" is not NAME@REVISION", ATTUNE_SPAN(text));
    memcpy(name, name_text.start, name_text.length);
    name[name_text.length] = '\0';
    const struct attune_kernel *kernel = attune_kernel_find(name);
    if (kernel == NULL || strlen(name) != name_text.length)
        return attune_fault_set(fault, 0, "kernel: this library has no \"%.*s\"",
                                ATTUNE_SPAN(name_text));
    const int current = attune_operation_revision(kernel->operation);
    if (revision != current)
        return attune_fault_set(fault, 0, "kernel: %s was tuned at revision %lld, it is now %d", name,
                                (long long)revision, current);
    if (choice->kernel[kernel->operation] != NULL)
        return attune_fault_set(fault, 0, "kernel: %s and %s are both for %s",
                                choice->kernel[kernel->operation]->name, name,
                                attune_operation_word(kernel->operation));
    choice->kernel[kernel->operation] = kernel;
    return 0;
}

static int parse_number(const struct choice_field *field, struct attune_span text, int32_t *value,
                        struct attune_fault *fault)
{
    int64_t number = 0;
    for (int i = 0; field->words != NULL && field->words[i] != NULL; i++)
        if (i >= field->minimum && attune_span_equals(text, field->words[i])) {
            *value = i;
            return 0;
        }
    if (field->words != NULL)
        return attune_fault_set(fault, 0, "%s: \"%.*s\" is not one of %s ... %s", field->name,
                                ATTUNE_SPAN(text), field->words[field->minimum],
                                field->words[field->maximum]);
    if (!attune_span_integer(text, field->minimum, field->maximum, &number) ||
        (field->optional && number == 0))
        return attune_fault_set(fault, 0, "%s: \"%.*s\" is not a whole number from %d to %d%s",
                                field->name, ATTUNE_SPAN(text), field->minimum, field->maximum,
                                field->optional && field->minimum < 0 ? ", without 0" : "");
    *value = (int32_t)number;
    return 0;
}

static int parse_field(struct attune_span word, struct attune_choice *choice, uint32_t *seen,
                       struct attune_fault *fault)
{
    struct attune_span name, text;
    int32_t value = 0;
    (void)attune_span_split(word, '=', &name, &text);
    if (attune_span_equals(name, "kernel"))
        return parse_kernel(text, choice, fault);
    for (int i = 0; i < FIELDS; i++) {
        if (!attune_span_equals(name, fields[i].name))
            continue;
        if (*seen >> i & 1u)
            return attune_fault_set(fault, 0, "%s: given twice", fields[i].name);
        *seen |= 1u << i;
        if (parse_number(&fields[i], text, &value, fault) != 0)
            return -1;
        memcpy((char *)choice + fields[i].offset, &value, sizeof value);
        return 0;
    }
    return attune_fault_set(fault, 0, "choice: \"%.*s\" is not a field of a choice",
                            ATTUNE_SPAN(name));
}

static int parse_head(struct attune_span *rest, struct attune_choice *choice,
                      struct attune_fault *fault)
{
    struct attune_span word = {rest->start, 0}, name, value;
    (void)attune_span_word(rest, &word);
    choice->verdict = attune_span_equals(word, "win") ? ATTUNE_VERDICT_WIN : ATTUNE_VERDICT_TIE;
    if (!attune_span_equals(word, verdict_words[choice->verdict]))
        return attune_fault_set(fault, 0, "verdict: \"%.*s\" is not win or tie", ATTUNE_SPAN(word));
    word.length = 0;
    (void)attune_span_word(rest, &word);
    (void)attune_span_split(word, '=', &name, &value);
    if (!attune_span_equals(name, "date") || !attune_span_integer(value, 0, DATE_MAX, &choice->date))
        return attune_fault_set(fault, 0, "date: \"%.*s\" is not date=SECONDS since 1970",
                                ATTUNE_SPAN(word));
    return 0;
}

int attune_choice_parse(const char *text, size_t length, struct attune_choice *choice,
                        struct attune_fault *fault)
{
    struct attune_span rest = {text, length}, word;
    uint32_t seen = 0;
    memset(choice, 0, sizeof *choice);
    if (parse_head(&rest, choice, fault) != 0)
        return -1;
    while (attune_span_word(&rest, &word))
        if (parse_field(word, choice, &seen, fault) != 0)
            return -1;
    for (int i = 0; i < FIELDS; i++)
        if (!fields[i].optional && !(seen >> i & 1u))
            return attune_fault_set(fault, 0, "%s: missing", fields[i].name);
    return 0;
}

static int check_ranges(const struct attune_choice *choice, struct attune_fault *fault)
{
    if (choice->verdict != ATTUNE_VERDICT_TIE && choice->verdict != ATTUNE_VERDICT_WIN)
        return attune_fault_set(fault, 0, "verdict: %d is not 0 (tie) or 1 (win)", choice->verdict);
    if (choice->date < 0 || choice->date > DATE_MAX)
        return attune_fault_set(fault, 0, "date: %lld is not in 0..%lld", (long long)choice->date,
                                (long long)DATE_MAX);
    for (int i = 0; i < FIELDS; i++) {
        const int32_t value = get(choice, &fields[i]);
        if (fields[i].optional && value == 0)
            continue;
        if (value < fields[i].minimum || value > fields[i].maximum)
            return attune_fault_set(fault, 0, "%s: %d is not in %d..%d", fields[i].name, value,
                                    fields[i].minimum, fields[i].maximum);
    }
    if (choice->low > choice->speedup || choice->speedup > choice->high)
        return attune_fault_set(fault, 0, "speedup: %d is not within its interval %d..%d",
                                choice->speedup, choice->low, choice->high);
    return 0;
}

static int check_tiles(const struct attune_key *key, const struct attune_choice *choice,
                       struct attune_fault *fault)
{
    const int32_t kv_block = choice->kv_block;
    if (kv_block % ATTUNE_KEY_STEP != 0)
        return attune_fault_set(fault, 0, "kv_block: %d is not a multiple of %d", kv_block,
                                ATTUNE_KEY_STEP);
    if (choice->strip != 0 && choice->q_block != 0 && choice->q_block % choice->strip != 0)
        return attune_fault_set(fault, 0, "q_block: %d is not a multiple of strip, %d",
                                choice->q_block, choice->strip);
    if (choice->kv_split > 0 && (kv_block == 0 || choice->kv_split % kv_block != 0))
        return attune_fault_set(fault, 0, "kv_split: %d is not a multiple of kv_block, %d",
                                choice->kv_split, kv_block);
    if (choice->kv_split > 0 && key->score == ATTUNE_KEY_LSTM)
        return attune_fault_set(fault, 0, "kv_split: %d, but an lstm passes its keys in order",
                                choice->kv_split);
    return 0;
}

/* Which scores an operation is for: bits 1 << enum attune_key_score. */
static unsigned scores_of(enum attune_operation operation)
{
    switch (operation) {
    case ATTUNE_OP_SCORE_DOT:
    case ATTUNE_OP_SCORE_ROWS:
        return 1u << ATTUNE_KEY_DOT;
    case ATTUNE_OP_SCORE_TANH:
    case ATTUNE_OP_SCORE_DIRECT:
    case ATTUNE_OP_FOLD:
    case ATTUNE_OP_EXPAND_ROWS:
    case ATTUNE_OP_EXPAND_PANELS:
        return 1u << ATTUNE_KEY_TANH;
    case ATTUNE_OP_LSTM:
        return 1u << ATTUNE_KEY_LSTM;
    default:
        return ~0u;
    }
}

enum attune_operation attune_operation_other(enum attune_operation operation)
{
    switch (operation) {
    case ATTUNE_OP_SCORE_DOT:
        return ATTUNE_OP_SCORE_ROWS;
    case ATTUNE_OP_SCORE_ROWS:
        return ATTUNE_OP_SCORE_DOT;
    case ATTUNE_OP_WSUM:
        return ATTUNE_OP_WSUM_ROWS;
    case ATTUNE_OP_WSUM_ROWS:
        return ATTUNE_OP_WSUM;
    default:
        return ATTUNE_OP_COUNT;
    }
}

int attune_operation_serves(enum attune_operation operation, int32_t score)
{
    return attune_operation_tunable(operation) && (scores_of(operation) >> score & 1u) != 0;
}

static int check_kernels(const struct attune_key *key, const struct attune_choice *choice,
                         uint32_t features, struct attune_fault *fault)
{
    for (int i = 0; i < ATTUNE_OP_COUNT; i++) {
        const struct attune_kernel *kernel = choice->kernel[i];
        if (kernel == NULL)
            continue;
        if ((int)kernel->operation != i || !attune_operation_tunable(kernel->operation))
            return attune_fault_set(fault, 0, "kernel: %s is not one to choose for %s", kernel->name,
                                    attune_operation_word((enum attune_operation)i));
        if (!(scores_of(kernel->operation) >> key->score & 1u))
            return attune_fault_set(fault, 0, "kernel: %s is not for this score kind", kernel->name);
        const enum attune_operation other = attune_operation_other(kernel->operation);
        if (other != ATTUNE_OP_COUNT && choice->kernel[other] != NULL)
            return attune_fault_set(fault, 0, "kernel: %s and %s are two forms of one operation",
                                    kernel->name, choice->kernel[other]->name);
        if ((i == ATTUNE_OP_SCORE_ROWS && kernel->dtype != key->dtype_k) ||
            (i == ATTUNE_OP_WSUM_ROWS && kernel->dtype != key->dtype_v))
            return attune_fault_set(fault, 0, "kernel: %s reads another type than the key's",
                                    kernel->name);
        if (!attune_kernel_usable(kernel, features))
            return attune_fault_set(fault, 0, "kernel: this CPU, or the ceiling in force, cannot run %s",
                                    kernel->name);
    }
    return 0;
}

/* The fields that a tier has; a tie and the model have none of them. */
static int check_tier(const struct attune_key *key, const struct attune_choice *choice,
                      struct attune_fault *fault)
{
    const int parallel = choice->threads != 0 || choice->schedule != 0;
    int core = choice->strip || choice->q_block || choice->kv_block || choice->kv_split;
    for (int i = 0; i < ATTUNE_OP_COUNT; i++)
        core |= choice->kernel[i] != NULL;
    if (choice->verdict == ATTUNE_VERDICT_TIE && (core || parallel))
        return attune_fault_set(fault, 0, "verdict: a tie keeps the default and names nothing else");
    if (key->tier == ATTUNE_KEY_CORE && parallel)
        return attune_fault_set(fault, 0, "threads and schedule: not of a core key");
    if (key->tier == ATTUNE_KEY_PARALLEL && core)
        return attune_fault_set(fault, 0, "kernels and tiles: not of a parallel key");
    if (choice->threads > key->threads)
        return attune_fault_set(fault, 0, "threads: %d is more than the key's %d", choice->threads,
                                key->threads);
    return 0;
}

int attune_choice_check(const struct attune_key *key, const struct attune_choice *choice,
                        uint32_t features, struct attune_fault *fault)
{
    if (attune_key_check(key, fault) != 0 || check_ranges(choice, fault) != 0 ||
        check_tier(key, choice, fault) != 0 || check_tiles(key, choice, fault) != 0)
        return -1;
    return check_kernels(key, choice, features, fault);
}
