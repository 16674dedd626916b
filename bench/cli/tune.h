/* SPDX-License-Identifier: Apache-2.0
 *
 * `attune tune` in pieces: which problems (tune_set.c), how it is shown (tune_show.c), options and
 * order (cmd_tune.c).
 */
#ifndef ATTUNE_BENCH_CLI_TUNE_H
#define ATTUNE_BENCH_CLI_TUNE_H

#include <stdio.h>

#include "bench/cli/command.h"

/* ---- Problems. ---- */

struct attune_tune_set {
    struct attune_problem *problem;
    int32_t count, capacity;
};

/* Each returns 0, or fills *trouble. A problem file counts as one SPEC; a list has one SPEC a line,
 * '#' begins a comment. `only` leaves out what has another mechanism or phase; NULL: nothing. */
int attune_tune_set_spec(struct attune_tune_set *set, const char *spec, const char *only,
                         struct attune_trouble *trouble);
int attune_tune_set_file(struct attune_tune_set *set, const char *path, const char *only,
                         struct attune_trouble *trouble);
int attune_tune_set_canonical(struct attune_tune_set *set, const char *only,
                              struct attune_trouble *trouble);
void attune_tune_set_free(struct attune_tune_set *set);
/* Whether --only knows the word; the words for a message. */
int attune_tune_set_knows(const char *only);
const char *attune_tune_set_words(void);

/* ---- Showing. ---- */

struct attune_tune_row {
    char *key, *base, *best;
    struct attune_tune_progress is; /* its texts are those above */
};

struct attune_tune_show {
    int bar;    /* a progress bar on a terminal, else a line a key */
    int quiet;  /* neither */
    double begun, limit; /* seconds; limit: that no key is begun after, 0: none */
    double first;        /* when the first key was begun, 0: none was */
    struct attune_tune_row *row;
    int32_t count, capacity, known, measured;
    int32_t keys;  /* in all */
    int32_t width; /* of the bar's last line, to be overwritten */
};

void attune_tune_show_begin(struct attune_tune_show *show, double limit, int quiet);
/* Keys that a run that was cut short has not come to. */
int32_t attune_tune_show_left(const struct attune_tune_show *show);
/* "1 key", "12 keys". */
const char *attune_tune_keys(int32_t count, char text[24]);
/* Notes an event and moves the bar, or prints a line, on standard error. 0 when memory is short. */
int attune_tune_show_event(struct attune_tune_show *show, const struct attune_tune_progress *event);
/* The table of results, or what would be tuned, on `file`. */
void attune_tune_show_table(struct attune_tune_show *show, FILE *file);
/* One JSON object and a newline. Returns 0 when memory is short. */
int attune_tune_show_json(const struct attune_tune_show *show, FILE *file);
void attune_tune_show_free(struct attune_tune_show *show);

#endif
