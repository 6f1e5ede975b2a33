#include "judge/noise.h"

#include <math.h>
#include <string.h>

#include "base/random.h"
#include "judge/trial.h"

/* The relative noise in float32. */
static const double QUICK_NOISE = 0x1p-14;
/* Up to this part of max |y| a change is linear in the noise, and what float32
 * rounds may be this part of the change. */
static const double LINEAR_MOST = 1.0 / 16, ROUNDING_MOST = 1.0 / 16;
/* A difference of so many floors is no matter of chance, once a sample has had
 * some further runs; before, it takes more. Where one parameter decides, what
 * is drawn for it may be almost nothing. */
static const double DECIDED = 8, DECIDED_AT_ONCE = 1024;
enum { CHANCES = 6 };
/* More than so many times in proportion to the noise is a jump. */
static const double JUMP = 4;

/* True where a number that comes from the inputs is rounded to a whole one, or
 * decides something. The models' types need not be known. */
static bool node_jumps(const Graph *graph, const Node *node)
{
    bool reads = false;
    for (int i = 0; i < node->input_count; i++) {
        const Value *in = node->inputs[i];
        DType type = in ? in->fact.type : DT_BOOL;
        reads |= (type == DT_UNDEFINED || dtype_is_real(type)) &&
                 !value_constant(graph, in);
    }
    switch (node->op) {
    case OP_ArgMax:
    case OP_ArgMin:
    case OP_DynamicQuantizeLinear:
    case OP_NonMaxSuppression:
    case OP_QuantizeLinear:
        return reads;
    case OP_Cast:
        return reads &&
               dtype_is_integer((DType)node_int(node, "to", DT_UNDEFINED));
    default:
        return reads && op_jumps(node->op);
    }
}

static bool model_jumps(const Model *model)
{
    bool jumps = false;
    for (size_t i = 0; i < model->graph->node_count && !jumps; i++)
        jumps = node_jumps(model->graph, model->graph->nodes[i]);
    return jumps;
}

/* At least one for each sample. */
static int noise_passes(const Numbers *numbers)
{
    return numbers->noise_runs > numbers->samples ? numbers->noise_runs
                                                  : numbers->samples;
}

/* Beyond those: as many again for what jumps. */
static int further_runs(const Numbers *numbers)
{
    return numbers->noise_runs * numbers->samples;
}

int noise_runs_most(const Numbers *numbers)
{
    return noise_passes(numbers) +
           further_runs(numbers) * (model_jumps(numbers->a) ? 2 : 1);
}

/* Integers change one by one. Where none has yet, half of one is taken, so that
 * a few more runs may show whether any does. */
static double floor_so_far(const Numbers *numbers, int sample, size_t output)
{
    const Array *truth = numbers->truth[sample][output];
    double floor = *numbers_at(numbers, numbers->noise_floor, sample, output);
    return dtype_is_real(truth->type) || truth->count == 0
               ? floor
               : fmax(floor, 0.5 / (double)truth->count);
}

/* True when no further run could change the verdict on a sample. */
static bool is_settled(const Numbers *numbers, int sample)
{
    for (size_t i = 0; i < numbers->output_count; i++)
        if (*numbers_at(numbers, numbers->weights, sample, i) >
            *numbers_at(numbers, numbers->noise_floor, sample, i))
            return false;
    return true;
}

/* A sample that is not, or -1. */
static int find_unsettled(const Numbers *numbers)
{
    for (int i = 0; i < numbers->samples; i++)
        if (!is_settled(numbers, i))
            return i;
    return -1;
}

/* The sample in which b is farthest above the noise floor, but so near that a
 * few more runs may decide; -1 when there is none. `tried` counts those. */
static int undecided(const Numbers *numbers, const int *tried)
{
    double most = 1;
    int found = -1;
    for (int s = 0; s < numbers->samples; s++) {
        double decided = tried[s] < CHANCES ? DECIDED_AT_ONCE : DECIDED;
        for (size_t i = 0; i < numbers->output_count; i++) {
            double weights = *numbers_at(numbers, numbers->weights, s, i);
            double floor = floor_so_far(numbers, s, i);
            if (weights > most * floor && weights < decided * floor) {
                most = weights / floor;
                found = s;
            }
        }
    }
    return found;
}

static int run_perturbed(Numbers *numbers, int number, int sample,
                         ExecOptions options, Err *err)
{
    Trial trial;
    uint64_t seed = random_stream(numbers->plan.seed, ~(uint64_t)number);
    options.perturb = seed ? seed : 1;
    options.perturb_scale = numbers->roundings * fmax(1, options.perturb_scale);
    TRY(trial_open(numbers, false, &options, &trial, err));
    if (trial_once(&trial, sample, numbers->noise_floor, err) < 0) {
        err->model = 1;
        return err_prefix(err, "the first model, with perturbed parameters");
    }
    trial_close(&trial);
    return 0;
}

