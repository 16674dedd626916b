/* SPDX-License-Identifier: Apache-2.0
 *
 * attune cache export, import, merge, forget: what changes files. Each writes a file whole or not at
 * all; how is tuner/cache_file.c's and output.c's.
 */
#include <errno.h>
#include <fnmatch.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "bench/cli/cache.h"
#include "bench/cli/options.h"
#include "bench/cli/output.h"

enum { OPTION_DRY = 256, OPTION_ALL, OPTION_STALE, OPTION_BARS, OPTION_MISSED, OPTION_YES };

/* A document to a file, or to standard output. */
static int put_document(const struct attune_document *doc, const char *path,
                        struct attune_trouble *trouble)
{
    struct attune_fault fault = {0};
    size_t size = 0;
    char *text = attune_document_write(doc, &size, &fault);
    if (text == NULL)
        return attune_cache_trouble(trouble, &fault);
    int code = 0;
    if (path != NULL)
        code = attune_output_put(path, text, size, trouble);
    else
        (void)fwrite(text, 1, size, stdout);
    free(text);
    return code;
}

/* Entries in force and their bars, as one section. */
static int export_layers(const char *path, struct attune_trouble *trouble)
{
    struct attune_cache_view view;
    struct attune_document doc = {0};
    int code = attune_cache_view_open(&view, NULL, trouble);
    struct attune_section *section =
        code == 0 ? attune_document_section(&doc, attune_fingerprint_get()->text) : NULL;
    for (size_t i = 0; i < view.row_count && section != NULL; i++) {
        const struct attune_cache_row *row = &view.rows[i];
        if ((row->in_force || (row->usable && row->line->kind == ATTUNE_LINE_BAR)) &&
            attune_section_put(section, row->line->text, ATTUNE_MERGE_BETTER) < 0)
            section = NULL;
    }
    if (code == 0)
        code = section != NULL ? put_document(&doc, path, trouble)
                               : attune_trouble_memory(trouble, "the choices");
    attune_document_free(&doc);
    attune_cache_view_free(&view);
    return code;
}

int attune_cache_write_out(int argc, char **argv)
{
    static const struct attune_option options[] = {
        {'o', "output", "FILE", "where to write (default: standard output)"},
    };
    static const struct attune_usage own = {
        .command = "cache export",
        .synopsis = "[-o FILE]",
        .about = "Writes the choices that plans on this machine find, of all files, as one file: to\n"
                 "keep, to hand to others of this machine, to ship with a product.\n",
        .options = options,
        .count = 1,
    };
    const char *path = NULL;
    struct attune_trouble trouble;
    int code = 0, id;
    while ((id = attune_options_next(&own, argc, argv, &code)) >= 0)
        path = optarg;
    if (id == ATTUNE_OPTIONS_EXIT)
        return code;
    if (optind < argc)
        return attune_options_wrong(&own, "'%.64s' is no option", argv[optind]);
    code = export_layers(path, &trouble);
    return code ? attune_trouble_report(&trouble, own.command, path) : 0;
}

struct importing {
    const struct attune_document *from;
    int dry, changed;
};

static int import_into(void *user, struct attune_document *doc, struct attune_fault *fault)
{
    struct importing *importing = user;
    const char *machine = attune_fingerprint_get()->text;
    struct attune_section *into = attune_document_section(doc, machine);
    importing->changed =
        into != NULL ? attune_section_merge(into, attune_document_find(importing->from, machine)) : -1;
    if (importing->changed == -1)
        return attune_fault_set(fault, ENOMEM, "no memory");
    if (importing->changed < 0)
        return attune_fault_set(fault, 0, "more than %d lines of one machine",
                                ATTUNE_CACHE_ENTRIES_MAX);
    return importing->changed > 0 && !importing->dry;
}

/* The file that is written to, changed. */
static int update(attune_cache_change *change, void *user, char **path,
                  struct attune_trouble *trouble)
{
    const struct attune_cache_setup setup = {.explicit_path = attune_cache_environment()};
    struct attune_fault fault = {0};
    int flags;
    *path = attune_cache_write_path(&setup, &flags, &fault);
    if (*path == NULL)
        return attune_trouble_set(trouble, ATTUNE_EXIT_USE, "%s", fault.text);
    if (attune_cache_file_update(*path, flags, change, user, &fault) >= 0)
        return 0;
    return attune_trouble_set(trouble, fault.system != 0 ? ATTUNE_EXIT_SYSTEM : ATTUNE_EXIT_USE,
                              "%.250s: %.250s", *path, fault.text);
}

