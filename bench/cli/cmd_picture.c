/* SPDX-License-Identifier: Apache-2.0
 *
 * attune picture: draws one alignment of a problem file, in the terminal and as SVG. Owns options
 * and output.
 */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "bench/cli/options.h"
#include "bench/cli/output.h"
#include "bench/cli/picture_problem.h"

enum { OPTION_ENTRY = 256, OPTION_HEAD, OPTION_SVG, OPTION_ROWS, OPTION_COLUMNS };

static const struct attune_option options[] = {
    {OPTION_ENTRY, "entry", "N|WORD", "sequence of the batch, by number or by its key labels"},
    {OPTION_HEAD, "head", "N", "head (default 0)"},
    {OPTION_SVG, "svg", "FILE", "also write the picture as SVG"},
    {OPTION_ROWS, "rows", "NAME", "what rows are (default queries)"},
    {OPTION_COLUMNS, "columns", "NAME", "what columns are (default keys)"},
};

static const struct attune_usage usage = {
    .command = "picture",
    .synopsis = "FILE [--entry N|WORD] [--head N] [--svg FILE] [--rows NAME] [--columns NAME]",
    .about = "Computes a problem file and draws one alignment: which query attends to which key.\n",
    .options = options,
    .count = sizeof options / sizeof *options,
    .notes = "Labels are those of the metadata `attune.labels`, where the file has them.\n",
};

struct request {
    struct attune_picture_request picture;
    const char *svg;
    const char *subject; /* of trouble */
};

static int write_svg(const struct attune_picture *picture, const char *path,
                     struct attune_trouble *trouble)
{
    char *text = NULL;
    size_t size = 0;
    FILE *memory = open_memstream(&text, &size);
    if (!memory)
        return attune_trouble_memory(trouble, "the picture");
    attune_picture_svg(picture, memory);
    if (fclose(memory) != 0) {
        free(text);
        return attune_trouble_memory(trouble, "the picture");
    }
    const int code = attune_output_put(path, text, size, trouble);
    free(text);
    return code;
}

static int draw(const struct attune_picture *picture, void *user, struct attune_trouble *trouble)
{
    struct request *request = user;
    /* An SVG that goes to standard output itself stays whole. */
    FILE *text = request->svg && attune_output_is_stdout(request->svg) ? stderr : stdout;
    attune_picture_terminal(picture, text, attune_color_wanted(text), attune_terminal_width(text));
    if (!request->svg)
        return 0;
    request->subject = request->svg;
    return write_svg(picture, request->svg, trouble);
}

static int run(struct request *request)
{
    struct attune_trouble trouble;
    int code;
    request->subject = request->picture.file;
    request->picture.draw = draw;
    request->picture.user = request;
    if (request->svg && attune_output_is_same_file(request->picture.file, request->svg))
        code = attune_trouble_set(&trouble, ATTUNE_EXIT_USE, "the picture would replace it");
    else
        code = attune_picture_problem(&request->picture, &trouble);
    return code ? attune_trouble_report(&trouble, "picture", request->subject) : code;
}

int attune_command_picture(int argc, char **argv)
{
    struct request request = {.picture = {.rows = "queries", .columns = "keys"}};
    int code = 0, id;
    while ((id = attune_options_next(&usage, argc, argv, &code)) >= 0) {
        if (id == OPTION_ENTRY)
            request.picture.entry = optarg;
        else if (id == OPTION_SVG)
            request.svg = optarg;
        else if (id == OPTION_ROWS)
            request.picture.rows = optarg;
        else if (id == OPTION_COLUMNS)
            request.picture.columns = optarg;
        else if (attune_options_integer(&usage, "head", optarg, 0, INT32_MAX,
                                        &request.picture.head))
            return ATTUNE_EXIT_USE;
    }
    if (id == ATTUNE_OPTIONS_EXIT)
        return code;
    if (argc - optind != 1)
        return attune_options_wrong(&usage, "exactly one problem file is needed");
    request.picture.file = argv[optind];
    return run(&request);
}
