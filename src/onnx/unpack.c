#include "onnx/unpack.h"

#include <string.h>

#include "onnx/wire.h"

/* protobuf-c frees its scratch; what is at least this big is given back. */
enum { BLOCK_MIN = 1024 };

/* Before each allocation, and as big as keeps its alignment. */
typedef union Header {
    bool is_block;
    max_align_t align;
} Header;

static void *unpack_alloc(void *arena, size_t size)
{
    bool is_block = size >= BLOCK_MIN;
    size_t need = size + sizeof(Header);
    Header *header =
        is_block ? arena_block(arena, need, 1) : arena_alloc(arena, need);
    if (!header)
        return NULL;
    header->is_block = is_block;
    return header + 1;
}

static void unpack_free(void *arena, void *memory)
{
    (void)arena;
    Header *header = memory ? (Header *)memory - 1 : NULL;
    if (header && header->is_block)
        arena_release(header);
}

/* What stands for a tensor or graph in the copy that protobuf-c sees: two
 * fields that neither has, and so are kept as unknown ones. */
enum { PLACE_BYTES = 100, PLACE_SIZE = 101 };

/* Tags and lengths are written at full width, so that the size of a message
 * does not depend on the sizes inside it. */
enum { NUMBER_WIDTH = 5, HEAD_WIDTH = 2 * NUMBER_WIDTH };
enum { PLACE_WIDTH = 2 * (NUMBER_WIDTH + 8) };

static uint8_t *put_number(uint8_t *at, size_t number)
{
    for (int i = 0; i < NUMBER_WIDTH; i++)
        *at++ = (uint8_t)((number >> (7 * i) & 0x7f) |
                          (i < NUMBER_WIDTH - 1 ? 0x80 : 0));
    return at;
}

static uint8_t *put_head(uint8_t *at, uint32_t field, size_t size)
{
    at = put_number(at, (size_t)field << 3 | WIRE_BYTES);
    return put_number(at, size);
}

static uint8_t *put_fixed(uint8_t *at, uint32_t field, uint64_t value)
{
    at = put_number(at, (size_t)field << 3 | WIRE_FIXED64);
    memcpy(at, &value, sizeof value);
    return at + sizeof value;
}

static void put_place(uint8_t *at, const Field *field)
{
    at = put_head(at, field->number, PLACE_WIDTH);
    at = put_fixed(at, PLACE_BYTES, (uintptr_t)field->payload.bytes);
    put_fixed(at, PLACE_SIZE, field->payload.size);
}

static bool is_lifted(const ProtobufCMessageDescriptor *type)
{
    return type == &onnx__tensor_proto__descriptor ||
           type == &onnx__graph_proto__descriptor;
}

/* The type of the message in that field, NULL when it is none. */
static const ProtobufCMessageDescriptor *
message_type(const ProtobufCMessageDescriptor *type, const Field *field)
{
    const ProtobufCFieldDescriptor *known =
        protobuf_c_message_descriptor_get_field(type, field->number);
    return known && known->type == PROTOBUF_C_TYPE_MESSAGE ? known->descriptor
                                                           : NULL;
}

/* Copies a message with places instead of tensors and graphs; returns the
 * size, and only measures when `out` is NULL. */
static size_t lift(const ProtobufCMessageDescriptor *type, Span message,
                   uint8_t *out)
{
    size_t size = 0;
    Wire wire = wire_over(message);
    Field field;
    while (wire_next(&wire, &field)) {
        uint8_t *at = out ? out + size : NULL;
        const ProtobufCMessageDescriptor *inner = message_type(type, &field);
        if (inner && is_lifted(inner)) {
            if (at)
                put_place(at, &field);
            size += HEAD_WIDTH + PLACE_WIDTH;
        } else if (inner) {
            size_t n = lift(inner, field.payload, at ? at + HEAD_WIDTH : NULL);
            if (at)
                put_head(at, field.number, n);
            size += HEAD_WIDTH + n;
        } else {
            if (at)
                memcpy(at, field.whole.bytes, field.whole.size);
            size += field.whole.size;
        }
    }
    return size;
}

void *unpack(Arena *arena, const ProtobufCMessageDescriptor *type, Span bytes,
             Err *err)
{
    ProtobufCAllocator allocator = {unpack_alloc, unpack_free, arena};
    size_t size = lift(type, bytes, NULL);
    uint8_t *copy = arena_block(arena, size, 1);
    lift(type, bytes, copy);
    ProtobufCMessage *message =
        protobuf_c_message_unpack(type, &allocator, size, copy);
    arena_release(copy);
    if (!message)
        err_set(err, ERR_MALFORMED, "a %s cannot be unpacked",
                type->short_name);
    return message;
}

Span unpack_place(const ProtobufCMessage *message)
{
    uint64_t bytes = 0, size = 0;
    for (unsigned i = 0; i < message->n_unknown_fields; i++) {
        const ProtobufCMessageUnknownField *field = &message->unknown_fields[i];
        uint64_t *place = field->tag == PLACE_BYTES ? &bytes : &size;
        memcpy(place, field->data, sizeof *place);
    }
    return (Span){(const uint8_t *)(uintptr_t)bytes, (size_t)size};
}
