/* SPDX-License-Identifier: Apache-2.0
 *
 * attune cache inspect --why: the chain that leads from a problem to its choice, as the lookup of plans
 * tells it. Asks the lookup, and decides nothing itself.
 */
#include <string.h>

#include "bench/cli/cache.h"
#include "bench/cli/subject.h"
#include "bench/text.h"
#include "engine/plan.h"
#include "tuner/lookup.h"
#include "tuner/measure.h"

#define SAMPLE_SECONDS 1e-4
#define LOOKUP_SECONDS 0.02

struct chain {
    json_t *steps; /* NULL: text */
};

static void tell(void *user, const char *line)
{
    struct chain *chain = user;
    if (chain->steps != NULL)
        json_array_append_new(chain->steps, json_string(line));
    else
        (void)printf("  %s\n", line);
}

static void begin(struct chain *chain, json_t *object, const char *title)
{
    if (object != NULL)
        chain->steps = json_array();
    else
        (void)printf("%s\n", title);
}

static void end(struct chain *chain, json_t *object, const char *tier,
                const struct attune_answer *answer)
{
    if (object != NULL) {
        json_object_set_new(object, tier,
                            json_pack("{s:o, s:s, s:o}", "steps", chain->steps, "origin",
                                      attune_origin_word(answer->origin), "choice",
                                      attune_cache_choice_json(&answer->choice)));
        return;
    }
    (void)printf("  that is, by %s:", attune_origin_word(answer->origin));
    attune_cache_choice_text(&answer->choice, stdout);
    (void)puts(strcmp(tier, "core") != 0 && answer->choice.threads == 0 && answer->choice.schedule == 0
                   ? " threads by the amount of work"
                   : "");
}

static void explain_core(const struct attune_plan *plan, struct attune_lookup *lookup,
                         struct chain *chain, json_t *object)
{
    struct attune_answer answer;
    begin(chain, object, "core: kernels and tiles");
    attune_lookup_core(lookup, &plan->asked, &answer);
    end(chain, object, "core", &answer);
}

static void explain_parallel(const struct attune_plan *plan, struct attune_lookup *lookup,
                             struct chain *chain, json_t *object)
{
    struct attune_answer answer;
    struct attune_key key;
    if (plan->context->threads < 2)
        return;
    begin(chain, object, "parallel: threads and schedule");
    attune_plan_parallel_key(plan, &key);
    attune_lookup_parallel(lookup, &key, &answer);
    end(chain, object, "parallel", &answer);
}

struct timed {
    const struct attune_cache *cache;
    const struct attune_key *key;
    const struct attune_cached *volatile found; /* so that the call is made */
};

static void find_once(void *argument)
{
    struct timed *timed = argument;
    timed->found = attune_cache_find(timed->cache, timed->key);
}

/* Nanoseconds that finding this problem's key takes, there or not. */
static double time_lookup(const struct attune_cache *cache, const struct attune_key *key)
{
    struct timed timed = {cache, key, NULL};
    struct attune_measurement measured;
    attune_measure(find_once, &timed, SAMPLE_SECONDS, LOOKUP_SECONDS, &measured);
    return 1e9 * measured.minimum;
}

static int explain(struct attune_context *context, const struct attune_problem *problem,
                   const char *subject, int json, struct attune_trouble *trouble)
{
    struct chain chain = {NULL};
    struct attune_plan *plan = NULL;
    const enum attune_status status = attune_plan_create(context, problem, &plan);
    if (status != ATTUNE_OK)
        return attune_trouble_status(trouble, status);
    struct attune_lookup lookup = {
        .cache = context->tune != ATTUNE_TUNE_OFF ? context->cache : NULL,
        .same_bits = context->same_bits || (problem->flags & ATTUNE_DETERMINISTIC) != 0,
        .trace = tell,
        .trace_user = &chain,
    };
    json_t *object = json ? json_pack("{s:o, s:o}", "problem", attune_text_json(subject), "sources",
                                      attune_cache_sources_json(&context->cache_sources))
                          : NULL;
    if (json && object == NULL) {
        attune_plan_release(plan);
        return attune_trouble_memory(trouble, "the JSON object");
    }
    if (!json)
        attune_cache_context_text(context, stdout);
    explain_core(plan, &lookup, &chain, object);
    explain_parallel(plan, &lookup, &chain, object);
    const double found_in = time_lookup(context->cache, &plan->asked.key);
    if (json)
        json_object_set_new(object, "lookup_ns", json_real(found_in));
    else
        (void)printf("a key is looked up among %zu in %.0f ns\n", attune_cache_count(context->cache),
                     found_in);
    attune_plan_release(plan);
    return json ? attune_cache_print_json(object, trouble) : 0;
}

int attune_cache_why(const char *subject, int json, struct attune_trouble *trouble)
{
    struct attune_context *context = NULL;
    struct attune_subject read = {.from_file = 0};
    const enum attune_status status = attune_context_create(NULL, &context);
    int code = status != ATTUNE_OK ? attune_trouble_status(trouble, status)
                                   : attune_subject_read(subject, &read, trouble);
    if (code == 0)
        code = explain(context, &read.problem, subject, json, trouble);
    attune_subject_free(&read);
    attune_context_release(context);
    return code;
}
