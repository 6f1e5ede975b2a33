/*
 * The one error type.  A function that can fail on bad input returns 0 or -1,
 * takes `Err *err` last, and sets the message where the fault is detected,
 * naming node and value.  Who has opened a file says so with err_about: the
 * message does not.  Callers forward with TRY.
 */
#ifndef REPFOLD_BASE_ERR_H
#define REPFOLD_BASE_ERR_H

#include <stdarg.h>

typedef enum ErrCode {
#define ERR(id, name) ERR_##id,
#include "base/err.def"
#undef ERR
    ERR_COUNT
} ErrCode;

typedef struct Err {
    ErrCode code;
    int model;      /* which of two models failed: 1, 2; 0 where there is one */
    char file[512]; /* that it is about; "" where nobody has said */
    char message[480];
} Err;

/* Records the fault and returns -1, so that `return err_set(...)` reads well.
 * The first fault wins: a later one, met while cleaning up, is dropped. */
int err_set(Err *err, ErrCode code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts "what: " before the message, as a fault travels outwards. Where both
 * are too long, what is in the middle goes. */
int err_prefix(Err *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The fault is about that file, unless one was said already: who is nearer
 * knows better. Returns -1. */
int err_about(Err *err, const char *file);

/* The stable name of a code. */
const char *err_name(ErrCode code);

/* Forwards a failure. */
#define TRY(call)                                                              \
    do {                                                                       \
        if ((call) < 0)                                                        \
            return -1;                                                         \
    } while (0)

#endif
