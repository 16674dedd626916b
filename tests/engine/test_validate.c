/* SPDX-License-Identifier: Apache-2.0
 *
 * Every field and every tensor of every mechanism, bent in one place at a time: each must give an
 * error whose detail begins with the name of the field or tensor at fault.
 */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "engine/shape.h"
#include "tests/support/describe.h"

/* Whether the detail begins with `name` and a colon. */
static int names(const char *name)
{
    const char *detail = attune_error_detail();
    const size_t length = strlen(name);
    return strncmp(detail, name, length) == 0 && detail[length] == ':';
}

/* Whether it begins with the name of any tensor or field. */
static int names_something(void)
{
    static const char *const fields[] = {"heads", "form", "past", "outputs", "score_scale"};
    for (int i = 0; i < ATTUNE_INPUT_COUNT; i++)
        if (names(attune_input_name(i)))
            return 1;
    for (int o = 0; o < ATTUNE_OUTPUT_COUNT; o++)
        if (names(attune_output_name(o)))
            return 1;
    for (size_t f = 0; f < sizeof fields / sizeof fields[0]; f++)
        if (names(fields[f]))
            return 1;
    return 0;
}

static enum attune_status resolve(const struct attune_problem *problem)
{
    struct attune_shape shape;
    return attune_shape_resolve(problem, &shape);
}

static void refuse(const struct attune_problem *problem, const char *name, const char *what,
                   int64_t value, int kind)
{
    const enum attune_status status = resolve(problem);
    cr_expect(status == ATTUNE_ERROR_INVALID || status == ATTUNE_ERROR_OVERFLOW,
              "%s, %s %s = %" PRId64 " gave status %d", describe_name(kind), name, what, value,
              status);
    cr_expect(status == ATTUNE_OK || names(name), "%s, %s %s = %" PRId64 ": \"%s\"",
              describe_name(kind), name, what, value, attune_error_detail());
}

Test(validate, valid_descriptions_pass)
{
    for (int kind = 0; kind < DESCRIBE_KINDS; kind++) {
        struct attune_problem problem;
        describe_problem(&problem, kind);
        cr_expect_eq(resolve(&problem), ATTUNE_OK, "%s: %s", describe_name(kind),
                     attune_error_detail());
    }
}

Test(validate, resolving_twice_changes_nothing)
{
    for (int kind = 0; kind < DESCRIBE_KINDS; kind++) {
        struct attune_problem problem;
        struct attune_shape once, twice;
        describe_problem(&problem, kind);
        cr_assert_eq(attune_shape_resolve(&problem, &once), ATTUNE_OK);
        cr_assert_eq(attune_shape_resolve(&once.problem, &twice), ATTUNE_OK);
        cr_expect_eq(memcmp(&once, &twice, sizeof once), 0, "%s", describe_name(kind));
    }
}

enum width { INT32_FIELD, UINT32_FIELD, INT64_FIELD, SIZE_FIELD };

static const struct {
    const char *name;
    enum width width;
    size_t offset;
    size_t flag; /* offset of its has_ field, 0 for none */
    int count;
    int64_t bad[5];
} integer_fields[] = {
#define FIELD(member) offsetof(struct attune_problem, member)
    {"struct_size",
     SIZE_FIELD,
     FIELD(struct_size),
     0,
     5,
     {0, 1, sizeof(struct attune_problem) - 1, sizeof(struct attune_problem) + 1, -1}},
    {"mechanism", INT32_FIELD, FIELD(mechanism), 0, 5, {-1, 0, 6, INT32_MAX, INT32_MIN}},
    {"form", INT32_FIELD, FIELD(form), 0, 4, {-1, 6, INT32_MAX, INT32_MIN}},
    {"causal", INT32_FIELD, FIELD(causal), 0, 4, {-1, 3, INT32_MAX, INT32_MIN}},
    {"recurrence", INT32_FIELD, FIELD(recurrence), 0, 4, {-1, 2, INT32_MAX, INT32_MIN}},
    {"scores", INT32_FIELD, FIELD(stage), 0, 4, {-1, 3, INT32_MAX, INT32_MIN}},
    {"flags", UINT32_FIELD, FIELD(flags), 0, 3, {4, UINT32_MAX, 0x80000000}},
    {"heads", INT64_FIELD, FIELD(heads), 0, 4, {-1, 5, INT64_MAX, INT64_MIN}},
    {"past", INT64_FIELD, FIELD(past), 0, 3, {-1, INT64_MAX, INT64_MIN}},
    {"window_left", INT64_FIELD, FIELD(window_left), FIELD(has_window_left), 2, {-2, INT64_MIN}},
    {"window_right", INT64_FIELD, FIELD(window_right), FIELD(has_window_right), 2, {-2, INT64_MIN}},
};

