/*
 * Shape inference in one line: a node in, the facts of its outputs out.
 *
 *     Conv(f32[N,3,H,W], f32[8,3,3,3]) pads=[1,1,1,1]
 *     float32[N,8,H,W]
 *
 * An input is "-" (absent), "?" (unknown), or a type with dims; {1,N} after it
 * are its elements, without dims of a list as long.  Dims are numbers, names,
 * or "?".  An attribute is 1, 1., [1,2], [1.,2.], "text", ["a","b"], or {1}: a
 * tensor.
 * "-> 3" asks for three outputs, whose facts are joined by "; ".  A trailing
 * "@11" is the opset.  The result of an error is the name of its code.
 */
#ifndef REPFOLD_TESTS_INFER_CASE_H
#define REPFOLD_TESTS_INFER_CASE_H

#include "graph/graph.h"

enum { CASE_OPSET = 20 }; /* without "@" */

enum { CASE_INPUTS = 9, CASE_OUTPUTS = 5 };

/* The node of a line, in a graph of its own, and what it says of the inputs:
 * NULL where absent or not given. */
typedef struct CaseNode {
    Node *node;
    int64_t opset;
    const Fact *facts[CASE_INPUTS];
    const Tensor *tensors[CASE_INPUTS];
} CaseNode;
void case_node(Arena *arena, const char *line, CaseNode *out);

/* The result of inference, in the arena. */
const char *infer_case(Arena *arena, const char *line);

typedef struct InferCase {
    const char *line, *expect;
} InferCase;

/* Compares, naming the line that failed. */
void check_infer_case(const InferCase *row);

#endif
