/* SPDX-License-Identifier: Apache-2.0
 *
 * Roofline plots: arithmetic a byte of keys and values across, rate up, both in decades. A case
 * stands below the roof that binds it; how far below is what is left to gain.
 */
#include <math.h>
#include <string.h>

#include "bench/cli/report_chart.h"
#include "bench/cli/report_page.h"
#include "bench/cli/report_sections.h"

enum { MOST_PLOTS = 12, MOST_POINTS = 300, HEIGHT = 320, NARROW = 290, CLASSES = 4 };

static const char *const levels[] = {"l1", "l2", "l3", "dram"};

/* Families told apart by color and shape. */
static const struct {
    const char *name, *families;
} classes[CLASSES] = {
    {"dense", " prefill general small data spec concat "},
    {"causal, window", " causal window "},
    {"one query", " decode step location "},
    {"pairwise, recurrent, additive", ""},
};

static int class_of(const struct attune_result_line *result)
{
    char word[40];
    snprintf(word, sizeof word, " %.30s ", result->family);
    for (int i = 0; i < CLASSES - 1; i++)
        if (strstr(classes[i].families, word))
            return i;
    return CLASSES - 1;
}

/* One plot: results of one setting and one unit of arithmetic. */
struct plot {
    const struct attune_report *report;
    const struct attune_result_line *point[MOST_POINTS];
    int32_t points, left_out;
    double arithmetic, read[4]; /* roofs */
    struct attune_chart chart;
};

static double intensity(const struct attune_result_line *result)
{
    return result->arithmetic / result->bytes;
}

static double rate_of(const struct attune_result_line *result)
{
    return result->arithmetic / result->min_s;
}

static const char *unit_of(const struct attune_result_line *result)
{
    return result->arithmetic_unit ? result->arithmetic_unit : "";
}

static int can_plot(const struct attune_result_line *result)
{
    return result->arithmetic > 0 && result->bytes > 0 && *unit_of(result) &&
           strcmp(result->spec, "kernel") != 0;
}

static void raise_to(double *roof, double rate)
{
    if (rate > *roof)
        *roof = rate;
}

static void add_point(struct plot *plot, const struct attune_result_line *result)
{
    const char *roof = strcmp(unit_of(result), "tanh") == 0 ? "tanh" : "fma";
    raise_to(&plot->arithmetic, attune_pairs_find(&result->roofs, roof));
    for (int i = 0; i < 4; i++)
        raise_to(&plot->read[i], attune_pairs_find(&result->roofs, levels[i]));
    if (plot->points < MOST_POINTS)
        plot->point[plot->points++] = result;
    else
        plot->left_out++;
}

static void set_axes(struct plot *plot)
{
    double left = INFINITY, right = 0, low = INFINITY, high = plot->arithmetic;
    for (int32_t i = 0; i < plot->points; i++) {
        left = fmin(left, intensity(plot->point[i]));
        right = fmax(right, intensity(plot->point[i]));
        low = fmin(low, rate_of(plot->point[i]));
        high = fmax(high, rate_of(plot->point[i]));
    }
    /* The ridge of the slowest level belongs to the picture. */
    if (plot->read[3] > 0) {
        right = fmax(right, plot->arithmetic / plot->read[3]);
        left = fmin(left, plot->arithmetic / plot->read[3]);
    }
    plot->chart.x = attune_axis_over(left, right, ATTUNE_DECADES);
    plot->chart.y = attune_axis_over(low, high, ATTUNE_DECADES);
}

static const char *plain_tick(double value, char *text)
{
    snprintf(text, ATTUNE_PAGE_NUMBER, "%.4g", value);
    return text;
}

/* "100 G" */
static const char *giga_tick(double value, char *text)
{
    snprintf(text, ATTUNE_PAGE_NUMBER, "%.4g G", 1e-9 * value);
    return text;
}