static int import_file(const char *file, int dry, struct attune_trouble *trouble)
{
    struct attune_document doc;
    struct attune_fault fault = {0};
    struct importing importing = {&doc, dry, 0};
    char *path = NULL;
    int code = attune_cache_document_open(file, &doc, trouble);
    if (code != 0)
        return code;
    code = attune_cache_check_document(&doc, &fault) == 0 ? update(import_into, &importing, &path, trouble)
                                                          : attune_cache_trouble(trouble, &fault);
    if (code == 0)
        (void)printf("%d of %zu lines %s %s\n", importing.changed,
                     attune_document_find(&doc, attune_fingerprint_get()->text)->count,
                     dry ? "would enter" : "entered", path);
    free(path);
    attune_document_free(&doc);
    return code;
}

int attune_cache_take_in(int argc, char **argv)
{
    static const struct attune_option options[] = {
        {OPTION_DRY, "dry-run", NULL, "say what would change, write nothing"},
    };
    static const struct attune_usage own = {
        .command = "cache import",
        .synopsis = "FILE [--dry-run]",
        .about = "Enters the choices of FILE for this machine into the file that tuning writes to.\n"
                 "All of them or none: a damaged line, or a kernel that this library has not,\n"
                 "refuses the whole. For a key that both have, more effort wins, then the later.\n",
        .options = options,
        .count = 1,
    };
    struct attune_trouble trouble;
    int code = 0, id, dry = 0;
    while ((id = attune_options_next(&own, argc, argv, &code)) >= 0)
        dry = 1;
    if (id == ATTUNE_OPTIONS_EXIT)
        return code;
    if (argc - optind != 1)
        return attune_options_wrong(&own, "one FILE must be given");
    code = import_file(argv[optind], dry, &trouble);
    return code ? attune_trouble_report(&trouble, own.command, argv[optind]) : 0;
}

/* All sections of a file into `doc`, which is to be written to `path`. */
static int merge_file(struct attune_document *doc, const char *file, const char *path,
                      struct attune_trouble *trouble)
{
    struct attune_document from;
    if (path != NULL && attune_output_is_same_file(file, path))
        return attune_trouble_set(trouble, ATTUNE_EXIT_USE, "the result would replace it");
    int code = attune_cache_document_open(file, &from, trouble);
    for (size_t i = 0; code == 0 && i < from.count; i++) {
        struct attune_section *into = NULL;
        if (attune_section_whole(&from.sections[i]))
            into = attune_document_section(doc, from.sections[i].machine);
        else
            code = attune_trouble_set(trouble, ATTUNE_EXIT_USE,
                                      "section %zu: lines are damaged or missing", i + 1);
        const int merged = into != NULL ? attune_section_merge(into, &from.sections[i]) : -1;
        if (code == 0 && merged == -1)
            code = attune_trouble_set(trouble, ATTUNE_EXIT_SYSTEM, "no memory");
        else if (code == 0 && merged < 0)
            code = attune_trouble_set(trouble, ATTUNE_EXIT_USE, "more than %d lines of one machine",
                                      ATTUNE_CACHE_ENTRIES_MAX);
    }
    attune_document_free(&from);
    return code;
}

int attune_cache_join(int argc, char **argv)
{
    static const struct attune_option options[] = {
        {'o', "output", "FILE", "where to write (default: standard output)"},
    };
    static const struct attune_usage own = {
        .command = "cache merge",
        .synopsis = "FILE FILE... [-o FILE]",
        .about = "Joins files of any machines into one; changes no file that is read. For a key that\n"
                 "two have, more effort wins, then the later.\n",
        .options = options,
        .count = 1,
    };
    struct attune_document doc = {0};
    struct attune_trouble trouble;
    const char *path = NULL, *subject = NULL;
    int code = 0, id;
    while ((id = attune_options_next(&own, argc, argv, &code)) >= 0)
        path = optarg;
    if (id == ATTUNE_OPTIONS_EXIT)
        return code;
    if (argc - optind < 1)
        return attune_options_wrong(&own, "at least one FILE must be given");
    for (int i = optind; i < argc && code == 0; i++)
        code = merge_file(&doc, subject = argv[i], path, &trouble);
    if (code == 0)
        code = put_document(&doc, subject = path, &trouble);
    attune_document_free(&doc);
    return code ? attune_trouble_report(&trouble, own.command, subject) : 0;
}

