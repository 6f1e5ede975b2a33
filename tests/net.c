#include "net.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/random.h"

Net toy_new(Arena *arena)
{
    Net net = {arena, model_new(arena), NULL};
    net.graph = net.model->graph = graph_new(net.model, NULL);
    net.model->ir_version = 8;
    net.model->opset = 17;
    return net;
}

Value *toy_input(Net *net, const char *name, DType type, int rank,
                 const int64_t *dims)
{
    static const char *const symbols[] = {"batch", "channels", "height",
                                          "width"};
    Value *value = graph_value(net->graph, name);
    Dim *own = fact_set(net->graph->arena, &value->fact, type, rank, dims);
    for (int i = 0; i < rank; i++)
        if (own[i] < 0)
            own[i] = dim_named(net->model->symbols, symbols[i]);
    graph_add_input(net->graph, value);
    return value;
}

Value *toy_output(Net *net, const char *name, DType type)
{
    Value *value = graph_value(net->graph, name);
    value->fact.type = type;
    graph_add_output(net->graph, value);
    return value;
}

Value *toy_weight(Net *net, const char *name, DType type, int rank,
                  const int64_t *dims, const double *values)
{
    void *data;
    Tensor *tensor = tensor_alloc(net->arena, type, rank, dims, &data);
    if (dtype_is_real(type))
        tensor_store_f64(type, values, tensor->count, data);
    else
        for (int64_t i = 0; i < tensor->count; i++)
            ((int64_t *)data)[i] = (int64_t)values[i];
    Value *value = graph_value(net->graph, name);
    graph_set_initializer(net->graph, value, tensor);
    return value;
}

typedef struct Kept {
    TensorFormula formula;
    double *values;
} Kept;

static void kept_read(const TensorFormula *self, int64_t first, int64_t count,
                      double *out)
{
    const Kept *kept = (const Kept *)(const void *)self;
    memcpy(out, kept->values + first, (size_t)count * sizeof *out);
}

Value *toy_formula(Net *net, const char *name, int rank, const int64_t *dims,
                   const double *values)
{
    Kept *kept = arena_alloc(net->arena, sizeof *kept);
    kept->formula.read = kept_read;
    Tensor *tensor =
        tensor_from_formula(net->arena, DT_FLOAT, rank, dims, &kept->formula);
    kept->values =
        arena_array(net->arena, (size_t)tensor->count, sizeof *kept->values);
    memcpy(kept->values, values, (size_t)tensor->count * sizeof *values);
    Value *value = graph_value(net->graph, name);
    graph_set_initializer(net->graph, value, tensor);
    return value;
}

Node *toy_node(Net *net, Op op, const char *inputs, const char *output)
{
    Value *values[8];
    int count = 0;
    char *names = arena_strdup(net->arena, inputs), *rest = NULL;
    for (char *name = strtok_r(names, " ", &rest); name;
         name = strtok_r(NULL, " ", &rest))
        values[count++] = graph_value(net->graph, name);
    Value *out = graph_value(net->graph, output);
    const char *name = arena_printf(net->arena, "node_%s", output);
    Node *node = node_new(net->graph, op, name, values, count, &out, 1);
    graph_add_node(net->graph, node);
    return node;
}

Model *toy_finish(Net *net)
{
    Err err = {0};
    graph_fill_uses(net->graph);
    ck_assert_msg(graph_check(net->graph, &err) == 0, "%s", err.message);
    ck_assert_msg(graph_infer(net->graph, &err) == 0, "%s", err.message);
    return net->model;
}

/* ---- The network ---- */

enum { C = 4, IMAGE = 3, CLASSES = 5, SIZE = 9 };
static const double EPSILON = (double)1e-3f;

/* All parameters, rounded to the type they are stored in. */
typedef struct Parameters {
    double stem[C * IMAGE * 9], conv3[C * C * 9], conv1[C * C], mix[C * C];
    double mix_bias[C], layer_scale[C];
    double head[CLASSES * C], head_bias[CLASSES];
    /* gamma, beta, mean, variance of stem and the three branches */
    double bn[4][4][C];
} Parameters;

static void fill(double *values, size_t count, uint64_t *next, Shape shape)
{
    char stored[8];
    for (size_t i = 0; i < count; i++) {
        double value = random_normal(7, (*next)++);
        tensor_store_f64(shape.type, &value, 1, stored);
        Tensor view = {.type = shape.type, .count = 1, .data = stored};
        tensor_read_f64(&view, 0, 1, &values[i]);
    }
}

