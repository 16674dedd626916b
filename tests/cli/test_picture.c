/* SPDX-License-Identifier: Apache-2.0
 *
 * Heat maps: the SVG is well-formed whatever the labels hold, and both pictures show what the
 * weights say.
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/cli/picture.h"
#include "support.h"

static char *svg_of(const struct attune_picture *picture)
{
    char *text;
    size_t size;
    FILE *file = open_memstream(&text, &size);
    attune_picture_svg(picture, file);
    fclose(file);
    return text;
}

static int count(const char *text, const char *what)
{
    int found = 0;
    for (; (text = strstr(text, what)); text += strlen(what))
        found++;
    return found;
}

/* Past the tag whose name starts at `text`; *closed is 1 when it ends in "/>". Quotes must match.
 */
static const char *skip_tag(const char *text, int *closed)
{
    char quote = 0;
    for (; *text && (quote || *text != '>'); text++) {
        cr_assert_neq(*text, '<', "< inside a tag: %.40s", text);
        if (*text == '"')
            quote = quote ? 0 : '"';
    }
    cr_assert_eq(*text, '>', "a tag that does not end");
    *closed = text[-1] == '/';
    return text + 1;
}

static void assert_character(const char *text)
{
    if (*text == '&')
        cr_assert(!strncmp(text, "&amp;", 5) || !strncmp(text, "&lt;", 4) ||
                      !strncmp(text, "&gt;", 4) || !strncmp(text, "&quot;", 6),
                  "a bare & before %.20s", text);
    cr_assert((unsigned char)*text >= 0x20 || *text == '\n', "a control character");
}

/* Elements nest and end, and & begins one of XML's own entities. */
static void assert_well_formed(const char *text)
{
    char stack[16][16];
    int depth = 0, roots = 0;
    while (*text) {
        if (*text != '<') {
            assert_character(text++);
            continue;
        }
        const int closes = text[1] == '/';
        const char *name = text + 1 + closes;
        const size_t length = strcspn(name, " />");
        if (closes) {
            cr_assert_gt(depth, 0);
            depth--;
            cr_assert(strlen(stack[depth]) == length && !strncmp(stack[depth], name, length),
                      "%s is closed by %.*s", stack[depth], (int)length, name);
            text = name + length + 1;
        } else {
            int closed;
            cr_assert(depth < 16 && length > 0 && length < 16);
            snprintf(stack[depth], 16, "%.*s", (int)length, name);
            roots += depth == 0;
            text = skip_tag(name, &closed);
            depth += !closed;
        }
    }
    cr_assert_eq(depth, 0);
    cr_assert_eq(roots, 1);
}

static const float weights[] = {0.9f, 0.1f, NAN, -1, 2, 0.5f};

Test(picture, svg_is_well_formed_with_hostile_labels)
{
    const char *rows[] = {"<script>", "a&b\"'"}, *columns[] = {"\x01\x1b[31m", "日本", "]]>"};
    const struct attune_picture picture = {.title = "</title><x>",
                                           .subtitle = "&&",
                                           .row_axis = "<r>",
                                           .column_axis = "\"c\"",
                                           .rows = 2,
                                           .columns = 3,
                                           .stride = 3,
                                           .weights = weights,
                                           .row_labels = rows,
                                           .column_labels = columns};
    char *text = svg_of(&picture);
    assert_well_formed(text);
    cr_assert_null(strstr(text, "<script"));
    cr_assert_eq(count(text, "</title></rect>"), 6);
    cr_assert_not_null(strstr(text, "prefers-color-scheme:dark"));
    cr_assert_not_null(strstr(text, "role=\"img\""));
    cr_assert_not_null(strstr(text, "<desc id=\"desc\">"));
    cr_assert_not_null(strstr(text, "日本"));
    free(text);
}

static char *terminal_of(const struct attune_picture *picture, int width)
{
    char *text;
    size_t size;
    FILE *file = open_memstream(&text, &size);
    attune_picture_terminal(picture, file, 0, width);
    fclose(file);
    return text;
}

Test(picture, no_label_moves_the_cursor)
{
    const char *rows[] = {"\x1b[2J", "\xff\xc0\x80\xed\xa0\x80"}, *columns[] = {"\r", "日本", "\xc2\x9b"};
    const struct attune_picture picture = {.title = "\x1b]0;title\x07",
                                           .row_axis = "\b",
                                           .column_axis = "c",
                                           .rows = 2,
                                           .columns = 3,
                                           .stride = 3,
                                           .weights = weights,
                                           .row_labels = rows,
                                           .column_labels = columns};
    char *text = terminal_of(&picture, 0);
    for (const char *c = text; *c; c++)
        cr_assert((unsigned char)*c >= 0x20 || *c == '\n', "a control character");
    cr_assert_null(strstr(text, "\xc2\x9b"), "a control character of two bytes");
    cr_assert_null(strchr(text, '\xff'), "no UTF-8");
    cr_assert_not_null(strstr(text, "?]0;title?\n"));
    cr_assert_not_null(strstr(text, "?[2J"));
    cr_assert_not_null(strstr(text, "日"));
    cr_assert_not_null(strstr(text, "??????"), "six bytes that are no UTF-8");
    free(text);
}

