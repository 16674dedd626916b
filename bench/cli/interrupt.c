/* SPDX-License-Identifier: Apache-2.0
 *
 * The handler puts back the one before, so that a command that does not stop can be stopped.
 */
#include "bench/cli/interrupt.h"

#include <signal.h>
#include <stddef.h>

static const int numbers[] = {SIGINT, SIGTERM};
enum { NUMBERS = sizeof numbers / sizeof *numbers };

static volatile sig_atomic_t come;
static struct sigaction before[NUMBERS];

static void keep(int number)
{
    come = 1;
    for (int i = 0; i < NUMBERS; i++)
        if (numbers[i] == number)
            (void)sigaction(number, &before[i], NULL);
}

void attune_interrupt_keep(void)
{
    for (int i = 0; i < NUMBERS; i++) {
        struct sigaction action = {.sa_handler = keep, .sa_flags = SA_RESTART};
        struct sigaction is;
        if (sigaction(numbers[i], NULL, &is) == 0 && is.sa_handler != SIG_IGN &&
            is.sa_handler != keep) {
            before[i] = is;
            (void)sigaction(numbers[i], &action, NULL);
        }
    }
}

int attune_interrupted(void)
{
    return come != 0;
}
