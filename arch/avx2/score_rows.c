/* SPDX-License-Identifier: Apache-2.0
 *
 * The score_rows lines of kernels.def in AVX2: the template over the vocabulary, nothing by hand.
 */
#include "arch/simd/f32_avx2.h"

#include "arch/template/score_rows.inc.c"
