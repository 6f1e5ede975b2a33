/* rp_bench: how long the executor takes, in all and per operator. */
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "exec/exec.h"
#include "exec/simd.h"
#include "graph/dump.h"
#include "judge/input.h"

const char *rp_instructions(void)
{
    static const char *const names[] = {[SIMD_PLAIN] = "none of its own",
                                        [SIMD_NEON] = "NEON",
                                        [SIMD_AVX2] = "AVX2 and FMA",
                                        [SIMD_AVX512] = "AVX-512"};
    return names[simd_level(SIMD_BEST)];
}

enum { DEFAULT_RUNS = 10 };

/* The nodes of one operator, over all runs. */
typedef struct OpTime {
    rp_bench_op result;
    double *seconds; /* of each run */
} OpTime;

typedef struct BenchWork {
    rp_model *model;
    const rp_bench_options *options;
    rp_bench_info *info;
    Arena *scratch; /* freed whatever happens */
    Map *by_op;
    OpTime **ops;
    size_t op_count, op_capacity;
    int runs, run; /* run -1 does not count */
    double *seconds;
} BenchWork;

static OpTime *op_time(BenchWork *work, const char *name)
{
    OpTime *op = map_get(work->by_op, name);
    if (op)
        return op;
    op = arena_alloc(work->scratch, sizeof *op);
    op->result.op = arena_strdup(work->model->arena, name);
    op->seconds =
        arena_array(work->scratch, (size_t)work->runs, sizeof(double));
    map_put(work->by_op, op->result.op, op);
    work->ops = arena_grow(work->scratch, work->ops, &work->op_capacity,
                           work->op_count + 1, sizeof(OpTime *));
    work->ops[work->op_count++] = op;
    return op;
}

/* "Conv+Relu" for nodes that run as one. */
static const char *join_names(Arena *arena, const Node *const *nodes, int count)
{
    Text text = {.arena = arena};
    for (int i = 0; i < count; i++)
        text_printf(&text, i ? "+%s" : "%s", nodes[i]->op_type);
    return text.bytes;
}

