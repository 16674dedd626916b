/* SPDX-License-Identifier: Apache-2.0
 *
 * The public API's descriptions. The input's bytes choose a mechanism and small extents, then bend
 * the description and the arguments one field at a time, any field to any value. What the library
 * refuses it refuses by a field's name, and nothing is written; what it accepts must agree with the
 * oracle. Every tensor lies between guard pages. Descriptions too large to compute here are planned
 * and left at that.
 */
#include <inttypes.h>
#include <limits.h>
#include <math.h>

#include "engine/shape.h"
#include "engine/validate.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/compare.h"
#include "tests/support/describe.h"

enum { MOST_BYTES = 1 << 18, MOST_WORKSPACE = 1 << 26, EXTENT_MOST = 7 };
static const double MOST_WORK = 1.5e5; /* multiply-adds of the oracle, which projects for every pair */

struct input {
    const uint8_t *at;
    size_t left;
};

static unsigned take(struct input *in)
{
    if (in->left == 0)
        return 0;
    in->left--;
    return *in->at++;
}

static int64_t take_integer(struct input *in)
{
    static const int64_t values[] = {
        0,         1,         2,           3,         4,         5,          7,
        16,        17,        48,          -1,        -2,        INT32_MAX,  (int64_t)INT32_MAX + 1,
        INT32_MIN, UINT32_MAX, INT64_C(1) << 40, INT64_MAX / 2, INT64_MAX / 4, INT64_MAX - 1, INT64_MAX,
        INT64_MIN, INT64_MIN + 1, 1023,     4096,      65535};
    const unsigned which = take(in);
    const unsigned count = sizeof values / sizeof *values;
    return which < 128 ? values[which % count] : (int64_t)(which - 128) % 24;
}

static double take_real(struct input *in)
{
    static const double values[] = {0,      -0.0,     1,       -1,      0.125,    2.5,  1e-300, 1e300,
                                    3e38,   -3e38,    1e-40,   5e-324,  INFINITY, -INFINITY, NAN,
                                    0x1p-149, 0x1p127, 1e-10,  1e10,    30,       0.3};
    const unsigned which = take(in);
    const unsigned count = sizeof values / sizeof *values;
    return which < 128 ? values[which % count] : ((double)which - 192) / 32;
}

/* ---- Bending. ---- */

static struct attune_tensor *take_tensor(struct attune_problem *p, struct input *in)
{
    const unsigned which = take(in) % (ATTUNE_INPUT_SLOTS + ATTUNE_OUTPUT_SLOTS);
    return which < ATTUNE_INPUT_SLOTS ? &p->in[which] : &p->out[which - ATTUNE_INPUT_SLOTS];
}

/* A tensor that is there, so that most bends meet something. */
static struct attune_tensor *take_present(struct attune_problem *p, struct input *in)
{
    unsigned left = take(in);
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < ATTUNE_INPUT_COUNT + ATTUNE_OUTPUT_COUNT; i++) {
            struct attune_tensor *t =
                i < ATTUNE_INPUT_COUNT ? &p->in[i] : &p->out[i - ATTUNE_INPUT_COUNT];
            if (t->dtype != ATTUNE_ABSENT && left-- == 0)
                return t;
        }
    return &p->in[left % ATTUNE_INPUT_COUNT];
}

static void bend_tensor(struct attune_tensor *t, struct input *in)
{
    const unsigned what = take(in), axis = take(in) % ATTUNE_MAX_RANK;
    switch (what % 7) {
    case 0: *t = (struct attune_tensor){.dtype = ATTUNE_ABSENT}; break;
    case 1: t->dtype = (int32_t)(take(in) % 12) - 2; break;
    case 2: t->rank = (int32_t)(take(in) % 8) - 1; break;
    case 3: t->size[axis] = take_integer(in); break;
    case 4: t->stride[axis] = take_integer(in); break;
    case 5: /* axes change places in memory, as in [B,T,H,D] */
        if (t->rank >= 2 && t->rank <= ATTUNE_MAX_RANK) {
            const unsigned other = take(in) % (unsigned)t->rank, one = axis % (unsigned)t->rank;
            const int64_t stride = t->stride[one];
            t->stride[one] = t->stride[other];
            t->stride[other] = stride;
        }
        break;
    default: /* packed with wider rows */
        for (int32_t i = 0; i + 1 < t->rank && i < ATTUNE_MAX_RANK; i++)
            if (t->stride[i] >= 0 && t->stride[i] < INT64_MAX / 8)
                t->stride[i] = 2 * t->stride[i] + (int64_t)(what / 7);
        break;
    }
}

