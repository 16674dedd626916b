/* SPDX-License-Identifier: Apache-2.0
 *
 * A comparison for programs.
 */
#include <math.h>
#include <string.h>

#include "bench/cli/compare.h"
#include "bench/cli/json.h"

static json_t *number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *cell_json(const struct attune_cell *cell)
{
    const struct attune_result_line *result = cell->result;
    const struct attune_ratio *ratio = &cell->ratio;
    if (!result)
        return json_null();
    json_t *object = json_pack("{s:o, s:o, s:o}", "min_s", number(result->min_s), "share",
                               number(result->share), "threads", number(result->threads));
    if (object && ratio->verdict != ATTUNE_UNDECIDED) {
        json_object_set_new(object, "speedup", number(ratio->estimate));
        json_object_set_new(object, "low", number(ratio->low));
        json_object_set_new(object, "high", number(ratio->high));
        json_object_set_new(object, "by_share", json_boolean(ratio->by_share));
        json_object_set_new(object, "verdict", json_string(attune_difference_word(ratio->verdict)));
    }
    return object;
}

static json_t *columns_json(const struct attune_comparison *comparison)
{
    json_t *list = json_array();
    for (int i = 0; i < comparison->columns; i++) {
        const struct attune_column *column = &comparison->column[i];
        json_array_append_new(
            list, json_pack("{s:s, s:s, s:s, s:s, s:b}", "label", column->label, "engine",
                            column->engine, "machine", column->machine->id, "hardware",
                            column->machine->hardware, "same_hardware", column->same_hardware));
    }
    return list;
}

static json_t *rows_json(const struct attune_comparison *comparison)
{
    json_t *list = json_array();
    for (int32_t i = 0; i < comparison->rows; i++) {
        const struct attune_row *row = &comparison->row[i];
        json_t *cells = json_array();
        for (int c = 0; c < comparison->columns; c++)
            json_array_append_new(cells, cell_json(&row->cell[c]));
        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:i, s:o}", "case", row->name,
                                              "family", row->family, "threads",
                                              row->threads_asked, "best", row->best, "cells",
                                              cells));
    }
    return list;
}

static json_t *means_json(const struct attune_comparison *comparison)
{
    json_t *list = json_array();
    for (int32_t i = 0; i < comparison->means; i++) {
        const struct attune_mean *mean = &comparison->mean[i];
        json_t *columns = json_array();
        for (int c = 0; c < comparison->columns; c++)
            json_array_append_new(columns,
                                  json_pack("{s:o, s:o, s:o, s:i}", "speedup",
                                            number(mean->speedup[c]), "per_thread",
                                            number(mean->per_thread[c]), "share",
                                            number(mean->share[c]), "wins", mean->wins[c]));
        json_array_append_new(list, json_pack("{s:s, s:i, s:o}", "family", mean->family, "results",
                                              mean->rows, "columns", columns));
    }
    return list;
}

int attune_compare_json(const struct attune_comparison *comparison, FILE *file)
{
    json_t *notes = json_array();
    for (int32_t i = 0; i < comparison->notes; i++)
        json_array_append_new(notes, json_string(comparison->note[i]));
    json_t *object = json_pack("{s:o, s:o, s:o, s:o}", "columns", columns_json(comparison), "rows",
                               rows_json(comparison), "means", means_json(comparison),
                               "not_compared", notes);
    return attune_json_print(object, 9, file);
}

/* A field of CSV: quoted where it has to be. */
static void print_field(const char *text, FILE *file)
{
    const int quoted = strpbrk(text, ",\"\r\n") != NULL;
    if (quoted)
        fputc('"', file);
    for (const char *c = text; *c; c++) {
        if (*c == '"')
            fputc('"', file);
        fputc(*c, file);
    }
    fputs(quoted ? "\"," : ",", file);
}

static void print_number(double value, FILE *file)
{
    if (isfinite(value))
        fprintf(file, "%.9g", value);
    fputc(',', file);
}

int attune_compare_csv(const struct attune_comparison *comparison, FILE *file)
{
    fputs("case,family,threads_asked,column,engine,threads,min_s,share,speedup,low,high,verdict\n",
          file);
    for (int32_t i = 0; i < comparison->rows; i++)
        for (int c = 0; c < comparison->columns; c++) {
            const struct attune_row *row = &comparison->row[i];
            const struct attune_cell *cell = &row->cell[c];
            const int decided = cell->ratio.verdict != ATTUNE_UNDECIDED;
            if (!cell->result)
                continue;
            print_field(row->name, file);
            print_field(row->family, file);
            print_field(row->threads_asked, file);
            print_field(comparison->column[c].label, file);
            print_field(comparison->column[c].engine, file);
            print_number(cell->result->threads, file);
            print_number(cell->result->min_s, file);
            print_number(cell->result->share, file);
            print_number(decided ? cell->ratio.estimate : (double)NAN, file);
            print_number(decided ? cell->ratio.low : (double)NAN, file);
            print_number(decided ? cell->ratio.high : (double)NAN, file);
            fprintf(file, "%s\n", attune_difference_word(cell->ratio.verdict));
        }
    return 1;
}
