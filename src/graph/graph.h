/*
 * The graph: what every layer works on.  It knows nothing of protobuf.
 *
 * Ownership: everything belongs to the model's arena; names and tensors often
 * point into the mapped file, which the arena also owns.
 *
 * Order: graph->nodes is topologically sorted, always.  A new node takes the
 * place of the last node it replaces, and produces that node's value, so
 * consumers do not change and the order stays valid.
 *
 * Editing: build the new node, put it in place (graph_replace_node), and let
 * graph_sweep drop what has become dead.  A tensor is never edited: it may be
 * shared.  Uses are recomputed by graph_fill_uses, never maintained.
 */
#ifndef REPFOLD_GRAPH_GRAPH_H
#define REPFOLD_GRAPH_GRAPH_H

#include "base/map.h"
#include "base/span.h"
#include "graph/shape.h"
#include "graph/tensor.h"

typedef enum Op {
    /* Opaque: not in op.def, not in the ai.onnx domain, or not in its opset
     * that is imported. */
    OP_OTHER,
#define OP(name, min_in, max_in, max_out, since, until, infer, attrs) OP_##name,
#include "graph/op.def"
#undef OP
    OP_COUNT
} Op;

/* The operator of that name in the ai.onnx domain, or OP_OTHER. */
Op op_find(const char *name);
const char *op_name(Op op);
typedef struct OpArity {
    int min_inputs, max_inputs, max_outputs; /* -1 is variadic */
} OpArity;
OpArity op_arity(Op op);
typedef struct OpRange {
    int since, until; /* opsets; until 0: not removed yet */
} OpRange;
OpRange op_range(Op op);
/* True where that opset has the operator; opset 0 is one that is not said. */
bool op_exists(Op op, int64_t opset);
/* The AttrTypes, as bits, that some opset gives the operator's attribute of
 * that name; 0 where it has none, and for OP_OTHER. */
uint32_t op_attr_types(Op op, const char *name);
/* True where a real input that is a little another one may give quite another
 * result. */
bool op_jumps(Op op);
/* The domain of ONNX's own operators has two names. */
bool is_onnx_domain(const char *domain);

bool span_same(Span a, Span b);

typedef struct Model Model;
typedef struct Graph Graph;
typedef struct Node Node;
typedef struct Value Value;

/* AttributeProto.AttributeType. */
typedef enum AttrType {
    ATTR_UNDEFINED = 0,
    ATTR_FLOAT = 1,
    ATTR_INT = 2,
    ATTR_STRING = 3,
    ATTR_TENSOR = 4,
    ATTR_GRAPH = 5,
    ATTR_FLOATS = 6,
    ATTR_INTS = 7,
    ATTR_STRINGS = 8,
    ATTR_TENSORS = 9,
    ATTR_GRAPHS = 10,
    ATTR_SPARSE_TENSOR = 11,
    ATTR_SPARSE_TENSORS = 12,
    ATTR_TYPE_PROTO = 13,
    ATTR_TYPE_PROTOS = 14
} AttrType;

/* Nothing is said of a value beyond its type: look at that first, or use
 * attr_tensor and attr_graphs. */
typedef struct Attr {
    const char *name;
    const char *reference; /* ref_attr_name inside a function, or NULL */
    Span source; /* the AttributeProto in the file, empty for a new one */
    AttrType type;
    union {
        float f;
        int64_t i;
        Span s;
        Tensor *tensor;
        Graph *graph;
        struct {
            union {
                const float *floats;
                const int64_t *ints;
                const Span *strings;
                Graph **graphs;
            };
            size_t count; /* of a list; of any other type it means nothing */
        };
    };
} Attr;

/* One place where a value is read: an input slot of a node, or, with node
 * NULL, a graph output. Add(y, y) makes two. */
typedef struct Use {
    Node *node;
    int slot;
} Use;

