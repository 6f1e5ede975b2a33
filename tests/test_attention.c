/* Attention against the formula of ONNX Attention-25, loop by loop. */
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

/* ---- What is the same, said otherwise ---- */

/* Inputs of one node: queries, keys, values, and what is set of the others. */
typedef struct Given {
    Array *in[7];
    int left, right;   /* -1 for no bound */
    int heads, shared; /* of queries, of keys and values; 0 where axis 1 says */
    bool causal;
} Given;

static void run(const Given *given, Array **outputs)
{
    ExecOptions options = {.precision = PRECISION_F64};
    Value *in[7] = {0}, *out[4];
    Err err = {0};
    for (int i = 0; i < 7; i++)
        if (given->in[i])
            in[i] = graph_fresh_value(bench.graph, "x");
    for (int i = 0; i < 4; i++)
        out[i] = graph_fresh_value(bench.graph, "y");
    Node *node = node_new(bench.graph, OP_Attention, "a", in, 7, out, 4);
    node_set_int(node, "is_causal", given->causal);
    if (given->heads) {
        node_set_int(node, "q_num_heads", given->heads);
        node_set_int(node, "kv_num_heads", given->shared);
    }
    node_set_int(node, "left_window_size", given->left);
    node_set_int(node, "right_window_size", given->right);
    node_set_int(node, "qk_matmul_output_mode", 3);
    ck_assert_msg(exec_node(arena, node, &options, given->in, outputs, &err) ==
                      0,
                  "%s", err.message);
}

static Given random_operands(void)
{
    const int64_t q[4] = {BATCH, HEADS, ROWS, WIDTH};
    const int64_t k[4] = {BATCH, SHARED, KEYS, WIDTH};
    const int64_t v[4] = {BATCH, SHARED, KEYS, OUT};
    return (Given){.in = {random_array(PRECISION_F64, 4, q),
                          random_array(PRECISION_F64, 4, k),
                          random_array(PRECISION_F64, 4, v)},
                   .left = -1,
                   .right = -1};
}

/* Rows [from, to) of every head. */
static Array *rows_of(const Array *array, int64_t from, int64_t to)
{
    int64_t dims[4] = {array->dims[0], array->dims[1], to - from,
                       array->dims[3]};
    Array *part = array_new(arena, DT_FLOAT, 4, dims, PRECISION_F64);
    int64_t piece = dims[2] * dims[3], whole = array->dims[2] * dims[3];
    for (int64_t head = 0; head < dims[0] * dims[1]; head++)
        for (int64_t i = 0; i < piece; i++)
            ((double *)part->data)[head * piece + i] =
                ((const double *)
                     array->data)[head * whole + from * dims[3] + i];
    return part;
}

static void check_same(const Array *a, const Array *b)
{
    ck_assert_int_eq(a->rank, b->rank);
    ck_assert_mem_eq(a->dims, b->dims, (size_t)a->rank * sizeof *a->dims);
    ck_assert_mem_eq(a->data, b->data, (size_t)a->count * sizeof(double));
}

/* Heads side by side in each row, as (batch, length, heads * width). */
static Array *in_rows(const Array *array)
{
    int64_t heads = array->dims[1], rows = array->dims[2];
    int64_t width = array->dims[3];
    int64_t dims[3] = {array->dims[0], rows, heads * width};
    Array *made = array_new(arena, DT_FLOAT, 3, dims, PRECISION_F64);
    for (int64_t i = 0; i < array->count; i++) {
        int64_t at = i % width, row = i / width % rows;
        int64_t head = i / width / rows % heads;
        int64_t batch = i / width / rows / heads;
        ((double *)
             made->data)[((batch * rows + row) * heads + head) * width + at] =
            ((const double *)array->data)[i];
    }
    return made;
}

/* True where row and key are to meet. */
typedef bool Meet(int64_t batch, int64_t row, int64_t key);

