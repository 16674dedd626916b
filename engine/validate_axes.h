/* SPDX-License-Identifier: Apache-2.0
 *
 * The axes of a tensor written as a string, one letter an axis. A letter stands for the same extent
 * wherever it appears; the first tensor that has it sets it:
 *   B batch   Q T_q   K T_k   T both of them   H heads   G key/value heads   D, E head sizes
 *   q D_q   k D_k   A score space   C channels   N units   S state   F filters   W width   O
 * columns and the products  a H*A   p D_q+D_k   c 2*C   n 4*N   i 3*H*D   o H*D,  and 1.
 */
#ifndef ATTUNE_ENGINE_VALIDATE_AXES_H
#define ATTUNE_ENGINE_VALIDATE_AXES_H

#include "engine/shape.h"

enum attune_type_class { ATTUNE_FLOATS, ATTUNE_FLOATS_OR_I8, ATTUNE_BOOLS, ATTUNE_INTEGERS };

struct attune_axes {
    struct attune_shape *shape;
    const struct attune_problem *problem;
    char what[40];                  /* "self dot", for messages */
    int64_t extent[128];            /* by letter; -1 while not known */
    int32_t owner[128];             /* the input that set it; -1: none, a field */
    char known[ATTUNE_INPUT_COUNT]; /* inputs that the mechanism knows */
};

/* "T_q", "H*A": what the extent of a letter is called in messages. */
const char *attune_axis_name(char letter);
int attune_axis_is_product(char letter);
/* The value of a product, INT64_MAX where it does not fit (no tensor then has it). */
int64_t attune_axes_product(const struct attune_axes *c, char letter);

int attune_axes_given(const struct attune_axes *c, enum attune_input input);
enum attune_status attune_axes_dtype(const char *name, int32_t dtype, enum attune_type_class kind);
/* Checks an input that may be there, or must be; sets the extents that it is the first to have. */
enum attune_status attune_axes_optional(struct attune_axes *c, enum attune_input input,
                                        enum attune_type_class kind, const char *axes);
enum attune_status attune_axes_required(struct attune_axes *c, enum attune_input input,
                                        enum attune_type_class kind, const char *axes);
/* Two inputs that go together: given both or neither. */
enum attune_status attune_axes_together(const struct attune_axes *c, enum attune_input one,
                                        enum attune_input other);

#endif
