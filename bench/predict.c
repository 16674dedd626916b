/* SPDX-License-Identifier: Apache-2.0
 *
 * Parts of an execution under roofs, here and there.
 */
#include "bench/predict.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Pairs are looked for among so many results: files that people make have hundreds. */
enum { MOST_ERRORS = 4096, MOST_RESULTS = 4096 };

static const char *const words[ATTUNE_ROOF_KINDS] = {"fma", "tanh", "exp", "l1",
                                                     "l2",  "l3",   "dram"};

const char *attune_roof_word(enum attune_roof_kind kind)
{
    return words[kind];
}

static double number_of(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) && json_number_value(value) > 0 ? json_number_value(value) : 0;
}

/* Caches of as many neighbours as the threads fill. */
static void take_caches(const struct attune_machine_line *machine, struct attune_roof_set *set)
{
    static const char *const levels[] = {"l1d", "l2", "l3"};
    for (int i = 0; machine && i < 3; i++) {
        const json_t *level = json_object_get(machine->caches, levels[i]);
        const double shared = fmax(number_of(level, "shared"), 1);
        set->cache[i] = number_of(level, "size") * ceil(fmax(set->threads, 1) / shared);
    }
}

static int kind_of(const char *word)
{
    int kind = 0;
    while (kind < ATTUNE_ROOF_KINDS && strcmp(words[kind], word) != 0)
        kind++;
    return kind;
}

void attune_roof_set_here(const struct attune_results *results,
                          const struct attune_result_line *result, struct attune_roof_set *set)
{
    *set = (struct attune_roof_set){.threads = result->threads, .isa = result->isa};
    for (int32_t i = 0; i < result->roofs.count; i++) {
        const int kind = kind_of(result->roofs.at[i].name);
        if (kind < ATTUNE_ROOF_KINDS)
            set->rate[kind] = result->roofs.at[i].value;
    }
    take_caches(attune_results_machine(results, result->machine), set);
}

/* The roof line that stands for what was asked: see attune_roof_set_there(). */
static const struct attune_roof_line *best_line(const struct attune_results *machine,
                                                double threads, const char *isa)
{
    const struct attune_roof_line *best = NULL;
    for (int32_t i = 0; i < machine->count[ATTUNE_LINE_ROOF]; i++) {
        const struct attune_roof_line *line = &machine->roof[i];
        if (strcmp(line->roof, "fma") != 0 || (isa && strcmp(line->isa, isa) != 0) ||
            (threads > 0 && (line->threads < threads || line->threads > threads)))
            continue;
        if (!best || line->threads > best->threads ||
            (!(line->threads < best->threads) && line->rate > best->rate))
            best = line;
    }
    return best;
}

int attune_roof_set_there(const struct attune_results *machine, double threads, const char *isa,
                          struct attune_roof_set *set)
{
    const struct attune_roof_line *best = best_line(machine, threads, isa);
    if (!best)
        return 0;
    *set = (struct attune_roof_set){.threads = best->threads, .isa = best->isa};
    for (int32_t i = 0; i < machine->count[ATTUNE_LINE_ROOF]; i++) {
        const struct attune_roof_line *line = &machine->roof[i];
        const int kind = kind_of(line->roof);
        if (kind < ATTUNE_ROOF_KINDS && strcmp(line->isa, best->isa) == 0 &&
            !(line->threads < best->threads) && !(line->threads > best->threads))
            set->rate[kind] = fmax(set->rate[kind], line->rate);
    }
    take_caches(attune_results_machine(machine, best->machine), set);
    return 1;
}

/* The nearest level that holds so many bytes. */
static enum attune_roof_kind level_of(const struct attune_roof_set *set, double bytes)
{
    for (int i = 0; i < 3; i++)
        if (set->cache[i] >= bytes)
            return (enum attune_roof_kind)(ATTUNE_ROOF_L1 + i);
    return ATTUNE_ROOF_DRAM;
}

/* Work of a part: units of a roof's arithmetic, and bytes of keys and values. */
struct part {
    enum attune_roof_kind arithmetic;
    double amount, bytes;
};

/* Seconds that the roofs allow; NaN: a roof is not known. */
static double ideal(const struct attune_roof_set *set, const struct part *part, double all_bytes,
                    enum attune_roof_kind *bound)
{
    const enum attune_roof_kind level = level_of(set, all_bytes);
    const double computing = part->amount > 0 ? part->amount / set->rate[part->arithmetic] : 0;
    const double reading = part->bytes > 0 ? part->bytes / set->rate[level] : 0;
    *bound = reading > computing ? level : part->arithmetic;
    return isfinite(computing + reading) ? fmax(computing, reading) : (double)NAN;
}

static int is_tanh(const struct attune_result_line *result)
{
    return result->arithmetic_unit && strcmp(result->arithmetic_unit, "tanh") == 0;
}

