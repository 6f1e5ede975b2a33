/*
 * A GraphProto or the body of a FunctionProto: what defines a value is read
 * before what reads it.
 */
#include <string.h>

#include "onnx/read.h"
#include "onnx/unpack.h"
#include "onnx/wire.h"

static Dim read_dim(Symbols *symbols,
                    const Onnx__TensorShapeProto__Dimension *dim)
{
    switch (dim->value_case) {
    case ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE:
        if (dim->dim_value >= 0)
            return dim_number(symbols, dim->dim_value);
        break;
    case ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM:
        if (dim->dim_param[0])
            return dim_named(symbols, dim->dim_param);
        break;
    default:
        break;
    }
    return dim_size_unknown(symbols);
}

Fact read_type(Arena *arena, Symbols *symbols, const Onnx__TypeProto *type)
{
    Fact fact = FACT_UNKNOWN;
    if (!type || type->value_case != ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE)
        return fact;
    int32_t element = type->tensor_type->elem_type;
    if (element > DT_UNDEFINED && element < DT_COUNT)
        fact.type = (DType)element;
    const Onnx__TensorShapeProto *shape = type->tensor_type->shape;
    if (!shape || shape->n_dim > RANK_MAX)
        return fact;
    Dim *dims = fact_set(arena, &fact, fact.type, (int)shape->n_dim, NULL);
    for (size_t i = 0; i < shape->n_dim; i++)
        dims[i] = read_dim(symbols, shape->dim[i]);
    return fact;
}

/* A new value of the graph, whose name must be free there. */
static int define(Reader *reader, Graph *graph, const char *name,
                  const char *what, Value **out)
{
    if (!name || !name[0])
        return err_set(reader->err, ERR_INVALID_MODEL, "%s has no name", what);
    if (map_get(graph->values, name))
        return err_set(reader->err, ERR_DUPLICATE_NAME, "%s %s is there twice",
                       what, name_text(reader->arena, name));
    *out = graph_value(graph, arena_strdup(reader->arena, name));
    return 0;
}

static int read_input(Reader *reader, Graph *graph, Span source)
{
    Onnx__ValueInfoProto *proto =
        unpack(reader->scratch, &onnx__value_info_proto__descriptor, source,
               reader->err);
    if (!proto)
        return -1;
    Value *value;
    TRY(define(reader, graph, proto->name, "the input", &value));
    value->fact = read_type(reader->arena, reader->model->symbols, proto->type);
    graph_add_input(graph, value);
    return 0;
}

/* The value an initializer belongs to: its own, or that of the input which it
 * is the default of. */
static int initializer_value(Reader *reader, Graph *graph, const char *name,
                             Value **out)
{
    *out = map_get(graph->values, name);
    if (*out && !(*out)->is_initializer)
        return 0;
    return define(reader, graph, name, "the initializer", out);
}

static void set_initializer(Graph *graph, Value *value, Tensor *tensor)
{
    graph_set_initializer(graph, value, tensor);
    /* A tensor that is not understood says nothing of its shape. */
    if (tensor->type == DT_UNDEFINED)
        value->fact = FACT_UNKNOWN;
}

static int read_initializer(Reader *reader, Graph *graph, Span source)
{
    enum { NAME = 8 };
    Value *value;
    Tensor *tensor;
    const char *name = wire_string(reader->scratch, source, NAME);
    TRY(initializer_value(reader, graph, name, &value));
    if (read_tensor(reader->arena, reader->model->external, source, &tensor,
                    reader->err) < 0)
        return err_prefix(reader->err, "initializer %s",
                          name_text(reader->arena, name));
    set_initializer(graph, value, tensor);
    reader->external_tensors += tensor->is_external;
    return 0;
}

static int read_sparse_initializer(Reader *reader, Graph *graph, Span source)
{
    enum { NAME = 8 };
    Onnx__SparseTensorProto *proto =
        unpack(reader->scratch, &onnx__sparse_tensor_proto__descriptor, source,
               reader->err);
    if (!proto)
        return -1;
    Span place = {0};
    if (proto->values)
        place = unpack_place(&proto->values->base);
    Value *value;
    Tensor *tensor;
    const char *name = wire_string(reader->scratch, place, NAME);
    TRY(initializer_value(reader, graph, name, &value));
    if (read_sparse_tensor(reader->arena, reader->model->external, proto,
                           &tensor, reader->err) < 0)
        return err_prefix(reader->err, "sparse initializer %s",
                          name_text(reader->arena, name));
    set_initializer(graph, value, tensor);
    return 0;
}

