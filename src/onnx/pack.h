/* What the files of the writer share. */
#ifndef REPFOLD_ONNX_PACK_H
#define REPFOLD_ONNX_PACK_H

#include "onnx/dataplan.h"
#include "onnx/rope.h"

/* A fault stays in `err` and is looked at once, when the rope is done. */
typedef struct Writer {
    Arena *arena; /* of the ropes */
    const Model *model;
    const DataPlan *plan; /* NULL: all elements stay where they are */
    Err *err;
} Writer;

Rope writer_rope(const Writer *writer);
/* The same writer with an arena of its own, inside the other's, for messages
 * that are copied when they are done. */
Writer writer_scratch(const Writer *writer);

/* From scratch: what has no source. */
Rope pack_tensor(Writer *writer, const Tensor *tensor, const char *name);
Rope pack_value(Writer *writer, const Value *value);
Rope pack_node(Writer *writer, const Node *node);
Rope pack_graph(Writer *writer, const Graph *graph);
Rope pack_model(Writer *writer);

/* The nodes that are in the graph now, in order: from their source where that
 * still holds. */
void rope_nodes(Writer *writer, Rope *rope, uint32_t field, const Graph *graph);
/* The elements of a tensor: inside the model, or as entries that say where. */
void rope_data(Writer *writer, Rope *rope, const Tensor *tensor);
/* The names of a node's inputs and outputs. */
void rope_inputs(Rope *rope, const Node *node);

/* From the source, with what has changed since. */
Rope rewrite_node(Writer *writer, const Node *node);
Rope rewrite_attr(Writer *writer, const Attr *attr);
/* Under another name, or NULL for its own. */
Rope rewrite_tensor(Writer *writer, const Tensor *tensor, const char *name);
Rope rewrite_graph(Writer *writer, const Graph *graph);
Rope rewrite_model(Writer *writer);

/* True when the source does not tell all any more. */
bool model_is_dirty(const Writer *writer);
bool graph_is_dirty(const Writer *writer, const Graph *graph);
bool node_is_dirty(const Writer *writer, const Node *node);

#endif
