/* Errors: one line on standard error, and what the reports tell of them. */
#include <stdarg.h>

#include "converter.h"

static rp_error last = {.code = "internal"};

const rp_error *trouble_last(void)
{
    return &last;
}

int trouble(const Options *options, const rp_error *error)
{
    last = *error;
    error = &last;
    if (!last.code)
        last.code = "internal";
    progress_end_any();
    fputs("repfold: ", stderr);
    if (error->where[0]) {
        print_escaped(stderr, error->where);
        fputs(": ", stderr);
    }
    print_escaped(stderr, error->message);
    fprintf(stderr, " [%s]\n", error->code);
    reports_tell(options, error);
    return TROUBLE;
}

int trouble_say(const Options *options, const char *code, const char *where,
                const char *format, ...)
{
    rp_error error = {.code = code};
    va_list arguments;
    snprintf(error.where, sizeof error.where, "%s", where ? where : "");
    va_start(arguments, format);
    vsnprintf(error.message, sizeof error.message, format, arguments);
    va_end(arguments);
    return trouble(options, &error);
}
