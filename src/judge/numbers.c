#include "judge/numbers.h"

#include <math.h>
#include <string.h>

#include "judge/interface.h"
#include "judge/noise.h"
#include "judge/survey.h"
#include "judge/trial.h"

enum { NOISE_RUNS = 4 };
/* A network of more products than this, with everything but its weights
 * counted as one, runs on one sample, that holds all kinds of inputs. */
static const double CHEAP = 1e9;
/* Of a whole verification, in runs in double: the segments. */
static const double SEGMENT_RUNS = 3;

/* ---- Preparation ---- */

static double run_total(const Numbers *numbers)
{
    double runs = (numbers->folded ? 3 : 2) * (double)numbers->samples;
    return runs + noise_runs_most(numbers) + survey_runs(numbers) +
           (numbers->options->skip_segments ? 0 : SEGMENT_RUNS);
}

static double *number_array(const Numbers *numbers, size_t count, double value)
{
    double *array = arena_array(numbers->arena, count + 1, sizeof *array);
    for (size_t i = 0; i < count; i++)
        array[i] = value;
    return array;
}

/* What there is one of for each sample, once their number is known. */
static void set_samples(Numbers *numbers, int generated)
{
    Arena *arena = numbers->arena;
    numbers->plan.generated = generated;
    numbers->samples = generated + numbers->plan.data;
    numbers->runs = run_total(numbers);
    size_t samples = (size_t)numbers->samples;
    size_t all = samples * numbers->output_count;
    numbers->odd = arena_array(arena, samples + 1, sizeof *numbers->odd);
    numbers->inputs = arena_array(arena, samples + 1, sizeof *numbers->inputs);
    numbers->truth = arena_array(arena, samples + 1, sizeof *numbers->truth);
    numbers->magnitudes = number_array(numbers, all, 0);
    numbers->moved = number_array(numbers, all, 0);
    numbers->weights = number_array(numbers, all, 0);
    numbers->channels = arena_array(numbers->arena, numbers->output_count + 1,
                                    sizeof *numbers->channels);
    numbers->agreements = arena_array(arena, numbers->output_count + 1,
                                      sizeof *numbers->agreements);
    numbers->noise_floor = number_array(numbers, all, 0);
    numbers->algebra =
        number_array(numbers, all, numbers->folded ? 0 : (double)NAN);
}

/* How much of all is done, after some more runs. */
static double progress_at(const Numbers *numbers, double runs)
{
    double done = (numbers->runs_done + runs) / numbers->runs;
    return numbers->told + (1 - numbers->told) * fmin(done, 1);
}

/* Begins, with so many generated samples beside the data. */
static void begin(Numbers *numbers, int generated)
{
    size_t outputs = numbers->output_count;
    numbers->elements =
        arena_array(numbers->arena, outputs + 1, sizeof *numbers->elements);
    numbers->max_abs = number_array(numbers, outputs, 0);
    numbers->execution_a = number_array(numbers, outputs, (double)NAN);
    numbers->execution_b = number_array(numbers, outputs, (double)NAN);
    if (numbers->runs > 0)
        numbers->told = progress_at(numbers, 0);
    numbers->products = numbers->runs_done = 0;
    numbers->shared = shared_new(numbers->arena, numbers->a->graph,
                                 numbers->b->graph, PRECISION_F32);
    numbers->cuts_known = false;
    numbers->beyond[false] = numbers->beyond[true] = NULL;
    numbers->segments = (SegmentResult){0};
    numbers->not_finite = numbers->broken = NULL;
    set_samples(numbers, generated);
}

