#include "zoo/net.h"

#include <string.h>

Scope scope_root(void)
{
    return (Scope){"", ""};
}

static const char *key_join(Net *net, const char *key, const char *leaf)
{
    return arena_printf(net->arena, "%s%s%s", key, *key ? "." : "", leaf);
}

Scope scope_child(Net *net, Scope scope, const char *name)
{
    return (Scope){arena_printf(net->arena, "%s/%s", scope.path, name),
                   key_join(net, scope.key, name)};
}

Scope scope_item(Net *net, Scope scope, const char *name, int number)
{
    const char *item = arena_printf(net->arena, "%s.%d", name, number);
    return (Scope){arena_printf(net->arena, "%s/%s/%s", scope.path, name, item),
                   key_join(net, scope.key, item)};
}

Scope scope_nested(Net *net, Scope scope, int number)
{
    const char *key = arena_printf(net->arena, "%s.%d", scope.key, number);
    return (Scope){arena_printf(net->arena, "%s/%s", scope.path, key), key};
}

int net_scale_widths(Net *net, const int *widths, int count, int64_t *out)
{
    double factor = net->options.width_mult;
    for (int i = 0; i < count; i++) {
        out[i] = (int64_t)((double)widths[i] * factor + 0.5);
        if (out[i] == 0)
            return err_set(net->err, ERR_USAGE,
                           "width multiplier %g leaves stage %d no channels",
                           factor, i + 1);
    }
    return 0;
}

int net_bad_width(Net *net, int stage, int64_t width, const char *why)
{
    if (net->options.width_mult == 1)
        return err_set(net->err, ERR_BAD_WEIGHTS,
                       "stage %d has %lld channels, %s", stage,
                       (long long)width, why);
    return err_set(net->err, ERR_USAGE,
                   "width multiplier %g gives stage %d %lld channels, %s",
                   net->options.width_mult, stage, (long long)width, why);
}

/* The source's tensor, or NULL and the fault remembered. */
static Tensor *param_tensor(Net *net, const char *key, int rank,
                            const int64_t *dims)
{
    Tensor *tensor = NULL;
    if (net->weights->tensor(net->weights, net->arena, key, net->options.type,
                             rank, dims, &tensor, net->err) < 0)
        net->failed = true;
    return tensor;
}

static Value *set_initializer(Net *net, const char *name, Tensor *tensor)
{
    Value *value = graph_value(net->graph, name);
    if (tensor)
        graph_set_initializer(net->graph, value, tensor);
    return value;
}

Value *net_param(Net *net, Scope scope, const char *leaf, int rank,
                 const int64_t *dims)
{
    const char *key = key_join(net, scope.key, leaf);
    return set_initializer(net, key, param_tensor(net, key, rank, dims));
}

/* The elements of a matrix, column by column. */
typedef struct Transposed {
    TensorFormula formula;
    const Tensor *matrix;
} Transposed;

static void transposed_read(const TensorFormula *formula, int64_t first,
                            int64_t count, double *out)
{
    const Tensor *matrix = ((const Transposed *)formula)->matrix;
    int64_t rows = matrix->dims[0], columns = matrix->dims[1], now;
    for (int64_t done = 0; done < count; done += now) {
        int64_t column = (first + done) / rows, row = (first + done) % rows;
        now = count - done < rows - row ? count - done : rows - row;
        tensor_read_f64_step(matrix, row * columns + column, columns, now,
                             out + done);
    }
}

Value *net_param_transposed(Net *net, Scope scope, const char *leaf,
                            int64_t rows, int64_t columns)
{
    Tensor *matrix = param_tensor(net, key_join(net, scope.key, leaf), 2,
                                  (int64_t[]){rows, columns});
    Tensor *tensor = NULL;
    if (matrix) {
        Transposed *formula = arena_alloc(net->arena, sizeof *formula);
        *formula = (Transposed){{transposed_read}, matrix};
        tensor =
            tensor_from_formula(net->arena, matrix->type, 2,
                                (int64_t[]){columns, rows}, &formula->formula);
    }
    /* What the Transpose node was called before the exporter folded it. */
    const char *name =
        arena_printf(net->arena, "%s/Transpose_output_0", scope.path);
    return set_initializer(net, name, tensor);
}

