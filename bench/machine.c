/* SPDX-License-Identifier: Apache-2.0
 *
 * Puts the card together; what the system tells in files is machine_system.c's.
 */
#include "bench/machine.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "arch/cpu.h"
#include "attune_build.h"
#include "bench/machine_system.h"
#include "bench/text.h"

json_t *attune_machine_features(uint32_t features)
{
    json_t *list = json_array();
    for (int bit = 0; bit < ATTUNE_CPU_FEATURE_COUNT; bit++)
        if ((features >> bit & 1u) != 0)
            json_array_append_new(list, json_string(attune_cpu_feature_word(bit)));
    return list;
}

static json_t *cache_json(const struct attune_cache_level *level)
{
    return json_pack("{s:I, s:i, s:i, s:i}", "size", (json_int_t)level->size, "line",
                     (int)level->line, "ways", (int)level->ways, "shared", (int)level->shared);
}

json_t *attune_machine_caches(const struct attune_topology *topology)
{
    return json_pack("{s:o, s:o, s:o}", "l1d", cache_json(&topology->l1d), "l2",
                     cache_json(&topology->l2), "l3", cache_json(&topology->l3));
}

json_t *attune_machine_topology(const struct attune_topology *topology)
{
    return json_pack("{s:i, s:i, s:i, s:i, s:i, s:I, s:i, s:i, s:b}", "logical",
                     (int)topology->logical, "cores", (int)topology->cores, "packages",
                     (int)topology->packages, "numa_nodes", (int)topology->numa_nodes, "kinds",
                     (int)topology->kinds, "memory", (json_int_t)topology->memory, "allowed",
                     (int)topology->allowed, "allowed_cores", (int)topology->allowed_cores,
                     "bound_by_user", topology->bound_by_user != 0);
}

static json_t *cpu_json(const struct attune_machine_request *request)
{
    const struct attune_cpu *cpu = attune_cpu_detect();
    return json_pack("{s:s, s:s, s:i, s:i, s:i, s:o, s:s}", "vendor", cpu->vendor, "brand",
                     cpu->brand, "family", (int)cpu->family, "model", (int)cpu->model, "stepping",
                     (int)cpu->stepping, "features", attune_machine_features(request->features),
                     "max_isa", request->max_isa);
}

static json_t *build_json(void)
{
    char version[32];
    snprintf(version, sizeof version, "%d.%d.%d", ATTUNE_VERSION_MAJOR, ATTUNE_VERSION_MINOR,
             ATTUNE_VERSION_PATCH);
    return json_pack("{s:s, s:s, s:s, s:s, s:s}", "version", version, "commit",
                     ATTUNE_BUILD_COMMIT, "compiler", ATTUNE_BUILD_COMPILER, "flags",
                     ATTUNE_BUILD_FLAGS, "type", ATTUNE_BUILD_TYPE);
}

static json_t *libraries_json(void)
{
    return json_pack("{s:s, s:s, s:s, s:s}", "onednn", ATTUNE_BUILD_ONEDNN, "hwloc",
                     ATTUNE_BUILD_HWLOC, "openmp", ATTUNE_BUILD_OPENMP, "jansson",
                     JANSSON_VERSION);
}

static json_t *command_json(const struct attune_machine_request *request)
{
    json_t *list = json_array();
    for (int i = 0; i < request->argc; i++)
        json_array_append_new(list, attune_text_json(request->argv[i]));
    return list;
}

static json_t *environment_json(void)
{
    static const char *const names[] = {
        "ATTUNE_MAX_ISA", "ATTUNE_TUNE",   "ATTUNE_DETERMINISTIC", "OMP_NUM_THREADS",
        "OMP_PLACES",     "OMP_PROC_BIND", "GOMP_CPU_AFFINITY"};
    json_t *object = json_object();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        json_t *value = getenv(names[i]) ? attune_text_json(getenv(names[i])) : NULL;
        if (value)
            json_object_set_new(object, names[i], value);
    }
    return object;
}

static const uint64_t digest_start = UINT64_C(0xcbf29ce484222325);

/* FNV-1a, going on from `hash`. */
static uint64_t digest_bytes(uint64_t hash, const void *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ ((const unsigned char *)bytes)[i]) * UINT64_C(0x100000001b3);
    return hash;
}

