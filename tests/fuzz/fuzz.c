#include "fuzz.h"

#include <fenv.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "exec/exec.h"
#include "fold/fold.h"
#include "graph/dump.h"
#include "judge/certify.h"
#include "measure.h"
#include "onnx/onnx.h"

/* One model under examination. */
typedef struct Case {
    Arena *arena;
    const FuzzModel *model;
    Model *before, *after, *again; /* as read, folded, written and read */
    Cost cost;                     /* of the original */
    FoldReport report, second;
    Span written;
    Array **expected, **largest; /* outputs of the original, and of its twin */
    bool has_infinite;           /* some output is, or NaN */
    bool rough;                  /* the twin bounds nothing */
    bool rounds;                 /* some number in a run was rounded */
    size_t certificates;
    Err err;
    const char *detail;
} Case;

/* ---- Running ---- */

/* "h7" is run with 7. */
static int64_t size_of_dim(const Case *c, const Model *model, Dim dim)
{
    int64_t size;
    if (dim_is_known(model->symbols, dim, &size))
        return size;
    return strtoll(dim_text(c->arena, model->symbols, dim) + 1, NULL, 10);
}

static Array *random_input(Case *c, const Model *model, const Value *value,
                           uint64_t *random, bool absolute)
{
    Gen gen = {.integers = c->model->integers, .random = *random};
    int64_t dims[RANK_MAX];
    for (int i = 0; i < value->fact.rank; i++)
        dims[i] = size_of_dim(c, model, value->fact.dims[i]);
    Array *array = array_new(c->arena, value->fact.type, value->fact.rank, dims,
                             PRECISION_F64);
    for (int64_t i = 0; i < array->count; i++) {
        double number = gen_number(&gen, NUMBERS_WEIGHT);
        if (value->fact.type == DT_BOOL)
            ((int64_t *)array->data)[i] = number > 0;
        else
            ((double *)array->data)[i] = absolute ? fabs(number) : number;
    }
    *random = gen.random;
    return array;
}

static Array **run(Case *c, const Model *model, bool absolute)
{
    enum { INPUTS_MAX = 64 };
    const Graph *graph = model->graph;
    Array *inputs[INPUTS_MAX],
        **outputs = arena_array(c->arena, graph->output_count, sizeof *outputs);
    uint64_t random = ~c->model->seed;
    size_t count = 0;
    for (size_t i = 0; i < graph->input_count && count < INPUTS_MAX; i++)
        if (!graph->inputs[i]->is_initializer)
            inputs[count++] =
                random_input(c, model, graph->inputs[i], &random, absolute);
    ExecOptions options = {.precision = PRECISION_F64, .exact = true};
    Exec *exec;
    if (exec_new(c->arena, graph, &options, &exec, &c->err) < 0)
        return NULL;
    feclearexcept(FE_INEXACT);
    int status = exec_run(exec, c->arena, inputs, outputs, &c->err);
    c->rounds |= !absolute && fetestexcept(FE_INEXACT);
    return status < 0 ? NULL : outputs;
}

/* ---- Comparing ---- */

/* Differences beyond `factor` times the twin's element. */
static bool arrays_agree(Case *c, const Value *output, const Array *a,
                         const Array *b, const Array *largest, double factor)
{
    bool same = a->rank == b->rank && a->count == b->count;
    for (int i = 0; same && i < a->rank; i++)
        same = a->dims[i] == b->dims[i];
    if (!same) {
        c->detail =
            arena_printf(c->arena, "%s has another shape", output->name);
        return false;
    }
    for (int64_t i = 0; i < a->count; i++) {
        double x, y, s;
        array_to_f64(a, PRECISION_F64, i, 1, &x);
        array_to_f64(b, PRECISION_F64, i, 1, &y);
        array_to_f64(largest, PRECISION_F64, i, 1, &s);
        double bound = c->rough ? 1e-8 * (1 + fabs(x)) : factor * s;
        /* What inf and NaN give depends on the order of operations, and on
         * zeros in a weight. */
        bool lost =
            !isfinite(x) || !isfinite(s) || (c->has_infinite && !isfinite(y));
        if (lost || fabs(x - y) <= bound)
            continue;
        c->detail = arena_printf(
            c->arena, "%s[%lld] is %.17g, was %.17g; %.3g is allowed",
            output->name, (long long)i, y, x, bound);
        return false;
    }
    return true;
}

