/* SPDX-License-Identifier: Apache-2.0
 *
 * Raw scores of the fp64 reference from evaluated sides, with an estimate of what rounding may do
 * to each in float32. Knows no tensors and no masks.
 */
#include <math.h>

#include <float.h>

#include "engine/reference_parts.h"

#define U ATTUNE_ROUNDOFF
/* Roundings that our projections may add up to, in units of the sum of magnitudes: the sum itself
 * in a naive order is off by about U times it. */
#define PROJECTION (ATTUNE_NAIVE_FACTOR * U)
/* Error of one tanh term in units of its weight: two exponentials of at most 2 ulp each meet in it,
 * and a division. */
#define TANH_TERM (8 * U)
/* What underflow may cost a sum of n products. */
#define TINY(n) ((double)((n) + 4) * 0x1p-149)

/* A chain of D products in order, at worst; a kernel with lanes is better. */
static double dot_score(const struct attune_reference_job *job, int64_t i, int64_t j, float *naive,
                        double *error)
{
    const int64_t d = job->query.columns;
    const double *q = job->query.exact + i * d, *k = job->key.exact + j * d;
    const double *mq = job->query.magnitude + i * d, *mk = job->key.magnitude + j * d;
    double sum = 0, magnitude = 0, inherited = 0;
    *naive = 0;
    for (int64_t c = 0; c < d; c++) {
        sum += q[c] * k[c];
        magnitude += fabs(q[c] * k[c]);
        inherited += mq[c] * fabs(k[c]) + fabs(q[c]) * mk[c];
        *naive += job->query.naive[i * d + c] * job->key.naive[j * d + c];
    }
    *error = ((double)d + 3) * U * magnitude + PROJECTION * inherited + TINY(d);
    if (magnitude > (double)FLT_MAX)
        *error = INFINITY;
    return sum;
}

static double tanh_score(const struct attune_reference_job *job, int64_t h, int64_t i, int64_t j,
                         float *naive, double *error)
{
    const int64_t a = job->query.columns;
    const double *u = job->score_vector + h * a;
    double sum = 0;
    *naive = 0;
    *error = TINY(a);
    for (int64_t t = 0; t < a; t++) {
        const int64_t q = i * a + t, k = j * a + t;
        const double z = job->query.exact[q] + job->key.exact[k], y = tanh(z);
        const double inherited = PROJECTION * (job->query.magnitude[q] + job->key.magnitude[k]);
        sum += u[t] * y;
        *naive += (float)u[t] * tanhf(job->query.naive[q] + job->key.naive[k]);
        /* The slope ends where the error itself is large: tanh moves by 2 at most. */
        *error += fabs(u[t]) *
                  (fmin((1 - y * y) * (inherited + 2 * U * fabs(z)) + inherited * inherited, 2) +
                   TANH_TERM);
    }
    return sum;
}

static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

/* An activation of ours may be 4 ulp off, which a scan may amplify: the naive ones, of which the
 * bound takes a multiple, err by 2 ulp, up and down in turn. */
static float off_by_two_ulp(float y, int64_t k)
{
    return y * (1 + (k & 1 ? 0x1p-22f : -0x1p-22f));
}

static float naive_sigmoid(float x, int64_t k)
{
    return off_by_two_ulp(1 / (1 + expf(-x)), k);
}

static float naive_tanh(float x, int64_t k)
{
    return off_by_two_ulp(tanhf(x), k);
}

/* State of one row's scan in both precisions. */
struct scan {
    double *gate, *h, *c;
    float *naive_gate, *naive_h, *naive_c;
};

