/*
 * Small models for the tests of folding. A test writes a function that builds
 * a model with these helpers; the harness builds it twice, folds one, runs
 * both in float64 with unrounded weights, and compares.
 */
#ifndef REPFOLD_TESTS_FOLDING_H
#define REPFOLD_TESTS_FOLDING_H

#include <check.h>

#include "exec/exec.h"
#include "fold/fold.h"
#include "graph/graph.h"

/* The model being built; its random numbers start anew for each model. */
typedef struct Bench {
    Arena *arena;
    Model *model;
    Graph *graph;
    uint64_t random;
    DType type;    /* of tensors it makes, float32 when not set */
    bool integers; /* small integers and dyadic statistics: nothing rounds */
} Bench;

typedef void Build(Bench *bench);

/* In [-1, 1), or a small integer. */
double bench_number(Bench *bench);
Value *bench_input(Bench *bench, int rank, const int64_t *dims);
/* An input of one image, (1, channels, size, size). */
Value *bench_image(Bench *bench, int64_t channels, int64_t size);
void bench_output(Bench *bench, Value *value);
/* A node that has its attributes; then shapes are found. */
void bench_add(Bench *bench, Node *node);
Value *bench_node(Bench *bench, Op op, Value *const *inputs, int count);
Value *bench_unary(Bench *bench, Op op, Value *x);
Value *bench_binary(Bench *bench, Op op, Value *a, Value *b);
/* A random constant; a constant of given numbers. */
Value *bench_constant(Bench *bench, int rank, const int64_t *dims);
Value *bench_numbers(Bench *bench, int rank, const int64_t *dims,
                     const double *numbers);
Value *bench_ints(Bench *bench, int64_t count, const int64_t *numbers);
/* (C, 1, 1): a layer scale. */
Value *bench_channel_scale(Bench *bench, int64_t channels);

typedef struct ConvShape {
    int64_t out, kernel, stride, pad, dilation, group; /* 0: the default */
    bool bias;
} ConvShape;
/* `x` must know its channels. */
Value *bench_conv(Bench *bench, Value *x, ConvShape shape);
Value *bench_batchnorm(Bench *bench, Value *x, int64_t channels);

/* The only output, of one name in every model. A certificate allows what the
 * operator reads no rounding, but for a Relu. */
void bench_end(Bench *bench, Op op, Value *x);

/* The model by itself. */
Model *build_model(Arena *arena, Build *build, bool integers);

/* The same as if folded: what is not the same value has another name. */
Model *build_converted(Arena *arena, Build *build);

/* The certificates of a model that was folded, or is told to be. */
rp_certificates_info certify(Arena *arena, const Model *before,
                             const Model *after);
/* There are some for the pair, or none, by what `holds` says. */
void check_certified(const char *name, Build *original, Build *converted,
                     bool holds);

/* What folding did to a model. */
typedef struct Folded {
    Arena *arena;
    Model *before, *after;
    FoldReport report;
    double difference; /* largest, relative to the largest |y| */
} Folded;

/* Folds with the options (NULL for the defaults) and compares. */
Folded fold_model(Build *build, const rp_fold_options *options);
/* The same with integer data: the outputs must be equal bit for bit. */
Folded fold_exactly(Build *build);
Folded fold_exactly_with(Build *build, const rp_fold_options *options);
void folded_free(Folded *folded);

size_t count_ops(const Model *model, Op op);
/* The only node of that operator in what came out. */
const Node *only_node(const Folded *folded, Op op);

/* The model folds into `convs` Conv and `others` other nodes, and computes the
 * same; a second fold finds nothing. */
void check_folds(Build *build, size_t convs, size_t others);
/* The model stays as it is, and `reason` is given for some site of it. */
void check_refuses(Build *build, const char *reason);

#endif