static void check_like_mask(const Given *given, Meet *meet)
{
    const int64_t dims[4] = {BATCH, 1, ROWS, KEYS};
    Given masked = {.in = {given->in[0], given->in[1], given->in[2]},
                    .left = -1,
                    .right = -1};
    Array *mask = array_new(arena, DT_BOOL, 4, dims, PRECISION_F64);
    Array *a[4], *b[4];
    for (int64_t i = 0; i < mask->count; i++)
        ((int64_t *)mask->data)[i] =
            meet(i / (ROWS * KEYS), i / KEYS % ROWS, i % KEYS);
    masked.in[3] = mask;
    run(given, a);
    run(&masked, b);
    check_same(a[0], b[0]);
    check_same(a[3], b[3]);
}

START_TEST(past_keys_and_values_come_first)
{
    Given whole = random_operands(), split = whole;
    Array *a[4], *b[4];
    for (int i = 1; i <= 2; i++) {
        split.in[3 + i] = rows_of(whole.in[i], 0, 2);
        split.in[i] = rows_of(whole.in[i], 2, KEYS);
    }
    run(&whole, a);
    run(&split, b);
    check_same(a[0], b[0]);
    check_same(whole.in[1], b[1]);
    check_same(whole.in[2], b[2]);
    check_same(a[3], b[3]);
}
END_TEST

static bool up_to_two_further(int64_t batch, int64_t row, int64_t key)
{
    (void)batch;
    return key <= row + 2;
}

START_TEST(a_causal_query_stands_after_the_past)
{
    Given whole = random_operands(), split = whole;
    Array *a[4], *b[4];
    for (int i = 1; i <= 2; i++) {
        split.in[3 + i] = rows_of(whole.in[i], 0, 2);
        split.in[i] = rows_of(whole.in[i], 2, KEYS);
    }
    split.causal = true;
    run(&split, a);
    whole.right = 2;
    check_like_mask(&whole, up_to_two_further);
    run(&whole, b);
    check_same(a[0], b[0]);
}
END_TEST

static bool near(int64_t batch, int64_t row, int64_t key)
{
    (void)batch;
    return key >= row - 1 && key <= row + 2;
}

START_TEST(a_window_is_a_mask)
{
    Given given = random_operands();
    given.left = 1;
    given.right = 2;
    check_like_mask(&given, near);
}
END_TEST

static const int64_t valid_keys[BATCH] = {4, 2};

static bool is_valid(int64_t batch, int64_t row, int64_t key)
{
    (void)row;
    return key < valid_keys[batch];
}

static bool is_valid_past(int64_t batch, int64_t row, int64_t key)
{
    return key <= row + valid_keys[batch] - ROWS;
}

/* The second batch has fewer keys than queries: its first one meets none. */
START_TEST(padding_is_hidden_and_shifts_the_past)
{
    const int64_t dims[1] = {BATCH};
    Given given = random_operands();
    given.in[6] = array_new(arena, DT_INT64, 1, dims, PRECISION_F64);
    memcpy(given.in[6]->data, valid_keys, sizeof valid_keys);
    check_like_mask(&given, is_valid);
    given.causal = true;
    check_like_mask(&given, is_valid_past);
}
END_TEST

START_TEST(heads_may_stand_side_by_side)
{
    Given apart = random_operands(), together = apart;
    Array *a[4], *b[4];
    for (int i = 0; i < 3; i++)
        together.in[i] = in_rows(apart.in[i]);
    together.heads = HEADS;
    together.shared = SHARED;
    run(&apart, a);
    run(&together, b);
    check_same(in_rows(a[0]), b[0]);
    for (int i = 1; i < 4; i++)
        check_same(a[i], b[i]);
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
    tcase_add_test(tcase, past_keys_and_values_come_first);
    tcase_add_test(tcase, a_causal_query_stands_after_the_past);
    tcase_add_test(tcase, a_window_is_a_mask);
    tcase_add_test(tcase, padding_is_hidden_and_shifts_the_past);
    tcase_add_test(tcase, heads_may_stand_side_by_side);
    tcase_add_test(tcase, what_does_not_fit_is_refused);
    suite_add_tcase(suite, tcase);
    return suite;
}
