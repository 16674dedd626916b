/* SPDX-License-Identifier: Apache-2.0
 *
 * tune STRIDE: every STRIDE-th allocation of attune_tune() fails, once alone and once with all that
 * follow. It then says NO_MEMORY, or ends as ever; nothing is leaked; the cache file holds whole lines,
 * each one that was there before or that a tuning with enough memory writes; and the context goes on to
 * plan and compute the same bits. Time is made up, so that a tuning is short and always ends the same.
 */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "attune/attune.h"
#include "tests/support/expect.h"
#include "tests/fault/fault.h"
#include "tests/support/box.h"
#include "tuner/cache_file.h"

enum { LINES_MAX = 1 << 16, TICK_NS = 20000000 };

/* ---- Time: every look at the clock is a tick later than the one before. ---- */

int clock_gettime(clockid_t clock, struct timespec *now)
{
    static _Atomic long ticks;
    if (clock != CLOCK_MONOTONIC)
        return (int)syscall(SYS_clock_gettime, clock, now);
    const long tick = ++ticks, a_second = 1000000000 / TICK_NS;
    *now = (struct timespec){tick / a_second, tick % a_second * TICK_NS};
    return 0;
}

/* Powers fail elsewhere. */
int fsync(int fd)
{
    (void)fd;
    return 0;
}

/* ---- The cache file. ---- */

static char folder[] = "/tmp/attune-tune-XXXXXX", path[64], lock[64];

static void write_file(const char *text, size_t size)
{
    FILE *file = fopen(path, "wb");
    if (file == NULL || fwrite(text, 1, size, file) != size || fclose(file) != 0)
        abort();
}

/* Appends a line whose dates say nothing. */
static void note_line(const char *line, char *lines)
{
    const char *date = strstr(line, "date=");
    const size_t used = strlen(lines), head = date ? (size_t)(date - line) : strlen(line);
    const char *rest = date ? date + strcspn(date, " ") : "";
    snprintf(lines + used, LINES_MAX - used, "%.*s%s\n", (int)head, line, rest);
}

/* The lines of the file, whole all of them. */
static void read_file(char *lines)
{
    struct attune_document doc;
    struct attune_fault fault = {0};
    lines[0] = '\0';
    EXPECT(attune_cache_file_parse(path, &doc, &fault) == 0, "%s: %s", path, fault.text);
    for (size_t i = 0; i < doc.count; i++) {
        EXPECT(attune_section_whole(&doc.sections[i]), "section %zu is damaged", i);
        for (size_t j = 0; j < doc.sections[i].count; j++)
            note_line(doc.sections[i].lines[j].text, lines);
    }
    attune_document_free(&doc);
}

/* Beside the cache and its lock there is nothing. */
static int is_clean(void)
{
    DIR *open = opendir(folder);
    int count = 0;
    while (open != NULL && readdir(open) != NULL)
        count++;
    closedir(open);
    return count == 4; /* with . and .. */
}

/* Each line of `lines` is one of `known`. */
static int are_known(const char *lines, const char *known)
{
    for (const char *line = lines; *line != '\0';) {
        const size_t length = strcspn(line, "\n") + 1;
        const char *at = known;
        while (*at != '\0' && strncmp(at, line, length) != 0)
            at += strcspn(at, "\n") + 1;
        if (*at == '\0')
            return 0;
        line += length;
    }
    return 1;
}

/* ---- Tuning. ---- */

static struct attune_context *open_context(void)
{
    const struct attune_context_options options = {
        .struct_size = sizeof options, .threads = 2, .max_isa = "scalar", .cache_path = path};
    struct attune_context *context;
    if (attune_context_create(&options, &context) != ATTUNE_OK)
        abort();
    return context;
}

static enum attune_status tune(struct attune_context *context, const struct attune_problem *problem)
{
    const struct attune_tune_options options = {
        .struct_size = sizeof options, .effort = ATTUNE_TUNE_QUICK, .missed = 1};
    return attune_tune(context, problem, 1, &options);
}

static void make_problem(struct box *box, int64_t t, uint64_t seed)
{
    const int64_t size[] = {1, 2, t, 16};
    box_create(box, ATTUNE_SELF, seed);
    for (int input = ATTUNE_IN_Q; input <= ATTUNE_IN_V; input++)
        box_input(box, (enum attune_input)input, ATTUNE_F32, 1, 4, size);
    box_output(box, ATTUNE_OUT_OUT);
}

