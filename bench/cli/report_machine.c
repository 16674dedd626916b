/* SPDX-License-Identifier: Apache-2.0
 *
 * Machine cards. What a machine line holds is whatever its writer found out: nothing is taken for
 * granted here.
 */
#include <math.h>
#include <string.h>

#include "bench/cli/report_page.h"
#include "bench/cli/report_sections.h"

static const char *const roof_names[] = {"fma", "tanh", "exp", "l1", "l2", "l3", "dram"};
enum { ROOFS = sizeof roof_names / sizeof *roof_names, MOST_COLUMNS = 16, MOST_WORDS = 40 };

static void put_term(FILE *file, const char *term)
{
    fprintf(file, "<dt>%s</dt><dd>", term);
}

static void put_text(FILE *file, const char *term, const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    if (json_is_string(value) && *json_string_value(value)) {
        put_term(file, term);
        attune_page_text(file, json_string_value(value));
        fputs("</dd>\n", file);
    } else if (json_is_number(value)) {
        put_term(file, term);
        attune_page_format(file, "%.10g", json_number_value(value));
        fputs("</dd>\n", file);
    }
}

static double number_of(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

static void put_caches(FILE *file, const json_t *caches)
{
    static const char *const levels[] = {"l1d", "l2", "l3"};
    char text[ATTUNE_PAGE_NUMBER];
    int shown = 0;
    for (int i = 0; i < 3; i++) {
        const json_t *level = json_object_get(caches, levels[i]);
        const double size = number_of(level, "size"), shared = number_of(level, "shared");
        if (!(size > 0))
            continue;
        if (shown++ == 0)
            put_term(file, "Caches");
        attune_page_format(file, "%s%s %s", shown > 1 ? ", " : "", levels[i],
                           attune_page_bytes(size, text));
        if (shared > 1)
            attune_page_format(file, " for %.0f", shared);
    }
    if (shown)
        fputs("</dd>\n", file);
}

static void put_topology(FILE *file, const json_t *topology)
{
    const double cores = number_of(topology, "cores"), logical = number_of(topology, "logical");
    const double allowed = number_of(topology, "allowed"), memory = number_of(topology, "memory");
    char text[ATTUNE_PAGE_NUMBER];
    if (cores > 0) {
        put_term(file, "Cores");
        attune_page_format(file, "%.0f", cores);
        if (logical > cores)
            attune_page_format(file, " (%.0f logical)", logical);
        if (allowed > 0 && allowed < logical)
            attune_page_format(file, ", %.0f allowed", allowed);
        if (number_of(topology, "numa_nodes") > 1)
            attune_page_format(file, ", %.0f NUMA nodes", number_of(topology, "numa_nodes"));
        fputs("</dd>\n", file);
    }
    if (memory > 0) {
        put_term(file, "Memory");
        attune_page_format(file, "%s", attune_page_bytes(memory, text));
        fputs("</dd>\n", file);
    }
}

/* The words of a list, or the "name value" of an object. */
static void put_words(FILE *file, const char *term, json_t *list)
{
    const char *name;
    json_t *value;
    int shown = 0;
    if (json_is_array(list) && json_array_size(list) > 0) {
        put_term(file, term);
        for (size_t i = 0; i < json_array_size(list) && shown < MOST_WORDS; i++)
            if (json_is_string(json_array_get(list, i)))
                attune_page_format(file, "%s%s", shown++ ? " " : "",
                                   json_string_value(json_array_get(list, i)));
        fputs("</dd>\n", file);
    } else if (json_is_object(list) && json_object_size(list) > 0) {
        put_term(file, term);
        json_object_foreach(list, name, value)
        {
            if (json_is_string(value) && shown < MOST_WORDS)
                attune_page_format(file, "%s%s %s", shown++ ? ", " : "", name,
                                   json_string_value(value));
        }
        fputs("</dd>\n", file);
    }
}

static void put_system(FILE *file, const json_t *system)
{
    const double hertz = number_of(system, "frequency_max_hz");
    put_text(file, "Hypervisor", system, "hypervisor");
    put_text(file, "Governor", system, "governor");
    if (hertz > 0) {
        put_term(file, "Top clock");
        attune_page_format(file, "%.2f GHz", 1e-9 * hertz);
        fputs("</dd>\n", file);
    }
    put_text(file, "CPU quota", system, "quota_cpus");
    put_text(file, "Kernel", system, "kernel");
}

static void put_cpu(FILE *file, const json_t *cpu)
{
    const char *vendor = json_string_value(json_object_get(cpu, "vendor"));
    put_term(file, "CPU");
    attune_page_format(file, "%s", vendor ? vendor : "");
    if (number_of(cpu, "family") >= 0)
        attune_page_format(file, " family %.0f model %.0f stepping %.0f", number_of(cpu, "family"),
                           number_of(cpu, "model"), number_of(cpu, "stepping"));
    fputs("</dd>\n", file);
    put_words(file, "Features", json_object_get(cpu, "features"));
    put_text(file, "Ceiling", cpu, "max_isa");
}

/* Roofs of one number of threads and one instruction set. */
struct roofs {
    const char *isa;
    double threads, rate[ROOFS];
};

static int gather_roofs(const struct attune_report *report, int32_t machine,
                        struct roofs columns[MOST_COLUMNS])
{
    int count = 0;
    for (int32_t i = 0; i < report->results.count[ATTUNE_LINE_ROOF]; i++) {
        const struct attune_roof_line *line = &report->results.roof[i];
        int column = 0, name = 0;
        if (attune_report_machine_of(report, line->machine) != machine)
            continue;
        while (name < ROOFS && strcmp(roof_names[name], line->roof) != 0)
            name++;
        while (column < count &&
               (strcmp(columns[column].isa, line->isa) != 0 ||
                columns[column].threads < line->threads || columns[column].threads > line->threads))
            column++;
        if (name == ROOFS || column == MOST_COLUMNS)
            continue;
        if (column == count)
            columns[count++] = (struct roofs){.isa = line->isa, .threads = line->threads};
        columns[column].rate[name] = fmax(columns[column].rate[name], line->rate);
    }
    return count;
}

/* A row a roof, so that a phone shows it whole: a column for each number of threads and set. */
static void put_roofs(const struct attune_report *report, int32_t machine, FILE *file)
{
    static const char *const units[] = {"GFLOP/s", "G tanh/s", "G exp/s", "GB/s",
                                        "GB/s",    "GB/s",     "GB/s"};
    struct roofs columns[MOST_COLUMNS];
    char text[ATTUNE_PAGE_NUMBER];
    const int count = gather_roofs(report, machine, columns);
    if (count == 0) {
        fputs("<p class=\"note\">No roofs in the files.</p>\n", file);
        return;
    }
    fputs("<div class=\"scroll\" tabindex=\"0\"><table><thead><tr><th class=\"t\" scope=\"col\">"
          "roofs measured</th>",
          file);
    for (int i = 0; i < count; i++) {
        fputs("<th scope=\"col\">", file);
        attune_page_format(file, "%.12s", columns[i].isa);
        fprintf(file, "<br>%.0f thread%s</th>", columns[i].threads,
                columns[i].threads > 1 ? "s" : "");
    }
    fputs("</tr></thead><tbody>\n", file);
    for (int name = 0; name < ROOFS; name++) {
        fprintf(file, "<tr><th class=\"t\" scope=\"row\">%s, %s</th>", roof_names[name],
                units[name]);
        for (int i = 0; i < count; i++)
            fprintf(file, "<td>%s</td>",
                    columns[i].rate[name] > 0
                        ? attune_page_digits(1e-9 * columns[i].rate[name], text)
                        : "\xe2\x80\x93");
        fputs("</tr>\n", file);
    }
    fputs("</tbody></table></div>\n", file);
}

int attune_report_machines(const struct attune_report *report, FILE *file)
{
    attune_page_section(file, "machines", report->machines == 1 ? "The machine" : "The machines");
    fputs("<div class=\"wide\">\n", file);
    for (int32_t i = 0; i < report->machines; i++) {
        const struct attune_machine_line *line = report->machine[i].line;
        fputs("<div class=\"card\" data-card=\"machine\"><h3>", file);
        attune_page_text(file, report->machine[i].name);
        fputs("</h3>\n<div class=\"sub\">", file);
        attune_page_format(file, "%d run%s, the first at %s", report->machine[i].runs,
                           report->machine[i].runs > 1 ? "s" : "", line->time);
        fputs("</div>\n<dl>\n", file);
        put_cpu(file, line->cpu);
        put_topology(file, line->topology);
        put_caches(file, line->caches);
        put_system(file, line->system);
        put_text(file, "Attune", line->build, "version");
        put_text(file, "Commit", line->build, "commit");
        put_text(file, "Compiler", line->build, "compiler");
        put_words(file, "Libraries", line->libraries);
        fputs("</dl>\n", file);
        put_roofs(report, i, file);
        fputs("</div>\n", file);
    }
    fputs("</div>\n", file);
    attune_page_section_end(file);
    return 1;
}
