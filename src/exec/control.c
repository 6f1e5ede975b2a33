/* Nodes that hold graphs: If, Loop, and calls of local functions; scan.c has
 * Scan. */
#include <string.h>

#include "exec/nested.h"

/* A loop may have no end. */
enum { RUNS_MOST = 100 * 1000 };

void nested_give(StepCall *call, int output, const Array *value)
{
    Array *out = call->outputs[output];
    if (!out)
        return;
    size_t size =
        storage_size(array_storage(value->type, call->options->precision));
    *out = *value;
    out->data = buffers_take(call->buffers, (size_t)value->count, size);
    memcpy(out->data, value->data, (size_t)value->count * size);
}

int nested_find(const StepCall *call, const char *name, int *out, Err *err)
{
    const Step *step = call->step;
    for (int i = 0; i < step->nested_count; i++)
        if (strcmp(step->nested[i].name, name) == 0) {
            *out = i;
            return 0;
        }
    return err_set(err, ERR_BAD_ATTRIBUTE, "%s: it has no %s",
                   node_text(call->arena, step->node), name);
}

int nested_misfit(const StepCall *call, Err *err)
{
    return err_set(err, ERR_INVALID_MODEL,
                   "%s: its inputs or outputs do not fit its graph",
                   node_text(call->arena, call->step->node));
}

Array **nested_run(StepCall *call, int which, Arena *arena,
                   Array *const *inputs, Err *err)
{
    Exec *exec = call->step->nested[which].exec;
    if (++exec->plan->runs > RUNS_MOST) {
        err_set(err, ERR_BUDGET, "%s: loops and calls run more than %d graphs",
                node_text(call->arena, call->step->node), RUNS_MOST);
        return NULL;
    }
    Array **outputs =
        arena_array(arena, exec->output_count + 1, sizeof *outputs);
    PlanData data = {.inputs = inputs,
                     .captured = call->captured[which],
                     .outputs = outputs};
    if (plan_run(exec, arena, &data, err) < 0)
        return NULL;
    return outputs;
}

static int run_if(StepCall *call, Err *err)
{
    const Array *condition = call->inputs[0];
    int which = 0;
    if (!condition || condition->type != DT_BOOL || condition->count != 1)
        return err_set(err, ERR_BAD_INPUT, "%s: its condition is not one bool",
                       node_text(call->arena, call->step->node));
    bool yes = *(const int64_t *)condition->data != 0;
    TRY(nested_find(call, yes ? "then_branch" : "else_branch", &which, err));
    const Exec *exec = call->step->nested[which].exec;
    if ((int)exec->output_count != call->step->node->output_count ||
        exec->input_count > 0)
        return nested_misfit(call, err);
    Array **values = nested_run(call, which, call->arena, NULL, err);
    if (!values)
        return -1;
    for (int i = 0; i < call->step->node->output_count; i++)
        nested_give(call, i, values[i]);
    return 0;
}

static int run_function(StepCall *call, Err *err)
{
    const Node *node = call->step->node;
    const Exec *exec = call->step->nested[0].exec;
    if ((int)exec->input_count < node->input_count ||
        (int)exec->output_count < node->output_count)
        return nested_misfit(call, err);
    Array **values = nested_run(call, 0, call->arena, call->inputs, err);
    if (!values)
        return -1;
    for (int i = 0; i < node->output_count; i++)
        nested_give(call, i, values[i]);
    return 0;
}

/* ---- Loop ---- */

/* Loop: the body takes (iteration, condition, carried ...) and gives
 * (condition, carried ..., scanned ...); each scanned output collects what the
 * iterations gave, along a new first axis. */
typedef struct Loop {
    StepCall *call;
    int body, carried, scanned;
    int64_t trips;  /* -1 for no bound */
    Arena *arena;   /* of the last iteration; NULL before the first */
    Array **values; /* carried, as of now */
    Array ***scans; /* of each iteration */
    size_t done, capacity;
} Loop;

static int read_scalar(const StepCall *call, int slot, int64_t fallback,
                       int64_t *out, Err *err)
{
    const Array *array =
        slot < call->step->node->input_count ? call->inputs[slot] : NULL;
    *out = fallback;
    if (!array)
        return 0;
    if (dtype_is_real(array->type) || array->count != 1)
        return err_set(err, ERR_BAD_INPUT, "%s: input %d is not one number",
                       node_text(call->arena, call->step->node), slot);
    *out = *(const int64_t *)array->data;
    return 0;
}

static Array *scalar_array(Arena *arena, DType type, int64_t value)
{
    Array *array = array_new(arena, type, 0, NULL, PRECISION_F64);
    *(int64_t *)array->data = value;
    return array;
}

