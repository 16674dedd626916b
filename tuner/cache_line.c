/* SPDX-License-Identifier: Apache-2.0
 *
 * What single lines of a cache file say, and how they are said. Knows nothing of the lines around.
 */
#include <string.h>

#include "tuner/cache_text.h"

static size_t say_key(const char *kind, const struct attune_key *key, char *text, size_t size)
{
    char words[ATTUNE_KEY_TEXT];
    size_t length = 0;
    (void)attune_key_format(key, words, sizeof words);
    attune_text_append(text, size, &length, "%s %s : ", kind, words);
    return length;
}

size_t attune_line_tuned_text(const struct attune_key *key, const struct attune_choice *choice,
                              char *text, size_t size)
{
    char words[ATTUNE_CHOICE_TEXT];
    size_t length = say_key("tuned", key, text, size);
    (void)attune_choice_format(choice, words, sizeof words);
    attune_text_append(text, size, &length, "%s", words);
    return length;
}

size_t attune_line_bar_text(const struct attune_bar *bar, char *text, size_t size)
{
    size_t length = 0;
    attune_text_append(text, size, &length, "bar %s %d date=%lld %s", bar->kernel->name,
                       attune_operation_revision(bar->kernel->operation), (long long)bar->date,
                       bar->reason);
    return length;
}

size_t attune_line_missed_text(const struct attune_missed *missed, char *text, size_t size)
{
    size_t length = say_key("missed", &missed->key, text, size);
    attune_text_append(text, size, &length, "count=%lld date=%lld", (long long)missed->count,
                       (long long)missed->date);
    return length;
}

int attune_line_choice(const struct attune_line *line, uint32_t features,
                       struct attune_choice *choice, struct attune_fault *fault)
{
    if (line->kind != ATTUNE_LINE_TUNED)
        return attune_fault_set(fault, 0, "line: not a tuned one");
    if (attune_choice_parse(line->value.start, line->value.length, choice, fault) != 0)
        return -1;
    return attune_choice_check(&line->key, choice, features, fault);
}

/* Takes "NAME=number" off `rest`. */
static int take_number(struct attune_span *rest, const char *name, int64_t *value)
{
    struct attune_span word, before, after;
    return attune_span_word(rest, &word) && attune_span_split(word, '=', &before, &after) &&
           attune_span_equals(before, name) &&
           attune_span_integer(after, 0, INT64_C(1) << 40, value);
}

int attune_line_bar(const struct attune_line *line, struct attune_bar *bar,
                    struct attune_fault *fault)
{
    const char *after = line->value.start + line->value.length;
    struct attune_span rest = {after, strlen(after)}, word;
    char name[64];
    int64_t revision = 0;
    *bar = (struct attune_bar){0};
    (void)attune_span_word(&rest, &word); /* the blank behind the name */
    if (line->kind != ATTUNE_LINE_BAR || !attune_span_word(&rest, &word) ||
        !attune_span_integer(word, 1, INT32_MAX, &revision) ||
        !take_number(&rest, "date", &bar->date) || line->value.length >= sizeof name)
        return attune_fault_set(fault, 0, "bar: not NAME REVISION date=SECONDS REASON");
    memcpy(name, line->value.start, line->value.length);
    name[line->value.length] = '\0';
    bar->kernel = attune_kernel_find(name);
    if (bar->kernel == NULL)
        return attune_fault_set(fault, 0, "bar: this library has no \"%s\"", name);
    if (revision != attune_operation_revision(bar->kernel->operation))
        return attune_fault_set(fault, 0, "bar: %s failed at revision %lld, it is now %d", name,
                                (long long)revision,
                                attune_operation_revision(bar->kernel->operation));
    const size_t fits = rest.length < sizeof bar->reason ? rest.length : sizeof bar->reason - 1;
    memcpy(bar->reason, rest.start, fits);
    return 0;
}

int attune_line_missed(const struct attune_line *line, struct attune_missed *missed,
                       struct attune_fault *fault)
{
    struct attune_span rest = line->value;
    *missed = (struct attune_missed){.key = line->key};
    if (line->kind != ATTUNE_LINE_MISSED || !take_number(&rest, "count", &missed->count) ||
        !take_number(&rest, "date", &missed->date))
        return attune_fault_set(fault, 0, "missed: not KEY : count=N date=SECONDS");
    return 0;
}
