/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of entries: open addressing over pointers to entries that never change once published. A
 * writer holds the mutex, stores a new entry's pointer with release order, and keeps what it replaces
 * until the end; a reader follows pointers and takes no lock.
 */
#include "tuner/cache.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_SLOTS = 64, LOCK_TRIES = 10000 };
enum standing { UNKNOWN, BARRED, LIFTED };

struct node {
    struct node *next; /* all that were ever put: freed with the cache */
    struct attune_cached entry;
};
struct table {
    struct table *next; /* all that were ever in use */
    size_t mask;
    _Atomic(const struct node *) slot[];
};

struct attune_cache {
    _Atomic(struct table *) table;
    atomic_size_t count;
    atomic_int bars; /* kernels that are barred */
    pthread_mutex_t lock; /* over all below, and over changes of what is above */
    struct node *nodes;
    struct table *tables;
    struct attune_missed missed[ATTUNE_CACHE_MISSED_MAX];
    int missed_count;
    struct attune_bar *bar;    /* attune_kernel_count() of them, by index; kernel NULL: not barred */
    atomic_uchar *barred;      /* the same, for readers: enum standing */
};

static struct table *make_table(struct attune_cache *cache, size_t slots)
{
    struct table *table = calloc(1, sizeof *table + slots * sizeof table->slot[0]);
    if (table == NULL)
        return NULL;
    table->mask = slots - 1;
    table->next = cache->tables;
    cache->tables = table;
    return table;
}

struct attune_cache *attune_cache_create(void)
{
    const size_t kernels = (size_t)attune_kernel_count();
    struct attune_cache *cache = calloc(1, sizeof *cache);
    if (cache == NULL)
        return NULL;
    (void)pthread_mutex_init(&cache->lock, NULL);
    cache->bar = calloc(kernels, sizeof *cache->bar);
    cache->barred = calloc(kernels, sizeof *cache->barred);
    atomic_init(&cache->table, make_table(cache, FIRST_SLOTS));
    if (cache->bar == NULL || cache->barred == NULL || cache->tables == NULL) {
        attune_cache_release(cache);
        return NULL;
    }
    return cache;
}

void attune_cache_release(struct attune_cache *cache)
{
    if (cache == NULL)
        return;
    for (struct node *node = cache->nodes, *next; node != NULL; node = next) {
        next = node->next;
        free(node);
    }
    for (struct table *table = cache->tables, *next; table != NULL; table = next) {
        next = table->next;
        free(table);
    }
    free(cache->bar);
    free(cache->barred);
    (void)pthread_mutex_destroy(&cache->lock);
    free(cache);
}

/* The slot that holds `key`, or the empty one where it belongs. */
static size_t find_slot(const struct table *table, const struct attune_key *key,
                        const struct node **found)
{
    size_t at = (size_t)attune_key_hash(key) & table->mask;
    while ((*found = atomic_load_explicit(&table->slot[at], memory_order_acquire)) != NULL &&
           !attune_key_equal(&(*found)->entry.key, key))
        at = (at + 1) & table->mask;
    return at;
}

const struct attune_cached *attune_cache_find(const struct attune_cache *cache,
                                              const struct attune_key *key)
{
    const struct table *table = atomic_load_explicit(&cache->table, memory_order_acquire);
    const struct node *found;
    (void)find_slot(table, key, &found);
    return found != NULL ? &found->entry : NULL;
}

static int comes_before(const struct attune_cached *entry, int32_t apart,
                        const struct attune_cached *other, int32_t other_apart)
{
    return apart < other_apart ||
           (apart == other_apart && attune_key_compare(&entry->key, &other->key) < 0);
}

int attune_cache_nearest(const struct attune_cache *cache, const struct attune_key *key, int most,
                         const struct attune_cached **entries, int32_t *distances)
{
    const struct table *table = atomic_load_explicit(&cache->table, memory_order_acquire);
    int count = 0;
    for (size_t i = 0; i <= table->mask; i++) {
        const struct node *node = atomic_load_explicit(&table->slot[i], memory_order_acquire);
        const int32_t apart = node != NULL ? attune_key_distance(key, &node->entry.key) : -1;
        int at = count;
        if (apart < 0 || apart > ATTUNE_KEY_NEAR)
            continue;
        for (; at > 0 && comes_before(&node->entry, apart, entries[at - 1], distances[at - 1]); at--)
            if (at < most) {
                entries[at] = entries[at - 1];
                distances[at] = distances[at - 1];
            }
        if (at < most) {
            entries[at] = &node->entry;
            distances[at] = apart;
        }
        count = count < most ? count + 1 : most;
    }
    return count;
}

