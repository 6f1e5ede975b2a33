/* Attention against the formula of ONNX Attention-23, loop by loop. */
#include <math.h>

#include "folding.h"
#include "suites.h"

enum {
    BATCH = 2,
    HEADS = 4,
    SHARED = 2,
    ROWS = 3,
    KEYS = 5,
    WIDTH = 4,
    OUT = 3
};

static Arena *arena;
static Bench bench;

static void setup(void)
{
    arena = arena_new(0);
    bench = (Bench){.arena = arena, .random = 5};
    bench.model = model_new(arena);
    bench.graph = bench.model->graph = graph_new(bench.model, NULL);
    bench.model->opset = 23;
}

static void teardown(void)
{
    arena_free(arena);
}

static Array *random_array(Precision precision, int rank, const int64_t *dims)
{
    Array *array = array_new(arena, DT_FLOAT, rank, dims, precision);
    for (int64_t i = 0; i < array->count; i++) {
        double number = (double)(float)bench_number(&bench);
        if (precision == PRECISION_F64)
            ((double *)array->data)[i] = number;
        else
            ((float *)array->data)[i] = (float)number;
    }
    return array;
}

static double at(const Array *array, Precision precision, int64_t index)
{
    double value;
    array_to_f64(array, precision, index, 1, &value);
    return value;
}

/* q, k, v as (batch, heads, length, width); the mask as (ROWS, KEYS). */
static double expected(Array *const *in, Precision p, bool causal,
                       double softcap, int64_t b, int64_t h, int64_t row,
                       int64_t column)
{
    double scores[KEYS], most = -HUGE_VAL, sum = 0, y = 0;
    int64_t shared = b * SHARED + h / (HEADS / SHARED);
    for (int64_t j = 0; j < KEYS; j++) {
        double dot = 0;
        for (int64_t i = 0; i < WIDTH; i++)
            dot += at(in[0], p, ((b * HEADS + h) * ROWS + row) * WIDTH + i) *
                   at(in[1], p, (shared * KEYS + j) * WIDTH + i);
        dot /= 2; /* 1 / sqrt(WIDTH) */
        if (softcap > 0)
            dot = softcap * tanh(dot / softcap);
        dot += at(in[3], p, row * KEYS + j);
        scores[j] = causal && j > row ? -HUGE_VAL : dot;
        most = fmax(most, scores[j]);
    }
    for (int64_t j = 0; j < KEYS; j++)
        sum += exp(scores[j] - most);
    for (int64_t j = 0; j < KEYS; j++)
        y += exp(scores[j] - most) / sum *
             at(in[2], p, (shared * KEYS + j) * OUT + column);
    return y;
}

static void check_attention(Precision precision, bool causal, float softcap,
                            double tolerance)
{
    const int64_t dims[4][4] = {{BATCH, HEADS, ROWS, WIDTH},
                                {BATCH, SHARED, KEYS, WIDTH},
                                {BATCH, SHARED, KEYS, OUT},
                                {ROWS, KEYS}};
    Array *inputs[4], *output = NULL;
    for (int i = 0; i < 4; i++)
        inputs[i] = random_array(precision, i < 3 ? 4 : 2, dims[i]);
    Value *values[4], *y = graph_fresh_value(bench.graph, "y");
    for (int i = 0; i < 4; i++)
        values[i] = graph_fresh_value(bench.graph, "x");
    Node *node = node_new(bench.graph, OP_Attention, "a", values, 4, &y, 1);
    node_set_int(node, "is_causal", causal);
    node_set_float(node, "softcap", softcap);
    ExecOptions options = {.precision = precision};
    Err err = {0};
    ck_assert_msg(exec_node(arena, node, &options, inputs, &output, &err) == 0,
                  "%s", err.message);
    ck_assert_int_eq(output->count, BATCH * HEADS * ROWS * OUT);
    for (int64_t i = 0; i < output->count; i++) {
        double want =
            expected(inputs, precision, causal, (double)softcap,
                     i / (HEADS * ROWS * OUT), i / (ROWS * OUT) % HEADS,
                     i / OUT % ROWS, i % OUT);
        ck_assert_double_eq_tol(at(output, precision, i), want, tolerance);
    }
}

START_TEST(heads_share_keys_and_a_mask_is_added)
{
    check_attention(PRECISION_F64, false, 0, 1e-14);
    check_attention(PRECISION_F32, false, 0, 1e-6);
}
END_TEST

START_TEST(causal_rows_see_the_past_only)
{
    check_attention(PRECISION_F64, true, 0, 1e-14);
}
END_TEST

START_TEST(scores_can_be_capped)
{
    check_attention(PRECISION_F64, false, 0.5f, 1e-14);
}
END_TEST

START_TEST(what_does_not_fit_is_refused)
{
    const int64_t q[4] = {1, 2, 3, 4}, k[4] = {1, 2, 3, 5};
    Array *inputs[3] = {random_array(PRECISION_F64, 4, q),
                        random_array(PRECISION_F64, 4, k),
                        random_array(PRECISION_F64, 4, k)};
    Value *values[3], *y = graph_fresh_value(bench.graph, "y");
    for (int i = 0; i < 3; i++)
        values[i] = graph_fresh_value(bench.graph, "x");
    Node *node = node_new(bench.graph, OP_Attention, "a", values, 3, &y, 1);
    ExecOptions options = {.precision = PRECISION_F64};
    Array *output = NULL;
    Err err = {0};
    ck_assert_int_eq(exec_node(arena, node, &options, inputs, &output, &err),
                     -1);
    ck_assert_int_eq(err.code, ERR_BAD_SHAPE);
}
END_TEST

Suite *suite_attention(void)
{
    Suite *suite = suite_create("attention");
    TCase *tcase = tcase_create("attention");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, heads_share_keys_and_a_mask_is_added);
    tcase_add_test(tcase, causal_rows_see_the_past_only);
    tcase_add_test(tcase, scores_can_be_capped);
    tcase_add_test(tcase, what_does_not_fit_is_refused);
    suite_add_tcase(suite, tcase);
    return suite;
}
