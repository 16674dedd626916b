/* SPDX-License-Identifier: Apache-2.0
 *
 * One table of checks by operation, and what they share.
 */
#include "tuner/selftest.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tuner/selftest_kit.h"

static attune_check_fn *const checks[ATTUNE_OP_COUNT] = {
    [ATTUNE_OP_PACK_KEYS] = attune_check_pack_keys,
    [ATTUNE_OP_PACK_VALUES] = attune_check_pack_values,
    [ATTUNE_OP_FOLD] = attune_check_fold,
    [ATTUNE_OP_EXPAND_ROWS] = attune_check_expand_rows,
    [ATTUNE_OP_EXPAND_PANELS] = attune_check_expand_panels,
    [ATTUNE_OP_SCORE_DOT] = attune_check_score_dot,
    [ATTUNE_OP_SCORE_ROWS] = attune_check_score_rows,
    [ATTUNE_OP_SCORE_TANH] = attune_check_score_tanh,
    [ATTUNE_OP_SCORE_DIRECT] = attune_check_score_direct,
    [ATTUNE_OP_ADJUST] = attune_check_adjust,
    [ATTUNE_OP_SOFTMAX] = attune_check_softmax,
    [ATTUNE_OP_WSUM] = attune_check_wsum,
    [ATTUNE_OP_WSUM_ROWS] = attune_check_wsum_rows,
    [ATTUNE_OP_TILE] = attune_check_tile,
    [ATTUNE_OP_MERGE] = attune_check_merge,
    [ATTUNE_OP_FINISH] = attune_check_finish,
    [ATTUNE_OP_WEIGHTS] = attune_check_weights,
    [ATTUNE_OP_LSTM] = attune_check_lstm,
    [ATTUNE_OP_PROBE_FMA] = attune_check_probe_fma,
    [ATTUNE_OP_PROBE_TANH] = attune_check_probe_tanh,
    [ATTUNE_OP_PROBE_EXP] = attune_check_probe_exp,
    [ATTUNE_OP_PROBE_READ] = attune_check_probe_read,
};

int attune_selftest_knows(enum attune_operation operation)
{
    return (unsigned)operation < ATTUNE_OP_COUNT && checks[operation] != NULL;
}

int64_t attune_check_round_up(int64_t value, int64_t step)
{
    return (value + step - 1) / step * step;
}

/* splitmix64 */
static float next_number(struct attune_check *check)
{
    uint64_t z = check->random += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (float)((double)((z ^ (z >> 31)) >> 40) * 0x1p-23 - 1);
}

float *attune_check_floats(struct attune_check *check, int64_t count, float spread)
{
    static float never[1]; /* beyond the arena: cases are sized so that it does not happen */
    if (check->used + (size_t)count > ATTUNE_SELFTEST_FLOATS) {
        check->result->ratio = (double)INFINITY;
        (void)snprintf(check->result->detail, sizeof check->result->detail, "no room for a case");
        return never;
    }
    float *floats = check->memory + check->used;
    check->used += (size_t)count;
    for (int64_t i = 0; i < count; i++)
        floats[i] = spread > 0 ? spread * next_number(check) : ATTUNE_SELFTEST_UNTOUCHED;
    return floats;
}

void attune_check_begin(struct attune_check *check)
{
    check->used = 0;
}

static void note(struct attune_check *check, double ratio, float got, double want, const char *what,
                 int64_t i, int64_t j)
{
    struct attune_selftest *result = check->result;
    if (ratio > 1 && result->detail[0] == '\0')
        (void)snprintf(result->detail, sizeof result->detail, "%s[%lld][%lld] is %.9g, not %.9g", what,
                       (long long)i, (long long)j, (double)got, want);
    if (ratio > result->ratio)
        result->ratio = ratio;
}

void attune_check_near(struct attune_check *check, float got, double want, double bound,
                       const char *what, int64_t i, int64_t j)
{
    const double error = fabs((double)got - want);
    const int same = (double)got == want;
    note(check, same ? 0 : error < (double)INFINITY && bound > 0 ? error / bound : (double)INFINITY, got,
         want, what, i, j);
}

void attune_check_untouched(struct attune_check *check, float got, const char *what, int64_t i,
                            int64_t j)
{
    if (got != ATTUNE_SELFTEST_UNTOUCHED)
        note(check, (double)INFINITY, got, (double)ATTUNE_SELFTEST_UNTOUCHED, what, i, j);
}

int attune_selftest_kernel(const struct attune_kernel *kernel, struct attune_selftest *result)
{
    struct attune_check check = {.kernel = kernel, .result = result, .random = 1};
    memset(result, 0, sizeof *result);
    check.memory = malloc(ATTUNE_SELFTEST_FLOATS * sizeof *check.memory);
    if (check.memory == NULL)
        return -1;
    if (checks[kernel->operation] != NULL)
        checks[kernel->operation](&check);
    free(check.memory);
    return 0;
}