static bool outputs_agree(Case *c, Array **got, double factor)
{
    const Graph *graph = c->before->graph;
    for (size_t i = 0; i < graph->output_count; i++)
        if (!arrays_agree(c, graph->outputs[i], c->expected[i], got[i],
                          c->largest[i], factor))
            return false;
    return true;
}

/* Statistics of the data divide, and their deviation may be small. */
static bool has_statistics(const Graph *graph)
{
    for (size_t i = 0; i < graph->node_count; i++)
        if (graph->nodes[i]->op == OP_LayerNormalization ||
            (graph->nodes[i]->op == OP_BatchNormalization &&
             (graph->nodes[i]->output_count > 1 ||
              node_int(graph->nodes[i], "training_mode", 0))))
            return true;
    return false;
}

/* With integers no bit may differ, as long as no run has rounded any. */
static double allowed(const Case *c)
{
    return c->model->integers && !c->rough && !c->rounds
               ? 0
               : 4 * 0x1p-53 * bound_roundings(c->before);
}

static bool has_infinite(const Case *c, Array *const *arrays)
{
    for (size_t i = 0; i < c->before->graph->output_count; i++)
        for (int64_t k = 0; k < arrays[i]->count; k++) {
            double number;
            array_to_f64(arrays[i], PRECISION_F64, k, 1, &number);
            if (!isfinite(number))
                return true;
        }
    return false;
}

/* ---- What must hold of the folded graph ---- */

static bool is_refused(const Case *c, const Node *node)
{
    const char *name = node->name[0] ? node->name : node->outputs[0]->name;
    for (size_t i = 0; i < c->report.refusal_count; i++)
        if (strcmp(c->report.refusals[i].node, name) == 0 &&
            strcmp(c->report.refusals[i].reason, "none") != 0)
            return true;
    return false;
}

static bool remaining_are_refused(Case *c, const Graph *graph)
{
    for (size_t i = 0; i < graph->node_count; i++) {
        const Node *node = graph->nodes[i];
        if (strcmp(node->op_type, "BatchNormalization") == 0 &&
            !is_refused(c, node)) {
            c->detail = node_text(c->arena, node);
            return false;
        }
    }
    return true;
}

static const char *interface_text(Case *c, const Model *model)
{
    Text text = {.arena = c->arena};
    const Graph *graph = model->graph;
    for (size_t i = 0; i < graph->input_count; i++) {
        const Value *value = graph->inputs[i];
        if (value->is_initializer && model->ir_version < 4)
            continue;
        text_printf(&text, "%s ", value->name);
        text_fact(&text, model->symbols, &value->fact);
        text_printf(&text, ", ");
    }
    for (size_t i = 0; i < graph->output_count; i++) {
        text_printf(&text, "-> %s ", graph->outputs[i]->name);
        text_fact(&text, model->symbols, &graph->outputs[i]->fact);
    }
    return text.bytes;
}

/* An inequality that a fold must not turn round. */
static bool not_more(Case *c, const char *what, double before, double after)
{
    if (isnan(before) || isnan(after) || after <= before * (1 + 1e-12))
        return true;
    c->detail =
        arena_printf(c->arena, "%s: %.17g, were %.17g", what, after, before);
    return false;
}

/* New biases are not counted: they are nothing beside weights, and a shift may
 * need one for each of its readers. */