static void bend_field(struct attune_problem *p, struct input *in)
{
    int32_t *const words[] = {&p->mechanism,        &p->form,
                              &p->causal,           &p->recurrence,
                              &p->stage,            &p->has_score_scale,
                              &p->has_output_scale, &p->has_window_left,
                              &p->has_window_right, (int32_t *)&p->flags};
    int64_t *const integers[] = {&p->heads, &p->past, &p->window_left, &p->window_right};
    double *const reals[] = {&p->score_scale, &p->output_scale, &p->softcap};
    const unsigned which = take(in) % 18;
    if (which < 10)
        *words[which] = (int32_t)(take(in) % 9) - 1;
    else if (which < 14)
        *integers[which - 10] = take_integer(in);
    else if (which < 17)
        *reals[which - 14] = take_real(in);
    else
        p->struct_size = (size_t)take_integer(in);
}

/* An output in its natural shape, named by rank 0 or spelled out, so that its strides can be bent. */
static void ask_for_output(struct attune_problem *p, struct input *in)
{
    const unsigned what = take(in);
    const enum attune_output output = (enum attune_output)(what % ATTUNE_OUTPUT_COUNT);
    struct attune_tensor natural;
    attune_problem_output(p, output);
    if (what / ATTUNE_OUTPUT_COUNT % 2 == 1 &&
        attune_problem_output_shape(p, output, &natural) == ATTUNE_OK)
        p->out[output] = natural;
}

/* A window or a scale with its has_ member, an output, a flag: bends that stay legal. */
static void bend_gently(struct attune_problem *p, struct input *in)
{
    switch (take(in) % 9) {
    case 0: p->has_window_left = 1, p->window_left = take(in) % 12; break;
    case 1: p->has_window_right = 1, p->window_right = take(in) % 12; break;
    case 2: p->has_score_scale = 1, p->score_scale = take_real(in); break;
    case 3: p->has_output_scale = 1, p->output_scale = take_real(in); break;
    case 4: ask_for_output(p, in); break;
    case 5: p->flags |= ATTUNE_PREPARED_KEYS; break;
    case 6: p->causal = (int32_t)(take(in) % 3); break;
    case 7: p->softcap = fabs(take_real(in)); break;
    default: p->past = take(in) % 9; break;
    }
}

/* The fields of the arguments that execute gets instead of the right ones. */
struct bent_args {
    int what; /* 0: none */
    unsigned which;
};

static void describe(struct attune_problem *p, struct bent_args *bent, struct input *in)
{
    struct describe_extents x;
    int64_t *const extents[] = {&x.b, &x.t_q, &x.t_k, &x.g, &x.d,   &x.e, &x.d_q, &x.d_k,
                                &x.a, &x.c,   &x.n,   &x.s, &x.f, &x.width, &x.o};
    const int kind = (int)(take(in) % DESCRIBE_KINDS);
    const unsigned optional = take(in);
    for (size_t i = 0; i < sizeof extents / sizeof *extents; i++)
        *extents[i] = 1 + (int64_t)(take(in) % EXTENT_MOST);
    x.b = 1 + x.b % 2;
    x.g = 1 + x.g % 2;
    x.h = x.g * (1 + (int64_t)(optional & 1));
    x.width = x.width / 2 * 2 + 1;
    describe_sized(p, kind, &x);
    /* Most problems have few of the optional tensors. */
    for (int i = 0; i < ATTUNE_INPUT_COUNT; i++)
        if (!describe_is_required(kind, (enum attune_input)i) && (take(in) & 3) != 0)
            p->in[i] = (struct attune_tensor){.dtype = ATTUNE_ABSENT};
    for (int o = 1; o < ATTUNE_OUTPUT_COUNT; o++)
        if (optional >> o & 1)
            p->out[o] = (struct attune_tensor){.dtype = ATTUNE_ABSENT};
    while (in->left > 0)
        switch (take(in) % 8) {
        case 0: bend_field(p, in); break;
        case 1: bend_tensor(take_tensor(p, in), in); break;
        case 2:
        case 3: bend_tensor(take_present(p, in), in); break;
        case 4: *bent = (struct bent_args){(int)(take(in) % 9), take(in)}; break;
        default: bend_gently(p, in); break;
        }
}

