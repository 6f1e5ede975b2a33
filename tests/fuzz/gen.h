/*
 * A random model while it is being made. A seed gives the same model on every
 * machine; with `integers` all its numbers are small and dyadic, so that
 * nothing rounds, folded or not, and outputs must be equal bit for bit.
 */
#ifndef REPFOLD_TESTS_FUZZ_GEN_H
#define REPFOLD_TESTS_FUZZ_GEN_H

#include "graph/graph.h"

enum { FUNCTIONS_MAX = 4 };

typedef struct Gen {
    Arena *arena;
    Model *model;
    Graph *graph;
    uint64_t random;
    bool integers;
    DType type;    /* of the data */
    size_t region; /* nodes there were when the region began */
    size_t upper;  /* nodes that folding could remove at best */
    bool namesake; /* nodes call a local function called BatchNormalization */
    /* Other local functions, as FunctionProtos. */
    Span functions[FUNCTIONS_MAX];
    size_t function_count;
} Gen;

/* What an element of a constant may be. */
typedef enum Numbers {
    NUMBERS_WEIGHT,   /* anything small */
    NUMBERS_SCALE,    /* either sign, rarely 0 */
    NUMBERS_POSITIVE, /* a square root may be taken */
    NUMBERS_DIVISOR   /* either sign, a power of two with integers */
} Numbers;

/* ---- Choices ---- */

uint64_t gen_bits(uint64_t *random);
/* 0 to count - 1. */
int gen_pick(Gen *gen, int count);
bool gen_chance(Gen *gen, int percent);
/* least to most, both included. */
int64_t gen_range(Gen *gen, int64_t least, int64_t most);
double gen_number(Gen *gen, Numbers kind);

/* ---- Nodes; an error of inference is one of the generator: it aborts ---- */

Node *gen_node(Gen *gen, Op op, Value *const *inputs, int count);
/* The node's first output, with its shape known. */
Value *gen_done(Gen *gen, const Node *node);
Value *gen_unary(Gen *gen, Op op, Value *x);
Value *gen_binary(Gen *gen, Op op, Value *a, Value *b);
Value *gen_input(Gen *gen, DType type, int rank, const int64_t *dims);

/* ---- Constants ---- */

/* A constant that is stored: an initializer, or in a function, which has none,
 * what a Constant node gives. */
Value *gen_stored(Gen *gen, const char *stem, Tensor *tensor);
/* A stored constant, of random numbers where `numbers` is NULL. */
Value *gen_tensor(Gen *gen, DType type, Numbers kind, int rank,
                  const int64_t *dims, const double *numbers);
/* A constant of random numbers, in any of the ways that files have: an
 * initializer, a Constant node, or computed from some. */
Value *gen_constant(Gen *gen, Numbers kind, int rank, const int64_t *dims);
Value *gen_scalar(Gen *gen, double number);
Value *gen_ints(Gen *gen, int count, const int64_t *numbers);
/* One number a channel along `axis` of x, or, with `uniform`, one number, in
 * any shape that broadcasts to it. */
Value *gen_along(Gen *gen, const Value *x, int axis, bool uniform,
                 Numbers kind);

/* ---- Operators whose form depends on the opset ---- */

Value *gen_reshape(Gen *gen, Value *x, int rank, const int64_t *dims);
Value *gen_transpose(Gen *gen, Value *x, const int64_t *perm);
/* pads: begin and end of every axis, in ONNX's order. */
Value *gen_pad(Gen *gen, Value *x, const int64_t *pads, const char *mode);

#endif