/* Keeps what an iteration gave for the scanned outputs. */
static void keep_scans(Loop *loop, Array *const *given)
{
    StepCall *call = loop->call;
    Array **kept =
        arena_array(call->arena, (size_t)loop->scanned + 1, sizeof *kept);
    for (int i = 0; i < loop->scanned; i++)
        kept[i] = array_copy(call->arena, given[i], call->options->precision);
    loop->scans = arena_grow(call->arena, loop->scans, &loop->capacity,
                             loop->done + 1, sizeof *loop->scans);
    loop->scans[loop->done++] = kept;
}

/* Carried values live until the next iteration has read them. */
static int run_iteration(Loop *loop, bool *goes_on, Err *err)
{
    StepCall *call = loop->call;
    Arena *arena = arena_child(call->arena);
    Array **inputs =
        arena_array(arena, (size_t)loop->carried + 2, sizeof *inputs);
    inputs[0] = scalar_array(arena, DT_INT64, (int64_t)loop->done);
    inputs[1] = scalar_array(arena, DT_BOOL, 1);
    for (int i = 0; i < loop->carried; i++)
        inputs[2 + i] = loop->values[i];
    Array **outputs = nested_run(call, loop->body, arena, inputs, err);
    if (!outputs)
        return -1;
    if (outputs[0]->type != DT_BOOL || outputs[0]->count != 1)
        return err_set(err, ERR_BAD_INPUT,
                       "%s: its body's condition is not one bool",
                       node_text(arena, call->step->node));
    *goes_on = *(const int64_t *)outputs[0]->data != 0;
    loop->values = outputs + 1;
    keep_scans(loop, outputs + 1 + loop->carried);
    arena_free(loop->arena);
    loop->arena = arena;
    return 0;
}

/* Stacks what the iterations gave for one scanned output. */
static int stack_scans(Loop *loop, int which, Err *err)
{
    StepCall *call = loop->call;
    Array *out = call->outputs[loop->carried + which];
    if (!out)
        return 0;
    if (loop->done == 0)
        return err_set(
            err, ERR_BAD_INPUT, "%s: no iteration gives output %d a shape",
            node_text(call->arena, call->step->node), loop->carried + which);
    const Array *first = loop->scans[0][which];
    int64_t dims[RANK_MAX] = {(int64_t)loop->done};
    if (first->rank == RANK_MAX)
        return nested_misfit(call, err);
    memcpy(dims + 1, first->dims, (size_t)first->rank * sizeof *dims);
    array_set_shape(out, first->type, first->rank + 1, dims);
    size_t size =
        storage_size(array_storage(out->type, call->options->precision));
    out->data = buffers_take(call->buffers, (size_t)out->count, size);
    size_t part = (size_t)first->count * size;
    for (size_t i = 0; i < loop->done; i++) {
        const Array *given = loop->scans[i][which];
        if (given->count != first->count || given->type != first->type)
            return err_set(err, ERR_BAD_SHAPE,
                           "%s: its iterations give different shapes",
                           node_text(call->arena, call->step->node));
        memcpy((char *)out->data + i * part, given->data, part);
    }
    return 0;
}

static int run_loop(StepCall *call, Err *err)
{
    const Node *node = call->step->node;
    Loop loop = {.call = call, .carried = node->input_count - 2};
    int64_t goes_on;
    TRY(nested_find(call, "body", &loop.body, err));
    TRY(read_scalar(call, 0, -1, &loop.trips, err));
    TRY(read_scalar(call, 1, 1, &goes_on, err));
    const Exec *body = call->step->nested[loop.body].exec;
    loop.scanned = node->output_count - loop.carried;
    if ((int)body->input_count != node->input_count || loop.scanned < 0 ||
        (int)body->output_count != node->output_count + 1)
        return nested_misfit(call, err);
    loop.values =
        arena_array(call->arena, (size_t)loop.carried + 1, sizeof *loop.values);
    for (int i = 0; i < loop.carried; i++)
        if (!(loop.values[i] = call->inputs[2 + i]))
            return nested_misfit(call, err);
    bool more = goes_on != 0;
    while (more && (loop.trips < 0 || (int64_t)loop.done < loop.trips))
        TRY(run_iteration(&loop, &more, err));
    for (int i = 0; i < loop.carried; i++)
        nested_give(call, i, loop.values[i]);
    for (int i = 0; i < loop.scanned; i++)
        TRY(stack_scans(&loop, i, err));
    return 0;
}

int step_run_nested(StepCall *call, Err *err)
{
    if (call->step->calls_function)
        return run_function(call, err);
    switch (call->step->node->op) {
    case OP_Loop:
        return run_loop(call, err);
    case OP_Scan:
        return run_scan(call, err);
    default:
        return run_if(call, err);
    }
}
