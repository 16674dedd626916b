/* SPDX-License-Identifier: Apache-2.0
 *
 * The division by the sum that ends a row. Needs a vocabulary; defines the wrapper of FINISH.
 *
 * A quotient and not a product with a reciprocal: n equal integers over n must come out exact. With r the
 * rounded reciprocal of the sum, q = o r is within 1.5 ulp; o - q sum is exact in one fused operation, and
 * q + (o - q sum) r is the quotient to 2^-22 ulp before its one rounding. Three operations at two a cycle
 * where a division takes 4 to 10 cycles. Holds while neither r nor the remainder leaves the normal
 * numbers; other sums are divided by, and so is everything where vfma is not fused.
 */
#include <float.h>

#include "arch/kernels.h"

enum { FINISH_FUSED = VLANES > 1 };

struct finish_row {
    vf sum, reciprocal, scale;
    int divides;
};

VINLINE vf finish_quotient(const struct finish_row *row, vf o)
{
    if (row->divides) return vdiv(o, row->sum);
    const vf q = vmul(o, row->reciprocal);
    return vfma(vfnma(q, row->sum, o), row->reciprocal, q);
}

/* x - x is 0 exactly where x is finite, and a denormal sum is added as it is: `flaw` stays 0 as long as
 * there is neither. */
VINLINE vf finish_vector(const struct finish_row *row, vf o, vf *flaw)
{
    const vf out = vmul(finish_quotient(row, o), row->scale), size = vabs(o);
    const vf tiny = vselect(vlt(size, vset1(FLT_MIN)), size, vzero());
    *flaw = vadd(*flaw, vadd(vsub(out, out), tiny));
    return out;
}

/* Two vectors side by side: the flaws of one would be a chain as long as the row. */
VINLINE int finish_columns(const struct attune_finish_args *args, const struct finish_row *row,
                           const float *o, float *out)
{
    const int64_t e = args->e;
    vf flaw = vzero(), other = vzero();
    int64_t c = 0;
    for (; c + 2 * VLANES <= e; c += 2 * VLANES) {
        vstore(out + c, finish_vector(row, vload(o + c), &flaw));
        vstore(out + c + VLANES, finish_vector(row, vload(o + c + VLANES), &other));
    }
    for (; c + VLANES <= e; c += VLANES) vstore(out + c, finish_vector(row, vload(o + c), &flaw));
    if (c < e) {
        /* The lanes beyond are 0 / sum: not of the row, so not of its flaw. */
        const int64_t left = e - c;
        vf rest = vzero();
        vstore_tail(out + c, finish_vector(row, vload_tail(o + c, left), &rest), left);
        flaw = vadd(flaw, vkeep(rest, left));
    }
    return vhsum(vadd(flaw, other)) != 0.0f;
}

VINLINE void finish_row(const struct attune_finish_args *args, int64_t i)
{
    const float sum = args->sum[i];
    struct finish_row row = {.sum = vset1(sum), .reciprocal = vset1(1.0f / sum),
                             .scale = vset1(args->scale)};
    const float *o = args->o + i * args->ldo;
    float *out = args->out + i * args->ldout;
    if (FINISH_FUSED && sum >= 0x1p-100f && sum <= 0x1p100f) {
        row.divides = 0;
        args->flawed[i] = (uint8_t)finish_columns(args, &row, o, out);
    } else {
        row.divides = 1;
        args->flawed[i] = (uint8_t)finish_columns(args, &row, o, out);
    }
}

/* Rows as nearly all are: whole vectors, sums from 1 on, a scale of 1. Then `out` is finite where `o` is, and
 * for a flaw it is enough to look whether the smallest |o| is a normal number and all of them add up: six
 * operations a vector in place of eleven, and one look for several rows (AVX2, E = 64: 16 cycles a row in
 * place of 38). A false alarm, of a 0 or of |o| near FLT_MAX, costs the slower way once. Writes what
 * finish_row() writes, bit by bit. Returns whether there was no alarm. */
VINLINE int finish_plain(const struct attune_finish_args *args, int64_t i, int64_t rows)
{
    vf least[2] = {vset1(1), vset1(1)}, total[2] = {vzero(), vzero()};
    for (const int64_t end = i + rows; i < end; i++) {
        const struct finish_row row = {.sum = vset1(args->sum[i]),
                                       .reciprocal = vset1(1.0f / args->sum[i])};
        const float *o = args->o + i * args->ldo;
        float *out = args->out + i * args->ldout;
        for (int64_t c = 0; c < args->e; c += 2 * VLANES)
            _Pragma("GCC unroll 2") for (int k = 0; k < 2; k++)
            {
                if (c + k * VLANES >= args->e) break;
                const vf x = vload(o + c + k * VLANES), size = vabs(x);
                vstore(out + c + k * VLANES, finish_quotient(&row, x));
                least[k] = vmin(size, least[k]); /* in this order a NaN is dropped, but not by the total */
                total[k] = vadd(total[k], size);
            }
    }
    const vf smallest = vmin(least[0], least[1]), all = vadd(total[0], total[1]);
    const vf tiny = vselect(vlt(smallest, vset1(FLT_MIN)), vset1(1), vzero());
    return vhsum(vadd(vsub(all, all), tiny)) == 0.0f;
}

enum { FINISH_ROWS = 4 };

VINLINE int finish_is_plain(const struct attune_finish_args *args, int64_t i)
{
    int plain = i + FINISH_ROWS <= args->m;
    for (int64_t k = i; plain && k < i + FINISH_ROWS; k++)
        plain = args->sum[k] >= 1.0f && args->sum[k] <= 0x1p100f;
    return plain;
}

VINLINE void finish(const struct attune_finish_args *args)
{
    int try_plain = FINISH_FUSED && args->e % VLANES == 0 && args->scale == 1.0f;
    for (int64_t i = 0; i < args->m;) {
        if (try_plain && finish_is_plain(args, i)) {
            try_plain = finish_plain(args, i, FINISH_ROWS);
            if (try_plain) {
                for (int64_t k = 0; k < FINISH_ROWS; k++) args->flawed[i++] = 0;
                continue;
            }
        }
        finish_row(args, i++);
    }
}

#define FINISH(isa, variant, requires)                                                             \
    attune_finish_fn attune_finish_##isa##_##variant;                                              \
    void attune_finish_##isa##_##variant(const struct attune_finish_args *args)                    \
    {                                                                                              \
        finish(args);                                                                              \
    }
#include "arch/kernels.def"
