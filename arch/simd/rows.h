/* SPDX-License-Identifier: Apache-2.0
 *
 * The rows of a register tile in few address registers. x86 reaches three rows from one: base, base +
 * stride, base + 2 stride. With a register a row, those of twelve and more rows were spilled, and came back
 * through the stack and the queue of the vector unit at the start of each tile: scores of 64 terms in AVX-512
 * went from 96 to 98 % of the FMA peak in tiles of 12 rows, from 68 to 88 % in those of 16. Needs a
 * vocabulary's VINLINE.
 */
#ifndef ATTUNE_ARCH_SIMD_ROWS_H
#define ATTUNE_ARCH_SIMD_ROWS_H

#if defined(__x86_64__)
enum { VROWS_EACH = 3 };
#else
enum { VROWS_EACH = 1 };
#endif
enum { VROWS_MOST = 16 };

struct vrows {
    const char *base[(VROWS_MOST + VROWS_EACH - 1) / VROWS_EACH];
    int64_t stride; /* bytes */
};

/* `rows` rows, a compile-time constant, `stride` floats apart. */
VINLINE struct vrows vrows_open(const float *first, int64_t stride, const int rows)
{
    struct vrows all = {.stride = stride * (int64_t)sizeof *first};
    _Pragma("GCC unroll 16") for (int i = 0; i < rows; i += VROWS_EACH) all.base[i / VROWS_EACH] =
        (const char *)(first + i * stride);
    return all;
}

/* Term t of row i. */
VINLINE const float *vrows_at(const struct vrows *all, int i, int64_t t)
{
    return (const float *)(const void *)(all->base[i / VROWS_EACH] + i % VROWS_EACH * all->stride) + t;
}

/* On by so many terms. The barrier keeps the compiler from a register a row of its own. */
VINLINE void vrows_step(struct vrows *all, const int rows, int64_t terms)
{
    _Pragma("GCC unroll 16") for (int i = 0; i < rows; i += VROWS_EACH)
    {
        all->base[i / VROWS_EACH] += terms * (int64_t)sizeof(float);
        __asm__("" : "+r"(all->base[i / VROWS_EACH]));
    }
}

#endif
