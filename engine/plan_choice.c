/* SPDX-License-Identifier: Apache-2.0
 *
 * From a shape to the key that a choice is looked up by, and the choice to the plan. What changes bits
 * must not depend on batch, heads or threads: the key of the core tier holds none of them.
 */
#include <time.h>

#include "engine/plan.h"
#include "engine/status.h"
#include "tuner/fingerprint.h"
#include "tuner/space.h"
#include "tuner/text.h"

_Static_assert((int)ATTUNE_SCORE_DOT == (int)ATTUNE_KEY_DOT &&
                   (int)ATTUNE_SCORE_TANH == (int)ATTUNE_KEY_TANH &&
                   (int)ATTUNE_SCORE_LSTM == (int)ATTUNE_KEY_LSTM, "one numbering of score kinds");

/* Types of the core's operands: what a projection makes is float32, and so is all that tanh reads. */
static void fill_types(const struct attune_shape *shape, struct attune_key *key)
{
    const struct attune_tensor *in = shape->problem.in;
    const int32_t values = in[ATTUNE_IN_V].dtype != ATTUNE_ABSENT       ? ATTUNE_IN_V
                           : in[ATTUNE_IN_VALUE].dtype != ATTUNE_ABSENT ? ATTUNE_IN_VALUE
                           : in[ATTUNE_IN_KEY].dtype != ATTUNE_ABSENT   ? ATTUNE_IN_KEY
                                                                        : ATTUNE_IN_X;
    const int general = shape->problem.form == ATTUNE_GENERAL;
    key->dtype_q = key->dtype_k = ATTUNE_F32;
    key->dtype_v = shape->from_x ? ATTUNE_F32 : in[values].dtype;
    if (shape->kind != ATTUNE_SCORE_DOT || shape->from_x)
        return;
    const int self = shape->problem.mechanism == ATTUNE_SELF;
    key->dtype_k = in[self ? ATTUNE_IN_K : ATTUNE_IN_KEY].dtype;
    key->dtype_q = general ? ATTUNE_F32 : in[self ? ATTUNE_IN_Q : ATTUNE_IN_QUERY].dtype;
}

static int32_t mask_of(const struct attune_shape *shape)
{
    const struct attune_problem *problem = &shape->problem;
    if (attune_given(shape, ATTUNE_IN_MASK) || attune_given(shape, ATTUNE_IN_BIAS))
        return ATTUNE_KEY_ARBITRARY;
    if (problem->window_left >= 0 || problem->window_right >= 0)
        return ATTUNE_KEY_WINDOW;
    return problem->causal != ATTUNE_CAUSAL_NONE ? ATTUNE_KEY_CAUSAL : ATTUNE_KEY_UNMASKED;
}

static void fill_key(const struct attune_plan *plan, struct attune_key *key)
{
    const struct attune_shape *shape = &plan->shape;
    *key = (struct attune_key){
        .tier = ATTUNE_KEY_CORE,
        .score = (int32_t)shape->kind,
        .mask = mask_of(shape),
        .isa = (int32_t)attune_key_isa(plan->context->features),
        .prepared = shape->prepared != 0,
        .d = shape->kind == ATTUNE_SCORE_DOT ? attune_key_width(shape->d) : 0,
        .e = attune_key_width(shape->e),
        .a = shape->kind != ATTUNE_SCORE_DOT ? attune_key_width(shape->a) : 0,
        .n = shape->kind == ATTUNE_SCORE_LSTM ? attune_key_width(shape->n) : 0,
        .group = attune_key_width(plan->group),
        .class_q = attune_key_class(shape->t_q),
        .class_k = attune_key_class(shape->t_k),
        .cores = plan->context->kind,
    };
    fill_types(shape, key);
}

/* ---- What is said of a choice. ---- */

/* The steps of a lookup, one after the other. */
struct chain {
    char text[3 * ATTUNE_KEY_TEXT];
    size_t length;
};

static void add_step(void *user, const char *line)
{
    struct chain *chain = user;
    attune_text_append(chain->text, sizeof chain->text, &chain->length, "%s%s",
                       chain->length > 0 ? "; " : "", line);
}

