/* Branches on every kind of lattice: C4, C5, C6, C8, C15 beyond the blocks that
 * networks have. */
#include <string.h>

#include "blocks.h"
#include "suites.h"

/* A convolution over two axes, each with its own numbers; 0 is the default. */
typedef struct Window {
    Op op;
    int64_t out, group, kernel[2], pads[4], stride[2], dilation[2], extra[2];
    const char *auto_pad;
    bool bias;
} Window;

static Value *window(Bench *b, Value *x, Window w)
{
    int64_t channels = x->fact.dims[1], group = w.group ? w.group : 1;
    int64_t out = w.out ? w.out : channels;
    bool transposed = w.op == OP_ConvTranspose;
    int64_t dims[4] = {transposed ? channels : out,
                       (transposed ? out : channels) / group, w.kernel[0],
                       w.kernel[1]};
    Value *inputs[3] = {x, bench_constant(b, 4, dims)};
    if (w.bias)
        inputs[2] = bench_constant(b, 1, &out);
    Value *y = graph_fresh_value(b->graph, "y");
    const char *name = arena_printf(b->arena, "w%zu", b->graph->node_count);
    Node *node = node_new(b->graph, w.op ? w.op : OP_Conv, name, inputs,
                          w.bias ? 3 : 2, &y, 1);
    node_set_int(node, "group", group);
    if (w.auto_pad)
        node_set_string(node, "auto_pad", w.auto_pad);
    else
        node_set_ints(node, "pads", w.pads, 4);
    for (int i = 0; i < 2; i++) {
        w.stride[i] += w.stride[i] == 0;
        w.dilation[i] += w.dilation[i] == 0;
    }
    node_set_ints(node, "strides", w.stride, 2);
    node_set_ints(node, "dilations", w.dilation, 2);
    if (w.extra[0] || w.extra[1])
        node_set_ints(node, "output_padding", w.extra, 2);
    bench_add(b, node);
    return y;
}

/* ---- Pairs that share a lattice ---- */

typedef struct Pair {
    Window first, second;
    int64_t kernel[2], dilation[2]; /* of the sum; dilation 0 is 1 */
} Pair;

