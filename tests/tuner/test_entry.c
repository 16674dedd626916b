/* SPDX-License-Identifier: Apache-2.0
 *
 * Keys and choices: classes, order, distance, one spelling of each text, and that no choice outside
 * its ranges gets past the check.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "arch/cpu.h"
#include "tests/support/random.h"
#include "tuner/entry.h"

static const char dot_text[] = "core dot q=f32 k=f16 v=f16 d=64 e=80 tq=1024 tk=1449 group=4 "
                               "mask=causal isa=scalar prepared=0";

static struct attune_key key_of(const char *text)
{
    struct attune_key key;
    struct attune_fault fault = {0};
    cr_assert_eq(attune_key_parse(text, strlen(text), &key, &fault), 0, "%s: %s", text, fault.text);
    return key;
}

Test(entry, a_class_is_half_an_octave)
{
    int32_t before = 0;
    for (int64_t t = 0; t < 100000; t++) {
        const int32_t class_of_t = attune_key_class(t);
        const int64_t bottom = attune_key_class_floor(class_of_t);
        cr_assert(class_of_t >= before && (t < 1 || bottom <= t), "%lld", (long long)t);
        cr_assert(t < 1 || attune_key_class(bottom) == class_of_t, "%lld", (long long)t);
        /* floor(2 log2 t) is c: 2^c <= t^2 < 2^(c+1). */
        cr_assert(t < 1 || ((INT64_C(1) << class_of_t) <= t * t && t * t < (INT64_C(2) << class_of_t)));
        before = class_of_t;
    }
    cr_assert_eq(attune_key_class(INT64_MAX), ATTUNE_KEY_CLASS_MAX);
}

Test(entry, a_key_is_read_as_it_is_written)
{
    static const char *const texts[] = {
        dot_text,
        "core tanh q=f32 k=f32 v=bf16 a=256 e=32 tq=1 tk=128 group=1 mask=none isa=avx2 prepared=1",
        "core lstm q=f32 k=f32 v=f32 a=64 n=64 e=64 tq=64 tk=64 group=1 mask=window isa=neon "
        "prepared=0",
        "core dot q=f32 k=f32 v=f32 d=64 e=64 tq=1 tk=1 group=1 mask=none isa=avx2 prepared=0 "
        "kind=00ff12ab",
        "parallel dot q=i8 k=i8 v=i8 d=1 e=1048576 tq=1 tk=1099511627776 group=8 mask=arbitrary "
        "isa=avx512 prepared=0 units=32 threads=96 topology=00ff12ab",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct attune_key key = key_of(texts[i]);
        char text[ATTUNE_KEY_TEXT];
        cr_assert_eq(attune_key_format(&key, text, sizeof text), strlen(texts[i]));
        cr_assert_str_eq(text, texts[i]);
        cr_assert_eq(attune_key_check(&key, NULL), 0);
        cr_assert_eq(attune_key_format(&key, NULL, 0), strlen(texts[i]));
    }
    struct attune_key key = key_of("core dot isa=scalar v=f16 q=f32 d=64 k=f16 e=80 tk=1449 tq=1024 "
                                   "mask=causal group=4 prepared=0");
    struct attune_key same = key_of(dot_text);
    cr_assert(attune_key_equal(&key, &same) && attune_key_hash(&key) == attune_key_hash(&same));
}

Test(entry, a_wrong_key_is_named)
{
    static const struct {
        const char *was, *is, *says;
    } changes[] = {
        {"core", "kernel", "tier: \"kernel\" is not one of core, parallel"},
        {"dot", "dots", "score: \"dots\" is not one of dot, tanh, lstm"},
        {"q=f32", "q=f64", "q: \"f64\" is not one of f32, f16, bf16, i8"},
        {"q=f32", "q=", "q: \"\" is not one of f32, f16, bf16, i8"},
        {"d=64", "d=0", "d: \"0\" is not a whole number from 1 to 1048576"},
        {"d=64", "d=064", "d: \"064\" is not a whole number from 1 to 1048576"},
        {"d=64", "d=+64", "d: \"+64\" is not a whole number from 1 to 1048576"},
        {"d=64", "d=99999999999999999999", "d: \"99999999999999999999\" is not a whole number"},
        {"d=64", "a=64", "key: \"a\" is not a field of a core dot key"},
        {"d=64 ", "", "d: missing, a core dot key has it"},
        {"e=80", "d=80", "d: given twice"},
        {"tq=1024", "tq=1023", "tq: \"1023\" is not the smallest length of a class"},
        {"tq=1024", "tq=0", "tq: \"0\" is not the smallest length of a class"},
        {"group=4", "group=4 ", "key: \"\" is not a field"},
        {"prepared=0", "prepared=0 threads=2", "key: \"threads\" is not a field of a core dot key"},
    };
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        const char *at = strstr(dot_text, changes[i].was);
        char text[512];
        struct attune_key key;
        struct attune_fault fault = {0};
        (void)snprintf(text, sizeof text, "%.*s%s%s", (int)(at - dot_text), dot_text, changes[i].is,
                       at + strlen(changes[i].was));
        cr_assert_eq(attune_key_parse(text, strlen(text), &key, &fault), -1, "%s", text);
        cr_assert(strncmp(fault.text, changes[i].says, strlen(changes[i].says)) == 0, "%s", fault.text);
    }
}

