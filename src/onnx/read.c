#include "onnx/read.h"

#include <limits.h>
#include <string.h>

#include "base/inflate.h"
#include "graph/dump.h"
#include "onnx/extdata.h"
#include "onnx/input.h"
#include "onnx/onnx.h"
#include "onnx/scan.h"
#include "onnx/unpack.h"
#include "onnx/wire.h"

enum { IR_NEWEST = 14, OPSET_NEWEST = 28, NAME_SHOWN = 100 };

const char *name_text(Arena *arena, const char *name)
{
    Text text = {.arena = arena};
    size_t size = strlen(name), shown = size < NAME_SHOWN ? size : NAME_SHOWN;
    /* Not in the middle of a UTF-8 sequence. */
    while (shown < size && shown > 0 && ((uint8_t)name[shown] & 0xc0) == 0x80)
        shown--;
    text_printf(&text, "\"");
    text_escaped(&text, arena_strndup(arena, name, shown));
    text_printf(&text, "%s\"", shown < size ? "..." : "");
    return text.bytes;
}

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

Fact read_type(Symbols *symbols, const Onnx__TypeProto *type)
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
    fact.rank = (int)shape->n_dim;
    for (size_t i = 0; i < shape->n_dim; i++)
        fact.dims[i] = read_dim(symbols, shape->dim[i]);
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
    value->fact = read_type(reader->model->symbols, proto->type);
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
        value->fact = read_type(reader->model->symbols, proto->type);
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

static void mark_mutable(Graph *graph, const char *name)
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

/* Numbers of ModelProto's fields. */
enum {
    IR_VERSION = 1,
    PRODUCER_NAME = 2,
    PRODUCER_VERSION = 3,
    GRAPH = 7,
    OPSET_IMPORT = 8,
    TRAINING_INFO = 20,
    FUNCTIONS = 25
};

static size_t count_fields(Span message, uint32_t number)
{
    Wire wire = wire_over(message);
    Field field;
    size_t count = 0;
    while (wire_find(&wire, number, WIRE_BYTES, &field))
        count++;
    return count;
}

static int check_opset(const Reader *reader, int64_t version)
{
    if (version > OPSET_NEWEST)
        return err_set(reader->err, ERR_TOO_NEW,
                       "opset %lld is newer than %d, the newest that this "
                       "version knows",
                       (long long)version, OPSET_NEWEST);
    return 0;
}

/* Notes a version of the ai.onnx domain, which has one at most. */
static int import_onnx(Reader *reader, int64_t version)
{
    Model *model = reader->model;
    TRY(check_opset(reader, version));
    if (model->opset != 0 && model->opset != version)
        return err_set(reader->err, ERR_INVALID_MODEL,
                       "imports both opset %lld and opset %lld",
                       (long long)model->opset, (long long)version);
    model->opset = version;
    return 0;
}

static int read_import(Reader *reader, OpsetImport *import, Span source)
{
    enum { DOMAIN = 1, VERSION = 2 };
    import->domain = wire_string(reader->arena, source, DOMAIN);
    import->version = (int64_t)wire_value(source, VERSION);
    if (import->version < 1 || import->version > INT_MAX)
        return err_set(reader->err, ERR_INVALID_MODEL,
                       "imports the domain %s in the impossible version %lld",
                       name_text(reader->arena, import->domain),
                       (long long)import->version);
    return is_onnx_domain(import->domain) ? import_onnx(reader, import->version)
                                          : 0;
}

static int read_imports(Reader *reader)
{
    Model *model = reader->model;
    size_t count = count_fields(model->file, OPSET_IMPORT);
    model->imports = arena_array(reader->arena, count, sizeof *model->imports);
    Wire wire = wire_over(model->file);
    Field field;
    while (wire_find(&wire, OPSET_IMPORT, WIRE_BYTES, &field))
        TRY(read_import(reader, &model->imports[model->import_count++],
                        field.payload));
    if (model->ir_version < 3 && count > 0)
        return err_set(reader->err, ERR_INVALID_MODEL,
                       "imports an opset, which IR version %lld does not have",
                       (long long)model->ir_version);
    if (model->ir_version < 3)
        model->opset = 1;
    else if (count == 0)
        return err_set(reader->err, ERR_INVALID_MODEL,
                       "imports no opset: it does not say which version of "
                       "the operators it means");
    return 0;
}

