#include "text.h"

#include <check.h>
#include <ctype.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/half.h"

/* The text that is left. */
typedef struct Reader {
    const char *at;
} Reader;

typedef struct Word {
    char text[128];
} Word;

/* ---- Tokens ---- */

static void skip(Reader *reader)
{
    while (isspace((unsigned char)*reader->at))
        reader->at++;
}

static bool accept(Reader *reader, const char *token)
{
    skip(reader);
    size_t length = strlen(token);
    if (strncmp(reader->at, token, length) != 0)
        return false;
    reader->at += length;
    return true;
}

static void expect(Reader *reader, const char *token)
{
    ck_assert_msg(accept(reader, token), "'%s' is missing at: %s", token,
                  reader->at);
}

/* A name; empty where there is none. */
static Word word(Reader *reader)
{
    Word word = {""};
    size_t length = 0;
    skip(reader);
    while (isalnum((unsigned char)*reader->at) ||
           (*reader->at && strchr("_/.%?-", *reader->at) &&
            strncmp(reader->at, "->", 2) != 0)) {
        ck_assert_uint_lt(length, sizeof word.text - 1);
        word.text[length++] = *reader->at++;
    }
    return word;
}

static bool begins_number(const Reader *reader)
{
    return isdigit((unsigned char)*reader->at) || *reader->at == '-' ||
           strncmp(reader->at, "nan", 3) == 0 ||
           strncmp(reader->at, "inf", 3) == 0;
}

/* ---- Types and tensors ---- */

static const struct {
    const char *name;
    int number; /* TensorProto.DataType */
    size_t size;
} types[] = {{"f32", 1, 4},  {"u8", 2, 1},   {"i8", 3, 1},   {"u16", 4, 2},
             {"i16", 5, 2},  {"i32", 6, 4},  {"i64", 7, 8},  {"str", 8, 0},
             {"bool", 9, 1}, {"f16", 10, 2}, {"f64", 11, 8}, {"u32", 12, 4},
             {"u64", 13, 8}, {"c64", 14, 8}, {"bf16", 16, 2}};

enum { TYPE_COUNT = sizeof types / sizeof *types, DIMS_MAX = 40 };

static int accept_type(Reader *reader)
{
    skip(reader);
    for (int i = 0; i < TYPE_COUNT; i++) {
        size_t length = strlen(types[i].name);
        if (strncmp(reader->at, types[i].name, length) == 0 &&
            !isalnum((unsigned char)reader->at[length])) {
            reader->at += length;
            return i;
        }
    }
    return -1;
}

static void put_element(Proto *data, int type, double value)
{
    int64_t integer = isfinite(value) ? (int64_t)value : 0;
    float single = (float)value;
    uint16_t half = half_from_double(value);
    const void *bytes = types[type].number == 1    ? (const void *)&single
                        : types[type].number == 11 ? (const void *)&value
                        : types[type].number == 10 ? (const void *)&half
                                                   : (const void *)&integer;
    ck_assert_uint_le(data->size + types[type].size, sizeof data->bytes);
    memcpy(data->bytes + data->size, bytes, types[type].size);
    data->size += types[type].size;
}

static void read_elements(Reader *reader, Proto *data, int type)
{
    while (!accept(reader, ")")) {
        char *end;
        put_element(data, type, strtod(reader->at, &end));
        ck_assert_msg(end > reader->at, "no number at: %s", reader->at);
        reader->at = end;
        accept(reader, ",");
    }
}

/* A TensorProto, behind its type. */
static void read_tensor(Reader *reader, Proto *tensor, int type,
                        const char *name)
{
    Proto data = {.size = 0};
    int64_t count = 1;
    proto_int(tensor, 2, (uint64_t)types[type].number);
    proto_text(tensor, 8, name);
    expect(reader, "[");
    while (!accept(reader, "]")) {
        int64_t dim = strtoll(word(reader).text, NULL, 10);
        proto_int(tensor, 1, (uint64_t)dim);
        count *= dim;
        accept(reader, ",");
    }
    if (accept(reader, "("))
        read_elements(reader, &data, type);
    else
        while (count-- > 0)
            put_element(&data, type, 1);
    proto_bytes(tensor, 9, data.bytes, data.size);
}

