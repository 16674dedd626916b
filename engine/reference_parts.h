/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of the fp64 reference share: the two sides of a score and the values, each evaluated
 * three times: in float64, naively in float32 (how far that is off measures how well the problem is
 * conditioned), and as the sum of the magnitudes that went into it (which no luck makes small).
 */
#ifndef ATTUNE_ENGINE_REFERENCE_PARTS_H
#define ATTUNE_ENGINE_REFERENCE_PARTS_H

#include "engine/reference.h"

/* Unit roundoff of float32. */
#define ATTUNE_ROUNDOFF 0x1p-24
/* A float32 evaluation of ours may be this many times as far off as a naive one. */
#define ATTUNE_NAIVE_FACTOR 4.0

/* Rows of evaluated numbers. magnitude is 0 where a number is an input as it stands, without any
 * rounding. */
struct attune_reference_matrix {
    int64_t rows, columns;
    double *exact;
    float *naive;
    double *magnitude;
};

/* How the rows of a side come from the inputs: direct + weight * source + bias, each of them
 * optional. The weights of all heads lie one after the other. */
struct attune_reference_side {
    int64_t in, out; /* elements of a source row; columns of one head */
    double *weight;  /* [heads * out][in] */
    double *bias;    /* [heads * out] */
    int32_t direct;  /* the input itself takes part, without a projection */
};

struct attune_reference_job {
    const struct attune_shape *shape;
    const struct attune_args *args;
    struct attune_reference_side query_side, key_side, value_side;
    struct attune_reference_matrix query, key, value; /* of the sequence and head at hand */
    double *score_vector, *hidden_bias;               /* [H][A]; [A] of recurrent */
    double *recurrent_weight, *w_recurrent;           /* [4*N][N] and [A][N] */
    double *out_weight, *out_bias;                    /* [O][H*E], [O] */
    double *source, *direct, *scan_exact; /* scratch: one row; gates, h and c of a scan */
    float *source_naive, *scan_naive;
    void **blocks; /* all that was allocated, for one release */
    int32_t block_count, failed;
};

/* Zeroed memory that lives as long as the job; NULL, and job->failed set, when there is none. */
void *attune_reference_reserve(struct attune_reference_job *job, int64_t count, size_t size);
/* Element `offset` of an input, exact. */
double attune_reference_element(const struct attune_reference_job *job, enum attune_input input,
                                int64_t offset);

/* reference_sides.c: packs the weights, once; then evaluates the sides of one sequence and head. */
void attune_reference_prepare(struct attune_reference_job *job);
void attune_reference_evaluate(struct attune_reference_job *job, int64_t b, int64_t h);

/* reference_score.c: raw scores (before score_scale) of query i with keys j < keys: exact, and an
 * estimate of the error of each that a float32 evaluation may have. */
void attune_reference_scores(struct attune_reference_job *job, int64_t h, int64_t i, int64_t keys,
                             double *exact, float *naive, double *error);

#endif
