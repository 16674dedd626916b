/* SPDX-License-Identifier: Apache-2.0
 *
 * memory COMMAND STRIDE FILE RESULTS: every allocation fails in turn, once alone and once with all that follow,
 * in a whole life of every mechanism through the public API, every STRIDE-th in `COMMAND run FILE`, and
 * some of those of commands that read. A call then
 * succeeds with the same bits or fails with ATTUNE_ERROR_NO_MEMORY, and nothing is leaked; the
 * command succeeds or says in one line that memory is short, with exit code 4, and leaves no file.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/expect.h"
#include "tests/fault/fault.h"
#include "tests/support/compare.h"
#include "tests/support/generate.h"

/* ---- The library. ---- */

struct life {
    struct attune_plan *plan;
    char *prepared;
    size_t prepared_size;
    struct attune_args args;
};

static enum attune_status run_plan(struct life *life, int prepare)
{
    enum attune_status status = ATTUNE_OK;
    if (prepare)
        status = attune_plan_prepare(life->plan, &life->args, life->prepared, life->prepared_size);
    if (status == ATTUNE_OK)
        status = attune_plan_execute(life->plan, &life->args);
    return status;
}

/* Context, plan, prepare, execute, release, in memory that is there already. */
static enum attune_status live(const struct box *box, struct life *life, int32_t threads)
{
    struct attune_context_options options = {.struct_size = sizeof options, .threads = threads};
    struct attune_context *context = NULL;
    enum attune_status status = attune_context_create(&options, &context);
    if (status != ATTUNE_OK)
        return status;
    status = attune_plan_create(context, &box->problem, &life->plan);
    attune_context_release(context);
    if (status == ATTUNE_OK)
        status = run_plan(life, (box->problem.flags & ATTUNE_PREPARED_KEYS) != 0);
    attune_plan_release(life->plan);
    return status;
}

struct output {
    float *value, *wanted;
    size_t bytes;
};

static void make_life(const struct box *box, struct life *life, struct output *output)
{
    struct attune_context_options options = {.struct_size = sizeof options, .threads = 3};
    struct attune_context *context;
    if (attune_context_create(&options, &context) != ATTUNE_OK ||
        attune_plan_create(context, &box->problem, &life->plan) != ATTUNE_OK)
        abort();
    life->args = box->args;
    life->args.workspace_size = attune_plan_workspace_size(life->plan);
    life->args.workspace = malloc(life->args.workspace_size);
    life->args.prepared_size = life->prepared_size = attune_plan_prepared_size(life->plan);
    life->args.prepared = life->prepared = malloc(life->prepared_size + 1);
    for (int o = 0; o < ATTUNE_OUTPUT_COUNT; o++) {
        struct attune_tensor shape;
        if (box->problem.out[o].dtype == ATTUNE_ABSENT)
            continue;
        attune_problem_output_shape(&box->problem, (enum attune_output)o, &shape);
        output[o].bytes = sizeof(float);
        for (int32_t axis = 0; axis < shape.rank; axis++)
            output[o].bytes *= (size_t)shape.size[axis];
        life->args.out[o] = output[o].value = calloc(output[o].bytes + 1, 1);
        output[o].wanted = malloc(output[o].bytes + 1);
    }
    attune_plan_release(life->plan);
    attune_context_release(context);
}

static void drop_life(struct life *life, struct output *output)
{
    free(life->args.workspace);
    free(life->prepared);
    for (int o = 0; o < ATTUNE_OUTPUT_COUNT; o++) {
        free(output[o].value);
        free(output[o].wanted);
    }
}

static int same_bits(const struct output *output)
{
    int same = 1;
    for (int o = 0; o < ATTUNE_OUTPUT_COUNT; o++)
        same &= !output[o].value || memcmp(output[o].value, output[o].wanted, output[o].bytes) == 0;
    return same;
}

