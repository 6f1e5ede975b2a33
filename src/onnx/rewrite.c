/*
 * Writing a model that came from a file: its own bytes, except for what has
 * changed since.
 */
#include <string.h>

#include "onnx/pack.h"
#include "onnx/read.h"
#include "onnx/wire.h"

static bool attr_is_dirty(const Writer *writer, const Attr *attr)
{
    size_t count;
    Graph *const *graphs = attr_graphs(attr, &count);
    if (attr_tensor(attr) && data_moves(writer->plan, attr->tensor))
        return true;
    for (size_t i = 0; i < count; i++)
        if (graph_is_dirty(writer, graphs[i]))
            return true;
    return false;
}

bool node_is_dirty(const Writer *writer, const Node *node)
{
    if (node->edited)
        return true;
    for (int i = 0; i < node->attr_count; i++)
        if (attr_is_dirty(writer, &node->attrs[i]))
            return true;
    return false;
}

/* Recursion is as deep as subgraphs nest, which the reader bounds. */
bool graph_is_dirty(const Writer *writer, const Graph *graph)
{
    if (graph->changed)
        return true;
    for (size_t i = 0; writer->plan && i < graph->initializer_count; i++)
        if (data_moves(writer->plan, graph->initializers[i]->tensor))
            return true;
    for (size_t i = 0; i < graph->node_count; i++)
        if (node_is_dirty(writer, graph->nodes[i]))
            return true;
    return false;
}

bool model_is_dirty(const Writer *writer)
{
    const Model *model = writer->model;
    for (size_t i = 0; i < model->function_count; i++)
        if (model->functions[i].body &&
            graph_is_dirty(writer, model->functions[i].body))
            return true;
    return model->file.size == 0 || graph_is_dirty(writer, model->graph);
}

/* True for the fields of a TensorProto that hold its elements, or say where
 * they are; strings never move. */
static bool is_data_field(uint32_t number)
{
    enum {
        FLOAT_DATA = 4,
        INT32_DATA = 5,
        INT64_DATA = 7,
        RAW_DATA = 9,
        DOUBLE_DATA = 10,
        UINT64_DATA = 11,
        EXTERNAL_DATA = 13,
        DATA_LOCATION = 14
    };
    return number == FLOAT_DATA || number == INT32_DATA ||
           number == INT64_DATA || number == RAW_DATA ||
           number == DOUBLE_DATA || number == UINT64_DATA ||
           number == EXTERNAL_DATA || number == DATA_LOCATION;
}

Rope rewrite_tensor(Writer *writer, const Tensor *tensor, const char *name)
{
    enum { NAME = 8 };
    bool moves = data_moves(writer->plan, tensor);
    Rope rope = writer_rope(writer);
    Wire wire = wire_over((Span){tensor->source, tensor->source_size});
    Field field;
    while (wire_next(&wire, &field))
        if (!(name && field.number == NAME) &&
            !(moves && is_data_field(field.number)))
            rope_span(&rope, field.whole);
    if (name)
        rope_string(&rope, NAME, name);
    if (moves && data_size(tensor) > 0)
        rope_data(writer, &rope, tensor);
    return rope;
}

/* A function's attribute can stand for that of a node in its body, which has
 * another name. */
static bool attr_is_renamed(const Attr *attr)
{
    enum { NAME = 1 };
    Span name = wire_bytes(attr->source, NAME);
    return name.size != strlen(attr->name) ||
           memcmp(name.bytes, attr->name, name.size) != 0;
}

Rope rewrite_attr(Writer *writer, const Attr *attr)
{
    enum { NAME = 1, T = 5, G = 6, GRAPHS = 11 };
    Rope rope = writer_rope(writer), inner;
    if (!attr_is_dirty(writer, attr) && !attr_is_renamed(attr)) {
        rope_span(&rope, attr->source);
        return rope;
    }
    Wire wire = wire_over(attr->source);
    Field field;
    size_t count;
    Graph *const *graph = attr_graphs(attr, &count);
    while (wire_next(&wire, &field)) {
        switch (field.number) {
        case NAME:
            rope_string(&rope, NAME, attr->name);
            break;
        case T:
            inner = rewrite_tensor(writer, attr->tensor, NULL);
            rope_message(&rope, T, &inner);
            break;
        case G:
        case GRAPHS:
            inner = rewrite_graph(writer, *graph++);
            rope_message(&rope, field.number, &inner);
            break;
        default:
            rope_span(&rope, field.whole);
        }
    }
    return rope;
}

/* The names that a node's device configuration may speak of. */
static Map *node_names(Writer *writer, const Node *node)
{
    Map *names = map_new(writer->arena);
    for (int i = 0; i < node->input_count; i++)
        if (node->inputs[i])
            map_put(names, node->inputs[i]->name, node->inputs[i]);
    for (int i = 0; i < node->output_count; i++)
        if (node->outputs[i])
            map_put(names, node->outputs[i]->name, node->outputs[i]);
    return names;
}

