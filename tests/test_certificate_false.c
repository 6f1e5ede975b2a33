/*
 * Certificates: models that are nearly the same have none, beside ones that are
 * the same and have one. Each pair is a way to be wrong that the algebra must
 * see without running anything.
 */
#include <math.h>
#include <string.h>

#include "base/random.h"
#include "composing.h"
#include "folding.h"
#include "suites.h"

enum { CHANNELS = 4 };

/* A convolution of CHANNELS channels with numbers of its own times a factor. */
static Node *convolution(Bench *b, Value *x, uint64_t seed, double factor,
                         int64_t size)
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

static Value *done(Bench *b, Node *node)
{
    bench_add(b, node);
    return node->outputs[0];
}

static Value *pointwise(Bench *b, Value *x, uint64_t seed, double factor)
{
    return done(b, convolution(b, x, seed, factor, 1));
}

static Value *scaled(Bench *b, Value *x, double factor)
{
    int64_t dims[1] = {1};
    return bench_binary(b, OP_Mul, x, bench_numbers(b, 1, dims, &factor));
}

/* What it reads must be the same without any rounding. */
static void end(Bench *b, Value *x)
{
    bench_end(b, OP_Sigmoid, x);
}

static Value *image(Bench *b, bool sized)
{
    int64_t dims[4] = {1, CHANNELS, sized ? 6 : -1, sized ? 6 : -1};
    return bench_input(b, 4, dims);
}

/* ---- Scales ---- */

static void relu_then(Bench *b, double factor)
{
    Value *y = pointwise(b, image(b, true), 1, 1);
    end(b, scaled(b, bench_unary(b, OP_Relu, y), factor));
}

static void relu_of(Bench *b, double factor)
{
    Value *y = pointwise(b, image(b, true), 1, factor);
    end(b, bench_unary(b, OP_Relu, y));
}

static void relu_then_twice(Bench *b)
{
    relu_then(b, 2);
}

static void relu_of_twice(Bench *b)
{
    relu_of(b, 2);
}

static void relu_then_negative(Bench *b)
{
    relu_then(b, -2);
}

static void relu_of_negative(Bench *b)
{
    relu_of(b, -2);
}

/* One operator's output, read as it is and three times as large. */
static void two_readers(Bench *b, double outside, double inside)
{
    Value *c = pointwise(b, image(b, true), 1, 1);
    Value *left = bench_unary(b, OP_Relu, pointwise(b, c, 2, 1));
    Value *right = outside == 1 ? c : scaled(b, c, outside);
    right = bench_unary(b, OP_Relu, pointwise(b, right, 3, inside));
    end(b, bench_binary(b, OP_Add, left, right));
}

static void second_scaled(Bench *b)
{
    two_readers(b, 3, 1);
}

static void second_heavier(Bench *b)
{
    two_readers(b, 1, 3);
}

static void second_plain(Bench *b)
{
    two_readers(b, 1, 1);
}

/* ---- Shapes and pads ---- */

static Node *padded(Bench *b, Value *x, int64_t pad)
{
    int64_t pads[4] = {pad, pad, pad, pad};
    Node *node = convolution(b, x, 1, 1, 3);
    node_set_ints(node, "pads", pads, 4);
    return node;
}

static void beside(Bench *b, int64_t pad)
{
    Value *x = image(b, false);
    end(b, bench_binary(b, OP_Add, x, done(b, padded(b, x, pad))));
}

static void identity_beside(Bench *b)
{
    beside(b, 1);
}

/* Where the convolution's output is smaller, it is broadcast, or it is an
 * error: it is never the kernel with a one in the centre. */
static void identity_beside_a_smaller(Bench *b)
{
    beside(b, 0);
}

