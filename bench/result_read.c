/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads files of results, which may come from anybody: every line is checked by the table of fields,
 * and a failure names line and field.
 */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/result_fields.h"
#include "engine/status.h"

enum { MAX_FILE = 256 << 20, MAX_LINE = 16 << 20, MAX_SHOWN = 40 };

#define WRONG(...) attune_fail(ATTUNE_ERROR_INVALID, __VA_ARGS__)
#define NO_MEMORY() attune_fail(ATTUNE_ERROR_NO_MEMORY, "no memory for the results")

/* Where a failure is. */
struct place {
    long long line;
    const char *field;
};

static enum attune_status not_a(const struct place *place, const char *what)
{
    return WRONG("line %lld: %s: is not %s", place->line, place->field, what);
}

static int read_number(const json_t *value, double *number)
{
    if (!json_is_number(value))
        return 0;
    *number = json_number_value(value);
    return isfinite(*number) && *number >= 0;
}

static enum attune_status read_pairs(const struct place *place, json_t *value,
                                     struct attune_pairs *pairs)
{
    if (!json_is_object(value) || json_object_size(value) > ATTUNE_RESULT_PAIRS)
        return not_a(place, "an object of a few numbers");
    for (void *at = json_object_iter(value); at; at = json_object_iter_next(value, at)) {
        pairs->at[pairs->count].name = json_object_iter_key(at);
        if (!read_number(json_object_iter_value(at), &pairs->at[pairs->count].value))
            return not_a(place, "an object of numbers that are 0 or more");
        pairs->count++;
    }
    return ATTUNE_OK;
}

static enum attune_status read_series(const struct place *place, const json_t *value,
                                      struct attune_series *series)
{
    if (!json_is_array(value))
        return not_a(place, "an array");
    const size_t count = json_array_size(value);
    series->value = malloc((count + 1) * sizeof *series->value);
    if (!series->value)
        return NO_MEMORY();
    for (size_t i = 0; i < count; i++)
        if (!read_number(json_array_get(value, i), &series->value[series->count++]))
            return not_a(place, "an array of numbers that are 0 or more");
    return ATTUNE_OK;
}

static enum attune_status read_points(const struct place *place, const json_t *value,
                                      struct attune_points *points)
{
    if (!json_is_array(value))
        return not_a(place, "an array");
    const size_t count = json_array_size(value);
    points->point = malloc((count + 1) * sizeof *points->point);
    if (!points->point)
        return NO_MEMORY();
    for (size_t i = 0; i < count; i++) {
        const json_t *object = json_array_get(value, i);
        struct attune_point *point = &points->point[points->count++];
        if (!read_number(json_object_get(object, "q_block"), &point->q_block) ||
            !read_number(json_object_get(object, "kv_block"), &point->kv_block) ||
            !read_number(json_object_get(object, "seconds"), &point->seconds))
            return not_a(place, "an array of {q_block, kv_block, seconds}");
    }
    return ATTUNE_OK;
}

static enum attune_status read_field(const struct place *place, enum attune_field_type type,
                                     json_t *value, void *at)
{
    switch (type) {
    case ATTUNE_FIELD_TEXT:
        *(const char **)at = json_string_value(value);
        return json_is_string(value) ? ATTUNE_OK : not_a(place, "a string");
    case ATTUNE_FIELD_NUMBER:
        return read_number(value, at) ? ATTUNE_OK : not_a(place, "a number that is 0 or more");
    case ATTUNE_FIELD_FLAG:
        *(int32_t *)at = json_is_true(value);
        return json_is_boolean(value) ? ATTUNE_OK : not_a(place, "true or false");
    case ATTUNE_FIELD_OBJECT:
        *(json_t **)at = value;
        return json_is_object(value) ? ATTUNE_OK : not_a(place, "an object");
    case ATTUNE_FIELD_PAIRS:
        return read_pairs(place, value, at);
    case ATTUNE_FIELD_SERIES:
        return read_series(place, value, at);
    default:
        return read_points(place, value, at);
    }
}

/* A result that is "ok" has times, and work above 0 where it has a roof. */
static enum attune_status check_result(const struct attune_result_line *result, long long line)
{
    if (strcmp(result->outcome, "ok") != 0)
        return ATTUNE_OK;
    if (!(result->min_s > 0) || !(result->median_s >= result->min_s))
        return WRONG("line %lld: min_s, median_s: must be given, above 0 and in this order", line);
    if (result->bound_by && (!(result->work > 0) || !(result->roof > 0) || !(result->share > 0)))
        return WRONG("line %lld: work, roof, share: must be above 0 beside bound_by", line);
    if (result->round_s.count != result->round_roof.count && result->round_roof.count > 0)
        return WRONG("line %lld: round_roof: has %d entries, round_s has %d", line,
                     result->round_roof.count, result->round_s.count);
    return ATTUNE_OK;
}