Test(entry, distance_counts_lengths_and_refuses_other_regimes)
{
    const struct attune_key key = key_of(dot_text);
    struct attune_key other = key;
    cr_assert_eq(attune_key_distance(&key, &other), 0);
    other.class_k += 4;
    cr_assert_eq(attune_key_distance(&key, &other), ATTUNE_KEY_NEAR, "two octaves");
    cr_assert_eq(attune_key_distance(&other, &key), ATTUNE_KEY_NEAR);
    other = key, other.d = 128;
    cr_assert_eq(attune_key_distance(&key, &other), 16, "an octave of width counts twice");
    other = key, other.class_q = attune_key_class(4); /* 4 * 4 rows: few */
    cr_assert_eq(attune_key_distance(&key, &other), -1);
    int32_t *const discrete[] = {&other.tier, &other.score, &other.mask, &other.isa, &other.dtype_q,
                                 &other.dtype_k, &other.dtype_v, &other.prepared, &other.threads};
    for (size_t i = 0; i < sizeof discrete / sizeof *discrete; i++) {
        other = key;
        *discrete[i] += 1;
        cr_assert_eq(attune_key_distance(&key, &other), -1, "field %zu", i);
        cr_assert(!attune_key_equal(&key, &other) && attune_key_compare(&key, &other) < 0);
    }
}

static const char win_text[] =
    "win date=1795690000 speedup=1103 low=1081 high=1121 noise=8 effort=quick strip=8 q_block=64 "
    "kv_block=384 kv_split=-1 kernel=score_dot_scalar_4x4@1 kernel=softmax_scalar_u4@1 "
    "kernel=wsum_scalar_4x4@1";
static const char tie_text[] =
    "tie date=0 speedup=1000 low=990 high=1010 noise=12 effort=full";

/* 0, or -1 after copying what parse or check said. */
static int admit(const struct attune_key *key, const char *text, char *said, size_t size)
{
    struct attune_choice choice;
    struct attune_fault fault = {0};
    int code = attune_choice_parse(text, strlen(text), &choice, &fault);
    if (code == 0)
        code = attune_choice_check(key, &choice, 0, &fault);
    (void)snprintf(said, size, "%s", fault.text);
    return code;
}

Test(entry, a_choice_is_read_as_it_is_written)
{
    const char *const texts[] = {win_text, tie_text};
    const struct attune_key key = key_of(dot_text);
    for (size_t i = 0; i < 2; i++) {
        struct attune_choice choice;
        struct attune_fault fault = {0};
        char text[ATTUNE_CHOICE_TEXT];
        cr_assert_eq(attune_choice_parse(texts[i], strlen(texts[i]), &choice, &fault), 0, "%s",
                     fault.text);
        cr_assert_eq(attune_choice_format(&choice, text, sizeof text), strlen(texts[i]), "%s", text);
        cr_assert_str_eq(text, texts[i]);
        cr_assert_eq(attune_choice_check(&key, &choice, 0, &fault), 0, "%s", fault.text);
    }
}

