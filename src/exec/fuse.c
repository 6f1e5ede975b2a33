/*
 * Running a group of steps as one.  Where its values do not have the shapes
 * that were expected, or a step does not fit, the steps run one by one.
 */
#include "exec/chain.h"
#include "exec/run.h"

typedef struct Fusion {
    Run *run;
    const Group *group;
    Chain chain;
    Array *values;      /* of each step: what stands for its output */
    KernelCall *beside; /* of the kernels but the first one */
    Array *out;         /* of the last step */
} Fusion;

static const Step *step_at(const Fusion *f, int at)
{
    return &f->run->exec->steps[f->group->steps[at]];
}

/* The step of the group that computes the slot, or -1. */
static int find_maker(const Fusion *f, int slot)
{
    for (int at = 0; at + 1 < f->group->count && slot >= 0; at++)
        if (step_at(f, at)->outputs[0] == slot)
            return at;
    return -1;
}

/* A step's call, whose inputs are as expected unless the chain is a misfit. */
static int make_call(Fusion *f, int at, KernelCall *call, Err *err)
{
    Run *run = f->run;
    const Step *step = step_at(f, at);
    const Node *node = step->node;
    Array **inputs =
        arena_array(run->temporary, (size_t)node->input_count, sizeof *inputs);
    for (int i = 0; i < node->input_count; i++) {
        int maker = find_maker(f, step->inputs[i]);
        if (maker >= 0)
            inputs[i] = &f->values[maker];
        else
            TRY(run_input(run, step, i, &inputs[i], err));
        if (maker < 0 && inputs[i] &&
            !schedule_agrees(run->schedule, step->inputs[i], inputs[i]))
            f->chain.misfit = true;
    }
    *call = (KernelCall){.node = node,
                         .opset = graph_opset(node->graph),
                         .precision = run->exec->options.precision,
                         .level = simd_level(run->exec->options.level),
                         .input_count = node->input_count,
                         .inputs = inputs,
                         .pool = run->exec->options.pool,
                         .arena = run->temporary,
                         .prepared = step->prepared};
    return kernel_check(call, step->kernel, err);
}

/* Adds the rows of one step. */
static int add_step(Fusion *f, int at, Err *err)
{
    KernelCall call;
    TRY(make_call(f, at, &call, err));
    f->chain.to = f->group->registers[at];
    return f->chain.misfit
               ? 0
               : step_at(f, at)->kernel->chain(&call, &f->chain, err);
}

/* The call of a kernel beside the first one. */
static int add_beside(Fusion *f, int at, Err *err)
{
    Arena *arena = f->run->temporary;
    KernelCall *call = &f->beside[at - 1];
    TRY(make_call(f, at, call, err));
    call->outputs = arena_array(arena, 1, sizeof *call->outputs);
    call->outputs[0] = arena_alloc(arena, sizeof(Array));
    *call->outputs[0] = f->values[at];
    call->outputs[0]->data = NULL;
    call->output_count = 1;
    return 0;
}

/* Makes the chain, and the calls beside its kernel; false when the steps must
 * run one by one, which then also tells what is wrong with them. */
static bool make_chain(Fusion *f)
{
    const Exec *exec = f->run->exec;
    Array shape;
    Err ignored = {0};
    int count = f->group->count, kernels = f->group->kernels;
    if (!schedule_shape(f->run->schedule, step_at(f, count - 1)->outputs[0],
                        &shape))
        return false;
    chain_init(&f->chain, &shape, exec->options.precision);
    f->values =
        arena_array(f->run->temporary, (size_t)count, sizeof *f->values);
    f->beside =
        arena_array(f->run->temporary, (size_t)kernels + 1, sizeof *f->beside);
    for (int at = 0; at + 1 < count; at++) {
        int slot = step_at(f, at)->outputs[0];
        if (!schedule_shape(f->run->schedule, slot, &shape))
            return false;
        f->values[at] = chain_register(&f->chain,
                                       at < kernels ? CHAIN_OUTPUT + at
                                                    : f->group->registers[at],
                                       shape.type);
    }
    for (int at = 1; at < kernels && !f->chain.misfit; at++)
        if (add_beside(f, at, &ignored) < 0)
            return false;
    for (int at = kernels; at < count && !f->chain.misfit; at++)
        if (add_step(f, at, &ignored) < 0)
            return false;
    chain_finish(&f->chain);
    return !f->chain.misfit;
}

