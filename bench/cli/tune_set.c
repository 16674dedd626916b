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
#include "bench/cli/tune.h"
#include "engine/shape.h"

/* Query rows to a key up to which a problem is decoding. */
enum { DECODE_ROWS = 16 };

/* Not all lengths are powers of two: those fill every panel, and real ones seldom do. */
static const char *const canonical[] = {
    "self:dot,h=8,t=512,d=64",
    "self:dot,h=8,t=1024,d=64,causal=top_left",
    "self:dot,h=32,g=8,tq=1,tk=4096,d=128",
    "additive,b=4,t=100,a=256,e=64",
    "self:dot,h=8,t=2048,d=128",
    "self:dot,h=8,t=2048,d=128,causal=top_left",
    "self:dot,h=8,tq=1,tk=1024,d=64",
    "additive,b=8,tq=1,tk=256,d=256,a=128,prepared=1",
    "recurrent,t=64,c=64,n=64,a=64",
    "convolutional:pairwise,b=4,t=128,c=128,a=128,width=3",
    "self:dot,h=32,t=128,d=64",
    "self:pairwise,t=50,c=64,a=64",
    "self:dot,h=32,g=8,tq=1,tk=1024,d=128",
    "self:dot,h=8,t=1024,d=64,window_left=256,window_right=0",
    "self:dot,h=32,g=8,tq=1,tk=4096,d=128,dtype=bf16",
    "self:dot,h=32,g=8,tq=1,tk=4096,d=128,kv=i8",
    "self:dot,h=32,tq=1,tk=1024,d=128",
    "self:dot,h=8,t=512,d=128",
    "self:dot,h=8,g=2,t=1024,d=128,dtype=bf16,causal=top_left",
    "self:dot,h=8,tq=8,tk=4096,d=64",
    "self:dot,h=12,t=256,d=32",
    "self:dot,h=8,t=256,d=64,causal=top_left",
    "self:dot,h=16,t=32,d=64",
    "multiplicative:dot,b=4,t=128,d=256",
    "multiplicative:general,b=4,tq=1,tk=128,d=256",
    "additive,b=8,tq=1,tk=128,a=256,e=256",
    "additive,t=512,a=128,e=128",
    "additive,t=256,a=64,e=64",
    "convolutional:location,b=4,tq=1,tk=512,d=256,a=128,f=8,width=31",
    "recurrent,t=32,c=64,n=128,a=64",
    "multiplicative:concat,b=4,t=64,d=64,a=128",
    "self:dot,h=12,t=512,d=96",
    "self:dot,h=8,t=512,d=64,dtype=f16",
    "self:dot,h=8,tq=4,tk=2048,d=64",
    "additive,b=8,tq=1,tk=600,a=256,e=128",
    "self:dot,h=6,t=500,d=48",
    "self:dot,h=6,t=500,d=48,causal=top_left",
    "additive,b=2,t=200,a=128,e=128",
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

static int read_list(struct attune_tune_set *set, FILE *file, const char *only,
                     struct attune_trouble *trouble)
{
    char *line = NULL;
    size_t size = 0;
    int code = 0, number = 0;
    while (code == 0 && getline(&line, &size, file) >= 0) {
        char *spec = line + strspn(line, " \t");
        number++;
        spec[strcspn(spec, "#\r\n \t")] = '\0';
        if (spec[0] == '\0')
            continue;
        struct attune_trouble inner;
        code = attune_tune_set_spec(set, spec, only, &inner);
        if (code)
            (void)attune_trouble_set(trouble, (enum attune_exit)code, "line %d: %.400s", number,
                                     inner.text);
    }
    free(line);
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
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return attune_trouble_set(trouble, ATTUNE_EXIT_USE, "cannot be read: %s", strerror(errno));
    const int code = read_list(set, file, only, trouble);
    (void)fclose(file);
    return code;
}

int attune_tune_set_canonical(struct attune_tune_set *set, const char *only,
                              struct attune_trouble *trouble)
{
    int code = 0;
    for (size_t i = 0; i < sizeof canonical / sizeof *canonical && code == 0; i++)
        code = attune_tune_set_spec(set, canonical[i], only, trouble);
    return code;
}

void attune_tune_set_free(struct attune_tune_set *set)
{
    free(set->problem);
    *set = (struct attune_tune_set){0};
}
