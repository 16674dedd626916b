/* SPDX-License-Identifier: Apache-2.0
 *
 * attune cache: finds the sub-command and hands over; and those that only look: list, inspect, verify,
 * path.
 */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "bench/cli/cache.h"
#include "bench/cli/options.h"
#include "bench/text.h"

static const struct {
    const char *name, *help;
    attune_command_fn *run;
} commands[] = {
    {"list", "the tuned choices that plans find, a line each", attune_cache_list},
    {"inspect", "all that is known of them; why a problem gets its choice", attune_cache_inspect},
    {"verify", "check files: damage, kernels, ranges", attune_cache_verify},
    {"path", "the file that tuning writes to", attune_cache_path},
    {"export", "write all that this machine knows into a file", attune_cache_write_out},
    {"import", "take up a file, all of it or nothing", attune_cache_take_in},
    {"merge", "join several files into one", attune_cache_join},
    {"forget", "remove choices, bars or missed keys", attune_cache_forget},
};
enum { COMMANDS = sizeof commands / sizeof *commands };

static void print_commands(void)
{
    (void)printf("\ncommands:\n");
    for (int i = 0; i < COMMANDS; i++)
        (void)printf("  %-10s %s\n", commands[i].name, commands[i].help);
}

static const struct attune_usage usage = {
    .command = "cache",
    .synopsis = "COMMAND [ARGUMENTS]",
    .about = "Tuned choices and the files that keep them. For each problem the first file that has\n"
             "one is believed: $ATTUNE_CACHE, the user's own, /etc/attune's, the application's,\n"
             "and what was compiled into the library.\n",
    .more = print_commands,
    .notes = "'attune cache COMMAND --help' tells more of each.\n",
};

