/* SPDX-License-Identifier: Apache-2.0
 *
 * The list of cases, from the suite, from specs, files and kernels.
 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "arch/cpu.h"
#include "bench/cli/bench.h"
#include "bench/cli/spec.h"
#include "bench/cli/spec_list.h"
#include "bench/text.h"
#include "tuner/text.h"

enum { MAX_CASES = 4096 };

/* What a case is before it is opened. */
struct named {
    const char *name, *family, *spec;
    enum attune_bench_source source;
    const struct attune_kernel *kernel;
};

/* Adds a case, whose texts are copied. Two cases of one name are one. */
static int add_case(struct attune_bench *bench, const struct attune_usage *usage,
                    const struct named *like)
{
    for (int i = 0; i < bench->case_count; i++)
        if (strcmp(bench->cases[i].name, like->name) == 0)
            return 0;
    if (bench->case_count == MAX_CASES)
        return attune_options_wrong(usage, "more than %d cases", MAX_CASES);
    struct attune_bench_case *larger =
        realloc(bench->cases, (size_t)(bench->case_count + 1) * sizeof *larger);
    if (!larger)
        return attune_options_wrong(usage, "no memory for the list of cases");
    bench->cases = larger;
    struct attune_bench_case *one = &larger[bench->case_count];
    memset(one, 0, sizeof *one);
    one->name = strdup(like->name);
    one->family = strdup(like->family);
    one->spec = strdup(like->spec);
    one->source = like->source;
    one->kernel = like->kernel;
    bench->case_count++;
    if (one->name)
        attune_text_make_plain(one->name); /* it may be a file's */
    return one->name && one->family && one->spec
               ? 0
               : attune_options_wrong(usage, "no memory for the list of cases");
}

int attune_bench_add_spec(struct attune_bench *bench, const struct attune_usage *usage,
                          const char *spec)
{
    const struct named one = {.name = spec, .family = "spec", .spec = spec, .source = ATTUNE_BENCH_SPEC};
    const int before = bench->case_count, code = add_case(bench, usage, &one);
    struct attune_trouble trouble;
    if (code == 0 && bench->case_count > before &&
        attune_bench_describe_case(&bench->cases[before], &trouble))
        return attune_trouble_report(&trouble, "bench", spec);
    return code;
}

int attune_bench_add_suite(struct attune_bench *bench, const struct attune_usage *usage,
                           enum attune_tier tier, const char *pattern)
{
    int code = 0, found = 0;
    for (int i = 0; i < attune_suite_count() && code == 0; i++) {
        const struct attune_suite_case *of = attune_suite_at(i);
        if (of->tier > tier || (pattern && !attune_suite_match(pattern, of->name)))
            continue;
        const struct named one = {.name = of->name,
                                  .family = of->family,
                                  .spec = of->spec,
                                  .source = ATTUNE_BENCH_SPEC};
        code = add_case(bench, usage, &one);
        found = 1;
    }
    if (code == 0 && !found)
        return attune_options_wrong(usage, "'%.64s': no case of the suite is called so (--list)",
                                    pattern ? pattern : "");
    bench->by_name = 1;
    return code;
}

int attune_bench_add_kernels(struct attune_bench *bench, const struct attune_usage *usage,
                             const char *pattern)
{
    const uint32_t features = attune_cpu_detect()->usable;
    int code = 0, found = 0;
    for (int i = 0; i < attune_kernel_count() && code == 0; i++) {
        const struct attune_kernel *kernel = attune_kernel_at(i);
        struct attune_kernel_case single;
        char name[96];
        if (!attune_suite_match(pattern, kernel->name) || !attune_kernel_usable(kernel, features))
            continue;
        const int timed = attune_kernel_case_open(&single, kernel);
        attune_kernel_case_close(&single);
        if (timed == 0)
            continue;
        snprintf(name, sizeof name, "kernel/%s", kernel->name);
        const struct named one = {.name = name,
                                  .family = "kernel",
                                  .spec = "kernel",
                                  .source = ATTUNE_BENCH_KERNEL,
                                  .kernel = kernel};
        code = add_case(bench, usage, &one);
        found = 1;
    }
    if (code == 0 && !found)
        return attune_options_wrong(
            usage, "--kernel %.64s: no kernel that this CPU can run is called so (attune info)",
            pattern);
    bench->by_name = 1;
    return code;
}

static int is_tensor_file(const struct dirent *entry)
{
    static const char suffix[] = ".safetensors";
    const size_t length = strlen(entry->d_name), tail = sizeof suffix - 1;
    return length > tail && strcmp(entry->d_name + length - tail, suffix) == 0;
}

