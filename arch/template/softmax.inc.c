/* SPDX-License-Identifier: Apache-2.0
 *
 * One block of the online softmax. Needs a vocabulary; defines the wrappers of SOFTMAX(isa, variant,
 * requires, unroll), constants as in softmax_rows.inc.c.
 */
#include "arch/template/softmax_rows.inc.c"

/* Up to VLANES rows. The scratch behind a row's last score becomes -inf, so that whole vectors do;
 * rows that are not there reduce to numbers nobody reads. */
VINLINE void softmax_rows(const struct attune_softmax_args *args, int64_t first, int64_t rows,
                          const int unroll)
{
    const int64_t padded = (args->n + VLANES - 1) / VLANES * VLANES;
    float *s = args->s + first * args->lds, peaks[VLANES];
    vf part[VLANES];
    for (int64_t i = 0; i < VLANES; i++) part[i] = vzero();
    for (int64_t i = 0; i < rows; i++) {
        for (int64_t j = args->n; j < padded; j++) s[i * args->lds + j] = -__builtin_inff();
        part[i] = softmax_peak(s + i * args->lds, padded, unroll);
    }
    vstore(peaks, softmax_open(part, rows, vset1(args->factor), args->row_max + first,
                               args->alpha + first));
    for (int64_t i = 0; i < rows; i++)
        part[i] = softmax_row(s + i * args->lds, padded, peaks[i], args->factor, unroll);
    softmax_close(part, rows, args->alpha + first, args->row_sum + first);
}

VINLINE void softmax(const struct attune_softmax_args *args, const int unroll)
{
    for (int64_t i = 0; i < args->m; i += VLANES)
        softmax_rows(args, i, args->m - i < VLANES ? args->m - i : VLANES, unroll);
}

#define SOFTMAX(isa, variant, requires, unroll)                                                    \
    attune_softmax_fn attune_softmax_##isa##_##variant;                                            \
    void attune_softmax_##isa##_##variant(const struct attune_softmax_args *args)                  \
    {                                                                                              \
        softmax(args, unroll);                                                                     \
    }
#include "arch/kernels.def"
