/* SPDX-License-Identifier: Apache-2.0
 *
 * Table and JSON of timed cases. Rates are of the fastest sample, the one that compares with a
 * roof.
 */
#include "bench/cli/report.h"

#include <jansson.h>
#include <stdarg.h>
#include <string.h>

int attune_report_json(const struct attune_case *done, FILE *file)
{
    const struct attune_timing *timing = &done->timing;
    const struct attune_roofs *roofs = &timing->roofs;
    json_t *object = json_pack(
        "{s:s, s:i, s:s, s:f, s:f, s:f, s:s, s:f, s:s, s:f, s:f, s:{s:f, s:f, s:f, s:f, s:f, s:f}}",
        "spec", done->name, "threads", (int)done->threads, "kernels", timing->kernels, "min_s",
        timing->time.minimum, "median_s", timing->time.median, "work", timing->bound.amount,
        "work_unit", attune_work_unit_word(timing->bound.unit), "roof", timing->bound.roof,
        "bound_by", timing->bound.name, "share", timing->share, "error_over_bound", done->error,
        "roofs", "fma", roofs->fma, "l1", roofs->read[ATTUNE_L1], "l2", roofs->read[ATTUNE_L2],
        "l3", roofs->read[ATTUNE_L3], "dram", roofs->read[ATTUNE_DRAM], "tanh", roofs->tanh);
    if (!object)
        return 0;
    const int failed = json_dumpf(object, file, JSON_COMPACT | JSON_REAL_PRECISION(9));
    json_decref(object);
    fputc('\n', file);
    fflush(file);
    return failed == 0;
}