static void set_integer(struct attune_problem *problem, enum width width, size_t offset,
                        int64_t value)
{
    char *at = (char *)problem + offset;
    switch (width) {
    case INT32_FIELD: *(int32_t *)at = (int32_t)value; break;
    case UINT32_FIELD: *(uint32_t *)at = (uint32_t)value; break;
    case INT64_FIELD: *(int64_t *)at = value; break;
    default: *(size_t *)at = (size_t)value; break;
    }
}

Test(validate, integer_fields)
{
    for (int kind = 0; kind < DESCRIBE_KINDS; kind++)
        for (size_t f = 0; f < sizeof integer_fields / sizeof integer_fields[0]; f++)
            for (int i = 0; i < integer_fields[f].count; i++) {
                struct attune_problem problem;
                describe_problem(&problem, kind);
                set_integer(&problem, integer_fields[f].width, integer_fields[f].offset,
                            integer_fields[f].bad[i]);
                if (integer_fields[f].flag)
                    set_integer(&problem, INT32_FIELD, integer_fields[f].flag, 1);
                refuse(&problem, integer_fields[f].name, "field", integer_fields[f].bad[i], kind);
            }
}

Test(validate, number_fields)
{
    static const double bad[] = {NAN, INFINITY, -INFINITY};
    for (int kind = 0; kind < DESCRIBE_KINDS; kind++)
        for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
            struct attune_problem problem;
            describe_problem(&problem, kind);
            problem.softcap = bad[i];
            refuse(&problem, "softcap", "number", (int64_t)i, kind);
            describe_problem(&problem, kind);
            problem.has_score_scale = 1;
            problem.score_scale = bad[i];
            refuse(&problem, "score_scale", "number", (int64_t)i, kind);
            describe_problem(&problem, kind);
            problem.has_output_scale = 1;
            problem.output_scale = bad[i];
            refuse(&problem, "output_scale", "number", (int64_t)i, kind);
        }
    struct attune_problem problem;
    describe_problem(&problem, 0);
    problem.softcap = -0.5;
    refuse(&problem, "softcap", "number", -1, 0);
}

/* A number that is set but not switched on would be ignored in silence. */
Test(validate, values_without_their_switch)
{
    struct attune_problem problem;
    describe_problem(&problem, 0);
    problem.score_scale = 0.5;
    refuse(&problem, "score_scale", "without has_", 0, 0);
    describe_problem(&problem, 0);
    problem.output_scale = 3;
    refuse(&problem, "output_scale", "without has_", 0, 0);
    describe_problem(&problem, 0);
    problem.window_left = 4;
    refuse(&problem, "window_left", "without has_", 4, 0);
    describe_problem(&problem, 0);
    problem.window_right = 4;
    refuse(&problem, "window_right", "without has_", 4, 0);
}

Test(validate, fields_that_contradict_each_other)
{
    struct attune_problem problem;
    describe_problem(&problem, 1);
    problem.causal = ATTUNE_BOTTOM_RIGHT;
    problem.past = 1;
    refuse(&problem, "past", "with bottom_right", 1, 1);
    for (int kind = 0; kind < DESCRIBE_KINDS; kind++) {
        describe_problem(&problem, kind);
        problem.flags = ATTUNE_PREPARED_KEYS;
        const int preparable = problem.mechanism == ATTUNE_ADDITIVE ||
                               problem.form == ATTUNE_CONCAT || problem.form == ATTUNE_LOCATION;
        if (preparable)
            cr_expect_eq(resolve(&problem), ATTUNE_OK, "%s", attune_error_detail());
        else
            refuse(&problem, "flags", "prepared", 1, kind);
        if (problem.mechanism == ATTUNE_RECURRENT)
            continue;
        describe_problem(&problem, kind);
        problem.recurrence = ATTUNE_STEP;
        refuse(&problem, "recurrence", "elsewhere", 1, kind);
    }
    for (int32_t form = ATTUNE_DOT; form <= ATTUNE_LOCATION; form++) {
        describe_problem(&problem, 0);
        problem.form = form;
        refuse(&problem, "form", "of additive", form, 0);
    }
    describe_problem(&problem, 1);
    problem.form = ATTUNE_FORM_DEFAULT;
    refuse(&problem, "form", "of multiplicative", 0, 1);
}