static void tell(const struct attune_plan *plan, const struct chain *core,
                 const struct chain *parallel)
{
    const struct attune_choice *choice = &plan->choice;
    const struct attune_shape *shape = &plan->shape;
    char line[sizeof core->text + sizeof parallel->text + 512];
    size_t length = 0;
    attune_text_append(line, sizeof line, &length, "plan %s b=%lld h=%lld g=%lld tq=%lld tk=%lld: ",
                       attune_mechanism_name(shape->problem.mechanism), (long long)shape->b,
                       (long long)shape->h, (long long)shape->g, (long long)shape->t_q,
                       (long long)shape->t_k);
    for (int32_t i = 0; i < ATTUNE_OP_COUNT; i++)
        if (choice->kernel[i] != NULL && attune_space_varies((enum attune_operation)i))
            attune_text_append(line, sizeof line, &length, "%s ", choice->kernel[i]->name);
    attune_text_append(line, sizeof line, &length,
                       "strip %d q_block %d kv_block %d kv_split %d, %s: %s", choice->strip,
                       choice->q_block, choice->kv_block, choice->kv_split,
                       attune_origin_word(plan->origin), core->text);
    if (parallel->length > 0)
        attune_text_append(line, sizeof line, &length, " | threads %d schedule %d, %s: %s",
                           plan->parallel.threads, plan->parallel.schedule,
                           attune_origin_word(plan->parallel_origin), parallel->text);
    attune_context_say(plan->context, ATTUNE_LOG_INFO, line);
}

/* ---- Choosing. ---- */

static enum attune_status take_forced(struct attune_plan *plan)
{
    struct attune_choice complete;
    struct attune_fault fault;
    if (attune_lookup_accept(&plan->asked, &plan->choice, &complete, &fault) != 0)
        return attune_fail(ATTUNE_ERROR_INVALID, "choice: %s", fault.text);
    plan->choice = complete;
    return ATTUNE_OK;
}

/* A key that was asked for in vain is remembered for `attune tune --from-missed`. */
static void remember(const struct attune_plan *plan, const struct attune_key *key,
                     const struct attune_answer *answer)
{
    const struct attune_context *context = plan->context;
    if (answer->missed && context->tune == ATTUNE_TUNE_RECORD)
        attune_cache_miss(context->cache, key, (int64_t)time(NULL));
}

void attune_plan_parallel_key(const struct attune_plan *plan, struct attune_key *key)
{
    *key = plan->asked.key;
    key->tier = ATTUNE_KEY_PARALLEL;
    key->class_units = attune_key_class(plan->shape.b * plan->shape.g);
    key->threads = plan->context->threads;
    key->cores = attune_fingerprint_get()->topology;
}

static void choose_parallel(struct attune_plan *plan, const struct attune_lookup *lookup)
{
    struct attune_key key;
    struct attune_answer answer;
    if (plan->parallel_origin == ATTUNE_ORIGIN_FORCED || plan->context->threads < 2)
        return;
    attune_plan_parallel_key(plan, &key);
    attune_lookup_parallel(lookup, &key, &answer);
    plan->parallel = answer.choice;
    plan->parallel_origin = answer.origin;
    remember(plan, &key, &answer);
}

static enum attune_status choose_core(struct attune_plan *plan, const struct attune_lookup *lookup)
{
    struct attune_answer answer;
    if (plan->origin == ATTUNE_ORIGIN_FORCED)
        return take_forced(plan);
    attune_lookup_core(lookup, &plan->asked, &answer);
    plan->choice = answer.choice;
    plan->origin = answer.origin;
    remember(plan, &plan->asked.key, &answer);
    return answer.missing == ATTUNE_OP_COUNT ? ATTUNE_OK : attune_plan_lacks(plan, answer.missing);
}

enum attune_status attune_plan_choose(struct attune_plan *plan)
{
    const struct attune_context *context = plan->context;
    struct chain core = {.length = 0}, parallel = {.length = 0};
    struct attune_lookup lookup = {
        .cache = context->tune != ATTUNE_TUNE_OFF ? context->cache : NULL,
        .same_bits = context->same_bits || (plan->shape.problem.flags & ATTUNE_DETERMINISTIC) != 0,
        .trace = context->verbose ? add_step : NULL,
        .trace_user = &core,
    };
    plan->asked = (struct attune_model_problem){.topology = plan->context->topology,
                                                .features = context->features,
                                                .traits = attune_cpu_traits(attune_cpu_detect()),
                                                .bars = context->cache,
                                                .rows = plan->rows,
                                                .t_k = plan->shape.t_k};
    fill_key(plan, &plan->asked.key);
    const enum attune_status status = choose_core(plan, &lookup);
    if (status != ATTUNE_OK)
        return status;
    lookup.trace_user = &parallel;
    choose_parallel(plan, &lookup);
    if (context->verbose)
        tell(plan, &core, &parallel);
    return ATTUNE_OK;
}