static void fail_each(const struct box *box, const char *name, int32_t threads)
{
    struct output output[ATTUNE_OUTPUT_COUNT] = {{0}};
    struct life life = {0};
    make_life(box, &life, output);
    const enum attune_status first = live(box, &life, threads);
    EXPECT(first == ATTUNE_OK, "%s: %s", name, attune_error_detail());
    for (int o = 0; o < ATTUNE_OUTPUT_COUNT; o++)
        if (output[o].value)
            memcpy(output[o].wanted, output[o].value, output[o].bytes);
    fault_arm(0, 0);
    live(box, &life, threads);
    const long count = fault_disarm(), before = fault_live();
    for (long at = 1; at <= count; at++)
        for (int onward = 0; onward < 2; onward++) {
            fault_arm(at, onward);
            const enum attune_status status = live(box, &life, threads);
            fault_disarm();
            EXPECT(status == ATTUNE_ERROR_NO_MEMORY || (status == ATTUNE_OK && same_bits(output)),
                   "%s, allocation %ld of %ld%s: status %d %s", name, at, count,
                   onward ? " and all after it" : "", status, attune_error_detail());
            EXPECT(status == ATTUNE_OK || attune_error_detail()[0] != '\0', "%s", name);
            EXPECT(fault_live() == before, "%s, allocation %ld: %ld blocks are lost", name, at,
                   fault_live() - before);
        }
    printf("%s, %d threads: %ld allocations\n", name, threads, count);
    drop_life(&life, output);
}

static void fail_mechanisms(void)
{
    for (int kind = 0; kind < generate_kind_count; kind++)
        for (uint64_t seed = 1; seed <= 2; seed++) {
            struct generate_options options = generate_anything;
            struct box box;
            options.packed = options.all_outputs = 1;
            options.t_q = options.t_k = seed == 1 ? 9 : 200; /* 200: work for three threads */
            generate(&box, &generate_kinds[kind], &options, seed);
            fail_each(&box, generate_kinds[kind].name, seed == 1 ? 1 : 3);
            box_destroy(&box);
        }
}

/* The very first context of a process reads the machine's topology; so, in a child, for each. */
static void fail_first_context(void)
{
    for (long at = 1; at < 200; at++) {
        const pid_t child = fork();
        if (child == 0) {
            struct attune_context *context;
            fault_arm(at, 0);
            const enum attune_status status = attune_context_create(NULL, &context);
            const long count = fault_disarm();
            attune_context_release(context);
            _exit(count < at                            ? 9
                  : status == ATTUNE_OK                 ? 0
                  : status == ATTUNE_ERROR_NO_MEMORY    ? 0
                                                        : 1);
        }
        int status = 0;
        waitpid(child, &status, 0);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 9) {
            printf("first context: %ld allocations\n", at - 1);
            return;
        }
        EXPECT(status == 0, "allocation %ld of the first context: wait status %#x", at,
               (unsigned)status);
    }
}

/* ---- The command. ---- */

struct outcome {
    int code; /* exit code; 128 + signal */
    long count;
    char text[4096]; /* what it said on stderr */
};

static void become(char *const *words, long at, int onward, int err, int count)
{
    char number[32], descriptor[32];
    snprintf(number, sizeof number, "%ld", at);
    snprintf(descriptor, sizeof descriptor, "%d", count);
    setenv("LD_PRELOAD", ATTUNE_FAULT, 1);
    setenv("ATTUNE_FAULT_AT", number, 1);
    setenv("ATTUNE_FAULT_COUNT", descriptor, 1);
    if (onward)
        setenv("ATTUNE_FAULT_ONWARD", "1", 1);
    dup2(open("/dev/null", O_WRONLY), STDOUT_FILENO);
    dup2(err, STDERR_FILENO);
    execv(words[0], words);
    _exit(127);
}

static void read_all(int fd, char *text, size_t size)
{
    size_t used = 0;
    ssize_t got;
    while (used < size - 1 && (got = read(fd, text + used, size - 1 - used)) > 0)
        used += (size_t)got;
    text[used] = '\0';
    close(fd);
}

