/* SPDX-License-Identifier: Apache-2.0
 *
 * The roofs: how fast this core multiplies and reads, each with nothing else in the way. Needs a
 * vocabulary; defines the wrappers of PROBE_FMA and PROBE_READ. Times nothing itself.
 */
#include "arch/kernels.h"

/* Ten cycles of latency times two units wants 8 to 10 chains; 12 leaves room and still leaves the two
 * constants a register each among 16. */
enum { PROBE_CHAINS = 12 };

VINLINE double probe_fma(int64_t repeats)
{
    enum { ROUNDS = 64 };
    vf chain[PROBE_CHAINS];
    _Pragma("GCC unroll 12") for (int i = 0; i < PROBE_CHAINS; i++) chain[i] = vset1((float)i);
    vf scale = vset1(0.999f), step = vset1(0.001f);
    VKEEP_ALIVE(scale);
    VKEEP_ALIVE(step);
    for (int64_t repeat = 0; repeat < repeats; repeat++)
        for (int round = 0; round < ROUNDS; round++)
            _Pragma("GCC unroll 12") for (int i = 0; i < PROBE_CHAINS; i++)
            {
                chain[i] = vfma(chain[i], scale, step);
                VKEEP_ALIVE(chain[i]);
            }
    return 2.0 * VLANES * PROBE_CHAINS * ROUNDS * (double)repeats;
}

/* Adds, 12 chains of them, so that the latency of an addition does not bind. Elements after the last
 * whole round are left out, and not counted. Prefetching runs two rounds of lines ahead of the loads;
 * it never faults, so it may run past the end. */
VINLINE double probe_read(const float *buffer, int64_t n, int64_t repeats, int prefetch)
{
    enum { ROUND = PROBE_CHAINS * VLANES, AHEAD = 512 };
    vf chain[PROBE_CHAINS];
    _Pragma("GCC unroll 12") for (int i = 0; i < PROBE_CHAINS; i++) chain[i] = vzero();
    const int64_t whole = n / ROUND * ROUND;
    for (int64_t repeat = 0; repeat < repeats; repeat++)
        for (int64_t j = 0; j < whole; j += ROUND) {
            if (prefetch)
                for (int line = 0; line < ROUND; line += 16)
                    vprefetch((const char *)buffer + 4 * (j + AHEAD + line));
            _Pragma("GCC unroll 12") for (int i = 0; i < PROBE_CHAINS; i++)
            {
                chain[i] = vadd(chain[i], vload(buffer + j + i * VLANES));
                VKEEP_ALIVE(chain[i]);
            }
        }
    return 4.0 * (double)whole * (double)repeats;
}

#define PROBE_FMA(isa, variant, requires)                                                          \
    attune_probe_fma_fn attune_probe_fma_##isa##_##variant;                                        \
    double attune_probe_fma_##isa##_##variant(int64_t repeats) { return probe_fma(repeats); }
#define PROBE_READ(isa, variant, requires, prefetch)                                               \
    attune_probe_read_fn attune_probe_read_##isa##_##variant;                                      \
    double attune_probe_read_##isa##_##variant(const float *buffer, int64_t n, int64_t repeats)    \
    {                                                                                              \
        return probe_read(buffer, n, repeats, prefetch);                                           \
    }
#include "arch/kernels.def"
