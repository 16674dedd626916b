/* SPDX-License-Identifier: Apache-2.0
 *
 * The fields of a problem that are no tensors: ranges, which mechanism knows which, defaults. Knows
 * nothing of tensors.
 */
#include "engine/validate.h"

#include <inttypes.h>
#include <math.h>

#include "engine/status.h"

static enum attune_status check_form(struct attune_problem *p)
{
    static const char *const known[] = {
        [ATTUNE_ADDITIVE] = "none",        [ATTUNE_MULTIPLICATIVE] = "dot, general or concat",
        [ATTUNE_SELF] = "dot or pairwise", [ATTUNE_CONVOLUTIONAL] = "pairwise or location",
        [ATTUNE_RECURRENT] = "none",
    };
    static const unsigned forms[] = {
        [ATTUNE_ADDITIVE] = 1u << ATTUNE_FORM_DEFAULT,
        [ATTUNE_MULTIPLICATIVE] = 1u << ATTUNE_DOT | 1u << ATTUNE_GENERAL | 1u << ATTUNE_CONCAT,
        [ATTUNE_SELF] = 1u << ATTUNE_DOT | 1u << ATTUNE_PAIRWISE,
        [ATTUNE_CONVOLUTIONAL] = 1u << ATTUNE_PAIRWISE | 1u << ATTUNE_LOCATION,
        [ATTUNE_RECURRENT] = 1u << ATTUNE_FORM_DEFAULT,
    };
    const char *mechanism = attune_mechanism_name(p->mechanism);
    if (!mechanism)
        return attune_fail(ATTUNE_ERROR_INVALID,
                           "mechanism: %" PRId32 " is none; additive, multiplicative, self, "
                           "convolutional or recurrent are 1 to 5",
                           p->mechanism);
    if (p->form == ATTUNE_FORM_DEFAULT && p->mechanism == ATTUNE_MULTIPLICATIVE)
        return attune_fail(ATTUNE_ERROR_INVALID,
                           "form: missing; multiplicative needs dot, general or concat");
    if (p->form == ATTUNE_FORM_DEFAULT && p->mechanism == ATTUNE_SELF)
        p->form = ATTUNE_DOT;
    if (p->form == ATTUNE_FORM_DEFAULT && p->mechanism == ATTUNE_CONVOLUTIONAL)
        p->form = ATTUNE_PAIRWISE;
    if (p->form < 0 || p->form > ATTUNE_LOCATION || !(forms[p->mechanism] >> p->form & 1u)) {
        const char *form = attune_form_name(p->form);
        return attune_fail(ATTUNE_ERROR_INVALID,
                           "form: %s (%" PRId32 ") is not known to %s, which has %s",
                           form ? form : "unknown", p->form, mechanism, known[p->mechanism]);
    }
    return ATTUNE_OK;
}

static enum attune_status check_choices(const struct attune_problem *p)
{
    if (p->causal < ATTUNE_CAUSAL_NONE || p->causal > ATTUNE_BOTTOM_RIGHT)
        return attune_fail(
            ATTUNE_ERROR_INVALID,
            "causal: %" PRId32 " is none of none (0), top_left (1), bottom_right (2)", p->causal);
    if (p->recurrence < ATTUNE_SCAN || p->recurrence > ATTUNE_STEP)
        return attune_fail(ATTUNE_ERROR_INVALID,
                           "recurrence: %" PRId32 " is neither scan (0) nor step (1)",
                           p->recurrence);
    if (p->recurrence != ATTUNE_SCAN && p->mechanism != ATTUNE_RECURRENT)
        return attune_fail(ATTUNE_ERROR_INVALID, "recurrence: only recurrent knows it, not %s",
                           attune_mechanism_name(p->mechanism));
    if (p->stage < ATTUNE_MASKED || p->stage > ATTUNE_SOFTCAP)
        return attune_fail(ATTUNE_ERROR_INVALID,
                           "scores: %" PRId32 " is none of masked (0), raw (1), softcap (2)",
                           p->stage);
    return ATTUNE_OK;
}

