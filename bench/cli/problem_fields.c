/* SPDX-License-Identifier: Apache-2.0
 *
 * The JSON object `attune.problem`: one row a field. Types and words are checked here, and that a
 * field belongs to the mechanism where the struct could not tell; ranges are the library's to
 * check.
 */
#include <inttypes.h>
#include <string.h>

#include "bench/cli/json.h"
#include "bench/cli/problem_file.h"

#define WRONG(...) attune_trouble_set(trouble, ATTUNE_EXIT_USE, __VA_ARGS__)

struct field {
    const char *name;
    int (*read)(const struct field *field, const json_t *value, struct attune_problem *problem,
                struct attune_trouble *trouble);
    size_t offset; /* of the number in struct attune_problem */
    size_t given;  /* of its has_ member, 0 where it has none */
};

struct word {
    const char *text;
    int32_t number;
};

static int read_real(const struct field *field, const json_t *value, struct attune_problem *problem,
                     struct attune_trouble *trouble)
{
    const int32_t yes = 1;
    char shown[64];
    double number;

    if (!attune_json_number(value, &number))
        return WRONG("%s: %s is not a number", field->name,
                     attune_json_show(value, shown, sizeof shown));
    memcpy((char *)problem + field->offset, &number, sizeof number);
    if (field->given != 0)
        memcpy((char *)problem + field->given, &yes, sizeof yes);
    return 0;
}

static int read_integer(const struct field *field, const json_t *value,
                        struct attune_problem *problem, struct attune_trouble *trouble)
{
    const int32_t yes = 1;
    char shown[64];
    int64_t number;

    if (!attune_json_integer(value, &number))
        return WRONG("%s: %s is not an integer", field->name,
                     attune_json_show(value, shown, sizeof shown));
    memcpy((char *)problem + field->offset, &number, sizeof number);
    if (field->given != 0)
        memcpy((char *)problem + field->given, &yes, sizeof yes);
    return 0;
}

/* `words` ends with a NULL text. */
static int read_word(const struct field *field, const json_t *value, const struct word *words,
                     struct attune_problem *problem, struct attune_trouble *trouble)
{
    char known[160] = "";
    char shown[64];
    size_t used = 0;

    for (const struct word *word = words; word->text != NULL; word++) {
        if (json_is_string(value) && strcmp(json_string_value(value), word->text) == 0) {
            memcpy((char *)problem + field->offset, &word->number, sizeof word->number);
            return 0;
        }
        used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", used > 0 ? ", " : "",
                                 word->text);
    }
    return WRONG("%s: %s is none of %s", field->name, attune_json_show(value, shown, sizeof shown),
                 known);
}

static int read_mechanism(const struct field *field, const json_t *value,
                          struct attune_problem *problem, struct attune_trouble *trouble)
{
    struct word words[ATTUNE_RECURRENT + 1] = {{NULL, 0}};

    for (int32_t i = ATTUNE_ADDITIVE; i <= ATTUNE_RECURRENT; i++)
        words[i - 1] = (struct word){attune_mechanism_name(i), i};
    return read_word(field, value, words, problem, trouble);
}

static int read_form(const struct field *field, const json_t *value, struct attune_problem *problem,
                     struct attune_trouble *trouble)
{
    struct word words[ATTUNE_LOCATION + 1] = {{NULL, 0}};

    for (int32_t i = ATTUNE_DOT; i <= ATTUNE_LOCATION; i++)
        words[i - 1] = (struct word){attune_form_name(i), i};
    return read_word(field, value, words, problem, trouble);
}

static int read_causal(const struct field *field, const json_t *value,
                       struct attune_problem *problem, struct attune_trouble *trouble)
{
    static const struct word words[] = {{"none", ATTUNE_CAUSAL_NONE},
                                        {"top_left", ATTUNE_TOP_LEFT},
                                        {"bottom_right", ATTUNE_BOTTOM_RIGHT},
                                        {NULL, 0}};

    return read_word(field, value, words, problem, trouble);
}

static int read_recurrence(const struct field *field, const json_t *value,
                           struct attune_problem *problem, struct attune_trouble *trouble)
{
    static const struct word words[] = {{"scan", ATTUNE_SCAN}, {"step", ATTUNE_STEP}, {NULL, 0}};

    return read_word(field, value, words, problem, trouble);
}

static int read_stage(const struct field *field, const json_t *value,
                      struct attune_problem *problem, struct attune_trouble *trouble)
{
    static const struct word words[] = {
        {"raw", ATTUNE_RAW}, {"softcap", ATTUNE_SOFTCAP}, {"masked", ATTUNE_MASKED}, {NULL, 0}};

