/* What must be left alone: to the byte, and for the reason that the manual
 * gives. */
#include <math.h>
#include <string.h>

#include "blocks.h"
#include "models.h"
#include "repfold.h"
#include "suites.h"

/* The convolution's result is read inside the If: it cannot be scaled. */
static void build_captured(Bench *b)
{
    Value *x = bench_conv(b, bench_image(b, 2, 5), SAME(3));
    bench_output(b, bench_batchnorm(b, x, 2));
    bench_output(b, read_in_branches(b, x));
}

static void build_multi_use(Bench *b)
{
    Value *y = bench_conv(b, bench_image(b, 2, 5), SAME(3));
    bench_output(b, bench_batchnorm(b, y, 2));
    bench_output(b, bench_unary(b, OP_Relu, y));
}

static void build_graph_output(Bench *b)
{
    Value *y = bench_conv(b, bench_image(b, 2, 5), SAME(3));
    bench_output(b, y);
    bench_output(b, bench_batchnorm(b, y, 2));
}

/* Width equals the number of channels: the trap that OnnxSlim falls into. */
static void build_wrong_axis(Bench *b)
{
    int64_t dims[1] = {5};
    Value *y = bench_conv(b, bench_image(b, 5, 5), SAME(3));
    bench_output(b, bench_binary(b, OP_Mul, y, bench_constant(b, 1, dims)));
}

static void build_several_axes(Bench *b)
{
    int64_t dims[2] = {5, 5};
    Value *y = bench_conv(b, bench_image(b, 5, 5), SAME(3));
    bench_output(b, bench_binary(b, OP_Mul, y, bench_constant(b, 2, dims)));
}

static void build_broadcast(Bench *b)
{
    Value *y = bench_conv(b, bench_image(b, 3, 5), (ConvShape){.out = 1});
    bench_output(b, bench_binary(b, OP_Mul, y, bench_channel_scale(b, 4)));
}

static void build_bad_variance(Bench *b)
{
    build_conv_bn(b);
    Node *bn = b->graph->nodes[1];
    ((float *)bn->inputs[4]->tensor->data)[3] = -1.0f;
}

static void build_dynamic_weight(Bench *b)
{
    int64_t dims[4] = {4, 2, 3, 3};
    Value *weight = bench_input(b, 4, dims);
    Value *y = bench_binary(b, OP_Conv, bench_image(b, 2, 5), weight);
    bench_output(b, bench_batchnorm(b, y, 4));
}

static void build_overridable(Bench *b)
{
    build_conv_bn(b);
    graph_add_input(b->graph, b->graph->nodes[0]->inputs[1]);
}

static void build_stride_differs(Bench *b)
{
    Value *x = bench_image(b, 2, 1);
    Value *other =
        bench_conv(b, x, (ConvShape){.kernel = 3, .pad = 1, .stride = 2});
    bench_output(b, bench_binary(b, OP_Add, bench_conv(b, x, SAME(3)), other));
}

static void build_slack_differs(Bench *b)
{
    int64_t dims[4] = {1, 2, -1, -1};
    Value *x = bench_input(b, 4, dims);
    Value *large =
        bench_conv(b, x, (ConvShape){.kernel = 4, .pad = 1, .stride = 2});
    Value *small = bench_conv(b, x, (ConvShape){.kernel = 1, .stride = 2});
    bench_output(b, bench_binary(b, OP_Add, large, small));
}

static void build_nonlinear(Bench *b)
{
    Value *y = bench_conv(b, bench_image(b, 3, 5), SAME(3));
    y = bench_unary(b, OP_Relu, y);
    y = bench_batchnorm(b, y, 3);
    bench_output(b, bench_unary(b, OP_Relu, y));
}