/* A slope from where it enters the plot to its ridge, with its name at the lower end. */
static void draw_slope(const struct plot *plot, int level)
{
    const struct attune_chart *chart = &plot->chart;
    const double speed = plot->read[level], ridge = plot->arithmetic / speed;
    const double left = fmax(chart->x.low, chart->y.low / speed);
    char text[ATTUNE_PAGE_NUMBER];
    if (!(speed > 0) || ridge <= left)
        return;
    const double right = fmin(ridge, chart->x.high);
    attune_chart_line(chart, "roof", left, left * speed, right, right * speed);
    fprintf(chart->file,
            "<text class=\"faint halo\" x=\"%.2f%%\" y=\"%.1f\" dx=\"8\" dy=\"%d\">%s"
            "<tspan class=\"far\"> %s</tspan></text>\n",
            attune_chart_x(chart, left), attune_chart_y(chart, left * speed),
            left > chart->x.low ? -4 : 13, levels[level], attune_page_rate(speed, "byte", text));
}

static void draw_roofs(const struct plot *plot)
{
    const struct attune_chart *chart = &plot->chart;
    const char *unit = unit_of(plot->point[0]);
    char text[ATTUNE_PAGE_NUMBER];
    double ridge = chart->x.high;
    if (!(plot->arithmetic > 0))
        return;
    for (int i = 0; i < 4; i++)
        if (plot->read[i] > 0)
            ridge = fmin(ridge, plot->arithmetic / plot->read[i]);
    attune_chart_line(chart, "roof", fmax(ridge, chart->x.low), plot->arithmetic, chart->x.high,
                      plot->arithmetic);
    fprintf(chart->file,
            "<text class=\"faint\" x=\"100%%\" y=\"%.1f\" text-anchor=\"end\">%s %s</text>\n",
            attune_chart_y(chart, plot->arithmetic) - 5, strcmp(unit, "tanh") ? "fma" : "tanh",
            attune_page_rate(plot->arithmetic, unit, text));
    /* A level as fast as the one before would only draw over it. */
    for (int i = 3; i >= 0; i--)
        if (i == 0 || plot->read[i] < 0.85 * plot->read[i - 1])
            draw_slope(plot, i);
}

/* Shapes by class: circle, square, diamond, triangle. */
static void draw_shape(FILE *file, int class, double x, double y)
{
    static const char *const shapes[CLASSES] = {"M-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0",
                                                "M-3.6-3.6h7.2v7.2h-7.2z", "M0-5L5 0L0 5L-5 0z",
                                                "M0-5L4.8 4H-4.8z"};
    /* A path has no per cent of its own: an inner svg without extent carries it there. */
    fprintf(file, "<svg x=\"%.2f%%\" y=\"%.1f\" class=\"point\"><path class=\"mark s%d\" d=\"%s\">",
            x, y, class + 1, shapes[class]);
}

static void draw_point(const struct plot *plot, const struct attune_result_line *result)
{
    const struct attune_chart *chart = &plot->chart;
    char rate[ATTUNE_PAGE_NUMBER], time[ATTUNE_PAGE_NUMBER];
    draw_shape(chart->file, class_of(result), attune_chart_x(chart, intensity(result)),
               attune_chart_y(chart, rate_of(result)));
    fputs("<title>", chart->file);
    attune_page_format(chart->file, "%s: %s, %s", attune_report_case(result),
                       attune_page_rate(rate_of(result), unit_of(result), rate),
                       attune_page_seconds(result->min_s, time));
    if (result->share > 0 && result->bound_by)
        attune_page_format(chart->file, ", %.0f %% of %.12s", 100 * result->share,
                           result->bound_by);
    attune_page_format(chart->file, ", %.3g %s/byte", intensity(result), unit_of(result));
    fputs("</title></path></svg>\n", chart->file);
}

/* Where a phone has room for them; the others are told by hovering and in the table. */
static void draw_labels(const struct plot *plot)
{
    struct attune_labels labels = {.width = NARROW};
    const int32_t count = plot->points < ATTUNE_CHART_LABELS ? plot->points : ATTUNE_CHART_LABELS;
    for (int32_t i = 0; i < count; i++)
        attune_labels_avoid(&labels, &plot->chart, intensity(plot->point[i]),
                            rate_of(plot->point[i]));
    for (int32_t i = 0; i < count; i++)
        attune_labels_put(&labels, &plot->chart, intensity(plot->point[i]), rate_of(plot->point[i]),
                          attune_report_case(plot->point[i]), "");
}

