/* What an affine map may commute with (C10, C14, C17), backward and forward,
 * and what it may not. */
#include <string.h>

#include "composing.h"
#include "suites.h"

static Value *after(Bench *b, Op op, Value *const *inputs, int count,
                    const char *name, int64_t number)
{
    Value *y = graph_fresh_value(b->graph, "y");
    Node *node = node_new(b->graph, op, "mover", inputs, count, &y, 1);
    if (name)
        node_set_int(node, name, number);
    bench_add(b, node);
    return y;
}

/* ---- The operators; each makes something of (1, 8, 6, 6) ---- */

typedef Value *Step(Bench *b, Value *x);

static Value *relu(Bench *b, Value *x)
{
    return bench_unary(b, OP_Relu, x);
}

static Value *leaky_relu(Bench *b, Value *x)
{
    return bench_unary(b, OP_LeakyRelu, x);
}

static Value *prelu(Bench *b, Value *x)
{
    return bench_binary(b, OP_PRelu, x, bench_channel_scale(b, 8));
}

static Value *global_average(Bench *b, Value *x)
{
    return bench_unary(b, OP_GlobalAveragePool, x);
}

static Value *mean(Bench *b, Value *x)
{
    int64_t axes[2] = {2, 3};
    Value *y = graph_fresh_value(b->graph, "y");
    Node *node = node_new(b->graph, OP_ReduceMean, "mean", &x, 1, &y, 1);
    node_set_ints(node, "axes", axes, 2);
    bench_add(b, node);
    return y;
}

static Value *pool_of(Bench *b, Op op, Value *x, int64_t pad, bool counted)
{
    int64_t kernel[2] = {2, 2}, pads[4] = {pad, pad, pad, pad};
    Value *y = graph_fresh_value(b->graph, "pool");
    Node *node = node_new(b->graph, op, "pool", &x, 1, &y, 1);
    node_set_ints(node, "kernel_shape", kernel, 2);
    node_set_ints(node, "strides", kernel, 2);
    node_set_ints(node, "pads", pads, 4);
    if (counted)
        node_set_int(node, "count_include_pad", 1);
    bench_add(b, node);
    return y;
}

static Value *average(Bench *b, Value *x)
{
    return pool_of(b, OP_AveragePool, x, 0, true);
}

static Value *padded_average(Bench *b, Value *x)
{
    return pool_of(b, OP_AveragePool, x, 1, false);
}

static Value *counted_average(Bench *b, Value *x)
{
    return pool_of(b, OP_AveragePool, x, 1, true);
}

static Value *maximum(Bench *b, Value *x)
{
    return pool_of(b, OP_MaxPool, x, 1, false);
}

static Value *resized_by(Bench *b, Value *x, const double *scales,
                         const char *mode, const char *where)
{
    int64_t four[1] = {4};
    Value *inputs[3] = {x, NULL, bench_numbers(b, 1, four, scales)};
    Value *y = graph_fresh_value(b->graph, "resized");
    Node *node = node_new(b->graph, OP_Resize, "resize", inputs, 3, &y, 1);
    node_set_string(node, "mode", mode);
    node_set_string(node, "coordinate_transformation_mode", where);
    bench_add(b, node);
    return y;
}

static Value *resized(Bench *b, Value *x, const char *mode, const char *where)
{
    const double scales[4] = {1, 1, 2, 1.5};
    return resized_by(b, x, scales, mode, where);
}

/* As many channels as before, and yet each is made of two. */
static Value *channels_mixed(Bench *b, Value *x)
{
    const double scales[4] = {1, 1.1, 1, 1};
    return resized_by(b, x, scales, "linear", "half_pixel");
}

static Value *moved_by_half(Bench *b, Value *x)
{
    const double scales[4] = {1, 1, 2, 2};
    return resized_by(b, x, scales, "linear", "tf_half_pixel_for_nn");
}

static Value *nearest(Bench *b, Value *x)
{
    return resized(b, x, "nearest", "asymmetric");
}

static Value *linear(Bench *b, Value *x)
{
    return resized(b, x, "linear", "half_pixel");
}

static Value *cubic(Bench *b, Value *x)
{
    return resized(b, x, "cubic", "align_corners");
}