static int read_versions(Reader *reader)
{
    Model *model = reader->model;
    int64_t version = (int64_t)wire_value(model->file, IR_VERSION);
    model->ir_version = version;
    if (count_fields(model->file, GRAPH) == 0) {
        const char *guess = scan_guess(model->file);
        return err_set(
            reader->err, version == 0 ? ERR_NOT_ONNX : ERR_INVALID_MODEL,
            "not an ONNX model: %s%s",
            guess ? "looks like " : "it has no graph", guess ? guess : "");
    }
    if (version < 1)
        return err_set(reader->err, ERR_INVALID_MODEL,
                       "has no IR version, or an impossible one");
    if (version > IR_NEWEST)
        return err_set(reader->err, ERR_TOO_NEW,
                       "IR version %lld is newer than %d, the newest that "
                       "this version knows",
                       (long long)version, IR_NEWEST);
    return 0;
}

/* The version of the ai.onnx domain that a function imports; 0: none. */
static int64_t function_opset(Reader *reader, Span source)
{
    enum { IMPORT = 9, DOMAIN = 1, VERSION = 2 };
    Wire wire = wire_over(source);
    Field field;
    while (wire_find(&wire, IMPORT, WIRE_BYTES, &field))
        if (is_onnx_domain(wire_string(reader->arena, field.payload, DOMAIN)))
            return (int64_t)wire_value(field.payload, VERSION);
    return 0;
}

/* Names of all functions, before anything that may call them is read. */
static int list_functions(Reader *reader)
{
    enum { NAME = 1, DOMAIN = 10, OVERLOAD = 13 };
    Model *model = reader->model;
    size_t count = count_fields(model->file, FUNCTIONS);
    model->functions =
        arena_array(reader->arena, count, sizeof *model->functions);
    Map *full_names = map_new(reader->arena);
    Wire wire = wire_over(model->file);
    Field field;
    while (wire_find(&wire, FUNCTIONS, WIRE_BYTES, &field)) {
        Function *function = &model->functions[model->function_count++];
        function->source = field.payload;
        function->name = wire_string(reader->arena, field.payload, NAME);
        function->domain = wire_string(reader->arena, field.payload, DOMAIN);
        const char *key =
            function_key(reader->arena, function->domain, function->name);
        const char *full =
            arena_printf(reader->arena, "%s:%s", key,
                         wire_string(reader->arena, field.payload, OVERLOAD));
        if (map_get(full_names, full))
            return err_set(reader->err, ERR_DUPLICATE_NAME,
                           "the function %s is there twice",
                           name_text(reader->arena, function->name));
        map_put(full_names, full, function);
        map_put(reader->functions, key, function);
    }
    return 0;
}

static int read_functions(Reader *reader)
{
    Model *model = reader->model;
    for (size_t i = 0; i < model->function_count; i++) {
        Function *function = &model->functions[i];
        function->body = graph_new(model, NULL);
        function->body->source = function->source;
        function->body->name = function->name;
        function->body->opset = function_opset(reader, function->source);
        if (check_opset(reader, function->body->opset) < 0 ||
            read_steps(reader, function->body, function_steps) < 0)
            return err_prefix(reader->err, "function %s",
                              name_text(reader->arena, function->name));
    }
    return 0;
}

/* Training assigns to what the bindings name. */
static void read_training(Reader *reader, Span source)
{
    enum { INITIALIZATION_BINDING = 3, UPDATE_BINDING = 4, KEY = 1 };
    Wire wire = wire_over(source);
    Field field;
    while (wire_next(&wire, &field))
        if (field.number == INITIALIZATION_BINDING ||
            field.number == UPDATE_BINDING)
            mark_mutable(reader->model->graph,
                         wire_string(reader->arena, field.payload, KEY));
}

static int read_model(Reader *reader)
{
    Model *model = reader->model;
    model->producer_name =
        wire_string(reader->arena, model->file, PRODUCER_NAME);
    model->producer_version =
        wire_string(reader->arena, model->file, PRODUCER_VERSION);
    TRY(read_versions(reader));
    TRY(read_imports(reader));
    TRY(list_functions(reader));
    model->graph = graph_new(model, NULL);
    TRY(read_graph(reader, model->graph, wire_bytes(model->file, GRAPH)));
    TRY(read_functions(reader));
    TRY(check_calls(reader));
    Wire wire = wire_over(model->file);
    Field field;
    while (wire_find(&wire, TRAINING_INFO, WIRE_BYTES, &field))
        read_training(reader, field.payload);
    graph_fill_uses(model->graph);
    return 0;
}

