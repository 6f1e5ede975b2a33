#include "onnx/scan.h"

#include <limits.h>
#include <string.h>

#include "base/utf8.h"
#include "onnx.pb-c.h"
#include "onnx/wire.h"

enum { DEPTH_DEFAULT = 100, DEPTH_MAX = 1000 };
enum { DATA_LOCATION = 14 };

typedef ProtobufCMessageDescriptor Type;
typedef ProtobufCFieldDescriptor Known;

typedef struct Scan {
    const uint8_t *base;
    size_t depth_limit;
    size_t external;
    Err *err;
} Scan;

/* One message on the way down. */
typedef struct Level {
    const Type *type;
    size_t depth;
    uint64_t seen; /* bit i: singular field i of the type has been met */
} Level;

static int scan_error(const Scan *scan, ErrCode code, const uint8_t *at,
                      const Level *level, const char *what)
{
    return err_set(scan->err, code, "byte %zu, in a %s: %s",
                   (size_t)(at - scan->base), level->type->short_name, what);
}

static int field_error(const Scan *scan, const Field *field, const Level *level,
                       const Known *known, const char *what)
{
    return err_set(scan->err, ERR_MALFORMED, "byte %zu, in a %s: field %s %s",
                   (size_t)(field->whole.bytes - scan->base),
                   level->type->short_name, known->name, what);
}

static bool is_clean_text(Span span)
{
    const char *text = (const char *)span.bytes;
    for (size_t i = 0, n; i < span.size; i += n)
        if (!text[i] || (n = utf8_sequence(text + i, span.size - i)) == 0)
            return false;
    return true;
}

/* How a number of that type stands in the file; WIRE_BYTES for the rest. */
static WireType wire_type_of(const Known *known)
{
    switch (known->type) {
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_MESSAGE:
        return WIRE_BYTES;
    case PROTOBUF_C_TYPE_FLOAT:
        return WIRE_FIXED32;
    case PROTOBUF_C_TYPE_DOUBLE:
        return WIRE_FIXED64;
    default:
        return WIRE_VARINT;
    }
}

static int scan_packed(const Scan *scan, const Level *level, const Known *known,
                       const Field *field)
{
    Wire wire = wire_over(field->payload);
    WireType type = wire_type_of(known);
    uint64_t value;
    while (wire_number(&wire, type, &value))
        continue;
    return wire.fault
               ? scan_error(scan, ERR_MALFORMED, wire.at, level, wire.fault)
               : 0;
}

static int scan_message(Scan *scan, const Type *type, Span bytes, size_t depth);

static int scan_bytes(Scan *scan, const Level *level, const Known *known,
                      const Field *field)
{
    if (known->type == PROTOBUF_C_TYPE_MESSAGE)
        return scan_message(scan, known->descriptor, field->payload,
                            level->depth + 1);
    if (known->type == PROTOBUF_C_TYPE_STRING && !is_clean_text(field->payload))
        return field_error(scan, field, level, known,
                           "is not UTF-8 without NUL");
    return 0;
}

static int scan_known(Scan *scan, Level *level, const Known *known,
                      const Field *field)
{
    bool repeated = known->label == PROTOBUF_C_LABEL_REPEATED;
    uint64_t bit = (uint64_t)1 << (known - level->type->fields);
    if (!repeated && (level->seen & bit))
        return field_error(scan, field, level, known, "is there twice");
    level->seen |= bit;
    WireType type = wire_type_of(known);
    if (type != WIRE_BYTES && repeated && field->type == WIRE_BYTES)
        return scan_packed(scan, level, known, field);
    if (type != field->type)
        return field_error(scan, field, level, known,
                           "has the wrong wire type");
    scan->external += level->type == &onnx__tensor_proto__descriptor &&
                      known->id == DATA_LOCATION && field->value == 1;
    return type == WIRE_BYTES ? scan_bytes(scan, level, known, field) : 0;
}

/* What stopped the reading of a message.  Only the file itself can be cut
 * off: a message inside it that is too short is wrong. */
