/* SPDX-License-Identifier: Apache-2.0
 *
 * The same keys tuned several times: entries agree when both are ties or name the same; those that do
 * not meet in a final of the tuner's own, and are as good as each other unless one is surely faster.
 */
#include <stdio.h>
#include <string.h>

#include "attune/attune.h"
#include "engine/tune_case.h"
#include "tests/tuning/judge.h"
#include "tuner/space.h"
#include "tuner/tune_key.h"

enum { SAME, ALIKE, DIFFERENT, OUTCOMES };
static const char *const outcomes[OUTCOMES] = {"same", "alike", "different"};
static const double sample_seconds = 5e-4;

struct judge {
    struct attune_context *context; /* of all threads, which knows nothing tuned */
    struct attune_context *one;     /* the same of one thread */
    struct attune_context **caches;
    int count, failed;
    int64_t outcome[OUTCOMES];
};

/* The problem of a key as its class begins, which is what the tuner of a missed key takes too. */
static struct attune_tune_request request_of(const struct judge *judge, const struct attune_key *key)
{
    return (struct attune_tune_request){
        .asked = {.topology = attune_topology_get(),
                  .features = judge->context->features,
                  .key = *key,
                  .rows = key->group * attune_key_class_floor(key->class_q),
                  .t_k = attune_key_class_floor(key->class_k)},
        .units = key->tier == ATTUNE_KEY_PARALLEL ? attune_key_class_floor(key->class_units) : 0};
}

/* An entry with every knob that it leaves to the model; for a parallel key there is nothing to add. */
static struct attune_choice complete(const struct attune_tune_request *request,
                                     const struct attune_choice *choice)
{
    struct attune_choice full = *choice;
    full.verdict = ATTUNE_VERDICT_WIN;
    if (request->asked.key.tier == ATTUNE_KEY_CORE)
        (void)attune_model_complete(&request->asked, &full);
    return full;
}

static int same(const struct attune_choice *a, const struct attune_choice *b)
{
    return memcmp(a->kernel, b->kernel, sizeof a->kernel) == 0 && a->strip == b->strip &&
           a->q_block == b->q_block && a->kv_block == b->kv_block && a->kv_split == b->kv_split &&
           a->threads == b->threads && a->schedule == b->schedule;
}

/* Whether one is surely faster than the other, whichever is taken for the default. */
static int meet(struct judge *judge, const struct attune_tune_request *request,
                const struct attune_choice *choices, struct attune_search_result *result)
{
    const int parallel = request->asked.key.tier == ATTUNE_KEY_PARALLEL;
    struct attune_tune_case timed;
    int surely = 0;
    int fine = attune_tune_case_open(&timed, parallel ? judge->context : judge->one, request) == ATTUNE_OK;
    for (int32_t i = 0; i < 2 && fine; i++)
        fine = attune_tune_case_plan(&timed, i, &choices[i]);
    const struct attune_search_driver driver = {.run = attune_tune_case_run, .check = attune_tune_case_check,
                                                .move = attune_tune_case_move, .user = &timed,
                                                .clock = attune_clock_monotonic};
    for (int32_t base = 0; base < 2 && fine && !surely; base++) {
        const int32_t other = 1 - base;
        attune_search_final(&driver, base, &other, 1, attune_search_calls(&driver, 0, sample_seconds),
                            result);
        surely = result->winner != base;
    }
    attune_tune_case_close(&timed);
    judge->failed |= !fine;
    return surely;
}

static void compare(struct judge *judge, const struct attune_cached *a, const struct attune_cached *b)
{
    const struct attune_tune_request request = request_of(judge, &a->key);
    const struct attune_choice choices[] = {complete(&request, &a->choice), complete(&request, &b->choice)};
    struct attune_search_result result;
    char key[ATTUNE_KEY_TEXT], text[2][ATTUNE_CHOICE_TEXT];
    if (same(&choices[0], &choices[1])) {
        judge->outcome[SAME]++;
        return;
    }
    const int outcome = meet(judge, &request, choices, &result) ? DIFFERENT : ALIKE;
    judge->outcome[outcome]++;
    (void)attune_key_format(&a->key, key, sizeof key);
    for (int i = 0; i < 2; i++)
        (void)attune_tuned_text(&choices[i], &choices[1 - i], text[i], sizeof text[i]);
    (void)printf("%s\t%s\t%s: %.3f [%.3f, %.3f]\t%s: %.3f [%.3f, %.3f]\t%.3f [%.3f, %.3f]\n",
                 outcomes[outcome], key, a->choice.verdict == ATTUNE_VERDICT_TIE ? "tie" : text[0],
                 a->choice.speedup / 1e3, a->choice.low / 1e3, a->choice.high / 1e3,
                 b->choice.verdict == ATTUNE_VERDICT_TIE ? "tie" : text[1], b->choice.speedup / 1e3,
                 b->choice.low / 1e3, b->choice.high / 1e3, result.speedup.median, result.speedup.low,
                 result.speedup.high);
    (void)fflush(stdout);
}

/* An entry of the first cache against that of each other, and these against each other. */
static int compare_key(void *user, const struct attune_cached *entry)
{
    struct judge *judge = user;
    for (int i = 0; i < judge->count; i++)
        for (int j = i + 1; j < judge->count; j++) {
            const struct attune_cached *a = attune_cache_find(judge->caches[i]->cache, &entry->key);
            const struct attune_cached *b = attune_cache_find(judge->caches[j]->cache, &entry->key);
            if (a != NULL && b != NULL)
                compare(judge, a, b);
        }
    return 0;
}

int judge_agreement(int32_t threads, char **caches, int count)
{
    struct attune_context *contexts[16];
    struct judge judge = {.caches = contexts, .count = count < 16 ? count : 16};
    judge.context = judge_context(threads, NULL);
    judge.one = judge_context(1, NULL);
    for (int i = 0; i < judge.count; i++)
        contexts[i] = judge_context(threads, caches[i]);
    (void)attune_cache_each(contexts[0]->cache, compare_key, &judge);
    const double all = (double)(judge.outcome[SAME] + judge.outcome[ALIKE] + judge.outcome[DIFFERENT]);
    const double agree = all > 0 ? (double)(judge.outcome[SAME] + judge.outcome[ALIKE]) / all : 0;
    (void)printf("%.0f pairs of entries: %.1f %% the same, %.1f %% as good as each other, %.1f %% different\n",
                 all, 100 * (double)judge.outcome[SAME] / all, 100 * (double)judge.outcome[ALIKE] / all,
                 100 * (double)judge.outcome[DIFFERENT] / all);
    for (int i = 0; i < judge.count; i++)
        attune_context_release(contexts[i]);
    attune_context_release(judge.context);
    attune_context_release(judge.one);
    return judge.failed ? 4 : agree < 0.9;
}
