#include "shapes.h"

#include <string.h>

/* ---- Pieces of messages; the numbers are those of onnx.proto ---- */

enum { NODE = 1, INITIALIZER = 5, INPUT = 11, OUTPUT = 12, INFO = 13 };
enum { INT = 2, STRING = 3, TENSOR = 4, GRAPH = 5, INTS = 7, STRINGS = 8 };

static void put_text(Bytes *to, int field, const char *text)
{
    bytes_field(to, field, text, strlen(text));
}

static void put_message(Bytes *to, int field, Bytes *message)
{
    bytes_field(to, field, message->bytes, message->size);
    bytes_free(message);
}

static void put_int(Bytes *to, int field, unsigned char value)
{
    unsigned char tag[2] = {(unsigned char)(field << 3 | 0x80),
                            (unsigned char)(field >> 4)};
    if (field < 16)
        tag[0] = (unsigned char)(field << 3);
    bytes_put(to, tag, field < 16 ? 1 : 2);
    bytes_put(to, &value, 1);
}

/* The i-th of the shortest names, behind a letter that keeps kinds apart. */
static const char *name_of(char kind, size_t i)
{
    static char ring[8][16];
    static unsigned next;
    char *name = ring[next++ % 8], *at = name;
    *at++ = kind;
    do
        *at++ = (char)('0' + i % 64);
    while (i /= 64);
    *at = '\0';
    return name;
}

/* Inputs and outputs are separated by spaces; `more` is freed. */
static void put_node(Bytes *graph, const char *type, const char *inputs,
                     const char *output, Bytes *more)
{
    Bytes node = {0};
    for (size_t size; *inputs; inputs += size + (inputs[size] == ' ')) {
        size = strcspn(inputs, " ");
        bytes_field(&node, 1, inputs, size);
    }
    put_text(&node, 2, output);
    put_text(&node, 4, type);
    if (more) {
        bytes_put(&node, more->bytes, more->size);
        bytes_free(more);
    }
    put_message(graph, NODE, &node);
}

static void put_node2(Bytes *graph, const char *type, const char *a,
                      const char *b, const char *output)
{
    char inputs[64];
    strcpy(inputs, a);
    strcat(strcat(inputs, " "), b);
    put_node(graph, type, inputs, output, NULL);
}

/* A value of float32 with `rank` axes of that size; none for rank -1. */
static void put_value(Bytes *graph, int field, const char *name, int rank,
                      unsigned char size)
{
    Bytes info = {0}, type = {0}, tensor = {0}, shape = {0};
    put_text(&info, 1, name);
    for (int i = 0; i < rank; i++) {
        Bytes dim = {0};
        put_int(&dim, 1, size);
        put_message(&shape, 1, &dim);
    }
    put_int(&tensor, 1, 1);
    put_message(&tensor, 2, &shape);
    put_message(&type, 1, &tensor);
    if (rank >= 0)
        put_message(&info, 2, &type);
    bytes_free(&type);
    put_message(graph, field, &info);
}

static void put_weight(Bytes *graph, const char *name, int rank)
{
    Bytes tensor = {0};
    for (int i = 0; i < rank; i++)
        put_int(&tensor, 1, 1);
    put_int(&tensor, 2, 1);
    put_text(&tensor, 8, name);
    bytes_field(&tensor, 9, "\0\0\0\x3f", 4);
    put_message(graph, INITIALIZER, &tensor);
}

static void put_attribute(Bytes *node, const char *name, int type,
                          const void *value, size_t size)
{
    static const int fields[] = {[STRING] = 4, [TENSOR] = 5,  [GRAPH] = 6,
                                 [INTS] = 8,   [STRINGS] = 9, [INT] = 3};
    Bytes attribute = {0};
    put_text(&attribute, 1, name);
    put_int(&attribute, 20, (unsigned char)type);
    if (type == INT)
        put_int(&attribute, fields[type], 1);
    else if (value)
        bytes_field(&attribute, fields[type], value, size);
    put_message(node, 5, &attribute);
}

/* ---- Models around them ---- */

/* Y = Relu(X), beside what there are many of. */
static void in_graph(Bytes *file, Bytes *many, size_t count)
{
    (void)count;
    put_node(many, "Relu", "X", "Y", NULL);
    put_value(many, INPUT, "X", 1, 2);
    put_value(many, OUTPUT, "Y", 1, 2);
    bytes_model(file, many);
}

