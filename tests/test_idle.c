/* Nodes between branches that change nothing, or the same for all of them. */
#include "blocks.h"
#include "suites.h"

static Value *cast_to(Bench *b, Value *x, DType type)
{
    Value *y = graph_fresh_value(b->graph, "y");
    Node *node = node_new(b->graph, OP_Cast, "cast", &x, 1, &y, 1);
    node_set_int(node, "to", type);
    bench_add(b, node);
    return y;
}

static Value *cast(Bench *b, Value *x)
{
    return cast_to(b, x, x->fact.type);
}

static Value *reshape(Bench *b, Value *x)
{
    int64_t shape[4] = {0, 4, 6, -1};
    return bench_binary(b, OP_Reshape, x, bench_ints(b, 4, shape));
}

/* Nodes that do nothing, before and behind the branches. */
static void build_idle(Bench *b)
{
    int64_t ones[4] = {1, 1, 1, 1};
    Value *x = bench_image(b, 4, 6);
    Value *same = bench_unary(b, OP_Identity, cast(b, x));
    Value *sum = bench_conv(b, x, SAME(3));
    sum = bench_binary(b, OP_Add, reshape(b, sum),
                       bench_batchnorm(b, bench_conv(b, same, SAME(1)), 4));
    same = bench_binary(b, OP_Expand, same, bench_ints(b, 4, ones));
    sum = bench_binary(b, OP_Add, cast(b, sum), reshape(b, same));
    bench_output(b, bench_batchnorm(b, bench_unary(b, OP_Dropout, sum), 4));
}

START_TEST(nodes_that_do_nothing_are_looked_through)
{
    check_folds(build_idle, 1, 0);
}
END_TEST

/* Converters to float16 put a Cast before each reader of an input. */
static void build_casts(Bench *b, DType second)
{
    Value *x = bench_image(b, 4, 6);
    x->fact.type = DT_INT32;
    Value *large = bench_conv(b, cast_to(b, x, DT_FLOAT), SAME(3));
    Value *other = x;
    if (second != DT_FLOAT)
        other = cast_to(b, x, second);
    Value *small = bench_conv(b, cast_to(b, other, DT_FLOAT), SAME(1));
    bench_output(b, bench_binary(b, OP_Add, large, small));
}

static void build_same_casts(Bench *b)
{
    build_casts(b, DT_FLOAT);
}

static void build_other_casts(Bench *b)
{
    build_casts(b, DT_BOOL);
}

START_TEST(casts_to_one_type_are_one)
{
    check_folds(build_same_casts, 1, 1);
    check_refuses(build_other_casts, "different-input");
    Folded folded = fold_exactly(build_same_casts);
    rp_certificates_info info =
        certify(folded.arena, folded.before, folded.after);
    ck_assert_uint_eq(info.count, 1);
    ck_assert(info.certificates[0].holds);
    folded_free(&folded);
}
END_TEST

Suite *suite_idle(void)
{
    Suite *suite = suite_create("idle");
    TCase *tcase = tcase_create("idle");
    tcase_add_test(tcase, nodes_that_do_nothing_are_looked_through);
    tcase_add_test(tcase, casts_to_one_type_are_one);
    suite_add_tcase(suite, tcase);
    return suite;
}
