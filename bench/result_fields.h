/* SPDX-License-Identifier: Apache-2.0
 *
 * The fields of every kind of line, in one table that writer, reader and the test of SCHEMA.md share.
 * FIELD(kind, member, type, required): the member of the kind's struct has the field's name in the
 * file, but for those whose name C keeps to itself.
 */
#ifndef ATTUNE_BENCH_RESULT_FIELDS_H
#define ATTUNE_BENCH_RESULT_FIELDS_H

#include "bench/result_file.h"

enum attune_field_type {
    ATTUNE_FIELD_TEXT,
    ATTUNE_FIELD_NUMBER, /* finite, not negative */
    ATTUNE_FIELD_FLAG,
    ATTUNE_FIELD_OBJECT,
    ATTUNE_FIELD_PAIRS,
    ATTUNE_FIELD_SERIES,
    ATTUNE_FIELD_POINTS
};

struct attune_field {
    const char *name;
    enum attune_field_type type;
    int required;
    size_t offset;
};

/* The table of a kind, `*count` rows. */
const struct attune_field *attune_fields(enum attune_result_kind kind, int *count);
#endif
