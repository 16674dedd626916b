/* SPDX-License-Identifier: Apache-2.0
 *
 * The text of a fingerprint and its digests (FNV-1a). The digest names a file and no more: readers
 * compare the text.
 */
#include "tuner/fingerprint.h"

#include <pthread.h>
#include <stdio.h>

#include "tuner/text.h"

static uint64_t digest_of(const char *text)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (; *text != '\0'; text++)
        hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
    return hash;
}

/* A hypervisor's vendor may be anything; in a file it is one word. */
static void vendor_word(const char *vendor, char word[16])
{
    size_t i = 0;
    for (; i < 15 && vendor[i] != '\0'; i++) {
        const char c = vendor[i];
        const int plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        word[i] = plain ? c : '_';
    }
    word[i] = '\0';
}

void attune_fingerprint_of(const struct attune_cpu *cpu, const struct attune_topology *topology,
                           struct attune_fingerprint *fingerprint)
{
    const struct attune_cache_level *levels[] = {&topology->l1d, &topology->l2, &topology->l3};
    static const char *const names[] = {"l1d", "l2", "l3"};
    char *text = fingerprint->text;
    const size_t size = sizeof fingerprint->text;
    size_t length = 0;
    char vendor[16];
    vendor_word(cpu->vendor, vendor);
    attune_text_append(text, size, &length, "cpu=%s:%d:%d:%d features=", vendor, cpu->family,
                       cpu->model, cpu->stepping);
    const size_t before = length;
    for (int bit = 0; bit < ATTUNE_CPU_FEATURE_COUNT; bit++)
        if ((cpu->usable >> bit & 1u) != 0)
            attune_text_append(text, size, &length, "%s%s", length > before ? "," : "",
                               attune_cpu_feature_word(bit));
    for (int i = 0; i < 3; i++)
        attune_text_append(text, size, &length, " %s=%lld/%d/%d", names[i],
                           (long long)levels[i]->size, levels[i]->ways, levels[i]->line);
    (void)snprintf(fingerprint->digest, sizeof fingerprint->digest, "%016llx",
                   (unsigned long long)digest_of(text));
    fingerprint->topology = attune_fingerprint_topology(topology);
}

static uint32_t fold(const char *text)
{
    const uint64_t hash = digest_of(text);
    return (uint32_t)(hash ^ hash >> 32);
}

uint32_t attune_fingerprint_kind(const struct attune_topology *topology)
{
    const struct attune_cache_level *levels[] = {&topology->l1d, &topology->l2, &topology->l3};
    char text[160];
    size_t length = 0;
    if (topology->kinds < 2)
        return 0;
    attune_text_append(text, sizeof text, &length, "%d/%s", topology->rank, topology->type);
    for (int i = 0; i < 3; i++)
        attune_text_append(text, sizeof text, &length, "/%lld/%d", (long long)levels[i]->size,
                           levels[i]->ways);
    const uint32_t digest = fold(text);
    return digest != 0 ? digest : 1;
}

/* How many of the allowed cores are of which kind; nothing on a machine of one kind. */
static void append_kinds(char *text, size_t size, size_t *length)
{
    const struct attune_topology *kind;
    for (int i = 0; (kind = attune_topology_of_kind(i)) != NULL && kind->kinds > 1; i++)
        attune_text_append(text, size, length, "/%08x:%d", (unsigned)attune_fingerprint_kind(kind),
                           attune_topology_kind_cores(i));
}

uint32_t attune_fingerprint_topology(const struct attune_topology *topology)
{
    char text[384];
    size_t length = 0;
    attune_text_append(text, sizeof text, &length, "%d/%d/%d/%d/%d/%d/%d/%d/%d/%d/%d",
                       topology->logical, topology->cores, topology->packages, topology->numa_nodes,
                       topology->kinds, topology->allowed, topology->allowed_cores,
                       topology->bound_by_user, topology->l1d.shared, topology->l2.shared,
                       topology->l3.shared);
    if (topology->kinds > 1)
        append_kinds(text, sizeof text, &length);
    return fold(text);
}

static struct attune_fingerprint machine;
static pthread_once_t machine_once = PTHREAD_ONCE_INIT;

static void fill_machine(void)
{
    attune_fingerprint_of(attune_cpu_detect(), attune_topology_fastest(), &machine);
    machine.topology = attune_fingerprint_topology(attune_topology_get());
}

const struct attune_fingerprint *attune_fingerprint_get(void)
{
    (void)pthread_once(&machine_once, fill_machine);
    return &machine;
}