static enum attune_status read_fields(enum attune_result_kind kind, json_t *object, long long line,
                                      char *into)
{
    int count;
    const struct attune_field *fields = attune_fields(kind, &count);
    for (int i = 0; i < count; i++) {
        const struct place place = {line, fields[i].name};
        json_t *value = json_object_get(object, fields[i].name);
        if (fields[i].type == ATTUNE_FIELD_NUMBER)
            *(double *)(void *)(into + fields[i].offset) = (double)NAN;
        enum attune_status status = ATTUNE_OK;
        if (value && !json_is_null(value))
            status = read_field(&place, fields[i].type, value, into + fields[i].offset);
        else if (fields[i].required)
            status = WRONG("line %lld: %s: missing", line, fields[i].name);
        if (status != ATTUNE_OK)
            return status;
    }
    return kind == ATTUNE_LINE_RESULT ? check_result((const void *)into, line) : ATTUNE_OK;
}

/* The array with room for entry `count`, zeroed; it grows by doubling. NULL: no memory. */
static void *grow(void *array, int32_t count, size_t size)
{
    if ((count & (count - 1)) == 0)
        array = realloc(array, (count > 0 ? 2 * (size_t)count : 1) * size);
    if (array)
        memset((char *)array + (size_t)count * size, 0, size);
    return array;
}

/* A new entry of a kind; NULL: no memory. */
#define ADD(array, counter, made)                                                                  \
    do {                                                                                           \
        void *grown_ = grow(array, counter, sizeof *(array));                                      \
        if (grown_) {                                                                              \
            (array) = grown_;                                                                      \
            made = &(array)[(counter)++];                                                          \
        }                                                                                          \
    } while (0)

static void *add_line(struct attune_results *results, enum attune_result_kind kind)
{
    void *made = NULL;
    switch (kind) {
    case ATTUNE_LINE_MACHINE:
        ADD(results->machine, results->count[kind], made);
        break;
    case ATTUNE_LINE_ROOF:
        ADD(results->roof, results->count[kind], made);
        break;
    case ATTUNE_LINE_RESULT:
        ADD(results->result, results->count[kind], made);
        break;
    default:
        ADD(results->landscape, results->count[kind], made);
        break;
    }
    return made;
}

static enum attune_status keep_foreign(struct attune_results *results, const json_t *object,
                                       long long line, double format)
{
    struct attune_foreign_line *foreign = NULL;
    ADD(results->foreign, results->foreigns, foreign);
    if (!foreign)
        return NO_MEMORY();
    const char *kind = json_string_value(json_object_get(object, "kind"));
    const char *name = json_string_value(json_object_get(object, "case"));
    *foreign = (struct attune_foreign_line){line, format, kind ? kind : "", name ? name : ""};
    return ATTUNE_OK;
}

static enum attune_status read_object(json_t *object, long long line,
                                      struct attune_results *results)
{
    const struct place at_format = {line, "format"}, at_kind = {line, "kind"};
    const char *word = json_string_value(json_object_get(object, "kind"));
    double format;
    if (!read_number(json_object_get(object, "format"), &format))
        return not_a(&at_format, "a number: this is no file of results");
    if (!word)
        return not_a(&at_kind, "a string");
    enum attune_result_kind kind = 0;
    while (kind < ATTUNE_LINE_KINDS && strcmp(word, attune_line_word(kind)) != 0)
        kind++;
    if (format != ATTUNE_RESULT_FORMAT || kind == ATTUNE_LINE_KINDS)
        return keep_foreign(results, object, line, format);
    char *into = add_line(results, kind);
    return into ? read_fields(kind, object, line, into) : NO_MEMORY();
}

/* Escapes of control characters become blanks, so that no text of a file moves anybody's cursor. Raw
 * ones are no JSON. */
static void blank_controls(char *text, size_t length)
{
    for (size_t i = 0; i + 1 < length; i++) {
        size_t size = 0;
        if (text[i] != '\\')
            continue;
        if (strchr("bfnrt", text[i + 1]))
            size = 2;
        else if (text[i + 1] == 'u' && i + 5 < length && text[i + 2] == '0' && text[i + 3] == '0' &&
                 (strchr("0189", text[i + 4]) || (text[i + 4] == '7' && strchr("fF", text[i + 5]))))
            size = 6;
        if (size > 0)
            memset(text + i, ' ', size);
        else
            i++; /* what is escaped is no backslash of its own */
    }
}

static json_t *load_line(const char *text, size_t length, json_error_t *error)
{
    char *copy = malloc(length);
    json_t *object = NULL;
    if (copy) {
        memcpy(copy, text, length);
        blank_controls(copy, length);
        object = json_loadb(copy, length, JSON_REJECT_DUPLICATES, error);
    }
    free(copy);
    return object;
}

