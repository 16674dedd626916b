/* SPDX-License-Identifier: Apache-2.0
 *
 * For commands that keep what they have done: the first Ctrl-C only asks them to stop, the second is
 * what it is elsewhere.
 */
#ifndef ATTUNE_BENCH_CLI_INTERRUPT_H
#define ATTUNE_BENCH_CLI_INTERRUPT_H

/* From now on SIGINT and SIGTERM are kept. */
void attune_interrupt_keep(void);
/* Whether one has come. */
int attune_interrupted(void);

#endif
