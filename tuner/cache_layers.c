/* SPDX-License-Identifier: Apache-2.0
 *
 * The layers: where each lies, and reading them in turn. Says of every place why it was not used, for
 * a file that is ignored without a word is the worst of both worlds.
 */
#include "tuner/cache_layers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static char *join(const char *folder, const char *between, const char *name)
{
    const size_t size = strlen(folder) + strlen(between) + strlen(name) + sizeof ".cache";
    char *path = malloc(size);
    if (path != NULL)
        (void)snprintf(path, size, "%s%s%s.cache", folder, between, name);
    return path;
}

char *attune_cache_user_path(struct attune_fault *fault)
{
    const char *digest = attune_fingerprint_get()->digest;
    const char *data = secure_getenv("XDG_DATA_HOME"), *home = secure_getenv("HOME");
    char *path = NULL;
    /* The standard has relative paths ignored. */
    if (data != NULL && data[0] == '/')
        path = join(data, "/attune/", digest);
    else if (home != NULL && home[0] == '/')
        path = join(home, "/.local/share/attune/", digest);
    else {
        (void)attune_fault_set(fault, 0, "neither XDG_DATA_HOME nor HOME names a folder by its whole path; "
                                         "ATTUNE_CACHE may name a file");
        return NULL;
    }
    if (path == NULL)
        (void)attune_fault_set(fault, ENOMEM, "no memory");
    return path;
}

static int names_one(const char *path)
{
    return path != NULL && path[0] != '\0';
}

const char *attune_cache_environment(void)
{
    const char *path = secure_getenv("ATTUNE_CACHE");
    return names_one(path) ? path : NULL;
}

char *attune_cache_write_path(const struct attune_cache_setup *setup, int *flags,
                              struct attune_fault *fault)
{
    *flags = 0;
    if (names_one(setup->explicit_path)) {
        char *path = strdup(setup->explicit_path);
        if (path == NULL)
            (void)attune_fault_set(fault, ENOMEM, "no memory");
        return path;
    }
    if (setup->explicit_path != NULL) {
        (void)attune_fault_set(fault, 0, "the context was made without cache files");
        return NULL;
    }
    *flags = ATTUNE_CACHE_MAKE_FOLDER | ATTUNE_CACHE_TAKE_OVER;
    return attune_cache_user_path(fault);
}

static struct attune_cache_source *add_source(struct attune_cache_sources *sources,
                                              enum attune_layer layer, char *path)
{
    struct attune_cache_source *source = &sources->source[sources->count++];
    *source = (struct attune_cache_source){.layer = layer, .path = path};
    return source;
}

static void enter_document(struct attune_cache *cache, const struct attune_document *doc,
                           struct attune_cache_source *source)
{
    const struct attune_section *section =
        attune_document_find(doc, attune_fingerprint_get()->text);
    struct attune_fault why = {0};
    for (size_t i = 0; i < doc->count; i++)
        source->damaged += doc->sections[i].damaged;
    if (section == NULL) {
        source->foreign = 1;
        (void)snprintf(source->why, sizeof source->why, "holds nothing of this machine");
        return;
    }
    source->entries = attune_cache_enter(cache, section, source->layer, &source->unusable, &why);
    source->read = source->entries >= 0;
    if (why.text[0] != '\0')
        (void)snprintf(source->why, sizeof source->why, "%s", why.text);
    else if (source->damaged > 0)
        (void)snprintf(source->why, sizeof source->why, "%d damaged lines were left out",
                       source->damaged);
    else if (!section->ended)
        (void)snprintf(source->why, sizeof source->why, "the end is missing");
}

static void read_file(struct attune_cache *cache, struct attune_cache_source *source)
{
    struct attune_document doc;
    struct attune_fault why = {0};
    if (attune_cache_file_parse(source->path, &doc, &why) == 0) {
        enter_document(cache, &doc, source);
    } else {
        source->absent = why.system == ENOENT;
        (void)snprintf(source->why, sizeof source->why, "%s", why.text);
    }
    attune_document_free(&doc);
}

/* A path that could not be made up is told like a file that could not be read. */
static void read_path(struct attune_cache *cache, struct attune_cache_sources *sources,
                      enum attune_layer layer, char *path, const struct attune_fault *why)
{
    struct attune_cache_source *source = add_source(sources, layer, path);
    if (path != NULL)
        read_file(cache, source);
    else
        (void)snprintf(source->why, sizeof source->why, "%s", why->text);
}

static char *shipped_file(const char *path)
{
    struct stat status;
    if (stat(path, &status) == 0 && S_ISDIR(status.st_mode))
        return join(path, "/", attune_fingerprint_get()->digest);
    return strdup(path);
}

static void read_memory(struct attune_cache *cache, struct attune_cache_sources *sources,
                        enum attune_layer layer, const void *data, size_t size)
{
    struct attune_cache_source *source = add_source(sources, layer, NULL);
    struct attune_document doc;
    struct attune_fault why = {0};
    source->absent = data == NULL;
    if (data == NULL)
        return;
    if (attune_document_parse(data, size, &doc, &why) == 0)
        enter_document(cache, &doc, source);
    else
        (void)snprintf(source->why, sizeof source->why, "%s", why.text);
    attune_document_free(&doc);
}

void attune_cache_read_layers(struct attune_cache *cache, const struct attune_cache_setup *setup,
                              struct attune_cache_sources *sources)
{
    struct attune_fault why = {ENOMEM, "no memory"};
    *sources = (struct attune_cache_sources){0};
    if (names_one(setup->explicit_path))
        read_path(cache, sources, ATTUNE_LAYER_EXPLICIT, strdup(setup->explicit_path), &why);
    if (setup->explicit_path == NULL || names_one(setup->explicit_path)) {
        char *user = attune_cache_user_path(&why);
        read_path(cache, sources, ATTUNE_LAYER_USER, user, &why);
        read_path(cache, sources, ATTUNE_LAYER_SYSTEM,
                  join(ATTUNE_CACHE_SYSTEM_FOLDER, "/", attune_fingerprint_get()->digest), &why);
    }
    if (names_one(setup->shipped_path))
        read_path(cache, sources, ATTUNE_LAYER_SHIPPED, shipped_file(setup->shipped_path), &why);
    if (setup->shipped_data != NULL)
        read_memory(cache, sources, ATTUNE_LAYER_SHIPPED, setup->shipped_data, setup->shipped_size);
    read_memory(cache, sources, ATTUNE_LAYER_BUILTIN, setup->builtin_data, setup->builtin_size);
}

void attune_cache_sources_free(struct attune_cache_sources *sources)
{
    for (int i = 0; i < sources->count; i++)
        free(sources->source[i].path);
    sources->count = 0;
}
