/* SPDX-License-Identifier: Apache-2.0
 *
 * Finds columns and rows, and compares cells. What cannot be compared becomes a note.
 */
#include "bench/compare.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/status.h"
#include "tuner/statistics.h"

/* Two runs of one build differ by where their pages lie and what the clock did, which no round of
 * either shows: this much, beside their noise, is no difference. */
static const double between_runs = 0.02;
static const double normal_95 = 1.96;
/* The interval of a difference lies beyond this, as one that the tuner believes does: of the many cases of
 * two runs some miss 1 by luck, and a smaller difference changes no decision. */
static const double least_effect = 0.015;
/* An interval as wide as that says nothing. */
static const double widest = 1.25;
enum { SERIES_MOST = 128 };

const char *attune_difference_word(enum attune_difference verdict)
{
    static const char *const words[] = {"", "no difference", "faster", "slower", "too noisy"};
    return words[verdict];
}

enum attune_difference attune_difference_of(const struct attune_ratio *ratio, double effect)
{
    return ratio->low > 1 + effect         ? ATTUNE_FASTER
           : ratio->high < 1 / (1 + effect) ? ATTUNE_SLOWER
                                            : ATTUNE_SAME;
}

#define NO_MEMORY() attune_fail(ATTUNE_ERROR_NO_MEMORY, "no memory for the comparison")

__attribute__((format(printf, 2, 3))) static void note(struct attune_comparison *comparison,
                                                       const char *format, ...)
{
    va_list arguments;
    void *larger = realloc(comparison->note,
                           (size_t)(comparison->notes + 1) * sizeof *comparison->note);
    if (!larger)
        return;
    comparison->note = larger;
    va_start(arguments, format);
    vsnprintf(comparison->note[comparison->notes++], ATTUNE_NOTE, format, arguments);
    va_end(arguments);
}

static const char *or_empty(const char *text)
{
    return text ? text : "";
}

/* Runs of one file on the same hardware and build that have the same label are one column. */
static int same_column(const struct attune_column *column, const struct attune_machine_line *machine,
                       int32_t file, const struct attune_result_line *result)
{
    return column->file == file && strcmp(column->engine, result->engine) == 0 &&
           strcmp(column->isa_asked, or_empty(result->isa_asked)) == 0 &&
           column->tuned == result->tuned &&
           strcmp(column->machine->hardware, machine->hardware) == 0 &&
           strcmp(or_empty(column->machine->label), or_empty(machine->label)) == 0 &&
           (column->machine->build == machine->build ||
            json_equal(column->machine->build, machine->build));
}

static int find_column(struct attune_comparison *comparison, int32_t file,
                       const struct attune_result_line *result)
{
    const struct attune_machine_line *machine =
        attune_results_machine(&comparison->results, result->machine);
    for (int i = 0; i < comparison->columns; i++)
        if (same_column(&comparison->column[i], machine, file, result))
            return i;
    if (comparison->columns == ATTUNE_COLUMNS_MOST)
        return -1;
    comparison->column[comparison->columns] =
        (struct attune_column){.machine = machine, .engine = result->engine,
                               .version = or_empty(result->version),
                               .isa_asked = or_empty(result->isa_asked), .tuned = result->tuned,
                               .file = file};
    return comparison->columns++;
}

static struct attune_row *find_row(struct attune_comparison *comparison,
                                   const struct attune_result_line *result)
{
    const char *threads = or_empty(result->threads_asked);
    for (int32_t i = 0; i < comparison->rows; i++)
        if (strcmp(comparison->row[i].name, result->name) == 0 &&
            strcmp(comparison->row[i].threads_asked, threads) == 0)
            return &comparison->row[i];
    struct attune_row *larger =
        realloc(comparison->row, (size_t)(comparison->rows + 1) * sizeof *larger);
    if (!larger)
        return NULL;
    comparison->row = larger;
    larger[comparison->rows] = (struct attune_row){
        .name = result->name, .family = result->family, .threads_asked = threads, .best = -1};
    return &larger[comparison->rows++];
}

/* The last of several results of one column for one row stands. */
static enum attune_status place(struct attune_comparison *comparison, int32_t file,
                                const struct attune_result_line *result)
{
    const int column = find_column(comparison, file, result);
    if (column < 0)
        return attune_fail(ATTUNE_ERROR_INVALID,
                           "more than %d columns (runs, engines and settings) to compare",
                           ATTUNE_COLUMNS_MOST);
    struct attune_row *row = find_row(comparison, result);
    if (!row)
        return NO_MEMORY();
    row->cell[column].result = result;
    return ATTUNE_OK;
}