/* Whether a file holds a problem; one that cannot be read counts, so that its run says why. */
static int is_problem(const char *path)
{
    struct attune_safetensors file;
    struct attune_trouble trouble;
    if (attune_safetensors_read(path, &file, &trouble))
        return 1;
    const int found = attune_safetensors_metadata(&file, "attune.problem") != NULL;
    attune_safetensors_free(&file);
    return found;
}

/* Takes `path` over. */
static int add_file(struct attune_bench *bench, const struct attune_usage *usage, char *path)
{
    int code = 0;
    if (is_problem(path)) {
        const char *slash = strrchr(path, '/');
        const struct named one = {.name = slash ? slash + 1 : path,
                                  .family = "data",
                                  .spec = path,
                                  .source = ATTUNE_BENCH_FILE};
        code = add_case(bench, usage, &one);
    } else if (bench->left_outs < ATTUNE_BENCH_LEFT_OUT) {
        bench->left_out[bench->left_outs++] = path;
        return 0;
    } else {
        code = attune_options_wrong(usage, "more than %d files without a problem",
                                    ATTUNE_BENCH_LEFT_OUT);
    }
    free(path);
    return code;
}

/* Every tensor file of a folder, by name. */
int attune_bench_add_folder(struct attune_bench *bench, const struct attune_usage *usage,
                            const char *folder)
{
    struct dirent **entries;
    const int count = scandir(folder, &entries, is_tensor_file, alphasort);
    const int before = bench->case_count;
    int code = 0;
    if (count < 0)
        return attune_options_wrong(usage, "--data %s: %s", folder, strerror(errno));
    if (count == 0)
        code = attune_options_wrong(usage, "--data %s: no *.safetensors there", folder);
    for (int i = 0; i < count; i++) {
        char *path = NULL;
        if (code == 0 && asprintf(&path, "%s/%s", folder, entries[i]->d_name) < 0)
            code = attune_options_wrong(usage, "--data %s: no memory", folder);
        free(entries[i]);
        if (code == 0)
            code = add_file(bench, usage, path);
    }
    free(entries);
    if (code == 0 && bench->case_count == before)
        code = attune_options_wrong(usage, "--data %s: no file there holds a problem", folder);
    return code;
}

/* That a spec of a list is none is said with its line. */
static int check_spec(const struct attune_usage *usage, const char *path, int line, const char *spec)
{
    struct attune_trouble trouble;
    struct attune_problem problem;
    const int code = attune_spec_parse(spec, &problem, &trouble);
    return code ? attune_options_wrong(usage, "--from %.100s: line %d: %.150s", path, line, trouble.text) : 0;
}

/* A name or pattern of the suite, or a spec. */
static int add_item(struct attune_bench *bench, const struct attune_usage *usage, const char *path, int line,
                    const char *item)
{
    if (strpbrk(item, "=") == NULL && strpbrk(item, "*?[/"))
        return attune_bench_add_suite(bench, usage, ATTUNE_TIER_FULL, item);
    const int code = check_spec(usage, path, line, item);
    return code ? code : attune_bench_add_spec(bench, usage, item);
}

int attune_bench_add_list(struct attune_bench *bench, const struct attune_usage *usage,
                          const char *path)
{
    struct attune_spec_list list;
    struct attune_trouble trouble;
    const int before = bench->case_count;
    int wrong = attune_spec_list_read(path, &list, &trouble), code = 0;
    for (const char *item; !wrong && !code && (item = attune_spec_list_next(&list, &wrong, &trouble));)
        code = add_item(bench, usage, path, list.line, item);
    if (wrong)
        code = attune_options_wrong(usage, "--from %.100s: %.150s", path, trouble.text);
    else if (code == 0 && bench->case_count == before)
        code = attune_options_wrong(usage, "--from %.100s: holds no case", path);
    attune_spec_list_free(&list);
    return code;
}

void attune_bench_print_list(const struct attune_bench *bench)
{
    size_t width = 4;
    for (int i = 0; i < bench->case_count; i++)
        if (strlen(bench->cases[i].name) > width)
            width = strlen(bench->cases[i].name);
    (void)printf("%-*s  %-13s  %-8s  %s\n", (int)width, "case", "family", "suite", "spec");
    for (int i = 0; i < bench->case_count; i++) {
        const struct attune_bench_case *one = &bench->cases[i];
        const struct attune_suite_case *of = attune_suite_find(one->name);
        (void)printf("%-*s  %-13s  %-8s  ", (int)width, one->name, one->family,
                     of ? attune_tier_word(of->tier) : "");
        attune_text_print(one->spec, stdout);
        (void)putchar('\n');
    }
}

void attune_bench_free(struct attune_bench *bench)
{
    for (int i = 0; i < bench->case_count; i++) {
        free(bench->cases[i].name);
        free(bench->cases[i].family);
        free(bench->cases[i].spec);
    }
    free(bench->cases);
    for (int i = 0; i < bench->left_outs; i++)
        free(bench->left_out[i]);
}