struct forgetting {
    char **patterns;
    int count;
    int all, stale, bars, missed, dry;
    int forgotten;
};

static int is_stale(const struct attune_line *line)
{
    struct attune_choice choice;
    struct attune_bar bar;
    return (line->kind == ATTUNE_LINE_TUNED &&
            attune_line_choice(line, attune_cpu_detect()->usable, &choice, NULL) != 0) ||
           (line->kind == ATTUNE_LINE_BAR && attune_line_bar(line, &bar, NULL) != 0);
}

static int is_meant(const struct forgetting *forgetting, const struct attune_line *line)
{
    char text[ATTUNE_KEY_TEXT] = "";
    if (forgetting->all || (forgetting->stale && is_stale(line)) ||
        (forgetting->bars && line->kind == ATTUNE_LINE_BAR) ||
        (forgetting->missed && line->kind == ATTUNE_LINE_MISSED))
        return 1;
    if (line->kind != ATTUNE_LINE_TUNED)
        return 0;
    (void)attune_key_format(&line->key, text, sizeof text);
    for (int i = 0; i < forgetting->count; i++)
        if (fnmatch(forgetting->patterns[i], text, 0) == 0)
            return 1;
    return 0;
}

static int forget_in(void *user, struct attune_document *doc, struct attune_fault *fault)
{
    struct forgetting *forgetting = user;
    struct attune_section *section = attune_document_find(doc, attune_fingerprint_get()->text);
    (void)fault;
    for (size_t i = section != NULL ? section->count : 0; i-- > 0;)
        if (is_meant(forgetting, &section->lines[i])) {
            if (forgetting->dry)
                (void)printf("%s\n", section->lines[i].text);
            attune_section_remove(section, i);
            forgetting->forgotten++;
        }
    return forgetting->forgotten > 0 && !forgetting->dry;
}

static const struct attune_option forget_options[] = {
    {OPTION_ALL, "all", NULL, "everything of this machine; asks for --yes"},
    {OPTION_STALE, "stale", NULL, "what this library can no longer take"},
    {OPTION_BARS, "bars", NULL, "kernels that are barred"},
    {OPTION_MISSED, "missed", NULL, "keys that were asked for in vain"},
    {OPTION_DRY, "dry-run", NULL, "list what would be forgotten, write nothing"},
    {OPTION_YES, "yes", NULL, "do it"},
};
static const struct attune_usage forget_usage = {
    .command = "cache forget",
    .synopsis = "[KEY...] [--stale] [--bars] [--missed] [--all --yes] [--dry-run]",
    .about = "Removes entries from the file that tuning writes to. KEY is a key as 'attune cache\n"
             "list' shows it, in quotes, or a pattern like 'core dot *'.\n",
    .options = forget_options,
    .count = sizeof forget_options / sizeof *forget_options,
};

static int read_forgetting(int argc, char **argv, struct forgetting *forgetting)
{
    int code = 0, id, yes = 0;
    while ((id = attune_options_next(&forget_usage, argc, argv, &code)) >= 0) {
        forgetting->all |= id == OPTION_ALL;
        forgetting->stale |= id == OPTION_STALE;
        forgetting->bars |= id == OPTION_BARS;
        forgetting->missed |= id == OPTION_MISSED;
        forgetting->dry |= id == OPTION_DRY;
        yes |= id == OPTION_YES;
    }
    if (id == ATTUNE_OPTIONS_EXIT)
        return code != 0 ? code : -1;
    forgetting->patterns = argv + optind;
    forgetting->count = argc - optind;
    if (forgetting->all && !yes && !forgetting->dry)
        return attune_options_wrong(&forget_usage, "--all forgets everything: add --yes");
    if (forgetting->count == 0 && !forgetting->all && !forgetting->stale && !forgetting->bars &&
        !forgetting->missed)
        return attune_options_wrong(&forget_usage, "what to forget must be given");
    return 0;
}

int attune_cache_forget(int argc, char **argv)
{
    struct forgetting forgetting = {0};
    struct attune_trouble trouble;
    char *path = NULL;
    int code = read_forgetting(argc, argv, &forgetting);
    if (code != 0)
        return code > 0 ? code : 0;
    code = update(forget_in, &forgetting, &path, &trouble);
    if (code == 0)
        (void)printf("%d lines %s %s\n", forgetting.forgotten,
                     forgetting.dry ? "would go from" : "gone from", path);
    free(path);
    return code ? attune_trouble_report(&trouble, forget_usage.command, NULL) : 0;
}
