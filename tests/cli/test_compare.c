/* SPDX-License-Identifier: Apache-2.0
 *
 * attune compare: synthetic files and commands with known answers, what is not compared, exit codes.
 */
#include <criterion/criterion.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "bench/compare.h"
#include "support.h"

static struct cli_outcome outcome;
static struct cli_folder folder;
static char paths[2][CLI_PATH];

static void setup(void)
{
    cli_folder_make(&folder);
    for (int i = 0; i < 2; i++)
        (void)snprintf(paths[i], CLI_PATH, "%s/%c.jsonl", folder.path, 'a' + i);
}

static void teardown(void)
{
    cli_folder_remove(&folder);
}

/* What one file holds: cases whose rounds take `seconds` and a little more, under `roof`. */
struct made {
    const char *id, *hardware;
    double seconds, roof, noise, work;
    const char *dtype, *isa, *extra; /* extra: more lines */
    int threads;
};

static void write_case(FILE *file, const struct made *made, const char *name, double seconds)
{
    static const double wobble[] = {0, .004, .001, .003, .002, .005, .0, .002, .001, .006};
    double times[10], roofs[10];
    for (int i = 0; i < 10; i++) {
        times[i] = seconds * (1 + wobble[i]);
        roofs[i] = made->roof;
    }
    const struct attune_result_line line = {
        .machine = made->id, .name = name, .family = name, .spec = name, .engine = "attune",
        .dtype = made->dtype ? made->dtype : "f32", .threads = made->threads ? made->threads : 1,
        .threads_asked = "all", .isa = made->isa ? made->isa : "avx2", .outcome = "ok", .min_s = seconds,
        .median_s = 1.002 * seconds, .low_s = NAN, .high_s = NAN, .noise = made->noise,
        .samples = 10, .calls = 1, .settled = 1, .work = 1e6, .work_unit = "flop",
        .bound_by = "fma", .roof = made->roof, .share = 1e6 / seconds / made->roof, .pairs = NAN,
        .arithmetic = made->work > 0 ? made->work : 1e6, .arithmetic_unit = "flop", .bytes = 1000,
        .error_over_bound = NAN, .round_s = {times, 10}, .round_roof = {roofs, 10}};
    char *text = attune_line_text(ATTUNE_LINE_RESULT, &line);
    cr_assert_not_null(text);
    (void)fprintf(file, "%s\n", text);
    free(text);
}

/* One case "x", or with `second` > 0 a case "y" of that time too. */
static void make(int which, const struct made *made, double second)
{
    FILE *file = fopen(paths[which], "we");
    cr_assert_not_null(file);
    (void)fprintf(file,
                  "{\"format\":1,\"kind\":\"machine\",\"id\":\"%s\",\"hardware\":\"%s\","
                  "\"time\":\"t\",\"cpu\":{},\"caches\":{},\"topology\":{}}\n",
                  made->id, made->hardware);
    write_case(file, made, "x", made->seconds);
    if (second > 0)
        write_case(file, made, "y", second);
    if (made->extra)
        (void)fputs(made->extra, file);
    (void)fclose(file);
}

/* What did not settle decides nothing, whatever it says. */
static void unsettle(int which)
{
    char text[8192];
    FILE *file = fopen(paths[which], "r+e");
    cr_assert_not_null(file);
    const size_t length = fread(text, 1, sizeof text - 1, file);
    text[length] = '\0';
    char *flag = strstr(text, "\"settled\":true");
    cr_assert_not_null(flag);
    memcpy(flag, "\"settled\":null", 14);
    rewind(file);
    cr_assert_eq(fwrite(text, 1, length, file), length);
    (void)fclose(file);
}

static const struct attune_cell *compare(struct attune_comparison *comparison)
{
    const char *const names[] = {paths[0], paths[1]};
    int at;
    cr_assert_eq(attune_compare(names, 2, comparison, &at), ATTUNE_OK, "%s", attune_error_detail());
    return &comparison->row[0].cell[1];
}

