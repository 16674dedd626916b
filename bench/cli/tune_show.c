/* SPDX-License-Identifier: Apache-2.0
 *
 * Progress and results of `attune tune`: a bar where someone watches, a line a key where a log does; a
 * table or one JSON object at the end. Finds nothing out.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "bench/cli/json.h"
#include "bench/cli/tune.h"
#include "tuner/measure.h"

static const char *event_word(int32_t event)
{
    static const char *const words[] = {"would be tuned", "known", "begun", "tie", "win", "too noisy",
                                        "failed", "barred"};
    return words[event];
}

const char *attune_tune_keys(int32_t count, char text[24])
{
    (void)snprintf(text, 24, "%d key%s", count, count == 1 ? "" : "s");
    return text;
}

void attune_tune_show_begin(struct attune_tune_show *show, double limit, int quiet)
{
    const char *terminal = getenv("TERM");
    *show = (struct attune_tune_show){.quiet = quiet, .begun = attune_clock_seconds(), .limit = limit};
    show->bar = attune_terminal_width(stderr) >= 60 && getenv("CI") == NULL && terminal != NULL &&
                strcmp(terminal, "dumb") != 0;
}

/* ---- Progress. ---- */

/* Seconds: as long a key as those before, until the time is over. */
static double seconds_left(const struct attune_tune_show *show, const struct attune_tune_progress *event)
{
    const double now = attune_clock_seconds(), a_key = (now - show->first) / show->measured;
    const double left = a_key * (event->count - event->index);
    return show->limit > 0 ? fmin(left, fmax(show->begun + show->limit - now, 0) + a_key) : left;
}

static void draw_bar(struct attune_tune_show *show, const struct attune_tune_progress *event)
{
    char line[256], bar[21];
    const int columns = attune_terminal_width(stderr), done = event->index;
    const double elapsed = attune_clock_seconds() - show->begun;
    for (int i = 0; i < 20; i++)
        bar[i] = i < 20 * done / event->count ? '=' : i == 20 * done / event->count ? '>' : ' ';
    bar[20] = '\0';
    int length = snprintf(line, sizeof line, "[%s] %d/%d keys, %.0f s, ", bar, done + 1, event->count,
                          elapsed);
    if (show->measured > 0)
        length += snprintf(line + length, sizeof line - (size_t)length, "~%.0f s left  ",
                           seconds_left(show, event));
    (void)snprintf(line + length, sizeof line - (size_t)length, " %.120s", event->key);
    length = (int)strlen(line);
    length = length < columns ? length : columns - 1;
    (void)fprintf(stderr, "\r%.*s%*s", length, line,
                  show->width > length ? show->width - length : 0, "");
    (void)fflush(stderr);
    show->width = length;
}

static void clear_bar(struct attune_tune_show *show)
{
    if (show->width > 0)
        (void)fprintf(stderr, "\r%*s\r", show->width, "");
    show->width = 0;
}

static void print_line(const struct attune_tune_progress *event)
{
    if (event->event == ATTUNE_TUNE_BARRED)
        (void)fprintf(stderr, "%s is barred: %s\n", event->key, event->best);
    else if (event->event == ATTUNE_TUNE_TIE || event->event == ATTUNE_TUNE_WIN)
        (void)fprintf(stderr, "%d/%d %s: %s, %.3fx [%.3f, %.3f], %.1f s\n", event->index + 1,
                      event->count, event->key, event_word(event->event), event->speedup, event->low,
                      event->high, event->seconds);
    else if (event->event != ATTUNE_TUNE_KNOWN && event->event != ATTUNE_TUNE_LISTED)
        (void)fprintf(stderr, "%d/%d %s: %s\n", event->index + 1, event->count, event->key,
                      event_word(event->event));
}

/* ---- Rows. ---- */

static int add_row(struct attune_tune_show *show, const struct attune_tune_progress *event)
{
    if (show->count == show->capacity) {
        const int32_t capacity = show->capacity > 0 ? 2 * show->capacity : 64;
        struct attune_tune_row *larger = realloc(show->row, (size_t)capacity * sizeof *show->row);
        if (larger == NULL)
            return 0;
        show->row = larger;
        show->capacity = capacity;
    }
    /* A row that lacks a text is one all the same: it is freed with the others. */
    struct attune_tune_row *row = &show->row[show->count++];
    *row = (struct attune_tune_row){strdup(event->key), strdup(event->base), strdup(event->best), *event};
    return row->key != NULL && row->base != NULL && row->best != NULL;
}

int attune_tune_show_event(struct attune_tune_show *show, const struct attune_tune_progress *event)
{
    show->keys = event->count;
    if (event->event == ATTUNE_TUNE_KNOWN)
        show->known++;
    if (event->event == ATTUNE_TUNE_BEGUN && !(show->first > 0))
        show->first = attune_clock_seconds();
    if (event->event == ATTUNE_TUNE_BEGUN && !show->quiet && show->bar)
        draw_bar(show, event);
    if (event->event == ATTUNE_TUNE_BEGUN)
        return 1;
    show->measured += event->event != ATTUNE_TUNE_KNOWN && event->event != ATTUNE_TUNE_BARRED;
    if (event->event == ATTUNE_TUNE_BARRED)
        clear_bar(show);
    if (!show->quiet && (!show->bar || event->event == ATTUNE_TUNE_BARRED))
        print_line(event);
    return add_row(show, event);
}