static const Pair pairs[] = {
    /* even kernels, padded on one side only */
    {{.kernel = {3, 3}, .pads = {1, 1, 1, 1}},
     {.kernel = {2, 2}, .pads = {0, 0, 1, 1}, .bias = true},
     {3, 3},
     {0, 0}},
    {{.kernel = {4, 4}, .pads = {1, 2, 2, 1}, .bias = true},
     {.kernel = {2, 2}, .pads = {0, 1, 1, 0}},
     {4, 4},
     {0, 0}},
    /* each axis for itself */
    {{.kernel = {5, 3}, .pads = {2, 1, 2, 1}, .stride = {2, 1}},
     {.kernel = {3, 1}, .pads = {1, 0, 1, 0}, .stride = {2, 1}},
     {5, 3},
     {0, 0}},
    /* 1x5 and 1x3 */
    {{.kernel = {1, 5}, .pads = {0, 2, 0, 2}},
     {.kernel = {1, 3}, .pads = {0, 1, 0, 1}},
     {1, 5},
     {0, 0}},
    /* offsets -4, -2, 0, 2, 4 and -4, 0, 4 */
    {{.kernel = {5, 5}, .pads = {4, 4, 4, 4}, .dilation = {2, 2}},
     {.kernel = {3, 3}, .pads = {4, 4, 4, 4}, .dilation = {4, 4}},
     {5, 5},
     {2, 2}},
    /* kernels that lie beside the middle */
    {{.kernel = {3, 3}, .pads = {2, 2, 0, 0}},
     {.kernel = {2, 2}, .pads = {1, 1, 0, 0}},
     {3, 3},
     {0, 0}},
    /* SAME: with stride 2 on an even size the odd pad is at the end */
    {{.kernel = {3, 3}, .stride = {2, 2}, .auto_pad = "SAME_UPPER"},
     {.kernel = {1, 1}, .stride = {2, 2}},
     {3, 3},
     {0, 0}},
    {{.kernel = {3, 3}, .stride = {2, 2}, .auto_pad = "SAME_LOWER"},
     {.kernel = {2, 2}, .stride = {2, 2}, .auto_pad = "VALID"},
     {3, 3},
     {0, 0}},
    {{.kernel = {5, 5}, .auto_pad = "SAME_LOWER"},
     {.kernel = {2, 2}, .auto_pad = "SAME_LOWER"},
     {5, 5},
     {0, 0}},
    /* groups of two channels, and of one */
    {{.kernel = {3, 3}, .pads = {1, 1, 1, 1}, .group = 3},
     {.kernel = {1, 1}, .group = 6},
     {3, 3},
     {0, 0}},
    /* transposed: k4s2p1 and k2s2p0; the odd row from output_padding, and from
     * the kernel; groups; offsets on a lattice of 2 */
    {{.op = OP_ConvTranspose,
      .kernel = {4, 4},
      .pads = {1, 1, 1, 1},
      .stride = {2, 2}},
     {.op = OP_ConvTranspose, .kernel = {2, 2}, .stride = {2, 2}},
     {4, 4},
     {0, 0}},
    {{.op = OP_ConvTranspose,
      .kernel = {3, 3},
      .pads = {1, 1, 1, 1},
      .stride = {2, 2},
      .extra = {1, 1}},
     {.op = OP_ConvTranspose, .kernel = {2, 2}, .stride = {2, 2}, .bias = true},
     {3, 3},
     {0, 0}},
    {{.op = OP_ConvTranspose,
      .kernel = {3, 3},
      .pads = {1, 1, 1, 1},
      .stride = {2, 2},
      .extra = {1, 1},
      .group = 2},
     {.op = OP_ConvTranspose,
      .kernel = {3, 3},
      .pads = {1, 1, 1, 1},
      .stride = {2, 2},
      .extra = {1, 1},
      .group = 6},
     {3, 3},
     {0, 0}},
    {{.op = OP_ConvTranspose,
      .kernel = {3, 3},
      .pads = {2, 2, 2, 2},
      .dilation = {2, 2}},
     {.op = OP_ConvTranspose, .kernel = {1, 1}},
     {3, 3},
     {2, 2}},
};

static const Pair *pair;

static void build_pair(Bench *b)
{
    Value *x = bench_image(b, 6, 10), *first = window(b, x, pair->first);
    bench_output(b, bench_binary(b, OP_Add, first, window(b, x, pair->second)));
}

START_TEST(taps_meet_on_the_lattice)
{
    pair = &pairs[_i];
    const int64_t *kernel, *dilation;
    Op op = pair->first.op ? pair->first.op : OP_Conv;
    check_folds(build_pair, op == OP_Conv, op != OP_Conv);
    Folded folded = fold_model(build_pair, NULL);
    const Node *node = only_node(&folded, op);
    ck_assert_str_eq(folded.report.folds[0].rules, op == OP_Conv ? "C4" : "C8");
    /* Where auto_pad skips pixels, for the image's size alone. */
    ck_assert_int_eq(folded.report.folds[0].static_size,
                     pair->first.auto_pad && pair->first.stride[0] > 1);
    ck_assert_int_eq(node_ints(node, "kernel_shape", &kernel), 2);
    ck_assert_int_eq(node_ints(node, "dilations", &dilation), 2);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(kernel[i], pair->kernel[i]);
        ck_assert_int_eq(dilation[i],
                         pair->dilation[i] ? pair->dilation[i] : 1);
    }
    folded_free(&folded);
}
END_TEST

/* ---- Pools with ceil_mode ---- */

static void build_ceil(Bench *b, Value *x, int64_t stride)
{
    int64_t size[2] = {2, 2}, strides[2] = {stride, stride};
    Window w = {.kernel = {2, 2}, .stride = {stride, stride}};
    Value *conv = window(b, x, w), *y = graph_fresh_value(b->graph, "pool");
    Node *node = node_new(b->graph, OP_AveragePool, "pool", &x, 1, &y, 1);
    node_set_ints(node, "kernel_shape", size, 2);
    node_set_ints(node, "strides", strides, 2);
    node_set_int(node, "ceil_mode", 1);
    bench_add(b, node);
    bench_output(b, bench_binary(b, OP_Add, conv, y));
}