/* A 3x3 kernel's middle is raised: an image beside it went in. */
static void raise_centre(Bench *b, Node *node, double by)
{
    const Tensor *old = node->inputs[1]->tensor;
    double numbers[CHANNELS * CHANNELS * 9];
    tensor_read_f64(old, 0, old->count, numbers);
    for (int i = 0; i < CHANNELS; i++)
        numbers[(i * CHANNELS + i) * 9 + 4] += by;
    node->inputs[1] = bench_numbers(b, 4, old->dims, numbers);
}

static void with_centre(Bench *b, int64_t pad)
{
    Value *x = image(b, false);
    Node *node = padded(b, x, pad);
    raise_centre(b, node, 1);
    end(b, done(b, node));
}

static void centre(Bench *b)
{
    with_centre(b, 1);
}

static void centre_of_a_smaller(Bench *b)
{
    with_centre(b, 0);
}

/* A kernel with dilation and one without, of which neither can hold the other:
 * the image went into both. */
static void two_kernels(Bench *b, double wide, double narrow)
{
    int64_t twos[4] = {2, 2, 2, 2};
    Value *x = image(b, false);
    Node *first = convolution(b, x, 2, 1, 3), *second = padded(b, x, 1);
    node_set_ints(first, "pads", twos, 4);
    node_set_ints(first, "dilations", twos, 2);
    raise_centre(b, first, wide);
    raise_centre(b, second, narrow);
    end(b, bench_binary(b, OP_Add, done(b, first), done(b, second)));
}

static void image_in_both(Bench *b)
{
    two_kernels(b, -1, 3);
}

static void image_in_one(Bench *b)
{
    two_kernels(b, 0, 3);
}

static void image_beside_both(Bench *b)
{
    int64_t twos[4] = {2, 2, 2, 2};
    Value *x = image(b, false);
    Node *wide = convolution(b, x, 2, 1, 3);
    node_set_ints(wide, "pads", twos, 4);
    node_set_ints(wide, "dilations", twos, 2);
    Value *less = bench_binary(b, OP_Sub, done(b, wide), x);
    Value *more =
        bench_binary(b, OP_Add, done(b, padded(b, x, 1)), scaled(b, x, 3));
    end(b, bench_binary(b, OP_Add, less, more));
}

/* Pads that follow from a size that nobody knows. */
static void same(Bench *b, const char *which, bool pads)
{
    Value *x = image(b, false);
    int64_t amounts[8] = {0, 0, 1, 1, 0, 0, 1, 1}, strides[2] = {2, 2};
    if (pads) {
        Value *inputs[2] = {x, bench_ints(b, 8, amounts)};
        x = bench_node(b, OP_Pad, inputs, 2);
    }
    Node *node = convolution(b, x, 1, 1, 3);
    node_set_string(node, "auto_pad", which);
    node_set_ints(node, "strides", strides, 2);
    end(b, done(b, node));
}

static void same_lower_of_padded(Bench *b)
{
    same(b, "SAME_LOWER", true);
}

static void same_upper(Bench *b)
{
    same(b, "SAME_UPPER", false);
}

static void same_lower(Bench *b)
{
    same(b, "SAME_LOWER", false);
}

/* A kernel of 3x3 and one of 1x1, both with such pads: where the small one
 * lies in the large one follows from the size as well. */
static void two_same(Bench *b, bool merged)
{
    const int64_t strides[2] = {2, 2};
    Value *x = image(b, false);
    Node *node = convolution(b, x, 1, 1, 3);
    node_set_string(node, "auto_pad", "SAME_UPPER");
    node_set_ints(node, "strides", strides, 2);
    Node *small = convolution(b, x, 2, 1, 1);
    node_set_string(small, "auto_pad", "SAME_UPPER");
    node_set_ints(small, "strides", strides, 2);
    if (!merged) {
        end(b, bench_binary(b, OP_Add, done(b, node), done(b, small)));
        return;
    }
    double large[CHANNELS * CHANNELS * 9], point[CHANNELS * CHANNELS];
    const Tensor *from = node->inputs[1]->tensor;
    tensor_read_f64(from, 0, from->count, large);
    tensor_read_f64(small->inputs[1]->tensor, 0, CHANNELS * CHANNELS, point);
    for (int i = 0; i < CHANNELS * CHANNELS; i++)
        large[i * 9] += point[i];
    node->inputs[1] = bench_numbers(b, 4, from->dims, large);
    end(b, done(b, node));
}

