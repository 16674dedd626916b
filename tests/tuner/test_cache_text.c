/* SPDX-License-Identifier: Apache-2.0
 *
 * The text of cache files: its exact bytes, every truncation, every flipped bit, newer versions,
 * merging. In memory: files are test_cache_file.c's.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cache_box.h"
#include "tests/support/guard.h"

static const char machine[] = "cpu=Test:1:2:3 features=avx l1d=1/2/3 l2=4/5/6 l3=7/8/9";

/* The first version's file, byte for byte: whatever comes, it must be read. */
static const char golden[] =
    "%attune-cache 1.0 #1301f808\n"
    "%machine cpu=Test:1:2:3 features=avx l1d=1/2/3 l2=4/5/6 l3=7/8/9 #4eee797c\n"
    "tuned core dot q=f32 k=f32 v=f32 d=1 e=64 tq=1024 tk=1024 group=1 mask=none isa=scalar prepared=0 "
    ": win date=1795690000 speedup=1100 low=1099 high=1101 noise=0 effort=quick strip=8 q_block=64 "
    "kv_block=192 kernel=score_dot_scalar_4x4@1 kernel=wsum_scalar_4x4@1 #45e9bd63\n"
    "bar wsum_scalar_2x8 1 date=5 differs by 3 bounds #bdcc4ebd\n"
    "missed core dot q=f32 k=f32 v=f32 d=2 e=64 tq=1024 tk=1024 group=1 mask=none isa=scalar prepared=0 "
    ": count=3 date=1795690000 #4db2ee3a\n"
    "%end 3 #d1f384e4\n";

static void fill(struct attune_document *doc)
{
    struct attune_key key;
    struct attune_choice choice;
    char text[ATTUNE_CACHE_LINE_MAX];
    struct attune_section *section = attune_document_section(doc, machine);
    cache_box_entry(0, 1100, &key, &choice);
    (void)attune_line_tuned_text(&key, &choice, text, sizeof text);
    cr_assert_eq(attune_section_put(section, text, ATTUNE_MERGE_BETTER), 1);
    const struct attune_bar bar = {attune_kernel_find("wsum_scalar_2x8"), "differs by 3 bounds", 5,
                                   ATTUNE_LAYER_TUNED};
    (void)attune_line_bar_text(&bar, text, sizeof text);
    cr_assert_eq(attune_section_put(section, text, ATTUNE_MERGE_BETTER), 1);
    cache_box_entry(1, 1100, &key, &choice);
    (void)attune_line_missed_text(&(struct attune_missed){key, 3, 1795690000}, text, sizeof text);
    cr_assert_eq(attune_section_put(section, text, ATTUNE_MERGE_BETTER), 1);
}

static char *example(size_t *size)
{
    struct attune_document doc = {0};
    struct attune_fault fault = {0};
    fill(&doc);
    char *text = attune_document_write(&doc, size, &fault);
    cr_assert_not_null(text, "%s", fault.text);
    attune_document_free(&doc);
    return text;
}

Test(cache_text, the_bytes_of_a_file)
{
    size_t size;
    char *text = example(&size);
    cr_assert_str_eq(text, golden);
    free(text);
}

Test(cache_text, what_is_written_is_read)
{
    struct attune_document doc;
    struct attune_fault fault = {0};
    struct attune_bar bar;
    struct attune_missed missed;
    struct attune_choice choice;
    cr_assert_eq(attune_document_parse(golden, strlen(golden), &doc, &fault), 0, "%s", fault.text);
    const struct attune_section *section = attune_document_find(&doc, machine);
    cr_assert(section != NULL && attune_section_whole(section) && section->count == 3);
    cr_assert_eq(attune_line_choice(&section->lines[0], 0, &choice, &fault), 0, "%s", fault.text);
    cr_assert(choice.speedup == 1100 && choice.kv_block == 192);
    cr_assert_eq(attune_line_bar(&section->lines[1], &bar, &fault), 0, "%s", fault.text);
    cr_assert_str_eq(bar.reason, "differs by 3 bounds");
    cr_assert_eq(attune_line_missed(&section->lines[2], &missed, &fault), 0, "%s", fault.text);
    cr_assert(missed.count == 3 && missed.key.d == 2);
    attune_document_free(&doc);
}

