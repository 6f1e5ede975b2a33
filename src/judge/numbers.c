#include "judge/numbers.h"

#include <math.h>
#include <string.h>

#include "base/random.h"
#include "judge/compare.h"
#include "judge/interface.h"

enum { NOISE_RUNS = 4 };
/* Of a whole verification, in runs: the segments, and a run in float32. */
static const double SEGMENT_RUNS = 3, F32_RUN = 0.5;

/* One model, planned for one kind of run. */
typedef struct Runner {
    Numbers *numbers;
    Arena *arena;
    const Model *model;
    ExecOptions options;
    Exec *exec;
} Runner;

/* At least one for each sample. */
static int noise_passes(const Numbers *numbers)
{
    return numbers->noise_runs > numbers->samples ? numbers->noise_runs
                                                  : numbers->samples;
}

static double run_total(const Numbers *numbers)
{
    const rp_verify_options *options = numbers->options;
    double runs = (numbers->folded ? 3 : 2) * (double)numbers->samples;
    runs += noise_passes(numbers) + numbers->noise_runs;
    runs += options->skip_f32 ? 0 : 2 * F32_RUN;
    runs += options->skip_segments ? 0 : SEGMENT_RUNS;
    return runs;
}

static double *number_array(const Numbers *numbers, double value)
{
    double *array =
        arena_array(numbers->arena, numbers->output_count + 1, sizeof *array);
    for (size_t i = 0; i < numbers->output_count; i++)
        array[i] = value;
    return array;
}

int numbers_init(Numbers *numbers, Err *err)
{
    Arena *arena = numbers->arena;
    const Graph *a = numbers->a->graph, *b = numbers->b->graph;
    const rp_verify_options *options = numbers->options;
    TRY(inputs_plan(arena, numbers->a, numbers->b, options, &numbers->plan,
                    err));
    numbers->samples = numbers->plan.generated + numbers->plan.data;
    numbers->noise_runs =
        options->noise_runs > 0 ? options->noise_runs : NOISE_RUNS;
    numbers->runs = run_total(numbers);
    numbers->output_count = a->output_count;
    size_t samples = (size_t)numbers->samples;
    numbers->plain = arena_array(arena, samples, sizeof *numbers->plain);
    numbers->truth = arena_array(arena, samples, sizeof *numbers->truth);
    numbers->magnitudes = arena_array(arena, samples * a->output_count + 1,
                                      sizeof *numbers->magnitudes);
    numbers->max_abs = number_array(numbers, 0);
    numbers->weights = number_array(numbers, 0);
    numbers->noise_floor = number_array(numbers, 0);
    numbers->algebra = number_array(numbers, numbers->folded ? 0 : (double)NAN);
    numbers->worst =
        arena_array(arena, a->output_count + 1, sizeof *numbers->worst);
    numbers->execution_a = number_array(numbers, (double)NAN);
    numbers->execution_b = number_array(numbers, (double)NAN);
    const Value **left, **right;
    int count = graph_free_inputs(arena, a, &left);
    graph_free_inputs(arena, b, &right);
    numbers->order_inputs = interface_order(arena, left, right, (size_t)count);
    numbers->order_outputs =
        interface_order(arena, (const Value *const *)a->outputs,
                        (const Value *const *)b->outputs, a->output_count);
    numbers->shared = shared_new(arena, a, b);
    numbers->pool = pool_new(arena, options->threads);
    return 0;
}

int numbers_progress(const Numbers *numbers, double runs, Err *err)
{
    const rp_verify_options *options = numbers->options;
    double done = (numbers->runs_done + runs) / numbers->runs;
    if (!options->progress ||
        !options->progress(options->progress_context, "verify", done))
        return 0;
    return err_set(err, ERR_USAGE, "cancelled");
}

int numbers_inputs(const Numbers *numbers, Arena *arena, int sample, bool for_b,
                   Precision precision, Array ***out, Err *err)
{
    size_t count = (size_t)numbers->plan.slot_count;
    Tensor **tensors = arena_array(arena, count, sizeof *tensors);
    *out = arena_array(arena, count, sizeof **out);
    input_sample(arena, &numbers->plan, sample, numbers->plain[sample],
                 tensors);
    for (size_t i = 0; i < count; i++) {
        size_t at = for_b ? (size_t)numbers->order_inputs[i] : i;
        TRY(array_from_tensor(arena, tensors[i], precision, false, &(*out)[at],
                              err));
    }
    return 0;
}