/* The windows end with the image, as they do for even sizes. */
static void build_ceil_that_fits(Bench *b)
{
    build_ceil(b, bench_image(b, 4, 8), 2);
}

static void build_ceil_of_every_pixel(Bench *b)
{
    build_ceil(b, bench_input(b, 4, (int64_t[]){1, 4, -1, -1}), 1);
}

static void build_ceil_of_any_size(Bench *b)
{
    build_ceil(b, bench_input(b, 4, (int64_t[]){1, 4, -1, -1}), 2);
}

START_TEST(ceil_mode_may_leave_nothing_over)
{
    check_folds(build_ceil_that_fits, 1, 0);
    check_folds(build_ceil_of_every_pixel, 1, 0);
    check_refuses(build_ceil_of_any_size, "ceil-overhang");
    Folded folded = fold_model(build_ceil_that_fits, NULL);
    ck_assert_int_eq(folded.report.folds[0].static_size, 1);
    folded_free(&folded);
    folded = fold_model(build_ceil_of_every_pixel, NULL);
    ck_assert_int_eq(folded.report.folds[0].static_size, 0);
    folded_free(&folded);
}
END_TEST

/* ---- Pads that follow from a size that is not known ---- */

static Value *symbolic_image(Bench *b)
{
    int64_t dims[4] = {1, 4, -1, -1};
    return bench_input(b, 4, dims);
}

static void build_same_bn(Bench *b)
{
    Window w = {.kernel = {3, 3}, .stride = {2, 2}, .auto_pad = "SAME_UPPER"};
    Value *x = symbolic_image(b), *y = window(b, x, w);
    Value *sum = bench_binary(b, OP_Add, bench_batchnorm(b, y, 4),
                              bench_batchnorm(b, window(b, x, w), 4));
    bench_output(b, sum);
}

START_TEST(same_pads_stay_same_pads)
{
    check_folds(build_same_bn, 1, 0);
    Folded folded = fold_model(build_same_bn, NULL);
    const Node *conv = only_node(&folded, OP_Conv);
    ck_assert(node_string_is(conv, "auto_pad", "SAME_UPPER"));
    ck_assert_ptr_null(node_attr(conv, "pads"));
    folded_free(&folded);
}
END_TEST

/* Pads of a transposed convolution that follow from its output. */
static void build_transposed_same(Bench *b)
{
    Window w = {.op = OP_ConvTranspose,
                .kernel = {3, 3},
                .stride = {2, 2},
                .auto_pad = "SAME_LOWER"};
    Value *y = window(b, symbolic_image(b), w);
    bench_output(b, bench_batchnorm(b, y, 4));
}

static void build_transposed_sized(Bench *b)
{
    int64_t dims[4] = {4, 4, 3, 3}, size[2] = {10, 11}, two[2] = {2, 2};
    Value *inputs[2] = {bench_image(b, 4, 5), bench_constant(b, 4, dims)};
    Value *y = graph_fresh_value(b->graph, "y");
    Node *node = node_new(b->graph, OP_ConvTranspose, "t", inputs, 2, &y, 1);
    node_set_ints(node, "output_shape", size, 2);
    node_set_ints(node, "strides", two, 2);
    bench_add(b, node);
    bench_output(b, bench_batchnorm(b, y, 4));
}

START_TEST(a_transposed_convolution_keeps_its_output_size)
{
    check_folds(build_transposed_same, 0, 1);
    check_folds(build_transposed_sized, 0, 1);
    Folded folded = fold_model(build_transposed_sized, NULL);
    const int64_t *size;
    const Node *node = only_node(&folded, OP_ConvTranspose);
    ck_assert_int_eq(node_ints(node, "output_shape", &size), 2);
    ck_assert_int_eq(size[1], 11);
    folded_free(&folded);
}
END_TEST

