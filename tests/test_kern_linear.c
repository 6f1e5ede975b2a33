/* Matrix products, Einsum, normalisation and reduction. */
#include <stdio.h>

#include "exec_case.h"
#include "suites.h"

static const char *const lines[] = {
    "MatMul(f32[3,4], f32[4,5])",
    "MatMul(f32[200,30], f32[30,150])",
    "MatMul(f32[4], f32[4,5])",
    "MatMul(f32[3,4], f32[4])",
    "MatMul(f32[4], f32[4])",
    "MatMul(f32[2,3,4], f32[4,5])",
    "MatMul(f32[3,4], f32[2,4,5])",
    "MatMul(f32[2,1,3,4], f32[5,4,2])",
    "MatMul(f32[2,1,3,4], f32[1,5,4,2])",
    "MatMul(f32[2,3,4], f32[4])",
    "MatMul(f32[4], f32[2,4,3])",
    "MatMul(f32[3,0], f32[0,2])",
    "MatMul(f32[0,3], f32[3,2])",
    "Gemm(f32[3,4], f32[4,5])",
    "Gemm(f32[3,4], f32[4,5], f32[5]) alpha=0.5 beta=2.",
    "Gemm(f32[3,4], f32[4,5], f32[3,1])",
    "Gemm(f32[3,4], f32[4,5], f32[3,5])",
    "Gemm(f32[3,4], f32[4,5], f32[])",
    "Gemm(f32[4,3], f32[4,5]) transA=1",
    "Gemm(f32[3,4], f32[5,4], f32[1,5]) transB=1",
    "Gemm(f32[4,3], f32[5,4]) transA=1 transB=1",
    "Gemm(f32[1,300], f32[700,300], f32[700]) transB=1",
    /* beyond a block of the depth, a panel, a vector or a tile */
    "MatMul(f32[9,401], f32[401,49])",
    "MatMul(f32[130,7], f32[7,300])",
    "MatMul(f32[1,1000], f32[1000,131])",
    "MatMul(f32[3,1,70,33], f32[1,2,33,65])",
    "MatMul(f32[2,100,5], f32[5,1])",
    "Gemm(f32[401,9], f32[50,401], f32[9,1]) transA=1 transB=1 alpha=-0.5",
    "Gemm(f32[7,0], f32[0,5], f32[5])",
    /* products of matrices in any order of axes; the last ones are none */
    "Einsum(f32[7,5], f32[5,9]) equation=\"ij,jk->ik\"",
    "Einsum(f32[5,7], f32[9,5]) equation=\"ji,kj->ki\"",
    "Einsum(f32[2,3,8,5], f32[2,3,4,5]) equation=\"bhqd,bhkd->bhqk\"",
    "Einsum(f32[2,8,3,5], f32[2,4,3,5]) equation=\"bqhd,bkhd->bhqk\"",
    "Einsum(f32[2,1,8,5], f32[1,3,5,4]) equation=\"abcd,abde->ebac\"",
    "Einsum(f32[3,2,4], f32[2,4,3,5]) equation=\"cab,abcd->d\"",
    "Einsum(f32[3], f32[4]) equation=\"i,j->ji\"",
    "Einsum(f32[3,3], f32[3,4]) equation=\"ii,ij->ij\"",
    "Einsum(f32[3,0], f32[0,4]) equation=\"ij,jk->ik\"",
    "Einsum(f32[3,4], f32[5,2]) equation=\"ij,kl->jk\"",
    "Einsum(f32[3,4], f32[4,5], f32[5]) equation=\"ij,jk,k->i\"",
    "Softmax(f32[2,3,4])",
    "Softmax(f32[2,3,4]) axis=1",
    "Softmax(f32[2,3,4]) axis=-3",
    "Softmax(f32[2,3,4]) @11",
    "Softmax(f32[2,3,4]) axis=2 @11",
    "Softmax(f32[1000])",
    "Softmax(f32[3,65])",
    "Softmax(f32[2,5,130]) axis=1",
    "Softmax(f32[2,130]) axis=0",
    "LogSoftmax(f32[3,200])",
    "LogSoftmax(f32[2,3,70]) axis=1",
    "LogSoftmax(f32[2,3,4]) axis=1",
    "LogSoftmax(f32[2,3,4]) @11",
    "BatchNormalization(f32[2,3,4,5], f32[3], f32[3], f32[3], f32{1,2,3})",
    "BatchNormalization(f32[5,3], f32[3], f32[3], f32[3], f32{1,2,3})",
    "BatchNormalization(f32[1,1], f32[1], f32[1], f32[1], f32{1}) epsilon=2.",
    "BatchNormalization(f32[2,2,100,100], f32[2], f32[2], f32[2], f32{1,2})",
    "InstanceNormalization(f32[2,3,4,5], f32[3], f32[3])",
    "LayerNormalization(f32[2,3,4], f32[4], f32[4])",
    "LayerNormalization(f32[2,3,4], f32[3,4]) axis=1 epsilon=0.125",
    "LayerNormalization(f32[2,3,4], f32[4], f32[1]) axis=-2",
    "LayerNormalization(f32[5,131], f32[131], f32[131])",
    "RMSNormalization(f32[2,3,4], f32[4]) @23",
    "RMSNormalization(f32[2,77], f32[77]) @23",
    "GroupNormalization(f32[2,6,3,3], f32[6], f32[6]) num_groups=3 @21",
    "GroupNormalization(f32[2,6,3,3], f32[3], f32[3]) num_groups=3 @18",
};

