/* C18: an average pool that stands alone takes the zeros in front of it. */
#include <string.h>

#include "blocks.h"
#include "suites.h"

/* What a pool is like, and the Pad in front of it. */
typedef struct Pool {
    const char *mode; /* of Pad; NULL: constant */
    double value;
    int64_t around; /* rows and columns that Pad adds */
    int64_t kernel, stride, pad;
    bool counts, ceils;
    const char *auto_pad;
} Pool;

static Value *padded(Bench *b, Value *x, const Pool *pool)
{
    int64_t n = pool->around, pads[8] = {0, 0, n, n, 0, 0, n, n};
    Value *inputs[3] = {x, bench_ints(b, 8, pads),
                        bench_numbers(b, 0, NULL, &pool->value)};
    Value *y = graph_fresh_value(b->graph, "padded");
    Node *node = node_new(b->graph, OP_Pad, "pad", inputs, 3, &y, 1);
    if (pool->mode)
        node_set_string(node, "mode", pool->mode);
    bench_add(b, node);
    return y;
}

static Value *pooled(Bench *b, Value *x, const Pool *pool)
{
    int64_t n = pool->pad, pads[4] = {n, n, n, n};
    int64_t kernel[2] = {pool->kernel, pool->kernel};
    int64_t strides[2] = {pool->stride, pool->stride};
    Value *y = graph_fresh_value(b->graph, "pooled");
    Node *node = node_new(b->graph, OP_AveragePool, "pool", &x, 1, &y, 1);
    node_set_ints(node, "kernel_shape", kernel, 2);
    node_set_ints(node, "strides", strides, 2);
    if (pool->auto_pad)
        node_set_string(node, "auto_pad", pool->auto_pad);
    else
        node_set_ints(node, "pads", pads, 4);
    node_set_int(node, "count_include_pad", pool->counts);
    node_set_int(node, "ceil_mode", pool->ceils);
    bench_add(b, node);
    return y;
}

static const Pool *built;

static void build_sized(Bench *b, int64_t size)
{
    Value *x = bench_input(b, 4, (int64_t[]){1, 3, size, size});
    bench_output(b, pooled(b, padded(b, x, built), built));
}

static void build_static(Bench *b)
{
    build_sized(b, 6);
}

static void build_symbolic(Bench *b)
{
    build_sized(b, -1);
}

static const Pool exact[] = {
    {.around = 1, .kernel = 4, .stride = 1},
    {.around = 1, .kernel = 4, .stride = 2, .counts = true},
    {.around = 1, .kernel = 4, .stride = 2, .pad = 1, .counts = true},
    {.around = 1, .kernel = 2, .stride = 3, .auto_pad = "VALID"},
    {.around = 1, .kernel = 4, .stride = 1, .ceils = true},
};
enum { EXACT = sizeof exact / sizeof *exact };

START_TEST(a_pool_takes_zeros)
{
    built = &exact[_i];
    check_folds(build_static, 0, 1);
    check_folds(build_symbolic, 0, 1);
    Folded folded = fold_model(build_symbolic, NULL);
    const Node *pool = only_node(&folded, OP_AveragePool);
    const int64_t *pads;
    ck_assert_int_eq(node_ints(pool, "pads", &pads), 4);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pads[i], built->around + built->pad);
    ck_assert_int_eq(node_int(pool, "count_include_pad", 0), 1);
    ck_assert_str_eq(folded.report.folds[0].rules, "C18");
    ck_assert_int_eq(folded.report.folds[0].static_size, 0);
    folded_free(&folded);
}
END_TEST

/* Windows that end with the padded image, for this size. */
START_TEST(ceil_mode_may_fit)
{
    static const Pool fits = {
        .around = 1, .kernel = 2, .stride = 2, .ceils = true};
    built = &fits;
    check_folds(build_static, 0, 1);
    Folded folded = fold_model(build_static, NULL);
    ck_assert_int_eq(folded.report.folds[0].static_size, 1);
    folded_free(&folded);
    check_refuses(build_symbolic, "ceil-overhang");
}
END_TEST

static const struct {
    Pool pool;
    const char *reason;
} refused[] = {
    /* what is left out of the divisor is not what Pad adds */
    {{.around = 1, .kernel = 4, .stride = 1, .pad = 1}, "exclude-pad"},
    {{.around = 1, .kernel = 4, .stride = 1, .value = 1}, "pad-mode"},
    {{.around = 1, .kernel = 4, .stride = 1, .mode = "reflect"}, "pad-mode"},
    {{.around = -1, .kernel = 2, .stride = 1}, "pad-mode"},
    {{.around = 1, .kernel = 3, .stride = 4, .ceils = true}, "ceil-overhang"},
    {{.around = 2, .kernel = 2, .stride = 1}, "pad-width"},
    {{.around = 1, .kernel = 2, .stride = 1, .pad = 1, .counts = true},
     "pad-width"},
};
enum { REFUSED = sizeof refused / sizeof *refused };

