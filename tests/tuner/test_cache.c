/* SPDX-License-Identifier: Apache-2.0
 *
 * The cache in memory: what is put is found, layers, nearest, bars, missed keys, readers beside a
 * writer; and the fingerprint. Files are test_cache_file.c's.
 */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "tests/support/random.h"
#include "tuner/cache.h"
#include "tuner/fingerprint.h"

static struct attune_key key_number(int64_t i)
{
    return (struct attune_key){.dtype_q = 1, .dtype_k = 1, .dtype_v = 1, .d = 1 + (int32_t)(i % 97),
                               .e = 1 + (int32_t)(i / 97), .group = 1, .class_q = 20, .class_k = 20,
                               .isa = (int32_t)(i & 1)};
}

static struct attune_choice choice_number(int64_t i)
{
    return (struct attune_choice){.verdict = ATTUNE_VERDICT_WIN, .kv_block = 192,
                                  .speedup = (int32_t)i, .low = (int32_t)i, .high = (int32_t)i};
}

Test(cache, what_is_put_is_found)
{
    struct attune_cache *cache = attune_cache_create();
    for (int64_t i = 0; i < ATTUNE_CACHE_ENTRIES_MAX; i++) {
        const struct attune_key key = key_number(i);
        const struct attune_choice choice = choice_number(i);
        cr_assert_null(attune_cache_find(cache, &key));
        cr_assert_eq(attune_cache_put(cache, &key, &choice, ATTUNE_LAYER_USER), 0);
    }
    cr_assert_eq(attune_cache_count(cache), ATTUNE_CACHE_ENTRIES_MAX);
    for (int64_t i = 0; i < ATTUNE_CACHE_ENTRIES_MAX; i++) {
        const struct attune_key key = key_number(i);
        const struct attune_cached *found = attune_cache_find(cache, &key);
        cr_assert(found != NULL && found->choice.speedup == i && found->layer == ATTUNE_LAYER_USER);
    }
    const struct attune_key beyond = key_number(ATTUNE_CACHE_ENTRIES_MAX);
    const struct attune_choice choice = choice_number(0);
    cr_assert_eq(attune_cache_put(cache, &beyond, &choice, ATTUNE_LAYER_USER), -1, "it is full");
    attune_cache_release(cache);
}

Test(cache, the_earlier_layer_wins_whatever_comes_first)
{
    static const struct {
        enum attune_layer first, second;
        int32_t wins;
    } cases[] = {{ATTUNE_LAYER_USER, ATTUNE_LAYER_SYSTEM, 1},
                 {ATTUNE_LAYER_SYSTEM, ATTUNE_LAYER_USER, 2},
                 {ATTUNE_LAYER_USER, ATTUNE_LAYER_USER, 2}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct attune_cache *cache = attune_cache_create();
        const struct attune_key key = key_number(7);
        const struct attune_choice one = choice_number(1), two = choice_number(2);
        cr_assert_eq(attune_cache_put(cache, &key, &one, cases[i].first), 0);
        const struct attune_cached *before = attune_cache_find(cache, &key);
        cr_assert_eq(attune_cache_put(cache, &key, &two, cases[i].second), 0);
        cr_assert_eq(attune_cache_find(cache, &key)->choice.speedup, cases[i].wins);
        cr_assert_eq(before->choice.speedup, 1, "what was found stays as it was");
        cr_assert_eq(attune_cache_count(cache), 1);
        attune_cache_release(cache);
    }
}

