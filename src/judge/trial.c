#include "judge/trial.h"

#include <math.h>

int trial_open(Numbers *numbers, bool is_b, const ExecOptions *options,
               Trial *out, Err *err)
{
    const Model *model = is_b ? numbers->b : numbers->a;
    *out = (Trial){.numbers = numbers,
                   .arena = arena_child(numbers->arena),
                   .is_b = is_b,
                   .options = *options};
    out->options.pool = numbers->pool;
    return exec_new(out->arena, model->graph, &out->options, &out->exec, err);
}

int trial_run(Trial *trial, int sample, Arena *arena, Array **outputs, Err *err)
{
    Numbers *numbers = trial->numbers;
    Precision precision = trial->options.precision;
    TRY(numbers_progress(numbers, 0, err));
    Array **inputs,
        **made = arena_array(arena, numbers->output_count + 1, sizeof *made);
    TRY(numbers_inputs(numbers, arena, sample, trial->is_b, precision, &inputs,
                       err));
    TRY(exec_run(trial->exec, arena, inputs, made, err));
    for (size_t i = 0; i < numbers->output_count; i++)
        outputs[i] = made[trial->is_b ? (size_t)numbers->order_outputs[i] : i];
    numbers->runs_done += precision == PRECISION_F32 ? TRIAL_F32_RUN : 1;
    return 0;
}

void trial_close(Trial *trial)
{
    arena_free(trial->arena);
}

double numbers_relative(const Numbers *numbers, int sample, size_t output,
                        const Comparison *comparison)
{
    if (comparison->result != COMPARE_EQUAL &&
        comparison->result != COMPARE_VALUES)
        return HUGE_VAL;
    double scale = *numbers_at(numbers, numbers->magnitudes, sample, output);
    if (!dtype_is_real(numbers->truth[sample][output]->type))
        return comparison->count > 0
                   ? (double)comparison->wrong / (double)comparison->count
                   : 0;
    if (scale == 0)
        scale = numbers->max_abs[output];
    return comparison->max_abs == 0 ? 0 : comparison->max_abs / scale;
}

int trial_measure(const Trial *trial, int sample, Array *const *outputs,
                  double *numbers, Comparison *fault)
{
    const Numbers *known = trial->numbers;
    Tolerance none = {0};
    int broken = -1;
    for (size_t i = 0; i < known->output_count; i++) {
        Comparison comparison;
        Operand a = {outputs[i], trial->options.precision};
        Operand b = {known->truth[sample][i], PRECISION_F64};
        compare_arrays(a, b, &none, &comparison);
        double value = numbers_relative(known, sample, i, &comparison);
        double *number = numbers_at(known, numbers, sample, i);
        *number = fmax(*number, value);
        double *moved = numbers_at(known, known->moved, sample, i);
        *moved = fmax(*moved, comparison.moved);
        if (isinf(value) && broken < 0) {
            broken = (int)i;
            *fault = comparison;
        }
    }
    return broken;
}

int trial_once(Trial *trial, int sample, double *numbers, Err *err)
{
    Arena *arena = arena_child(trial->numbers->arena);
    Array **outputs =
        arena_array(arena, trial->numbers->output_count + 1, sizeof *outputs);
    Comparison ignored;
    TRY(trial_run(trial, sample, arena, outputs, err));
    trial_measure(trial, sample, outputs, numbers, &ignored);
    arena_free(arena);
    return 0;
}

bool is_trouble(const Err *err)
{
    switch (err->code) {
    case ERR_MEMORY:
    case ERR_BUDGET:
    case ERR_IO:
    case ERR_USAGE:
    case ERR_UNSUPPORTED_OPERATOR:
    case ERR_UNSUPPORTED_TYPE:
    case ERR_INTERNAL:
        return true;
    default:
        return false;
    }
}