/* There are many, so that the order of the members matters. */
struct Value {
    const char *name;
    Node *producer; /* NULL for graph inputs, initializers, captured values */
    /* What it holds, when that is known: an initializer's tensor, or one that
     * constant evaluation found. */
    Tensor *tensor;
    /* Of another scope's value that this scope reads by name. */
    Value *outer;
    Fact fact;
    Use *uses; /* filled by graph_fill_uses */
    int use_count;
    int output; /* which output of the producer */
    int index;  /* in the scope of its graph */
    bool is_input, is_output, is_initializer;
    bool is_captured; /* some subgraph reads it by name */
    bool is_mutable;  /* training_info updates it, or it is quantised */
    bool keep_dead;   /* an initializer that nobody read in the file */
};

struct Node {
    /* There may be a million: what is small stands together. */
    Op op;
    int input_count, output_count, attr_count;
    int attr_capacity; /* 0 where the array is not the node's alone */
    int merged;        /* how many of the file's a new node is made of */
    bool edited;
    bool removed;
    bool keep_dead; /* had no used output in the file, see graph_sweep */
    const char *name, *op_type, *domain; /* never NULL; "" when absent */
    Value **inputs;  /* NULL slots are absent optional inputs */
    Value **outputs; /* NULL slots are unnamed outputs */
    Attr *attrs;
    Graph *graph;
    size_t index; /* in graph->nodes, as of graph_fill_uses */
    /* The NodeProto in the file: written back as it is, unless `edited`, when
     * only its inputs and outputs are written anew. Empty for a new node. */
    Span source;
    /* Neighbours in the same place, until graph_fill_uses gives every node a
     * place of its own; graph->nodes shows the last one. */
    Node *before, *after;
    const char *origin; /* of a new node: the names it was made from */
    const char *rule;   /* of a new node: the rule that made it */
};

struct Graph {
    Arena *arena;
    Model *model;
    Graph *parent; /* the graph whose node holds this one as an attribute */
    int64_t opset; /* that a function imports for its body; 0: the model's */
    const char *name;
    Node **nodes;
    size_t node_count, node_capacity;
    Value **inputs, **outputs, **initializers;
    size_t input_count, input_capacity;
    size_t output_count, output_capacity;
    size_t initializer_count, initializer_capacity;
    Map *values;   /* by name, of this scope */
    Value **scope; /* the same in the order they were made */
    size_t scope_count, scope_capacity;
    Use *uses;    /* of all values of this scope */
    Arena *facts; /* holds the elements in facts, until inferred anew */
    Span source;  /* the GraphProto in the file, empty for a new graph */
    bool changed;
    bool filled; /* graph_fill_uses has seen it */
};

/* A model-local function: where it is, and what it is called. Its body is a
 * graph whose inputs and outputs are the function's. */
typedef struct Function {
    const char *name, *domain;
    bool is_overloaded; /* others have the same name and domain */
    Attr *defaults;     /* of attributes that a call need not give */
    size_t default_count;
    Graph *body;
    Span source;
} Function;

typedef struct OpsetImport {
    const char *domain;
    int64_t version;
} OpsetImport;

struct Model {
    Arena *arena;
    Graph *graph;
    const char *path; /* as the user named it, for messages */
    int64_t ir_version;
    int64_t opset; /* of the ai.onnx domain */
    OpsetImport *imports;
    size_t import_count;
    Function *functions;
    size_t function_count;
    Map *callable; /* those by their names: node_function's affair */
    const char *producer_name, *producer_version;
    Symbols *symbols;
    /* What graph_fresh_value avoids: names of values that are not of the main
     * graph, and how far it has counted. */
    Map *names, *stems;
    Span file;                 /* the whole ModelProto, empty for a new model */
    struct External *external; /* files that hold its data: onnx/'s affair */
    /* Lets go of what has been read of those files; NULL for none. */
    void (*let_go)(const struct External *external);
    size_t memory_bound;      /* see arena_bound; of work that runs no graph */
    bool freeze_initializers; /* an initializer that is also an input counts
                                 as constant */
    bool assume_inference;    /* BatchNormalization and Dropout in training mode
                                 count as inference, in folding and running */
};