/* Appends to text as long as there is room; keeps the full length. */
static void append(char *text, size_t size, int *length, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
static void append(char *text, size_t size, int *length, const char *format, ...)
{
    va_list arguments;
    const size_t used = (size_t)*length < size ? (size_t)*length : size;
    va_start(arguments, format);
    *length += vsnprintf(text + used, size - used, format, arguments);
    va_end(arguments);
}

/* Self dot has a score scale of its own accord. */
static int is_scaled(const struct attune_problem *problem)
{
    const int by_nature = problem->mechanism == ATTUNE_SELF && problem->form == ATTUNE_DOT;
    return problem->output_scale != 1 || (problem->score_scale != 1 && !by_nature);
}

int attune_report_shape(const struct attune_shape *shape, char *text, size_t size)
{
    static const char *const alignments[] = {"", " top_left", " bottom_right"};
    const struct attune_tensor *in = shape->problem.in;
    const int64_t projected =
        shape->c == 0 && (in[ATTUNE_IN_W_QUERY].dtype || in[ATTUNE_IN_WEIGHT].dtype) ? shape->d_q
                                                                                     : 0;
    const struct {
        const char *key;
        int64_t value;
    } parts[] = {{"d", shape->d ? shape->d : projected},
                 {"a", shape->a},
                 {"c", shape->c},
                 {"n", shape->n},
                 {"e", shape->e}};
    int length = 0;
    append(text, size, &length, "b=%lld", (long long)shape->b);
    if (shape->h > 1)
        append(text, size, &length, " h=%lld", (long long)shape->h);
    if (shape->g != shape->h)
        append(text, size, &length, " g=%lld", (long long)shape->g);
    if (shape->t_q == shape->t_k)
        append(text, size, &length, " t=%lld", (long long)shape->t_q);
    else
        append(text, size, &length, " tq=%lld tk=%lld", (long long)shape->t_q,
               (long long)shape->t_k);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (parts[i].value > 0)
            append(text, size, &length, " %s=%lld", parts[i].key, (long long)parts[i].value);
    append(text, size, &length, "%s%s%s", alignments[shape->problem.causal],
           shape->prepared ? " prepared" : "", is_scaled(&shape->problem) ? " scaled" : "");
    return length;
}

/* A number with three digits that count. */
static const char *number(double value, char text[16])
{
    snprintf(text, 16, "%.*f", value < 10 ? 2 : value < 100 ? 1 : 0, value);
    return text;
}

static const char *seconds(double value, char text[24])
{
    char digits[16];
    const double scaled = value < 1e-3 ? 1e6 * value : value < 1 ? 1e3 * value : value;
    snprintf(text, 24, "%s %s", number(scaled, digits),
             value < 1e-3 ? "us"
             : value < 1  ? "ms"
                          : "s");
    return text;
}

static const char *mechanism_of(const struct attune_shape *shape, char text[32])
{
    const struct attune_problem *problem = &shape->problem;
    const char *form = problem->mechanism == ATTUNE_RECURRENT
                           ? problem->recurrence == ATTUNE_STEP ? "step" : "scan"
                       : problem->form != ATTUNE_FORM_DEFAULT ? attune_form_name(problem->form)
                                                              : NULL;
    snprintf(text, 32, "%s%s%s", attune_mechanism_name(problem->mechanism), form ? ":" : "",
             form ? form : "");
    return text;
}

static void print_head(const struct attune_table *table)
{
    fprintf(table->file, "%-22s  %-*s  %7s  %14s  %15s  %11s  %s\n", "mechanism", table->width,
            "shape", "time", "rate", "share of peak", "error/bound", "kernels");
}

/* Number from 1 of a set of kernels, a new one if no row had it; 0 where there is no room left. */
static int kernels_number(struct attune_table *table, const char *kernels)
{
    int set = 0;
    while (set < table->sets && strcmp(table->kernels[set], kernels) != 0)
        set++;
    if (set == ATTUNE_TABLE_SETS)
        return 0;
    if (set == table->sets)
        snprintf(table->kernels[table->sets++], sizeof table->kernels[0], "%s", kernels);
    return set + 1;
}

void attune_report_row(struct attune_table *table, const struct attune_case *done)
{
    const struct attune_timing *timing = &done->timing;
    const char *unit = timing->work.unit == ATTUNE_TANH ? "G tanh/s" : "GFLOP/s";
    const int set = kernels_number(table, timing->kernels);
    char mechanism[32], shape[256], time[24], rate[16], share[32], kernels[16];
    attune_report_shape(&done->shape, shape, sizeof shape);
    snprintf(share, sizeof share, "%.1f %% of %-4s", 100 * timing->share, timing->bound.name);
    snprintf(kernels, sizeof kernels, "%d", set);
    if (table->rows++ == 0)
        print_head(table);
    fprintf(table->file, "%-22s  %-*s  %7s  %5s %-8s  %15s  %11.3f  %s\n",
            mechanism_of(&done->shape, mechanism), table->width, shape,
            seconds(timing->time.minimum, time),
            number(1e-9 * timing->work.amount / timing->time.minimum, rate), unit, share,
            done->error, set ? kernels : timing->kernels);
    fflush(table->file);
}

void attune_report_foot(const struct attune_table *table, const struct attune_roofs *roofs,
                        int32_t threads)
{
    char fma[16], tanh[16], l1[16], l2[16], l3[16], dram[16];
    putc('\n', table->file);
    for (int i = 0; i < table->sets; i++)
        fprintf(table->file, "kernels %d: %s\n", i + 1, table->kernels[i]);
    fprintf(table->file,
            "\nPeaks of %d thread%s, measured in the same run: fma %s GFLOP/s, tanh %s G/s,\n"
            "reads of l1 %s, l2 %s, l3 %s, dram %s GB/s.\n"
            "Time is of the fastest sample, projections and convolutions included;\n"
            "the work is that of the attention alone.\n",
            threads, threads == 1 ? "" : "s", number(1e-9 * roofs->fma, fma),
            number(1e-9 * roofs->tanh, tanh), number(1e-9 * roofs->read[ATTUNE_L1], l1),
            number(1e-9 * roofs->read[ATTUNE_L2], l2), number(1e-9 * roofs->read[ATTUNE_L3], l3),
            number(1e-9 * roofs->read[ATTUNE_DRAM], dram));
}