static enum attune_status read_line(const char *text, size_t length, long long line,
                                    struct attune_results *results)
{
    json_error_t error = {0};
    if (length > MAX_LINE)
        return WRONG("line %lld: is longer than %d bytes", line, MAX_LINE);
    json_t *object = load_line(text, length, &error);
    if (!object && error.text[0] == '\0')
        return NO_MEMORY();
    if (!object && json_error_code(&error) == json_error_out_of_memory)
        return NO_MEMORY();
    if (!object)
        return WRONG("line %lld: column %d: %s", line, error.column, error.text);
    if (!json_is_object(object)) {
        json_decref(object);
        return WRONG("line %lld: is not a JSON object", line);
    }
    if (json_array_append_new(results->lines, object) != 0)
        return NO_MEMORY();
    return read_object(object, line, results);
}

const struct attune_machine_line *attune_results_machine(const struct attune_results *results,
                                                         const char *id)
{
    for (int32_t i = 0; i < results->count[ATTUNE_LINE_MACHINE]; i++)
        if (strcmp(results->machine[i].id, id) == 0)
            return &results->machine[i];
    return NULL;
}

/* Lines may refer to a machine that stands behind them. */
static enum attune_status check_references(const struct attune_results *results)
{
    const int32_t *count = results->count;
    const char *unknown = NULL;
    for (int32_t i = 0; i < count[ATTUNE_LINE_ROOF]; i++)
        if (!attune_results_machine(results, results->roof[i].machine))
            unknown = results->roof[i].machine;
    for (int32_t i = 0; i < count[ATTUNE_LINE_RESULT]; i++)
        if (!attune_results_machine(results, results->result[i].machine))
            unknown = results->result[i].machine;
    for (int32_t i = 0; i < count[ATTUNE_LINE_LANDSCAPE]; i++)
        if (!attune_results_machine(results, results->landscape[i].machine))
            unknown = results->landscape[i].machine;
    return unknown ? WRONG("machine: no line describes the machine '%.*s'", MAX_SHOWN, unknown)
                   : ATTUNE_OK;
}

enum attune_status attune_results_parse(const char *text, size_t length,
                                        struct attune_results *results)
{
    const char *end = text + length;
    if (!results->lines && !(results->lines = json_array()))
        return NO_MEMORY();
    long long line = 1;
    for (const char *at = text; at < end; line++) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        const size_t size = (size_t)((newline ? newline : end) - at);
        if (size > 0) {
            const enum attune_status status = read_line(at, size, line, results);
            if (status != ATTUNE_OK)
                return status;
        }
        at += size + 1;
    }
    if (results->count[ATTUNE_LINE_MACHINE] == 0 && results->foreigns == 0)
        return WRONG("line 1: no line describes a machine: this is no file of results");
    return check_references(results);
}

/* The whole of a regular file; *text is the caller's to free. */
static enum attune_status load(int fd, char **text, size_t *length)
{
    struct stat status;
    if (fstat(fd, &status) != 0)
        return WRONG("cannot read: %s", strerror(errno));
    if (!S_ISREG(status.st_mode))
        return WRONG("is not a regular file");
    if (status.st_size > MAX_FILE)
        return WRONG("has over %d MiB: this is no file of results", MAX_FILE >> 20);
    const size_t size = (size_t)status.st_size;
    *text = malloc(size + 1);
    if (!*text)
        return NO_MEMORY();
    for (*length = 0; *length < size;) {
        const ssize_t got = read(fd, *text + *length, size - *length);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return WRONG("cannot read: %s", strerror(errno));
        if (got == 0)
            break;
        *length += (size_t)got;
    }
    return ATTUNE_OK;
}

enum attune_status attune_results_read(const char *path, struct attune_results *results)
{
    char *text = NULL;
    size_t length = 0;
    /* Not waiting for the writer of a FIFO. */
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return WRONG("cannot open: %s", strerror(errno));
    enum attune_status status = load(fd, &text, &length);
    (void)close(fd);
    if (status == ATTUNE_OK)
        status = attune_results_parse(text, length, results);
    free(text);
    return status;
}

void attune_results_free(struct attune_results *results)
{
    for (int32_t i = 0; i < results->count[ATTUNE_LINE_RESULT]; i++) {
        free(results->result[i].round_s.value);
        free(results->result[i].round_roof.value);
    }
    for (int32_t i = 0; i < results->count[ATTUNE_LINE_LANDSCAPE]; i++)
        free(results->landscape[i].points.point);
    free(results->machine);
    free(results->roof);
    free(results->result);
    free(results->landscape);
    free(results->foreign);
    json_decref(results->lines);
    *results = (struct attune_results){0};
}
