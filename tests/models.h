/* Reading and writing models in memory. */
#ifndef REPFOLD_TESTS_MODELS_H
#define REPFOLD_TESTS_MODELS_H

#include <check.h>

#include "onnx/onnx.h"
#include "proto.h"

/* A checked fixture: the arena of the test. */
extern Arena *arena;
void models_setup(void);
void models_teardown(void);

/* The model of these bytes, which must be right. */
Model *model_of(const Proto *file);
/* The same with nothing around the graph: IR 8, opset 17. */
Model *model_of_graph(const Proto *graph);
/* The bytes must be refused, with that code and a message that begins with the
 * name "test.onnx" and holds `text`. */
void check_refused(const Proto *file, ErrCode code, const char *text);
void check_graph_refused(const Proto *graph, ErrCode code, const char *text);

/* What model_write writes; it must be as long as model_written_size says. */
Span model_bytes(const Model *model);
/* The same, read again. */
Model *model_again(const Model *model);
void check_same_bytes(Span a, Span b);

/* Calls `run` for each .onnx file of tests/fixtures; there must be some. */
void for_each_fixture(void (*run)(const char *path));

/* Bytes as they are, behind the message. */
void put_raw(Proto *message, const void *bytes, size_t size);
/* A graph: y = Relu(Add(x, w)), float32 vectors of 2. */
void small_graph(Proto *graph);
/* Attributes of a node: a value in that field, an integer. */
void put_attribute(Proto *node, const char *name, int field, const void *bytes,
                   size_t size, int type);
void put_int(Proto *node, const char *name, int64_t value);
/* A graph of one node "the/node", y = op(x), with more fields of it. */
void node_graph(Proto *graph, const char *op, const Proto *extra);
/* A graph: y = If(x) with both branches the same. */
void if_graph(Proto *graph, const Proto *branch);
/* A function of the model: domain.name(x) is op(x). */
void put_function(Proto *file, const char *domain, const char *name,
                  const char *op);

/* Nodes and values by name; NULL when there is none. */
Node *find_node(const Graph *graph, const char *name);
Value *find_value(const Graph *graph, const char *name);
Value *find_initializer(const Graph *graph, const char *name);

#endif
