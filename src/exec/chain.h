/*
 * Elementwise nodes that run together, block by block: what one computes, the
 * next one takes from the cache.  A chain is a list of rows, the inner loops
 * of the nodes' own kernels, so that its bits are those of the nodes run one
 * by one.
 */
#ifndef REPFOLD_EXEC_CHAIN_H
#define REPFOLD_EXEC_CHAIN_H

#include "exec/kernel.h"

/* The numbers of an operator's formula; the second pair is for integers. */
typedef struct MapNumbers {
    double alpha, beta;
    int64_t low, high;
} MapNumbers;

/* Maps `count` elements; `out` may be `in`. */
typedef void MapRow(const void *in, void *out, int64_t count,
                    const MapNumbers *numbers);
/* The inner loop of an operator on reals, and its numbers where attributes do
 * not give others. */
MapRow *map_row(Op op, Precision precision, MapNumbers *numbers);
/* Combines `count` elements; a step is 1, or 0 for one value throughout. `out`
 * may be one of the inputs. */
typedef void ZipRow(const void *left, int64_t left_step, const void *right,
                    int64_t right_step, void *out, int64_t count);

/* Numbers of each channel, of which each has `inner` elements, over and over.
 */
typedef struct Channels {
    const void *mean, *scale, *bias;
    int64_t count, inner;
} Channels;
/* A channel, and how many of its elements are left. */
typedef struct ChannelAt {
    int64_t channel, left;
} ChannelAt;
/* (x - mean) * scale + bias of `count` elements, the first of which is there;
 * and that added to others, where they are given. `out` may be any of them. */
typedef void AffineRow(const void *in, const void *added, void *out,
                       int64_t count, const Channels *channels, ChannelAt at);

enum {
    CHAIN_ROWS = 64,     /* in a chain, at most */
    CHAIN_REGISTERS = 4, /* values between rows that are alive together */
    CHAIN_BLOCK = 1024,  /* elements at once */
    CHAIN_OUTPUT = CHAIN_REGISTERS, /* what the output holds before */
    CHAIN_BESIDE, /* and what is computed beside it; see KernelCall */
    CHAIN_VALUES = CHAIN_BESIDE + BESIDE_MOST
};

/* What a row reads: element i of the chain's shape is element i / inner %
 * period of `data`; or what a register holds. */
typedef struct Operand {
    const char *data;
    int64_t inner, period;
    int in_register; /* or CHAIN_OUTPUT and what follows, or -1 */
} Operand;

typedef struct ChainRow {
    /* One of them is what it does. */
    MapRow *map;
    ZipRow *zip;
    AffineRow *affine;
    MapNumbers numbers;
    Channels channels;
    Operand left, right; /* right of an affine row: what it is added to */
    bool sums;           /* a zip that adds, or an affine row with a right */
    int to;              /* a register; the last row's is not used */
} ChainRow;

struct Chain {
    Storage storage;
    Array shape; /* of all its values */
    int count;
    ChainRow rows[CHAIN_ROWS];
    int to;      /* the register for the result of the node that adds rows */
    bool misfit; /* too many rows, or an operand that is broadcast otherwise */
    /* The data of an array that stands for a register points in here. */
    char marks[CHAIN_VALUES];
};

void chain_init(Chain *chain, const Array *shape, Precision precision);
/* True when an array is broadcast to the shape in a way that rows can take. */
bool chain_takes(const Array *shape, const Array *array);
/* An array that stands for what a register holds. */
Array chain_register(Chain *chain, int index, DType type);

/* What a KernelChain calls to add the rows of a node; NULL is the result of the
 * node's row before. Inputs are broadcast to the chain's shape. */
void chain_map(Chain *chain, MapRow *row, const MapNumbers *numbers,
               const Array *in);
void chain_zip(Chain *chain, ZipRow *row, const Array *left,
               const Array *right);
/* The same for the row that adds. */
void chain_sum(Chain *chain, ZipRow *row, const Array *left,
               const Array *right);
void chain_affine(Chain *chain, AffineRow *row, const Channels *channels,
                  const Array *in);
/* Where element `index` is. */
ChannelAt channels_find(const Channels *channels, int64_t index);
/* What is done once all rows are there, before it runs. */
void chain_finish(Chain *chain);

/* Computes elements [first, first + count) of `out`, whose memory may be that
 * of an operand with all elements of the chain's shape. `beside` is where
 * element `first` of each value beside is. */
void chain_run(const Chain *chain, void *out, int64_t first, int64_t count,
               const void *const *beside);

#endif
