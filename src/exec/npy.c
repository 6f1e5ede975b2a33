#include "exec/npy.h"

#include <stdio.h>
#include <string.h>

#include "base/input.h"
#include "exec/array.h"
#include "exec/walk.h"

/*
 * NumPy's NEP 1: "\x93NUMPY", version, length of the header, and the header: a
 * Python dict with 'descr', 'fortran_order' and 'shape'.
 */
static const char magic[] = "\x93NUMPY";
enum { MAGIC = 6, HEADER_MOST = 64 * 1024, ALIGNMENT = 64, PIECE = 4096 };

/* bfloat16 has no code in NumPy. */
static const struct {
    DType type;
    const char *code;
} codes[] = {
    {DT_FLOAT, "f4"},  {DT_DOUBLE, "f8"}, {DT_FLOAT16, "f2"}, {DT_INT8, "i1"},
    {DT_INT16, "i2"},  {DT_INT32, "i4"},  {DT_INT64, "i8"},   {DT_UINT8, "u1"},
    {DT_UINT16, "u2"}, {DT_UINT32, "u4"}, {DT_UINT64, "u8"},  {DT_BOOL, "b1"},
};

typedef struct Header {
    DType type;
    bool big_endian, fortran_order;
    int rank;
    int64_t dims[RANK_MAX];
} Header;

static int bad(const char *why, Err *err)
{
    return err_set(err, ERR_BAD_NPY, "%s", why);
}

/* ---- Reading ---- */

/* The text after `'key':`, or NULL. */
static const char *find_key(const char *header, const char *key)
{
    char quoted[32];
    snprintf(quoted, sizeof quoted, "'%s'", key);
    const char *at = strstr(header, quoted);
    if (!at)
        return NULL;
    at += strlen(quoted);
    at += strspn(at, " ");
    if (*at != ':')
        return NULL;
    at++;
    return at + strspn(at, " ");
}

static int parse_type(const char *text, Header *header, Err *err)
{
    if (!text || *text != '\'')
        return bad("its header has no plain 'descr'", err);
    char order = text[1];
    for (size_t i = 0; order && i < sizeof codes / sizeof *codes; i++)
        if (strncmp(text + 2, codes[i].code, 2) == 0 && text[4] == '\'' &&
            strchr("<>=|", order)) {
            header->type = codes[i].type;
            header->big_endian = order == '>';
            return 0;
        }
    return bad("its element type is not one that ONNX has", err);
}

static int parse_shape(const char *text, Header *header, Err *err)
{
    if (!text || *text++ != '(')
        return bad("its header has no 'shape'", err);
    for (;;) {
        text += strspn(text, " ,");
        if (*text == ')')
            return 0;
        if (header->rank == RANK_MAX)
            return bad("it has too many dimensions", err);
        int64_t dim = 0;
        const char *start = text;
        for (; *text >= '0' && *text <= '9'; text++)
            if (__builtin_mul_overflow(dim, 10, &dim) ||
                __builtin_add_overflow(dim, *text - '0', &dim))
                return bad("a dimension is too large", err);
        if (text == start)
            return bad("its 'shape' is not a list of sizes", err);
        header->dims[header->rank++] = dim;
    }
}

static int parse_header(const char *text, Header *header, Err *err)
{
    const char *order = find_key(text, "fortran_order");
    TRY(parse_type(find_key(text, "descr"), header, err));
    TRY(parse_shape(find_key(text, "shape"), header, err));
    if (!order || (strncmp(order, "True", 4) && strncmp(order, "False", 5)))
        return bad("its header has no 'fortran_order'", err);
    header->fortran_order = *order == 'T';
    return 0;
}

/* The header as text, and where the elements begin. */
static int find_header(Arena *arena, const char *bytes, size_t size,
                       const char **text, size_t *start, Err *err)
{
    const unsigned char *u = (const unsigned char *)bytes;
    if (size < MAGIC + 4 || memcmp(bytes, magic, MAGIC) != 0)
        return bad("it is not a .npy file", err);
    if (u[MAGIC] < 1 || u[MAGIC] > 3)
        return bad("its version is not 1, 2 or 3", err);
    size_t prefix = u[MAGIC] == 1 ? MAGIC + 4 : MAGIC + 6;
    size_t length = u[MAGIC + 2] | (size_t)u[MAGIC + 3] << 8;
    if (u[MAGIC] > 1 && size >= prefix)
        length |= (size_t)u[MAGIC + 4] << 16 | (size_t)u[MAGIC + 5] << 24;
    if (size < prefix || length > HEADER_MOST || length > size - prefix)
        return bad("its header is cut off", err);
    *text = arena_strndup(arena, bytes + prefix, length);
    *start = prefix + length;
    return 0;
}

/* A copy with the bytes of each element the other way round. */
static const char *reversed(Arena *arena, const char *bytes, size_t count,
                            size_t size)
{
    char *copy = arena_block(arena, count, size);
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < size; k++)
            copy[i * size + k] = bytes[i * size + size - 1 - k];
    return copy;
}

