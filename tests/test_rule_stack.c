/* Convolutions of one tensor whose results are joined become one (C19). */
#include "composing.h"
#include "suites.h"

static const rp_fold_options stack = {.enable = "C19"};

static void join_two(Bench *b, ConvShape first, ConvShape second)
{
    Value *x = bench_image(b, 4, 7);
    Value *parts[2] = {bench_conv(b, x, first), bench_conv(b, x, second)};
    bench_output(b, bench_concat(b, parts, 2, 1));
}

static void build_joined(Bench *b)
{
    join_two(b, (ConvShape){.out = 3, .kernel = 3, .pad = 1, .stride = 2},
             (ConvShape){
                 .out = 5, .kernel = 3, .pad = 1, .stride = 2, .bias = true});
}

START_TEST(joined_convolutions_are_one)
{
    check_composes(build_joined, &stack, "C19", 1, 1);
    Folded folded = fold_model(build_joined, NULL);
    ck_assert_uint_eq(folded.report.fold_count, 0);
    folded_free(&folded);
}
END_TEST

START_TEST(an_average_of_joined_convolutions_is_one_of_a_larger)
{
    Folded folded = fold_model(build_joined_average, &stack);
    ck_assert_double_lt(folded.difference, 1e-13);
    ck_assert_uint_eq(count_ops(folded.after, OP_Conv), 1);
    ck_assert_uint_eq(folded.after->graph->node_count, 3);
    folded_free(&folded);
}
END_TEST

static void build_joined_groups(Bench *b)
{
    join_two(b, (ConvShape){.group = 2}, (ConvShape){.group = 2});
}

static void build_joined_kernels(Bench *b)
{
    join_two(b, SAME(1), SAME(3));
}

static void build_joined_read(Bench *b)
{
    join_two(b, SAME(3), SAME(3));
    Value *first = b->graph->nodes[0]->outputs[0];
    bench_output(b, bench_unary(b, OP_Relu, first));
}

START_TEST(convolutions_that_differ_are_not_joined)
{
    check_stays(build_joined_groups, &stack, "groups", "conv");
    check_stays(build_joined_kernels, &stack, "slack-differs", "conv");
    check_stays(build_joined_read, &stack, "multi-use", "conv");
}
END_TEST

/* ---- What is no site ---- */

static void build_joined_images(Bench *b)
{
    Value *parts[2] = {bench_conv(b, bench_image(b, 4, 7), SAME(3)),
                       bench_conv(b, bench_image(b, 4, 7), SAME(3))};
    bench_output(b, bench_concat(b, parts, 2, 1));
}

static void build_joined_rows(Bench *b)
{
    Value *x = bench_image(b, 4, 7);
    Value *parts[2] = {bench_conv(b, x, SAME(3)), bench_conv(b, x, SAME(3))};
    bench_output(b, bench_concat(b, parts, 2, 2));
}

static void build_joined_with_image(Bench *b)
{
    Value *x = bench_image(b, 4, 7);
    Value *parts[2] = {bench_conv(b, x, SAME(3)), bench_unary(b, OP_Relu, x)};
    bench_output(b, bench_concat(b, parts, 2, 1));
}

static void build_joined_with_pool(Bench *b)
{
    const int64_t one[2] = {1, 1};
    Value *x = bench_image(b, 4, 7), *y = graph_fresh_value(b->graph, "pool");
    Node *pool = node_new(b->graph, OP_AveragePool, "pool", &x, 1, &y, 1);
    node_set_ints(pool, "kernel_shape", one, 2);
    bench_add(b, pool);
    Value *parts[2] = {bench_conv(b, x, (ConvShape){.out = 3}), y};
    bench_output(b, bench_concat(b, parts, 2, 1));
}

static void build_joined_with_transposed(Bench *b)
{
    const int64_t dims[4] = {4, 4, 1, 1};
    Value *x = bench_image(b, 4, 7);
    Value *parts[2] = {
        bench_conv(b, x, (ConvShape){0}),
        bench_binary(b, OP_ConvTranspose, x, bench_constant(b, 4, dims))};
    bench_output(b, bench_concat(b, parts, 2, 1));
}

static void build_one_joined(Bench *b)
{
    Value *x = bench_conv(b, bench_image(b, 4, 7), SAME(3));
    bench_output(b, bench_concat(b, &x, 1, 1));
}

START_TEST(other_joints_stay)
{
    static Build *const builds[] = {
        build_joined_images,          build_joined_rows,
        build_joined_with_image,      build_joined_with_pool,
        build_joined_with_transposed, build_one_joined,
    };
    Folded folded = fold_model(builds[_i], &stack);
    for (size_t i = 0; i < folded.report.fold_count; i++)
        ck_assert_str_ne(folded.report.folds[i].rules, "C19");
    folded_free(&folded);
}
END_TEST

static void build_joined_output(Bench *b)
{
    join_two(b, SAME(3), SAME(3));
    bench_output(b, b->graph->nodes[0]->outputs[0]);
}

/* Who reads the shape of one would read that of all. */
static void build_joined_shape(Bench *b)
{
    join_two(b, SAME(3), SAME(3));
    Value *first = b->graph->nodes[0]->outputs[0];
    bench_output(b, bench_unary(b, OP_Shape, first));
}

static void build_joined_from_the_end(Bench *b)
{
    build_joined(b);
    node_set_int(b->graph->nodes[2], "axis", -3);
}

static void build_joined_without_bias(Bench *b)
{
    join_two(b, SAME(3), SAME(3));
}

START_TEST(readers_of_a_part_keep_it)
{
    check_stays(build_joined_output, &stack, "graph-output", "conv");
    Arena *arena = arena_new(0);
    Model *model = build_model(arena, build_joined_shape, false);
    FoldReport report = {0};
    Err err = {0};
    ck_assert_int_eq(model_fold(model, &stack, &report, &err), 0);
    ck_assert_uint_eq(report.fold_count, 0);
    ck_assert_str_eq(report.refusals[0].reason, "multi-use");
    arena_free(arena);
}
END_TEST

START_TEST(a_bias_comes_of_those_that_have_one)
{
    check_composes(build_joined_from_the_end, &stack, "C19", 1, 1);
    check_composes(build_joined_without_bias, &stack, "C19", 1, 1);
    Folded folded = fold_model(build_joined_without_bias, &stack);
    ck_assert_int_eq(only_node(&folded, OP_Conv)->input_count, 2);
    folded_free(&folded);
}
END_TEST

Suite *suite_rule_stack(void)
{
    Suite *suite = suite_create("rule_stack");
    TCase *tcase = tcase_create("rule_stack");
    tcase_add_test(tcase, joined_convolutions_are_one);
    tcase_add_test(tcase, an_average_of_joined_convolutions_is_one_of_a_larger);
    tcase_add_test(tcase, convolutions_that_differ_are_not_joined);
    tcase_add_loop_test(tcase, other_joints_stay, 0, 6);
    tcase_add_test(tcase, readers_of_a_part_keep_it);
    tcase_add_test(tcase, a_bias_comes_of_those_that_have_one);
    suite_add_tcase(suite, tcase);
    return suite;
}
