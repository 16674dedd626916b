/* SPDX-License-Identifier: Apache-2.0
 *
 * attune report: files of results become one page that needs nothing but itself. Owns the options,
 * the order of the page and what it says about what is missing; the sections draw.
 */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "bench/cli/options.h"
#include "bench/cli/output.h"
#include "bench/cli/picture_problem.h"
#include "bench/cli/report_figure.h"
#include "bench/cli/report_page.h"
#include "bench/cli/report_sections.h"

enum {
    OPTION_TITLE = 256,
    OPTION_PICTURE,
    OPTION_ENTRY,
    OPTION_ROWS,
    OPTION_COLUMNS,
    OPTION_MARKDOWN,
    OPTION_FIGURE,
    OPTION_MACHINE
};

static const struct attune_option options[] = {
    {'o', "output", "FILE",
     "the page (default report.html; - is standard output, the\ndefault of --markdown and "
     "--figure)"},
    {OPTION_TITLE, "title", "TEXT", "its title (default: the machine's name)"},
    {OPTION_MARKDOWN, "markdown", NULL, "tables for a README instead of the page"},
    {OPTION_FIGURE, "figure", NULL, "a picture (SVG) of engines side by side instead of the page"},
    {OPTION_MACHINE, "machine", "FILE",
     "predict what the machine of this file, its roofs, would do"},
    {OPTION_PICTURE, "picture", "FILE", "draw an alignment of this problem file too"},
    {OPTION_ENTRY, "entry", "N|WORD", "its sequence, by number or by its key labels"},
    {OPTION_ROWS, "rows", "NAME", "what its rows are (default queries)"},
    {OPTION_COLUMNS, "columns", "NAME", "what its columns are (default keys)"},
};

static const struct attune_usage usage = {
    .command = "report",
    .synopsis = "FILE... [-o PAGE] [--title TEXT] [--picture FILE] [--markdown|--figure]",
    .about = "Draws files of results (of `attune bench -o` and bench/peers/run.sh) as one page of "
             "HTML that\n"
             "loads nothing from elsewhere: machines, rooflines, other engines, scaling, where the "
             "time\n"
             "goes, the tuner's landscape, and every number in a table.\n",
    .options = options,
    .count = sizeof options / sizeof *options,
    .notes = "What the files have no data for is left out, and the page says so.\n",
};

struct request {
    const char *output, *title, *machine;
    struct attune_picture_request picture;
    int form; /* 0: the page; OPTION_MARKDOWN, OPTION_FIGURE */
    char *const *file;
    int files;
};

/* In the order of the page. */
static const struct {
    attune_report_section_fn *draw;
    const char *id, *link, *missing;
} sections[] = {
    {attune_report_machines, "machines", "Machine", "machine cards"},
    {attune_report_roofline, "roofline", "Roofs",
     "rooflines: no timed result with its arithmetic and bytes (`attune bench -o FILE`)"},
    {attune_report_bars, "peers", "Other engines",
     "other engines: no file with results of more than one engine (`bench/peers/run.sh -o FILE`)"},
    {attune_report_threads, "threads", "Threads",
     "scaling over threads: no case on one thread and on more (`attune bench --threads 1,all`)"},
    {attune_report_lengths, "lengths", "Length",
     "scaling over length: no two cases that differ in length alone (`attune bench --suite full`)"},
    {attune_report_stages, "stages", "Where time goes",
     "where the time goes: no result was taken apart (`attune bench --explain`)"},
    {attune_report_heatmap, "landscape", "Tuner",
     "the tuner's landscape: no file holds one (`attune bench --landscape`)"},
    {attune_report_forecast, "forecast", "Prediction",
     "what another CPU would do: no file of its roofs was given (`--machine FILE`)"},
    {attune_report_alignment, "alignment", "Alignment",
     "an alignment of real data: no problem file was given (`--picture FILE`)"},
    {attune_report_table, "results", "All results", "the table: no result at all"},
};
enum { SECTIONS = sizeof sections / sizeof *sections };

