/* SPDX-License-Identifier: Apache-2.0
 *
 * Tuned choices for people and for programs. Finds nothing out.
 */
#include <time.h>

#include "bench/cli/cache.h"
#include "bench/cli/json.h"
#include "bench/text.h"

static const char *place_of(const struct attune_cache_source *source)
{
    return source->path != NULL                        ? source->path
           : source->layer == ATTUNE_LAYER_BUILTIN ? "compiled into the library"
           : source->layer == ATTUNE_LAYER_SHIPPED ? "given in memory"
                                                   : "nowhere";
}

static const char *state_of(const struct attune_cache_source *source)
{
    return source->absent ? source->path != NULL ? "no such file" : "none is"
           : source->read ? "used"
                          : "not used";
}

void attune_cache_sources_text(const struct attune_cache_sources *sources, FILE *file)
{
    fprintf(file, "tuned choices\n");
    if (sources->count == 0)
        fprintf(file, "  %-12s no file is read\n", "none");
    for (int i = 0; i < sources->count; i++) {
        const struct attune_cache_source *source = &sources->source[i];
        fprintf(file, "  %-12s ", attune_layer_word(source->layer));
        attune_text_print(place_of(source), file);
        fprintf(file, ": %s", state_of(source));
        if (source->read)
            fprintf(file, ", %d entries", source->entries);
        if (source->unusable > 0)
            fprintf(file, ", %d that this library or CPU cannot take", source->unusable);
        if (source->why[0] != '\0' && !source->absent)
            fprintf(file, ": %s", source->why);
        fputc('\n', file);
    }
}

void attune_cache_context_text(const struct attune_context *context, FILE *file)
{
    attune_cache_sources_text(&context->cache_sources, file);
    if (context->tune == ATTUNE_TUNE_OFF)
        fprintf(file, "  %-12s ATTUNE_TUNE=off: plans take no choice from them, barred kernels stay barred\n",
                "off");
}

json_t *attune_cache_sources_json(const struct attune_cache_sources *sources)
{
    json_t *list = json_array();
    for (int i = 0; i < sources->count; i++) {
        const struct attune_cache_source *source = &sources->source[i];
        json_array_append_new(
            list, json_pack("{s:s, s:o, s:b, s:b, s:i, s:i, s:i, s:s}", "layer",
                            attune_layer_word(source->layer), "path",
                            attune_text_json(source->path), "exists", !source->absent, "used", source->read, "entries",
                            source->read ? source->entries : 0, "unusable", (int)source->unusable,
                            "damaged", (int)source->damaged, "why", source->why));
    }
    return list;
}

static void print_day(int64_t date, FILE *file)
{
    const time_t seconds = (time_t)date;
    struct tm day;
    if (gmtime_r(&seconds, &day) != NULL)
        fprintf(file, "%04d-%02d-%02d", day.tm_year + 1900, day.tm_mon + 1, day.tm_mday);
}

void attune_cache_choice_text(const struct attune_choice *choice, FILE *file)
{
    const struct {
        const char *name;
        int32_t value;
    } knobs[] = {{"strip", choice->strip},       {"q_block", choice->q_block},
                 {"kv_block", choice->kv_block}, {"kv_split", choice->kv_split},
                 {"threads", choice->threads}};
    static const char *const schedules[] = {"", "even", "claimed", "weighted"};
    for (int i = 0; i < ATTUNE_OP_COUNT; i++)
        if (choice->kernel[i] != NULL)
            fprintf(file, " %s", choice->kernel[i]->name);
    for (size_t i = 0; i < sizeof knobs / sizeof *knobs; i++)
        if (knobs[i].value > 0)
            fprintf(file, " %s %d", knobs[i].name, knobs[i].value);
        else if (knobs[i].value < 0)
            fprintf(file, " %s none", knobs[i].name);
    if (choice->schedule != 0)
        fprintf(file, " schedule %s", schedules[choice->schedule]);
}

static void print_choice(const struct attune_choice *choice, FILE *file)
{
    const int tie = choice->verdict == ATTUNE_VERDICT_TIE;
    static const char *const efforts[] = {"quick", "normal", "full"};
    fprintf(file, "  %s %.3f [%.3f, %.3f] of the default's speed, noise %.1f %%, effort %s, ",
            tie ? "tie" : "win", choice->speedup / 1e3, choice->low / 1e3, choice->high / 1e3,
            choice->noise / 10.0, efforts[choice->effort]);
    print_day(choice->date, file);
    fprintf(file, "\n ");
    if (tie)
        fprintf(file, " the default");
    attune_cache_choice_text(choice, file);
    fputc('\n', file);
}

