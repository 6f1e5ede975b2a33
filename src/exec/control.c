/* Nodes that hold graphs: If, and calls of local functions. */
#include <string.h>

#include "exec/plan.h"

/* Takes over what a nested graph computed. */
static void take_output(StepCall *call, int output, const Array *value)
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

static int find_nested(const StepCall *call, const char *name, int *out,
                       Err *err)
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

static int wrong_count(const StepCall *call, Err *err)
{
    return err_set(err, ERR_INVALID_MODEL,
                   "%s: its inputs or outputs do not fit its graph",
                   node_text(call->arena, call->step->node));
}

static Array **run_nested(StepCall *call, int which, Array *const *inputs,
                          Err *err)
{
    Exec *exec = call->step->nested[which].exec;
    Array **outputs =
        arena_array(call->arena, exec->output_count + 1, sizeof *outputs);
    if (plan_run(exec, call->arena, inputs, call->captured[which], outputs,
                 err) < 0)
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
    TRY(find_nested(call, yes ? "then_branch" : "else_branch", &which, err));
    const Exec *exec = call->step->nested[which].exec;
    if ((int)exec->output_count != call->step->node->output_count ||
        exec->input_count > 0)
        return wrong_count(call, err);
    Array **values = run_nested(call, which, NULL, err);
    if (!values)
        return -1;
    for (int i = 0; i < call->step->node->output_count; i++)
        take_output(call, i, values[i]);
    return 0;
}

static int run_function(StepCall *call, Err *err)
{
    const Node *node = call->step->node;
    const Exec *exec = call->step->nested[0].exec;
    if ((int)exec->input_count < node->input_count ||
        (int)exec->output_count < node->output_count)
        return wrong_count(call, err);
    for (size_t i = 0; i < exec->input_count; i++)
        if ((int)i >= node->input_count || !call->inputs[i])
            return err_set(err, ERR_UNSUPPORTED_OPERATOR,
                           "%s: a function is called without its input %zu",
                           node_text(call->arena, node), i);
    Array **values = run_nested(call, 0, call->inputs, err);
    if (!values)
        return -1;
    for (int i = 0; i < node->output_count; i++)
        take_output(call, i, values[i]);
    return 0;
}

int step_run_nested(StepCall *call, Err *err)
{
    if (call->step->calls_function)
        return run_function(call, err);
    return run_if(call, err);
}