static void build_reflect(Bench *b)
{
    int64_t pads[8] = {0, 0, 1, 1, 0, 0, 1, 1};
    Value *inputs[2] = {bench_image(b, 2, 6), bench_ints(b, 8, pads)};
    Node *pad = node_new(b->graph, OP_Pad, "pad", inputs, 2,
                         &(Value *){graph_fresh_value(b->graph, "p")}, 1);
    node_set_string(pad, "mode", "reflect");
    bench_add(b, pad);
    bench_output(b, bench_conv(b, pad->outputs[0], (ConvShape){.kernel = 3}));
}

static void build_pool_exclude(Bench *b)
{
    build_pool_branch(b);
    node_set_int(b->graph->nodes[0], "count_include_pad", 0);
}

/* ---- Padding and sizes ---- */

static void build_pad_shift(Bench *b)
{
    Value *x = bench_unary(b, OP_Relu, bench_image(b, 4, 5));
    x = bench_batchnorm(b, x, 4);
    bench_output(b, bench_conv(b, x, SAME(3)));
}

/* Its shift counts differently often at the border. */
static void build_shift_transposed(Bench *b)
{
    int64_t dims[4] = {4, 3, 3, 3};
    Value *x = bench_unary(b, OP_Relu, bench_image(b, 4, 5));
    x = bench_batchnorm(b, x, 4);
    bench_output(
        b, bench_binary(b, OP_ConvTranspose, x, bench_constant(b, 4, dims)));
}

static void build_ceil(Bench *b)
{
    int64_t two[2] = {2, 2};
    Value *x = bench_image(b, 3, 5),
          *pool = graph_fresh_value(b->graph, "pool");
    Node *node = node_new(b->graph, OP_AveragePool, "pool", &x, 1, &pool, 1);
    node_set_ints(node, "kernel_shape", two, 2);
    node_set_ints(node, "strides", two, 2);
    node_set_int(node, "ceil_mode", 1);
    bench_add(b, node);
    Value *y = bench_conv(b, x, (ConvShape){.stride = 2});
    bench_output(b, bench_binary(b, OP_Add, y, pool));
}

static void build_same_symbolic(Bench *b)
{
    int64_t dims[4] = {1, 2, -1, -1};
    Value *x = bench_input(b, 4, dims);
    Value *same = bench_conv(b, x, (ConvShape){.kernel = 3, .stride = 2});
    node_set_string(same->producer, "auto_pad", "SAME_UPPER");
    Value *y = bench_conv(b, x, (ConvShape){.stride = 2});
    bench_output(b, bench_binary(b, OP_Add, same, y));
}

/* One output against many: the sum broadcasts. */
static void build_broadcast_sizes(Bench *b)
{
    Value *x = bench_image(b, 2, 3);
    Value *one = bench_conv(b, x, (ConvShape){.kernel = 3});
    bench_output(b, bench_binary(b, OP_Add, one, bench_conv(b, x, SAME(1))));
}

/* ---- Branches ---- */

static void build_different_inputs(Bench *b)
{
    Value *x = bench_image(b, 4, 5);
    Value *other = bench_conv(b, bench_unary(b, OP_Relu, x), SAME(1));
    bench_output(b, bench_binary(b, OP_Add, bench_conv(b, x, SAME(3)), other));
}

static void build_nonlinear_branch(Bench *b)
{
    Value *x = bench_image(b, 4, 5);
    Value *other = bench_unary(b, OP_Sigmoid, bench_conv(b, x, SAME(1)));
    other = bench_binary(b, OP_Mul, other, bench_channel_scale(b, 4));
    bench_output(b, bench_binary(b, OP_Add, bench_conv(b, x, SAME(3)), other));
}

/* Of one pixel stride 2 leaves one. */
static void build_strided_identity(Bench *b)
{
    Value *x = bench_image(b, 3, 1);
    Value *y = bench_conv(b, x, (ConvShape){.stride = 2});
    bench_output(b, bench_binary(b, OP_Add, x, y));
}

static void build_identity_channels(Bench *b)
{
    Value *x = bench_image(b, 1, 5);
    Value *y = bench_conv(b, x, (ConvShape){.out = 4});
    bench_output(b, bench_binary(b, OP_Add, y, x));
}