Test(entry, a_choice_out_of_range_is_refused)
{
    static const struct {
        const char *was, *is, *says;
    } changes[] = {
        {"win", "wins", "verdict: \"wins\" is not win or tie"},
        {"date=1795690000", "date=-1", "date: \"date=-1\" is not date=SECONDS since 1970"},
        {"low=1081", "low=1104", "speedup: 1103 is not within its interval 1104..1121"},
        {"noise=8 ", "", "noise: missing"},
        {"effort=quick", "effort=slow", "effort: \"slow\" is not one of quick ... full"},
        {"strip=8", "strip=0", "strip: \"0\" is not a whole number from 1 to 256"},
        {"strip=8", "strip=4096", "strip: \"4096\" is not a whole number from 1 to 256"},
        {"strip=8", "strip=9", "q_block: 64 is not a multiple of strip, 9"},
        {"kv_block=384", "kv_block=385", "kv_block: 385 is not a multiple of 192"},
        {"kv_block=384", "kv_block=192000", "kv_block: \"192000\" is not a whole number from 192"},
        {"kv_split=-1", "kv_split=500", "kv_split: 500 is not a multiple of kv_block, 384"},
        {"kv_split=-1", "kv_split=-2", "kv_split: \"-2\" is not a whole number from -1 to"},
        {"strip=8", "strip=8 strip=8", "strip: given twice"},
        {"strip=8", "stripe=8", "choice: \"stripe\" is not a field of a choice"},
        {"kv_split=-1", "prefetch=3", "choice: \"prefetch\" is not a field of a choice"},
        {"kv_split=-1", "threads=2", "threads and schedule: not of a core key"},
        {"4x4@1", "4x4@77", "kernel: score_dot_scalar_4x4 was tuned at revision 77, it is now 1"},
        {"4x4@1", "9x9@1", "kernel: this library has no \"score_dot_scalar_9x9\""},
        {"4x4@1", "4x4", "kernel: \"score_dot_scalar_4x4\" is not NAME@REVISION"},
        {"softmax_scalar_u4", "wsum_scalar_2x8", "kernel: wsum_scalar_2x8 and wsum_scalar_4x4 are"},
        {"softmax_scalar_u4", "pack_keys_scalar_f32", "kernel: pack_keys_scalar_f32 is not one to choose"},
        {"softmax_scalar_u4", "lstm_scalar_2x4", "kernel: lstm_scalar_2x4 is not for this score kind"},
        {"wsum_scalar_4x4@1", "wsum_rows_scalar_i8_4x2@2", "kernel: wsum_rows_scalar_i8_4x2 reads another"},
        {"softmax_scalar_u4@1", "wsum_rows_scalar_f32_4x2@2", "kernel: wsum_scalar_4x4 and wsum_rows_scalar_f32"},
    };
    const struct attune_key key = key_of(dot_text);
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        const char *at = strstr(win_text, changes[i].was);
        char text[1024], said[320];
        (void)snprintf(text, sizeof text, "%.*s%s%s", (int)(at - win_text), win_text, changes[i].is,
                       at + strlen(changes[i].was));
        cr_assert_eq(admit(&key, text, said, sizeof said), -1, "%s", text);
        cr_assert(strncmp(said, changes[i].says, strlen(changes[i].says)) == 0, "%s", said);
    }
}

Test(entry, a_kernel_of_an_instruction_set_that_is_not_there_is_refused)
{
    const struct attune_key key = key_of(dot_text);
    const struct attune_kernel *widest = attune_kernel_next(ATTUNE_OP_WSUM, ~0u, NULL);
    struct attune_choice choice = {.verdict = ATTUNE_VERDICT_WIN, .speedup = 1100, .low = 1050,
                                   .high = 1200};
    struct attune_fault fault = {0};
    choice.kernel[ATTUNE_OP_WSUM] = widest;
    cr_assert_eq(attune_choice_check(&key, &choice, ~0u, &fault), 0, "%s", fault.text);
    if (widest->requires != 0)
        cr_assert_eq(attune_choice_check(&key, &choice, 0, &fault), -1);
    choice.verdict = ATTUNE_VERDICT_TIE;
    cr_assert_eq(attune_choice_check(&key, &choice, ~0u, &fault), -1);
}

Test(entry, any_bytes_are_read_or_refused)
{
    struct test_random random = {42};
    struct attune_fault fault;
    for (int i = 0; i < 200000; i++) {
        char text[512];
        const char *from = i % 2 ? dot_text : win_text;
        size_t length = strlen(from);
        memcpy(text, from, length);
        for (int64_t changes = random_between(&random, 0, 3); changes > 0; changes--)
            text[random_between(&random, 0, (int64_t)length - 1)] =
                (char)random_between(&random, 0, 255);
        if (random_chance(&random, 30))
            length = (size_t)random_between(&random, 0, (int64_t)length);
        struct attune_key key;
        struct attune_choice choice;
        if (attune_key_parse(text, length, &key, &fault) == 0)
            cr_assert_eq(attune_key_check(&key, &fault), 0, "%s", fault.text);
        (void)attune_choice_parse(text, length, &choice, &fault);
    }
}
