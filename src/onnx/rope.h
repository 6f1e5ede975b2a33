/*
 * What will be written, as pieces: of the input file, of new bytes, and of
 * tensors that are computed while they are written.  A rope is built before
 * anything is written, so every length is known when it is needed, and no
 * payload is copied: neighbours in memory become one piece, and a model that
 * hardly changed is a few pieces.
 */
#ifndef REPFOLD_ONNX_ROPE_H
#define REPFOLD_ONNX_ROPE_H

#include "graph/graph.h"

typedef enum PieceKind {
    PIECE_SPAN, /* bytes that last longer than the rope */
    PIECE_ROOM, /* new bytes, which the rope holds */
    PIECE_TENSOR
} PieceKind;

typedef struct Piece {
    struct Piece *next;
    size_t size;
    union {
        const uint8_t *bytes;
        const Tensor *tensor; /* with a formula */
    };
    PieceKind kind;
} Piece;

typedef struct Rope {
    Arena *arena;
    Span file; /* the input file, empty when there is none */
    Piece *first, *last;
    size_t size;
    uint8_t *room; /* for new bytes */
    size_t room_size, room_left;
} Rope;

Rope rope_new(Arena *arena, Span file);

/* Bytes that live as long as the rope. */
void rope_span(Rope *rope, Span span);

/* Fields of a message. */
void rope_number(Rope *rope, uint32_t field, uint64_t value);
void rope_fixed32(Rope *rope, uint32_t field, uint32_t bits);
/* What is in the file just before the bytes is used too where it fits. */
void rope_bytes(Rope *rope, uint32_t field, Span bytes);
void rope_string(Rope *rope, uint32_t field, const char *text);
/* The same with a text that need not last. */
void rope_text(Rope *rope, uint32_t field, const char *text);
/* The elements of a tensor, packed. */
void rope_elements(Rope *rope, uint32_t field, const Tensor *tensor);
/* The other rope becomes part of this one. One that was made in another arena
 * is copied, and may go: what is small lies close together then. */
void rope_message(Rope *rope, uint32_t field, Rope *message);

#endif
