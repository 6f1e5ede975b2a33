/*
 * Why a node cannot have its input, and nodes that are not in topological
 * order.  ONNX asks for that order, but some converters append nodes, and
 * runtimes do not mind. No sorted model comes here, so this may read the graph
 * all over again.
 */
#include "onnx/read.h"
#include "onnx/wire.h"

typedef struct Names {
    Arena *arena;
    const char **names;
    size_t count, capacity;
} Names;

/* A node of the file and what it reads, at any depth of its subgraphs. */
typedef struct Step {
    Span source;
    Names reads;
    size_t next; /* the read that the search is at */
    enum { NEW, OPEN, DONE } state;
} Step;

typedef struct Order {
    Arena *arena;
    Step *steps;
    size_t count;
    Map *producers; /* by name, of the steps */
} Order;

/* Numbers of the fields that names are in. */
enum { GRAPH_NODE = 1, GRAPH_OUTPUT = 12, FUNCTION_NODE = 7, VALUE_NAME = 1 };
enum { NODE_INPUT = 1, NODE_OUTPUT = 2, NODE_ATTRIBUTE = 5 };
enum { ATTRIBUTE_GRAPH = 6, ATTRIBUTE_GRAPHS = 11 };

static void add_name(Names *names, Span text)
{
    if (text.size == 0)
        return;
    names->names = arena_grow(names->arena, names->names, &names->capacity,
                              names->count + 1, sizeof *names->names);
    names->names[names->count++] =
        arena_strndup(names->arena, (const char *)text.bytes, text.size);
}

static void collect_reads(Names *names, Span node);

static void collect_graph_reads(Names *names, Span graph)
{
    Wire wire = wire_over(graph);
    Field field;
    while (wire_next(&wire, &field)) {
        if (field.number == GRAPH_NODE)
            collect_reads(names, field.payload);
        else if (field.number == GRAPH_OUTPUT)
            add_name(names, wire_bytes(field.payload, VALUE_NAME));
    }
}

/* Recursion is as deep as the file, which the scan has bounded. */
static void collect_reads(Names *names, Span node)
{
    Wire nodes = wire_over(node);
    Field field, inner;
    while (wire_next(&nodes, &field)) {
        if (field.number == NODE_INPUT)
            add_name(names, field.payload);
        if (field.number != NODE_ATTRIBUTE)
            continue;
        Wire attribute = wire_over(field.payload);
        while (wire_next(&attribute, &inner))
            if (inner.number == ATTRIBUTE_GRAPH ||
                inner.number == ATTRIBUTE_GRAPHS)
                collect_graph_reads(names, inner.payload);
    }
}

static void list_outputs(Order *order, Step *step)
{
    Wire wire = wire_over(step->source);
    Field field;
    while (wire_find(&wire, NODE_OUTPUT, WIRE_BYTES, &field))
        map_put(order->producers,
                arena_strndup(order->arena, (const char *)field.payload.bytes,
                              field.payload.size),
                step);
}

static void list_steps(Order *order, const Graph *graph)
{
    uint32_t number = graph_is_function(graph) ? FUNCTION_NODE : GRAPH_NODE;
    Field field;
    Wire count = wire_over(graph->source);
    while (wire_find(&count, number, WIRE_BYTES, &field))
        order->count++;
    order->steps = arena_array(order->arena, order->count, sizeof(Step));
    order->producers = map_new(order->arena);
    Wire wire = wire_over(graph->source);
    for (Step *step = order->steps;
         wire_find(&wire, number, WIRE_BYTES, &field); step++) {
        step->source = field.payload;
        step->reads.arena = order->arena;
        collect_reads(&step->reads, field.payload);
        list_outputs(order, step);
    }
}

/* Searches from one step against the flow of data, depth first; a step that
 * is met while it is still open is on a cycle. */
static const Step *cycle_from(const Order *order, Step *start, Step **stack)
{
    size_t depth = 0;
    start->state = OPEN;
    stack[depth++] = start;
    while (depth > 0) {
        Step *step = stack[depth - 1];
        if (step->next == step->reads.count) {
            step->state = DONE;
            depth--;
            continue;
        }
        Step *before =
            map_get(order->producers, step->reads.names[step->next++]);
        if (before && before->state == OPEN)
            return before;
        if (before && before->state == NEW) {
            before->state = OPEN;
            stack[depth++] = before;
        }
    }
    return NULL;
}

static const Step *find_cycle(const Order *order)
{
    Step **stack = arena_array(order->arena, order->count, sizeof *stack);
    const Step *found = NULL;
    for (size_t i = 0; i < order->count && !found; i++)
        if (order->steps[i].state == NEW)
            found = cycle_from(order, &order->steps[i], stack);
    return found;
}

int order_fault(Reader *reader, const Graph *graph, const char *name)
{
    Arena *arena = reader->arena;
    Err *err = reader->err;
    for (const Graph *own = graph; graph; graph = graph->parent) {
        Order order = {.arena = arena};
        list_steps(&order, graph);
        const Step *producer = map_get(order.producers, name);
        if (!producer)
            continue;
        const Step *step = find_cycle(&order);
        if (step)
            return err_set(err, ERR_CYCLE,
                           "reads %s, and the graph has a cycle through %s",
                           name_text(arena, name),
                           source_text(arena, step->source));
        if (graph == own)
            reader->unordered = graph;
        return err_set(err, ERR_INVALID_MODEL,
                       "reads %s before %s produces it: the nodes are not in "
                       "topological order",
                       name_text(arena, name),
                       source_text(arena, producer->source));
    }
    return err_set(err, ERR_UNDEFINED_VALUE,
                   "reads %s, which is no input, no initializer, and produced "
                   "by no node",
                   name_text(arena, name));
}

/* Reads all that a step needs, and then the step itself, depth first. */
static int read_after(Reader *reader, Graph *graph, const Order *order,
                      Step *start, Step **stack)
{
    size_t depth = 0;
    stack[depth++] = start;
    while (depth > 0) {
        Step *step = stack[depth - 1];
        step->state = OPEN;
        if (step->next == step->reads.count) {
            TRY(read_node(reader, graph, step->source));
            arena_clear(reader->scratch);
            step->state = DONE;
            depth--;
            continue;
        }
        Step *before =
            map_get(order->producers, step->reads.names[step->next++]);
        if (before && before->state == NEW)
            stack[depth++] = before;
    }
    return 0;
}

int read_in_order(Reader *reader, Graph *graph, Span from)
{
    if (reader->unordered != graph)
        return -1;
    Order order = {.arena = arena_child(reader->arena)};
    list_steps(&order, graph);
    Step **stack = arena_array(order.arena, order.count, sizeof *stack);
    size_t first = 0;
    while (order.steps[first].source.bytes != from.bytes)
        order.steps[first++].state = DONE;
    reader->unordered = NULL;
    *reader->err = (Err){0};
    int status = 0;
    for (size_t i = first; i < order.count && status == 0; i++)
        if (order.steps[i].state == NEW)
            status = read_after(reader, graph, &order, &order.steps[i], stack);
    arena_free(order.arena);
    return status;
}
