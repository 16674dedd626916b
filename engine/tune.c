/* SPDX-License-Identifier: Apache-2.0
 *
 * attune_tune(): one key after the other, each saved when it is done. Owns the order, the budget, and
 * what is told; how candidates are made and compared is tuner/'s.
 */
#include "engine/tune.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "engine/status.h"
#include "tuner/tune_key.h"

/* Times that a key is tried, the second when all others are done: what disturbs may be gone by then; and
 * keys that are before the machine counts as unfit. */
enum { TRIES = 2, UNFIT_KEYS = 3 };

struct session {
    struct attune_context *context;
    const struct attune_tune_options *options;
    struct attune_tune_jobs jobs;
    struct attune_claim claim; /* that this process measures now */
    double begun; /* seconds */
    int32_t index, entered, known, noisy;
    int stop; /* the callback said so */
};

/* ---- Telling. ---- */

static void tell(struct session *session, struct attune_tune_progress *progress)
{
    progress->struct_size = sizeof *progress;
    progress->index = session->index;
    progress->count = session->jobs.count;
    if (session->options->progress != NULL &&
        session->options->progress(session->options->user, progress) != 0)
        session->stop = 1;
}

static void tell_key(struct session *session, enum attune_tune_event event,
                     const struct attune_key *key)
{
    char text[ATTUNE_KEY_TEXT];
    struct attune_tune_progress progress = {.event = (int32_t)event, .key = text, .base = "",
                                            .best = ""};
    (void)attune_key_format(key, text, sizeof text);
    tell(session, &progress);
}

static void tell_result(struct session *session, const struct attune_key *key,
                        enum attune_tune_event event, const struct attune_tuned *tuned,
                        double seconds)
{
    char text[ATTUNE_KEY_TEXT], base[ATTUNE_CHOICE_TEXT], best[ATTUNE_CHOICE_TEXT];
    const struct attune_search_result *search = &tuned->search;
    struct attune_tune_progress progress = {
        .event = (int32_t)event, .key = text, .base = base, .best = best,
        .speedup = search->speedup.median, .low = search->speedup.low, .high = search->speedup.high,
        .noise = search->noise, .seconds = seconds, .candidates = tuned->candidates};
    (void)attune_key_format(key, text, sizeof text);
    (void)attune_tuned_text(&tuned->base, NULL, base, sizeof base);
    (void)attune_tuned_text(&tuned->best, &tuned->base, best, sizeof best);
    tell(session, &progress);
}

/* ---- One key. ---- */

/* A context of as many threads as the tier has, for the request's kind of core. */
static enum attune_status open_context(const struct session *session,
                                       const struct attune_tune_request *request,
                                       struct attune_context **context)
{
    const struct attune_context *mine = session->context;
    const int parallel = request->asked.key.tier == ATTUNE_KEY_PARALLEL;
    const struct attune_context_options options = {.struct_size = sizeof options,
                                                   .threads = parallel ? mine->threads : 1,
                                                   .no_pinning = !mine->team.pin,
                                                   .max_isa = mine->max_isa,
                                                   .allocator = &mine->allocator,
                                                   .parallel_for = mine->team.parallel_for,
                                                   .parallel_for_user = mine->team.parallel_for_user};
    return attune_context_create_child(&options, mine, request->kind, context);
}

static enum attune_tune_event judge(const struct session *session, const struct attune_tuned *tuned)
{
    if (tuned->failed)
        return ATTUNE_TUNE_FAILED;
    if (tuned->search.rounds < ATTUNE_SEARCH_ROUNDS ||
        (!(tuned->search.deviation <= ATTUNE_SEARCH_NOISE_MAX) && !session->options->force))
        return ATTUNE_TUNE_NOISY;
    return tuned->search.winner != 0 ? ATTUNE_TUNE_WIN : ATTUNE_TUNE_TIE;
}

