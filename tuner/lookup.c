/* SPDX-License-Identifier: Apache-2.0
 *
 * The chain of a choice: the entry of exactly this key, its neighbours within two octaves, the model. An
 * entry is believed only as far as attune_lookup_accept() goes; one that is not leaves the next in line.
 */
#include "tuner/lookup.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void say(const struct attune_lookup *lookup, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void say(const struct attune_lookup *lookup, const char *format, ...)
{
    char line[2 * ATTUNE_KEY_TEXT + sizeof(struct attune_fault)];
    va_list arguments;
    if (lookup->trace == NULL)
        return;
    va_start(arguments, format);
    (void)vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    lookup->trace(lookup->trace_user, line);
}

static void say_entry(const struct attune_lookup *lookup, const struct attune_cached *entry,
                      const char *what)
{
    char key[ATTUNE_KEY_TEXT];
    if (lookup->trace == NULL)
        return;
    (void)attune_key_format(&entry->key, key, sizeof key);
    say(lookup, "%s (%s): %s", what, attune_layer_word(entry->layer), key);
}

const char *attune_origin_word(enum attune_origin origin)
{
    static const char *const words[] = {"model", "tie", "tuned", "near", "forced"};
    return words[origin];
}

/* Prepared keys serve every plan of the same key side, so that none may choose panels of its own. */
static int check_prepared(const struct attune_model_problem *problem,
                          const struct attune_choice *choice, struct attune_fault *fault)
{
    const struct attune_kernel *kernel = choice->kernel[ATTUNE_OP_SCORE_TANH];
    struct attune_choice model = {0};
    if (!problem->key.prepared || kernel == NULL)
        return 0;
    (void)attune_model_complete(problem, &model);
    const struct attune_kernel *shared = model.kernel[ATTUNE_OP_SCORE_TANH];
    if (shared == NULL || kernel->width == shared->width)
        return 0;
    return attune_fault_set(fault, 0, "kernel: %s reads prepared keys in panels of %d, they have %d",
                            kernel->name, kernel->width, shared->width);
}

int attune_lookup_accept(const struct attune_model_problem *problem,
                         const struct attune_choice *choice, struct attune_choice *completed,
                         struct attune_fault *fault)
{
    if (attune_choice_check(&problem->key, choice, problem->features, fault) != 0)
        return -1;
    const struct attune_kernel *barred =
        problem->bars != NULL ? attune_cache_barred_in(problem->bars, choice) : NULL;
    if (barred != NULL)
        return attune_fault_set(fault, 0, "kernel: %s is barred here, it computed wrong results",
                                barred->name);
    *completed = *choice;
    if (attune_model_complete(problem, completed) != ATTUNE_OP_COUNT)
        return attune_fault_set(fault, 0, "kernel: an operation has none that can run");
    return check_prepared(problem, completed, fault);
}

/* What another machine, or this one before it was tuned, would not have computed. */
static int changes_bits(const struct attune_choice *choice)
{
    int changes = choice->kv_block != 0 || choice->kv_split != 0;
    for (int32_t i = 0; i < ATTUNE_OP_COUNT; i++)
        changes |= choice->kernel[i] != NULL;
    return changes;
}

/* What a neighbour's choice is worth elsewhere: its kernels. Strips and blocks were the best for its
 * lengths (a strip of 128 rows for 128 rows), and follow the model where these differ. */
static struct attune_choice borrowed(const struct attune_choice *choice)
{
    struct attune_choice kernels = *choice;
    kernels.strip = kernels.q_block = kernels.kv_block = kernels.kv_split = 0;
    return kernels;
}

/* Neighbours that are asked, and the distance up to which the nearest need not be borne out by another:
 * half an octave of one length. */
enum { NEIGHBOURS = 3, NEXT_DOOR = 4 };

static int same_kernels(const struct attune_cached *a, const struct attune_cached *b)
{
    return memcmp(a->choice.kernel, b->choice.kernel, sizeof a->choice.kernel) == 0;
}

static int same_widths(const struct attune_key *a, const struct attune_key *b)
{
    return a->d == b->d && a->e == b->e && a->a == b->a && a->n == b->n && a->group == b->group;
}

/* Whose kernels to borrow: the nearest one's where it is next door, else those that two of the nearest
 * agree on. What won by the remainders of its own length or width is seldom right for others, and two
 * seldom agree on it. NULL: nobody's. */