/* Every line that a damaged text still gives is one that the whole text has, letter for letter. */
static void expect_subset(const char *data, size_t size, const char *what, size_t at)
{
    struct attune_document doc;
    struct attune_fault fault = {0};
    if (attune_document_parse(data, size, &doc, &fault) != 0) {
        cr_assert_neq(fault.text[0], '\0', "%s %zu: no reason given", what, at);
        attune_document_free(&doc);
        return;
    }
    int whole = 1;
    for (size_t i = 0; i < doc.count; i++) {
        const struct attune_section *section = &doc.sections[i];
        whole &= attune_section_whole(section);
        cr_assert(section->machine == NULL || strcmp(section->machine, machine) == 0);
        for (size_t j = 0; j < section->count; j++)
            cr_assert_not_null(strstr(golden, section->lines[j].text), "%s %zu: %s", what, at,
                               section->lines[j].text);
    }
    cr_assert(!whole || (size + 1 >= strlen(golden) && doc.count == 1 && doc.sections[0].count == 3),
              "%s %zu is not noticed", what, at);
    attune_document_free(&doc);
}

Test(cache_text, every_truncation)
{
    for (size_t size = 0; size < strlen(golden); size++)
        expect_subset(golden, size, "cut at", size);
}

Test(cache_text, every_flipped_bit)
{
    char data[sizeof golden];
    const size_t size = strlen(golden);
    for (size_t bit = 0; bit < 8 * size; bit++) {
        memcpy(data, golden, size);
        data[bit / 8] = (char)(data[bit / 8] ^ 1 << bit % 8);
        /* The last newline says nothing. */
        if (bit / 8 != size - 1)
            expect_subset(data, size, "bit", bit);
    }
}

Test(cache_text, every_lost_and_doubled_line)
{
    char data[2 * sizeof golden];
    for (const char *line = golden; *line != '\0'; line = strchr(line, '\n') + 1) {
        const size_t before = (size_t)(line - golden), length = (size_t)(strchr(line, '\n') - line) + 1;
        memcpy(data, golden, before);
        strcpy(data + before, line + length);
        struct attune_document doc;
        const int code = attune_document_parse(data, strlen(data), &doc, NULL);
        cr_assert(code != 0 || !attune_section_whole(&doc.sections[0]), "without %.*s", 20, line);
        attune_document_free(&doc);
        memcpy(data + before, line, length);
        strcpy(data + before + length, line);
        cr_assert_eq(attune_document_parse(data, strlen(data), &doc, NULL), 0);
        int whole = 1;
        for (size_t i = 0; i < doc.count; i++)
            whole &= attune_section_whole(&doc.sections[i]);
        cr_assert(!whole, "%.*s twice", 20, line);
        attune_document_free(&doc);
    }
}

/* A line with a correct CRC. */
static void add_line(char *text, const char *line)
{
    struct attune_document doc = {0};
    size_t size;
    struct attune_section *section = attune_document_section(&doc, machine);
    cr_assert_eq(attune_section_put(section, line, ATTUNE_MERGE_BETTER), 1);
    char *all = attune_document_write(&doc, &size, NULL);
    char *start = strstr(all, line), *end = strchr(start, '\n');
    (void)strncat(text, start, (size_t)(end + 1 - start));
    free(all);
    attune_document_free(&doc);
}

Test(cache_text, what_a_newer_minor_version_wrote_is_kept)
{
    static const char *const lines[] = {
        "tuned core dot q=f32 k=f32 v=f32 d=9 e=64 tq=1 tk=1 group=1 mask=none isa=scalar prepared=0 "
        "colour=red : win date=1 kernel=x@1",
        "remark all quiet",
        "%made library=9.9.9",
    };
    char text[4096] = "";
    struct attune_document doc;
    struct attune_fault fault = {0};
    size_t size;
    add_line(text, "%attune-cache 1.7");
    add_line(text, "%machine cpu=Test:1:2:3 features=avx l1d=1/2/3 l2=4/5/6 l3=7/8/9");
    for (size_t i = 0; i < 3; i++)
        add_line(text, lines[i]);
    add_line(text, "%end 3");
    cr_assert_eq(attune_document_parse(text, strlen(text), &doc, &fault), 0, "%s", fault.text);
    fill(&doc);
    char *again = attune_document_write(&doc, &size, &fault);
    for (size_t i = 0; i < 3; i++)
        cr_assert_not_null(strstr(again, lines[i]), "%s", lines[i]);
    cr_assert_eq(strncmp(again, "%attune-cache 1.7 #", 19), 0);
    cr_assert_not_null(strstr(again, "%end 6 #"));
    free(again);
    attune_document_free(&doc);
}

Test(cache_text, another_major_version_is_refused)
{
    char text[256] = "";
    struct attune_document doc;
    struct attune_fault fault = {0};
    add_line(text, "%attune-cache 2.0");
    cr_assert_eq(attune_document_parse(text, strlen(text), &doc, &fault), -2);
    cr_assert_str_eq(fault.text, "format 2.0, this library reads 1.x");
    cr_assert_eq(attune_document_parse("hello\n", 6, &doc, &fault), -1);
    cr_assert_eq(attune_document_parse("", 0, &doc, &fault), -1);
}

