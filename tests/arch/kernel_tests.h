/* SPDX-License-Identifier: Apache-2.0
 *
 * What the tests of kernels share: guarded operands, fills, comparison with the float64 oracle and
 * counting. Plain C, one thread, nothing linked: an emulator runs it without an operating system.
 */
#ifndef ATTUNE_TESTS_ARCH_KERNEL_TESTS_H
#define ATTUNE_TESTS_ARCH_KERNEL_TESTS_H

#include <stddef.h>
#include <stdint.h>

#include "arch/registry.h"

/* A test runs every case of its operation on one kernel. An operation of registry.h without a test
 * here fails the suite. */
typedef void kernel_test_fn(const struct attune_kernel *kernel);
#define KERNEL_TESTS(X)                                                                            \
    X(PACK_KEYS, pack_keys) X(PACK_VALUES, pack_values) X(FOLD, fold) X(EXPAND_ROWS, expand_rows)  \
    X(EXPAND_PANELS, expand_panels) X(SCORE_DOT, score_dot) X(SCORE_ROWS, score_rows)              \
    X(SCORE_TANH, score_tanh) X(SCORE_DIRECT, score_direct) X(ADJUST, adjust) X(SOFTMAX, softmax)  \
    X(WSUM, wsum) X(WSUM_ROWS, wsum_rows) X(TILE, tile) X(MERGE, merge) X(FINISH, finish)          \
    X(WEIGHTS, weights) X(LSTM, lstm) X(PROBE_FMA, probe_fma) X(PROBE_READ, probe_read)            \
    X(PROBE_TANH, probe_tanh) X(PROBE_EXP, probe_exp)
#define X(name, word) kernel_test_fn test_##word;
KERNEL_TESTS(X)
#undef X

/* Small shapes only: for emulators, which are some hundred times slower. */
extern int test_small;

/* Which end of an operand lies against an unmapped page; the other has a canary. */
enum test_side { TEST_AT_END, TEST_AT_START, TEST_SIDES };
/* Operands of a case, uninitialized memory with element alignment and nothing mapped beyond one end.
 * test_case_end() takes them all back. */
void *test_take(size_t size, enum test_side side);
float *test_floats(int64_t count, enum test_side side);

/* What an operand holds. Everything but NORMAL is sprinkled over normal numbers, except EQUAL. */
enum test_fill { TEST_NORMAL, TEST_EQUAL, TEST_ZERO, TEST_DENORMAL, TEST_INF, TEST_NAN, TEST_FILLS };
const char *test_fill_name(enum test_fill fill);
void test_fill_floats(float *x, int64_t count, enum test_fill fill);
/* The same in any element type (enum attune_pack_dtype); int8 knows no special number, and has -128
 * instead. */
void test_fill_typed(int32_t dtype, void *dst, int64_t count, enum test_fill fill);
float test_typed_value(int32_t dtype, const void *src, int64_t at);
size_t test_typed_size(int32_t dtype);
/* In [0, 1), the same sequence in every run. */
float test_random(void);

/* Whether got is within bound of want; NaN equals NaN alone and an infinity its own sign. */
int test_near(float got, double want, double bound);
int test_same_bits(const float *a, const float *b, int64_t count);

/* One case: begin names it, fail marks it (the first reason is printed), end checks the canaries,
 * counts it and takes its operands back. */
void test_case_begin(const struct attune_kernel *kernel, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void test_case_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
void test_case_end(void);

#endif
