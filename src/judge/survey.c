#include "judge/survey.h"

#include <math.h>
#include <string.h>

#include "judge/trial.h"

/* ---- The first sample ---- */

double survey_runs(const Numbers *numbers)
{
    int others = numbers->options->skip_f32 ? 0 : numbers->samples - 1;
    return 2 * TRIAL_F32_RUN + others * TRIAL_F32_RUN;
}

/* What rounds to no number of float16: half a unit above its largest one. */
static const float FLOAT16_BEYOND = 65520;

static bool is_beyond_float16(const Array *array)
{
    const float *values = array->data;
    if (array->type != DT_FLOAT16)
        return false;
    for (int64_t i = 0; i < array->count; i++)
        if (fabsf(values[i]) >= FLOAT16_BEYOND && !isinf(values[i]))
            return true;
    return false;
}

static void look_beyond(Numbers *numbers, bool is_b, const Value *value,
                        const Array *array)
{
    if (!numbers->beyond[is_b] && is_beyond_float16(array))
        numbers->beyond[is_b] = value;
}

static int survey_a(void *context, const Node *node, int output,
                    const Array *array, Err *err)
{
    (void)err;
    Numbers *numbers = context;
    const Value *value = node_output(node, output);
    if (output == 0)
        numbers->products += (double)array->count * node_sum_length(node);
    if (!value)
        return 0;
    look_beyond(numbers, false, value, array);
    shared_see_a(numbers->arena, numbers->shared, value, array);
    return 0;
}

static int survey_b(void *context, const Node *node, int output,
                    const Array *array, Err *err)
{
    (void)err;
    Numbers *numbers = context;
    const Value *value = node_output(node, output);
    if (!value)
        return 0;
    look_beyond(numbers, true, value, array);
    shared_see_b(numbers->shared, value, array);
    return 0;
}

/* One model on the first sample. */
static int survey_model(Numbers *numbers, bool is_b, Err *err)
{
    Trial trial;
    ExecOptions options = {.precision = PRECISION_F32,
                           .probe = is_b ? survey_b : survey_a,
                           .probe_context = numbers};
    Array **outputs =
        arena_array(numbers->arena, numbers->output_count + 1, sizeof *outputs);
    TRY(trial_open(numbers, is_b, &options, &trial, err));
    int status = trial_run(&trial, 0, numbers->arena, outputs, err);
    numbers->survey[is_b] = status < 0 ? NULL : outputs;
    trial_close(&trial);
    return status;
}

/* The original, at the first sizes that it runs at. */
static int survey_original(Numbers *numbers, Err *err)
{
    if (survey_model(numbers, false, err) == 0)
        return 0;
    while (!is_trouble(err) && inputs_try_again(&numbers->plan)) {
        Err failure = {0};
        numbers->inputs[0] = NULL;
        numbers->products = 0;
        numbers->beyond[false] = NULL;
        if (survey_model(numbers, false, &failure) == 0)
            return 0;
        if (is_trouble(&failure)) {
            *err = failure;
            return -1;
        }
    }
    numbers_blame(numbers, 1, 0, err);
    const char *hint = inputs_hint(numbers->arena, &numbers->plan);
    if (!is_trouble(err) && hint)
        err_prefix(err, "at no size that was tried, give one with %s", hint);
    return -1;
}

/* Models of float64 are not asked to be the same in float32. */
static bool is_of_float64(const Numbers *numbers)
{
    const Graph *graph = numbers->a->graph;
    for (int i = 0; i < numbers->plan.slot_count; i++)
        if (numbers->plan.slots[i].type == DT_DOUBLE)
            return true;
    for (size_t i = 0; i < numbers->output_count; i++)
        if (graph->outputs[i]->fact.type == DT_DOUBLE)
            return true;
    return false;
}

/* The original runs in float32 on the sample, and b does not. */
static void break_by(Numbers *numbers, int sample, Err *failure)
{
    err_prefix(failure, "in float32");
    numbers_blame(numbers, 2, sample, failure);
    numbers_break(numbers, sample,
                  arena_strdup(numbers->arena, failure->message));
}

int survey_run(Numbers *numbers, Err *err)
{
    Err failure = {0};
    TRY(survey_original(numbers, err));
    if (survey_model(numbers, true, &failure) < 0) {
        if (is_trouble(&failure)) {
            *err = failure;
            return numbers_blame(numbers, 2, 0, err);
        }
        /* What it does in double tells it as well, where that fails too. */
        if (!is_of_float64(numbers))
            break_by(numbers, 0, &failure);
        return 0;
    }
    shared_settle(numbers->shared);
    numbers->cuts_known = true;
    return 0;
}

