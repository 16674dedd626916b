/* SPDX-License-Identifier: Apache-2.0
 *
 * The self-test finds what is wrong: kernels that differ from a right one in one place.
 */
#include <criterion/criterion.h>

#include "arch/cpu.h"
#include "tuner/selftest.h"

Test(selftest, every_operation_has_a_check)
{
    for (int i = 0; i < ATTUNE_OP_COUNT; i++)
        cr_assert(attune_selftest_knows((enum attune_operation)i), "%s",
                  attune_operation_word((enum attune_operation)i));
}

Test(selftest, every_kernel_is_right)
{
    for (int i = 0; i < attune_kernel_count(); i++) {
        const struct attune_kernel *kernel = attune_kernel_at(i);
        struct attune_selftest result;
        if (!attune_kernel_usable(kernel, attune_cpu_detect()->usable))
            continue;
        cr_assert_eq(attune_selftest_kernel(kernel, &result), 0);
        cr_assert_leq(result.ratio, 1, "%s: %s", kernel->name, result.detail);
        cr_assert_str_eq(result.detail, "");
    }
}

/* ---- Wrong kernels: the scalar one, and then one thing is not as it should be. ---- */

static const struct attune_kernel *right(enum attune_operation operation)
{
    return attune_kernel_next(operation, 0, NULL);
}

static void wrong_dot(const struct attune_score_dot_args *args)
{
    right(ATTUNE_OP_SCORE_DOT)->run.score_dot(args);
    if (args->n > 0 && args->m > 0)
        args->s[args->n - 1] *= 1.00001f;
}

static void wrong_dot_stores(const struct attune_score_dot_args *args)
{
    right(ATTUNE_OP_SCORE_DOT)->run.score_dot(args);
    if (args->lds > 190)
        args->s[args->lds - 1] = 0;
}

static void wrong_softmax(const struct attune_softmax_args *args)
{
    right(ATTUNE_OP_SOFTMAX)->run.softmax(args);
    args->row_sum[args->m - 1] *= 1.0001f;
}

static void wrong_wsum(const struct attune_wsum_args *args)
{
    struct attune_wsum_args fewer = *args;
    fewer.n -= args->n > 1; /* the last key is dropped */
    right(ATTUNE_OP_WSUM)->run.wsum(&fewer);
}

static void wrong_pack(const struct attune_pack_keys_args *args)
{
    struct attune_pack_keys_args unscaled = *args;
    unscaled.scale = NULL;
    right(ATTUNE_OP_PACK_KEYS)->run.pack_keys(&unscaled);
}

static void wrong_finish(const struct attune_finish_args *args)
{
    right(ATTUNE_OP_FINISH)->run.finish(args);
    args->flawed[0] = 0; /* a NaN is not seen */
}

static void wrong_lstm(const struct attune_lstm_args *args)
{
    right(ATTUNE_OP_LSTM)->run.lstm(args);
    args->h_out[0] = -args->h_out[0];
}

static void expect_wrong(const struct attune_kernel *kernel)
{
    struct attune_selftest result;
    cr_assert_eq(attune_selftest_kernel(kernel, &result), 0);
    cr_assert_gt(result.ratio, 1, "%s", kernel->name);
    cr_assert_neq(result.detail[0], '\0');
}

Test(selftest, wrong_kernels_are_found)
{
    struct attune_kernel kernel = *right(ATTUNE_OP_SCORE_DOT);
    kernel.run.score_dot = wrong_dot;
    expect_wrong(&kernel);
    kernel.run.score_dot = wrong_dot_stores;
    expect_wrong(&kernel);
    kernel = *right(ATTUNE_OP_SOFTMAX);
    kernel.run.softmax = wrong_softmax;
    expect_wrong(&kernel);
    kernel = *right(ATTUNE_OP_WSUM);
    kernel.run.wsum = wrong_wsum;
    expect_wrong(&kernel);
    kernel = *right(ATTUNE_OP_PACK_KEYS);
    kernel.run.pack_keys = wrong_pack;
    expect_wrong(&kernel);
    kernel = *right(ATTUNE_OP_FINISH);
    kernel.run.finish = wrong_finish;
    expect_wrong(&kernel);
    kernel = *right(ATTUNE_OP_LSTM);
    kernel.run.lstm = wrong_lstm;
    expect_wrong(&kernel);
}