START_TEST(shapes_against_the_oracle)
{
    check_oracle(lines[_i]);
}
END_TEST

static const char *const reductions[] = {
    "ReduceSum",    "ReduceMean",     "ReduceMax", "ReduceMin",
    "ReduceProd",   "ReduceL1",       "ReduceL2",  "ReduceSumSquare",
    "ReduceLogSum", "ReduceLogSumExp"};

START_TEST(reductions_against_the_oracle)
{
    static const char *const inputs[] = {
        "(f32[2,3,4,5])", "(f32[2,3,4,5], i64{0})", "(f32[2,3,4,5], i64{-1})",
        "(f32[2,3,4,5], i64{1,3}) keepdims=0", "(f32[2,3,4,5], i64{2,3})",
        "(f32[2,3,4,5], i64{3,0,1,2}) keepdims=0", "(f32[7])", "(f32[])",
        "(f32[2,0,3], i64{1})", "(f32[2,0,3], i64{0})",
        "(f32[3,4,2], i64{1,2})", "(f32[2,1,3,1,2,1,2], i64{2,4})",
        /* side by side, and row by row: of more than go at once */
        "(f32[2,3,300], i64{1})", "(f32[3,5,70], i64{0,2})",
        "(f32[2,4,3,33], i64{2,3})"};
    char line[100];
    for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++) {
        snprintf(line, sizeof line, "%s%s", reductions[_i], inputs[i]);
        check_oracle(line);
    }
}
END_TEST

