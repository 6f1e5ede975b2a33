/* rp_run: named .npy files, or a folder of the ONNX backend test format. */
#include <string.h>
#include <unistd.h>

#include "api.h"
#include "exec/exec.h"
#include "exec/npy.h"
#include "exec/npz.h"
#include "judge/compare.h"
#include "judge/input.h"
#include "onnx/onnx.h"

typedef struct RunWork {
    rp_model *model;
    const rp_run_options *options;
    rp_run_result *result;
    Arena *scratch; /* freed whatever happens */
    const Graph *graph;
    const Value **inputs; /* that must be given */
    int input_count;
    ExecInput *given; /* those inputs */
    Array **outputs;
    Precision precision;
} RunWork;

/* ---- "NAME=FILE" ---- */

/* FILE when the pair begins with that name; names may hold '='. */
static const char *pair_file(const char *pair, const char *name)
{
    size_t length = strlen(name);
    if (strncmp(pair, name, length) != 0 || pair[length] != '=')
        return NULL;
    return pair + length + 1;
}

static int bad_pair(const char *pair, const char *what, Err *err)
{
    if (!strchr(pair, '='))
        return err_set(err, ERR_USAGE, "\"%s\" is not NAME=FILE.npy%s", pair,
                       strcmp(what, "input") == 0 ? " or FILE.npz" : "");
    return err_set(err, ERR_BAD_INPUT, "no %s is called as in \"%s\"", what,
                   pair);
}

/* ---- Inputs ---- */

static const char *shape_text(Arena *arena, int rank, const int64_t *dims)
{
    const char *text = "";
    for (int i = 0; i < rank; i++)
        text = arena_printf(arena, "%s%s%lld", text, i ? "," : "",
                            (long long)dims[i]);
    return arena_printf(arena, "[%s]", text);
}

static bool shape_fits(const Symbols *symbols, const Fact *fact,
                       const Tensor *tensor)
{
    if (fact->rank < 0)
        return true;
    if (fact->rank != tensor->rank)
        return false;
    for (int i = 0; i < fact->rank; i++) {
        int64_t size;
        if (dim_is_known(symbols, fact->dims[i], &size) &&
            size != tensor->dims[i])
            return false;
    }
    return true;
}

static int check_input(const RunWork *work, const Value *value,
                       const Tensor *tensor, Err *err)
{
    const Fact *fact = &value->fact;
    Arena *arena = work->scratch;
    if (fact->type != DT_UNDEFINED && fact->type != tensor->type)
        return err_set(err, ERR_BAD_INPUT, "input %s is %s, not %s",
                       value->name, dtype_name(fact->type),
                       dtype_name(tensor->type));
    if (shape_fits(work->graph->model->symbols, fact, tensor))
        return 0;
    const char *wanted = "";
    for (int i = 0; i < fact->rank; i++)
        wanted = arena_printf(
            arena, "%s%s%s", wanted, i ? "," : "",
            dim_text(arena, work->graph->model->symbols, fact->dims[i]));
    return err_set(err, ERR_BAD_INPUT, "input %s is [%s], not %s", value->name,
                   wanted, shape_text(arena, tensor->rank, tensor->dims));
}

static int set_input(RunWork *work, int index, ExecInput given, Err *err)
{
    const Value *input = work->inputs[index];
    if (work->given[index].tensor)
        return err_set(err, ERR_USAGE, "input %s is given twice", input->name);
    work->given[index] = given;
    return check_input(work, input, given.tensor, err);
}

/* The arrays of an .npz file are called like the inputs. */
typedef struct ReadArrays {
    NpzVisit visit; /* first: the visit is the ReadArrays */
    RunWork *work;
} ReadArrays;

static int read_array(NpzVisit *visit, const char *name, Tensor *tensor,
                      Err *err)
{
    RunWork *work = ((ReadArrays *)visit)->work;
    for (int i = 0; i < work->input_count; i++)
        if (strcmp(work->inputs[i]->name, name) == 0)
            return set_input(work, i, (ExecInput){tensor, NULL}, err);
    return err_set(err, ERR_BAD_INPUT, "the model has no such input");
}

