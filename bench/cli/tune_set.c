/* SPDX-License-Identifier: Apache-2.0
 *
 * The problems whose keys are tuned: those that a user names, or a canonical set, the important ones
 * first, so that a run that is cut short has done them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bench/cli/problem_file.h"
#include "bench/cli/spec.h"
#include "bench/cli/spec_list.h"
#include "bench/cli/tune.h"
#include "engine/shape.h"

/* Query rows to a key up to which a problem is decoding. */
enum { DECODE_ROWS = 16 };

/* SPECs with the lengths that stand for '@'. Half an octave apart where times depend on how rows and
 * keys fill tiles; not all powers of two, for those fill every one, and real lengths seldom do. */
static const struct {
    const char *spec;
    int16_t lengths[8];
} canonical[] = {
    {"self:dot,h=8,t=@,d=64", {512, 1024, 350, 200, 128}},
    {"self:dot,h=8,t=@,d=64,causal=top_left", {1024, 512, 256, 2048}},
    {"self:dot,h=32,g=8,tq=1,tk=@,d=128", {4096, 1024}},
    {"additive,b=4,t=@,a=256,e=64", {100, 60}},
    {"self:dot,h=8,t=@,d=128", {2048, 512, 1024, 256}},
    {"self:dot,h=8,t=@,d=128,causal=top_left", {2048, 512}},
    {"self:dot,h=8,tq=1,tk=@,d=64", {1024, 4096, 256}},
    {"additive,b=8,tq=1,tk=@,d=256,a=128,prepared=1", {256, 90}},
    {"recurrent,t=@,c=64,n=64,a=64", {64, 32}},
    {"convolutional:pairwise,b=4,t=@,c=128,a=128,width=3", {128, 100, 60, 30}},
    {"self:dot,h=32,t=@,d=64", {90, 64, 32}},
    {"self:pairwise,t=@,c=64,a=64", {50, 128}},
    {"self:dot,h=32,g=8,tq=1,tk=@,d=128,dtype=bf16", {4096, 1024}},
    {"self:dot,h=32,g=8,tq=1,tk=@,d=128,kv=i8", {4096, 1024}},
    {"self:dot,h=32,tq=1,tk=@,d=128", {1024, 4096}},
    {"self:dot,h=8,t=@,d=64,window_left=256,window_right=0", {1024}},
    {"self:dot,h=8,g=2,t=@,d=128,dtype=bf16,causal=top_left", {1024}},
    {"self:dot,h=8,tq=8,tk=@,d=64", {4096, 1024}},
    {"self:dot,h=8,tq=2,tk=@,d=64", {2048}},
    {"multiplicative:dot,b=4,t=@,d=256", {100}},
    {"multiplicative:general,b=4,tq=1,tk=@,d=256", {128}},
    {"additive,b=8,tq=1,tk=@,a=256,e=256", {128}},
    {"additive,b=8,tq=1,tk=@,a=256,e=128", {600}},
    {"additive,b=8,tq=1,tk=@,a=128,e=128", {128, 333}},
    {"additive,t=@,a=128,e=128", {512, 200}},
    {"additive,t=@,a=64,e=64", {256}},
    {"convolutional:location,b=4,tq=1,tk=@,d=256,a=128,f=8,width=31", {512}},
    {"recurrent,t=@,c=64,n=128,a=64", {32}},
    {"self:dot,h=12,t=@,d=32", {256, 100, 40}},
    {"self:dot,h=6,t=@,d=48", {500}},
    {"self:dot,h=6,t=@,d=48,causal=top_left", {500}},
    {"self:dot,h=12,t=@,d=96", {512}},
    {"self:dot,h=8,t=@,d=80", {300}},
    {"self:dot,h=8,t=@,d=64,dtype=f16", {512}},
    {"self:dot,h=8,t=@,d=64,dtype=bf16", {512}},
};

static const char *const phases[] = {"prefill", "decode"};

int attune_tune_set_knows(const char *only)
{
    int known = strcmp(only, phases[0]) == 0 || strcmp(only, phases[1]) == 0;
    for (int32_t i = ATTUNE_ADDITIVE; i <= ATTUNE_RECURRENT; i++)
        known |= strcmp(only, attune_mechanism_name(i)) == 0;
    return known;
}