static uint64_t digest(uint64_t hash, const json_t *object)
{
    char *text = json_dumps(object, JSON_COMPACT | JSON_SORT_KEYS);
    if (text)
        hash = digest_bytes(hash, text, strlen(text));
    free(text);
    return hash;
}

static char *hexadecimal(uint64_t number)
{
    char text[20];
    snprintf(text, sizeof text, "%016" PRIx64, number);
    return strdup(text);
}

static char *file_digest(const char *path)
{
    char block[4096];
    uint64_t hash = digest_start;
    size_t got;
    FILE *file = path ? fopen(path, "re") : NULL;
    if (!file)
        return NULL;
    while ((got = fread(block, 1, sizeof block, file)) > 0)
        hash = digest_bytes(hash, block, got);
    (void)fclose(file);
    return hexadecimal(hash);
}

/* By layer: a path would tell who the user is. */
static json_t *cache_files_json(const struct attune_cache_sources *tuned)
{
    json_t *list = json_array();
    for (int i = 0; tuned && i < tuned->count; i++) {
        const struct attune_cache_source *source = &tuned->source[i];
        char *hash = source->read ? file_digest(source->path) : NULL;
        if (source->read)
            json_array_append_new(list, json_pack("{s:s, s:i, s:s}", "layer",
                                                  attune_layer_word(source->layer), "entries",
                                                  source->entries, "digest", hash ? hash : ""));
        free(hash);
    }
    return list;
}

static json_t *settings_json(const struct attune_machine_request *request)
{
    return json_pack("{s:o, s:o, s:o}", "command", command_json(request), "environment",
                     environment_json(), "cache", cache_files_json(request->tuned));
}

/* The machine's part of cpu and topology: not what this process may use of them. */
static uint64_t hardware_digest(void)
{
    const struct attune_cpu *cpu = attune_cpu_detect();
    const struct attune_topology *topology = attune_topology_fastest();
    json_t *identity =
        json_pack("{s:s, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:I, s:o}", "vendor", cpu->vendor,
                  "family", (int)cpu->family, "model", (int)cpu->model, "stepping",
                  (int)cpu->stepping, "logical", (int)topology->logical, "cores",
                  (int)topology->cores, "packages", (int)topology->packages, "numa_nodes",
                  (int)topology->numa_nodes, "usable", (json_int_t)cpu->usable, "caches",
                  attune_machine_caches(topology));
    const uint64_t hash = digest(digest_start, identity);
    json_decref(identity);
    return hash;
}

/* Unique to this run: what it is, when, and which process. */
static uint64_t run_digest(const struct attune_machine_line *line)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    json_t *moment = json_pack("[I, I, I]", (json_int_t)now.tv_sec, (json_int_t)now.tv_nsec,
                               (json_int_t)getpid());
    const uint64_t hash = digest(digest(digest(digest_start, line->cpu), line->settings), moment);
    json_decref(moment);
    return hash;
}

int attune_machine_describe(const struct attune_machine_request *request,
                            struct attune_machine_line *line)
{
    char moment[32];
    const time_t now = time(NULL);
    struct tm utc;
    strftime(moment, sizeof moment, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &utc));
    *line = (struct attune_machine_line){
        .label = request->label,
        .time = strdup(moment),
        .hardware = hexadecimal(hardware_digest()),
        .cpu = cpu_json(request),
        .caches = attune_machine_caches(attune_topology_get()),
        .topology = attune_machine_topology(attune_topology_get()),
        .system = attune_machine_system(),
        .build = build_json(),
        .libraries = libraries_json(),
        .settings = settings_json(request),
    };
    line->id = line->cpu && line->settings ? hexadecimal(run_digest(line)) : NULL;
    return line->id && line->time && line->hardware && line->caches && line->topology &&
           line->system && line->build && line->libraries;
}

void attune_machine_free(struct attune_machine_line *line)
{
    free((char *)(uintptr_t)line->id);
    free((char *)(uintptr_t)line->hardware);
    free((char *)(uintptr_t)line->time);
    json_decref(line->cpu);
    json_decref(line->caches);
    json_decref(line->topology);
    json_decref(line->system);
    json_decref(line->build);
    json_decref(line->libraries);
    json_decref(line->settings);
    *line = (struct attune_machine_line){0};
}
