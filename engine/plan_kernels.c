/* SPDX-License-Identifier: Apache-2.0
 *
 * Which kernels a plan takes: the first usable one of each operation that fits the problem. Knows the
 * registry, not memory.
 */
#include "engine/plan.h"

#include <string.h>

#include "engine/status.h"

/* With so few query rows to a key, bringing keys into panels costs more than it saves. */
#define ROWS_LAYOUT_MAX 8

static const struct attune_kernel *first(const struct attune_plan *plan,
                                         enum attune_operation operation)
{
    return attune_kernel_next(operation, plan->context->features, NULL);
}

/* A PANELS kernel needs a full tile of rows to pay; few rows take the one with the fewest. */
static const struct attune_kernel *fit_rows(const struct attune_plan *plan,
                                            enum attune_operation operation, int64_t rows,
                                            int32_t layout)
{
    const struct attune_kernel *best = NULL, *kernel = NULL;
    while ((kernel = attune_kernel_next(operation, plan->context->features, kernel)) != NULL) {
        if (operation == ATTUNE_OP_SCORE_DOT && kernel->layout != layout)
            continue;
        if (best != NULL && strcmp(kernel->isa, best->isa) != 0)
            break;
        if (best == NULL || (rows < best->rows && kernel->rows < best->rows))
            best = kernel;
    }
    return best;
}

static const struct attune_kernel *for_type(const struct attune_plan *plan,
                                            enum attune_operation operation, int32_t dtype)
{
    const struct attune_kernel *kernel = NULL;
    while ((kernel = attune_kernel_next(operation, plan->context->features, kernel)) != NULL)
        if (kernel->dtype == dtype)
            return kernel;
    return NULL;
}

static enum attune_status missing(const struct attune_plan *plan, enum attune_operation operation)
{
    return attune_fail(ATTUNE_ERROR_UNSUPPORTED, "no kernel for %s under max_isa \"%s\"",
                       attune_operation_word(operation), plan->context->max_isa);
}

#define TAKE(OP, member, chosen)                                                                   \
    do {                                                                                           \
        const struct attune_kernel *kernel_ = (chosen);                                            \
        if (kernel_ == NULL)                                                                       \
            return missing(plan, ATTUNE_OP_##OP);                                                  \
        plan->kernel.row[ATTUNE_OP_##OP] = kernel_;                                                \
        plan->kernel.member = kernel_->run.member;                                                 \
    } while (0)

static enum attune_status choose_score(struct attune_plan *plan)
{
    if (plan->shape.kind == ATTUNE_SCORE_DOT) {
        int32_t layout = plan->rows <= ROWS_LAYOUT_MAX ? ATTUNE_ROWS : ATTUNE_PANELS;
        const struct attune_kernel *score =
            fit_rows(plan, ATTUNE_OP_SCORE_DOT, plan->rows, layout);
        if (score == NULL)
            score = fit_rows(plan, ATTUNE_OP_SCORE_DOT, plan->rows, ATTUNE_PANELS);
        TAKE(SCORE_DOT, score_dot, score);
        return ATTUNE_OK;
    }
    if (plan->shape.kind == ATTUNE_SCORE_LSTM) {
        TAKE(LSTM, lstm, first(plan, ATTUNE_OP_LSTM));
        return ATTUNE_OK;
    }
    TAKE(SCORE_TANH, score_tanh, fit_rows(plan, ATTUNE_OP_SCORE_TANH, plan->rows, ATTUNE_PANELS));
    TAKE(FOLD, fold, first(plan, ATTUNE_OP_FOLD));
    TAKE(EXPAND_ROWS, expand_rows, first(plan, ATTUNE_OP_EXPAND_ROWS));
    TAKE(EXPAND_PANELS, expand_panels, first(plan, ATTUNE_OP_EXPAND_PANELS));
    TAKE(SCORE_DIRECT, score_direct, first(plan, ATTUNE_OP_SCORE_DIRECT));
    return ATTUNE_OK;
}

enum attune_status attune_plan_choose_core(struct attune_plan *plan)
{
    enum attune_status status = choose_score(plan);
    if (status != ATTUNE_OK)
        return status;
    TAKE(ADJUST, adjust, first(plan, ATTUNE_OP_ADJUST));
    TAKE(SOFTMAX, softmax, first(plan, ATTUNE_OP_SOFTMAX));
    TAKE(WSUM, wsum, fit_rows(plan, ATTUNE_OP_WSUM, plan->rows, ATTUNE_PANELS));
    if (plan->shape.problem.form == ATTUNE_LOCATION) { /* a wsum over all keys, not the core's */
        const struct attune_kernel *many = first(plan, ATTUNE_OP_WSUM);
        plan->location.wsum = many->run.wsum;
        plan->location.columns = many->width;
    }
    TAKE(MERGE, merge, first(plan, ATTUNE_OP_MERGE));
    TAKE(FINISH, finish, first(plan, ATTUNE_OP_FINISH));
    TAKE(WEIGHTS, weights, first(plan, ATTUNE_OP_WEIGHTS));
    return ATTUNE_OK;
}

enum attune_status attune_plan_choose_packs(struct attune_plan *plan)
{
    for (int32_t dtype = ATTUNE_PACK_F32; dtype <= ATTUNE_PACK_I8; dtype++) {
        const struct attune_kernel *kernel = for_type(plan, ATTUNE_OP_PACK_VALUES, dtype);
        if (kernel == NULL)
            return missing(plan, ATTUNE_OP_PACK_VALUES);
        plan->kernel.convert[dtype] = kernel->run.pack_values;
    }
    TAKE(PACK_VALUES, pack_values, for_type(plan, ATTUNE_OP_PACK_VALUES, plan->value.dtype));
    TAKE(PACK_KEYS, pack_keys, for_type(plan, ATTUNE_OP_PACK_KEYS, plan->key.dtype));
    return ATTUNE_OK;
}
