/* SPDX-License-Identifier: Apache-2.0
 *
 * Lines entering a section: what they are about, and which of two about the same stays.
 */
#include <stdlib.h>
#include <string.h>

#include "tuner/cache_text.h"

/* What a line is about; anything not understood is ATTUNE_LINE_OTHER and about nothing but itself. */
static void classify(struct attune_line *line)
{
    struct attune_span rest = {line->text, strlen(line->text)}, word = rest;
    line->kind = ATTUNE_LINE_OTHER;
    line->value = rest;
    (void)attune_span_word(&rest, &word);
    if (attune_span_equals(word, "bar")) {
        if (attune_span_word(&rest, &line->value) && line->value.length > 0)
            line->kind = ATTUNE_LINE_BAR;
        return;
    }
    const int missed = attune_span_equals(word, "missed");
    const char *colon = strstr(rest.start, " : ");
    if ((!missed && !attune_span_equals(word, "tuned")) || colon == NULL ||
        attune_key_parse(rest.start, (size_t)(colon - rest.start), &line->key, NULL) != 0)
        return;
    line->kind = missed ? ATTUNE_LINE_MISSED : ATTUNE_LINE_TUNED;
    line->value = (struct attune_span){colon + 3, strlen(colon + 3)};
}

static int same_subject(const struct attune_line *a, const struct attune_line *b)
{
    if (a->kind != b->kind)
        return 0;
    if (a->kind == ATTUNE_LINE_TUNED || a->kind == ATTUNE_LINE_MISSED)
        return attune_key_equal(&a->key, &b->key);
    if (a->kind == ATTUNE_LINE_BAR)
        return a->value.length == b->value.length &&
               memcmp(a->value.start, b->value.start, a->value.length) == 0;
    return strcmp(a->text, b->text) == 0;
}

/* Whether what `line` found is to be preferred to `there`. Lines that this library cannot use lose to
 * those that it can; what only another can judge, the newcomer wins. */
static int better(const struct attune_line *line, const struct attune_line *there)
{
    struct attune_choice a, b;
    const int good_a = attune_line_choice(line, ~0u, &a, NULL) == 0;
    const int good_b = attune_line_choice(there, ~0u, &b, NULL) == 0;
    if (!good_a || !good_b)
        return good_a || !good_b;
    return a.effort != b.effort ? a.effort > b.effort : a.date > b.date;
}

/* The counts of both, and the later date. */
static char *add_missed(const struct attune_line *line, const struct attune_line *there)
{
    struct attune_missed a, b;
    char text[ATTUNE_CACHE_LINE_MAX];
    if (attune_line_missed(line, &a, NULL) != 0)
        return strdup(there->text);
    if (attune_line_missed(there, &b, NULL) == 0) {
        a.count = a.count + b.count < INT64_C(1) << 40 ? a.count + b.count : INT64_C(1) << 40;
        a.date = a.date > b.date ? a.date : b.date;
    }
    (void)attune_line_missed_text(&a, text, sizeof text);
    return strdup(text);
}

void attune_section_remove(struct attune_section *section, size_t index)
{
    free(section->lines[index].text);
    section->count--;
    memmove(&section->lines[index], &section->lines[index + 1],
            (section->count - index) * sizeof *section->lines);
}

static int append(struct attune_section *section, struct attune_line *line)
{
    if (section->count >= ATTUNE_CACHE_ENTRIES_MAX)
        return -2;
    if (section->count == section->capacity) {
        const size_t capacity = section->capacity > 0 ? 2 * section->capacity : 16;
        struct attune_line *more = realloc(section->lines, capacity * sizeof *more);
        if (more == NULL)
            return -1;
        section->lines = more;
        section->capacity = capacity;
    }
    section->lines[section->count++] = *line;
    line->text = NULL;
    return 1;
}

static int replace(struct attune_section *section, size_t index, struct attune_line *line,
                   enum attune_merge merge)
{
    struct attune_line *there = &section->lines[index];
    if (strcmp(there->text, line->text) == 0 && line->kind != ATTUNE_LINE_MISSED)
        return 0;
    if (line->kind == ATTUNE_LINE_MISSED) {
        char *sum = add_missed(line, there);
        if (sum == NULL)
            return -1;
        free(line->text);
        line->text = sum;
        classify(line);
    } else if (line->kind == ATTUNE_LINE_TUNED && merge == ATTUNE_MERGE_BETTER &&
               !better(line, there)) {
        return 0;
    }
    /* The caller frees what is left in `line`. */
    const struct attune_line old = *there;
    *there = *line;
    *line = old;
    return 1;
}

static void remove_missed(struct attune_section *section, const struct attune_key *key)
{
    for (size_t i = section->count; i-- > 0;)
        if (section->lines[i].kind == ATTUNE_LINE_MISSED &&
            attune_key_equal(&section->lines[i].key, key))
            attune_section_remove(section, i);
}

int attune_section_put(struct attune_section *section, const char *text, enum attune_merge merge)
{
    struct attune_line line = {.text = strdup(text)};
    if (line.text == NULL)
        return -1;
    classify(&line);
    size_t at = 0;
    while (at < section->count && !same_subject(&section->lines[at], &line))
        at++;
    const struct attune_key key = line.key;
    const int tuned = line.kind == ATTUNE_LINE_TUNED;
    const int code = at < section->count ? replace(section, at, &line, merge)
                                         : append(section, &line);
    free(line.text);
    if (code >= 0 && tuned)
        remove_missed(section, &key);
    return code;
}

/* The missed key that was asked for longest ago; 0: there is none. */
static int forget_missed(struct attune_section *section)
{
    struct attune_missed missed;
    size_t oldest = section->count;
    int64_t date = INT64_MAX;
    for (size_t i = 0; i < section->count; i++)
        if (attune_line_missed(&section->lines[i], &missed, NULL) == 0 && missed.date < date) {
            oldest = i;
            date = missed.date;
        }
    if (oldest < section->count)
        attune_section_remove(section, oldest);
    return date < INT64_MAX;
}

int attune_section_enter(struct attune_section *section, const char *text, enum attune_merge merge)
{
    const int code = attune_section_put(section, text, merge);
    return code == -2 && forget_missed(section) ? attune_section_put(section, text, merge) : code;
}

int attune_section_merge(struct attune_section *section, const struct attune_section *from)
{
    int changed = 0;
    for (size_t i = 0; i < from->count; i++) {
        const int code = attune_section_enter(section, from->lines[i].text, ATTUNE_MERGE_BETTER);
        if (code < 0)
            return code;
        changed += code;
    }
    return changed;
}
