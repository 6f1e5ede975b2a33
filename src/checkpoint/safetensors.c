/*
 * The header is one JSON object: of each tensor its dtype, shape and
 * data_offsets, and perhaps __metadata__, an object of strings. Only that is
 * read; the tensors must fill the rest of the file, without gap or overlap, as
 * the format's own reader demands.
 */
#include "checkpoint/safetensors.h"

#include <stdlib.h>
#include <string.h>

#include "base/map.h"

enum { LENGTH_BYTES = 8, HEADER_MAX = 100 << 20 };

typedef struct Header {
    Arena *arena;
    const char *start, *at, *end;
    const uint8_t *data; /* what offsets count from */
    size_t data_size;
    Map *seen;
    Checkpoint *out;
    size_t capacity;
    Err *err;
} Header;

static uint64_t read_length(const uint8_t *bytes)
{
    uint64_t length = 0;
    for (int i = 0; i < LENGTH_BYTES; i++)
        length |= (uint64_t)bytes[i] << 8 * i;
    return length;
}

/* An ONNX model may have a brace there too, but no four zeros before it: they
 * would be tags. */
bool safetensors_is(const uint8_t *bytes, size_t size)
{
    return size > LENGTH_BYTES && bytes[LENGTH_BYTES] == '{' &&
           read_length(bytes) <= UINT32_MAX;
}

static int bad(Header *header, const char *what)
{
    return err_set(header->err, ERR_BAD_CHECKPOINT, "header, byte %zu: %s",
                   (size_t)(header->at - header->start), what);
}

/* ---- JSON, as much of it as there may be ---- */

static char peek(Header *header)
{
    while (header->at < header->end && strchr(" \t\r\n", *header->at) &&
           *header->at)
        header->at++;
    return header->at < header->end ? *header->at : '\0';
}

static bool accept(Header *header, char wanted)
{
    if (peek(header) != wanted || header->at == header->end)
        return false;
    header->at++;
    return true;
}

static int expect(Header *header, char wanted)
{
    char text[] = "'x' was expected";
    text[1] = wanted;
    return accept(header, wanted) ? 0 : bad(header, text);
}

/* A whole number from 0 up. */
static int read_number(Header *header, int64_t *out)
{
    int64_t number = 0;
    if (peek(header) < '0' || *header->at > '9')
        return bad(header, "a whole number was expected");
    const char *start = header->at;
    for (; header->at < header->end && *header->at >= '0' && *header->at <= '9';
         header->at++)
        if (__builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, *header->at - '0', &number))
            return bad(header, "the number is too large");
    if (*start == '0' && header->at - start > 1)
        return bad(header, "the number begins with 0");
    *out = number;
    return 0;
}

/* The four digits of \uXXXX. */
static int read_hex(Header *header, unsigned *out)
{
    static const char digits[] = "0123456789abcdef";
    *out = 0;
    for (int i = 0; i < 4; i++, header->at++) {
        char letter = header->at < header->end ? *header->at : '\0';
        if (letter >= 'A' && letter <= 'F')
            letter = (char)(letter - 'A' + 'a');
        const char *digit = letter ? strchr(digits, letter) : NULL;
        if (!digit)
            return bad(header, "\\u needs four hexadecimal digits");
        *out = *out << 4 | (unsigned)(digit - digits);
    }
    return 0;
}

static char *put_utf8(char *to, unsigned code)
{
    if (code < 0x80) {
        *to++ = (char)code;
        return to;
    }
    int more = code < 0x800 ? 1 : 2;
    *to++ = (char)((more == 1 ? 0xc0 : 0xe0) | code >> 6 * more);
    while (more-- > 0)
        *to++ = (char)(0x80 | (code >> 6 * more & 0x3f));
    return to;
}

/* What follows a backslash. No name needs a character beyond 0xffff, written
 * as two escapes. */