static void print_row(const struct attune_cache_row *row, int details, FILE *file)
{
    const struct attune_line *line = row->line;
    char key[ATTUNE_KEY_TEXT];
    if (line->kind == ATTUNE_LINE_TUNED || line->kind == ATTUNE_LINE_MISSED)
        (void)attune_key_format(&line->key, key, sizeof key);
    if (!row->usable)
        fprintf(file, "unusable  %s\n", details || line->kind != ATTUNE_LINE_TUNED ? line->text : key);
    else if (line->kind == ATTUNE_LINE_BAR)
        fprintf(file, "bar       %s: %s\n", row->of.bar.kernel->name, row->of.bar.reason);
    else if (line->kind == ATTUNE_LINE_MISSED)
        fprintf(file, "missed    %s, %lld times\n", key, (long long)row->of.missed.count);
    else if (row->of.choice.verdict == ATTUNE_VERDICT_TIE)
        fprintf(file, "tie       %s\n", key);
    else
        fprintf(file, "win %.3f %s\n", row->of.choice.speedup / 1e3, key);
    if (details && row->usable && line->kind == ATTUNE_LINE_TUNED)
        print_choice(&row->of.choice, file);
    if (details && row->why[0] != '\0')
        fprintf(file, "  not used: %s\n", row->why);
}

void attune_cache_rows_text(const struct attune_cache_view *view, int details, FILE *file)
{
    const char *path = NULL, *machine = NULL;
    if (view->row_count == 0)
        fprintf(file, "nothing is tuned\n");
    for (size_t i = 0; i < view->row_count; i++) {
        const struct attune_cache_row *row = &view->rows[i];
        if (path != row->path || machine != row->machine) {
            attune_text_print(row->path, file);
            fprintf(file, "%s%s:\n", row->machine != NULL ? " for another machine, " : "",
                    row->machine != NULL ? row->machine : "");
        }
        path = row->path;
        machine = row->machine;
        print_row(row, details, file);
    }
}

json_t *attune_cache_choice_json(const struct attune_choice *choice)
{
    json_t *kernels = json_array();
    for (int i = 0; i < ATTUNE_OP_COUNT; i++)
        if (choice->kernel[i] != NULL)
            json_array_append_new(kernels, json_string(choice->kernel[i]->name));
    return json_pack("{s:s, s:f, s:f, s:f, s:f, s:i, s:I, s:o, s:i, s:i, s:i, s:i, s:i, s:i}",
                     "verdict", choice->verdict == ATTUNE_VERDICT_TIE ? "tie" : "win", "speedup",
                     choice->speedup / 1e3, "low", choice->low / 1e3, "high", choice->high / 1e3,
                     "noise", choice->noise / 1e3, "effort", (int)choice->effort, "date",
                     (json_int_t)choice->date, "kernels", kernels, "strip", (int)choice->strip,
                     "q_block", (int)choice->q_block, "kv_block", (int)choice->kv_block, "kv_split",
                     (int)choice->kv_split, "threads", (int)choice->threads, "schedule",
                     (int)choice->schedule);
}

static json_t *row_json(const struct attune_cache_row *row)
{
    static const char *const kinds[] = {"tuned", "bar", "missed", "other"};
    const struct attune_line *line = row->line;
    char key[ATTUNE_KEY_TEXT] = "";
    json_t *object =
        json_pack("{s:s, s:o, s:s, s:s?, s:b, s:b, s:s, s:s}", "kind", kinds[line->kind], "path",
                  attune_text_json(row->path), "layer", attune_layer_word(row->layer), "machine", row->machine,
                  "usable", row->usable, "in_force", row->in_force, "why", row->why, "line",
                  line->text);
    if (line->kind == ATTUNE_LINE_TUNED || line->kind == ATTUNE_LINE_MISSED) {
        (void)attune_key_format(&line->key, key, sizeof key);
        json_object_set_new(object, "key", json_string(key));
    }
    if (row->usable && line->kind == ATTUNE_LINE_TUNED)
        json_object_set_new(object, "choice", attune_cache_choice_json(&row->of.choice));
    if (row->usable && line->kind == ATTUNE_LINE_MISSED)
        json_object_set_new(object, "count", json_integer(row->of.missed.count));
    if (row->usable && line->kind == ATTUNE_LINE_BAR)
        json_object_set_new(object, "kernel", json_string(row->of.bar.kernel->name));
    return object;
}

json_t *attune_cache_rows_json(const struct attune_cache_view *view)
{
    json_t *list = json_array();
    for (size_t i = 0; i < view->row_count; i++)
        json_array_append_new(list, row_json(&view->rows[i]));
    return list;
}

int attune_cache_print_json(json_t *object, struct attune_trouble *trouble)
{
    return attune_json_print(object, 17, stdout) ? 0
                                                 : attune_trouble_memory(trouble, "the JSON object");
}
