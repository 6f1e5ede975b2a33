#include <string.h>

#include "onnx/read.h"
#include "onnx/unpack.h"
#include "onnx/wire.h"

/* Numbers of NodeProto's fields. */
enum { OUTPUT = 2, NAME = 3, OP_TYPE = 4, ATTRIBUTE = 5 };

/* A name that many nodes share: of an operator, a domain, an attribute. */
typedef struct Word {
    const Node *last; /* that had an attribute of that name */
    const char *text;
} Word;

/* The word of a name, which is copied once. */
static Word *word_of(Reader *reader, const char *name)
{
    Word *word = map_get(reader->words, name);
    if (!word) {
        word = arena_alloc(reader->arena, sizeof *word);
        word->text = arena_strdup(reader->arena, name);
        map_put(reader->words, word->text, word);
    }
    return word;
}

static const char *word_text(Reader *reader, const char *name)
{
    return name && name[0] ? word_of(reader, name)->text : "";
}

const char *function_key(Arena *arena, const char *domain, const char *name,
                         const char *overload)
{
    return arena_printf(arena, "%s:%s:%s", is_onnx_domain(domain) ? "" : domain,
                        name, overload);
}

const char *source_text(Arena *arena, Span source)
{
    Value output = {0}, *outputs = &output;
    Node node = {
        .op_type = wire_string(arena, source, OP_TYPE),
        .name = wire_string(arena, source, NAME),
        .outputs = &outputs,
    };
    Wire wire = wire_over(source);
    Field field;
    if (wire_find(&wire, OUTPUT, WIRE_BYTES, &field)) {
        output.name = arena_strndup(arena, (const char *)field.payload.bytes,
                                    field.payload.size);
        node.output_count = 1;
    }
    return node_text(arena, &node);
}

/* The node and its attributes as they are being read. */
typedef struct Reading {
    Reader *reader;
    Node *node;
    Onnx__NodeProto *proto;
} Reading;

static Op find_op(const Reading *reading)
{
    const Reader *reader = reading->reader;
    const Node *node = reading->node;
    const char *overload = reading->proto->overload;
    if (!is_onnx_domain(node->domain))
        return OP_OTHER;
    Op op = op_find(node->op_type);
    if (!op_exists(op, graph_opset(node->graph)))
        return OP_OTHER;
    if (op == OP_OTHER || reader->model->function_count == 0)
        return op;
    /* A function of the model goes before an operator of the same name. */
    const char *key = function_key(reader->scratch, "", op_name(op),
                                   overload ? overload : "");
    return map_get(reader->functions, key) ? OP_OTHER : op;
}

static int read_inputs(Reading *reading)
{
    Node *node = reading->node;
    size_t count = reading->proto->n_input;
    node->inputs = arena_array(reading->reader->arena, count, sizeof(Value *));
    node->input_count = (int)count;
    for (size_t i = 0; i < count; i++) {
        const char *name = reading->proto->input[i];
        if (!name[0])
            continue;
        node->inputs[i] = graph_read_value(node->graph, name);
        if (!node->inputs[i])
            return order_fault(reading->reader, node->graph, name);
    }
    return 0;
}

/* Single assignment: a name is produced once, and hides no outer one. */
static int read_outputs(Reading *reading)
{
    Node *node = reading->node;
    size_t count = reading->proto->n_output;
    node->outputs = arena_array(reading->reader->arena, count, sizeof(Value *));
    node->output_count = (int)count;
    for (size_t i = 0; i < count; i++) {
        const char *name = reading->proto->output[i];
        if (!name[0])
            continue;
        if (graph_find_value(node->graph, name))
            return err_set(reading->reader->err, ERR_DUPLICATE_NAME,
                           "produces %s, which is defined before",
                           name_text(reading->reader->arena, name));
        node->outputs[i] = graph_value(
            node->graph, arena_strdup(reading->reader->arena, name));
    }
    return 0;
}

static int read_attr_tensor(Reading *reading, Onnx__TensorProto *proto,
                            Tensor **out)
{
    Reader *reader = reading->reader;
    return read_tensor(reader->arena, reader->model->external,
                       unpack_place(&proto->base), out, reader->err);
}

static int read_attr_graph(Reading *reading, Onnx__GraphProto *proto,
                           Graph **out)
{
    *out = graph_new(reading->reader->model, reading->node->graph);
    return read_graph(reading->reader, *out, unpack_place(&proto->base));
}

