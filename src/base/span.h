/* Bytes that somebody else holds. */
#ifndef REPFOLD_BASE_SPAN_H
#define REPFOLD_BASE_SPAN_H

#include <stddef.h>
#include <stdint.h>

typedef struct Span {
    const uint8_t *bytes;
    size_t size;
} Span;

#endif