/* What a result must share with another to be compared with it; NULL: all of it. */
static const char *difference(const struct attune_result_line *a, const struct attune_result_line *b)
{
    if (strcmp(a->dtype, b->dtype) != 0 || strcmp(or_empty(a->kv), or_empty(b->kv)) != 0)
        return "element types";
    if (a->arithmetic_unit && b->arithmetic_unit &&
        (strcmp(a->arithmetic_unit, b->arithmetic_unit) != 0 ||
         fabs(a->arithmetic - b->arithmetic) > 1e-6 * fabs(a->arithmetic)))
        return "work";
    if (a->bytes != b->bytes && isfinite(a->bytes) && isfinite(b->bytes))
        return "bytes";
    return strcmp(a->spec, b->spec) != 0 && strncmp(a->name, "kernel/", 7) != 0 &&
                   strcmp(a->family, "data") != 0
               ? "spec"
               : NULL;
}

static int is_ok(const struct attune_cell *cell)
{
    return cell->result && strcmp(cell->result->outcome, "ok") == 0;
}

/* Results that the rest of the row cannot be compared with, or that have no time, leave it. */
static void check_row(struct attune_comparison *comparison, struct attune_row *row)
{
    const struct attune_result_line *first = NULL;
    for (int i = 0; i < comparison->columns; i++) {
        struct attune_cell *cell = &row->cell[i];
        const char *label = comparison->column[i].label;
        if (!cell->result)
            continue;
        if (!is_ok(cell)) {
            note(comparison, "%s, threads %s: %s: %s%s%s", row->name, row->threads_asked, label,
                 cell->result->outcome, cell->result->reason ? ": " : "",
                 or_empty(cell->result->reason));
            cell->result = NULL;
            cell->noted = 1;
            continue;
        }
        const char *differs = first ? difference(first, cell->result) : NULL;
        if (differs) {
            note(comparison, "%s, threads %s: %s: its %s differ%s from the first column's", row->name,
                 row->threads_asked, label, differs,
                 strcmp(differs, "work") == 0 || strcmp(differs, "spec") == 0 ? "s" : "");
            cell->result = NULL;
            cell->noted = 1;
        } else if (!first) {
            first = cell->result;
        }
    }
}

/* Logarithms of speed, a round each: of shares where both have roofs of the same name. The better half:
 * other work on a machine only ever takes time, and takes all of some rounds. */
static int32_t speeds(const struct attune_result_line *result, int by_share, double *logarithms)
{
    int32_t count = 0;
    for (int32_t i = 0; i < result->round_s.count && count < SERIES_MOST; i++) {
        const double roof = by_share ? result->round_roof.value[i] : 1;
        if (result->round_s.value[i] > 0 && roof > 0)
            logarithms[count++] = -log(result->round_s.value[i] * roof);
    }
    if (count == 0) {
        logarithms[0] = -log(result->min_s * (by_share ? result->roof : 1));
        return 1;
    }
    (void)attune_statistics_median(logarithms, count); /* sorts */
    const int32_t half = (count + 1) / 2;
    memmove(logarithms, logarithms + count - half, (size_t)half * sizeof *logarithms);
    return half;
}

static int32_t at_least_0(double number)
{
    return number > 0 ? (int32_t)number : 0;
}

struct attune_ratio attune_compare_logarithms(const double *a, int32_t a_count, const double *b,
                                              int32_t b_count)
{
    static double all[SERIES_MOST * SERIES_MOST];
    const double pairs = (double)a_count * b_count;
    int32_t count = 0;
    for (int32_t i = 0; i < a_count; i++)
        for (int32_t j = 0; j < b_count; j++)
            all[count++] = b[j] - a[i];
    const double median = attune_statistics_median(all, count); /* sorts */
    const double reach = normal_95 * sqrt(pairs * (a_count + b_count + 1) / 12);
    const int32_t rank = at_least_0(floor(pairs / 2 - reach));
    return (struct attune_ratio){.estimate = exp(median), .low = exp(all[rank]),
                                 .high = exp(all[count - 1 - rank])};
}

/* Half the width that the runs' own noise and the difference between runs add to an interval. */
static double slack(const struct attune_result_line *a, const struct attune_result_line *b)
{
    const double noise_a = isfinite(a->noise) ? a->noise : 0;
    const double noise_b = isfinite(b->noise) ? b->noise : 0;
    return 1 + sqrt(noise_a * noise_a + noise_b * noise_b + between_runs * between_runs);
}