/* What is not kept is looked at all the same: nothing in it may be wrong. */
static int read_attr_parts(Reading *reading, Onnx__AttributeProto *proto,
                           Attr *attr)
{
    Arena *arena = reading->reader->arena;
    struct External *external = reading->reader->model->external;
    Tensor *unused;
    if (proto->t) {
        TRY(read_attr_tensor(reading, proto->t, &attr->tensor));
        reading->reader->external_tensors += attr->tensor->is_external;
    }
    for (size_t i = 0; i < proto->n_tensors; i++)
        TRY(read_attr_tensor(reading, proto->tensors[i], &unused));
    if (proto->sparse_tensor)
        TRY(read_sparse_tensor(arena, external, proto->sparse_tensor, &unused,
                               reading->reader->err));
    for (size_t i = 0; i < proto->n_sparse_tensors; i++)
        TRY(read_sparse_tensor(arena, external, proto->sparse_tensors[i],
                               &unused, reading->reader->err));
    if (proto->g)
        TRY(read_attr_graph(reading, proto->g, &attr->graph));
    if (attr->type == ATTR_GRAPHS) {
        attr->graphs = arena_array(arena, proto->n_graphs, sizeof(Graph *));
        attr->count = proto->n_graphs;
    }
    for (size_t i = 0; i < proto->n_graphs; i++)
        TRY(read_attr_graph(reading, proto->graphs[i], &attr->graphs[i]));
    return 0;
}

/* Which of the value fields are there, as bits of AttrType. */
static uint32_t fields_used(const Onnx__AttributeProto *proto)
{
    return (uint32_t)(proto->has_f != 0) << ATTR_FLOAT |
           (uint32_t)(proto->has_i != 0) << ATTR_INT |
           (uint32_t)(proto->has_s != 0) << ATTR_STRING |
           (uint32_t)(proto->t != NULL) << ATTR_TENSOR |
           (uint32_t)(proto->g != NULL) << ATTR_GRAPH |
           (uint32_t)(proto->n_floats > 0) << ATTR_FLOATS |
           (uint32_t)(proto->n_ints > 0) << ATTR_INTS |
           (uint32_t)(proto->n_strings > 0) << ATTR_STRINGS |
           (uint32_t)(proto->n_tensors > 0) << ATTR_TENSORS |
           (uint32_t)(proto->n_graphs > 0) << ATTR_GRAPHS |
           (uint32_t)(proto->sparse_tensor != NULL) << ATTR_SPARSE_TENSOR |
           (uint32_t)(proto->n_sparse_tensors > 0) << ATTR_SPARSE_TENSORS |
           (uint32_t)(proto->tp != NULL) << ATTR_TYPE_PROTO |
           (uint32_t)(proto->n_type_protos > 0) << ATTR_TYPE_PROTOS;
}

static int check_attr(const Onnx__AttributeProto *proto, Err *err)
{
    int type = (int)proto->type;
    uint32_t used = fields_used(proto);
    bool is_reference = proto->ref_attr_name && proto->ref_attr_name[0];
    if (!proto->name || !proto->name[0])
        return err_set(err, ERR_BAD_ATTRIBUTE, "has an empty name");
    if (type <= ATTR_UNDEFINED || type > ATTR_TYPE_PROTOS)
        return err_set(err, ERR_BAD_ATTRIBUTE, "has the unknown type %d", type);
    if (used & ~((uint32_t)1 << type))
        return err_set(err, ERR_BAD_ATTRIBUTE,
                       "holds a value of another type than it says");
    if (is_reference && used)
        return err_set(err, ERR_BAD_ATTRIBUTE,
                       "holds a value and refers to another attribute");
    /* A number may be left out for 0; a tensor or a graph has no default. */
    if (!is_reference && !used && (type == ATTR_TENSOR || type == ATTR_GRAPH))
        return err_set(err, ERR_BAD_ATTRIBUTE, "holds no value");
    return 0;
}

/* Strings stay in the file. */
static const Span *find_strings(Arena *arena, Span source, size_t count)
{
    enum { STRINGS = 9 };
    Span *strings = arena_array(arena, count, sizeof *strings);
    Wire wire = wire_over(source);
    Field field;
    for (size_t i = 0; wire_find(&wire, STRINGS, WIRE_BYTES, &field); i++)
        strings[i] = field.payload;
    return strings;
}

/* Numbers out of what protobuf-c made, which goes. */
static const void *copy_numbers(Arena *arena, const void *numbers, size_t count,
                                size_t size)
{
    void *copy = arena_array(arena, count, size);
    if (count > 0)
        memcpy(copy, numbers, count * size);
    return copy;
}

static void read_attr_values(Arena *arena, const Onnx__AttributeProto *proto,
                             Attr *attr)
{
    enum { S = 4 };
    attr->type = (AttrType)proto->type;
    if (proto->ref_attr_name && proto->ref_attr_name[0])
        attr->reference = arena_strdup(arena, proto->ref_attr_name);
    switch (attr->type) {
    case ATTR_FLOAT:
        attr->f = proto->f;
        break;
    case ATTR_INT:
        attr->i = proto->i;
        break;
    case ATTR_STRING:
        attr->s = wire_bytes(attr->source, S);
        break;
    case ATTR_FLOATS:
        attr->floats = copy_numbers(arena, proto->floats, proto->n_floats,
                                    sizeof *proto->floats);
        attr->count = proto->n_floats;
        break;
    case ATTR_INTS:
        attr->ints = copy_numbers(arena, proto->ints, proto->n_ints,
                                  sizeof *proto->ints);
        attr->count = proto->n_ints;
        break;
    case ATTR_STRINGS:
        attr->strings = find_strings(arena, attr->source, proto->n_strings);
        attr->count = proto->n_strings;
        break;
    default: /* its parts are read by themselves */
        break;
    }
}