/* A ValueInfoProto; no shape where there is none. */
static void read_value(Reader *reader, Proto *value, const char *name, int type)
{
    Proto shape = {.size = 0}, tensor = shape, outer = shape;
    proto_int(&tensor, 1, (uint64_t)types[type].number);
    if (accept(reader, "[")) {
        while (!accept(reader, "]")) {
            Proto dim = {.size = 0};
            Word size = word(reader);
            if (isdigit((unsigned char)size.text[0]) || size.text[0] == '-')
                proto_int(&dim, 1, (uint64_t)strtoll(size.text, NULL, 10));
            else if (strcmp(size.text, "?") != 0)
                proto_text(&dim, 2, size.text);
            proto_message(&shape, 1, &dim);
            accept(reader, ",");
        }
        proto_message(&tensor, 2, &shape);
    }
    proto_message(&outer, 1, &tensor);
    proto_text(value, 1, name);
    proto_message(value, 2, &outer);
}

/* ---- Attributes ---- */

enum { FLOAT = 1, INT, STRING, TENSOR, GRAPH, FLOATS, INTS };

static void read_graph(Reader *reader, Proto *graph, Proto *model);

/* A number, as an integer unless it has a point; its AttributeType. */
static int read_number(Reader *reader, Proto *attribute, int field_float,
                       int field_int)
{
    char *end;
    size_t length = strspn(reader->at, "-0123456789");
    if (length > 0 && !strchr(".en", reader->at[length])) {
        long long value = strtoll(reader->at, &end, 10);
        proto_int(attribute, field_int, (uint64_t)value);
        reader->at = end;
        return INT;
    }
    float value = strtof(reader->at, &end);
    ck_assert_msg(end > reader->at, "no number at: %s", reader->at);
    reader->at = end;
    proto_fixed32(attribute, field_float, value);
    return FLOAT;
}

static int read_list(Reader *reader, Proto *attribute)
{
    int type = INTS;
    while (!accept(reader, "]")) {
        type = read_number(reader, attribute, 7, 8) == INT ? INTS : FLOATS;
        accept(reader, ",");
        skip(reader);
    }
    return type;
}

static int read_string(Reader *reader, Proto *attribute)
{
    size_t length = strcspn(reader->at, "\"");
    proto_bytes(attribute, 4, reader->at, length);
    reader->at += length;
    expect(reader, "\"");
    return STRING;
}

static int read_attribute_value(Reader *reader, Proto *attribute)
{
    Proto inner = {.size = 0};
    if (accept(reader, "\""))
        return read_string(reader, attribute);
    if (accept(reader, "["))
        return read_list(reader, attribute);
    if (accept(reader, "{")) {
        read_graph(reader, &inner, NULL);
        proto_text(&inner, 2, "body");
        proto_message(attribute, 6, &inner);
        return GRAPH;
    }
    if (begins_number(reader))
        return read_number(reader, attribute, 2, 3);
    int type = accept_type(reader);
    ck_assert_msg(type >= 0, "no value at: %s", reader->at);
    read_tensor(reader, &inner, type, "value");
    proto_message(attribute, 5, &inner);
    return TENSOR;
}

static void read_attributes(Reader *reader, Proto *node)
{
    while (!accept(reader, ">")) {
        Proto attribute = {.size = 0};
        proto_text(&attribute, 1, word(reader).text);
        expect(reader, "=");
        skip(reader);
        int type = read_attribute_value(reader, &attribute);
        proto_int(&attribute, 20, (uint64_t)type);
        proto_message(node, 5, &attribute);
        accept(reader, ",");
    }
}

/* ---- Nodes, graphs, functions ---- */

static void read_names(Reader *reader, Proto *message, int field)
{
    while (!accept(reader, ")")) {
        proto_text(message, field, word(reader).text);
        accept(reader, ",");
    }
}

/* Domain.Op */
static void put_operator(Proto *node, Word name, int op, int domain)
{
    char *point = strrchr(name.text, '.');
    proto_text(node, op, point ? point + 1 : name.text);
    if (!point)
        return;
    *point = '\0';
    proto_text(node, domain, name.text);
}

/* Behind the '='. */
static void read_node(Reader *reader, Proto *node)
{
    put_operator(node, word(reader), 4, 7);
    if (accept(reader, "<"))
        read_attributes(reader, node);
    expect(reader, "(");
    read_names(reader, node, 1);
}

