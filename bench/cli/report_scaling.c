/* SPDX-License-Identifier: Apache-2.0
 *
 * Two kinds of line charts: the speed-up of each family over threads, and the share of the roof
 * over the length of a sequence.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/cli/report_chart.h"
#include "bench/cli/report_page.h"
#include "bench/cli/report_sections.h"

enum {
    MOST_SERIES = 64,
    MOST_DRAWN = 12,
    MOST_AT = 40,
    HEIGHT = 210,
    NAME = 13,
    MOST_SEARCHED = 2000,
    KEY = 160,
    MOST_CHARTS = 12
};

/* A line: values over x, in ascending order of x. */
struct series {
    char key[KEY], name[KEY];
    double x[MOST_AT], y[MOST_AT], weight[MOST_AT];
    int count;
};
struct family {
    struct series series[MOST_SERIES];
    int count, left_out;
};

static struct series *series_of(struct family *family, const char *key)
{
    for (int i = 0; i < family->count; i++)
        if (strcmp(family->series[i].key, key) == 0)
            return &family->series[i];
    if (family->count == MOST_SERIES) {
        family->left_out++;
        return NULL;
    }
    struct series *series = &family->series[family->count++];
    *series = (struct series){.count = 0};
    snprintf(series->key, sizeof series->key, "%s", key);
    snprintf(series->name, sizeof series->name, "%s", key);
    return series;
}

/* The place of x in a series, made where it is new; -1: no room. */
static int place_of(struct series *series, double x)
{
    int i = 0;
    while (i < series->count && series->x[i] < x)
        i++;
    if (i < series->count && !(series->x[i] > x))
        return i;
    if (series->count == MOST_AT)
        return -1;
    for (int j = series->count++; j > i; j--) {
        series->x[j] = series->x[j - 1];
        series->y[j] = series->y[j - 1];
        series->weight[j] = series->weight[j - 1];
    }
    series->x[i] = x;
    series->y[i] = series->weight[i] = 0;
    return i;
}

static const char *count_tick(double value, char *text)
{
    snprintf(text, ATTUNE_PAGE_NUMBER, "%.0f", value);
    return text;
}

static const char *times_tick(double value, char *text)
{
    snprintf(text, ATTUNE_PAGE_NUMBER, "%.3g\xc3\x97", value);
    return text;
}

static const char *percent_tick(double value, char *text)
{
    snprintf(text, ATTUNE_PAGE_NUMBER, "%.0f %%", 100 * value);
    return text;
}

static void draw_series(const struct attune_chart *chart, const struct series *series, int index,
                        attune_tick_fn *y_text, const char *x_name)
{
    char class[24], text[ATTUNE_PAGE_NUMBER];
    snprintf(class, sizeof class, "line l%d%s", index % 4 + 1, index >= 4 ? " dash" : "");
    for (int i = 1; i < series->count; i++)
        attune_chart_line(chart, class, series->x[i - 1], series->y[i - 1], series->x[i],
                          series->y[i]);
    for (int i = 0; i < series->count; i++) {
        fprintf(chart->file, "<circle class=\"mark s%d\" cx=\"%.2f%%\" cy=\"%.1f\" r=\"4\"><title>",
                index % 4 + 1, attune_chart_x(chart, series->x[i]),
                attune_chart_y(chart, series->y[i]));
        attune_page_format(chart->file, "%s: %s at %s %.0f", series->name,
                           y_text(series->y[i], text), x_name, series->x[i]);
        fputs("</title></circle>\n", chart->file);
    }
}

/* Every line's name to the right of its end, moved down where another stands there already. */
static void draw_names(const struct attune_chart *chart, const struct family *family)
{
    int order[MOST_SERIES] = {0};
    double end[MOST_SERIES], free_from = 0;
    for (int i = 0; i < family->count; i++) {
        const struct series *series = &family->series[i];
        int j = i;
        end[i] = attune_chart_y(chart, series->y[series->count - 1]);
        for (; j > 0 && end[order[j - 1]] > end[i]; j--)
            order[j] = order[j - 1];
        order[j] = i;
    }
    for (int i = 0; i < family->count; i++) {
        /* Those below need their room too. */
        const double lowest = chart->height - NAME * (family->count - 1 - i);
        const double y = fmax(fmin(end[order[i]] + 4, lowest), free_from);
        free_from = y + NAME;
        fprintf(chart->file, "<text x=\"100%%\" dx=\"10\" y=\"%.1f\" class=\"t%d\">", y,
                order[i] % 4 + 1);
        attune_page_format(chart->file, "%.17s", family->series[order[i]].name);
        fputs("</text>\n", chart->file);
    }
}

