#include "graph/dump.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void text_printf(Text *text, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length >= 0) {
        size_t need = text->length + (size_t)length + 1;
        text->bytes =
            arena_grow(text->arena, text->bytes, &text->capacity, need, 1);
        vsnprintf(text->bytes + text->length, (size_t)length + 1, format,
                  again);
        text->length += (size_t)length;
    }
    va_end(again);
}

/* The length of the UTF-8 sequence at `s`, 0 when it is not valid: overlong
 * forms, surrogates and what is beyond U+10FFFF are not (RFC 3629). */
static int utf8_length(const unsigned char *s)
{
    int length = s[0] < 0x80                  ? 1
                 : s[0] >= 0xc2 && s[0] < 0xe0 ? 2
                 : s[0] >= 0xe0 && s[0] < 0xf0 ? 3
                 : s[0] >= 0xf0 && s[0] < 0xf5 ? 4
                                               : 0;
    for (int i = 1; i < length; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
        (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
        return 0;
    return length;
}

void text_escaped(Text *text, const char *string)
{
    const unsigned char *s = (const unsigned char *)string;
    text_printf(text, "%s", "");
    while (*s) {
        int length = utf8_length(s);
        /* C1 controls, U+0080 to U+009F, drive terminals as well. */
        bool control = *s < 0x20 || *s == 0x7f || (*s == 0xc2 && s[1] < 0xa0);
        if (length == 0 || control) {
            text_printf(text, "\\x%02x", *s);
            s++;
        } else {
            text_printf(text, "%.*s", length, (const char *)s);
            s += length;
        }
    }
}

const char *node_text(Arena *arena, const Node *node)
{
    Text text = {.arena = arena};
    text_escaped(&text, node->op_type);
    if (node->name[0]) {
        text_printf(&text, " node \"");
        text_escaped(&text, node->name);
    } else if (node_output(node, 0)) {
        text_printf(&text, " node producing \"");
        text_escaped(&text, node->outputs[0]->name);
    } else {
        text_printf(&text, " node without a name");
        return text.bytes;
    }
    text_printf(&text, "\"");
    return text.bytes;
}