Test(compare, a_shift_of_logarithms_is_found)
{
    double a[20], b[20];
    for (int i = 0; i < 20; i++) {
        a[i] = sin(i) * 0.01;
        b[i] = cos(3 * i) * 0.01 + log(1.25);
    }
    const struct attune_ratio ratio = attune_compare_logarithms(a, 20, b, 20);
    cr_expect_float_eq(ratio.estimate, 1.25, 0.01);
    cr_expect_lt(ratio.low, 1.25);
    cr_expect_gt(ratio.high, 1.25);
    cr_expect_gt(ratio.low, 1.2);
    cr_expect_lt(ratio.high, 1.3);
    const struct attune_ratio single = attune_compare_logarithms(a, 1, b, 1);
    cr_expect_eq(single.low, single.high);
}

Test(compare, one_machine_is_compared_by_share, .init = setup, .fini = teardown)
{
    struct attune_comparison comparison;
    /* Twice the time, but the roof was half as high in the same rounds: the clock was. */
    make(0, &(struct made){.id = "a", .hardware = "h", .seconds = 1e-3, .roof = 2e9}, 0);
    make(1, &(struct made){.id = "b", .hardware = "h", .seconds = 2e-3, .roof = 1e9}, 0);
    const struct attune_cell *cell = compare(&comparison);
    cr_expect_eq(cell->ratio.by_share, 1);
    cr_expect_float_eq(cell->ratio.estimate, 1, 1e-9);
    cr_expect_eq(cell->ratio.verdict, ATTUNE_SAME);
    attune_comparison_free(&comparison);
}

/* Half the time under a roof twice as high is twice the speed, not the same share. */
Test(compare, instruction_sets_are_compared_by_time, .init = setup, .fini = teardown)
{
    struct attune_comparison comparison;
    make(0, &(struct made){.id = "a", .hardware = "h", .seconds = 2e-3, .roof = 1e9}, 0);
    make(1, &(struct made){.id = "b", .hardware = "h", .seconds = 1e-3, .roof = 2e9,
                           .isa = "avx512"}, 0);
    const struct attune_cell *cell = compare(&comparison);
    cr_expect_eq(cell->ratio.by_share, 0);
    cr_expect_float_eq(cell->ratio.estimate, 2, 1e-9);
    attune_comparison_free(&comparison);
}

Test(compare, different_machines_are_compared_by_time, .init = setup, .fini = teardown)
{
    struct attune_comparison comparison;
    make(0, &(struct made){.id = "a", .hardware = "h", .seconds = 1e-3, .roof = 2e9, .threads = 4},
         4e-3);
    make(1, &(struct made){.id = "b", .hardware = "i", .seconds = 2e-3, .roof = 1e9, .threads = 8},
         1e-3);
    const struct attune_cell *cell = compare(&comparison);
    cr_expect_eq(cell->ratio.by_share, 0);
    cr_expect_float_eq(cell->ratio.estimate, 0.5, 1e-9);
    cr_expect_eq(cell->ratio.verdict, ATTUNE_SLOWER);
    cr_expect_eq(comparison.row[0].best, 0);
    cr_expect_eq(comparison.row[1].best, 1);
    cr_expect_float_eq(comparison.row[1].cell[1].ratio.estimate, 4, 1e-9);
    cr_assert_eq(comparison.means, 3, "two families and all");
    const struct attune_mean *all = &comparison.mean[2];
    cr_expect_str_eq(all->family, "all");
    cr_expect_float_eq(all->speedup[1], sqrt(0.5 * 4), 1e-9);
    cr_expect_float_eq(all->per_thread[1], sqrt(0.5 * 4) / 2, 1e-9);
    cr_expect_float_eq(all->share[0], sqrt(0.5 * 0.125), 1e-9);
    cr_expect_eq(all->wins[0], 1);
    cr_expect_eq(all->wins[1], 1);
    attune_comparison_free(&comparison);
}