int attune_command_cache(int argc, char **argv)
{
    int code = ATTUNE_EXIT_FINE;
    for (int i = 0; argc > 1 && i < COMMANDS; i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    if (argc > 1 && argv[1][0] != '-')
        return attune_options_wrong(&usage, "%.64s: no such command", argv[1]);
    if (attune_options_next(&usage, argc, argv, &code) == ATTUNE_OPTIONS_EXIT)
        return code;
    return attune_options_wrong(&usage, "a command must be given");
}

enum { OPTION_JSON = 256, OPTION_WHY, OPTION_ALL };
static const struct attune_option looking[] = {
    {OPTION_JSON, "json", NULL, "one JSON object instead of text"},
    {OPTION_WHY, "why", "SPEC|FILE", "the chain that leads to this problem's choice"},
};

struct request {
    int json, all;
    const char *why;
};

/* Options of a command that looks, and at most `operands` operands from argv[optind] on. */
static int read_request(const struct attune_usage *own, int argc, char **argv, int operands,
                        struct request *request)
{
    int code = 0, id;
    *request = (struct request){0};
    while ((id = attune_options_next(own, argc, argv, &code)) >= 0) {
        request->json |= id == OPTION_JSON;
        request->all |= id == OPTION_ALL;
        if (id == OPTION_WHY)
            request->why = optarg;
    }
    if (id == ATTUNE_OPTIONS_EXIT)
        return code != 0 ? code : -1;
    if (argc - optind > operands)
        return attune_options_wrong(own, "'%.64s' is one operand too many", argv[optind + operands]);
    return 0;
}

static int show(const struct request *request, const char *file, int details,
                struct attune_trouble *trouble)
{
    struct attune_cache_view view;
    int code = attune_cache_view_open(&view, file, trouble);
    if (code == 0 && request->json)
        code = attune_cache_print_json(json_pack("{s:o, s:o}", "sources",
                                                 attune_cache_sources_json(&view.sources), "entries",
                                                 attune_cache_rows_json(&view)),
                                       trouble);
    else if (code == 0) {
        if (details && file == NULL)
            attune_cache_sources_text(&view.sources, stdout);
        attune_cache_rows_text(&view, details, stdout);
    }
    attune_cache_view_free(&view);
    return code;
}

int attune_cache_list(int argc, char **argv)
{
    static const struct attune_usage own = {
        .command = "cache list",
        .synopsis = "[FILE] [--json]",
        .about = "Lists the tuned choices of all files that a program on this machine reads, or of\n"
                 "FILE: verdict, speed-up over the default, key.\n",
        .options = looking,
        .count = 1,
    };
    struct request request;
    struct attune_trouble trouble;
    int code = read_request(&own, argc, argv, 1, &request);
    if (code != 0)
        return code > 0 ? code : 0;
    code = show(&request, argv[optind], 0, &trouble);
    return code ? attune_trouble_report(&trouble, own.command, argv[optind]) : 0;
}

int attune_cache_inspect(int argc, char **argv)
{
    static const struct attune_usage own = {
        .command = "cache inspect",
        .synopsis = "[FILE] [--why SPEC|FILE] [--json]",
        .about = "Shows which files were considered and all that is known of each entry: interval,\n"
                 "kernels, tiles, age, and why it is not used. With --why, how the choice for one\n"
                 "problem comes about instead.\n",
        .options = looking,
        .count = 2,
    };
    struct request request;
    struct attune_trouble trouble;
    int code = read_request(&own, argc, argv, 1, &request);
    if (code != 0)
        return code > 0 ? code : 0;
    if (request.why != NULL && argv[optind] != NULL)
        return attune_options_wrong(&own, "--why asks the files that plans read, not one of them");
    code = request.why != NULL ? attune_cache_why(request.why, request.json, &trouble)
                               : show(&request, argv[optind], 1, &trouble);
    return code ? attune_trouble_report(&trouble, own.command,
                                        request.why != NULL ? request.why : argv[optind])
                : 0;
}

/* What is wrong with one file, or with what was compiled in where `path` is NULL; NULL: nothing. */
static const char *find_fault(const char *path, struct attune_fault *fault)
{
    struct attune_document doc;
    size_t size;
    const void *builtin = attune_cache_builtin(&size);
    *fault = (struct attune_fault){0};
    int code = path != NULL ? attune_cache_file_parse(path, &doc, fault)
                            : attune_document_parse(builtin, size, &doc, fault);
    if (code == 0 && attune_document_find(&doc, attune_fingerprint_get()->text) != NULL)
        code = attune_cache_check_document(&doc, fault);
    for (size_t i = 0; i < doc.count && code == 0; i++)
        if (!attune_section_whole(&doc.sections[i]))
            code = attune_fault_set(fault, 0, "section %zu: lines are damaged or missing", i + 1);
    attune_document_free(&doc);
    return code != 0 ? fault->text : NULL;
}

static int verify_file(const char *path, json_t *list)
{
    struct attune_fault fault;
    const char *wrong = find_fault(path, &fault);
    if (path == NULL)
        path = "compiled into the library";
    if (list != NULL)
        json_array_append_new(list, json_pack("{s:o, s:b, s:s}", "path", attune_text_json(path), "sound",
                                              wrong == NULL, "why", wrong != NULL ? wrong : ""));
    else {
        attune_text_print(path, stdout);
        (void)printf(": %s\n", wrong != NULL ? wrong : "sound");
    }
    return wrong != NULL;
}

static int verify_layers(json_t *list, struct attune_trouble *trouble)
{
    struct attune_cache_view view;
    int wrong = 0;
    const int code = attune_cache_view_open(&view, NULL, trouble);
    for (int i = 0; i < view.sources.count && code == 0; i++)
        if (!view.sources.source[i].absent)
            wrong |= verify_file(view.sources.source[i].path, list);
    attune_cache_view_free(&view);
    return code != 0 ? code : wrong ? ATTUNE_EXIT_CHECK : ATTUNE_EXIT_FINE;
}

int attune_cache_verify(int argc, char **argv)
{
    static const struct attune_usage own = {
        .command = "cache verify",
        .synopsis = "[FILE...] [--json]",
        .about = "Checks files, those that programs on this machine read by default: every line's\n"
                 "CRC, and that each choice for this machine names kernels of this library in their\n"
                 "present revision, with tiles in range. 1 where one is not sound.\n",
        .options = looking,
        .count = 1,
    };
    struct request request;
    struct attune_trouble trouble;
    int code = read_request(&own, argc, argv, argc, &request);
    if (code != 0)
        return code > 0 ? code : 0;
    json_t *list = request.json ? json_array() : NULL;
    if (optind >= argc)
        code = verify_layers(list, &trouble);
    for (int i = optind; i < argc; i++)
        code |= verify_file(argv[i], list);
    if (code > ATTUNE_EXIT_CHECK) {
        json_decref(list);
        return attune_trouble_report(&trouble, own.command, NULL);
    }
    if (request.json && attune_cache_print_json(json_pack("{s:o}", "files", list), &trouble) != 0)
        return attune_trouble_report(&trouble, own.command, NULL);
    return code;
}

static const struct attune_option finding[] = {
    {OPTION_JSON, "json", NULL, "one JSON object instead of text, with all places"},
    {OPTION_ALL, "all", NULL, "every place that plans read"},
};

/* Where tuning writes, or all places. */
static int show_path(const char *path, const struct request *request, struct attune_trouble *trouble)
{
    struct attune_cache_view view;
    if (!request->json && !request->all) {
        (void)puts(path);
        return 0;
    }
    int code = attune_cache_view_open(&view, NULL, trouble);
    if (code == 0 && request->json)
        code = attune_cache_print_json(
            json_pack("{s:o, s:s, s:s, s:o}", "path", attune_text_json(path), "digest",
                      attune_fingerprint_get()->digest, "machine", attune_fingerprint_get()->text, "layers",
                      attune_cache_sources_json(&view.sources)),
            trouble);
    else if (code == 0)
        attune_cache_sources_text(&view.sources, stdout);
    attune_cache_view_free(&view);
    return code;
}

int attune_cache_path(int argc, char **argv)
{
    static const struct attune_usage own = {
        .command = "cache path",
        .synopsis = "[--all] [--json]",
        .about = "Prints the file that tuning on this machine writes to, there or not: $ATTUNE_CACHE,\n"
                 "else ${XDG_DATA_HOME:-~/.local/share}/attune/DIGEST.cache. With --all, every place\n"
                 "that plans read, in their order, and what is there.\n",
        .options = finding,
        .count = sizeof finding / sizeof *finding,
    };
    const struct attune_cache_setup setup = {.explicit_path = attune_cache_environment()};
    struct request request;
    struct attune_fault fault = {0};
    struct attune_trouble trouble;
    int flags, code = read_request(&own, argc, argv, 0, &request);
    if (code != 0)
        return code > 0 ? code : 0;
    char *path = attune_cache_write_path(&setup, &flags, &fault);
    if (path == NULL && !request.all)
        code = attune_trouble_set(&trouble, ATTUNE_EXIT_USE, "%s", fault.text);
    else
        code = show_path(path, &request, &trouble);
    free(path);
    return code ? attune_trouble_report(&trouble, own.command, NULL) : 0;
}