static void lstm_gates(const struct attune_reference_job *job, int64_t i, int64_t j, int recur,
                       struct scan *scan)
{
    const int64_t n = job->shape->n, gates = 4 * n;
    for (int64_t g = 0; g < gates; g++) {
        double exact = job->query.exact[i * gates + g] + job->key.exact[j * gates + g];
        float naive = job->query.naive[i * gates + g] + job->key.naive[j * gates + g];
        for (int64_t k = 0; recur && k < n; k++) {
            exact += job->recurrent_weight[g * n + k] * scan->h[k];
            naive += (float)job->recurrent_weight[g * n + k] * scan->naive_h[k];
        }
        scan->gate[g] = exact;
        scan->naive_gate[g] = naive;
    }
}

static void lstm_step(const struct attune_reference_job *job, int recur, struct scan *scan)
{
    const int64_t n = job->shape->n;
    const double *gate = scan->gate;
    const float *naive = scan->naive_gate;
    for (int64_t k = 0; k < n; k++) {
        const double before = recur ? sigmoid(gate[n + k]) * scan->c[k] : 0;
        const float naive_before = recur ? naive_sigmoid(naive[n + k], k) * scan->naive_c[k] : 0;
        scan->c[k] = before + sigmoid(gate[k]) * tanh(gate[2 * n + k]);
        scan->h[k] = sigmoid(gate[3 * n + k]) * tanh(scan->c[k]);
        scan->naive_c[k] =
            naive_before + naive_sigmoid(naive[k], k / 2) * naive_tanh(naive[2 * n + k], k);
        scan->naive_h[k] =
            naive_sigmoid(naive[3 * n + k], k / 3) * naive_tanh(scan->naive_c[k], k / 5);
    }
}

static double lstm_score(const struct attune_reference_job *job, const struct scan *scan,
                         float *naive, double *error)
{
    const int64_t n = job->shape->n, a = job->shape->a;
    double sum = 0;
    *naive = 0;
    *error = TINY(a);
    for (int64_t t = 0; t < a; t++) {
        double z = job->hidden_bias ? job->hidden_bias[t] : 0, magnitude = fabs(z);
        float naive_z = (float)z;
        for (int64_t k = 0; k < n; k++) {
            const double weight = job->w_recurrent[t * n + k];
            z += weight * scan->h[k];
            naive_z += (float)weight * scan->naive_h[k];
            /* A state lies within 1, and is off by some roundings of that. */
            magnitude += fabs(weight);
        }
        const double y = tanh(z);
        sum += job->score_vector[t] * y;
        *naive += (float)job->score_vector[t] * tanhf(naive_z);
        *error += fabs(job->score_vector[t]) *
                  (fmin((1 - y * y) * 4 * PROJECTION * magnitude, 2) + TANH_TERM);
    }
    return sum;
}

static void lstm_scores(struct attune_reference_job *job, int64_t i, int64_t keys, double *exact,
                        float *naive, double *error)
{
    const int64_t n = job->shape->n;
    const int scans = job->shape->problem.recurrence == ATTUNE_SCAN;
    struct scan scan = {job->scan_exact, job->scan_exact + 4 * n, job->scan_exact + 5 * n,
                        job->scan_naive, job->scan_naive + 4 * n, job->scan_naive + 5 * n};
    for (int64_t k = 0; k < n; k++) {
        scan.h[k] = scan.c[k] = 0;
        scan.naive_h[k] = scan.naive_c[k] = 0;
    }
    for (int64_t j = 0; j < keys; j++) {
        lstm_gates(job, i, j, scans, &scan);
        lstm_step(job, scans, &scan);
        exact[j] = lstm_score(job, &scan, &naive[j], &error[j]);
    }
}

void attune_reference_scores(struct attune_reference_job *job, int64_t h, int64_t i, int64_t keys,
                             double *exact, float *naive, double *error)
{
    if (job->shape->kind == ATTUNE_SCORE_LSTM)
        lstm_scores(job, i, keys, exact, naive, error);
    else
        for (int64_t j = 0; j < keys; j++)
            exact[j] = job->shape->kind == ATTUNE_SCORE_DOT
                           ? dot_score(job, i, j, &naive[j], &error[j])
                           : tanh_score(job, h, i, j, &naive[j], &error[j]);
}