/* Its CRC is right, and the blank before it all that follows the name. */
Test(cache_text, a_header_without_a_version_is_none)
{
    static const char first[] = "%attune-cache #90cfd841\n";
    struct attune_document doc;
    struct attune_fault fault = {0};
    struct guard file;
    guard_create(&file, strlen(first), 1);
    memcpy(file.data, first, file.size);
    cr_assert_eq(attune_document_parse((char *)file.data, file.size, &doc, &fault), -1);
    cr_assert_not_null(strstr(fault.text, "not a cache"), "%s", fault.text);
    attune_document_free(&doc);
    guard_destroy(&file);
}

Test(cache_text, of_two_lines_for_a_key_the_better_stays)
{
    struct attune_document doc = {0};
    struct attune_section *section = attune_document_section(&doc, machine);
    struct attune_key key;
    struct attune_choice choice, found;
    char text[ATTUNE_CACHE_LINE_MAX];
    cache_box_entry(0, 1100, &key, &choice);
    static const struct {
        int effort, date, replaces;
    } steps[] = {{1, 100, 1}, {1, 100, 0}, {1, 99, 0}, {1, 101, 1}, {0, 900, 0}, {2, 50, 1}};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        choice.effort = steps[i].effort, choice.date = steps[i].date;
        (void)attune_line_tuned_text(&key, &choice, text, sizeof text);
        cr_assert_eq(attune_section_put(section, text, ATTUNE_MERGE_BETTER), steps[i].replaces, "%zu",
                     i);
    }
    /* One that this library cannot use loses to any that it can. */
    char *revision = strstr(text, "@1");
    revision[1] = '9';
    cr_assert_eq(attune_section_put(section, text, ATTUNE_MERGE_BETTER), 0);
    cr_assert_eq(attune_section_put(section, text, ATTUNE_MERGE_REPLACE), 1);
    choice.effort = 0, choice.date = 1;
    (void)attune_line_tuned_text(&key, &choice, text, sizeof text);
    cr_assert_eq(attune_section_put(section, text, ATTUNE_MERGE_BETTER), 1);
    cr_assert_eq(section->count, 1);
    cr_assert_eq(attune_line_choice(&section->lines[0], 0, &found, NULL), 0);
    attune_document_free(&doc);
}

Test(cache_text, missed_keys_add_up_and_go_when_tuned)
{
    struct attune_document doc = {0};
    struct attune_section *section = attune_document_section(&doc, machine);
    struct attune_key key;
    struct attune_choice choice;
    struct attune_missed missed;
    char text[ATTUNE_CACHE_LINE_MAX];
    cache_box_entry(0, 1100, &key, &choice);
    for (int i = 1; i <= 3; i++) {
        (void)attune_line_missed_text(&(struct attune_missed){key, i, 10 * (4 - i)}, text, sizeof text);
        cr_assert_eq(attune_section_put(section, text, ATTUNE_MERGE_REPLACE), 1);
    }
    cr_assert_eq(section->count, 1);
    cr_assert_eq(attune_line_missed(&section->lines[0], &missed, NULL), 0);
    cr_assert(missed.count == 6 && missed.date == 30);
    (void)attune_line_tuned_text(&key, &choice, text, sizeof text);
    cr_assert_eq(attune_section_put(section, text, ATTUNE_MERGE_REPLACE), 1);
    cr_assert(section->count == 1 && section->lines[0].kind == ATTUNE_LINE_TUNED);
    attune_document_free(&doc);
}

Test(cache_text, files_of_several_machines_can_be_joined)
{
    char text[2 * sizeof golden] = "";
    struct attune_document doc;
    size_t size;
    struct attune_document other = {0};
    cr_assert_not_null(attune_document_section(&other, "cpu=Other:1:1:1"));
    char *second = attune_document_write(&other, &size, NULL);
    (void)strcat(strcat(text, golden), second);
    cr_assert_eq(attune_document_parse(text, strlen(text), &doc, NULL), 0);
    cr_assert(doc.count == 2 && attune_section_whole(&doc.sections[0]) &&
              attune_section_whole(&doc.sections[1]));
    char *again = attune_document_write(&doc, &size, NULL);
    cr_assert_str_eq(again, text);
    free(again);
    free(second);
    attune_document_free(&other);
    attune_document_free(&doc);
}

/* CRC-32C a bit at a time, where the library's has a table. */
static unsigned crc_of(const char *text, size_t size)
{
    unsigned crc = ~0u;
    for (size_t i = 0; i < size; i++) {
        crc ^= (unsigned char)text[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1u ? 0x82f63b78u : 0u);
    }
    return ~crc;
}

