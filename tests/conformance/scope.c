#include "scope.h"

#include <string.h>

#include "api.h"
#include "base/map.h"

/* What the executor supports, at every opset. The list is written down here
 * and not asked of the executor: an operator that is lost must be missed. */
/* clang-format off */
static const char *const operators[] = {
    "Abs", "Acos", "Acosh", "Add", "And", "ArgMax", "ArgMin", "Asin", "Asinh",
    "Atan", "Atanh", "Attention", "AveragePool", "BatchNormalization", "Cast",
    "CastLike", "Ceil", "Celu", "Clip", "Col2Im", "Compress", "Concat",
    "Constant", "ConstantOfShape", "Conv", "ConvInteger", "ConvTranspose",
    "Cos", "Cosh", "CumSum", "DeformConv", "DepthToSpace", "DequantizeLinear",
    "Div", "Dropout", "DynamicQuantizeLinear", "Einsum", "Elu", "Equal", "Erf",
    "Exp", "Expand", "EyeLike", "Flatten", "Floor", "Gather", "GatherElements",
    "GatherND", "Gelu", "Gemm", "GlobalAveragePool", "GlobalMaxPool",
    "Greater", "GreaterOrEqual", "GridSample", "GroupNormalization", "GRU",
    "Hardmax", "HardSigmoid", "HardSwish", "Identity", "If",
    "InstanceNormalization", "IsInf", "IsNaN", "LayerNormalization",
    "LeakyRelu", "Less", "LessOrEqual", "Log", "LogSoftmax", "Loop",
    "LpNormalization", "LRN", "LSTM", "MatMul", "MatMulInteger", "Max",
    "MaxPool", "Mean", "Min", "Mish", "Mod", "Mul", "Neg", "NonMaxSuppression",
    "NonZero", "Not", "OneHot", "Or", "Pad", "Pow", "PRelu", "QLinearConv",
    "QLinearMatMul", "QuantizeLinear", "Range", "Reciprocal", "ReduceL1",
    "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean",
    "ReduceMin", "ReduceProd", "ReduceSum", "ReduceSumSquare", "Relu",
    "Reshape", "Resize", "ReverseSequence", "RMSNormalization", "RNN",
    "RoiAlign", "Round", "Scan", "Scatter", "ScatterElements", "ScatterND",
    "Selu", "Shape", "Shrink", "Sigmoid", "Sign", "Sin", "Sinh", "Size",
    "Slice", "Softmax", "Softplus", "Softsign", "SpaceToDepth", "Split",
    "Sqrt", "Squeeze", "Sub", "Sum", "Swish", "Tan", "Tanh", "ThresholdedRelu",
    "Tile", "TopK", "Transpose", "Trilu", "Unsqueeze", "Upsample", "Where",
    "Xor",
};
/* clang-format on */

const char *const *scope_operators(size_t *count)
{
    *count = sizeof operators / sizeof *operators;
    return operators;
}

/* Softmax of a thousand logits that are equal in real arithmetic: where they
 * are that large, one rounding in one of them decides the answer. */
#define TIE "expects huge equal logits to be equal to the last bit"

/* -2.5 * 255 / 5 is a tie, but for float32's rounding of 5 / 255. */
#define FLOAT_TIE "expects of a tie what float32 makes of it, in float64, too"

/* Cases in which the data, not the executor, are the reason. The opset tells
 * apart what was mended in a later version of ONNX. */
static const struct {
    const char *name;
    int64_t opset; /* 0 for any */
    const char *why;
} exceptions[] = {
    {"light_bvlc_alexnet", 0, TIE},
    {"light_inception_v1", 0, TIE},
    {"light_resnet50", 0, TIE},
    {"light_squeezenet", 0, TIE},
    {"light_vgg19", 0, TIE},
    {"light_zfnet512", 0, TIE},
    {"test_training_dropout", 0, "expects numpy's random numbers"},
    {"test_training_dropout_default", 0, "expects numpy's random numbers"},
    {"test_training_dropout_mask", 0, "expects numpy's random numbers"},
    {"test_training_dropout_default_mask", 0, "expects numpy's random numbers"},
    {"test_dynamicquantizelinear", 0, FLOAT_TIE},
    {"test_dynamicquantizelinear_expanded", 0, FLOAT_TIE},
    {"test_cast_FLOAT_to_BFLOAT16", 13,
     "expects truncation to bfloat16, where ONNX rounds"},
    {"test_castlike_BFLOAT16_to_FLOAT", 15,
     "an input contradicts its declared shape"},
    {"test_castlike_BFLOAT16_to_FLOAT_expanded", 15,
     "an input contradicts its declared shape"},
    {"test_castlike_FLOAT_to_BFLOAT16", 15,
     "an input contradicts its declared shape"},
    {"test_castlike_FLOAT_to_BFLOAT16_expanded", 15,
     "an input contradicts its declared shape"},
};

