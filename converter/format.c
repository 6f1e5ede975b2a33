/* Numbers and names for people. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "converter.h"

/* So that one printf may show several. */
static char *next_text(size_t *size)
{
    static char ring[16][32];
    static unsigned next;
    *size = sizeof ring[0];
    return ring[next++ % 16];
}

const char *format_count(uint64_t count)
{
    size_t size;
    char *text = next_text(&size);
    snprintf(text, size, "%" PRIu64, count);
    return text;
}

static const char *format_scaled(double value, const char *unit)
{
    static const char *const prefixes[] = {"", "k", "M", "G", "T", "P"};
    size_t size, step = 0;
    char *text = next_text(&size);
    while (value >= 999.5 && step < 5) {
        value /= 1000;
        step++;
    }
    int digits = step == 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
    snprintf(text, size, "%.*f%s%s%s", digits, value,
             step > 0 || *unit ? " " : "", prefixes[step], unit);
    return text;
}

const char *format_large(double value)
{
    return format_scaled(value, "");
}

const char *format_bytes(uint64_t bytes)
{
    return format_scaled((double)bytes, "B");
}

const char *format_number(double value)
{
    size_t size;
    char *text = next_text(&size);
    if (isnan(value))
        snprintf(text, size, "-");
    else
        snprintf(text, size, "%.3g", value);
    return text;
}

const char *plural(size_t count)
{
    return count == 1 ? "" : "s";
}

/* ---- Names ---- */

/* Bytes of the UTF-8 sequence at `s`, 0 where it is not one (RFC 3629). */
static int utf8_length(const unsigned char *s, uint32_t *code)
{
    int length = s[0] < 0x80   ? 1
                 : s[0] < 0xc2 ? 0
                 : s[0] < 0xe0 ? 2
                 : s[0] < 0xf0 ? 3
                 : s[0] < 0xf5 ? 4
                               : 0;
    if (length <= 1) {
        *code = s[0];
        return length;
    }
    *code = s[0] & (0x7fu >> length);
    for (int i = 1; i < length; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
        *code = *code << 6 | (s[i] & 0x3fu);
    }
    bool overlong =
        (length == 3 && *code < 0x800) || (length == 4 && *code < 0x10000);
    bool invalid = *code > 0x10ffff || (*code >= 0xd800 && *code <= 0xdfff);
    return overlong || invalid ? 0 : length;
}

/* Control characters, those that turn the direction of what follows, and those
 * that XML has not. */
static bool is_unsafe(uint32_t code)
{
    return code < 0x20 || (code >= 0x7f && code < 0xa0) ||
           (code >= 0x200e && code <= 0x200f) ||
           (code >= 0x2028 && code <= 0x202e) ||
           (code >= 0x2066 && code <= 0x2069) || code == 0xfeff ||
           code == 0xfffe || code == 0xffff;
}

size_t name_step(const char *text, bool *plain)
{
    uint32_t code;
    int length = utf8_length((const unsigned char *)text, &code);
    *plain = length > 0 && !is_unsafe(code);
    return length > 0 ? (size_t)length : 1;
}

static void print_hex(FILE *stream, const char *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        fprintf(stream, "\\x%02x", (unsigned char)bytes[i]);
}

void print_escaped(FILE *stream, const char *text)
{
    bool plain;
    for (size_t step; *text; text += step) {
        step = name_step(text, &plain);
        if (plain)
            fwrite(text, 1, step, stream);
        else
            print_hex(stream, text, step);
    }
}

void print_words(FILE *stream, int indent, const char *words)
{
    enum { MARGIN = 79 };
    int column = indent;
    char word[512];
    while (*words) {
        size_t length = strcspn(words, " ");
        if (length >= sizeof word)
            length = sizeof word - 1;
        memcpy(word, words, length);
        word[length] = '\0';
        words += length + (words[length] == ' ');
        if (column > indent && column + 1 + (int)length > MARGIN) {
            fprintf(stream, "\n%*s", indent, "");
            column = indent;
        } else if (column > indent) {
            fputc(' ', stream);
            column++;
        }
        print_escaped(stream, word);
        column += (int)length;
    }
    fputc('\n', stream);
}

void print_markup(FILE *stream, const char *text)
{
    static const char special[] = "<>&\"'";
    static const char *const entities[] = {"&lt;", "&gt;", "&amp;", "&quot;",
                                           "&#39;"};
    bool plain;
    for (size_t step; *text; text += step) {
        const char *found = strchr(special, *text);
        step = name_step(text, &plain);
        if (found)
            fputs(entities[found - special], stream);
        else if (plain)
            fwrite(text, 1, step, stream);
        else
            print_hex(stream, text, step);
    }
}

/* ---- Colour ---- */

const char *color(FILE *stream, const char *code)
{
    const char *term = getenv("TERM");
    const char *no_color = getenv("NO_COLOR");
    bool on = isatty(fileno(stream)) && !(no_color && *no_color) && term &&
              strcmp(term, "dumb") != 0;
    return on ? code : "";
}
