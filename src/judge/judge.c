#include "judge/judge.h"

#include <math.h>
#include <string.h>

#include "judge/interface.h"
#include "judge/numbers.h"
#include "judge/segment.h"

/* Equivalent is a difference up to twice the noise floor. */
static const double FLOOR_FACTOR = 2;
/* Where rounding its own parameters moves an output by half of its largest
 * value, there is nothing to compare. */
static const double FLOOR_MAX = 0.5;
/* What a correct fold costs in double at most, where parameters condition
 * nothing; see noise_f64. */
static const double F64_NOISE = 1e-12;
typedef struct Judge {
    Arena *arena; /* of the verdict */
    Numbers numbers;
    SegmentResult segments;
    double roundoff; /* of the coarsest parameter of either model */
    double longest;  /* sum of products in either model */
    rp_verdict_info *out;
} Judge;

/* ---- What the models are made of ---- */

static void take_parameter(Judge *judge, const Tensor *tensor)
{
    if (tensor && tensor->rank > 0 && dtype_is_real(tensor->type))
        judge->roundoff = fmax(judge->roundoff, dtype_roundoff(tensor->type));
}

/* The length of the sums that a linear node makes with a constant weight. */
static double sum_length(const Node *node)
{
    const Value *value = node_input(node, 1);
    const Tensor *weight = value ? value->tensor : NULL;
    int axis;
    if (!weight || weight->rank < 2)
        return 1;
    if (node->op == OP_Conv)
        axis = 0;
    else if (node->op == OP_ConvTranspose)
        axis = 1;
    else if (node->op == OP_MatMul)
        axis = weight->rank - 1;
    else if (node->op == OP_Gemm)
        axis = node_int(node, "transB", 0) ? 0 : 1;
    else
        return 1;
    return (double)weight->count / (double)weight->dims[axis];
}

static void take_model(Judge *judge, const Model *model)
{
    const Graph *graph = model->graph;
    for (size_t i = 0; i < graph->initializer_count; i++)
        take_parameter(judge, graph->initializers[i]->tensor);
    for (size_t i = 0; i < graph->node_count; i++) {
        const Node *node = graph->nodes[i];
        const Attr *value =
            node->op == OP_Constant ? node_attr(node, "value") : NULL;
        if (value && value->type == ATTR_TENSOR)
            take_parameter(judge, value->tensor);
        judge->longest = fmax(judge->longest, sum_length(node));
    }
}

/* What running in double may cost, relative to max |y|. The noise floor is the
 * answer to relative changes of `roundoff` in every parameter. A sum of K
 * products in double is as exact as one of products whose weights are off by
 * (K + 3) 2^-53, so by proportion that is its share. A badly conditioned
 * network is allowed more by this, any other F64_NOISE. */
static double noise_f64(const Judge *judge, const rp_output_verdict *output)
{
    double share = (judge->longest + 3) * 0x1p-53 / judge->roundoff;
    return fmax(F64_NOISE, FLOOR_FACTOR * output->noise_floor * share);
}

/* ---- The verdict ---- */

static void set_verdict(Judge *judge, const char *verdict, const char *why)
{
    if (judge->out->verdict)
        return;
    judge->out->verdict = verdict;
    judge->out->why = why;
}

static bool output_is_real(const Judge *judge, size_t output)
{
    return dtype_is_real(judge->numbers.truth[0][output]->type);
}

static void judge_integers(Judge *judge, rp_output_verdict *output)
{
    output->equivalent = output->weights == 0;
    output->ratio = output->equivalent ? 0 : HUGE_VAL;
    if (!output->equivalent)
        set_verdict(judge, "different",
                    arena_printf(judge->arena,
                                 "integers of output \"%s\" differ; where they "
                                 "are an arg max, two candidates may be nearly "
                                 "equal",
                                 output->name));
}

static void judge_reals(Judge *judge, rp_output_verdict *output)
{
    if (!(output->noise_floor <= FLOOR_MAX)) {
        set_verdict(judge, "inconclusive",
                    arena_printf(judge->arena,
                                 "rounding its own parameters changes output "
                                 "\"%s\" of the original by %.2g of max |y|",
                                 output->name, output->noise_floor));
        return;
    }
    double noise = noise_f64(judge, output);
    double floor = fmax(output->noise_floor, noise / FLOOR_FACTOR);
    output->ratio = output->weights / floor;
    bool same = output->ratio <= FLOOR_FACTOR;
    bool exact = isnan(output->algebra) || output->algebra <= noise;
    output->equivalent = same && exact;
    if (!same)
        set_verdict(judge, "different",
                    arena_printf(judge->arena,
                                 "output \"%s\" differs by %.3g of max |y|, "
                                 "%.3g times the noise floor %.3g",
                                 output->name, output->weights, output->ratio,
                                 floor));
    if (!exact)
        set_verdict(judge, "different",
                    arena_printf(judge->arena,
                                 "output \"%s\" differs by %.3g of max |y| "
                                 "with unrounded weights, where double allows "
                                 "%.3g",
                                 output->name, output->algebra, noise));
}

