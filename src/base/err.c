#include "base/err.h"

#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

int err_set(Err *err, ErrCode code, const char *format, ...)
{
    if (err->code != ERR_OK)
        return -1;
    err->code = code;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(err->message, sizeof err->message, format, arguments);
    va_end(arguments);
    return -1;
}

/* Where the text is too long its middle goes: it begins with what it is about,
 * and ends with what is wrong. */
static void put_shortened(char *to, size_t size, const char *text)
{
    static const char gap[] = "...";
    size_t length = strlen(text), room = size - sizeof gap;
    if (length < size) {
        memcpy(to, text, length + 1);
        return;
    }
    size_t head = utf8_cut(text, room / 2);
    const char *tail = text + length - (room - head);
    while (((unsigned char)*tail & 0xc0) == 0x80)
        tail++;
    snprintf(to, size, "%.*s%s%s", (int)head, text, gap, tail);
}

int err_prefix(Err *err, const char *format, ...)
{
    enum { SIZE = sizeof err->message, LEAST = SIZE / 2 };
    char old[SIZE];
    memcpy(old, err->message, sizeof old);
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(err->message, SIZE, format, arguments);
    va_end(arguments);
    size_t end = length < 0 ? 0 : (size_t)length, own = strlen(old);
    size_t kept = own < LEAST ? own : LEAST;
    const char *colon = ": ";
    if (end + strlen(colon) + kept >= SIZE) {
        colon = "...: ";
        end = utf8_cut(err->message, SIZE - 1 - strlen(colon) - kept);
    }
    memcpy(err->message + end, colon, strlen(colon));
    end += strlen(colon);
    put_shortened(err->message + end, SIZE - end, old);
    return -1;
}

int err_about(Err *err, const char *file)
{
    if (!err->file[0])
        snprintf(err->file, sizeof err->file, "%s", file);
    return -1;
}

const char *err_name(ErrCode code)
{
    static const char *const names[] = {
#define ERR(id, name) [ERR_##id] = name,
#include "base/err.def"
#undef ERR
    };
    return code < ERR_COUNT ? names[code] : "internal";
}