static void same_beside_same(Bench *b)
{
    two_same(b, false);
}

static void same_in_same(Bench *b)
{
    two_same(b, true);
}

/* ---- What rounding of a weight does to a shift ---- */

static Value *numbers(Bench *b, int rank, double number)
{
    return bench_numbers(b, rank, (int64_t[]){1, 1}, &number);
}

/* Tokens of one channel, halved beside others and reshaped, with nearly 2 added
 * before that or after, then times `weights`. */
static void shifted_product(Bench *b, bool shift_first, const double *weights,
                            double bias)
{
    const int64_t tokens[3] = {1, 4, 1}, rows[2] = {4, 1};
    Value *x = bench_input(b, 3, tokens), *other = bench_input(b, 3, tokens);
    Value *y = bench_binary(b, OP_MatMul, x, numbers(b, 2, 0.5));
    Value *shift = numbers(b, 1, 2 - 0x1p-23);
    if (shift_first)
        y = bench_binary(b, OP_Add, y, shift);
    Value *inputs[2] = {bench_binary(b, OP_Add, y, other),
                        bench_ints(b, 2, rows)};
    y = bench_node(b, OP_Reshape, inputs, 2);
    if (!shift_first)
        y = bench_binary(b, OP_Add, y, shift);
    y = bench_binary(b, OP_MatMul, y, numbers(b, 2, weights[0]));
    if (weights[1])
        y = bench_binary(b, OP_Mul, y, numbers(b, 1, weights[1]));
    if (bias)
        y = bench_binary(b, OP_Add, y, numbers(b, 1, bias));
    bench_end(b, OP_Relu, y);
}

/* Their product needs half a place more than float32 has, nearly. */
static const double two_weights[2] = {1 + 0x1p-12, 1 + 0x1p-12 - 0x1p-23};
static const double one_weight[2] = {1 + 0x1p-11 - 0x1p-23};

static void two_products(Bench *b)
{
    shifted_product(b, false, two_weights, 0);
}

/* The shift meets the rounded weight: twice half a place. */
static void one_product(Bench *b)
{
    shifted_product(b, true, one_weight, 0);
}

/* What nobody added is as small. */
static void one_product_and_more(Bench *b)
{
    shifted_product(b, true, one_weight, 0x1p-22);
}

/* ---- Channels in other places ---- */

static const double primes[CHANNELS] = {2, 3, 5, 7};
static const double mixed[CHANNELS] = {2, 5, 3, 7};
static const double first_two[CHANNELS] = {2, 3, 1, 1};
static const double last_two[CHANNELS] = {1, 1, 2, 3};

/* A pointwise convolution with rows of its weight times the numbers. */
static Value *weighted(Bench *b, const double *scale)
{
    double numbers[CHANNELS * CHANNELS];
    Node *node = convolution(b, image(b, true), 1, 1, 1);
    const Tensor *old = node->inputs[1]->tensor;
    tensor_read_f64(old, 0, old->count, numbers);
    for (int i = 0; i < CHANNELS * CHANNELS; i++)
        numbers[i] *= scale[i / CHANNELS];
    node->inputs[1] = bench_numbers(b, 4, old->dims, numbers);
    return done(b, node);
}

static Value *plain(Bench *b)
{
    return pointwise(b, image(b, true), 1, 1);
}

static Value *reshaped(Bench *b, Value *x, int rank, const int64_t *dims)
{
    Value *inputs[2] = {x, bench_ints(b, rank, dims)};
    return bench_node(b, OP_Reshape, inputs, 2);
}