static void compute(struct box *box, struct attune_context *context, struct box_result *result)
{
    box_run(box, context, result);
    EXPECT(result->status == ATTUNE_OK, "%s", result->detail);
}

/* A file that asks for one more key, as programs leave it that record what they miss. */
static void record_a_miss(void)
{
    struct box other;
    struct attune_plan *plan;
    make_problem(&other, 40, 2);
    setenv("ATTUNE_TUNE", "record", 1);
    struct attune_context *context = open_context();
    EXPECT(attune_plan_create(context, &other.problem, &plan) == ATTUNE_OK, "%s",
           attune_error_detail());
    attune_plan_release(plan);
    attune_context_release(context);
    unsetenv("ATTUNE_TUNE");
    box_destroy(&other);
}

struct wanted {
    char before[LINES_MAX], after[LINES_MAX]; /* lines of the file */
    char *file;                               /* bytes before */
    size_t size;
    struct box_result result;
};

static void fail_at(struct box *box, const struct wanted *wanted, long at, int onward)
{
    static char lines[LINES_MAX], known[2 * LINES_MAX];
    struct box_result result;
    write_file(wanted->file, wanted->size);
    struct attune_context *context = open_context();
    const long before = fault_live();
    fault_arm(at, onward);
    const enum attune_status status = tune(context, &box->problem);
    fault_disarm();
    EXPECT(status == ATTUNE_OK || status == ATTUNE_ERROR_NO_MEMORY, "allocation %ld%s: status %d, %s",
           at, onward ? " and all after it" : "", status, attune_error_detail());
    EXPECT(status == ATTUNE_OK || attune_error_detail()[0] != '\0', "allocation %ld: no reason", at);
    read_file(lines);
    snprintf(known, sizeof known, "%s%s", wanted->before, wanted->after);
    EXPECT(status != ATTUNE_OK || strcmp(lines, wanted->after) == 0,
           "allocation %ld%s: tuned, but the file holds\n%s", at, onward ? " and all after it" : "",
           lines);
    EXPECT(are_known(lines, known), "allocation %ld: wrong lines\n%s", at, lines);
    EXPECT(is_clean(), "allocation %ld: a temporary file is left", at);
    compute(box, context, &result);
    EXPECT(memcmp(result.value[0], wanted->result.value[0],
                  (size_t)result.count[0] * sizeof(float)) == 0,
           "allocation %ld: other bits", at);
    box_result_free(&result);
    attune_context_release(context);
    EXPECT(fault_live() == before, "allocation %ld%s: %ld blocks are lost", at,
           onward ? " and all after it" : "", fault_live() - before);
}

/* What a tuning does that gets its memory, and how much it asks for. */
static long tune_well(struct box *box, struct wanted *wanted)
{
    char *data = NULL;
    struct attune_fault fault = {0};
    record_a_miss();
    read_file(wanted->before);
    EXPECT(attune_cache_file_read(path, &data, &wanted->size, &fault) == 0, "%s", fault.text);
    wanted->file = data;
    struct attune_context *context = open_context();
    fault_arm(0, 0);
    EXPECT(tune(context, &box->problem) == ATTUNE_OK, "%s", attune_error_detail());
    const long count = fault_disarm();
    read_file(wanted->after);
    compute(box, context, &wanted->result);
    attune_context_release(context);
    return count;
}

int main(int argc, char **argv)
{
    static struct wanted wanted;
    const long stride = argc > 1 ? atol(argv[1]) : 1;
    struct box box;
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (!mkdtemp(folder))
        abort();
    snprintf(path, sizeof path, "%s/cache", folder);
    snprintf(lock, sizeof lock, "%s/cache.lock", folder);
    setenv("XDG_DATA_HOME", folder, 1);
    make_problem(&box, 8, 1);
    const long count = tune_well(&box, &wanted);
    printf("tune: %ld allocations; the file afterwards:\n%s", count, wanted.after);
    for (long at = 1; at <= count; at += stride)
        for (int onward = 0; onward < 2; onward++)
            fail_at(&box, &wanted, at, onward);
    box_result_free(&wanted.result);
    box_destroy(&box);
    free(wanted.file);
    EXPECT(unlink(path) == 0 && unlink(lock) == 0 && rmdir(folder) == 0, "%s stays", folder);
    printf("%d passed, %d failed\n", passed, failed);
    return failed != 0;
}