static void build_transposed_identity(Bench *b)
{
    Window w = {.op = OP_ConvTranspose,
                .kernel = {3, 3},
                .group = 2,
                .pads = {1, 1, 1, 1}};
    Value *x = bench_image(b, 4, 6);
    Value *scaled = bench_binary(b, OP_Mul, x, bench_channel_scale(b, 4));
    Value *y = bench_batchnorm(b, window(b, x, w), 4);
    bench_output(b, bench_binary(b, OP_Sub, y, scaled));
}

START_TEST(an_identity_joins_a_transposed_convolution)
{
    check_folds(build_transposed_identity, 0, 1);
    Folded folded = fold_model(build_transposed_identity, NULL);
    ck_assert_str_eq(folded.report.folds[0].rules, "C2,C5,C11");
    folded_free(&folded);
}
END_TEST

/* Zeros around the image: of all axes, or of those that are named. */
static void build_pad_axes(Bench *b)
{
    int64_t pads[4] = {1, 2, 3, 1}, axes[2] = {-1, 2};
    b->model->opset = 18;
    Value *inputs[4] = {bench_image(b, 3, 6), bench_ints(b, 4, pads), NULL,
                        bench_ints(b, 2, axes)};
    Value *y = bench_node(b, OP_Pad, inputs, 4);
    bench_output(b, bench_conv(b, y, (ConvShape){.kernel = 3, .bias = true}));
}

START_TEST(padding_may_name_its_axes)
{
    check_folds(build_pad_axes, 1, 0);
    Folded folded = fold_model(build_pad_axes, NULL);
    static const int64_t expected[4] = {2, 1, 1, 3};
    const int64_t *pads;
    ck_assert_int_eq(node_ints(only_node(&folded, OP_Conv), "pads", &pads), 4);
    ck_assert_mem_eq(pads, expected, sizeof expected);
    folded_free(&folded);
}
END_TEST

/* ---- More than two branches ---- */

/* ACB: 3x3, 1x3 and 3x1, each normalized; then a strided identity, which
 * exporters write as a pool over one element, and averages. */
static void build_acb(Bench *b)
{
    Value *x = bench_image(b, 4, 7);
    Value *parts[3] = {
        window(b, x, (Window){.kernel = {3, 3}, .pads = {1, 1, 1, 1}}),
        window(b, x, (Window){.kernel = {1, 3}, .pads = {0, 1, 0, 1}}),
        window(b, x, (Window){.kernel = {3, 1}, .pads = {1, 0, 1, 0}})};
    for (int i = 0; i < 3; i++)
        parts[i] = bench_batchnorm(b, parts[i], 4);
    bench_output(b, bench_node(b, OP_Sum, parts, 3));
}

static Value *pool(Bench *b, Op op, Value *x, int64_t size, int64_t stride,
                   int64_t pad)
{
    int64_t kernel[2] = {size, size}, strides[2] = {stride, stride};
    int64_t pads[4] = {pad, pad, pad, pad};
    Value *y = graph_fresh_value(b->graph, "pool");
    Node *node = node_new(b->graph, op, "pool", &x, 1, &y, 1);
    node_set_ints(node, "kernel_shape", kernel, 2);
    node_set_ints(node, "strides", strides, 2);
    node_set_ints(node, "pads", pads, 4);
    if (op == OP_AveragePool)
        node_set_int(node, "count_include_pad", 1);
    bench_add(b, node);
    return y;
}

static void build_strided_pools(Bench *b)
{
    Value *x = bench_image(b, 4, 8);
    ConvShape shape = {.kernel = 3, .pad = 1, .stride = 2, .group = 2};
    Value *sum = conv_bn(b, x, shape);
    sum = bench_binary(b, OP_Add, sum, pool(b, OP_MaxPool, x, 1, 2, 0));
    Value *one = pool(b, OP_AveragePool, x, 1, 2, 0);
    one = bench_binary(b, OP_Mul, bench_channel_scale(b, 4), one);
    sum = bench_binary(b, OP_Sub, sum, one);
    Value *average = pool(b, OP_AveragePool, x, 3, 2, 1);
    bench_output(b,
                 bench_binary(b, OP_Add, sum, bench_batchnorm(b, average, 4)));
}

