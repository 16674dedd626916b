/* SPDX-License-Identifier: Apache-2.0
 *
 * score_direct of kernels.def in AVX-512: the template over the vocabulary, nothing by hand.
 */
#include "arch/simd/f32_avx512.h"
#include "arch/simd/f32_math.h"

#include "arch/template/score_direct.inc.c"
