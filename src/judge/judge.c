/*
 * How a verification spends its time. What it promises: for every output the
 * three numbers and the noise floor, and that each changed piece of b is
 * within a rigorous bound, on several kinds of inputs. A run of a network
 * costs more than anything else that is done with it, so a number is read off
 * runs that are made anyway, in this order (S samples, K noise runs):
 *
 *     survey    both models in float32 on the first sample. Gives the
 *               `execution` numbers; the cut points, since which values have
 *               the same meaning shows in seven digits; and how much there is
 *               to compute, and so S where the user does not say.
 *     original  in double on every sample. What it computes on the first is
 *               handed on as it comes: b's changed nodes run on it, piece by
 *               piece, and are compared at every cut (segment.h) under the
 *               bound of what b itself rounds. Nodes that are the same, on
 *               the same values, do not run again.
 *     stored    b in double on every sample: `weights`. And in float32 on
 *               those that the survey did not see, for what overflows there.
 *     algebra   b with unrounded weights, where they are known: `algebra`.
 *     noise     the original with its parameters perturbed (noise.h): up to
 *               K runs for a sample, until the verdict cannot change.
 *     suspects  where a segment was beyond b's bound, or an output differs:
 *               the original once more, with the bounds of both models, on
 *               the sample that shows it best. Only then a fault is named.
 *
 * For a large network S is 1, and noise takes one run in float32 when all is
 * well: three runs in double in all, three in float32, and the changed part of
 * b once more; S is 2 where sizes are symbolic and nobody has certified b. A
 * small network takes four samples. A sample is judged by itself: what
 * rounding does to one input says nothing of another.
 *
 * Where the original does not run on random inputs, or is not finite there,
 * all starts anew on the user's data alone, if there are any.
 */
#include "judge/judge.h"

#include <math.h>
#include <string.h>

#include "judge/interface.h"
#include "judge/numbers.h"

/* Equivalent is a difference up to twice the noise floor. */
static const double FLOOR_FACTOR = 2;
/* Where rounding its own parameters moves an output by more of its largest
 * value, there is nothing to compare: twice as much would be allowed. */
static const double FLOOR_MAX = 1.0 / 16;
/* What a correct fold costs in double at most, where parameters condition
 * nothing; see noise_f64. */
static const double F64_NOISE = 1e-12;

typedef struct Judge {
    Arena *arena; /* of the verdict */
    Numbers numbers;
    const SegmentResult *segments; /* the last word on them */
    int sample;                    /* in which b differs most */
    rp_verdict_info *out;
} Judge;

/* What running in double may cost, relative to max |y|. The noise floor is the
 * answer to relative changes of `roundoff` in every parameter. A sum of K
 * products in double is as exact as one of products whose weights are off by
 * (K + 3) 2^-53, so by proportion that is its share. A badly conditioned
 * network is allowed more by this, any other F64_NOISE of the largest element
 * that is not the same in all runs: a constant beside it (-1e30, say, where a
 * mask is) may be larger than all that is computed. */
static double noise_f64(const Judge *judge, int sample, size_t output,
                        double floor)
{
    const Numbers *numbers = &judge->numbers;
    const Traits *traits = &numbers->traits;
    double size = *numbers_at(numbers, numbers->magnitudes, sample, output);
    double moved = *numbers_at(numbers, numbers->moved, sample, output);
    double part = moved > 0 && moved < size ? moved / size : 1;
    double share = (traits->longest + 3) * 0x1p-53 / traits->roundoff;
    return fmax(F64_NOISE * part, FLOOR_FACTOR * floor * share);
}

/* ---- The verdict ---- */

static const char DIFFERENT[] = "different", INCONCLUSIVE[] = "inconclusive";

/* The first that is said, but a difference is more than what cannot be told. */
static void set_verdict(Judge *judge, const char *verdict, const char *why)
{
    rp_verdict_info *out = judge->out;
    if (out->verdict && (out->verdict == DIFFERENT || verdict != DIFFERENT))
        return;
    out->verdict = verdict;
    out->why = why;
}

/* What the numbers of an output are in units of. */
static const char *unit_of(const Judge *judge, size_t output)
{
    return dtype_is_real(judge->numbers.truth[0][output]->type)
               ? "max |y|"
               : "its elements";
}