/* From a0, which is a convolution of X, to the last. */
static void in_chain(Bytes *file, Bytes *many, size_t count)
{
    put_value(many, INPUT, "X", 4, 1);
    put_weight(many, "W", 4);
    put_weight(many, "P", 1);
    Bytes head = {0};
    put_node(&head, "Conv", "X W", name_of('a', 0), NULL);
    bytes_put(&head, many->bytes, many->size);
    put_value(&head, OUTPUT, name_of('a', count), -1, 0);
    bytes_model(file, &head);
    bytes_free(&head);
}

/* All in one node of an operator that nobody knows. */
static void in_node(Bytes *file, Bytes *many, size_t count)
{
    Bytes graph = {0}, more = {0};
    bytes_put(&more, many->bytes, many->size);
    put_node(&graph, "Q", "X", "Z", &more);
    in_graph(file, &graph, count);
    bytes_free(&graph);
}

/* All in one attribute of it. */
static void in_attribute(Bytes *file, Bytes *many, int type)
{
    Bytes node = {0}, attribute = {0};
    put_text(&attribute, 1, "a");
    put_int(&attribute, 20, (unsigned char)type);
    bytes_put(&attribute, many->bytes, many->size);
    put_message(&node, 5, &attribute);
    in_node(file, &node, 1);
    bytes_free(&node);
}

static void in_ints(Bytes *file, Bytes *many, size_t count)
{
    (void)count;
    in_attribute(file, many, INTS);
}

static void in_strings(Bytes *file, Bytes *many, size_t count)
{
    (void)count;
    in_attribute(file, many, STRINGS);
}

/* One string as long as the file. */
static void as_text(Bytes *file, Bytes *many, size_t count)
{
    Bytes node = {0};
    put_attribute(&node, "a", STRING, many->bytes, many->size);
    bytes_field(&node, 3, many->bytes, many->size);
    in_node(file, &node, count);
    bytes_free(&node);
}

/* Beside the graph, in the model. */
static void in_model(Bytes *file, Bytes *many, size_t count)
{
    Bytes graph = {0};
    in_graph(file, &graph, count);
    bytes_put(file, many->bytes, many->size);
    bytes_field(file, 8,
                "\x0a\x01"
                "d\x10\x01",
                5);
    bytes_free(&graph);
}

static void in_branches(Bytes *file, Bytes *many, size_t count)
{
    put_value(many, INPUT, "C", 0, 0);
    in_graph(file, many, count);
}

/* ---- What there are many of ---- */

static void an_initializer(Bytes *many, size_t i)
{
    put_weight(many, name_of('a', i), 0);
}

static void a_relu(Bytes *many, size_t i)
{
    put_node(many, "Relu", name_of('a', i), name_of('a', i + 1), NULL);
}

static void an_unknown_operator(Bytes *many, size_t i)
{
    put_node(many, name_of('Q', i), name_of('a', i), name_of('a', i + 1), NULL);
}

static void a_scale(Bytes *many, size_t i)
{
    put_node2(many, "Mul", name_of('a', i), "P", name_of('a', i + 1));
}

/* A residual block that folds. */
static void a_block(Bytes *many, size_t i)
{
    put_node2(many, "Conv", name_of('a', i), "W", name_of('b', i));
    put_node2(many, "Mul", name_of('b', i), "P", name_of('c', i));
    put_node2(many, "Add", name_of('c', i), name_of('a', i),
              name_of('a', i + 1));
}

static void a_shape(Bytes *many, size_t i)
{
    put_node(many, "Shape", name_of('a', i), name_of('b', i), NULL);
    put_node2(many, "Reshape", name_of('a', i), name_of('b', i),
              name_of('a', i + 1));
}

static void a_pool(Bytes *many, size_t i)
{
    Bytes more = {0};
    put_attribute(&more, "kernel_shape", INTS, "\2\2", 2);
    put_node(many, "MaxPool", name_of('a', i), name_of('a', i + 1), &more);
}

static void a_constant(Bytes *many, size_t i)
{
    Bytes more = {0};
    put_attribute(&more, "value_int", INT, NULL, 0);
    put_node(many, "Constant", "", name_of('a', i), &more);
}

static void an_attribute(Bytes *many, size_t i)
{
    put_attribute(many, name_of('a', i), INT, NULL, 0);
}

static void an_int(Bytes *many, size_t i)
{
    put_int(many, 8, (unsigned char)(i & 0x7f));
}

static void a_string(Bytes *many, size_t i)
{
    (void)i;
    bytes_field(many, 9, NULL, 0);
}

static void a_letter(Bytes *many, size_t i)
{
    (void)i;
    bytes_put(many, "x", 1);
}

static void a_value_info(Bytes *many, size_t i)
{
    put_node(many, "Relu", "X", name_of('a', i), NULL);
    put_value(many, INFO, name_of('a', i), 16, 1);
}

