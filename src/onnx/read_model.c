/* A ModelProto: versions, imports, functions, and what training assigns to. */
#include <limits.h>
#include <string.h>

#include "onnx/read.h"
#include "onnx/scan.h"
#include "onnx/wire.h"

enum { IR_NEWEST = 14, OPSET_NEWEST = 28 };

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

/* One entry of a list of imports. `*onnx`, 0 at first, is the version of the
 * ai.onnx domain in that list, which has one at most. */
static int read_import(Reader *reader, Span source, OpsetImport *import,
                       int64_t *onnx)
{
    enum { DOMAIN = 1, VERSION = 2 };
    import->domain = wire_string(reader->arena, source, DOMAIN);
    import->version = (int64_t)wire_value(source, VERSION);
    if (import->version < 1 || import->version > INT_MAX)
        return err_set(reader->err, ERR_INVALID_MODEL,
                       "imports the domain %s in the impossible version %lld",
                       name_text(reader->arena, import->domain),
                       (long long)import->version);
    if (!is_onnx_domain(import->domain))
        return 0;
    if (import->version > OPSET_NEWEST)
        return err_set(reader->err, ERR_TOO_NEW,
                       "opset %lld is newer than %d, the newest that this "
                       "version knows",
                       (long long)import->version, OPSET_NEWEST);
    if (*onnx != 0 && *onnx != import->version)
        return err_set(reader->err, ERR_INVALID_MODEL,
                       "imports both opset %lld and opset %lld",
                       (long long)*onnx, (long long)import->version);
    *onnx = import->version;
    return 0;
}

static int read_imports(Reader *reader)
{
    Model *model = reader->model;
    size_t count = count_fields(model->file, OPSET_IMPORT);
    model->imports = arena_array(reader->arena, count, sizeof *model->imports);
    Wire wire = wire_over(model->file);
    Field field;
    while (wire_find(&wire, OPSET_IMPORT, WIRE_BYTES, &field))
        TRY(read_import(reader, field.payload,
                        &model->imports[model->import_count++], &model->opset));
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

/* A function has imports of its own; without one of the ai.onnx domain it means
 * the model's. */
static int read_function_imports(Reader *reader, Function *function)
{
    enum { IMPORT = 9 };
    Wire wire = wire_over(function->source);
    Field field;
    OpsetImport import;
    while (wire_find(&wire, IMPORT, WIRE_BYTES, &field))
        TRY(read_import(reader, field.payload, &import,
                        &function->body->opset));
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
    Wire wire = wire_over(model->file);
    Field field;
    while (wire_find(&wire, FUNCTIONS, WIRE_BYTES, &field)) {
        Function *function = &model->functions[model->function_count++];
        function->source = field.payload;
        function->name = wire_string(reader->arena, field.payload, NAME);
        function->domain = wire_string(reader->arena, field.payload, DOMAIN);
        const char *key =
            function_key(reader->arena, function->domain, function->name,
                         wire_string(reader->arena, field.payload, OVERLOAD));
        if (map_get(reader->functions, key))
            return err_set(reader->err, ERR_DUPLICATE_NAME,
                           "the function %s is there twice",
                           name_text(reader->arena, function->name));
        map_put(reader->functions, key, function);
    }
    model_list_functions(model);
    return 0;
}

/* What a call that does not give them takes for the function's attributes. */
static int read_defaults(Reader *reader, Function *function)
{
    enum { ATTRIBUTE_PROTO = 11 };
    size_t found = reader->external_tensors;
    size_t count = count_fields(function->source, ATTRIBUTE_PROTO);
    function->defaults =
        arena_array(reader->arena, count, sizeof *function->defaults);
    Wire wire = wire_over(function->source);
    Field field;
    while (wire_find(&wire, ATTRIBUTE_PROTO, WIRE_BYTES, &field))
        TRY(read_default(reader, function->body, field.payload,
                         &function->defaults[function->default_count++]));
    /* Data in other files are not written anew here. */
    reader->external_tensors = found;
    return 0;
}

static int read_functions(Reader *reader)
{
    Model *model = reader->model;
    for (size_t i = 0; i < model->function_count; i++) {
        Function *function = &model->functions[i];
        function->body = graph_new(model, NULL);
        function->body->name = function->name;
        if (read_function_imports(reader, function) < 0 ||
            read_function(reader, function->body, function->source) < 0 ||
            read_defaults(reader, function) < 0)
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

/* Whoever runs a model names each of these. What is as many as that was never
 * meant to be run, and takes more to be told of than to be read. */
static int check_interface(const Reader *reader, const Graph *graph)
{
    enum { MOST = 1 << 13 };
    size_t inputs = 0;
    for (size_t i = 0; i < graph->input_count; i++)
        inputs += !graph->inputs[i]->is_initializer;
    if (inputs <= MOST && graph->output_count <= MOST)
        return 0;
    return err_set(reader->err, ERR_BUDGET,
                   "has %zu inputs and %zu outputs, where %d of either are the "
                   "most",
                   inputs, graph->output_count, MOST);
}

int read_model(Reader *reader)
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
    TRY(check_interface(reader, model->graph));
    TRY(read_functions(reader));
    TRY(check_calls(reader));
    Wire wire = wire_over(model->file);
    Field field;
    while (wire_find(&wire, TRAINING_INFO, WIRE_BYTES, &field))
        read_training(reader, field.payload);
    graph_fill_uses(model->graph);
    return 0;
}
