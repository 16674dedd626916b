/* SPDX-License-Identifier: Apache-2.0
 *
 * Between a cache in memory and sections of files: what of a file enters, and what of this process is
 * written.
 */
#include <errno.h>

#include "tuner/cache_file.h"

int attune_cache_enter(struct attune_cache *cache, const struct attune_section *section,
                       enum attune_layer layer, int32_t *unusable, struct attune_fault *fault)
{
    const uint32_t features = attune_cpu_detect()->usable;
    struct attune_fault why;
    int entered = 0;
    *unusable = 0;
    for (size_t i = 0; i < section->count; i++) {
        const struct attune_line *line = &section->lines[i];
        struct attune_choice choice;
        struct attune_bar bar;
        if (line->kind == ATTUNE_LINE_BAR && attune_line_bar(line, &bar, NULL) == 0 &&
            !attune_cache_barred(cache, bar.kernel))
            attune_cache_bar(cache, bar.kernel, bar.reason, bar.date, layer);
        if (line->kind != ATTUNE_LINE_TUNED)
            continue;
        if (attune_line_choice(line, features, &choice, &why) == 0) {
            if (attune_cache_put(cache, &line->key, &choice, layer) != 0)
                return attune_fault_set(fault, 0, "no memory, or more than %d keys in all",
                                        ATTUNE_CACHE_ENTRIES_MAX);
            entered++;
        } else if ((*unusable)++ == 0 && fault != NULL) {
            *fault = why;
        }
    }
    return entered;
}

struct putting {
    struct attune_cache *cache;
    struct attune_section *section;
    int all;
    int changed; /* -1: no memory; -2: the section took no more */
};

static int put_line(struct putting *putting, const char *text)
{
    const int code = attune_section_enter(putting->section, text, ATTUNE_MERGE_REPLACE);
    if (putting->changed >= 0)
        putting->changed = code < 0 ? code : putting->changed + code;
    return code < 0;
}

static int put_tuned(void *user, const struct attune_cached *entry)
{
    struct putting *putting = user;
    char text[ATTUNE_CACHE_LINE_MAX];
    if (!putting->all && entry->layer != ATTUNE_LAYER_TUNED)
        return 0;
    (void)attune_line_tuned_text(&entry->key, &entry->choice, text, sizeof text);
    return put_line(putting, text);
}

static void put_bars(struct putting *putting)
{
    struct attune_bar bar;
    char text[ATTUNE_CACHE_LINE_MAX];
    for (int i = 0; attune_cache_bar_at(putting->cache, i, &bar); i++)
        if (putting->all || bar.layer == ATTUNE_LAYER_TUNED) {
            (void)attune_line_bar_text(&bar, text, sizeof text);
            (void)put_line(putting, text);
        }
    for (size_t i = putting->section->count; i-- > 0;)
        if (attune_line_bar(&putting->section->lines[i], &bar, NULL) == 0 &&
            attune_cache_lifted(putting->cache, bar.kernel)) {
            attune_section_remove(putting->section, i);
            putting->changed += putting->changed >= 0;
        }
}

static void put_missed(struct putting *putting)
{
    struct attune_missed missed;
    char text[ATTUNE_CACHE_LINE_MAX];
    for (int i = 0; attune_cache_missed_at(putting->cache, i, &missed); i++) {
        (void)attune_line_missed_text(&missed, text, sizeof text);
        (void)put_line(putting, text);
    }
}

static int put_into(void *user, struct attune_document *doc, struct attune_fault *fault)
{
    struct putting *putting = user;
    putting->section = attune_document_section(doc, attune_fingerprint_get()->text);
    if (putting->section == NULL)
        return attune_fault_set(fault, ENOMEM, "no memory");
    if (attune_cache_each(putting->cache, put_tuned, putting) != 0 && putting->changed >= 0)
        putting->changed = -1;
    put_bars(putting);
    if (!putting->all)
        put_missed(putting);
    if (putting->changed == -1)
        return attune_fault_set(fault, ENOMEM, "no memory");
    if (putting->changed < 0)
        return attune_fault_set(fault, 0, "more than %d lines of one machine",
                                ATTUNE_CACHE_ENTRIES_MAX);
    return putting->changed > 0;
}

int attune_cache_file_save(struct attune_cache *cache, const char *path, int flags,
                           struct attune_fault *fault)
{
    struct putting putting = {.cache = cache, .all = (flags & ATTUNE_CACHE_ALL) != 0};
    const int code = attune_cache_file_update(path, flags, put_into, &putting, fault);
    if (code >= 0 && !putting.all)
        attune_cache_missed_clear(cache);
    return code;
}

char *attune_cache_text(struct attune_cache *cache, size_t *size, struct attune_fault *fault)
{
    struct putting putting = {.cache = cache, .all = 1};
    struct attune_document doc = {0};
    char *text = NULL;
    if (put_into(&putting, &doc, fault) >= 0)
        text = attune_document_write(&doc, size, fault);
    attune_document_free(&doc);
    return text;
}

/* Every line is sound, and this library can take each choice on this machine. */
int attune_cache_check_document(const struct attune_document *doc, struct attune_fault *fault)
{
    const struct attune_section *section =
        attune_document_find(doc, attune_fingerprint_get()->text);
    const uint32_t features = attune_cpu_detect()->usable;
    struct attune_choice choice;
    struct attune_bar bar;
    struct attune_fault why;
    for (size_t i = 0; i < doc->count; i++)
        if (!attune_section_whole(&doc->sections[i]))
            return attune_fault_set(fault, 0, "section %zu: %d lines are damaged%s", i + 1,
                                    doc->sections[i].damaged,
                                    doc->sections[i].ended ? "" : ", and the end is missing");
    if (section == NULL)
        return attune_fault_set(fault, 0, "holds nothing of this machine (%s)",
                                attune_fingerprint_get()->digest);
    for (size_t i = 0; i < section->count; i++) {
        const struct attune_line *line = &section->lines[i];
        if ((line->kind == ATTUNE_LINE_TUNED &&
             attune_line_choice(line, features, &choice, &why) != 0) ||
            (line->kind == ATTUNE_LINE_BAR && attune_line_bar(line, &bar, &why) != 0))
            return attune_fault_set(fault, 0, "entry %zu: %s", i + 1, why.text);
    }
    return 0;
}
