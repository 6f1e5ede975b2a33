/* Where bytes are written to, piece by piece. */
#ifndef REPFOLD_BASE_SINK_H
#define REPFOLD_BASE_SINK_H

#include <stddef.h>

#include "base/err.h"

typedef struct Sink {
    int (*write)(struct Sink *self, const void *bytes, size_t size, Err *err);
} Sink;

#endif
