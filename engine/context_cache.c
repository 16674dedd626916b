/* SPDX-License-Identifier: Apache-2.0
 *
 * A context and what was tuned: read when it is created, written when it is released or a tuner asks.
 * Whatever is wrong with a cache makes plans slower at worst.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/context.h"
#include "engine/status.h"
#include "tuner/text.h"

/* Names of files are in it. */
static void say_plain(const struct attune_context *context, char *line)
{
    attune_text_make_plain(line);
    attune_context_say(context, ATTUNE_LOG_WARNING, line);
}

/* A file that is there and does not serve is told to a caller that listens, and to nobody else. What comes
 * with a product is for many machines, and need not be for this one. */
static void tell_troubles(const struct attune_context *context)
{
    char line[512];
    if (context->log == NULL && !context->verbose)
        return;
    for (int i = 0; i < context->cache_sources.count; i++) {
        const struct attune_cache_source *source = &context->cache_sources.source[i];
        if (source->absent || source->why[0] == '\0' ||
            (source->foreign && source->layer >= ATTUNE_LAYER_SHIPPED))
            continue;
        (void)snprintf(line, sizeof line, "tuned choices, %s%s%.200s: %.200s",
                       attune_layer_word(source->layer), source->path != NULL ? " file " : "",
                       source->path != NULL ? source->path : "", source->why);
        say_plain(context, line);
    }
}

enum attune_status attune_context_open_cache(struct attune_context *context,
                                             const struct attune_context_options *options)
{
    const char *named =
        options->cache_path != NULL ? options->cache_path : attune_cache_environment();
    struct attune_cache_setup setup = {.explicit_path = named,
                                       .shipped_path = options->shipped_cache,
                                       .shipped_data = options->shipped_data,
                                       .shipped_size = options->shipped_size};
    setup.builtin_data = attune_cache_builtin(&setup.builtin_size);
    context->cache = attune_cache_create();
    char *path = named != NULL ? strdup(named) : NULL;
    if (context->cache == NULL || (named != NULL && path == NULL)) {
        free(path);
        attune_cache_release(context->cache);
        return attune_fail(ATTUNE_ERROR_NO_MEMORY, "no memory for what was tuned");
    }
    context->cache_setup.explicit_path = path;
    context->owner = getpid();
    /* With ATTUNE_TUNE=off too: no plan takes a choice then, but what is barred stays barred. */
    attune_cache_read_layers(context->cache, &setup, &context->cache_sources);
    tell_troubles(context);
    return ATTUNE_OK;
}

static int without_files(const struct attune_context *context)
{
    const char *path = context->cache_setup.explicit_path;
    return path != NULL && path[0] == '\0';
}

int attune_context_save_cache(struct attune_context *context, struct attune_fault *fault)
{
    int flags;
    if (without_files(context))
        return 0;
    char *path = attune_cache_write_path(&context->cache_setup, &flags, fault);
    if (path == NULL)
        return -1;
    struct attune_fault why = {0};
    const int written = attune_cache_file_save(context->cache, path, flags, &why);
    if (written < 0)
        (void)attune_fault_set(fault, why.system, "%.180s: %.120s", path, why.text);
    free(path);
    return written;
}

int attune_context_claim(const struct attune_context *context, struct attune_claim *claim, long *holder)
{
    int flags;
    char *path = attune_cache_write_path(&context->cache_setup, &flags, NULL);
    *claim = (struct attune_claim){-1, NULL};
    const int code = path != NULL ? attune_claim_take(claim, path, holder) : 0;
    free(path);
    return code;
}

void attune_context_close_cache(struct attune_context *context)
{
    struct attune_missed missed;
    struct attune_fault fault;
    if (context->is_child)
        return;
    /* A forked child did not miss what its parent did. */
    if (context->tune == ATTUNE_TUNE_RECORD && context->owner == getpid() &&
        attune_cache_missed_at(context->cache, 0, &missed) &&
        attune_context_save_cache(context, &fault) < 0)
        say_plain(context, fault.text);
    attune_cache_sources_free(&context->cache_sources);
    attune_cache_release(context->cache);
    free((void *)(uintptr_t)context->cache_setup.explicit_path);
}