/* What a part of an execution works on. The dot score and the weighted sum share arithmetic and
 * bytes evenly; parts that are neither scale with the FMA roof, which stands for the clock and the
 * width. */
static struct part part_of(const struct attune_result_line *result, const char *name)
{
    const double pairs = result->pairs > 0 ? result->pairs : 1;
    const double bytes = result->bytes > 0 ? result->bytes : 0;
    const double half = is_tanh(result) ? pairs : result->arithmetic / 2;
    if (strcmp(name, "score") == 0)
        return is_tanh(result) ? (struct part){ATTUNE_ROOF_TANH, result->arithmetic, bytes / 2}
                               : (struct part){ATTUNE_ROOF_FMA, half, bytes / 2};
    if (strcmp(name, "weighted_sum") == 0)
        return (struct part){ATTUNE_ROOF_FMA, half, bytes / 2};
    if (strcmp(name, "softmax") == 0)
        return (struct part){ATTUNE_ROOF_EXP, pairs, 0};
    if (strcmp(name, "packing") == 0)
        return (struct part){ATTUNE_ROOF_FMA, 0, bytes};
    return (struct part){ATTUNE_ROOF_FMA, pairs, 0};
}

/* The whole problem as one part: what its roof is. */
static struct part whole_of(const struct attune_result_line *result)
{
    return (struct part){is_tanh(result) ? ATTUNE_ROOF_TANH : ATTUNE_ROOF_FMA, result->arithmetic,
                         result->bytes > 0 ? result->bytes : 0};
}

/* The time of one part there, given here; NaN: not known. */
static double carry(const struct attune_roof_set *here, const struct attune_roof_set *there,
                    const struct part *part, double all_bytes, double seconds)
{
    enum attune_roof_kind bound;
    if (!(seconds > 0))
        return 0;
    return seconds * ideal(there, part, all_bytes, &bound) / ideal(here, part, all_bytes, &bound);
}

int attune_predict(const struct attune_result_line *result, const struct attune_roof_set *here,
                   const struct attune_roof_set *there, struct attune_prediction *prediction)
{
    double told = 0, sum = 0;
    if (strcmp(result->outcome, "ok") != 0 || !(result->min_s > 0) || !(result->arithmetic > 0))
        return 0;
    const struct part whole = whole_of(result);
    for (int32_t i = 0; i < result->explain.count; i++) {
        const struct part part = part_of(result, result->explain.at[i].name);
        told += result->explain.at[i].value;
        sum += carry(here, there, &part, result->bytes, result->explain.at[i].value);
    }
    /* Parts are measured apart from the fastest sample: they tell how it divides. */
    prediction->seconds = told > 0 ? result->min_s * sum / told
                                   : carry(here, there, &whole, result->bytes, result->min_s);
    prediction->roof_seconds = ideal(there, &whole, result->bytes, &prediction->bound);
    return isfinite(prediction->seconds) && prediction->seconds > 0 &&
           isfinite(prediction->roof_seconds);
}

static int can_check(const struct attune_result_line *from, const struct attune_result_line *to)
{
    const int same_setting = strcmp(from->isa, to->isa) == 0 && !(from->threads < to->threads) &&
                             !(from->threads > to->threads);
    return !same_setting && strcmp(from->engine, "attune") == 0 &&
           strcmp(to->engine, "attune") == 0 && strcmp(to->outcome, "ok") == 0 && to->min_s > 0 &&
           strcmp(from->spec, to->spec) == 0 && strcmp(from->machine, to->machine) == 0;
}

static int compare_doubles(const void *left, const void *right)
{
    const double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

void attune_predict_check(const struct attune_results *results, struct attune_predict_error *error)
{
    double *errors = malloc(MOST_ERRORS * sizeof *errors);
    const int32_t all = results->count[ATTUNE_LINE_RESULT];
    const int32_t count = all < MOST_RESULTS ? all : MOST_RESULTS;
    *error = (struct attune_predict_error){0};
    for (int32_t i = 0; errors && i < count; i++)
        for (int32_t j = 0; j < count; j++) {
            const struct attune_result_line *from = &results->result[i], *to = &results->result[j];
            struct attune_roof_set here, there;
            struct attune_prediction prediction;
            if (error->cases == MOST_ERRORS || !can_check(from, to))
                continue;
            attune_roof_set_here(results, from, &here);
            attune_roof_set_here(results, to, &there);
            if (attune_predict(from, &here, &there, &prediction))
                errors[error->cases++] =
                    fmax(prediction.seconds / to->min_s, to->min_s / prediction.seconds) - 1;
        }
    if (errors && error->cases > 0) {
        qsort(errors, (size_t)error->cases, sizeof *errors, compare_doubles);
        error->median = errors[error->cases / 2];
        error->worst = errors[error->cases - 1];
    }
    free(errors);
}
