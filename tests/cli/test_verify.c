/* SPDX-License-Identifier: Apache-2.0
 *
 * The check before the clock: a right result passes however small the part that is compared, and a
 * wrong element in that part is found.
 */
#include <criterion/criterion.h>

#include "bench/cli/spec.h"
#include "bench/runner.h"
#include "engine/synthetic.h"
#include "engine/verify.h"

static const char *const specs[] = {
    "self:dot,b=2,h=4,g=2,t=40,d=16,e=24,causal=top_left",
    "self:dot,b=2,tq=20,tk=50,d=16,causal=bottom_right,window_left=7",
    "self:dot,tq=50,tk=20,d=16,causal=bottom_right",
    "self:dot,tq=20,tk=50,d=16,past=9,window_left=11,window_right=3",
    "self:dot,b=2,h=2,t=30,d=16,c=32",
    "self:pairwise,b=2,t=30,c=16,a=24",
    "multiplicative:general,b=3,tq=17,tk=31,d=20",
    "multiplicative:concat,b=2,tq=17,tk=31,d=20,a=16",
    "additive,b=2,tq=9,tk=33,d=12,a=20,e=8,prepared=1",
    "convolutional:pairwise,b=2,t=30,c=16,a=24,width=5",
    "convolutional:location,b=2,tq=1,tk=33,d=12,a=20,f=4,width=7",
    "recurrent,b=2,t=20,c=8,n=12,a=16,causal=bottom_right",
};

/* Where the part begins that is compared when time is short: in the first sequence the last row of
 * queries of their own, the first row of x. */
static float *compared_element(const struct attune_shape *shape, float *out)
{
    const int is_x = shape->problem.in[ATTUNE_IN_X].dtype != ATTUNE_ABSENT;
    const struct attune_tensor *tensor = &shape->problem.out[ATTUNE_OUT_OUT];
    return out + (is_x ? 0 : (shape->t_q - 1) * tensor->size[tensor->rank - 1]);
}

static double verify(const struct attune_shape *shape, const struct attune_args *args,
                     double seconds)
{
    double ratio = -1;
    cr_assert_eq(attune_verify(shape, args, seconds, &ratio), ATTUNE_OK, "%s",
                 attune_error_detail());
    return ratio;
}

static void check(const char *spec, struct attune_context *context)
{
    struct attune_problem problem;
    struct attune_trouble trouble;
    struct attune_shape shape;
    struct attune_args args;
    struct attune_runner runner;
    cr_assert_eq(attune_spec_parse(spec, &problem, &trouble), 0, "%s", trouble.text);
    cr_assert_eq(attune_shape_resolve(&problem, &shape), ATTUNE_OK, "%s", attune_error_detail());
    cr_assert_eq(attune_synthetic_fill(&problem, &args), ATTUNE_OK);
    cr_assert_eq(attune_runner_open(&runner, context, &problem, &args), ATTUNE_OK, "%s: %s", spec,
                 attune_error_detail());
    cr_assert_leq(verify(&shape, &runner.args, 1e9), 1, "%s", spec);
    cr_assert_leq(verify(&shape, &runner.args, 0), 1, "%s: one row", spec);
    float *element = compared_element(&shape, runner.args.out[ATTUNE_OUT_OUT]);
    *element += 0.01f;
    cr_assert_gt(verify(&shape, &runner.args, 1e9), 1, "%s: a wrong element passed", spec);
    cr_assert_gt(verify(&shape, &runner.args, 0), 1, "%s: one wrong row passed", spec);
    attune_runner_close(&runner);
    attune_synthetic_free(&args);
}

Test(verify, right_results_pass_and_wrong_ones_do_not)
{
    struct attune_context *context;
    cr_assert_eq(attune_context_create(NULL, &context), ATTUNE_OK);
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++)
        check(specs[i], context);
    attune_context_release(context);
}
