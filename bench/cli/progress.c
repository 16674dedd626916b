/* SPDX-License-Identifier: Apache-2.0
 *
 * Draws the bar. The estimate is the caller's, or the time taken so far by the part that is done.
 */
#include "bench/cli/progress.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bench/cli/command.h"
#include "tuner/measure.h"

enum { BAR = 30 };
/* Seconds between drawings, and between plain lines. */
static const double redraw = 0.1, plain = 15;

void attune_progress_begin(struct attune_progress *progress, const char *command, const char *what)
{
    const double now = attune_clock_seconds();
    const int terminal = isatty(STDERR_FILENO) != 0;
    *progress = (struct attune_progress){.command = command,
                                         .what = what,
                                         .terminal = terminal,
                                         .color = attune_color_wanted(stderr),
                                         .start = now,
                                         .shown = terminal ? now - redraw : now};
}

static void draw(struct attune_progress *progress, double done, double left)
{
    char bar[BAR + 1];
    const int full = (int)(done * BAR);
    memset(bar, '.', BAR);
    memset(bar, '#', (size_t)(full < BAR ? full : BAR));
    bar[BAR] = '\0';
    fprintf(stderr, "\r%s[%s]%s %3.0f %%  %s, ", progress->color ? "\033[36m" : "", bar,
            progress->color ? "\033[0m" : "", 100 * done, progress->what);
    fprintf(stderr, left < 90 ? "about %.0f s left " : "about %.0f min left ",
            left < 90 ? left : left / 60);
    fputs("   ", stderr);
    progress->drawn = 1;
}

static void show(struct attune_progress *progress, double now, double done, double left)
{
    const double taken = now - progress->start;
    if (now - progress->shown < (progress->terminal ? redraw : plain))
        return;
    progress->shown = now;
    if (progress->terminal)
        draw(progress, done, left);
    else
        fprintf(stderr, "attune %s: %s, %.0f %% after %.0f s\n", progress->command, progress->what,
                100 * done, taken);
    fflush(stderr);
}

void attune_progress_step(struct attune_progress *progress, double done)
{
    const double now = attune_clock_seconds(), taken = now - progress->start;
    if (done > 0)
        show(progress, now, done, taken / done - taken);
}

void attune_progress_left(struct attune_progress *progress, double left)
{
    const double now = attune_clock_seconds(), taken = now - progress->start;
    if (taken + left > 0)
        show(progress, now, taken / (taken + left), left);
}

void attune_progress_clear(struct attune_progress *progress)
{
    if (!progress->drawn)
        return;
    fprintf(stderr, "\r%*s\r", 78, "");
    fflush(stderr);
    progress->drawn = 0;
}
