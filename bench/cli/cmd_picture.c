/* SPDX-License-Identifier: Apache-2.0
 *
 * attune picture: computes a problem file and draws one alignment of it. Owns the choice of batch
 * entry and head and the labels; drawing is picture.c's.
 */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "bench/cli/json.h"
#include "bench/cli/options.h"
#include "bench/cli/output.h"
#include "bench/cli/picture.h"
#include "bench/cli/problem_file.h"
#include "bench/runner.h"
#include "engine/shape.h"

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
    const char *file, *entry, *svg, *rows, *columns;
    int64_t head;
};

/* Labels of one batch entry, one for each query or key; NULL where the file has none that fit. */
struct labels {
    json_t *all; /* {"query": [[...], ...], "key": [[...], ...]} */
    const char **query, **key;
};

static const json_t *labels_of(const struct labels *labels, const char *side, int64_t entry)
{
    return json_array_get(json_object_get(labels->all, side), (size_t)entry);
}

/* Writes the labels' texts after one another, with `between` in between; cut off at `size`. */
static void join(const json_t *list, const char *between, char *text, size_t size)
{
    size_t length = 0;
    text[0] = '\0';
    for (size_t i = 0; i < json_array_size(list) && length < size; i++) {
        const char *label = json_string_value(json_array_get(list, i));
        length += (size_t)snprintf(text + length, size - length, "%s%s", i ? between : "",
                                   label ? label : "");
    }
}

static int are_letters(const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (json_string_length(json_array_get(list, i)) != 1)
            return 0;
    return json_array_size(list) > 0;
}

static void join_name(const json_t *list, char *text, size_t size)
{
    join(list, are_letters(list) ? "" : " ", text, size);
}

/* The batch entry that --entry means: a number below `count`, or whose key labels make the word. */
static int find_entry(const struct request *request, const struct labels *labels, int64_t count,
                      int64_t *entry, struct attune_trouble *trouble)
{
    char name[512];
    *entry = 0;
    if (count == 0)
        return attune_trouble_set(trouble, ATTUNE_EXIT_USE, "the batch is empty");
    if (!request->entry || attune_integer_parse(request->entry, 0, count - 1, entry))
        return 0;
    for (*entry = 0; *entry < count; ++*entry) {
        join_name(labels_of(labels, "key", *entry), name, sizeof name);
        if (strcmp(name, request->entry) == 0)
            return 0;
    }
    return attune_trouble_set(trouble, ATTUNE_EXIT_USE,
                              "--entry: no sequence has the number or the labels '%s'",
                              request->entry);
}

static const char **texts(const json_t *list, int64_t count)
{
    if ((int64_t)json_array_size(list) != count || count == 0)
        return NULL;
    const char **text = calloc((size_t)count, sizeof *text);
    for (int64_t i = 0; text && i < count; i++) {
        const char *label = json_string_value(json_array_get(list, (size_t)i));
        text[i] = label ? label : "";
    }
    return text;
}

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