void survey_measure(Numbers *numbers, bool is_b, Array *const *exact)
{
    Tolerance none = {0};
    double *number = is_b ? numbers->execution_b : numbers->execution_a;
    for (size_t i = 0; i < numbers->output_count; i++) {
        Comparison comparison;
        compare_arrays((Operand){numbers->survey[is_b][i], PRECISION_F32},
                       (Operand){exact[i], PRECISION_F64}, &none, &comparison);
        number[i] = numbers_relative(numbers, 0, i, &comparison);
    }
}

/* ---- Whether float32 tells them apart ---- */

static bool is_finite(const Array *array, Precision precision)
{
    Tolerance none = {0};
    Comparison comparison;
    Operand self = {array, precision};
    compare_arrays(self, self, &none, &comparison);
    return comparison.not_finite == 0;
}

static bool same_shape(const Array *a, const Array *b)
{
    return a->rank == b->rank &&
           memcmp(a->dims, b->dims, (size_t)a->rank * sizeof *a->dims) == 0;
}

/* What b's outputs in float32 are and the original's, of that precision, are
 * not; NULL for nothing. Sizes may follow from numbers that are others in
 * float32: so may be those of one model alone. */
static const char *find_fault(const Numbers *numbers, Array *const *a,
                              Precision precision, Array *const *b,
                              size_t *output)
{
    for (size_t i = 0; i < numbers->output_count; i++) {
        *output = i;
        if (!same_shape(a[i], b[i]))
            return arena_printf(
                numbers->arena, "has another shape in float32: %s",
                compare_text(
                    numbers->arena, &(Comparison){.result = COMPARE_SHAPE},
                    (Operand){.array = b[i]}, (Operand){.array = a[i]}));
        if (!is_finite(b[i], PRECISION_F32) && is_finite(a[i], precision))
            return "is not finite in float32, where the first one's is";
    }
    return NULL;
}

static void compare_sample(Numbers *numbers, int sample, Array *const *a,
                           Array *const *b)
{
    size_t output;
    const char *fault = find_fault(numbers, a, PRECISION_F32, b, &output);
    if (fault)
        numbers_break(numbers, sample,
                      arena_printf(numbers->arena,
                                   "output \"%s\" of the second model on %s %s",
                                   numbers_output_name(numbers, output),
                                   input_sample_text(numbers->arena,
                                                     &numbers->plan, sample),
                                   fault));
}

void survey_compare(Numbers *numbers)
{
    if (!numbers->survey[true] || is_of_float64(numbers))
        return;
    compare_sample(numbers, 0, numbers->survey[false], numbers->survey[true]);
    if (!numbers->broken && numbers->beyond[true] && !numbers->beyond[false])
        numbers_break(
            numbers, 0,
            arena_printf(numbers->arena,
                         "\"%s\" of the second model is beyond float16 on %s, "
                         "where nothing of the first one is",
                         numbers->beyond[true]->name,
                         input_sample_text(numbers->arena, &numbers->plan, 0)));
}

/* Asks the original, since b failed or gave `made`, which is not alike. */
static int ask_original(Numbers *numbers, int sample, Err *failure,
                        Array *const *made, Err *err)
{
    Trial trial;
    ExecOptions options = {.precision = PRECISION_F32};
    Arena *arena = arena_child(numbers->arena);
    Array **outputs =
        arena_array(arena, numbers->output_count + 1, sizeof *outputs);
    Err own = {0};
    TRY(trial_open(numbers, false, &options, &trial, err));
    int status = trial_run(&trial, sample, arena, outputs, &own);
    trial_close(&trial);
    if (status == 0 && failure->code)
        break_by(numbers, sample, failure);
    else if (status == 0)
        compare_sample(numbers, sample, outputs, made);
    arena_free(arena);
    if (status == 0 || !is_trouble(&own))
        return 0;
    *err = own;
    return numbers_blame(numbers, 1, sample, err);
}

static int survey_other(Trial *trial, int sample, Err *err)
{
    Numbers *numbers = trial->numbers;
    Arena *arena = arena_child(numbers->arena);
    Array **outputs =
        arena_array(arena, numbers->output_count + 1, sizeof *outputs);
    Err failure = {0};
    size_t output;
    trial_run(trial, sample, arena, outputs, &failure);
    if (failure.code && is_trouble(&failure)) {
        *err = failure;
        return numbers_blame(numbers, 2, sample, err);
    }
    if (failure.code || find_fault(numbers, numbers->truth[sample],
                                   PRECISION_F64, outputs, &output))
        TRY(ask_original(numbers, sample, &failure, outputs, err));
    arena_free(arena);
    return 0;
}

int survey_others(Numbers *numbers, Err *err)
{
    Trial trial;
    ExecOptions options = {.precision = PRECISION_F32};
    if (numbers->samples == 1 || numbers->options->skip_f32 ||
        is_of_float64(numbers))
        return 0;
    TRY(trial_open(numbers, true, &options, &trial, err));
    for (int i = 1; i < numbers->samples && !numbers->broken; i++)
        TRY(survey_other(&trial, i, err));
    trial_close(&trial);
    return 0;
}
