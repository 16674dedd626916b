/* SPDX-License-Identifier: Apache-2.0
 *
 * Between tune_jobs.c, which lists the keys of problems, and tune.c, which tunes them.
 */
#ifndef ATTUNE_ENGINE_TUNE_H
#define ATTUNE_ENGINE_TUNE_H

#include "engine/tune_case.h"

struct attune_tune_job {
    struct attune_tune_request request; /* its key says which tier */
    int32_t noisy; /* times that it was tried in vain */
};
struct attune_tune_jobs {
    struct attune_tune_job *job;
    int32_t count, capacity;
};

/* The keys of a problem, core then parallel, unless they are listed already. */
enum attune_status attune_tune_list(struct attune_tune_jobs *jobs, struct attune_context *context,
                                    const struct attune_problem *problem);
/* The core tier's keys of the list once more for each slower kind of core that can be measured on. */
enum attune_status attune_tune_list_kinds(struct attune_tune_jobs *jobs,
                                          const struct attune_context *context);
/* The keys that plans missed, as the context and its cache file remember them. */
enum attune_status attune_tune_list_missed(struct attune_tune_jobs *jobs,
                                           const struct attune_context *context);
void attune_tune_jobs_free(struct attune_tune_jobs *jobs);

#endif
