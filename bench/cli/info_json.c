/* SPDX-License-Identifier: Apache-2.0
 *
 * `attune info --json`: the same facts as the text, sizes in bytes. Finds nothing out.
 */
#include <jansson.h>
#include <stdlib.h>

#include "bench/cli/cache.h"
#include "bench/cli/info.h"
#include "bench/cli/json.h"
#include "bench/machine.h"
#include "bench/text.h"

static json_t *cpu_json(const struct attune_info *info)
{
    const struct attune_cpu *cpu = info->cpu;
    return json_pack("{s:s, s:s, s:i, s:i, s:i, s:o, s:o, s:o}", "vendor", cpu->vendor, "brand",
                     cpu->brand, "family", (int)cpu->family, "model", (int)cpu->model, "stepping",
                     (int)cpu->stepping, "detected", attune_machine_features(cpu->listed), "usable",
                     attune_machine_features(cpu->usable), "masked",
                     attune_machine_features(cpu->usable & ~info->features));
}

/* Each kind of core that the process may use, fastest first, by the word that keys of its tuned choices
 * have: "" where the machine has one kind. */
static json_t *kinds_json(void)
{
    json_t *list = json_array();
    const struct attune_topology *kind;
    int faster = 0;
    for (int i = 0; (kind = attune_topology_of_kind(i)) != NULL; i++) {
        const uint32_t digest = attune_fingerprint_kind(kind);
        char word[9] = "";
        if (digest != 0)
            snprintf(word, sizeof word, "%08x", (unsigned)digest);
        const int cores = attune_topology_kind_cores(i);
        json_array_append_new(list, json_pack("{s:s, s:s, s:i, s:o}", "kind", word, "type", kind->type,
                                              "cores", cores - faster, "caches",
                                              attune_machine_caches(kind)));
        faster = cores;
    }
    return list;
}

static json_t *kernels_json(const struct attune_info *info)
{
    json_t *list = json_array();
    char why[256];
    for (int i = 0; i < attune_kernel_count(); i++) {
        const struct attune_kernel *kernel = attune_kernel_at(i);
        const int usable = attune_info_usable(info, kernel, why, sizeof why);
        json_array_append_new(
            list, json_pack("{s:s, s:s, s:s, s:s, s:i, s:i, s:b, s:s}", "name", kernel->name,
                            "operation", attune_operation_word(kernel->operation), "isa",
                            kernel->isa, "variant", kernel->variant, "rows", (int)kernel->rows,
                            "width", (int)kernel->width, "usable", usable, "why_not", why));
    }
    return list;
}

int attune_info_json(const struct attune_info *info, FILE *file)
{
    const struct attune_topology *topology = info->topology;
    char version[32];
    snprintf(version, sizeof version, "%d.%d.%d", ATTUNE_VERSION_MAJOR, ATTUNE_VERSION_MINOR,
             ATTUNE_VERSION_PATCH);
    return attune_json_print(
        json_pack("{s:s, s:o, s:s, s:o, s:o, s:o, s:o, s:o}", "version", version, "cpu", cpu_json(info),
                  "max_isa", info->max_isa, "caches", attune_machine_caches(topology), "topology",
                  attune_machine_topology(topology), "core_kinds", kinds_json(), "tuned",
                  attune_cache_sources_json(&info->context->cache_sources), "kernels",
                  kernels_json(info)),
        17, file);
}

int attune_info_explain_json(const struct attune_explanation *explanation, FILE *file)
{
    const struct attune_plan *plan = explanation->plan;
    const struct attune_problem *problem = &plan->shape.problem;
    const struct attune_tiles *tiles = &plan->tiles;
    const char *form = problem->form ? attune_form_name(problem->form) : NULL;
    char *kernels = attune_info_kernels(plan);
    if (kernels == NULL)
        return 0;
    json_t *object = json_pack(
        "{s:o, s:s, s:s, s:s, s:{s:I, s:I, s:I, s:I}, s:s, s:s, s:i, s:i, s:I, s:I}", "problem",
        attune_text_json(explanation->name), "mechanism", attune_mechanism_name(problem->mechanism), "form",
        form ? form : "", "kernels", kernels, "tiles", "strip", (json_int_t)tiles->strip, "q_block",
        (json_int_t)tiles->q_block, "kv_block", (json_int_t)tiles->kv_block, "kv_split",
        (json_int_t)tiles->kv_split, "choice", attune_origin_word(plan->origin), "parallel",
        attune_origin_word(plan->parallel_origin), "workers", (int)plan->workers, "threads",
        (int)plan->context->threads, "workspace_size",
        (json_int_t)attune_plan_workspace_size(plan), "prepared_size",
        (json_int_t)attune_plan_prepared_size(plan));
    free(kernels);
    return attune_json_print(object, 17, file);
}