static void draw_key(const struct plot *plot)
{
    int used[CLASSES] = {0};
    for (int32_t i = 0; i < plot->points; i++)
        used[class_of(plot->point[i])] = 1;
    fputs("<ul class=\"key\">", plot->chart.file);
    for (int i = 0; i < CLASSES; i++) {
        if (!used[i])
            continue;
        fputs("<li><svg aria-hidden=\"true\" viewBox=\"-6 -6 12 12\">", plot->chart.file);
        draw_shape(plot->chart.file, i, 0, 0);
        fprintf(plot->chart.file, "</path></svg></svg>%s</li>", classes[i].name);
    }
    fputs("</ul>\n", plot->chart.file);
}

static void draw_plot(struct plot *plot)
{
    char setting[160], heading[256], description[320];
    const char *unit = unit_of(plot->point[0]);
    set_axes(plot);
    attune_report_setting(plot->report, plot->point[0], setting);
    snprintf(heading, sizeof heading, "%s", setting);
    snprintf(description, sizeof description,
             "Scatter plot of %d cases below the roofs of the machine, both axes logarithmic.",
             plot->points);
    attune_chart_open(&plot->chart, "roofline", heading, NULL, description);
    attune_chart_grid(&plot->chart, plain_tick, giga_tick,
                      strcmp(unit, "tanh") ? "FLOP a byte of keys and values"
                                           : "tanh a byte of keys and values",
                      strcmp(unit, "tanh") ? "FLOP/s" : "tanh/s");
    draw_roofs(plot);
    for (int32_t i = 0; i < plot->points; i++)
        draw_point(plot, plot->point[i]);
    draw_labels(plot);
    attune_chart_end(&plot->chart);
    draw_key(plot);
    attune_chart_close(&plot->chart,
                       plot->left_out ? "There are more cases than this plot shows." : NULL);
}

static int draw_group(struct plot *plot, const struct attune_result_line **line, int32_t count,
                      const char *unit)
{
    const struct attune_report *report = plot->report;
    FILE *file = plot->chart.file;
    *plot = (struct plot){.report = report, .chart = {.file = file, .height = HEIGHT}};
    for (int32_t i = 0; i < count; i++)
        if (can_plot(line[i]) && strcmp(unit_of(line[i]), unit) == 0)
            add_point(plot, line[i]);
    if (plot->points == 0)
        return 0;
    draw_plot(plot);
    return 1;
}

int attune_report_roofline(const struct attune_report *report, FILE *file)
{
    static const char *const units[] = {"flop", "tanh"};
    struct plot plot = {.report = report, .chart = {.file = file}};
    int plots = 0, any = 0;
    for (int32_t i = 0; i < report->owns; i++)
        any |= can_plot(report->own[i]);
    if (!any)
        return 0;
    attune_page_section(file, "roofline", "How close to the roofs");
    fputs(
        "<p class=\"sub\">A case stands below the roof that binds it: the flat one is arithmetic, "
        "the slopes are reads of keys and values, and the distance is what is left to gain. "
        "Fastest samples; roofs are the best of all probes in the run. Hover or tap a mark for its "
        "numbers.</p>\n<div class=\"wide\">\n",
        file);
    for (int32_t i = 0, end; i < report->owns; i = end) {
        for (end = i + 1; end < report->owns &&
                          attune_report_same_setting(report, report->own[i], report->own[end]);)
            end++;
        for (int unit = 0; unit < 2 && plots < MOST_PLOTS; unit++)
            plots += draw_group(&plot, report->own + i, end - i, units[unit]);
    }
    fputs("</div>\n", file);
    if (plots == MOST_PLOTS)
        attune_page_format(file, "Only the first %d plots are drawn.", MOST_PLOTS);
    attune_page_section_end(file);
    return 1;
}
