/*
 * Scan.
 *
 * ONNX Scan-9: a body takes (state ..., slice ...) and gives (state ..., slice
 * ...); it runs along an axis of each scanned input and stacks the slices that
 * it gives along an axis of each scanned output.  Scan-8 does so for each item
 * of a batch in axis 0, along axis 1, and as far as that item is long.
 */
#include <string.h>

#include "exec/nested.h"

typedef struct Scan {
    StepCall *call;
    Precision precision;
    int body;
    int states, inputs, outputs; /* how many: states, scanned each way */
    Array *const *given;         /* the node's inputs, from the first state */
} Scan;

/* ---- Axes ---- */

/* Element `index` of a list of integers; 0 where it is not given. */
static int64_t listed(const Scan *scan, const char *name, int index)
{
    const int64_t *values = NULL;
    int64_t count = node_ints(scan->call->step->node, name, &values);
    return index < count ? values[index] : 0;
}

static int find_axis(const Scan *scan, const char *name, int index, int rank,
                     int *out, Err *err)
{
    int64_t axis = listed(scan, name, index);
    if (axis < -rank || axis >= rank)
        return err_set(err, ERR_BAD_ATTRIBUTE,
                       "%s: axis %lld of %s is out of range for rank %d",
                       node_text(scan->call->arena, scan->call->step->node),
                       (long long)axis, name, rank);
    *out = (int)(axis < 0 ? axis + rank : axis);
    return 0;
}

/* ---- Slices ---- */

/* An array as pieces on both sides of an axis. */
typedef struct Cut {
    size_t outer, step, piece; /* how many; bytes apart; bytes of one */
} Cut;

static Cut cut_at(const Scan *scan, const Array *whole, int axis)
{
    size_t size = storage_size(array_storage(whole->type, scan->precision));
    size_t piece =
        (size_t)dims_product(whole->dims, axis + 1, whole->rank) * size;
    return (Cut){.outer = (size_t)dims_product(whole->dims, 0, axis),
                 .step = piece * (size_t)whole->dims[axis],
                 .piece = piece};
}

static Array *take_slice(const Scan *scan, Arena *arena, const Array *whole,
                         int axis, int64_t index)
{
    int64_t dims[RANK_MAX];
    int rank = 0;
    for (int i = 0; i < whole->rank; i++)
        if (i != axis)
            dims[rank++] = whole->dims[i];
    Array *part = array_new(arena, whole->type, rank, dims, scan->precision);
    Cut cut = cut_at(scan, whole, axis);
    const char *from = (const char *)whole->data + (size_t)index * cut.piece;
    for (size_t i = 0; part->count > 0 && i < cut.outer; i++)
        memcpy((char *)part->data + i * cut.piece, from + i * cut.step,
               cut.piece);
    return part;
}

/* An array that has `length` such slices along a new axis, all zeros. */
static int new_stack(const Scan *scan, Arena *arena, const Array *part,
                     int axis, int64_t length, Array **out, Err *err)
{
    int64_t dims[RANK_MAX];
    if (part->rank == RANK_MAX)
        return nested_misfit(scan->call, err);
    for (int i = 0; i <= part->rank; i++)
        dims[i] = i == axis ? length : part->dims[i - (i > axis)];
    *out = array_new(arena, part->type, part->rank + 1, dims, scan->precision);
    memset((*out)->data, 0,
           (size_t)(*out)->count *
               storage_size(array_storage(part->type, scan->precision)));
    return 0;
}

