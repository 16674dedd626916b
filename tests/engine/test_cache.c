/* SPDX-License-Identifier: Apache-2.0
 *
 * Tuned choices in a context: loading and saving through the public functions, what an application
 * ships, and that no cache, whatever is in it, changes a result.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/plan.h"
#include "tests/support/describe.h"
#include "tests/support/random.h"

enum { H = 2, T = 300, D = 40 };

static char folder[64];

static void set_up(void)
{
    strcpy(folder, "/tmp/attune-engine-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    (void)setenv("HOME", folder, 1);
    (void)unsetenv("XDG_DATA_HOME");
    (void)unsetenv("ATTUNE_CACHE");
}

static void tear_down(void)
{
    char command[128];
    (void)snprintf(command, sizeof command, "rm -rf '%s'", folder);
    cr_assert_eq(system(command), 0);
}

TestSuite(cache, .init = set_up, .fini = tear_down, .timeout = 120);

static const char *in_folder(const char *name)
{
    static char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static struct attune_context *context_of(struct attune_context_options options)
{
    struct attune_context *context = NULL;
    options.struct_size = sizeof options;
    options.threads = 1;
    cr_assert_eq(attune_context_create(&options, &context), ATTUNE_OK, "%s", attune_error_detail());
    return context;
}

static struct attune_plan *plan_of(struct attune_context *context)
{
    const struct attune_problem problem = describe_self(H, T, D);
    struct attune_plan *plan = NULL;
    cr_assert_eq(attune_plan_create(context, &problem, &plan), ATTUNE_OK, "%s", attune_error_detail());
    return plan;
}

/* The output for one fixed problem. */
static void compute(struct attune_context *context, float *out)
{
    static float in[3 * H * T * D];
    struct test_random random = {3};
    for (int i = 0; i < 3 * H * T * D; i++)
        in[i] = (float)random_normal(&random);
    struct attune_plan *plan = plan_of(context);
    struct attune_args args = {.struct_size = sizeof args};
    args.in[ATTUNE_IN_Q] = in;
    args.in[ATTUNE_IN_K] = in + H * T * D;
    args.in[ATTUNE_IN_V] = in + 2 * H * T * D;
    args.out[ATTUNE_OUT_OUT] = out;
    args.workspace_size = attune_plan_workspace_size(plan);
    args.workspace = malloc(args.workspace_size);
    cr_assert_eq(attune_plan_execute(plan, &args), ATTUNE_OK, "%s", attune_error_detail());
    free(args.workspace);
    attune_plan_release(plan);
}

/* A choice for the problem above that the model does not make: fewer rows at a time, other bits. */
static void tuned_choice(struct attune_context *context, struct attune_key *key,
                         struct attune_choice *choice)
{
    struct attune_plan *plan = plan_of(context);
    *key = plan->asked.key;
    *choice = (struct attune_choice){.verdict = ATTUNE_VERDICT_WIN, .speedup = 1100, .low = 1090,
                                     .high = 1110, .strip = 1, .q_block = 7, .kv_block = 192};
    attune_plan_release(plan);
}

static struct attune_context *tuned_context(void)
{
    struct attune_key key;
    struct attune_choice choice;
    struct attune_context *context = context_of((struct attune_context_options){.cache_path = ""});
    tuned_choice(context, &key, &choice);
    cr_assert_eq(attune_cache_put(context->cache, &key, &choice, ATTUNE_LAYER_TUNED), 0);
    return context;
}

static int32_t q_block_of(struct attune_context *context)
{
    struct attune_plan *plan = plan_of(context);
    const int32_t q_block = plan->origin == ATTUNE_ORIGIN_TUNED ? plan->choice.q_block : -1;
    attune_plan_release(plan);
    return q_block;
}

static char *exported(struct attune_context *context, size_t *size)
{
    *size = attune_cache_export(context, NULL, 0);
    char *text = malloc(*size + 1);
    cr_assert_eq(attune_cache_export(context, text, *size + 1), *size);
    cr_assert_eq(strlen(text), *size);
    return text;
}