/* The first run, which does not count, finds the operators. */
static void take_time(void *context, const Node *const *nodes, int count,
                      double seconds)
{
    BenchWork *work = context;
    Arena *arena = arena_child(work->scratch);
    OpTime *op = op_time(work, join_names(arena, nodes, count));
    arena_free(arena);
    if (work->run < 0)
        op->result.count++;
    else
        op->seconds[work->run] += seconds;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Sorts the values. */
static double median(double *values, int count)
{
    qsort(values, (size_t)count, sizeof *values, by_value);
    return count % 2 ? values[count / 2]
                     : (values[count / 2 - 1] + values[count / 2]) / 2;
}

static int by_time(const void *a, const void *b)
{
    const rp_bench_op *x = a, *y = b;
    if (x->median_ms != y->median_ms)
        return x->median_ms < y->median_ms ? 1 : -1;
    return strcmp(x->op, y->op);
}

static void fill_info(BenchWork *work, double macs)
{
    Arena *arena = work->model->arena;
    rp_bench_info *info = work->info;
    rp_bench_op *ops = arena_array(arena, work->op_count + 1, sizeof *ops);
    for (size_t i = 0; i < work->op_count; i++) {
        ops[i] = work->ops[i]->result;
        ops[i].median_ms = 1e3 * median(work->ops[i]->seconds, work->runs);
    }
    if (work->op_count > 1)
        qsort(ops, work->op_count, sizeof *ops, by_time);
    info->operators = ops;
    info->operator_count = work->op_count;
    info->median_ms = 1e3 * median(work->seconds, work->runs);
    info->min_ms = 1e3 * work->seconds[0];
    info->macs_per_s = macs / (1e-3 * info->median_ms);
}

static int time_runs(BenchWork *work, Exec *exec, Array *const *inputs,
                     Err *err)
{
    const Graph *graph = work->model->model->graph;
    for (work->run = -1; work->run < work->runs; work->run++) {
        Arena *arena = arena_child(work->scratch);
        Array **outputs =
            arena_array(arena, graph->output_count + 1, sizeof *outputs);
        double start = api_seconds();
        TRY(exec_run(exec, arena, inputs, outputs, err));
        if (work->run >= 0)
            work->seconds[work->run] = api_seconds() - start;
        arena_free(arena);
    }
    return 0;
}

/* The MACs at the sizes that are run: the inputs' facts are the samples' for
 * as long as that takes. */
static int count_macs(BenchWork *work, const InputPlan *plan,
                      Tensor *const *samples, double *macs, Err *err)
{
    Graph *graph = work->model->model->graph;
    Fact *kept =
        arena_array(work->scratch, graph->input_count + 1, sizeof *kept);
    bool exact = true;
    for (size_t i = 0; i < graph->input_count; i++)
        kept[i] = graph->inputs[i]->fact;
    for (int i = 0; i < plan->slot_count; i++) {
        Value *value = graph_value(graph, plan->slots[i].a->name);
        value->fact.rank = samples[i]->rank;
        value->fact.dims = samples[i]->dims;
    }
    TRY(graph_infer(graph, err));
    for (size_t i = 0; i < graph->node_count; i++)
        *macs += node_macs(graph->model->symbols, graph->nodes[i], &exact);
    for (size_t i = 0; i < graph->input_count; i++)
        graph->inputs[i]->fact = kept[i];
    return graph_infer(graph, err);
}

/* One sample's tensors and the same as arrays. */
static int make_inputs(BenchWork *work, Precision precision, InputPlan *plan,
                       Tensor ***samples, Array ***arrays, Err *err)
{
    Arena *arena = work->scratch;
    const Model *model = work->model->model;
    rp_verify_options sampling = {
        .samples = 1,
        .input_shapes = work->options->input_shapes,
        .input_shape_count = work->options->input_shape_count,
    };
    TRY(inputs_plan(arena, model, model, &sampling, plan, err));
    size_t count = (size_t)plan->slot_count + 1;
    *samples = arena_array(arena, count, sizeof(Tensor *));
    *arrays = arena_array(arena, count, sizeof(Array *));
    input_sample(arena, plan, 0, ODD_NONE, *samples);
    for (int i = 0; i < plan->slot_count; i++)
        TRY(array_from_tensor(arena, (*samples)[i], precision, false,
                              &(*arrays)[i], err));
    return 0;
}

static int bench_work(void *context, Err *err)
{
    BenchWork *work = context;
    Arena *arena = work->scratch = arena_child(work->model->arena);
    ExecOptions how = {
        .precision = work->options->f64 ? PRECISION_F64 : PRECISION_F32,
        .pool = pool_new(arena, work->options->threads),
        .runs_often = true,
        .lends = true,
        .timing = take_time,
        .timing_context = work,
    };
    InputPlan plan;
    Tensor **samples;
    Array **inputs;
    Exec *exec;
    double macs = 0;
    work->by_op = map_new(arena);
    work->seconds = arena_array(arena, (size_t)work->runs, sizeof(double));
    work->info = arena_alloc(work->model->arena, sizeof *work->info);
    TRY(make_inputs(work, how.precision, &plan, &samples, &inputs, err));
    TRY(count_macs(work, &plan, samples, &macs, err));
    TRY(exec_new(arena, work->model->model->graph, &how, &exec, err));
    TRY(time_runs(work, exec, inputs, err));
    fill_info(work, macs);
    work->info->live_bytes = exec_memory(exec).live;
    work->info->peak_bytes = exec_memory(exec).peak;
    return 0;
}

int rp_bench(rp_model *model, const rp_bench_options *options,
             const rp_bench_info **info, rp_error *error)
{
    rp_bench_options none = {0};
    BenchWork work = {.model = model, .options = options ? options : &none};
    work.runs = work.options->runs > 0 ? work.options->runs : DEFAULT_RUNS;
    int status = api_run_model(model, bench_work, &work, model->path, error);
    *info = status < 0 ? NULL : work.info;
    arena_free(work.scratch);
    return status;
}