/* `words` begin with the command's path and end with NULL. */
static void run_command(char *const *words, long at, int onward, struct outcome *outcome)
{
    int err[2], count[2], status = 0;
    char number[64];
    if (pipe(err) != 0 || pipe(count) != 0)
        abort();
    fflush(NULL);
    const pid_t child = fork();
    if (child == 0)
        become(words, at, onward, err[1], count[1]);
    close(err[1]);
    close(count[1]);
    read_all(err[0], outcome->text, sizeof outcome->text);
    read_all(count[0], number, sizeof number);
    waitpid(child, &status, 0);
    outcome->count = atol(number);
    outcome->code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int is_one_line(const char *text)
{
    const size_t length = strlen(text);
    return length > 1 && strchr(text, '\n') == text + length - 1;
}

/* Fine, or a line that says why not. */
static int is_told(const struct outcome *outcome)
{
    return outcome->code == 0 ||
           (outcome->code == 4 && is_one_line(outcome->text) && strstr(outcome->text, "memory"));
}

/* A command that writes no file, at some of its allocations. */
static void fail_words(char *const *words)
{
    enum { TIMES = 40 };
    struct outcome outcome;
    run_command(words, 0, 0, &outcome);
    EXPECT(outcome.code == 0 && outcome.count > 0, "%s: exit %d, %s", words[1], outcome.code,
           outcome.text);
    const long count = outcome.count, stride = count / TIMES + 1;
    for (long at = 1; at <= count; at += stride)
        for (int onward = 0; onward < 2; onward++) {
            run_command(words, at, onward, &outcome);
            EXPECT(is_told(&outcome), "%s, allocation %ld of %ld: exit %d, stderr: %s", words[1], at, count,
                   outcome.code, outcome.text);
        }
    printf("%s: %ld allocations, every %ld-th\n", words[1], count, stride);
}

static void fail_readers(char *command, char *file, char *results)
{
    char *const lines[][6] = {{command, "compare", "--json", results, results},
                              {command, "report", "-o", "-", results},
                              {command, "info", "--json"},
                              {command, "picture", file}};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        fail_words(lines[i]);
}

static void fail_command(char *command, char *file, long stride)
{
    char folder[] = "/tmp/attune-fault-XXXXXX", result[64];
    struct outcome outcome;
    if (!mkdtemp(folder))
        abort();
    snprintf(result, sizeof result, "%s/result", folder);
    char *const words[] = {command, "run", file, "--check", "--threads", "2", "-o", result, NULL};
    run_command(words, 0, 0, &outcome);
    EXPECT(outcome.code == 0 && outcome.count > 0, "%s: exit %d, %s", file, outcome.code,
           outcome.text);
    const long count = outcome.count;
    unlink(result);
    for (long at = 1; at <= count; at += stride)
        for (int onward = 0; onward < 2; onward++) {
            run_command(words, at, onward, &outcome);
            const int there = access(result, F_OK) == 0;
            EXPECT(is_told(&outcome) && (outcome.code == 4 || there),
                   "%s, allocation %ld of %ld%s: exit %d, stderr: %s", file, at, count,
                   onward ? " and all after it" : "", outcome.code, outcome.text);
            unlink(result);
            EXPECT(rmdir(folder) == 0 && mkdir(folder, 0700) == 0, "allocation %ld: a file is left", at);
        }
    printf("%s: %ld allocations\n", strrchr(file, '/') + 1, count);
    rmdir(folder);
}

int main(int argc, char **argv)
{
    if (argc != 5)
        return 2;
    setvbuf(stdout, NULL, _IOLBF, 0);
    fail_first_context();
    fail_mechanisms();
    fail_command(argv[1], argv[3], atol(argv[2]));
    fail_readers(argv[1], argv[3], argv[4]);
    printf("%d passed, %d failed\n", passed, failed);
    return failed != 0;
}