static void build_branch_channels(Bench *b)
{
    Value *x = bench_image(b, 3, 5);
    Value *one = bench_conv(b, x, (ConvShape){.out = 1});
    bench_output(b, bench_binary(b, OP_Add, bench_conv(b, x, SAME(1)), one));
}

static void build_groups(Bench *b)
{
    Value *x = bench_image(b, 6, 5);
    Value *two = bench_conv(b, x, (ConvShape){.group = 2});
    Value *three = bench_conv(b, x, (ConvShape){.group = 3});
    bench_output(b, bench_binary(b, OP_Add, two, three));
}

/* The kernel lies beside the identity's place, and would have to grow. */
static void build_costly_identity(Bench *b)
{
    Value *x = bench_image(b, 3, 5);
    int64_t pads[4] = {0, 0, 1, 1}, two[2] = {2, 2};
    Value *y = bench_conv(b, x, (ConvShape){.kernel = 2});
    node_set_ints(y->producer, "pads", pads, 4);
    y->fact = FACT_UNKNOWN;
    Value *z = bench_conv(b, x, (ConvShape){.kernel = 2, .pad = 1});
    node_set_ints(z->producer, "dilations", two, 2);
    z->fact = FACT_UNKNOWN;
    bench_output(b, bench_binary(b, OP_Add, z, x));
}

/* ---- Operands ---- */

static void build_side_outputs(Bench *b)
{
    build_conv_bn(b);
    Node *bn = b->graph->nodes[1];
    Value *outputs[3] = {bn->outputs[0], graph_fresh_value(b->graph, "mean"),
                         graph_fresh_value(b->graph, "variance")};
    Node *three =
        node_new(b->graph, bn->op, bn->name, bn->inputs, 5, outputs, 3);
    node_set_int(three, "training_mode", 1);
    graph_replace_node(b->graph, bn, &three, 1);
    bench_output(b, outputs[1]);
}

static void spoil(Bench *b, int slot, float number)
{
    build_conv_bn(b);
    ((float *)b->graph->nodes[1]->inputs[slot]->tensor->data)[2] = number;
}

static void build_nan(Bench *b)
{
    spoil(b, 1, NAN);
}

static void build_infinite_mean(Bench *b)
{
    spoil(b, 3, INFINITY);
}

static void build_infinite_variance(Bench *b)
{
    spoil(b, 4, INFINITY);
}

static void build_zero_divisor(Bench *b)
{
    double zero[1] = {0};
    Value *y = bench_conv(b, bench_image(b, 2, 5), SAME(3));
    bench_output(b,
                 bench_binary(b, OP_Div, y, bench_numbers(b, 0, NULL, zero)));
}

/* C has one number a row. */
static void build_gemm_rows(Bench *b)
{
    int64_t x[2] = {3, 4}, w[2] = {4, 6}, c[2] = {3, 1};
    Value *inputs[3] = {bench_input(b, 2, x), bench_constant(b, 2, w),
                        bench_constant(b, 2, c)};
    bench_output(b, bench_batchnorm(b, bench_node(b, OP_Gemm, inputs, 3), 6));
}

static void build_left_constant(Bench *b)
{
    int64_t x[2] = {4, 6}, w[2] = {3, 4};
    Value *y = bench_binary(b, OP_MatMul, bench_constant(b, 2, w),
                            bench_input(b, 2, x));
    bench_output(b, bench_batchnorm(b, y, 6));
}

/* A constant in front of the image would raise the rank. */
static void build_raised_rank(Bench *b)
{
    int64_t dims[5] = {1, 1, 2, 1, 1};
    Value *y = bench_conv(b, bench_image(b, 2, 5), SAME(3));
    bench_output(b, bench_binary(b, OP_Mul, y, bench_constant(b, 5, dims)));
}

/* ---- Neighbours ---- */

