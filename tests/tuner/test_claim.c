/* SPDX-License-Identifier: Apache-2.0
 *
 * Who measures for a cache file: one process at a time, whatever became of the one before, and whatever
 * lies where the claim would.
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cache_box.h"
#include "tuner/claim.h"

static struct cache_box box;
static char name[224]; /* of the claim's file */

static void set_up(void)
{
    cache_box_open(&box);
    (void)snprintf(name, sizeof name, "%s.tuning", box.file);
}

static void tear_down(void)
{
    cache_box_close(&box);
}

TestSuite(claim, .init = set_up, .fini = tear_down, .timeout = 120);

/* Whether a claim was had: 1, 0 where there is none but also no reason to wait, -1 where another's
 * stands. It is dropped again. */
static int claim_once(long *holder)
{
    struct attune_claim claim;
    const int code = attune_claim_take(&claim, box.file, holder);
    const int had = claim.fd >= 0;
    cr_assert(code == 0 || !had);
    attune_claim_drop(&claim);
    return code != 0 ? code : had;
}

Test(claim, one_at_a_time_and_nothing_stays)
{
    struct attune_claim claim;
    long holder = 7;
    cr_assert_eq(attune_claim_take(&claim, box.file, &holder), 0);
    cr_assert_geq(claim.fd, 0);
    cr_assert_eq(holder, 0);
    cr_assert_eq(claim_once(&holder), -1, "a second one, of this process");
    cr_assert_eq(holder, (long)getpid());
    cr_assert_eq(access(name, F_OK), 0, "who was refused removed the file");
    attune_claim_drop(&claim);
    cr_assert_neq(access(name, F_OK), 0, "the file stays");
    cr_assert_eq(claim_once(&holder), 1);
    attune_claim_drop(&claim);
}

/* A child that claims, says so, and waits to be killed. */
static pid_t start_holder(void)
{
    int said[2];
    char byte;
    cr_assert_eq(pipe(said), 0);
    const pid_t child = fork();
    if (child == 0) {
        struct attune_claim claim;
        long holder;
        if (attune_claim_take(&claim, box.file, &holder) != 0 || claim.fd < 0 || write(said[1], "", 1) != 1)
            _exit(1);
        for (;;)
            (void)pause();
    }
    (void)close(said[1]);
    cr_assert_eq(read(said[0], &byte, 1), 1, "the child has no claim");
    (void)close(said[0]);
    return child;
}

Test(claim, ends_with_its_process)
{
    long holder;
    const pid_t child = start_holder();
    cr_assert_eq(claim_once(&holder), -1);
    cr_assert_eq(holder, (long)child);
    (void)kill(child, SIGKILL);
    cr_assert_eq(waitpid(child, NULL, 0), child);
    cr_assert_eq(access(name, F_OK), 0, "what a killed one leaves");
    cr_assert_eq(claim_once(&holder), 1);
    cr_assert_neq(access(name, F_OK), 0);
}

/* A number that is no process, or no number, is not told. */
Test(claim, a_holder_that_cannot_be_named)
{
    static const char *const texts[] = {"", "\n", "x\n", "-1\n", "0\n", "2147483647\n",
                                        "99999999999999999999"};
    struct attune_claim claim;
    long holder;
    cr_assert_eq(attune_claim_take(&claim, box.file, &holder), 0);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        cr_assert_eq(ftruncate(claim.fd, 0), 0);
        cr_assert_eq(pwrite(claim.fd, texts[i], strlen(texts[i]), 0), (ssize_t)strlen(texts[i]));
        cr_assert_eq(claim_once(&holder), -1);
        cr_assert_eq(holder, 0, "%s", texts[i]);
    }
    attune_claim_drop(&claim);
}

/* Nothing of this keeps anyone from tuning, and nothing of it is changed. */
Test(claim, what_is_no_claim_is_left_alone)
{
    char other[256], text[64];
    long holder;
    size_t size;
    (void)snprintf(other, sizeof other, "%s/other", box.folder);
    cache_box_write(other, "5\n", 2);
    cr_assert_eq(symlink(other, name), 0);
    cr_assert_eq(claim_once(&holder), 0, "a symbolic link");
    cr_assert_eq(unlink(name), 0);
    cr_assert_eq(link(other, name), 0);
    cr_assert_eq(claim_once(&holder), 0, "a second name of a file");
    cr_assert_eq(unlink(name), 0);
    char *kept = cache_box_read(other, &size);
    cr_assert(size == 2 && memcmp(kept, "5\n", 2) == 0, "it was written to");
    free(kept);
    cr_assert_eq(mkfifo(name, 0600), 0);
    cr_assert_eq(claim_once(&holder), 0, "a FIFO");
    cr_assert_eq(unlink(name), 0);
    cr_assert_eq(mkdir(name, 0700), 0);
    cr_assert_eq(claim_once(&holder), 0, "a folder");
    cr_assert_eq(rmdir(name), 0);
    memset(text, 'x', sizeof text);
    cache_box_write(name, text, sizeof text);
    cr_assert_eq(claim_once(&holder), 0, "a file of another kind");
    kept = cache_box_read(name, &size);
    cr_assert(size == sizeof text && memcmp(kept, text, size) == 0, "it was written to");
    free(kept);
    (void)snprintf(box.file, sizeof box.file, "%s/none/file", box.folder);
    cr_assert_eq(claim_once(&holder), 0, "a folder that is not there");
    (void)snprintf(box.file, sizeof box.file, "/proc/file");
    cr_assert_eq(claim_once(&holder), 0, "a folder that takes no file");
}

/* Each that holds the claim makes a file that must not be there; how often one was had, in its exit
 * code. */
static int take_turns(const char *mark)
{
    int had = 0;
    for (int i = 0; i < 400; i++) {
        struct attune_claim claim;
        long holder;
        if (attune_claim_take(&claim, box.file, &holder) == 0) {
            const int fd = open(mark, O_CREAT | O_EXCL | O_WRONLY, 0600);
            if (claim.fd < 0 || fd < 0 || close(fd) != 0 || unlink(mark) != 0)
                return 255;
            had++;
        }
        attune_claim_drop(&claim);
    }
    return had < 254 ? had : 254;
}

Test(claim, never_two)
{
    enum { CHILDREN = 8 };
    char mark[256];
    int all = 0;
    (void)snprintf(mark, sizeof mark, "%s/mark", box.folder);
    for (int i = 0; i < CHILDREN; i++)
        if (fork() == 0)
            _exit(take_turns(mark));
    for (int i = 0; i < CHILDREN; i++) {
        int status = 0;
        cr_assert_gt(wait(&status), 0);
        cr_assert(WIFEXITED(status) && WEXITSTATUS(status) != 255, "two at once: %#x", (unsigned)status);
        all += WEXITSTATUS(status);
    }
    cr_assert_gt(all, 0);
    cr_assert_neq(access(name, F_OK), 0);
}