static Value *transposed(Bench *b, Value *x)
{
    int64_t order[4] = {0, 1, 3, 2};
    Value *y = graph_fresh_value(b->graph, "y");
    Node *node = node_new(b->graph, OP_Transpose, "transpose", &x, 1, &y, 1);
    node_set_ints(node, "perm", order, 4);
    bench_add(b, node);
    return y;
}

/* Without perm the axes are turned round; twice leaves them. */
static Value *turned_twice(Bench *b, Value *x)
{
    x = bench_unary(b, OP_Transpose, x);
    return bench_unary(b, OP_Transpose, bench_unary(b, OP_Relu, x));
}

static Value *dropout(Bench *b, Value *x)
{
    return bench_unary(b, OP_Dropout, x);
}

static Value *expanded(Bench *b, Value *x)
{
    int64_t shape[4] = {3, 8, 6, 6};
    return bench_binary(b, OP_Expand, x, bench_ints(b, 4, shape));
}

/* Rows 1 to 3 of the image. */
static Value *cropped(Bench *b, Value *x)
{
    int64_t start[1] = {1}, end[1] = {4}, axis[1] = {2};
    Value *inputs[4] = {x, bench_ints(b, 1, start), bench_ints(b, 1, end),
                        bench_ints(b, 1, axis)};
    return bench_node(b, OP_Slice, inputs, 4);
}

/* Every other channel, from the last. */
static Value *channels_back(Bench *b, Value *x)
{
    int64_t start[1] = {-1}, end[1] = {-100}, axis[1] = {1}, step[1] = {-2};
    Value *inputs[5] = {x, bench_ints(b, 1, start), bench_ints(b, 1, end),
                        bench_ints(b, 1, axis), bench_ints(b, 1, step)};
    return bench_node(b, OP_Slice, inputs, 5);
}

static Value *channels_listed(Bench *b, Value *x)
{
    int64_t list[5] = {3, 0, -1, 3, 5};
    Value *inputs[2] = {x, bench_ints(b, 5, list)};
    return after(b, OP_Gather, inputs, 2, "axis", 1);
}

static Value *channels_listed_from_the_end(Bench *b, Value *x)
{
    x = channels_listed(b, x);
    node_set_int(x->producer, "axis", -3);
    return x;
}

/* The image as the only one of a list of lists: one more axis in front. */
static Value *images_listed(Bench *b, Value *x)
{
    const int64_t dims[2] = {1, 1}, zero[1] = {0};
    Value *list = bench_ints(b, 1, zero);
    list = bench_binary(b, OP_Reshape, list, bench_ints(b, 2, dims));
    Value *inputs[2] = {x, list};
    x = after(b, OP_Gather, inputs, 2, "axis", 0);
    return bench_binary(b, OP_Squeeze, x, bench_ints(b, 1, zero));
}

/* One row of the image, whose axis goes. */
static Value *row_taken(Bench *b, Value *x)
{
    int64_t list[1] = {2};
    Value *row = bench_ints(b, 1, list);
    row = bench_binary(b, OP_Reshape, row, bench_ints(b, 0, NULL));
    Value *inputs[2] = {x, row};
    x = after(b, OP_Gather, inputs, 2, "axis", 2);
    return bench_binary(b, OP_Unsqueeze, x, bench_ints(b, 1, list));
}

static Value *to_depth(Bench *b, Value *x)
{
    return after(b, OP_SpaceToDepth, &x, 1, "blocksize", 2);
}

static Value *to_pixels(Bench *b, Value *x, const char *mode)
{
    x = after(b, OP_DepthToSpace, &x, 1, "blocksize", 2);
    node_set_string(x->producer, "mode", mode);
    return x;
}

/* Channels 0, 2, 4, 6 become pixels of one, or 0 to 3. */
static Value *far_channels_to_pixels(Bench *b, Value *x)
{
    return to_pixels(b, x, "DCR");
}

static Value *near_channels_to_pixels(Bench *b, Value *x)
{
    return to_pixels(b, x, "CRD");
}