static void draw_lines(struct attune_chart *chart, const struct family *family,
                       attune_tick_fn *y_text, const char *x_name)
{
    for (int i = 0; i < family->count; i++)
        draw_series(chart, &family->series[i], i, y_text, x_name);
    draw_names(chart, family);
    attune_chart_end(chart);
}

/* ---- over threads ---- */

static int same_but_threads(const struct attune_report *report, const struct attune_result_line *a,
                            const struct attune_result_line *b)
{
    return strcmp(a->spec, b->spec) == 0 && strcmp(a->name, b->name) == 0 &&
           strcmp(a->isa, b->isa) == 0 &&
           strcmp(a->choice ? a->choice : "", b->choice ? b->choice : "") == 0 &&
           attune_report_machine_of(report, a->machine) ==
               attune_report_machine_of(report, b->machine);
}

/* The same case on one thread, among the first results of a range. */
static const struct attune_result_line *alone(const struct attune_report *report, int32_t first,
                                              int32_t end, const struct attune_result_line *line)
{
    for (int32_t i = first; i < end && i - first < MOST_SEARCHED; i++)
        if (report->own[i]->threads < 1.5 && same_but_threads(report, report->own[i], line))
            return report->own[i];
    return NULL;
}

/* Geometric means of the speed-up by family, for one machine and instruction set. */
static void gather_threads(const struct attune_report *report, int32_t first, int32_t end,
                           struct family *family)
{
    family->count = family->left_out = 0;
    for (int32_t i = first; i < end; i++) {
        const struct attune_result_line *line = report->own[i],
                                        *one = alone(report, first, end, line);
        struct series *series = one ? series_of(family, line->family) : NULL;
        const int at = series ? place_of(series, line->threads) : -1;
        if (at < 0)
            continue;
        series->y[at] += log(one->min_s / line->min_s);
        series->weight[at]++;
    }
    for (int i = 0; i < family->count; i++)
        for (int j = 0; j < family->series[i].count; j++)
            family->series[i].y[j] = exp(family->series[i].y[j] / family->series[i].weight[j]);
}

static double most_threads(const struct family *family)
{
    double most = 0;
    for (int i = 0; i < family->count; i++)
        for (int j = 0; j < family->series[i].count; j++)
            most = fmax(most, family->series[i].x[j]);
    return most;
}

static int draw_threads(const struct attune_report *report, int32_t first, int32_t end,
                        struct family *family, FILE *file)
{
    char heading[256];
    const struct attune_result_line *line = report->own[first];
    double high = 1;
    gather_threads(report, first, end, family);
    const double most = most_threads(family);
    if (most < 1.5)
        return 0;
    for (int i = 0; i < family->count; i++)
        for (int j = 0; j < family->series[i].count; j++)
            high = fmax(high, family->series[i].y[j]);
    struct attune_chart chart = {.file = file, .height = HEIGHT, .named = 1};
    chart.x = attune_axis_over(1, most, ATTUNE_DOUBLINGS);
    chart.y = attune_axis_over(0, fmax(high, most), ATTUNE_LINEAR);
    snprintf(heading, sizeof heading, "Over threads, %.60s%s%.16s",
             report->machines > 1
                 ? report->machine[attune_report_machine_of(report, line->machine)].name
                 : "",
             report->machines > 1 ? ", " : "", line->isa);
    attune_chart_open(
        &chart, "threads", heading, NULL,
        "Line chart of the speed-up over one thread, a line for each family of cases.");
    attune_chart_grid(&chart, count_tick, times_tick, "threads", "speed-up");
    for (int n = 1; ldexp(1, n) <= most * 1.001; n++)
        attune_chart_line(&chart, "ideal", ldexp(1, n - 1), ldexp(1, n - 1), ldexp(1, n), ldexp(1, n));
    draw_lines(&chart, family, times_tick, "threads");
    attune_chart_close(
        &chart, "Geometric mean of a family's cases over the same cases on one thread; dotted: "
                "as many times as threads.");
    return 1;
}

static int same_isa(const struct attune_report *report, int32_t a, int32_t b)
{
    return strcmp(report->own[a]->isa, report->own[b]->isa) == 0 &&
           attune_report_machine_of(report, report->own[a]->machine) ==
               attune_report_machine_of(report, report->own[b]->machine);
}

/* Calls `draw` with every range of results that `same` holds together, inside a section that opens
 * with the first chart. */
static int draw_ranges(const struct attune_report *report, FILE *file, const char *id,
                       const char *name,
                       int (*same)(const struct attune_report *, int32_t, int32_t),
                       int (*draw)(const struct attune_report *, int32_t, int32_t,
                                   struct family *, FILE *))
{
    int charts = 0;
    char *text = NULL;
    size_t size = 0;
    struct family *family = malloc(sizeof *family);
    FILE *memory = family ? open_memstream(&text, &size) : NULL;
    if (!memory) {
        free(family);
        return -1;
    }
    for (int32_t i = 0, end; i < report->owns; i = end) {
        for (end = i + 1; end < report->owns && same(report, i, end);)
            end++;
        if (charts < MOST_CHARTS)
            charts += draw(report, i, end, family, memory);
    }
    free(family);
    const int failed = fclose(memory) != 0;
    if (!failed && charts > 0) {
        attune_page_section(file, id, name);
        fprintf(file, "<div class=\"grid\">\n%s</div>\n", text);
        attune_page_section_end(file);
    }
    free(text);
    return failed ? -1 : charts > 0;
}

