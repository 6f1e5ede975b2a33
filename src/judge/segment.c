#include "judge/segment.h"

#include <math.h>
#include <string.h>

#include "judge/bound.h"
#include "judge/trial.h"

/* Elements that a thread copies at a time. */
enum { COPY_GRAIN = 128 * 1024 };

struct Segments {
    Arena *arena;
    SegmentJob job;
    SharedSet *shared;
    ExecOptions options; /* for single nodes */
    Step *current;       /* the node of a whose outputs come in */
    size_t steps_a;      /* that have been seen */
    bool is_second;      /* the progress has been told already */
    size_t next_b;       /* the step of b that comes next */
    rp_segment_verdict worst;
    SegmentResult *result;
};

typedef struct Segments Run;

/* ---- What has to be computed ---- */

static bool is_cut(const Cell *cell)
{
    return cell->shared && cell->shared->is_cut;
}

static bool is_compared(const Cell *cell)
{
    return cell->shared && cell->shared->is_changed;
}

/* Where the array of a cell is: at a cut b reads a's. */
static Cell *cell_source(Cell *cell)
{
    return is_cut(cell) ? cell->shared->a : cell;
}

/* Marks, backwards, the steps that compared values depend on, as far as the
 * next cut, and counts the readers of what they read. */
static void mark_needed(Track *track)
{
    for (size_t i = track->step_count; i-- > 0;) {
        Step *step = &track->steps[i];
        for (int k = 0; k < step->node->output_count; k++) {
            const Cell *cell = step->outputs[k];
            step->needed |= cell && (is_compared(cell) || cell->error_read);
        }
        for (int k = 0; step->needed && k < step->node->input_count; k++) {
            Cell *cell = step->inputs[k];
            if (!cell || cell->is_constant)
                continue;
            cell_source(cell)->readers++;
            cell->error_read |= !is_cut(cell);
        }
    }
}

/* True when there is anything to compare. */
static bool mark_compared(SharedSet *shared, SegmentResult *result)
{
    bool any = false;
    for (size_t i = 0; i < shared->count; i++) {
        const Shared *item = &shared->items[i];
        any |= item->is_changed;
        item->a->readers += item->is_changed;
        result->same += item->is_cut && !item->is_changed;
    }
    result->left_out = shared->other_meaning;
    return any;
}

/* ---- What is held ---- */

static Arena *step_arena(Run *run, Step *step)
{
    if (!step->arena)
        step->arena = arena_child(run->arena);
    return step->arena;
}

/* Frees what a step computed when nobody holds any of it. */
static void step_settle(Step *step)
{
    if (step->held > 0 || !step->arena)
        return;
    arena_free(step->arena);
    step->arena = NULL;
}

static void cell_hold(Cell *cell, Array *array)
{
    cell->array = array;
    cell->step->held++;
}

/* One reader less. What comes from a graph's inputs stays. */
static void cell_release(Cell *cell)
{
    if (--cell->readers > 0 || !cell->step)
        return;
    if (cell->array)
        cell->step->held--;
    cell->array = cell->error = NULL;
    step_settle(cell->step);
}

static void release_inputs(Step *step)
{
    for (int i = 0; i < step->node->input_count; i++)
        if (step->inputs[i] && !step->inputs[i]->is_constant)
            cell_release(cell_source(step->inputs[i]));
}

/* The operands of a step. False when one is missing. */
static bool gather(Run *run, const Step *step, Arena *scratch, Bounded *inputs,
                   int *status, Err *err)
{
    for (int i = 0; i < step->node->input_count; i++) {
        Cell *cell = step->inputs[i];
        if (!cell)
            continue;
        if (cell->is_constant) {
            *status =
                cell_load(scratch, cell, &run->options, &inputs[i].value, err);
            if (*status < 0)
                return false;
            inputs[i].is_stored = true;
            continue;
        }
        inputs[i].value = cell_source(cell)->array;
        inputs[i].error = is_cut(cell) ? NULL : cell->error;
        if (!inputs[i].value || (cell->missing && !is_cut(cell)))
            return false;
    }
    return true;
}

static void set_missing(Step *step)
{
    for (int i = 0; i < step->node->output_count; i++)
        if (step->outputs[i])
            step->outputs[i]->missing = true;
}

/* Bounds a step whose outputs' values are there. */
static int bound_step(Run *run, Step *step, double rounding,
                      const Bounded *inputs, Array *const *outputs, Err *err)
{
    int count = step->node->output_count;
    Arena *arena = step_arena(run, step);
    Array **errors = arena_array(arena, (size_t)count + 1, sizeof *errors);
    BoundCall call = {.arena = arena,
                      .node = step->node,
                      .options = &run->options,
                      .rounding = rounding,
                      .inputs = inputs,
                      .outputs = outputs};
    TRY(bound_node(&call, errors, err));
    for (int i = 0; i < count; i++)
        if (step->outputs[i])
            step->outputs[i]->error = errors[i];
    return 0;
}