/* ---- What a refusal must say. ---- */

static int is_named(const char *detail)
{
    static const char *const fields[] = {
        "mechanism",    "form",        "score_scale",  "output_scale", "softcap",   "heads",
        "causal",       "past",        "window_left",  "window_right", "recurrence", "scores",
        "outputs",      "flags",       "struct_size",  "workspace",    "workspace_size",
        "prepared",     "prepared_size", "projection"};
    const size_t length = strcspn(detail, ":");
    if (detail[length] != ':')
        return 0;
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (strlen(fields[i]) == length && memcmp(fields[i], detail, length) == 0)
            return 1;
    for (int i = 0; i < ATTUNE_INPUT_COUNT + ATTUNE_OUTPUT_COUNT; i++) {
        const char *name = i < ATTUNE_INPUT_COUNT ? attune_input_name(i)
                                                  : attune_output_name(i - ATTUNE_INPUT_COUNT);
        if (strlen(name) == length && memcmp(name, detail, length) == 0)
            return 1;
    }
    return strncmp(detail, "in[", 3) == 0 || strncmp(detail, "out[", 4) == 0;
}

static void check_refusal(enum attune_status status)
{
    MUST(status > ATTUNE_OK && status <= ATTUNE_ERROR_SYSTEM, "status %d", status);
    MUST(is_named(attune_error_detail()), "status %d: %s", status, attune_error_detail());
}

/* ---- Memory and execution. ---- */

/* An upper bound of what the oracle does; infinite where the memory alone is too much. */
static double work_of(const struct attune_shape *s)
{
    const double pairs = (double)s->b * (double)s->h * (double)s->t_q * (double)s->t_k;
    const double channels = (double)(s->c + s->d_q + s->d_k + s->d + s->s + 1);
    const double wide = (double)(s->a + 1) * (double)(s->n + 1) * (double)(s->width + s->f + 1);
    double work = pairs * (channels * wide + (double)s->e) + (double)s->out_width * (double)s->t_q;
    if (s->kind == ATTUNE_SCORE_LSTM)
        work *= (double)(s->t_k + 4) * (double)(s->n + 1);
    for (int i = 0; i < ATTUNE_INPUT_COUNT + ATTUNE_OUTPUT_COUNT; i++) {
        const struct attune_tensor *t = i < ATTUNE_INPUT_COUNT
                                            ? &s->problem.in[i]
                                            : &s->problem.out[i - ATTUNE_INPUT_COUNT];
        if (t->dtype == ATTUNE_ABSENT)
            continue;
        double count = 1;
        for (int32_t axis = 0; axis < t->rank; axis++)
            count *= (double)t->size[axis];
        if (attune_tensor_span(t) > MOST_BYTES / 8 || count > MOST_BYTES / 8)
            return INFINITY;
    }
    return work;
}