START_TEST(many_branches_become_one_kernel)
{
    check_folds(build_acb, 1, 0);
    Folded folded = fold_model(build_strided_pools, NULL);
    ck_assert_double_lt(folded.difference, 1e-13);
    ck_assert_uint_eq(folded.after->graph->node_count, 1);
    ck_assert_str_eq(folded.report.folds[0].rules, "C1,C6,C11");
    folded_free(&folded);
}
END_TEST

/* The border of a maximum over one element is the least of all numbers. */
static void build_padded_maximum(Bench *b)
{
    Value *x = bench_image(b, 4, 8);
    Value *most = pool(b, OP_MaxPool, x, 1, 1, 1);
    Value *conv = bench_conv(b, x, (ConvShape){.kernel = 3, .pad = 2});
    bench_output(b, bench_binary(b, OP_Add, most, conv));
}

START_TEST(a_padded_maximum_is_no_identity)
{
    Arena *arena = arena_new(0);
    Model *model = build_model(arena, build_padded_maximum, false);
    rp_fold_options options = {0};
    FoldReport report = {0};
    Err err = {0};
    ck_assert_int_eq(model_fold(model, &options, &report, &err), 0);
    ck_assert_uint_eq(report.fold_count, 0);
    arena_free(arena);
}
END_TEST

/* Rows and columns from `from` to `to`. */
static Value *crop(Bench *b, Value *x, int64_t from, int64_t to)
{
    int64_t starts[2] = {from, from}, ends[2] = {to, to}, axes[2] = {2, -1};
    Value *inputs[4] = {x, bench_ints(b, 2, starts), bench_ints(b, 2, ends),
                        bench_ints(b, 2, axes)};
    return bench_node(b, OP_Slice, inputs, 4);
}

/* Without padding the middle of the image is what the middle tap reads. */
static void build_cropped_on(Bench *b, Value *x)
{
    Value *sum = conv_bn(b, x, (ConvShape){.kernel = 5});
    Value *inner = crop(b, x, 1, -1);
    sum = bench_binary(b, OP_Add, sum,
                       conv_bn(b, inner, (ConvShape){.kernel = 3}));
    Value *middle = crop(b, inner, 1, INT64_MAX);
    middle = crop(b, middle, 0, -1);
    middle = bench_binary(b, OP_Mul, middle, bench_channel_scale(b, 4));
    bench_output(b, bench_binary(b, OP_Sub, sum, middle));
}

static void build_cropped(Bench *b)
{
    build_cropped_on(b, bench_image(b, 4, 9));
}

static void build_cropped_symbolic(Bench *b)
{
    build_cropped_on(b, symbolic_image(b));
}

/* Zeros where the whole image has numbers: not the same. */
static void build_cropped_and_padded(Bench *b)
{
    Value *x = bench_image(b, 4, 9);
    Value *sum = bench_conv(b, x, (ConvShape){.kernel = 3});
    Value *other = bench_conv(b, crop(b, x, 1, -1), SAME(3));
    bench_output(b, bench_binary(b, OP_Add, sum, other));
}

START_TEST(a_branch_may_read_a_crop)
{
    check_folds(build_cropped, 1, 0);
    check_folds(build_cropped_symbolic, 1, 0);
    check_refuses(build_cropped_and_padded, "different-input");
}
END_TEST

/* Different slack, but for the one size that is known the same output. */
static void build_sized(Bench *b)
{
    Value *x = bench_image(b, 2, 8);
    Value *large = window(
        b, x,
        (Window){.kernel = {4, 4}, .pads = {1, 1, 1, 1}, .stride = {2, 2}});
    Value *small = window(b, x, (Window){.kernel = {1, 1}, .stride = {2, 2}});
    bench_output(b, bench_binary(b, OP_Add, large, small));
}

