/*
 * Certificates: models that are nearly the same have none, beside ones that are
 * the same and have one. Each pair is a way to be wrong that the algebra must
 * see without running anything.
 */
#include <string.h>

#include "composing.h"
#include "folding.h"
#include "pairs.h"
#include "suites.h"

/* ---- Scales ---- */

static void relu_then(Bench *b, double factor)
{
    Value *y = pair_point(b, pair_image(b, true), 1, 1);
    pair_end(b, pair_scaled(b, bench_unary(b, OP_Relu, y), factor));
}

static void relu_of(Bench *b, double factor)
{
    Value *y = pair_point(b, pair_image(b, true), 1, factor);
    pair_end(b, bench_unary(b, OP_Relu, y));
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
    Value *c = pair_point(b, pair_image(b, true), 1, 1);
    Value *left = bench_unary(b, OP_Relu, pair_point(b, c, 2, 1));
    Value *right = outside == 1 ? c : pair_scaled(b, c, outside);
    right = bench_unary(b, OP_Relu, pair_point(b, right, 3, inside));
    pair_end(b, bench_binary(b, OP_Add, left, right));
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

static void beside(Bench *b, int64_t pad)
{
    Value *x = pair_image(b, false);
    pair_end(b,
             bench_binary(b, OP_Add, x, pair_done(b, pair_padded(b, x, pad))));
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
    Value *x = pair_image(b, false);
    Node *node = pair_padded(b, x, pad);
    raise_centre(b, node, 1);
    pair_end(b, pair_done(b, node));
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
    Value *x = pair_image(b, false);
    Node *first = pair_conv(b, x, 2, 1, 3), *second = pair_padded(b, x, 1);
    node_set_ints(first, "pads", twos, 4);
    node_set_ints(first, "dilations", twos, 2);
    raise_centre(b, first, wide);
    raise_centre(b, second, narrow);
    pair_end(
        b, bench_binary(b, OP_Add, pair_done(b, first), pair_done(b, second)));
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
    Value *x = pair_image(b, false);
    Node *wide = pair_conv(b, x, 2, 1, 3);
    node_set_ints(wide, "pads", twos, 4);
    node_set_ints(wide, "dilations", twos, 2);
    Value *less = bench_binary(b, OP_Sub, pair_done(b, wide), x);
    Value *more = bench_binary(b, OP_Add, pair_done(b, pair_padded(b, x, 1)),
                               pair_scaled(b, x, 3));
    pair_end(b, bench_binary(b, OP_Add, less, more));
}

/* Pads that follow from a size that nobody knows. */
static void same(Bench *b, const char *which, bool pads)
{
    Value *x = pair_image(b, false);
    int64_t amounts[8] = {0, 0, 1, 1, 0, 0, 1, 1}, strides[2] = {2, 2};
    if (pads) {
        Value *inputs[2] = {x, bench_ints(b, 8, amounts)};
        x = bench_node(b, OP_Pad, inputs, 2);
    }
    Node *node = pair_conv(b, x, 1, 1, 3);
    node_set_string(node, "auto_pad", which);
    node_set_ints(node, "strides", strides, 2);
    pair_end(b, pair_done(b, node));
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
    Node *node = pair_conv(b, pair_image(b, true), 1, 1, 1);
    const Tensor *old = node->inputs[1]->tensor;
    tensor_read_f64(old, 0, old->count, numbers);
    for (int i = 0; i < CHANNELS * CHANNELS; i++)
        numbers[i] *= scale[i / CHANNELS];
    node->inputs[1] = bench_numbers(b, 4, old->dims, numbers);
    return pair_done(b, node);
}

static Value *plain(Bench *b)
{
    return pair_point(b, pair_image(b, true), 1, 1);
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
    pair_end(b, bench_binary(b, OP_Mul, y, bench_numbers(b, 3, dims, primes)));
}

static void scaled_then_shuffled(Bench *b)
{
    pair_end(b, shuffled(b, weighted(b, mixed)));
}

static void scaled_as_if_not_shuffled(Bench *b)
{
    pair_end(b, shuffled(b, weighted(b, primes)));
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
    pair_end(b, bench_binary(b, OP_Mul, y, bench_numbers(b, 3, dims, primes)));
}

static void scaled_then_split(Bench *b)
{
    pair_end(b, first_part(b, weighted(b, first_two)));
}

static void other_part_scaled(Bench *b)
{
    pair_end(b, first_part(b, weighted(b, last_two)));
}

static void both_parts_scaled(Bench *b)
{
    pair_end(b, first_part(b, weighted(b, primes)));
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
    Value *x = pair_image(b, true), *y;
    y = pair_point(b, bench_batchnorm(b, x, CHANNELS), 1, 1);
    Value *parts[2] = {channels_of(b, y, 1, 4), channels_of(b, y, 0, 1)};
    y = pair_point(b, bench_concat(b, parts, 2, 1), 2, factor);
    pair_end(b, bench_binary(b, OP_Add, shuffled(b, x), y));
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
    end_negated(b, pair_scaled(b, pair_point(b, pair_image(b, true), 1, 1), 3));
}

static void call_of_heavier(Bench *b)
{
    end_negated(b, pair_point(b, pair_image(b, true), 1, 3));
}

static void call_of_plain(Bench *b)
{
    end_negated(b, pair_point(b, pair_image(b, true), 1, 1));
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
    return pair_done(b, node);
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
    pair_end(b, scale_first ? resized(b, x, channels) : x);
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

Suite *suite_certificate_false(void)
{
    Suite *suite = suite_create("certificate_false");
    TCase *tcase = tcase_create("certificate_false");
    tcase_add_loop_test(tcase, only_the_same_is_certified, 0, PAIRS);
    tcase_add_test(tcase, claimed_shapes_do_not_matter);
    suite_add_tcase(suite, tcase);
    return suite;
}
