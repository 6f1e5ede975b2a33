/*
 * The bound on what errors of a node's inputs can make of its outputs.  A row
 * is a node in the notation of exec_case.h.  Its inputs are moved about within
 * their errors, to the ends as well: no element of an output may move further
 * than its bound, and some must go a good part of the way.
 */
#include <math.h>
#include <string.h>

#include "base/random.h"
#include "exec_case.h"
#include "judge/bound.h"
#include "suites.h"

enum { TRIALS = 200 };

typedef struct Row {
    const char *line;
    double least; /* part of the bound that must be met; 0: no rigorous one */
} Row;

/* Sums meet their bound where all errors have the worst signs, which random
 * ones seldom have. */
static const Row rows[] = {
    {"Conv(f32[1,2,4,4], f32[3,2,2,2], f32[3])", 0.2},
    {"ConvTranspose(f32[1,2,3,3], f32[2,3,2,2], f32[3])", 0.2},
    {"Gemm(f32[2,3], f32[3,2], f32[2])", 0.2},
    {"Gemm(f32[2,3], f32[3,2], f32[2]) transA=0 alpha=-2. beta=0.5", 0},
    {"MatMul(f32[2,3], f32[3,2])", 0.2},
    {"Einsum(f32[2,3], f32[3,2]) equation=\"ij,jk->ik\"", 0.2},
    {"Einsum(f32[2], f32[2,3], f32[3]) equation=\"i,ij,j->\"", 0},
    {"Add(f32[2,3], f32[3])", 0.5},
    {"Sub(f32[2,3], f32[3])", 0.5},
    {"Mul(f32[2,3], f32[3])", 0.5},
    {"Div(f32[2,3], f32[3]{3,-2,4})", 0.5},
    {"DequantizeLinear(i8[2,3], f32[3], i8[3]{3,-2,4})", 0.5},
    {"Sum(f32[3], f32[3], f32[3])", 0.5},
    {"Mean(f32[3], f32[3])", 0.5},
    {"Max(f32[8], f32[8])", 0.5},
    {"Min(f32[8], f32[8])", 0.5},
    {"AveragePool(f32[1,1,4,4]) kernel_shape=[2,2]", 0.3},
    {"MaxPool(f32[1,1,4,4]) kernel_shape=[2,2]", 0.5},
    {"GlobalAveragePool(f32[1,2,2,2])", 0.3},
    {"ReduceMean(f32[2,3]) keepdims=0", 0.3},
    {"ReduceMax(f32[2,3], i64[1]{1})", 0.3},
    {"ReduceMin(f32[2,3], i64[1]{1})", 0.3},
    {"Resize(f32[1,1,3,3], -, f32[4]{1,1,2,2}) mode=\"linear\"", 0.3},
    {"Resize(f32[1,1,3,3], -, f32[4]{1,1,2,2}) mode=\"nearest\"", 0.5},
    {"Resize(f32[1,1,4,4], -, f32[4]{1,1,2,2}) mode=\"cubic\"", 0},
    {"RoiAlign(f32[1,1,4,4], f32[1,4]{0.5,0.5,3,3}, i64[1]{0}) "
     "output_height=2 output_width=2",
     0.3},
    {"RoiAlign(f32[1,1,4,4], f32[1,4]{0.5,0.5,3,3}, i64[1]{0}) "
     "output_height=2 mode=\"max\"",
     0.2},
    {"Transpose(f32[2,3]) perm=[1,0]", 0.5},
    {"DepthToSpace(f32[1,4,2,2]) blocksize=2", 0.5},
    {"Concat(f32[2], f32[3]) axis=0", 0.5},
    {"Col2Im(f32[1,4,4], i64{3,3}, i64{2,2})", 0.3},
    {"Compress(f32[2,3], bool[3]{1,0,1}) axis=1", 0.5},
    {"ReverseSequence(f32[2,3], i64[3]{2,1,2})", 0.5},
    {"Pad(f32[3], i64[2]{1,1}, f32[])", 0.5},
    {"Where(bool[3], f32[3], f32[3])", 0.5},
    {"Relu(f32[8])", 0.5},
    {"LeakyRelu(f32[8]) alpha=1.5", 0.5},
    {"PRelu(f32[8], f32[1])", 0},
    {"Elu(f32[8]) alpha=2.", 0.2},
    {"Celu(f32[8])", 0.2},
    {"Selu(f32[8])", 0.2},
    {"HardSigmoid(f32[8]) alpha=0.5", 0.5},
    {"HardSwish(f32[16])", 0.2},
    {"Sigmoid(f32[8])", 0.2},
    {"Tanh(f32[8])", 0.2},
    {"Atan(f32[8])", 0.2},
    {"Asinh(f32[8])", 0.2},
    {"Erf(f32[8])", 0.2},
    {"Softplus(f32[8])", 0.2},
    {"Gelu(f32[16])", 0.2},
    {"Mish(f32[16])", 0.2},
    {"Exp(f32[8])", 0.5},
    {"Log(f32[3]{1,0.25,7})", 0.5},
    {"Sqrt(f32[3]{1,0.25,7})", 0.2},
    {"Reciprocal(f32[3]{1,-0.25,7})", 0.5},
    {"Pow(f32[3]{1,0.25,7}, f32[]{3})", 0},
    {"Softmax(f32[2,3])", 0.2},
    {"LogSoftmax(f32[2,3])", 0.2},
    {"BatchNormalization(f32[2,2,3], f32[2], f32[2], f32[2], f32[2]{1,4})", 0},
    {"LayerNormalization(f32[2,4], f32[4])", 0},
    {"Abs(f32[8])", 0.5},
    {"AveragePool(f32[1,1,4,4]) kernel_shape=[2,2] pads=[1,1,1,1] "
     "count_include_pad=1",
     0.3},
    {"Clip(f32[8], f32[]{-0.5}, f32[]{0.5})", 0},
    {"Cos(f32[8])", 0.2},
    {"Expand(f32[1,3], i64[2]{2,3})", 0.5},
    {"Gather(f32[4,2], i64[2]{3,0})", 0.5},
    {"GlobalMaxPool(f32[1,2,3,3])", 0.5},
    {"Neg(f32[8])", 0.5},
    {"ReduceL1(f32[2,3])", 0.3},
    {"ReduceSum(f32[2,3], i64[1]{1})", 0.3},
    {"Sin(f32[8])", 0.2},
    {"Slice(f32[4], i64[1]{1}, i64[1]{3})", 0.5},
    {"Softmax(f32[2,3,2]) axis=1", 0.1},
    {"Softsign(f32[8])", 0.2},
    {"Swish(f32[16]) alpha=2. @24", 0.2},
    {"Tile(f32[2], i64[1]{2})", 0.5},
    {"Upsample(f32[1,1,3,3]) mode=\"linear\" scales=[1.,1.,2.,2.] @7", 0.3},
};