/* ---- Running ---- */

static int runner_new(Numbers *numbers, const Model *model,
                      const ExecOptions *options, Runner *out, Err *err)
{
    *out = (Runner){.numbers = numbers,
                    .arena = arena_child(numbers->arena),
                    .model = model,
                    .options = *options};
    out->options.pool = numbers->pool;
    return exec_new(out->arena, model->graph, &out->options, &out->exec, err);
}

/* One sample; the outputs come in the original's order and are the arena's. */
static int runner_run(Runner *runner, int sample, Arena *arena, Array **outputs,
                      Err *err)
{
    Numbers *numbers = runner->numbers;
    bool is_b = runner->model == numbers->b;
    TRY(numbers_progress(numbers, 0, err));
    Array **inputs,
        **made = arena_array(arena, numbers->output_count + 1, sizeof *made);
    TRY(numbers_inputs(numbers, arena, sample, is_b, runner->options.precision,
                       &inputs, err));
    TRY(exec_run(runner->exec, arena, inputs, made, err));
    for (size_t i = 0; i < numbers->output_count; i++)
        outputs[i] = made[is_b ? (size_t)numbers->order_outputs[i] : i];
    numbers->runs_done +=
        runner->options.precision == PRECISION_F32 ? F32_RUN : 1;
    return 0;
}

static void runner_free(Runner *runner)
{
    arena_free(runner->arena);
}

/* |difference| / max |y| of an output, from its comparison with the
 * original's. A sample in which all of it is zero is measured by the others. */
static double relative(const Numbers *numbers, int sample, size_t output,
                       const Comparison *comparison)
{
    if (comparison->result != COMPARE_EQUAL &&
        comparison->result != COMPARE_VALUES)
        return HUGE_VAL;
    double scale =
        numbers->magnitudes[(size_t)sample * numbers->output_count + output];
    if (scale == 0)
        scale = numbers->max_abs[output];
    return comparison->max_abs == 0 ? 0 : comparison->max_abs / scale;
}

/* Raises the number of each output to the largest relative difference from
 * the original. Returns the first output that cannot be compared at all, with
 * its comparison, or -1. */
static int measure(Numbers *numbers, int sample, Array *const *outputs,
                   double *number, Comparison *fault)
{
    Tolerance none = {0};
    int broken = -1;
    for (size_t i = 0; i < numbers->output_count; i++) {
        Comparison comparison;
        Operand a = {outputs[i], PRECISION_F64};
        Operand b = {numbers->truth[sample][i], PRECISION_F64};
        compare_arrays(a, b, &none, &comparison);
        double value = relative(numbers, sample, i, &comparison);
        number[i] = fmax(number[i], value);
        if (isinf(value) && broken < 0) {
            broken = (int)i;
            *fault = comparison;
        }
    }
    return broken;
}

/* ---- The original ---- */

typedef struct Seeing {
    Numbers *numbers;
    bool on;
} Seeing;

static int see_a(void *context, const Node *node, int output,
                 const Array *array, Err *err)
{
    (void)err;
    const Seeing *seeing = context;
    const Value *value = node_output(node, output);
    if (seeing->on && value)
        shared_see_a(seeing->numbers->arena, seeing->numbers->shared, value,
                     array);
    return 0;
}

static int see_b(void *context, const Node *node, int output,
                 const Array *array, Err *err)
{
    (void)err;
    const Seeing *seeing = context;
    const Value *value = node_output(node, output);
    if (seeing->on && value)
        shared_see_b(seeing->numbers->shared, value, array);
    return 0;
}

static const char *output_name(const Numbers *numbers, size_t output)
{
    return numbers->a->graph->outputs[output]->name;
}

/* Takes the magnitudes of a sample, and looks for what is not finite. */
static void take_truth(Numbers *numbers, int sample)
{
    Tolerance none = {0};
    for (size_t i = 0; i < numbers->output_count; i++) {
        Operand self = {numbers->truth[sample][i], PRECISION_F64};
        Comparison comparison;
        compare_arrays(self, self, &none, &comparison);
        numbers->elements += comparison.count;
        numbers->magnitudes[(size_t)sample * numbers->output_count + i] =
            comparison.magnitude;
        numbers->max_abs[i] = fmax(numbers->max_abs[i], comparison.magnitude);
        if (comparison.not_finite > 0 && !numbers->not_finite)
            numbers->not_finite = arena_printf(
                numbers->arena,
                "output \"%s\" of the original is not finite on %s",
                output_name(numbers, i),
                input_sample_text(numbers->arena, &numbers->plan, sample));
    }
}