static enum attune_status measure(struct session *session, const struct attune_tune_request *request,
                                  struct attune_tuned *tuned)
{
    const struct attune_key *key = &request->asked.key;
    const enum attune_effort effort = (enum attune_effort)session->options->effort;
    const int64_t date = (int64_t)time(NULL);
    struct attune_context *context;
    struct attune_tune_case timed;
    memset(tuned, 0, sizeof *tuned);
    enum attune_status status = open_context(session, request, &context);
    if (status != ATTUNE_OK)
        return status;
    status = attune_tune_case_open(&timed, context, request);
    const struct attune_tune_bench bench = {
        .driver = {.run = attune_tune_case_run, .check = attune_tune_case_check,
                   .cancelled = attune_tune_case_starved, .move = attune_tune_case_move,
                   .user = &timed, .clock = attune_clock_monotonic},
        .open = attune_tune_case_plan};
    struct attune_binding *binding = key->tier == ATTUNE_KEY_CORE
                                         ? attune_context_enter_kind(context, request->kind)
                                         : NULL;
    int starved = 0;
    if (status == ATTUNE_OK && key->tier == ATTUNE_KEY_CORE)
        starved = attune_tune_core(&bench, &request->asked, timed.rows, effort, date, tuned) != 0;
    else if (status == ATTUNE_OK)
        starved = attune_tune_parallel(&bench, key, effort, date, tuned) != 0;
    attune_topology_leave(binding);
    if (starved || timed.starved)
        status = attune_fail(ATTUNE_ERROR_NO_MEMORY, "no memory to try the candidates of a key");
    attune_tune_case_close(&timed);
    attune_context_release(context);
    return status;
}

static enum attune_status enter(struct session *session, const struct attune_key *key,
                                const struct attune_tuned *tuned)
{
    if (attune_cache_put(session->context->cache, key, &tuned->choice, ATTUNE_LAYER_TUNED) != 0)
        return attune_fail(ATTUNE_ERROR_NO_MEMORY, "no memory for an entry of the cache");
    session->entered++;
    return attune_context_try_cache(session->context);
}

static enum attune_status tune_key(struct session *session, struct attune_tune_job *job)
{
    const struct attune_key *key = &job->request.asked.key;
    const double begun = attune_clock_seconds();
    struct attune_tuned tuned;
    tell_key(session, ATTUNE_TUNE_BEGUN, key);
    enum attune_status status = measure(session, &job->request, &tuned);
    if (status != ATTUNE_OK || session->stop)
        return status;
    const enum attune_tune_event event = judge(session, &tuned);
    job->noisy += event == ATTUNE_TUNE_NOISY;
    session->noisy += job->noisy == 1 && event == ATTUNE_TUNE_NOISY;
    if (event == ATTUNE_TUNE_WIN || event == ATTUNE_TUNE_TIE)
        status = enter(session, key, &tuned);
    if (event != ATTUNE_TUNE_NOISY || job->noisy == TRIES || session->noisy >= UNFIT_KEYS)
        tell_result(session, key, event, &tuned, attune_clock_seconds() - begun);
    return status;
}

/* ---- All of them. ---- */

static void note_kernel(void *user, const char *kernel, double error, const char *detail)
{
    struct attune_tune_progress progress = {.event = ATTUNE_TUNE_BARRED, .key = kernel, .base = "",
                                            .best = detail};
    if (!(error <= 1))
        tell(user, &progress);
}

static int is_known(const struct session *session, const struct attune_tune_request *request)
{
    const struct attune_cached *entry =
        attune_cache_find(session->context->cache, &request->asked.key);
    return entry != NULL && !session->options->force &&
           entry->choice.effort >= session->options->effort &&
           attune_choice_check(&request->asked.key, &entry->choice, request->asked.features, NULL) ==
               0 &&
           attune_cache_barred_in(session->context->cache, &entry->choice) == NULL;
}

static int is_all_known(const struct session *session)
{
    for (int32_t i = 0; i < session->jobs.count; i++)
        if (!is_known(session, &session->jobs.job[i].request))
            return 0;
    return 1;
}

/* Two that measure would disturb each other. */
static enum attune_status take_turn(struct session *session)
{
    long holder = 0;
    char who[48] = "another process";
    if (session->claim.fd >= 0 || is_all_known(session) ||
        attune_context_claim(session->context, &session->claim, &holder) == 0 || session->options->force)
        return ATTUNE_OK;
    if (holder > 0)
        (void)snprintf(who, sizeof who, "process %ld", holder);
    return attune_fail(ATTUNE_ERROR_UNFIT,
                       "%s is tuning on this machine, and each would measure the other: wait until it "
                       "has ended, or force it", who);
}

static int out_of_time(const struct session *session)
{
    const double limit = session->options->seconds;
    return limit > 0 && attune_clock_seconds() - session->begun >= limit;
}

/* Nothing has come of it, and it is not only a rest that an earlier run left. */
static int is_unfit(const struct session *session)
{
    return session->noisy > 0 && session->entered == 0 && session->noisy >= session->known;
}

