/* SPDX-License-Identifier: Apache-2.0
 *
 * How much work a problem is, in the units that the literature compares, and which roof of the
 * machine binds it. Pure arithmetic over a resolved shape; measures nothing.
 */
#ifndef ATTUNE_BENCH_WORK_H
#define ATTUNE_BENCH_WORK_H

#include "bench/roofs.h"
#include "engine/shape.h"

enum attune_work_unit { ATTUNE_FLOP, ATTUNE_TANH, ATTUNE_EXP, ATTUNE_BYTE };

struct attune_work {
    double pairs;               /* of a query and a key that it may attend, over batch and heads */
    enum attune_work_unit unit; /* of the arithmetic: any but ATTUNE_BYTE */
    double amount;              /* dot: 2 (D + E) flop a pair; tanh: A; recurrent: 8 N^2 flop */
    double bytes;               /* of keys and values that some query may attend, each read once */
};

/* `args` needs the lengths only, where there are any. The boolean mask and the bias are not looked
 * at; projections are no part of the work. */
void attune_work_count(const struct attune_shape *shape, const struct attune_args *args,
                       struct attune_work *work);

/* The roof that binds: of the arithmetic and of the reads, whichever takes longer at its roof. */
struct attune_bound {
    enum attune_work_unit unit;
    double amount;    /* work in that unit */
    double roof;      /* units a second */
    const char *name; /* of the roof: "fma", "tanh", "exp", or the level's word */
};
/* `level` is where keys and values lie. */
struct attune_bound attune_work_bound(const struct attune_work *work, enum attune_level level,
                                      const struct attune_roofs *roofs);
/* The roof of a unit; bytes are read from `level`. */
double attune_work_roof(enum attune_work_unit unit, enum attune_level level,
                        const struct attune_roofs *roofs);
/* "flop", "tanh", "exp", "byte". */
const char *attune_work_unit_word(enum attune_work_unit unit);

#endif