Test(cache_text, a_line_is_no_longer_than_a_line_may_be)
{
    for (int over = 0; over <= 1; over++) {
        char text[2 * ATTUNE_CACHE_LINE_MAX] = "";
        struct attune_document doc;
        const size_t body = ATTUNE_CACHE_LINE_MAX - strlen(" #12345678") + (size_t)over;
        add_line(text, "%attune-cache 1.0");
        add_line(text, "%machine of tests");
        char *line = text + strlen(text);
        memset(line, 'x', body);
        (void)sprintf(line + body, " #%08x\n", crc_of(line, body));
        cr_assert_eq(attune_document_parse(text, strlen(text), &doc, NULL), 0);
        cr_assert(doc.count == 1 && (int)doc.sections[0].count == !over &&
                  doc.sections[0].damaged == over);
        attune_document_free(&doc);
    }
}

/* Programs that record what they miss keep nothing from being kept. */
Test(cache_text, missed_keys_give_way)
{
    enum { FIRST = 3, NEWCOMERS = 3 };
    static const char *const newcomers[NEWCOMERS] = {
        "bar score_dot_scalar_4x4 1 date=5 wrong", "remark",
        "missed core tanh q=f32 k=f32 v=f32 a=64 e=64 tq=1 tk=512 group=1 mask=none isa=avx2 prepared=1 : "
        "count=1 date=9999"};
    struct attune_document doc = {0}, from = {0};
    struct attune_section *section = attune_document_section(&doc, machine);
    char line[256];
    for (int i = 0; i < ATTUNE_CACHE_ENTRIES_MAX; i++) {
        (void)snprintf(line, sizeof line,
                       "missed core dot q=f32 k=f32 v=f32 d=%d e=%d tq=%d tk=512 group=1 mask=none "
                       "isa=scalar prepared=0 : count=2 date=%d", 1 + i % 512, 1 + i % 512,
                       1 << i / 512, i == FIRST ? 1 : 100 + i);
        cr_assert_eq(attune_section_put(section, line, ATTUNE_MERGE_BETTER), 1, "%s", line);
    }
    for (int i = 0; i < NEWCOMERS; i++) {
        const size_t oldest = i == 0 ? FIRST : 0;
        char *gone = strdup(section->lines[oldest].text);
        cr_assert_eq(attune_section_put(section, newcomers[i], ATTUNE_MERGE_BETTER), -2);
        cr_assert_eq(attune_section_enter(section, newcomers[i], ATTUNE_MERGE_BETTER), 1);
        cr_assert_eq(section->count, ATTUNE_CACHE_ENTRIES_MAX);
        cr_assert_str_eq(section->lines[section->count - 1].text, newcomers[i]);
        cr_assert_str_neq(section->lines[oldest].text, gone);
        free(gone);
    }
    cr_assert_eq(attune_section_put(attune_document_section(&from, machine), "remark 2", ATTUNE_MERGE_BETTER), 1);
    cr_assert_eq(attune_section_merge(section, &from.sections[0]), 1);
    cr_assert_eq(section->count, ATTUNE_CACHE_ENTRIES_MAX);
    attune_document_free(&from);
    attune_document_free(&doc);
}

Test(cache_text, limits_are_kept)
{
    struct attune_document doc = {0};
    struct attune_fault fault = {0};
    struct attune_section *section = attune_document_section(&doc, machine);
    char line[64];
    for (int i = 0; i < ATTUNE_CACHE_ENTRIES_MAX; i++) {
        (void)snprintf(line, sizeof line, "remark %d", i);
        cr_assert_eq(attune_section_put(section, line, ATTUNE_MERGE_BETTER), 1);
    }
    cr_assert_eq(attune_section_put(section, "remark more", ATTUNE_MERGE_BETTER), -2);
    cr_assert_eq(attune_section_enter(section, "remark more", ATTUNE_MERGE_BETTER), -2);
    attune_document_free(&doc);
    char *much = calloc(1, ATTUNE_CACHE_FILE_MAX + 1);
    memset(much, '\n', ATTUNE_CACHE_FILE_MAX + 1);
    cr_assert_eq(attune_document_parse(much, ATTUNE_CACHE_FILE_MAX + 1, &doc, &fault), -2);
    memcpy(much, golden, strchr(golden, '\n') + 1 - golden);
    cr_assert_eq(attune_document_parse(much, ATTUNE_CACHE_FILE_MAX, &doc, &fault), -2);
    cr_assert_str_eq(fault.text, "more than 16384 lines");
    attune_document_free(&doc);
    /* One line without an end. */
    memset(much + 30, 'x', ATTUNE_CACHE_FILE_MAX - 30);
    cr_assert_eq(attune_document_parse(much, ATTUNE_CACHE_FILE_MAX, &doc, &fault), 0);
    cr_assert(doc.count == 1 && doc.sections[0].count == 0 && doc.sections[0].damaged > 0);
    attune_document_free(&doc);
    free(much);
}