Test(cache, what_is_saved_or_exported_is_taken_up_again)
{
    size_t size;
    struct attune_context *tuned = tuned_context();
    char *text = exported(tuned, &size), cut[64];
    cr_assert_eq(attune_cache_export(tuned, cut, sizeof cut), size);
    cr_assert(strlen(cut) == sizeof cut - 1 && strncmp(cut, text, sizeof cut - 1) == 0);
    cr_assert_eq(attune_cache_save(tuned, in_folder("a.cache")), ATTUNE_OK);
    struct attune_context *plain = context_of((struct attune_context_options){.cache_path = ""});
    cr_assert_eq(q_block_of(plain), -1);
    cr_assert_eq(attune_cache_load(plain, in_folder("a.cache")), ATTUNE_OK, "%s",
                 attune_error_detail());
    cr_assert_eq(q_block_of(plain), 7);
    attune_context_release(plain);
    plain = context_of((struct attune_context_options){.cache_path = ""});
    cr_assert_eq(attune_cache_import(plain, text, size), ATTUNE_OK, "%s", attune_error_detail());
    cr_assert_eq(q_block_of(plain), 7);
    attune_context_release(plain);
    attune_context_release(tuned);
    free(text);
}

Test(cache, an_import_takes_all_or_nothing)
{
    size_t size;
    struct attune_context *tuned = tuned_context();
    struct attune_context *plain = context_of((struct attune_context_options){.cache_path = ""});
    char *text = exported(tuned, &size);
    for (size_t i = 0; i + 1 < size; i++) {
        text[i] ^= 4;
        cr_assert_eq(attune_cache_import(plain, text, size), ATTUNE_ERROR_INVALID, "byte %zu", i);
        cr_assert_str_not_empty(attune_error_detail());
        text[i] ^= 4;
        cr_assert_eq(attune_cache_import(plain, text, i), ATTUNE_ERROR_INVALID, "cut at %zu", i);
    }
    cr_assert_eq(attune_cache_count(plain->cache), 0);
    cr_assert_eq(attune_cache_load(plain, in_folder("none")), ATTUNE_ERROR_SYSTEM);
    cr_assert_not_null(strstr(attune_error_detail(), "none: No such file or directory"));
    cr_assert_eq(attune_cache_save(plain, in_folder("no/such/folder")), ATTUNE_ERROR_SYSTEM);
    cr_assert_eq(attune_cache_save(plain, NULL), ATTUNE_ERROR_INVALID);
    cr_assert_str_eq(attune_error_detail(), "path: NULL, and the context has no cache file");
    cr_assert_eq(attune_cache_load(NULL, "x"), ATTUNE_ERROR_INVALID);
    cr_assert_eq(attune_cache_import(plain, NULL, 1), ATTUNE_ERROR_INVALID);
    attune_context_release(plain);
    attune_context_release(tuned);
    free(text);
}

Test(cache, what_an_application_ships_is_used_and_the_users_own_comes_first)
{
    size_t size;
    struct attune_context *tuned = tuned_context();
    char *text = exported(tuned, &size), name[64];
    struct attune_context *context = context_of(
        (struct attune_context_options){.shipped_data = text, .shipped_size = size});
    cr_assert_eq(q_block_of(context), 7);
    struct attune_key key;
    struct attune_choice choice;
    tuned_choice(context, &key, &choice);
    choice.q_block = 5;
    cr_assert_eq(attune_cache_put(context->cache, &key, &choice, ATTUNE_LAYER_TUNED), 0);
    cr_assert_eq(attune_cache_save(context, NULL), ATTUNE_OK, "%s", attune_error_detail());
    attune_context_release(context);
    (void)snprintf(name, sizeof name, "%s.cache", attune_fingerprint_get()->digest);
    cr_assert_eq(attune_cache_save(tuned, in_folder(name)), ATTUNE_OK);
    context = context_of((struct attune_context_options){.shipped_cache = folder});
    cr_assert_eq(q_block_of(context), 5, "the user's file is found and wins");
    attune_context_release(context);
    (void)setenv("HOME", "/nonexistent", 1);
    context = context_of((struct attune_context_options){.shipped_cache = folder});
    cr_assert_eq(q_block_of(context), 7, "the folder that is shipped");
    attune_context_release(context);
    (void)setenv("ATTUNE_CACHE", in_folder(name), 1);
    context = context_of((struct attune_context_options){0});
    cr_assert_eq(q_block_of(context), 7, "ATTUNE_CACHE");
    attune_context_release(context);
    attune_context_release(tuned);
    free(text);
}