static double stored(Shape shape, double value)
{
    char bytes[8];
    tensor_store_f64(shape.type, &value, 1, bytes);
    Tensor view = {.type = shape.type, .count = 1, .data = bytes};
    tensor_read_f64(&view, 0, 1, &value);
    return value;
}

static void parameters_init(Parameters *p, Shape shape)
{
    uint64_t next = 0;
    fill(p->stem, C * IMAGE * 9, &next, shape);
    fill(p->conv3, C * C * 9, &next, shape);
    fill(p->conv1, C * C, &next, shape);
    fill(p->mix, C * C, &next, shape);
    fill(p->mix_bias, C, &next, shape);
    fill(p->layer_scale, C, &next, shape);
    fill(p->head, CLASSES * C, &next, shape);
    fill(p->head_bias, CLASSES, &next, shape);
    fill(&p->bn[0][0][0], 4 * 4 * C, &next, shape);
    for (int i = 0; i < C; i++)
        p->layer_scale[i] =
            stored(shape, p->layer_scale[i] * shape.layer_scale);
    for (int b = 0; b < 4; b++)
        for (int i = 0; i < C; i++)
            p->bn[b][3][i] = fabs(p->bn[b][3][i]);
}

static Shape with_defaults(Shape shape)
{
    if (!shape.type)
        shape.type = DT_FLOAT;
    if (shape.layer_scale == 0)
        shape.layer_scale = 0.5;
    return shape;
}

static Net net_begin(Arena *arena, Shape shape)
{
    int64_t fixed[4] = {1, IMAGE, SIZE, SIZE}, free[4] = {-1, IMAGE, -1, -1};
    Net net = toy_new(arena);
    toy_input(&net, "x", shape.type, 4, shape.symbolic ? free : fixed);
    return net;
}

static void add_conv(Net *net, const char *inputs, const char *output,
                     int64_t pad)
{
    int64_t pads[4] = {pad, pad, pad, pad};
    node_set_ints(toy_node(net, OP_Conv, inputs, output), "pads", pads, 4);
}

static void add_bn(Net *net, Shape shape, const Parameters *p, int index,
                   const char *input, const char *output)
{
    static const char *const parts[4] = {"gamma", "beta", "mean", "var"};
    char inputs[200];
    int64_t channels = C;
    int length = snprintf(inputs, sizeof inputs, "%s", input);
    for (int i = 0; i < 4; i++) {
        const char *name = arena_printf(net->arena, "bn%d_%s", index, parts[i]);
        toy_weight(net, name, shape.type, 1, &channels, p->bn[index][i]);
        length += snprintf(inputs + length, sizeof inputs - (size_t)length,
                           " %s", name);
    }
    Node *node = toy_node(net, OP_BatchNormalization, inputs, output);
    node_set_float(node, "epsilon", (float)EPSILON);
}

static void add_head(Net *net, Shape shape, const Parameters *p)
{
    int64_t dims[2] = {CLASSES, C};
    toy_weight(net, "head_w", shape.type, 2, dims, p->head);
    toy_weight(net, "head_b", shape.type, 1, dims, p->head_bias);
    toy_node(net, OP_Add, "scaled act", "mixed");
    toy_node(net, OP_GlobalAveragePool, "mixed", "pooled");
    toy_node(net, OP_Flatten, "pooled", "flat");
    node_set_int(toy_node(net, OP_Gemm, "flat head_w head_b", "y"), "transB",
                 1);
    toy_output(net, "y", shape.type);
}

Model *toy_trained(Arena *arena, Shape shape)
{
    Parameters p;
    shape = with_defaults(shape);
    parameters_init(&p, shape);
    Net net = net_begin(arena, shape);
    int64_t stem[4] = {C, IMAGE, 3, 3}, three[4] = {C, C, 3, 3};
    int64_t one[4] = {C, C, 1, 1}, scale[3] = {C, 1, 1};
    toy_weight(&net, "stem_w", shape.type, 4, stem, p.stem);
    toy_weight(&net, "conv3_w", shape.type, 4, three, p.conv3);
    toy_weight(&net, "conv1_w", shape.type, 4, one, p.conv1);
    toy_weight(&net, "mix_w", shape.type, 4, one, p.mix);
    toy_weight(&net, "mix_b", shape.type, 1, one, p.mix_bias);
    toy_weight(&net, "layer_scale", shape.type, 3, scale, p.layer_scale);
    add_conv(&net, "x stem_w", "stem_conv", 1);
    add_bn(&net, shape, &p, 0, "stem_conv", "stem");
    add_conv(&net, "stem conv3_w", "conv3", 1);
    add_bn(&net, shape, &p, 1, "conv3", "branch3");
    add_conv(&net, "stem conv1_w", "conv1", 0);
    add_bn(&net, shape, &p, 2, "conv1", "branch1");
    add_bn(&net, shape, &p, 3, "stem", "branch0");
    toy_node(&net, OP_Add, "branch3 branch1", "sum");
    toy_node(&net, OP_Add, "sum branch0", "block");
    toy_node(&net, OP_Relu, "block", "act");
    add_conv(&net, "act mix_w mix_b", "mix", 0);
    toy_node(&net, OP_Mul, "mix layer_scale", "scaled");
    add_head(&net, shape, &p);
    return toy_finish(&net);
}