/* Data can only be written anew where they were found. */
static int check_external(const Reader *reader, size_t count)
{
    if (reader->external_tensors == count)
        return 0;
    return err_set(reader->err, ERR_EXTERNAL_DATA,
                   "%zu tensors have external data where this version does "
                   "not follow them: in training graphs, sparse tensors or "
                   "lists of tensors",
                   count - reader->external_tensors);
}

/* Bytes that gzip has compressed become those they stand for. */
static int decompress(Arena *arena, Span *bytes, External *external, Err *err)
{
    void *larger;
    size_t size;
    if (bytes->size < 2 || memcmp(bytes->bytes, "\x1f\x8b", 2) != 0)
        return 0;
    TRY(inflate_gzip(arena, bytes->bytes, bytes->size, &larger, &size, err));
    external_release(external);
    external->map = (Span){0};
    *bytes = (Span){larger, size};
    return 0;
}

/* Two bytes of a hostile file can take a hundred of memory. So the program is
 * to stay within sixteen times the file and 64 MB, unless the user says
 * otherwise; this is what that leaves besides the file itself, the program and
 * what the allocator wastes. Exports of networks take a tenth of it. */
static size_t memory_bound(size_t size)
{
    enum { TIMES = 15, ALWAYS = 50 << 20 };
    return size > SIZE_MAX / TIMES / 2 ? SIZE_MAX / 2 : TIMES * size + ALWAYS;
}

static int read_bytes(Arena *arena, Span bytes, const char *name,
                      const ReadOptions *options, External *external,
                      Model **out, Err *err)
{
    size_t count;
    size_t packed = bytes.size;
    arena_bound(arena, memory_bound(packed));
    TRY(decompress(arena, &bytes, external, err));
    TRY(scan_model(bytes, options->max_depth, &count, err));
    Model *model = model_new(arena);
    model->path = name;
    model->file = bytes;
    model->external = external;
    model->let_go = external_release;
    Reader reader = {.arena = arena,
                     .model = model,
                     .functions = map_new(arena),
                     .words = map_new(arena),
                     .err = err};
    TRY(read_model(&reader));
    model->memory_bound = memory_bound(packed + external_size(external));
    *out = model;
    return check_external(&reader, count);
}

/* The name of the file, as messages begin with it. */
static int name_fault(Arena *arena, const char *name, Err *err)
{
    Text text = {.arena = arena};
    text_escaped(&text, name);
    return err_prefix(err, "%s", text.bytes);
}

static const ReadOptions defaults;

int model_read_memory(Arena *arena, const void *bytes, size_t size,
                      const char *name, const ReadOptions *options, Model **out,
                      Err *err)
{
    options = options ? options : &defaults;
    External *external = options->external
                             ? options->external
                             : external_new(arena, options->data_dir);
    if (read_bytes(arena, (Span){bytes, size}, arena_strdup(arena, name),
                   options, external, out, err) < 0)
        return name_fault(arena, name, err);
    return 0;
}

/* The folder that a file is in, or NULL for a stream. */
static const char *folder_of(Arena *arena, const char *path,
                             const InputFile *file)
{
    const char *slash = strrchr(path, '/');
    if (!S_ISREG(file->status.st_mode) || strcmp(path, "-") == 0)
        return NULL;
    return slash ? arena_strndup(arena, path, (size_t)(slash - path) + 1) : ".";
}

static int read_file(Arena *arena, const char *path, const ReadOptions *options,
                     Model **out, Err *err)
{
    InputFile file;
    TRY(input_open(arena, path, &file, err));
    External *external =
        external_new(arena, options->data_dir ? options->data_dir
                                              : folder_of(arena, path, &file));
    external->model = file.status;
    if (file.is_mapped)
        external->map = file.bytes;
    return read_bytes(arena, file.bytes, arena_strdup(arena, path), options,
                      external, out, err);
}

int model_read_file(Arena *arena, const char *path, const ReadOptions *options,
                    Model **out, Err *err)
{
    if (read_file(arena, path, options ? options : &defaults, out, err) < 0)
        return name_fault(arena, path, err);
    return 0;
}

int tensor_read_file(Arena *arena, const char *path, Tensor **out,
                     const char **name, Err *err)
{
    enum { NAME = 8 };
    InputFile file;
    if (input_open(arena, path, &file, err) < 0)
        return name_fault(arena, path, err);
    if (scan_tensor(file.bytes, err) < 0 ||
        read_tensor(arena, NULL, file.bytes, out, err) < 0)
        return name_fault(arena, path, err);
    *name = wire_string(arena, file.bytes, NAME);
    return 0;
}