/* Puts a slice into the stack, which the first one shapes. */
static int put_slice(const Scan *scan, Arena *arena, const Array *part,
                     int axis, int64_t index, int64_t length, Array **stack,
                     Err *err)
{
    if (!*stack)
        TRY(new_stack(scan, arena, part, axis, length, stack, err));
    Array *whole = *stack;
    bool fits = part->type == whole->type && part->rank == whole->rank - 1;
    for (int i = 0; fits && i < part->rank; i++)
        fits = part->dims[i] == whole->dims[i + (i >= axis)];
    if (!fits)
        return err_set(err, ERR_BAD_SHAPE,
                       "%s: its iterations give different shapes",
                       node_text(scan->call->arena, scan->call->step->node));
    Cut cut = cut_at(scan, whole, axis);
    char *to = (char *)whole->data + (size_t)index * cut.piece;
    for (size_t i = 0; part->count > 0 && i < cut.outer; i++)
        memcpy(to + i * cut.step, (const char *)part->data + i * cut.piece,
               cut.piece);
    return 0;
}

/* ---- Iterations ---- */

/* One sequence: from the arrays in `values`, states and then scanned inputs, to
 * states and then scanned outputs in `results`, of `length` slices of which
 * the first `used` are computed. */
typedef struct Sequence {
    Arena *arena; /* of the results */
    Array **values, **results;
    int64_t length, used;
    const char *directions;
} Sequence;

static int slice_inputs(const Scan *scan, const Sequence *sequence,
                        Arena *arena, int64_t turn, Array **inputs, Err *err)
{
    for (int i = 0; i < scan->inputs; i++) {
        const Array *whole = sequence->values[scan->states + i];
        int axis = 0;
        TRY(find_axis(scan, "scan_input_axes", i, whole->rank, &axis, err));
        if (whole->dims[axis] != sequence->length)
            return nested_misfit(scan->call, err);
        bool backward = listed(scan, sequence->directions, i) != 0;
        inputs[scan->states + i] =
            take_slice(scan, arena, whole, axis,
                       backward ? sequence->used - 1 - turn : turn);
    }
    return 0;
}

static int keep_slices(const Scan *scan, const Sequence *sequence, int64_t turn,
                       Array *const *slices, Err *err)
{
    for (int i = 0; i < scan->outputs; i++) {
        int axis = 0;
        TRY(find_axis(scan, "scan_output_axes", i, slices[i]->rank + 1, &axis,
                      err));
        bool backward = listed(scan, "scan_output_directions", i) != 0;
        TRY(put_slice(scan, sequence->arena, slices[i], axis,
                      backward ? sequence->used - 1 - turn : turn,
                      sequence->length, &sequence->results[scan->states + i],
                      err));
    }
    return 0;
}

static int run_sequence(const Scan *scan, Sequence *sequence, Err *err)
{
    Array **states = sequence->values;
    Arena *before = NULL; /* of the states, which the next turn reads */
    for (int64_t turn = 0; turn < sequence->used; turn++) {
        Arena *arena = arena_child(sequence->arena);
        Array **inputs = arena_array(
            arena, (size_t)(scan->states + scan->inputs) + 1, sizeof *inputs);
        for (int i = 0; i < scan->states; i++)
            inputs[i] = states[i];
        TRY(slice_inputs(scan, sequence, arena, turn, inputs, err));
        Array **outputs =
            nested_run(scan->call, scan->body, arena, inputs, err);
        if (!outputs)
            return -1;
        TRY(keep_slices(scan, sequence, turn, outputs + scan->states, err));
        states = outputs;
        arena_free(before);
        before = arena;
    }
    for (int i = 0; i < scan->states; i++)
        sequence->results[i] = states[i];
    return 0;
}

/* How long the first scanned input is along its axis. */
static int find_length(const Scan *scan, const Array *first, int64_t *length,
                       Err *err)
{
    int axis = 0;
    TRY(find_axis(scan, "scan_input_axes", 0, first->rank, &axis, err));
    *length = first->dims[axis];
    return 0;
}

static int run_whole(const Scan *scan, Array **results, Err *err)
{
    Sequence sequence = {
        .arena = scan->call->arena,
        .values = (Array **)(uintptr_t)scan->given,
        .results = results,
        .directions = "scan_input_directions",
    };
    TRY(find_length(scan, scan->given[scan->states], &sequence.length, err));
    sequence.used = sequence.length;
    return run_sequence(scan, &sequence, err);
}