/* Shares of one roof are compared: of the same name, threads and instruction sets. Within one run time
 * alone tells more, since all of its results met the same machine. */
static int comparable_by_share(const struct attune_result_line *a, const struct attune_result_line *b)
{
    return strcmp(a->machine, b->machine) != 0 && a->bound_by && b->bound_by &&
           strcmp(a->bound_by, b->bound_by) == 0 && strcmp(a->isa, b->isa) == 0 &&
           a->threads == b->threads && a->round_roof.count > 0 && b->round_roof.count > 0;
}

static struct attune_ratio compare_results(const struct attune_result_line *a,
                                           const struct attune_result_line *b, int same_hardware)
{
    double first[SERIES_MOST], second[SERIES_MOST];
    const int by_share = same_hardware && comparable_by_share(a, b);
    const int32_t a_count = speeds(a, by_share, first), b_count = speeds(b, by_share, second);
    struct attune_ratio ratio = attune_compare_logarithms(first, a_count, second, b_count);
    ratio.by_share = by_share;
    ratio.low /= slack(a, b);
    ratio.high *= slack(a, b);
    if (!a->settled || !b->settled || ratio.high > widest * ratio.low)
        ratio.verdict = ATTUNE_NOISY;
    else
        ratio.verdict = attune_difference_of(&ratio, least_effect);
    return ratio;
}

static void compare_row(struct attune_comparison *comparison, struct attune_row *row)
{
    int best = -1;
    for (int i = 0; i < comparison->columns; i++) {
        struct attune_cell *cell = &row->cell[i];
        if (!cell->result)
            continue;
        if (best < 0 || cell->result->min_s < row->cell[best].result->min_s)
            best = i;
        if (row->cell[0].result) {
            cell->ratio = i == 0 ? (struct attune_ratio){1, 1, 1, 0, ATTUNE_SAME}
                                 : compare_results(row->cell[0].result, cell->result,
                                                   comparison->column[i].same_hardware);
            comparison->noisy += cell->ratio.verdict == ATTUNE_NOISY;
        }
    }
    row->best = best;
}

static void add_to_mean(struct attune_comparison *comparison, const char *family,
                        const struct attune_row *row)
{
    int32_t i = 0;
    while (i < comparison->means && strcmp(comparison->mean[i].family, family) != 0)
        i++;
    struct attune_mean *mean = &comparison->mean[i];
    if (i == comparison->means) {
        *mean = (struct attune_mean){.family = family};
        comparison->means++;
    }
    mean->rows++;
    for (int c = 0; c < comparison->columns; c++) {
        const struct attune_result_line *a = row->cell[0].result, *b = row->cell[c].result;
        const double speedup = log(c == 0 ? 1 : row->cell[c].ratio.estimate);
        mean->speedup[c] += speedup;
        mean->per_thread[c] += speedup + log(a->threads / fmax(b->threads, 1));
        mean->share[c] += b->share > 0 ? log(b->share) : -(double)INFINITY;
        mean->wins[c] += row->best == c;
    }
}

static int is_complete(const struct attune_comparison *comparison, const struct attune_row *row)
{
    for (int i = 0; i < comparison->columns; i++)
        if (!row->cell[i].result)
            return 0;
    return 1;
}

static enum attune_status find_means(struct attune_comparison *comparison)
{
    comparison->mean = calloc((size_t)comparison->rows + 1, sizeof *comparison->mean);
    if (!comparison->mean)
        return NO_MEMORY();
    for (int32_t i = 0; i < comparison->rows; i++)
        if (is_complete(comparison, &comparison->row[i]))
            add_to_mean(comparison, comparison->row[i].family, &comparison->row[i]);
    for (int32_t i = 0; i < comparison->rows; i++)
        if (is_complete(comparison, &comparison->row[i]))
            add_to_mean(comparison, "all", &comparison->row[i]);
    for (int32_t i = 0; i < comparison->means; i++)
        for (int c = 0; c < comparison->columns; c++) {
            struct attune_mean *mean = &comparison->mean[i];
            mean->speedup[c] = exp(mean->speedup[c] / mean->rows);
            mean->per_thread[c] = exp(mean->per_thread[c] / mean->rows);
            mean->share[c] = exp(mean->share[c] / mean->rows);
        }
    return ATTUNE_OK;
}

