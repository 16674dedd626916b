/* SPDX-License-Identifier: Apache-2.0
 *
 * A cache file's text into sections of lines and back. Total over all bytes: whatever comes is either
 * a line that its writer made, or counted as damaged.
 */
#include "tuner/cache_text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CRC_DIGITS = 8, CRC_LENGTH = 2 + CRC_DIGITS };
static const char magic[] = "%attune-cache ";

/* CRC-32C (Castagnoli, reflected), four bits at a time. */
static uint32_t crc_of(const char *data, size_t size)
{
    static const uint32_t table[16] = {
        0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
        0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9, 0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
    };
    uint32_t crc = ~0u;
    for (size_t i = 0; i < size; i++) {
        crc ^= (unsigned char)data[i];
        crc = crc >> 4 ^ table[crc & 15u];
        crc = crc >> 4 ^ table[crc & 15u];
    }
    return ~crc;
}

/* Whether a line is whole: printable, with the CRC of what stands before, which is cut off. */
static int take_crc(struct attune_span *line)
{
    uint32_t crc;
    if (line->length < CRC_LENGTH || line->length > ATTUNE_CACHE_LINE_MAX)
        return 0;
    for (size_t i = 0; i < line->length; i++)
        if (line->start[i] < ' ' || line->start[i] > '~')
            return 0;
    const size_t length = line->length - CRC_LENGTH;
    if (memcmp(line->start + length, " #", 2) != 0 ||
        !attune_span_hex((struct attune_span){line->start + length + 2, CRC_DIGITS}, &crc) ||
        crc != crc_of(line->start, length))
        return 0;
    line->length = length;
    return 1;
}

static int is_header(struct attune_span line)
{
    return line.length >= strlen(magic) && memcmp(line.start, magic, strlen(magic)) == 0;
}

/* MAJOR.MINOR of a line whose CRC is cut off, and perhaps the blank that made it is_header() with it. */
static int read_header(struct attune_span line, int64_t *major, int64_t *minor)
{
    const size_t length = strlen(magic);
    struct attune_span before, after;
    if (!is_header(line))
        return 0;
    (void)attune_span_split((struct attune_span){line.start + length, line.length - length}, '.',
                            &before, &after);
    return attune_span_integer(before, 0, INT32_MAX, major) &&
           attune_span_integer(after, 0, INT32_MAX, minor);
}

static struct attune_section *add_section(struct attune_document *doc, int64_t minor)
{
    struct attune_section *more =
        realloc(doc->sections, (doc->count + 1) * sizeof *doc->sections);
    if (more == NULL)
        return NULL;
    doc->sections = more;
    more[doc->count] = (struct attune_section){.minor = (int32_t)minor};
    return &more[doc->count++];
}

static char *copy_span(struct attune_span span, size_t skip)
{
    return strndup(span.start + skip, span.length - skip);
}

/* A line inside a section: 0, or what attune_section_put() says of no memory and of too many. */
static int read_line(struct attune_section *section, struct attune_span line)
{
    static const char machine[] = "%machine ", end[] = "%end ";
    int64_t number;
    section->seen++;
    if (!take_crc(&line)) {
        section->damaged++;
        return 0;
    }
    if (line.length > strlen(machine) && memcmp(line.start, machine, strlen(machine)) == 0 &&
        section->seen == 1 && section->machine == NULL) {
        section->seen = 0;
        section->machine = copy_span(line, strlen(machine));
        return section->machine != NULL ? 0 : -1;
    }
    if (line.length > strlen(end) && memcmp(line.start, end, strlen(end)) == 0 && !section->ended) {
        const struct attune_span digits = {line.start + strlen(end), line.length - strlen(end)};
        section->seen--;
        section->ended = attune_span_integer(digits, 0, INT32_MAX, &number) &&
                         number == section->seen;
        return 0;
    }
    if (section->machine == NULL || section->ended) {
        section->damaged++;
        return 0;
    }
    char *text = copy_span(line, 0);
    const int code = text != NULL ? attune_section_put(section, text, ATTUNE_MERGE_REPLACE) : -1;
    free(text);
    return code < 0 ? code : 0;
}

static int refuse(struct attune_fault *fault, const char *format, int limit)
    __attribute__((format(printf, 2, 0)));
static int refuse(struct attune_fault *fault, const char *format, int limit)
{
    (void)attune_fault_set(fault, 0, format, limit);
    return -2;
}

static int first_header(struct attune_span line, struct attune_fault *fault)
{
    int64_t major, minor;
    if (!take_crc(&line) || !read_header(line, &major, &minor))
        return attune_fault_set(fault, 0, "not a cache of Attune: its first line is not %sMAJOR.MINOR",
                                magic);
    return 0;
}