int numbers_init(Numbers *numbers, Err *err)
{
    Arena *arena = numbers->arena;
    const Graph *a = numbers->a->graph, *b = numbers->b->graph;
    const rp_verify_options *options = numbers->options;
    TRY(inputs_plan(arena, numbers->a, numbers->b, options, &numbers->plan,
                    err));
    numbers->noise_runs =
        options->noise_runs > 0 ? options->noise_runs : NOISE_RUNS;
    numbers->output_count = a->output_count;
    numbers->traits.roundoff = 0x1p-53;
    traits_take(&numbers->traits, numbers->a);
    traits_take(&numbers->traits, numbers->b);
    numbers->roundings = options->roundings > 0 ? options->roundings : 1;
    numbers->traits.roundoff *= numbers->roundings;
    const Value **left, **right;
    int count = graph_free_inputs(arena, a, &left);
    graph_free_inputs(arena, b, &right);
    numbers->order_inputs = interface_order(arena, left, right, (size_t)count);
    numbers->order_outputs =
        interface_order(arena, (const Value *const *)a->outputs,
                        (const Value *const *)b->outputs, a->output_count);
    numbers->pool = pool_new(arena, options->threads);
    begin(numbers, numbers->plan.generated);
    return 0;
}

int numbers_progress(const Numbers *numbers, double runs, Err *err)
{
    const rp_verify_options *options = numbers->options;
    if (!options->progress ||
        !options->progress(options->progress_context, "verify",
                           progress_at(numbers, runs)))
        return 0;
    return err_set(err, ERR_USAGE, "cancelled");
}

const char *numbers_output_name(const Numbers *numbers, size_t output)
{
    return numbers->a->graph->outputs[output]->name;
}

int numbers_blame(const Numbers *numbers, int model, int sample, Err *err)
{
    err->model = model;
    return err_prefix(
        err, "the %s model, on %s", model == 1 ? "first" : "second",
        input_sample_text(numbers->arena, &numbers->plan, sample));
}

void numbers_break(Numbers *numbers, int sample, const char *why)
{
    numbers->broken = why;
    numbers->broken_sample = sample;
}

int numbers_inputs(const Numbers *numbers, Arena *arena, int sample, bool for_b,
                   Precision precision, Array ***out, Err *err)
{
    size_t count = (size_t)numbers->plan.slot_count;
    Tensor **tensors = numbers->inputs[sample];
    *out = arena_array(arena, count + 1, sizeof **out);
    if (!tensors) {
        tensors = numbers->inputs[sample] =
            arena_array(numbers->arena, count + 1, sizeof *tensors);
        input_sample(numbers->arena, &numbers->plan, sample,
                     numbers->odd[sample], tensors);
    }
    for (size_t i = 0; i < count; i++) {
        size_t at = for_b ? (size_t)numbers->order_inputs[i] : i;
        TRY(array_from_tensor(arena, tensors[i], precision, false, &(*out)[at],
                              err));
    }
    return 0;
}

/* ---- The original ---- */

/* Takes the magnitudes of a sample, and looks for what is not finite. */
static void take_truth(Numbers *numbers, int sample)
{
    Tolerance none = {0};
    for (size_t i = 0; i < numbers->output_count; i++) {
        Operand self = {numbers->truth[sample][i], PRECISION_F64};
        Comparison comparison;
        compare_arrays(self, self, &none, &comparison);
        numbers->elements[i] += comparison.count;
        *numbers_at(numbers, numbers->magnitudes, sample, i) =
            comparison.magnitude;
        numbers->max_abs[i] = fmax(numbers->max_abs[i], comparison.magnitude);
        if (comparison.not_finite > 0 && !numbers->not_finite)
            numbers->not_finite = arena_printf(
                numbers->arena,
                "output \"%s\" of the original is not finite on %s",
                numbers_output_name(numbers, i),
                input_sample_text(numbers->arena, &numbers->plan, sample));
    }
}

int numbers_segment_job(const Numbers *numbers, int sample, SegmentJob *out,
                        Err *err)
{
    Array **inputs_a, **inputs_b;
    TRY(numbers_inputs(numbers, numbers->arena, sample, false, PRECISION_F64,
                       &inputs_a, err));
    TRY(numbers_inputs(numbers, numbers->arena, sample, true, PRECISION_F64,
                       &inputs_b, err));
    *out = (SegmentJob){
        .shared = numbers->shared,
        .inputs_a = inputs_a,
        .inputs_b = inputs_b,
        /* A fold of ours starts from the stored parameters and rounds once;
         * another may round at every node. */
        .rounding_a = numbers->folded ? 0 : numbers->traits.roundoff,
        .rounding_b = numbers->traits.roundoff,
        .pool = numbers->pool,
    };
    return 0;
}

