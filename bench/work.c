/* SPDX-License-Identifier: Apache-2.0
 *
 * Counting work. Pairs are counted from the same ranges that reference and mask use, so that causal
 * and window never inflate a rate.
 */
#include "bench/work.h"

const char *attune_work_unit_word(enum attune_work_unit unit)
{
    static const char *const words[] = {"flop", "tanh", "exp", "byte"};
    return words[unit];
}

/* Pairs of one sequence and head, and keys of it that some query may attend. Ranges only move right
 * from one query to the next, so that a key counts where it lies beyond all ranges before. */
static void count_sequence(const struct attune_shape *shape, const struct attune_args *args,
                           int64_t b, double *pairs, double *keys)
{
    int64_t reached = 0;
    for (int64_t i = 0; i < shape->t_q; i++) {
        int64_t first, last;
        attune_shape_attended(shape, args, b, i, &first, &last);
        if (first >= last)
            continue;
        *pairs += (double)(last - first);
        if (last > reached) {
            *keys += (double)(last - (first > reached ? first : reached));
            reached = last;
        }
    }
}

/* Bytes that one key of one sequence takes in a tensor [B, .., T_k, ..]. */
static double bytes_a_key(const struct attune_shape *shape, enum attune_input input)
{
    const struct attune_tensor *tensor = &shape->problem.in[input];
    double elements = 1;
    if (tensor->dtype == ATTUNE_ABSENT || shape->b == 0 || shape->t_k == 0)
        return 0;
    for (int32_t i = 0; i < tensor->rank; i++)
        elements *= (double)tensor->size[i];
    return elements / (double)shape->b / (double)shape->t_k *
           (double)attune_dtype_size(tensor->dtype);
}

static double key_side_bytes(const struct attune_shape *shape)
{
    static const enum attune_input sides[] = {ATTUNE_IN_K, ATTUNE_IN_V, ATTUNE_IN_KEY,
                                              ATTUNE_IN_VALUE, ATTUNE_IN_X};
    double bytes = 0;
    for (unsigned i = 0; i < sizeof sides / sizeof *sides; i++)
        bytes += bytes_a_key(shape, sides[i]);
    /* Prepared keys stand in for the keys' projection; the keys themselves are read only as values.
     */
    if (shape->prepared) {
        if (shape->problem.in[ATTUNE_IN_VALUE].dtype != ATTUNE_ABSENT)
            bytes -= bytes_a_key(shape, ATTUNE_IN_KEY);
        bytes += (double)(shape->h * shape->a) * sizeof(float);
    }
    return bytes;
}

static double work_a_pair(const struct attune_shape *shape)
{
    if (shape->kind == ATTUNE_SCORE_DOT)
        return 2.0 * (double)(shape->d + shape->e);
    if (shape->kind == ATTUNE_SCORE_TANH)
        return (double)shape->a;
    return 8.0 * (double)shape->n * (double)shape->n;
}

void attune_work_count(const struct attune_shape *shape, const struct attune_args *args,
                       struct attune_work *work)
{
    double pairs = 0, keys = 0;
    for (int64_t b = 0; b < shape->b; b++)
        count_sequence(shape, args, b, &pairs, &keys);
    work->pairs = pairs * (double)shape->h;
    work->unit = shape->kind == ATTUNE_SCORE_TANH ? ATTUNE_TANH : ATTUNE_FLOP;
    work->amount = work->pairs * work_a_pair(shape);
    work->bytes = keys * key_side_bytes(shape);
}

double attune_work_roof(enum attune_work_unit unit, enum attune_level level,
                        const struct attune_roofs *roofs)
{
    const double rates[] = {roofs->fma, roofs->tanh, roofs->exp, roofs->read[level]};
    return rates[unit];
}

struct attune_bound attune_work_bound(const struct attune_work *work, enum attune_level level,
                                      const struct attune_roofs *roofs)
{
    static const char *const names[] = {"fma", "tanh", "exp"};
    const double arithmetic = attune_work_roof(work->unit, level, roofs);
    const double reads = roofs->read[level];
    const struct attune_bound computing = {work->unit, work->amount, arithmetic,
                                           names[work->unit]};
    const struct attune_bound reading = {ATTUNE_BYTE, work->bytes, reads, attune_level_word(level)};
    /* bytes / reads > amount / arithmetic, without a division by a roof of 0 */
    return work->bytes * arithmetic > work->amount * reads ? reading : computing;
}
