/* SPDX-License-Identifier: Apache-2.0
 *
 * One right problem of each mechanism and form, and what comes of every single change to its
 * tensors: one left out, one of another type, rank or size, one too many. Axes that nothing else
 * fixes are listed as free.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "support.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
enum { TENSORS_MAX = 12, RANK_MAX = 4 };

struct tensor {
    const char *name;
    int rank;
    int size[RANK_MAX + 1];
    int optional;
    unsigned free; /* bits of axes whose size nothing else fixes */
};

struct model {
    const char *problem;
    struct tensor tensors[TENSORS_MAX];
};

/* B 2, T_q 3, T_k 4, T 3, D and A and widths all different, so that no two can be mistaken. */
static const struct model models[] = {
    {"{'mechanism':'additive'}",
     {{"query", 3, {2, 3, 5}, 0, 2},
      {"key", 3, {2, 4, 6}, 0, 0},
      {"value", 3, {2, 4, 7}, 1, 4},
      {"w_query", 2, {8, 5}, 0, 0},
      {"w_key", 2, {8, 6}, 0, 0},
      {"bias_hidden", 1, {8}, 1, 0},
      {"score_vector", 1, {8}, 0, 0}}},
    {"{'mechanism':'additive'}",
     {{"query", 3, {2, 3, 5}, 0, 2},
      {"key", 3, {2, 4, 6}, 0, 0},
      {"value", 4, {2, 2, 4, 7}, 1, 8},
      {"w_query", 2, {16, 5}, 0, 0},
      {"w_key", 2, {16, 6}, 0, 0},
      {"score_vector", 2, {2, 8}, 0, 0}}},
    {"{'mechanism':'multiplicative','form':'dot'}",
     {{"query", 3, {2, 3, 5}, 0, 0},
      {"key", 3, {2, 4, 5}, 0, 0},
      {"value", 3, {2, 4, 7}, 1, 4},
      {"mask", 4, {2, 1, 3, 4}, 1, 0}}},
    {"{'mechanism':'multiplicative','form':'general'}",
     {{"query", 3, {2, 3, 5}, 0, 0},
      {"key", 3, {2, 4, 6}, 0, 0},
      {"weight", 2, {5, 6}, 0, 0},
      {"bias", 2, {3, 4}, 1, 0}}},
    {"{'mechanism':'multiplicative','form':'concat'}",
     {{"query", 3, {2, 3, 5}, 0, 2},
      {"key", 3, {2, 4, 6}, 0, 2},
      {"weight", 2, {8, 11}, 0, 0},
      {"score_vector", 1, {8}, 0, 0}}},
    {"{'mechanism':'self'}",
     {{"q", 4, {2, 4, 3, 5}, 0, 4},
      {"k", 4, {2, 2, 4, 5}, 0, 0},
      {"v", 4, {2, 2, 4, 7}, 0, 8},
      {"sink", 1, {4}, 1, 0}}},
    {"{'mechanism':'self','heads':2}",
     {{"x", 3, {2, 3, 5}, 0, 3},
      {"in_weight", 2, {42, 5}, 0, 0},
      {"in_bias", 1, {42}, 1, 0},
      {"out_weight", 2, {9, 14}, 0, 0},
      {"out_bias", 1, {9}, 1, 0}}},
    {"{'mechanism':'self','form':'pairwise'}",
     {{"x", 3, {2, 3, 5}, 0, 0},
      {"value", 3, {2, 3, 7}, 1, 4},
      {"weight", 2, {8, 10}, 0, 0},
      {"w_state", 2, {8, 6}, 0, 0},
      {"state", 3, {2, 3, 6}, 0, 0},
      {"score_vector", 1, {8}, 0, 0}}},
    {"{'mechanism':'convolutional'}",
     {{"x", 3, {2, 3, 5}, 0, 3},
      {"kernel", 3, {8, 10, 3}, 0, 0},
      {"bias_hidden", 1, {8}, 1, 0},
      {"score_vector", 1, {8}, 0, 0}}},
    {"{'mechanism':'convolutional','form':'location'}",
     {{"query", 3, {2, 3, 5}, 0, 2},
      {"key", 3, {2, 4, 6}, 0, 0},
      {"w_query", 2, {8, 5}, 0, 0},
      {"w_key", 2, {8, 6}, 0, 0},
      {"location_kernel", 3, {9, 1, 7}, 0, 0},
      {"w_location", 2, {8, 9}, 0, 0},
      {"previous_alignments", 2, {2, 4}, 0, 0},
      {"score_vector", 1, {8}, 0, 0}}},
    {"{'mechanism':'recurrent'}",
     {{"x", 3, {2, 3, 5}, 0, 3},
      {"weight_ih", 2, {24, 10}, 0, 0},
      {"weight_hh", 2, {24, 6}, 0, 0},
      {"bias_ih", 1, {24}, 1, 0},
      {"bias_hh", 1, {24}, 1, 0},
      {"w_recurrent", 2, {8, 6}, 0, 0},
      {"score_vector", 1, {8}, 0, 0}}},
};

static struct cli_file file;
static int cases;

static const char *type_of(const struct tensor *tensor)
{
    return strcmp(tensor->name, "mask") == 0 ? "BOOL" : "F32";
}

static size_t bytes_of(const struct tensor *tensor, const char *type)
{
    size_t bytes = strcmp(type, "BOOL") == 0 ? 1 : strcmp(type, "I64") == 0 ? 8 : 4;

    for (int axis = 0; axis < tensor->rank; axis++)
        bytes *= (size_t)tensor->size[axis];
    return bytes;
}

