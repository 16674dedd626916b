/* SPDX-License-Identifier: Apache-2.0
 *
 * The wsum_rows lines of kernels.def in NEON: the template over the vocabulary, nothing by hand.
 */
#include "arch/simd/f32_neon.h"

#include "arch/template/wsum_rows.inc.c"
