/* SPDX-License-Identifier: Apache-2.0
 *
 * How long work of several sorts still takes: for each, what was planned, corrected by what that sort has
 * taken so far, so that slow preparing does not make measuring look slow. Knows no clock.
 */
#ifndef ATTUNE_BENCH_CLI_ESTIMATE_H
#define ATTUNE_BENCH_CLI_ESTIMATE_H

/* Inputs and first results; rounds of samples; landscapes and explanations. */
enum attune_work_sort { ATTUNE_PREPARING, ATTUNE_MEASURING, ATTUNE_SURVEYING, ATTUNE_WORK_SORTS };

struct attune_estimate {
    struct {
        double ahead;          /* seconds by plan that have not begun */
        double planned, taken; /* of what is over */
    } of[ATTUNE_WORK_SORTS];
    enum attune_work_sort sort; /* of the piece that has begun */
    double plan, begun;         /* of that piece; plan 0: none has */
};

/* Work that will come, in seconds as planned. */
void attune_estimate_expect(struct attune_estimate *estimate, enum attune_work_sort sort,
                            double seconds);
/* A piece of it begins at the time `now`; the one before is over. */
void attune_estimate_begin(struct attune_estimate *estimate, enum attune_work_sort sort,
                           double seconds, double now);
/* Seconds left at the time `now`, when `part` (0 to 1) of the present piece is done. */
double attune_estimate_left(const struct attune_estimate *estimate, double part, double now);

#endif
