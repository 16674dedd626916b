/* SPDX-License-Identifier: Apache-2.0
 *
 * Rows are by name where cases come from the suite, else they describe the problem. Rates are of the
 * fastest sample, the one that compares with a roof.
 */
#include "bench/cli/bench_table.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

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
    const double scaled = value < 1e-6   ? 1e9 * value
                          : value < 1e-3 ? 1e6 * value
                          : value < 1    ? 1e3 * value
                                         : value;
    snprintf(text, 24, "%s %s", number(scaled, digits),
             value < 1e-6   ? "ns"
             : value < 1e-3 ? "us"
             : value < 1    ? "ms"
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

/* Room for the longest name or shape. Cases that are wrong are told about when their turn comes. */
static int find_width(const struct attune_bench *bench)
{
    int width = 5;
    for (int i = 0; i < bench->case_count; i++) {
        struct attune_bench_case *one = &bench->cases[i];
        struct attune_trouble trouble;
        char text[256];
        int length = (int)strlen(one->name);
        if (!bench->by_name) {
            length = 0;
            if (attune_bench_describe_case(one, &trouble) == 0)
                length = attune_report_shape(&one->shape, text, sizeof text);
        }
        width = length > width ? length : width;
    }
    return width;
}

void attune_table_begin(struct attune_table *table, const struct attune_bench *bench, FILE *file)
{
    *table = (struct attune_table){.bench = bench, .file = file, .width = find_width(bench)};
}

static void print_head(const struct attune_table *table)
{
    if (table->bench->by_name)
        fprintf(table->file, "%-*s  %-10s  %8s  %6s  %15s  %14s  %s\n", table->width, "case",
                "threads", "time", "+-", "rate", "share of roof", "kernels");
    else
        fprintf(table->file, "%-22s  %-*s  %7s  %14s  %15s  %11s  %s\n", "mechanism",
                table->width, "shape", "time", "rate", "share of peak", "error/bound", "kernels");
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
        table->kernels[table->sets++] = strdup(kernels);
    return set + 1;
}

static const char *unit_word(enum attune_work_unit unit)
{
    static const char *const words[] = {"GFLOP/s", "G tanh/s", "G exp/s", "GB/s"};
    return words[unit];
}

static void print_by_name(struct attune_table *table, const struct attune_bench_trial *trial,
                          int set)
{
    const struct attune_figures *figures = &trial->figures;
    const struct attune_bench_setting *setting = trial->setting;
    char time[24], rate[16], threads[40], share[32], kernels[16];
    snprintf(threads, sizeof threads, "%d%s%s%s", setting->threads,
             setting->isa_asked[0] ? " " : "", setting->isa_asked,
             setting->untuned ? " untuned" : "");
    snprintf(share, sizeof share, "%.1f %% of %-4s", 100 * figures->share, figures->bound.name);
    snprintf(kernels, sizeof kernels, "%d", set);
    fprintf(table->file, "%-*s  %-10s  %8s  %4.1f %%  %6s %-8s  %14s  %s%s\n", table->width,
            trial->of->name, threads, seconds(figures->minimum, time), 100 * figures->noise,
            number(1e-9 * figures->bound.amount / figures->minimum, rate),
            unit_word(figures->bound.unit), share, set ? kernels : "",
            figures->settled ? "" : "  not settled");
}

static void print_described(struct attune_table *table, const struct attune_bench_trial *trial,
                            int set)
{
    const struct attune_figures *figures = &trial->figures;
    const struct attune_work *work = &trial->entry->work;
    char mechanism[32], shape[256], time[24], rate[16], share[32], kernels[16];
    attune_report_shape(&trial->of->shape, shape, sizeof shape);
    snprintf(share, sizeof share, "%.1f %% of %-4s", 100 * figures->share, figures->bound.name);
    snprintf(kernels, sizeof kernels, "%d", set);
    fprintf(table->file, "%-22s  %-*s  %7s  %5s %-8s  %15s  %11.3f  %s%s\n",
            mechanism_of(&trial->of->shape, mechanism), table->width, shape,
            seconds(figures->minimum, time), number(1e-9 * work->amount / figures->minimum, rate),
            unit_word(work->unit), share, trial->error, set ? kernels : trial->kernels,
            figures->settled ? "" : "  not settled");
}

static void print_parts(const struct attune_table *table, const char *head,
                        const struct attune_pairs *parts, double whole)
{
    fprintf(table->file, "    %s", head);
    for (int32_t i = 0; i < parts->count; i++) {
        char name[32];
        snprintf(name, sizeof name, "%s", parts->at[i].name);
        if (strchr(name, '_'))
            *strchr(name, '_') = ' ';
        fprintf(table->file, "%s %.1f %%%s", name, 100 * parts->at[i].value / whole,
                i + 1 < parts->count ? ", " : "\n");
    }
}

static void print_explanation(const struct attune_table *table,
                              const struct attune_bench_trial *trial)
{
    double whole = 0;
    for (int32_t i = 0; i < trial->explain.count; i++)
        whole += trial->explain.at[i].value;
    print_parts(table, "", &trial->explain, whole);
    if (trial->explain_apart.count > 0)
        print_parts(table, "the tile's stages one after the other: ", &trial->explain_apart, whole);
}

static void count_family(struct attune_table *table, const struct attune_bench_trial *trial)
{
    int i = 0;
    while (i < table->family_count && strcmp(table->families[i].family, trial->of->family) != 0)
        i++;
    if (i == ATTUNE_TABLE_FAMILIES || !(trial->figures.share > 0))
        return;
    if (i == table->family_count)
        table->families[table->family_count++].family = trial->of->family;
    table->families[i].logarithms += log(trial->figures.share);
    table->families[i].count++;
}

void attune_table_row(struct attune_table *table, const struct attune_bench_trial *trial)
{
    /* A kernel alone says it in its name. */
    const int set = trial->of->kernel ? 0 : kernels_number(table, trial->kernels);
    if (table->rows++ == 0)
        print_head(table);
    if (table->bench->by_name)
        print_by_name(table, trial, set);
    else
        print_described(table, trial, set);
    if (trial->explain.count > 0)
        print_explanation(table, trial);
    table->unsettled += !trial->figures.settled;
    count_family(table, trial);
    fflush(table->file);
}

static void print_roofs(const struct attune_table *table, const struct attune_bench_setting *setting)
{
    const struct attune_roofs roofs = attune_probes_roofs(setting->probes, 0);
    const int32_t threads = attune_probes_threads(setting->probes);
    char fma[16], tanh[16], exp[16], l1[16], l2[16], l3[16], dram[16];
    fprintf(table->file,
            "\nPeaks of %d thread%s, %s, measured in the same run: fma %s GFLOP/s,\n"
            "tanh %s G/s, exp %s G/s, reads of l1 %s, l2 %s, l3 %s, dram %s GB/s.\n",
            threads, threads == 1 ? "" : "s", setting->isa, number(1e-9 * roofs.fma, fma),
            number(1e-9 * roofs.tanh, tanh), number(1e-9 * roofs.exp, exp),
            number(1e-9 * roofs.read[ATTUNE_L1], l1), number(1e-9 * roofs.read[ATTUNE_L2], l2),
            number(1e-9 * roofs.read[ATTUNE_L3], l3),
            number(1e-9 * roofs.read[ATTUNE_DRAM], dram));
}

static void print_families(const struct attune_table *table)
{
    fputs("\nShare of the roof that binds, geometric mean by family:", table->file);
    for (int i = 0; i < table->family_count; i++)
        fprintf(table->file, "%s%-13s %5.1f %%", i % 4 == 0 ? "\n  " : "    ",
                table->families[i].family,
                100 * exp(table->families[i].logarithms / table->families[i].count));
    fputc('\n', table->file);
}

void attune_table_end(struct attune_table *table)
{
    const struct attune_bench *bench = table->bench;
    if (table->rows > 0) {
        fputc('\n', table->file);
        for (int i = 0; i < table->sets; i++)
            fprintf(table->file, "kernels %d: %s\n", i + 1,
                    table->kernels[i] ? table->kernels[i] : "");
        if (bench->by_name)
            print_families(table);
        for (int i = 0; i < bench->setting_count; i++) {
            int seen = 0;
            for (int j = 0; j < i; j++)
                seen |= bench->settings[j].probes == bench->settings[i].probes;
            if (!seen)
                print_roofs(table, &bench->settings[i]);
        }
        fputs("Time is of the fastest sample, projections and convolutions included;\n"
              "the work is that of the attention alone.\n",
              table->file);
    }
    if (table->unsettled > 0)
        fprintf(table->file,
                "%d not settled: the fastest time was not reached again, or noise is above 5 %%;\n"
                "a quieter machine or a larger --seconds tells more.\n",
                table->unsettled);
    for (int i = 0; i < table->sets; i++)
        free(table->kernels[i]);
    table->sets = 0;
}
