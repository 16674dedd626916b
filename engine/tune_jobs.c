/* SPDX-License-Identifier: Apache-2.0
 *
 * The list of keys that problems have, each once, in the order in which they are given. Measures
 * nothing.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/status.h"
#include "engine/tune.h"

/* Pairs times widths beyond which all threads have enough to do whatever a tuner finds, and a case
 * would take longer than a sample should: flop. */
static const double largest_parallel = 4e8;

static enum attune_status add(struct attune_tune_jobs *jobs, const struct attune_tune_request *request)
{
    for (int32_t i = 0; i < jobs->count; i++)
        if (attune_key_equal(&jobs->job[i].request.asked.key, &request->asked.key))
            return ATTUNE_OK;
    if (jobs->count == jobs->capacity) {
        const int32_t capacity = jobs->capacity > 0 ? 2 * jobs->capacity : 32;
        struct attune_tune_job *larger =
            realloc(jobs->job, (size_t)capacity * sizeof *jobs->job);
        if (larger == NULL)
            return attune_fail(ATTUNE_ERROR_NO_MEMORY, "no memory for a list of %d keys", capacity);
        jobs->job = larger;
        jobs->capacity = capacity;
    }
    jobs->job[jobs->count++] = (struct attune_tune_job){.request = *request};
    return ATTUNE_OK;
}

static double work_of(const struct attune_tune_request *request)
{
    const struct attune_key *key = &request->asked.key;
    const double n = key->n;
    const double pair = 2.0 * (key->d + key->e) + 8.0 * key->a + 8.0 * n * n;
    return pair * (double)request->units * (double)request->asked.rows * (double)request->asked.t_k;
}

enum attune_status attune_tune_list(struct attune_tune_jobs *jobs, struct attune_context *context,
                                    const struct attune_problem *problem)
{
    struct attune_plan *plan;
    enum attune_status status = attune_plan_create(context, problem, &plan);
    if (status != ATTUNE_OK)
        return status;
    struct attune_tune_request request = {.asked = plan->asked,
                                          .units = plan->shape.b * plan->shape.g,
                                          .window_left = plan->shape.problem.window_left};
    if (request.units > 0 && request.asked.rows > 0 && request.asked.t_k > 0) {
        status = add(jobs, &request);
        attune_plan_parallel_key(plan, &request.asked.key);
        if (status == ATTUNE_OK && context->threads > 1 && work_of(&request) <= largest_parallel)
            status = add(jobs, &request);
    }
    attune_plan_release(plan);
    return status;
}

/* The core keys among the first `count`, once more for a kind of core. */
static enum attune_status repeat(struct attune_tune_jobs *jobs, int32_t count, int kind)
{
    enum attune_status status = ATTUNE_OK;
    for (int32_t i = 0; i < count && status == ATTUNE_OK; i++) {
        struct attune_tune_request request = jobs->job[i].request;
        if (request.asked.key.tier != ATTUNE_KEY_CORE)
            continue;
        request.kind = kind;
        request.asked.topology = attune_topology_of_kind(kind);
        request.asked.key.cores = attune_fingerprint_kind(request.asked.topology);
        status = add(jobs, &request);
    }
    return status;
}

enum attune_status attune_tune_list_kinds(struct attune_tune_jobs *jobs,
                                          const struct attune_context *context)
{
    const int32_t count = jobs->count;
    enum attune_status status = ATTUNE_OK;
    for (int kind = 1; attune_topology_of_kind(kind) != NULL && status == ATTUNE_OK; kind++) {
        struct attune_binding *binding = attune_context_enter_kind(context, kind);
        if (binding != NULL)
            status = repeat(jobs, count, kind);
        attune_topology_leave(binding);
    }
    return status;
}

/* The kind of core that a key was missed on: 0 for those of the parallel tier, -1 where this process may
 * not use such cores. */
static int kind_of(const struct attune_key *key)
{
    const struct attune_topology *topology;
    for (int kind = 0; (topology = attune_topology_of_kind(kind)) != NULL; kind++)
        if (key->tier == ATTUNE_KEY_PARALLEL || key->cores == attune_fingerprint_kind(topology))
            return kind;
    return -1;
}

static enum attune_status add_key(struct attune_tune_jobs *jobs, const struct attune_context *context,
                                  const struct attune_key *key)
{
    const int kind = kind_of(key);
    const struct attune_tune_request request = {
        .kind = kind,
        .asked = {.topology = attune_topology_of_kind(kind),
                  .features = context->features,
                  .bars = context->cache,
                  .key = *key,
                  .rows = key->group * attune_key_class_floor(key->class_q),
                  .t_k = attune_key_class_floor(key->class_k)},
        .units = key->tier == ATTUNE_KEY_PARALLEL ? attune_key_class_floor(key->class_units) : 0};
    if (kind < 0)
        return ATTUNE_OK;
    if (key->tier == ATTUNE_KEY_PARALLEL &&
        (key->threads != context->threads || work_of(&request) > largest_parallel))
        return ATTUNE_OK;
    return add(jobs, &request);
}

static enum attune_status add_lines(struct attune_tune_jobs *jobs, const struct attune_context *context,
                                    const struct attune_section *section)
{
    enum attune_status status = ATTUNE_OK;
    for (size_t i = 0; i < section->count && status == ATTUNE_OK; i++) {
        struct attune_missed missed;
        if (section->lines[i].kind == ATTUNE_LINE_MISSED &&
            attune_line_missed(&section->lines[i], &missed, NULL) == 0)
            status = add_key(jobs, context, &missed.key);
    }
    return status;
}

enum attune_status attune_tune_list_missed(struct attune_tune_jobs *jobs,
                                           const struct attune_context *context)
{
    enum attune_status status = ATTUNE_OK;
    struct attune_missed missed;
    struct attune_document doc = {0};
    struct attune_fault fault = {0};
    int flags;
    for (int i = 0; status == ATTUNE_OK && attune_cache_missed_at(context->cache, i, &missed); i++)
        status = add_key(jobs, context, &missed.key);
    char *path = attune_cache_write_path(&context->cache_setup, &flags, &fault);
    if (path != NULL && status == ATTUNE_OK && attune_cache_file_parse(path, &doc, &fault) == 0) {
        const struct attune_section *section =
            attune_document_find(&doc, attune_fingerprint_get()->text);
        if (section != NULL)
            status = add_lines(jobs, context, section);
    } else if (status == ATTUNE_OK && fault.system == ENOMEM) {
        status = attune_fail(ATTUNE_ERROR_NO_MEMORY, "no memory for the keys that were missed");
    }
    attune_document_free(&doc);
    free(path);
    return status;
}

void attune_tune_jobs_free(struct attune_tune_jobs *jobs)
{
    free(jobs->job);
    *jobs = (struct attune_tune_jobs){0};
}
