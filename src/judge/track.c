#include "judge/track.h"

static Cell *cell_of(Arena *arena, Track *track, const Value *value)
{
    Cell *cell = track->cells[value->index];
    if (cell)
        return cell;
    cell = arena_alloc(arena, sizeof *cell);
    cell->value = value;
    /* What folding knows of a value that nodes compute is not in the file. */
    cell->is_constant = value->producer ? value->producer->op == OP_Constant
                                        : value->tensor != NULL;
    track->cells[value->index] = cell;
    return cell;
}

static Cell **cells_of(Arena *arena, Track *track, Value *const *values,
                       int count)
{
    Cell **cells = arena_array(arena, (size_t)count, sizeof *cells);
    for (int i = 0; i < count; i++)
        if (values[i])
            cells[i] = cell_of(arena, track, values[i]);
    return cells;
}

Track *track_new(Arena *arena, const Graph *graph)
{
    Track *track = arena_alloc(arena, sizeof *track);
    track->graph = graph;
    track->cells = arena_array(arena, graph->scope_count, sizeof *track->cells);
    track->step_count = graph->node_count;
    track->steps = arena_array(arena, graph->node_count, sizeof *track->steps);
    for (size_t i = 0; i < graph->input_count; i++)
        cell_of(arena, track, graph->inputs[i]);
    for (size_t i = 0; i < graph->node_count; i++) {
        Step *step = &track->steps[i];
        const Node *node = step->node = graph->nodes[i];
        step->inputs = cells_of(arena, track, node->inputs, node->input_count);
        step->outputs =
            cells_of(arena, track, node->outputs, node->output_count);
        for (int k = 0; k < node->output_count; k++)
            if (step->outputs[k])
                step->outputs[k]->step = step;
    }
    return track;
}

Cell *track_cell(const Track *track, const char *name)
{
    const Value *value = map_get(track->graph->values, name);
    return value ? track->cells[value->index] : NULL;
}

int cell_load(Arena *arena, const Cell *cell, const ExecOptions *options,
              Array **out, Err *err)
{
    if (cell->value->tensor)
        return array_from_tensor(arena, cell->value->tensor, options->precision,
                                 false, out, err);
    return exec_node(arena, cell->value->producer, options, NULL, out, err);
}

static void cell_reset(Cell *cell)
{
    cell->array = cell->error = NULL;
    cell->readers = 0;
    cell->error_read = cell->ready = cell->missing = false;
}

void track_reset(Track *track)
{
    for (size_t i = 0; i < track->step_count; i++) {
        Step *step = &track->steps[i];
        step->needed = false;
        step->arena = NULL;
        step->held = 0;
        for (int k = 0; k < step->node->output_count; k++)
            if (step->outputs[k])
                cell_reset(step->outputs[k]);
    }
}

const char *step_name(const Step *step)
{
    if (*step->node->name || step->node->output_count == 0 || !step->outputs[0])
        return step->node->name;
    return step->outputs[0]->value->name;
}
