/* SPDX-License-Identifier: Apache-2.0
 *
 * Axes, ticks, the frame of a chart, and where labels fit.
 */
#include "bench/cli/report_chart.h"

#include <math.h>
#include <string.h>

#include "bench/cli/picture_grid.h"
#include "bench/cli/report_page.h"

enum { MOST_TICKS = 12, MOST_STRIDES = 7, LETTER = 6, LABEL_HEIGHT = 13, MARK_RADIUS = 5 };

static double on_scale(const struct attune_axis *axis, double value)
{
    if (axis->scale == ATTUNE_LINEAR)
        return value;
    return axis->scale == ATTUNE_DECADES ? log10(value) : log2(value);
}

/* 0 at the low end, 1 at the high one. */
static double share_of(const struct attune_axis *axis, double value)
{
    const double low = on_scale(axis, axis->low), high = on_scale(axis, axis->high);
    const double share = (on_scale(axis, value) - low) / (high - low);
    return share > 0 ? fmin(share, 1) : 0;
}

double attune_chart_x(const struct attune_chart *chart, double value)
{
    return 100 * share_of(&chart->x, value);
}

double attune_chart_y(const struct attune_chart *chart, double value)
{
    return chart->height * (1 - share_of(&chart->y, value));
}

struct attune_axis attune_axis_over(double low, double high, enum attune_scale scale)
{
    struct attune_axis axis = {low, high, scale};
    if (scale == ATTUNE_LINEAR) {
        axis.low = fmin(low, 0);
        axis.high = high > axis.low ? axis.low + 1.05 * (high - axis.low) : axis.low + 1;
    } else {
        const double room = scale == ATTUNE_DECADES ? pow(high / low, 0.05) * 1.1 : 1.19;
        axis.low = low / room;
        axis.high = high * room;
    }
    return axis;
}

/* 1, 2 or 5 times a power of ten, so that at most `most` of them make `span`. */
static double round_step(double span, int most)
{
    const double rough = span / most;
    const double power = pow(10, floor(log10(rough)));
    const double first = rough / power;
    return power * (first <= 1 ? 1 : first <= 2 ? 2 : first <= 5 ? 5 : 10);
}

static int linear_ticks(const struct attune_axis *axis, double ticks[MOST_TICKS])
{
    const double step = round_step(axis->high - axis->low, 5);
    int count = 0;
    while (count < MOST_TICKS) {
        const double tick = (ceil(axis->low / step - 1e-9) + count) * step;
        if (tick > axis->high * (1 + 1e-12))
            break;
        ticks[count++] = tick + 0.0; /* never -0 */
    }
    return count;
}

/* Powers of a base, every second or third one where there are many, and within a narrow range of
 * decades the 2s and 5s too. */
static int power_ticks(const struct attune_axis *axis, double ticks[MOST_TICKS])
{
    static const double between[] = {1, 2, 5};
    const double base = axis->scale == ATTUNE_DECADES ? 10 : 2;
    const double low = on_scale(axis, axis->low), high = on_scale(axis, axis->high);
    const int parts = axis->scale == ATTUNE_DECADES && high - low < 2.5 ? 3 : 1;
    const double stride = ceil((high - low) / MOST_STRIDES);
    int count = 0;
    for (int n = 0; n <= MOST_STRIDES + 1; n++)
        for (int i = 0; i < parts; i++) {
            const double tick = pow(base, (floor(low / stride) + n) * stride) * between[i];
            if (tick >= axis->low && tick <= axis->high && count < MOST_TICKS)
                ticks[count++] = tick;
        }
    return count;
}

int attune_axis_ticks(const struct attune_axis *axis, double ticks[MOST_TICKS])
{
    return axis->scale == ATTUNE_LINEAR ? linear_ticks(axis, ticks) : power_ticks(axis, ticks);
}

void attune_chart_open(const struct attune_chart *chart, const char *kind, const char *heading,
                       const char *below, const char *description)
{
    FILE *file = chart->file;
    fprintf(file, "<figure class=\"card\" data-chart=\"%s\">\n<h3>", kind);
    attune_page_text(file, heading);
    fputs("</h3>\n", file);
    if (below) {
        fputs("<div class=\"sub\">", file);
        attune_page_text(file, below);
        fputs("</div>\n", file);
    }
    fprintf(file, "<div class=\"%s\"><svg height=\"%d\" role=\"img\"><title>",
            !(chart->x.high > chart->x.low) ? "plain"
            : chart->named                  ? "plot named"
                                            : "plot",
            chart->height);
    attune_page_text(file, heading);
    fputs("</title><desc>", file);
    attune_page_text(file, description);
    fputs("</desc>\n", file);
}

void attune_chart_end(const struct attune_chart *chart)
{
    fputs("</svg></div>\n<p class=\"readout\" aria-live=\"polite\"></p>\n", chart->file);
}

void attune_chart_close(const struct attune_chart *chart, const char *caption)
{
    if (caption) {
        fputs("<figcaption>", chart->file);
        attune_page_text(chart->file, caption);
        fputs("</figcaption>\n", chart->file);
    }
    fputs("</figure>\n", chart->file);
}