static void forget(Numbers *numbers)
{
    size_t count = (size_t)numbers->samples * numbers->output_count;
    memset(numbers->noise_floor, 0, count * sizeof *numbers->noise_floor);
}

/* Turns changes of the first sample into what they would be at the true size
 * of the noise. False where that does not follow. */
static bool scale_down(Numbers *numbers, double scale)
{
    for (size_t i = 0; i < numbers->output_count; i++) {
        double *floor = numbers_at(numbers, numbers->noise_floor, 0, i);
        if (!(*floor <= LINEAR_MOST &&
              numbers->execution_a[i] <= ROUNDING_MOST * *floor))
            return false;
        *floor /= scale;
    }
    return true;
}

/* One run after the other in float32, until they settle it. Each starts from
 * nothing, since the floor is scaled; the largest counts. */
static int run_quick(Numbers *numbers, bool *settled, Err *err)
{
    double scale = fmax(1, QUICK_NOISE / numbers->traits.roundoff);
    ExecOptions options = {.precision = PRECISION_F32, .perturb_scale = scale};
    size_t count = numbers->output_count;
    double *most = arena_array(numbers->arena, count + 1, sizeof *most);
    *settled = false;
    for (int k = 0; k < numbers->noise_runs && !*settled; k++) {
        forget(numbers);
        TRY(run_perturbed(numbers, k, 0, options, err));
        if (!scale_down(numbers, scale))
            break;
        for (size_t i = 0; i < count; i++) {
            most[i] = fmax(most[i], numbers->noise_floor[i]);
            numbers->noise_floor[i] = most[i];
        }
        *settled = is_settled(numbers, 0);
    }
    if (!*settled)
        forget(numbers);
    return 0;
}

/* One run on a sample with noise as large as the worst of K roundings, which
 * add up to sqrt(3 K) times what random ones do. It counts where it shows a
 * jump: where it is out of proportion to the floor that `smooth` has. */
static int run_jump(Numbers *numbers, int number, int sample,
                    const double *smooth, Err *err)
{
    size_t count = numbers->output_count;
    double *floor = numbers_at(numbers, numbers->noise_floor, sample, 0);
    double *kept = arena_array(numbers->arena, count + 1, sizeof *kept);
    double scale = sqrt(3 * numbers->traits.longest);
    ExecOptions options = {.precision = PRECISION_F64, .perturb_scale = scale};
    for (size_t i = 0; i < count; i++) {
        kept[i] = floor[i];
        floor[i] = 0;
    }
    TRY(run_perturbed(numbers, number, sample, options, err));
    for (size_t i = 0; i < count; i++)
        floor[i] = floor[i] > JUMP * scale * smooth[i] ? fmax(floor[i], kept[i])
                                                       : kept[i];
    return 0;
}

static int run_jumps(Numbers *numbers, int first, Err *err)
{
    size_t count = (size_t)numbers->samples * numbers->output_count;
    double *smooth = arena_array(numbers->arena, count + 1, sizeof *smooth);
    memcpy(smooth, numbers->noise_floor, count * sizeof *smooth);
    for (int k = 0; k < further_runs(numbers); k++) {
        int sample = find_unsettled(numbers);
        if (sample < 0)
            break;
        TRY(run_jump(numbers, first + k, sample,
                     numbers_at(numbers, smooth, sample, 0), err));
    }
    return 0;
}

int noise_run(Numbers *numbers, Err *err)
{
    ExecOptions options = {.precision = PRECISION_F64};
    int passes = noise_passes(numbers);
    bool settled = false;
    if (numbers->samples == 1)
        TRY(run_quick(numbers, &settled, err));
    for (int k = 0; k < passes && !settled; k++) {
        TRY(run_perturbed(numbers, k, k % numbers->samples, options, err));
        settled = k + 1 >= numbers->samples && find_unsettled(numbers) < 0;
    }
    int further = settled ? 0 : further_runs(numbers);
    int *tried = arena_array(numbers->arena, (size_t)numbers->samples + 1,
                             sizeof *tried);
    for (int k = 0; k < further; k++) {
        int sample = undecided(numbers, tried);
        if (sample < 0)
            break;
        tried[sample]++;
        TRY(run_perturbed(numbers, passes + k, sample, options, err));
    }
    if (model_jumps(numbers->a) && !settled)
        TRY(run_jumps(numbers, passes + further, err));
    return 0;
}
