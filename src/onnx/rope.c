#include "onnx/rope.h"

#include <string.h>

#include "onnx/dataplan.h"
#include "onnx/wire.h"

enum { ROOM_FIRST = 256, ROOM_MOST = 8192, VARINT_MAX = 10 };
/* A copy of so many bytes takes less than to tell where they are. */
enum { COPY_MOST = 64 };

Rope rope_new(Arena *arena, Span file)
{
    return (Rope){.arena = arena, .file = file};
}

static void add_piece(Rope *rope, Piece piece)
{
    Piece *fresh = arena_alloc(rope->arena, sizeof *fresh);
    *fresh = piece;
    fresh->next = NULL;
    if (rope->last)
        rope->last->next = fresh;
    else
        rope->first = fresh;
    rope->last = fresh;
    rope->size += fresh->size;
}

/* Neighbours of a kind become one piece. */
static void add_bytes(Rope *rope, const uint8_t *bytes, size_t size,
                      PieceKind kind)
{
    Piece *last = rope->last;
    if (last && last->kind == kind && last->bytes + last->size == bytes) {
        last->size += size;
        rope->size += size;
        return;
    }
    add_piece(rope, (Piece){.bytes = bytes, .size = size, .kind = kind});
}

void rope_span(Rope *rope, Span span)
{
    if (span.size > 0)
        add_bytes(rope, span.bytes, span.size, PIECE_SPAN);
}

/* Most ropes hold little, and some very much. */
static void room_take(Rope *rope, size_t size)
{
    size_t larger = rope->room_size ? 2 * rope->room_size : ROOM_FIRST;
    rope->room_size = larger < ROOM_MOST ? larger : ROOM_MOST;
    rope->room_left = size < rope->room_size ? rope->room_size : size;
    rope->room = arena_alloc(rope->arena, rope->room_left);
}

/* Bytes that are copied. */
static void put(Rope *rope, const void *bytes, size_t size)
{
    if (size == 0)
        return;
    if (rope->room_left < size)
        room_take(rope, size);
    memcpy(rope->room, bytes, size);
    add_bytes(rope, rope->room, size, PIECE_ROOM);
    rope->room += size;
    rope->room_left -= size;
}

static size_t encode_varint(uint64_t value, uint8_t *out)
{
    size_t size = 0;
    for (; value >= 0x80; value >>= 7)
        out[size++] = (uint8_t)(value | 0x80);
    out[size++] = (uint8_t)value;
    return size;
}

static void put_varint(Rope *rope, uint64_t value)
{
    uint8_t bytes[VARINT_MAX];
    put(rope, bytes, encode_varint(value, bytes));
}

static void put_tag(Rope *rope, uint32_t field, WireType type)
{
    put_varint(rope, (uint64_t)field << 3 | type);
}

/* Tag and length of a field whose payload follows. */
static size_t encode_head(uint32_t field, size_t size, uint8_t *out)
{
    size_t tag = encode_varint((uint64_t)field << 3 | WIRE_BYTES, out);
    return tag + encode_varint(size, out + tag);
}

static void put_head(Rope *rope, uint32_t field, size_t size)
{
    uint8_t head[2 * VARINT_MAX];
    put(rope, head, encode_head(field, size, head));
}

void rope_number(Rope *rope, uint32_t field, uint64_t value)
{
    put_tag(rope, field, WIRE_VARINT);
    put_varint(rope, value);
}

void rope_fixed32(Rope *rope, uint32_t field, uint32_t bits)
{
    put_tag(rope, field, WIRE_FIXED32);
    put(rope, &bits, sizeof bits);
}

/* How many bytes of the file stand before `at`. */
static size_t bytes_before(Span file, const uint8_t *at)
{
    uintptr_t start = (uintptr_t)file.bytes, place = (uintptr_t)at;
    return place > start && place - start < file.size ? place - start : 0;
}

void rope_bytes(Rope *rope, uint32_t field, Span bytes)
{
    uint8_t head[2 * VARINT_MAX];
    size_t size = encode_head(field, bytes.size, head);
    if (bytes_before(rope->file, bytes.bytes) >= size &&
        memcmp(bytes.bytes - size, head, size) == 0)
        bytes = (Span){bytes.bytes - size, bytes.size + size};
    else
        put(rope, head, size);
    rope_span(rope, bytes);
}

void rope_elements(Rope *rope, uint32_t field, const Tensor *tensor)
{
    size_t size = data_size(tensor);
    put_head(rope, field, size);
    if (!tensor->formula)
        rope_span(rope, (Span){tensor->data, size});
    else if (size > 0)
        add_piece(
            rope,
            (Piece){.tensor = tensor, .size = size, .kind = PIECE_TENSOR});
}

void rope_string(Rope *rope, uint32_t field, const char *text)
{
    rope_bytes(rope, field, (Span){(const uint8_t *)text, strlen(text)});
}

void rope_text(Rope *rope, uint32_t field, const char *text)
{
    size_t size = strlen(text);
    put_head(rope, field, size);
    put(rope, text, size);
}

/* Takes the pieces over. */
static void splice(Rope *rope, const Rope *message)
{
    if (!message->first)
        return;
    if (rope->last)
        rope->last->next = message->first;
    else
        rope->first = message->first;
    rope->last = message->last;
    rope->size += message->size;
}

static void copy_pieces(Rope *rope, const Rope *message)
{
    for (const Piece *piece = message->first; piece; piece = piece->next) {
        if (piece->kind == PIECE_TENSOR)
            add_piece(rope, *piece);
        else if (piece->kind == PIECE_ROOM || piece->size <= COPY_MOST)
            put(rope, piece->bytes, piece->size);
        else
            add_bytes(rope, piece->bytes, piece->size, PIECE_SPAN);
    }
}

void rope_message(Rope *rope, uint32_t field, Rope *message)
{
    put_head(rope, field, message->size);
    if (message->arena == rope->arena)
        splice(rope, message);
    else
        copy_pieces(rope, message);
}
