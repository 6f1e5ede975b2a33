/*
 * How each opset says that a BatchNormalization or a Dropout trains, and what
 * folding and certificates then make of it. ONNX BatchNormalization-1, -7, -9,
 * -14; Dropout-1, -7, -12.
 */
#include <string.h>

#include "folding.h"
#include "suites.h"

enum { CHANNELS = 4 };

/* What Dropout's third input says. */
typedef enum Mode { MODE_ABSENT, MODE_OFF, MODE_ON, MODE_INPUT } Mode;

typedef struct Row {
    Op op;
    int opset;
    const char *attribute; /* or NULL */
    int64_t value;
    bool side; /* a second output is named, and nobody reads it */
    Mode mode;
    const char *reason; /* of the refusal; NULL where it infers */
} Row;

#define NORM OP_BatchNormalization
#define DROP OP_Dropout
static const Row rows[] = {
    {NORM, 6, NULL, 0, false, 0, "training-mode"},
    {NORM, 6, "is_test", 0, false, 0, "training-mode"},
    {NORM, 6, "is_test", 1, false, 0, NULL},
    {NORM, 7, NULL, 0, false, 0, NULL},
    {NORM, 8, NULL, 0, true, 0, "training-mode"},
    {NORM, 8, "spatial", 0, false, 0, "wrong-axis"},
    {NORM, 8, "spatial", 1, false, 0, NULL},
    {NORM, 9, NULL, 0, false, 0, NULL},
    {NORM, 13, NULL, 0, true, 0, "training-mode"},
    {NORM, 14, NULL, 0, false, 0, NULL},
    {NORM, 14, "training_mode", 0, true, 0, NULL},
    {NORM, 14, "training_mode", 1, false, 0, "training-mode"},
    {DROP, 6, NULL, 0, false, 0, "nonlinear"},
    {DROP, 6, "is_test", 0, false, 0, "nonlinear"},
    {DROP, 6, "is_test", 1, false, 0, NULL},
    {DROP, 7, NULL, 0, false, 0, NULL},
    {DROP, 11, NULL, 0, true, 0, NULL},
    {DROP, 12, NULL, 0, false, MODE_ABSENT, NULL},
    {DROP, 12, NULL, 0, false, MODE_OFF, NULL},
    {DROP, 12, NULL, 0, false, MODE_ON, "nonlinear"},
    {DROP, 12, NULL, 0, false, MODE_INPUT, "nonlinear"},
};
static const Row *row;

/* Variance and epsilon make 4: the scale is half of gamma, with no rounding. */
static Value *normalized(Bench *b, Value *x)
{
    b->integers = true;
    x = bench_batchnorm(b, x, CHANNELS);
    if (b->model->opset < 7)
        node_set_int(x->producer, "is_test", 1);
    return x;
}

static Value *flag(Bench *b, Mode mode)
{
    void *data;
    if (mode == MODE_INPUT) {
        Value *value = bench_input(b, 0, NULL);
        value->fact.type = DT_BOOL;
        return value;
    }
    Tensor *tensor = tensor_alloc(b->arena, DT_BOOL, 0, NULL, &data);
    *(uint8_t *)data = mode == MODE_ON;
    return graph_add_initializer(b->graph, "mode", tensor);
}

static Value *dropped(Bench *b, Value *x)
{
    Value *inputs[3] = {x};
    if (row->mode != MODE_ABSENT)
        inputs[2] = flag(b, row->mode);
    return bench_node(b, DROP, inputs, row->mode == MODE_ABSENT ? 1 : 3);
}

/* The node of the row as it is told to be. */
static Value *marked(Bench *b, Value *x)
{
    x = row->op == NORM ? normalized(b, x) : dropped(b, x);
    Node *node = x->producer;
    if (b->model->opset < 7 && !row->attribute)
        node_set_int(node, "is_test", 0);
    if (row->attribute)
        node_set_int(node, row->attribute, row->value);
    if (!row->side)
        return x;
    Value *outputs[2] = {x, graph_fresh_value(b->graph, "side")};
    Node *two = node_new(b->graph, node->op, node->name, node->inputs,
                         node->input_count, outputs, 2);
    two->attrs = node->attrs;
    two->attr_count = node->attr_count;
    graph_replace_node(b->graph, node, &two, 1);
    return x;
}

static Value *image(Bench *b)
{
    b->model->opset = row->opset;
    return bench_image(b, CHANNELS, 5);
}

/* ---- Folding ---- */

static void build_behind_conv(Bench *b)
{
    Value *x = bench_conv(b, image(b), (ConvShape){.kernel = 3});
    x = marked(b, x);
    x = row->op == NORM ? x : normalized(b, x);
    bench_output(b, bench_unary(b, OP_Relu, x));
}

static void check_left(void)
{
    static const rp_fold_options defaults;
    Arena *arena = arena_new(0);
    Model *model = build_model(arena, build_behind_conv, false);
    FoldReport report = {0};
    Err err = {0};
    ck_assert_int_eq(model_fold(model, &defaults, &report, &err), 0);
    ck_assert_uint_eq(report.fold_count, 0);
    ck_assert_uint_eq(report.refusal_count, 1);
    ck_assert_str_eq(report.refusals[0].reason, row->reason);
    arena_free(arena);
}

START_TEST(only_inference_is_folded)
{
    row = &rows[_i];
    if (row->reason)
        check_left();
    else
        check_folds(build_behind_conv, 1, 1);
}
END_TEST

/* ---- Certificates ---- */

static void build_marked(Bench *b)
{
    bench_end(b, OP_Sigmoid, marked(b, image(b)));
}

/* The normalization as a convolution of each channel by itself. */
static Value *convolved(Bench *b, Value *x)
{
    const int64_t dims[4] = {CHANNELS, 1, 1, 1};
    double scale[CHANNELS], shift[CHANNELS], mean[CHANNELS];
    Node *norm = normalized(b, x)->producer;
    tensor_read_f64(norm->inputs[1]->tensor, 0, CHANNELS, scale);
    tensor_read_f64(norm->inputs[2]->tensor, 0, CHANNELS, shift);
    tensor_read_f64(norm->inputs[3]->tensor, 0, CHANNELS, mean);
    graph_replace_node(b->graph, norm, NULL, 0);
    for (int c = 0; c < CHANNELS; c++) {
        scale[c] /= 2;
        shift[c] -= scale[c] * mean[c];
    }
    Value *inputs[3] = {x, bench_numbers(b, 4, dims, scale),
                        bench_numbers(b, 1, dims, shift)};
    Value *y = graph_fresh_value(b->graph, "conv");
    Node *conv = node_new(b->graph, OP_Conv, "conv", inputs, 3, &y, 1);
    node_set_int(conv, "group", CHANNELS);
    bench_add(b, conv);
    return y;
}

static void build_inferring(Bench *b)
{
    Value *x = image(b);
    bench_end(b, OP_Sigmoid, row->op == NORM ? convolved(b, x) : x);
}

START_TEST(only_inference_is_certified)
{
    row = &rows[_i];
    check_certified(op_name(row->op), build_marked, build_inferring,
                    !row->reason);
}
END_TEST

Suite *suite_training(void)
{
    Suite *suite = suite_create("training");
    TCase *tcase = tcase_create("training");
    const int count = sizeof rows / sizeof *rows;
    tcase_add_loop_test(tcase, only_inference_is_folded, 0, count);
    tcase_add_loop_test(tcase, only_inference_is_certified, 0, count);
    suite_add_tcase(suite, tcase);
    return suite;
}