static void fill(struct box *box, int input, uint64_t seed)
{
    const struct attune_tensor *t = &box->problem.in[input];
    struct guard *guard = &box->input[input];
    struct test_random random = {seed + (uint64_t)input};
    const size_t element = attune_dtype_size(t->dtype);
    guard_create(guard, (size_t)attune_tensor_span(t) * element, seed & 1);
    for (size_t at = 0; at + element <= guard->size; at += element) {
        const float number = (float)random_normal(&random);
        uint32_t bits;
        memcpy(&bits, &number, sizeof bits);
        if (t->dtype == ATTUNE_F32)
            memcpy(guard->data + at, &number, sizeof number);
        else if (t->dtype == ATTUNE_BF16)
            memcpy(guard->data + at, (unsigned char *)&bits + 2, 2);
        else if (t->dtype == ATTUNE_F16) /* between 2^-7 and 4, either sign */
            bits = (bits & 0x8000) | 0x2000 | (bits >> 7 & 0x1fff), memcpy(guard->data + at, &bits, 2);
        else if (element == 1)
            guard->data[at] = (unsigned char)(bits >> 3) & (unsigned char)(bits >> 9);
        else
            memset(guard->data + at, 0, element);
    }
    box->args.in[input] = guard->data;
}

/* Lengths up to all of the axis, now and then beyond it. */
static void fill_lengths(struct box *box, enum attune_input input, int64_t limit, uint64_t seed)
{
    const struct attune_tensor *t = &box->problem.in[input];
    struct test_random random = {seed};
    for (int64_t b = 0; t->dtype != ATTUNE_ABSENT && b < t->size[0]; b++) {
        const int64_t value =
            random_chance(&random, 3) ? limit + 1 : random_between(&random, 0, limit);
        box_set(box, input, &b, (double)value);
    }
}

static int lengths_are_legal(const struct box *box, const struct attune_shape *shape)
{
    int legal = 1;
    for (int64_t b = 0; b < shape->b; b++) {
        const int64_t keys = attune_shape_key_length(shape, &box->args, b);
        const int64_t queries = attune_shape_query_length(shape, &box->args, b);
        legal &= keys >= 0 && keys <= shape->t_k && queries >= 0 && queries <= shape->t_q;
    }
    return legal;
}

/* Returns whether this must be refused: everywhere but on an empty tensor. */
static int bend_args(struct attune_args *args, const struct attune_shape *shape,
                     const struct bent_args *bent)
{
    const unsigned i = bent->which % ATTUNE_INPUT_SLOTS, o = bent->which % ATTUNE_OUTPUT_SLOTS;
    const struct attune_tensor *const in = &shape->problem.in[i], *const out = &shape->problem.out[o];
    switch (bent->what) {
    case 1:
        args->in[i] = args->in[i] ? NULL : args->workspace;
        return in->dtype == ATTUNE_ABSENT || (!shape->prepared && attune_tensor_span(in) > 0);
    case 2:
        args->out[o] = args->out[o] ? NULL : args->workspace;
        return out->dtype == ATTUNE_ABSENT || attune_tensor_span(out) > 0;
    case 3: /* a byte further is no wrong place for bytes, but ends beyond what there is */
        args->in[i] = (const void *)((uintptr_t)args->in[i] + (attune_dtype_size(in->dtype) != 1));
        return attune_dtype_size(in->dtype) != 1;
    case 4: args->out[o] = (void *)((uintptr_t)args->out[o] + 1); return 1;
    case 5: return args->workspace_size > 0 ? args->workspace_size--, 1 : 0;
    case 6: args->workspace = NULL; return args->workspace_size > 0;
    case 7: args->struct_size += bent->which; return bent->which > 0;
    default:
        args->out[0] = args->workspace;
        return args->workspace_size > 0 && attune_tensor_span(&shape->problem.out[0]) > 0;
    }
}