/* path/Op, path/Op_1, path/Op_2, ... */
static const char *node_name(Net *net, Scope scope, Op op)
{
    char *name = arena_printf(net->arena, "%s/%s", scope.path, op_name(op));
    int *count = map_get(net->counts, name);
    if (!count) {
        map_put(net->counts, name, arena_alloc(net->arena, sizeof *count));
        return name;
    }
    return arena_printf(net->arena, "%s_%d", name, ++*count);
}

static Node *add_node(Net *net, Op op, const char *name, Value *const *inputs,
                      int input_count, Value *const *outputs, int output_count)
{
    Node *node = node_new(net->graph, op, name, inputs, input_count, outputs,
                          output_count);
    graph_add_node(net->graph, node);
    return node;
}

Node *net_node(Net *net, Scope scope, Op op, Value *const *inputs,
               int input_count, int output_count)
{
    const char *name = node_name(net, scope, op);
    Value **outputs =
        arena_array(net->arena, (size_t)output_count, sizeof *outputs);
    for (int i = 0; i < output_count; i++)
        outputs[i] = graph_value(
            net->graph, arena_printf(net->arena, "%s_output_%d", name, i));
    return add_node(net, op, name, inputs, input_count, outputs, output_count);
}

Node *net_node_called(Net *net, Scope scope, Op op, Value *const *inputs,
                      int input_count, const char *output)
{
    if (!output)
        return net_node(net, scope, op, inputs, input_count, 1);
    return add_node(net, op, node_name(net, scope, op), inputs, input_count,
                    (Value *[]){graph_value(net->graph, output)}, 1);
}

Value *net_unary(Net *net, Scope scope, Op op, Value *x)
{
    return net_node(net, scope, op, &x, 1, 1)->outputs[0];
}

Value *net_binary(Net *net, Scope scope, Op op, Value *a, Value *b)
{
    return net_node(net, scope, op, (Value *[]){a, b}, 2, 1)->outputs[0];
}

static Value *constant(Net *net, Scope scope, Tensor *tensor)
{
    Node *node = net_node(net, scope, OP_Constant, NULL, 0, 1);
    node_set_tensor(node, "value", tensor);
    return node->outputs[0];
}

Value *net_real(Net *net, Scope scope, DType type, int rank, double number)
{
    void *data;
    Tensor *tensor =
        tensor_alloc(net->arena, type, rank, (int64_t[]){1}, &data);
    tensor_store_f64(type, &number, 1, data);
    return constant(net, scope, tensor);
}

static Value *int_constant(Net *net, Scope scope, int rank,
                           const int64_t *numbers, int64_t count)
{
    void *data;
    Tensor *tensor = tensor_alloc(net->arena, DT_INT64, rank, &count, &data);
    memcpy(data, numbers, (size_t)count * sizeof *numbers);
    return constant(net, scope, tensor);
}

Value *net_ints(Net *net, Scope scope, const int64_t *numbers, int64_t count)
{
    return int_constant(net, scope, 1, numbers, count);
}

Value *net_int(Net *net, Scope scope, int64_t number)
{
    return int_constant(net, scope, 0, &number, 1);
}

/* The first dimension is the batch. */
static void set_fact(Net *net, Value *value, int rank, const int64_t *dims)
{
    Dim *own = fact_set(net->graph->arena, &value->fact, net->options.type,
                        rank, dims);
    if (net->options.dynamic)
        own[0] = dim_named(net->graph->model->symbols, "batch");
}

Feature net_input(Net *net, const char *name, int64_t channels)
{
    int64_t size = net->options.size;
    Value *value = graph_value(net->graph, name);
    set_fact(net, value, 4, (int64_t[]){1, channels, size, size});
    graph_add_input(net->graph, value);
    return (Feature){value, channels, size};
}

void net_output(Net *net, Value *value, int rank, const int64_t *dims)
{
    set_fact(net, value, rank, dims);
    graph_add_output(net->graph, value);
}
