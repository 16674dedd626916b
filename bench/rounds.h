/* SPDX-License-Identifier: Apache-2.0
 *
 * Measures several things side by side: in every round the probes of the roofs run, then each thing for
 * a while, so that all of them and the roofs see the same clock frequency and the same neighbours, and
 * drift of the machine divides out. Knows functions and amounts of work, not attention.
 */
#ifndef ATTUNE_BENCH_ROUNDS_H
#define ATTUNE_BENCH_ROUNDS_H

#include "bench/work.h"
#include "tuner/measure.h"

enum { ATTUNE_ROUNDS_MOST = 64 };

struct attune_round {
    double minimum, median;   /* seconds a call */
    double first, second;     /* minima of the samples dealt to A and to B in turn */
    struct attune_roofs roofs; /* as this round's probes found them */
};

struct attune_figures {
    double minimum, median; /* of all samples, seconds a call */
    double low, high;       /* 95 % interval of the rounds' medians */
    double noise;           /* A/A: half the 95 % interval of first over second */
    int32_t settled;        /* the minimum was reached again in other rounds, and noise is small */
    struct attune_roofs roofs;
    struct attune_bound bound;
    double share; /* of the roof that binds; 0 without probes */
};

struct attune_entry {
    attune_measured_fn *run;
    void *argument;
    struct attune_probes *probes; /* shared by entries of the same threads; NULL: no roofs */
    struct attune_work work;

    /* Filled in. */
    enum attune_level level; /* where keys and values lie */
    int64_t calls;           /* a sample */
    int32_t samples, rounds;
    double spent; /* seconds */
    double sample[ATTUNE_MEASURE_SAMPLES];
    struct attune_round round[ATTUNE_ROUNDS_MOST];
};

struct attune_rounds_options {
    double seconds;      /* of samples for each entry, about */
    double limit;        /* seconds for all; three rounds are taken in any case. 0: none */
    int32_t rounds;      /* at most ATTUNE_ROUNDS_MOST / 2 */
    int32_t until_settled; /* up to as many rounds again for entries that have not settled */
    const struct attune_clock *clock;
    /* Called between samples with the part that is done, 0 to 1; non-zero ends the measurement. */
    int (*step)(void *user, double done);
    void *user;
};

/* Runs the rounds. Returns 0 when it was ended by `step`: entries keep what they have. */
int attune_rounds_run(struct attune_entry *const *entries, int count,
                      const struct attune_rounds_options *options);
/* What an entry's rounds come to. Returns 0 when it has none. */
int attune_rounds_figures(const struct attune_entry *entry, struct attune_figures *figures);
/* The roof that binds an entry, as found in one round or its neighbours: the clock drifts slowly, and a
 * round's few probes may all have been interrupted. */
double attune_rounds_roof(const struct attune_entry *entry, const struct attune_figures *figures,
                          int32_t round);

#endif
