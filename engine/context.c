/* SPDX-License-Identifier: Apache-2.0
 *
 * Contexts: options checked once, then immutable. Knows nothing of problems or plans.
 */
#include "engine/context.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/cpu.h"
#include "arch/topology.h"
#include "engine/status.h"
#include "tuner/fingerprint.h"

#define MAX_THREADS 1024

static void *default_allocate(void *user, size_t alignment, size_t size)
{
    (void)user;
    void *pointer = NULL;
    return posix_memalign(&pointer, alignment, size) == 0 ? pointer : NULL;
}

static void default_release(void *user, void *pointer)
{
    (void)user;
    free(pointer);
}

void *attune_context_allocate(const struct attune_context *context, size_t size)
{
    return context->allocator.allocate(context->allocator.user, 64, size);
}

void attune_context_free(const struct attune_context *context, void *pointer)
{
    if (pointer != NULL)
        context->allocator.release(context->allocator.user, pointer);
}

struct attune_context *attune_context_hold(struct attune_context *context)
{
    atomic_fetch_add_explicit(&context->references, 1, memory_order_relaxed);
    return context;
}

static enum attune_status check_options(const struct attune_context_options *options)
{
    if (options->struct_size != sizeof *options)
        return attune_fail(ATTUNE_ERROR_INVALID, "struct_size: %zu, this library's options have %zu",
                           options->struct_size, sizeof *options);
    if (options->threads < 0 || options->threads > MAX_THREADS)
        return attune_fail(ATTUNE_ERROR_INVALID, "threads: %d is not in 0..%d", options->threads,
                           MAX_THREADS);
    const struct attune_allocator *allocator = options->allocator;
    if (allocator != NULL && (allocator->allocate == NULL || allocator->release == NULL))
        return attune_fail(ATTUNE_ERROR_INVALID, "allocator: both functions must be given");
    return ATTUNE_OK;
}

/* The word in force, as static storage: callers' strings need not outlive the call. */
static enum attune_status resolve_isa(const char *word, const char *origin,
                                      struct attune_context *context)
{
    static const char *const words[] = {"scalar", "avx2", "avx512", "neon"};
    context->features = attune_cpu_detect()->usable;
    context->max_isa = "";
    if (word == NULL || word[0] == '\0')
        return ATTUNE_OK;
    if (!attune_cpu_mask(word, &context->features))
        return attune_fail(ATTUNE_ERROR_INVALID, "%s: \"%.40s\" is not one of %s", origin, word,
                           attune_cpu_isa_words());
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(words[i], word) == 0)
            context->max_isa = words[i];
    return ATTUNE_OK;
}

/* Which of `words` an environment variable holds: 0 where it is not set or empty. */
static enum attune_status read_word(const char *variable, const char *const *words, int count,
                                    int32_t *value)
{
    const char *text = secure_getenv(variable);
    *value = 0;
    if (text == NULL || text[0] == '\0')
        return ATTUNE_OK;
    for (int i = 0; i < count; i++)
        if (strcmp(words[i], text) == 0) {
            *value = i;
            return ATTUNE_OK;
        }
    return attune_fail(ATTUNE_ERROR_INVALID, "%s: \"%.40s\" is not %s%s%s or %s", variable, text,
                       words[0], count > 2 ? ", " : "", count > 2 ? words[1] : "", words[count - 1]);
}

static enum attune_status read_environment(struct attune_context *context)
{
    static const char *const modes[] = {"read", "off", "record"}, *const switches[] = {"0", "1"};
    int32_t mode = 0;
    enum attune_status status = read_word("ATTUNE_TUNE", modes, 3, &mode);
    context->tune = (enum attune_tune_mode)mode;
    if (status == ATTUNE_OK)
        status = read_word("ATTUNE_DETERMINISTIC", switches, 2, &context->same_bits);
    return status == ATTUNE_OK ? read_word("ATTUNE_VERBOSE", switches, 2, &context->verbose) : status;
}

