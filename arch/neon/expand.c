/* SPDX-License-Identifier: Apache-2.0
 *
 * expand of kernels.def in NEON: the template over the vocabulary, nothing by hand.
 */
#include "arch/simd/f32_neon.h"
#include "arch/simd/f32_math.h"

#include "arch/template/expand.inc.c"
