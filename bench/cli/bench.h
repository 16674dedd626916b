/* SPDX-License-Identifier: Apache-2.0
 *
 * `attune bench` between its files: bench_select.c makes the list of cases and settings, bench_case.c
 * opens and checks a case, bench_run.c measures, bench_result.c and bench_table.c tell.
 */
#ifndef ATTUNE_BENCH_CLI_BENCH_H
#define ATTUNE_BENCH_CLI_BENCH_H

#include "bench/cli/command.h"
#include "bench/cli/options.h"
#include "bench/cli/problem_file.h"
#include "bench/kernel_case.h"
#include "bench/result_file.h"
#include "bench/rounds.h"
#include "bench/runner.h"
#include "bench/suite.h"
#include "engine/shape.h"

enum { ATTUNE_BENCH_SETTINGS = 32, ATTUNE_BENCH_WORD = 16, ATTUNE_BENCH_LEFT_OUT = 1024 };

enum attune_bench_source { ATTUNE_BENCH_SPEC, ATTUNE_BENCH_FILE, ATTUNE_BENCH_KERNEL };

/* One problem, or one kernel alone. */
struct attune_bench_case {
    char *name, *family, *spec; /* spec: its text, a file's path, or "kernel" */
    enum attune_bench_source source;
    const struct attune_kernel *kernel;
    /* While it is open. */
    struct attune_problem problem;
    struct attune_shape shape;
    struct attune_args args; /* inputs */
    struct attune_problem_file file;
};

/* What a case is measured with. */
struct attune_bench_setting {
    int32_t threads;
    char threads_asked[ATTUNE_BENCH_WORD], isa_asked[ATTUNE_BENCH_WORD];
    int untuned;
    const char *isa; /* the widest instruction set left */
    uint32_t features;
    struct attune_context *context;
    struct attune_probes *probes; /* shared by settings of the same threads and features */
};

/* A case under a setting, and what came of it. */
struct attune_bench_trial {
    struct attune_bench_case *of;
    const struct attune_bench_setting *setting;
    struct attune_runner runner;
    struct attune_kernel_case single;
    struct attune_entry *entry;
    struct attune_figures figures;
    struct attune_pairs explain, explain_apart, tiles;
    char kernels[512];
    const char *choice; /* where they come from */
    int tuned;          /* whether what the tuner found was allowed */
    double error;   /* the largest, over its bound; NaN where nothing is checked */
    int code;       /* 0, or what `trouble` says */
    int measured;   /* figures are there */
    struct attune_trouble trouble;
};

struct attune_bench {
    struct attune_bench_case *cases;
    int case_count;
    struct attune_bench_setting settings[ATTUNE_BENCH_SETTINGS];
    int setting_count;
    int by_name;            /* the table names cases, instead of describing them */
    int json, explain, landscape, list, serve, tuning; /* tuning: 0 as the environment says, 1 tuned, 2 untuned, 3 both */
    double seconds;         /* of samples a result; 0: what the budget leaves */
    double budget;          /* seconds in all; 0: none */
    const char *threads, *isa, *output, *label;
    int argc;
    char **argv;
    char *left_out[ATTUNE_BENCH_LEFT_OUT]; /* files of --data that hold no problem */
    int left_outs;
};

/* bench_select.c. Each returns 0, or an exit code after saying why on stderr. */
int attune_bench_add_spec(struct attune_bench *bench, const struct attune_usage *usage,
                          const char *spec);
int attune_bench_add_folder(struct attune_bench *bench, const struct attune_usage *usage,
                            const char *folder);
int attune_bench_add_list(struct attune_bench *bench, const struct attune_usage *usage,
                          const char *path);
int attune_bench_add_kernels(struct attune_bench *bench, const struct attune_usage *usage,
                             const char *pattern);
/* Cases of the suite up to a tier whose names fit the pattern (NULL: all). */
int attune_bench_add_suite(struct attune_bench *bench, const struct attune_usage *usage,
                           enum attune_tier tier, const char *pattern);
void attune_bench_print_list(const struct attune_bench *bench);
void attune_bench_free(struct attune_bench *bench);

/* bench_settings.c: from the options to contexts and probes. */
int attune_bench_add_settings(struct attune_bench *bench, const struct attune_usage *usage);
int attune_bench_open_settings(struct attune_bench *bench, struct attune_trouble *trouble);
void attune_bench_close_settings(struct attune_bench *bench);
/* ATTUNE_TUNE as a setting wants it, for contexts and plans made from now on. */
void attune_bench_enter_setting(const struct attune_bench_setting *setting);

/* bench_case.c. Each returns 0, or an exit code and *trouble. */
/* Problem and shape alone. */
int attune_bench_describe_case(struct attune_bench_case *one, struct attune_trouble *trouble);
int attune_bench_open_case(struct attune_bench_case *one, struct attune_trouble *trouble);
void attune_bench_close_case(struct attune_bench_case *one);
/* Bytes of inputs of a case, open or not; 0 where it is wrong. */
double attune_bench_case_bytes(const struct attune_bench_case *one);
/* Plans the trial of an open case, computes and, where `check` seconds are given, checks it. */
int attune_bench_open_trial(struct attune_bench_trial *trial, double check,
                            struct attune_trouble *trouble);
void attune_bench_close_trial(struct attune_bench_trial *trial);

/* bench_landscape.c: what other tiles than the plan's would take. */
enum { ATTUNE_BENCH_POINTS = 64 };
struct attune_bench_landscape {
    struct attune_landscape_line line;
    struct attune_point point[ATTUNE_BENCH_POINTS];
    char key[512];
};
/* Measures a grid of q_block x kv_block for an open trial. `step` as in attune_rounds_options. */
int attune_bench_landscape(const struct attune_bench_trial *trial, const char *machine,
                           int (*step)(void *user, double done), void *user,
                           struct attune_bench_landscape *landscape,
                           struct attune_trouble *trouble);
void attune_bench_print_landscape(const struct attune_bench_landscape *landscape, FILE *file);

/* bench_run.c: measures all of it. Returns the exit code. */
int attune_bench_run(struct attune_bench *bench);

/* bench_result.c: lines of the file of results. The texts they point to are the trial's. */
void attune_bench_result(const struct attune_bench_trial *trial, const char *machine,
                         struct attune_result_line *line);
/* Space for the series of a line. */
struct attune_bench_series {
    double seconds[ATTUNE_ROUNDS_MOST], roof[ATTUNE_ROUNDS_MOST];
};
void attune_bench_series(const struct attune_bench_trial *trial,
                         struct attune_bench_series *series, struct attune_result_line *line);

#endif