static int add_output(Reader *reader, Graph *graph, const char *name,
                      Value **out)
{
    *out = map_get(graph->values, name);
    if (!*out || (*out)->outer)
        return err_set(reader->err, ERR_UNDEFINED_VALUE,
                       "nothing produces the output %s",
                       name_text(reader->arena, name));
    graph_add_output(graph, *out);
    return 0;
}

static int read_value_type(Reader *reader, Graph *graph, Span source,
                           bool is_output)
{
    Onnx__ValueInfoProto *proto =
        unpack(reader->scratch, &onnx__value_info_proto__descriptor, source,
               reader->err);
    if (!proto)
        return -1;
    const char *name = proto->name ? proto->name : "";
    Value *value = map_get(graph->values, name);
    if (is_output)
        TRY(add_output(reader, graph, name, &value));
    /* Inputs and initializers have told theirs. */
    if (value && value->producer)
        value->fact =
            read_type(reader->arena, reader->model->symbols, proto->type);
    return 0;
}

static int read_output(Reader *reader, Graph *graph, Span source)
{
    return read_value_type(reader, graph, source, true);
}

static int read_value_info(Reader *reader, Graph *graph, Span source)
{
    return read_value_type(reader, graph, source, false);
}

void mark_mutable(Graph *graph, const char *name)
{
    Value *value = name ? map_get(graph->values, name) : NULL;
    if (value)
        value->is_mutable = true;
}

static int read_annotation(Reader *reader, Graph *graph, Span source)
{
    Onnx__TensorAnnotation *proto =
        unpack(reader->scratch, &onnx__tensor_annotation__descriptor, source,
               reader->err);
    if (!proto)
        return -1;
    mark_mutable(graph, proto->tensor_name);
    for (size_t i = 0; i < proto->n_quant_parameter_tensor_names; i++)
        mark_mutable(graph, proto->quant_parameter_tensor_names[i]->value);
    return 0;
}

static int read_function_input(Reader *reader, Graph *graph, Span source)
{
    Value *value;
    const char *name =
        arena_strndup(reader->scratch, (const char *)source.bytes, source.size);
    TRY(define(reader, graph, name, "the input", &value));
    graph_add_input(graph, value);
    return 0;
}

static int read_function_output(Reader *reader, Graph *graph, Span source)
{
    Value *value;
    return add_output(
        reader, graph,
        arena_strndup(reader->scratch, (const char *)source.bytes, source.size),
        &value);
}

/* Fields of a GraphProto or FunctionProto: what is defined before its uses. */
typedef struct Step {
    uint32_t field;
    int (*read)(Reader *reader, Graph *graph, Span source);
} Step;

static const Step graph_steps[] = {
    {11, read_input},
    {5, read_initializer},
    {15, read_sparse_initializer},
    {1, read_node},
    {12, read_output},
    {13, read_value_info},
    {14, read_annotation},
    {0, NULL},
};

static const Step function_steps[] = {
    {4, read_function_input}, {7, read_node}, {5, read_function_output},
    {12, read_value_info},    {0, NULL},
};

/* What protobuf-c makes of a field goes when the field has been read. */
static int read_steps(Reader *reader, Graph *graph, const Step *step)
{
    Arena *outer = reader->scratch;
    reader->scratch = arena_child(reader->arena);
    for (; step->read; step++) {
        Wire wire = wire_over(graph->source);
        Field field;
        int status = 0;
        while (status == 0 &&
               wire_find(&wire, step->field, WIRE_BYTES, &field)) {
            status = step->read(reader, graph, field.payload);
            arena_clear(reader->scratch);
        }
        if (status < 0)
            TRY(read_in_order(reader, graph, field.payload));
    }
    arena_free(reader->scratch);
    reader->scratch = outer;
    return 0;
}

int read_graph(Reader *reader, Graph *graph, Span source)
{
    enum { NAME = 2 };
    graph->source = source;
    graph->name = wire_string(reader->arena, source, NAME);
    return read_steps(reader, graph, graph_steps);
}

int read_function(Reader *reader, Graph *body, Span source)
{
    body->source = source;
    return read_steps(reader, body, function_steps);
}