/* Assigns one pair to the input it names. */
static int read_pair(RunWork *work, const char *pair, Err *err)
{
    ReadArrays arrays = {{read_array}, work};
    Tensor *tensor;
    for (int i = 0; i < work->input_count; i++) {
        const char *file = pair_file(pair, work->inputs[i]->name);
        if (!file)
            continue;
        Arena *own = arena_child(work->scratch);
        TRY(array_read(own, file, &tensor, err));
        return set_input(work, i, (ExecInput){tensor, own}, err) < 0
                   ? err_about(err, file)
                   : 0;
    }
    if (!strchr(pair, '=') && npz_is(pair))
        return npz_visit(work->scratch, pair, &arrays.visit, err);
    return bad_pair(pair, "input", err);
}

/* What is given a shape alone is drawn. */
static int draw_inputs(RunWork *work, Err *err)
{
    const Model *model = work->model->model;
    rp_verify_options options = {
        .input_shapes = work->options->input_shapes,
        .input_shape_count = work->options->input_shape_count,
    };
    InputPlan plan;
    Tensor **drawn = arena_array(work->scratch, (size_t)work->input_count + 1,
                                 sizeof *drawn);
    if (options.input_shape_count == 0)
        return 0;
    TRY(inputs_plan(work->scratch, model, model, &options, &plan, err));
    input_sample(work->scratch, &plan, 0, ODD_NONE, drawn);
    for (int i = 0; i < work->input_count; i++)
        if (!work->given[i].tensor && plan.slots[i].shape)
            work->given[i].tensor = drawn[i];
    return 0;
}

static int read_named(RunWork *work, Err *err)
{
    for (size_t i = 0; i < work->options->input_count; i++)
        TRY(read_pair(work, work->options->inputs[i], err));
    TRY(draw_inputs(work, err));
    for (int i = 0; i < work->input_count; i++)
        if (!work->given[i].tensor)
            return err_set(err, ERR_BAD_INPUT,
                           "input %s is not given; use --input %s=FILE.npy",
                           work->inputs[i]->name, work->inputs[i]->name);
    return 0;
}

/* Numbers of float64 may be beyond float32's range. */
static int read_folder(RunWork *work, Err *err)
{
    for (int i = 0; i < work->input_count; i++) {
        const Value *input = work->inputs[i];
        const char *file = arena_printf(work->scratch, "%s/input_%d.pb",
                                        work->options->data_dir, i);
        Tensor *tensor;
        TRY(folder_tensor(work->scratch, file, input->fact.type, &tensor, err));
        if (set_input(work, i, (ExecInput){tensor, NULL}, err) < 0)
            return err_about(err, file);
        if (tensor->type == DT_DOUBLE)
            work->precision = PRECISION_F64;
    }
    return 0;
}

/* ---- Outputs ---- */

typedef struct NpyContent {
    Content content; /* first: the content is the NpyContent */
    Arena *arena;
    const Array *array;
    Precision precision;
} NpyContent;

static int write_npy(Content *content, Sink *sink, Err *err)
{
    const NpyContent *self = (const NpyContent *)content;
    return npy_write(self->arena, self->array, self->precision, sink, err);
}

int array_save(Arena *arena, const char *path, const Array *array,
               Precision precision, Err *err)
{
    NpyContent npy = {{.write = write_npy}, arena, array, precision};
    return file_save_content(arena, path, &npy.content, err);
}

/* The output that a pair names, or -1. */
static int find_output(const RunWork *work, const char *pair, Err *err)
{
    for (size_t i = 0; i < work->graph->output_count; i++)
        if (pair_file(pair, work->graph->outputs[i]->name))
            return (int)i;
    return bad_pair(pair, "output", err);
}

static int write_named(RunWork *work, Err *err)
{
    for (size_t i = 0; i < work->options->output_count; i++) {
        const char *pair = work->options->outputs[i];
        int index = find_output(work, pair, err);
        TRY(index);
        const Value *value = work->graph->outputs[index];
        TRY(array_save(work->scratch, pair_file(pair, value->name),
                       work->outputs[index], work->precision, err));
    }
    return 0;
}