static Value *split(Bench *b, Value *x)
{
    int64_t lengths[2] = {3, 5};
    Value *inputs[2] = {x, bench_ints(b, 2, lengths)};
    Value *outputs[2] = {graph_fresh_value(b->graph, "s"),
                         graph_fresh_value(b->graph, "s")};
    Node *node = node_new(b->graph, OP_Split, "split", inputs, 2, outputs, 2);
    node_set_int(node, "axis", 1);
    bench_add(b, node);
    bench_output(b, bench_conv(b, outputs[0], (ConvShape){.out = 4}));
    return outputs[1];
}

static Value *sigmoid(Bench *b, Value *x)
{
    return bench_unary(b, OP_Sigmoid, x);
}

static Value *softmax(Bench *b, Value *x)
{
    return bench_unary(b, OP_Softmax, x);
}

static Value *clip(Bench *b, Value *x)
{
    double zero[1] = {0}, six[1] = {6};
    Value *inputs[3] = {x, bench_numbers(b, 0, NULL, zero),
                        bench_numbers(b, 0, NULL, six)};
    return bench_node(b, OP_Clip, inputs, 3);
}

/* ---- Maps ---- */

static Value *positive_scale(Bench *b, Value *x)
{
    int64_t dims[3] = {8, 1, 1};
    static const double numbers[8] = {0.5, 1, 2, 4, 0.25, 8, 2, 0.5};
    return bench_binary(b, OP_Mul, x, bench_numbers(b, 3, dims, numbers));
}

static Value *scale_in_turns(Bench *b, Value *x)
{
    int64_t dims[3] = {8, 1, 1};
    static const double numbers[8] = {2, 3, 2, 3, 2, 3, 2, 3};
    return bench_binary(b, OP_Mul, x, bench_numbers(b, 3, dims, numbers));
}

static Value *scale_by_halves(Bench *b, Value *x)
{
    int64_t dims[3] = {8, 1, 1};
    static const double numbers[8] = {2, 2, 2, 2, 3, 3, 3, 3};
    return bench_binary(b, OP_Mul, x, bench_numbers(b, 3, dims, numbers));
}

static Value *scale(Bench *b, Value *x)
{
    return bench_binary(b, OP_Mul, x, bench_channel_scale(b, 8));
}

static Value *shift(Bench *b, Value *x)
{
    return bench_binary(b, OP_Add, x, bench_channel_scale(b, 8));
}

static Value *both(Bench *b, Value *x)
{
    return bench_batchnorm(b, x, 8);
}

/* ---- Forward: map, mover, convolution ---- */

typedef struct Move {
    Step *mover;
    Step *map;
    bool takes;
} Move;

static const Move *move;

static void build_forward(Bench *b)
{
    Value *x = bench_unary(b, OP_Relu, bench_image(b, 8, 6));
    x = move->mover(b, move->map(b, x));
    if (x->fact.rank == 2)
        x = after(b, OP_Unsqueeze,
                  (Value *[]){x, bench_ints(b, 1, (int64_t[]){2})}, 2, NULL, 0);
    bench_output(b, bench_conv(b, x, (ConvShape){.out = 4, .bias = true}));
}

static const Move forward[] = {
    {relu, positive_scale, true},
    {relu, scale, false},
    {relu, shift, false},
    {leaky_relu, positive_scale, true},
    {leaky_relu, scale, false},
    {prelu, positive_scale, true},
    {prelu, shift, false},
    {maximum, positive_scale, true},
    {maximum, shift, true},
    {maximum, scale, false},
    {global_average, both, true},
    {mean, both, true},
    {average, both, true},
    {padded_average, both, true},
    {counted_average, both, false},
    {nearest, both, true},
    {linear, both, true},
    {cubic, both, true},
    {transposed, both, true},
    {turned_twice, positive_scale, true},
    {dropout, both, true},
    {expanded, both, true},
    {cropped, both, true},
    {channels_back, both, true},
    {channels_listed, both, true},
    {channels_listed_from_the_end, both, true},
    {images_listed, both, true},
    {row_taken, both, true},
    {to_depth, both, true},
    {far_channels_to_pixels, scale_in_turns, true},
    {far_channels_to_pixels, scale_by_halves, false},
    {near_channels_to_pixels, scale_by_halves, true},
    {near_channels_to_pixels, scale_in_turns, false},
    {split, both, true},
    {sigmoid, scale, false},
    {softmax, scale, false},
    {clip, positive_scale, false},
    {channels_mixed, scale, false},
};

