#include <string.h>

#include "onnx/extdata.h"
#include "onnx/read.h"
#include "onnx/unpack.h"
#include "onnx/wire.h"

/* Numbers of TensorProto's fields. */
enum {
    DIMS = 1,
    DATA_TYPE = 2,
    SEGMENT = 3,
    FLOAT_DATA = 4,
    INT32_DATA = 5,
    STRING_DATA = 6,
    INT64_DATA = 7,
    RAW_DATA = 9,
    DOUBLE_DATA = 10,
    UINT64_DATA = 11,
    DATA_LOCATION = 14
};

/* TensorProto.DataLocation. */
enum { EXTERNAL = 1 };

/* The fields that can hold elements, raw_data last. */
static const struct {
    uint32_t field;
    WireType entry;
    const char *name;
} stores[] = {
    {FLOAT_DATA, WIRE_FIXED32, "float_data"},
    {INT32_DATA, WIRE_VARINT, "int32_data"},
    {STRING_DATA, WIRE_BYTES, "string_data"},
    {INT64_DATA, WIRE_VARINT, "int64_data"},
    {DOUBLE_DATA, WIRE_FIXED64, "double_data"},
    {UINT64_DATA, WIRE_VARINT, "uint64_data"},
    {RAW_DATA, WIRE_BYTES, "raw_data"},
};
enum { STORES = sizeof stores / sizeof *stores, RAW = STORES - 1 };

/* A TensorProto as it stands in the file. */
typedef struct Parts {
    Span source;
    int64_t type;
    size_t rank; /* may be beyond RANK_MAX; `dims` has the first */
    int64_t dims[RANK_MAX];
    size_t entries[STORES]; /* bytes of raw_data, elements of the others */
    Span chunk[STORES];     /* the last piece of each */
    size_t chunks[STORES];
    bool has_segment;
    uint64_t location;
} Parts;

static void add_dim(Parts *parts, uint64_t dim)
{
    if (parts->rank < RANK_MAX)
        parts->dims[parts->rank] = (int64_t)dim;
    parts->rank++;
}

static void add_dims(Parts *parts, const Field *field)
{
    if (field->type != WIRE_BYTES) {
        add_dim(parts, field->value);
        return;
    }
    Wire wire = wire_over(field->payload);
    uint64_t dim;
    while (wire_number(&wire, WIRE_VARINT, &dim))
        add_dim(parts, dim);
}

/* How many numbers a packed array holds: each varint has one last byte. */
static size_t packed_count(WireType entry, Span array)
{
    if (entry != WIRE_VARINT)
        return array.size / (entry == WIRE_FIXED32 ? 4 : 8);
    size_t count = 0;
    for (size_t i = 0; i < array.size; i++)
        count += array.bytes[i] < 0x80;
    return count;
}

static void add_elements(Parts *parts, const Field *field)
{
    for (size_t i = 0; i < STORES; i++) {
        if (stores[i].field != field->number)
            continue;
        bool packed =
            stores[i].entry != WIRE_BYTES && field->type == WIRE_BYTES;
        parts->chunks[i]++;
        parts->chunk[i] = field->payload;
        parts->entries[i] += i == RAW ? field->payload.size
                             : packed
                                 ? packed_count(stores[i].entry, field->payload)
                                 : 1;
    }
}

static void read_parts(Span source, Parts *parts)
{
    *parts = (Parts){.source = source};
    Wire wire = wire_over(source);
    Field field;
    while (wire_next(&wire, &field)) {
        switch (field.number) {
        case DIMS:
            add_dims(parts, &field);
            break;
        case DATA_TYPE:
            parts->type = (int32_t)(uint32_t)field.value;
            break;
        case SEGMENT:
            parts->has_segment = true;
            break;
        case DATA_LOCATION:
            parts->location = field.value;
            break;
        default:
            add_elements(parts, &field);
        }
    }
}