/* Makes `file`; the tensor `typed` (or none: -1) has type I64. */
static void build(const struct tensor *tensors, int count, const char *problem, int typed)
{
    char text[4096] = "";
    size_t used = 0, offset = 0;

    for (int i = 0; i < count; i++) {
        const char *type = i == typed ? "I64" : type_of(&tensors[i]);
        size_t end = offset + bytes_of(&tensors[i], type);
        used += (size_t)snprintf(text + used, sizeof text - used, "%s'%s':{'dtype':'%s','shape':[",
                                 i > 0 ? "," : "", tensors[i].name, type);
        for (int axis = 0; axis < tensors[i].rank; axis++)
            used += (size_t)snprintf(text + used, sizeof text - used, "%s%d", axis > 0 ? "," : "",
                                     tensors[i].size[axis]);
        used += (size_t)snprintf(text + used, sizeof text - used, "],'data_offsets':[%zu,%zu]}",
                                 offset, end);
        offset = end;
    }
    cli_file_problem(&file, problem, text, offset);
}

static void expect_right(const char *what)
{
    static struct cli_outcome outcome;
    struct cli_folder folder;

    cli_folder_make(&folder);
    cli_file_save(&file, cli_folder_path(&folder, "problem"));
    cli_run(&outcome, "run", cli_folder_path(&folder, "problem"), "--check", NULL);
    cr_expect_eq(outcome.code, 0, "%s: exit %d: %s%s", what, outcome.code, outcome.err,
                 outcome.out);
    cli_folder_remove(&folder);
}

/* Where two tensors contradict each other either may be named: `word` only where it is clear. */
static void expect_wrong(const char *what, const char *word)
{
    const char *wrong = cli_malformed(&file, word);

    cases++;
    cr_expect_null(wrong, "%s: %s", what, wrong);
}

static void change_size(const struct model *model, const struct tensor *all, int count, int index)
{
    for (int axis = 0; axis < all[index].rank; axis++) {
        struct tensor changed[TENSORS_MAX];
        int broadcasts =
            strcmp(all[index].name, "mask") == 0 || strcmp(all[index].name, "bias") == 0;
        char what[256];
        memcpy(changed, all, sizeof changed);
        changed[index].size[axis]++;
        build(changed, count, model->problem, -1);
        (void)snprintf(what, sizeof what, "%s: %s: axis %d one longer", model->problem,
                       all[index].name, axis);
        if (all[index].free >> axis & 1u)
            expect_right(what);
        else
            expect_wrong(what, NULL);
        changed[index].size[axis] = 0;
        build(changed, count, model->problem, -1);
        (void)snprintf(what, sizeof what, "%s: %s: axis %d of 0", model->problem, all[index].name,
                       axis);
        /* No queries, keys or batch is legal where all agree; widths, the last axes, are not. */
        if (all[index].free >> axis & 1u && axis < all[index].rank - 1)
            expect_right(what);
        else if (!broadcasts)
            expect_wrong(what, NULL);
    }
}

static void change_tensor(const struct model *model, const struct tensor *all, int count, int index)
{
    struct tensor changed[TENSORS_MAX];
    char what[256];

    memcpy(changed, all, sizeof changed);
    memmove(changed + index, changed + index + 1, sizeof changed[0] * (size_t)(count - index - 1));
    build(changed, count - 1, model->problem, -1);
    (void)snprintf(what, sizeof what, "%s: without %s", model->problem, all[index].name);
    if (all[index].optional)
        expect_right(what);
    else if (strcmp(all[index].name, "w_query") != 0 && strcmp(all[index].name, "w_key") != 0)
        expect_wrong(what, all[index].name);
    else
        expect_wrong(what, NULL);
    build(all, count, model->problem, index);
    (void)snprintf(what, sizeof what, "%s: %s of I64", model->problem, all[index].name);
    expect_wrong(what, all[index].name);
    /* [H, A] is a legal score_vector of additive: eight heads of width 1. */
    if (strcmp(model->problem, "{'mechanism':'additive'}") == 0 && index == count - 1)
        return;
    memcpy(changed, all, sizeof changed);
    changed[index].size[changed[index].rank++] = 1;
    build(changed, count, model->problem, -1);
    (void)snprintf(what, sizeof what, "%s: %s with an axis more", model->problem, all[index].name);
    expect_wrong(what, NULL);
}

static void change_model(const struct model *model)
{
    static const char *const strangers[] = {"query",       "q",         "x",          "kernel",
                                            "weight_hh",   "in_bias",   "w_location", "state",
                                            "value_scale", "out_weight"};
    struct tensor all[TENSORS_MAX];
    int count = 0;

    memcpy(all, model->tensors, sizeof all);
    while (count < TENSORS_MAX && all[count].name != NULL)
        count++;
    build(all, count, model->problem, -1);
    expect_right(model->problem);
    for (int i = 0; i < count; i++) {
        change_tensor(model, all, count, i);
        change_size(model, all, count, i);
    }
    for (size_t i = 0; i < COUNT(strangers); i++) {
        int known = 0;
        for (int j = 0; j < count; j++)
            known |= strcmp(all[j].name, strangers[i]) == 0;
        if (known)
            continue;
        all[count] = (struct tensor){.name = strangers[i], .rank = 1, .size = {2}};
        build(all, count + 1, model->problem, -1);
        expect_wrong(model->problem, NULL);
    }
}

Test(shapes, every_change, .timeout = 600)
{
    for (size_t i = 0; i < COUNT(models); i++)
        change_model(&models[i]);
    cr_expect_geq(cases, 300, "only %d cases", cases);
}
