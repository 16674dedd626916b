/* SPDX-License-Identifier: Apache-2.0
 *
 * From a shape to the key that a choice is looked up by, and the choice to the plan. What changes bits
 * must not depend on batch, heads or threads: the key of the core tier holds none of them.
 */
#include "engine/plan.h"
#include "engine/status.h"

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
        .isa = attune_key_isa(plan->context->features),
        .prepared = shape->prepared != 0,
        .d = shape->kind == ATTUNE_SCORE_DOT ? attune_key_width(shape->d) : 0,
        .e = attune_key_width(shape->e),
        .a = shape->kind != ATTUNE_SCORE_DOT ? attune_key_width(shape->a) : 0,
        .n = shape->kind == ATTUNE_SCORE_LSTM ? attune_key_width(shape->n) : 0,
        .group = attune_key_width(plan->group),
        .class_q = attune_key_class(shape->t_q),
        .class_k = attune_key_class(shape->t_k),
    };
    fill_types(shape, key);
}

static enum attune_status take_forced(struct attune_plan *plan)
{
    struct attune_choice complete;
    struct attune_fault fault;
    if (attune_lookup_accept(&plan->asked, &plan->choice, &complete, &fault) != 0)
        return attune_fail(ATTUNE_ERROR_INVALID, "choice: %s", fault.text);
    plan->choice = complete;
    return ATTUNE_OK;
}

enum attune_status attune_plan_choose(struct attune_plan *plan)
{
    const struct attune_lookup lookup = {0};
    struct attune_answer answer;
    plan->asked = (struct attune_model_problem){.topology = attune_topology_get(),
                                                .features = plan->context->features,
                                                .rows = plan->rows,
                                                .t_k = plan->shape.t_k};
    fill_key(plan, &plan->asked.key);
    if (plan->origin == ATTUNE_ORIGIN_FORCED)
        return take_forced(plan);
    attune_lookup_core(&lookup, &plan->asked, &answer);
    plan->choice = answer.choice;
    plan->origin = answer.origin;
    return answer.missing == ATTUNE_OP_COUNT ? ATTUNE_OK : attune_plan_lacks(plan, answer.missing);
}