/* The typed field that goes with a type (the table in TensorProto). */
static uint32_t field_of_type(int64_t type)
{
    switch (type) {
    case DT_FLOAT:
    case DT_COMPLEX64:
        return FLOAT_DATA;
    case DT_DOUBLE:
    case DT_COMPLEX128:
        return DOUBLE_DATA;
    case DT_INT64:
        return INT64_DATA;
    case DT_UINT32:
    case DT_UINT64:
        return UINT64_DATA;
    case DT_STRING:
        return STRING_DATA;
    default:
        return INT32_DATA;
    }
}

/* The one store that is used, -1 for none. */
static int find_store(const Parts *parts, int *store, Err *err)
{
    *store = -1;
    for (int i = 0; i < STORES; i++) {
        if (parts->entries[i] == 0)
            continue;
        if (*store >= 0)
            return err_set(err, ERR_BAD_TENSOR, "has both %s and %s",
                           stores[*store].name, stores[i].name);
        *store = i;
    }
    if (*store < 0 || parts->type >= DT_COUNT)
        return 0;
    bool fits = *store == RAW
                    ? parts->type != DT_STRING
                    : stores[*store].field == field_of_type(parts->type);
    return fits ? 0
                : err_set(err, ERR_BAD_TENSOR,
                          "has %s, which does not go with its type %s",
                          stores[*store].name, dtype_name((DType)parts->type));
}

static int check_parts(const Parts *parts, Err *err)
{
    if (parts->location > EXTERNAL)
        return err_set(err, ERR_BAD_TENSOR,
                       "has the unknown data location %llu",
                       (unsigned long long)parts->location);
    if (parts->has_segment)
        return err_set(err, ERR_BAD_TENSOR,
                       "is stored in segments, which no ONNX version defines");
    if (parts->type <= 0)
        return err_set(err, ERR_BAD_TENSOR, "has no data type");
    for (size_t i = 0; i < parts->rank && i < RANK_MAX; i++)
        if (parts->dims[i] < 0)
            return err_set(err, ERR_BAD_TENSOR, "has the negative dim %lld",
                           (long long)parts->dims[i]);
    return 0;
}

/* Stores one number of a typed field as an element of `size` bytes; false when
 * it does not fit there. */
static bool put_entry(DType type, uint64_t number, uint8_t *out, size_t size)
{
    int64_t value = (int64_t)number;
    if (field_of_type(type) == INT32_DATA) {
        bool is_signed =
            type == DT_INT8 || type == DT_INT16 || type == DT_INT32;
        value = (int32_t)(uint32_t)number;
        int64_t span = type == DT_BOOL ? 2 : (int64_t)1 << (8 * size);
        int64_t low = is_signed ? -span / 2 : 0;
        if (value < low || value >= low + span)
            return false;
    } else if (type == DT_UINT32 && number > UINT32_MAX) {
        return false;
    }
    memcpy(out, &value, size);
    return true;
}

/* Walks all numbers of a typed field, in one array or several, or one by
 * one. */
typedef struct Entries {
    Wire message, array;
    uint32_t field;
    WireType entry;
} Entries;

static bool next_entry(Entries *entries, uint64_t *number)
{
    Field field;
    while (!wire_number(&entries->array, entries->entry, number)) {
        do
            if (!wire_next(&entries->message, &field))
                return false;
        while (field.number != entries->field);
        if (field.type != WIRE_BYTES) {
            *number = field.value;
            return true;
        }
        entries->array = wire_over(field.payload);
    }
    return true;
}

/* Elements of a typed field, packed as raw_data would hold them. */
static int convert(Arena *arena, const Parts *parts, int store, Span *out,
                   Err *err)
{
    DType type = (DType)parts->type;
    WireType entry = stores[store].entry;
    size_t size = entry == WIRE_FIXED32   ? 4
                  : entry == WIRE_FIXED64 ? 8
                                          : dtype_size(type);
    uint8_t *bytes = arena_block(arena, parts->entries[store], size);
    Entries entries = {.message = wire_over(parts->source),
                       .field = stores[store].field,
                       .entry = entry};
    uint64_t number;
    for (size_t i = 0; next_entry(&entries, &number); i++) {
        uint8_t *at = bytes + i * size;
        if (entry != WIRE_VARINT)
            memcpy(at, &number, size);
        else if (!put_entry(type, number, at, size))
            return err_set(err, ERR_BAD_TENSOR,
                           "element %zu of %s is out of the range of %s", i,
                           stores[store].name, dtype_name(type));
    }
    *out = (Span){bytes, parts->entries[store] * size};
    return 0;
}