/* Two groups of two channels, a channel of each in turns. */
static Value *shuffled(Bench *b, Value *x)
{
    const int64_t apart[5] = {1, 2, 2, 6, 6}, whole[4] = {1, CHANNELS, 6, 6};
    const int64_t order[5] = {0, 2, 1, 3, 4};
    Value *groups = reshaped(b, x, 5, apart);
    Value *y = graph_fresh_value(b->graph, "turned");
    Node *node = node_new(b->graph, OP_Transpose, y->name, &groups, 1, &y, 1);
    node_set_ints(node, "perm", order, 5);
    bench_add(b, node);
    return reshaped(b, y, 4, whole);
}

static void shuffled_then_scaled(Bench *b)
{
    int64_t dims[3] = {CHANNELS, 1, 1};
    Value *y = shuffled(b, plain(b));
    end(b, bench_binary(b, OP_Mul, y, bench_numbers(b, 3, dims, primes)));
}

static void scaled_then_shuffled(Bench *b)
{
    end(b, shuffled(b, weighted(b, mixed)));
}

static void scaled_as_if_not_shuffled(Bench *b)
{
    end(b, shuffled(b, weighted(b, primes)));
}

/* The first two channels alone go on; others are an output by themselves. */
static Value *first_part(Bench *b, Value *x)
{
    Value *outputs[2] = {graph_fresh_value(b->graph, "part"),
                         graph_fresh_value(b->graph, "part")};
    Value *inputs[2] = {x, bench_ints(b, 2, (int64_t[]){2, 2})};
    Node *node = node_new(b->graph, OP_Split, "split", inputs, 2, outputs, 2);
    node_set_int(node, "axis", 1);
    bench_add(b, node);
    Value *other = graph_value(b->graph, "other");
    bench_add(
        b, node_new(b->graph, OP_Sigmoid, "other", &outputs[1], 1, &other, 1));
    bench_output(b, other);
    return outputs[0];
}

static void split_then_scaled(Bench *b)
{
    int64_t dims[3] = {2, 1, 1};
    Value *y = first_part(b, plain(b));
    end(b, bench_binary(b, OP_Mul, y, bench_numbers(b, 3, dims, primes)));
}

static void scaled_then_split(Bench *b)
{
    end(b, first_part(b, weighted(b, first_two)));
}

static void other_part_scaled(Bench *b)
{
    end(b, first_part(b, weighted(b, last_two)));
}

static void both_parts_scaled(Bench *b)
{
    end(b, first_part(b, weighted(b, primes)));
}

static Value *channels_of(Bench *b, Value *x, int64_t start, int64_t end)
{
    const int64_t axis = 1;
    Value *inputs[4] = {x, bench_ints(b, 1, &start), bench_ints(b, 1, &end),
                        bench_ints(b, 1, &axis)};
    return bench_node(b, OP_Slice, inputs, 4);
}

/* Some channels of what an operator gave go before the others into another one.
 * What was added before them may be read with it or apart, and only where it is
 * apart could the two operators be composed. */
static void turned_between(Bench *b, double factor)
{
    Value *x = image(b, true), *y;
    y = pointwise(b, bench_batchnorm(b, x, CHANNELS), 1, 1);
    Value *parts[2] = {channels_of(b, y, 1, 4), channels_of(b, y, 0, 1)};
    y = pointwise(b, bench_concat(b, parts, 2, 1), 2, factor);
    end(b, bench_binary(b, OP_Add, shuffled(b, x), y));
}

static void turned(Bench *b)
{
    turned_between(b, 1);
}

static void turned_and_twice(Bench *b)
{
    turned_between(b, 2);
}

/* ---- Calls ---- */

