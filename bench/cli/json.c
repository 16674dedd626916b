/* SPDX-License-Identifier: Apache-2.0
 *
 * jansson does the parsing; here is what it does not: finding the key that a syntax error lies
 * under, and saying what a value of the wrong type was.
 */
#include "bench/cli/json.h"

#include <stdlib.h>
#include <string.h>

#include "bench/cli/output.h"

enum { KEY_DEPTH = 3 }; /* how many levels of keys a message names: "query.shape" */

struct span {
    const char *start;
    size_t length;
};

/* One pass over the text up to the error, noting the keys that are open there. Invalid JSON may
 * come: it only follows quotes and brackets. */
static size_t open_keys(const char *text, size_t end, int duplicate, struct span *keys)
{
    struct span string = {text, 0};
    size_t depth = 0;

    for (size_t i = 0; i < end; i++) {
        if (text[i] == '"') {
            size_t start = ++i;
            while (i < end && text[i] != '"')
                i += text[i] == '\\' ? 2 : 1;
            string = (struct span){text + start, (i < end ? i : end) - start};
        } else if (text[i] == ':' && depth >= 1 && depth <= KEY_DEPTH) {
            keys[depth - 1] = string;
        } else if (text[i] == '{' || text[i] == '[') {
            if (depth < KEY_DEPTH)
                keys[depth] = (struct span){text, 0};
            depth++;
        } else if ((text[i] == '}' || text[i] == ']') && depth > 0) {
            depth--;
        }
    }
    /* The second of two equal keys is not followed by its colon yet. */
    if (duplicate && depth >= 1 && depth <= KEY_DEPTH)
        keys[depth - 1] = string;
    return depth < KEY_DEPTH ? depth : KEY_DEPTH;
}

static void syntax_trouble(const char *text, size_t length, const char *what,
                           const json_error_t *error, struct attune_trouble *trouble)
{
    struct span keys[KEY_DEPTH];
    size_t end = error->position > 0 ? (size_t)error->position : 0;
    size_t count = open_keys(text, end < length ? end : length,
                             json_error_code(error) == json_error_duplicate_key, keys);
    char path[200] = "";
    size_t used = 0;

    for (size_t i = 0; i < count && used < sizeof path - 2; i++) {
        if (keys[i].length > 0)
            used += (size_t)snprintf(path + used, sizeof path - used, "%s%.*s", used > 0 ? "." : "",
                                     keys[i].length < 60 ? (int)keys[i].length : 60, keys[i].start);
    }
    (void)attune_trouble_set(trouble, ATTUNE_EXIT_USE, "%s%s%s: %s", what,
                             path[0] != '\0' ? ": " : "", path, error->text);
}

/* Without memory jansson calls a right file wrong, or fails an assertion: so it never sees that. */
static void *allocate_or_leave(size_t size)
{
    struct attune_trouble trouble;
    void *memory = malloc(size);

    if (memory != NULL)
        return memory;
    (void)attune_trouble_memory(&trouble, "JSON");
    attune_output_abandon();
    exit(attune_trouble_report(&trouble, NULL, NULL));
}

void attune_json_guard(void)
{
    json_set_alloc_funcs(allocate_or_leave, free);
}

json_t *attune_json_parse(const char *text, size_t length, const char *what,
                          struct attune_trouble *trouble)
{
    json_error_t error;
    json_t *object;

    object = json_loadb(text, length, JSON_REJECT_DUPLICATES, &error);
    if (object == NULL) {
        syntax_trouble(text, length, what, &error, trouble);
        return NULL;
    }
    if (!json_is_object(object)) {
        (void)attune_trouble_set(trouble, ATTUNE_EXIT_USE, "%s: is not a JSON object", what);
        json_decref(object);
        return NULL;
    }
    return object;
}

int attune_json_integer(const json_t *value, int64_t *number)
{
    if (!json_is_integer(value))
        return 0;
    *number = (int64_t)json_integer_value(value);
    return 1;
}

int attune_json_number(const json_t *value, double *number)
{
    if (!json_is_number(value))
        return 0;
    *number = json_number_value(value);
    return 1;
}

const char *attune_json_show(const json_t *value, char *text, size_t size)
{
    size_t length;

    if (json_is_object(value) || json_is_array(value)) {
        (void)snprintf(text, size, json_is_array(value) ? "an array" : "an object");
        return text;
    }
    length = json_dumpb(value, text, size - 1, JSON_ENCODE_ANY);
    if (length > size - 1)
        length = (size_t)snprintf(text, size, "a long string");
    text[length] = '\0';
    return text;
}

int attune_json_print(json_t *object, int digits, FILE *file)
{
    char *text = object != NULL ? json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION((size_t)digits))
                                : NULL;
    json_decref(object);
    if (text == NULL)
        return 0;
    (void)fprintf(file, "%s\n", text);
    free(text);
    return 1;
}