typedef struct Look {
    Arena *arena;
    const Model *model;
    Map *known; /* the operators above */
    Map *seen;  /* those of the model */
    const char **ops;
    size_t count, capacity;
    const char *why_not; /* the first reason */
} Look;

static void leave_out(Look *look, const char *what, const char *name)
{
    if (!look->why_not)
        look->why_not = arena_printf(look->arena, "%s %s", what, name);
}

static bool is_function(const Look *look, const Node *node)
{
    for (size_t i = 0; i < look->model->function_count; i++) {
        const Function *function = &look->model->functions[i];
        if (strcmp(function->name, node->op_type) == 0 &&
            strcmp(function->domain, node->domain) == 0)
            return true;
    }
    return false;
}

static void look_at_node(Look *look, const Node *node)
{
    const char *name = arena_printf(look->arena, "%s", node->op_type);
    if (is_function(look, node))
        return;
    if (node->domain[0] && strcmp(node->domain, "ai.onnx") != 0) {
        leave_out(look, "domain",
                  arena_printf(look->arena, "%s", node->domain));
        return;
    }
    if (!map_get(look->known, name))
        leave_out(look, "operator", name);
    if (map_get(look->seen, name))
        return;
    map_put(look->seen, name, look);
    look->ops = arena_grow(look->arena, look->ops, &look->capacity,
                           look->count + 1, sizeof *look->ops);
    look->ops[look->count++] = name;
}

/* Sequences, optionals and maps have no element type. */
static void look_at_values(Look *look, Value *const *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        DType type = values[i]->fact.type;
        if (type == DT_UNDEFINED)
            leave_out(look, "type", "sequence, optional or map");
        else if (!dtype_is_real(type) && !dtype_is_integer(type))
            leave_out(look, "type", dtype_name(type));
    }
}

/* No backend test nests graphs deeper than a few levels. */
enum { DEPTH_MOST = 8 };

static void look_at_graph(Look *look, const Graph *graph, int depth)
{
    if (depth > DEPTH_MOST)
        return;
    for (size_t i = 0; i < graph->node_count; i++) {
        const Node *node = graph->nodes[i];
        look_at_node(look, node);
        int64_t to = node_int(node, "to", 0);
        if (node->op == OP_Cast && to > 0 && to < DT_COUNT &&
            !dtype_is_real((DType)to) && !dtype_is_integer((DType)to))
            leave_out(look, "type", dtype_name((DType)to));
        for (int a = 0; a < node->attr_count; a++)
            if (attr_graph(&node->attrs[a]))
                look_at_graph(look, node->attrs[a].graph, depth + 1);
    }
}

static void look_at_exceptions(Look *look, const Case *test)
{
    for (size_t i = 0; i < sizeof exceptions / sizeof *exceptions; i++)
        if (strcmp(exceptions[i].name, test->name) == 0 &&
            (!exceptions[i].opset || exceptions[i].opset == look->model->opset))
            leave_out(look, "data:", exceptions[i].why);
}

void scope_of_case(Arena *arena, Case *test)
{
    rp_error error = {0};
    rp_model *model = rp_open(test->model, NULL, &error);
    if (!model)
        return; /* in scope: what cannot be read must fail when it is run */
    Look look = {.arena = arena,
                 .model = model->model,
                 .known = map_new(arena),
                 .seen = map_new(arena)};
    const Graph *graph = look.model->graph;
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++)
        map_put(look.known, operators[i], &look);
    look_at_graph(&look, graph, 0);
    for (size_t i = 0; i < look.model->function_count; i++)
        look_at_graph(&look, look.model->functions[i].body, 0);
    look_at_values(&look, graph->inputs, graph->input_count);
    look_at_values(&look, graph->outputs, graph->output_count);
    look_at_exceptions(&look, test);
    test->ops = look.ops;
    test->op_count = look.count;
    test->why_not = look.why_not;
    rp_close(model);
}
