#include "blocks.h"

Value *conv_bn(Bench *b, Value *x, ConvShape shape)
{
    Value *y = bench_conv(b, x, shape);
    return bench_batchnorm(b, y, y->fact.dims[1]);
}

void build_conv_bn(Bench *b)
{
    Value *y = conv_bn(
        b, bench_image(b, 3, 8),
        (ConvShape){
            .out = 5, .kernel = 3, .pad = 1, .stride = 2, .bias = true});
    bench_output(b, y);
}

/* One weight for two convolutions: each gets its own copy. */
void build_shared_weight(Bench *b)
{
    Value *x = bench_image(b, 2, 5);
    Value *first = bench_conv(b, x, SAME(3));
    Value *inputs[2] = {bench_unary(b, OP_Relu, x), first->producer->inputs[1]};
    Value *second = bench_node(b, OP_Conv, inputs, 2);
    bench_output(b, bench_batchnorm(b, first, 2));
    bench_output(b, bench_batchnorm(b, second, 2));
}

void build_repvgg(Bench *b)
{
    Value *x = bench_unary(b, OP_Relu, bench_image(b, 4, 7));
    Value *sum =
        bench_binary(b, OP_Add, conv_bn(b, x, SAME(3)), conv_bn(b, x, SAME(1)));
    sum = bench_binary(b, OP_Add, bench_batchnorm(b, x, 4), sum);
    bench_output(b, bench_unary(b, OP_Relu, sum));
}

void build_pool_branch(Bench *b)
{
    Value *x = bench_image(b, 3, 8);
    int64_t three[2] = {3, 3}, one[4] = {1, 1, 1, 1};
    Value *pooled = graph_fresh_value(b->graph, "pool");
    Node *pool = node_new(b->graph, OP_AveragePool, "pool", &x, 1, &pooled, 1);
    node_set_ints(pool, "kernel_shape", three, 2);
    node_set_ints(pool, "pads", one, 4);
    node_set_int(pool, "count_include_pad", 1);
    graph_add_node(b->graph, pool);
    pooled = bench_batchnorm(b, pooled, 3);
    bench_output(b, bench_binary(b, OP_Add, pooled, bench_conv(b, x, SAME(5))));
}

void build_pad_conv(Bench *b)
{
    int64_t pads[8] = {0, 0, 1, 2, 0, 0, 3, 0};
    Value *x = bench_unary(b, OP_Relu, bench_image(b, 2, 6));
    Value *padded = bench_binary(b, OP_Pad, x, bench_ints(b, 8, pads));
    bench_output(b, conv_bn(b, padded, (ConvShape){.kernel = 3, .stride = 2}));
}

Value *always(Bench *b)
{
    void *data;
    Tensor *tensor = tensor_alloc(b->arena, DT_BOOL, 0, NULL, &data);
    *(uint8_t *)data = 1;
    return graph_add_initializer(b->graph, "always", tensor);
}

Value *sometimes(Bench *b)
{
    int64_t dims[1] = {-1}, zero[1] = {0};
    Value *size = bench_unary(b, OP_Size, bench_input(b, 1, dims));
    return bench_binary(b, OP_Greater, size, bench_ints(b, 1, zero));
}

void build_training(Bench *b)
{
    build_conv_bn(b);
    Node *bn = b->graph->nodes[1];
    node_set_int(bn, "training_mode", 1);
}

void build_costly(Bench *b)
{
    Value *x = bench_image(b, 8, 5);
    bench_output(b, bench_binary(b, OP_Add, bench_conv(b, x, SAME(1)),
                                 bench_conv(b, x, DW(8, 3))));
}

/* Weights below 1 in float16, and a normalization that only multiplies them by
 * `scale`: its mean is 0. */
static void build_half(Bench *b, double scale, double variance)
{
    int64_t two[1] = {2};
    double gamma[2] = {scale, scale}, zero[2] = {0, 0};
    double spread[2] = {variance, variance};
    b->type = DT_FLOAT16;
    Value *inputs[5] = {
        bench_conv(b, bench_image(b, 2, 4), SAME(3)),
        bench_numbers(b, 1, two, gamma), bench_numbers(b, 1, two, zero),
        bench_numbers(b, 1, two, zero), bench_numbers(b, 1, two, spread)};
    bench_output(b, bench_node(b, OP_BatchNormalization, inputs, 5));
}

/* 60000 / sqrt(1/16) is 240000. */
void build_half_overflow(Bench *b)
{
    build_half(b, 60000, 0x1p-4);
}

void build_half_tiny(Bench *b)
{
    build_half(b, 0x1p-14, 1);
}

void build_half_vanishing(Bench *b)
{
    build_half(b, 0x1p-18, 1);
}

void build_half_plain(Bench *b)
{
    build_half(b, 1.5, 1);
}

/* 0.5 of an erf-GELU would fit the convolution behind it. */
void build_gelu(Bench *b)
{
    double root[1] = {1.41421356}, one[1] = {1}, half[1] = {0.5};
    Value *x = bench_conv(b, bench_image(b, 2, 5), (ConvShape){.out = 4});
    Value *y = bench_binary(b, OP_Div, x, bench_numbers(b, 0, NULL, root));
    y = bench_unary(b, OP_Erf, y);
    y = bench_binary(b, OP_Add, y, bench_numbers(b, 0, NULL, one));
    y = bench_binary(b, OP_Mul, x, y);
    y = bench_binary(b, OP_Mul, y, bench_numbers(b, 0, NULL, half));
    bench_output(b, bench_conv(b, y, (ConvShape){.out = 2}));
}

Value *read_in_branches(Bench *b, Value *x)
{
    Value *condition = sometimes(b);
    Value *y = graph_fresh_value(b->graph, "y");
    Node *node = node_new(b->graph, OP_If, "if", &condition, 1, &y, 1);
    node->attrs = arena_array(b->arena, 2, sizeof *node->attrs);
    node->attr_count = 2;
    for (int i = 0; i < 2; i++) {
        Graph *body = graph_new(b->model, b->graph);
        Value *inner = graph_read_value(body, x->name);
        Value *out = graph_fresh_value(body, "out");
        graph_add_node(body, node_new(body, OP_Relu, "r", &inner, 1, &out, 1));
        graph_add_output(body, out);
        node->attrs[i] = (Attr){.name = i ? "else_branch" : "then_branch",
                                .type = ATTR_GRAPH,
                                .graph = body};
    }
    graph_add_node(b->graph, node);
    return y;
}
