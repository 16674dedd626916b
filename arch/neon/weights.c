/* SPDX-License-Identifier: Apache-2.0
 *
 * weights of kernels.def in NEON: the template over the vocabulary, nothing by hand.
 */
#include "arch/simd/f32_neon.h"
#include "arch/simd/f32_exp2.h"

#include "arch/template/weights.inc.c"
