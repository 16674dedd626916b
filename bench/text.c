/* SPDX-License-Identifier: Apache-2.0
 *
 * Characters of texts whose bytes anyone may have chosen, and where such texts go.
 */
#include "bench/text.h"

#include <stdlib.h>
#include <string.h>

/* Decodes one character; returns its bytes, 0 for what is no UTF-8. */
static int decode(const unsigned char *text, unsigned *code)
{
    static const unsigned smallest[5] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned lead = text[0];
    const int bytes = lead < 0x80 ? 1 : lead < 0xc0 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    *code = bytes == 1 ? lead : bytes ? lead & (0x7fu >> bytes) : 0;
    for (int i = 1; i < bytes; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
        *code = *code << 6 | (text[i] & 0x3fu);
    }
    const int is_surrogate = *code >= 0xd800 && *code < 0xe000;
    return *code < smallest[bytes] || *code > 0x10ffff || is_surrogate ? 0 : bytes;
}

/* East Asian characters and pictographs fill two columns, combining marks none. Unicode's table in
 * the coarse: a mistake shifts a label, nothing else. */
static int width_of(unsigned code)
{
    static const struct {
        unsigned first, last;
    } wide[] = {{0x1100, 0x115f},   {0x2e80, 0xa4cf},   {0xac00, 0xd7a3},  {0xf900, 0xfaff},
                {0xfe30, 0xfe6f},   {0xff00, 0xff60},   {0x1f300, 0x1faff}, {0x20000, 0x3fffd}};
    if ((code >= 0x300 && code < 0x370) || (code >= 0x200b && code < 0x2010) || code == 0xfeff)
        return 0;
    for (size_t i = 0; i < sizeof wide / sizeof *wide; i++)
        if (code >= wide[i].first && code <= wide[i].last)
            return 2;
    return 1;
}

struct attune_character attune_character_at(const char *text)
{
    unsigned code;
    const int bytes = decode((const unsigned char *)text, &code);
    const int control = code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x2028 ||
                        code == 0x2029 || (code >= 0x202a && code < 0x202f) ||
                        (code >= 0x2066 && code < 0x206a) || (code & 0xfffe) == 0xfffe;
    if (bytes == 0 || control)
        return (struct attune_character){bytes ? bytes : 1, 1, 1, "?"};
    return (struct attune_character){bytes, bytes, width_of(code), text};
}

int attune_text_width(const char *text, int most)
{
    int width = 0;
    while (*text && width < most) {
        const struct attune_character character = attune_character_at(text);
        width += character.width;
        text += character.bytes;
    }
    return width < most ? width : most;
}

void attune_text_print(const char *text, FILE *file)
{
    while (*text != '\0') {
        const struct attune_character character = attune_character_at(text);
        if (character.shown == text)
            (void)fwrite(text, 1, (size_t)character.bytes, file);
        for (int i = 0; character.shown != text && i < character.bytes; i++)
            (void)fprintf(file, "\\x%02x", (unsigned char)text[i]);
        text += character.bytes;
    }
}

json_t *attune_text_json(const char *text)
{
    if (text == NULL)
        return json_null();
    json_t *string = json_string(text);
    char *shown = string == NULL ? malloc(strlen(text) + 1) : NULL;
    if (shown == NULL)
        return string;
    size_t length = 0;
    while (*text != '\0') {
        const struct attune_character character = attune_character_at(text);
        memcpy(shown + length, character.shown, (size_t)character.shown_bytes);
        length += (size_t)character.shown_bytes;
        text += character.bytes;
    }
    string = json_stringn(shown, length);
    free(shown);
    return string;
}