int attune_document_parse(const char *data, size_t size, struct attune_document *doc,
                          struct attune_fault *fault)
{
    struct attune_section *section = NULL;
    size_t lines = 0;
    int code = 0;
    *doc = (struct attune_document){0};
    if (size > ATTUNE_CACHE_FILE_MAX)
        return refuse(fault, "more than the %d bytes that a cache may have", ATTUNE_CACHE_FILE_MAX);
    for (struct attune_span rest = {data, size}, line; rest.length > 0;) {
        int64_t major, minor;
        (void)attune_span_split(rest, '\n', &line, &rest);
        struct attune_span header = line;
        if (section == NULL && first_header(line, fault) != 0)
            return -1;
        if (++lines > ATTUNE_CACHE_LINES_MAX)
            return refuse(fault, "more than %d lines", ATTUNE_CACHE_LINES_MAX);
        if (is_header(line) && take_crc(&header) && read_header(header, &major, &minor)) {
            if (major != ATTUNE_CACHE_MAJOR) {
                (void)attune_fault_set(fault, 0, "format %lld.%lld, this library reads %d.x",
                                       (long long)major, (long long)minor, ATTUNE_CACHE_MAJOR);
                return -2;
            }
            section = add_section(doc, minor);
        } else if (section != NULL) {
            code = read_line(section, line);
        }
        if (section == NULL || code == -1)
            return attune_fault_set(fault, ENOMEM, "no memory") - 1;
        if (code != 0)
            return refuse(fault, "more than %d lines of one machine", ATTUNE_CACHE_ENTRIES_MAX);
    }
    return doc->count > 0 ? 0 : attune_fault_set(fault, 0, "not a cache of Attune: empty");
}

static void free_section(struct attune_section *section)
{
    for (size_t i = 0; i < section->count; i++)
        free(section->lines[i].text);
    free(section->lines);
    free(section->machine);
}

void attune_document_free(struct attune_document *doc)
{
    for (size_t i = 0; i < doc->count; i++)
        free_section(&doc->sections[i]);
    free(doc->sections);
    *doc = (struct attune_document){0};
}

struct attune_section *attune_document_find(const struct attune_document *doc, const char *machine)
{
    for (size_t i = 0; i < doc->count; i++)
        if (doc->sections[i].machine != NULL && strcmp(doc->sections[i].machine, machine) == 0)
            return &doc->sections[i];
    return NULL;
}

struct attune_section *attune_document_section(struct attune_document *doc, const char *machine)
{
    struct attune_section *section = attune_document_find(doc, machine);
    if (section != NULL)
        return section;
    section = add_section(doc, ATTUNE_CACHE_MINOR);
    if (section == NULL)
        return NULL;
    section->machine = strdup(machine);
    section->ended = 1;
    return section->machine != NULL ? section : NULL;
}

int attune_section_whole(const struct attune_section *section)
{
    return section->machine != NULL && section->ended && section->damaged == 0;
}

struct writer {
    char *text;
    size_t length, size;
    int failed;
    int no_memory; /* that is why */
};

static void write_line(struct writer *writer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void write_line(struct writer *writer, const char *format, ...)
{
    char line[ATTUNE_CACHE_LINE_MAX + 1];
    va_list arguments;
    va_start(arguments, format);
    const int length = vsnprintf(line, sizeof line - CRC_LENGTH, format, arguments);
    va_end(arguments);
    if (length < 0 || length >= (int)sizeof line - CRC_LENGTH ||
        writer->length + sizeof line > ATTUNE_CACHE_FILE_MAX) {
        writer->failed = 1;
        return;
    }
    if (writer->length + sizeof line > writer->size) {
        const size_t size = 2 * writer->size + sizeof line;
        char *more = realloc(writer->text, size);
        if (more == NULL) {
            writer->failed = writer->no_memory = 1;
            return;
        }
        writer->text = more;
        writer->size = size;
    }
    writer->length += (size_t)sprintf(writer->text + writer->length, "%s #%08x\n", line,
                                      (unsigned)crc_of(line, (size_t)length));
}

char *attune_document_write(const struct attune_document *doc, size_t *size,
                            struct attune_fault *fault)
{
    struct writer writer = {0};
    for (size_t i = 0; i < doc->count; i++) {
        const struct attune_section *section = &doc->sections[i];
        if (section->machine == NULL)
            continue;
        write_line(&writer, "%%attune-cache %d.%d", ATTUNE_CACHE_MAJOR, section->minor);
        write_line(&writer, "%%machine %s", section->machine);
        for (size_t j = 0; j < section->count; j++)
            write_line(&writer, "%s", section->lines[j].text);
        write_line(&writer, "%%end %zu", section->count);
    }
    if (writer.failed || writer.text == NULL) {
        free(writer.text);
        if (writer.no_memory)
            (void)attune_fault_set(fault, ENOMEM, "no memory");
        else
            (void)attune_fault_set(fault, 0, "more than the %d bytes that a cache may have",
                                   ATTUNE_CACHE_FILE_MAX);
        return NULL;
    }
    *size = writer.length;
    return writer.text;
}