/* True for what says nothing about the model: it is no reason to try another
 * input, or to call two models different. */
static bool is_trouble(const Err *err)
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

/* An odd size that the original does not take is not asked of it. */
static int run_truth(Runner *runner, int sample, Err *err)
{
    Numbers *numbers = runner->numbers;
    size_t count = numbers->output_count;
    numbers->truth[sample] =
        arena_array(numbers->arena, count + 1, sizeof(Array *));
    Array **outputs = numbers->truth[sample];
    bool may_retry = numbers->plan.varies && sample % 2 == 1 &&
                     sample < numbers->plan.generated;
    Err odd = {0};
    if (!may_retry)
        return runner_run(runner, sample, numbers->arena, outputs, err);
    if (runner_run(runner, sample, numbers->arena, outputs, &odd) == 0)
        return 0;
    if (is_trouble(&odd)) {
        *err = odd;
        return -1;
    }
    numbers->plain[sample] = true;
    ExecOptions options = runner->options;
    runner_free(runner);
    TRY(runner_new(numbers, numbers->a, &options, runner, err));
    return runner_run(runner, sample, numbers->arena, outputs, err);
}

static int run_original(Numbers *numbers, Err *err)
{
    Runner runner;
    Seeing seeing = {numbers, true};
    ExecOptions options = {
        .precision = PRECISION_F64, .probe = see_a, .probe_context = &seeing};
    TRY(runner_new(numbers, numbers->a, &options, &runner, err));
    for (int i = 0; i < numbers->samples; i++) {
        if (run_truth(&runner, i, err) < 0)
            return err_prefix(
                err, "the first model, on %s",
                input_sample_text(numbers->arena, &numbers->plan, i));
        seeing.on = false;
        take_truth(numbers, i);
    }
    runner_free(&runner);
    return 0;
}

/* ---- The other one ---- */

/* Says why b gives no numbers on a sample. */
static void set_broken(Numbers *numbers, int sample, int output,
                       const Comparison *fault, Array *const *outputs)
{
    if (numbers->broken)
        return;
    Operand a = {outputs[output], PRECISION_F64};
    Operand b = {numbers->truth[sample][output], PRECISION_F64};
    numbers->broken = arena_printf(
        numbers->arena, "output \"%s\" of the second model on %s: %s",
        output_name(numbers, (size_t)output),
        input_sample_text(numbers->arena, &numbers->plan, sample),
        compare_text(numbers->arena, fault, a, b));
}

/* A model that fails where the original runs is a different one. */
static int run_stored_sample(Runner *runner, int sample, Err *err)
{
    Numbers *numbers = runner->numbers;
    Arena *arena = arena_child(numbers->arena);
    Array **outputs =
        arena_array(arena, numbers->output_count + 1, sizeof *outputs);
    Err failure = {0};
    if (runner_run(runner, sample, arena, outputs, &failure) < 0) {
        err_prefix(&failure, "the second model, on %s",
                   input_sample_text(arena, &numbers->plan, sample));
        if (is_trouble(&failure)) {
            *err = failure;
            return -1;
        }
        numbers->broken = arena_strdup(numbers->arena, failure.message);
        return 0;
    }
    Comparison fault;
    double *before =
        arena_array(arena, numbers->output_count + 1, sizeof *before);
    memcpy(before, numbers->weights, numbers->output_count * sizeof *before);
    int broken = measure(numbers, sample, outputs, numbers->weights, &fault);
    for (size_t i = 0; i < numbers->output_count; i++)
        if (numbers->weights[i] > before[i])
            numbers->worst[i] = sample;
    if (broken >= 0)
        set_broken(numbers, sample, broken, &fault, outputs);
    if (sample == 0)
        numbers->first_b = outputs;
    else
        arena_free(arena);
    return 0;
}