/* The model's output, or that of the tuned choice, bit for bit: from whatever the file says. */
Test(cache, a_damaged_cache_changes_no_result)
{
    static float model[H * T * D], chosen[H * T * D], out[H * T * D];
    struct attune_context *tuned = tuned_context();
    struct test_random random = {11};
    size_t size;
    char *text = exported(tuned, &size);
    char *path = strdup(in_folder("some.cache"));
    compute(tuned, chosen);
    struct attune_context *plain = context_of((struct attune_context_options){.cache_path = ""});
    compute(plain, model);
    cr_assert_neq(memcmp(model, chosen, sizeof model), 0, "the two differ, or nothing is tested");
    for (int round = 0; round < 60; round++) {
        char *bytes = malloc(size);
        memcpy(bytes, text, size);
        /* Nothing, a flipped bit, a cut end, noise in half of it, noise in all. */
        const int64_t noisy = round % 5 == 3 ? (int64_t)size / 2 : round % 5 == 4 ? (int64_t)size : 0;
        for (int64_t i = 0; i < noisy; i++)
            bytes[i] = (char)random_between(&random, 0, 255);
        if (round % 5 == 1)
            bytes[random_between(&random, 0, (int64_t)size - 1)] ^= 1;
        const size_t length =
            round % 5 == 2 ? (size_t)random_between(&random, 0, (int64_t)size) : size;
        FILE *file = fopen(path, "wb");
        cr_assert(file != NULL && fwrite(bytes, 1, length, file) == length && fclose(file) == 0);
        struct attune_context *context =
            context_of((struct attune_context_options){.cache_path = path});
        compute(context, out);
        cr_assert(memcmp(out, model, sizeof out) == 0 || memcmp(out, chosen, sizeof out) == 0);
        cr_assert(round % 5 != 0 || memcmp(out, chosen, sizeof out) == 0);
        cr_assert(round % 5 < 3 || memcmp(out, model, sizeof out) == 0);
        attune_context_release(context);
        free(bytes);
    }
    attune_context_release(plain);
    attune_context_release(tuned);
    free(text);
    free(path);
}

static char said[512];

static void note(void *user, enum attune_log_level level, const char *message)
{
    (void)user;
    cr_assert_eq(level, ATTUNE_LOG_WARNING);
    (void)snprintf(said, sizeof said, "%s", message);
}

Test(cache, a_file_that_does_not_serve_is_told_to_who_listens)
{
    char expected[256];
    const char *path = in_folder("odd.cache");
    struct attune_context_options options = {.cache_path = path, .log = note};
    attune_context_release(context_of(options));
    cr_assert_str_empty(said, "a file that is not there is no trouble");
    FILE *file = fopen(path, "wb");
    cr_assert(file != NULL && fputs("odd\n", file) >= 0 && fclose(file) == 0);
    attune_context_release(context_of(options));
    (void)snprintf(expected, sizeof expected, "tuned choices, explicit file %s: not a cache of Attune",
                   path);
    cr_assert_eq(strncmp(said, expected, strlen(expected)), 0, "%s", said);
}

Test(cache, what_was_missed_is_written_when_a_context_is_released)
{
    struct attune_document doc;
    struct attune_missed missed;
    (void)setenv("ATTUNE_TUNE", "record", 1);
    for (int i = 0; i < 2; i++) {
        struct attune_context *context =
            context_of((struct attune_context_options){.cache_path = in_folder("m.cache")});
        attune_plan_release(plan_of(context));
        attune_context_release(context);
    }
    (void)unsetenv("ATTUNE_TUNE");
    cr_assert_eq(attune_cache_file_parse(in_folder("m.cache"), &doc, NULL), 0);
    int found = 0;
    for (size_t i = 0; i < doc.sections[0].count; i++)
        if (attune_line_missed(&doc.sections[0].lines[i], &missed, NULL) == 0) {
            cr_assert(missed.count == 2 && missed.key.d == D);
            found++;
        }
    cr_assert_eq(found, 1);
    attune_document_free(&doc);
}