void attune_tune_show_free(struct attune_tune_show *show)
{
    clear_bar(show);
    for (int32_t i = 0; i < show->count; i++) {
        free(show->row[i].key);
        free(show->row[i].base);
        free(show->row[i].best);
    }
    free(show->row);
    *show = (struct attune_tune_show){0};
}

/* ---- The end. ---- */

int32_t attune_tune_show_left(const struct attune_tune_show *show)
{
    return show->keys - show->known - show->measured;
}

static int is_result(const struct attune_tune_row *row)
{
    return row->is.event == ATTUNE_TUNE_TIE || row->is.event == ATTUNE_TUNE_WIN;
}

static void print_row(const struct attune_tune_row *row, FILE *file)
{
    (void)fprintf(file, "%s\n", row->key);
    if (!is_result(row)) {
        (void)fprintf(file, "    %s\n", event_word(row->is.event));
        return;
    }
    (void)fprintf(file, "    %-5s %5.3fx [%.3f, %.3f]  noise %.1f %%  %d candidates\n",
                  event_word(row->is.event), row->is.speedup, row->is.low, row->is.high,
                  100 * row->is.noise, row->is.candidates);
    (void)fprintf(file, "          default  %s\n", row->base);
    if (row->best[0] != '\0')
        (void)fprintf(file, "          %s %s\n", row->is.event == ATTUNE_TUNE_WIN ? "winner  " : "closest ",
                      row->best);
}

/* What is still open: ties whose best candidate was faster, but not surely. */
static void print_open(const struct attune_tune_show *show, FILE *file)
{
    double most = 1;
    int open = 0;
    for (int32_t i = 0; i < show->count; i++) {
        const struct attune_tune_progress *is = &show->row[i].is;
        if (is->event != ATTUNE_TUNE_TIE || !(is->speedup > 1.015))
            continue;
        open++;
        most = fmax(most, is->speedup);
    }
    if (open == 0)
        (void)fprintf(file, "Tuning longer would gain nothing that shows: no tie is open.\n");
    else
        (void)fprintf(file,
                      "%d tie%s open: candidates up to %.1f %% faster were not surely so; --full, or a "
                      "quieter machine, decides.\n",
                      open, open == 1 ? " is" : "s are", 100 * (most - 1));
}

void attune_tune_show_table(struct attune_tune_show *show, FILE *file)
{
    clear_bar(show);
    char keys[24];
    double sum = 0, best = 1;
    int wins = 0, ties = 0;
    for (int32_t i = 0; i < show->count; i++) {
        const struct attune_tune_row *row = &show->row[i];
        if (row->is.event == ATTUNE_TUNE_KNOWN || row->is.event == ATTUNE_TUNE_BARRED)
            continue;
        print_row(row, file);
        wins += row->is.event == ATTUNE_TUNE_WIN;
        ties += row->is.event == ATTUNE_TUNE_TIE;
        sum += row->is.event == ATTUNE_TUNE_WIN ? log(row->is.speedup) : 0;
        best = row->is.event == ATTUNE_TUNE_WIN ? fmax(best, row->is.speedup) : best;
    }
    if (wins + ties == 0)
        return;
    (void)fprintf(file,
                  "%s in %.1f s: %d faster than the default (all keys %.3fx on the geometric "
                  "mean, best %.3fx), %d unchanged",
                  attune_tune_keys(wins + ties, keys), attune_clock_seconds() - show->begun, wins,
                  exp(sum / (wins + ties)), best, ties);
    (void)fprintf(file, show->known > 0 ? ", %d known before.\n" : ".\n", show->known);
    if (attune_tune_show_left(show) == 0)
        print_open(show, file);
}

static json_t *row_object(const struct attune_tune_row *row)
{
    json_t *object = json_pack("{s:s, s:s}", "key", row->key, "event", event_word(row->is.event));
    if (object == NULL || !is_result(row))
        return object;
    json_t *more = json_pack("{s:s, s:s, s:f, s:f, s:f, s:f, s:f, s:i}", "default", row->base, "best",
                             row->best, "speedup", row->is.speedup, "low", row->is.low, "high",
                             row->is.high, "noise", row->is.noise, "seconds", row->is.seconds,
                             "candidates", row->is.candidates);
    if (more == NULL || json_object_update(object, more) != 0) {
        json_decref(object);
        object = NULL;
    }
    json_decref(more);
    return object;
}

int attune_tune_show_json(const struct attune_tune_show *show, FILE *file)
{
    json_t *keys = json_array();
    int fine = keys != NULL;
    for (int32_t i = 0; i < show->count && fine; i++)
        fine = json_array_append_new(keys, row_object(&show->row[i])) == 0;
    json_t *all = fine ? json_pack("{s:s, s:i, s:i, s:f, s:O}", "schema", "attune-tune/1", "known",
                                   show->known, "left", (int)attune_tune_show_left(show), "seconds",
                                   attune_clock_seconds() - show->begun, "keys", keys)
                       : NULL;
    json_decref(keys);
    return attune_json_print(all, 6, file);
}