/* The first sample, with b's segments on its values. */
static int run_first(Numbers *numbers, Err *err)
{
    Trial trial;
    SegmentJob job;
    Segments *segments = NULL;
    ExecOptions options = {.precision = PRECISION_F64};
    if (numbers->cuts_known && !numbers->options->skip_segments) {
        TRY(numbers_segment_job(numbers, 0, &job, err));
        segments = segments_open(numbers->arena, &job, &numbers->segments);
    }
    if (segments) {
        options.probe = segments_see;
        options.probe_context = segments;
    }
    TRY(trial_open(numbers, false, &options, &trial, err));
    int status = trial_run(&trial, 0, numbers->arena, numbers->truth[0], err);
    trial_close(&trial);
    return status == 0 && segments ? segments_close(segments, err) : status;
}

/* Makes fewer of an odd sample's sizes its own. False where none is left. */
static bool take_fewer_sizes(Numbers *numbers, int sample)
{
    const InputPlan *plan = &numbers->plan;
    OddSizes *odd = &numbers->odd[sample];
    if (!plan->varies || sample % 2 == 0 || sample >= plan->generated ||
        *odd == ODD_NONE)
        return false;
    *odd = *odd == ODD_ALL && plan->resizes ? ODD_BATCH : ODD_NONE;
    numbers->inputs[sample] = NULL;
    return true;
}

/* A size that the original does not take is not asked of it. */
static int run_later(Trial *trial, int sample, Err *err)
{
    Numbers *numbers = trial->numbers;
    Array **outputs = numbers->truth[sample];
    ExecOptions options = trial->options;
    while (trial_run(trial, sample, numbers->arena, outputs, err) < 0) {
        if (is_trouble(err) || !take_fewer_sizes(numbers, sample))
            return -1;
        *err = (Err){0};
        trial_close(trial);
        TRY(trial_open(numbers, false, &options, trial, err));
    }
    return 0;
}

static int run_others(Numbers *numbers, Err *err)
{
    Trial trial;
    ExecOptions options = {.precision = PRECISION_F64};
    if (numbers->samples == 1)
        return 0;
    int status = trial_open(numbers, false, &options, &trial, err);
    for (int i = 1; i < numbers->samples && status == 0; i++)
        if (run_later(&trial, i, err) < 0)
            status = numbers_blame(numbers, 1, i, err);
    trial_close(&trial);
    return status;
}

static int run_original(Numbers *numbers, Err *err)
{
    for (int i = 0; i < numbers->samples; i++)
        numbers->truth[i] = arena_array(
            numbers->arena, numbers->output_count + 1, sizeof(Array *));
    if (run_first(numbers, err) < 0)
        return numbers_blame(numbers, 1, 0, err);
    TRY(run_others(numbers, err));
    for (int i = 0; i < numbers->samples; i++)
        take_truth(numbers, i);
    survey_measure(numbers, false, numbers->truth[0]);
    return 0;
}

/* ---- The other one ---- */

/* Says why an output of b gives no numbers on a sample. */
static const char *fault_text(const Numbers *numbers, int sample, int output,
                              const Comparison *fault, Array *const *outputs)
{
    Operand a = {outputs[output], PRECISION_F64};
    Operand b = {numbers->truth[sample][output], PRECISION_F64};
    return arena_printf(
        numbers->arena, "output \"%s\" of the second model on %s: %s",
        numbers_output_name(numbers, (size_t)output),
        input_sample_text(numbers->arena, &numbers->plan, sample),
        compare_text(numbers->arena, fault, a, b));
}

