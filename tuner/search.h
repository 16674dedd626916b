/* SPDX-License-Identifier: Apache-2.0
 *
 * Which of several candidates is fastest, and whether that is sure. Candidates are numbers; running
 * and checking them, and the clock, are handed in: the search knows no kernels, plans or machines, and
 * tests run it on recorded and made-up times.
 */
#ifndef ATTUNE_TUNER_SEARCH_H
#define ATTUNE_TUNER_SEARCH_H

#include "tuner/measure.h"
#include "tuner/statistics.h"

#define ATTUNE_SEARCH_CANDIDATES 96
#define ATTUNE_SEARCH_FINALISTS 5
/* Rounds of a final; again so many while it is undecided, up to the limit. */
#define ATTUNE_SEARCH_ROUNDS 26
#define ATTUNE_SEARCH_ROUNDS_MAX 104
/* The median deviation of one round's ratio of the default to itself beyond which nothing measured
 * here is worth keeping. */
#define ATTUNE_SEARCH_NOISE_MAX 0.25

struct attune_search_driver {
    void (*run)(void *user, int32_t candidate);  /* one execution: what is timed */
    int (*check)(void *user, int32_t candidate); /* whether its result is right, in float64's eyes */
    int (*cancelled)(void *user);                /* asked between rounds; NULL: never */
    /* Other memory for the runs that follow: the place of that number, modulo those that there are.
     * Returns whether there are several. NULL: there is one. */
    int (*move)(void *user, int32_t place);
    void *user;
    struct attune_clock clock;
    double least_gain; /* that a win must surely exceed; 0: 1.5 % */
    double until; /* on that clock: no round begins later, but those of a first final; 0: no limit */
};

struct attune_search_result {
    int32_t winner;  /* the default where nothing is surely faster */
    int32_t best;    /* the finalist that was taken, or came closest to it; -1: none */
    struct attune_interval speedup; /* of `best`: the default's time over its */
    double noise;     /* half of the 95 % interval of the median ratio of the default to itself */
    double deviation; /* median deviation of that ratio from round to round */
    int32_t rounds;
    int32_t wrong; /* finalists whose results were */
    int32_t cancelled;
};

/* Calls that make a sample of about `sample_seconds` of the default: all candidates make as many. */
int64_t attune_search_calls(const struct attune_search_driver *driver, int32_t base,
                            double sample_seconds);
/* Successive halving by the fastest of ever more samples: candidates[] is sorted, fastest first, of
 * which the returned number (at most `keep`) are left. seconds[] (ATTUNE_SEARCH_CANDIDATES of them)
 * becomes the fastest sample of each, a call; infinite for what was hopeless from the start. */
int32_t attune_search_race(const struct attune_search_driver *driver, int32_t base,
                           int32_t *candidates, int32_t count, int32_t keep, int64_t calls,
                           double *seconds);
/* The final: rounds of the default, the default again and the finalists, in turns. A finalist replaces
 * the default when the 95 % interval of its speed-up, shared among the finalists, lies above both 1.5 %
 * and twice the noise of the default against itself, over ATTUNE_SEARCH_ROUNDS at least. */
void attune_search_final(const struct attune_search_driver *driver, int32_t base,
                         const int32_t *finalists, int32_t count, int64_t calls,
                         struct attune_search_result *result);

#endif