    return read_word(field, value, words, problem, trouble);
}

static int find_output(const json_t *value)
{
    for (int32_t i = 0; json_is_string(value) && i < ATTUNE_OUTPUT_COUNT; i++) {
        if (strcmp(json_string_value(value), attune_output_name(i)) == 0)
            return i;
    }
    return -1;
}

static int read_outputs(const struct field *field, const json_t *value,
                        struct attune_problem *problem, struct attune_trouble *trouble)
{
    char shown[64];

    if (!json_is_array(value) || json_array_size(value) == 0)
        return WRONG("%s: %s is not a list of out, alignments, lse, scores", field->name,
                     json_is_array(value) ? "an empty array"
                                          : attune_json_show(value, shown, sizeof shown));
    for (size_t i = 0; i < json_array_size(value); i++) {
        const json_t *item = json_array_get(value, i);
        int output = find_output(item);
        if (output < 0)
            return WRONG("%s: %s is none of out, alignments, lse, scores", field->name,
                         attune_json_show(item, shown, sizeof shown));
        if (problem->out[output].dtype != ATTUNE_ABSENT)
            return WRONG("%s: %s is listed twice", field->name, attune_output_name(output));
        attune_problem_output(problem, (enum attune_output)output);
    }
    return 0;
}

#define AT(member) offsetof(struct attune_problem, member)
static const struct field fields[] = {
    {"mechanism", read_mechanism, AT(mechanism), 0},
    {"form", read_form, AT(form), 0},
    {"score_scale", read_real, AT(score_scale), AT(has_score_scale)},
    {"output_scale", read_real, AT(output_scale), AT(has_output_scale)},
    {"softcap", read_real, AT(softcap), 0},
    {"heads", read_integer, AT(heads), 0},
    {"causal", read_causal, AT(causal), 0},
    {"past", read_integer, AT(past), 0},
    {"window_left", read_integer, AT(window_left), AT(has_window_left)},
    {"window_right", read_integer, AT(window_right), AT(has_window_right)},
    {"recurrence", read_recurrence, AT(recurrence), 0},
    {"scores", read_stage, AT(stage), 0},
    {"outputs", read_outputs, AT(out), 0},
};
enum { FIELD_COUNT = sizeof fields / sizeof fields[0] };

static int read_fields(json_t *object, struct attune_problem *problem,
                       struct attune_trouble *trouble)
{
    void *at = json_object_iter(object);

    for (; at != NULL; at = json_object_iter_next(object, at)) {
        const char *name = json_object_iter_key(at);
        int field = 0;
        int code;
        while (field < FIELD_COUNT && strcmp(name, fields[field].name) != 0)
            field++;
        if (field == FIELD_COUNT)
            return WRONG("attune.problem: %.64s: no such field", name);
        code = fields[field].read(&fields[field], json_object_iter_value(at), problem, trouble);
        if (code != 0)
            return code;
    }
    return 0;
}

/* Fields whose default looks like an explicit value in the struct, so that only here can be told
 * whether a mechanism that does not know them was given them. */
static int check_known(const json_t *object, const struct attune_problem *problem,
                       struct attune_trouble *trouble)
{
    int self_dot = problem->mechanism == ATTUNE_SELF && problem->form != ATTUNE_PAIRWISE;

    if (json_object_get(object, "mechanism") == NULL)
        return WRONG("mechanism: missing from attune.problem");
    if (json_object_get(object, "recurrence") != NULL && problem->mechanism != ATTUNE_RECURRENT)
        return WRONG("recurrence: %s does not know it", attune_mechanism_name(problem->mechanism));
    if (json_object_get(object, "heads") != NULL && !self_dot)
        return WRONG("heads: only self dot over x knows it");
    if (json_object_get(object, "heads") != NULL && problem->heads < 1)
        return WRONG("heads: %" PRId64 " is below 1", problem->heads);
    return 0;
}

int attune_problem_fields_read(const char *text, size_t length, struct attune_problem *problem,
                               struct attune_trouble *trouble)
{
    json_t *object = attune_json_parse(text, length, "attune.problem", trouble);
    int code;

    if (object == NULL)
        return trouble->code;
    attune_problem_init(problem, ATTUNE_ADDITIVE);
    code = read_fields(object, problem, trouble);
    if (code == 0)
        code = check_known(object, problem, trouble);
    if (code == 0 && json_object_get(object, "outputs") == NULL)
        attune_problem_output(problem, ATTUNE_OUT_OUT);
    json_decref(object);
    return code;
}