Model *model_new(Arena *arena);
/* Lets go of the memory that reading weights has filled, where they are in
 * files: they are read again when they are needed. Cheap, but not free. */
void model_let_go(const Model *model);
Graph *graph_new(Model *model, Graph *parent);
/* The opset of the ai.onnx domain that its nodes mean. */
int64_t graph_opset(const Graph *graph);
/* True for the body of a model-local function: it has no initializers, and its
 * source is a FunctionProto. */
bool graph_is_function(const Graph *graph);

/* The value of that name in this scope, made when it is not there. The name
 * is not copied. */
Value *graph_value(Graph *graph, const char *name);
/* What a node of this scope reads under that name: a value of this scope, or
 * a stand-in whose `outer` is the enclosing scope's value. NULL when no scope
 * has it. */
Value *graph_read_value(Graph *graph, const char *name);
/* The value of that name here or in an enclosing scope, or NULL. */
Value *graph_find_value(const Graph *graph, const char *name);
/* A value with a name that is free in the whole model, made from `stem`. */
Value *graph_fresh_value(Graph *graph, const char *stem);
/* Gives a value another name, which must live as long as the graph; the value
 * that has it gets the old one. Not for what subgraphs read by name. */
void graph_swap_name(Graph *graph, Value *value, const char *name);

void graph_add_input(Graph *graph, Value *value);
void graph_add_output(Graph *graph, Value *value);
/* An initializer with a free name made from `stem`. */
Value *graph_add_initializer(Graph *graph, const char *stem, Tensor *tensor);
/* Gives the value its tensor and its fact, and lists it as an initializer. */
void graph_set_initializer(Graph *graph, Value *value, Tensor *tensor);

/* A node that is not yet in the graph. Its arrays are copied. Outputs become
 * its own when it is put in place. */
Node *node_new(Graph *graph, Op op, const char *name, Value *const *inputs,
               int input_count, Value *const *outputs, int output_count);
/* The same operator and attributes on other values, as many of each. */
Node *node_clone(Node *node, Value *const *inputs, Value *const *outputs);
/* Set or replace an attribute. Only of a new node: of a node from the file
 * the attributes are written as they were. */
void node_set_int(Node *node, const char *name, int64_t value);
void node_set_float(Node *node, const char *name, float value);
void node_set_ints(Node *node, const char *name, const int64_t *values,
                   size_t count);
void node_set_string(Node *node, const char *name, const char *value);
void node_set_tensor(Node *node, const char *name, Tensor *tensor);

/* The tensor that an attribute holds, NULL where it is none. */
Tensor *attr_tensor(const Attr *attr);
/* The one graph or the several that it holds; NULL and 0 where there is none.
 */
Graph *const *attr_graphs(const Attr *attr, size_t *count);
/* The only graph of an attribute that is there, or NULL; NULL for NULL. */
Graph *attr_graph(const Attr *attr);
bool node_has_graphs(const Node *node);

/* Attributes by name; the fallback where absent, of another type, or a
 * reference to an attribute of the function. */
const Attr *node_attr(const Node *node, const char *name);
/* True when an attribute is the calling node's, inside a function: nothing is
 * known of such a node. */
bool node_is_parametric(const Node *node);
int64_t node_int(const Node *node, const char *name, int64_t fallback);
float node_float(const Node *node, const char *name, float fallback);
/* The count, or -1 where absent. */
int64_t node_ints(const Node *node, const char *name, const int64_t **values);
/* True when the attribute is there and is that string. */
bool node_string_is(const Node *node, const char *name, const char *text);

/* The scales that Upsample has in attributes up to opset 8: one for each axis,
 * or in opset 1 for an image's height and width. The count, or -1. */