/* What one sample says of an output. */
typedef struct Finding {
    double floor, noise; /* what the difference may be, and double costs */
    double ratio;
    bool exact; /* as far as the unrounded weights are known */
} Finding;

static Finding find(const Judge *judge, int sample, size_t output)
{
    const Numbers *numbers = &judge->numbers;
    double floor = *numbers_at(numbers, numbers->noise_floor, sample, output);
    double algebra = *numbers_at(numbers, numbers->algebra, sample, output);
    double weights = *numbers_at(numbers, numbers->weights, sample, output);
    Finding finding = {.noise = noise_f64(judge, sample, output, floor)};
    finding.floor = fmax(floor, finding.noise / FLOOR_FACTOR);
    finding.ratio = weights / finding.floor;
    finding.exact = isnan(algebra) || algebra <= finding.noise;
    return finding;
}

/* The sample that speaks most against the output, of those in which rounding
 * its parameters leaves anything of the original's; -1 when there is none. */
static int worst_sample(const Judge *judge, size_t output)
{
    const Numbers *numbers = &judge->numbers;
    int worst = -1;
    Finding most = {0};
    for (int s = 0; s < numbers->samples; s++) {
        if (!(*numbers_at(numbers, numbers->noise_floor, s, output) <=
              FLOOR_MAX))
            continue;
        Finding finding = find(judge, s, output);
        bool is_worse = finding.exact == most.exact ? finding.ratio > most.ratio
                                                    : most.exact;
        if (worst < 0 || is_worse) {
            worst = s;
            most = finding;
        }
    }
    return worst;
}

static void judge_sample(Judge *judge, rp_output_verdict *output,
                         const char *unit, const Finding *finding)
{
    bool same = finding->ratio <= FLOOR_FACTOR;
    output->ratio = finding->ratio;
    output->equivalent = same && finding->exact;
    if (!same)
        set_verdict(judge, DIFFERENT,
                    arena_printf(judge->arena,
                                 "output \"%s\" differs by %.3g of %s, "
                                 "%.3g times the noise floor %.3g",
                                 output->name, output->weights, unit,
                                 output->ratio, finding->floor));
    if (!finding->exact)
        set_verdict(judge, DIFFERENT,
                    arena_printf(judge->arena,
                                 "output \"%s\" differs by %.3g of %s with "
                                 "unrounded weights, where double allows %.3g",
                                 output->name, output->algebra, unit,
                                 finding->noise));
}

static void take_numbers(const Numbers *numbers, int sample, size_t output,
                         rp_output_verdict *to)
{
    to->algebra = *numbers_at(numbers, numbers->algebra, sample, output);
    to->weights = *numbers_at(numbers, numbers->weights, sample, output);
    to->noise_floor =
        *numbers_at(numbers, numbers->noise_floor, sample, output);
}

/* Of a network, or an output where that is not NULL, that nothing can be said
 * about, with what the user can do. */
static void set_inconclusive(Judge *judge, rp_output_verdict *output,
                             const char *why)
{
    if (output)
        output->inconclusive = 1;
    set_verdict(judge, INCONCLUSIVE,
                arena_printf(judge->arena,
                             "%s; compare on real data (--input "
                             "NAME=FILE.npy), or convert with --no-run",
                             why));
}

static void judge_output(Judge *judge, rp_output_verdict *output, size_t index)
{
    int sample = worst_sample(judge, index);
    take_numbers(&judge->numbers, sample < 0 ? 0 : sample, index, output);
    if (sample < 0) {
        set_inconclusive(
            judge, output,
            arena_printf(judge->arena,
                         "rounding its own parameters changes output "
                         "\"%s\" of the original by %.2g of %s",
                         output->name, output->noise_floor,
                         unit_of(judge, index)));
        return;
    }
    Finding finding = find(judge, sample, index);
    judge_sample(judge, output, unit_of(judge, index), &finding);
    if (!output->equivalent)
        judge->sample = sample;
}

/* True where the files say of an output that it never has an element. */
static bool is_empty(const Value *value)
{
    for (int i = 0; i < value->fact.rank; i++)
        if (value->fact.dims[i] == 0)
            return true;
    return false;
}

/* An output that has never had an element was not compared, unless that is all
 * it has in either model. That of a conversion has certificates. */
