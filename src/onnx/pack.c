#include "onnx/pack.h"

#include <string.h>

#include "onnx/read.h"
#include "onnx/wire.h"

Rope writer_rope(const Writer *writer)
{
    return rope_new(writer->arena, writer->model->file);
}

Writer writer_scratch(const Writer *writer)
{
    Writer own = *writer;
    own.arena = arena_child(writer->arena);
    return own;
}

/* A StringStringEntryProto. */
static void rope_entry(Writer *writer, Rope *rope, uint32_t field,
                       const char *key, const char *text)
{
    enum { KEY = 1, VALUE = 2 };
    Rope entry = writer_rope(writer);
    rope_string(&entry, KEY, key);
    rope_text(&entry, VALUE, text);
    rope_message(rope, field, &entry);
}

void rope_data(Writer *writer, Rope *rope, const Tensor *tensor)
{
    enum { RAW_DATA = 9, EXTERNAL_DATA = 13, DATA_LOCATION = 14 };
    enum { EXTERNAL = 1 };
    const DataPlace *place = data_place(writer->plan, tensor);
    if (!place) {
        rope_elements(rope, RAW_DATA, tensor);
        return;
    }
    rope_entry(writer, rope, EXTERNAL_DATA, "location", writer->plan->location);
    rope_entry(
        writer, rope, EXTERNAL_DATA, "offset",
        arena_printf(writer->arena, "%llu", (unsigned long long)place->offset));
    rope_entry(writer, rope, EXTERNAL_DATA, "length",
               arena_printf(writer->arena, "%zu", place->size));
    rope_number(rope, DATA_LOCATION, EXTERNAL);
}

Rope pack_tensor(Writer *writer, const Tensor *tensor, const char *name)
{
    enum { DIMS = 1, DATA_TYPE = 2, NAME = 8 };
    if (tensor->source)
        return rewrite_tensor(writer, tensor, name);
    Rope rope = writer_rope(writer);
    if (!tensor_is_readable(tensor))
        err_set(writer->err, ERR_UNSUPPORTED_TYPE,
                "the tensor %s has no data that can be written",
                name_text(writer->arena, name));
    for (int i = 0; i < tensor->rank; i++)
        rope_number(&rope, DIMS, (uint64_t)tensor->dims[i]);
    rope_number(&rope, DATA_TYPE, tensor->type);
    rope_string(&rope, NAME, name);
    rope_data(writer, &rope, tensor);
    return rope;
}

static Rope pack_dim(Writer *writer, Dim dim)
{
    enum { DIM_VALUE = 1, DIM_PARAM = 2 };
    const Symbols *symbols = writer->model->symbols;
    Rope rope = writer_rope(writer);
    int64_t number;
    if (dim_is_known(symbols, dim, &number))
        rope_number(&rope, DIM_VALUE, (uint64_t)number);
    else if (!dim_is_unknown(symbols, dim))
        rope_text(&rope, DIM_PARAM, dim_text(writer->arena, symbols, dim));
    return rope;
}

static Rope pack_type(Writer *writer, const Fact *fact)
{
    enum { ELEM_TYPE = 1, SHAPE = 2, DIM = 1, TENSOR_TYPE = 1 };
    Rope shape = writer_rope(writer), tensor = writer_rope(writer);
    rope_number(&tensor, ELEM_TYPE, fact->type);
    for (int i = 0; i < fact->rank; i++) {
        Rope dim = pack_dim(writer, fact->dims[i]);
        rope_message(&shape, DIM, &dim);
    }
    if (fact->rank >= 0)
        rope_message(&tensor, SHAPE, &shape);
    Rope type = writer_rope(writer);
    rope_message(&type, TENSOR_TYPE, &tensor);
    return type;
}

Rope pack_value(Writer *writer, const Value *value)
{
    enum { NAME = 1, TYPE = 2 };
    Rope rope = writer_rope(writer);
    rope_string(&rope, NAME, value->name);
    if (value->fact.type != DT_UNDEFINED) {
        Rope type = pack_type(writer, &value->fact);
        rope_message(&rope, TYPE, &type);
    }
    return rope;
}

