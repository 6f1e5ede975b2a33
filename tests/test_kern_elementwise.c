/* Operators that work element by element: values by hand, shapes against the
 * oracle.  exec_case.h has the notation. */
#include <stdio.h>

#include "exec/elementary.h"
#include "exec_case.h"
#include "suites.h"

static const ExecRow rows[] = {
    {"Add(f32[2]{1,2}, f32[2]{3,4})", "float32[2]{4,6}"},
    {"Add(f32[2,1]{1,2}, f32[3]{10,20,30})", "float32[2,3]{11,21,31,12,22,32}"},
    {"Add(f32[]{1}, f32[]{2})", "float32[]{3}"},
    {"Add(f32[0], f32[1]{2})", "float32[0]{}"},
    {"Add(f32[2], f32[3])", "bad-shape"},
    /* a lower opset says where the second input goes */
    {"Add(f32[2,2,1]{1,2,3,4}, f32[2]{10,20}) broadcast=1 axis=0 @6",
     "float32[2,2,1]{11,12,23,24}"},
    /* integers wrap to their type */
    {"Add(i8[2]{127,-128}, i8[2]{1,-1})", "int8[2]{-128,127}"},
    {"Mul(u8[1]{200}, u8[1]{2})", "uint8[1]{144}"},
    {"Sub(i32[1]{-2147483648}, i32[1]{1})", "int32[1]{2147483647}"},
    /* and divide towards zero; by zero it is 0 */
    {"Div(i64[3]{7,-7,7}, i64[3]{2,2,-2})", "int64[3]{3,-3,-3}"},
    {"Div(i64[2]{5,-9223372036854775808}, i64[2]{0,-1})",
     "int64[2]{0,-9223372036854775808}"},
    {"Div(f32[3]{1,-1,0}, f32[3]{0,0,0})", "float32[3]{inf,-inf,nan}"},
    {"Mod(i64[4]{7,-7,7,-7}, i64[4]{3,3,-3,-3})", "int64[4]{1,2,-2,-1}"},
    {"Mod(i64[4]{7,-7,7,-7}, i64[4]{3,3,-3,-3}) fmod=1", "int64[4]{1,-1,1,-1}"},
    {"Mod(f32[2]{-5.5,5.5}, f32[2]{2,-2}) fmod=1", "float32[2]{-1.5,1.5}"},
    {"Mod(f32[1]{5}, f32[1]{2})", "unsupported-type"},
    {"Mod(f32[5]{7.5,-7.5,7.5,-7.5,-4}, f32[5]{2,2,-2,-2,2}) @28",
     "float32[5]{1.5,0.5,-0.5,-1.5,0}"},
    {"Mod(i64[2]{5,-9223372036854775808}, i64[2]{0,-1})", "int64[2]{0,0}"},
    {"Pow(f32[3]{2,3,4}, f32[]{0.5})", "float32[3]{1.41421,1.73205,2}"},
    {"Pow(f32[4]{-3,nan,-inf,-0}, f32[1,1]{2})", "float32[1,4]{9,nan,inf,0}"},
    {"Pow(f32[2]{2,3}, i64[2]{3,2})", "float32[2]{8,9}"},
    {"Pow(i64[3]{2,-3,7}, i64[3]{10,3,-1})", "int64[3]{1024,-27,0}"},
    {"Pow(i32[2]{10,2}, f32[2]{2,0.5})", "int32[2]{100,1}"},
    /* NaN is never the smaller or the larger */
    {"Max(f32[3]{nan,1,2}, f32[3]{1,nan,3})", "float32[3]{nan,nan,3}"},
    {"Min(f32[3]{nan,1,2}, f32[3]{1,nan,3})", "float32[3]{nan,nan,2}"},
    {"Max(i64[2]{1,5}, i64[1]{3}, i64[2]{2,2})", "int64[2]{3,5}"},
    {"Max(f32[2]{1,2})", "float32[2]{1,2}"},
    {"Max(u64[1]{-1}, u64[1]{1})", "uint64[1]{-1}"}, /* 2^64 - 1 */
    {"Mean(f32[2]{1,2}, f32[1]{3}, f32[2]{5,4})", "float32[2]{3,3}"},
    {"Sum(f32[2]{1,2}, f32[2]{1,2}, f32[2]{1,2})", "float32[2]{3,6}"},
    /* comparisons and logic give bool */
    {"Equal(f32[3]{1,nan,2}, f32[3]{1,nan,3})", "bool[3]{1,0,0}"},
    {"Equal(bool[2]{0,1}, bool[1]{1})", "bool[2]{0,1}"},
    {"Less(u64[1]{-1}, u64[1]{1})", "bool[1]{0}"},
    {"GreaterOrEqual(i64[3]{1,2,3}, i64[]{2})", "bool[3]{0,1,1}"},
    {"Xor(bool[4]{0,0,1,1}, bool[4]{0,1,0,1})", "bool[4]{0,1,1,0}"},
    {"And(f32[1], f32[1])", "unsupported-type"},
    {"Not(bool[2]{0,1})", "bool[2]{1,0}"},
    {"Where(bool[3]{1,0,1}, i64[3]{1,2,3}, i64[3]{7,8,9})", "int64[3]{1,8,3}"},
    {"Where(bool[2,1]{1,0}, f32[2]{1,2}, f32[]{9})", "float32[2,2]{1,2,9,9}"},
    /* one input */
    {"Abs(i8[2]{-128,-3})", "int8[2]{-128,3}"},
    {"Neg(f32[2]{1,-2})", "float32[2]{-1,2}"},
    {"Sin(f32[5]{4194304,inf,nan,1048576,0})",
     "float32[5]{0.975129,nan,nan,0.330493,0}"},
    {"Cos(f32[5]{4194304,-inf,nan,1048576,0})",
     "float32[5]{0.221636,nan,nan,0.943808,1}"},
    {"Sign(f32[4]{-3,0,5,nan})", "float32[4]{-1,0,1,nan}"},
    {"Round(f32[5]{0.5,1.5,2.5,-0.5,-1.5})", "float32[5]{0,2,2,0,-2}"},
    {"Floor(f32[2]{-1.5,1.5})", "float32[2]{-2,1}"},
    {"Ceil(f32[2]{-1.5,1.5})", "float32[2]{-1,2}"},
    {"Relu(f32[3]{-1,nan,2})", "float32[3]{0,nan,2}"},
    {"Sqrt(f32[3]{4,0,-1})", "float32[3]{2,0,nan}"},
    {"Sigmoid(f32[3]{0,1000,-1000})", "float32[3]{0.5,1,0}"},
    {"Softplus(f32[3]{0,1000,-1000})", "float32[3]{0.693147,1000,0}"},
    {"Tanh(f32[2]{100,-100})", "float32[2]{1,-1}"},
    {"Erf(f32[4]{0,0.5,-1,10})", "float32[4]{0,0.5205,-0.842701,1}"},
    {"Gelu(f32[3]{-1,0,1})", "float32[3]{-0.158655,0,0.841345}"},
    {"Gelu(f32[2]{-1,1}) approximate=\"tanh\"",
     "float32[2]{-0.158808,0.841192}"},
    {"IsNaN(f32[3]{nan,1,inf})", "bool[3]{1,0,0}"},
    {"IsInf(f32[4]{nan,1,inf,-inf})", "bool[4]{0,0,1,1}"},
    {"IsInf(f32[2]{inf,-inf}) detect_negative=0", "bool[2]{1,0}"},
    {"IsInf(f32[2]{inf,-inf}) detect_positive=0", "bool[2]{0,1}"},
    /* Clip: the upper bound wins, NaN stays, bounds may be absent */
    {"Clip(f32[4]{-5,0.5,5,nan}, f32[]{-1}, f32[]{1})",
     "float32[4]{-1,0.5,1,nan}"},
    {"Clip(f32[2]{0,9}, f32[]{5}, f32[]{3})", "float32[2]{3,3}"},
    {"Clip(f32[2]{-7,7}, -, f32[]{1})", "float32[2]{-7,1}"},
    {"Clip(i64[3]{-5,0,5}, i64[]{-1})", "int64[3]{-1,0,5}"},
    {"Clip(f32[2]{-7,7}) min=-2. max=3. @6", "float32[2]{-2,3}"},
    {"Clip(f32[1], f32[2])", "bad-shape"},
    /* casts truncate, wrap, and take what is not zero for true */
    {"Cast(f32[4]{1.9,-1.9,0.5,nan}) to=7", "int64[4]{1,-1,0,0}"},
    {"Cast(f32[4]{inf,-inf,9223371487098961920,-1e30}) to=7",
     "int64[4]{9223372036854775807,-9223372036854775808,9223371487098961920,"
     "-9223372036854775808}"},
    {"Cast(f32[3]{0,0.5,-2}) to=9", "bool[3]{0,1,1}"},
    {"Cast(i64[2]{300,-1}) to=2", "uint8[2]{44,255}"},
    {"Cast(i64[2]{3,-1}) to=1", "float32[2]{3,-1}"},
    {"Cast(u64[1]{-1}) to=1", "float32[1]{1.84467e+19}"},
    {"Cast(f32[2]{1,2}) to=10", "float16[2]{1,2}"},
    {"Cast(f32[2]{1,2}) to=17", "unsupported-type"},
    {"CastLike(f32[2]{1.5,2.5}, i32[1]{0})", "int32[2]{1,2}"},
    {"PRelu(f32[2,2]{-1,1,-2,2}, f32[2]{2,3})", "float32[2,2]{-2,1,-4,2}"},
    {"Dropout(f32[2]{1,2}) -> 2", "float32[2]{1,2}; bool[2]{1,1}"},
    {"Dropout(f32[2]{1,2}, f32[]{0.5}, bool[]{1})", "unsupported-operator"},
    {"Dropout(f32[2]{1,2}, f32[]{0}, bool[]{1})", "float32[2]{1,2}"},
};