void attune_chart_line(const struct attune_chart *chart, const char *class, double x1, double y1,
                       double x2, double y2)
{
    fprintf(chart->file,
            "<line class=\"%s\" x1=\"%.2f%%\" y1=\"%.1f\" x2=\"%.2f%%\" y2=\"%.1f\"/>\n", class,
            attune_chart_x(chart, x1), attune_chart_y(chart, y1), attune_chart_x(chart, x2),
            attune_chart_y(chart, y2));
}

void attune_chart_grid(const struct attune_chart *chart, attune_tick_fn *x_text,
                       attune_tick_fn *y_text, const char *x_name, const char *y_name)
{
    FILE *file = chart->file;
    double ticks[MOST_TICKS];
    char text[ATTUNE_PAGE_NUMBER];
    int count = attune_axis_ticks(&chart->y, ticks);
    for (int i = 0; i < count; i++) {
        const double y = attune_chart_y(chart, ticks[i]);
        fprintf(file,
                "<line class=\"gridline\" x1=\"0\" y1=\"%.1f\" x2=\"100%%\" y2=\"%.1f\"/>"
                "<text class=\"faint\" x=\"-6\" y=\"%.1f\" text-anchor=\"end\">%s</text>\n",
                y, y, y + 4, y_text(ticks[i], text));
    }
    count = attune_axis_ticks(&chart->x, ticks);
    for (int i = 0; i < count; i++) {
        const double x = attune_chart_x(chart, ticks[i]);
        fprintf(file,
                "<line class=\"axis\" x1=\"%.2f%%\" y1=\"%d\" x2=\"%.2f%%\" y2=\"%d\"/>"
                "<text class=\"faint\" x=\"%.2f%%\" y=\"%d\" text-anchor=\"middle\">%s</text>\n",
                x, chart->height, x, chart->height + 4, x, chart->height + 16,
                x_text(ticks[i], text));
    }
    fprintf(file,
            "<line class=\"axis\" x1=\"0\" y1=\"%d\" x2=\"100%%\" y2=\"%d\"/>"
            "<text class=\"faint\" x=\"100%%\" y=\"%d\" text-anchor=\"end\">%s</text>"
            "<text class=\"faint\" x=\"0\" dx=\"-38\" y=\"-8\">%s</text>\n",
            chart->height, chart->height, chart->height + 30, x_name, y_name);
}

void attune_labels_avoid(struct attune_labels *labels, const struct attune_chart *chart, double x,
                         double y)
{
    const double across = attune_chart_x(chart, x) / 100 * labels->width;
    const double down = attune_chart_y(chart, y);
    const int i = labels->count;
    if (i == 2 * ATTUNE_CHART_LABELS)
        return;
    labels->box[i].left = across - MARK_RADIUS;
    labels->box[i].right = across + MARK_RADIUS;
    labels->box[i].top = down - MARK_RADIUS;
    labels->box[i].bottom = down + MARK_RADIUS;
    labels->count++;
}

static int is_free(const struct attune_labels *labels, double left, double top, double width)
{
    for (int i = 0; i < labels->count; i++)
        if (left < labels->box[i].right && left + width > labels->box[i].left &&
            top < labels->box[i].bottom && top + LABEL_HEIGHT > labels->box[i].top)
            return 0;
    return 1;
}

int attune_labels_put(struct attune_labels *labels, const struct attune_chart *chart, double x,
                      double y, const char *text, const char *class)
{
    const double width = LETTER * attune_text_width(text, 60);
    const double across = attune_chart_x(chart, x) / 100 * labels->width;
    const double down = attune_chart_y(chart, y);
    const struct {
        double right, below;
        const char *anchor;
    } places[] = {{8, 4, "start"},  {-8, 4, "end"},  {0, -9, "middle"}, {0, 17, "middle"},
                  {7, -6, "start"}, {-7, -6, "end"}, {7, 14, "start"},  {-7, 14, "end"}};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        const char *anchor = places[i].anchor;
        const double left = across + places[i].right -
                            (*anchor == 's'   ? 0
                             : *anchor == 'e' ? width
                                              : width / 2);
        const double top = down + places[i].below - 10;
        if (left < 0 || left + width > labels->width || top < -4 ||
            top + LABEL_HEIGHT > chart->height || !is_free(labels, left, top, width) ||
            labels->count == 2 * ATTUNE_CHART_LABELS)
            continue;
        fprintf(chart->file,
                "<text class=\"halo %s\" x=\"%.2f%%\" y=\"%.1f\" dx=\"%.0f\" text-anchor=\"%s\">",
                class, attune_chart_x(chart, x), down + places[i].below, places[i].right, anchor);
        attune_page_text(chart->file, text);
        fputs("</text>\n", chart->file);
        labels->box[labels->count].left = left;
        labels->box[labels->count].right = left + width;
        labels->box[labels->count].top = top;
        labels->box[labels->count++].bottom = top + LABEL_HEIGHT;
        return 1;
    }
    return 0;
}