/* What is told of an output besides its numbers. */
static void measure_details(Numbers *numbers, int sample, Array *const *outputs)
{
    for (size_t i = 0; i < numbers->output_count; i++) {
        const Array *truth = numbers->truth[sample][i];
        channels_measure(numbers->arena, &numbers->channels[i], outputs[i],
                         truth,
                         *numbers_at(numbers, numbers->magnitudes, sample, i));
        if (sample >= numbers->plan.generated)
            agreement_measure(&numbers->agreements[i], outputs[i], truth);
    }
}

/* A model that fails where the original runs is a different one. */
static int run_stored_sample(Trial *trial, int sample, Err *err)
{
    Numbers *numbers = trial->numbers;
    Arena *arena = arena_child(numbers->arena);
    Array **outputs =
        arena_array(arena, numbers->output_count + 1, sizeof *outputs);
    Err failure = {0};
    if (trial_run(trial, sample, arena, outputs, &failure) < 0) {
        numbers_blame(numbers, 2, sample, &failure);
        if (is_trouble(&failure)) {
            *err = failure;
            return -1;
        }
        numbers_break(numbers, sample,
                      arena_strdup(numbers->arena, failure.message));
        return 0;
    }
    Comparison fault;
    int broken =
        trial_measure(trial, sample, outputs, numbers->weights, &fault);
    if (broken >= 0)
        numbers_break(numbers, sample,
                      fault_text(numbers, sample, broken, &fault, outputs));
    else if (sample == 0 && numbers->survey[true])
        survey_measure(numbers, true, outputs);
    if (broken < 0)
        measure_details(numbers, sample, outputs);
    arena_free(arena);
    return 0;
}

static int run_stored(Numbers *numbers, Err *err)
{
    Trial trial;
    ExecOptions options = {.precision = PRECISION_F64};
    TRY(trial_open(numbers, true, &options, &trial, err));
    for (int i = 0; i < numbers->samples && !numbers->broken; i++)
        TRY(run_stored_sample(&trial, i, err));
    trial_close(&trial);
    return 0;
}

static int run_algebra(Numbers *numbers, Err *err)
{
    Trial trial;
    ExecOptions options = {.precision = PRECISION_F64, .exact = true};
    TRY(trial_open(numbers, true, &options, &trial, err));
    for (int i = 0; i < numbers->samples; i++)
        TRY(trial_once(&trial, i, numbers->algebra, err));
    trial_close(&trial);
    return 0;
}

/* Samples of a large network. A conversion has certificates, which hold for all
 * sizes; of any other two models nothing is known of those that do not run. */
static int samples_of_large(const Numbers *numbers)
{
    return numbers->plan.varies && !numbers->folded ? 2 : 1;
}

static int run_first_model(Numbers *numbers, Err *err)
{
    TRY(survey_run(numbers, err));
    int least = samples_of_large(numbers);
    if (numbers->options->samples <= 0 && numbers->products > CHEAP &&
        numbers->plan.generated > least)
        set_samples(numbers, least);
    return run_original(numbers, err);
}

/* Where the original cannot be judged on random inputs, the user's own data
 * alone count. */
static int run_originals(Numbers *numbers, Err *err)
{
    int status = run_first_model(numbers, err);
    bool failed = status < 0 ? err->model == 1 && !is_trouble(err)
                             : numbers->not_finite != NULL;
    if (!failed || numbers->plan.data == 0 || numbers->plan.generated == 0)
        return status;
    *err = (Err){0};
    begin(numbers, 0);
    return run_first_model(numbers, err);
}

int numbers_run(Numbers *numbers, Err *err)
{
    TRY(run_originals(numbers, err));
    if (numbers->not_finite)
        return 0;
    survey_compare(numbers);
    if (numbers->broken)
        return 0;
    TRY(run_stored(numbers, err));
    if (!numbers->broken)
        TRY(survey_others(numbers, err));
    if (numbers->broken)
        return 0;
    if (numbers->folded)
        TRY(run_algebra(numbers, err));
    return noise_run(numbers, err);
}
