/* SPDX-License-Identifier: Apache-2.0
 *
 * A plan takes its kernels: those that were chosen for the core, and of packs the one of each type.
 * Knows the registry, not memory.
 */
#include "engine/plan.h"

#include "engine/status.h"

static const struct attune_kernel *for_type(const struct attune_plan *plan,
                                            enum attune_operation operation, int32_t dtype)
{
    const struct attune_kernel *kernel = NULL;
    while ((kernel = attune_model_next(&plan->asked, operation, kernel)) != NULL)
        if (kernel->dtype == dtype)
            return kernel;
    return NULL;
}

enum attune_status attune_plan_lacks(const struct attune_plan *plan, enum attune_operation operation)
{
    return attune_fail(ATTUNE_ERROR_UNSUPPORTED, "no kernel for %s under max_isa \"%s\"",
                       attune_operation_word(operation), plan->context->max_isa);
}

#define TAKE(OP, member, chosen)                                                                   \
    do {                                                                                           \
        const struct attune_kernel *kernel_ = (chosen);                                            \
        if (kernel_ == NULL)                                                                       \
            return attune_plan_lacks(plan, ATTUNE_OP_##OP);                                        \
        plan->kernel.row[ATTUNE_OP_##OP] = kernel_;                                                \
        plan->kernel.member = kernel_->run.member;                                                 \
    } while (0)
/* Operations that the score kind has no use for stay NULL. */
#define TAKE_CHOSEN(OP, member)                                                                    \
    do {                                                                                           \
        if (plan->choice.kernel[ATTUNE_OP_##OP] != NULL)                                           \
            TAKE(OP, member, plan->choice.kernel[ATTUNE_OP_##OP]);                                 \
    } while (0)

/* The fused kernel stands in for the three where nothing has to see the scores. */
static void choose_tile(struct attune_plan *plan)
{
    const struct attune_kernel *kernel = attune_model_tile(&plan->asked, &plan->choice);
    if (kernel == NULL || plan->shown || plan->needs_all)
        return;
    plan->kernel.row[ATTUNE_OP_TILE] = kernel;
    plan->kernel.tile = kernel->run.tile;
}

enum attune_status attune_plan_choose_core(struct attune_plan *plan)
{
    enum attune_status status = attune_plan_choose(plan);
    if (status != ATTUNE_OK)
        return status;
    TAKE_CHOSEN(SCORE_DOT, score_dot);
    TAKE_CHOSEN(SCORE_ROWS, score_rows);
    TAKE_CHOSEN(SCORE_TANH, score_tanh);
    TAKE_CHOSEN(EXPAND_ROWS, expand_rows);
    TAKE_CHOSEN(EXPAND_PANELS, expand_panels);
    TAKE_CHOSEN(SCORE_DIRECT, score_direct);
    TAKE_CHOSEN(LSTM, lstm);
    TAKE_CHOSEN(ADJUST, adjust);
    TAKE_CHOSEN(SOFTMAX, softmax);
    TAKE_CHOSEN(WSUM, wsum);
    TAKE_CHOSEN(WSUM_ROWS, wsum_rows);
    choose_tile(plan);
    TAKE_CHOSEN(MERGE, merge);
    TAKE_CHOSEN(FINISH, finish);
    TAKE_CHOSEN(WEIGHTS, weights);
    TAKE_CHOSEN(FOLD, fold);
    if (plan->shape.problem.form == ATTUNE_LOCATION) { /* a wsum over all keys, not the core's */
        const struct attune_kernel *many = attune_model_next(&plan->asked, ATTUNE_OP_WSUM, NULL);
        plan->location.wsum = many->run.wsum;
        plan->location.columns = many->width;
    }
    return ATTUNE_OK;
}

enum attune_status attune_plan_choose_packs(struct attune_plan *plan)
{
    for (int32_t dtype = ATTUNE_PACK_F32; dtype <= ATTUNE_PACK_I8; dtype++) {
        const struct attune_kernel *kernel = for_type(plan, ATTUNE_OP_PACK_VALUES, dtype);
        if (kernel == NULL)
            return attune_plan_lacks(plan, ATTUNE_OP_PACK_VALUES);
        plan->kernel.convert[dtype] = kernel->run.pack_values;
    }
    TAKE(PACK_VALUES, pack_values, for_type(plan, ATTUNE_OP_PACK_VALUES, plan->value.dtype));
    TAKE(PACK_KEYS, pack_keys, for_type(plan, ATTUNE_OP_PACK_KEYS, plan->key.dtype));
    return ATTUNE_OK;
}
