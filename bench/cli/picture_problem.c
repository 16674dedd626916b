/* SPDX-License-Identifier: Apache-2.0
 *
 * From a problem file to one of its alignments: computes it, finds the sequence that is meant, puts
 * its labels beside the weights.
 */
#include "bench/cli/picture_problem.h"

#include <stdlib.h>
#include <string.h>

#include "bench/cli/json.h"
#include "bench/cli/options.h"
#include "bench/cli/problem_file.h"
#include "bench/runner.h"
#include "engine/shape.h"

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
static int find_entry(const struct attune_picture_request *request, const struct labels *labels,
                      int64_t count, int64_t *entry, struct attune_trouble *trouble)
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

static int show(const struct attune_picture_request *request, const struct attune_shape *shape,
                const struct attune_args *args, struct labels *labels,
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
    return request->draw(&picture, request->user, trouble);
}

static int compute(const struct attune_picture_request *request, struct attune_problem_file *file,
                   struct labels *labels, struct attune_trouble *trouble)
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
    const int code = status == ATTUNE_OK ? show(request, &shape, &runner.args, labels, trouble)
                                         : attune_trouble_status(trouble, status);
    attune_runner_close(&runner);
    attune_context_release(context);
    return code;
}

int attune_picture_problem(const struct attune_picture_request *request,
                           struct attune_trouble *trouble)
{
    struct attune_problem_file file;
    struct labels labels = {0};
    int code = attune_problem_file_read(request->file, &file, trouble);
    if (code)
        return code;
    const char *text = attune_safetensors_metadata(&file.tensors, "attune.labels");
    if (text && !(labels.all = attune_json_parse(text, strlen(text), "attune.labels", trouble)))
        code = trouble->code;
    if (!code)
        code = compute(request, &file, &labels, trouble);
    free(labels.query);
    free(labels.key);
    json_decref(labels.all);
    attune_problem_file_free(&file);
    return code;
}
