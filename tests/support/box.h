/* SPDX-License-Identifier: Apache-2.0
 *
 * A problem together with its memory: inputs of any element type and layout, read-only and between
 * guard pages; outputs with canaries in the gaps of their layout; one call that plans, prepares and
 * executes with exactly the workspace that the plan asks for.
 */
#ifndef ATTUNE_TESTS_BOX_H
#define ATTUNE_TESTS_BOX_H

#include "attune/attune.h"
#include "tests/support/guard.h"
#include "tests/support/random.h"

struct box {
    struct attune_problem problem;
    struct attune_args args; /* inputs are set; outputs while box_run() runs */
    struct guard input[ATTUNE_INPUT_COUNT];
    struct test_random random;
    int any_layout; /* else every tensor is packed */
};

/* What a run gave: outputs gathered into packed float32. */
struct box_result {
    enum attune_status status;
    char detail[256];
    char kernels[256];
    float *value[ATTUNE_OUTPUT_COUNT];
    int64_t count[ATTUNE_OUTPUT_COUNT];
    int64_t strays; /* elements outside the outputs that were written */
};

void box_create(struct box *box, enum attune_mechanism mechanism, uint64_t seed);
void box_destroy(struct box *box);

/* Describes an input and fills it: floats with normal numbers times `scale`; int8 with all its
 * range; bool with three in four true; integers with 0..scale. Gaps of the layout hold NaN. */
void box_input(struct box *box, enum attune_input input, enum attune_dtype dtype, double scale,
               int32_t rank, const int64_t *size);
/* One element; index has as many entries as the tensor has axes. */
double box_get(const struct box *box, enum attune_input input, const int64_t *index);
void box_set(struct box *box, enum attune_input input, const int64_t *index, double value);
/* Sets every element to one number. */
void box_set_all(struct box *box, enum attune_input input, double value);
int box_has(const struct box *box, enum attune_input input);
/* Whether two positions of the tensor share memory. */
int box_is_shared(const struct box *box, enum attune_input input);
/* Moves index on to the next position, in row-major order; 0 behind the last. */
int box_next(const struct attune_tensor *tensor, int64_t *index);

/* Asks for an output, in a layout with gaps where any_layout is set. */
void box_output(struct box *box, enum attune_output output);
void box_run(struct box *box, struct attune_context *context, struct box_result *result);
/* The same with a plan that is there. */
void box_run_plan(struct box *box, const struct attune_plan *plan, struct box_result *result);
void box_result_free(struct box_result *result);
/* "self dot B=2 H=4 ...", for messages. */
void box_describe(const struct box *box, char *text, size_t size);

#endif
