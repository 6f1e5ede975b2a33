/*
 * Building a graph as PyTorch's TorchScript exporter writes it: a node is
 * named by the path of modules it comes from and numbered within that path
 * ("/stem/stem.0/Add_1"), its value is that name with "_output_0", a weight
 * has its key in the state dict ("stem.0.conv_kxk.0.bn.weight").
 *
 * Faults stick: once a weight is missing the net goes on with values that
 * hold nothing, so that a block reads as the formula it is; whoever started
 * the net asks net->failed at the end.
 */
#ifndef REPFOLD_ZOO_NET_H
#define REPFOLD_ZOO_NET_H

#include "zoo/zoo.h"

/* rp_sample_options with its defaults filled in and checked. */
typedef struct NetOptions {
    double width_mult;
    int64_t size, classes;
    bool dense;   /* feature maps instead of a classifier */
    bool deploy;  /* the branches are one convolution, "reparam_conv" */
    bool dynamic; /* the batch is a symbol */
    DType type;
} NetOptions;

typedef struct Net {
    Arena *arena;
    Graph *graph;
    WeightSource *weights;
    NetOptions options;
    Map *counts; /* how many nodes have a name so far */
    bool failed;
    Err *err;
} Net;

/* Where a module is: by the calls that reached it, and in the state dict. The
 * two differ as calling a sequence shows in the path ("/stem/stem.0"). */
typedef struct Scope {
    const char *path, *key;
} Scope;

/* A square feature map, its batch apart. */
typedef struct Feature {
    Value *value;
    int64_t channels, size;
} Feature;

/* The scope of the whole model. */
Scope scope_root(void);
/* That of a module's attribute: "conv", or "conv_kxk.0" of a list. */
Scope scope_child(Net *net, Scope scope, const char *name);
/* That of the number-th module of an attribute that is a called sequence. */
Scope scope_item(Net *net, Scope scope, const char *name, int number);

/* That of the number-th module of a sequence inside another one. */
Scope scope_nested(Net *net, Scope scope, int number);

/* Widths times the width multiplier, to nearest; each at least 1. */
int net_scale_widths(Net *net, const int *widths, int count, int64_t *out);
/* The error of a width that is no multiple of what its stage needs. */
int net_bad_width(Net *net, int stage, int64_t width, const char *why);

/* The weight scope.key + "." + leaf, from the net's source. */
Value *net_param(Net *net, Scope scope, const char *leaf, int rank,
                 const int64_t *dims);
/* A matrix [rows, columns] of the source, transposed as the exporter does. */
Value *net_param_transposed(Net *net, Scope scope, const char *leaf,
                            int64_t rows, int64_t columns);

/* Appends a node with `output_count` outputs. */
Node *net_node(Net *net, Scope scope, Op op, Value *const *inputs,
               int input_count, int output_count);
/* Appends a node of one output, called `output`, or as usual where NULL. */
Node *net_node_called(Net *net, Scope scope, Op op, Value *const *inputs,
                      int input_count, const char *output);
/* Appends a node of one or two inputs and returns its value. */
Value *net_unary(Net *net, Scope scope, Op op, Value *x);
Value *net_binary(Net *net, Scope scope, Op op, Value *a, Value *b);

/* A Constant node: one number of a real type, of rank 0 or 1. */
Value *net_real(Net *net, Scope scope, DType type, int rank, double number);
/* A Constant node: int64 in a vector, or one of rank 0. */
Value *net_ints(Net *net, Scope scope, const int64_t *numbers, int64_t count);
Value *net_int(Net *net, Scope scope, int64_t number);

/* Declares the model's input and outputs. */
Feature net_input(Net *net, const char *name, int64_t channels);
void net_output(Net *net, Value *value, int rank, const int64_t *dims);

#endif
