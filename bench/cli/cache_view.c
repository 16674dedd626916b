/* SPDX-License-Identifier: Apache-2.0
 *
 * Rows of tuned choices: read, judged as a context judges them, and put in the order of keys within
 * their files. Shows nothing.
 */
#include "bench/cli/cache.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int attune_cache_trouble(struct attune_trouble *trouble, const struct attune_fault *fault)
{
    const int absent = fault->system == ENOENT || fault->system == ENOTDIR;
    return attune_trouble_set(trouble,
                              fault->system != 0 && !absent ? ATTUNE_EXIT_SYSTEM : ATTUNE_EXIT_USE,
                              "%s", fault->text);
}

int attune_cache_document_open(const char *path, struct attune_document *doc,
                               struct attune_trouble *trouble)
{
    struct attune_fault fault = {0};
    if (attune_cache_file_parse(path, doc, &fault) == 0)
        return 0;
    attune_document_free(doc);
    return attune_cache_trouble(trouble, &fault);
}

static void judge(struct attune_cache_row *row, const struct attune_cache *cache)
{
    const struct attune_line *line = row->line;
    const uint32_t features = row->machine == NULL ? attune_cpu_detect()->usable : ~0u;
    struct attune_fault why = {0};
    int code = -1;
    if (line->kind == ATTUNE_LINE_TUNED)
        code = attune_line_choice(line, features, &row->of.choice, &why);
    else if (line->kind == ATTUNE_LINE_BAR)
        code = attune_line_bar(line, &row->of.bar, &why);
    else if (line->kind == ATTUNE_LINE_MISSED)
        code = attune_line_missed(line, &row->of.missed, &why);
    else
        (void)attune_fault_set(&why, 0, "this version does not know such a line");
    row->usable = code == 0;
    (void)snprintf(row->why, sizeof row->why, "%s", row->usable ? "" : why.text);
    if (!row->usable || line->kind != ATTUNE_LINE_TUNED || row->machine != NULL)
        return;
    const struct attune_cached *found = attune_cache_find(cache, &line->key);
    row->in_force = found != NULL && found->layer == row->layer;
    if (found != NULL && !row->in_force)
        (void)snprintf(row->why, sizeof row->why, "the %s layer has the same key and comes first",
                       attune_layer_word(found->layer));
}

static int compare_rows(const void *left, const void *right)
{
    const struct attune_cache_row *a = left, *b = right;
    if (a->line->kind != b->line->kind)
        return a->line->kind < b->line->kind ? -1 : 1;
    if (a->line->kind == ATTUNE_LINE_TUNED || a->line->kind == ATTUNE_LINE_MISSED)
        return attune_key_compare(&a->line->key, &b->line->key);
    return strcmp(a->line->text, b->line->text);
}

static int add_document(struct attune_cache_view *view, const struct attune_document *doc,
                        const char *path, enum attune_layer layer, const struct attune_cache *cache)
{
    for (size_t i = 0; i < doc->count; i++) {
        const struct attune_section *section = &doc->sections[i];
        if (section->machine == NULL || section->count == 0)
            continue;
        const int ours = strcmp(section->machine, attune_fingerprint_get()->text) == 0;
        struct attune_cache_row *rows =
            realloc(view->rows, (view->row_count + section->count) * sizeof *rows);
        if (rows == NULL)
            return -1;
        view->rows = rows;
        rows += view->row_count;
        for (size_t j = 0; j < section->count; j++) {
            rows[j] = (struct attune_cache_row){.line = &section->lines[j], .path = path,
                                                .layer = layer,
                                                .machine = ours ? NULL : section->machine};
            judge(&rows[j], cache);
        }
        qsort(rows, section->count, sizeof *rows, compare_rows);
        view->row_count += section->count;
    }
    return 0;
}

/* The document behind a source once more: 0 where it can be read. */
static int parse_source(const struct attune_cache_source *source,
                        const struct attune_cache_setup *setup, struct attune_document *doc)
{
    if (source->path != NULL)
        return attune_cache_file_parse(source->path, doc, NULL);
    return setup->builtin_data != NULL
               ? attune_document_parse(setup->builtin_data, setup->builtin_size, doc, NULL)
               : -1;
}

static int open_layers(struct attune_cache_view *view, struct attune_cache *cache)
{
    struct attune_cache_setup setup = {.explicit_path = attune_cache_environment()};
    int code = 0;
    setup.builtin_data = attune_cache_builtin(&setup.builtin_size);
    attune_cache_read_layers(cache, &setup, &view->sources);
    for (int i = 0; i < view->sources.count && code == 0; i++) {
        const struct attune_cache_source *source = &view->sources.source[i];
        struct attune_document *doc = &view->documents[view->count++];
        if (parse_source(source, &setup, doc) == 0)
            code = add_document(view, doc, source->path != NULL ? source->path : "compiled into the library",
                                source->layer, cache);
    }
    return code;
}

static int open_file(struct attune_cache_view *view, struct attune_cache *cache, const char *file,
                     struct attune_trouble *trouble)
{
    struct attune_document *doc = &view->documents[0];
    struct attune_fault fault = {0};
    int32_t unusable;
    int code = attune_cache_document_open(file, doc, trouble);
    if (code != 0)
        return code;
    view->count = 1;
    const struct attune_section *ours =
        attune_document_find(doc, attune_fingerprint_get()->text);
    if (ours != NULL && attune_cache_enter(cache, ours, ATTUNE_LAYER_LOADED, &unusable, &fault) < 0)
        return attune_cache_trouble(trouble, &fault);
    return add_document(view, doc, file, ATTUNE_LAYER_LOADED, cache) == 0
               ? 0
               : attune_trouble_memory(trouble, file);
}

int attune_cache_view_open(struct attune_cache_view *view, const char *file,
                           struct attune_trouble *trouble)
{
    struct attune_cache *cache = attune_cache_create();
    int code = 0;
    *view = (struct attune_cache_view){0};
    if (cache == NULL)
        return attune_trouble_memory(trouble, "the cache");
    if (file != NULL)
        code = open_file(view, cache, file, trouble);
    else if (open_layers(view, cache) != 0)
        code = attune_trouble_memory(trouble, "the cache");
    attune_cache_release(cache);
    return code;
}

void attune_cache_view_free(struct attune_cache_view *view)
{
    for (int i = 0; i < view->count; i++)
        attune_document_free(&view->documents[i]);
    attune_cache_sources_free(&view->sources);
    free(view->rows);
    *view = (struct attune_cache_view){0};
}
