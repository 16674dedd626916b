/* SPDX-License-Identifier: Apache-2.0
 *
 * Chooses results and the roofs that they are carried to, and says how good the model is.
 */
#include "bench/forecast.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/status.h"

enum { MOST_RESULTS = 4096 }; /* of a file that are looked at */

static int32_t results_of(const struct attune_results *results)
{
    const int32_t count = results->count[ATTUNE_LINE_RESULT];
    return count < MOST_RESULTS ? count : MOST_RESULTS;
}

static void name_machine(struct attune_forecast *forecast, const char *run)
{
    const struct attune_machine_line *line = attune_results_machine(&forecast->machine, run);
    const char *brand = line ? json_string_value(json_object_get(line->cpu, "brand")) : NULL;
    snprintf(forecast->name, sizeof forecast->name, "%.90s",
             line && line->label ? line->label
             : brand && *brand   ? brand
                                 : "unnamed CPU");
}

/* A result of Attune on the threads asked for: `few` is one thread, else the most that the same
 * case has under the same instruction set. */
static int stands_for(const struct attune_results *results, const struct attune_result_line *line,
                      int few)
{
    if (strcmp(line->engine, "attune") != 0 || strcmp(line->outcome, "ok") != 0 ||
        strcmp(line->spec, "kernel") == 0)
        return 0;
    if (few)
        return !(line->threads > 1);
    for (int32_t i = 0; i < results_of(results); i++) {
        const struct attune_result_line *other = &results->result[i];
        if (other->threads > line->threads && strcmp(other->spec, line->spec) == 0 &&
            strcmp(other->isa, line->isa) == 0 && strcmp(other->engine, "attune") == 0)
            return 0;
    }
    return line->threads > 1;
}

/* Whether an earlier row, or a faster result, already stands for this case. */
static int is_doubled(const struct attune_forecast *forecast, int first,
                      const struct attune_result_line *line)
{
    for (int i = first; i < forecast->rows; i++)
        if (strcmp(forecast->row[i].from->spec, line->spec) == 0)
            return 1;
    return 0;
}

/* Rows for the setting there with as many threads; the instruction set is the best that both have.
 */
static void add_rows(const struct attune_results *results, struct attune_forecast *forecast,
                     double threads, int few)
{
    const int first = forecast->rows;
    struct attune_roof_set there;
    for (int32_t i = 0; i < results_of(results); i++) {
        const struct attune_result_line *line = &results->result[i];
        struct attune_forecast_row *row = &forecast->row[forecast->rows];
        struct attune_roof_set here;
        if (!stands_for(results, line, few) || is_doubled(forecast, first, line) ||
            !attune_roof_set_there(&forecast->machine, threads, NULL, &there))
            continue;
        /* The same kernels where the other machine has them. */
        struct attune_roof_set same;
        if (attune_roof_set_there(&forecast->machine, threads, line->isa, &same))
            there = same;
        attune_roof_set_here(results, line, &here);
        if (attune_predict(line, &here, &there, &row->prediction)) {
            row->from = line;
            row->there = there;
            forecast->rows++;
        }
    }
}

static void write_note(struct attune_forecast *forecast)
{
    int length =
        snprintf(forecast->note, sizeof forecast->note,
                 "A prediction, not a measurement: from results here and the roofs of %.60s. ",
                 forecast->name);
    if (forecast->error.cases > 0)
        snprintf(forecast->note + length, sizeof forecast->note - (size_t)length,
                 "Asked what is known here, the same model errs by %.0f %% (median), %.0f %% at "
                 "worst, in "
                 "%d cases.",
                 100 * forecast->error.median, 100 * forecast->error.worst, forecast->error.cases);
    else
        snprintf(forecast->note + length, sizeof forecast->note - (size_t)length,
                 "How far off it is cannot be told: these files hold one setting of each case.");
}

enum attune_status attune_forecast_make(const struct attune_results *results, const char *path,
                                        struct attune_forecast *forecast)
{
    struct attune_roof_set most;
    *forecast = (struct attune_forecast){.rows = 0};
    const enum attune_status status = attune_results_read(path, &forecast->machine);
    if (status != ATTUNE_OK)
        return status;
    if (!attune_roof_set_there(&forecast->machine, 0, NULL, &most))
        return attune_fail(ATTUNE_ERROR_INVALID,
                           "holds no roof line of fma: a machine needs its roofs");
    forecast->row = calloc(2 * (size_t)results_of(results) + 1, sizeof *forecast->row);
    if (!forecast->row)
        return attune_fail(ATTUNE_ERROR_NO_MEMORY, "no memory for the prediction");
    name_machine(forecast, forecast->machine.roof[0].machine);
    add_rows(results, forecast, 1, 1);
    if (most.threads > 1)
        add_rows(results, forecast, most.threads, 0);
    if (forecast->rows == 0)
        return attune_fail(ATTUNE_ERROR_INVALID,
                           "no result can be carried to it: roofs of the threads "
                           "or of the work are missing");
    attune_predict_check(results, &forecast->error);
    write_note(forecast);
    return ATTUNE_OK;
}

void attune_forecast_free(struct attune_forecast *forecast)
{
    free(forecast->row);
    attune_results_free(&forecast->machine);
    *forecast = (struct attune_forecast){0};
}
