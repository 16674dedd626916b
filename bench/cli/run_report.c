/* SPDX-License-Identifier: Apache-2.0
 *
 * What `attune run` tells: a few lines for people, one JSON object for programs. Computes nothing.
 */
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>

#include "bench/cli/bench_table.h"
#include "bench/cli/run.h"
#include "bench/text.h"

static const char *form_of(const struct attune_shape *shape)
{
    if (shape->problem.mechanism == ATTUNE_RECURRENT)
        return shape->problem.recurrence == ATTUNE_STEP ? "step" : "scan";
    return shape->problem.form != ATTUNE_FORM_DEFAULT ? attune_form_name(shape->problem.form) : "";
}

int attune_run_check_passed(const struct attune_run_check *check)
{
    return check->share <= 1; /* false for NaN */
}

/* "[3, 0, 5]" of a flat index. */
static void format_position(const struct attune_tensor *tensor, int64_t index, char *text,
                            size_t size)
{
    int64_t position[ATTUNE_MAX_RANK] = {0};
    size_t used = 0;

    for (int32_t axis = tensor->rank - 1; axis >= 0; axis--) {
        int64_t extent = tensor->size[axis] > 0 ? tensor->size[axis] : 1;
        position[axis] = index % extent;
        index /= extent;
    }
    for (int32_t axis = 0; axis < tensor->rank && used < size; axis++)
        used += (size_t)snprintf(text + used, size - used, "%s%" PRId64, axis > 0 ? ", " : "[",
                                 position[axis]);
    if (used < size)
        (void)snprintf(text + used, size - used, "]");
}

static void print_summary(FILE *stream, const struct attune_run_report *report)
{
    const struct attune_shape *shape = &report->run->shape;
    const char *form = form_of(shape);
    char extents[256];

    (void)fprintf(stream, "mechanism  %s%s%s\n", attune_mechanism_name(shape->problem.mechanism),
                  form[0] != '\0' ? " " : "", form);
    (void)attune_report_shape(shape, extents, sizeof extents);
    (void)fprintf(stream, "shape      %s\nkernels    %s\nthreads    %" PRId32 "\n", extents,
                  report->run->kernels, report->run->threads);
    if (report->repeat > 0)
        (void)fprintf(stream, "time       %.6g ms the fastest, %.6g ms the median of %" PRId64 "\n",
                      report->run->minimum * 1e3, report->run->median * 1e3, report->repeat);
}

static void print_check(FILE *stream, const struct attune_run_report *report,
                        const struct attune_run_check *check)
{
    int color = attune_color_wanted(stream);
    int passed = attune_run_check_passed(check);
    char position[128];

    format_position(&report->run->shape.problem.out[check->output], check->worst, position,
                    sizeof position);
    (void)fprintf(stream, "check      %-10s  largest error %.3g, %.3g of the bound",
                  attune_output_name(check->output), check->largest_error, check->share);
    if (!passed)
        (void)fprintf(stream, " at %s", position);
    (void)fprintf(stream, ", against %sexpected_%s%s: %s%s%s\n",
                  check->expected ? "" : "the float64 reference (no ",
                  attune_output_name(check->output), check->expected ? "" : " in the file)",
                  color ? (passed ? "\033[32m" : "\033[31m") : "", passed ? "ok" : "FAILED",
                  color ? "\033[0m" : "");
}

void attune_run_print(FILE *stream, const struct attune_run_report *report, int summary)
{
    if (summary)
        print_summary(stream, report);
    for (int i = 0; i < report->check_count; i++)
        print_check(stream, report, &report->checks[i]);
}

/* JSON has no infinity and no NaN: null, and `ok` tells. */
static json_t *number_or_null(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *checks_json(const struct attune_run_report *report)
{
    json_t *list = json_array();

    for (int i = 0; i < report->check_count; i++) {
        const struct attune_run_check *check = &report->checks[i];
        (void)json_array_append_new(
            list,
            json_pack("{s:s, s:s, s:o, s:o, s:b}", "output", attune_output_name(check->output),
                      "against", check->expected ? "expected" : "reference", "largest_error",
                      number_or_null(check->largest_error), "share_of_bound",
                      number_or_null(check->share), "ok", attune_run_check_passed(check)));
    }
    return list;
}

/* Extents by the keys that SPECs have for them. Batch, heads and lengths are always there, of the
 * others those that the problem has. */
static json_t *shape_json(const struct attune_shape *shape)
{
    const struct {
        const char *key;
        int64_t value;
        int always;
    } extents[] = {{"b", shape->b, 1},        {"h", shape->h, 1},    {"g", shape->g, 1},
                   {"tq", shape->t_q, 1},     {"tk", shape->t_k, 1}, {"d", shape->d, 0},
                   {"e", shape->e, 0},        {"a", shape->a, 0},    {"c", shape->c, 0},
                   {"n", shape->n, 0},        {"s", shape->s, 0},    {"f", shape->f, 0},
                   {"width", shape->width, 0}};
    json_t *object = json_object();

    for (size_t i = 0; i < sizeof extents / sizeof extents[0]; i++) {
        if (extents[i].always || extents[i].value != 0)
            (void)json_object_set_new(object, extents[i].key, json_integer(extents[i].value));
    }
    return object;
}

int attune_run_print_json(FILE *stream, const struct attune_run_report *report,
                          struct attune_trouble *trouble)
{
    const struct attune_run *run = report->run;
    const char *form = form_of(&run->shape);
    json_t *object =
        json_pack("{s:o, s:s, s:s, s:o, s:s, s:i}", "file", attune_text_json(report->path), "mechanism",
                  attune_mechanism_name(run->shape.problem.mechanism), "form", form, "shape",
                  shape_json(&run->shape), "kernels", run->kernels, "threads", (int)run->threads);
    char *text;

    if (report->repeat > 0)
        (void)json_object_update_new(object, json_pack("{s:I, s:f, s:f}", "repeat",
                                                       (json_int_t)report->repeat, "min_s",
                                                       run->minimum, "median_s", run->median));
    if (report->check_count > 0)
        (void)json_object_set_new(object, "check", checks_json(report));
    if (report->result != NULL)
        (void)json_object_set_new(object, "result", attune_text_json(report->result));
    text = json_dumps(object, JSON_REAL_PRECISION(9));
    json_decref(object);
    if (text == NULL)
        return attune_trouble_memory(trouble, "report");
    (void)fprintf(stream, "%s\n", text);
    free(text);
    return 0;
}