/* ---- The comparison at a cut ---- */

static const Array *add_bounds(Arena *arena, const Cell *a, const Cell *b)
{
    if (b->error && !a->error)
        return b->error;
    Array *bounds = array_new(arena, a->array->type, a->array->rank,
                              a->array->dims, PRECISION_F64);
    double *to = bounds->data;
    const double *left = a->error ? a->error->data : NULL;
    const double *right = b->error ? b->error->data : NULL;
    for (int64_t i = 0; i < bounds->count; i++)
        to[i] = (left ? left[i] : 0) + (right ? right[i] : 0);
    return bounds;
}

/* A bound as large as what it bounds would let anything pass. What is exact
 * says nothing of the rest, nor does what has no bound. */
static bool bounds_say_something(const Array *bounds, const Array *values)
{
    const double *bound = bounds->data, *value = values->data;
    double allowed = 0, size = 0;
    int64_t bounded = 0;
    for (int64_t i = 0; i < bounds->count; i++) {
        if (!isfinite(bound[i]))
            continue;
        bounded++;
        allowed += bound[i];
        if (isfinite(value[i]) && bound[i] != 0)
            size += fabs(value[i]);
    }
    return (bounded > 0 || bounds->count == 0) &&
           (allowed <= size || (size == 0 && isfinite(allowed)));
}

/* Where there is no bound any number will do: b is taken to be as a is. */
static void take_unbounded(const Array *bounds, const Array *a, Array *b)
{
    const double *bound = bounds->data, *from = a->data;
    double *to = b->data;
    for (int64_t i = 0; i < bounds->count; i++)
        if (!isfinite(bound[i]))
            to[i] = from[i];
}

/* |a - b| at the element that takes most of its bound. */
static double worst_difference(const Comparison *comparison, const Array *a,
                               const Array *b)
{
    int64_t worst = comparison->worst;
    if (worst < 0 || !isfinite(comparison->max_abs) || !dtype_is_real(b->type))
        return comparison->max_abs;
    return fabs(((const double *)a->data)[worst] -
                ((const double *)b->data)[worst]);
}

static void note_segment(Run *run, Cell *b, const Comparison *comparison,
                         rp_segment_verdict verdict)
{
    SegmentResult *result = run->result;
    verdict.output = b->value->name;
    verdict.node_a = step_name(b->shared->a->step);
    verdict.node_b = step_name(b->step);
    verdict.ratio = comparison->max_ratio;
    result->compared++;
    if (!result->worst || verdict.ratio > run->worst.ratio) {
        run->worst = verdict;
        result->worst = &run->worst;
    }
    if (comparison->result == COMPARE_EQUAL)
        return;
    b->shared->is_faulty = true;
    result->faults =
        arena_grow(run->arena, result->faults, &result->fault_capacity,
                   result->fault_count + 1, sizeof *result->faults);
    result->faults[result->fault_count++] = verdict;
}

/* Compares what b made, `array`, with what a holds. */
static void compare_cut(Run *run, Arena *scratch, Cell *b, Array *array)
{
    const Cell *a = b->shared->a;
    if (b->missing || a->missing || !a->array || !array) {
        run->result->left_out++;
        return;
    }
    Comparison comparison;
    Operand left = {array, PRECISION_F64}, right = {a->array, PRECISION_F64};
    Tolerance tolerance = {0};
    if (dtype_is_real(array->type) && array->count == a->array->count) {
        const Array *bounds = add_bounds(scratch, a, b);
        tolerance.bounds = bounds->data;
        if (!bounds_say_something(bounds, a->array)) {
            run->result->left_out++;
            return;
        }
        take_unbounded(bounds, a->array, array);
    }
    compare_arrays(left, right, &tolerance, &comparison);
    if (comparison.result == COMPARE_SHAPE || comparison.result == COMPARE_TYPE)
        comparison.max_abs = comparison.max_ratio = HUGE_VAL;
    rp_segment_verdict verdict = {0};
    if (tolerance.bounds && comparison.worst >= 0)
        verdict.bound = tolerance.bounds[comparison.worst];
    verdict.difference = worst_difference(&comparison, array, a->array);
    note_segment(run, b, &comparison, verdict);
}

/* ---- b follows ---- */

/* True when a has computed all that a step of b reads or is compared with. */
static bool step_is_ready(const Step *step)
{
    for (int i = 0; i < step->node->input_count; i++)
        if (step->inputs[i] && is_cut(step->inputs[i]) &&
            !step->inputs[i]->shared->a->ready)
            return false;
    for (int i = 0; i < step->node->output_count; i++)
        if (step->outputs[i] && is_compared(step->outputs[i]) &&
            !step->outputs[i]->shared->a->ready)
            return false;
    return true;
}

