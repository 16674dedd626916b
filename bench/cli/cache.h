/* SPDX-License-Identifier: Apache-2.0
 *
 * What the sub-commands of `attune cache` share: tuned choices as rows, from the files that a context
 * would read or from one that is named, with what becomes of each.
 */
#ifndef ATTUNE_BENCH_CLI_CACHE_H
#define ATTUNE_BENCH_CLI_CACHE_H

#include <jansson.h>

#include "bench/cli/command.h"
#include "engine/context.h"
#include "tuner/cache_layers.h"

struct attune_cache_row {
    const struct attune_line *line;
    const char *machine; /* NULL: this one */
    const char *path;
    enum attune_layer layer;
    int usable;   /* this library can take it on that machine */
    int in_force; /* and no earlier file has the same key */
    union {
        struct attune_choice choice;
        struct attune_bar bar;
        struct attune_missed missed;
    } of; /* by line->kind, where usable */
    char why[320]; /* why not usable, or not in force; "" */
};

struct attune_cache_view {
    struct attune_cache_sources sources; /* of this process's layers; none for a named file */
    struct attune_document documents[ATTUNE_CACHE_SOURCES_MAX];
    int count; /* of documents */
    struct attune_cache_row *rows;
    size_t row_count;
};

/* All layers with `file` NULL, else that file. 0, or an exit code after filling *trouble. Free it in
 * either case. */
int attune_cache_view_open(struct attune_cache_view *view, const char *file,
                           struct attune_trouble *trouble);
void attune_cache_view_free(struct attune_cache_view *view);

/* A document from a file that the user named, as a failure of input or of the system. */
int attune_cache_document_open(const char *path, struct attune_document *doc,
                               struct attune_trouble *trouble);
/* The exit code that a fault leads to, in *trouble. */
int attune_cache_trouble(struct attune_trouble *trouble, const struct attune_fault *fault);

/* Sources as `attune info` and `attune cache` show them; that plans take nothing of them, for a context
 * that does not tune. */
void attune_cache_sources_text(const struct attune_cache_sources *sources, FILE *file);
void attune_cache_context_text(const struct attune_context *context, FILE *file);
json_t *attune_cache_sources_json(const struct attune_cache_sources *sources);
/* cache_show.c */
void attune_cache_rows_text(const struct attune_cache_view *view, int details, FILE *file);
json_t *attune_cache_rows_json(const struct attune_cache_view *view);
/* Kernels and knobs that are not left to the model, each after a blank. */
void attune_cache_choice_text(const struct attune_choice *choice, FILE *file);
json_t *attune_cache_choice_json(const struct attune_choice *choice);
/* cache_why.c: the chain that leads to a problem's choice. An exit code. */
int attune_cache_why(const char *subject, int json, struct attune_trouble *trouble);

/* One object and a newline on standard output; consumes it. */
int attune_cache_print_json(json_t *object, struct attune_trouble *trouble);

/* cmd_cache.c has the table; argv[0] is the sub-command's own name. */
attune_command_fn attune_cache_list, attune_cache_inspect, attune_cache_verify, attune_cache_path;
attune_command_fn attune_cache_write_out, attune_cache_take_in, attune_cache_join, attune_cache_forget;

#endif