/* The elements in another file. */
static int find_external(Arena *arena, External *external, const Parts *parts,
                         int store, Span *out, Err *err)
{
    if (store >= 0)
        return err_set(err, ERR_EXTERNAL_DATA,
                       "has both %s and data in another file",
                       stores[store].name);
    if (!external || parts->type == DT_STRING)
        return err_set(err, ERR_EXTERNAL_DATA, "%s in another file",
                       external ? "is of strings, which cannot be"
                                : "belongs to no model and has its data");
    return external_find(external, arena, parts->source, out, err);
}

/* The elements, in the file where they are packed there. */
static int find_elements(Arena *arena, const Parts *parts, int store, Span *out,
                         Err *err)
{
    *out = (Span){0};
    if (store < 0)
        return 0;
    bool packed = stores[store].entry != WIRE_VARINT &&
                  parts->chunks[store] == 1 && parts->chunk[store].size > 0;
    if (!packed)
        return convert(arena, parts, store, out, err);
    *out = parts->chunk[store];
    return 0;
}

/* Bits of an element, 0 where it has no fixed size. */
static uint64_t element_bits(int64_t type)
{
    switch (type) {
    case DT_UINT4:
    case DT_INT4:
    case DT_FLOAT4E2M1:
        return 4;
    case DT_UINT2:
    case DT_INT2:
        return 2;
    default:
        return type < DT_COUNT ? 8 * dtype_size((DType)type) : 0;
    }
}

/* A tensor whose elements are not looked into. What is stored must still be
 * what the type and dims ask for, where that is known. */
static int make_opaque(Arena *arena, const Parts *parts, int store,
                       const Span *external, Tensor **out, Err *err)
{
    if (parts->rank > RANK_MAX) {
        *out = arena_alloc(arena, sizeof **out);
        return 0;
    }
    DType type = parts->type < DT_COUNT ? (DType)parts->type : DT_UNDEFINED;
    /* No element size is known to tensor.c, so it asks for no data. */
    TRY(tensor_new(arena, type, (int)parts->rank, parts->dims, NULL, 0, out,
                   err));
    uint64_t count = (uint64_t)(*out)->count, bits = element_bits(type);
    bool typed = store >= 0 && store != RAW && type != DT_STRING;
    size_t has = store < 0 ? external->size : parts->entries[store];
    uint64_t need = count / 8 * bits + (count % 8 * bits + 7) / 8;
    if (type == DT_STRING)
        need = count;
    /* How many of the small types an entry of int32_data holds is told in two
     * ways: a byte full of them, or four bytes. */
    bool fits = typed ? has <= need && has >= (need + 3) / 4 : has == need;
    if (type == DT_UNDEFINED || fits)
        return 0;
    return err_set(err, ERR_BAD_TENSOR,
                   "%zu %s where its type %s and dims need %llu", has,
                   type == DT_STRING ? "strings"
                   : typed           ? "entries"
                                     : "bytes of data",
                   dtype_name(type), (unsigned long long)need);
}