static size_t count_maps(const Model *model)
{
    return count_ops(model, OP_BatchNormalization) + count_ops(model, OP_Mul) +
           count_ops(model, OP_Add);
}

/* Of maps: a pool may have its own. */
static size_t count_refusals(const Folded *folded)
{
    size_t count = 0;
    for (size_t i = 0; i < folded->report.refusal_count; i++)
        count += strcmp(folded->report.refusals[i].op, "AveragePool") != 0;
    return count;
}

static void check_move(Build *build)
{
    Folded folded = fold_model(build, NULL);
    ck_assert_double_lt(folded.difference, 1e-13);
    ck_assert_uint_eq(count_maps(folded.before), 1);
    ck_assert_uint_eq(count_maps(folded.after), !move->takes);
    ck_assert_uint_eq(folded.report.fold_count, move->takes);
    ck_assert_uint_eq(count_refusals(&folded), !move->takes);
    folded_free(&folded);
}

START_TEST(a_map_goes_forward)
{
    move = &forward[_i];
    check_move(build_forward);
}
END_TEST

/* ---- Backward: convolution, mover, map ---- */

static void build_backward(Bench *b)
{
    Value *x = bench_conv(b, bench_image(b, 8, 6), SAME(3));
    x = move->map(b, move->mover(b, x));
    bench_output(b, bench_unary(b, OP_Sigmoid, x));
}

static const Move backward[] = {
    {relu, positive_scale, true},  {relu, scale, false},
    {relu, both, false},           {leaky_relu, positive_scale, true},
    {prelu, positive_scale, true}, {maximum, positive_scale, true},
    {global_average, both, true},  {average, both, true},
    {padded_average, both, true},  {counted_average, both, false},
    {nearest, both, true},         {cubic, both, true},
    {transposed, both, true},      {dropout, both, true},
    {expanded, both, true},        {cropped, both, true},
    {sigmoid, scale, false},       {channels_mixed, scale, false},
    {moved_by_half, scale, false}, {turned_twice, positive_scale, true},
    {images_listed, both, true},
};

START_TEST(a_map_goes_backward)
{
    move = &backward[_i];
    check_move(build_backward);
}
END_TEST

/* What passes an average beside a convolution goes into that, with a scale. */
static void build_average_of_residual(Bench *b)
{
    Value *x = bench_image(b, 8, 6);
    Value *sum = bench_binary(b, OP_Add, x, bench_conv(b, x, DW(8, 1)));
    bench_output(b, scale(b, average(b, sum)));
}

START_TEST(a_scale_goes_backward_through_the_average_of_a_residual)
{
    check_folds(build_average_of_residual, 1, 1);
}
END_TEST

/* Two operators joined, the first behind an activation, the second too or as it
 * is; then a scale of all channels. */
static void join_and_scale(Bench *b, int axis, const int64_t *outs, bool both)
{
    Value *x = bench_image(b, 4, 5), *parts[2];
    for (int i = 0; i < 2; i++) {
        parts[i] = bench_conv(b, x, (ConvShape){.out = outs[i]});
        if (i == 0 || both)
            parts[i] = bench_unary(b, OP_Relu, parts[i]);
    }
    x = positive_scale(b, bench_concat(b, parts, 2, axis));
    bench_output(b, bench_unary(b, OP_Sigmoid, x));
}

static void build_joined_activations(Bench *b)
{
    join_and_scale(b, 1, (int64_t[]){3, 5}, true);
}

static void build_joined_rows(Bench *b)
{
    join_and_scale(b, 2, (int64_t[]){8, 8}, true);
}

static void build_activation_beside(Bench *b)
{
    join_and_scale(b, 1, (int64_t[]){3, 5}, false);
}

static void build_activation_above(Bench *b)
{
    join_and_scale(b, 2, (int64_t[]){8, 8}, false);
}