/* Opaque, but where it is one of ONNX's own, of the graph's opset. */
static Value *opaque(Bench *b, const char *domain, const char *type,
                     Value *const *inputs, int count)
{
    Value *y = graph_fresh_value(b->graph, "opaque");
    Op op = is_onnx_domain(domain) ? op_find(type) : OP_OTHER;
    if (!op_exists(op, graph_opset(b->graph)))
        op = OP_OTHER;
    Node *node = node_new(b->graph, op, "opaque", inputs, count, &y, 1);
    node->op_type = type;
    node->domain = domain;
    graph_add_node(b->graph, node);
    return y;
}

static Value *quantizer(Bench *b, const char *type, Value *x)
{
    double step[1] = {0.5};
    Value *inputs[2] = {x, bench_numbers(b, 0, NULL, step)};
    return opaque(b, "", type, inputs, 2);
}

static void build_quantized(Bench *b)
{
    Value *y = bench_conv(b, bench_image(b, 2, 5), SAME(3));
    y = quantizer(b, "QuantizeLinear", y);
    bench_output(b, bench_batchnorm(b, quantizer(b, "DequantizeLinear", y), 2));
}

static void build_quantized_reader(Bench *b)
{
    Value *x = bench_unary(b, OP_Relu, bench_image(b, 2, 5));
    bench_output(b, quantizer(b, "QuantizeLinear", bench_batchnorm(b, x, 2)));
}

static void build_quantized_at_run_time(Bench *b)
{
    Value *x = bench_unary(b, OP_Relu, bench_image(b, 2, 5));
    x = bench_batchnorm(b, x, 2);
    bench_output(b, opaque(b, "", "DynamicQuantizeLinear", &x, 1));
}

/* Its numbers are constants, and known. They stay eight bits each. */
static void build_quantized_weight(Bench *b)
{
    int64_t dims[4] = {2, 2, 1, 1};
    void *data;
    Tensor *tensor = tensor_alloc(b->arena, DT_INT8, 4, dims, &data);
    Value *weight = graph_add_initializer(b->graph, "w", tensor);
    weight = quantizer(b, "DequantizeLinear", weight);
    Value *y = bench_binary(b, OP_Conv, bench_image(b, 2, 5), weight);
    bench_output(b, bench_batchnorm(b, y, 2));
}

static void build_quantized_bias(Bench *b)
{
    int64_t count = 2;
    void *data;
    Tensor *tensor = tensor_alloc(b->arena, DT_INT32, 1, &count, &data);
    Value *inputs[3] = {bench_image(b, 2, 5),
                        bench_constant(b, 4, (int64_t[]){2, 2, 1, 1}),
                        graph_add_initializer(b->graph, "b", tensor)};
    inputs[2] = quantizer(b, "DequantizeLinear", inputs[2]);
    bench_output(b, bench_batchnorm(b, bench_node(b, OP_Conv, inputs, 3), 2));
}

/* As it is trained: the weight is a float32 that is quantized and back. */
static void build_fake_quantized_weight(Bench *b)
{
    Value *weight = bench_constant(b, 4, (int64_t[]){2, 2, 1, 1});
    weight = quantizer(b, "QuantizeLinear", weight);
    weight = quantizer(b, "DequantizeLinear", weight);
    Value *y = bench_binary(b, OP_Conv, bench_image(b, 2, 5), weight);
    bench_output(b, bench_batchnorm(b, y, 2));
}

/* What lies outside the image is another number. */
static void build_extrapolated(Bench *b)
{
    double ones[4] = {1, 1, 1, 1}, roi[8] = {0, 0, 0, 0, 1, 1, 2, 2};
    int64_t four[1] = {4}, eight[1] = {8};
    Value *x = bench_unary(b, OP_Relu, bench_image(b, 2, 5));
    Value *inputs[3] = {bench_batchnorm(b, x, 2),
                        bench_numbers(b, 1, eight, roi),
                        bench_numbers(b, 1, four, ones)};
    Value *y = graph_fresh_value(b->graph, "resized");
    Node *node = node_new(b->graph, OP_Resize, "resize", inputs, 3, &y, 1);
    node_set_string(node, "coordinate_transformation_mode",
                    "tf_crop_and_resize");
    bench_add(b, node);
    y->fact = x->fact;
    bench_output(b, bench_conv(b, y, (ConvShape){.out = 3}));
}

