/*
 * Constants that nodes compute: in double here, in float32 by a runtime. Where
 * they become whole numbers the two may be another one, and nothing is known.
 */
#include "blocks.h"
#include "judging.h"
#include "net.h"
#include "suites.h"

/* ten * factor, rounded down, less `from`, as an integer. */
static Value *whole(Bench *b, double factor, double from)
{
    int64_t one[1] = {1};
    double ten = 10;
    Value *x = bench_binary(b, OP_Mul, bench_numbers(b, 1, one, &ten),
                            bench_numbers(b, 1, one, &factor));
    x = bench_unary(b, OP_Floor, x);
    x = bench_binary(b, OP_Sub, x, bench_numbers(b, 1, one, &from));
    Value *y = graph_fresh_value(b->graph, "whole");
    Node *node = node_new(b->graph, OP_Cast, "cast", &x, 1, &y, 1);
    node_set_int(node, "to", DT_INT64);
    bench_add(b, node);
    return y;
}

/* A Pad by a number on the last axis, and something that keeps it apart. */
static void build_pad(Bench *b, Value *amount)
{
    int64_t zeros[7] = {0};
    Value *parts[2] = {bench_ints(b, 7, zeros), amount};
    Value *pads = graph_fresh_value(b->graph, "pads");
    Node *node = node_new(b->graph, OP_Concat, "concat", parts, 2, &pads, 1);
    node_set_int(node, "axis", 0);
    bench_add(b, node);
    Value *x = bench_binary(b, OP_Pad, bench_image(b, 2, 4), pads);
    bench_output(b, bench_unary(b, OP_Sigmoid, x));
}

/* In float32 10 * 0.7f is 7, and not 6.9999998. */
static void build_doubtful(Bench *b)
{
    build_pad(b, whole(b, (double)0.7f, 6));
}

static void build_certain(Bench *b)
{
    build_pad(b, whole(b, 0.75, 7));
}

/* The number itself is one of float32, what it is made of is not. */
static void build_hidden(Bench *b)
{
    int64_t one[1] = {1};
    double third = 1, three = 3;
    Value *x = bench_binary(b, OP_Div, bench_numbers(b, 1, one, &third),
                            bench_numbers(b, 1, one, &three));
    x = bench_binary(b, OP_Mul, x, bench_numbers(b, 1, one, &three));
    Value *y = graph_fresh_value(b->graph, "whole");
    Node *node = node_new(b->graph, OP_Cast, "cast", &x, 1, &y, 1);
    node_set_int(node, "to", DT_INT64);
    bench_add(b, node);
    build_pad(b, bench_binary(b, OP_Sub, y, bench_ints(b, 1, one)));
}

START_TEST(whole_numbers_must_be_certain)
{
    Folded folded = fold_model(build_doubtful, NULL);
    ck_assert_uint_eq(folded.report.fold_count, 0);
    folded_free(&folded);
    folded = fold_model(build_hidden, NULL);
    ck_assert_uint_eq(folded.report.fold_count, 0);
    folded_free(&folded);
    folded = fold_model(build_certain, NULL);
    ck_assert_uint_eq(folded.report.fold_count, 1);
    ck_assert_uint_eq(count_ops(folded.after, OP_Pad), 0);
    folded_free(&folded);
}
END_TEST

/* Scales of a Resize that are computed: no size follows from them. */
static void build_resize(Bench *b)
{
    int64_t four[1] = {4};
    double numbers[4] = {1, 1, 14, 14}, by[4] = {1, 1, 10, 10};
    Value *scales = bench_binary(b, OP_Div, bench_numbers(b, 1, four, numbers),
                                 bench_numbers(b, 1, four, by));
    Value *inputs[3] = {bench_image(b, 2, 10), NULL, scales};
    Value *x = bench_node(b, OP_Resize, inputs, 3);
    x = bench_binary(b, OP_Conv, x,
                     bench_constant(b, 4, (int64_t[]){3, 2, 1, 1}));
    bench_output(b, bench_batchnorm(b, x, 3));
}

START_TEST(sizes_must_be_certain)
{
    Folded folded = fold_model(build_resize, NULL);
    ck_assert_uint_eq(folded.report.fold_count, 1);
    const Node *resize = only_node(&folded, OP_Resize);
    ck_assert_int_lt(resize->outputs[0]->fact.dims[2], 0);
    folded_free(&folded);
}
END_TEST

/* ---- Two models ---- */

/* A number as often as a product says, rounded down. */
static const Model *repeated(Arena *arena, double one, double other)
{
    int64_t size[1] = {1};
    Net net = toy_new(arena);
    toy_input(&net, "x", DT_FLOAT, 1, size);
    toy_weight(&net, "one", DT_FLOAT, 1, size, &one);
    toy_weight(&net, "other", DT_FLOAT, 1, size, &other);
    toy_node(&net, OP_Mul, "one other", "product");
    toy_node(&net, OP_Floor, "product", "floor");
    node_set_int(toy_node(&net, OP_Cast, "floor", "count"), "to", DT_INT64);
    toy_node(&net, OP_Expand, "x count", "y");
    toy_output(&net, "y", DT_FLOAT);
    return toy_finish(&net);
}

START_TEST(sizes_in_float32_are_compared)
{
    Arena *arena = arena_new(0);
    const Model *seven = repeated(arena, 10, (double)0.7f);
    const Model *six = repeated(arena, 12, 0.5);
    rp_verdict_info info =
        judge_pair(arena, seven, six, false, (rp_verify_options){0});
    check_verdict(&info, "different");
    check_words(&info, "another shape in float32: shape [6] where [7]");
    info = judge_pair(arena, seven, seven, false, (rp_verify_options){0});
    check_verdict(&info, "equivalent");
    arena_free(arena);
}
END_TEST

Suite *suite_jumps(void)
{
    Suite *suite = suite_create("jumps");
    TCase *tcase = tcase_create("jumps");
    tcase_add_test(tcase, whole_numbers_must_be_certain);
    tcase_add_test(tcase, sizes_must_be_certain);
    tcase_add_test(tcase, sizes_in_float32_are_compared);
    suite_add_tcase(suite, tcase);
    return suite;
}