/* Names are copied: the verdict outlives the models. */
static void judge_outputs(Judge *judge)
{
    const Numbers *numbers = &judge->numbers;
    rp_output_verdict *outputs =
        arena_array(judge->arena, numbers->output_count + 1, sizeof *outputs);
    for (size_t i = 0; i < numbers->output_count; i++) {
        const char *name = numbers->a->graph->outputs[i]->name;
        outputs[i] = (rp_output_verdict){
            .name = arena_strdup(judge->arena, name),
            .max_abs = numbers->max_abs[i],
            .algebra = numbers->algebra[i],
            .weights = numbers->weights[i],
            .execution_a = numbers->execution_a[i],
            .execution_b = numbers->execution_b[i],
            .noise_floor = numbers->noise_floor[i],
        };
        if (output_is_real(judge, i))
            judge_reals(judge, &outputs[i]);
        else
            judge_integers(judge, &outputs[i]);
    }
    judge->out->outputs = outputs;
    judge->out->output_count = numbers->output_count;
}

/* The first faulty segment is where to look, whatever else is wrong. */
static void judge_segments(Judge *judge)
{
    const SegmentResult *segments = &judge->segments;
    rp_verdict_info *out = judge->out;
    if (segments->fault_count == 0)
        return;
    const rp_segment_verdict *fault = &segments->faults[0];
    const char *place = arena_printf(
        judge->arena,
        "the segment that ends at \"%s\" (node \"%s\") differs by %.3g, %.3g "
        "times what rounding explains",
        fault->output, fault->node_b, fault->difference, fault->ratio);
    out->why = out->verdict
                   ? arena_printf(judge->arena, "%s; %s", out->why, place)
                   : place;
    out->verdict = "different";
}

/* ---- The segments ---- */

static int segment_progress(void *context, double done)
{
    const Judge *judge = context;
    Err ignored = {0};
    double left = judge->numbers.runs - judge->numbers.runs_done;
    return numbers_progress(&judge->numbers, done * left, &ignored);
}

/* The first sample, or the one that shows a difference best. */
static int segment_sample(const Judge *judge)
{
    const Numbers *numbers = &judge->numbers;
    for (size_t i = 0; i < numbers->output_count; i++)
        if (numbers->broken || !judge->out->outputs[i].equivalent)
            return numbers->worst[i];
    return 0;
}

static int run_segments(Judge *judge, Err *err)
{
    Numbers *numbers = &judge->numbers;
    Array **inputs_a, **inputs_b;
    int sample = segment_sample(judge);
    TRY(numbers_inputs(numbers, numbers->arena, sample, false, PRECISION_F64,
                       &inputs_a, err));
    TRY(numbers_inputs(numbers, numbers->arena, sample, true, PRECISION_F64,
                       &inputs_b, err));
    shared_settle(numbers->shared);
    SegmentJob job = {
        .shared = numbers->shared,
        .inputs_a = inputs_a,
        .inputs_b = inputs_b,
        /* A fold of ours starts from the stored parameters and rounds once;
         * another may round at every node. */
        .rounding_a = numbers->folded ? 0 : judge->roundoff,
        .rounding_b = judge->roundoff,
        .pool = numbers->pool,
        .progress = segment_progress,
        .progress_context = judge,
    };
    return segments_compare(numbers->arena, &job, &judge->segments, err);
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
    const SegmentResult *from = &judge->segments;
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
    TRY(numbers_init(numbers, err));
    judge->out->seed = numbers->plan.seed;
    judge->out->samples = numbers->samples;
    take_model(judge, numbers->a);
    take_model(judge, numbers->b);
    TRY(numbers_run(numbers, err));
    if (numbers->not_finite || numbers->elements == 0) {
        set_verdict(judge, "inconclusive",
                    numbers->not_finite
                        ? arena_strdup(judge->arena, numbers->not_finite)
                        : "the outputs have no elements to compare");
        return 0;
    }
    if (numbers->broken) {
        set_verdict(judge, "different",
                    arena_strdup(judge->arena, numbers->broken));
    } else {
        judge_outputs(judge);
    }
    if (!numbers->options->skip_segments && numbers->first_b)
        TRY(run_segments(judge, err));
    judge_segments(judge);
    report_segments(judge);
    set_verdict(judge, "equivalent", NULL);
    return 0;
}

int judge_models(Arena *arena, const Model *a, const Model *b, bool folded,
                 const rp_verify_options *options, rp_verdict_info *out,
                 Err *err)
{
    *out = (rp_verdict_info){0};
    const char *difference = interface_difference(arena, a, b);
    if (difference) {
        out->verdict = "different";
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
        .roundoff = 0x1p-53,
        .out = out,
    };
    TRY(judge_work(&judge, err));
    arena_free(judge.numbers.arena);
    return 0;
}