static bool is_compared(const Judge *judge, size_t index)
{
    const Numbers *numbers = &judge->numbers;
    const Graph *a = numbers->a->graph, *b = numbers->b->graph;
    return numbers->elements[index] > 0 || numbers->folded ||
           (is_empty(a->outputs[index]) &&
            is_empty(b->outputs[numbers->order_outputs[index]]));
}

static int64_t elements_compared(const Numbers *numbers)
{
    int64_t sum = 0;
    for (size_t i = 0; i < numbers->output_count; i++)
        sum += numbers->elements[i];
    return sum;
}

static void judge_nothing(Judge *judge, rp_output_verdict *output)
{
    set_inconclusive(judge, output,
                     arena_printf(judge->arena,
                                  "output \"%s\" has no elements to "
                                  "compare, on any sample",
                                  output->name));
}

static void take_channels(const Judge *judge, const Channels *channels,
                          rp_output_verdict *to)
{
    size_t size = channels->count * sizeof *channels->errors;
    double *errors = arena_array(judge->arena, channels->count + 1,
                                 sizeof *channels->errors);
    if (size > 0)
        memcpy(errors, channels->errors, size);
    to->channel_errors = errors;
    to->channels = channels->count;
}

/* Names are copied: the verdict outlives the models. */
static void judge_outputs(Judge *judge)
{
    const Numbers *numbers = &judge->numbers;
    bool skip = numbers->options->skip_f32;
    rp_output_verdict *outputs =
        arena_array(judge->arena, numbers->output_count + 1, sizeof *outputs);
    for (size_t i = 0; i < numbers->output_count; i++) {
        const char *name = numbers->a->graph->outputs[i]->name;
        outputs[i] = (rp_output_verdict){
            .name = arena_strdup(judge->arena, name),
            .max_abs = numbers->max_abs[i],
            .execution_a = skip ? (double)NAN : numbers->execution_a[i],
            .execution_b = skip ? (double)NAN : numbers->execution_b[i],
        };
        take_channels(judge, &numbers->channels[i], &outputs[i]);
        outputs[i].agreement = numbers->agreements[i];
        if (!is_compared(judge, i))
            judge_nothing(judge, &outputs[i]);
        else
            judge_output(judge, &outputs[i], i);
    }
    judge->out->outputs = outputs;
    judge->out->output_count = numbers->output_count;
}

/* The first faulty segment is where to look, whatever else is wrong. */
static void judge_segments(Judge *judge)
{
    const SegmentResult *segments = judge->segments;
    rp_verdict_info *out = judge->out;
    if (segments->fault_count == 0)
        return;
    const rp_segment_verdict *fault = &segments->faults[0];
    const char *place = arena_printf(
        judge->arena,
        "the segment that ends at \"%s\" (node \"%s\") differs by %.3g, %.3g "
        "times what rounding explains",
        fault->output, fault->node_b, fault->difference, fault->ratio);
    out->why = out->verdict == DIFFERENT
                   ? arena_printf(judge->arena, "%s; %s", out->why, place)
                   : place;
    out->verdict = DIFFERENT;
}

static void advise(Judge *judge, const char *what)
{
    judge->out->why =
        arena_printf(judge->arena, "%s; %s", judge->out->why, what);
}

/* What rounding b's coarser weights costs is beyond a's noise floor, though
 * within its own. */
static bool is_coarser(const Judge *judge)
{
    Traits a = {0}, b = {0};
    traits_take(&a, judge->numbers.a);
    traits_take(&b, judge->numbers.b);
    return b.roundoff > a.roundoff;
}

/* Whether four roundings in place of one would explain it all. */
static bool is_near(const Judge *judge)
{
    bool near = judge->segments->fault_count == 0 && !judge->numbers.broken &&
                judge->numbers.roundings == 1;
    for (size_t i = 0; i < judge->out->output_count; i++)
        near &= judge->out->outputs[i].ratio <= 4 * FLOOR_FACTOR;
    return near;
}

static void advise_user(Judge *judge)
{
    if (judge->numbers.folded || judge->out->verdict != DIFFERENT)
        return;
    if (is_coarser(judge))
        advise(judge, "the second model's weights are of a coarser type: given "
                      "first, what storing them costs is allowed for");
    else if (is_near(judge))
        advise(judge, "a converter that computes in the weights' own type "
                      "rounds each more than once: --roundings 4 allows for "
                      "that");
}