Test(cache, nearest_is_the_least_distance_and_always_the_same)
{
    struct test_random random = {7};
    for (int round = 0; round < 50; round++) {
        struct attune_cache *cache = attune_cache_create(), *backwards = attune_cache_create();
        struct attune_key keys[60];
        const struct attune_choice choice = choice_number(1);
        for (int i = 0; i < 60; i++) {
            keys[i] = key_number(random_between(&random, 0, 400));
            keys[i].class_k = (int32_t)random_between(&random, 14, 26);
        }
        for (int i = 0; i < 60; i++) {
            (void)attune_cache_put(cache, &keys[i], &choice, ATTUNE_LAYER_USER);
            (void)attune_cache_put(backwards, &keys[59 - i], &choice, ATTUNE_LAYER_USER);
        }
        const struct attune_key key = key_number(random_between(&random, 0, 400));
        int32_t least = ATTUNE_KEY_NEAR + 1, distance, again;
        for (int i = 0; i < 60; i++) {
            const int32_t apart = attune_key_distance(&key, &keys[i]);
            least = apart >= 0 && apart < least ? apart : least;
        }
        const struct attune_cached *found = NULL, *other = NULL, *three[3];
        int32_t apart[3];
        (void)attune_cache_nearest(cache, &key, 1, &found, &distance);
        (void)attune_cache_nearest(backwards, &key, 1, &other, &again);
        const int several = attune_cache_nearest(backwards, &key, 3, three, apart);
        cr_assert(several == 0 || three[0] == other);
        for (int i = 1; i < several; i++)
            cr_assert(apart[i] >= apart[i - 1] && apart[i] == attune_key_distance(&key, &three[i]->key));
        cr_assert_eq(found != NULL, least <= ATTUNE_KEY_NEAR);
        cr_assert_eq(other != NULL, found != NULL);
        if (found != NULL)
            cr_assert(distance == least && again == least &&
                      attune_key_distance(&key, &found->key) == least &&
                      attune_key_equal(&found->key, &other->key));
        attune_cache_release(cache);
        attune_cache_release(backwards);
    }
}

static int check_order(void *user, const struct attune_cached *entry)
{
    const struct attune_cached **before = user;
    cr_assert(*before == NULL || attune_key_compare(&(*before)->key, &entry->key) < 0);
    *before = entry;
    return entry->choice.speedup == 99 ? 5 : 0;
}

Test(cache, entries_come_in_the_order_of_keys)
{
    struct attune_cache *cache = attune_cache_create();
    const struct attune_cached *last = NULL;
    for (int64_t i = 300; i > 0; i--) {
        const struct attune_key key = key_number(i);
        const struct attune_choice choice = choice_number(i == 150 ? 99 : 1);
        cr_assert_eq(attune_cache_put(cache, &key, &choice, ATTUNE_LAYER_USER), 0);
    }
    cr_assert_eq(attune_cache_each(cache, check_order, &last), 5, "each ends where it is told to");
    cr_assert_eq(last->choice.speedup, 99);
    attune_cache_release(cache);
}

Test(cache, a_bar_is_found_in_a_choice_and_can_be_lifted)
{
    struct attune_cache *cache = attune_cache_create();
    const struct attune_kernel *kernel = attune_kernel_find("wsum_scalar_4x4");
    struct attune_choice choice = {.kernel = {[ATTUNE_OP_WSUM] = kernel}};
    struct attune_bar bar;
    cr_assert_null(attune_cache_barred_in(cache, &choice));
    attune_cache_bar(cache, kernel, "differs\nby # 3 \xff", 17, ATTUNE_LAYER_TUNED);
    cr_assert_eq(attune_cache_barred_in(cache, &choice), kernel);
    cr_assert(attune_cache_bar_at(cache, 0, &bar) && !attune_cache_bar_at(cache, 1, &bar));
    cr_assert_str_eq(bar.reason, "differs?by ? 3 ?");
    cr_assert(bar.kernel == kernel && bar.date == 17);
    attune_cache_unbar(cache, kernel);
    cr_assert_null(attune_cache_barred_in(cache, &choice));
    cr_assert(!attune_cache_barred(cache, kernel) && !attune_cache_bar_at(cache, 0, &bar));
    attune_cache_release(cache);
}

