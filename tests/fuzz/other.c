/* Functions and subgraphs, and readers in the way of a fold. */
#include "blocks.h"
#include "model.h"

static Value *same_conv(Gen *gen, Value *x)
{
    Target target = {x->fact.dims[1], {1, 1, 1}, {0, 0, 0}};
    return gen_any_conv(gen, x, &target);
}

static void add_output(Gen *gen, Value *value)
{
    if (!value->is_output)
        graph_add_output(gen->graph, value);
}

/* ---- Operators that are not what they are called, and subgraphs ---- */

static void add_import(Gen *gen, const char *domain)
{
    Model *model = gen->model;
    OpsetImport *imports = arena_array(gen->arena, 2, sizeof *imports);
    imports[0] = (OpsetImport){"", model->opset};
    imports[1] = (OpsetImport){domain, 1};
    model->imports = imports;
    model->import_count = 2;
}

/* A call of a local function with the name of an operator. Nothing is known of
 * what it gives, so that is an output. */
Value *gen_namesake(Gen *gen, Value *x)
{
    Value *y = gen_batchnorm(gen, same_conv(gen, x));
    Node *node = y->producer;
    node->op = OP_OTHER;
    node->domain = "com.example";
    gen->namesake = true;
    add_import(gen, node->domain);
    add_output(gen, gen_unary(gen, OP_Relu, gen_done(gen, node)));
    return x;
}

/* A function with something foldable inside, next to something outside. */
static Graph *function_body(Gen *gen, const Value *x)
{
    Graph *outer = gen->graph, *body = graph_new(gen->model, NULL);
    body->name = arena_printf(gen->arena, "Block%zu", gen->function_count);
    gen->graph = body;
    Value *in = graph_fresh_value(body, "inside");
    in->fact = x->fact;
    graph_add_input(body, in);
    Value *y = gen_affines(gen, in, 1, 2);
    if (gen_chance(gen, 70))
        y = gen_affines(gen, same_conv(gen, y), 1, 2);
    graph_add_output(body, y == in ? gen_unary(gen, OP_Neg, y) : y);
    gen->graph = outer;
    return body;
}

/* Called once it may take its call's place; called twice it stays. */
Value *gen_function(Gen *gen, Value *x)
{
    if (gen->function_count == FUNCTIONS_MAX)
        return x;
    const char *domain = "com.example";
    const Graph *body = function_body(gen, x);
    gen->functions[gen->function_count++] =
        fuzz_function(gen->arena, body, domain);
    add_import(gen, domain);
    for (int calls = gen_chance(gen, 70) ? 1 : 2; calls > 0; calls--) {
        Value *in = gen_chance(gen, 80) ? same_conv(gen, x) : x;
        Node *node = gen_node(gen, OP_OTHER, &in, 1);
        node->op_type = body->name;
        node->domain = domain;
        add_output(gen, gen_unary(gen, OP_Relu, gen_done(gen, node)));
    }
    return x;
}

static void set_graph(Node *node, const char *name, Graph *graph)
{
    node_set_int(node, name, 0);
    for (int i = 0; i < node->attr_count; i++)
        if (node->attrs[i].name == name) {
            node->attrs[i].type = ATTR_GRAPH;
            node->attrs[i].graph = graph;
        }
}

/* A body that reads `captured` by name and does something to it. */
static Graph *branch_body(Gen *gen, Value *captured, bool folds)
{
    Graph *outer = gen->graph, *body = graph_new(gen->model, outer);
    body->name = folds ? "then" : "else";
    gen->graph = body;
    Value *x = graph_read_value(body, captured->name);
    x->fact = captured->fact;
    Value *y = folds ? gen_affines(gen, same_conv(gen, x), 1, 3)
                     : gen_unary(gen, OP_Neg, x);
    if (!y->producer)
        y = gen_unary(gen, OP_Identity, y);
    graph_add_output(body, y);
    gen->graph = outer;
    return body;
}

/* Known or not. */
static Value *gen_condition(Gen *gen)
{
    static const int64_t none[1] = {0};
    void *data;
    if (gen_chance(gen, 60))
        return gen_input(gen, DT_BOOL, 0, none);
    Tensor *tensor = tensor_alloc(gen->arena, DT_BOOL, 0, none, &data);
    *(uint8_t *)data = gen_chance(gen, 50);
    return gen_stored(gen, "condition", tensor);
}

/* If reads a value inside, which must stay, or a weight. */
Value *gen_captured(Gen *gen, Value *x)
{
    Value *inner = same_conv(gen, x), *y = gen_batchnorm(gen, inner);
    Value *weight = inner->producer->inputs[1];
    Value *condition = gen_condition(gen);
    Value *read = gen_chance(gen, 60) ? inner : y;
    Graph *bodies[2] = {
        branch_body(gen, read, true),
        branch_body(gen, gen_chance(gen, 30) ? weight : read, false),
    };
    Node *node = gen_node(gen, OP_If, &condition, 1);
    set_graph(node, "then_branch", bodies[0]);
    set_graph(node, "else_branch", bodies[1]);
    add_output(gen, gen_done(gen, node));
    return y;
}

/* ---- Readers ---- */

static bool is_data(const Gen *gen, const Node *node)
{
    const Value *value = node->outputs[0];
    bool reads = false;
    for (int i = 0; i < node->input_count; i++)
        reads |=
            node->inputs[i] &&
            (node->inputs[i]->producer ||
             (node->inputs[i]->is_input && !node->inputs[i]->is_initializer));
    return reads && value->fact.type == gen->type && value->fact.rank > 0;
}

void gen_expose(Gen *gen)
{
    Graph *graph = gen->graph;
    size_t count = graph->node_count - gen->region;
    if (count == 0)
        return;
    Node *node = graph->nodes[gen->region + (size_t)gen_pick(gen, (int)count)];
    Value *value = node->outputs[0];
    if (!is_data(gen, node))
        return;
    switch (gen_pick(gen, 4)) {
    case 0:
        add_output(gen, value);
        break;
    case 1: /* another reader */
        add_output(gen, gen_unary(gen, OP_Relu, value));
        break;
    case 2: /* a reader that nobody reads: dead in the file, and stays */
        gen_unary(gen, OP_Relu, value);
        break;
    default: /* a reader of the shape only */
        add_output(gen, gen_unary(gen, OP_Shape, value));
    }
}
