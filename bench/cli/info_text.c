/* SPDX-License-Identifier: Apache-2.0
 *
 * `attune info` for people: aligned columns, sizes in binary units. Finds nothing out.
 */
#include <stdlib.h>
#include <string.h>

#include "bench/cli/cache.h"
#include "bench/cli/info.h"
#include "bench/cli/bench_table.h"
#include "bench/text.h"

static const char *binary_size(double size, char text[24])
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    size_t unit = 0;
    while (size >= 1024 && unit + 1 < sizeof units / sizeof *units) {
        size /= 1024;
        unit++;
    }
    snprintf(text, 24, size < 10 && size != (int)size ? "%.1f %s" : "%.0f %s", size, units[unit]);
    return text;
}

static void print_features(const char *label, uint32_t features, FILE *file)
{
    fprintf(file, "  %-12s", label);
    for (int bit = 0; bit < ATTUNE_CPU_FEATURE_COUNT; bit++)
        if ((features >> bit & 1u) != 0)
            fprintf(file, " %s", attune_cpu_feature_word(bit));
    fprintf(file, "%s\n", features == 0 ? " none" : "");
}

static void print_cpu(const struct attune_info *info, FILE *file)
{
    const struct attune_cpu *cpu = info->cpu;
    fprintf(file, "cpu\n  %-12s %s%s%s, family %d model %d stepping %d\n", "name", cpu->vendor,
            cpu->brand[0] ? " " : "", cpu->brand, cpu->family, cpu->model, cpu->stepping);
    print_features("detected", cpu->listed, file);
    print_features("usable", cpu->usable, file);
    print_features("masked", cpu->usable & ~info->features, file);
    fprintf(file, "  %-12s %s\n", "max_isa", info->max_isa[0] ? info->max_isa : "no ceiling");
}

static void print_cache(const char *name, const struct attune_cache_level *level, FILE *file)
{
    char size[24];
    if (level->size == 0) {
        fprintf(file, "  %-12s not known\n", name);
        return;
    }
    fprintf(file, "  %-12s %s, lines of %d bytes", name, binary_size((double)level->size, size),
            level->line);
    if (level->ways != 0)
        fprintf(file, level->ways < 0 ? ", fully associative" : ", %d ways", level->ways);
    if (level->shared > 1)
        fprintf(file, ", shared by %d CPUs", level->shared);
    fputc('\n', file);
}

/* Each kind of core that the process may use, by the word that keys of its tuned choices have. */
static void print_kinds(FILE *file)
{
    const struct attune_topology *kind;
    int faster = 0;
    for (int i = 0; (kind = attune_topology_of_kind(i)) != NULL && kind->kinds > 1; i++) {
        char l1[24], l2[24], l3[24];
        const int cores = attune_topology_kind_cores(i);
        fprintf(file, "  %-12s kind=%08x: %d%s%s core%s, L1 data %s, L2 %s, L3 %s\n", "",
                (unsigned)attune_fingerprint_kind(kind), cores - faster, kind->type[0] ? " " : "",
                kind->type, cores - faster == 1 ? "" : "s", binary_size((double)kind->l1d.size, l1),
                binary_size((double)kind->l2.size, l2), binary_size((double)kind->l3.size, l3));
        faster = cores;
    }
}

static void print_topology(const struct attune_topology *topology, FILE *file)
{
    char memory[24];
    fprintf(file, "caches\n");
    print_cache("L1 data", &topology->l1d, file);
    print_cache("L2", &topology->l2, file);
    print_cache("L3", &topology->l3, file);
    fprintf(file, "machine\n  %-12s %d logical CPUs, %d cores", "cores", topology->logical,
            topology->cores);
    if (topology->kinds > 1)
        fprintf(file, " of %d kinds", topology->kinds);
    fprintf(file, ", packages: %d, NUMA nodes: %d\n", topology->packages, topology->numa_nodes);
    fprintf(file, "  %-12s %s\n", "memory", binary_size((double)topology->memory, memory));
    fprintf(file, "  %-12s %d CPUs on %d cores%s\n", "allowed", topology->allowed,
            topology->allowed_cores,
            topology->bound_by_user ? ", bound by the environment: threads are not pinned" : "");
    print_kinds(file);
}

static void print_kernels(const struct attune_info *info, FILE *file)
{
    int width = 0, runs = 0;
    const int count = attune_kernel_count();
    char why[256];
    for (int i = 0; i < count; i++) {
        const struct attune_kernel *kernel = attune_kernel_at(i);
        const int length = (int)strlen(kernel->name);
        width = length > width ? length : width;
        runs += attune_kernel_usable(kernel, info->features);
    }
    fprintf(file, "kernels: %d, of which %d run here\n", count, runs);
    for (int i = 0; i < count; i++) {
        const struct attune_kernel *kernel = attune_kernel_at(i);
        const int usable = attune_info_usable(info, kernel, why, sizeof why);
        fprintf(file, "  %-*s  %-3s%s%s\n", width, kernel->name, usable ? "yes" : "no",
                usable ? "" : "  ", why);
    }
}

void attune_info_text(const struct attune_info *info, FILE *file)
{
    fprintf(file, "attune %d.%d.%d\n", ATTUNE_VERSION_MAJOR, ATTUNE_VERSION_MINOR,
            ATTUNE_VERSION_PATCH);
    print_cpu(info, file);
    print_topology(info->topology, file);
    attune_cache_context_text(info->context, file);
    print_kernels(info, file);
}

static const char *blocked(int64_t size, char text[32])
{
    snprintf(text, 32, size > 0 ? "%lld" : "none", (long long)size);
    return text;
}

void attune_info_explain_text(const struct attune_explanation *explanation, FILE *file)
{
    const struct attune_plan *plan = explanation->plan;
    const struct attune_problem *problem = &plan->shape.problem;
    char shape[256], split[32], size[24];
    char *kernels = attune_info_kernels(plan);
    attune_report_shape(&plan->shape, shape, sizeof shape);
    const char *form = attune_form_name(problem->form);
    attune_text_print(explanation->name, file);
    fprintf(file, "\n  %-12s %s%s%s\n", "mechanism",
            attune_mechanism_name(problem->mechanism), form && problem->form ? ":" : "",
            form && problem->form ? form : "");
    fprintf(file, "  %-12s %s\n", "shape", shape);
    fprintf(file, "  %-12s %s\n", "kernels", kernels ? kernels : "");
    fprintf(file, "  %-12s strip %lld rows, q_block %lld rows, kv_block %lld keys, kv_split %s\n",
            "tiles", (long long)plan->tiles.strip, (long long)plan->tiles.q_block,
            (long long)plan->tiles.kv_block, blocked(plan->tiles.kv_split, split));
    fprintf(file, "  %-12s %s (`attune cache inspect --why` tells how)\n", "choice",
            attune_origin_word(plan->origin));
    fprintf(file, "  %-12s %d of %d threads, %s\n", "workers", plan->workers, plan->context->threads,
            attune_origin_word(plan->parallel_origin));
    fprintf(file, "  %-12s %s\n", "workspace",
            binary_size((double)attune_plan_workspace_size(plan), size));
    if (attune_plan_prepared_size(plan) > 0)
        fprintf(file, "  %-12s %s\n", "prepared",
                binary_size((double)attune_plan_prepared_size(plan), size));
    free(kernels);
}