static const struct attune_cached *find_neighbour(const struct attune_lookup *lookup,
                                                  const struct attune_key *key)
{
    const struct attune_cached *entries[NEIGHBOURS + 1], **near = entries;
    int32_t distances[NEIGHBOURS + 1], *apart = distances;
    int count = attune_cache_nearest(lookup->cache, key, NEIGHBOURS + 1, near, apart);
    if (count > 0 && attune_key_equal(&near[0]->key, key)) { /* its own, which could not be taken */
        near++;
        apart++;
        count--;
    }
    count = count < NEIGHBOURS ? count : NEIGHBOURS;
    for (int i = 0; i < count; i++) {
        say_entry(lookup, near[i], "near");
        say(lookup, "%d eighths of an octave away", apart[i]);
    }
    if (count > 0 && apart[0] <= NEXT_DOOR && same_widths(key, &near[0]->key))
        return near[0];
    for (int i = 0; i < count; i++)
        for (int j = i + 1; j < count; j++)
            if (same_kernels(near[i], near[j]))
                return near[i];
    say(lookup, count > 0 ? "of these, none is next door, and no two agree"
                          : "none is within two octaves");
    return NULL;
}

/* Takes an entry for the problem, or says why not. */
static int take(const struct attune_lookup *lookup, const struct attune_model_problem *problem,
                const struct attune_cached *entry, enum attune_origin origin,
                struct attune_answer *answer)
{
    const struct attune_choice choice =
        origin == ATTUNE_ORIGIN_NEAR ? borrowed(&entry->choice) : entry->choice;
    struct attune_choice completed;
    struct attune_fault fault;
    if (lookup->same_bits && changes_bits(&entry->choice)) {
        say(lookup, "not taken: it changes bits, and the same are asked for");
        return 0;
    }
    if (attune_lookup_accept(problem, &choice, &completed, &fault) != 0) {
        say(lookup, "not taken: %s", fault.text);
        return 0;
    }
    answer->choice = completed;
    answer->entry = entry;
    answer->origin = entry->choice.verdict == ATTUNE_VERDICT_TIE ? ATTUNE_ORIGIN_TIE : origin;
    say(lookup, answer->origin == ATTUNE_ORIGIN_TIE
                    ? "taken: nothing was surely faster there than the model's choice"
                    : "taken");
    return 1;
}

static int take_from_cache(const struct attune_lookup *lookup,
                           const struct attune_model_problem *problem, struct attune_answer *answer)
{
    const struct attune_cached *entry = attune_cache_find(lookup->cache, &problem->key);
    if (entry != NULL) {
        say_entry(lookup, entry, "tuned for exactly this key");
        if (take(lookup, problem, entry, ATTUNE_ORIGIN_TUNED, answer))
            return 1;
    } else {
        say(lookup, "no entry has this key");
    }
    answer->missed = 1;
    entry = find_neighbour(lookup, &problem->key);
    return entry != NULL && take(lookup, problem, entry, ATTUNE_ORIGIN_NEAR, answer);
}

static void say_key(const struct attune_lookup *lookup, const struct attune_key *key)
{
    char text[ATTUNE_KEY_TEXT];
    if (lookup->trace == NULL)
        return;
    (void)attune_key_format(key, text, sizeof text);
    say(lookup, "key: %s", text);
}

void attune_lookup_core(const struct attune_lookup *lookup,
                        const struct attune_model_problem *problem, struct attune_answer *answer)
{
    memset(answer, 0, sizeof *answer);
    answer->missing = ATTUNE_OP_COUNT;
    say_key(lookup, &problem->key);
    if (lookup->cache == NULL)
        say(lookup, "no cache is read");
    else if (take_from_cache(lookup, problem, answer))
        return;
    answer->origin = ATTUNE_ORIGIN_MODEL;
    answer->missing = attune_model_complete(problem, &answer->choice);
    say(lookup, "taken: the model's choice");
}

void attune_lookup_parallel(const struct attune_lookup *lookup, const struct attune_key *key,
                            struct attune_answer *answer)
{
    const struct attune_cached *entry = NULL;
    struct attune_fault fault;
    int32_t distance = 0;
    memset(answer, 0, sizeof *answer);
    answer->missing = ATTUNE_OP_COUNT;
    say_key(lookup, key);
    if (lookup->cache != NULL) {
        entry = attune_cache_find(lookup->cache, key);
        answer->missed = entry == NULL;
        if (entry == NULL)
            (void)attune_cache_nearest(lookup->cache, key, 1, &entry, &distance);
    }
    if (entry == NULL) {
        say(lookup, "taken: threads by the amount of work");
        return;
    }
    say_entry(lookup, entry, distance > 0 ? "the nearest" : "tuned for exactly this key");
    if (attune_choice_check(key, &entry->choice, ~0u, &fault) != 0) {
        answer->missed = 1;
        say(lookup, "not taken: %s", fault.text);
        return;
    }
    answer->choice = entry->choice;
    answer->entry = entry;
    answer->origin = entry->choice.verdict == ATTUNE_VERDICT_TIE ? ATTUNE_ORIGIN_TIE
                     : distance > 0                              ? ATTUNE_ORIGIN_NEAR
                                                                 : ATTUNE_ORIGIN_TUNED;
    say(lookup, "taken");
}