/* ---- Scan-8 ---- */

/* How much of a batch's item to run: all, or what sequence_lens says. */
static int item_length(const Scan *scan, int64_t item, int64_t batch,
                       Sequence *sequence, Err *err)
{
    const Array *lengths = scan->call->inputs[0];
    sequence->used = sequence->length;
    if (!lengths)
        return 0;
    if (dtype_is_real(lengths->type) || lengths->count != batch)
        return nested_misfit(scan->call, err);
    sequence->used = ((const int64_t *)lengths->data)[item];
    return sequence->used >= 0 && sequence->used <= sequence->length
               ? 0
               : nested_misfit(scan->call, err);
}

static int run_item(const Scan *scan, int64_t item, int64_t batch,
                    Array **stacks, Err *err)
{
    Arena *arena = arena_child(scan->call->arena);
    size_t taken = (size_t)(scan->states + scan->inputs);
    size_t made = (size_t)(scan->states + scan->outputs);
    Sequence sequence = {
        .arena = arena,
        .values = arena_array(arena, taken, sizeof(Array *)),
        .results = arena_array(arena, made, sizeof(Array *)),
        .directions = "directions",
    };
    for (size_t i = 0; i < taken; i++) {
        if (scan->given[i]->rank < 1 || scan->given[i]->dims[0] != batch)
            return nested_misfit(scan->call, err);
        sequence.values[i] = take_slice(scan, arena, scan->given[i], 0, item);
    }
    TRY(find_length(scan, sequence.values[scan->states], &sequence.length,
                    err));
    TRY(item_length(scan, item, batch, &sequence, err));
    TRY(run_sequence(scan, &sequence, err));
    for (size_t i = 0; i < made; i++)
        if (sequence.results[i])
            TRY(put_slice(scan, scan->call->arena, sequence.results[i], 0, item,
                          batch, &stacks[i], err));
    arena_free(arena);
    return 0;
}

static int run_batch(const Scan *scan, Array **results, Err *err)
{
    const Array *first = scan->given[0];
    int64_t batch = first->rank > 0 ? first->dims[0] : 0;
    for (int64_t item = 0; item < batch; item++)
        TRY(run_item(scan, item, batch, results, err));
    return 0;
}

/* ---- The node ---- */

static int count_ports(Scan *scan, int first, Err *err)
{
    const StepCall *call = scan->call;
    const Node *node = call->step->node;
    const Exec *body = call->step->nested[scan->body].exec;
    int given = node->input_count - first;
    int64_t scanned = node_int(node, "num_scan_inputs", 0);
    if (scanned < 1 || scanned > given || (int)body->input_count != given ||
        (int)body->output_count != node->output_count)
        return nested_misfit(call, err);
    scan->inputs = (int)scanned;
    scan->states = given - scan->inputs;
    scan->outputs = node->output_count - scan->states;
    scan->given = call->inputs + first;
    for (int i = 0; i < given; i++)
        if (!scan->given[i])
            return nested_misfit(call, err);
    return scan->outputs < 0 ? nested_misfit(call, err) : 0;
}

int run_scan(StepCall *call, Err *err)
{
    const Node *node = call->step->node;
    bool batched = graph_opset(node->graph) < 9;
    Scan scan = {.call = call, .precision = call->options->precision};
    TRY(nested_find(call, "body", &scan.body, err));
    TRY(count_ports(&scan, batched ? 1 : 0, err));
    Array **results =
        arena_array(call->arena, (size_t)node->output_count, sizeof *results);
    TRY(batched ? run_batch(&scan, results, err)
                : run_whole(&scan, results, err));
    for (int i = 0; i < node->output_count; i++) {
        if (!results[i])
            return err_set(err, ERR_BAD_INPUT,
                           "%s: no iteration gives output %d a shape",
                           node_text(call->arena, node), i);
        nested_give(call, i, results[i]);
    }
    return 0;
}
