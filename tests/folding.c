#include "folding.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "judge/certify.h"

static uint64_t random_next(Bench *bench)
{
    /* SplitMix64: Steele, Lea, Flood 2014. */
    uint64_t z = bench->random += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

double bench_number(Bench *bench)
{
    uint64_t bits = random_next(bench);
    if (bench->integers)
        return (double)(bits % 7) - 3;
    return (double)(bits >> 11) * 0x1p-52 - 1;
}

Value *bench_input(Bench *bench, int rank, const int64_t *dims)
{
    Value *value = graph_fresh_value(bench->graph, "x");
    Dim *own = fact_set(bench->graph->arena, &value->fact,
                        bench->type ? bench->type : DT_FLOAT, rank, dims);
    for (int i = 0; i < rank; i++)
        if (own[i] < 0)
            own[i] = dim_unknown(bench->model->symbols);
    graph_add_input(bench->graph, value);
    return value;
}

Value *bench_image(Bench *bench, int64_t channels, int64_t size)
{
    int64_t dims[4] = {1, channels, size, size};
    return bench_input(bench, 4, dims);
}

void bench_output(Bench *bench, Value *value)
{
    graph_add_output(bench->graph, value);
}

/* The helpers need channels; a full inference gives them. */
void bench_add(Bench *bench, Node *node)
{
    Err err = {0};
    graph_add_node(bench->graph, node);
    ck_assert_msg(graph_infer(bench->graph, &err) == 0, "%s", err.message);
}

Value *bench_node(Bench *bench, Op op, Value *const *inputs, int count)
{
    Value *out = graph_fresh_value(bench->graph, "y");
    const char *name =
        arena_printf(bench->arena, "node%zu", bench->graph->node_count);
    bench_add(bench, node_new(bench->graph, op, name, inputs, count, &out, 1));
    return out;
}

Value *bench_unary(Bench *bench, Op op, Value *x)
{
    return bench_node(bench, op, &x, 1);
}

Value *bench_binary(Bench *bench, Op op, Value *a, Value *b)
{
    Value *inputs[2] = {a, b};
    return bench_node(bench, op, inputs, 2);
}

Value *bench_numbers(Bench *bench, int rank, const int64_t *dims,
                     const double *numbers)
{
    void *data;
    DType type = bench->type ? bench->type : DT_FLOAT;
    Tensor *tensor = tensor_alloc(bench->arena, type, rank, dims, &data);
    for (int64_t i = 0; i < tensor->count; i++) {
        double number = numbers ? numbers[i] : bench_number(bench);
        tensor_store_f64(type, &number, 1,
                         (char *)data + (size_t)i * dtype_size(type));
    }
    return graph_add_initializer(bench->graph, "w", tensor);
}

Value *bench_constant(Bench *bench, int rank, const int64_t *dims)
{
    return bench_numbers(bench, rank, dims, NULL);
}

Value *bench_ints(Bench *bench, int64_t count, const int64_t *numbers)
{
    void *data;
    Tensor *tensor = tensor_alloc(bench->arena, DT_INT64, 1, &count, &data);
    if (count > 0)
        memcpy(data, numbers, (size_t)count * sizeof *numbers);
    return graph_add_initializer(bench->graph, "i", tensor);
}

Value *bench_channel_scale(Bench *bench, int64_t channels)
{
    int64_t dims[3] = {channels, 1, 1};
    return bench_constant(bench, 3, dims);
}

Value *bench_conv(Bench *bench, Value *x, ConvShape shape)
{
    int spatial = x->fact.rank - 2;
    int64_t group = shape.group ? shape.group : 1, dims[RANK_MAX];
    int64_t kernel = shape.kernel ? shape.kernel : 1;
    dims[0] = shape.out ? shape.out : x->fact.dims[1];
    dims[1] = x->fact.dims[1] / group;
    int64_t ones[2 * RANK_MAX], strides[RANK_MAX], dilations[RANK_MAX];
    for (int i = 0; i < spatial; i++) {
        dims[2 + i] = kernel;
        ones[i] = ones[spatial + i] = shape.pad;
        strides[i] = shape.stride ? shape.stride : 1;
        dilations[i] = shape.dilation ? shape.dilation : 1;
    }
    Value *inputs[3] = {x, bench_constant(bench, spatial + 2, dims), NULL};
    if (shape.bias)
        inputs[2] = bench_constant(bench, 1, dims);
    Value *out = graph_fresh_value(bench->graph, "conv");
    const char *name =
        arena_printf(bench->arena, "conv%zu", bench->graph->node_count);
    Node *node = node_new(bench->graph, OP_Conv, name, inputs,
                          shape.bias ? 3 : 2, &out, 1);
    node_set_int(node, "group", group);
    node_set_ints(node, "pads", ones, 2 * (size_t)spatial);
    node_set_ints(node, "strides", strides, (size_t)spatial);
    node_set_ints(node, "dilations", dilations, (size_t)spatial);
    bench_add(bench, node);
    return out;
}

/* With integers, variance + epsilon is 4 and nothing rounds. */
Value *bench_batchnorm(Bench *bench, Value *x, int64_t channels)
{
    Value *inputs[5] = {x};
    float epsilon = bench->integers ? 0x1p-10f : 1e-3f;
    double *numbers =
        arena_array(bench->arena, (size_t)channels, sizeof *numbers);
    for (int i = 1; i < 5; i++) {
        for (int64_t c = 0; c < channels; c++)
            numbers[c] = bench->integers && i == 4 ? 4 - 0x1p-10
                         : i == 4 ? 0.5 + fabs(bench_number(bench))
                                  : bench_number(bench);
        inputs[i] = bench_numbers(bench, 1, &channels, numbers);
    }
    Value *out = graph_fresh_value(bench->graph, "bn");
    const char *name =
        arena_printf(bench->arena, "bn%zu", bench->graph->node_count);
    Node *node =
        node_new(bench->graph, OP_BatchNormalization, name, inputs, 5, &out, 1);
    node_set_float(node, "epsilon", epsilon);
    bench_add(bench, node);
    return out;
}

void bench_end(Bench *bench, Op op, Value *x)
{
    Value *y = graph_value(bench->graph, "end");
    bench_add(bench, node_new(bench->graph, op, "end", &x, 1, &y, 1));
    bench_output(bench, y);
}

/* ---- Building, folding, running ---- */

Model *build_model(Arena *arena, Build *build, bool integers)
{
    Bench bench = {.arena = arena, .random = 42, .integers = integers};
    bench.model = model_new(arena);
    bench.graph = graph_new(bench.model, NULL);
    bench.model->graph = bench.graph;
    bench.model->ir_version = 8;
    bench.model->opset = 17;
    build(&bench);
    graph_fill_uses(bench.graph);
    bench.graph->changed = false; /* as if it had been read */
    return bench.model;
}

Model *build_converted(Arena *arena, Build *build)
{
    Model *model = build_model(arena, build, false);
    for (size_t i = 0; i < model->graph->node_count; i++) {
        Value *value = model->graph->nodes[i]->outputs[0];
        if (!value->is_output)
            value->name = arena_printf(arena, "%s_converted", value->name);
    }
    return model;
}

/* An input of the model with random numbers; unknown sizes become 10. */
static Array *random_input(Arena *arena, Bench *random, const Value *value)
{
    int64_t dims[RANK_MAX];
    for (int i = 0; i < value->fact.rank; i++)
        dims[i] = value->fact.dims[i] < 0 ? 10 : value->fact.dims[i];
    Array *array = array_new(arena, value->fact.type, value->fact.rank, dims,
                             PRECISION_F64);
    for (int64_t i = 0; i < array->count; i++)
        ((double *)array->data)[i] = bench_number(random);
    return array;
}

static Array **run_model(Arena *arena, const Model *model, bool integers)
{
    Bench random = {.random = 1234, .integers = integers};
    const Graph *graph = model->graph;
    Array *inputs[16],
        **outputs = arena_array(arena, graph->output_count, sizeof *outputs);
    size_t count = 0;
    for (size_t i = 0; i < graph->input_count; i++)
        if (!graph->inputs[i]->is_initializer)
            inputs[count++] = random_input(arena, &random, graph->inputs[i]);
    ExecOptions options = {.precision = PRECISION_F64, .exact = true};
    Exec *exec;
    Err err = {0};
    ck_assert_msg(exec_new(arena, graph, &options, &exec, &err) == 0, "%s",
                  err.message);
    ck_assert_msg(exec_run(exec, arena, inputs, outputs, &err) == 0, "%s",
                  err.message);
    return outputs;
}

static double largest_difference(const Array *a, const Array *b)
{
    double largest = 0, difference = 0;
    const double *x = a->data, *y = b->data;
    ck_assert_int_eq(a->rank, b->rank);
    ck_assert_int_eq(a->count, b->count);
    ck_assert_int_gt(a->count, 0);
    for (int64_t i = 0; i < a->count; i++) {
        ck_assert(isfinite(x[i]) && isfinite(y[i]));
        largest = fmax(largest, fabs(x[i]));
        difference = fmax(difference, fabs(x[i] - y[i]));
    }
    ck_assert_double_gt(largest, 0);
    return difference / largest;
}

rp_certificates_info certify(Arena *arena, const Model *before,
                             const Model *after)
{
    rp_certificates_info info;
    rp_certify_options options = {.threads = 1};
    Err err = {0};
    int failed = certify_models(arena, before, after, &options, &info, &err);
    ck_assert_msg(failed == 0, "%s", err.message);
    return info;
}

void check_certified(const char *name, Build *original, Build *converted,
                     bool holds)
{
    Arena *arena = arena_new(0);
    Model *a = build_model(arena, original, false);
    Model *b = build_converted(arena, converted);
    rp_certificates_info info = certify(arena, a, b);
    ck_assert_msg(info.hold == holds, "%s: %s", name,
                  info.hold ? "it has a certificate" : info.why);
    arena_free(arena);
}

/* Every fold of every test has a certificate. */
static void check_certificates(const Folded *folded)
{
    rp_certificates_info info =
        certify(folded->arena, folded->before, folded->after);
    ck_assert_msg(info.hold, "%s", info.why);
    ck_assert(!folded->report.fold_count == !info.count);
}

static Folded fold_and_run(Build *build, const rp_fold_options *options,
                           bool integers)
{
    static const rp_fold_options defaults;
    Folded folded = {.arena = arena_new(0)};
    folded.before = build_model(folded.arena, build, integers);
    folded.after = build_model(folded.arena, build, integers);
    Err err = {0};
    int failed = model_fold(folded.after, options ? options : &defaults,
                            &folded.report, &err);
    ck_assert_msg(failed == 0, "%s", err.message);
    check_certificates(&folded);
    Array **before = run_model(folded.arena, folded.before, integers);
    Array **after = run_model(folded.arena, folded.after, integers);
    for (size_t i = 0; i < folded.before->graph->output_count; i++)
        folded.difference =
            fmax(folded.difference, largest_difference(before[i], after[i]));
    return folded;
}

Folded fold_model(Build *build, const rp_fold_options *options)
{
    return fold_and_run(build, options, false);
}

Folded fold_exactly_with(Build *build, const rp_fold_options *options)
{
    Folded folded = fold_and_run(build, options, true);
    ck_assert_double_eq(folded.difference, 0);
    return folded;
}

Folded fold_exactly(Build *build)
{
    return fold_exactly_with(build, NULL);
}

void folded_free(Folded *folded)
{
    arena_free(folded->arena);
}

size_t count_ops(const Model *model, Op op)
{
    size_t count = 0;
    for (size_t i = 0; i < model->graph->node_count; i++)
        count += model->graph->nodes[i]->op == op;
    return count;
}

const Node *only_node(const Folded *folded, Op op)
{
    const Node *found = NULL;
    const Graph *graph = folded->after->graph;
    for (size_t i = 0; i < graph->node_count; i++)
        if (graph->nodes[i]->op == op) {
            ck_assert_ptr_null(found);
            found = graph->nodes[i];
        }
    ck_assert_ptr_nonnull(found);
    return found;
}

void check_folds(Build *build, size_t convs, size_t others)
{
    Folded folded = fold_model(build, NULL);
    ck_assert_double_lt(folded.difference, 1e-13);
    ck_assert_uint_gt(folded.report.fold_count, 0);
    ck_assert_uint_eq(count_ops(folded.after, OP_Conv), convs);
    ck_assert_uint_eq(folded.after->graph->node_count, convs + others);
    static const rp_fold_options defaults;
    FoldReport again = {0};
    Err err = {0};
    ck_assert_int_eq(model_fold(folded.after, &defaults, &again, &err), 0);
    ck_assert_uint_eq(again.fold_count, 0);
    folded_free(&folded);
    folded = fold_exactly(build);
    folded_free(&folded);
}

void check_refuses(Build *build, const char *reason)
{
    Folded folded = fold_model(build, NULL);
    ck_assert_uint_eq(folded.report.fold_count, 0);
    ck_assert(!folded.after->graph->changed);
    ck_assert_uint_eq(folded.after->graph->node_count,
                      folded.before->graph->node_count);
    bool given = false;
    for (size_t i = 0; i < folded.report.refusal_count; i++)
        given |= strcmp(folded.report.refusals[i].reason, reason) == 0;
    ck_assert_msg(given, "no refusal says %s (%s is given)", reason,
                  folded.report.refusal_count ? folded.report.refusals[0].reason
                                              : "nothing");
    folded_free(&folded);
}
