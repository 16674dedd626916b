/* SPDX-License-Identifier: Apache-2.0
 *
 * For tests of the command as its users meet it: run it in a folder of its own, keep what it said,
 * and build the files it reads byte by byte. Knows the safetensors layout, shares no code with the
 * reader.
 */
#ifndef ATTUNE_TESTS_CLI_SUPPORT_H
#define ATTUNE_TESTS_CLI_SUPPORT_H

#include <stddef.h>
#include <stdint.h>

enum { CLI_TEXT = 65536, CLI_PATH = 4096, CLI_FILE = 1 << 16 };

/* A fresh folder, removed with all that is in it by cli_folder_remove(). */
struct cli_folder {
    char path[CLI_PATH / 2];
};
void cli_folder_make(struct cli_folder *folder);
void cli_folder_remove(struct cli_folder *folder);
/* "FOLDER/name", in one of a few static buffers. */
const char *cli_folder_path(const struct cli_folder *folder, const char *name);
/* How many names the folder holds. */
int cli_folder_count(const struct cli_folder *folder);

/* What a run of the command came to. `code` is 128 + n after signal n, -1 when it had to be killed.
 */
struct cli_outcome {
    int code;
    char out[CLI_TEXT];
    char err[CLI_TEXT];
};
/* Runs `attune` with the arguments (NULL ends them). */
void cli_run(struct cli_outcome *outcome, const char *first, ...);
void cli_run_argv(struct cli_outcome *outcome, char *const *argv);
/* Where the next runs' standard output goes instead of outcome->out; NULL: back. */
void cli_redirect_output(const char *path);

/* A file as bytes. */
struct cli_file {
    size_t size;
    unsigned char bytes[CLI_FILE];
};
/* header length, header, `data` bytes of small float32 numbers. */
void cli_file_raw(struct cli_file *file, const char *header, size_t header_length, size_t data);
/* The same with `problem` as the metadata attune.problem, and `tensors` the other members. In all
 * these texts ' stands for a double quote, so that tables can be read. */
void cli_file_problem(struct cli_file *file, const char *problem, const char *tensors, size_t data);
void cli_file_save(const struct cli_file *file, const char *path);

/* 1 when `text` is one line, ended, of printable ASCII. */
int cli_is_one_line(const char *text);
/* What a malformed file must come to: runs it with -o in a folder of its own and returns NULL, or
 * what is wrong: exit 2, one line that holds `word` (where not NULL), no output, no result. */
const char *cli_malformed(const struct cli_file *file, const char *word);

#endif
