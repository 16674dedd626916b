/* SPDX-License-Identifier: Apache-2.0
 *
 * Results side by side: columns are who measured (a run, an engine, a setting), rows what was measured.
 * Every column is compared with the first. On one machine what is compared are shares of the roofs
 * measured in the same rounds, since runs drift; between machines it is time. Prints nothing.
 */
#ifndef ATTUNE_BENCH_COMPARE_H
#define ATTUNE_BENCH_COMPARE_H

#include "bench/result_file.h"

enum { ATTUNE_COLUMNS_MOST = 16, ATTUNE_LABEL = 64, ATTUNE_NOTE = 240 };

enum attune_difference {
    ATTUNE_UNDECIDED, /* nothing to compare */
    ATTUNE_SAME,      /* no difference that the noise of the runs allows to tell */
    ATTUNE_FASTER,
    ATTUNE_SLOWER,
    ATTUNE_NOISY /* one of the two did not settle, or the interval is too wide to say "no difference" */
};

/* How much faster than the first column: above 1 is faster. */
struct attune_ratio {
    double estimate, low, high; /* 95 % interval, the difference between two runs of one build included */
    int32_t by_share;           /* of shares of the roofs, not of times */
    enum attune_difference verdict;
};

struct attune_column {
    char label[ATTUNE_LABEL];
    const struct attune_machine_line *machine;
    const char *engine, *version, *isa_asked;
    int32_t file, tuned;
    int32_t same_hardware; /* as the first column's */
};

struct attune_cell {
    const struct attune_result_line *result; /* NULL: the column has none, or none to compare */
    int32_t noted;                           /* a note says why it has none */
    struct attune_ratio ratio;
};

struct attune_row {
    const char *name, *family, *threads_asked;
    struct attune_cell cell[ATTUNE_COLUMNS_MOST];
    int32_t best; /* the fastest column, -1: none or undecided */
};

/* Geometric means over the rows that every column has. */
struct attune_mean {
    const char *family; /* "all" for all of them */
    int32_t rows;
    double speedup[ATTUNE_COLUMNS_MOST], per_thread[ATTUNE_COLUMNS_MOST];
    double share[ATTUNE_COLUMNS_MOST]; /* 0 where a column has no roofs */
    int32_t wins[ATTUNE_COLUMNS_MOST];
};

struct attune_comparison {
    struct attune_column column[ATTUNE_COLUMNS_MOST];
    int32_t columns, rows, means, notes, noisy;
    struct attune_row *row;
    struct attune_mean *mean;
    char (*note)[ATTUNE_NOTE]; /* what is not compared, and why */
    struct attune_results results;
};

/* Reads the files and compares. On failure the detail tells; *at becomes the file at fault, or `count`.
 * Free in any case. */
enum attune_status attune_compare(const char *const *paths, int count,
                                  struct attune_comparison *comparison, int *at);
void attune_comparison_free(struct attune_comparison *comparison);
/* What an interval says, where a difference smaller than `effect`, a part of 1, is none: one that only just
 * misses 1 is none either. */
enum attune_difference attune_difference_of(const struct attune_ratio *ratio, double effect);
/* "no difference", "faster", "slower", "too noisy", "". */
const char *attune_difference_word(enum attune_difference verdict);

/* The ratio of two independent sets of logarithms, b over a: the median of all differences, and its
 * interval by ranks (Hodges and Lehmann). Exposed for its test. */
struct attune_ratio attune_compare_logarithms(const double *a, int32_t a_count, const double *b,
                                              int32_t b_count);

#endif
