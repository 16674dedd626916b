/* SPDX-License-Identifier: Apache-2.0
 *
 * The text of a cache file: reading, changing and writing it as lines. Knows no files and does not
 * believe a line; what it does not understand it keeps.
 *
 *     %attune-cache 1.0 #4d6a3c1f
 *     %machine cpu=AuthenticAMD:26:17:0 features=avx,... l1d=49152/12/64 l2=... l3=... #0b7ce0d4
 *     tuned core dot q=f32 ... : win date=... kernel=... #91f2ab77      a choice for a key
 *     bar score_dot_avx512_8x48 1 date=1795690000 REASON #...          a kernel that failed its check
 *     missed core dot q=f32 ... : count=3 date=1795690000 #...         a key that plans asked for
 *     %end 3 #...                                                      lines since %machine
 *
 * One line each, printable ASCII, whole numbers only; the eight digits are the CRC-32C of what stands
 * before " #". A section is what one machine found; a file may hold several (files can be joined with
 * cat), a reader takes its own. Keys are texts of attune_key_format(), choices of
 * attune_choice_format(), machines of attune_fingerprint_of().
 *
 * 1.x may add kinds of lines and fields: a reader of 1.0 leaves such lines out and keeps them when it
 * writes. A file of another major version is neither read nor changed. A line whose CRC is wrong is
 * left out, and gone once the file is written again.
 */
#ifndef ATTUNE_TUNER_CACHE_TEXT_H
#define ATTUNE_TUNER_CACHE_TEXT_H

#include "tuner/cache.h"
#include "tuner/text.h"

#define ATTUNE_CACHE_MAJOR 1
#define ATTUNE_CACHE_MINOR 0
#define ATTUNE_CACHE_LINE_MAX 2048         /* bytes of a line, CRC included, newline not */
#define ATTUNE_CACHE_LINES_MAX 16384       /* of a file */
#define ATTUNE_CACHE_FILE_MAX (4 << 20)    /* bytes of a file */

enum attune_line_kind { ATTUNE_LINE_TUNED, ATTUNE_LINE_BAR, ATTUNE_LINE_MISSED, ATTUNE_LINE_OTHER };

struct attune_line {
    enum attune_line_kind kind;
    char *text;               /* without the CRC */
    struct attune_key key;    /* of tuned and missed */
    struct attune_span value; /* of tuned and missed: what follows the key; of bar: the kernel's name */
};

struct attune_section {
    char *machine; /* NULL: the line was damaged, nothing in it can be used */
    int32_t minor;
    struct attune_line *lines;
    size_t count, capacity;
    int32_t damaged; /* lines left out: wrong CRC, not text, too long */
    int32_t seen;    /* lines between %machine and %end, damaged ones included */
    int32_t ended;   /* %end stands there with the right number */
};

struct attune_document {
    struct attune_section *sections;
    size_t count;
};

/* 0; -1 and *fault where the bytes are no cache; -2 and *fault where they are one that cannot be taken
 * (another major version, too many lines, no memory). Damage to lines is counted, not a fault. `doc`
 * can be freed in any case. */
int attune_document_parse(const char *data, size_t size, struct attune_document *doc,
                          struct attune_fault *fault);
void attune_document_free(struct attune_document *doc);
/* The text, allocated, with its size; NULL: no memory, or larger than a file may be. */
char *attune_document_write(const struct attune_document *doc, size_t *size,
                            struct attune_fault *fault);
/* NULL: none. */
struct attune_section *attune_document_find(const struct attune_document *doc, const char *machine);
/* The section of a machine, made where there is none; NULL: no memory. */
struct attune_section *attune_document_section(struct attune_document *doc, const char *machine);

/* Whether a line of the same kind and key (or kernel) that is there already stays. */
enum attune_merge {
    ATTUNE_MERGE_BETTER, /* stays unless the new one is of more effort, or of the same and newer */
    ATTUNE_MERGE_REPLACE
};
/* Enters a line's text (without CRC). Counts of missed keys add up, and a tuned line takes away the
 * missed one of its key. Returns 1 where the section changed, 0 where not, -1 without memory, -2 where
 * the section is full. */
int attune_section_put(struct attune_section *section, const char *text, enum attune_merge merge);
/* The same for what is found now: where the section is full, the missed key that was asked for longest ago
 * gives way. */
int attune_section_enter(struct attune_section *section, const char *text, enum attune_merge merge);
/* All lines of `from`, entered: the number that changed something, or -1 or -2. */
int attune_section_merge(struct attune_section *section, const struct attune_section *from);
void attune_section_remove(struct attune_section *section, size_t index);
int attune_section_whole(const struct attune_section *section);

/* What a line says, checked: a tuned line as attune_choice_check() does, a bar against the registry.
 * 0, or -1 and *fault. */
int attune_line_choice(const struct attune_line *line, uint32_t features,
                       struct attune_choice *choice, struct attune_fault *fault);
int attune_line_bar(const struct attune_line *line, struct attune_bar *bar,
                    struct attune_fault *fault);
int attune_line_missed(const struct attune_line *line, struct attune_missed *missed,
                       struct attune_fault *fault);
/* The texts of lines. Return the full length, like snprintf. */
size_t attune_line_tuned_text(const struct attune_key *key, const struct attune_choice *choice,
                              char *text, size_t size);
size_t attune_line_bar_text(const struct attune_bar *bar, char *text, size_t size);
size_t attune_line_missed_text(const struct attune_missed *missed, char *text, size_t size);

#endif