/* With a shift: operators take it that already add something, or do not. */
static void join_and_normalize(Bench *b, int axis, bool first, bool second)
{
    Value *x = bench_image(b, 4, 5), *parts[2];
    parts[0] = bench_conv(b, x, (ConvShape){.out = 8, .bias = first});
    parts[1] = bench_conv(b, x, (ConvShape){.out = 8, .bias = second});
    x = bench_concat(b, parts, 2, axis);
    bench_output(
        b, bench_unary(b, OP_Sigmoid, bench_batchnorm(b, x, x->fact.dims[1])));
}

static void build_normalized_channels(Bench *b)
{
    join_and_normalize(b, 1, true, false);
}

static void build_normalized_rows(Bench *b)
{
    join_and_normalize(b, 2, true, true);
}

static void build_normalized_rows_without_bias(Bench *b)
{
    join_and_normalize(b, 2, false, false);
}

static void build_normalized_rows_with_first_bias(Bench *b)
{
    join_and_normalize(b, 2, true, false);
}

static void build_normalized_rows_with_second_bias(Bench *b)
{
    join_and_normalize(b, 2, false, true);
}

START_TEST(a_map_goes_backward_through_what_is_joined)
{
    check_folds(build_normalized_channels, 2, 2);
    check_folds(build_normalized_rows, 2, 2);
    check_folds(build_normalized_rows_without_bias, 2, 2);
    check_folds(build_normalized_rows_with_first_bias, 2, 2);
    check_folds(build_normalized_rows_with_second_bias, 2, 2);
}
END_TEST

START_TEST(a_scale_goes_backward_through_what_is_joined)
{
    check_folds(build_joined_activations, 2, 4);
    check_folds(build_joined_rows, 2, 4);
    check_folds(build_activation_beside, 2, 3);
    check_folds(build_activation_above, 2, 3);
}
END_TEST

static Value *turned(Bench *b, Value *x)
{
    const int64_t swap[3] = {0, 2, 1};
    Value *y = graph_fresh_value(b->graph, "y");
    Node *node = node_new(b->graph, OP_Transpose, "turned", &x, 1, &y, 1);
    node_set_ints(node, "perm", swap, 3);
    bench_add(b, node);
    return y;
}

/* Which axis of size 1 the channel is behind a Reshape, operators decide. */
static void build_single_channel(Bench *b)
{
    const int64_t sizes[4] = {1, 1, 4, 4};
    Value *x =
        bench_binary(b, OP_MatMul, bench_input(b, 3, (int64_t[]){1, 16, 3}),
                     bench_constant(b, 2, (int64_t[]){3, 1}));
    x = bench_binary(b, OP_Add, x, bench_constant(b, 1, (int64_t[]){1}));
    x = bench_binary(b, OP_Reshape, turned(b, x), bench_ints(b, 4, sizes));
    bench_output(b, bench_binary(b, OP_Mul, x, bench_channel_scale(b, 1)));
}

static void build_single_channel_forward(Bench *b)
{
    const int64_t sizes[3] = {1, 1, -1};
    Value *x = bench_batchnorm(b, bench_image(b, 1, 3), 1);
    x = bench_binary(b, OP_Reshape, x, bench_ints(b, 3, sizes));
    bench_output(b, bench_binary(b, OP_MatMul, turned(b, x),
                                 bench_constant(b, 2, (int64_t[]){1, 1})));
}

START_TEST(a_map_of_a_single_channel_goes_through_a_reshape)
{
    check_folds(build_single_channel, 0, 4);
    check_folds(build_single_channel_forward, 0, 4);
}
END_TEST

Suite *suite_rule_move(void)
{
    Suite *suite = suite_create("rule_move");
    TCase *tcase = tcase_create("rule_move");
    tcase_add_loop_test(tcase, a_map_goes_forward, 0,
                        (int)(sizeof forward / sizeof *forward));
    tcase_add_loop_test(tcase, a_map_goes_backward, 0,
                        (int)(sizeof backward / sizeof *backward));
    tcase_add_test(tcase,
                   a_scale_goes_backward_through_the_average_of_a_residual);
    tcase_add_test(tcase, a_scale_goes_backward_through_what_is_joined);
    tcase_add_test(tcase, a_map_goes_backward_through_what_is_joined);
    tcase_add_test(tcase, a_map_of_a_single_channel_goes_through_a_reshape);
    suite_add_tcase(suite, tcase);
    return suite;
}
