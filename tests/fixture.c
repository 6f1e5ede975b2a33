#include "fixture.h"

#include <check.h>
#include <math.h>

#include "exec/npy.h"
#include "onnx/onnx.h"

Model *fixture_load(Arena *arena, const char *path)
{
    Model *model;
    Err err = {0};
    ck_assert_msg(model_read_file(arena, path, NULL, &model, &err) == 0,
                  "%s: %s", path, err.message);
    return model;
}

FoldReport fixture_fold(Model *model)
{
    rp_fold_options options = {.threads = 1};
    FoldReport report = {0};
    Err err = {0};
    ck_assert_msg(model_fold(model, &options, &report, &err) == 0, "%s",
                  err.message);
    return report;
}

int fixture_count(const Model *model, Op op, bool real)
{
    int count = 0;
    for (size_t i = 0; i < model->graph->node_count; i++) {
        const Node *node = model->graph->nodes[i];
        count += node->op == op &&
                 dtype_is_real(node->outputs[0]->fact.type) == real;
    }
    return count;
}

Array *fixture_array(Arena *arena, const char *path, DType type)
{
    Tensor *tensor;
    Array *array;
    Err err = {0};
    ck_assert_msg(npy_read(arena, path, &tensor, &err) == 0, "%s: %s", path,
                  err.message);
    ck_assert_int_eq(
        array_from_tensor(arena, tensor, PRECISION_F64, true, &array, &err), 0);
    array->type = type;
    return array;
}

Array **fixture_run(Arena *arena, const Model *model, Array *input)
{
    ExecOptions exact = {.precision = PRECISION_F64, .exact = true};
    Array **outputs =
        arena_array(arena, model->graph->output_count, sizeof *outputs);
    Exec *exec;
    Err err = {0};
    ck_assert_msg(exec_new(arena, model->graph, &exact, &exec, &err) == 0, "%s",
                  err.message);
    ck_assert_msg(exec_run(exec, arena, &input, outputs, &err) == 0, "%s",
                  err.message);
    return outputs;
}

double fixture_difference(const Array *a, const Array *b)
{
    const double *x = a->data, *y = b->data;
    double largest = 0, most = 0;
    ck_assert_int_eq(a->count, b->count);
    ck_assert_int_gt(a->count, 0);
    for (int64_t i = 0; i < a->count; i++) {
        ck_assert(isfinite(x[i]) && isfinite(y[i]));
        largest = fmax(largest, fabs(x[i]));
        most = fmax(most, fabs(x[i] - y[i]));
    }
    ck_assert_double_gt(largest, 0);
    return most / largest;
}