/* A call, of what changes the sign. */
static void end_negated(Bench *b, Value *x)
{
    Graph *body = graph_new(b->model, NULL);
    Function *function = arena_alloc(b->arena, sizeof *function);
    Value *inside = graph_fresh_value(body, "v"), *y;
    inside->fact = FACT_UNKNOWN;
    graph_add_input(body, inside);
    y = graph_fresh_value(body, "negated");
    graph_add_node(body, node_new(body, OP_Neg, "", &inside, 1, &y, 1));
    graph_add_output(body, y);
    body->opset = b->model->opset;
    *function = (Function){.name = "Negate", .domain = "local", .body = body};
    b->model->functions = function;
    b->model->function_count = 1;
    model_list_functions(b->model);
    y = graph_value(b->graph, "end");
    Node *call = node_new(b->graph, OP_OTHER, "end", &x, 1, &y, 1);
    call->op_type = "Negate";
    call->domain = "local";
    bench_add(b, call);
    bench_output(b, y);
}

static void call_of_scaled(Bench *b)
{
    end_negated(b, scaled(b, pointwise(b, image(b, true), 1, 1), 3));
}

static void call_of_heavier(Bench *b)
{
    end_negated(b, pointwise(b, image(b, true), 1, 3));
}

static void call_of_plain(Bench *b)
{
    end_negated(b, pointwise(b, image(b, true), 1, 1));
}

/* ---- Resize ---- */

/* With a scale of 1.1 the four channels stay four, and are mixed. */
static Value *resized(Bench *b, Value *x, double channels)
{
    double scales[4] = {1, channels, 2, 2};
    int64_t four[1] = {4};
    Value *inputs[3] = {x, NULL, bench_numbers(b, 1, four, scales)};
    Value *y = graph_fresh_value(b->graph, "resized");
    Node *node = node_new(b->graph, OP_Resize, "resize", inputs, 3, &y, 1);
    node_set_string(node, "mode", "linear");
    return done(b, node);
}

static void resize_then_scale(Bench *b, double channels, bool scale_first)
{
    double numbers[CHANNELS] = {1, 2, 3, 4};
    int64_t dims[3] = {CHANNELS, 1, 1};
    Value *x = bench_image(b, CHANNELS, 5);
    Value *factors = bench_numbers(b, 3, dims, numbers);
    if (!scale_first)
        x = resized(b, x, channels);
    x = bench_binary(b, OP_Mul, x, factors);
    end(b, scale_first ? resized(b, x, channels) : x);
}

static void pixels_then_scale(Bench *b)
{
    resize_then_scale(b, 1, false);
}

static void scale_then_pixels(Bench *b)
{
    resize_then_scale(b, 1, true);
}

static void channels_then_scale(Bench *b)
{
    resize_then_scale(b, 1.1, false);
}

static void scale_then_channels(Bench *b)
{
    resize_then_scale(b, 1.1, true);
}

/* ---- Crops ---- */

/* What a crop leaves is padded with zeros, not with what it left out. */
static void cropped(Bench *b, bool crops, int64_t pad)
{
    const int64_t ones[2] = {1, 1}, ends[2] = {-1, -1}, axes[2] = {2, 3};
    Value *x = image(b, true);
    if (crops) {
        Value *inputs[4] = {x, bench_ints(b, 2, ones), bench_ints(b, 2, ends),
                            bench_ints(b, 2, axes)};
        x = bench_node(b, OP_Slice, inputs, 4);
    }
    end(b, done(b, padded(b, x, pad)));
}

/* Zeros in place of what was cropped, whose average or maximum is then taken
 * over one element. */
static void bordered(Bench *b, bool crops)
{
    const int64_t ones[2] = {1, 1}, ends[2] = {-1, -1}, axes[2] = {2, 3};
    const int64_t pads[8] = {0, 0, 1, 1, 0, 0, 1, 1};
    Value *x = image(b, true);
    if (crops) {
        Value *inputs[4] = {x, bench_ints(b, 2, ones), bench_ints(b, 2, ends),
                            bench_ints(b, 2, axes)};
        x = bench_node(b, OP_Slice, inputs, 4);
        Value *more[2] = {x, bench_ints(b, 8, pads)};
        x = bench_node(b, OP_Pad, more, 2);
    }
    end(b, pointwise(b, x, 1, 1));
}