static Rope graph_rope(Writer *writer, const Graph *graph)
{
    return graph->source.bytes ? rewrite_graph(writer, graph)
                               : pack_graph(writer, graph);
}

/* The value of an attribute, in the field that goes with its type. */
static void rope_attr_value(Writer *writer, Rope *rope, const Attr *attr)
{
    enum { F = 2, I = 3, S = 4, T = 5, G = 6 };
    uint32_t bits;
    Rope inner;
    switch (attr->type) {
    case ATTR_FLOAT:
        memcpy(&bits, &attr->f, sizeof bits);
        rope_fixed32(rope, F, bits);
        break;
    case ATTR_INT:
        rope_number(rope, I, (uint64_t)attr->i);
        break;
    case ATTR_STRING:
        rope_bytes(rope, S, attr->s);
        break;
    case ATTR_TENSOR:
        inner = pack_tensor(writer, attr->tensor, "");
        rope_message(rope, T, &inner);
        break;
    case ATTR_GRAPH:
        inner = graph_rope(writer, attr->graph);
        rope_message(rope, G, &inner);
        break;
    default:
        err_set(writer->err, ERR_INTERNAL,
                "the attribute %s has a type that cannot be written",
                name_text(writer->arena, attr->name));
    }
}

static void rope_attr_values(Writer *writer, Rope *rope, const Attr *attr)
{
    enum { FLOATS = 7, INTS = 8, STRINGS = 9, GRAPHS = 11 };
    for (size_t i = 0; i < attr->count; i++) {
        uint32_t bits;
        Rope inner;
        switch (attr->type) {
        case ATTR_FLOATS:
            memcpy(&bits, &attr->floats[i], sizeof bits);
            rope_fixed32(rope, FLOATS, bits);
            break;
        case ATTR_INTS:
            rope_number(rope, INTS, (uint64_t)attr->ints[i]);
            break;
        case ATTR_STRINGS:
            rope_bytes(rope, STRINGS, attr->strings[i]);
            break;
        default:
            inner = graph_rope(writer, attr->graphs[i]);
            rope_message(rope, GRAPHS, &inner);
        }
    }
}

static bool attr_is_list(const Attr *attr)
{
    return attr->type == ATTR_FLOATS || attr->type == ATTR_INTS ||
           attr->type == ATTR_STRINGS || attr->type == ATTR_GRAPHS;
}

static Rope pack_attr(Writer *writer, const Attr *attr)
{
    enum { NAME = 1, TYPE = 20, REF_ATTR_NAME = 21 };
    if (attr->source.bytes)
        return rewrite_attr(writer, attr);
    Rope rope = writer_rope(writer);
    rope_string(&rope, NAME, attr->name);
    if (attr->reference)
        rope_string(&rope, REF_ATTR_NAME, attr->reference);
    else if (attr_is_list(attr))
        rope_attr_values(writer, &rope, attr);
    else
        rope_attr_value(writer, &rope, attr);
    rope_number(&rope, TYPE, attr->type);
    return rope;
}

static void rope_names(Rope *rope, uint32_t field, Value *const *values,
                       int count)
{
    for (int i = 0; i < count; i++)
        rope_string(rope, field, values[i] ? values[i]->name : "");
}

void rope_inputs(Rope *rope, const Node *node)
{
    enum { INPUT = 1, OUTPUT = 2 };
    rope_names(rope, INPUT, node->inputs, node->input_count);
    rope_names(rope, OUTPUT, node->outputs, node->output_count);
}

/* A metadata_props entry of a node. */
static void rope_note(Writer *writer, Rope *rope, const char *key,
                      const char *text)
{
    enum { METADATA_PROPS = 9 };
    if (text)
        rope_entry(writer, rope, METADATA_PROPS, key, text);
}