static const ExecRow rows[] = {
    {"MatMul(i32[1,2]{2,3}, i32[2,1]{10,100})", "int32[1,1]{320}"},
    {"MatMul(u8[1,1]{200}, u8[1,1]{2})", "uint8[1,1]{144}"},
    {"MatMul(f32[2,3], f32[4,5])", "bad-shape"},
    {"Gemm(i64[1,2]{1,2}, i64[2,1]{3,4}, i64[1]{5})", "int64[1,1]{16}"},
    {"Gemm(f32[2,3], f32[3,4], f32[3])", "bad-shape"},
    /* a C that does not count may be anything */
    {"Gemm(f32[1,2]{1,2}, f32[2,1]{3,4}, f32[1]{nan}) beta=0.",
     "float32[1,1]{11}"},
    /* axes as attribute, none at all, and none on purpose */
    {"ReduceSum(f32[2,2]{1,2,3,4}) axes=[0] @11", "float32[1,2]{4,6}"},
    {"ReduceSum(f32[2,2]{1,2,3,4}) keepdims=0", "float32[]{10}"},
    {"ReduceSum(f32[2]{1,2}, i64[0]{}) noop_with_empty_axes=1",
     "float32[2]{1,2}"},
    {"ReduceMean(i64[3]{1,2,4})", "int64[1]{2}"},
    {"ReduceMax(f32[3]{1,nan,2})", "float32[1]{nan}"},
    {"ReduceMax(f32[2,2]{1,nan,2,3}, i64{0})", "float32[1,2]{2,nan}"},
    {"ReduceMax(i8[0])", "int8[1]{-128}"},
    {"ReduceMin(bool[3]{1,0,1})", "bool[1]{0}"},
    {"ReduceMin(u64[2]{-1,5})", "uint64[1]{5}"},
    {"ReduceMax(u64[2]{-1,5})", "uint64[1]{-1}"}, /* 2^64 - 1 */
    {"ReduceMin(u64[0])", "uint64[1]{-1}"},
    {"ReduceMin(i32[0])", "int32[1]{2147483647}"},
    {"ReduceProd(i32[2]{65536,65536})", "int32[1]{0}"},
    {"ReduceL1(i64[2]{-3,4})", "int64[1]{7}"},
    {"ReduceL2(i64[2]{-3,4})", "int64[1]{5}"},
    {"ReduceLogSumExp(i64[7]{5,5,5,5,4,4,4})", "int64[1]{6}"},
    /* 2^63, of which there are two halves, and its root */
    {"ReduceMean(u64[2]{-9223372036854775808,-9223372036854775806}, i64{0})",
     "uint64[1]{1}"}, /* the sum wraps */
    {"ReduceMean(u64[2]{-9223372036854775808,2}, i64{0})",
     "uint64[1]{4611686018427387905}"},
    {"ReduceL2(u64[1]{-9223372036854775808}, i64{0})",
     "uint64[1]{-9223372036854775808}"},
    {"ReduceLogSumExp(f32[2]{1000,1000})", "float32[1]{1000.69}"},
    {"ReduceLogSumExp(f32[1]{-inf})", "float32[1]{-inf}"},
    {"ReduceSum(f32[2], i64{2})", "bad-attribute"},
    /* normalisation */
    {"Softmax(f32[2]{1000,1000})", "float32[2]{0.5,0.5}"},
    {"Softmax(f32[2]{-inf,0})", "float32[2]{0,1}"},
    {"LayerNormalization(f32[1,2]{-1,1}, f32[2]{1,1}) epsilon=0. -> 3",
     "float32[1,2]{-1,1}; float32[1,1]{0}; float32[1,1]{1}"},
    {"LpNormalization(f32[2]{3,-4})", "float32[2]{0.6,-0.8}"},
    {"LpNormalization(f32[2]{3,-5}) p=1", "float32[2]{0.375,-0.625}"},
    {"LpNormalization(f32[2]{0,0})", "float32[2]{0,0}"},
    {"LpNormalization(f32[2]) p=3", "bad-attribute"},
    {"LRN(f32[1,3,1]{1,2,3}) size=3 alpha=3. beta=1. bias=1.",
     "float32[1,3,1]{0.166667,0.133333,0.214286}"},
    {"GroupNormalization(f32[1,4,2], f32[4], f32[4]) num_groups=3 @21",
     "bad-shape"},
    /* training: the batch's own moments, and the running ones moved on */
    {"BatchNormalization(f32[2,1]{1,3}, f32[1]{2}, f32[1]{10}, f32[1]{0}, "
     "f32[1]{5}) training_mode=1 momentum=0.5 epsilon=0. -> 3",
     "float32[2,1]{8,12}; float32[1]{1}; float32[1]{3}"},
    {"BatchNormalization(f32[2,1]{1,3}, f32[1]{2}, f32[1]{10}, f32[1]{0}, "
     "f32[1]{5}) momentum=0.5 epsilon=0. @9 -> 5",
     "float32[2,1]{8,12}; float32[1]{1}; float32[1]{3}; float32[1]{2}; "
     "float32[1]{1}"},
    {"BatchNormalization(f32[1,2,1]{1,1}, f32[2]{1,1}, f32[2]{0,0}, "
     "f32[2]{1,0}, f32[2]{1,1}) spatial=0 epsilon=0. @8",
     "float32[1,2,1]{0,1}"},
    {"BatchNormalization(f32[1,3,2], f32[2], f32[3], f32[3], f32[3])",
     "bad-shape"},
    /* Einsum */
    {"Einsum(f32[2,2]{1,2,3,4}, f32[2,2]{1,0,0,1}) equation=\"ij,jk->ik\"",
     "float32[2,2]{1,2,3,4}"},
    {"Einsum(f32[2,2]{1,2,3,4}) equation=\"ii\"", "float32[]{5}"},
    {"Einsum(f32[2,2]{1,2,3,4}) equation=\"ji\"", "float32[2,2]{1,3,2,4}"},
    {"Einsum(f32[2,2]{1,2,3,4}) equation=\"...j->...\"", "float32[2]{3,7}"},
    {"Einsum(f32[2]{1,2}, f32[2]{3,4}, f32[2]{5,6}) equation=\"i, i, i\"",
     "float32[]{63}"},
    {"Einsum(i64[2]{1,2}, i64[2]{3,4}) equation=\"i,j->ij\"",
     "int64[2,2]{3,4,6,8}"},
    {"Einsum(f32[2,1,2]{1,2,3,4}, f32[3,2]{1,1,1,1,2,2}) "
     "equation=\"...a,...a->...\"",
     "float32[2,3]{3,3,6,7,7,14}"},
};

START_TEST(values_by_hand)
{
    check_exec_row(&rows[_i]);
}
END_TEST

Suite *suite_kern_linear(void)
{
    Suite *suite = suite_create("kern_linear");
    TCase *tcase = tcase_create("kern_linear");
    tcase_add_loop_test(tcase, shapes_against_the_oracle, 0,
                        sizeof lines / sizeof *lines);
    tcase_add_loop_test(tcase, reductions_against_the_oracle, 0,
                        sizeof reductions / sizeof *reductions);
    tcase_add_loop_test(tcase, values_by_hand, 0, sizeof rows / sizeof *rows);
    suite_add_tcase(suite, tcase);
    return suite;
}