/* Runs a step on its own. False where it does not run on these values, as
 * where a shape is wrong; trouble is in the status. */
static bool exec_step(Run *run, Step *step, Array *const *values,
                      Array **outputs, int *status, Err *err)
{
    Err failure = {0};
    if (exec_node(step_arena(run, step), step->node, &run->options, values,
                  outputs, &failure) == 0)
        return true;
    for (int i = 0; i < step->node->output_count; i++)
        outputs[i] = NULL;
    if (is_trouble(&failure)) {
        *err = failure;
        *status = -1;
    }
    return false;
}

/* Not on its own: what reads values of this graph by name, or is a function of
 * the model. */
static bool can_run(const Node *node)
{
    return !node_has_graphs(node) && exec_supports(node);
}

static int run_step(Run *run, Step *step, Arena *scratch, Array **outputs,
                    Err *err)
{
    const Node *node = step->node;
    size_t count = (size_t)node->input_count + 1;
    Bounded *inputs = arena_array(scratch, count, sizeof *inputs);
    Array **values = arena_array(scratch, count, sizeof *values);
    int status = 0;
    if (!can_run(node) || !gather(run, step, scratch, inputs, &status, err)) {
        set_missing(step);
        return status;
    }
    for (int i = 0; i < node->input_count; i++)
        values[i] = inputs[i].value;
    if (!exec_step(run, step, values, outputs, &status, err)) {
        set_missing(step);
        return status;
    }
    return bound_step(run, step, run->job.rounding_b, inputs, outputs, err);
}

static int step_b(Run *run, Step *step, Err *err)
{
    Arena *scratch = arena_child(run->arena);
    int count = step->node->output_count;
    Array **outputs = arena_array(scratch, (size_t)count + 1, sizeof *outputs);
    TRY(run_step(run, step, scratch, outputs, err));
    for (int i = 0; i < count; i++) {
        Cell *cell = step->outputs[i];
        if (cell && is_compared(cell)) {
            compare_cut(run, scratch, cell, outputs[i]);
            cell_release(cell->shared->a);
        } else if (cell && !is_cut(cell) && cell->readers > 0 && outputs[i]) {
            cell_hold(cell, outputs[i]);
        }
    }
    release_inputs(step);
    step_settle(step);
    arena_free(scratch);
    return 0;
}

static int follow(Run *run, Err *err)
{
    Track *track = run->shared->b;
    for (; run->next_b < track->step_count; run->next_b++) {
        Step *step = &track->steps[run->next_b];
        if (!step->needed)
            continue;
        if (!step_is_ready(step))
            return 0;
        TRY(step_b(run, step, err));
    }
    return 0;
}

/* ---- a leads ---- */

static int bound_a(Run *run, Step *step, Err *err)
{
    Arena *scratch = arena_child(run->arena);
    size_t inputs = (size_t)step->node->input_count + 1;
    size_t outputs = (size_t)step->node->output_count + 1;
    Bounded *operands = arena_array(scratch, inputs, sizeof *operands);
    Array **values = arena_array(scratch, outputs, sizeof *values);
    for (int i = 0; i < step->node->output_count; i++)
        if (step->outputs[i])
            values[i] = step->outputs[i]->array;
    int status = 0;
    if (can_run(step->node) &&
        gather(run, step, scratch, operands, &status, err))
        status =
            bound_step(run, step, run->job.rounding_a, operands, values, err);
    else
        set_missing(step);
    release_inputs(step);
    arena_free(scratch);
    return status;
}

/* All outputs of the current node have come in. */
static int finish_current(Run *run, Err *err)
{
    Step *step = run->current;
    run->current = NULL;
    if (!step)
        return 0;
    if (step->needed)
        TRY(bound_a(run, step, err));
    for (int i = 0; i < step->node->output_count; i++)
        if (step->outputs[i])
            step->outputs[i]->ready = true;
    step_settle(step);
    return follow(run, err);
}

static int report_progress(Run *run, Err *err)
{
    const SegmentJob *job = &run->job;
    double done = (double)run->steps_a++ / (double)run->shared->a->step_count;
    if (run->is_second)
        done = 1;
    if (!job->progress || !job->progress(job->progress_context, done))
        return 0;
    return err_set(err, ERR_USAGE, "cancelled");
}

/* Reals are doubles, and integers are as long. */
typedef struct Copy {
    const double *from;
    double *to;
} Copy;

static void copy_piece(void *context, int worker, int64_t begin, int64_t end)
{
    const Copy *job = context;
    (void)worker;
    memcpy(job->to + begin, job->from + begin,
           (size_t)(end - begin) * sizeof *job->to);
}