Test(cache, missed_keys_are_counted_up_to_a_limit)
{
    struct attune_cache *cache = attune_cache_create();
    struct attune_missed missed;
    for (int64_t i = 0; i < ATTUNE_CACHE_MISSED_MAX + 50; i++)
        for (int64_t times = 0; times <= i % 3; times++) {
            const struct attune_key key = key_number(i);
            attune_cache_miss(cache, &key, 1000 + times);
        }
    for (int i = 0; i < ATTUNE_CACHE_MISSED_MAX; i++) {
        const struct attune_key key = key_number(i);
        cr_assert(attune_cache_missed_at(cache, i, &missed));
        cr_assert(attune_key_equal(&missed.key, &key) && missed.count == i % 3 + 1 &&
                  missed.date == 1000 + i % 3);
    }
    cr_assert(!attune_cache_missed_at(cache, ATTUNE_CACHE_MISSED_MAX, &missed));
    attune_cache_missed_clear(cache);
    cr_assert(!attune_cache_missed_at(cache, 0, &missed));
    attune_cache_release(cache);
}

static struct attune_cache *shared;
static atomic_int writing;

static void *read_while_written(void *argument)
{
    (void)argument;
    while (atomic_load(&writing))
        for (int64_t i = 0; i < 2000; i++) {
            const struct attune_key key = key_number(i);
            const struct attune_cached *found = attune_cache_find(shared, &key);
            cr_assert(found == NULL || (attune_key_equal(&found->key, &key) &&
                                        found->choice.low == found->choice.high));
        }
    return NULL;
}

Test(cache, readers_beside_a_writer_see_whole_entries)
{
    pthread_t readers[3];
    shared = attune_cache_create();
    atomic_store(&writing, 1);
    for (int i = 0; i < 3; i++)
        cr_assert_eq(pthread_create(&readers[i], NULL, read_while_written, NULL), 0);
    for (int64_t round = 1; round <= 5; round++)
        for (int64_t i = 0; i < 2000; i++) {
            const struct attune_key key = key_number(i);
            const struct attune_choice choice = choice_number(round * 10000 + i);
            cr_assert_eq(attune_cache_put(shared, &key, &choice, ATTUNE_LAYER_TUNED), 0);
        }
    atomic_store(&writing, 0);
    for (int i = 0; i < 3; i++)
        cr_assert_eq(pthread_join(readers[i], NULL), 0);
    attune_cache_release(shared);
}

Test(fingerprint, names_silicon_and_not_what_a_hypervisor_invents)
{
    struct attune_cpu cpu = {.vendor = "Some #thing", .brand = "EPYC", .family = 26, .model = 17,
                             .usable = ATTUNE_REQUIRES_AVX2};
    struct attune_topology topology = {.l1d = {49152, 64, 12, 2}, .l2 = {1 << 20, 64, 16, 2},
                                       .logical = 4, .cores = 2, .allowed = 4};
    struct attune_fingerprint one, two;
    attune_fingerprint_of(&cpu, &topology, &one);
    cr_assert_str_eq(one.text, "cpu=Some__thing:26:17:0 features=avx,avx2,fma,f16c l1d=49152/12/64 "
                               "l2=1048576/16/64 l3=0/0/0");
    cr_assert_eq(strlen(one.digest), 16);
    strcpy(cpu.brand, "another");
    cpu.listed = ~0u;
    attune_fingerprint_of(&cpu, &topology, &two);
    cr_assert_str_eq(one.digest, two.digest);
    /* Fewer cores allowed: another topology, the same machine. */
    topology.allowed = 2;
    attune_fingerprint_of(&cpu, &topology, &two);
    cr_assert(strcmp(one.digest, two.digest) == 0 && one.topology != two.topology);
    topology.l2.ways = 8;
    attune_fingerprint_of(&cpu, &topology, &two);
    cr_assert_str_neq(one.digest, two.digest);
    cpu.usable = ~0u;
    topology.l1d.size = topology.l2.size = topology.l3.size = INT64_MAX;
    attune_fingerprint_of(&cpu, &topology, &two);
    cr_assert_lt(strlen(two.text), sizeof two.text - 1, "every feature fits");
    cr_assert_str_eq(attune_fingerprint_get()->digest, attune_fingerprint_get()->digest);
}
