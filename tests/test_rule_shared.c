/*
 * Normalizations that several summands read: exporters that look for common
 * subexpressions make one node of two that are the same, as those of RepMixer
 * are before training.
 */
#include "blocks.h"
#include "suites.h"

enum { CHANNELS = 3 };

static Value *image(Bench *b)
{
    return bench_input(b, 4, (int64_t[]){1, CHANNELS, -1, -1});
}

/* x + scale * (conv(x) + norm - norm), with one norm. */
static Value *mixer(Bench *b, Value *x, Value *norm)
{
    Value *y = bench_conv(b, x, DW(CHANNELS, 3));
    y = bench_binary(b, OP_Add, norm, y);
    y = bench_binary(b, OP_Add, y, conv_bn(b, x, DW(CHANNELS, 1)));
    y = bench_binary(b, OP_Sub, y, norm);
    y = bench_binary(b, OP_Mul, y, bench_channel_scale(b, CHANNELS));
    return bench_binary(b, OP_Add, x, y);
}

static void build_mixer(Bench *b)
{
    Value *x = image(b);
    bench_output(b, mixer(b, x, bench_batchnorm(b, x, CHANNELS)));
}

START_TEST(each_summand_has_a_map_of_its_own)
{
    check_folds(build_mixer, 1, 0);
    Folded folded = fold_exactly(build_mixer);
    ck_assert_uint_eq(folded.report.fold_count, 1);
    ck_assert_uint_eq(folded.report.folds[0].consumed_count, 9);
    folded_free(&folded);
}
END_TEST

/* The normalization stays for whoever else reads it. */
static void build_read_elsewhere(Bench *b)
{
    Value *x = image(b);
    Value *norm = bench_batchnorm(b, x, CHANNELS);
    bench_output(b, mixer(b, x, norm));
    bench_output(b, bench_unary(b, OP_Relu, norm));
}

START_TEST(others_may_read_it)
{
    check_folds(build_read_elsewhere, 1, 2);
    Folded folded = fold_model(build_read_elsewhere, NULL);
    ck_assert_uint_eq(count_ops(folded.after, OP_BatchNormalization), 1);
    ck_assert_uint_eq(folded.report.folds[0].consumed_count, 8);
    folded_free(&folded);
}
END_TEST

/* Here it is the base of the residual, and not a map of what is before it. */
static void build_residual(Bench *b)
{
    Value *norm = bench_batchnorm(b, image(b), CHANNELS);
    Value *y = bench_conv(b, norm, DW(CHANNELS, 3));
    bench_output(b, bench_binary(b, OP_Add, norm, y));
}

START_TEST(a_residual_over_it_stays_one)
{
    check_folds(build_residual, 1, 1);
}
END_TEST

/* Somebody asks for the shape of a summand before its new operator stands. */
static void build_early_shape(Bench *b)
{
    Value *x = image(b);
    Value *norm = bench_batchnorm(b, x, CHANNELS);
    bench_output(b, bench_unary(b, OP_Shape, norm));
    Value *y = bench_conv(b, x, DW(CHANNELS, 3));
    bench_output(b, bench_binary(b, OP_Add, norm, y));
}

START_TEST(shapes_are_read_from_what_is_there)
{
    check_folds(build_early_shape, 1, 1);
}
END_TEST

Suite *suite_rule_shared(void)
{
    Suite *suite = suite_create("rule_shared");
    TCase *tcase = tcase_create("rule_shared");
    tcase_add_test(tcase, each_summand_has_a_map_of_its_own);
    tcase_add_test(tcase, others_may_read_it);
    tcase_add_test(tcase, a_residual_over_it_stays_one);
    tcase_add_test(tcase, shapes_are_read_from_what_is_there);
    suite_add_tcase(suite, tcase);
    return suite;
}