/* Only what is in a function has attributes of one to refer to. */
static int check_reference(const Reading *reading, const Attr *attr)
{
    const Graph *graph = reading->node->graph;
    while (graph->parent)
        graph = graph->parent;
    if (!attr->reference || graph_is_function(graph))
        return 0;
    return err_set(reading->reader->err, ERR_BAD_ATTRIBUTE,
                   "refers to the attribute %s of a function, and is in none",
                   name_text(reading->reader->arena, attr->reference));
}

static int read_attr(Reading *reading, Onnx__AttributeProto *proto, Attr *attr)
{
    Arena *arena = reading->reader->arena;
    Err *err = reading->reader->err;
    attr->name = word_text(reading->reader, proto->name);
    int status = check_attr(proto, err);
    if (status == 0) {
        read_attr_values(arena, proto, attr);
        status = check_reference(reading, attr);
    }
    if (status == 0)
        status = read_attr_parts(reading, proto, attr);
    return status == 0
               ? 0
               : err_prefix(err, "attribute %s", name_text(arena, attr->name));
}

static int check_names_differ(Reading *reading)
{
    Node *node = reading->node;
    Reader *reader = reading->reader;
    for (int i = 0; i < node->attr_count; i++) {
        Word *word = word_of(reader, node->attrs[i].name);
        if (word->last == node)
            return err_set(reader->err, ERR_BAD_ATTRIBUTE,
                           "attribute %s is there twice",
                           name_text(reader->arena, word->text));
        word->last = node;
    }
    return 0;
}

static int read_attrs(Reading *reading)
{
    Node *node = reading->node;
    Onnx__NodeProto *proto = reading->proto;
    node->attrs =
        arena_array(reading->reader->arena, proto->n_attribute, sizeof(Attr));
    node->attr_count = (int)proto->n_attribute;
    Wire wire = wire_over(node->source);
    Field field;
    for (size_t i = 0; i < proto->n_attribute; i++) {
        wire_find(&wire, ATTRIBUTE, WIRE_BYTES, &field);
        node->attrs[i].source = field.payload;
        TRY(read_attr(reading, proto->attribute[i], &node->attrs[i]));
    }
    return check_names_differ(reading);
}

static int check_operator(const Reading *reading)
{
    const Node *node = reading->node;
    Reader *reader = reading->reader;
    if (!node->op_type[0])
        return err_set(reader->err, ERR_INVALID_MODEL, "has no operator");
    if (node->op != OP_OTHER && graph_opset(node->graph) == 0)
        return err_set(reader->err, ERR_INVALID_MODEL,
                       "is an ONNX operator, but the model imports no opset "
                       "of ONNX");
    return 0;
}

/* The outputs come last: neither the node nor its subgraphs can read them. */
static int read_parts(Reading *reading)
{
    Node *node = reading->node;
    const Onnx__NodeProto *proto = reading->proto;
    Reader *reader = reading->reader;
    if (proto->name && proto->name[0])
        node->name = arena_strdup(reader->arena, proto->name);
    else
        node->name = "";
    node->op_type = word_text(reader, proto->op_type);
    node->domain = word_text(reader, proto->domain);
    node->op = find_op(reading);
    TRY(check_operator(reading));
    TRY(read_inputs(reading));
    TRY(read_attrs(reading));
    TRY(read_outputs(reading));
    TRY(node_check_arity(node, reader->err));
    TRY(node_check_attrs(node, reader->err));
    return check_bodies(node, reader->err);
}

int read_node(Reader *reader, Graph *graph, Span source)
{
    Node *node = arena_alloc(reader->arena, sizeof *node);
    node->graph = graph;
    node->source = source;
    Reading reading = {reader, node, NULL};
    reading.proto = unpack(reader->scratch, &onnx__node_proto__descriptor,
                           source, reader->err);
    if (!reading.proto || read_parts(&reading) < 0)
        return err_prefix(reader->err, "%s",
                          source_text(reader->arena, source));
    graph_add_node(graph, node);
    return 0;
}

int read_default(Reader *reader, Graph *body, Span source, Attr *out)
{
    Arena *outer = reader->scratch;
    reader->scratch = arena_child(reader->arena);
    Node nobody = {.graph = body};
    Reading reading = {reader, &nobody, NULL};
    Onnx__AttributeProto *proto =
        unpack(reader->scratch, &onnx__attribute_proto__descriptor, source,
               reader->err);
    out->source = source;
    int status = proto ? read_attr(&reading, proto, out) : -1;
    arena_free(reader->scratch);
    reader->scratch = outer;
    return status;
}
