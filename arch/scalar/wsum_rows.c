/* SPDX-License-Identifier: Apache-2.0
 *
 * The wsum_rows lines of kernels.def in one lane: the template over the vocabulary, nothing by hand.
 */
#include "arch/simd/f32_scalar.h"

#include "arch/template/wsum_rows.inc.c"