static bool costs_no_more(Case *c)
{
    Cost a = c->cost, b = cost_of(c->after);
    for (size_t i = 0; i < c->report.fold_count; i++) {
        const rp_fold_record *fold = &c->report.folds[i];
        if (!not_more(c, fold->node, fold->macs_before, fold->macs_after))
            return false;
    }
    return not_more(c, "nodes", (double)a.nodes, (double)b.nodes) &&
           not_more(c, "weights", a.weights + a.biases, b.weights) &&
           not_more(c, "multiplications", a.macs, b.macs);
}

/* ---- The check, in three steps ---- */

static const char *check_original(Case *c)
{
    Model *twin = fuzz_read(c->arena, c->model->file, &c->err);
    c->before = fuzz_read(c->arena, c->model->file, &c->err);
    c->after = fuzz_read(c->arena, c->model->file, &c->err);
    if (!twin || !c->before || !c->after)
        return "the original is not read";
    if (graph_infer(c->after->graph, &c->err) < 0)
        return "the original is wrong";
    c->cost = cost_of(c->after);
    c->rough = has_statistics(c->before->graph);
    c->expected = run(c, c->before, false);
    bound_twin(twin);
    c->largest = c->expected ? run(c, twin, true) : NULL;
    if (!c->largest)
        return "the original does not run";
    c->has_infinite =
        has_infinite(c, c->expected) || has_infinite(c, c->largest);
    return NULL;
}

static const char *check_folded(Case *c)
{
    if (model_fold(c->after, &c->model->options, &c->report, &c->err) < 0)
        return "folding fails";
    if (graph_check(c->after->graph, &c->err) < 0)
        return "the folded graph is wrong";
    if (c->model->tamper)
        c->model->tamper(c->after);
    Array **got = run(c, c->after, false);
    if (!got)
        return "the folded model does not run";
    if (!outputs_agree(c, got, allowed(c)))
        return "the outputs differ";
    const rp_fold_options *options = &c->model->options;
    /* An inlined function stays in the file. */
    if (!options->allow_cost && !options->inline_functions && !costs_no_more(c))
        return "the cost rises";
    if (!remaining_are_refused(c, c->after->graph))
        return "no reason is given";
    return NULL;
}

/* The file is what is certified, not what folding knows of it. */
static const char *check_certificates(Case *c)
{
    rp_certificates_info info;
    rp_certify_options options = {.seed = c->model->seed, .threads = 1};
    if (certify_models(c->arena, c->before, c->again, &options, &info,
                       &c->err) < 0)
        return "certifying fails";
    if (!info.hold) {
        c->detail = info.why;
        return "a certificate fails";
    }
    c->certificates = info.count;
    return NULL;
}

static const char *check_again(Case *c)
{
    Span bytes;
    if (c->report.fold_count == 0 &&
        (c->written.size != c->model->file.size ||
         memcmp(c->written.bytes, c->model->file.bytes, c->written.size)))
        return "nothing was folded, but the bytes are not the same";
    if (model_fold(c->again, &c->model->options, &c->second, &c->err) < 0 ||
        fuzz_write(c->arena, c->again, &bytes, &c->err) < 0)
        return "folding again fails";
    if (c->second.fold_count > 0) {
        c->detail = c->second.folds[0].node;
        return "folding again finds something";
    }
    if (bytes.size != c->written.size ||
        memcmp(bytes.bytes, c->written.bytes, bytes.size) != 0)
        return "folding again gives other bytes";
    return NULL;
}

static void spread_largest(Case *c)
{
    for (size_t i = 0; i < c->before->graph->output_count; i++) {
        Array *array = c->largest[i];
        double most = 0, *at = array->data;
        for (int64_t k = 0; dtype_is_real(array->type) && k < array->count; k++)
            most = isnan(at[k]) ? (double)INFINITY : fmax(most, at[k]);
        for (int64_t k = 0; dtype_is_real(array->type) && k < array->count; k++)
            at[k] = most;
    }
}

/* Each weight is rounded once, u |W| at most. In float16 small ones round more
 * coarsely: there the largest element stands for all. */