static void run_piece(void *context, int worker, int64_t first, int64_t count,
                      const void *const *beside)
{
    const Fusion *f = context;
    (void)worker;
    chain_run(&f->chain, f->out->data, first, count, beside);
}

static void run_range(void *context, int worker, int64_t begin, int64_t end)
{
    run_piece(context, worker, begin, end - begin, NULL);
}

/* How often the group reads a slot. */
static int count_reads(const Fusion *f, int slot)
{
    int reads = 0;
    for (int at = 0; at < f->group->count; at++) {
        const Step *step = step_at(f, at);
        for (int i = 0; i < step->node->input_count; i++)
            reads += step->inputs[i] == slot;
    }
    return reads;
}

/* True for a value with all elements of the chain's shape that nobody reads
 * any more: its memory can be the output's. */
static bool is_spare(const Fusion *f, int slot)
{
    const Holder *holder = &f->run->holders[slot];
    return holder->array && holder->owned &&
           holder->array->count == f->chain.shape.count &&
           dtype_is_real(holder->array->type) &&
           holder->left == count_reads(f, slot) &&
           buffers_alone(holder->array->data);
}

static int find_spare(const Fusion *f)
{
    for (int at = 0; at < f->group->count; at++) {
        const Step *step = step_at(f, at);
        for (int i = 0; i < step->node->input_count; i++)
            if (step->inputs[i] >= 0 && is_spare(f, step->inputs[i]))
                return step->inputs[i];
    }
    return -1;
}

/* Memory for the chain's output: its place, which may be an input's; else an
 * input's buffer that nobody else needs, or a new one. */
static void *output_memory(const Fusion *f, int slot)
{
    Run *run = f->run;
    size_t count = (size_t)f->chain.shape.count;
    size_t size = storage_size(f->chain.storage);
    void *place = schedule_place(run->schedule, slot, count * size);
    int spare = place ? -1 : find_spare(f);
    if (place)
        return place;
    if (spare < 0)
        return buffers_take(run->exec->buffers, count, size);
    buffers_share(run->holders[spare].array->data);
    return run->holders[spare].array->data;
}

static void run_chain(Fusion *f)
{
    Run *run = f->run;
    int slot = step_at(f, f->group->count - 1)->outputs[0];
    Array out = f->chain.shape;
    out.data = output_memory(f, slot);
    f->out = &out;
    pool_run(run->exec->options.pool, out.count, GRAIN, run_range, f);
    run_keep(run, slot, &out, !schedule_owns(run->schedule, out.data));
}

/* The kernel before the chain, which runs it as its epilogue. */
static int run_kernel(Fusion *f, Err *err)
{
    Run *run = f->run;
    Epilogue epilogue = {.run = run_piece,
                         .context = f,
                         .is_relu = f->group->count == 2 &&
                                    step_at(f, 1)->node->op == OP_Relu};
    StepCall call;
    TRY(run_gather(run, step_at(f, 0), &call, err));
    call.epilogue = &epilogue;
    call.beside = f->beside;
    call.beside_count = f->group->kernels - 1;
    call.is_placed = true;
    f->out = call.outputs[0];
    int result = step_run(&call, err);
    if (f->out->data)
        run_keep(run, step_at(f, f->group->count - 1)->outputs[0], f->out,
                 !schedule_owns(run->schedule, f->out->data));
    return result;
}

int run_group(Run *run, const Group *group, Err *err)
{
    Fusion *f = arena_alloc(run->temporary, sizeof *f);
    *f = (Fusion){.run = run, .group = group};
    if (!make_chain(f)) {
        for (int at = 0; at < group->count; at++)
            TRY(run_step(run, step_at(f, at), false, err));
        return 0;
    }
    if (group->kernels > 0)
        TRY(run_kernel(f, err));
    else
        run_chain(f);
    for (int at = 0; at < group->count; at++)
        run_read(run, step_at(f, at));
    return 0;
}