/* A NodeDeviceConfigurationProto without the sharding of values that the node
 * no longer has. */
static Rope rewrite_devices(Writer *writer, const Node *node, Span source)
{
    enum { SHARDING_SPEC = 2, TENSOR_NAME = 1 };
    Map *names = node_names(writer, node);
    Rope rope = writer_rope(writer);
    Wire wire = wire_over(source);
    Field field;
    while (wire_next(&wire, &field)) {
        if (field.number == SHARDING_SPEC &&
            !map_get(names,
                     wire_string(writer->arena, field.payload, TENSOR_NAME)))
            continue;
        rope_span(&rope, field.whole);
    }
    return rope;
}

Rope rewrite_node(Writer *writer, const Node *node)
{
    enum { INPUT = 1, OUTPUT = 2, ATTRIBUTE = 5, DEVICES = 10 };
    Rope rope = writer_rope(writer), inner;
    rope_inputs(&rope, node);
    Wire wire = wire_over(node->source);
    Field field;
    const Attr *attr = node->attrs;
    while (wire_next(&wire, &field)) {
        switch (field.number) {
        case INPUT:
        case OUTPUT:
            break;
        case ATTRIBUTE:
            inner = rewrite_attr(writer, attr++);
            rope_message(&rope, field.number, &inner);
            break;
        case DEVICES:
            inner = rewrite_devices(writer, node, field.payload);
            rope_message(&rope, field.number, &inner);
            break;
        default:
            rope_span(&rope, field.whole);
        }
    }
    return rope;
}

/* Where the parts of a graph are: numbers of fields, 0 for what is not there.
 */
typedef struct Layout {
    uint32_t node, initializer, sparse_initializer, input, value_info,
        annotation;
} Layout;

static const Layout graph_layout = {1, 5, 15, 11, 13, 14};
static const Layout function_layout = {.node = 7, .value_info = 12};

typedef struct Rewrite {
    Writer *writer;
    const Graph *graph;
    Layout layout;
    /* What of it the file has already, by name. */
    Map *kept_inputs, *kept_initializers;
    /* The fields after which new ones of the kind go; NULL for the end. */
    const uint8_t *last_input, *last_initializer;
    bool nodes_done;
    Writer scratch; /* its arena is cleared after each field or message */
} Rewrite;

/* The value that a field of the graph is about, NULL when there is none. */
static const Value *subject(const Rewrite *rewrite, const Field *field)
{
    enum { NAME = 1, TENSOR_NAME = 8, VALUES = 1 };
    Arena *arena = rewrite->scratch.arena;
    Span about = field->payload;
    uint32_t name = NAME;
    if (field->number == rewrite->layout.sparse_initializer)
        about = wire_bytes(about, VALUES);
    if (field->number == rewrite->layout.sparse_initializer ||
        field->number == rewrite->layout.initializer)
        name = TENSOR_NAME;
    const Value *value =
        map_get(rewrite->graph->values, wire_string(arena, about, name));
    arena_clear(arena);
    return value;
}

static bool is_defined(const Value *value)
{
    return value->is_input || value->is_initializer ||
           (value->producer && !value->producer->removed);
}

/* True for a field that still holds. */
static bool is_kept(const Rewrite *rewrite, const Field *field)
{
    const Layout *layout = &rewrite->layout;
    uint32_t number = field->number;
    if (number != layout->initializer && number != layout->sparse_initializer &&
        number != layout->input && number != layout->value_info &&
        number != layout->annotation)
        return true;
    const Value *value = subject(rewrite, field);
    if (!value)
        return false;
    if (number == layout->initializer)
        return value->is_initializer &&
               value->tensor->source == field->payload.bytes;
    return number == layout->sparse_initializer ? value->is_initializer
           : number == layout->input            ? value->is_input
                                                : is_defined(value);
}

static void note_kept(Rewrite *rewrite)
{
    const Layout *layout = &rewrite->layout;
    Wire wire = wire_over(rewrite->graph->source);
    Field field;
    while (wire_next(&wire, &field)) {
        bool is_input = field.number == layout->input;
        bool is_initializer = field.number == layout->initializer;
        if (is_input)
            rewrite->last_input = field.whole.bytes;
        if (is_initializer)
            rewrite->last_initializer = field.whole.bytes;
        if (!is_input && !is_initializer &&
            field.number != layout->sparse_initializer)
            continue;
        if (is_kept(rewrite, &field))
            map_put(is_input ? rewrite->kept_inputs
                             : rewrite->kept_initializers,
                    subject(rewrite, &field)->name, rewrite);
    }
}

