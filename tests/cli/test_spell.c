/* SPDX-License-Identifier: Apache-2.0
 *
 * The example that spells words: its answers are in the data, as the labels of the problem that was
 * taken out of the same model.
 */
#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "bench/cli/safetensors.h"

#define SPELL "'" ATTUNE_SPELL "' --model '" ATTUNE_DATA "/g2p_model.safetensors'"

static char out[8192];

/* Runs a shell command; what it prints is in `out`. Returns its exit code. */
static int run(const char *command)
{
    FILE *pipe = popen(command, "r");
    cr_assert_not_null(pipe);
    out[fread(out, 1, sizeof out - 1, pipe)] = '\0';
    return WEXITSTATUS(pclose(pipe));
}

/* Appends the strings of a list with `between` in between, up to the end mark. */
static void append(char *text, const json_t *list, const char *between)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *label = json_string_value(json_array_get(list, i));
        if (strcmp(label, "</s>") == 0)
            break;
        sprintf(text + strlen(text), "%s%s", i ? between : "", label);
    }
}

Test(spell, words_of_the_data_get_their_phonemes)
{
    static char command[8192], wanted[8192];
    struct attune_safetensors file;
    struct attune_trouble trouble;
    cr_assert_eq(attune_safetensors_read(ATTUNE_DATA "/g2p_additive.safetensors", &file, &trouble),
                 0);
    json_t *labels = json_loads(attune_safetensors_metadata(&file, "attune.labels"), 0, NULL);
    const json_t *words = json_object_get(labels, "key");
    const json_t *phonemes = json_object_get(labels, "query");
    cr_assert_eq(json_array_size(words), 32);
    strcpy(command, SPELL " --quiet");
    for (size_t i = 0; i < json_array_size(words); i++) {
        strcat(command, " ");
        append(command, json_array_get(words, i), "");
        append(wanted, json_array_get(words, i), "");
        strcat(wanted, "\t");
        append(wanted, json_array_get(phonemes, i), " ");
        strcat(wanted, "\n");
    }
    cr_assert_eq(run(command), 0);
    cr_assert_str_eq(out, wanted);
    json_decref(labels);
    attune_safetensors_free(&file);
}

Test(spell, a_picture_names_the_letters)
{
    cr_assert_eq(run(SPELL " knight"), 0);
    cr_assert_not_null(strstr(out, "knight\nN AY T\n"), "%s", out);
    cr_assert_not_null(strstr(out, "k  n  i  g  h  t\n"), "%s", out);
    cr_assert_not_null(strstr(out, "kernels: score_tanh_"), "%s", out);
}

Test(spell, what_is_no_word_is_refused_and_the_rest_is_spelt)
{
    cr_assert_eq(run(SPELL " -q s3t '' SET 2>/dev/null"), 2);
    cr_assert_str_eq(out, "SET\tS EH T\n");
    cr_assert_eq(run(SPELL " 2>/dev/null"), 2);
    cr_assert_eq(run(SPELL " --nonsense 2>/dev/null"), 2);
    cr_assert_eq(run("'" ATTUNE_SPELL "' --model /does/not/exist word 2>/dev/null"), 2);
    cr_assert_eq(run("'" ATTUNE_SPELL "' --help"), 0);
    cr_assert_not_null(strstr(out, "exit codes"));
}
