/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of fields, and lines made from it.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/result_fields.h"
#include "bench/text.h"

#define ROW(kind, member, field_name, field_type, field_required)                                  \
    {.name = field_name,                                                                           \
     .type = ATTUNE_FIELD_##field_type,                                                            \
     .required = field_required,                                                                   \
     .offset = offsetof(struct attune_##kind##_line, member)}
#define NEEDED(kind, member, type) ROW(kind, member, #member, type, 1)
#define OPTIONAL(kind, member, type) ROW(kind, member, #member, type, 0)

static const struct attune_field machine_fields[] = {
    NEEDED(machine, id, TEXT),        NEEDED(machine, hardware, TEXT),
    NEEDED(machine, time, TEXT),      OPTIONAL(machine, label, TEXT),
    NEEDED(machine, cpu, OBJECT),     NEEDED(machine, caches, OBJECT),
    NEEDED(machine, topology, OBJECT), OPTIONAL(machine, system, OBJECT),
    OPTIONAL(machine, build, OBJECT), OPTIONAL(machine, libraries, OBJECT),
    OPTIONAL(machine, settings, OBJECT),
};

static const struct attune_field roof_fields[] = {
    NEEDED(roof, machine, TEXT), NEEDED(roof, isa, TEXT),     NEEDED(roof, threads, NUMBER),
    NEEDED(roof, roof, TEXT),    NEEDED(roof, unit, TEXT),    NEEDED(roof, rate, NUMBER),
    OPTIONAL(roof, median, NUMBER), OPTIONAL(roof, probe, TEXT), OPTIONAL(roof, rounds, NUMBER),
};

static const struct attune_field result_fields[] = {
    NEEDED(result, machine, TEXT),
    ROW(result, name, "case", TEXT, 1),
    NEEDED(result, family, TEXT),
    NEEDED(result, spec, TEXT),
    NEEDED(result, engine, TEXT),
    OPTIONAL(result, version, TEXT),
    NEEDED(result, dtype, TEXT),
    OPTIONAL(result, kv, TEXT),
    NEEDED(result, threads, NUMBER),
    OPTIONAL(result, threads_asked, TEXT),
    NEEDED(result, isa, TEXT),
    OPTIONAL(result, isa_asked, TEXT),
    OPTIONAL(result, kernels, TEXT),
    OPTIONAL(result, tiles, PAIRS),
    OPTIONAL(result, choice, TEXT),
    OPTIONAL(result, tuned, FLAG),
    NEEDED(result, outcome, TEXT),
    OPTIONAL(result, reason, TEXT),
    OPTIONAL(result, min_s, NUMBER),
    OPTIONAL(result, median_s, NUMBER),
    OPTIONAL(result, low_s, NUMBER),
    OPTIONAL(result, high_s, NUMBER),
    OPTIONAL(result, noise, NUMBER),
    OPTIONAL(result, samples, NUMBER),
    OPTIONAL(result, calls, NUMBER),
    OPTIONAL(result, settled, FLAG),
    OPTIONAL(result, work, NUMBER),
    OPTIONAL(result, work_unit, TEXT),
    OPTIONAL(result, bound_by, TEXT),
    OPTIONAL(result, roof, NUMBER),
    OPTIONAL(result, share, NUMBER),
    OPTIONAL(result, pairs, NUMBER),
    OPTIONAL(result, arithmetic, NUMBER),
    OPTIONAL(result, arithmetic_unit, TEXT),
    OPTIONAL(result, bytes, NUMBER),
    OPTIONAL(result, error_over_bound, NUMBER),
    OPTIONAL(result, roofs, PAIRS),
    OPTIONAL(result, explain, PAIRS),
    OPTIONAL(result, explain_apart, PAIRS),
    OPTIONAL(result, round_s, SERIES),
    OPTIONAL(result, round_roof, SERIES),
};

static const struct attune_field landscape_fields[] = {
    NEEDED(landscape, machine, TEXT),   NEEDED(landscape, key, TEXT),
    OPTIONAL(landscape, spec, TEXT),    NEEDED(landscape, isa, TEXT),
    NEEDED(landscape, threads, NUMBER), OPTIONAL(landscape, chosen, PAIRS),
    OPTIONAL(landscape, model, PAIRS),  NEEDED(landscape, points, POINTS),
};

#define KIND(kind) {#kind, kind##_fields, sizeof kind##_fields / sizeof *kind##_fields}
static const struct {
    const char *word;
    const struct attune_field *fields;
    int count;
} kinds[ATTUNE_LINE_KINDS] = {
    [ATTUNE_LINE_MACHINE] = KIND(machine),
    [ATTUNE_LINE_ROOF] = KIND(roof),
    [ATTUNE_LINE_RESULT] = KIND(result),
    [ATTUNE_LINE_LANDSCAPE] = KIND(landscape),
};

const char *attune_line_word(enum attune_result_kind kind)
{
    return kinds[kind].word;
}

const struct attune_field *attune_fields(enum attune_result_kind kind, int *count)
{
    *count = kinds[kind].count;
    return kinds[kind].fields;
}

const char *attune_line_field(enum attune_result_kind kind, int i, int *required)
{
    if (i < 0 || i >= kinds[kind].count)
        return NULL;
    *required = kinds[kind].fields[i].required;
    return kinds[kind].fields[i].name;
}

/* Whole numbers without a point: they are exact, and counts look like counts. */
static json_t *number_json(double number)
{
    if (!isfinite(number))
        return NULL;
    if (fabs(number) < 0x1p53 && number == floor(number))
        return json_integer((json_int_t)number);
    return json_real(number);
}

static json_t *pairs_json(const struct attune_pairs *pairs)
{
    json_t *object = pairs->count > 0 ? json_object() : NULL;
    for (int32_t i = 0; object && i < pairs->count; i++)
        json_object_set_new(object, pairs->at[i].name, number_json(pairs->at[i].value));
    return object;
}

static json_t *series_json(const struct attune_series *series)
{
    json_t *array = series->count > 0 ? json_array() : NULL;
    for (int32_t i = 0; array && i < series->count; i++)
        json_array_append_new(array, number_json(series->value[i]));
    return array;
}

static json_t *points_json(const struct attune_points *points)
{
    json_t *array = points->count > 0 ? json_array() : NULL;
    for (int32_t i = 0; array && i < points->count; i++) {
        const struct attune_point *point = &points->point[i];
        json_array_append_new(array, json_pack("{s:o, s:o, s:o}", "q_block",
                                               number_json(point->q_block), "kv_block",
                                               number_json(point->kv_block), "seconds",
                                               number_json(point->seconds)));
    }
    return array;
}

/* A new reference, or NULL where the field is absent. */
static json_t *field_json(const struct attune_field *field, const char *line)
{
    const void *at = line + field->offset;
    switch (field->type) {
    case ATTUNE_FIELD_TEXT: {
        const char *text = *(const char *const *)at;
        return text ? attune_text_json(text) : NULL;
    }
    case ATTUNE_FIELD_NUMBER:
        return number_json(*(const double *)at);
    case ATTUNE_FIELD_FLAG:
        return json_boolean(*(const int32_t *)at);
    case ATTUNE_FIELD_OBJECT:
        return json_incref(*(json_t *const *)at);
    case ATTUNE_FIELD_PAIRS:
        return pairs_json(at);
    case ATTUNE_FIELD_SERIES:
        return series_json(at);
    default:
        return points_json(at);
    }
}

char *attune_line_text(enum attune_result_kind kind, const void *line)
{
    json_t *object = json_pack("{s:i, s:s}", "format", ATTUNE_RESULT_FORMAT, "kind",
                               kinds[kind].word);
    int complete = object != NULL;
    for (int i = 0; complete && i < kinds[kind].count; i++) {
        const struct attune_field *field = &kinds[kind].fields[i];
        json_t *value = field_json(field, line);
        if (value)
            complete = json_object_set_new(object, field->name, value) == 0;
        else if (field->required)
            complete = 0;
    }
    char *text =
        complete ? json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(9)) : NULL;
    json_decref(object);
    return text;
}
