/* SPDX-License-Identifier: Apache-2.0
 *
 * The README's tables: a table of engines for each machine and number of threads, then how close
 * Attune's families come to the roofs.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/cli/report_figure.h"
#include "bench/cli/report_page.h"
#include "bench/cli/report_panel.h"

enum { MOST_FAMILIES = 32, MOST_SETTINGS = 8 };

static const char *unit_word(const char *unit)
{
    return !unit                       ? ""
           : strcmp(unit, "flop") == 0 ? "GFLOP/s"
           : strcmp(unit, "byte") == 0 ? "GB/s"
           : strcmp(unit, "tanh") == 0 ? "G tanh/s"
                                       : "G/s";
}

/* Engines of some panels in the order of the files. */
struct engines {
    const struct attune_result_line *line[ATTUNE_PANEL_ENGINES];
    int count;
};

static int engine_place(const struct engines *engines, const char *name)
{
    int i = 0;
    while (i < engines->count && strcmp(engines->line[i]->engine, name) != 0)
        i++;
    return i;
}

static void gather_engines(const struct attune_panel *panel, int count, struct engines *engines)
{
    engines->count = 0;
    for (int own = 1; own >= 0; own--)
        for (int i = 0; i < count; i++)
            for (int j = 0; j < panel[i].rows; j++) {
                const struct attune_result_line *line = panel[i].row[j];
                if (attune_report_is_own(line) == own &&
                    engine_place(engines, line->engine) == engines->count &&
                    engines->count < ATTUNE_PANEL_ENGINES)
                    engines->line[engines->count++] = line;
            }
}

/* The fastest of an engine, which comes first; NULL: it has none. */
static const struct attune_result_line *row_of(const struct attune_panel *panel, const char *engine)
{
    for (int i = 0; i < panel->rows; i++)
        if (strcmp(panel->row[i]->engine, engine) == 0)
            return panel->row[i];
    return NULL;
}

static void put_rates(const struct attune_panel *panel, const struct engines *engines, FILE *file)
{
    char text[ATTUNE_PAGE_NUMBER];
    attune_markdown_code(file, panel->first->spec);
    fprintf(file, " | %s", unit_word(panel->first->work_unit));
    for (int i = 0; i < engines->count; i++) {
        const struct attune_result_line *line = row_of(panel, engines->line[i]->engine);
        const char *strong = line == panel->row[0] ? "**" : "";
        if (line)
            fprintf(file, " | %s%s%s", strong,
                    attune_page_digits(1e-9 * line->work / line->min_s, text), strong);
        else
            fputs(" | ", file);
    }
    const struct attune_result_line *own = row_of(panel, "attune");
    if (own && own->share > 0)
        fprintf(file, " | %.0f %%", 100 * own->share);
    else
        fputs(" | ", file);
    fputs(" |\n", file);
}

static void put_versions(const struct engines *engines, FILE *file)
{
    for (int i = 0; i < engines->count; i++) {
        fputs(i ? ", " : "Versions: ", file);
        attune_markdown_cell(file, engines->line[i]->engine);
        putc(' ', file);
        attune_markdown_cell(file,
                             engines->line[i]->version ? engines->line[i]->version : "unknown");
    }
    fputs(".\n\n", file);
}

/* The machine, once for all of its tables: "AMD EPYC, 2 cores, GNU 12.2.0, 2026-11-26." */
static void put_machine(const struct attune_report *report, const struct attune_panel *panel,
                        FILE *file)
{
    const struct attune_machine_line *line =
        attune_results_machine(&report->results, panel->first->machine);
    const char *compiler = json_string_value(json_object_get(line->build, "compiler"));
    const json_t *cores = json_object_get(line->topology, "cores");
    attune_markdown_cell(file, report->machine[panel->machine].name);
    if (json_is_number(cores))
        fprintf(file, ", %.0f core%s", json_number_value(cores),
                json_number_value(cores) > 1 ? "s" : "");
    if (compiler) {
        fputs(", ", file);
        attune_markdown_cell(file, compiler);
    }
    fputs(", measured ", file);
    for (int i = 0; i < 10 && line->time[i]; i++)
        if (strchr("0123456789-", line->time[i]))
            putc(line->time[i], file);
    fputs(".\n\n", file);
}

