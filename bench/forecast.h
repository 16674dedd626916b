/* SPDX-License-Identifier: Apache-2.0
 *
 * Results of this machine carried to another one, of which only the roofs are known: what
 * `--machine` of compare and report shows. Owns which result stands for which setting there.
 */
#ifndef ATTUNE_BENCH_FORECAST_H
#define ATTUNE_BENCH_FORECAST_H

#include "bench/predict.h"

enum { ATTUNE_FORECAST_NOTE = 240 };

struct attune_forecast_row {
    const struct attune_result_line *from;
    struct attune_roof_set there;
    struct attune_prediction prediction;
};

struct attune_forecast {
    struct attune_results machine; /* the file's lines */
    char name[96];                 /* of the machine there */
    struct attune_forecast_row *row;
    int rows;
    struct attune_predict_error error;
    char note[ATTUNE_FORECAST_NOTE]; /* a sentence: that it is a prediction, and how far off the
                                        model is */
};

/* Reads the machine's file and predicts each case of `results` for one thread and for all of its
 * threads. On failure the detail tells. Free in any case. */
enum attune_status attune_forecast_make(const struct attune_results *results, const char *path,
                                        struct attune_forecast *forecast);
void attune_forecast_free(struct attune_forecast *forecast);
#endif
