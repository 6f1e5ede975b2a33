#include "net_run.h"

#include "suites.h"

void toy_line(Net *net, int64_t size)
{
    toy_input(net, "x", DT_FLOAT, 1, &size);
    toy_output(net, "y", DT_FLOAT);
}

Array *toy_array(Arena *arena, int64_t count, double first)
{
    Array *array =
        array_new(arena, DT_FLOAT, 1, (int64_t[]){count}, PRECISION_F64);
    for (int64_t i = 0; i < count; i++)
        ((double *)array->data)[i] = first + (double)i;
    return array;
}

Exec *toy_plan(Net *net, ExecOptions options)
{
    Exec *exec;
    Err err = {0};
    options.precision = PRECISION_F64;
    ck_assert_msg(exec_new(net->arena, net->graph, &options, &exec, &err) == 0,
                  "%s", err.message);
    return exec;
}

const double *toy_run(Net *net, Exec *exec, Array *x)
{
    Array *output;
    Err err = {0};
    ck_assert_msg(exec_run(exec, net->arena, &x, &output, &err) == 0, "%s",
                  err.message);
    return output->data;
}