static void put_head(const struct attune_report *report, const char *title, const int *drawn,
                     FILE *file)
{
    fputs("<header><h1>", file);
    attune_page_text(file, title);
    fputs("</h1>\n<div class=\"sub\">", file);
    attune_page_format(file, "%d result%s of %d machine%s",
                       report->results.count[ATTUNE_LINE_RESULT],
                       report->results.count[ATTUNE_LINE_RESULT] == 1 ? "" : "s", report->machines,
                       report->machines == 1 ? "" : "s");
    if (report->merged > 0)
        attune_page_format(file, "; %d gave way to a faster one of the same case", report->merged);
    fputs("</div>\n<nav aria-label=\"Sections\">", file);
    for (int i = 0; i < SECTIONS; i++)
        if (drawn[i])
            fprintf(file, "<a href=\"#%s\">%s</a> ", sections[i].id, sections[i].link);
    fputs("</nav></header>\n", file);
}

static void put_missing(const struct attune_report *report, const int *drawn, FILE *file)
{
    int any = report->results.foreigns > 0;
    for (int i = 0; i < SECTIONS; i++)
        any |= !drawn[i];
    if (!any)
        return;
    attune_page_section(file, "missing", "What is not here");
    fputs("<ul class=\"missing sub\">\n", file);
    for (int i = 0; i < SECTIONS; i++)
        if (!drawn[i]) {
            fputs("<li>", file);
            attune_page_text(file, sections[i].missing);
            fputs("</li>\n", file);
        }
    for (int32_t i = 0; i < report->results.foreigns && i < 20; i++) {
        const struct attune_foreign_line *line = &report->results.foreign[i];
        fputs("<li>", file);
        attune_page_format(
            file, "line %lld: kind '%.40s' of format %g is not one that this version reads",
            (long long)line->line, line->kind, line->format);
        fputs("</li>\n", file);
    }
    fputs("</ul>\n", file);
    attune_page_section_end(file);
}

/* The sections come first, into memory, since the head links to those that have something to show.
 */
static int write_page(const struct attune_report *report, const char *title, FILE *file)
{
    char *text = NULL;
    size_t size = 0;
    int drawn[SECTIONS];
    FILE *body = open_memstream(&text, &size);
    if (!body)
        return 0;
    int failed = 0;
    for (int i = 0; i < SECTIONS; i++) {
        drawn[i] = sections[i].draw(report, body);
        failed |= drawn[i] < 0;
    }
    put_missing(report, drawn, body);
    failed |= fclose(body) != 0;
    if (!failed) {
        attune_page_open(file, title);
        put_head(report, title, drawn, file);
        fwrite(text, 1, size, file);
        attune_page_close(file);
    }
    free(text);
    return !failed;
}

/* 0: there is nothing to show, or no memory. */
static int write_form(const struct request *request, const struct attune_report *report, FILE *file)
{
    char title[160];
    if (request->form == OPTION_MARKDOWN)
        return attune_report_markdown(report, file);
    if (request->form == OPTION_FIGURE)
        return attune_report_figure(report, file);
    snprintf(title, sizeof title, "Attention on %s",
             report->machines == 1 ? report->machine[0].name : "several machines");
    return write_page(report, request->title ? request->title : title, file);
}

static int save(const char *path, const char *text, size_t size, struct attune_trouble *trouble)
{
    struct attune_output_file output;
    int code = attune_output_open(&output, path, trouble);
    if (code)
        return code;
    code = attune_output_write(&output, text, size, trouble);
    if (!code)
        return attune_output_commit(&output, trouble);
    attune_output_discard(&output);
    return code;
}

static int deliver(const char *path, const char *text, size_t size, struct attune_trouble *trouble)
{
    if (strcmp(path, "-") != 0)
        return save(path, text, size, trouble);
    fwrite(text, 1, size, stdout); /* the end of the process looks whether it went */
    return 0;
}

static int make_page(const struct request *request, struct attune_report *report,
                     const char **subject, struct attune_trouble *trouble)
{
    char *text = NULL;
    size_t size = 0;
    int code;
    FILE *memory = open_memstream(&text, &size);
    *subject = NULL;
    if (!memory)
        return attune_trouble_memory(trouble, "the page");
    const int written = write_form(request, report, memory);
    if (fclose(memory) != 0 || (!written && !request->form)) {
        code = attune_trouble_memory(trouble, "the page");
    } else if (!written) {
        code = attune_trouble_set(trouble, ATTUNE_EXIT_USE,
                                  "no case in these files has another engine beside attune");
    } else {
        *subject = request->output;
        code = deliver(request->output, text, size, trouble);
    }
    free(text);
    return code;
}

