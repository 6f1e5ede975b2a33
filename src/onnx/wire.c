#include "onnx/wire.h"

#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "numbers are read from the file as they are");

enum { VARINT_MAX = 10, TAG_MAX = 5 };

Wire wire_over(Span message)
{
    /* An empty span may have no address to add to. */
    const uint8_t *end = message.bytes;
    if (message.size > 0)
        end += message.size;
    return (Wire){.at = message.bytes, .end = end};
}

static bool fail(Wire *wire, const char *fault)
{
    wire->fault = fault;
    return false;
}

static bool overrun(Wire *wire, const char *fault)
{
    wire->overrun = true;
    return fail(wire, fault);
}

static bool read_varint(Wire *wire, size_t most, uint64_t *value)
{
    uint64_t sum = 0;
    const uint8_t *at = wire->at;
    for (size_t i = 0; i < most; i++) {
        if (at + i == wire->end)
            return overrun(wire, "a number is cut off");
        sum |= (uint64_t)(at[i] & 0x7f) << (7 * i);
        if (!(at[i] & 0x80)) {
            wire->at += i + 1;
            *value = sum;
            return true;
        }
    }
    return fail(wire, "a number is too long");
}

static bool read_fixed(Wire *wire, size_t size, uint64_t *value)
{
    if ((size_t)(wire->end - wire->at) < size)
        return overrun(wire, "a number is cut off");
    *value = 0;
    memcpy(value, wire->at, size);
    wire->at += size;
    return true;
}

static bool read_payload(Wire *wire, Span *payload)
{
    const uint8_t *start = wire->at;
    uint64_t size;
    if (!read_varint(wire, VARINT_MAX, &size))
        return false;
    if (size > (uint64_t)(wire->end - wire->at)) {
        wire->at = start;
        return overrun(wire, "a length reaches past the end");
    }
    *payload = (Span){wire->at, (size_t)size};
    wire->at += size;
    return true;
}

bool wire_number(Wire *wire, WireType type, uint64_t *value)
{
    if (wire->at == wire->end || wire->fault)
        return false;
    switch (type) {
    case WIRE_VARINT:
        return read_varint(wire, VARINT_MAX, value);
    case WIRE_FIXED64:
        return read_fixed(wire, 8, value);
    case WIRE_FIXED32:
        return read_fixed(wire, 4, value);
    default:
        return fail(wire, "a wire type that does not exist");
    }
}

bool wire_next(Wire *wire, Field *field)
{
    if (wire->at == wire->end || wire->fault)
        return false;
    const uint8_t *start = wire->at;
    uint64_t tag;
    if (!read_varint(wire, TAG_MAX, &tag))
        return false;
    if (tag >> 3 == 0 || tag > UINT32_MAX) {
        wire->at = start;
        return fail(wire, "a field number out of range");
    }
    *field = (Field){.number = (uint32_t)(tag >> 3), .type = tag & 7};
    bool read = field->type == WIRE_BYTES ? read_payload(wire, &field->payload)
                : wire->at == wire->end
                    ? overrun(wire, "a field is cut off")
                    : wire_number(wire, field->type, &field->value);
    field->whole = (Span){start, (size_t)(wire->at - start)};
    return read;
}

bool wire_find(Wire *wire, uint32_t number, WireType type, Field *field)
{
    while (wire_next(wire, field))
        if (field->number == number && field->type == type)
            return true;
    return false;
}

Span wire_bytes(Span message, uint32_t number)
{
    Wire wire = wire_over(message);
    Field field;
    Span bytes = {0};
    while (wire_find(&wire, number, WIRE_BYTES, &field))
        bytes = field.payload;
    return bytes;
}

uint64_t wire_value(Span message, uint32_t number)
{
    Wire wire = wire_over(message);
    Field field;
    uint64_t value = 0;
    while (wire_find(&wire, number, WIRE_VARINT, &field))
        value = field.value;
    return value;
}

const char *wire_string(Arena *arena, Span message, uint32_t number)
{
    Span bytes = wire_bytes(message, number);
    return bytes.size == 0
               ? ""
               : arena_strndup(arena, (const char *)bytes.bytes, bytes.size);
}
