/* SPDX-License-Identifier: Apache-2.0
 *
 * Plans: created from a problem in four stages (resolve, choose kernels, lower, lay out), immutable
 * afterwards.
 */
#include "engine/plan.h"

#include <stdio.h>
#include <string.h>

#include "arch/cpu.h"
#include "engine/status.h"

static enum attune_status lower(struct attune_builder *builder)
{
    switch (builder->plan->shape.problem.mechanism) {
    case ATTUNE_ADDITIVE:
        return attune_lower_additive(builder);
    case ATTUNE_MULTIPLICATIVE:
        return attune_lower_multiplicative(builder);
    case ATTUNE_SELF:
        return attune_lower_self(builder);
    case ATTUNE_CONVOLUTIONAL:
        return attune_lower_convolutional(builder);
    default:
        return attune_lower_recurrent(builder);
    }
}

static enum attune_status make_shares(struct attune_plan *plan)
{
    const size_t size = attune_shares_size(plan->workers);
    if (plan->schedule != ATTUNE_SCHEDULE_WEIGHTED)
        return ATTUNE_OK;
    plan->shares = attune_context_allocate(plan->context, size);
    if (plan->shares == NULL)
        return attune_fail(ATTUNE_ERROR_NO_MEMORY, "no memory for the shares of %d workers",
                           plan->workers);
    memset(plan->shares, 0, size);
    return ATTUNE_OK;
}

/* Whether everything that a lowering or a layout multiplies stays far below 2^63: a bound over the
 * projected rows, prepared keys and partial results together, padding included. */
static enum attune_status check_sizes(const struct attune_shape *s)
{
    const double t = (double)(s->t_q > s->t_k ? s->t_q : s->t_k) + 64, h = (double)s->h;
    const double columns = h * ((double)s->a + 3 * (double)s->d + (double)s->e + 192) +
                           8 * (double)s->n + 2 * (double)s->c * (double)(s->width + 1) +
                           (double)s->d_q + (double)s->d_k + (double)s->f * (double)(s->width + 1) +
                           (double)s->s + (double)s->out_width;
    const double partials = (double)s->t_q * ((double)s->t_k / ATTUNE_KEY_STEP + 1) * h;
    const double bytes = 64 * (double)(s->b + 1) * (t * columns + partials * ((double)s->e + 80));
    return bytes < 0x1p62 ? ATTUNE_OK
                          : attune_fail(ATTUNE_ERROR_OVERFLOW,
                                        "workspace: %.3g bytes at the most do not fit", bytes);
}

static enum attune_status build(struct attune_plan *plan)
{
    const struct attune_shape *shape = &plan->shape;
    plan->group = shape->g > 0 ? shape->h / shape->g : 1;
    plan->rows = plan->group * shape->t_q;
    struct attune_builder builder = {.plan = plan};
    attune_plan_resolve_scales(plan);
    enum attune_status status = check_sizes(shape);
    if (status == ATTUNE_OK)
        status = attune_plan_choose_core(plan);
    if (status == ATTUNE_OK)
        status = lower(&builder);
    if (status == ATTUNE_OK)
        status = attune_plan_choose_packs(plan);
    if (status == ATTUNE_OK)
        status = attune_plan_lay_out(plan, builder.used);
    if (status == ATTUNE_OK && shape->prepared)
        attune_plan_write_header(plan);
    return status == ATTUNE_OK ? make_shares(plan) : status;
}

static void destroy(struct attune_plan *plan)
{
    struct attune_context *context = plan->context;
    for (int32_t i = 0; i < ATTUNE_MAX_STEPS; i++)
        attune_projection_release(plan->steps[i].projection);
    attune_context_free(context, plan->shares);
    attune_context_free(context, plan);
    attune_context_release(context);
}

static enum attune_status create(struct attune_context *context,
                                 const struct attune_problem *problem,
                                 const struct attune_choice *core,
                                 const struct attune_choice *parallel, struct attune_plan **plan)
{
    struct attune_shape shape;
    enum attune_status status = attune_shape_resolve(problem, &shape);
    if (status != ATTUNE_OK)
        return status;
    struct attune_plan *made = attune_context_allocate(context, sizeof *made);
    if (made == NULL)
        return attune_fail(ATTUNE_ERROR_NO_MEMORY, "no memory for a plan (%zu bytes)", sizeof *made);
    memset(made, 0, sizeof *made);
    made->context = attune_context_hold(context);
    made->shape = shape;
    if (core != NULL) {
        made->choice = *core;
        made->origin = ATTUNE_ORIGIN_FORCED;
    }
    if (parallel != NULL) {
        made->parallel = *parallel;
        made->parallel_origin = ATTUNE_ORIGIN_FORCED;
    }
    status = build(made);
    if (status != ATTUNE_OK) {
        destroy(made);
        return status;
    }
    *plan = made;
    return ATTUNE_OK;
}

/* The plan's constants are rounded to nearest whatever the caller's mode is. */
enum attune_status attune_plan_create_forced(struct attune_context *context,
                                             const struct attune_problem *problem,
                                             const struct attune_choice *core,
                                             const struct attune_choice *parallel,
                                             struct attune_plan **plan)
{
    attune_detail_clear();
    if (plan == NULL)
        return attune_fail(ATTUNE_ERROR_INVALID, "plan: the place for the result is NULL");
    *plan = NULL;
    if (context == NULL || problem == NULL)
        return attune_fail(ATTUNE_ERROR_INVALID, "%s: NULL", context == NULL ? "context" : "problem");
    const struct attune_cpu_mode mode = attune_cpu_mode_enter();
    enum attune_status status = create(context, problem, core, parallel, plan);
    attune_cpu_mode_leave(&mode);
    return status;
}

enum attune_status attune_plan_create(struct attune_context *context,
                                      const struct attune_problem *problem,
                                      struct attune_plan **plan)
{
    return attune_plan_create_forced(context, problem, NULL, NULL, plan);
}

void attune_plan_release(struct attune_plan *plan)
{
    if (plan != NULL)
        destroy(plan);
}

size_t attune_plan_workspace_size(const struct attune_plan *plan)
{
    return plan->workspace_size;
}

size_t attune_plan_prepared_size(const struct attune_plan *plan)
{
    return plan->prepared.size;
}

size_t attune_plan_describe(const struct attune_plan *plan, char *text, size_t size)
{
    static const enum attune_operation shown[] = {ATTUNE_OP_SCORE_DOT, ATTUNE_OP_SCORE_ROWS,
                                                  ATTUNE_OP_SCORE_TANH, ATTUNE_OP_LSTM,
                                                  ATTUNE_OP_SOFTMAX, ATTUNE_OP_WSUM,
                                                  ATTUNE_OP_WSUM_ROWS, ATTUNE_OP_TILE};
    size_t length = 0;
    if (size > 0)
        text[0] = '\0';
    for (size_t i = 0; i < sizeof shown / sizeof *shown; i++) {
        const struct attune_kernel *kernel = plan->kernel.row[shown[i]];
        if (kernel == NULL)
            continue;
        size_t left = length < size ? size - length : 0;
        int written = snprintf(left > 0 ? text + length : NULL, left, "%s%s",
                               length > 0 ? " " : "", kernel->name);
        length += written > 0 ? (size_t)written : 0;
    }
    return length;
}