Test(compare, noise_of_the_runs_widens_the_interval, .init = setup, .fini = teardown)
{
    struct attune_comparison comparison;
    for (int noisy = 0; noisy <= 1; noisy++) {
        make(0, &(struct made){.id = "a", .hardware = "h", .seconds = 1e-3, .roof = 1e9}, 0);
        make(1, &(struct made){.id = "b", .hardware = "h", .seconds = 1.06e-3, .roof = 1e9,
                               .noise = noisy ? 0.2 : 0.001}, 0);
        const struct attune_cell *cell = compare(&comparison);
        cr_expect_float_eq(cell->ratio.estimate, 1 / 1.06, 1e-9);
        cr_expect_eq(cell->ratio.verdict, noisy ? ATTUNE_NOISY : ATTUNE_SLOWER);
        attune_comparison_free(&comparison);
    }
}

/* Of many equal cases some have an interval that just misses 1: that is no difference, as with --live. */
Test(compare, an_interval_that_just_misses_1_decides_nothing, .init = setup, .fini = teardown)
{
    int count[3] = {0};
    make(0, &(struct made){.id = "a", .hardware = "h", .seconds = 1e-3, .roof = 1e9}, 0);
    for (int i = -80; i <= 80; i++) {
        struct attune_comparison comparison;
        make(1, &(struct made){.id = "b", .hardware = "h", .seconds = 1e-3 * (1 + i * 1e-3),
                               .roof = 1e9}, 0);
        const struct attune_ratio ratio = compare(&comparison)->ratio;
        const int faster = ratio.low > 1.015, slower = ratio.high < 1 / 1.015;
        cr_expect_eq(ratio.verdict, faster   ? ATTUNE_FASTER
                                    : slower ? ATTUNE_SLOWER
                                             : ATTUNE_SAME,
                     "%.3f [%.3f, %.3f]", ratio.estimate, ratio.low, ratio.high);
        count[0] += faster || slower;
        count[1] += !faster && !slower && (ratio.low > 1 || ratio.high < 1);
        count[2] += ratio.low <= 1 && ratio.high >= 1;
        attune_comparison_free(&comparison);
    }
    cr_expect(count[0] > 20 && count[1] > 10 && count[2] > 10, "%d %d %d", count[0], count[1], count[2]);
}

Test(compare, what_did_not_settle_decides_nothing, .init = setup, .fini = teardown)
{
    struct attune_comparison comparison;
    make(0, &(struct made){.id = "a", .hardware = "h", .seconds = 1e-3, .roof = 1e9}, 0);
    make(1, &(struct made){.id = "b", .hardware = "h", .seconds = 2e-3, .roof = 1e9}, 0);
    unsettle(1);
    cr_expect_eq(compare(&comparison)->ratio.verdict, ATTUNE_NOISY);
    cr_expect_eq(comparison.noisy, 1);
    attune_comparison_free(&comparison);
    cli_run(&outcome, "compare", paths[0], paths[1], "--fail-above", "3%", NULL);
    cr_expect_eq(outcome.code, 0);
    cr_expect_not_null(strstr(outcome.err, "too noisy"), "silence");
}

Test(compare, what_differs_is_named_and_not_compared, .init = setup, .fini = teardown)
{
    static const struct {
        struct made made;
        const char *word;
    } others[] = {
        {{.id = "b", .hardware = "h", .seconds = 1e-3, .roof = 1e9, .work = 2e6}, "work"},
        {{.id = "b", .hardware = "h", .seconds = 1e-3, .roof = 1e9, .dtype = "f16"},
         "element types"},
        {{.id = "b", .hardware = "h", .seconds = 1e-3, .roof = 1e9,
          .extra = "{\"format\":2,\"kind\":\"result\",\"case\":\"z\"}\n"},
         "z has format 2"},
        {{.id = "b", .hardware = "h", .seconds = 1e-3, .roof = 1e9,
          .extra = "{\"format\":1,\"kind\":\"result\",\"machine\":\"b\",\"case\":\"w\",\"family\":"
                   "\"f\",\"spec\":\"s\",\"engine\":\"attune\",\"dtype\":\"f32\",\"threads\":1,"
                   "\"threads_asked\":\"all\",\"isa\":\"\",\"outcome\":\"skipped\",\"reason\":"
                   "\"too large\"}\n"},
         "w, threads all: b: skipped: too large"},
    };
    make(0, &(struct made){.id = "a", .hardware = "h", .seconds = 1e-3, .roof = 1e9}, 1e-3);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        make(1, &others[i].made, 0);
        cli_run(&outcome, "compare", paths[0], paths[1], NULL);
        cr_expect_eq(outcome.code, 0, "%s", outcome.err);
        cr_expect_not_null(strstr(outcome.out, "Not compared"));
        cr_expect_not_null(strstr(outcome.out, others[i].word), "no %s in\n%s", others[i].word,
                           outcome.out);
        cr_expect_not_null(strstr(outcome.out, "b lacks 1 of"), "the missing y is not named:\n%s",
                           outcome.out);
    }
}

