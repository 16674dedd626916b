/* SPDX-License-Identifier: Apache-2.0
 *
 * endure CYCLES: contexts and plans of every mechanism made, executed and released over and over. The
 * resident size must stay flat. oneDNN compiles for each new shape, so that the projected mechanisms,
 * which keep theirs, have a hundredth of the cycles.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/box.h"
#include "tests/support/generate.h"

enum { KINDS = 11, WARM = 300, SLACK = 1 << 20 };

struct problem {
    struct box box;
    struct attune_args args;
    char *prepared;
};

static size_t resident(void)
{
    unsigned long pages = 0, held = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || fscanf(file, "%lu %lu", &pages, &held) != 2)
        abort();
    fclose(file);
    return held * (size_t)sysconf(_SC_PAGESIZE);
}

static int live(struct problem *problem)
{
    struct attune_context *context;
    struct attune_plan *plan;
    struct attune_args *args = &problem->args;
    enum attune_status status = ATTUNE_OK;
    if (attune_context_create(NULL, &context) != ATTUNE_OK)
        return 0;
    if (attune_plan_create(context, &problem->box.problem, &plan) != ATTUNE_OK)
        return 0;
    attune_context_release(context);
    if (args->workspace == NULL) {
        args->workspace_size = attune_plan_workspace_size(plan);
        args->workspace = malloc(args->workspace_size);
        args->prepared_size = attune_plan_prepared_size(plan);
        args->prepared = problem->prepared = malloc(args->prepared_size + 1);
    }
    if (args->prepared_size > 0)
        status = attune_plan_prepare(plan, args, problem->prepared, args->prepared_size);
    if (status == ATTUNE_OK)
        status = attune_plan_execute(plan, args);
    attune_plan_release(plan);
    return status == ATTUNE_OK;
}

static void make(struct problem *problem, int kind)
{
    struct generate_options options = generate_anything;
    options.packed = options.all_outputs = 1;
    generate(&problem->box, &generate_kinds[kind], &options, 4);
    problem->args = problem->box.args;
    for (int o = 0; o < ATTUNE_OUTPUT_COUNT; o++) {
        struct attune_tensor shape;
        size_t bytes = sizeof(float);
        attune_problem_output_shape(&problem->box.problem, (enum attune_output)o, &shape);
        for (int32_t axis = 0; axis < shape.rank; axis++)
            bytes *= (size_t)shape.size[axis];
        problem->args.out[o] = calloc(bytes + 1, 1);
    }
}

/* No projection, and nothing but the core. */
static int is_bare(int kind)
{
    return strcmp(generate_kinds[kind].name, "dot") == 0 ||
           strcmp(generate_kinds[kind].name, "self_qkv") == 0;
}

int main(int argc, char **argv)
{
    static struct problem problem[KINDS];
    const long cycles = argc > 1 ? atol(argv[1]) : 2000;
    size_t before = 0, most = 0;
    int fine = 1;
    for (int kind = 0; kind < generate_kind_count && kind < KINDS; kind++)
        make(&problem[kind], kind);
    for (long cycle = 0; cycle < cycles + WARM; cycle++) {
        const int any = (int)(cycle % generate_kind_count);
        const int kind = cycle < WARM || cycle % 100 == 0 || is_bare(any) ? any : cycle % 2 ? 1 : 4;
        fine &= live(&problem[kind]);
        if (cycle == WARM)
            before = resident();
        if (cycle > WARM && cycle % 50 == 0 && resident() > most)
            most = resident();
    }
    const size_t grown = most > before ? most - before : 0;
    printf("figure: %ld cycles, resident %zu KiB, at most %zu KiB more\n", cycles, before >> 10, grown >> 10);
    fine &= grown <= SLACK;
    printf("%d passed, %d failed\n", fine, !fine);
    return !fine;
}