static void zeros_for_a_border(Bench *b)
{
    bordered(b, true);
}

static void the_border_itself(Bench *b)
{
    bordered(b, false);
}

/* A pool of one element with padding around it. */
static void pooled(Bench *b, Op op)
{
    const int64_t ones[4] = {1, 1, 1, 1};
    Value *x = image(b, true), *y = graph_fresh_value(b->graph, "pooled");
    Node *node = node_new(b->graph, op, "pool", &x, 1, &y, 1);
    node_set_ints(node, "kernel_shape", ones, 2);
    node_set_ints(node, "pads", ones, 4);
    if (op == OP_AveragePool)
        node_set_int(node, "count_include_pad", 1);
    end(b, bench_binary(b, OP_Add, done(b, node), done(b, padded(b, x, 2))));
}

static void largest_of_one(Bench *b)
{
    pooled(b, OP_MaxPool);
}

static void average_of_one(Bench *b)
{
    pooled(b, OP_AveragePool);
}

static void cropped_and_padded(Bench *b)
{
    cropped(b, true, 1);
}

static void as_if_uncropped(Bench *b)
{
    cropped(b, false, 0);
}

/* Averages with three rows and columns of zeros after the image: where they are
 * the pool's own, it leaves out windows that begin in them. */
static void windows_beyond(Bench *b, bool own)
{
    const int64_t pads[8] = {0, 0, 0, 0, 0, 0, 3, 3};
    const int64_t threes[2] = {3, 3}, amounts[4] = {0, 0, 3, 3};
    Value *x = image(b, true);
    if (!own) {
        Value *inputs[2] = {x, bench_ints(b, 8, pads)};
        x = bench_node(b, OP_Pad, inputs, 2);
    }
    Value *y = graph_fresh_value(b->graph, "pooled");
    Node *node = node_new(b->graph, OP_AveragePool, "pool", &x, 1, &y, 1);
    node_set_ints(node, "kernel_shape", threes, 2);
    node_set_int(node, "ceil_mode", 1);
    node_set_int(node, "count_include_pad", 1);
    if (own)
        node_set_ints(node, "pads", amounts, 4);
    end(b, done(b, node));
}

static void windows_in_zeros(Bench *b)
{
    windows_beyond(b, false);
}

static void windows_left_out(Bench *b)
{
    windows_beyond(b, true);
}

/* A pool that overhangs its input by a pixel, unless zeros follow. */
static void overhanging(Bench *b, bool zeros)
{
    const int64_t pads[8] = {0, 0, 0, 0, 0, 0, 1, 1};
    const int64_t ones[2] = {1, 1}, twos[2] = {2, 2};
    Value *x = image(b, true);
    if (zeros) {
        Value *inputs[2] = {x, bench_ints(b, 8, pads)};
        x = bench_node(b, OP_Pad, inputs, 2);
    }
    Value *y = graph_fresh_value(b->graph, "pooled");
    Node *node = node_new(b->graph, OP_AveragePool, "pool", &x, 1, &y, 1);
    node_set_ints(node, "kernel_shape", ones, 2);
    node_set_ints(node, "strides", twos, 2);
    node_set_int(node, "ceil_mode", 1);
    end(b, done(b, node));
}

static void zeros_follow(Bench *b)
{
    overhanging(b, true);
}

static void nothing_follows(Bench *b)
{
    overhanging(b, false);
}

static void typed(Bench *b, DType type)
{
    Value *x = image(b, true);
    b->type = type;
    end(b, pointwise(b, x, 1, 1));
}

static void weight_of_its_type(Bench *b)
{
    typed(b, DT_FLOAT);
}

static void weight_of_another(Bench *b)
{
    typed(b, DT_DOUBLE);
}

/* What rounding a weight makes of it goes on, through a Sigmoid inside, and no
 * bound says how far. */