static double bn_scale(const Parameters *p, int index, int channel)
{
    return p->bn[index][0][channel] / sqrt(p->bn[index][3][channel] + EPSILON);
}

static double bn_shift(const Parameters *p, int index, int channel)
{
    return p->bn[index][1][channel] -
           p->bn[index][2][channel] * bn_scale(p, index, channel);
}

typedef struct Merged {
    double stem[C * IMAGE * 9], stem_bias[C];
    double block[C * C * 9], block_bias[C];
    double mix[C * C], mix_bias[C];
} Merged;

static void merge_block(const Parameters *p, Fault fault, Merged *m)
{
    bool all = fault != FAULT_BRANCH;
    for (int o = 0; o < C; o++) {
        double s1 = all ? bn_scale(p, 2, o) : 0;
        for (int i = 0; i < C; i++) {
            double *kernel = &m->block[(o * C + i) * 9];
            for (int k = 0; k < 9; k++)
                kernel[k] = p->conv3[(o * C + i) * 9 + k] * bn_scale(p, 1, o);
            kernel[4] += p->conv1[o * C + i] * s1;
            kernel[4] += o == i ? bn_scale(p, 3, o) : 0;
        }
        m->block_bias[o] = bn_shift(p, 1, o) + bn_shift(p, 3, o) +
                           (all ? bn_shift(p, 2, o) : 0);
    }
    m->block_bias[2] += fault == FAULT_BIAS ? 1e-3 : 0;
    m->block[40] *= fault == FAULT_WEIGHT ? 1.01 : 1;
}

static void merge(const Parameters *p, Fault fault, Merged *m)
{
    for (int o = 0; o < C; o++) {
        for (int k = 0; k < IMAGE * 9; k++)
            m->stem[o * IMAGE * 9 + k] =
                p->stem[o * IMAGE * 9 + k] * bn_scale(p, 0, o);
        m->stem_bias[o] = bn_shift(p, 0, o);
        for (int i = 0; i < C; i++)
            m->mix[o * C + i] = p->mix[o * C + i] * p->layer_scale[o];
        m->mix_bias[o] = p->mix_bias[o] * p->layer_scale[o];
    }
    m->mix_bias[1] += fault == FAULT_SCALE ? 1e-3 : 0;
    merge_block(p, fault, m);
}

static void add_merged(Net *net, Shape shape, const char *name, int rank,
                       const int64_t *dims, const double *values)
{
    if (shape.formulas)
        toy_formula(net, name, rank, dims, values);
    else
        toy_weight(net, name, shape.type, rank, dims, values);
}

Model *toy_folded(Arena *arena, Shape shape)
{
    Parameters p;
    Merged m;
    shape = with_defaults(shape);
    parameters_init(&p, shape);
    merge(&p, shape.fault, &m);
    Net net = net_begin(arena, shape);
    int64_t stem[4] = {C, IMAGE, 3, 3}, three[4] = {C, C, 3, 3};
    int64_t one[4] = {C, C, 1, 1};
    add_merged(&net, shape, "s_w", 4, stem, m.stem);
    add_merged(&net, shape, "s_b", 1, stem, m.stem_bias);
    add_merged(&net, shape, "b_w", 4, three, m.block);
    add_merged(&net, shape, "b_b", 1, three, m.block_bias);
    add_merged(&net, shape, "m_w", 4, one, m.mix);
    add_merged(&net, shape, "m_b", 1, one, m.mix_bias);
    add_conv(&net, "x s_w s_b", "stem", 1);
    int64_t pads[4] = {1, 1, 1, 1}, shifted[4] = {0, 1, 2, 1};
    node_set_ints(toy_node(&net, OP_Conv, "stem b_w b_b", "block"), "pads",
                  shape.fault == FAULT_PAD ? shifted : pads, 4);
    toy_node(&net, OP_Relu, "block", "act");
    add_conv(&net, "act m_w m_b", "scaled", 0);
    add_head(&net, shape, &p);
    return toy_finish(&net);
}
