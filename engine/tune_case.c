/* SPDX-License-Identifier: Apache-2.0
 *
 * The problem of a key: heads of the core's own operands, so that no projection is in the time. A core
 * key's is one head, cut to about a millisecond on one core; what it keeps are the widths, the rows of a
 * block, whether the keys fit in L2, and for few rows that keys come from where the real ones would.
 */
#include "engine/tune_case.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/status.h"
#include "engine/synthetic.h"
#include "engine/verify.h"

/* Seconds that one execution should take, about, and what one core does in a second, roughly. */
static const double run_seconds = 1e-3, flop_rate = 6e10, tanh_rate = 1e10;
/* Seconds of float64 reference for one check. */
static const double check_seconds = 0.01;
/* A block of rows as large as plans make them; fewer than this are not cut further: values of few
 * rows are read where they lie. */
enum { ROWS = 256, LEAST_ROWS = 48, LEAST_KEYS = 4 * ATTUNE_KEY_STEP, LEAST_SCANNED = 64 };
/* Channels of a recurrent problem: its projections are in the time, and these make them small. */
enum { CHANNELS = 8 };
enum { COPIES_MAX = 64 };
#define COPIES_BYTES (INT64_C(256) << 20)
/* Operands of all places together. */
#define PLACES_BYTES (64u << 20)

struct sizes {
    int64_t rows, t_q, t_k, units, copies;
};