START_TEST(values_by_hand)
{
    check_exec_row(&rows[_i]);
}
END_TEST

static const char *const maps[] = {"Abs",        "Celu",
                                   "Cos",        "Elu",
                                   "Erf",        "Exp",
                                   "Gelu",       "HardSigmoid",
                                   "HardSwish",  "LeakyRelu",
                                   "Mish",       "Neg",
                                   "Reciprocal", "Relu",
                                   "Selu",       "Sigmoid",
                                   "Sin",        "Softplus",
                                   "Softsign",   "Swish",
                                   "Tanh",       "ThresholdedRelu"};

/* The opset has all of them. 50,000 elements are several pieces of work. */
START_TEST(formulas_against_the_oracle)
{
    char line[100];
    static const char *const dims[] = {"50000", "", "0,3", "2,3,4,5"};
    for (size_t i = 0; i < sizeof dims / sizeof *dims; i++) {
        snprintf(line, sizeof line, "%s(f32[%s]) @24", maps[_i], dims[i]);
        check_oracle(line);
    }
}
END_TEST

START_TEST(attributes_against_the_oracle)
{
    check_oracle("LeakyRelu(f32[40]) alpha=0.25");
    check_oracle("Elu(f32[40]) alpha=2.5");
    check_oracle("Celu(f32[40]) alpha=2.5");
    check_oracle("Selu(f32[40]) alpha=2.5 gamma=0.5");
    check_oracle("HardSigmoid(f32[40]) alpha=0.5 beta=0.25");
    check_oracle("ThresholdedRelu(f32[40]) alpha=0.25");
    check_oracle("Swish(f32[40]) alpha=0.25 @24");
}
END_TEST

