/* SPDX-License-Identifier: Apache-2.0
 *
 * Between a cache in memory and sections of files: what of a file enters, and what of this process is
 * written.
 */
#include <string.h>

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

struct saving {
    struct attune_cache *cache;
    struct attune_section *section;
    int changed; /* -1: the section took no more */
};

static int put_line(struct saving *saving, const char *text)
{
    const int code = attune_section_put(saving->section, text, ATTUNE_MERGE_REPLACE);
    saving->changed = code < 0 || saving->changed < 0 ? -1 : saving->changed + code;
    return code < 0;
}

static int put_tuned(void *user, const struct attune_cached *entry)
{
    char text[ATTUNE_CACHE_LINE_MAX];
    if (entry->layer != ATTUNE_LAYER_TUNED)
        return 0;
    (void)attune_line_tuned_text(&entry->key, &entry->choice, text, sizeof text);
    return put_line(user, text);
}

/* Bars that were found in this process, and those that it lifted. */
static void put_bars(struct saving *saving)
{
    struct attune_bar bar;
    char text[ATTUNE_CACHE_LINE_MAX];
    for (int i = 0; attune_cache_bar_at(saving->cache, i, &bar); i++)
        if (bar.layer == ATTUNE_LAYER_TUNED) {
            (void)attune_line_bar_text(&bar, text, sizeof text);
            (void)put_line(saving, text);
        }
    for (size_t i = saving->section->count; i-- > 0;)
        if (attune_line_bar(&saving->section->lines[i], &bar, NULL) == 0 &&
            attune_cache_lifted(saving->cache, bar.kernel)) {
            attune_section_remove(saving->section, i);
            saving->changed += saving->changed >= 0;
        }
}

static int save_into(void *user, struct attune_document *doc, struct attune_fault *fault)
{
    struct saving *saving = user;
    struct attune_missed missed;
    char text[ATTUNE_CACHE_LINE_MAX];
    const char *machine = attune_fingerprint_get()->text;
    saving->section = attune_document_section(doc, machine);
    if (saving->section == NULL)
        return attune_fault_set(fault, 0, "no memory");
    if (attune_cache_each(saving->cache, put_tuned, saving) != 0)
        saving->changed = -1;
    put_bars(saving);
    for (int i = 0; attune_cache_missed_at(saving->cache, i, &missed); i++) {
        (void)attune_line_missed_text(&missed, text, sizeof text);
        (void)put_line(saving, text);
    }
    if (saving->changed < 0)
        return attune_fault_set(fault, 0, "no memory, or more than %d lines of one machine",
                                ATTUNE_CACHE_ENTRIES_MAX);
    return saving->changed > 0;
}

int attune_cache_save(struct attune_cache *cache, const char *path, int flags,
                      struct attune_fault *fault)
{
    struct saving saving = {.cache = cache};
    const int code = attune_cache_file_update(path, flags, save_into, &saving, fault);
    if (code >= 0)
        attune_cache_missed_clear(cache);
    return code;
}