/* Only above and on the left, as many as the kernel has. */
static void build_lopsided(Bench *b)
{
    static const Pool two = {.kernel = 2, .stride = 1};
    const int64_t pads[8] = {0, 0, 2, 2, 0, 0, 0, 0};
    Value *x =
        bench_binary(b, OP_Pad, bench_image(b, 3, 6), bench_ints(b, 8, pads));
    bench_output(b, pooled(b, x, &two));
}

/* Before opset 7 no pool counts its padding. */
static void build_of_opset(Bench *b, int opset)
{
    const int64_t pads[8] = {0, 0, 1, 1, 0, 0, 1, 1}, taps[2] = {2, 2};
    b->model->opset = opset;
    Value *x = bench_image(b, 3, 6), *made[2];
    Op ops[2] = {OP_Pad, OP_AveragePool};
    for (int i = 0; i < 2; i++) {
        made[i] = graph_fresh_value(b->graph, "y");
        Node *node = node_new(b->graph, ops[i], "", &x, 1, &made[i], 1);
        if (i == 0)
            node_set_ints(node, "pads", pads, 8);
        else
            node_set_ints(node, "kernel_shape", taps, 2);
        bench_add(b, node);
        x = made[i];
    }
    bench_output(b, x);
}

static void build_of_opset_6(Bench *b)
{
    build_of_opset(b, 6);
}

static void build_of_opset_7(Bench *b)
{
    build_of_opset(b, 7);
}

START_TEST(a_pool_that_cannot_count_them_takes_none)
{
    check_folds(build_of_opset_7, 0, 1);
    Folded folded = fold_model(build_of_opset_6, NULL);
    ck_assert_uint_eq(folded.report.fold_count, 0);
    folded_free(&folded);
    check_refuses(build_lopsided, "pad-width");
}
END_TEST

START_TEST(others_are_left)
{
    built = &refused[_i].pool;
    check_refuses(build_static, refused[_i].reason);
}
END_TEST

static const Pool plain = {.around = 1, .kernel = 4, .stride = 1};

/* Others read what Pad gives, or its shape. */
static void build_read_twice(Bench *b, Op op)
{
    Value *x = bench_input(b, 4, (int64_t[]){1, 3, -1, -1});
    x = padded(b, x, &plain);
    bench_output(b, pooled(b, x, &plain));
    bench_output(b, bench_unary(b, op, x));
}

static void build_read_by_relu(Bench *b)
{
    build_read_twice(b, OP_Relu);
}

static void build_read_by_shape(Bench *b)
{
    build_read_twice(b, OP_Shape);
}

static void build_feature(Bench *b)
{
    Value *x = padded(b, bench_image(b, 3, 6), &plain);
    bench_output(b, pooled(b, x, &plain));
    bench_output(b, x);
}

START_TEST(zeros_that_others_read_stay)
{
    check_refuses(build_read_by_relu, "multi-use");
    check_refuses(build_read_by_shape, "multi-use");
    check_refuses(build_feature, "graph-output");
}
END_TEST

/* And then a scale goes back through it. */
static void build_scaled(Bench *b)
{
    Value *x = bench_conv(b, bench_image(b, 3, 6), DW(3, 3));
    Value *y = pooled(b, padded(b, x, &plain), &plain);
    bench_output(b, bench_binary(b, OP_Mul, y, bench_channel_scale(b, 3)));
}

START_TEST(scales_go_through)
{
    check_folds(build_scaled, 1, 1);
}
END_TEST

Suite *suite_rule_pad(void)
{
    Suite *suite = suite_create("rule_pad");
    TCase *tcase = tcase_create("rule_pad");
    tcase_add_loop_test(tcase, a_pool_takes_zeros, 0, EXACT);
    tcase_add_test(tcase, ceil_mode_may_fit);
    tcase_add_loop_test(tcase, others_are_left, 0, REFUSED);
    tcase_add_test(tcase, zeros_that_others_read_stay);
    tcase_add_test(tcase, scales_go_through);
    tcase_add_test(tcase, a_pool_that_cannot_count_them_takes_none);
    suite_add_tcase(suite, tcase);
    return suite;
}
