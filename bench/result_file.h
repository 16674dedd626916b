/* SPDX-License-Identifier: Apache-2.0
 *
 * The file of results: JSON Lines, one self-contained object a line, described in results/SCHEMA.md.
 * Files merge by concatenation, since lines refer to a machine by an id that is unique to its run. A
 * reader that meets a field, a kind of line or a format that it does not know goes on and says so.
 * Knows what a line holds, not where it came from nor what is done with it.
 */
#ifndef ATTUNE_BENCH_RESULT_FILE_H
#define ATTUNE_BENCH_RESULT_FILE_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "attune/attune.h"

enum { ATTUNE_RESULT_FORMAT = 1, ATTUNE_RESULT_PAIRS = 24 };

enum attune_result_kind {
    ATTUNE_LINE_MACHINE,
    ATTUNE_LINE_ROOF,
    ATTUNE_LINE_RESULT,
    ATTUNE_LINE_LANDSCAPE,
    ATTUNE_LINE_KINDS
};

/* Named numbers, such as {"score": 0.4, "softmax": 0.2}. */
struct attune_pairs {
    struct {
        const char *name;
        double value;
    } at[ATTUNE_RESULT_PAIRS];
    int32_t count;
};
struct attune_series {
    double *value;
    int32_t count;
};
struct attune_point {
    double q_block, kv_block, seconds;
};
struct attune_points {
    struct attune_point *point;
    int32_t count;
};

/* One run on a machine. The objects hold whatever their writer found out: see SCHEMA.md. */
struct attune_machine_line {
    const char *id;       /* unique to this run */
    const char *hardware; /* equal for two runs on the same hardware */
    const char *label;    /* a name given by the user; NULL: none */
    const char *time;     /* UTC, "2026-11-26T11:05:00Z" */
    json_t *cpu, *caches, *topology, *system, *build, *libraries, *settings;
};

struct attune_roof_line {
    const char *machine, *isa, *roof, *unit, *probe;
    double threads, rate, median, rounds;
};

struct attune_result_line {
    const char *machine, *name, *family, *spec;
    const char *engine, *version; /* who computed it, such as "attune" and "0.1.0" */
    const char *dtype, *kv;       /* of queries; of keys and values */
    const char *isa;              /* the widest instruction set allowed */
    const char *isa_asked;        /* the ceiling asked for, "" for none */
    const char *threads_asked;    /* "all" or the number */
    const char *kernels;          /* names, with blanks between */
    const char *choice;           /* "model", "tuned", "forced", or a peer's setting */
    const char *outcome;          /* "ok", "wrong", "skipped", "failed" */
    const char *reason;           /* where outcome is not "ok" */
    const char *work_unit, *bound_by, *arithmetic_unit;
    double threads, min_s, median_s, low_s, high_s, noise, samples, calls;
    int32_t settled, tuned;
    double work, roof, share;        /* of the roof that binds, in its unit */
    double pairs, arithmetic, bytes; /* what the problem is, whichever roof binds */
    double error_over_bound;
    struct attune_pairs roofs, tiles, explain, explain_apart;
    struct attune_series round_s, round_roof; /* of each round: the fastest sample, the roof */
};

struct attune_landscape_line {
    const char *machine, *key, *spec, *isa;
    double threads;
    struct attune_pairs chosen, model; /* tiles that won, tiles of the untuned model */
    struct attune_points points;
};

/* A line that this version does not understand. */
struct attune_foreign_line {
    int64_t line;
    double format;
    const char *kind, *name; /* "" where there is none */
};

struct attune_results {
    struct attune_machine_line *machine;
    struct attune_roof_line *roof;
    struct attune_result_line *result;
    struct attune_landscape_line *landscape;
    struct attune_foreign_line *foreign;
    int32_t count[ATTUNE_LINE_KINDS], foreigns;
    /* Every line's object, which owns the texts above. */
    json_t *lines;
};

/* "machine", "roof", "result", "landscape". */
const char *attune_line_word(enum attune_result_kind kind);
/* The name of a kind's i-th field, NULL behind the last; *required tells whether it must be there. */
const char *attune_line_field(enum attune_result_kind kind, int i, int *required);

/* One line as text without its newline, which the caller frees; `line` is a struct of that kind. Absent
 * are texts that are NULL, numbers that are NaN, empty pairs, series and points. NULL: no memory, or
 * a required field is absent. */
char *attune_line_text(enum attune_result_kind kind, const void *line);

/* Reads a file into *results, which is zero or holds what other files gave; their lines join. On
 * failure the detail names line and field, and *results holds what there was before and perhaps some of
 * the file: only good for attune_results_free(). */
enum attune_status attune_results_read(const char *path, struct attune_results *results);
/* The same from text in memory. */
enum attune_status attune_results_parse(const char *text, size_t length,
                                        struct attune_results *results);
/* The machine that a line refers to; never NULL after a successful read. */
const struct attune_machine_line *attune_results_machine(const struct attune_results *results,
                                                         const char *id);
void attune_results_free(struct attune_results *results);

#endif
