/* Sums of values that have not one shape. */
#include "blocks.h"
#include "suites.h"

/* ---- Of another rank ---- */

/* (4, 5) is added to each image of (4, 4, 5): its channels are along the rows
 * there, and the sum's channels are as many. */
static Value *sum_of_ranks(Bench *b)
{
    Value *line = bench_input(b, 3, (int64_t[]){1, 3, 5});
    Value *image = bench_input(b, 4, (int64_t[]){1, 3, 4, 5});
    line = bench_conv(b, line, (ConvShape){.out = 4, .kernel = 1});
    image = bench_conv(b, image, (ConvShape){.out = 4, .kernel = 1});
    return bench_binary(b, OP_Add, line, image);
}

static void build_scaled(Bench *b)
{
    Value *sum = sum_of_ranks(b);
    bench_output(b, bench_binary(b, OP_Mul, sum, bench_channel_scale(b, 4)));
}

static void build_normalized(Bench *b)
{
    bench_output(b, bench_batchnorm(b, sum_of_ranks(b), 4));
}

static void build_shifted(Bench *b)
{
    Value *line = bench_input(b, 3, (int64_t[]){1, 3, 5});
    Value *image = bench_input(b, 4, (int64_t[]){1, 4, 4, 5});
    line = bench_conv(b, line, (ConvShape){.out = 4, .kernel = 1});
    Value *sum = bench_binary(b, OP_Add, line, bench_unary(b, OP_Relu, image));
    bench_output(b, bench_binary(b, OP_Add, sum, bench_channel_scale(b, 4)));
}

START_TEST(channels_of_another_rank_lie_elsewhere)
{
    check_refuses(build_scaled, "wrong-axis");
    check_refuses(build_normalized, "wrong-axis");
    check_refuses(build_shifted, "wrong-axis");
}
END_TEST

/* ---- Of another size ---- */

static void build_sizes(Bench *b)
{
    Value *one = bench_input(b, 4, (int64_t[]){1, 3, 1, 1});
    Value *all = bench_input(b, 4, (int64_t[]){2, 3, 4, 5});
    Value *sum = bench_conv(b, one, (ConvShape){.out = 4, .kernel = 1});
    Value *image = bench_conv(b, all, (ConvShape){.out = 4, .kernel = 1});
    sum = bench_binary(b, OP_Add, sum, image);
    image = bench_conv(b, one, (ConvShape){.out = 4, .kernel = 1});
    sum = bench_binary(b, OP_Add, sum, image);
    bench_output(b, bench_batchnorm(b, sum, 4));
}

START_TEST(channels_of_another_size_do_not)
{
    check_folds(build_sizes, 2, 1);
}
END_TEST

/* ---- By an attribute, up to opset 6 ---- */

static void build_attribute(Bench *b)
{
    b->model->opset = b->graph->opset = 6;
    Value *x = bench_image(b, 3, 5);
    Value *inputs[2] = {
        bench_conv(b, x, (ConvShape){.out = 4, .kernel = 1}),
        bench_unary(b, OP_Relu, bench_input(b, 1, (int64_t[]){4}))};
    Value *y = graph_fresh_value(b->graph, "sum");
    Node *node = node_new(b->graph, OP_Add, "sum", inputs, 2, &y, 1);
    node_set_int(node, "broadcast", 1);
    node_set_int(node, "axis", 1);
    bench_add(b, node);
    Value *other = bench_conv(b, x, (ConvShape){.out = 4, .kernel = 1});
    bench_output(b, bench_binary(b, OP_Add, y, other));
}

static void build_heads(Bench *b)
{
    b->model->opset = b->graph->opset = 6;
    Value *x = bench_input(b, 2, (int64_t[]){1, 3}), *heads[2];
    for (int i = 0; i < 2; i++) {
        Value *inputs[3] = {x, bench_constant(b, 2, (int64_t[]){3, 4}),
                            i ? bench_constant(b, 1, (int64_t[]){4})
                              : bench_constant(b, 2, (int64_t[]){1, 4})};
        Value *y = graph_fresh_value(b->graph, "head");
        Node *node = node_new(b->graph, OP_Gemm, "head", inputs, 3, &y, 1);
        node_set_int(node, "broadcast", i);
        bench_add(b, node);
        heads[i] = y;
    }
    bench_output(b, bench_binary(b, OP_Add, heads[0], heads[1]));
}

START_TEST(an_attribute_says_what_is_broadcast)
{
    Folded folded = fold_model(build_attribute, NULL);
    ck_assert_uint_eq(folded.report.fold_count, 0);
    folded_free(&folded);
    folded = fold_model(build_heads, NULL);
    const Node *gemm = only_node(&folded, OP_Gemm);
    ck_assert_int_eq(gemm->inputs[2]->tensor->rank, 1);
    ck_assert_int_eq(node_int(gemm, "broadcast", 0), 1);
    folded_free(&folded);
}
END_TEST

Suite *suite_rule_broadcast(void)
{
    Suite *suite = suite_create("rule_broadcast");
    TCase *tcase = tcase_create("rule_broadcast");
    tcase_add_test(tcase, channels_of_another_rank_lie_elsewhere);
    tcase_add_test(tcase, channels_of_another_size_do_not);
    tcase_add_test(tcase, an_attribute_says_what_is_broadcast);
    suite_add_tcase(suite, tcase);
    return suite;
}
