/* SPDX-License-Identifier: Apache-2.0
 *
 * One execution: check the arguments, run the lowering's steps, the core, the merge of kv splits and
 * the projection of the output, each by the team.
 */
#include <string.h>

#include "engine/core.h"
#include "engine/status.h"

#define ALIGNMENT 64
#define PREPARED_VERSION 1u
static const char prepared_magic[8] = {'A', 'T', 'T', 'N', 'K', 'E', 'Y', 'S'};

const char *attune_view_base(const struct attune_execution *execution, const struct attune_view *view)
{
    const struct attune_args *args = execution->args;
    switch (view->place) {
    case ATTUNE_AT_INPUT: {
        const char *base = args->in[view->input];
        size_t size = attune_dtype_size(view->dtype);
        return base == NULL ? NULL : base + (size_t)view->offset * size;
    }
    case ATTUNE_AT_WORKSPACE:
        return execution->workspace + view->offset;
    case ATTUNE_AT_PREPARED:
        return (const char *)args->prepared + view->offset;
    default:
        return NULL;
    }
}

static uint64_t header_check(const struct attune_prepared_header *header)
{
    const unsigned char *bytes = (const unsigned char *)header;
    uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a */
    for (size_t i = 0; i < offsetof(struct attune_prepared_header, check); i++)
        hash = (hash ^ bytes[i]) * 0x100000001b3u;
    return hash;
}

void attune_plan_write_header(struct attune_plan *plan)
{
    const struct attune_shape *shape = &plan->shape;
    struct attune_prepared_header *header = &plan->prepared.header;
    memcpy(header->magic, prepared_magic, sizeof header->magic);
    header->version = PREPARED_VERSION;
    header->kind = plan->prepared.expanded ? 2 : 1;
    header->b = shape->b;
    header->h = shape->h;
    header->t_k = shape->t_k;
    header->a = shape->a;
    header->a_pad = plan->fold.a_pad;
    header->width = plan->prepared.expanded ? plan->kernel.row[ATTUNE_OP_SCORE_TANH]->width : 0;
    header->check = header_check(header);
}

static enum attune_status check_prepared(const struct attune_plan *plan,
                                         const struct attune_args *args)
{
    if (!plan->shape.prepared)
        return ATTUNE_OK;
    if (args->prepared == NULL)
        return attune_fail(ATTUNE_ERROR_PREPARED, "prepared: NULL, the plan reads prepared keys");
    if ((uintptr_t)args->prepared % sizeof(float) != 0)
        return attune_fail(ATTUNE_ERROR_PREPARED, "prepared: not aligned to 4 bytes");
    if (args->prepared_size < plan->prepared.size)
        return attune_fail(ATTUNE_ERROR_PREPARED, "prepared_size: %zu is less than the plan's %zu",
                           args->prepared_size, plan->prepared.size);
    struct attune_prepared_header header;
    const struct attune_prepared_header *expected = &plan->prepared.header;
    memcpy(&header, args->prepared, sizeof header);
    if (memcmp(&header, expected, sizeof header) == 0)
        return ATTUNE_OK;
    if (memcmp(header.magic, expected->magic, sizeof header.magic) != 0 ||
        header.check != header_check(&header))
        return attune_fail(ATTUNE_ERROR_PREPARED, "prepared: holds no prepared keys");
    return attune_fail(ATTUNE_ERROR_PREPARED,
                       "prepared: keys of another layout (b %lld h %lld t_k %lld a %lld width %lld, "
                       "this plan reads %lld %lld %lld %lld %lld)",
                       (long long)header.b, (long long)header.h, (long long)header.t_k,
                       (long long)header.a, (long long)header.width, (long long)expected->b,
                       (long long)expected->h, (long long)expected->t_k, (long long)expected->a,
                       (long long)expected->width);
}

