#include "pairs.h"

#include "base/random.h"

/* A convolution of CHANNELS channels with numbers of its own times a factor. */
Node *pair_conv(Bench *b, Value *x, uint64_t seed, double factor, int64_t size)
{
    double numbers[CHANNELS * CHANNELS * 9];
    int64_t dims[4] = {CHANNELS, CHANNELS, size, size};
    int64_t count = CHANNELS * CHANNELS * size * size;
    for (int64_t i = 0; i < count; i++)
        numbers[i] =
            factor * ((double)(random_bits(seed, (uint64_t)i) % 7) - 3);
    Value *inputs[2] = {x, bench_numbers(b, 4, dims, numbers)};
    Value *y = graph_fresh_value(b->graph, "conv");
    return node_new(b->graph, OP_Conv, y->name, inputs, 2, &y, 1);
}

Value *pair_done(Bench *b, Node *node)
{
    bench_add(b, node);
    return node->outputs[0];
}

Value *pair_point(Bench *b, Value *x, uint64_t seed, double factor)
{
    return pair_done(b, pair_conv(b, x, seed, factor, 1));
}

Value *pair_scaled(Bench *b, Value *x, double factor)
{
    int64_t dims[1] = {1};
    return bench_binary(b, OP_Mul, x, bench_numbers(b, 1, dims, &factor));
}

/* What it reads must be the same without any rounding. */
void pair_end(Bench *b, Value *x)
{
    bench_end(b, OP_Sigmoid, x);
}

Value *pair_image(Bench *b, bool sized)
{
    int64_t dims[4] = {1, CHANNELS, sized ? 6 : -1, sized ? 6 : -1};
    return bench_input(b, 4, dims);
}

Node *pair_padded(Bench *b, Value *x, int64_t pad)
{
    int64_t pads[4] = {pad, pad, pad, pad};
    Node *node = pair_conv(b, x, 1, 1, 3);
    node_set_ints(node, "pads", pads, 4);
    return node;
}
