/* SPDX-License-Identifier: Apache-2.0
 *
 * What Linux tells about itself in small files.
 */
#ifndef ATTUNE_BENCH_MACHINE_SYSTEM_H
#define ATTUNE_BENCH_MACHINE_SYSTEM_H

#include <jansson.h>

/* Kernel, governor, frequency, limits: what cannot be read is left out. NULL: no memory. */
json_t *attune_machine_system(void);

#endif