int attune_report_threads(const struct attune_report *report, FILE *file)
{
    return draw_ranges(report, file, "threads", "More threads", same_isa, draw_threads);
}

/* ---- over length ---- */

/* What a line is called: the suite's name without the length at its end, or the key. */
static void name_line(const struct attune_result_line *line, const char *key, char name[KEY])
{
    const char *end = strrchr(line->name, '/');
    if (end && end[1] == 't' && strspn(end + 2, "0123456789") == strlen(end + 2))
        snprintf(name, KEY, "%.*s", (int)(end - line->name), line->name);
    else
        snprintf(name, KEY, "%s", key);
}

/* The family and the spec without what makes it longer or wider at the same work a pair; returns
 * the length itself. */
static double split_spec(const struct attune_result_line *line, char key[KEY])
{
    const char *spec = line->spec;
    double length = 0;
    size_t used = (size_t)snprintf(key, KEY, "%.40s", line->family);
    while (*spec) {
        const size_t size = strcspn(spec, ",");
        const int is_length = strncmp(spec, "t=", 2) == 0 || strncmp(spec, "tk=", 3) == 0;
        const int is_number = strncmp(spec, "b=", 2) == 0 || strncmp(spec, "h=", 2) == 0;
        if (is_length)
            length = strtod(strchr(spec, '=') + 1, NULL);
        else if (!is_number && used + size + 2 < KEY) {
            used += (size_t)snprintf(key + used, KEY - used, " %.*s", (int)size, spec);
        }
        spec += size + (spec[size] == ',');
    }
    key[used] = '\0';
    return length;
}

static void gather_lengths(const struct attune_report *report, int32_t first, int32_t end,
                           struct family *family)
{
    char key[KEY];
    family->count = family->left_out = 0;
    for (int32_t i = first; i < end; i++) {
        const struct attune_result_line *line = report->own[i];
        const double length = split_spec(line, key);
        struct series *series = line->share > 0 && length > 0 ? series_of(family, key) : NULL;
        const int at = series ? place_of(series, length) : -1;
        if (at < 0)
            continue;
        name_line(line, key, series->name);
        series->y[at] = fmax(series->y[at], line->share);
    }
}

/* Only lines that have two points or more. */
static void keep_lines(struct family *family)
{
    int kept = 0;
    for (int i = 0; i < family->count; i++)
        if (family->series[i].count > 1)
            family->series[kept++] = family->series[i];
    family->count = kept < MOST_DRAWN ? kept : MOST_DRAWN;
}

static int draw_lengths(const struct attune_report *report, int32_t first, int32_t end,
                        struct family *family, FILE *file)
{
    char heading[256], setting[160];
    double low = INFINITY, high = 0, share = 1;
    gather_lengths(report, first, end, family);
    keep_lines(family);
    if (family->count == 0)
        return 0;
    for (int i = 0; i < family->count; i++) {
        const struct series *series = &family->series[i];
        low = fmin(low, series->x[0]);
        high = fmax(high, series->x[series->count - 1]);
        for (int j = 0; j < series->count; j++)
            share = fmax(share, series->y[j]);
    }
    struct attune_chart chart = {.file = file, .height = HEIGHT, .named = 1};
    chart.x = attune_axis_over(low, high, ATTUNE_DOUBLINGS);
    chart.y = (struct attune_axis){0, share, ATTUNE_LINEAR};
    snprintf(heading, sizeof heading, "Over length, %s",
             attune_report_setting(report, report->own[first], setting));
    attune_chart_open(
        &chart, "lengths", heading, NULL,
        "Line chart of the share of the roof that binds over the number of keys, a line "
        "for each kind of problem.");
    attune_chart_grid(&chart, count_tick, percent_tick, "keys (T)", "of the roof that binds");
    draw_lines(&chart, family, percent_tick, "T");
    attune_chart_close(&chart, "Fastest samples; heads and batch differ along a line.");
    return 1;
}

static int same_setting(const struct attune_report *report, int32_t a, int32_t b)
{
    return attune_report_same_setting(report, report->own[a], report->own[b]);
}

int attune_report_lengths(const struct attune_report *report, FILE *file)
{
    return draw_ranges(report, file, "lengths", "Longer sequences", same_setting, draw_lengths);
}