static int scan_fault(const Scan *scan, const Wire *wire, const Level *level)
{
    if (wire->overrun && level->depth == 0)
        return err_set(scan->err, ERR_TRUNCATED,
                       "byte %zu: %s: the file is cut off",
                       (size_t)(wire->at - scan->base), wire->fault);
    return scan_error(scan, ERR_MALFORMED, wire->at, level, wire->fault);
}

/* Recursion is as deep as the limit. */
static int scan_message(Scan *scan, const Type *type, Span bytes, size_t depth)
{
    Level level = {.type = type, .depth = depth};
    if (depth > scan->depth_limit)
        return scan_error(scan, ERR_TOO_DEEP, bytes.bytes, &level,
                          "messages are nested too deeply");
    Wire wire = wire_over(bytes);
    Field field;
    while (wire_next(&wire, &field)) {
        const Known *known =
            protobuf_c_message_descriptor_get_field(type, field.number);
        if (known)
            TRY(scan_known(scan, &level, known, &field));
    }
    return wire.fault ? scan_fault(scan, &wire, &level) : 0;
}

static int scan_whole(const Type *type, Span bytes, size_t depth,
                      size_t *external, Err *err)
{
    if (bytes.size == 0)
        return err_set(err, ERR_NOT_ONNX, "the file is empty");
    if (bytes.size > INT_MAX)
        return err_set(err, ERR_BUDGET,
                       "%zu bytes are more than a file of this format can "
                       "have",
                       bytes.size);
    if (depth == 0)
        depth = DEPTH_DEFAULT;
    Scan scan = {
        .base = bytes.bytes,
        .depth_limit = depth < DEPTH_MAX ? depth : DEPTH_MAX,
        .err = err,
    };
    int status = scan_message(&scan, type, bytes, 0);
    *external = scan.external;
    return status;
}

int scan_model(Span bytes, size_t depth, size_t *external, Err *err)
{
    Err fault = {0};
    *external = 0;
    if (scan_whole(&onnx__model_proto__descriptor, bytes, depth, external,
                   &fault) == 0)
        return 0;
    const char *guess = scan_guess(bytes);
    if (guess)
        return err_set(err, ERR_NOT_ONNX, "not an ONNX model: looks like %s",
                       guess);
    return err_set(err, fault.code, "%s", fault.message);
}

int scan_tensor(Span bytes, Err *err)
{
    size_t external;
    return scan_whole(&onnx__tensor_proto__descriptor, bytes, 0, &external,
                      err);
}

/* The first bytes are text, and there are enough of them to tell. */
static bool is_text(Span bytes)
{
    size_t size = bytes.size < 64 ? bytes.size : 64;
    for (size_t i = 0; i < size; i++) {
        uint8_t c = bytes.bytes[i];
        if ((c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7f)
            return false;
    }
    return size >= 4;
}

const char *scan_guess(Span bytes)
{
    static const struct {
        size_t offset;
        const char *magic;
        const char *what;
    } known[] = {
        {0, "\x89PNG\r\n", "a PNG image"},
        {0, "\xff\xd8\xff", "a JPEG image"},
        {0,
         "\x7f"
         "ELF",
         "an ELF program"},
        {0, "\x1f\x8b", "gzip data"},
        {0, "PK\x03\x04", "a zip archive, perhaps a PyTorch checkpoint"},
        {0, "\x80\x02", "a Python pickle, perhaps a PyTorch checkpoint"},
        {0, "\x93NUMPY", "a NumPy array"},
        {0, "\x89HDF\r\n", "an HDF5 file"},
        {4, "TFL3", "a TensorFlow Lite model"},
        {8, "{\"", "a safetensors file"},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        size_t size = strlen(known[i].magic), offset = known[i].offset;
        if (bytes.size >= offset + size &&
            memcmp(bytes.bytes + offset, known[i].magic, size) == 0)
            return known[i].what;
    }
    return is_text(bytes) ? "a text file" : NULL;
}