static int read_escape(Header *header, char **to)
{
    static const char letters[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    unsigned code;
    char letter = header->at < header->end ? *header->at++ : '\0';
    const char *found = letter ? strchr(letters, letter) : NULL;
    if (found) {
        *(*to)++ = meant[found - letters];
        return 0;
    }
    if (letter != 'u')
        return bad(header, "an unknown escape");
    TRY(read_hex(header, &code));
    if (code == 0 || (code >= 0xd800 && code < 0xe000))
        return bad(header, "a character that no name needs");
    *to = put_utf8(*to, code);
    return 0;
}

/* An escape is never shorter than what it stands for. */
static int read_text(Header *header, char **out)
{
    TRY(expect(header, '"'));
    const char *end = header->at;
    while (end < header->end && *end != '"')
        end += *end == '\\' ? 2 : 1;
    if (end >= header->end)
        return bad(header, "a string does not end");
    char *to = arena_alloc(header->arena, (size_t)(end - header->at) + 1);
    *out = to;
    while (*header->at != '"') {
        if ((unsigned char)*header->at < ' ')
            return bad(header, "a control character in a string");
        if (*header->at != '\\')
            *to++ = *header->at++;
        else if (header->at++, read_escape(header, &to) < 0)
            return -1;
    }
    header->at++;
    return 0;
}

/* Numbers in brackets; the count, or -1. */
static int read_numbers(Header *header, int64_t *out, int most)
{
    int count = 0;
    TRY(expect(header, '['));
    if (accept(header, ']'))
        return 0;
    do {
        if (count == most)
            return bad(header, "too many numbers");
        TRY(read_number(header, &out[count++]));
    } while (accept(header, ','));
    TRY(expect(header, ']'));
    return count;
}

/* ---- Tensors ---- */

static int find_element(Header *header, const char *name, Element *out)
{
    static const char *const names[] = {
#define ELEMENT(id, size, storage, dtype, name) name,
#include "checkpoint/element.def"
#undef ELEMENT
    };
    for (int i = 0; i < ELEMENT_COUNT; i++)
        if (*name && strcmp(names[i], name) == 0) {
            *out = (Element)i;
            return 0;
        }
    return err_set(header->err, ERR_BAD_CHECKPOINT,
                   "header, byte %zu: unknown dtype %.32s",
                   (size_t)(header->at - header->start), name);
}

enum { HAS_DTYPE = 1, HAS_SHAPE = 2, HAS_OFFSETS = 4, HAS_ALL = 7 };

/* One field of a tensor's object. */
static int read_field(Header *header, CheckpointTensor *tensor,
                      int64_t offsets[2], int *has)
{
    char *field, *dtype;
    int flag, count;
    TRY(read_text(header, &field));
    TRY(expect(header, ':'));
    if (strcmp(field, "dtype") == 0) {
        flag = HAS_DTYPE;
        TRY(read_text(header, &dtype));
        TRY(find_element(header, dtype, &tensor->element));
    } else if (strcmp(field, "shape") == 0) {
        flag = HAS_SHAPE;
        TRY(tensor->rank = read_numbers(header, tensor->dims, CHECKPOINT_RANK));
    } else if (strcmp(field, "data_offsets") == 0) {
        flag = HAS_OFFSETS;
        TRY(count = read_numbers(header, offsets, 2));
        if (count != 2)
            return bad(header, "data_offsets are two numbers");
    } else {
        return bad(header, "an unknown field");
    }
    if (*has & flag)
        return bad(header, "a field is given twice");
    *has |= flag;
    return 0;
}

/* Row-major strides, and that the bytes are as many as the shape needs. */
static int place_tensor(Header *header, CheckpointTensor *tensor,
                        const int64_t offsets[2])
{
    int64_t bytes;
    tensor->count = 1;
    for (int i = tensor->rank; i-- > 0;) {
        tensor->strides[i] = tensor->count;
        if (__builtin_mul_overflow(tensor->count, tensor->dims[i],
                                   &tensor->count))
            return bad(header, "the shape is too large");
    }
    if (__builtin_mul_overflow(tensor->count,
                               (int64_t)element_size(tensor->element), &bytes))
        return bad(header, "the shape is too large");
    if (offsets[0] > offsets[1] || (uint64_t)offsets[1] > header->data_size)
        return bad(header, "data_offsets reach beyond the file");
    if (bytes != offsets[1] - offsets[0])
        return bad(header, "data_offsets do not fit the shape");
    tensor->bytes = header->data + offsets[0];
    return 0;
}

static int read_tensor(Header *header, const char *name)
{
    Checkpoint *out = header->out;
    int64_t offsets[2];
    int has = 0;
    if (map_get(header->seen, name))
        return err_set(header->err, ERR_BAD_CHECKPOINT,
                       "two tensors are called %.200s", name);
    if (out->count == CHECKPOINT_TENSORS)
        return err_set(header->err, ERR_BUDGET, "more than %d tensors",
                       CHECKPOINT_TENSORS);
    out->tensors = arena_grow(header->arena, out->tensors, &header->capacity,
                              out->count + 1, sizeof *out->tensors);
    CheckpointTensor *tensor = &out->tensors[out->count++];
    tensor->name = name;
    map_put(header->seen, name, header);
    TRY(expect(header, '{'));
    do
        TRY(read_field(header, tensor, offsets, &has));
    while (accept(header, ','));
    TRY(expect(header, '}'));
    if (has != HAS_ALL)
        return bad(header, "a tensor needs dtype, shape and data_offsets");
    return place_tensor(header, tensor, offsets);
}

static int read_metadata(Header *header)
{
    char *text;
    TRY(expect(header, '{'));
    if (accept(header, '}'))
        return 0;
    do {
        TRY(read_text(header, &text));
        TRY(expect(header, ':'));
        TRY(read_text(header, &text));
    } while (accept(header, ','));
    return expect(header, '}');
}

static int read_header(Header *header)
{
    char *name;
    TRY(expect(header, '{'));
    if (!accept(header, '}')) {
        do {
            TRY(read_text(header, &name));
            TRY(expect(header, ':'));
            if (strcmp(name, "__metadata__") == 0)
                TRY(read_metadata(header));
            else if (read_tensor(header, name) < 0)
                return err_prefix(header->err, "%.200s", name);
        } while (accept(header, ','));
        TRY(expect(header, '}'));
    }
    peek(header);
    return header->at == header->end ? 0 : bad(header, "more follows its end");
}

static int by_place(const void *a, const void *b)
{
    const CheckpointTensor *x = *(const CheckpointTensor *const *)a;
    const CheckpointTensor *y = *(const CheckpointTensor *const *)b;
    if (x->bytes != y->bytes)
        return x->bytes < y->bytes ? -1 : 1;
    return (x->count > y->count) - (x->count < y->count);
}

/* The tensors, one after the other, are the rest of the file. */
static int check_places(const Header *header)
{
    const Checkpoint *out = header->out;
    const uint8_t *end = header->data;
    const CheckpointTensor **order =
        arena_array(header->arena, out->count + 1, sizeof *order);
    for (size_t i = 0; i < out->count; i++)
        order[i] = &out->tensors[i];
    qsort(order, out->count, sizeof *order, by_place);
    for (size_t i = 0; i < out->count; i++) {
        if (order[i]->bytes != end)
            return err_set(header->err, ERR_BAD_CHECKPOINT,
                           "%.200s: its bytes %s", order[i]->name,
                           order[i]->bytes < end ? "overlap another tensor's"
                                                 : "come after a gap");
        end += (size_t)order[i]->count * element_size(order[i]->element);
    }
    if (end != header->data + header->data_size)
        return err_set(header->err, ERR_BAD_CHECKPOINT,
                       "%zu bytes follow the last tensor",
                       (size_t)(header->data + header->data_size - end));
    return 0;
}

int safetensors_read(Arena *arena, const uint8_t *bytes, size_t size,
                     Checkpoint *out, Err *err)
{
    uint64_t length = read_length(bytes);
    if (length > size - LENGTH_BYTES)
        return err_set(err, ERR_BAD_CHECKPOINT,
                       "its header is %llu bytes long, and the file %zu",
                       (unsigned long long)length, size);
    if (length > HEADER_MAX)
        return err_set(err, ERR_BAD_CHECKPOINT,
                       "its header of %llu bytes is longer than the %d that "
                       "the format allows",
                       (unsigned long long)length, HEADER_MAX);
    const char *start = (const char *)bytes + LENGTH_BYTES;
    Header header = {.arena = arena,
                     .start = start,
                     .at = start,
                     .end = start + length,
                     .data = (const uint8_t *)start + length,
                     .data_size = size - LENGTH_BYTES - (size_t)length,
                     .seen = map_new(arena),
                     .out = out,
                     .err = err};
    out->format = "safetensors";
    out->key = "";
    TRY(read_header(&header));
    return check_places(&header);
}