static Arena *arena;
static const ExecOptions options = {.precision = PRECISION_F64};

static void setup(void)
{
    arena = arena_new(0);
}

static void teardown(void)
{
    arena_free(arena);
}

static Array *array_like(const Array *array)
{
    return array_new(arena, array->type, array->rank, array->dims,
                     PRECISION_F64);
}

/* About 1e-4 of a real input, which is exact in double. */
static Array *error_of(const Array *input, uint64_t seed)
{
    if (!input || !dtype_is_real(input->type))
        return NULL;
    Array *error = array_like(input);
    for (int64_t i = 0; i < input->count; i++)
        ((double *)error->data)[i] = 1e-4 * random_unit(seed, (uint64_t)i);
    return error;
}

/* The input moved within its error: at random, or to the end of random sides,
 * or all the same way. */
static Array *moved(const Bounded *input, int trial, uint64_t seed)
{
    Array *made = array_like(input->value);
    const double *from = input->value->data, *error = input->error->data;
    for (int64_t i = 0; i < made->count; i++) {
        double way = 2 * random_unit(seed, (uint64_t)i) - 1;
        if (trial % 3 > 0)
            way = trial % 3 == 1 || trial > TRIALS / 2 ? copysign(1, way) : 1;
        ((double *)made->data)[i] = from[i] + way * error[i];
    }
    return made;
}