static void build_foreign(Bench *b)
{
    build_conv_bn(b);
    Node *bn = b->graph->nodes[1];
    Node *other =
        node_new(b->graph, OP_OTHER, bn->name, bn->inputs, 5, bn->outputs, 1);
    other->op_type = "BatchNormalization";
    other->domain = "com.example";
    graph_replace_node(b->graph, bn, &other, 1);
}

/* Opset 17 has no Gelu yet. */
static void build_later_operator(Bench *b)
{
    Value *y = bench_conv(b, bench_image(b, 2, 5), SAME(3));
    y = opaque(b, "", "Gelu", &y, 1);
    bench_output(b, bench_batchnorm(b, y, 4));
}

static void build_unknown_shape(Bench *b)
{
    int64_t dims[2] = {5, 2};
    Value *x = bench_image(b, 2, 5);
    x = opaque(b, "com.example", "Mystery", &x, 1);
    Value *y = bench_binary(b, OP_MatMul, x, bench_constant(b, 2, dims));
    bench_output(b, bench_batchnorm(b, y, 2));
}

/* The lines of the catalogue's list of what must be refused, in its order, and
 * some that belong to other rules. */
static const struct Row {
    Build *build;
    const char *reason, *op, *fact; /* of one refusal; a part of the fact */
} rows[] = {
    {build_pad_shift, "pad-shift", "BatchNormalization", "pads 1,1,1,1 and"},
    {build_shift_transposed, "pad-shift", "BatchNormalization",
     "transposed convolution and shift up to"},
    {build_pool_exclude, "exclude-pad", "AveragePool", ""},
    {build_ceil, "ceil-overhang", "AveragePool", ""},
    {build_same_symbolic, "same-pad-symbolic", "Conv", "beside conv0"},
    {build_slack_differs, "slack-differs", "Conv", "beside conv0"},
    {build_wrong_axis, "wrong-axis", "Mul", ""},
    {build_training, "training-mode", "BatchNormalization", ""},
    {build_side_outputs, "bn-side-output", "BatchNormalization", ""},
    {build_dynamic_weight, "dynamic-weight", "BatchNormalization", ""},
    {build_overridable, "overridable-initializer", "BatchNormalization", ""},
    {build_graph_output, "graph-output", "BatchNormalization", ""},
    {build_multi_use, "multi-use", "BatchNormalization", ""},
    {build_captured, "subgraph-capture", "BatchNormalization", ""},
    {build_quantized, "quantized", "BatchNormalization", ""},
    {build_quantized_reader, "quantized", "BatchNormalization", ""},
    {build_quantized_at_run_time, "quantized", "BatchNormalization", ""},
    {build_quantized_weight, "quantized", "BatchNormalization", ""},
    {build_quantized_bias, "quantized", "BatchNormalization", ""},
    {build_fake_quantized_weight, "quantized", "BatchNormalization", ""},
    {build_reflect, "pad-mode", "Pad", ""},
    {build_nonlinear, "nonlinear", "BatchNormalization", ""},
    {build_nonlinear_branch, "nonlinear", "Mul", ""},
    {build_extrapolated, "nonlinear", "BatchNormalization", ""},
    {build_different_inputs, "different-input", "Conv",
     "reads y, and conv2 reads x"},
    {build_stride_differs, "stride", "Conv", "beside conv"},
    {build_strided_identity, "stride", "Add", "beside conv0"},
    {build_identity_channels, "channels", "Add", "beside conv0"},
    {build_groups, "groups", "Conv", "MACs 30 to 36"},
    {build_bad_variance, "bad-variance", "BatchNormalization",
     "variance -1 in channel 3"},
    {build_infinite_variance, "bad-variance", "BatchNormalization",
     "variance inf in channel 2"},
    {build_nan, "not-finite", "BatchNormalization", ""},
    {build_infinite_mean, "not-finite", "BatchNormalization", ""},
    {build_zero_divisor, "not-finite", "Div", ""},
    {build_half_overflow, "f16-overflow", "BatchNormalization",
     "a folded number is "},
    {build_half_vanishing, "f16-underflow", "BatchNormalization",
     "the largest weight of channel 0 is "},
    {build_gemm_rows, "broadcast", "BatchNormalization", ""},
    {build_left_constant, "wrong-axis", "BatchNormalization",
     "the constant is on the left"},
    {build_foreign, "foreign-domain", "BatchNormalization", "com.example"},
    {build_costly, "cost", "Conv", "MACs 136 to 576, beside conv"},
    {build_costly_identity, "cost", "Add", "MACs 36 to 81, beside conv1"},
    {build_branch_channels, "broadcast", "Conv", "beside conv1"},
    {build_broadcast_sizes, "slack-differs", "Conv", "beside conv0"},
    {build_broadcast, "broadcast", "Mul", ""},
    {build_several_axes, "wrong-axis", "Mul", "several axes"},
    {build_raised_rank, "broadcast", "Mul", ""},
    {build_unknown_shape, "shape-unknown", "BatchNormalization", ""},
    {build_gelu, "island", "Mul", ""},
};