static enum attune_status status_of(const struct attune_fault *fault)
{
    return fault->system == ENOMEM ? ATTUNE_ERROR_NO_MEMORY
           : fault->system != 0    ? ATTUNE_ERROR_SYSTEM
                                   : ATTUNE_ERROR_INVALID;
}

enum attune_status attune_context_try_cache(struct attune_context *context)
{
    struct attune_fault fault = {0};
    return attune_context_save_cache(context, &fault) >= 0
               ? ATTUNE_OK
               : attune_fail(status_of(&fault), "%s", fault.text);
}

static enum attune_status refuse(const char *subject, const struct attune_fault *fault)
{
    return attune_fail(status_of(fault), "%.120s: %.120s", subject, fault->text);
}

static enum attune_status check_context(const struct attune_context *context, const char *other,
                                        int missing)
{
    attune_detail_clear();
    if (context == NULL || missing)
        return attune_fail(ATTUNE_ERROR_INVALID, "%s: NULL", context == NULL ? "context" : other);
    return ATTUNE_OK;
}

/* All of a document or nothing. */
static enum attune_status enter(struct attune_context *context, const char *subject,
                                const struct attune_document *doc)
{
    struct attune_fault fault = {0};
    int32_t unusable;
    if (attune_cache_check_document(doc, &fault) != 0)
        return refuse(subject, &fault);
    const struct attune_section *section =
        attune_document_find(doc, attune_fingerprint_get()->text);
    if (attune_cache_count(context->cache) + section->count > ATTUNE_CACHE_ENTRIES_MAX)
        return attune_fail(ATTUNE_ERROR_INVALID, "%.120s: more than %d entries in all", subject,
                           ATTUNE_CACHE_ENTRIES_MAX);
    if (attune_cache_enter(context->cache, section, ATTUNE_LAYER_LOADED, &unusable, &fault) < 0)
        return attune_fail(ATTUNE_ERROR_NO_MEMORY, "no memory for what was tuned");
    return ATTUNE_OK;
}

enum attune_status attune_cache_load(struct attune_context *context, const char *path)
{
    struct attune_document doc;
    struct attune_fault fault = {0};
    enum attune_status status = check_context(context, "path", path == NULL);
    if (status != ATTUNE_OK)
        return status;
    status = attune_cache_file_parse(path, &doc, &fault) == 0 ? enter(context, path, &doc)
                                                              : refuse(path, &fault);
    attune_document_free(&doc);
    return status;
}

enum attune_status attune_cache_import(struct attune_context *context, const void *data, size_t size)
{
    struct attune_document doc;
    struct attune_fault fault = {0};
    enum attune_status status = check_context(context, "data", data == NULL);
    if (status != ATTUNE_OK)
        return status;
    status = attune_document_parse(data, size, &doc, &fault) == 0 ? enter(context, "data", &doc)
                                                                  : refuse("data", &fault);
    attune_document_free(&doc);
    return status;
}

enum attune_status attune_cache_save(struct attune_context *context, const char *path)
{
    struct attune_fault fault = {0};
    const enum attune_status status = check_context(context, "", 0);
    if (status != ATTUNE_OK)
        return status;
    if (path == NULL && without_files(context))
        return attune_fail(ATTUNE_ERROR_INVALID, "path: NULL, and the context has no cache file");
    if (path == NULL)
        return attune_context_try_cache(context);
    if (attune_cache_file_save(context->cache, path, ATTUNE_CACHE_ALL, &fault) < 0)
        return refuse(path, &fault);
    return ATTUNE_OK;
}

size_t attune_cache_export(struct attune_context *context, char *text, size_t size)
{
    struct attune_fault fault = {0};
    size_t length = 0;
    if (check_context(context, "", 0) != ATTUNE_OK)
        return 0;
    char *all = attune_cache_text(context->cache, &length, &fault);
    if (all == NULL) {
        (void)refuse("cache", &fault);
        return 0;
    }
    if (size > 0) {
        const size_t fits = length < size ? length : size - 1;
        memcpy(text, all, fits);
        text[fits] = '\0';
    }
    free(all);
    return length;
}