/* What is bent in one tensor; names are those of the messages below. */
static void bend_tensor(int kind, enum attune_input input, const struct attune_tensor *good)
{
    const char *name = attune_input_name((int32_t)input);
    const int broadcasts = input == ATTUNE_IN_MASK || input == ATTUNE_IN_BIAS;
    static const int32_t dtypes[] = {-1, ATTUNE_I64 + 1, INT32_MAX, INT32_MIN, ATTUNE_I8};
    static const int32_t ranks[] = {-1, ATTUNE_MAX_RANK + 1, INT32_MAX, INT32_MIN};
    struct attune_problem problem;
    for (size_t i = 0; i < sizeof dtypes / sizeof dtypes[0]; i++) {
        describe_problem(&problem, kind);
        problem.in[input].dtype = dtypes[i];
        if (dtypes[i] == ATTUNE_I8 && (input == ATTUNE_IN_K || input == ATTUNE_IN_V)) {
            const char *scale = input == ATTUNE_IN_K ? "key_scale" : "value_scale";
            refuse(&problem, scale, "missing for int8", 0, kind);
            continue;
        }
        refuse(&problem, name, "dtype", dtypes[i], kind);
    }
    describe_problem(&problem, kind);
    problem.in[input].dtype = good->dtype == ATTUNE_BOOL ? ATTUNE_F32 : ATTUNE_BOOL;
    refuse(&problem, name, "dtype", problem.in[input].dtype, kind);
    for (size_t i = 0; i < sizeof ranks / sizeof ranks[0]; i++) {
        describe_problem(&problem, kind);
        problem.in[input].rank = ranks[i];
        refuse(&problem, name, "rank", ranks[i], kind);
    }
    describe_problem(&problem, kind);
    problem.in[input].rank--;
    cr_expect(resolve(&problem) != ATTUNE_OK && names_something(), "%s, %s of one axis less: %s",
              describe_name(kind), name, attune_error_detail());
    for (int axis = 0; axis < good->rank; axis++) {
        const int64_t sizes[] = {INT64_MAX, good->size[axis] + 1};
        /* The width of the values is theirs alone. */
        const int own =
            (input == ATTUNE_IN_VALUE || input == ATTUNE_IN_V) && axis == good->rank - 1;
        for (size_t i = 0; i < (own ? 1 : 2); i++) {
            describe_problem(&problem, kind);
            problem.in[input].size[axis] = sizes[i];
            cr_expect(resolve(&problem) != ATTUNE_OK && names_something(),
                      "%s, %s size[%d] = %" PRId64 ": %s", describe_name(kind), name, axis,
                      sizes[i], attune_error_detail());
        }
        const int64_t negative[] = {-1, INT64_MIN};
        for (size_t i = 0; i < sizeof negative / sizeof negative[0]; i++) {
            describe_problem(&problem, kind);
            problem.in[input].size[axis] = negative[i];
            refuse(&problem, name, "size", negative[i], kind);
            describe_problem(&problem, kind);
            problem.in[input].stride[axis] = negative[i];
            refuse(&problem, name, "stride", negative[i], kind);
        }
        describe_problem(&problem, kind);
        problem.in[input].stride[axis] = INT64_MAX;
        if (good->size[axis] > 1)
            refuse(&problem, name, "stride", INT64_MAX, kind);
        describe_problem(&problem, kind);
        problem.in[input].size[axis] = 0;
        cr_expect(resolve(&problem) != ATTUNE_OK && names_something(), "%s, %s size[%d] = 0: %s",
                  describe_name(kind), name, axis, attune_error_detail());
    }
    describe_problem(&problem, kind);
    problem.in[input].stride[good->rank - 1] = 2;
    if (input <= ATTUNE_IN_X)
        refuse(&problem, name, "last stride", 2, kind);
    else
        cr_expect_eq(resolve(&problem), ATTUNE_OK, "%s", attune_error_detail());
    describe_problem(&problem, kind);
    problem.in[input].stride[0] = 0;
    if (good->rank > 1 || broadcasts)
        cr_expect_eq(resolve(&problem), ATTUNE_OK, "%s: %s", name, attune_error_detail());
}

Test(validate, tensors)
{
    for (int kind = 0; kind < DESCRIBE_KINDS; kind++) {
        struct attune_problem problem;
        describe_problem(&problem, kind);
        for (int input = 0; input < ATTUNE_INPUT_COUNT; input++)
            if (problem.in[input].dtype != ATTUNE_ABSENT)
                bend_tensor(kind, (enum attune_input)input, &problem.in[input]);
    }
}