int read_tensor(Arena *arena, External *external, Span source, Tensor **out,
                Err *err)
{
    Parts parts;
    int store;
    Span elements = {0};
    read_parts(source, &parts);
    TRY(check_parts(&parts, err));
    TRY(find_store(&parts, &store, err));
    bool is_external = parts.location == EXTERNAL;
    if (is_external)
        TRY(find_external(arena, external, &parts, store, &elements, err));
    bool known = parts.type < DT_COUNT && dtype_size((DType)parts.type) > 0;
    if (known && parts.rank <= RANK_MAX) {
        if (!is_external)
            TRY(find_elements(arena, &parts, store, &elements, err));
        TRY(tensor_new(arena, (DType)parts.type, (int)parts.rank, parts.dims,
                       elements.bytes, elements.size, out, err));
    } else {
        TRY(make_opaque(arena, &parts, store, &elements, out, err));
    }
    (*out)->source = source.bytes;
    (*out)->source_size = source.size;
    (*out)->is_external = is_external;
    if (is_external) {
        (*out)->data = elements.bytes;
        (*out)->data_size = elements.size;
    }
    return 0;
}

/* The product of a sparse tensor's dims, all of which are positive. */
static int dense_count(const Onnx__SparseTensorProto *proto, int64_t *count,
                       Err *err)
{
    *count = 1;
    for (size_t i = 0; i < proto->n_dims; i++)
        if (proto->dims[i] < 1)
            return err_set(err, ERR_BAD_TENSOR, "has the dim %lld",
                           (long long)proto->dims[i]);
        else if (__builtin_mul_overflow(*count, proto->dims[i], count))
            return err_set(err, ERR_BAD_TENSOR, "its dims overflow");
    return proto->n_dims > 0 ? 0 : err_set(err, ERR_BAD_TENSOR, "has no dims");
}

/* Where element i is among all, in row-major order; -1 where it is outside.
 * Of rank 1 the indices are just that. */
static int64_t sparse_place(const Onnx__SparseTensorProto *proto,
                            const Tensor *indices, int64_t i, int64_t count)
{
    int64_t place = 0, index;
    if (indices->rank == 1) {
        tensor_read_i64(indices, i, 1, &place);
        return place >= 0 && place < count ? place : -1;
    }
    for (size_t axis = 0; axis < proto->n_dims; axis++) {
        tensor_read_i64(indices, i * indices->dims[1] + (int64_t)axis, 1,
                        &index);
        if (index < 0 || index >= proto->dims[axis])
            return -1;
        place = place * proto->dims[axis] + index;
    }
    return place;
}

static int check_indices(const Onnx__SparseTensorProto *proto,
                         const Tensor *values, const Tensor *indices, Err *err)
{
    int64_t count, last = -1;
    TRY(dense_count(proto, &count, err));
    if (values->rank != 1)
        return err_set(err, ERR_BAD_TENSOR, "its values are no list");
    int64_t held = values->dims[0];
    if (!indices && held > 0)
        return err_set(err, ERR_BAD_TENSOR, "has values and no indices");
    if (!indices)
        return 0;
    bool fits = indices->type == DT_INT64 && indices->rank >= 1 &&
                indices->rank <= 2 && indices->dims[0] == held;
    if (fits && indices->rank == 2)
        fits = (uint64_t)indices->dims[1] == proto->n_dims;
    if (!fits)
        return err_set(err, ERR_BAD_TENSOR,
                       "its indices are not one of int64 for each of %lld "
                       "values",
                       (long long)held);
    for (int64_t i = 0; i < held; i++) {
        int64_t place = sparse_place(proto, indices, i, count);
        if (place <= last)
            return err_set(
                err, ERR_BAD_TENSOR, "its index %lld is %s", (long long)i,
                place < 0 ? "out of range" : "not behind the one before");
        last = place;
    }
    return 0;
}

int read_sparse_tensor(Arena *arena, External *external,
                       const Onnx__SparseTensorProto *proto, Tensor **out,
                       Err *err)
{
    Tensor *values, *indices = NULL;
    if (!proto->values)
        return err_set(err, ERR_BAD_TENSOR, "is sparse and has no values");
    TRY(read_tensor(arena, external, unpack_place(&proto->values->base),
                    &values, err));
    if (proto->indices)
        TRY(read_tensor(arena, external, unpack_place(&proto->indices->base),
                        &indices, err));
    TRY(check_indices(proto, values, indices, err));
    *out = arena_alloc(arena, sizeof **out);
    return 0;
}
