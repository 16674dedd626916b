/* SPDX-License-Identifier: Apache-2.0
 *
 * A machine that does not exist: its clock moves only when a candidate runs, by that candidate's time
 * and the noise of the moment, so that the search is tested the same way everywhere.
 */
#ifndef ATTUNE_TESTS_MACHINE_H
#define ATTUNE_TESTS_MACHINE_H

#include "tests/support/random.h"
#include "tuner/search.h"

enum machine_noise {
    MACHINE_QUIET,  /* half a percent of jitter */
    MACHINE_DRIFT,  /* and a clock frequency that wanders by 15 % within a second */
    MACHINE_BURSTS, /* and a neighbour that takes a third of the core for some milliseconds at a time */
    MACHINE_PREEMPTED, /* and losses of the core for 4 ms */
    MACHINE_RECORDED,  /* times of one kernel run over and over on a busy virtual machine */
    MACHINE_SHAKY,  /* half of jitter: no place to measure */
    MACHINE_NOISES
};

struct machine {
    struct test_random random;
    enum machine_noise noise;
    double now;                               /* seconds */
    double seconds[ATTUNE_SEARCH_CANDIDATES]; /* of one call of a candidate on the quiet machine */
    uint64_t wrong;                           /* candidates below 64 whose results are wrong, by bit */
    double burst_until, quiet_until, phase;
    int64_t runs, checks;
    int64_t cancel_after; /* runs; 0: never */
};

void machine_start(struct machine *machine, enum machine_noise noise, uint64_t seed);
struct attune_search_driver machine_driver(struct machine *machine);
const char *machine_noise_name(enum machine_noise noise);

#endif