/* ---- The segments ---- */

static int segment_progress(void *context, double done)
{
    const Judge *judge = context;
    Err ignored = {0};
    double left = judge->numbers.runs - judge->numbers.runs_done;
    return numbers_progress(&judge->numbers, done * left, &ignored);
}

/* True where b's segments have to be looked at under the bounds of both. */
static bool is_suspect(const Judge *judge)
{
    const Numbers *numbers = &judge->numbers;
    if (!numbers->cuts_known || numbers->options->skip_segments)
        return false;
    bool differs = numbers->broken != NULL;
    for (size_t i = 0; i < judge->out->output_count; i++)
        differs |= !judge->out->outputs[i].equivalent;
    return differs || numbers->segments.fault_count > 0;
}

static int judge_suspects(Judge *judge, SegmentResult *result, Err *err)
{
    Numbers *numbers = &judge->numbers;
    SegmentJob job;
    if (!is_suspect(judge))
        return 0;
    TRY(numbers_segment_job(numbers, judge->sample, &job, err));
    job.progress = segment_progress;
    job.progress_context = judge;
    TRY(segments_compare(numbers->arena, &job, result, err));
    judge->segments = result;
    return 0;
}

/* ---- The report ---- */

static rp_segment_verdict segment_copy(Arena *arena,
                                       const rp_segment_verdict *segment)
{
    rp_segment_verdict copy = *segment;
    copy.output = arena_strdup(arena, segment->output);
    copy.node_a = arena_strdup(arena, segment->node_a);
    copy.node_b = arena_strdup(arena, segment->node_b);
    return copy;
}

/* Names are copied: the verdict outlives the models. */
static void report_segments(Judge *judge)
{
    const SegmentResult *from = judge->segments;
    rp_verdict_info *out = judge->out;
    rp_segment_verdict *faults =
        arena_array(judge->arena, from->fault_count + 1, sizeof *faults);
    for (size_t i = 0; i < from->fault_count; i++)
        faults[i] = segment_copy(judge->arena, &from->faults[i]);
    rp_segment_verdict *worst = &faults[from->fault_count];
    if (from->worst)
        *worst = segment_copy(judge->arena, from->worst);
    out->worst = from->worst ? worst : NULL;
    out->faults = faults;
    out->fault_count = from->fault_count;
    out->segments = from->compared;
    out->segments_same = from->same;
    out->segments_left_out = from->left_out;
}

static int judge_work(Judge *judge, Err *err)
{
    Numbers *numbers = &judge->numbers;
    SegmentResult suspects;
    TRY(numbers_init(numbers, err));
    TRY(numbers_run(numbers, err));
    judge->out->seed = numbers->plan.seed;
    judge->out->samples = numbers->samples;
    judge->out->roundings = numbers->roundings;
    judge->segments = &numbers->segments;
    if (numbers->not_finite || elements_compared(numbers) == 0) {
        set_inconclusive(judge, NULL,
                         numbers->not_finite
                             ? numbers->not_finite
                             : "the outputs have no elements to compare");
        return 0;
    }
    if (numbers->broken) {
        judge->sample = numbers->broken_sample;
        set_verdict(judge, DIFFERENT,
                    arena_strdup(judge->arena, numbers->broken));
    } else {
        judge_outputs(judge);
    }
    TRY(judge_suspects(judge, &suspects, err));
    judge_segments(judge);
    advise_user(judge);
    report_segments(judge);
    set_verdict(judge, "equivalent", NULL);
    return numbers_progress(numbers, numbers->runs - numbers->runs_done, err);
}

int judge_models(Arena *arena, const Model *a, const Model *b, bool folded,
                 const rp_verify_options *options, rp_verdict_info *out,
                 Err *err)
{
    *out = (rp_verdict_info){0};
    const char *difference = interface_difference(arena, a, b);
    if (difference) {
        out->verdict = DIFFERENT;
        out->why = difference;
        return 0;
    }
    Judge judge = {
        .arena = arena,
        .numbers = {.arena = arena_child(arena),
                    .a = a,
                    .b = b,
                    .options = options,
                    .folded = folded},
        .out = out,
    };
    TRY(judge_work(&judge, err));
    arena_free(judge.numbers.arena);
    return 0;
}
