/* SPDX-License-Identifier: Apache-2.0
 *
 * The per-thread detail text behind attune_error_detail(). Never allocates.
 */
#ifndef ATTUNE_ENGINE_STATUS_H
#define ATTUNE_ENGINE_STATUS_H

#include "attune/attune.h"

/* Sets the calling thread's detail and returns `status`, so that a check ends in
 * `return attune_fail(ATTUNE_ERROR_INVALID, "past: -1 is negative");`. */
enum attune_status attune_fail(enum attune_status status, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Forgets the detail: at the start of every public call that may set it. */
void attune_detail_clear(void);

#endif
