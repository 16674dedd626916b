/* SPDX-License-Identifier: Apache-2.0
 *
 * The reader of tuned choices. The first byte chooses: lines put into this machine's section; a file as
 * it is, where nearly every change breaks a CRC; or a file whose lines get their CRCs here, so that what
 * stands in them is reached. What is read and written again is the same; a choice that is accepted lies
 * in its ranges.
 */
#include "tests/fuzz/fuzz.h"
#include "tuner/cache_file.h"

#define EVERY_FEATURE (~0u)

static void check_line(const struct attune_line *line)
{
    struct attune_choice choice, again;
    struct attune_bar bar;
    struct attune_missed missed;
    struct attune_fault fault = {0};
    char text[ATTUNE_CACHE_LINE_MAX];
    if (line->kind == ATTUNE_LINE_TUNED &&
        attune_line_choice(line, EVERY_FEATURE, &choice, &fault) == 0) {
        const size_t length = attune_choice_format(&choice, text, sizeof text);
        MUST(length < ATTUNE_CHOICE_TEXT, "%zu", length);
        MUST(attune_choice_parse(text, length, &again, &fault) == 0, "%s: %s", text, fault.text);
        MUST(again.kv_block == choice.kv_block && choice.kv_block % ATTUNE_KEY_STEP == 0 &&
                 choice.kv_block <= ATTUNE_CHOICE_KV_BLOCK_MAX && choice.strip >= 0 &&
                 choice.strip <= ATTUNE_CHOICE_STRIP_MAX,
             "%s", text);
        MUST(attune_line_tuned_text(&line->key, &choice, text, sizeof text) < sizeof text, "length");
    }
    if (line->kind == ATTUNE_LINE_BAR && attune_line_bar(line, &bar, &fault) == 0)
        MUST(attune_kernel_find(bar.kernel->name) == bar.kernel, "%s", bar.kernel->name);
    if (line->kind == ATTUNE_LINE_MISSED && attune_line_missed(line, &missed, &fault) == 0)
        MUST(attune_key_check(&missed.key, &fault) == 0, "%s", fault.text);
}

/* Read, judge every line, enter, write, read again: the same. */
static void check_document(const struct attune_document *doc)
{
    struct attune_document again;
    struct attune_fault fault = {0};
    size_t size = 0, size_again = 0;
    struct attune_cache *cache = attune_cache_create();
    int32_t unusable;
    for (size_t i = 0; i < doc->count; i++) {
        for (size_t j = 0; j < doc->sections[i].count; j++)
            check_line(&doc->sections[i].lines[j]);
        (void)attune_cache_enter(cache, &doc->sections[i], ATTUNE_LAYER_USER, &unusable, &fault);
    }
    attune_cache_release(cache);
    char *text = attune_document_write(doc, &size, &fault);
    if (text == NULL)
        return;
    MUST(attune_document_parse(text, size, &again, &fault) == 0, "%s", fault.text);
    char *text_again = attune_document_write(&again, &size_again, &fault);
    MUST(text_again != NULL && size == size_again && memcmp(text, text_again, size) == 0, "%s\n%s",
         text, text_again);
    free(text);
    free(text_again);
    attune_document_free(&again);
}

static void put_lines(struct attune_document *doc, const char *bytes, size_t size)
{
    struct attune_section *section = attune_document_section(doc, attune_fingerprint_get()->text);
    struct attune_span rest = {bytes, size}, line;
    while (rest.length > 0) {
        (void)attune_span_split(rest, '\n', &line, &rest);
        int plain = line.length > 0 && line.length < ATTUNE_CACHE_LINE_MAX - 16 && line.start[0] != '%';
        for (size_t i = 0; i < line.length; i++)
            plain &= line.start[i] >= ' ' && line.start[i] <= '~';
        char *text = plain ? strndup(line.start, line.length) : NULL;
        if (text != NULL)
            (void)attune_section_put(section, text, ATTUNE_MERGE_BETTER);
        free(text);
    }
}

/* CRC-32C, by its definition. */
static uint32_t crc_of(const char *data, size_t size)
{
    uint32_t crc = ~0u;
    for (size_t i = 0; i < 8 * size; i++) {
        crc ^= i % 8 == 0 ? (unsigned char)data[i / 8] : 0;
        crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
    }
    return ~crc;
}

/* A file of these lines, each with its CRC but those that begin with '!': they are damaged ones. */
static int parse_lines(const char *bytes, size_t size, struct attune_document *doc,
                       struct attune_fault *fault)
{
    struct attune_span rest = {bytes, size}, line;
    const size_t most = size + (size + 1) * sizeof " #01234567";
    char *text = malloc(most);
    size_t length = 0;
    MUST(text != NULL, "no memory");
    while (rest.length > 0) {
        (void)attune_span_split(rest, '\n', &line, &rest);
        memcpy(text + length, line.start, line.length);
        length += line.length;
        if (line.length > 0 && line.start[0] != '!')
            length += (size_t)snprintf(text + length, most - length, " #%08x",
                                       (unsigned)crc_of(line.start, line.length));
        text[length++] = '\n';
    }
    const int code = attune_document_parse(text, length, doc, fault);
    free(text);
    return code;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct attune_document doc = {0};
    struct attune_fault fault = {.text = ""};
    if (size == 0)
        return 0;
    const char *text = (const char *)bytes + 1;
    int code = 0;
    if (bytes[0] % 3 == 0)
        put_lines(&doc, text, size - 1);
    else
        code = bytes[0] % 3 == 1 ? attune_document_parse(text, size - 1, &doc, &fault)
                                 : parse_lines(text, size - 1, &doc, &fault);
    MUST(code == 0 || fault.text[0] != '\0', "no reason");
    if (doc.count > 0)
        check_document(&doc);
    attune_document_free(&doc);
    return 0;
}
