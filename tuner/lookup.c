/* SPDX-License-Identifier: Apache-2.0
 *
 * The chain of a choice.
 */
#include "tuner/lookup.h"

#include <stdio.h>
#include <string.h>

static void say(const struct attune_lookup *lookup, const char *line)
{
    if (lookup->trace != NULL)
        lookup->trace(lookup->trace_user, line);
}

const char *attune_origin_word(enum attune_origin origin)
{
    static const char *const words[] = {"model", "tie", "tuned", "near", "forced"};
    return words[origin];
}

/* Prepared keys serve every plan of the same key side, so that none may choose panels of its own. */
static int check_prepared(const struct attune_model_problem *problem,
                          const struct attune_choice *choice, const struct attune_choice *model,
                          struct attune_fault *fault)
{
    const struct attune_kernel *kernel = choice->kernel[ATTUNE_OP_SCORE_TANH];
    if (!problem->key.prepared || kernel == NULL)
        return 0;
    const struct attune_kernel *shared = model->kernel[ATTUNE_OP_SCORE_TANH];
    if (kernel->width == shared->width)
        return 0;
    return attune_fault_set(fault, 0, "kernel: %s reads prepared keys in panels of %d, they have %d",
                            kernel->name, kernel->width, shared->width);
}

int attune_lookup_accept(const struct attune_model_problem *problem,
                         const struct attune_choice *choice, struct attune_choice *completed,
                         struct attune_fault *fault)
{
    struct attune_choice model = {0};
    if (attune_choice_check(&problem->key, choice, problem->features, fault) != 0)
        return -1;
    *completed = *choice;
    if (attune_model_complete(problem, completed) != ATTUNE_OP_COUNT ||
        attune_model_complete(problem, &model) != ATTUNE_OP_COUNT)
        return attune_fault_set(fault, 0, "kernel: an operation has none that can run");
    return check_prepared(problem, completed, &model, fault);
}

void attune_lookup_core(const struct attune_lookup *lookup,
                        const struct attune_model_problem *problem, struct attune_answer *answer)
{
    memset(answer, 0, sizeof *answer);
    answer->missing = attune_model_complete(problem, &answer->choice);
    say(lookup, "the model's choice");
}