/* A row gives 1 to its own column, so that a cell of 3 rows and 3 columns on the diagonal gets 1. */
Test(picture, what_is_too_large_is_drawn_in_blocks)
{
    enum { SIZE = 190 };
    static float identity[SIZE][SIZE];
    const struct attune_picture picture = {.title = "t",
                                           .row_axis = "r",
                                           .column_axis = "c",
                                           .rows = SIZE,
                                           .columns = SIZE,
                                           .stride = SIZE,
                                           .weights = identity[0]};
    for (int i = 0; i < SIZE; i++)
        identity[i][i] = 1;
    char *text = svg_of(&picture);
    assert_well_formed(text);
    cr_assert_eq(count(text, "<rect class=\"w11\""), SIZE / 2 + 1, "the diagonal and the legend");
    cr_assert_not_null(strstr(text, "A cell stands for 2 rows and 2 columns."));
    free(text);

    text = terminal_of(&picture, 0);
    cr_assert_eq(count(text, "██ "), (SIZE + 2) / 3 + 1);
    cr_assert_not_null(strstr(text, "a cell is 3 x 3 of them"));
    free(text);

    text = terminal_of(&picture, 80);
    for (const char *line = text, *end; (end = strchr(line, '\n')); line = end + 1) {
        int width = 0;
        for (const char *c = line; c < end; c++)
            width += (*c & 0xc0) != 0x80;
        cr_assert_leq(width, 80, "%.*s", (int)(end - line), line);
    }
    free(text);
}

Test(picture, svg_of_nothing_is_well_formed)
{
    const struct attune_picture picture = {
        .title = "", .row_axis = "rows", .column_axis = "columns"};
    char *text = svg_of(&picture);
    assert_well_formed(text);
    free(text);
}

Test(picture, weights_out_of_range_are_drawn_at_its_ends)
{
    const struct attune_picture picture = {.title = "t",
                                           .row_axis = "r",
                                           .column_axis = "c",
                                           .rows = 2,
                                           .columns = 3,
                                           .stride = 3,
                                           .weights = weights};
    char *text = svg_of(&picture);
    const char *cells[] = {"0 attends to 0: 0.900", "0 attends to 2: 0.000",
                           "1 attends to 0: 0.000", "1 attends to 1: 1.000",
                           "1 attends to 2: 0.500"};
    for (size_t i = 0; i < sizeof cells / sizeof *cells; i++)
        cr_assert_not_null(strstr(text, cells[i]), "no \"%s\"", cells[i]);
    free(text);
}

Test(picture, command_draws_a_word)
{
    static struct cli_outcome outcome;
    static char svg[CLI_TEXT];
    struct cli_folder folder;
    cli_folder_make(&folder);
    const char *path = cli_folder_path(&folder, "knight.svg");
    cli_run(&outcome, "picture", ATTUNE_DATA "/g2p_additive.safetensors", "--entry", "knight",
            "--svg", path, NULL);
    cr_assert_eq(outcome.code, 0, "%s", outcome.err);
    cr_assert_not_null(strstr(outcome.out, "knight\nN AY T </s>\n"), "%s", outcome.out);
    cr_assert_not_null(strstr(outcome.out, "k  n  i  g  h  t\n"), "%s", outcome.out);
    cr_assert_null(strchr(outcome.out, '\x1b'), "colors where there is no terminal");
    FILE *file = fopen(path, "r");
    cr_assert_not_null(file);
    svg[fread(svg, 1, sizeof svg - 1, file)] = '\0';
    fclose(file);
    assert_well_formed(svg);
    cr_assert_eq(count(svg, "</title></rect>"), 4 * 6);
    cli_folder_remove(&folder);
}

Test(picture, command_refuses_what_is_not_there)
{
    static struct cli_outcome outcome;
    const char *file = ATTUNE_DATA "/g2p_additive.safetensors";
    static const char *const wrong[][2] = {
        {"--entry", "xyzzy"}, {"--entry", "32"}, {"--entry", "-1"}, {"--head", "1"}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        cli_run(&outcome, "picture", file, wrong[i][0], wrong[i][1], NULL);
        cr_assert_eq(outcome.code, 2, "%s %s", wrong[i][0], wrong[i][1]);
        cr_assert(cli_is_one_line(outcome.err), "%s", outcome.err);
        cr_assert_str_empty(outcome.out);
    }
}

Test(picture, command_keeps_the_problem_and_names_the_picture)
{
    static struct cli_outcome outcome;
    struct cli_folder folder;
    cli_folder_make(&folder);
    const char *problem = cli_folder_path(&folder, "problem.safetensors");
    cr_assert_eq(symlink(ATTUNE_DATA "/g2p_additive.safetensors", problem), 0);
    cli_run(&outcome, "picture", ATTUNE_DATA "/g2p_additive.safetensors", "--svg", problem, NULL);
    cr_assert_eq(outcome.code, 2);
    cr_assert(cli_is_one_line(outcome.err), "%s", outcome.err);
    const char *nowhere = cli_folder_path(&folder, "no/picture.svg");
    cli_run(&outcome, "picture", problem, "--svg", nowhere, NULL);
    cr_assert_eq(outcome.code, 4);
    cr_assert_not_null(strstr(outcome.err, nowhere), "%s", outcome.err);
    cli_folder_remove(&folder);
}