static enum attune_status tune_job(struct session *session, int32_t index, int32_t pass)
{
    struct attune_tune_job *job = &session->jobs.job[index];
    session->index = index;
    if (pass > 0)
        return job->noisy == pass && !out_of_time(session) ? tune_key(session, job) : ATTUNE_OK;
    if (is_known(session, &job->request)) {
        session->known++;
        tell_key(session, ATTUNE_TUNE_KNOWN, &job->request.asked.key);
    } else if (session->options->dry_run) {
        tell_key(session, ATTUNE_TUNE_LISTED, &job->request.asked.key);
    } else if (!out_of_time(session)) {
        return tune_key(session, job);
    }
    return ATTUNE_OK;
}

static enum attune_status tune_all(struct session *session)
{
    enum attune_status status = ATTUNE_OK;
    for (int32_t pass = 0; pass < TRIES; pass++)
        for (int32_t i = 0; i < session->jobs.count && !session->stop && status == ATTUNE_OK; i++)
            if (session->noisy < UNFIT_KEYS || !is_unfit(session))
                status = tune_job(session, i, pass);
    if (status == ATTUNE_OK && is_unfit(session))
        return attune_fail(ATTUNE_ERROR_UNFIT,
                           "times of the same work differ by more than a quarter from one to the next: "
                           "other programs are in the way, nothing was saved");
    if (status == ATTUNE_OK && session->stop)
        return attune_fail(ATTUNE_ERROR_CANCELLED, "stopped by the callback");
    return status;
}

static enum attune_status check_options(const struct attune_context *context,
                                        const struct attune_problem *problems, int32_t count,
                                        const struct attune_tune_options *options)
{
    if (context == NULL)
        return attune_fail(ATTUNE_ERROR_INVALID, "context: NULL");
    if (count < 0 || (count > 0 && problems == NULL))
        return attune_fail(ATTUNE_ERROR_INVALID, "problems: %s", count < 0 ? "a negative count" : "NULL");
    if (options->struct_size != sizeof *options)
        return attune_fail(ATTUNE_ERROR_INVALID, "struct_size: %zu, this library's options have %zu",
                           options->struct_size, sizeof *options);
    if (options->effort < ATTUNE_TUNE_QUICK || options->effort > ATTUNE_TUNE_FULL)
        return attune_fail(ATTUNE_ERROR_INVALID, "effort: %d is not in 0..2", options->effort);
    if (!(options->seconds >= 0))
        return attune_fail(ATTUNE_ERROR_INVALID, "seconds: %g is negative", options->seconds);
    if (context->cache == NULL)
        return attune_fail(ATTUNE_ERROR_INVALID, "context: without a cache there is nothing to tune");
    return ATTUNE_OK;
}

enum attune_status attune_tune(struct attune_context *context, const struct attune_problem *problems,
                               int32_t count, const struct attune_tune_options *options)
{
    const struct attune_tune_options defaults = {.struct_size = sizeof defaults,
                                                 .effort = ATTUNE_TUNE_NORMAL};
    struct session session = {.context = context,
                              .options = options != NULL ? options : &defaults,
                              .claim = {.fd = -1},
                              .begun = attune_clock_seconds()};
    attune_detail_clear();
    enum attune_status status = check_options(context, problems, count, session.options);
    for (int32_t i = 0; i < count && status == ATTUNE_OK; i++)
        status = attune_tune_list(&session.jobs, context, &problems[i]);
    if (status == ATTUNE_OK)
        status = attune_tune_list_kinds(&session.jobs, context);
    if (status == ATTUNE_OK && session.options->missed)
        status = attune_tune_list_missed(&session.jobs, context);
    /* What could not be kept need not be measured. */
    if (status == ATTUNE_OK && !session.options->dry_run)
        status = attune_context_try_cache(context);
    if (status == ATTUNE_OK && !session.options->dry_run)
        status = take_turn(&session);
    if (status == ATTUNE_OK && !session.options->dry_run &&
        attune_selftest(context, note_kernel, &session) < 0)
        status = ATTUNE_ERROR_NO_MEMORY;
    /* A kernel that was barred just now may have made a key unknown. */
    if (status == ATTUNE_OK && !session.options->dry_run)
        status = take_turn(&session);
    if (status == ATTUNE_OK)
        status = tune_all(&session);
    attune_claim_drop(&session.claim);
    attune_tune_jobs_free(&session.jobs);
    return status;
}