/* Compares with output_N.pb, in the output's own type, and keeps the first
 * difference. */
static int compare_output(RunWork *work, int index, Err *err)
{
    const Array *computed = work->outputs[index];
    const rp_run_options *options = work->options;
    Tolerance tolerance = {
        .rtol = options->rtol > 0 ? options->rtol : 1e-3,
        .atol = options->atol > 0 ? options->atol : 1e-7,
    };
    Comparison comparison;
    Tensor *expected;
    const char *file = arena_printf(work->scratch, "%s/output_%d.pb",
                                    options->data_dir, index);
    Operand y = {NULL, PRECISION_F64}, wanted = {NULL, PRECISION_F64};
    TRY(folder_tensor(work->scratch, file, computed->type, &expected, err));
    TRY(array_from_tensor(
        work->scratch,
        array_to_tensor(work->scratch, computed, work->precision),
        PRECISION_F64, false, (Array **)&y.array, err));
    TRY(array_from_tensor(work->scratch, expected, PRECISION_F64, false,
                          (Array **)&wanted.array, err));
    compare_arrays(y, wanted, &tolerance, &comparison);
    if (comparison.result == COMPARE_EQUAL || work->result->mismatch)
        return 0;
    work->result->mismatch =
        arena_printf(work->model->arena, "output %s, %s: %s",
                     work->graph->outputs[index]->name, file,
                     compare_text(work->scratch, &comparison, y, wanted));
    return 0;
}

static int compare_folder(RunWork *work, Err *err)
{
    for (size_t i = 0; i < work->graph->output_count; i++)
        TRY(compare_output(work, (int)i, err));
    const char *more =
        arena_printf(work->model->arena, "%s/output_%zu.pb",
                     work->options->data_dir, work->graph->output_count);
    if (!work->result->mismatch && access(more, F_OK) == 0)
        work->result->mismatch = arena_printf(
            work->model->arena, "%s: the model has no such output", more);
    work->result->matched = work->result->mismatch == NULL;
    return 0;
}

/* ---- The run ---- */

static int execute(RunWork *work, Err *err)
{
    Arena *arena = work->scratch;
    ExecOptions options = {
        .precision = work->precision,
        .pool = pool_new(arena, work->options->threads),
        .lends = true,
    };
    Exec *exec;
    work->outputs =
        arena_array(arena, work->graph->output_count + 1, sizeof(Array *));
    TRY(exec_new(arena, work->graph, &options, &exec, err));
    double start = api_seconds();
    TRY(exec_run_tensors(exec, arena, work->given, work->outputs, err));
    work->result->seconds = api_seconds() - start;
    return 0;
}

static int run_work(void *context, Err *err)
{
    RunWork *work = context;
    bool folder = work->options->data_dir != NULL;
    work->scratch = arena_child(work->model->arena);
    work->graph = work->model->model->graph;
    work->input_count =
        graph_free_inputs(work->scratch, work->graph, &work->inputs);
    work->given = arena_array(work->scratch, (size_t)work->input_count + 1,
                              sizeof *work->given);
    /* A name that is not there is told before the work. */
    for (size_t i = 0; i < work->options->output_count; i++)
        TRY(find_output(work, work->options->outputs[i], err));
    TRY(folder ? read_folder(work, err) : read_named(work, err));
    TRY(execute(work, err));
    return folder ? compare_folder(work, err) : write_named(work, err);
}

int rp_run(rp_model *model, const rp_run_options *options,
           rp_run_result *result, rp_error *error)
{
    rp_run_options none = {0};
    RunWork work = {
        .model = model,
        .options = options ? options : &none,
        .result = result,
    };
    work.precision = work.options->f64 ? PRECISION_F64 : PRECISION_F32;
    *result = (rp_run_result){0};
    int status = api_run_model(model, run_work, &work, model->path, error);
    arena_free(work.scratch);
    return status;
}