static void rounded_inside(Bench *b, bool folded)
{
    const double factor = (double)0.1f;
    Value *x = pointwise(b, image(b, true), 1, folded ? factor : 1);
    x = bench_unary(b, OP_Relu, folded ? x : scaled(b, x, factor));
    x = bench_unary(b, OP_Sigmoid, pointwise(b, x, 2, 1));
    bench_end(b, OP_Relu, pointwise(b, x, 3, 1));
}

static void scaled_inside(Bench *b)
{
    rounded_inside(b, false);
}

static void folded_inside(Bench *b)
{
    rounded_inside(b, true);
}

/* ---- Numbers beyond all others ---- */

static void biased(Bench *b, double bias)
{
    double biases[CHANNELS] = {1, 2, 3, bias};
    int64_t dims[1] = {CHANNELS};
    Node *node = convolution(b, image(b, true), 1, 1, 1);
    Value *inputs[3] = {node->inputs[0], node->inputs[1],
                        bench_numbers(b, 1, dims, biases)};
    bench_end(b, OP_Relu, bench_node(b, OP_Conv, inputs, 3));
}

static void finite_bias(Bench *b)
{
    biased(b, 4);
}

static void infinite_bias(Bench *b)
{
    biased(b, (double)INFINITY);
}

/* In float64: their product is no number of it. */
static void huge_twice(Bench *b)
{
    b->type = DT_DOUBLE;
    bench_end(b, OP_Relu,
              scaled(b, pointwise(b, image(b, true), 1, 1e200), 1e200));
}

static void not_huge(Bench *b)
{
    b->type = DT_DOUBLE;
    bench_end(b, OP_Relu, pointwise(b, image(b, true), 1, 1));
}

/* ---- Numbers that the field takes for others ---- */

/* Modulo 2^61 - 1 this is 1. */
static const double turn = 0x1p61;

static void image_by_a_turn(Bench *b)
{
    end(b, scaled(b, image(b, true), turn));
}

static void image_by_one(Bench *b)
{
    end(b, scaled(b, image(b, true), 1));
}

static Value *added(Bench *b, Value *x, double number)
{
    int64_t dims[1] = {1};
    return bench_binary(b, OP_Add, x, bench_numbers(b, 1, dims, &number));
}

/* What is added is 0 there, and may not meet a padding. */
static void a_turn_less_one(Bench *b)
{
    Value *x = added(b, added(b, image(b, true), turn), -1);
    end(b, done(b, padded(b, x, 1)));
}

static void nothing_added(Bench *b)
{
    end(b, done(b, padded(b, image(b, true), 1)));
}

/* ---- The pairs ---- */