/* Twice the slots: readers go on in the old table until they look again. */
static int grow(struct attune_cache *cache, struct table *old)
{
    struct table *table = make_table(cache, 2 * (old->mask + 1));
    if (table == NULL)
        return -1;
    for (size_t i = 0; i <= old->mask; i++) {
        const struct node *node = atomic_load_explicit(&old->slot[i], memory_order_relaxed);
        const struct node *none;
        if (node != NULL)
            atomic_init(&table->slot[find_slot(table, &node->entry.key, &none)], node);
    }
    atomic_store_explicit(&cache->table, table, memory_order_release);
    return 0;
}

static int put(struct attune_cache *cache, const struct attune_key *key,
               const struct attune_choice *choice, enum attune_layer layer)
{
    struct table *table = atomic_load_explicit(&cache->table, memory_order_relaxed);
    const size_t count = atomic_load_explicit(&cache->count, memory_order_relaxed);
    const struct node *found;
    size_t at = find_slot(table, key, &found);
    if (found != NULL && found->entry.layer < layer)
        return 0;
    if (found == NULL && count >= ATTUNE_CACHE_ENTRIES_MAX)
        return -1;
    if (found == NULL && 2 * (count + 1) > table->mask) {
        if (grow(cache, table) != 0)
            return -1;
        table = atomic_load_explicit(&cache->table, memory_order_relaxed);
        at = find_slot(table, key, &found);
    }
    struct node *node = malloc(sizeof *node);
    if (node == NULL)
        return -1;
    *node = (struct node){cache->nodes, {*key, *choice, layer}};
    cache->nodes = node;
    atomic_store_explicit(&table->slot[at], node, memory_order_release);
    atomic_store_explicit(&cache->count, count + (found == NULL), memory_order_relaxed);
    return 0;
}

int attune_cache_put(struct attune_cache *cache, const struct attune_key *key,
                     const struct attune_choice *choice, enum attune_layer layer)
{
    (void)pthread_mutex_lock(&cache->lock);
    const int code = put(cache, key, choice, layer);
    (void)pthread_mutex_unlock(&cache->lock);
    return code;
}

size_t attune_cache_count(const struct attune_cache *cache)
{
    return atomic_load_explicit(&cache->count, memory_order_relaxed);
}

struct sorted {
    const struct attune_cached *entry;
};

static int compare_entries(const void *left, const void *right)
{
    const struct sorted *a = left, *b = right;
    return attune_key_compare(&a->entry->key, &b->entry->key);
}

int attune_cache_each(const struct attune_cache *cache,
                      int (*each)(void *user, const struct attune_cached *entry), void *user)
{
    const struct table *table = atomic_load_explicit(&cache->table, memory_order_acquire);
    struct sorted *sorted = malloc((table->mask + 1) * sizeof *sorted);
    size_t count = 0;
    int code = 0;
    if (sorted == NULL)
        return -1;
    for (size_t i = 0; i <= table->mask; i++) {
        const struct node *node = atomic_load_explicit(&table->slot[i], memory_order_acquire);
        if (node != NULL)
            sorted[count++].entry = &node->entry;
    }
    qsort(sorted, count, sizeof *sorted, compare_entries);
    for (size_t i = 0; i < count && code == 0; i++)
        code = each(user, sorted[i].entry);
    free(sorted);
    return code;
}

static ptrdiff_t index_of(const struct attune_kernel *kernel)
{
    return kernel - attune_kernel_at(0);
}

/* Under the lock. */
static void set_bar(struct attune_cache *cache, const struct attune_bar *bar, ptrdiff_t index)
{
    const int before = cache->bar[index].kernel != NULL, after = bar->kernel != NULL;
    cache->bar[index] = *bar;
    atomic_store_explicit(&cache->barred[index], after ? BARRED : LIFTED, memory_order_relaxed);
    atomic_fetch_add_explicit(&cache->bars, after - before, memory_order_relaxed);
}