void attune_context_say(const struct attune_context *context, enum attune_log_level level,
                        const char *line)
{
    if (context->log != NULL)
        context->log(context->log_user, level, line);
    else
        (void)fprintf(stderr, "attune: %s\n", line);
}

static enum attune_status fill_context(const struct attune_context_options *options,
                                       struct attune_context *context)
{
    const char *environment = secure_getenv("ATTUNE_MAX_ISA");
    uint32_t ignored = ~0u;
    if (environment != NULL && environment[0] != '\0' && !attune_cpu_mask(environment, &ignored))
        return attune_fail(ATTUNE_ERROR_INVALID, "ATTUNE_MAX_ISA: \"%.40s\" is not one of %s",
                           environment, attune_cpu_isa_words());
    enum attune_status status = options->max_isa != NULL
                                    ? resolve_isa(options->max_isa, "max_isa", context)
                                    : resolve_isa(environment, "ATTUNE_MAX_ISA", context);
    if (status == ATTUNE_OK)
        status = read_environment(context);
    if (status != ATTUNE_OK)
        return status;
    atomic_init(&context->references, 1);
    context->threads = options->threads != 0 ? options->threads : attune_topology_get()->allowed;
    context->topology = attune_topology_get();
    context->kind = attune_fingerprint_kind(context->topology);
    context->team.pin = !options->no_pinning;
    context->team.parallel_for = options->parallel_for;
    context->team.parallel_for_user = options->parallel_for_user;
    context->log = options->log;
    context->log_user = options->log_user;
    return ATTUNE_OK;
}

static void adopt(const struct attune_context *parent, int kind, struct attune_context *made)
{
    made->is_child = 1;
    made->topology = attune_topology_of_kind(kind);
    made->kind = attune_fingerprint_kind(made->topology);
    made->cache = parent->cache;
    made->tune = parent->tune;
    made->same_bits = parent->same_bits;
    made->verbose = 0;
}

static enum attune_status create(const struct attune_context_options *options,
                                 const struct attune_context *parent, int kind,
                                 struct attune_context **context)
{
    attune_detail_clear();
    if (context == NULL)
        return attune_fail(ATTUNE_ERROR_INVALID, "context: the place for the result is NULL");
    *context = NULL;
    struct attune_context_options defaults = {.struct_size = sizeof defaults};
    if (options == NULL)
        options = &defaults;
    enum attune_status status = check_options(options);
    if (status != ATTUNE_OK)
        return status;
    struct attune_allocator allocator = {default_allocate, default_release, NULL};
    if (options->allocator != NULL)
        allocator = *options->allocator;
    struct attune_context *made = allocator.allocate(allocator.user, 64, sizeof *made);
    if (made == NULL)
        return attune_fail(ATTUNE_ERROR_NO_MEMORY, "no memory for a context");
    memset(made, 0, sizeof *made);
    made->allocator = allocator;
    status = fill_context(options, made);
    if (status == ATTUNE_OK && parent != NULL)
        adopt(parent, kind, made);
    else if (status == ATTUNE_OK)
        status = attune_context_open_cache(made, options);
    if (status != ATTUNE_OK) {
        allocator.release(allocator.user, made);
        return status;
    }
    *context = made;
    return ATTUNE_OK;
}

struct attune_binding *attune_context_enter_kind(const struct attune_context *context, int kind)
{
    return context->topology->kinds > 1 && context->team.pin ? attune_topology_enter(kind) : NULL;
}

enum attune_status attune_context_create(const struct attune_context_options *options,
                                         struct attune_context **context)
{
    return create(options, NULL, 0, context);
}

enum attune_status attune_context_create_child(const struct attune_context_options *options,
                                               const struct attune_context *parent, int kind,
                                               struct attune_context **context)
{
    return create(options, parent, kind, context);
}

void attune_context_release(struct attune_context *context)
{
    if (context == NULL)
        return;
    if (atomic_fetch_sub_explicit(&context->references, 1, memory_order_acq_rel) != 1)
        return;
    attune_context_close_cache(context);
    attune_context_free(context, context);
}

int32_t attune_context_threads(const struct attune_context *context)
{
    return context->threads;
}
