/* Elementwise functions as their kernels compute them, against their formulas
 * in long double: the errors that kern_map.inc.c states. */
#include <float.h>
#include <math.h>

#include "base/random.h"
#include "exec/exec.h"
#include "net.h"
#include "suites.h"

enum { COUNT = 20000 };

static long double logistic(long double x)
{
    return 1 / (1 + expl(-x));
}

static long double softplus(long double x)
{
    return fmaxl(x, 0) + log1pl(expl(-fabsl(x)));
}

static long double swish(long double x)
{
    return x * logistic(x);
}

static long double mish(long double x)
{
    return x * tanhl(softplus(x));
}

static long double hard_swish(long double x)
{
    return x * fminl(fmaxl(x / 6 + 0.5L, 0), 1);
}

static long double elu(long double x)
{
    return x < 0 ? expm1l(x) : x;
}

static long double gelu(long double x)
{
    return x * 0.5L * erfcl(-x * M_SQRT1_2l);
}

static long double gelu_tanh(long double x)
{
    long double inner = sqrtl(2 / M_PIl) * (x + 0.044715L * x * x * x);
    return x * logistic(2 * inner);
}

static const struct {
    Op op;
    const char *approximate;
    long double (*exact)(long double);
    double most; /* units of the last place */
    bool of_x;   /* those of x; else of the result */
} rows[] = {
    {OP_Sigmoid, NULL, logistic, 2.5, false},
    {OP_Tanh, NULL, tanhl, 2.5, false},
    {OP_Softplus, NULL, softplus, 2.5, false},
    {OP_Swish, NULL, swish, 2.5, false},
    {OP_Mish, NULL, mish, 4.5, false},
    {OP_Elu, NULL, elu, 2, false},
    {OP_HardSwish, NULL, hard_swish, 1.5, true},
    {OP_Gelu, "none", gelu, 2, true},
    {OP_Gelu, "tanh", gelu_tanh, 2, true},
};

static double last_place(long double x, int digits, int least)
{
    int exponent;
    frexpl(x, &exponent);
    exponent -= digits;
    return ldexp(1, exponent < least ? least : exponent);
}

/* All over where something happens, and near 0 in all sizes. */
static double sample(uint64_t i)
{
    double unit = random_unit(3, i);
    if (i % 3)
        return 24 * unit - 12;
    return (i % 2 ? -1 : 1) * exp2(-40 * unit);
}

static double worst_error(int row, const Array *x, const Array *y, bool is_f32)
{
    double worst = 0;
    for (int64_t i = 0; i < COUNT; i++) {
        long double in = is_f32 ? (long double)((const float *)x->data)[i]
                                : (long double)((const double *)x->data)[i];
        long double out = is_f32 ? (long double)((const float *)y->data)[i]
                                 : (long double)((const double *)y->data)[i];
        long double exact = rows[row].exact(in);
        double place = last_place(rows[row].of_x ? in : exact,
                                  is_f32 ? FLT_MANT_DIG : DBL_MANT_DIG,
                                  is_f32 ? -149 : -1074);
        worst = fmax(worst, (double)fabsl(out - exact) / place);
    }
    return worst;
}

static void check_row(int row, Precision precision, SimdLevel level)
{
    Arena *arena = arena_new(0);
    Err err = {0};
    Net net = toy_new(arena);
    bool is_f32 = precision == PRECISION_F32;
    toy_input(&net, "x", DT_DOUBLE, 1, (const int64_t[]){COUNT});
    toy_output(&net, "y", DT_DOUBLE);
    Node *node = toy_node(&net, rows[row].op, "x", "y");
    if (rows[row].approximate)
        node_set_string(node, "approximate", rows[row].approximate);
    net.model->opset = 24;
    toy_finish(&net);
    Array *x =
        array_new(arena, DT_DOUBLE, 1, (const int64_t[]){COUNT}, precision);
    for (int64_t i = 0; i < COUNT; i++)
        if (is_f32)
            ((float *)x->data)[i] = (float)sample((uint64_t)i);
        else
            ((double *)x->data)[i] = sample((uint64_t)i);
    Exec *exec;
    Array *y;
    ExecOptions options = {.precision = precision, .level = level};
    ck_assert_msg(exec_new(arena, net.graph, &options, &exec, &err) == 0 &&
                      exec_run(exec, arena, &x, &y, &err) == 0,
                  "%s", err.message);
    double worst = worst_error(row, x, y, is_f32);
    ck_assert_msg(worst <= rows[row].most, "%s: %g ulp in %s", node->op_type,
                  worst, is_f32 ? "float32" : "float64");
    arena_free(arena);
}

START_TEST(errors_stay_within_what_is_stated)
{
    check_row(_i, PRECISION_F32, SIMD_PLAIN);
    check_row(_i, PRECISION_F32, SIMD_BEST);
    check_row(_i, PRECISION_F64, SIMD_PLAIN);
    check_row(_i, PRECISION_F64, SIMD_BEST);
}
END_TEST

Suite *suite_kern_map(void)
{
    Suite *suite = suite_create("kern_map");
    TCase *tcase = tcase_create("kern_map");
    tcase_add_loop_test(tcase, errors_stay_within_what_is_stated, 0,
                        sizeof rows / sizeof *rows);
    suite_add_tcase(suite, tcase);
    return suite;
}
