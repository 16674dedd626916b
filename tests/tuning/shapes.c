/* SPDX-License-Identifier: Apache-2.0
 *
 * Shapes that no one chose: lengths are spread evenly over octaves, so that remainders of tiles and
 * vectors are the rule, and the work of each is some milliseconds at most.
 */
#include <math.h>
#include <stdio.h>

#include "bench/cli/spec.h"
#include "engine/shape.h"
#include "tests/support/random.h"
#include "tests/tuning/judge.h"

/* Pairs times widths: flop or about as much. */
static const double most_work = 3e8;

struct text {
    char at[160];
    int length;
};

/* Even over octaves. */
static int spread(struct test_random *random, double low, double high)
{
    const double part = (double)(random_bits(random) >> 11) * 0x1p-53;
    return (int)floor(low * pow(high / low, part));
}

static int pick(struct test_random *random, const int *values, int count)
{
    return values[random_between(random, 0, count - 1)];
}

static void say(struct text *text, const char *name, int value)
{
    const int written = snprintf(text->at + text->length, sizeof text->at - (size_t)text->length,
                                 ",%s=%d", name, value);
    text->length += written;
}

static void begin(struct text *text, const char *mechanism)
{
    text->length = snprintf(text->at, sizeof text->at, "%s", mechanism);
}

static int width(struct test_random *random)
{
    static const int widths[] = {32, 40, 48, 64, 64, 64, 72, 80, 96, 128, 128, 160};
    return pick(random, widths, sizeof widths / sizeof *widths);
}

static void add_types(struct test_random *random, struct text *text, int quantized)
{
    static const char *const types[] = {",dtype=bf16", ",dtype=f16", ",kv=i8"};
    if (random_chance(random, 30))
        text->length += snprintf(text->at + text->length, sizeof text->at - (size_t)text->length, "%s",
                                 types[random_between(random, 0, quantized ? 2 : 1)]);
}

static void prefill(struct test_random *random, struct text *text)
{
    const int t = spread(random, 16, 1500);
    begin(text, "self:dot");
    say(text, "h", spread(random, 2, 17));
    say(text, "t", t);
    say(text, "d", width(random));
    if (random_chance(random, 35))
        text->length += snprintf(text->at + text->length, sizeof text->at - (size_t)text->length,
                                 ",causal=top_left");
    else if (t > 200 && random_chance(random, 15))
        say(text, "window_left", spread(random, 30, 200));
    add_types(random, text, 0);
}

static void decode(struct test_random *random, struct text *text)
{
    static const int groups[] = {1, 1, 1, 2, 4, 8}, rows[] = {1, 1, 1, 1, 2, 3, 5, 8, 12};
    const int g = spread(random, 1, 9), group = pick(random, groups, 6);
    begin(text, "self:dot");
    say(text, "h", g * group);
    say(text, "g", g);
    say(text, "tq", group > 2 ? 1 : pick(random, rows, 9));
    say(text, "tk", spread(random, 32, 8192));
    say(text, "d", width(random));
    add_types(random, text, 1);
}

static void additive(struct test_random *random, struct text *text)
{
    const int few = random_chance(random, 50);
    begin(text, "additive");
    say(text, "b", spread(random, 1, 9));
    if (few) {
        say(text, "tq", 1);
        say(text, "tk", spread(random, 24, 900));
    } else {
        say(text, "t", spread(random, 16, 400));
    }
    say(text, "a", 8 * spread(random, 4, 40));
    say(text, "e", 8 * spread(random, 4, 40));
}

static void other(struct test_random *random, struct text *text)
{
    static const char *const mechanisms[] = {"recurrent", "convolutional:pairwise", "self:pairwise",
                                             "multiplicative:dot", "multiplicative:general"};
    const int which = (int)random_between(random, 0, 4);
    begin(text, mechanisms[which]);
    if (which != 2)
        say(text, "b", spread(random, 1, 5));
    say(text, "t", which == 0 ? spread(random, 16, 80) : spread(random, 24, 260));
    say(text, which < 3 ? "c" : "d", 16 * spread(random, 2, 17));
    if (which < 3)
        say(text, "a", 16 * spread(random, 2, 13));
    if (which == 0)
        say(text, "n", 16 * spread(random, 2, 7));
}

static int is_small(const char *spec)
{
    struct attune_problem problem;
    struct attune_trouble trouble;
    struct attune_shape shape;
    if (attune_spec_parse(spec, &problem, &trouble) != 0 ||
        attune_shape_resolve(&problem, &shape) != ATTUNE_OK) {
        (void)fprintf(stderr, "judge: %s is no problem\n", spec);
        return -1;
    }
    const double n = (double)shape.n, pairs = (double)(shape.b * shape.h * shape.t_q * shape.t_k);
    return pairs * (2.0 * (double)(shape.d + shape.e) + 8.0 * (double)shape.a + 8.0 * n * n) < most_work;
}

int judge_shapes(uint64_t seed, int count)
{
    struct test_random random = {seed};
    for (int made = 0; made < count;) {
        struct text text;
        const int64_t percent = random_between(&random, 0, 99);
        (percent < 40 ? prefill : percent < 65 ? decode : percent < 85 ? additive : other)(&random, &text);
        const int small = is_small(text.at);
        if (small < 0)
            return 1;
        if (small)
            (void)printf("%s\n", text.at);
        made += small;
    }
    return 0;
}