static enum attune_status check(const struct attune_plan *plan, const struct attune_args *args)
{
    if (plan == NULL || args == NULL)
        return attune_fail(ATTUNE_ERROR_INVALID, "%s: NULL", plan == NULL ? "plan" : "args");
    if (args->struct_size != sizeof *args)
        return attune_fail(ATTUNE_ERROR_INVALID, "struct_size: %zu, this library's args have %zu",
                           args->struct_size, sizeof *args);
    if (args->workspace == NULL || args->workspace_size < plan->workspace_size)
        return attune_fail(ATTUNE_ERROR_WORKSPACE, "workspace_size: %zu is less than the plan's %zu",
                           args->workspace == NULL ? (size_t)0 : args->workspace_size,
                           plan->workspace_size);
    return ATTUNE_OK;
}

static struct attune_sink_view output_view(const struct attune_execution *execution, int32_t output)
{
    const struct attune_plan *plan = execution->plan;
    const struct attune_tensor *tensor = &plan->shape.problem.out[output];
    struct attune_sink_view view = {0};
    if (tensor->dtype == ATTUNE_ABSENT)
        return view;
    view.base = execution->args->out[output];
    view.stride_b = tensor->stride[0];
    if (output == ATTUNE_OUT_OUT && tensor->rank == 3) { /* heads, if any, side by side */
        view.stride_t = tensor->stride[1];
        view.stride_h = plan->shape.e;
    } else {
        view.stride_h = tensor->stride[1];
        view.stride_t = tensor->stride[2];
    }
    view.stride_k = tensor->rank == 4 ? tensor->stride[3] : 0;
    return view;
}

static void resolve(struct attune_execution *execution)
{
    const struct attune_plan *plan = execution->plan;
    execution->query = attune_view_base(execution, &plan->query);
    execution->key = attune_view_base(execution, &plan->key);
    execution->value = attune_view_base(execution, &plan->value);
    execution->fold = (const float *)(execution->workspace + plan->fold.offset);
    execution->lstm = (const float *)(execution->workspace + plan->lstm.offset);
    execution->out = output_view(execution, ATTUNE_OUT_OUT);
    execution->alignments = output_view(execution, ATTUNE_OUT_ALIGNMENTS);
    execution->lse = output_view(execution, ATTUNE_OUT_LSE);
    execution->scores = output_view(execution, ATTUNE_OUT_SCORES);
    if (plan->out_projection != NULL && execution->out.base != NULL) {
        const struct attune_view *core = &plan->out_projection->src;
        execution->out = (struct attune_sink_view){
            .base = (float *)(execution->workspace + core->offset),
            .stride_b = core->stride_b,
            .stride_h = plan->shape.e,
            .stride_t = core->stride_t};
    }
}

static void open_execution(struct attune_execution *execution, const struct attune_plan *plan,
                           const struct attune_args *args)
{
    memset(execution, 0, sizeof *execution);
    execution->plan = plan;
    execution->args = args;
    uintptr_t base = (uintptr_t)args->workspace;
    execution->workspace = (char *)args->workspace + (ALIGNMENT - base % ALIGNMENT) % ALIGNMENT;
    atomic_init(&execution->failed, 0);
    atomic_init(&execution->claimed, 0);
}

static void run_team(struct attune_execution *execution, attune_work_fn *work)
{
    static const struct attune_team_options alone = {.alone = 1};
    const struct attune_plan *plan = execution->plan;
    attune_team_run(execution->alone ? &alone : &plan->context->team, plan->workers, work, execution);
}

/* A step that cannot be shared is done at once, by the caller: waking others would take longer than it. */
static void run_step(struct attune_execution *execution, const struct attune_step *step)
{
    execution->step = step;
    if (attune_step_is_shared(step))
        run_team(execution, attune_step_work);
    else
        attune_team_run(&execution->plan->context->team, 1, attune_step_work, execution);
}

/* Steps on the key side only, on the other side only, or all. */
enum step_set { KEY_STEPS, OTHER_STEPS, ALL_STEPS };