static int draw(const struct request *request, const struct attune_shape *shape,
                const struct attune_args *args, struct labels *labels, const char **subject,
                struct attune_trouble *trouble)
{
    char title[512], subtitle[512];
    int64_t entry;
    int code = find_entry(request, labels, shape->b, &entry, trouble);
    if (code)
        return code;
    if (request->head >= shape->h)
        return attune_trouble_set(trouble, ATTUNE_EXIT_USE, "--head: there are %lld heads",
                                  (long long)shape->h);
    const float *alignments = args->out[ATTUNE_OUT_ALIGNMENTS];
    struct attune_picture picture = {.title = title,
                                     .subtitle = subtitle,
                                     .row_axis = request->rows,
                                     .column_axis = request->columns,
                                     .rows = attune_shape_query_length(shape, args, entry),
                                     .columns = attune_shape_key_length(shape, args, entry),
                                     .stride = shape->t_k,
                                     .weights = alignments + (entry * shape->h + request->head) *
                                                                 shape->t_q * shape->t_k};
    const json_t *query = labels_of(labels, "query", entry), *key = labels_of(labels, "key", entry);
    picture.row_labels = labels->query = texts(query, picture.rows);
    picture.column_labels = labels->key = texts(key, picture.columns);
    if (labels->key)
        join_name(key, title, sizeof title);
    else
        snprintf(title, sizeof title, "sequence %lld, head %lld", (long long)entry,
                 (long long)request->head);
    if (labels->query && !json_equal(query, key))
        join_name(query, subtitle, sizeof subtitle);
    else
        picture.subtitle = NULL;
    /* An SVG that goes to standard output itself stays whole. */
    FILE *text = request->svg && attune_output_is_stdout(request->svg) ? stderr : stdout;
    attune_picture_terminal(&picture, text, attune_color_wanted(text), attune_terminal_width(text));
    if (!request->svg)
        return 0;
    *subject = request->svg;
    return write_svg(&picture, request->svg, trouble);
}

static int compute_and_draw(const struct request *request, struct attune_problem_file *file,
                            struct labels *labels, const char **subject,
                            struct attune_trouble *trouble)
{
    struct attune_context *context = NULL;
    struct attune_runner runner = {0};
    struct attune_shape shape;
    struct attune_args args = {.struct_size = sizeof args};
    memcpy(args.in, file->in, sizeof args.in);
    attune_problem_output(&file->problem, ATTUNE_OUT_ALIGNMENTS);
    enum attune_status status = attune_shape_resolve(&file->problem, &shape);
    if (status == ATTUNE_OK)
        status = attune_context_create(NULL, &context);
    if (status == ATTUNE_OK)
        status = attune_runner_open(&runner, context, &file->problem, &args);
    const int code = status == ATTUNE_OK
                         ? draw(request, &shape, &runner.args, labels, subject, trouble)
                         : attune_trouble_status(trouble, status);
    attune_runner_close(&runner);
    attune_context_release(context);
    return code;
}

static int run(const struct request *request)
{
    struct attune_problem_file file;
    struct labels labels = {0};
    struct attune_trouble trouble;
    const char *subject = request->file; /* of trouble */
    int code;
    if (request->svg && attune_output_is_same_file(request->file, request->svg))
        code = attune_trouble_set(&trouble, ATTUNE_EXIT_USE, "the picture would replace it");
    else
        code = attune_problem_file_read(request->file, &file, &trouble);
    if (code)
        return attune_trouble_report(&trouble, "picture", subject);
    const char *text = attune_safetensors_metadata(&file.tensors, "attune.labels");
    if (text && !(labels.all = attune_json_parse(text, strlen(text), "attune.labels", &trouble)))
        code = trouble.code;
    if (!code)
        code = compute_and_draw(request, &file, &labels, &subject, &trouble);
    free(labels.query);
    free(labels.key);
    json_decref(labels.all);
    attune_problem_file_free(&file);
    return code ? attune_trouble_report(&trouble, "picture", subject) : code;
}

int attune_command_picture(int argc, char **argv)
{
    struct request request = {.rows = "queries", .columns = "keys"};
    int code = 0, id;
    while ((id = attune_options_next(&usage, argc, argv, &code)) >= 0) {
        if (id == OPTION_ENTRY)
            request.entry = optarg;
        else if (id == OPTION_SVG)
            request.svg = optarg;
        else if (id == OPTION_ROWS)
            request.rows = optarg;
        else if (id == OPTION_COLUMNS)
            request.columns = optarg;
        else if (attune_options_integer(&usage, "head", optarg, 0, INT32_MAX, &request.head))
            return ATTUNE_EXIT_USE;
    }
    if (id == ATTUNE_OPTIONS_EXIT)
        return code;
    if (argc - optind != 1)
        return attune_options_wrong(&usage, "exactly one problem file is needed");
    request.file = argv[optind];
    return run(&request);
}