static const char *check_written(Case *c)
{
    if (fuzz_write(c->arena, c->after, &c->written, &c->err) < 0)
        return "the folded model is not written";
    c->again = fuzz_read(c->arena, c->written, &c->err);
    if (!c->again)
        return "the folded model is not read";
    const char *a = interface_text(c, c->before);
    const char *b = interface_text(c, c->again);
    if (strcmp(a, b) != 0) {
        c->detail = arena_printf(c->arena, "%s, was %s", b, a);
        return "inputs or outputs have changed";
    }
    DType type = c->expected[0]->type;
    double u = dtype_is_real(type) ? dtype_roundoff(type) : 1;
    Array **got = run(c, c->again, false);
    double factor = allowed(c) + 4 * u * (double)c->cost.nodes;
    if (!got)
        return "the written model does not run";
    if (type == DT_FLOAT16)
        spread_largest(c);
    if (!c->rough && !outputs_agree(c, got, factor))
        return "the outputs as written differ";
    const char *fault = check_certificates(c);
    return fault ? fault : check_again(c);
}

static void count_add(FuzzCount *count, const Case *c)
{
    count->models++;
    count->nodes += c->before->graph->node_count;
    count->folds += c->report.fold_count;
    count->removed += c->cost.nodes - cost_of(c->after).nodes;
    count->certificates += c->certificates;
    count->upper += c->model->upper;
    count->exact += c->model->integers && allowed(c) == 0;
}

const char *fuzz_check(Arena *arena, const FuzzModel *model, FuzzCount *count,
                       const char **detail)
{
    Case c = {.arena = arena_child(arena), .model = model, .detail = ""};
    const char *fault = check_original(&c);
    if (!fault)
        fault = check_folded(&c);
    if (!fault)
        fault = check_written(&c);
    if (fault)
        *detail = arena_strdup(arena, c.err.code ? c.err.message : c.detail);
    else if (count)
        count_add(count, &c);
    arena_free(c.arena);
    return fault;
}

/* ---- Seeds ---- */

static void report_model(FILE *file, Arena *arena, const char *title,
                         const Model *model)
{
    Text text = {.arena = arena};
    graph_dump_text(model->graph, &text);
    for (size_t i = 0; i < model->function_count; i++) {
        text_printf(&text, "%s.%s: ", model->functions[i].domain,
                    model->functions[i].name);
        graph_dump_text(model->functions[i].body, &text);
    }
    fprintf(file, "%s, opset %lld, IR %lld:\n%s", title,
            (long long)model->opset, (long long)model->ir_version, text.bytes);
}

static void report_failure(FILE *file, Arena *arena, const FuzzModel *model)
{
    FuzzModel small = fuzz_shrink(arena, model);
    const char *detail = "", *fault = fuzz_check(arena, &small, NULL, &detail);
    fprintf(file, "seed %llu, %s: %s (%s)\n", (unsigned long long)model->seed,
            model->integers ? "integers" : "reals", fault, detail);
    Err err = {0};
    FoldReport report = {0};
    Model *before = fuzz_read(arena, small.file, &err);
    Model *after = fuzz_read(arena, small.file, &err);
    if (!before || !after)
        return;
    graph_infer(before->graph, &err);
    report_model(file, arena, "the model", before);
    if (model_fold(after, &model->options, &report, &err) == 0)
        report_model(file, arena, "folded", after);
    fprintf(file, "\n");
}

int fuzz_seed(uint64_t seed, FuzzCount *count, FILE *report)
{
    int failed = 0;
    for (int integers = 0; integers < 2; integers++) {
        Arena *arena = arena_new(0);
        FuzzModel model = fuzz_generate(arena, seed, integers);
        const char *detail;
        if (fuzz_check(arena, &model, count, &detail)) {
            report_failure(report, arena, &model);
            failed = -1;
        }
        arena_free(arena);
    }
    return failed;
}
