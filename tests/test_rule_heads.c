/* Heads of a classifier that are averaged become one (C3, C15). */
#include "blocks.h"
#include "suites.h"

static Value *head(Bench *b, Value *x, bool transposed)
{
    int64_t w[2] = {6, 5}, t[2] = {5, 6}, c[1] = {5};
    Value *inputs[3] = {x, bench_constant(b, 2, transposed ? t : w),
                        bench_constant(b, 1, c)};
    Value *y = graph_fresh_value(b->graph, "head");
    Node *node = node_new(b->graph, OP_Gemm, "head", inputs, 3, &y, 1);
    node_set_int(node, "transB", transposed);
    bench_add(b, node);
    return y;
}

static void build_heads(Bench *b, Op op, double number)
{
    int64_t dims[2] = {3, 6};
    Value *x = bench_input(b, 2, dims);
    Value *sum = bench_binary(b, OP_Add, head(b, x, true), head(b, x, true));
    bench_output(b,
                 bench_binary(b, op, sum, bench_numbers(b, 0, NULL, &number)));
}

static void build_gemm_heads(Bench *b)
{
    build_heads(b, OP_Div, 2);
}

static void build_halved_heads(Bench *b)
{
    build_heads(b, OP_Mul, 0.5);
}

static void build_matmul_heads(Bench *b)
{
    int64_t dims[3] = {2, 3, 6}, w[2] = {6, 5}, c[1] = {5};
    double half[1] = {0.5}, quarter[1] = {0.25};
    Value *x = bench_input(b, 3, dims);
    Value *sum = NULL;
    for (int i = 0; i < 3; i++) {
        Value *y = bench_binary(b, OP_MatMul, x, bench_constant(b, 2, w));
        y = bench_binary(b, OP_Add, y, bench_constant(b, 1, c));
        y = bench_binary(b, OP_Mul, y,
                         bench_numbers(b, 0, NULL, i ? quarter : half));
        sum = sum ? bench_binary(b, OP_Add, sum, y) : y;
    }
    bench_output(b, sum);
}

/* One transposed: one is stored by rows, the other by columns. */
static void build_unequal_heads(Bench *b)
{
    int64_t dims[2] = {3, 6};
    Value *x = bench_input(b, 2, dims);
    bench_output(b,
                 bench_binary(b, OP_Add, head(b, x, true), head(b, x, false)));
}

START_TEST(heads_average)
{
    check_folds(build_gemm_heads, 0, 1);
    check_folds(build_halved_heads, 0, 1);
    check_folds(build_matmul_heads, 0, 2);
    Folded folded = fold_model(build_gemm_heads, NULL);
    ck_assert_str_eq(folded.report.folds[0].rules, "C3,C15");
    folded_free(&folded);
    folded = fold_model(build_unequal_heads, NULL);
    ck_assert_uint_eq(folded.report.fold_count, 0);
    folded_free(&folded);
}
END_TEST

Suite *suite_rule_heads(void)
{
    Suite *suite = suite_create("rule_heads");
    TCase *tcase = tcase_create("rule_heads");
    tcase_add_test(tcase, heads_average);
    suite_add_tcase(suite, tcase);
    return suite;
}