/* Sixteen sizes that nothing is said of. */
static void an_open_shape(Bytes *many, size_t i)
{
    Bytes info = {0}, type = {0}, tensor = {0}, shape = {0};
    for (int k = 0; k < 16; k++)
        bytes_field(&shape, 1, NULL, 0);
    put_text(&info, 1, name_of('a', i));
    put_int(&tensor, 1, 1);
    put_message(&tensor, 2, &shape);
    put_message(&type, 1, &tensor);
    put_message(&info, 2, &type);
    put_node(many, "Relu", "X", name_of('a', i), NULL);
    put_message(many, INFO, &info);
}

static void an_input(Bytes *many, size_t i)
{
    put_value(many, INPUT, name_of('a', i), 1, 1);
}

static void an_output(Bytes *many, size_t i)
{
    (void)i;
    put_value(many, OUTPUT, "Y", -1, 0);
}

static void a_metadata_entry(Bytes *many, size_t i)
{
    Bytes entry = {0};
    put_text(&entry, 1, name_of('a', i));
    put_message(many, 14, &entry);
}

static void an_import(Bytes *many, size_t i)
{
    Bytes import = {0};
    put_text(&import, 1, name_of('a', i));
    put_int(&import, 2, 1);
    put_message(many, 8, &import);
}

static void a_function(Bytes *many, size_t i)
{
    Bytes function = {0}, body = {0};
    put_text(&function, 1, name_of('a', i));
    put_text(&function, 4, "x");
    put_text(&function, 5, "y");
    put_text(&function, 10, "d");
    put_text(&body, 1, "x");
    put_text(&body, 2, "y");
    put_text(&body, 4, "Relu");
    put_message(&function, 7, &body);
    put_message(many, 25, &function);
}

/* An If whose branches read X from outside. */
static void a_branch(Bytes *many, size_t i)
{
    Bytes body = {0}, more = {0};
    put_node(&body, "Relu", "X", "y", NULL);
    put_value(&body, OUTPUT, "y", -1, 0);
    put_attribute(&more, "then_branch", GRAPH, body.bytes, body.size);
    put_attribute(&more, "else_branch", GRAPH, body.bytes, body.size);
    put_node(many, "If", "C", name_of('a', i), &more);
    bytes_free(&body);
}

static void an_empty_graph(Bytes *many, size_t i)
{
    put_attribute(many, name_of('a', i), GRAPH, "", 0);
}

static void an_unknown_field(Bytes *many, size_t i)
{
    (void)i;
    bytes_put(many, "\xa0\x06\x01", 3);
}

/* Data in another file. */
static void an_external_tensor(Bytes *many, size_t i)
{
    Bytes tensor = {0}, entry = {0};
    put_int(&tensor, 1, 1);
    put_int(&tensor, 2, 1);
    put_text(&tensor, 8, name_of('a', i));
    put_text(&entry, 1, "location");
    put_text(&entry, 2, "w");
    put_message(&tensor, 13, &entry);
    put_int(&tensor, 14, 1);
    put_message(many, INITIALIZER, &tensor);
}

static const Shape shapes[] = {
    {"initializers", an_initializer, in_graph},
    {"nodes in a row", a_relu, in_chain},
    {"unknown operators", an_unknown_operator, in_chain},
    {"scales", a_scale, in_chain},
    {"residual blocks", a_block, in_chain},
    {"shapes of shapes", a_shape, in_chain},
    {"pools", a_pool, in_chain},
    {"constants", a_constant, in_graph},
    {"attributes", an_attribute, in_node},
    {"integers", an_int, in_ints},
    {"strings", a_string, in_strings},
    {"a long text", a_letter, as_text},
    {"types of values", a_value_info, in_graph},
    {"open shapes", an_open_shape, in_graph},
    {"inputs", an_input, in_graph},
    {"outputs", an_output, in_graph},
    {"metadata", a_metadata_entry, in_model},
    {"imports", an_import, in_model},
    {"functions", a_function, in_model},
    {"branches", a_branch, in_branches},
    {"empty graphs", an_empty_graph, in_node},
    {"unknown fields", an_unknown_field, in_graph},
    {"external tensors", an_external_tensor, in_graph},
};

Shapes hostile_shapes(void)
{
    return (Shapes){shapes, sizeof shapes / sizeof *shapes};
}

void shape_make(const Shape *shape, size_t size, Bytes *file)
{
    Bytes many = {0};
    size_t count = 0;
    while (many.size < size)
        shape->item(&many, count++);
    *file = (Bytes){0};
    shape->model(file, &many, count);
    bytes_free(&many);
}
