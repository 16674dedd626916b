/* SPDX-License-Identifier: Apache-2.0
 *
 * A context and what was tuned: read when it is created, written when it is released or a tuner asks.
 * Whatever is wrong with a cache makes plans slower at worst.
 */
#include <stdlib.h>
#include <string.h>

#include "engine/context.h"
#include "engine/status.h"

enum attune_status attune_context_open_cache(struct attune_context *context)
{
    const char *named = secure_getenv("ATTUNE_CACHE");
    context->cache = attune_cache_create();
    char *path = named != NULL ? strdup(named) : NULL;
    if (context->cache == NULL || (named != NULL && path == NULL)) {
        free(path);
        attune_cache_release(context->cache);
        return attune_fail(ATTUNE_ERROR_NO_MEMORY, "no memory for what was tuned");
    }
    context->cache_setup.explicit_path = path;
    if (context->tune != ATTUNE_TUNE_OFF)
        attune_cache_read_layers(context->cache, &context->cache_setup, &context->cache_sources);
    return ATTUNE_OK;
}

int attune_context_save_cache(struct attune_context *context, struct attune_fault *fault)
{
    int flags;
    char *path = attune_cache_write_path(&context->cache_setup, &flags, fault);
    if (path == NULL)
        return -1;
    const int written = attune_cache_save(context->cache, path, flags, fault);
    free(path);
    return written;
}

void attune_context_close_cache(struct attune_context *context)
{
    struct attune_missed missed;
    struct attune_fault fault;
    if (context->is_child)
        return;
    if (context->tune == ATTUNE_TUNE_RECORD &&
        attune_cache_missed_at(context->cache, 0, &missed) &&
        attune_context_save_cache(context, &fault) < 0)
        attune_context_say(context, ATTUNE_LOG_WARNING, fault.text);
    attune_cache_sources_free(&context->cache_sources);
    attune_cache_release(context->cache);
    free((void *)(uintptr_t)context->cache_setup.explicit_path);
}