Rope pack_node(Writer *writer, const Node *node)
{
    enum { NAME = 3, OP_TYPE = 4, ATTRIBUTE = 5, DOMAIN = 7 };
    Rope rope = writer_rope(writer);
    rope_inputs(&rope, node);
    if (node->name[0])
        rope_string(&rope, NAME, node->name);
    rope_string(&rope, OP_TYPE, node->op_type);
    for (int i = 0; i < node->attr_count; i++) {
        Rope attr = pack_attr(writer, &node->attrs[i]);
        rope_message(&rope, ATTRIBUTE, &attr);
    }
    if (node->domain[0])
        rope_string(&rope, DOMAIN, node->domain);
    rope_note(writer, &rope, "repfold.from", node->origin);
    rope_note(writer, &rope, "repfold.rule", node->rule);
    return rope;
}

static void rope_node(Writer *writer, Rope *rope, uint32_t field,
                      const Node *node)
{
    if (node->removed)
        return;
    if (node->source.bytes && !node_is_dirty(writer, node)) {
        rope_bytes(rope, field, node->source);
        return;
    }
    Rope inner = node->source.bytes ? rewrite_node(writer, node)
                                    : pack_node(writer, node);
    rope_message(rope, field, &inner);
}

void rope_nodes(Writer *writer, Rope *rope, uint32_t field, const Graph *graph)
{
    Writer own = writer_scratch(writer);
    for (size_t i = 0; i < graph->node_count; i++) {
        /* A place shows the last of the nodes that stand in it. */
        const Node *node = graph->nodes[i];
        while (node->before)
            node = node->before;
        for (; node; node = node->after) {
            rope_node(&own, rope, field, node);
            arena_clear(own.arena);
        }
    }
    arena_free(own.arena);
}

Rope pack_graph(Writer *writer, const Graph *graph)
{
    enum { NODE = 1, NAME = 2, INITIALIZER = 5, INPUT = 11, OUTPUT = 12 };
    Rope rope = writer_rope(writer), inner;
    rope_nodes(writer, &rope, NODE, graph);
    rope_string(&rope, NAME, graph->name);
    for (size_t i = 0; i < graph->initializer_count; i++) {
        const Value *value = graph->initializers[i];
        inner = pack_tensor(writer, value->tensor, value->name);
        rope_message(&rope, INITIALIZER, &inner);
    }
    for (size_t i = 0; i < graph->input_count; i++) {
        inner = pack_value(writer, graph->inputs[i]);
        rope_message(&rope, INPUT, &inner);
    }
    for (size_t i = 0; i < graph->output_count; i++) {
        inner = pack_value(writer, graph->outputs[i]);
        rope_message(&rope, OUTPUT, &inner);
    }
    return rope;
}

static void rope_import(Writer *writer, Rope *rope, const char *domain,
                        int64_t version)
{
    enum { OPSET_IMPORT = 8, DOMAIN = 1, VERSION = 2 };
    Rope import = writer_rope(writer);
    rope_string(&import, DOMAIN, domain);
    rope_number(&import, VERSION, (uint64_t)version);
    rope_message(rope, OPSET_IMPORT, &import);
}

Rope pack_model(Writer *writer)
{
    enum { IR_VERSION = 1, PRODUCER_NAME = 2, PRODUCER_VERSION = 3, GRAPH = 7 };
    const Model *model = writer->model;
    Rope rope = writer_rope(writer);
    Rope graph = pack_graph(writer, model->graph);
    rope_number(&rope, IR_VERSION, (uint64_t)model->ir_version);
    rope_string(&rope, PRODUCER_NAME, model->producer_name);
    rope_string(&rope, PRODUCER_VERSION, model->producer_version);
    rope_message(&rope, GRAPH, &graph);
    for (size_t i = 0; i < model->import_count; i++)
        rope_import(writer, &rope, model->imports[i].domain,
                    model->imports[i].version);
    if (model->import_count == 0)
        rope_import(writer, &rope, "", model->opset);
    return rope;
}
