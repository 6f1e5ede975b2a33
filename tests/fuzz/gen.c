#include "gen.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Choices ---- */

uint64_t gen_bits(uint64_t *random)
{
    /* SplitMix64: Steele, Lea, Flood 2014. */
    uint64_t z = *random += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

int gen_pick(Gen *gen, int count)
{
    return (int)(gen_bits(&gen->random) % (uint64_t)count);
}

bool gen_chance(Gen *gen, int percent)
{
    return gen_pick(gen, 100) < percent;
}

int64_t gen_range(Gen *gen, int64_t least, int64_t most)
{
    return least + gen_pick(gen, (int)(most - least + 1));
}

/* In [0, 1). */
static double gen_fraction(Gen *gen)
{
    return (double)(gen_bits(&gen->random) >> 11) * 0x1p-53;
}

static double gen_integer(Gen *gen, Numbers kind)
{
    static const double scales[] = {0.5, 1, 1, 2, 3}, powers[] = {0.5, 1, 2, 4};
    double sign = gen_chance(gen, 50) ? 1 : -1;
    switch (kind) {
    case NUMBERS_WEIGHT:
        return (double)gen_range(gen, -3, 3);
    case NUMBERS_SCALE:
        return gen_chance(gen, 2) ? 0 : sign * scales[gen_pick(gen, 5)];
    case NUMBERS_POSITIVE: /* its square root is exact */
        return gen_chance(gen, 50) ? 4 : 1;
    default:
        return sign * powers[gen_pick(gen, 4)];
    }
}

double gen_number(Gen *gen, Numbers kind)
{
    if (gen->integers)
        return gen_integer(gen, kind);
    double sign = gen_chance(gen, 50) ? 1 : -1;
    double size = gen_fraction(gen);
    switch (kind) {
    case NUMBERS_WEIGHT:
        return sign * size;
    case NUMBERS_SCALE:
        return gen_chance(gen, 2) ? 0 : sign * (0.25 + size);
    case NUMBERS_POSITIVE:
        return 0.25 + size;
    default:
        return sign * (0.5 + size);
    }
}

/* ---- Nodes ---- */

Node *gen_node(Gen *gen, Op op, Value *const *inputs, int count)
{
    Value *out = graph_fresh_value(gen->graph, "y");
    const char *name = gen_chance(gen, 90)
                           ? arena_printf(gen->arena, "node_%s", out->name)
                           : "";
    Node *node = node_new(gen->graph, op, name, inputs, count, &out, 1);
    graph_add_node(gen->graph, node);
    return node;
}

Value *gen_done(Gen *gen, const Node *node)
{
    Err err = {0};
    if (graph_infer(gen->graph, &err) < 0) {
        fprintf(stderr, "the generator is wrong: %s\n", err.message);
        abort();
    }
    return node->outputs[0];
}

Value *gen_unary(Gen *gen, Op op, Value *x)
{
    return gen_done(gen, gen_node(gen, op, &x, 1));
}

Value *gen_binary(Gen *gen, Op op, Value *a, Value *b)
{
    Value *inputs[2] = {a, b};
    return gen_done(gen, gen_node(gen, op, inputs, 2));
}

Value *gen_input(Gen *gen, DType type, int rank, const int64_t *dims)
{
    Value *value = graph_fresh_value(gen->graph, "x");
    fact_set(gen->arena, &value->fact, type, rank, dims);
    graph_add_input(gen->graph, value);
    return value;
}

/* ---- Constants ---- */

static Tensor *tensor_random(Gen *gen, DType type, Numbers kind, int rank,
                             const int64_t *dims, const double *numbers)
{
    void *data;
    Tensor *tensor = tensor_alloc(gen->arena, type, rank, dims, &data);
    double *values =
        arena_array(gen->arena, (size_t)tensor->count, sizeof *values);
    for (int64_t i = 0; i < tensor->count; i++)
        values[i] = numbers ? numbers[i] : gen_number(gen, kind);
    tensor_store_f64(type, values, tensor->count, data);
    return tensor;
}

Value *gen_stored(Gen *gen, const char *stem, Tensor *tensor)
{
    if (!graph_is_function(gen->graph))
        return graph_add_initializer(gen->graph, stem, tensor);
    Node *node = gen_node(gen, OP_Constant, NULL, 0);
    node_set_tensor(node, "value", tensor);
    return gen_done(gen, node);
}

Value *gen_tensor(Gen *gen, DType type, Numbers kind, int rank,
                  const int64_t *dims, const double *numbers)
{
    return gen_stored(gen, "w",
                      tensor_random(gen, type, kind, rank, dims, numbers));
}

Value *gen_ints(Gen *gen, int count, const int64_t *numbers)
{
    void *data;
    int64_t dims[1] = {count};
    Tensor *tensor = tensor_alloc(gen->arena, DT_INT64, 1, dims, &data);
    if (count > 0)
        memcpy(data, numbers, (size_t)count * sizeof *numbers);
    return gen_stored(gen, "i", tensor);
}

Value *gen_scalar(Gen *gen, double number)
{
    return gen_tensor(gen, gen->type, NUMBERS_WEIGHT, 0, NULL, &number);
}

/* Constant-12 has lists of floats as well. */
static Value *constant_node(Gen *gen, Numbers kind, int rank,
                            const int64_t *dims)
{
    Node *node = gen_node(gen, OP_Constant, NULL, 0);
    if (rank == 0 && gen->model->opset >= 12 && gen->type == DT_FLOAT)
        node_set_float(node, "value_float", (float)gen_number(gen, kind));
    else
        node_set_tensor(node, "value",
                        tensor_random(gen, gen->type, kind, rank, dims, NULL));
    return gen_done(gen, node);
}

static Value *constant_transposed(Gen *gen, Numbers kind, int rank,
                                  const int64_t *dims)
{
    int64_t reversed[RANK_MAX];
    for (int i = 0; i < rank; i++)
        reversed[i] = dims[rank - 1 - i];
    return gen_unary(gen, OP_Transpose,
                     gen_tensor(gen, gen->type, kind, rank, reversed, NULL));
}

static Value *constant_cast(Gen *gen, Numbers kind, int rank,
                            const int64_t *dims)
{
    DType from = gen->type == DT_DOUBLE ? DT_FLOAT : DT_DOUBLE;
    Value *x = gen_tensor(gen, from, kind, rank, dims, NULL);
    Node *node = gen_node(gen, OP_Cast, &x, 1);
    node_set_int(node, "to", gen->type);
    return gen_done(gen, node);
}

static Value *constant_expanded(Gen *gen, Numbers kind, int rank,
                                const int64_t *dims)
{
    Value *number = gen_scalar(gen, gen_number(gen, kind));
    return gen_binary(gen, OP_Expand, number, gen_ints(gen, rank, dims));
}

static Value *constant_divided(Gen *gen, int rank, const int64_t *dims)
{
    Value *x = gen_tensor(gen, gen->type, NUMBERS_WEIGHT, rank, dims, NULL);
    Value *divisor = gen_scalar(gen, gen_number(gen, NUMBERS_DIVISOR));
    return gen_binary(gen, OP_Div, x, divisor);
}

static Value *constant_flat(Gen *gen, Numbers kind, int rank,
                            const int64_t *dims)
{
    int64_t count = 1;
    for (int i = 0; i < rank; i++)
        count *= dims[i];
    return gen_reshape(gen, gen_tensor(gen, gen->type, kind, 1, &count, NULL),
                       rank, dims);
}

/* A weight or a scale that another node has already. */
static Value *constant_shared(Gen *gen, int rank, const int64_t *dims)
{
    Graph *graph = gen->graph;
    for (size_t i = graph->initializer_count; i-- > 0;) {
        Value *value = graph->initializers[i];
        bool same = value->fact.rank == rank && value->fact.type == gen->type;
        for (int k = 0; same && k < rank; k++)
            same = value->fact.dims[k] == dims[k];
        if (same)
            return value;
    }
    return NULL;
}

Value *gen_constant(Gen *gen, Numbers kind, int rank, const int64_t *dims)
{
    Value *shared = kind == NUMBERS_WEIGHT && gen_chance(gen, 5)
                        ? constant_shared(gen, rank, dims)
                        : NULL;
    if (shared)
        return shared;
    Value *root;
    switch (gen_pick(gen, 24)) {
    case 0:
    case 1:
        return constant_node(gen, kind, rank, dims);
    case 2:
        return constant_transposed(gen, kind, rank, dims);
    case 3:
        return constant_cast(gen, kind, rank, dims);
    case 4:
        if (gen->model->opset >= 8 && rank > 0)
            return constant_expanded(gen, kind, rank, dims);
        break;
    case 5:
        if (kind == NUMBERS_WEIGHT || kind == NUMBERS_SCALE)
            return constant_divided(gen, rank, dims);
        break;
    case 6:
        return constant_flat(gen, kind, rank, dims);
    case 7:
        return gen_unary(gen, OP_Identity,
                         gen_tensor(gen, gen->type, kind, rank, dims, NULL));
    case 8:
        root = gen_tensor(gen, gen->type, NUMBERS_POSITIVE, rank, dims, NULL);
        if (kind == NUMBERS_POSITIVE)
            break;
        root = gen_unary(gen, OP_Sqrt, root);
        return gen_chance(gen, 50) ? root : gen_unary(gen, OP_Neg, root);
    default:
        break;
    }
    return gen_tensor(gen, gen->type, kind, rank, dims, NULL);
}

Value *gen_along(Gen *gen, const Value *x, int axis, bool uniform, Numbers kind)
{
    int rank = x->fact.rank;
    int least = uniform ? 0 : rank - axis;
    int own = (int)gen_range(gen, least, rank);
    int64_t dims[RANK_MAX];
    for (int i = 0; i < own; i++)
        dims[i] = !uniform && i == own - (rank - axis) ? x->fact.dims[axis] : 1;
    return gen_constant(gen, kind, own, dims);
}

/* ---- Operators whose form depends on the opset ---- */

Value *gen_reshape(Gen *gen, Value *x, int rank, const int64_t *dims)
{
    return gen_binary(gen, OP_Reshape, x, gen_ints(gen, rank, dims));
}

Value *gen_transpose(Gen *gen, Value *x, const int64_t *perm)
{
    Node *node = gen_node(gen, OP_Transpose, &x, 1);
    node_set_ints(node, "perm", perm, (size_t)x->fact.rank);
    return gen_done(gen, node);
}

/* An attribute before Pad-11; the axes may be listed since Pad-18. */
Value *gen_pad(Gen *gen, Value *x, const int64_t *pads, const char *mode)
{
    Value *inputs[4] = {x};
    int count = 1, rank = x->fact.rank, opset = (int)gen->model->opset;
    if (opset >= 11)
        inputs[count++] = gen_ints(gen, 2 * rank, pads);
    if (opset >= 11 && strcmp(mode, "constant") == 0 && gen_chance(gen, 50))
        inputs[count++] = gen_scalar(gen, 0);
    if (opset >= 18 && gen_chance(gen, 30)) {
        int64_t axes[RANK_MAX];
        for (int i = 0; i < rank; i++)
            axes[i] = i;
        inputs[3] = gen_ints(gen, rank, axes);
        count = 4;
    }
    Node *node = gen_node(gen, OP_Pad, inputs, count);
    if (opset < 11)
        node_set_ints(node, "pads", pads, 2 * (size_t)rank);
    if (strcmp(mode, "constant") != 0 || gen_chance(gen, 50))
        node_set_string(node, "mode", mode);
    return gen_done(gen, node);
}
