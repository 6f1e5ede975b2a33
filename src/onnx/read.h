/* What the files of the reader share. */
#ifndef REPFOLD_ONNX_READ_H
#define REPFOLD_ONNX_READ_H

#include "graph/dump.h"
#include "onnx.pb-c.h"

typedef struct Reader {
    Arena *arena;
    Arena *scratch; /* for what is read of one field of a graph; see
                       read_steps */
    Model *model;
    Map *functions; /* what the model defines itself, by function_key */
    Map *words; /* Word: names that are there again and again, by themselves */
    size_t external_tensors; /* whose data were found */
    const Graph *unordered;  /* whose nodes are in no order to be read in */
    Err *err;
} Reader;

/* A TensorProto. Its elements stay in the file wherever they are packed there;
 * a type that is not understood gives a tensor that is not readable. External
 * data are found in `external`; NULL where there can be none. */
int read_tensor(Arena *arena, struct External *external, Span source,
                Tensor **out, Err *err);
/* Checks a sparse tensor, and gives one that is not readable. */
int read_sparse_tensor(Arena *arena, struct External *external,
                       const Onnx__SparseTensorProto *proto, Tensor **out,
                       Err *err);

/* What a type says of a value. */
Fact read_type(Arena *arena, Symbols *symbols, const Onnx__TypeProto *type);

/* Training assigns to the value of that name, or it is quantised. */
void mark_mutable(Graph *graph, const char *name);

/* Fills the reader's model, which has its bytes, and fills its uses. */
int read_model(Reader *reader);

/* Appends the node to the graph, with the graphs in its attributes. */
int read_node(Reader *reader, Graph *graph, Span source);
/* Fills a new graph from a GraphProto. */
int read_graph(Reader *reader, Graph *graph, Span source);
/* Fills the body of a function from a FunctionProto. */
int read_function(Reader *reader, Graph *body, Span source);

/* If, Loop and Scan have the graphs they need, which give what they give. */
int check_bodies(const Node *node, Err *err);
/* Functions do not call themselves, on any way, what the model becomes with
 * every call replaced is of a size that can be worked on, and calls give
 * attributes of the types that the functions take. A call gets the attributes
 * that it leaves to the function. */
int check_calls(Reader *reader);

/* Reads an attribute that a function has for calls that do not give it. */
int read_default(Reader *reader, Graph *body, Span source, Attr *out);

/* How a function is found: "ai.onnx" is "". */
const char *function_key(Arena *arena, const char *domain, const char *name,
                         const char *overload);

/* How a message names the node that is at `source`. */
const char *source_text(Arena *arena, Span source);

/* A node of the graph reads a name that is not defined there: says whether
 * nothing produces it, the nodes are out of order, or it is a cycle. Notes the
 * graph where another order would help. */
int order_fault(Reader *reader, const Graph *graph, const char *name);
/* Reading the node at `from` has failed: reads it and those behind it in the
 * file, each after those that it reads from. Fails where that does not help. */
int read_in_order(Reader *reader, Graph *graph, Span from);

#endif