/* The user's label, else the file's name without folder and ending. */
static void label_column(struct attune_comparison *comparison, int index, const char *path)
{
    struct attune_column *column = &comparison->column[index];
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    int length = (int)strcspn(name, ".");
    int engines = 0, tunings = 0, clashes = 0;
    if (column->machine->label) {
        name = column->machine->label;
        length = (int)strlen(name);
    }
    for (int i = 0; i < comparison->columns; i++) {
        const struct attune_column *other = &comparison->column[i];
        engines |= strcmp(other->engine, column->engine) != 0;
        tunings |= other->file == column->file && other->tuned != column->tuned;
    }
    snprintf(column->label, sizeof column->label, "%.*s%s%s%s%s%s", length < 40 ? length : 40, name,
             engines ? ":" : "", engines ? column->engine : "", column->isa_asked[0] ? " " : "",
             column->isa_asked, tunings && !column->tuned ? " untuned" : "");
    for (int i = 0; i < index; i++)
        clashes += strncmp(comparison->column[i].label, column->label, strlen(column->label)) == 0;
    if (clashes > 0) {
        const size_t used = strlen(column->label);
        snprintf(column->label + used, sizeof column->label - used, " #%d", clashes + 1);
    }
}

static void note_foreign(struct attune_comparison *comparison, const char *path, int32_t from)
{
    for (int32_t i = from; i < comparison->results.foreigns; i++) {
        const struct attune_foreign_line *line = &comparison->results.foreign[i];
        if (line->format != ATTUNE_RESULT_FORMAT)
            note(comparison, "%s, line %lld: %s%s%s has format %g, this attune compares format %d",
                 path, (long long)line->line, line->kind, line->name[0] ? " " : "", line->name,
                 line->format, ATTUNE_RESULT_FORMAT);
    }
}

/* Rows that some column lacks. */
static void note_missing(struct attune_comparison *comparison)
{
    for (int c = 0; c < comparison->columns; c++) {
        char names[160] = "";
        int count = 0;
        size_t used = 0;
        for (int32_t i = 0; i < comparison->rows; i++) {
            const struct attune_row *row = &comparison->row[i];
            if (row->cell[c].result || row->cell[c].noted)
                continue;
            count++;
            if (used + strlen(row->name) + 12 < sizeof names)
                used += (size_t)snprintf(names + used, sizeof names - used, "%s%s (%s)",
                                         used ? ", " : "", row->name, row->threads_asked);
        }
        if (count > 0)
            note(comparison, "%s lacks %d of %d: %s%s", comparison->column[c].label, count,
                 comparison->rows, names, used + 40 > sizeof names ? ", ..." : "");
    }
}

static enum attune_status place_all(struct attune_comparison *comparison, const int32_t *ends,
                                    int count)
{
    int32_t i = 0;
    for (int file = 0; file < count; file++)
        for (; i < ends[file]; i++) {
            const enum attune_status status =
                place(comparison, file, &comparison->results.result[i]);
            if (status != ATTUNE_OK)
                return status;
        }
    return ATTUNE_OK;
}

static enum attune_status read_all(const char *const *paths, int count,
                                   struct attune_comparison *comparison, int32_t *ends, int *at)
{
    for (*at = 0; *at < count; ++*at) {
        const int32_t foreigns = comparison->results.foreigns;
        const enum attune_status status = attune_results_read(paths[*at], &comparison->results);
        if (status != ATTUNE_OK)
            return status;
        ends[*at] = comparison->results.count[ATTUNE_LINE_RESULT];
        note_foreign(comparison, paths[*at], foreigns);
    }
    return ATTUNE_OK;
}

enum attune_status attune_compare(const char *const *paths, int count,
                                  struct attune_comparison *comparison, int *at)
{
    int32_t *ends = calloc((size_t)count + 1, sizeof *ends);
    *comparison = (struct attune_comparison){0};
    *at = count;
    if (!ends)
        return NO_MEMORY();
    enum attune_status status = read_all(paths, count, comparison, ends, at);
    if (status == ATTUNE_OK)
        status = place_all(comparison, ends, count);
    free(ends);
    if (status != ATTUNE_OK)
        return status;
    for (int i = 0; i < comparison->columns; i++) {
        struct attune_column *column = &comparison->column[i];
        column->same_hardware =
            strcmp(column->machine->hardware, comparison->column[0].machine->hardware) == 0;
        label_column(comparison, i, paths[column->file]);
    }
    for (int32_t i = 0; i < comparison->rows; i++) {
        check_row(comparison, &comparison->row[i]);
        compare_row(comparison, &comparison->row[i]);
    }
    note_missing(comparison);
    return find_means(comparison);
}

void attune_comparison_free(struct attune_comparison *comparison)
{
    attune_results_free(&comparison->results);
    free(comparison->row);
    free(comparison->mean);
    free(comparison->note);
    *comparison = (struct attune_comparison){0};
}
