/* Small named models for the tests of the judge, built by hand. */
#ifndef REPFOLD_TESTS_NET_H
#define REPFOLD_TESTS_NET_H

#include "graph/graph.h"

typedef struct Net {
    Arena *arena;
    Model *model;
    Graph *graph;
} Net;

Net toy_new(Arena *arena);
/* A size < 0 is symbolic: the axis' own symbol. */
Value *toy_input(Net *net, const char *name, DType type, int rank,
                 const int64_t *dims);
Value *toy_output(Net *net, const char *name, DType type);
/* An initializer: the values rounded to the type. */
Value *toy_weight(Net *net, const char *name, DType type, int rank,
                  const int64_t *dims, const double *values);
/* The same, as a formula that keeps the values unrounded. */
Value *toy_formula(Net *net, const char *name, int rank, const int64_t *dims,
                   const double *values);
/* A node by the names of its inputs, separated by blanks; it is named after
 * its output. */
Node *toy_node(Net *net, Op op, const char *inputs, const char *output);
/* Fills facts and uses; every test does so last. */
Model *toy_finish(Net *net);

/*
 * A reparameterizable network, as trained and as folded by hand in double:
 *
 *     x -> 3x3 conv, BN -> stem
 *     stem -> 3x3 conv, BN + 1x1 conv, BN + BN -> block -> Relu -> act
 *     act -> 1x1 conv with bias, times a layer scale -> scaled
 *     scaled + act -> mixed -> global average -> Gemm -> y
 */
typedef enum Fault {
    FAULT_NONE,
    FAULT_BIAS,   /* one bias of block, off by 1e-3 */
    FAULT_WEIGHT, /* one weight of block, off by 1 % */
    FAULT_PAD,    /* block's pads, shifted by one */
    FAULT_BRANCH, /* block without its 1x1 branch */
    FAULT_SCALE   /* one bias of scaled, off by 1e-3 */
} Fault;

typedef struct Shape {
    DType type;         /* of the weights; 0: float32 */
    double layer_scale; /* 0: 0.5 */
    bool symbolic;      /* batch, height and width */
    bool formulas;      /* folded weights are formulas */
    Fault fault;
} Shape;

Model *toy_trained(Arena *arena, Shape shape);
Model *toy_folded(Arena *arena, Shape shape);

#endif