int node_upsample_scales(const Node *node, double scales[RANK_MAX]);

/* The functions of the model can be called; fails on nothing. */
void model_list_functions(Model *model);
/* The function of the model that the node calls. NULL where it is an operator,
 * and where there are overloads, which are not told apart. */
const Function *node_function(const Node *node);

/* The value of an input slot, NULL when absent or past the end. */
Value *node_input(const Node *node, int slot);
Value *node_output(const Node *node, int slot);
/* Goes to integers of few bits, or comes back: of whatever domain; false of
 * NULL. What is
 * made of constants that way is taken for unknown: as numbers of a real type
 * they would be larger, and no longer what was quantized. */
bool node_is_quantizer(const Node *node);

/* Appends a node; its outputs get it as producer. */
void graph_add_node(Graph *graph, Node *node);
/* Puts `fresh` (count nodes, in order) where `old` stands, in constant time.
 * Outputs of `old` that a fresh node produces change hands; `old` is gone.
 * Nodes that only `old` read from stay until graph_sweep. */
void graph_replace_node(Graph *graph, Node *old, Node *const *fresh,
                        size_t count);
/* Makes the node read `with` instead of `value` in every slot. */
void node_replace_input(Node *node, Value *value, Value *with);

/* Recomputes uses, indices, is_captured, of the graph, its subgraphs and its
 * parents, and closes the gaps of replaced nodes. A graph output counts as a
 * use, and so does a subgraph's capture: by the node that holds the subgraph,
 * slot -1. The first call must come before any editing: it notes what is dead
 * in the file. */
void graph_fill_uses(Graph *graph);
/* Drops nodes none of whose outputs are used, then initializers nobody reads;
 * returns how many nodes went. Leaves uses filled. What was dead in the file
 * already stays, so that a graph in which nothing was folded is not touched.
 * An initializer that is also an input goes from both lists, but stays when a
 * caller may override it. */
size_t graph_sweep(Graph *graph);

/* The known tensor of a value, or NULL: an initializer that a caller cannot
 * override, or what constant evaluation found. */
const Tensor *value_constant(const Graph *graph, const Value *value);
/* True for an initializer that a caller may override: also a graph input, IR 4
 * or newer, and not frozen. */
bool value_is_overridable(const Graph *graph, const Value *value);

/* Inputs and outputs fit op.def: none that is needed is absent, and the first
 * output of an operator that repfold knows is there. */
int node_check_arity(const Node *node, Err *err);
/* Each attribute is one that op.def gives the operator, and of its type: what
 * is not known would not be heeded. Names that begin with "__" are the
 * writer's own, as for ONNX's checker. */
int node_check_attrs(const Node *node, Err *err);

/* Every promise of the comments above that can be checked, and: defined
 * before use, defined once, arity, attributes and opset within op.def, known
 * types agree. */
int graph_check(const Graph *graph, Err *err);

/* Shape inference over the graph in order, subgraphs left out; fills
 * value->fact. Never fails: what cannot be known stays unknown. A node that
 * contradicts itself (a Conv whose channels do not fit) is an error. The
 * elements in facts (Fact.ints) live until the next call, the dims as long as
 * the graph. */
int graph_infer(Graph *graph, Err *err);

/* Inference of one node, also what the executor plans with: facts of inputs in
 * (NULL when absent), facts of outputs out. */
typedef struct InferCall {
    const Node *node;
    int64_t opset;
    Arena *arena;
    Symbols *symbols;
    const Fact *const *inputs;
    /* Known tensors of inputs, NULL where unknown: Reshape's shape, axes. */
    const Tensor *const *tensors;
    Fact *outputs;
} InferCall;
int infer_node(InferCall *call, Err *err);

/* How a message names a node: `Conv node "/stem/conv"`, or by its first output
 * where it has no name. Control characters are escaped. */
const char *node_text(Arena *arena, const Node *node);

#endif
