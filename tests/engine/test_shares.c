/* SPDX-License-Identifier: Apache-2.0
 *
 * Shares of work by speed, on workers whose speeds are made up; and kinds of cores, on a machine that
 * does not exist.
 */
#include <criterion/criterion.h>

#include <math.h>
#include <stdlib.h>

#include "arch/topology.h"
#include "engine/shares.h"
#include "tests/support/random.h"
#include "tuner/space.h"

enum { WORKERS = 4 };

static struct attune_shares *shares;
static float begin[WORKERS + 1];

static void set_up(void)
{
    shares = calloc(1, attune_shares_size(WORKERS));
    cr_assert_not_null(shares);
}

static void tear_down(void)
{
    free(shares);
}

TestSuite(shares, .init = set_up, .fini = tear_down);

static float share(int worker)
{
    return begin[worker + 1] - begin[worker];
}

/* One execution on workers of these speeds; returns its time, that of the slowest. */
static double run(const double *speed)
{
    double slowest = 0;
    attune_shares_deal(shares, WORKERS, begin);
    cr_assert_eq(begin[0], 0);
    cr_assert_eq(begin[WORKERS], 1);
    for (int i = 0; i < WORKERS; i++) {
        const double seconds = (double)share(i) / speed[i];
        cr_assert_geq(share(i), 0);
        attune_shares_note(shares, i, share(i), seconds);
        slowest = fmax(slowest, seconds);
    }
    return slowest;
}

Test(shares, equal_until_something_is_known)
{
    attune_shares_deal(shares, WORKERS, begin);
    for (int i = 0; i < WORKERS; i++)
        cr_assert_float_eq(share(i), 0.25, 1e-6);
    attune_shares_note(shares, 0, 0.25f, 1);
    attune_shares_deal(shares, WORKERS, begin);
    cr_assert_float_eq(share(3), 0.25, 1e-6, "the others are not known yet");
}

Test(shares, in_proportion_to_measured_speed)
{
    const double speed[WORKERS] = {3, 3, 1, 1};
    const double even = run(speed), dealt = run(speed);
    cr_assert_float_eq(share(0), 3.0 / 8, 1e-5);
    cr_assert_float_eq(share(3), 1.0 / 8, 1e-5);
    cr_assert_float_eq(dealt / even, 0.5, 1e-4, "nobody waits");
}

Test(shares, a_throttled_worker_is_found_out_and_forgiven)
{
    double speed[WORKERS] = {1, 1, 1, 1};
    for (int i = 0; i < 3; i++)
        (void)run(speed);
    speed[2] = 0.4;
    for (int i = 0; i < 12; i++)
        (void)run(speed);
    cr_assert_float_eq(share(2), 0.4 / 3.4, 0.01);
    speed[2] = 1;
    for (int i = 0; i < 12; i++)
        (void)run(speed);
    cr_assert_float_eq(share(2), 0.25, 0.01);
}

Test(shares, noise_moves_no_share_far)
{
    struct test_random random = {3};
    for (int i = 0; i < 200; i++) {
        double speed[WORKERS];
        for (int j = 0; j < WORKERS; j++)
            speed[j] = random_chance(&random, 5) ? 0.2 : exp(0.05 * random_normal(&random));
        (void)run(speed);
        for (int j = 0; i > 3 && j < WORKERS; j++)
            cr_assert(share(j) > 0.08 && share(j) < 0.45, "worker %d has %g", j, (double)share(j));
    }
}

Test(shares, a_worker_that_stands_still_keeps_a_little)
{
    const double speed[WORKERS] = {1, 1, 1, 1e-6};
    for (int i = 0; i < 30; i++)
        (void)run(speed);
    cr_assert_gt(share(3), 0.02);
    cr_assert_lt(share(3), 0.05);
}

Test(shares, what_was_not_done_is_not_noted)
{
    const double speed[WORKERS] = {2, 1, 1, 1};
    (void)run(speed);
    attune_shares_deal(shares, WORKERS, begin);
    const float before = share(0);
    attune_shares_note(shares, 0, 0, 1);
    attune_shares_note(shares, 0, 1, 0);
    attune_shares_deal(shares, WORKERS, begin);
    cr_assert_eq(share(0), before);
}

/* Six cores, of which the system's last two are the fast ones. */
Test(shares, a_hybrid_machine)
{
    setenv("HWLOC_XMLFILE", ATTUNE_SOURCE "/tests/engine/hybrid.xml", 1);
    setenv("HWLOC_THISSYSTEM", "0", 1);
    const struct attune_topology *topology = attune_topology_get();
    cr_assert_eq(topology->kinds, 2);
    cr_assert_eq(topology->cores, 6);
    cr_assert_eq(attune_topology_kind_cores(0), 2);
    cr_assert_eq(attune_topology_kind_cores(1), 6);
    cr_assert_eq(attune_topology_kind_cores(2), 0);
    for (int i = 0; i < 12; i++)
        cr_assert_eq(attune_topology_worker_kind(i), i % 6 >= 2, "worker %d", i);
    struct attune_key key = {.tier = ATTUNE_KEY_PARALLEL, .threads = 6};
    struct attune_space space;
    int fast_alone = 0, weighted = 0;
    attune_space_parallel(&key, &space);
    for (int32_t i = 0; i < space.count; i++) {
        fast_alone |= space.choice[i].threads == 2;
        weighted |= space.choice[i].threads == 6 &&
                    space.choice[i].schedule == ATTUNE_SCHEDULE_WEIGHTED;
        cr_assert(space.choice[i].threads > 2 || space.choice[i].schedule != ATTUNE_SCHEDULE_WEIGHTED,
                  "cores of one kind need no weights");
    }
    cr_assert(fast_alone, "the fast kind by itself is a candidate");
    cr_assert(weighted);
}

Test(shares, one_kind_of_core)
{
    setenv("HWLOC_SYNTHETIC", "package:2 [numa(memory=1073741824)] l2:4 core:1 pu:2", 1);
    cr_assert_eq(attune_topology_kind_cores(0), 8);
    cr_assert_eq(attune_topology_kind_cores(1), 0);
    cr_assert_eq(attune_topology_worker_kind(7), 0);
}
