/* SPDX-License-Identifier: Apache-2.0
 *
 * Noise as shared machines make it: jitter, drift of the clock's frequency, bursts of a neighbour,
 * losses of the core; and the recorded times of one.
 */
#include "tests/tuner/machine.h"

#include <math.h>
#include <string.h>

/* Consecutive samples of half a millisecond of one score kernel, one core of two of a virtual machine
 * whose other work was a build: per mille of their median. */
static const int16_t recorded[] = {
#include "tests/tuner/recorded.inc"
};
enum { RECORDED = sizeof recorded / sizeof *recorded };

const char *machine_noise_name(enum machine_noise noise)
{
    static const char *const names[] = {"quiet", "drift", "bursts", "preempted", "recorded", "shaky"};
    return names[noise];
}

void machine_start(struct machine *machine, enum machine_noise noise, uint64_t seed)
{
    memset(machine, 0, sizeof *machine);
    machine->random.state = seed;
    machine->noise = noise;
    machine->phase = (double)random_between(&machine->random, 0, 999) * 1e-3;
    for (int i = 0; i < ATTUNE_SEARCH_CANDIDATES; i++)
        machine->seconds[i] = 100e-6;
}

/* A neighbour comes every 20 to 100 ms and stays for 2 to 12. */
static double burst(struct machine *machine)
{
    struct test_random *random = &machine->random;
    if (machine->now > machine->burst_until && machine->now > machine->quiet_until) {
        machine->burst_until = machine->now + 1e-3 * (double)random_between(random, 2, 12);
        machine->quiet_until = machine->burst_until + 1e-3 * (double)random_between(random, 20, 100);
    }
    return machine->now < machine->burst_until ? 1.5 : 1;
}

static double slowness(struct machine *machine)
{
    const double jitter = machine->noise == MACHINE_SHAKY ? 0.5 : 0.005;
    const double factor = exp(jitter * random_normal(&machine->random));
    if (machine->noise == MACHINE_RECORDED) {
        const int64_t at = (int64_t)(machine->now / 5e-4 + machine->phase * RECORDED);
        return factor * 1e-3 * recorded[at % RECORDED];
    }
    if (machine->noise == MACHINE_QUIET || machine->noise == MACHINE_SHAKY)
        return factor;
    const double drift = 1 + 0.15 * sin(6.28 * (machine->now + machine->phase));
    return factor * drift * (machine->noise == MACHINE_DRIFT ? 1 : burst(machine));
}

static void run(void *user, int32_t candidate)
{
    struct machine *machine = user;
    machine->runs++;
    machine->now += machine->seconds[candidate] * slowness(machine);
    if (machine->noise == MACHINE_PREEMPTED && random_between(&machine->random, 1, 400) == 1)
        machine->now += 4e-3;
}

static int check(void *user, int32_t candidate)
{
    struct machine *machine = user;
    machine->checks++;
    return candidate >= 64 || !(machine->wrong >> candidate & 1);
}

static int cancelled(void *user)
{
    const struct machine *machine = user;
    return machine->cancel_after > 0 && machine->runs >= machine->cancel_after;
}

static double seconds(void *user)
{
    const struct machine *machine = user;
    return machine->now;
}

struct attune_search_driver machine_driver(struct machine *machine)
{
    return (struct attune_search_driver){.run = run, .check = check, .cancelled = cancelled,
                                         .user = machine, .clock = {seconds, machine}};
}