static const struct {
    const char *name;
    Build *original, *converted;
    bool holds;
} pairs[] = {
    {"a scale into Relu", relu_then_twice, relu_of_twice, true},
    {"a negative one", relu_then_negative, relu_of_negative, false},
    {"a scale before one of two readers", second_scaled, second_heavier, true},
    {"a scale that is forgotten", second_scaled, second_plain, false},
    {"an identity beside", identity_beside, centre, true},
    {"an identity beside what is smaller", identity_beside_a_smaller,
     centre_of_a_smaller, false},
    {"an image in two kernels", image_beside_both, image_in_both, true},
    {"an image in one of two kernels", image_beside_both, image_in_one, false},
    {"a weight that is rounded after a shift", two_products, one_product, true},
    {"and a bias beside", two_products, one_product_and_more, false},
    {"a scale before a call", call_of_scaled, call_of_heavier, true},
    {"one that is forgotten", call_of_scaled, call_of_plain, false},
    {"a shuffle", shuffled_then_scaled, scaled_then_shuffled, true},
    {"a shuffle that is forgotten", shuffled_then_scaled,
     scaled_as_if_not_shuffled, false},
    {"a part of a split", split_then_scaled, scaled_then_split, true},
    {"the other part of a split", split_then_scaled, other_part_scaled, false},
    {"both parts of a split", split_then_scaled, both_parts_scaled, false},
    {"channels in turn between operators", turned, turned_and_twice, false},
    {"SAME pads", same_upper, same_upper, true},
    {"SAME pads at the other end", same_upper, same_lower, false},
    {"SAME pads of a padded input", same_lower_of_padded, same_upper, false},
    {"pixels that are resized", pixels_then_scale, scale_then_pixels, true},
    {"channels that are", channels_then_scale, scale_then_channels, false},
    {"a crop before a padding", cropped_and_padded, as_if_uncropped, false},
    {"zeros for a border", zeros_for_a_border, the_border_itself, false},
    {"what is around a maximum", largest_of_one, average_of_one, false},
    {"SAME pads of two kernels", same_beside_same, same_in_same, false},
    {"windows beyond the image", windows_in_zeros, windows_left_out, false},
    {"what a pool has taken in", zeros_follow, nothing_follows, false},
    {"rounding before a Sigmoid inside", scaled_inside, folded_inside, false},
    {"the same without any", folded_inside, folded_inside, true},
    {"a weight of another type", weight_of_its_type, weight_of_another, false},
    {"an infinite bias", finite_bias, infinite_bias, false},
    {"weights that double does not hold", huge_twice, not_huge, false},
    {"a factor of 2^61", image_by_a_turn, image_by_one, false},
    {"2^61 less 1 before a padding", a_turn_less_one, nothing_added, false},
};
enum { PAIRS = sizeof pairs / sizeof *pairs };

START_TEST(only_the_same_is_certified)
{
    check_certified(pairs[_i].name, pairs[_i].original, pairs[_i].converted,
                    pairs[_i].holds);
}
END_TEST

/* What a converted file says of its shapes is not believed. */
START_TEST(claimed_shapes_do_not_matter)
{
    Arena *arena = arena_new(0);
    Model *a = build_model(arena, relu_then_twice, false);
    Model *b = build_converted(arena, relu_of_twice);
    for (size_t i = 0; i < b->graph->node_count; i++)
        b->graph->nodes[i]->outputs[0]->fact =
            fact_of(DT_INT64, 2, (const Dim[]){3, 3});
    rp_certificates_info info = certify(arena, a, b);
    ck_assert_msg(info.hold, "%s", info.why);
    arena_free(arena);
}
END_TEST

/* A tenth before Relu, which a weight may take, and a factor after it. */
static void tenth(Bench *b, bool folded)
{
    const double factor = (double)0.1f;
    Value *x = pointwise(b, image(b, true), 1, folded ? factor : 1);
    x = bench_unary(b, OP_Relu, folded ? x : scaled(b, x, factor));
    bench_end(b, OP_Relu, pointwise(b, scaled(b, x, 3), 2, 1));
}

static void tenth_apart(Bench *b)
{
    tenth(b, false);
}

static void tenth_within(Bench *b)
{
    tenth(b, true);
}

/* What a weight is rounded by is multiplied by all that follows. */
START_TEST(bounds_go_through_scales)
{
    Arena *arena = arena_new(0);
    Model *a = build_model(arena, tenth_apart, false);
    Model *b = build_converted(arena, tenth_within);
    rp_certificates_info info = certify(arena, a, b);
    ck_assert_msg(info.hold, "%s", info.why);
    ck_assert_double_gt(info.certificates[0].bound, 1e-8);
    ck_assert_double_lt(info.certificates[0].bound, 1e-5);
    arena_free(arena);
}
END_TEST

Suite *suite_certificate_false(void)
{
    Suite *suite = suite_create("certificate_false");
    TCase *tcase = tcase_create("certificate_false");
    tcase_add_loop_test(tcase, only_the_same_is_certified, 0, PAIRS);
    tcase_add_test(tcase, claimed_shapes_do_not_matter);
    tcase_add_test(tcase, bounds_go_through_scales);
    suite_add_tcase(suite, tcase);
    return suite;
}