START_TEST(a_known_size_may_make_slack_equal)
{
    check_folds(build_sized, 1, 0);
    Folded folded = fold_model(build_sized, NULL);
    ck_assert_int_eq(folded.report.folds[0].static_size, 1);
    folded_free(&folded);
}
END_TEST

/* ---- Nested sums ---- */

/* ((3 * a - k * x) - (-(b) / 4 - (x - c))) * g + d, with scales on either
 * side. */
static void build_nested(Bench *b)
{
    double three[1] = {3}, four[1] = {4};
    Value *x = bench_image(b, 4, 6);
    Value *a = bench_conv(b, x, SAME(3)), *c = bench_conv(b, x, DW(4, 3));
    Value *left = bench_binary(b, OP_Mul, bench_numbers(b, 0, NULL, three), a);
    Value *scaled = bench_binary(b, OP_Mul, bench_channel_scale(b, 4), x);
    left = bench_binary(b, OP_Sub, left, scaled);
    Value *right = bench_unary(b, OP_Neg, bench_conv(b, x, SAME(1)));
    right = bench_binary(b, OP_Div, right, bench_numbers(b, 0, NULL, four));
    right = bench_binary(b, OP_Sub, right, bench_binary(b, OP_Sub, x, c));
    Value *y = bench_binary(b, OP_Sub, left, right);
    y = bench_binary(b, OP_Mul, y, bench_channel_scale(b, 4));
    bench_output(b, bench_binary(b, OP_Add, bench_channel_scale(b, 4), y));
}

static void build_four_with_one_apart(Bench *b)
{
    Value *x = bench_image(b, 4, 6);
    Value *far = bench_conv(
        b, x, (ConvShape){.kernel = 3, .pad = 6, .dilation = 6, .group = 4});
    Value *branches[4] = {conv_bn(b, x, DW(4, 3)), far,
                          bench_batchnorm(b, x, 4), conv_bn(b, x, DW(4, 1))};
    bench_output(b, bench_node(b, OP_Sum, branches, 4));
}

START_TEST(nested_sums_are_flattened)
{
    check_folds(build_nested, 1, 0);
    Folded folded = fold_model(build_nested, NULL);
    ck_assert_uint_eq(folded.report.fold_count, 1);
    folded_free(&folded);
}
END_TEST

/* 3 taps beside 3 that lie 6 apart: the union has 13. */
START_TEST(three_of_four_merge_and_the_fourth_says_why)
{
    check_folds(build_four_with_one_apart, 2, 1);
    Folded folded = fold_model(build_four_with_one_apart, NULL);
    ck_assert_uint_eq(folded.report.refusal_count, 1);
    const rp_refusal *refusal = &folded.report.refusals[0];
    ck_assert_str_eq(refusal->reason, "cost");
    ck_assert_str_eq(refusal->op, "Conv");
    ck_assert(strncmp(refusal->fact, "MACs 72 to 676", 14) == 0);
    folded_free(&folded);
}
END_TEST

Suite *suite_rule_branch(void)
{
    Suite *suite = suite_create("rule_branch");
    TCase *tcase = tcase_create("rule_branch");
    tcase_add_loop_test(tcase, taps_meet_on_the_lattice, 0,
                        (int)(sizeof pairs / sizeof *pairs));
    tcase_add_test(tcase, ceil_mode_may_leave_nothing_over);
    tcase_add_test(tcase, same_pads_stay_same_pads);
    tcase_add_test(tcase, a_transposed_convolution_keeps_its_output_size);
    tcase_add_test(tcase, an_identity_joins_a_transposed_convolution);
    tcase_add_test(tcase, padding_may_name_its_axes);
    tcase_add_test(tcase, many_branches_become_one_kernel);
    tcase_add_test(tcase, a_padded_maximum_is_no_identity);
    tcase_add_test(tcase, a_branch_may_read_a_crop);
    tcase_add_test(tcase, a_known_size_may_make_slack_equal);
    tcase_add_test(tcase, nested_sums_are_flattened);
    tcase_add_test(tcase, three_of_four_merge_and_the_fourth_says_why);
    suite_add_tcase(suite, tcase);
    return suite;
}