/* `last`: of its machine. */
static void put_engines(const struct attune_panel *panel, int count, int last, FILE *file)
{
    struct engines engines;
    gather_engines(panel, count, &engines);
    fprintf(file, "%.0f thread%s, ", panel->first->threads, panel->first->threads > 1 ? "s" : "");
    attune_markdown_cell(file, panel->first->isa);
    fputs(":\n\n| problem | unit |", file);
    for (int i = 0; i < engines.count; i++) {
        putc(' ', file);
        attune_markdown_cell(file, engines.line[i]->engine);
        fputs(" |", file);
    }
    fputs(" Attune, of the roof |\n|---|---|", file);
    for (int i = 0; i <= engines.count; i++)
        fputs("--:|", file);
    putc('\n', file);
    for (int i = 0; i < count; i++) {
        fputs("| ", file);
        put_rates(&panel[i], &engines, file);
    }
    putc('\n', file);
    if (last)
        put_versions(&engines, file);
}

/* Geometric means of the share of the roof, by family and setting. */
struct shares {
    const char *family[MOST_FAMILIES];
    const struct attune_result_line *setting[MOST_SETTINGS];
    double logs[MOST_FAMILIES][MOST_SETTINGS];
    int cases[MOST_FAMILIES][MOST_SETTINGS], families, settings;
};

static int family_place(struct shares *shares, const char *family)
{
    int i = 0;
    while (i < shares->families && strcmp(shares->family[i], family) != 0)
        i++;
    if (i == shares->families && i < MOST_FAMILIES)
        shares->family[shares->families++] = family;
    return i;
}

static int setting_place(const struct attune_report *report, struct shares *shares,
                         const struct attune_result_line *line)
{
    int i = 0;
    while (i < shares->settings && !attune_report_same_setting(report, shares->setting[i], line))
        i++;
    if (i == shares->settings && i < MOST_SETTINGS)
        shares->setting[shares->settings++] = line;
    return i;
}

static void gather_shares(const struct attune_report *report, struct shares *shares)
{
    for (int32_t i = 0; i < report->owns; i++) {
        const struct attune_result_line *line = report->own[i];
        if (!(line->share > 0) || strcmp(line->spec, "kernel") == 0)
            continue;
        const int family = family_place(shares, line->family);
        const int setting = setting_place(report, shares, line);
        if (family == MOST_FAMILIES || setting == MOST_SETTINGS)
            continue;
        shares->logs[family][setting] += log(line->share);
        shares->cases[family][setting]++;
    }
}

static void put_shares(const struct attune_report *report, FILE *file)
{
    static struct shares shares;
    char text[160];
    shares = (struct shares){.families = 0};
    gather_shares(report, &shares);
    if (shares.families == 0)
        return;
    fputs(
        "How close Attune comes to the roof that binds, geometric means of each family's cases:\n\n"
        "| family |",
        file);
    for (int i = 0; i < shares.settings; i++) {
        putc(' ', file);
        attune_markdown_cell(file, attune_report_setting(report, shares.setting[i], text));
        fputs(" |", file);
    }
    fputs("\n|---|", file);
    for (int i = 0; i < shares.settings; i++)
        fputs("--:|", file);
    putc('\n', file);
    for (int i = 0; i < shares.families; i++) {
        fputs("| ", file);
        attune_markdown_cell(file, shares.family[i]);
        for (int j = 0; j < shares.settings; j++)
            if (shares.cases[i][j])
                fprintf(file, " | %.0f %%", 100 * exp(shares.logs[i][j] / shares.cases[i][j]));
            else
                fputs(" | ", file);
        fputs(" |\n", file);
    }
}

static int same_table(const struct attune_panel *a, const struct attune_panel *b)
{
    return a->machine == b->machine && !(a->first->threads < b->first->threads) &&
           !(a->first->threads > b->first->threads);
}

int attune_report_markdown(const struct attune_report *report, FILE *file)
{
    struct attune_panels panels;
    const int drawn = attune_panels_make(report, &panels) && panels.count > 0;
    for (int i = 0, end; drawn && i < panels.count; i = end) {
        for (end = i + 1; end < panels.count && same_table(&panels.panel[i], &panels.panel[end]);)
            end++;
        if (i == 0 || panels.panel[i].machine != panels.panel[i - 1].machine)
            put_machine(report, &panels.panel[i], file);
        put_engines(panels.panel + i, end - i,
                    end == panels.count || panels.panel[end].machine != panels.panel[i].machine,
                    file);
    }
    if (drawn)
        put_shares(report, file);
    attune_panels_free(&panels);
    return drawn;
}
