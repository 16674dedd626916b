/* SPDX-License-Identifier: Apache-2.0
 *
 * 2^(k / 8) for k = 0 .. 7 as bits, less k << 20: adding n << 20 for any n, whose low three bits chose the
 * entry, then makes 2^(n / 8), 0.54 * 2^-24 off at most. Vocabularies look it up in a register.
 */
#ifndef ATTUNE_ARCH_SIMD_F32_EIGHTHS_H
#define ATTUNE_ARCH_SIMD_F32_EIGHTHS_H

#define ATTUNE_EIGHTHS                                                                             \
    0x3f800000, 0x3f7b95c2, 0x3f7837f0, 0x3f75fed7,                                                \
    0x3f7504f3, 0x3f75672a, 0x3f7744fd, 0x3f7ac0c7

#endif
