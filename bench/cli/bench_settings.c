/* SPDX-License-Identifier: Apache-2.0
 *
 * What each case is measured with: threads x instruction sets x tuned or not, each a context of its
 * own; settings of the same threads and features share their probes.
 */
#include <stdlib.h>
#include <string.h>

#include "arch/cpu.h"
#include "arch/topology.h"
#include "bench/cli/bench.h"

enum { MAX_LIST = 8, TUNED = 1, UNTUNED = 2 };

/* Splits "1,2,all" into words; 0 where there are too many, one is empty or too long. */
static int split(const char *list, char words[MAX_LIST][ATTUNE_BENCH_WORD])
{
    int count = 0;
    while (list) {
        const size_t length = strcspn(list, ",");
        if (count == MAX_LIST || length == 0 || length >= ATTUNE_BENCH_WORD)
            return 0;
        memcpy(words[count], list, length);
        words[count++][length] = '\0';
        list = list[length] ? list + length + 1 : NULL;
    }
    return count;
}

static int read_threads(const struct attune_usage *usage, const char *word, int32_t *threads)
{
    int64_t number = attune_topology_get()->allowed;
    if (strcmp(word, "all") != 0 && !attune_integer_parse(word, 1, ATTUNE_OPTIONS_THREADS, &number))
        return attune_options_wrong(usage,
                                    "--threads: %.64s is not \"all\" nor a whole number from 1 to "
                                    "%d",
                                    word, ATTUNE_OPTIONS_THREADS);
    *threads = (int32_t)number;
    return 0;
}

/* "all" in a list of instruction sets: every one that has kernels and runs here. */
static int usable_isas(char words[MAX_LIST][ATTUNE_BENCH_WORD])
{
    const uint32_t features = attune_cpu_detect()->usable;
    int count = 0;
    for (int i = 0; i < attune_kernel_count() && count < MAX_LIST; i++) {
        const struct attune_kernel *kernel = attune_kernel_at(i);
        if (attune_kernel_usable(kernel, features) &&
            (count == 0 || strcmp(words[count - 1], kernel->isa) != 0))
            snprintf(words[count++], ATTUNE_BENCH_WORD, "%s", kernel->isa);
    }
    return count;
}

static int read_isas(const struct attune_bench *bench, const struct attune_usage *usage,
                     char words[MAX_LIST][ATTUNE_BENCH_WORD], int *count)
{
    if (!bench->isa) {
        words[0][0] = '\0';
        *count = 1;
        return 0;
    }
    *count = strcmp(bench->isa, "all") == 0 ? usable_isas(words) : split(bench->isa, words);
    for (int i = 0; i < *count; i++) {
        uint32_t features = attune_cpu_detect()->usable;
        if (!attune_cpu_mask(words[i], &features))
            *count = 0;
    }
    return *count ? 0
                  : attune_options_wrong(usage, "--isa: '%.64s' is not \"all\" nor a list of %s",
                                         bench->isa, attune_cpu_isa_words());
}

static int add_setting(struct attune_bench *bench, const struct attune_usage *usage,
                       const struct attune_bench_setting *like)
{
    for (int i = 0; i < bench->setting_count; i++) {
        const struct attune_bench_setting *other = &bench->settings[i];
        if (other->threads == like->threads && other->untuned == like->untuned &&
            strcmp(other->isa_asked, like->isa_asked) == 0)
            return 0;
    }
    if (bench->setting_count == ATTUNE_BENCH_SETTINGS)
        return attune_options_wrong(usage, "more than %d settings", ATTUNE_BENCH_SETTINGS);
    bench->settings[bench->setting_count++] = *like;
    return 0;
}

int attune_bench_add_settings(struct attune_bench *bench, const struct attune_usage *usage)
{
    char threads[MAX_LIST][ATTUNE_BENCH_WORD], isas[MAX_LIST][ATTUNE_BENCH_WORD];
    const int thread_count = split(bench->threads, threads);
    int isa_count = 0;
    if (thread_count == 0)
        return attune_options_wrong(usage, "--threads: '%.64s' is no list such as 1,2,all",
                                    bench->threads);
    int code = read_isas(bench, usage, isas, &isa_count);
    for (int t = 0; t < thread_count; t++) {
        struct attune_bench_setting setting = {0};
        if (code == 0)
            code = read_threads(usage, threads[t], &setting.threads);
        memcpy(setting.threads_asked, threads[t], sizeof setting.threads_asked);
        for (int i = 0; i < isa_count; i++)
            for (int untuned = 0; untuned <= 1 && code == 0; untuned++) {
                if (untuned ? !(bench->tuning & UNTUNED) : bench->tuning == UNTUNED)
                    continue;
                memcpy(setting.isa_asked, isas[i], sizeof setting.isa_asked);
                setting.untuned = untuned;
                code = add_setting(bench, usage, &setting);
            }
    }
    return code;
}

/* What the environment said when the command started; NULL: nothing. */
static const char *tune_of_user(void)
{
    static char kept[64];
    static int known;
    if (!known) {
        const char *value = getenv("ATTUNE_TUNE");
        snprintf(kept, sizeof kept, "%s", value ? value : "");
        known = value ? 2 : 1;
    }
    return known == 2 ? kept : NULL;
}

void attune_bench_enter_setting(const struct attune_bench_setting *setting)
{
    const char *user = tune_of_user();
    if (setting->untuned)
        (void)setenv("ATTUNE_TUNE", "off", 1);
    else if (user)
        (void)setenv("ATTUNE_TUNE", user, 1);
    else
        (void)unsetenv("ATTUNE_TUNE");
}

static struct attune_probes *find_probes(const struct attune_bench *bench,
                                         const struct attune_bench_setting *setting)
{
    for (const struct attune_bench_setting *other = bench->settings; other < setting; other++)
        if (other->threads == setting->threads && other->features == setting->features)
            return other->probes;
    return attune_probes_create(setting->threads, setting->features);
}

int attune_bench_open_settings(struct attune_bench *bench, struct attune_trouble *trouble)
{
    for (int i = 0; i < bench->setting_count; i++) {
        struct attune_bench_setting *setting = &bench->settings[i];
        const char *isa = setting->isa_asked[0] ? setting->isa_asked : NULL;
        const struct attune_context_options options = {.struct_size = sizeof options,
                                                       .threads = setting->threads,
                                                       .max_isa = isa};
        attune_bench_enter_setting(setting);
        const enum attune_status status = attune_context_create(&options, &setting->context);
        if (status != ATTUNE_OK)
            return attune_trouble_status(trouble, status);
        setting->features = attune_cpu_detect()->usable;
        attune_cpu_mask(isa ? isa : getenv("ATTUNE_MAX_ISA"), &setting->features);
        setting->isa = attune_kernel_next(ATTUNE_OP_SOFTMAX, setting->features, NULL)->isa;
        if (bench->serve)
            continue; /* what is compared live needs no roofs */
        setting->probes = find_probes(bench, setting);
        if (!setting->probes)
            return attune_trouble_memory(trouble, "buffers of the probes");
    }
    return 0;
}

void attune_bench_close_settings(struct attune_bench *bench)
{
    for (int i = 0; i < bench->setting_count; i++) {
        struct attune_bench_setting *setting = &bench->settings[i];
        attune_context_release(setting->context);
        for (int j = i + 1; j < bench->setting_count; j++)
            if (bench->settings[j].probes == setting->probes)
                bench->settings[j].probes = NULL;
        attune_probes_release(setting->probes);
        setting->context = NULL;
        setting->probes = NULL;
    }
}