Test(validate, absent_and_unknown_tensors)
{
    static const int64_t one[] = {1, 1, 1, 1};
    for (int kind = 0; kind < DESCRIBE_KINDS; kind++)
        for (int input = 0; input < ATTUNE_INPUT_SLOTS; input++) {
            struct attune_problem problem;
            const char *name = attune_input_name(input);
            describe_problem(&problem, kind);
            const int given = problem.in[input].dtype != ATTUNE_ABSENT;
            problem.in[input].dtype = given ? ATTUNE_ABSENT : ATTUNE_F32;
            if (given)
                problem.in[input].rank = 0;
            if (!given && name)
                attune_problem_input(&problem, (enum attune_input)input, ATTUNE_F32, 1, one);
            const enum attune_status status = resolve(&problem);
            if (!name)
                cr_expect(status == ATTUNE_ERROR_INVALID, "slot %d", input);
            else if (!given)
                cr_expect(status == ATTUNE_ERROR_INVALID && (names(name) || names_something()),
                          "%s, %s added: %s", describe_name(kind), name, attune_error_detail());
            else if (describe_is_required(kind, (enum attune_input)input))
                cr_expect(status == ATTUNE_ERROR_INVALID && names_something() &&
                              strstr(attune_error_detail(), "missing"),
                          "%s without %s: %d %s", describe_name(kind), name, status,
                          attune_error_detail());
        }
}

/* Each optional tensor alone may go, or takes its partner with it. */
Test(validate, optional_tensors)
{
    static const enum attune_input alone[] = {
        ATTUNE_IN_BIAS_HIDDEN, ATTUNE_IN_IN_BIAS,       ATTUNE_IN_OUT_BIAS,   ATTUNE_IN_BIAS_IH,
        ATTUNE_IN_BIAS_HH,     ATTUNE_IN_VALUE,         ATTUNE_IN_MASK,       ATTUNE_IN_BIAS,
        ATTUNE_IN_SINK,        ATTUNE_IN_QUERY_LENGTHS, ATTUNE_IN_KEY_LENGTHS};
    for (int kind = 0; kind < DESCRIBE_KINDS; kind++)
        for (size_t i = 0; i < sizeof alone / sizeof alone[0]; i++) {
            struct attune_problem problem;
            describe_problem(&problem, kind);
            memset(&problem.in[alone[i]], 0, sizeof problem.in[alone[i]]);
            cr_expect_eq(resolve(&problem), ATTUNE_OK, "%s without %s: %s", describe_name(kind),
                         attune_input_name((int32_t)alone[i]), attune_error_detail());
        }
    static const enum attune_input pairs[][2] = {{ATTUNE_IN_STATE, ATTUNE_IN_W_STATE},
                                                 {ATTUNE_IN_OUT_BIAS, ATTUNE_IN_OUT_WEIGHT}};
    static const int pair_kinds[] = {6, 5};
    for (int i = 0; i < 2; i++) {
        struct attune_problem problem;
        describe_problem(&problem, pair_kinds[i]);
        memset(&problem.in[pairs[i][1]], 0, sizeof problem.in[0]);
        refuse(&problem, attune_input_name((int32_t)pairs[i][1]), "missing partner", i,
               pair_kinds[i]);
        memset(&problem.in[pairs[i][0]], 0, sizeof problem.in[0]);
        cr_expect_eq(resolve(&problem), ATTUNE_OK, "%s", attune_error_detail());
    }
}

Test(validate, outputs)
{
    static const int32_t dtypes[] = {-1, ATTUNE_F16, ATTUNE_I64, INT32_MAX};
    static const int32_t ranks[] = {-1, 1, 5, INT32_MAX};
    for (int kind = 0; kind < DESCRIBE_KINDS; kind++)
        for (int o = 0; o < ATTUNE_OUTPUT_COUNT; o++) {
            const char *name = attune_output_name(o);
            struct attune_problem problem;
            struct attune_tensor natural;
            for (size_t i = 0; i < 4; i++) {
                describe_problem(&problem, kind);
                problem.out[o].dtype = dtypes[i];
                refuse(&problem, name, "dtype", dtypes[i], kind);
                describe_problem(&problem, kind);
                problem.out[o].rank = ranks[i];
                refuse(&problem, name, "rank", ranks[i], kind);
            }
            describe_problem(&problem, kind);
            cr_assert_eq(attune_problem_output_shape(&problem, (enum attune_output)o, &natural),
                         ATTUNE_OK);
            for (int axis = 0; axis < natural.rank; axis++) {
                const int64_t bad[] = {-1, natural.size[axis] + 1, INT64_MAX, INT64_MIN};
                for (size_t i = 0; i < 4; i++) {
                    problem.out[o] = natural;
                    problem.out[o].size[axis] = bad[i];
                    refuse(&problem, name, "size", bad[i], kind);
                }
                problem.out[o] = natural;
                problem.out[o].stride[axis] = -1;
                refuse(&problem, name, "stride", -1, kind);
                problem.out[o].stride[axis] = 0;
                if (natural.size[axis] > 1)
                    refuse(&problem, name, "stride", 0, kind);
                problem.out[o].stride[axis] = INT64_MAX;
                if (natural.size[axis] > 1)
                    refuse(&problem, name, "stride", INT64_MAX, kind);
            }
            problem.out[o] = natural;
            problem.out[o].stride[0] -= 1;
            refuse(&problem, name, "overlapping stride", -1, kind);
        }
    struct attune_problem problem;
    describe_problem(&problem, 0);
    memset(problem.out, 0, sizeof problem.out);
    refuse(&problem, "outputs", "none", 0, 0);
    problem.out[ATTUNE_OUTPUT_SLOTS - 1].dtype = ATTUNE_F32;
    cr_expect_eq(resolve(&problem), ATTUNE_ERROR_INVALID);
}