static int check_kept(const struct request *request, const char *path, struct attune_trouble *trouble)
{
    if (path && attune_output_is_same_file(path, request->output))
        return attune_trouble_set(trouble, ATTUNE_EXIT_USE, "the page would replace it");
    return 0;
}

static int read_file(const struct request *request, const char *path,
                     struct attune_results *results, struct attune_trouble *trouble)
{
    const int code = check_kept(request, path, trouble);
    if (code)
        return code;
    const enum attune_status status = attune_results_read(path, results);
    return status == ATTUNE_OK ? 0 : attune_trouble_status(trouble, status);
}

static int draw_picture(const struct attune_picture *picture, void *text,
                        struct attune_trouble *trouble)
{
    struct attune_picture scoped = *picture;
    size_t size;
    FILE *memory = open_memstream(text, &size);
    scoped.scope = "picture";
    if (!memory)
        return attune_trouble_memory(trouble, "the picture");
    attune_picture_svg(&scoped, memory);
    return fclose(memory) == 0 ? 0 : attune_trouble_memory(trouble, "the picture");
}

static int compute_picture(const struct request *request, char **text,
                           struct attune_trouble *trouble)
{
    struct attune_picture_request picture = request->picture;
    const int code = check_kept(request, picture.file, trouble);
    if (code || !picture.file)
        return code;
    picture.draw = draw_picture;
    picture.user = text;
    return attune_picture_problem(&picture, trouble);
}

static int run(const struct request *request)
{
    struct attune_report report = {.machines = 0};
    struct attune_forecast forecast = {.rows = 0};
    char *picture = NULL;
    struct attune_trouble trouble;
    const char *subject = NULL;
    int code = 0;
    for (int i = 0; i < request->files && !code; i++) {
        subject = request->file[i];
        code = read_file(request, subject, &report.results, &trouble);
    }
    if (!code && !attune_report_order(&report))
        code = attune_trouble_memory(&trouble, "the results");
    if (!code && request->machine) {
        subject = request->machine;
        code = check_kept(request, subject, &trouble);
    }
    if (!code && request->machine) {
        const enum attune_status status = attune_forecast_make(&report.results, subject, &forecast);
        code = status == ATTUNE_OK ? 0 : attune_trouble_status(&trouble, status);
        report.forecast = &forecast;
    }
    if (!code) {
        subject = request->picture.file;
        code = compute_picture(request, &picture, &trouble);
        report.picture = picture;
    }
    if (!code)
        code = make_page(request, &report, &subject, &trouble);
    attune_report_free(&report);
    attune_forecast_free(&forecast);
    free(picture);
    return code ? attune_trouble_report(&trouble, "report", subject) : 0;
}

int attune_command_report(int argc, char **argv)
{
    struct request request = {.picture = {.rows = "queries", .columns = "keys"}};
    int code = 0, id;
    while ((id = attune_options_next(&usage, argc, argv, &code)) >= 0) {
        if (id == OPTION_MARKDOWN || id == OPTION_FIGURE) {
            request.form = id;
            continue;
        }
        const char **const value = id == OPTION_TITLE     ? &request.title
                                   : id == OPTION_MACHINE ? &request.machine
                                   : id == OPTION_PICTURE ? &request.picture.file
                                   : id == OPTION_ENTRY   ? &request.picture.entry
                                   : id == OPTION_ROWS    ? &request.picture.rows
                                   : id == OPTION_COLUMNS ? &request.picture.columns
                                                          : &request.output;
        *value = optarg;
    }
    if (id == ATTUNE_OPTIONS_EXIT)
        return code;
    if (request.picture.entry && !request.picture.file)
        return attune_options_wrong(&usage, "--entry: of which file? --picture names it");
    if (optind == argc)
        return attune_options_wrong(&usage, "at least one file of results is needed");
    if (!request.output)
        request.output = request.form ? "-" : "report.html";
    request.file = argv + optind;
    request.files = argc - optind;
    return run(&request);
}