/* The largest part of its bound that an element has moved. */
static double largest_part(const Array *from, const Array *to,
                           const Array *bound)
{
    double largest = 0;
    for (int64_t i = 0; i < from->count; i++) {
        double away = fabs(((const double *)to->data)[i] -
                           ((const double *)from->data)[i]);
        double limit = ((const double *)bound->data)[i];
        if (away > 0)
            largest = fmax(largest, away / limit);
    }
    return largest;
}

static double part_met(const ExecCase *run, const Bounded *inputs,
                       const Array *bound)
{
    const Node *node = run->line.node;
    double most = 0;
    for (int trial = 0; trial < TRIALS; trial++) {
        Array *given[CASE_INPUTS] = {0}, *outputs[CASE_OUTPUTS] = {0};
        Err err = {0};
        for (int i = 0; i < node->input_count; i++)
            given[i] = inputs[i].error
                           ? moved(&inputs[i], trial,
                                   random_stream((uint64_t)trial, (uint64_t)i))
                           : inputs[i].value;
        ck_assert_int_eq(exec_node(arena, node, &options, given, outputs, &err),
                         0);
        most = fmax(most, largest_part(run->outputs[0], outputs[0], bound));
    }
    return most;
}

/* What says how large the output is has no error. */
static bool is_operand(const Node *node, int slot)
{
    return (node->op != OP_Resize && node->op != OP_RoiAlign) || slot == 0;
}

/* With errors of the first real input alone, or of all. */
static void check_row(const Row *row, bool all)
{
    bool done = false;
    ExecCase run;
    Bounded inputs[CASE_INPUTS] = {{0}};
    Array *errors[CASE_OUTPUTS] = {0};
    exec_case(arena, row->line, &options, &run);
    ck_assert_msg(run.result == 0, "%s: %s", row->line, run.err.message);
    for (int i = 0; i < run.line.node->input_count; i++) {
        inputs[i].value = run.inputs[i];
        if (is_operand(run.line.node, i) && (all || !done))
            inputs[i].error = error_of(run.inputs[i], (uint64_t)i);
        done |= inputs[i].error != NULL;
    }
    BoundCall call = {.arena = arena,
                      .node = run.line.node,
                      .options = &options,
                      .inputs = inputs,
                      .outputs = run.outputs};
    ck_assert_msg(bound_node(&call, errors, &run.err) == 0, "%s: %s", row->line,
                  run.err.message);
    ck_assert_ptr_nonnull(errors[0]);
    double part = part_met(&run, inputs, errors[0]);
    /* Moving an input and seeing how far the output went rounds, too. */
    ck_assert_msg(part <= 1 + 1e-9 && part >= row->least && part > 0,
                  "%s: %g of the bound", row->line, part);
}

/* ---- What is exact ---- */

/* The bounds of a node's outputs, with an error of its first input or none. */
static void errors_of(const char *line, bool has_error, ExecCase *run,
                      Array **errors)
{
    Bounded inputs[CASE_INPUTS] = {{0}};
    exec_case(arena, line, &options, run);
    ck_assert_msg(run->result == 0, "%s: %s", line, run->err.message);
    for (int i = 0; i < run->line.node->input_count; i++)
        inputs[i].value = run->inputs[i];
    if (has_error)
        inputs[0].error = error_of(run->inputs[0], 0);
    BoundCall call = {.arena = arena,
                      .node = run->line.node,
                      .options = &options,
                      .inputs = inputs,
                      .outputs = run->outputs};
    ck_assert_int_eq(bound_node(&call, errors, &run->err), 0);
}