int segments_see(void *segments, const Node *node, int output,
                 const Array *array, Err *err)
{
    Run *run = segments;
    const Value *value = node_output(node, output);
    Cell *cell = value ? track_cell(run->shared->a, value->name) : NULL;
    /* A subgraph's value may bear the name of one outside. */
    if (!cell || cell->value != value || !cell->step)
        return 0;
    if (cell->step != run->current) {
        TRY(finish_current(run, err));
        TRY(report_progress(run, err));
        run->current = cell->step;
    }
    if (cell->readers == 0 || cell->array)
        return 0;
    Array *copy = array_new(step_arena(run, cell->step), array->type,
                            array->rank, array->dims, PRECISION_F64);
    Copy job = {array->data, copy->data};
    pool_run(run->options.pool, array->count, COPY_GRAIN, copy_piece, &job);
    cell_hold(cell, copy);
    return 0;
}

static void set_inputs(Track *track, Array *const *inputs)
{
    const Graph *graph = track->graph;
    for (size_t i = 0, next = 0; i < graph->input_count; i++)
        if (!graph->inputs[i]->is_initializer)
            track_cell(track, graph->inputs[i]->name)->array = inputs[next++];
}

/* `both` for the bounds of a as well. */
static Run *run_new(Arena *arena, const SegmentJob *job, bool both,
                    SegmentResult *out)
{
    *out = (SegmentResult){0};
    Run *run = arena_alloc(arena, sizeof *run);
    *run = (Run){.arena = arena,
                 .job = *job,
                 .shared = job->shared,
                 .options = {.precision = PRECISION_F64, .pool = job->pool},
                 .result = out};
    shared_reset(job->shared);
    if (!mark_compared(job->shared, out))
        return NULL;
    mark_needed(job->shared->b);
    if (both)
        mark_needed(job->shared->a);
    set_inputs(job->shared->a, job->inputs_a);
    set_inputs(job->shared->b, job->inputs_b);
    return run;
}

Segments *segments_open(Arena *arena, const SegmentJob *job, SegmentResult *out)
{
    return run_new(arena, job, false, out);
}

/* What a never reported is missing, and b must not wait for it. */
int segments_close(Segments *run, Err *err)
{
    TRY(finish_current(run, err));
    for (size_t i = 0; i < run->shared->count; i++) {
        Cell *cell = run->shared->items[i].a;
        cell->missing |= !cell->ready;
        cell->ready = true;
    }
    return follow(run, err);
}

static int run_a(Run *run, Err *err)
{
    ExecOptions options = run->options;
    options.probe = segments_see;
    options.probe_context = run;
    Exec *exec;
    Arena *arena = arena_child(run->arena);
    const Graph *graph = run->shared->a->graph;
    Array **outputs =
        arena_array(arena, graph->output_count + 1, sizeof *outputs);
    TRY(exec_new(arena, graph, &options, &exec, err));
    TRY(exec_run(exec, arena, run->job.inputs_a, outputs, err));
    arena_free(arena);
    return segments_close(run, err);
}

static int compare_once(Arena *arena, const SegmentJob *job, bool is_second,
                        SegmentResult *out, Err *err)
{
    Run *run = run_new(arena, job, true, out);
    if (!run)
        return 0;
    run->is_second = is_second;
    return run_a(run, err);
}

static bool wide_is_faulty(const SharedSet *shared)
{
    for (size_t i = 0; i < shared->count; i++)
        if (shared->items[i].is_wide && shared->items[i].is_faulty)
            return true;
    return false;
}

/* A value that was taken to have the same meaning may have another one. That is
 * so when nothing is faulty without it, and no less is compared. */
static int compare_joined(Arena *arena, const SegmentJob *job,
                          SegmentResult *out, Err *err)
{
    SegmentResult again;
    size_t joined = shared_join(job->shared);
    if (joined > 0) {
        TRY(compare_once(arena, job, true, &again, err));
        if (again.fault_count == 0 && again.left_out <= out->left_out + joined)
            *out = again;
    }
    if (out->fault_count > 0)
        shared_part(job->shared);
    return 0;
}

/* And one that was taken to have another meaning may be where the fault is.
 * That is so when the faulty segment, cut there, ends well. */
int segments_compare(Arena *arena, const SegmentJob *job, SegmentResult *out,
                     Err *err)
{
    SegmentResult again;
    TRY(compare_once(arena, job, false, out, err));
    if (out->fault_count > 0)
        TRY(compare_joined(arena, job, out, err));
    if (out->fault_count == 0 || !shared_cut_within(job->shared))
        return 0;
    TRY(compare_once(arena, job, true, &again, err));
    if (again.fault_count > 0 && !wide_is_faulty(job->shared))
        *out = again;
    return 0;
}
