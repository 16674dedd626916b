/* SPDX-License-Identifier: Apache-2.0
 *
 * Groups machines by hardware and keeps one result a case and setting.
 */
#include "bench/cli/report_data.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

double attune_pairs_find(const struct attune_pairs *pairs, const char *name)
{
    for (int32_t i = 0; i < pairs->count; i++)
        if (strcmp(pairs->at[i].name, name) == 0)
            return pairs->at[i].value;
    return (double)NAN;
}

int attune_report_is_timed(const struct attune_result_line *result)
{
    return strcmp(result->outcome, "ok") == 0 && result->min_s > 0;
}

int attune_report_is_own(const struct attune_result_line *result)
{
    return strcmp(result->engine, "attune") == 0;
}

const char *attune_report_case(const struct attune_result_line *result)
{
    return result->name[0] ? result->name : result->spec;
}

static int same_text(const char *a, const char *b)
{
    return strcmp(a ? a : "", b ? b : "") == 0;
}

/* A label names a machine apart, so that before and after on one machine stay two. */
static int same_machine(const struct attune_machine_line *a, const struct attune_machine_line *b)
{
    return strcmp(a->hardware, b->hardware) == 0 && same_text(a->label, b->label);
}

static void name_machine(struct attune_report_machine *machine)
{
    const char *brand = json_string_value(json_object_get(machine->line->cpu, "brand"));
    const char *vendor = json_string_value(json_object_get(machine->line->cpu, "vendor"));
    const char *name = brand && *brand ? brand : vendor && *vendor ? vendor : "unnamed CPU";
    if (machine->line->label)
        snprintf(machine->name, sizeof machine->name, "%.60s (%.30s)", machine->line->label, name);
    else
        snprintf(machine->name, sizeof machine->name, "%.90s", name);
}

static int32_t find_machine(const struct attune_report *report,
                            const struct attune_machine_line *line)
{
    int32_t i = 0;
    while (i < report->machines && !same_machine(report->machine[i].line, line))
        i++;
    return i;
}

static void order_machines(struct attune_report *report)
{
    for (int32_t i = 0; i < report->results.count[ATTUNE_LINE_MACHINE]; i++) {
        const struct attune_machine_line *line = &report->results.machine[i];
        const int32_t found = find_machine(report, line);
        if (found == report->machines) {
            report->machine[report->machines].line = line;
            name_machine(&report->machine[report->machines++]);
        }
        report->machine[found].runs++;
    }
}

int32_t attune_report_machine_of(const struct attune_report *report, const char *run)
{
    return find_machine(report, attune_results_machine(&report->results, run));
}

/* A result with its place, for sorting. */
struct placed {
    const struct attune_result_line *line;
    int32_t machine, place;
};

static int compare_numbers(double a, double b)
{
    return (a > b) - (a < b);
}

static int compare_settings(const struct placed *a, const struct placed *b)
{
    if (a->machine != b->machine)
        return a->machine < b->machine ? -1 : 1;
    const int isa = strcmp(a->line->isa, b->line->isa);
    return isa ? isa : compare_numbers(a->line->threads, b->line->threads);
}

static int compare_cases(const void *left, const void *right)
{
    const struct placed *a = left, *b = right;
    int order = compare_settings(a, b);
    if (!order)
        order = strcmp(a->line->spec, b->line->spec);
    if (!order)
        order = strcmp(attune_report_case(a->line), attune_report_case(b->line));
    if (!order)
        order =
            strcmp(a->line->choice ? a->line->choice : "", b->line->choice ? b->line->choice : "");
    return order ? order : compare_numbers(a->line->min_s, b->line->min_s);
}

static int is_same_case(const struct placed *a, const struct placed *b)
{
    return compare_settings(a, b) == 0 && strcmp(a->line->spec, b->line->spec) == 0 &&
           strcmp(attune_report_case(a->line), attune_report_case(b->line)) == 0 &&
           same_text(a->line->choice, b->line->choice);
}

static int compare_places(const void *left, const void *right)
{
    const struct placed *a = left, *b = right;
    const int order = compare_settings(a, b);
    return order ? order : (a->place > b->place) - (a->place < b->place);
}

static int order_results(struct attune_report *report)
{
    const int32_t all = report->results.count[ATTUNE_LINE_RESULT];
    struct placed *placed = calloc((size_t)all + 1, sizeof *placed);
    int32_t count = 0, kept = 0;
    if (!placed)
        return 0;
    for (int32_t i = 0; i < all; i++) {
        const struct attune_result_line *line = &report->results.result[i];
        if (attune_report_is_timed(line) && attune_report_is_own(line))
            placed[count++] =
                (struct placed){line, attune_report_machine_of(report, line->machine), i};
    }
    qsort(placed, (size_t)count, sizeof *placed, compare_cases);
    for (int32_t i = 0; i < count; i++)
        if (i == 0 || !is_same_case(&placed[i], &placed[kept - 1]))
            placed[kept++] = placed[i];
    report->merged = count - kept;
    qsort(placed, (size_t)kept, sizeof *placed, compare_places);
    for (int32_t i = 0; i < kept; i++)
        report->own[report->owns++] = placed[i].line;
    free(placed);
    return 1;
}

int attune_report_order(struct attune_report *report)
{
    report->machine =
        calloc((size_t)report->results.count[ATTUNE_LINE_MACHINE] + 1, sizeof *report->machine);
    report->own = calloc((size_t)report->results.count[ATTUNE_LINE_RESULT] + 1, sizeof(void *));
    if (!report->machine || !report->own)
        return 0;
    order_machines(report);
    return order_results(report);
}

void attune_report_free(struct attune_report *report)
{
    free(report->machine);
    free(report->own);
    attune_results_free(&report->results);
    *report = (struct attune_report){0};
}

int attune_report_same_setting(const struct attune_report *report,
                               const struct attune_result_line *a,
                               const struct attune_result_line *b)
{
    return attune_report_machine_of(report, a->machine) ==
               attune_report_machine_of(report, b->machine) &&
           strcmp(a->isa, b->isa) == 0 && !(a->threads < b->threads) && !(a->threads > b->threads);
}

const char *attune_report_setting(const struct attune_report *report,
                                  const struct attune_result_line *result, char text[160])
{
    const int32_t machine = attune_report_machine_of(report, result->machine);
    snprintf(text, 160, "%s%s%.0f thread%s, %.16s",
             report->machines > 1 ? report->machine[machine].name : "",
             report->machines > 1 ? ", " : "", result->threads, result->threads > 1 ? "s" : "",
             result->isa);
    return text;
}