/* No number that an attribute holds is an error. */
START_TEST(what_a_node_puts_in_is_exact)
{
    static const char *const lines[] = {
        "Pad(f32[3]) pads=[1,1] value=-5. @2",
        "Resize(f32[1,1,2,2], f32[8]{0,0,-1,-1,1,1,2,2}, f32[4]{1,1,2,2}) "
        "mode=\"linear\" extrapolation_value=-5. "
        "coordinate_transformation_mode=\"tf_crop_and_resize\"",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        ExecCase run;
        Array *errors[CASE_OUTPUTS] = {0};
        errors_of(lines[i], true, &run, errors);
        const double *y = run.outputs[0]->data, *error = errors[0]->data;
        ck_assert_double_eq(y[0], -5);
        for (int64_t k = 0; k < errors[0]->count; k++)
            ck_assert_msg(error[k] >= 0 && error[k] < 1.1e-4 &&
                              (y[k] != -5 || error[k] == 0),
                          "%s: %g at %lld", lines[i], error[k], (long long)k);
    }
}
END_TEST

/* Whoever reads the second output alone gets as good a bound. */
START_TEST(an_output_that_nobody_reads_changes_no_bound)
{
    ExecCase run;
    Array *errors[CASE_OUTPUTS] = {0}, *alone[CASE_OUTPUTS] = {0};
    const char *line = "Split(f32[4], i64[2]{1,3}) -> 2";
    errors_of(line, true, &run, errors);
    Bounded inputs[CASE_INPUTS] = {
        {.value = run.inputs[0], .error = error_of(run.inputs[0], 0)},
        {.value = run.inputs[1]}};
    run.outputs[0] = NULL;
    BoundCall call = {.arena = arena,
                      .node = run.line.node,
                      .options = &options,
                      .inputs = inputs,
                      .outputs = run.outputs};
    ck_assert_int_eq(bound_node(&call, alone, &run.err), 0);
    ck_assert_ptr_null(alone[0]);
    ck_assert_mem_eq(alone[1]->data, errors[1]->data, 3 * sizeof(double));
}
END_TEST

/* Of as many exponentials as are added up. */
START_TEST(a_long_softmax_rounds_more)
{
    static const char *const lines[] = {
        "Softmax(f32[2,1000,3]) axis=1",
        "LogSoftmax(f32[2,1000,3]) axis=1",
        "Softmax(f32[2,50,20]) @11",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        ExecCase run;
        Array *errors[CASE_OUTPUTS] = {0};
        errors_of(lines[i], false, &run, errors);
        for (int64_t k = 0; k < errors[0]->count; k++) {
            double size = fabs(((const double *)run.outputs[0]->data)[k]);
            double error = ((const double *)errors[0]->data)[k];
            ck_assert_msg(error >= 1000 * 0x1p-53 * size &&
                              error <= 1010 * 0x1p-53 * (size + 1),
                          "%s: %g", lines[i], error);
        }
    }
}
END_TEST

START_TEST(no_output_moves_further_than_its_bound)
{
    check_row(&rows[_i], false);
    check_row(&rows[_i], true);
}
END_TEST

Suite *suite_bound(void)
{
    Suite *suite = suite_create("bound");
    TCase *tcase = tcase_create("bound");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, no_output_moves_further_than_its_bound, 0,
                        (int)(sizeof rows / sizeof *rows));
    tcase_add_test(tcase, what_a_node_puts_in_is_exact);
    tcase_add_test(tcase, a_long_softmax_rounds_more);
    tcase_add_test(tcase, an_output_that_nobody_reads_changes_no_bound);
    suite_add_tcase(suite, tcase);
    return suite;
}
