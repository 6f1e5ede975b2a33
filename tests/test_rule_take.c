/* Maps of some of the channels, or of channels in other places, go back into
 * what gives them (C14): Split, Slice, Gather, and ShuffleNet's shuffle. */
#include <string.h>

#include "blocks.h"
#include "composing.h"
#include "suites.h"

static Value *features(Bench *b)
{
    ConvShape shape = {.out = 6, .kernel = 3, .bias = true};
    return bench_conv(b, bench_image(b, 4, 6), shape);
}

/* The parts of a Split into `first` and the others. */
static void split(Bench *b, Value *x, int64_t axis, int64_t first,
                  Value *outputs[2])
{
    int64_t whole = x->fact.dims[axis];
    Value *inputs[2] = {x, bench_ints(b, 2, (int64_t[]){first, whole - first})};
    for (int i = 0; i < 2; i++)
        outputs[i] = graph_fresh_value(b->graph, "part");
    Node *node = node_new(b->graph, OP_Split, "split", inputs, 2, outputs, 2);
    node_set_int(node, "axis", axis);
    bench_add(b, node);
}

static void from_the_end(Node *node)
{
    int rank = node->outputs[0]->fact.rank;
    node_set_int(node, "axis", node_int(node, "axis", 0) - rank);
}

/* A scale of channels, along that axis. */
static Value *scaled(Bench *b, Value *x, int axis)
{
    int64_t dims[4] = {1, 1, 1, 1};
    dims[axis] = x->fact.dims[axis];
    return bench_binary(b, OP_Mul, x, bench_constant(b, 4, dims));
}

static void relu_output(Bench *b, Value *x)
{
    bench_output(b, bench_unary(b, OP_Relu, x));
}

/* ---- Split ---- */

static void build_both_parts(Bench *b)
{
    Value *parts[2];
    split(b, features(b), 1, 2, parts);
    relu_output(b, bench_batchnorm(b, parts[0], 2));
    relu_output(b, bench_batchnorm(b, parts[1], 4));
}

static void build_second_part(Bench *b)
{
    Value *parts[2];
    split(b, features(b), 1, 2, parts);
    bench_output(b, parts[0]);
    relu_output(b,
                bench_binary(b, OP_Mul, parts[1], bench_constant(b, 0, NULL)));
}

static void build_second_part_from_the_end(Bench *b)
{
    Value *parts[2];
    split(b, features(b), 1, 2, parts);
    from_the_end(parts[0]->producer);
    relu_output(b, parts[0]);
    relu_output(b, bench_batchnorm(b, parts[1], 4));
}

/* Of a projection: q, and k with v, behind a Reshape. */
static void build_projection(Bench *b)
{
    Value *parts[2], *x = bench_input(b, 3, (int64_t[]){1, 5, 3});
    x = bench_binary(b, OP_MatMul, x, bench_constant(b, 2, (int64_t[]){3, 9}));
    Value *inputs[2] = {x, bench_ints(b, 2, (int64_t[]){5, 9})};
    split(b, bench_node(b, OP_Reshape, inputs, 2), 1, 3, parts);
    for (int i = 0; i < 2; i++)
        relu_output(
            b, bench_binary(b, OP_Mul, parts[i],
                            bench_constant(b, 1, &parts[i]->fact.dims[1])));
}

START_TEST(parts_of_a_split_are_scaled_before_it)
{
    check_folds(build_both_parts, 1, 3);
    check_folds(build_second_part, 1, 2);
    check_folds(build_second_part_from_the_end, 1, 3);
    check_folds(build_projection, 0, 5);
    Folded folded = fold_model(build_both_parts, NULL);
    ck_assert_uint_eq(folded.report.fold_count, 2);
    ck_assert_str_eq(folded.report.folds[1].rules, "C14");
    folded_free(&folded);
}
END_TEST

/* ---- Slice and Gather ---- */

static void build_slice(Bench *b)
{
    const int64_t start = 4, end = 1, axis = 1, step = -1;
    Value *inputs[5] = {features(b), bench_ints(b, 1, &start),
                        bench_ints(b, 1, &end), bench_ints(b, 1, &axis),
                        bench_ints(b, 1, &step)};
    relu_output(b, bench_batchnorm(b, bench_node(b, OP_Slice, inputs, 5), 3));
}

static Value *gathered(Bench *b, Value *x, const int64_t *list)
{
    Value *inputs[2] = {x, bench_ints(b, 4, list)};
    Value *y = graph_fresh_value(b->graph, "gathered");
    Node *node = node_new(b->graph, OP_Gather, "gather", inputs, 2, &y, 1);
    node_set_int(node, "axis", 1);
    bench_add(b, node);
    return y;
}

static void build_gather(Bench *b)
{
    const int64_t list[4] = {3, 0, -1, 1};
    relu_output(b, bench_batchnorm(b, gathered(b, features(b), list), 4));
}

static void build_gather_from_the_end(Bench *b)
{
    const int64_t list[4] = {3, 0, -1, 1};
    Value *x = gathered(b, features(b), list);
    from_the_end(x->producer);
    relu_output(b, bench_batchnorm(b, x, 4));
}

