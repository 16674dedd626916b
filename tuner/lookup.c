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

/* Takes a choice for the problem, or says why not. */
static int take(const struct attune_lookup *lookup, const struct attune_model_problem *problem,
                const struct attune_cached *entry, const struct attune_choice *choice,
                enum attune_origin origin, struct attune_answer *answer)
{
    struct attune_choice completed;
    struct attune_fault fault;
    if (lookup->same_bits && changes_bits(choice)) {
        say(lookup, "not taken: it changes bits, and the same are asked for");
        return 0;
    }
    if (attune_lookup_accept(problem, choice, &completed, &fault) != 0) {
        say(lookup, "not taken: %s", fault.text);
        return 0;
    }
    answer->choice = completed;
    answer->entry = entry;
    answer->origin = choice->verdict == ATTUNE_VERDICT_TIE ? ATTUNE_ORIGIN_TIE : origin;
    say(lookup, answer->origin == ATTUNE_ORIGIN_TIE
                    ? "taken: nothing was surely faster there than the model's choice"
                    : "taken");
    return 1;
}

/* Neighbours that are asked, and the distance up to which one need not be borne out by another: half an
 * octave of both lengths, or of one where there are so few keys that remainders of vectors decide. */
enum { NEIGHBOURS = 3, NEXT_DOOR = 8, NEXT_DOOR_FEW = 4, FEW_KEYS = 64 };

struct neighbours {
    const struct attune_cached *entry[NEIGHBOURS];
    int32_t apart[NEIGHBOURS];
    int count;
};

/* The nearest with as many rows to a key; not the key's own entry, which could not be taken. */
static void find_neighbours(const struct attune_lookup *lookup, const struct attune_key *key,
                            struct neighbours *near)
{
    const struct attune_cached *entries[2 * NEIGHBOURS];
    int32_t apart[2 * NEIGHBOURS];
    const int count = attune_cache_nearest(lookup->cache, key, 2 * NEIGHBOURS, entries, apart);
    near->count = 0;
    for (int i = 0; i < count && near->count < NEIGHBOURS; i++) {
        if (attune_key_equal(&entries[i]->key, key) || entries[i]->key.group != key->group)
            continue;
        say_entry(lookup, entries[i], "near");
        say(lookup, "%d eighths of an octave away", apart[i]);
        near->entry[near->count] = entries[i];
        near->apart[near->count++] = apart[i];
    }
}

/* The kernel of an operation in either of its forms; NULL: none is named. */
static const struct attune_kernel *named_for(const struct attune_choice *choice,
                                             enum attune_operation operation)
{
    const enum attune_operation other = attune_operation_other(operation);
    if (choice->kernel[operation] != NULL || other == ATTUNE_OP_COUNT)
        return choice->kernel[operation];
    return choice->kernel[other];
}

/* The kernel for an operation that the nearest names, where it is next door, or that two neighbours do;
 * a tie names the model's. */
static const struct attune_kernel *vote(const struct neighbours *near, int next_door,
                                        enum attune_operation operation,
                                        const struct attune_kernel *model)
{
    const struct attune_kernel *named[NEIGHBOURS];
    for (int i = 0; i < near->count; i++) {
        const struct attune_kernel *kernel = named_for(&near->entry[i]->choice, operation);
        named[i] = kernel != NULL ? kernel : model;
        if (i == 0 && next_door)
            return named[i];
        for (int j = 0; j < i; j++)
            if (named[j] == named[i])
                return named[i];
    }
    return model;
}

/* What neighbours' choices are worth elsewhere: their kernels, each that of the nearest where it is next
 * door, else what two of them agree on: what won by the remainders of its own lengths or widths is seldom
 * right for others, and two seldom agree on it. Strips and blocks follow the model where there are many
 * rows: they were the best for the neighbour's lengths (a strip of 128 rows for 128 rows). */
static int take_from_neighbours(const struct attune_lookup *lookup,
                                const struct attune_model_problem *problem, struct attune_answer *answer)
{
    struct attune_choice borrowed = {.verdict = ATTUNE_VERDICT_WIN}, model = {0};
    struct neighbours near;
    int differs = 0;
    find_neighbours(lookup, &problem->key, &near);
    if (near.count == 0) {
        say(lookup, "none is within two octaves");
        return 0;
    }
    const int next_door =
        near.apart[0] <= (problem->t_k < FEW_KEYS ? NEXT_DOOR_FEW : NEXT_DOOR);
    (void)attune_model_complete(problem, &model);
    for (int32_t i = 0; i < ATTUNE_OP_COUNT; i++) {
        const enum attune_operation operation = (enum attune_operation)i;
        const struct attune_kernel *own = named_for(&model, operation);
        const int panels = operation == ATTUNE_OP_WSUM || operation == ATTUNE_OP_WSUM_ROWS;
        const int fits = !panels || near.entry[0]->key.e == problem->key.e;
        const struct attune_kernel *kernel = vote(&near, next_door && fits, operation, own);
        if (kernel == own)
            continue;
        borrowed.kernel[kernel->operation] = kernel;
        differs = 1;
    }
    /* Few rows have no strips to speak of; what they gain by longer blocks, their neighbours do too. */
    if (next_door && problem->rows <= ATTUNE_KEY_FEW_ROWS) {
        borrowed.kv_block = near.entry[0]->choice.kv_block;
        differs |= borrowed.kv_block != 0;
    }
    if (!differs) {
        say(lookup, "they agree on no other kernels than the model's");
        return 0;
    }
    return take(lookup, problem, near.entry[0], &borrowed, ATTUNE_ORIGIN_NEAR, answer);
}

static int take_from_cache(const struct attune_lookup *lookup,
                           const struct attune_model_problem *problem, struct attune_answer *answer)
{
    const struct attune_cached *entry = attune_cache_find(lookup->cache, &problem->key);
    if (entry != NULL) {
        say_entry(lookup, entry, "tuned for exactly this key");
        if (take(lookup, problem, entry, &entry->choice, ATTUNE_ORIGIN_TUNED, answer))
            return 1;
    } else {
        say(lookup, "no entry has this key");
    }
    answer->missed = 1;
    return take_from_neighbours(lookup, problem, answer);
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
        say(lookup, "no choice is taken from a cache");
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