static enum attune_status check_number(const char *name, double value)
{
    if (!isfinite(value))
        return attune_fail(ATTUNE_ERROR_INVALID, "%s: %g is not a finite number", name, value);
    return ATTUNE_OK;
}

static enum attune_status check_scale(const char *name, int32_t *given, double *value)
{
    if (!*given && *value != 0 && *value != 1)
        return attune_fail(ATTUNE_ERROR_INVALID, "%s: %g is set, but has_%s is 0", name, *value,
                           name);
    if (!*given) {
        *value = 1;
        return ATTUNE_OK;
    }
    *given = 1;
    return check_number(name, *value);
}

static enum attune_status check_window(const char *name, int32_t *given, int64_t *value)
{
    if (!*given && *value != 0 && *value != -1)
        return attune_fail(ATTUNE_ERROR_INVALID, "%s: %" PRId64 " is set, but has_%s is 0", name,
                           *value, name);
    if (!*given)
        *value = -1;
    if (*value < -1)
        return attune_fail(ATTUNE_ERROR_INVALID, "%s: %" PRId64 " is below -1; -1 means no limit",
                           name, *value);
    *given = *value >= 0;
    return ATTUNE_OK;
}

static enum attune_status check_numbers(struct attune_problem *p)
{
    enum attune_status status;
    if ((status = check_scale("score_scale", &p->has_score_scale, &p->score_scale)) != ATTUNE_OK ||
        (status = check_scale("output_scale", &p->has_output_scale, &p->output_scale)) !=
            ATTUNE_OK ||
        (status = check_number("softcap", p->softcap)) != ATTUNE_OK ||
        (status = check_window("window_left", &p->has_window_left, &p->window_left)) != ATTUNE_OK ||
        (status = check_window("window_right", &p->has_window_right, &p->window_right)) !=
            ATTUNE_OK)
        return status;
    p->has_output_scale = 1;
    if (p->softcap < 0)
        return attune_fail(ATTUNE_ERROR_INVALID, "softcap: %g is negative; 0 means none",
                           p->softcap);
    if (p->past < 0)
        return attune_fail(ATTUNE_ERROR_INVALID, "past: %" PRId64 " is negative", p->past);
    if (p->past > 0 && p->causal == ATTUNE_BOTTOM_RIGHT)
        return attune_fail(ATTUNE_ERROR_INVALID,
                           "past: %" PRId64 " with causal bottom_right, which has no past",
                           p->past);
    if (p->heads < 0)
        return attune_fail(ATTUNE_ERROR_INVALID, "heads: %" PRId64 " is below 1", p->heads);
    return ATTUNE_OK;
}

static enum attune_status check_flags(const struct attune_problem *p)
{
    const uint32_t known = ATTUNE_PREPARED_KEYS | ATTUNE_DETERMINISTIC;
    if (p->flags & ~known)
        return attune_fail(ATTUNE_ERROR_INVALID, "flags: 0x%" PRIx32 " has bits that are not known",
                           p->flags & ~known);
    int preparable =
        p->mechanism == ATTUNE_ADDITIVE || p->form == ATTUNE_CONCAT || p->form == ATTUNE_LOCATION;
    if ((p->flags & ATTUNE_PREPARED_KEYS) && !preparable)
        return attune_fail(ATTUNE_ERROR_INVALID,
                           "flags: prepared keys are for additive, concat and location only");
    return ATTUNE_OK;
}

enum attune_status attune_validate_fields(struct attune_shape *shape)
{
    struct attune_problem *p = &shape->problem;
    enum attune_status status;
    if ((status = check_form(p)) != ATTUNE_OK || (status = check_choices(p)) != ATTUNE_OK ||
        (status = check_numbers(p)) != ATTUNE_OK || (status = check_flags(p)) != ATTUNE_OK)
        return status;
    shape->prepared = (p->flags & ATTUNE_PREPARED_KEYS) != 0;
    return ATTUNE_OK;
}
