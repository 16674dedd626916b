/* SPDX-License-Identifier: Apache-2.0
 *
 * The wsum_rows lines of kernels.def in AVX-512: the template over the vocabulary, nothing by hand.
 */
#include "arch/simd/f32_avx512.h"

#include "arch/template/wsum_rows.inc.c"