Test(compare, fail_above_is_an_exit_code, .init = setup, .fini = teardown)
{
    static const struct {
        double seconds;
        const char *limit;
        int code;
    } cases[] = {{1.00e-3, "3%", 0}, {1.02e-3, "0%", 0}, /* within what runs differ by */
                 {1.10e-3, "3%", 1}, {1.10e-3, "15", 0}, {0.80e-3, "0", 0}};
    make(0, &(struct made){.id = "a", .hardware = "h", .seconds = 1e-3, .roof = 1e9}, 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        make(1, &(struct made){.id = "b", .hardware = "h", .seconds = cases[i].seconds,
                               .roof = 1e9}, 0);
        cli_run(&outcome, "compare", paths[0], paths[1], "--fail-above", cases[i].limit, NULL);
        cr_expect_eq(outcome.code, cases[i].code, "%zu: %s", i, outcome.err);
        cr_expect(cases[i].code == 0 || cli_is_one_line(outcome.err), "%s", outcome.err);
    }
}

Test(compare, markdown_csv_and_json)
{
    const char *a = ATTUNE_SOURCE "/tests/cli/results/example.jsonl";
    const char *b = ATTUNE_SOURCE "/tests/cli/results/other_machine.jsonl";
    cli_run(&outcome, "compare", a, b, "--markdown", NULL);
    cr_expect_eq(outcome.code, 0, "%s", outcome.err);
    cr_expect_not_null(strstr(outcome.out, "| case "));
    cr_expect_not_null(strstr(outcome.out, "| --"));
    cli_run(&outcome, "compare", a, b, "--csv", NULL);
    cr_expect_eq(strncmp(outcome.out, "case,family,", 12), 0);
    const char *line = strstr(outcome.out, "prefill/d64/t512,prefill,1,faster:attune,attune,1,");
    double values[5] = {0};
    cr_assert_not_null(line, "%s", outcome.out);
    cr_expect_eq(sscanf(line, "%*[^,],%*[^,],%*[^,],%*[^,],%*[^,],%*[^,],%lf,%lf,%lf,%lf,%lf,faster",
                        &values[0], &values[1], &values[2], &values[3], &values[4]),
                 5);
    cr_expect_float_eq(values[2], 1.6, 0.01);
    cli_run(&outcome, "compare", a, b, "--json", NULL);
    json_t *object = json_loads(outcome.out, JSON_REJECT_DUPLICATES, NULL);
    cr_assert(json_is_object(object));
    cr_expect_eq(json_array_size(json_object_get(object, "columns")), 4);
    cr_expect_eq(json_array_size(json_object_get(object, "rows")), 14);
    cr_expect_gt(json_array_size(json_object_get(object, "not_compared")), 0);
    json_decref(object);
}