static enum attune_status run_steps(struct attune_execution *execution, enum step_set set)
{
    const struct attune_plan *plan = execution->plan;
    for (int32_t i = 0; i < plan->step_count; i++) {
        const struct attune_step *step = &plan->steps[i];
        if (set != ALL_STEPS && (step->keys_only != 0) != (set == KEY_STEPS))
            continue;
        run_step(execution, step);
    }
    if (atomic_load(&execution->failed))
        return attune_fail(ATTUNE_ERROR_NO_MEMORY, "no memory for a projection, inside oneDNN");
    return ATTUNE_OK;
}

static enum attune_status project_output(struct attune_execution *execution)
{
    const struct attune_plan *plan = execution->plan;
    if (plan->out_projection == NULL || execution->out.base == NULL)
        return ATTUNE_OK;
    run_step(execution, plan->out_projection);
    if (atomic_load(&execution->failed))
        return attune_fail(ATTUNE_ERROR_NO_MEMORY, "no memory for out_weight, inside oneDNN");
    return ATTUNE_OK;
}

enum attune_status attune_plan_execute(const struct attune_plan *plan, const struct attune_args *args)
{
    attune_detail_clear();
    enum attune_status status = check(plan, args);
    if (status == ATTUNE_OK)
        status = attune_shape_check_args(&plan->shape, args);
    if (status == ATTUNE_OK)
        status = check_prepared(plan, args);
    if (status != ATTUNE_OK || plan->shape.b == 0 || plan->shape.t_q == 0)
        return status;
    struct attune_execution execution;
    open_execution(&execution, plan, args);
    execution.alone = plan->brief > 0 && !attune_team_is_awake(&plan->context->team, plan->workers, plan->brief);
    status = run_steps(&execution, plan->shape.prepared ? OTHER_STEPS : ALL_STEPS);
    if (status != ATTUNE_OK)
        return status;
    resolve(&execution);
    if (plan->schedule == ATTUNE_SCHEDULE_WEIGHTED)
        attune_shares_deal(plan->shares, plan->workers,
                           (float *)(execution.workspace + plan->dealt));
    run_team(&execution, attune_core_work);
    if (plan->splits > 1 && !plan->gathered)
        run_team(&execution, attune_core_merge_work);
    return project_output(&execution);
}

static enum attune_status check_prepare(const struct attune_plan *plan,
                                        const struct attune_args *args, const void *prepared,
                                        size_t prepared_size)
{
    enum attune_status status = check(plan, args);
    if (status != ATTUNE_OK)
        return status;
    if (!plan->shape.prepared)
        return attune_fail(ATTUNE_ERROR_INVALID, "flags: the plan has no ATTUNE_PREPARED_KEYS");
    if (prepared == NULL || (uintptr_t)prepared % sizeof(float) != 0)
        return attune_fail(ATTUNE_ERROR_PREPARED, "prepared: %s",
                           prepared == NULL ? "NULL" : "not aligned to 4 bytes");
    if (prepared_size < plan->prepared.size)
        return attune_fail(ATTUNE_ERROR_PREPARED, "prepared_size: %zu is less than the plan's %zu",
                           prepared_size, plan->prepared.size);
    return attune_shape_check_key_args(&plan->shape, args);
}

enum attune_status attune_plan_prepare(const struct attune_plan *plan,
                                       const struct attune_args *args, void *prepared,
                                       size_t prepared_size)
{
    attune_detail_clear();
    enum attune_status status = check_prepare(plan, args, prepared, prepared_size);
    if (status != ATTUNE_OK)
        return status;
    struct attune_args with = *args;
    with.prepared = prepared;
    struct attune_execution execution;
    open_execution(&execution, plan, &with);
    memset(prepared, 0, plan->prepared.size);
    if (plan->shape.b > 0 && plan->shape.t_k > 0) {
        status = run_steps(&execution, KEY_STEPS);
        if (status != ATTUNE_OK)
            return status;
        execution.prepared = prepared;
        run_team(&execution, attune_prepare_work);
    }
    memcpy(prepared, &plan->prepared.header, sizeof plan->prepared.header);
    return ATTUNE_OK;
}