/* Pairs of shapes that broadcast. */
static const char *const shapes[][2] = {{"2,3,4,5", "2,3,4,5"},
                                        {"2,3,4,5", "1"},
                                        {"", "2,3"},
                                        {"2,3,4,5", "5"},
                                        {"2,3,4,5", "3,1,1"},
                                        {"2,3,4,5", "4,1"},
                                        {"2,1,4,1", "1,3,1,5"},
                                        {"1,3,1,5", "2,1,4,1"},
                                        {"3,1", "1,4"},
                                        {"0,3", "1,3"},
                                        {"2,0", "1"},
                                        {"1,1,1", "1"},
                                        {"2,1,3,1,2,1,2", "3,1,2,1,2"},
                                        {"300,1", "1,300"}};
static const char *const operators[] = {"Add", "Sub", "Mul", "Div",
                                        "Max", "Min", "Less"};

START_TEST(broadcasting_against_the_oracle)
{
    char line[100];
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++) {
        snprintf(line, sizeof line, "%s(f32[%s], f32[%s])", operators[i],
                 shapes[_i][0], shapes[_i][1]);
        check_oracle(line);
    }
    snprintf(line, sizeof line, "Where(bool[%s], f32[%s], f32[1])",
             shapes[_i][0], shapes[_i][1]);
    check_oracle(line);
}
END_TEST

/* So that a constant that is folded is the same on every machine. */
START_TEST(erf_at_the_plain_level_rounds_every_operation)
{
    Arena *arena = arena_new(0);
    ExecCase run;
    exec_case(arena, "Erf(f32[1000])",
              &(ExecOptions){.precision = PRECISION_F64, .level = SIMD_PLAIN},
              &run);
    ck_assert_int_eq(run.result, 0);
    const double *x = run.inputs[0]->data, *y = run.outputs[0]->data;
    for (int i = 0; i < 1000; i++)
        ck_assert(y[i] == fast_erf_f64(x[i]));
    arena_free(arena);
}
END_TEST

Suite *suite_kern_elementwise(void)
{
    Suite *suite = suite_create("kern_elementwise");
    TCase *tcase = tcase_create("kern_elementwise");
    tcase_add_loop_test(tcase, values_by_hand, 0, sizeof rows / sizeof *rows);
    tcase_add_loop_test(tcase, formulas_against_the_oracle, 0,
                        sizeof maps / sizeof *maps);
    tcase_add_test(tcase, attributes_against_the_oracle);
    tcase_add_loop_test(tcase, broadcasting_against_the_oracle, 0,
                        sizeof shapes / sizeof *shapes);
    tcase_add_test(tcase, erf_at_the_plain_level_rounds_every_operation);
    suite_add_tcase(suite, tcase);
    return suite;
}