static Rewrite rewrite_start(Writer *writer, const Graph *graph)
{
    Rewrite rewrite = {
        .writer = writer,
        .graph = graph,
        .layout = graph_is_function(graph) ? function_layout : graph_layout,
        .kept_inputs = map_new(writer->arena),
        .kept_initializers = map_new(writer->arena),
        .scratch = writer_scratch(writer),
    };
    note_kept(&rewrite);
    return rewrite;
}

static void put_new_initializers(Rewrite *rewrite, Rope *rope)
{
    const Graph *graph = rewrite->graph;
    for (size_t i = 0; i < graph->initializer_count; i++) {
        const Value *value = graph->initializers[i];
        if (map_get(rewrite->kept_initializers, value->name))
            continue;
        if (rewrite->layout.initializer == 0)
            err_set(rewrite->writer->err, ERR_INTERNAL,
                    "a function cannot hold the constant %s",
                    name_text(rewrite->writer->arena, value->name));
        Rope inner = pack_tensor(&rewrite->scratch, value->tensor, value->name);
        rope_message(rope, rewrite->layout.initializer, &inner);
        arena_clear(rewrite->scratch.arena);
    }
}

static void put_input(Rewrite *rewrite, Rope *rope, const Value *value)
{
    if (map_get(rewrite->kept_inputs, value->name))
        return;
    Rope inner = pack_value(&rewrite->scratch, value);
    rope_message(rope, rewrite->layout.input, &inner);
    arena_clear(rewrite->scratch.arena);
    map_put(rewrite->kept_inputs, value->name, rewrite);
}

/* IR 3: "every initializer must also be a graph input", in subgraphs, too. */
static void put_new_inputs(Rewrite *rewrite, Rope *rope)
{
    const Graph *graph = rewrite->graph;
    if (graph_is_function(graph))
        return;
    for (size_t i = 0; i < graph->input_count; i++)
        put_input(rewrite, rope, graph->inputs[i]);
    if (graph->model->ir_version >= 4)
        return;
    for (size_t i = 0; i < graph->initializer_count; i++)
        put_input(rewrite, rope, graph->initializers[i]);
}

/* All nodes go where the first one was. */
static void put_nodes(Rewrite *rewrite, Rope *rope)
{
    if (!rewrite->nodes_done)
        rope_nodes(rewrite->writer, rope, rewrite->layout.node, rewrite->graph);
    rewrite->nodes_done = true;
}

/* A field that still holds; the elements of an initializer may move. */
static void put_kept(Rewrite *rewrite, Rope *rope, const Field *field)
{
    const Tensor *tensor = NULL;
    if (rewrite->writer->plan && field->number == rewrite->layout.initializer)
        tensor = subject(rewrite, field)->tensor;
    if (!tensor || !data_moves(rewrite->writer->plan, tensor)) {
        rope_span(rope, field->whole);
        return;
    }
    Rope inner = rewrite_tensor(&rewrite->scratch, tensor, NULL);
    rope_message(rope, field->number, &inner);
    arena_clear(rewrite->scratch.arena);
}

Rope rewrite_graph(Writer *writer, const Graph *graph)
{
    Rope rope = writer_rope(writer);
    if (!graph_is_dirty(writer, graph)) {
        rope_span(&rope, graph->source);
        return rope;
    }
    Rewrite rewrite = rewrite_start(writer, graph);
    Wire wire = wire_over(graph->source);
    Field field;
    while (wire_next(&wire, &field)) {
        if (field.number == rewrite.layout.node)
            put_nodes(&rewrite, &rope);
        else if (is_kept(&rewrite, &field))
            put_kept(&rewrite, &rope, &field);
        if (field.whole.bytes == rewrite.last_initializer)
            put_new_initializers(&rewrite, &rope);
        if (field.whole.bytes == rewrite.last_input)
            put_new_inputs(&rewrite, &rope);
    }
    put_nodes(&rewrite, &rope);
    if (!rewrite.last_initializer)
        put_new_initializers(&rewrite, &rope);
    if (!rewrite.last_input)
        put_new_inputs(&rewrite, &rope);
    arena_free(rewrite.scratch.arena);
    return rope;
}

Rope rewrite_model(Writer *writer)
{
    enum { GRAPH = 7, FUNCTIONS = 25 };
    const Model *model = writer->model;
    Rope rope = writer_rope(writer);
    Wire wire = wire_over(model->file);
    Field field;
    const Function *function = model->functions;
    while (wire_next(&wire, &field)) {
        const Graph *graph = field.number == GRAPH       ? model->graph
                             : field.number == FUNCTIONS ? (function++)->body
                                                         : NULL;
        if (!graph || !graph_is_dirty(writer, graph)) {
            rope_span(&rope, field.whole);
            continue;
        }
        Rope inner = rewrite_graph(writer, graph);
        rope_message(&rope, field.number, &inner);
    }
    return rope;
}
