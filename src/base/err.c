#include "base/err.h"

#include <stdio.h>
#include <string.h>

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

int err_prefix(Err *err, const char *format, ...)
{
    char old[sizeof err->message];
    memcpy(old, err->message, sizeof old);
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(err->message, sizeof err->message, format,
                           arguments);
    va_end(arguments);
    if (length >= 0 && (size_t)length < sizeof err->message)
        snprintf(err->message + length, sizeof err->message - (size_t)length,
                 ": %s", old);
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