static double pair_seconds(const struct attune_key *key)
{
    const double n = key->n, a = key->a;
    double seconds = 2.0 * (key->d + key->e) / flop_rate;
    if (key->score == ATTUNE_KEY_TANH)
        seconds += a / tanh_rate;
    if (key->score == ATTUNE_KEY_LSTM)
        seconds += (8 * n * n + 2 * a * n) / flop_rate + (a + 5 * n) / tanh_rate;
    return seconds;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t key_bytes(const struct attune_key *key)
{
    const int64_t width = key->score == ATTUNE_KEY_DOT ? key->d : key->a;
    return width * (int64_t)attune_dtype_size(key->dtype_k) +
           key->e * (int64_t)attune_dtype_size(key->dtype_v);
}

/* Keys below which the cut problem would lie in a nearer cache than the whole one. */
static int64_t least_keys(const struct attune_model_problem *asked)
{
    const int64_t few = asked->key.score == ATTUNE_KEY_LSTM ? LEAST_SCANNED : LEAST_KEYS;
    const int64_t beyond_l2 = 5 * asked->topology->l2.size / (4 * most(key_bytes(&asked->key), 1));
    return least(asked->t_k, most(few, beyond_l2));
}

/* Copies of keys and values that few rows find in no nearer a cache than in the whole problem. */
static int64_t count_copies(const struct attune_tune_request *request, int64_t rows, int64_t t_k)
{
    const int64_t bytes = most(t_k * key_bytes(&request->asked.key), 1);
    const int64_t beyond_l3 = 2 * most(request->asked.topology->l3.size, 1 << 24) / bytes + 1;
    int64_t copies = request->units > 0 ? least(request->units, beyond_l3) : beyond_l3;
    copies = least(copies, most(COPIES_BYTES / bytes, 1));
    return rows <= ATTUNE_KEY_FEW_ROWS ? least(copies, COPIES_MAX) : 1;
}

static struct sizes cut(const struct attune_tune_request *request)
{
    const struct attune_model_problem *asked = &request->asked;
    const struct attune_key *key = &asked->key;
    const double pairs = run_seconds / pair_seconds(key);
    struct sizes sizes = {.rows = asked->rows, .t_k = asked->t_k, .units = 1, .copies = 1};
    if (key->tier == ATTUNE_KEY_PARALLEL) {
        sizes.units = request->units;
        sizes.t_q = most(asked->rows / key->group, 1);
        return sizes;
    }
    sizes.rows = least(sizes.rows, ROWS);
    if ((double)sizes.rows * (double)sizes.t_k > pairs)
        sizes.t_k = least(sizes.t_k, most((int64_t)(pairs / (double)most(sizes.rows, 1)),
                                          least_keys(asked)));
    if ((double)sizes.rows * (double)sizes.t_k > 2 * pairs)
        sizes.rows = least(sizes.rows, most((int64_t)(pairs / (double)most(sizes.t_k, 1)),
                                            LEAST_ROWS));
    sizes.t_q = most(sizes.rows / key->group, 1);
    sizes.rows = sizes.t_q * key->group;
    sizes.copies = count_copies(request, sizes.rows, sizes.t_k);
    return sizes;
}

static void describe_dot(const struct attune_key *key, const struct sizes *sizes,
                         struct attune_problem *problem)
{
    const int64_t g = sizes->units, q[] = {1, g * key->group, sizes->t_q, key->d};
    const int64_t k[] = {sizes->copies, g, sizes->t_k, key->d}, v[] = {k[0], g, k[2], key->e};
    const int64_t scales[] = {1, g, sizes->t_k};
    attune_problem_init(problem, ATTUNE_SELF);
    attune_problem_input(problem, ATTUNE_IN_Q, (enum attune_dtype)key->dtype_q, 4, q);
    attune_problem_input(problem, ATTUNE_IN_K, (enum attune_dtype)key->dtype_k, 4, k);
    attune_problem_input(problem, ATTUNE_IN_V, (enum attune_dtype)key->dtype_v, 4, v);
    if (key->dtype_k == ATTUNE_I8)
        attune_problem_input(problem, ATTUNE_IN_KEY_SCALE, ATTUNE_F32, 3, scales);
    if (key->dtype_v == ATTUNE_I8)
        attune_problem_input(problem, ATTUNE_IN_VALUE_SCALE, ATTUNE_F32, 3, scales);
}

/* Additive, its tensors in the score space already. */
static void describe_tanh(const struct attune_key *key, const struct sizes *sizes,
                          struct attune_problem *problem)
{
    const int64_t h = sizes->units, query[] = {1, sizes->t_q, h * key->a};
    const int64_t keys[] = {sizes->copies, sizes->t_k, h * key->a}, vector[] = {h, key->a};
    const int64_t values[] = {sizes->copies, h, sizes->t_k, key->e};
    attune_problem_init(problem, ATTUNE_ADDITIVE);
    attune_problem_input(problem, ATTUNE_IN_QUERY, ATTUNE_F32, 3, query);
    attune_problem_input(problem, ATTUNE_IN_KEY, ATTUNE_F32, 3, keys);
    attune_problem_input(problem, ATTUNE_IN_VALUE, (enum attune_dtype)key->dtype_v, 4, values);
    attune_problem_input(problem, ATTUNE_IN_SCORE_VECTOR, ATTUNE_F32, 2, vector);
    if (key->prepared)
        problem->flags |= ATTUNE_PREPARED_KEYS;
}

/* Queries and keys are one x there: fewer rows by their lengths. */
static void describe_lstm(const struct attune_key *key, struct sizes *sizes,
                          struct attune_problem *problem)
{
    const int64_t t = most(sizes->t_k, 1), b = sizes->units, n = key->n;
    const int64_t x[] = {b, t, CHANNELS}, ih[] = {4 * n, 2 * CHANNELS}, hh[] = {4 * n, n};
    const int64_t w[] = {key->a, n}, vector[] = {key->a}, values[] = {b, t, key->e};
    sizes->t_q = least(sizes->t_q, t);
    attune_problem_init(problem, ATTUNE_RECURRENT);
    attune_problem_input(problem, ATTUNE_IN_X, ATTUNE_F32, 3, x);
    attune_problem_input(problem, ATTUNE_IN_WEIGHT_IH, ATTUNE_F32, 2, ih);
    attune_problem_input(problem, ATTUNE_IN_WEIGHT_HH, ATTUNE_F32, 2, hh);
    attune_problem_input(problem, ATTUNE_IN_W_RECURRENT, ATTUNE_F32, 2, w);
    attune_problem_input(problem, ATTUNE_IN_SCORE_VECTOR, ATTUNE_F32, 1, vector);
    attune_problem_input(problem, ATTUNE_IN_VALUE, (enum attune_dtype)key->dtype_v, 3, values);
    attune_problem_input(problem, ATTUNE_IN_QUERY_LENGTHS, ATTUNE_I64, 1, &b);
}

/* Rows that were cut stand in the middle of those that attend ever more keys, or at the end. */
static void describe_mask(const struct attune_tune_request *request, const struct sizes *sizes,
                          struct attune_problem *problem)
{
    const struct attune_key *key = &request->asked.key;
    const int64_t mask[] = {1, sizes->t_k}, spare = most(sizes->t_k - sizes->t_q, 0);
    if (key->mask == ATTUNE_KEY_ARBITRARY)
        attune_problem_input(problem, ATTUNE_IN_MASK, ATTUNE_BOOL, 2, mask);
    if (key->mask != ATTUNE_KEY_CAUSAL && key->mask != ATTUNE_KEY_WINDOW)
        return;
    problem->causal = ATTUNE_TOP_LEFT;
    problem->past = key->class_q == key->class_k ? spare / 2 : spare;
    if (key->mask == ATTUNE_KEY_CAUSAL)
        return;
    problem->has_window_left = 1;
    problem->window_left = request->window_left > 0 ? request->window_left
                                                    : most(sizes->t_k / 4, 1);
}

static enum attune_status allocate_outputs(const struct attune_problem *problem,
                                           struct attune_args *args)
{
    struct attune_tensor shape;
    enum attune_status status = attune_problem_output_shape(problem, ATTUNE_OUT_OUT, &shape);
    size_t count = 1;
    for (int32_t axis = 0; status == ATTUNE_OK && axis < shape.rank; axis++)
        count *= (size_t)shape.size[axis];
    args->out[ATTUNE_OUT_OUT] = status == ATTUNE_OK ? calloc(count, sizeof(float)) : NULL;
    if (status == ATTUNE_OK && args->out[ATTUNE_OUT_OUT] == NULL)
        return attune_fail(ATTUNE_ERROR_NO_MEMORY, "no memory for the outputs of a tuning case");
    return status;
}

static int32_t key_input(const struct attune_tune_case *timed)
{
    return timed->problem.mechanism == ATTUNE_SELF ? ATTUNE_IN_K : ATTUNE_IN_KEY;
}

static int32_t value_input(const struct attune_tune_case *timed)
{
    return timed->problem.mechanism == ATTUNE_SELF ? ATTUNE_IN_V : ATTUNE_IN_VALUE;
}

/* From here on the problem has one copy; the others are behind it in memory. */
static void take_copies(struct attune_tune_case *timed, int64_t copies)
{
    timed->copies = (int32_t)copies;
    if (timed->problem.mechanism == ATTUNE_RECURRENT)
        return;
    struct attune_tensor *keys = &timed->problem.in[key_input(timed)];
    struct attune_tensor *values = &timed->problem.in[value_input(timed)];
    keys->size[0] = values->size[0] = 1;
    timed->key_step = (size_t)keys->stride[0] * attune_dtype_size(keys->dtype);
    timed->value_step = (size_t)values->stride[0] * attune_dtype_size(values->dtype);
    for (int32_t i = 0; i < timed->places; i++) {
        struct attune_tune_place *place = &timed->place[i];
        place->key = place->args.in[key_input(timed)];
        place->value = place->args.in[value_input(timed)];
    }
}

/* Which copy of keys and values the arguments of the present place mean. */
static void turn_to(struct attune_tune_case *timed, int32_t copy)
{
    struct attune_tune_place *place = &timed->place[timed->at];
    timed->turn = copy;
    if (place->key == NULL)
        return;
    place->args.in[key_input(timed)] = place->key + (size_t)copy * timed->key_step;
    place->args.in[value_input(timed)] = place->value + (size_t)copy * timed->value_step;
    if (place->prepared != NULL)
        place->args.prepared = place->prepared + (size_t)copy * timed->prepared_step;
}

/* The first place's operands in the others too, all of them at once: memory that was given back would
 * come again. */
static enum attune_status spread(struct attune_tune_case *timed)
{
    const int64_t fit = (int64_t)(PLACES_BYTES / (attune_synthetic_bytes(&timed->problem) + 1));
    enum attune_status status = ATTUNE_OK;
    timed->copies = 1;
    timed->places = (int32_t)most(least(fit, ATTUNE_TUNE_PLACES), 1);
    for (int32_t i = 1; i < timed->places && status == ATTUNE_OK; i++)
        status = attune_synthetic_copy(&timed->problem, &timed->place[0].args, &timed->place[i].args);
    return status;
}

static enum attune_status allocate_all_outputs(struct attune_tune_case *timed)
{
    enum attune_status status = ATTUNE_OK;
    for (int32_t i = 0; i < timed->places && status == ATTUNE_OK; i++)
        status = allocate_outputs(&timed->problem, &timed->place[i].args);
    return status;
}

enum attune_status attune_tune_case_open_whole(struct attune_tune_case *timed,
                                               struct attune_context *context,
                                               const struct attune_problem *problem)
{
    memset(timed, 0, sizeof *timed);
    timed->context = attune_context_hold(context);
    timed->problem = *problem;
    enum attune_status status = attune_synthetic_fill(&timed->problem, &timed->place[0].args);
    if (status == ATTUNE_OK)
        status = spread(timed);
    return status == ATTUNE_OK ? allocate_all_outputs(timed) : status;
}

enum attune_status attune_tune_case_open(struct attune_tune_case *timed,
                                         struct attune_context *context,
                                         const struct attune_tune_request *request)
{
    const struct attune_key *key = &request->asked.key;
    struct sizes sizes = cut(request);
    memset(timed, 0, sizeof *timed);
    timed->context = attune_context_hold(context);
    if (key->score == ATTUNE_KEY_DOT)
        describe_dot(key, &sizes, &timed->problem);
    else if (key->score == ATTUNE_KEY_TANH)
        describe_tanh(key, &sizes, &timed->problem);
    else
        describe_lstm(key, &sizes, &timed->problem);
    describe_mask(request, &sizes, &timed->problem);
    attune_problem_output(&timed->problem, ATTUNE_OUT_OUT);
    timed->rows = sizes.t_q * key->group;
    enum attune_status status = attune_synthetic_fill(&timed->problem, &timed->place[0].args);
    if (status != ATTUNE_OK)
        return status;
    const void *lengths = timed->place[0].args.in[ATTUNE_IN_QUERY_LENGTHS];
    for (int64_t b = 0; lengths != NULL && b < sizes.units; b++)
        ((int64_t *)(uintptr_t)lengths)[b] = sizes.t_q;
    if ((status = spread(timed)) != ATTUNE_OK)
        return status;
    take_copies(timed, sizes.copies);
    return allocate_all_outputs(timed);
}

static void close_place(struct attune_tune_place *place, const struct attune_tune_case *timed)
{
    if (place->key != NULL) {
        place->args.in[key_input(timed)] = place->key;
        place->args.in[value_input(timed)] = place->value;
    }
    free(place->args.out[ATTUNE_OUT_OUT]);
    free(place->args.workspace);
    free(place->prepared);
    attune_synthetic_free(&place->args);
}

void attune_tune_case_close(struct attune_tune_case *timed)
{
    for (int32_t i = 0; i < ATTUNE_SEARCH_CANDIDATES; i++)
        attune_plan_release(timed->plan[i]);
    for (int32_t i = 0; i < ATTUNE_TUNE_PLACES; i++)
        close_place(&timed->place[i], timed);
    attune_context_release(timed->context);
    memset(timed, 0, sizeof *timed);
}

/* Whether it went well; a want of memory is remembered. */
static int is_done(struct attune_tune_case *timed, enum attune_status status)
{
    timed->starved |= status == ATTUNE_ERROR_NO_MEMORY;
    return status == ATTUNE_OK;
}

int attune_tune_case_starved(void *user)
{
    const struct attune_tune_case *timed = user;
    return timed->starved;
}

/* Prepared keys are the same for all candidates: their layout is the key side's alone. */
static int prepare(struct attune_tune_case *timed, const struct attune_plan *plan)
{
    struct attune_tune_place *place = &timed->place[timed->at];
    const size_t size = attune_plan_prepared_size(plan);
    if (size == 0 || place->prepared != NULL)
        return 1;
    timed->prepared_step = (size + 63) / 64 * 64;
    place->prepared = aligned_alloc(64, (size_t)timed->copies * timed->prepared_step);
    if (place->prepared == NULL)
        return is_done(timed, ATTUNE_ERROR_NO_MEMORY);
    place->args.prepared_size = size;
    for (int32_t copy = timed->copies - 1; copy >= 0; copy--) {
        turn_to(timed, copy);
        if (!is_done(timed, attune_plan_prepare(plan, &place->args,
                                                place->prepared + (size_t)copy * timed->prepared_step,
                                                size)))
            return 0;
    }
    return 1;
}

/* A workspace that is large enough, in the present place. */
static int reserve(struct attune_tune_case *timed, size_t size)
{
    struct attune_args *args = &timed->place[timed->at].args;
    if (size <= args->workspace_size)
        return 1;
    void *larger = aligned_alloc(64, (size + 63) / 64 * 64);
    if (larger == NULL)
        return is_done(timed, ATTUNE_ERROR_NO_MEMORY);
    free(args->workspace);
    args->workspace = larger;
    args->workspace_size = size;
    return 1;
}

int attune_tune_case_move(void *user, int32_t place)
{
    struct attune_tune_case *timed = user;
    timed->at = place % timed->places;
    turn_to(timed, timed->turn);
    return timed->places > 1;
}

int attune_tune_case_take(struct attune_tune_case *timed, int32_t index, struct attune_plan *plan)
{
    int fine = 1;
    timed->plan[index] = plan;
    for (int32_t i = timed->places - 1; i >= 0 && fine; i--) {
        (void)attune_tune_case_move(timed, i);
        fine = reserve(timed, attune_plan_workspace_size(plan)) && prepare(timed, plan);
    }
    return fine;
}

int attune_tune_case_plan(void *user, int32_t index, const struct attune_choice *choice)
{
    struct attune_tune_case *timed = user;
    const int parallel = timed->context->threads > 1;
    struct attune_plan *plan;
    return is_done(timed, attune_plan_create_forced(timed->context, &timed->problem,
                                                    parallel ? NULL : choice,
                                                    parallel ? choice : NULL, &plan)) &&
           attune_tune_case_take(timed, index, plan);
}

void attune_tune_case_run(void *user, int32_t index)
{
    struct attune_tune_case *timed = user;
    turn_to(timed, timed->turn + 1 < timed->copies ? timed->turn + 1 : 0);
    for (int pass = 0; pass < (timed->copies > 1 ? 2 : 1); pass++)
        (void)attune_plan_execute(timed->plan[index], &timed->place[timed->at].args);
}

int attune_tune_case_check(void *user, int32_t index)
{
    struct attune_tune_case *timed = user;
    const struct attune_args *args = &timed->place[timed->at].args;
    double ratio = INFINITY;
    turn_to(timed, 0);
    return is_done(timed, attune_plan_execute(timed->plan[index], args)) &&
           is_done(timed, attune_verify(&timed->plan[index]->shape, args, check_seconds, &ratio)) &&
           ratio <= 1;
}