Test(validate, odd_width_and_dividing_heads)
{
    struct attune_problem problem;
    describe_problem(&problem, 7);
    problem.in[ATTUNE_IN_KERNEL].size[2] = 4;
    refuse(&problem, "kernel", "even width", 4, 7);
    describe_problem(&problem, 8);
    problem.in[ATTUNE_IN_LOCATION_KERNEL].size[2] = 2;
    refuse(&problem, "location_kernel", "even width", 2, 8);
    describe_problem(&problem, 4);
    problem.in[ATTUNE_IN_K].size[1] = problem.in[ATTUNE_IN_V].size[1] = 3;
    refuse(&problem, "k", "heads", 3, 4);
}

/* Extents whose products overflow although every tensor repeats one element. */
Test(validate, overflow_behind_broadcasts)
{
    struct attune_problem problem;
    const int64_t huge[] = {(int64_t)1 << 31, 1, (int64_t)1 << 31, 1};
    attune_problem_init(&problem, ATTUNE_SELF);
    attune_problem_output(&problem, ATTUNE_OUT_ALIGNMENTS);
    for (int input = ATTUNE_IN_Q; input <= ATTUNE_IN_V; input++) {
        attune_problem_input(&problem, (enum attune_input)input, ATTUNE_F32, 4, huge);
        problem.in[input].stride[0] = problem.in[input].stride[2] = 0;
    }
    cr_expect_eq(resolve(&problem), ATTUNE_ERROR_OVERFLOW, "%s", attune_error_detail());
    cr_expect(names_something(), "%s", attune_error_detail());
}

Test(validate, zero_extents_of_batch_and_time)
{
    for (int kind = 0; kind < DESCRIBE_KINDS; kind++)
        for (int which = 0; which < 2; which++) {
            struct attune_problem problem;
            describe_problem(&problem, kind);
            const int over_x = problem.in[ATTUNE_IN_X].dtype != ATTUNE_ABSENT;
            /* The batch; or T_q of mechanisms with keys of their own, T of the others. */
            const int64_t old = which == 0 ? 2 : 3;
            for (int input = 0; input < ATTUNE_INPUT_COUNT; input++)
                for (int axis = 0; axis < problem.in[input].rank; axis++)
                    if (problem.in[input].size[axis] == old &&
                        !(which == 0 && problem.in[input].rank == 4 && axis == 1))
                        problem.in[input].size[axis] = 0;
            cr_expect_eq(resolve(&problem), ATTUNE_OK, "%s %d %d: %s", describe_name(kind), which,
                         over_x, attune_error_detail());
        }
}

Test(validate, windows_without_end_attend_everything)
{
    struct attune_problem problem;
    struct attune_shape shape;
    struct attune_args args = {.struct_size = sizeof args};
    describe_problem(&problem, 1);
    memset(&problem.in[ATTUNE_IN_KEY_LENGTHS], 0, sizeof problem.in[0]);
    memset(&problem.in[ATTUNE_IN_QUERY_LENGTHS], 0, sizeof problem.in[0]);
    problem.has_window_left = problem.has_window_right = 1;
    problem.window_left = problem.window_right = INT64_MAX;
    problem.past = INT64_MAX - 100;
    cr_assert_eq(attune_shape_resolve(&problem, &shape), ATTUNE_OK, "%s", attune_error_detail());
    for (int64_t i = 0; i < shape.t_q; i++) {
        int64_t first, last;
        attune_shape_attended(&shape, &args, 0, i, &first, &last);
        cr_expect(first == 0 && last == shape.t_k, "query %d: [%d, %d)", (int)i, (int)first,
                  (int)last);
    }
}
