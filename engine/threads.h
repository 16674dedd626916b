/* SPDX-License-Identifier: Apache-2.0
 *
 * The team that runs a plan: one a process, led by a thread of our own, so that its OpenMP pool is
 * ours and may be pinned; the caller takes one worker's part. threads.c alone includes omp.h.
 */
#ifndef ATTUNE_ENGINE_THREADS_H
#define ATTUNE_ENGINE_THREADS_H

#include <stdint.h>

#include "attune/attune.h"

/* Called once for every worker in [0, workers), possibly one after the other in one thread. */
typedef void attune_work_fn(void *argument, int32_t worker, int32_t workers);

struct attune_team_options {
    int32_t pin;
    int32_t alone;                     /* all workers one after the other in the caller */
    attune_parallel_for *parallel_for; /* the caller's pool; NULL: ours */
    void *parallel_for_user;
};

/* Runs work for `workers` workers and returns when all have. Never fails: a busy team, a parallel
 * region, a forked child, workers == 1 or threads that cannot start mean a serial run in the caller.
 * Every worker runs in round-to-nearest with denormals on; the caller's floating-point mode, affinity
 * and errno are as before. Thread-safe. */
void attune_team_run(const struct attune_team_options *options, int32_t workers,
                     attune_work_fn *work, void *argument);

/* Whether work that is done sooner than a thread wakes, after so many nanoseconds by the caller alone, is for
 * a team of `workers` all the same: its threads still look for work, or would, had it done what came before.
 * Thread-safe. */
int attune_team_is_awake(const struct attune_team_options *options, int32_t workers, int64_t alone);

/* Between the two, OpenMP code of others (oneDNN) that the calling thread enters runs in this
 * thread alone, whatever the caller set. Nest freely; cheap. Pass what begin returned. */
int attune_serial_begin(void);
void attune_serial_end(int previous);

#endif
