/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/compare.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/reference.h"
#include "tests/support/oracle.h"

static char text[2048];
static double worst_share;

static const char *complain(const struct box *box, const char *output, int64_t index, double got,
                            double want, double bound, const char *what)
{
    char problem[1536];
    box_describe(box, problem, sizeof problem);
    snprintf(text, sizeof text, "%s[%" PRId64 "]: got %.9g, want %.9g, bound %.3g: %s\n    %s",
             output, index, got, want, bound, what, problem);
    return text;
}

/* Both references in one place: expectations from the oracle, bounds from the engine. */
struct expectation {
    struct attune_reference reference;
    double *oracle[ATTUNE_OUTPUT_COUNT];
};

static const char *expect(const struct box *box, struct expectation *e)
{
    struct attune_shape shape;
    memset(e, 0, sizeof *e);
    if (attune_shape_resolve(&box->problem, &shape) != ATTUNE_OK ||
        attune_reference_run(&shape, &box->args, &e->reference) != ATTUNE_OK) {
        snprintf(text, sizeof text, "reference failed: %s", attune_error_detail());
        return text;
    }
    for (int o = 0; o < ATTUNE_OUTPUT_COUNT; o++)
        if (e->reference.value[o])
            e->oracle[o] = calloc((size_t)e->reference.count[o] + 1, sizeof(double));
    oracle_run(&box->problem, &box->args, e->oracle);
    return NULL;
}

static void forget(struct expectation *e)
{
    attune_reference_free(&e->reference);
    for (int o = 0; o < ATTUNE_OUTPUT_COUNT; o++)
        free(e->oracle[o]);
}

static int agree(double reference, double oracle, double bound)
{
    if (isinf(bound) || (isnan(oracle) && isnan(reference)) || reference == oracle)
        return 1;
    return fabs(reference - oracle) <= 1e-5 * bound + 1e-11 * (1 + fabs(oracle));
}

static const char *compare_references(const struct box *box, const struct expectation *e,
                                      double loosest)
{
    for (int o = 0; o < ATTUNE_OUTPUT_COUNT; o++)
        for (int64_t i = 0; i < e->reference.count[o]; i++) {
            const double value = e->reference.value[o][i], bound = e->reference.bound[o][i];
            const double want = e->oracle[o][i];
            if (!agree(value, want, bound))
                return complain(box, attune_output_name(o), i, value, want, bound,
                                "engine/reference.c differs from the oracle");
            if (isfinite(want) && !(bound <= loosest * (1 + fabs(want))))
                return complain(box, attune_output_name(o), i, value, want, bound,
                                "the bound is too loose to say anything");
        }
    return NULL;
}

const char *compare_reference(const struct box *box)
{
    struct expectation e;
    const char *wrong = expect(box, &e);
    if (!wrong)
        wrong = compare_references(box, &e, INFINITY);
    forget(&e);
    return wrong;
}

const char *compare_with_oracle(const struct box *box, const struct box_result *result,
                                double loosest)
{
    struct expectation e;
    if (result->status != ATTUNE_OK) {
        complain(box, "status", result->status, 0, 0, 0, result->detail);
        return text;
    }
    const char *wrong = expect(box, &e);
    if (!wrong)
        wrong = compare_references(box, &e, loosest);
    for (int o = 0; !wrong && o < ATTUNE_OUTPUT_COUNT; o++) {
        int64_t worst = 0;
        double share = 0;
        if (result->count[o] != e.reference.count[o])
            wrong = complain(box, attune_output_name(o), result->count[o], 0, 0, 0, "wrong count");
        else if (result->value[o])
            share = attune_reference_compare(result->value[o], e.oracle[o], e.reference.bound[o],
                                             result->count[o], NULL, &worst);
        worst_share = share > worst_share ? share : worst_share;
        if (!wrong && !(share <= 1))
            wrong = complain(box, attune_output_name(o), worst, (double)result->value[o][worst],
                             e.oracle[o][worst], e.reference.bound[o][worst], result->kernels);
    }
    if (!wrong && result->strays)
        wrong = complain(box, "canary", result->strays, 0, 0, 0, "written outside the outputs");
    forget(&e);
    return wrong;
}

double compare_worst(void)
{
    return worst_share;
}

const char *compare_bits(const struct box_result *one, const struct box_result *other)
{
    for (int o = 0; o < ATTUNE_OUTPUT_COUNT; o++) {
        if (!one->value[o] || !other->value[o])
            continue;
        for (int64_t i = 0; i < one->count[o]; i++)
            if (memcmp(&one->value[o][i], &other->value[o][i], sizeof(float)) != 0) {
                snprintf(text, sizeof text, "%s[%" PRId64 "]: %.9g and %.9g", attune_output_name(o),
                         i, (double)one->value[o][i], (double)other->value[o][i]);
                return text;
            }
    }
    return NULL;
}
