/*
 * However a model was exported, the same kernels come out: Conv weights and
 * biases of each exporter mode against those of TorchScript PRESERVE.
 */
#include <math.h>
#include <string.h>

#include "fold/fold.h"
#include "onnx/onnx.h"
#include "suites.h"
#include "zoo/zoo.h"

#define FIXTURES "tests/fixtures/"

/* Exporters that merge a BatchNormalization themselves round that product to
 * float32 before we see it: two roundings instead of one, on terms that may
 * cancel. In units of the kernel's largest element. */
static const double rounding = 4 * 0x1p-23;

static const char *const modes[] = {
    "mini.ts-eval.onnx",
    "mini.ts-preserve-nofold.onnx",
    "mini.ts-preserve-opset11.onnx",
    "mini.ts-preserve-opset13.onnx",
    "mini.ts-preserve-opset18.onnx",
    "mini.ts-preserve-opset20.onnx",
    "mini.ts-preserve-dynbatch.onnx",
    "mini.ts-preserve-dynbatch-dynsize.onnx",
    "mini.ts-preserve-reparam.onnx",
    "mini.ts-training.onnx",
    "mini.dynamo-opt.onnx",
    "mini.dynamo-opt-opset23.onnx",
    "mini.dynamo-raw.onnx",
    "mini.dynamo-raw-dynbatch-dynsize.onnx",
};

static Model *fold_fixture(Arena *arena, const char *name)
{
    rp_fold_options options = {
        .threads = 1, .assume_inference = strstr(name, "training") != NULL};
    FoldReport report = {0};
    Model *model;
    Err err = {0};
    const char *path = arena_printf(arena, FIXTURES "%s", name);
    ck_assert_msg(model_read_file(arena, path, NULL, &model, &err) == 0, "%s",
                  err.message);
    ck_assert_msg(model_fold(model, &options, &report, &err) == 0, "%s",
                  err.message);
    return model;
}

/* The next Conv from *index on, or NULL. */
static const Node *next_conv(const Model *model, size_t *index)
{
    const Graph *graph = model->graph;
    while (*index < graph->node_count) {
        const Node *node = graph->nodes[(*index)++];
        if (node->op == OP_Conv)
            return node;
    }
    return NULL;
}

static double *elements(Arena *arena, const Graph *graph, const Value *value,
                        int64_t *count)
{
    const Tensor *tensor = value_constant(graph, value);
    ck_assert_ptr_nonnull(tensor);
    double *values = arena_array(arena, (size_t)tensor->count, sizeof *values);
    tensor_read_f64(tensor, 0, tensor->count, values);
    *count = tensor->count;
    return values;
}

/* An absent bias is zero. */
static void check_same(Arena *arena, const Model *a, const Node *first,
                       const Model *b, const Node *second, int slot)
{
    const Value *x = node_input(first, slot), *y = node_input(second, slot);
    int64_t count = 0, other = 0;
    double *left = x ? elements(arena, a->graph, x, &count) : NULL;
    double *right = y ? elements(arena, b->graph, y, &other) : NULL;
    ck_assert(!left || !right || count == other);
    double largest = 0, difference = 0;
    for (int64_t i = 0; i < (left ? count : other); i++) {
        double l = left ? left[i] : 0, r = right ? right[i] : 0;
        largest = fmax(largest, fabs(l));
        difference = fmax(difference, fabs(l - r));
    }
    ck_assert_msg(difference <= rounding * largest, "%s, input %d: %g of %g",
                  first->name, slot, difference, largest);
}

START_TEST(every_mode_gives_the_same_kernels)
{
    Arena *arena = arena_new(0);
    Model *a = fold_fixture(arena, "mini.ts-preserve.onnx");
    Model *b = fold_fixture(arena, modes[_i]);
    size_t i = 0, k = 0;
    int compared = 0;
    for (;;) {
        const Node *first = next_conv(a, &i), *second = next_conv(b, &k);
        ck_assert_msg(!first == !second, "not as many Conv");
        if (!first)
            break;
        check_same(arena, a, first, b, second, 1);
        check_same(arena, a, first, b, second, 2);
        compared++;
    }
    ck_assert_int_eq(compared, 28);
    arena_free(arena);
}
END_TEST

/* ---- The generator ---- */

static int count_ops(const Model *model, Op op)
{
    int count = 0;
    for (size_t i = 0; i < model->graph->node_count; i++)
        count += model->graph->nodes[i]->op == op;
    return count;
}

/* The narrow exports of all variants have their real depth, and so has a
 * sample of any width: both fold to the same operators. */
START_TEST(a_sample_folds_like_its_export)
{
    static const Op ops[] = {OP_Conv, OP_BatchNormalization,
                             OP_Add,  OP_Sub,
                             OP_Mul,  OP_Div,
                             OP_Erf,  OP_MatMul,
                             OP_Gemm};
    Arena *arena = arena_new(0);
    const char *variant = zoo_variants[_i];
    Model *export =
        fold_fixture(arena, arena_printf(arena, "%s.ts-preserve.onnx",
                                         variant + strlen("fastvit_")));
    rp_sample_options sample = {
        .variant = variant, .size = 64, .classes = 10, .seed = 1};
    rp_fold_options options = {.threads = 1};
    FoldReport report = {0};
    Model *model;
    Err err = {0};
    WeightSource *weights = weights_from_seed(arena, 1);
    ck_assert_msg(zoo_build(arena, &sample, weights, &model, &err) == 0, "%s",
                  err.message);
    ck_assert_int_eq(model_fold(model, &options, &report, &err), 0);
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
        ck_assert_msg(count_ops(model, ops[i]) == count_ops(export, ops[i]),
                      "%s: %d %s, not %d", variant, count_ops(model, ops[i]),
                      op_name(ops[i]), count_ops(export, ops[i]));
    arena_free(arena);
}
END_TEST

Suite *suite_converge(void)
{
    Suite *suite = suite_create("converge");
    TCase *tcase = tcase_create("converge");
    tcase_add_loop_test(tcase, every_mode_gives_the_same_kernels, 0,
                        (int)(sizeof modes / sizeof *modes));
    tcase_add_loop_test(tcase, a_sample_folds_like_its_export, 0, 7);
    suite_add_tcase(suite, tcase);
    return suite;
}