static void check_given(const rp_model *model, const struct Row *row)
{
    size_t count;
    const rp_refusal *refusals = rp_refusals(model, &count);
    const char *given = "";
    for (size_t i = 0; i < count; i++) {
        const rp_refusal *one = &refusals[i];
        if (strcmp(one->reason, row->reason) == 0 &&
            strcmp(one->op, row->op) == 0 && strstr(one->fact, row->fact))
            return;
        given = arena_printf(arena, "%s; %s %s: %s", given, one->op,
                             one->reason, one->fact);
    }
    ck_abort_msg("no %s is refused as %s \"%s\"%s", row->op, row->reason,
                 row->fact, given);
}

START_TEST(the_bytes_stay_and_the_reason_is_given)
{
    const struct Row *row = &rows[_i];
    Span bytes = model_bytes(build_model(arena, row->build, false));
    rp_error error = {0};
    rp_model *model =
        rp_open_memory(bytes.bytes, bytes.size, "test.onnx", NULL, &error);
    ck_assert_msg(model != NULL, "%s", error.message);
    ck_assert_msg(rp_fold(model, NULL, &error) == 0, "%s", error.message);
    size_t folds;
    rp_folds(model, &folds);
    ck_assert_uint_eq(folds, 0);
    Span written = {NULL, 0};
    const void *data;
    ck_assert_int_eq(rp_save_memory(model, &data, &written.size, &error), 0);
    written.bytes = data;
    check_same_bytes(bytes, written);
    check_given(model, row);
    rp_close(model);
}
END_TEST

START_TEST(an_operator_of_another_opset_is_not_foreign)
{
    Span bytes = model_bytes(build_model(arena, build_later_operator, false));
    rp_error error = {0};
    rp_model *model =
        rp_open_memory(bytes.bytes, bytes.size, "test.onnx", NULL, &error);
    ck_assert_msg(model != NULL, "%s", error.message);
    ck_assert_msg(rp_fold(model, NULL, &error) == 0, "%s", error.message);
    size_t count;
    const rp_refusal *refusals = rp_refusals(model, &count);
    ck_assert_uint_eq(count, 1);
    ck_assert_str_eq(refusals[0].op, "BatchNormalization");
    rp_close(model);
}
END_TEST

Suite *suite_refusal(void)
{
    Suite *suite = suite_create("refusal");
    TCase *tcase = tcase_create("refusal");
    tcase_add_checked_fixture(tcase, models_setup, models_teardown);
    tcase_add_loop_test(tcase, the_bytes_stay_and_the_reason_is_given, 0,
                        (int)(sizeof rows / sizeof *rows));
    tcase_add_test(tcase, an_operator_of_another_opset_is_not_foreign);
    suite_add_tcase(suite, tcase);
    return suite;
}
