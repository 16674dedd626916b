/* SPDX-License-Identifier: Apache-2.0
 *
 * How far a long command is, on stderr: a bar with an estimate on a terminal, a plain line now and
 * then elsewhere. What ends soon says nothing in a pipe.
 */
#ifndef ATTUNE_BENCH_CLI_PROGRESS_H
#define ATTUNE_BENCH_CLI_PROGRESS_H

struct attune_progress {
    const char *command, *what; /* "bench", "28 results" */
    int terminal, color;
    double start, shown; /* seconds */
    int drawn;           /* a bar stands on the terminal */
};

void attune_progress_begin(struct attune_progress *progress, const char *command,
                           const char *what);
/* `done` from 0 to 1, in proportion to time. Draws at most ten times a second. */
void attune_progress_step(struct attune_progress *progress, double done);
/* The same, of who knows how many seconds are left. */
void attune_progress_left(struct attune_progress *progress, double left);
/* Takes the bar away, so that something can be printed. */
void attune_progress_clear(struct attune_progress *progress);

#endif