void attune_cache_bar(struct attune_cache *cache, const struct attune_kernel *kernel,
                      const char *reason, int64_t date, enum attune_layer layer)
{
    struct attune_bar bar = {.kernel = kernel, .date = date, .layer = layer};
    for (size_t i = 0; i + 1 < sizeof bar.reason && reason[i] != '\0'; i++)
        bar.reason[i] = reason[i] >= ' ' && reason[i] <= '~' && reason[i] != '#' ? reason[i] : '?';
    (void)pthread_mutex_lock(&cache->lock);
    set_bar(cache, &bar, index_of(kernel));
    (void)pthread_mutex_unlock(&cache->lock);
}

void attune_cache_unbar(struct attune_cache *cache, const struct attune_kernel *kernel)
{
    (void)pthread_mutex_lock(&cache->lock);
    set_bar(cache, &(struct attune_bar){0}, index_of(kernel));
    (void)pthread_mutex_unlock(&cache->lock);
}

static int standing_of(const struct attune_cache *cache, const struct attune_kernel *kernel)
{
    return atomic_load_explicit(&cache->barred[index_of(kernel)], memory_order_relaxed);
}

int attune_cache_barred(const struct attune_cache *cache, const struct attune_kernel *kernel)
{
    return standing_of(cache, kernel) == BARRED;
}

int attune_cache_lifted(const struct attune_cache *cache, const struct attune_kernel *kernel)
{
    return standing_of(cache, kernel) == LIFTED;
}

const struct attune_kernel *attune_cache_barred_in(const struct attune_cache *cache,
                                                   const struct attune_choice *choice)
{
    if (atomic_load_explicit(&cache->bars, memory_order_relaxed) == 0)
        return NULL;
    for (int i = 0; i < ATTUNE_OP_COUNT; i++)
        if (choice->kernel[i] != NULL && attune_cache_barred(cache, choice->kernel[i]))
            return choice->kernel[i];
    return NULL;
}

int attune_cache_bar_at(const struct attune_cache *cache, int index, struct attune_bar *bar)
{
    struct attune_cache *mutable = (struct attune_cache *)(uintptr_t)cache;
    int left = index, found = 0;
    (void)pthread_mutex_lock(&mutable->lock);
    for (int i = 0; i < attune_kernel_count() && !found; i++)
        if (cache->bar[i].kernel != NULL && left-- == 0) {
            *bar = cache->bar[i];
            found = 1;
        }
    (void)pthread_mutex_unlock(&mutable->lock);
    return found;
}

/* A plan does not wait for long to be counted, and in a forked child the lock may never come free. */
static int lock_soon(struct attune_cache *cache)
{
    for (int i = 0; i < LOCK_TRIES; i++)
        if (pthread_mutex_trylock(&cache->lock) == 0)
            return 1;
    return 0;
}

void attune_cache_miss(struct attune_cache *cache, const struct attune_key *key, int64_t date)
{
    if (!lock_soon(cache))
        return;
    int at = 0;
    while (at < cache->missed_count && !attune_key_equal(&cache->missed[at].key, key))
        at++;
    if (at < ATTUNE_CACHE_MISSED_MAX) {
        const int64_t before = at < cache->missed_count ? cache->missed[at].count : 0;
        cache->missed[at] = (struct attune_missed){*key, before + 1, date};
        cache->missed_count += at == cache->missed_count;
    }
    (void)pthread_mutex_unlock(&cache->lock);
}

int attune_cache_missed_at(const struct attune_cache *cache, int index,
                           struct attune_missed *missed)
{
    struct attune_cache *mutable = (struct attune_cache *)(uintptr_t)cache;
    (void)pthread_mutex_lock(&mutable->lock);
    const int found = index >= 0 && index < cache->missed_count;
    if (found)
        *missed = cache->missed[index];
    (void)pthread_mutex_unlock(&mutable->lock);
    return found;
}

void attune_cache_missed_clear(struct attune_cache *cache)
{
    (void)pthread_mutex_lock(&cache->lock);
    cache->missed_count = 0;
    (void)pthread_mutex_unlock(&cache->lock);
}

const char *attune_layer_word(enum attune_layer layer)
{
    static const char *const words[] = {"tuned",  "loaded",  "explicit", "user",
                                        "system", "shipped", "builtin"};
    return (unsigned)layer < ATTUNE_LAYER_COUNT ? words[layer] : NULL;
}