/* A channel twice, by the same number. */
static void build_gather_alike(Bench *b)
{
    const int64_t list[4] = {3, 0, 3, 1}, dims[3] = {4, 1, 1};
    const double scale[4] = {2, 3, 2, 5};
    relu_output(b, bench_binary(b, OP_Mul, gathered(b, features(b), list),
                                bench_numbers(b, 3, dims, scale)));
}

START_TEST(channels_that_are_taken_are_scaled_before)
{
    check_folds(build_slice, 1, 2);
    check_folds(build_gather, 1, 2);
    check_folds(build_gather_from_the_end, 1, 2);
    check_folds(build_gather_alike, 1, 2);
}
END_TEST

/* ---- Channel shuffle ---- */

static Value *reshaped(Bench *b, Value *x, int rank, const int64_t *dims)
{
    Value *inputs[2] = {x, bench_ints(b, rank, dims)};
    return bench_node(b, OP_Reshape, inputs, 2);
}

static Value *shuffled(Bench *b, Value *x)
{
    const int64_t apart[5] = {1, 3, 2, 4, 4}, joined[4] = {1, 6, 4, 4};
    const int64_t order[5] = {0, 2, 1, 3, 4};
    Value *groups = reshaped(b, x, 5, apart);
    Value *y = graph_fresh_value(b->graph, "turned");
    Node *node = node_new(b->graph, OP_Transpose, "turn", &groups, 1, &y, 1);
    node_set_ints(node, "perm", order, 5);
    bench_add(b, node);
    return reshaped(b, y, 4, joined);
}

static void build_shuffle(Bench *b)
{
    relu_output(b, bench_batchnorm(b, shuffled(b, features(b)), 6));
}

static void build_shuffle_forward(Bench *b)
{
    Value *x = bench_unary(b, OP_Relu, bench_image(b, 6, 4));
    x = shuffled(b, bench_batchnorm(b, x, 6));
    relu_output(b, bench_conv(b, x, (ConvShape){.out = 4}));
}

static void build_shuffle_split(Bench *b)
{
    Value *parts[2];
    split(b, shuffled(b, features(b)), 1, 3, parts);
    relu_output(b, bench_batchnorm(b, parts[0], 3));
    relu_output(b, parts[1]);
}

START_TEST(shuffled_channels_are_scaled_before_and_after)
{
    check_folds(build_shuffle, 1, 4);
    check_folds(build_shuffle_forward, 1, 5);
    check_folds(build_shuffle_split, 1, 6);
}
END_TEST

/* ---- What stays ---- */

static void build_gather_twice(Bench *b)
{
    const int64_t list[4] = {3, 0, 3, 1};
    relu_output(b, bench_batchnorm(b, gathered(b, features(b), list), 4));
}

/* Rows: the other part has the same channels. */
static void build_split_rows(Bench *b)
{
    Value *parts[2];
    split(b, features(b), 2, 1, parts);
    relu_output(b, scaled(b, parts[0], 1));
    relu_output(b, parts[1]);
}

static void build_split_rows_from_the_end(Bench *b)
{
    Value *parts[2];
    split(b, features(b), 2, 1, parts);
    from_the_end(parts[0]->producer);
    relu_output(b, scaled(b, parts[0], 1));
    relu_output(b, parts[1]);
}

static void build_other_reader(Bench *b)
{
    Value *parts[2], *x = features(b);
    split(b, x, 1, 2, parts);
    relu_output(b, scaled(b, parts[0], 1));
    relu_output(b, parts[1]);
    relu_output(b, x);
}

static void build_part_read_twice(Bench *b)
{
    Value *parts[2];
    split(b, features(b), 1, 2, parts);
    relu_output(b, scaled(b, parts[0], 1));
    relu_output(b, parts[0]);
    relu_output(b, parts[1]);
}

static void build_part_along_rows(Bench *b)
{
    Value *parts[2];
    split(b, features(b), 1, 2, parts);
    relu_output(b, scaled(b, parts[0], 2));
    relu_output(b, parts[1]);
}

static void build_part_of_relu(Bench *b)
{
    Value *parts[2];
    split(b, bench_unary(b, OP_Relu, features(b)), 1, 2, parts);
    relu_output(b, scaled(b, parts[0], 1));
    relu_output(b, parts[1]);
}

START_TEST(what_others_would_notice_stays)
{
    check_refuses(build_gather_twice, "multi-use");
    check_refuses(build_split_rows, "multi-use");
    check_refuses(build_split_rows_from_the_end, "multi-use");
    check_refuses(build_other_reader, "multi-use");
    check_refuses(build_part_read_twice, "multi-use");
    check_refuses(build_part_along_rows, "wrong-axis");
    check_refuses(build_part_of_relu, "nonlinear");
}
END_TEST

Suite *suite_rule_take(void)
{
    Suite *suite = suite_create("rule_take");
    TCase *tcase = tcase_create("rule_take");
    tcase_add_test(tcase, parts_of_a_split_are_scaled_before_it);
    tcase_add_test(tcase, channels_that_are_taken_are_scaled_before);
    tcase_add_test(tcase, shuffled_channels_are_scaled_before_and_after);
    tcase_add_test(tcase, what_others_would_notice_stays);
    suite_add_tcase(suite, tcase);
    return suite;
}