static void read_nodes(Reader *reader, Proto *message, int field)
{
    while (!accept(reader, "}")) {
        Proto node = {.size = 0};
        proto_text(&node, 2, word(reader).text);
        expect(reader, "=");
        read_node(reader, &node);
        proto_message(message, field, &node);
        accept(reader, ";");
    }
}

static void read_import(Reader *reader, Proto *message, int field)
{
    Proto import = {.size = 0};
    Word name = word(reader);
    bool standard = strchr("-0123456789", name.text[0]) != NULL;
    if (!standard)
        proto_text(&import, 1, name.text);
    long long version =
        strtoll(standard ? name.text : word(reader).text, NULL, 10);
    proto_int(&import, 2, (uint64_t)version);
    proto_message(message, field, &import);
    accept(reader, ";");
}

static void read_function(Reader *reader, Proto *model)
{
    Proto function = {.size = 0}, import = function;
    put_operator(&function, word(reader), 1, 10);
    expect(reader, "(");
    read_names(reader, &function, 4);
    expect(reader, "->");
    expect(reader, "(");
    read_names(reader, &function, 5);
    expect(reader, "{");
    bool imports = accept(reader, "opset");
    if (imports)
        read_import(reader, &function, 9);
    read_nodes(reader, &function, 7);
    proto_int(&import, 2, 17);
    if (!imports)
        proto_message(&function, 9, &import);
    proto_message(model, 25, &function);
}

/* name = tensor, or names = node */
static void read_definition(Reader *reader, Proto *graph, Word name)
{
    Proto node = {.size = 0};
    proto_text(&node, 2, name.text);
    while (accept(reader, ","))
        proto_text(&node, 2, word(reader).text);
    expect(reader, "=");
    int type = accept_type(reader);
    if (type < 0) {
        read_node(reader, &node);
        proto_message(graph, 1, &node);
        return;
    }
    Proto tensor = {.size = 0};
    read_tensor(reader, &tensor, type, name.text);
    proto_message(graph, 5, &tensor);
}

static void read_output(Reader *reader, Proto *graph)
{
    Proto value = {.size = 0};
    Word name = word(reader);
    int type = accept(reader, ":") ? accept_type(reader) : 0;
    read_value(reader, &value, name.text, type);
    proto_message(graph, 12, &value);
}

/* The statements that only a whole model has. */
static bool read_of_model(Reader *reader, Word first, Proto *model)
{
    if (!model || *reader->at == ':' || *reader->at == '=')
        return false;
    if (strcmp(first.text, "ir") == 0)
        proto_int(model, 1, (uint64_t)strtoll(word(reader).text, NULL, 10));
    else if (strcmp(first.text, "opset") == 0)
        read_import(reader, model, 8);
    else if (strcmp(first.text, "fn") == 0)
        read_function(reader, model);
    else
        return false;
    return true;
}

static void read_statement(Reader *reader, Proto *graph, Proto *model)
{
    if (accept(reader, "->")) {
        read_output(reader, graph);
        return;
    }
    Word first = word(reader);
    skip(reader);
    if (read_of_model(reader, first, model))
        return;
    if (accept(reader, ":")) {
        Proto value = {.size = 0};
        int type = accept_type(reader);
        ck_assert_msg(type >= 0, "no type at: %s", reader->at);
        read_value(reader, &value, first.text, type);
        proto_message(graph, 11, &value);
        return;
    }
    read_definition(reader, graph, first);
}

/* To the closing brace, or to the end of the text. */
static void read_graph(Reader *reader, Proto *graph, Proto *model)
{
    while (skip(reader), *reader->at && !accept(reader, "}")) {
        read_statement(reader, graph, model);
        accept(reader, ";");
    }
}

static bool mentions(const char *text, const char *statement)
{
    size_t length = strlen(statement);
    for (const char *at = text; (at = strstr(at, statement)); at++)
        if ((at == text || at[-1] == ' ' || at[-1] == ';') && at[length] == ' ')
            return true;
    return false;
}

void text_model(Proto *file, const char *text)
{
    Reader reader = {text};
    Proto graph = {.size = 0}, import = graph;
    *file = (Proto){.size = 0};
    if (!mentions(text, "ir"))
        proto_int(file, 1, 8);
    if (!mentions(text, "opset")) {
        proto_int(&import, 2, 17);
        proto_message(file, 8, &import);
    }
    read_graph(&reader, &graph, file);
    proto_text(&graph, 2, "hostile");
    proto_message(file, 7, &graph);
}