const char *attune_tune_set_words(void)
{
    return "prefill, decode, additive, multiplicative, self, convolutional, recurrent";
}

static int wanted(const struct attune_problem *problem, const char *only,
                  struct attune_trouble *trouble, int *code)
{
    struct attune_shape shape;
    const enum attune_status status = attune_shape_resolve(problem, &shape);
    *code = status == ATTUNE_OK ? 0 : attune_trouble_status(trouble, status);
    if (*code || only == NULL)
        return !*code;
    const int decode = shape.g > 0 && shape.h / shape.g * shape.t_q <= DECODE_ROWS;
    return strcmp(only, phases[decode]) == 0 ||
           strcmp(only, attune_mechanism_name(problem->mechanism)) == 0;
}

static int add(struct attune_tune_set *set, const struct attune_problem *problem, const char *only,
               struct attune_trouble *trouble)
{
    int code;
    if (!wanted(problem, only, trouble, &code))
        return code;
    if (set->count == set->capacity) {
        const int32_t capacity = set->capacity > 0 ? 2 * set->capacity : 32;
        struct attune_problem *larger =
            realloc(set->problem, (size_t)capacity * sizeof *set->problem);
        if (larger == NULL)
            return attune_trouble_memory(trouble, "the list of problems");
        set->problem = larger;
        set->capacity = capacity;
    }
    set->problem[set->count++] = *problem;
    return 0;
}

int attune_tune_set_spec(struct attune_tune_set *set, const char *spec, const char *only,
                         struct attune_trouble *trouble)
{
    struct attune_problem problem;
    const int code = attune_spec_parse(spec, &problem, trouble);
    return code ? code : add(set, &problem, only, trouble);
}

static int read_list(struct attune_tune_set *set, const char *path, const char *only,
                     struct attune_trouble *trouble)
{
    struct attune_spec_list list;
    struct attune_trouble inner;
    int specs = 0, code = attune_spec_list_read(path, &list, trouble);
    for (const char *spec; code == 0 && (spec = attune_spec_list_next(&list, &code, trouble)); specs++) {
        code = attune_tune_set_spec(set, spec, only, &inner);
        if (code)
            (void)attune_trouble_set(trouble, (enum attune_exit)code, "line %d: %.400s", list.line,
                                     inner.text);
    }
    attune_spec_list_free(&list);
    if (code == 0 && specs == 0)
        code = attune_trouble_set(trouble, ATTUNE_EXIT_USE, "holds no SPEC");
    return code;
}

int attune_tune_set_file(struct attune_tune_set *set, const char *path, const char *only,
                         struct attune_trouble *trouble)
{
    static const char suffix[] = ".safetensors";
    const size_t length = strlen(path), tail = sizeof suffix - 1;
    if (length > tail && strcmp(path + length - tail, suffix) == 0) {
        struct attune_problem_file problem;
        int code = attune_problem_file_read(path, &problem, trouble);
        if (code == 0) {
            code = add(set, &problem.problem, only, trouble);
            attune_problem_file_free(&problem);
        }
        return code;
    }
    return read_list(set, path, only, trouble);
}

static int add_canonical(struct attune_tune_set *set, const char *spec, int length, const char *only,
                         struct attune_trouble *trouble)
{
    char text[128];
    const int head = (int)strcspn(spec, "@");
    (void)snprintf(text, sizeof text, "%.*s%d%s", head, spec, length, spec + head + 1);
    return attune_tune_set_spec(set, text, only, trouble);
}

/* The first length of each, then the second, and so on. */
int attune_tune_set_canonical(struct attune_tune_set *set, const char *only,
                              struct attune_trouble *trouble)
{
    int code = 0;
    for (int i = 0; i < (int)(sizeof canonical[0].lengths / sizeof canonical[0].lengths[0]); i++)
        for (size_t at = 0; at < sizeof canonical / sizeof *canonical && code == 0; at++)
            if (canonical[at].lengths[i] > 0)
                code = add_canonical(set, canonical[at].spec, canonical[at].lengths[i], only, trouble);
    return code;
}

void attune_tune_set_free(struct attune_tune_set *set)
{
    free(set->problem);
    *set = (struct attune_tune_set){0};
}
