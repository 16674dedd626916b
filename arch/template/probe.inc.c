/* SPDX-License-Identifier: Apache-2.0
 *
 * The roofs: how fast this core multiplies and reads, each with nothing else in the way. Needs a
 * vocabulary; defines the wrappers of PROBE_FMA, PROBE_EXP and PROBE_READ. Times nothing itself.
 */
#include "arch/kernels.h"
#include "arch/simd/f32_exp2.h"

/* Four or five cycles of latency times two units want 8 to 10 chains, times Neoverse's four units 16: 12
 * leave room and a register each for two factors among 16 registers, 24 among 32. */
enum { PROBE_CHAINS = VREGISTERS >= 32 ? 24 : 12, READ_CHAINS = 12 };
#define PROBE_EACH(i, count) _Pragma("GCC unroll 24") for (int i = 0; i < (count); i++)

VINLINE double probe_fma(int64_t repeats)
{
    enum { ROUNDS = 64 };
    vf chain[PROBE_CHAINS];
    PROBE_EACH(i, PROBE_CHAINS) chain[i] = vset1((float)i);
    vf scale = vset1(0.999f), step = vset1(0.001f);
    VKEEP_ALIVE(scale);
    VKEEP_ALIVE(step);
    for (int64_t repeat = 0; repeat < repeats; repeat++)
        for (int round = 0; round < ROUNDS; round++)
            PROBE_EACH(i, PROBE_CHAINS)
            {
                chain[i] = vfma(scale, step, chain[i]); /* onto what NEON's fmla overwrites */
                VKEEP_ALIVE(chain[i]);
            }
    return 2.0 * VLANES * PROBE_CHAINS * ROUNDS * (double)repeats;
}

/* 2^x of the same few vectors again and again: what softmax does to a score without its load, its
 * store and its row's statistics. `unroll` vectors go through each step together. */
VINLINE double probe_exp(int64_t repeats, const int unroll)
{
    enum { ROUNDS = 64 };
    const vf one = vset1(-0.75f);
    vf x = one;
    for (int64_t repeat = 0; repeat < repeats; repeat++)
        for (int round = 0; round < ROUNDS; round++) {
            vf p[VEXP2_MOST];
            vi n[VEXP2_MOST];
            VKEEP_ALIVE(x);
            _Pragma("GCC unroll 4") for (int u = 0; u < unroll; u++) p[u] = x;
            /* Or the compiler would see that they are equal. */
            _Pragma("GCC unroll 4") for (int u = 0; u < unroll; u++) VKEEP_ALIVE(p[u]);
            vexp2_reduce(p, n, unroll);
            vexp2_raise(p, n, unroll);
            _Pragma("GCC unroll 4") for (int u = 0; u < unroll; u++) VKEEP_ALIVE(p[u]);
        }
    return (double)VLANES * unroll * ROUNDS * (double)repeats;
}

/* Adds, 12 chains of them, so that the latency of an addition does not bind. Elements after the last
 * whole round are left out, and not counted. Prefetching runs two rounds of lines ahead of the loads;
 * it never faults, so it may run past the end. */
VINLINE double probe_read(const float *buffer, int64_t n, int64_t repeats, int prefetch)
{
    enum { ROUND = READ_CHAINS * VLANES, AHEAD = 512 };
    vf chain[READ_CHAINS];
    PROBE_EACH(i, READ_CHAINS) chain[i] = vzero();
    const int64_t whole = n / ROUND * ROUND;
    for (int64_t repeat = 0; repeat < repeats; repeat++)
        for (int64_t j = 0; j < whole; j += ROUND) {
            if (prefetch)
                for (int line = 0; line < ROUND; line += 16)
                    vprefetch((const char *)buffer + 4 * (j + AHEAD + line));
            PROBE_EACH(i, READ_CHAINS)
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
#define PROBE_EXP(isa, variant, requires, unroll)                                                  \
    attune_probe_exp_fn attune_probe_exp_##isa##_##variant;                                        \
    double attune_probe_exp_##isa##_##variant(int64_t repeats) { return probe_exp(repeats, unroll); }
#define PROBE_READ(isa, variant, requires, prefetch)                                               \
    attune_probe_read_fn attune_probe_read_##isa##_##variant;                                      \
    double attune_probe_read_##isa##_##variant(const float *buffer, int64_t n, int64_t repeats)    \
    {                                                                                              \
        return probe_read(buffer, n, repeats, prefetch);                                           \
    }
#include "arch/kernels.def"
