/* SPDX-License-Identifier: Apache-2.0
 *
 * Charts as inline SVG that need no script to fit: x is in per cent of the width, y in pixels, so
 * that letters keep their size on a phone. Knows axes, marks and labels; nothing of results.
 */
#ifndef ATTUNE_BENCH_CLI_REPORT_CHART_H
#define ATTUNE_BENCH_CLI_REPORT_CHART_H

#include <stdio.h>

enum attune_scale { ATTUNE_LINEAR, ATTUNE_DECADES, ATTUNE_DOUBLINGS };

struct attune_axis {
    double low, high; /* low < high; both > 0 unless linear */
    enum attune_scale scale;
};

struct attune_chart {
    FILE *file;
    struct attune_axis x, y;
    int height; /* of the plot, pixels */
    int named;  /* leaves room for the names of lines on the right */
};

/* Opens a card: heading, a line below it (NULL: none), and the SVG with title and description for
 * screen readers. `kind` is a word of ours that tests and style sheets find the chart by. */
void attune_chart_open(const struct attune_chart *chart, const char *kind, const char *heading,
                       const char *below, const char *description);
/* Ends the SVG; what follows in the card may be a key. */
void attune_chart_end(const struct attune_chart *chart);
/* Ends the card; the caption may be NULL. */
void attune_chart_close(const struct attune_chart *chart, const char *caption);

/* Where a value stands, cut off at the plot's edges. */
double attune_chart_x(const struct attune_chart *chart, double value);
double attune_chart_y(const struct attune_chart *chart, double value);

/* An axis that holds all the values from low to high with a little room. */
struct attune_axis attune_axis_over(double low, double high, enum attune_scale scale);
/* Values for ticks, at most 12; returns how many. */
int attune_axis_ticks(const struct attune_axis *axis, double ticks[12]);

/* How a tick's value is shown. */
typedef const char *attune_tick_fn(double value, char *text);
void attune_chart_grid(const struct attune_chart *chart, attune_tick_fn *x_text,
                       attune_tick_fn *y_text, const char *x_name, const char *y_name);
/* A straight line between two values, cut off at the edges by the caller. */
void attune_chart_line(const struct attune_chart *chart, const char *class, double x1, double y1,
                       double x2, double y2);

/* Labels that do not cover each other, placed as they come: beside a mark where there is room. */
enum { ATTUNE_CHART_LABELS = 64 };
struct attune_labels {
    struct {
        double left, right, top, bottom;
    } box[2 * ATTUNE_CHART_LABELS];
    int count;
    double width; /* of the plot in pixels that room is judged by */
};
/* Keeps labels away from a mark. */
void attune_labels_avoid(struct attune_labels *labels, const struct attune_chart *chart, double x,
                         double y);
/* Writes the label and returns 1, or 0 where there is no room. `class` is added to its class. */
int attune_labels_put(struct attune_labels *labels, const struct attune_chart *chart, double x,
                      double y, const char *text, const char *class);

#endif