static int run_stored(Numbers *numbers, Err *err)
{
    Runner runner;
    Seeing seeing = {numbers, true};
    ExecOptions options = {
        .precision = PRECISION_F64, .probe = see_b, .probe_context = &seeing};
    TRY(runner_new(numbers, numbers->b, &options, &runner, err));
    for (int i = 0; i < numbers->samples; i++) {
        TRY(run_stored_sample(&runner, i, err));
        seeing.on = false;
        if (numbers->broken)
            break;
    }
    runner_free(&runner);
    return 0;
}

/* ---- What they are measured by ---- */

static int run_once(Runner *runner, int sample, double *number, Err *err)
{
    Numbers *numbers = runner->numbers;
    Arena *arena = arena_child(numbers->arena);
    Array **outputs =
        arena_array(arena, numbers->output_count + 1, sizeof *outputs);
    Comparison ignored;
    TRY(runner_run(runner, sample, arena, outputs, err));
    measure(numbers, sample, outputs, number, &ignored);
    arena_free(arena);
    return 0;
}

static int run_algebra(Numbers *numbers, Err *err)
{
    Runner runner;
    ExecOptions options = {.precision = PRECISION_F64, .exact = true};
    TRY(runner_new(numbers, numbers->b, &options, &runner, err));
    for (int i = 0; i < numbers->samples; i++)
        TRY(run_once(&runner, i, numbers->algebra, err));
    runner_free(&runner);
    return 0;
}

static int run_perturbed(Numbers *numbers, int number, int sample, Err *err)
{
    Runner runner;
    uint64_t seed = random_stream(numbers->plan.seed, ~(uint64_t)number);
    ExecOptions options = {.precision = PRECISION_F64,
                           .perturb = seed ? seed : 1};
    TRY(runner_new(numbers, numbers->a, &options, &runner, err));
    if (run_once(&runner, sample, numbers->noise_floor, err) < 0)
        return err_prefix(err, "the first model, with perturbed parameters");
    runner_free(&runner);
    return 0;
}

/* The output whose difference is so near to the noise floor that a few more
 * runs may decide; -1 when there is none. */
static int undecided(const Numbers *numbers)
{
    const double DECIDED = 8;
    for (size_t i = 0; i < numbers->output_count; i++)
        if (numbers->weights[i] > numbers->noise_floor[i] &&
            numbers->weights[i] < DECIDED * numbers->noise_floor[i])
            return (int)i;
    return -1;
}

static int run_noise(Numbers *numbers, Err *err)
{
    int passes = noise_passes(numbers);
    for (int k = 0; k < passes; k++)
        TRY(run_perturbed(numbers, k, k % numbers->samples, err));
    int output = undecided(numbers);
    if (output < 0)
        numbers->runs_done += numbers->noise_runs;
    for (int k = 0; output >= 0 && k < numbers->noise_runs; k++)
        TRY(run_perturbed(numbers, passes + k, numbers->worst[output], err));
    return 0;
}

/* One model in float32 against itself in double. */
static int run_execution(Numbers *numbers, const Model *model,
                         Array *const *exact, double *number, Err *err)
{
    Runner runner;
    ExecOptions options = {.precision = PRECISION_F32};
    Arena *arena = arena_child(numbers->arena);
    Array **outputs =
        arena_array(arena, numbers->output_count + 1, sizeof *outputs);
    TRY(runner_new(numbers, model, &options, &runner, err));
    TRY(runner_run(&runner, 0, arena, outputs, err));
    Tolerance none = {0};
    for (size_t i = 0; i < numbers->output_count; i++) {
        Comparison comparison;
        compare_arrays((Operand){outputs[i], PRECISION_F32},
                       (Operand){exact[i], PRECISION_F64}, &none, &comparison);
        number[i] = relative(numbers, 0, i, &comparison);
    }
    runner_free(&runner);
    arena_free(arena);
    return 0;
}

int numbers_run(Numbers *numbers, Err *err)
{
    TRY(run_original(numbers, err));
    if (numbers->not_finite)
        return 0;
    TRY(run_stored(numbers, err));
    if (numbers->broken)
        return 0;
    if (numbers->folded)
        TRY(run_algebra(numbers, err));
    TRY(run_noise(numbers, err));
    if (numbers->options->skip_f32)
        return 0;
    TRY(run_execution(numbers, numbers->a, numbers->truth[0],
                      numbers->execution_a, err));
    return run_execution(numbers, numbers->b, numbers->first_b,
                         numbers->execution_b, err);
}