/* Runs with one argument bent. A refusal has written nothing. */
static void run_bent(struct box *box, const struct attune_plan *plan, const struct attune_shape *shape,
                     const struct bent_args *bent)
{
    struct guard output[ATTUNE_OUTPUT_COUNT] = {{0}}, workspace;
    struct attune_args args = box->args;
    guard_create(&workspace, attune_plan_workspace_size(plan), 1);
    args.workspace = workspace.data;
    args.workspace_size = workspace.size;
    for (int o = 0; o < ATTUNE_OUTPUT_COUNT; o++) {
        const struct attune_tensor *t = &shape->problem.out[o];
        if (t->dtype == ATTUNE_ABSENT)
            continue;
        guard_create(&output[o], (size_t)attune_tensor_span(t) * sizeof(float), 1);
        memset(output[o].data, 0xa5, output[o].size);
        args.out[o] = output[o].data;
    }
    const int is_wrong = bend_args(&args, shape, bent);
    const enum attune_status status = attune_plan_execute(plan, &args);
    MUST(status != ATTUNE_OK || !is_wrong, "argument bent in way %d at %u", bent->what, bent->which);
    if (status != ATTUNE_OK)
        check_refusal(status);
    for (int o = 0; o < ATTUNE_OUTPUT_COUNT; o++) {
        for (size_t byte = 0; status != ATTUNE_OK && byte < output[o].size; byte++)
            MUST(output[o].data[byte] == 0xa5, "refused, but %s is written", attune_output_name(o));
        guard_destroy(&output[o]);
    }
    guard_destroy(&workspace);
}

static void execute(struct box *box, const struct attune_plan *plan, const struct bent_args *bent,
                    uint64_t seed)
{
    struct attune_shape shape;
    struct box_result result;
    MUST(attune_shape_resolve(&box->problem, &shape) == ATTUNE_OK, "%s", attune_error_detail());
    if (!(work_of(&shape) <= MOST_WORK) || attune_plan_workspace_size(plan) > MOST_WORKSPACE)
        return;
    for (int i = 0; i < ATTUNE_INPUT_COUNT; i++)
        if (box_has(box, (enum attune_input)i))
            fill(box, i, seed);
    fill_lengths(box, ATTUNE_IN_KEY_LENGTHS, shape.t_k, seed);
    fill_lengths(box, ATTUNE_IN_QUERY_LENGTHS, shape.t_q, seed + 1);
    box_run_plan(box, plan, &result);
    if (result.status != ATTUNE_OK) {
        MUST(!lengths_are_legal(box, &shape), "status %d: %s", result.status, result.detail);
        MUST(strstr(result.detail, "_lengths:") != NULL, "%s", result.detail);
    } else {
        const char *wrong = compare_with_oracle(box, &result, INFINITY);
        MUST(wrong == NULL, "%s", wrong);
    }
    box_result_free(&result);
    if (bent->what != 0)
        run_bent(box, plan, &shape, bent);
    box_destroy(box);
}

/* What the input describes, planned in this context. */
static void check_problem(struct box *box, struct attune_context *context, const struct bent_args *bent,
                          uint64_t seed)
{
    struct attune_plan *plan;
    const enum attune_status status = attune_plan_create(context, &box->problem, &plan);
    if (status != ATTUNE_OK) {
        MUST(plan == NULL, "a plan and a failure");
        check_refusal(status);
        return;
    }
    execute(box, plan, bent, seed);
    attune_plan_release(plan);
}

static struct attune_context *make_context(const char *max_isa)
{
    const struct attune_context_options options = {
        .struct_size = sizeof options, .threads = 1, .max_isa = max_isa, .cache_path = ""};
    struct attune_context *context;
    MUST(attune_context_create(&options, &context) == ATTUNE_OK, "%s", attune_error_detail());
    return context;
}

/* Most inputs run with the best kernels, a third with others; a few in a context of their own. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    enum { ISAS = 3 };
    static const char *const isas[ISAS] = {"", "avx2", "scalar"};
    static struct attune_context *kept[ISAS];
    struct input in = {bytes, size};
    struct bent_args bent = {0, 0};
    struct box box;
    uint64_t seed = size;

    guard_keep_mappings();
    for (size_t i = 0; i < size; i++)
        seed = seed * 31 + bytes[i];
    box_create(&box, ATTUNE_ADDITIVE, seed);
    describe(&box.problem, &bent, &in);
    const size_t draw = (seed >> 8) % 6, isa = draw < ISAS ? draw : 0;
    if (seed % 251 == 0) {
        struct attune_context *own = make_context(isas[isa]);
        check_problem(&box, own, &bent, seed);
        attune_context_release(own);
        return 0;
    }
    if (kept[isa] == NULL)
        kept[isa] = make_context(isas[isa]);
    check_problem(&box, kept[isa], &bent, seed);
    return 0;
}
