/*
 * The wire format of protocol buffers, read field by field without copying
 * (developers.google.com, "Encoding").  Messages are walked by hand where the
 * place of a field in the file matters; unpack.h does the rest.
 */
#ifndef REPFOLD_ONNX_WIRE_H
#define REPFOLD_ONNX_WIRE_H

#include "graph/graph.h"

typedef enum WireType {
    WIRE_VARINT = 0,
    WIRE_FIXED64 = 1,
    WIRE_BYTES = 2, /* a string, a message, a packed array */
    WIRE_FIXED32 = 5
} WireType;

/* Where in a message reading has come to.  Reading stops for good at the
 * first fault. */
typedef struct Wire {
    const uint8_t *at, *end;
    const char *fault; /* NULL, or what is wrong at `at` */
    bool overrun;      /* the fault is that the message ends too early */
} Wire;

typedef struct Field {
    uint32_t number;
    WireType type;
    uint64_t value; /* of a number, as its bits; 0 for WIRE_BYTES */
    Span payload;   /* of WIRE_BYTES */
    Span whole;     /* with tag and length */
} Field;

Wire wire_over(Span message);

/* The next field; false at the end and at a fault. */
bool wire_next(Wire *wire, Field *field);
/* The next field of that number and type; others are passed over. */
bool wire_find(Wire *wire, uint32_t number, WireType type, Field *field);
/* The next number of a packed array. */
bool wire_number(Wire *wire, WireType type, uint64_t *value);

/* What a message holds in a singular field; empty or 0 where it is absent. */
Span wire_bytes(Span message, uint32_t number);
uint64_t wire_value(Span message, uint32_t number);
/* A copy, ended by NUL. */
const char *wire_string(Arena *arena, Span message, uint32_t number);

#endif