Test(compare, wrong_use_is_one_line_and_exit_2, .init = setup, .fini = teardown)
{
    make(0, &(struct made){.id = "a", .hardware = "h", .seconds = 1e-3, .roof = 1e9}, 0);
    FILE *file = fopen(paths[1], "we");
    (void)fputs("{\"format\":1,\"kind\":\"machine\"}\n", file);
    (void)fclose(file);
    const char *const wrong[][4] = {
        {NULL},
        {paths[0], NULL},
        {paths[0], "/does/not/exist"},
        {paths[0], "/dev/zero"},
        {paths[0], folder.path},
        {paths[0], paths[1]},
        {paths[0], ATTUNE_DATA "/g2p_model.safetensors"},
        {paths[0], paths[0], "--fail-above", "many"},
        {paths[0], paths[0], "--json", "--csv"},
        {"--live", paths[0]},
        {"--live", "a", "b", "--csv"},
        {"--live", "/bin/true", "/bin/true", "--spec=self:dot,t=8,d=8"},
        {"--live", "/bin/true", "/bin/true", "--launches=2"},
        {"--live", " ", "/bin/true"},
        {"--live", "=avx2", "/bin/true"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        cli_run(&outcome, "compare", wrong[i][0], wrong[i][1], wrong[i][2], wrong[i][3], NULL);
        cr_expect_eq(outcome.code, 2, "%zu: %d %s", i, outcome.code, outcome.err);
        cr_expect(cli_is_one_line(outcome.err), "%zu: %s", i, outcome.err);
        cr_expect_str_empty(outcome.out);
    }
}

/* A command that answers as attune bench --serve does, and times nothing. */
static void make_server(int which, const char *seconds)
{
    FILE *file = fopen(paths[which], "we");
    cr_assert_not_null(file);
    (void)fprintf(file,
                  "#!/bin/sh\necho attune-serve 1\nn=0\nwhile read -r word rest; do\n"
                  "  case $word in\n  open) echo ok 7 ;;\n"
                  "  sample) n=$(((n * 5 + 3) %% 16)); echo t %s$n ;;\n  *) echo ok ;;\n  esac\ndone\n",
                  seconds);
    (void)fclose(file);
    cr_assert_eq(chmod(paths[which], 0700), 0);
}

/* A side that neither says what it should nor ends by itself does not hold the comparison up. */
Test(compare, a_side_that_stays_is_ended, .init = setup, .fini = teardown, .timeout = 60)
{
    FILE *file = fopen(paths[0], "we");
    cr_assert_not_null(file);
    (void)fputs("#!/bin/sh\ntrap '' PIPE\necho good day\nexec sleep 1000\n", file);
    (void)fclose(file);
    cr_assert_eq(chmod(paths[0], 0700), 0);
    cli_run(&outcome, "compare", "--live", paths[0], paths[0], "--spec", "self:dot,t=8,d=8", NULL);
    cr_expect_eq(outcome.code, 2, "%d", outcome.code);
    cr_expect(cli_is_one_line(outcome.err) && strstr(outcome.err, "good day"), "%s", outcome.err);
}

static void run_live(const char *more)
{
    cli_run(&outcome, "compare", "--live", paths[0], paths[1], "--spec", "self:dot,t=8,d=8",
            "--seconds", "0.001", "--launches", "6", "--json", more, "3%", NULL);
}

Test(compare, live_finds_what_there_is, .init = setup, .fini = teardown)
{
    make_server(0, "1.000");
    make_server(1, "1.000");
    run_live("--fail-above");
    cr_expect_eq(outcome.code, 0, "%s", outcome.err);
    cr_expect_not_null(strstr(outcome.out, "\"no difference\""), "%s", outcome.out);
    make_server(1, "1.050");
    run_live("--fail-above");
    cr_expect_eq(outcome.code, 1, "%s", outcome.err);
    cr_expect_not_null(strstr(outcome.out, "\"slower\""), "%s", outcome.out);
    run_live("--effect");
    cr_expect_eq(outcome.code, 0, "%s", outcome.err);
    make_server(1, "0.900");
    run_live("--fail-above");
    cr_expect_eq(outcome.code, 0, "%s", outcome.err);
    cr_expect_not_null(strstr(outcome.out, "\"faster\""), "%s", outcome.out);
}