/* Where elements come from and go to. */
typedef struct Copy {
    const char *from;
    char *to;
    size_t size;  /* of an element */
    int64_t step; /* between those of a stretch */
} Copy;

static void copy_stretch(void *context, int64_t position,
                         const int64_t *offsets, int64_t count)
{
    const Copy *copy = context;
    for (int64_t i = 0; i < count; i++)
        memcpy(copy->to + (size_t)(position + i) * copy->size,
               copy->from + (size_t)(offsets[0] + i * copy->step) * copy->size,
               copy->size);
}

/* Column-major to row-major. */
static void reorder(const Header *header, size_t size, const char *from,
                    char *to, int64_t count)
{
    Walk walk;
    int64_t strides[RANK_MAX], stride = 1;
    if (count == 0)
        return;
    for (int axis = 0; axis < header->rank; axis++) {
        strides[axis] = stride;
        stride *= header->dims[axis];
    }
    walk_init(&walk, header->rank, header->dims);
    walk_add(&walk, strides);
    walk_ready(&walk);
    Copy copy = {from, to, size, walk_step(&walk, 0)};
    walk_run(&walk, 0, count, copy_stretch, &copy);
}

/* The elements in the order and byte order of a Tensor. */
static Tensor *arranged(Arena *arena, const Header *header, Tensor *tensor)
{
    size_t element = dtype_size(header->type);
    void *data;
    if (header->big_endian)
        tensor->data =
            reversed(arena, tensor->data, (size_t)tensor->count, element);
    if (!header->fortran_order || header->rank < 2)
        return tensor;
    Tensor *row_major =
        tensor_alloc(arena, header->type, header->rank, header->dims, &data);
    reorder(header, element, tensor->data, data, tensor->count);
    return row_major;
}

int npy_parse(Arena *arena, const void *bytes, size_t size, Tensor **out,
              Err *err)
{
    const char *text = NULL, *start = bytes;
    size_t length = 0;
    Header header = {0};
    TRY(find_header(arena, bytes, size, &text, &length, err));
    TRY(parse_header(text, &header, err));
    TRY(tensor_new(arena, header.type, header.rank, header.dims, start + length,
                   size - length, out, err));
    *out = arranged(arena, &header, *out);
    return 0;
}

int npy_read(Arena *arena, const char *path, Tensor **out, Err *err)
{
    InputFile file;
    return input_open(arena, path, SIZE_MAX, &file, err) < 0 ||
                   npy_parse(arena, file.bytes.bytes, file.bytes.size, out,
                             err) < 0
               ? err_about(err, path)
               : 0;
}

/* ---- Writing ---- */

static const char *code_of(DType type)
{
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (codes[i].type == type)
            return codes[i].code;
    return NULL;
}

static const char *header_text(Arena *arena, const Array *array,
                               const char *code)
{
    const char *shape = "";
    for (int i = 0; i < array->rank; i++)
        shape = arena_printf(arena, "%s%s%lld%s", shape, i > 0 ? ", " : "",
                             (long long)array->dims[i],
                             array->rank == 1 ? "," : "");
    return arena_printf(
        arena, "{'descr': '%c%s', 'fortran_order': False, 'shape': (%s), }",
        dtype_size(array->type) == 1 ? '|' : '<', code, shape);
}

/* All that comes before the elements, which are aligned. */
static Span make_header(Arena *arena, const Array *array, const char *code)
{
    const char *text = header_text(arena, array, code);
    size_t length = strlen(text) + 1; /* and a newline */
    size_t size = (MAGIC + 4 + length + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    size_t padded = size - (MAGIC + 4);
    uint8_t *bytes = arena_alloc(arena, size);
    memcpy(bytes, magic, MAGIC);
    bytes[MAGIC] = 1;
    bytes[MAGIC + 2] = (uint8_t)(padded & 0xff);
    bytes[MAGIC + 3] = (uint8_t)(padded >> 8);
    memset(bytes + MAGIC + 4, ' ', padded);
    memcpy(bytes + MAGIC + 4, text, length - 1);
    bytes[size - 1] = '\n';
    return (Span){bytes, size};
}

int npy_write(Arena *arena, const Array *array, Precision precision, Sink *sink,
              Err *err)
{
    char piece[PIECE * sizeof(double)];
    size_t size = dtype_size(array->type);
    const char *code = code_of(array->type);
    if (!code)
        return err_set(err, ERR_BAD_NPY, "a .npy file cannot hold %s",
                       dtype_name(array->type));
    Span header = make_header(arena, array, code);
    TRY(sink->write(sink, header.bytes, header.size, err));
    for (int64_t done = 0, now; done < array->count; done += now) {
        now = array->count - done < PIECE ? array->count - done : PIECE;
        array_store(array, precision, done, now, piece);
        TRY(sink->write(sink, piece, (size_t)now * size, err));
    }
    return 0;
}
