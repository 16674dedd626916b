/* SPDX-License-Identifier: Apache-2.0
 *
 * score_direct of kernels.def in plain C: the template over the vocabulary, nothing by hand.
 */
#include "arch/simd/f32_scalar.h"
#include "arch/simd/f32_math.h"

#include "arch/template/score_direct.inc.c"
