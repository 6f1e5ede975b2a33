/*
 * Walking over several arrays of one shape at once, each with strides of its
 * own: broadcasting is a stride of 0, a transpose is strides in another order,
 * a slice is longer or negative strides.
 */
#ifndef REPFOLD_EXEC_WALK_H
#define REPFOLD_EXEC_WALK_H

#include "exec/exec.h"

/* Tile and DepthToSpace see an axis as two. */
enum { WALK_MAX = 3, WALK_RANK = 2 * RANK_MAX };

typedef struct Walk {
    int rank;
    int64_t dims[WALK_RANK];
    int operands;
    int64_t strides[WALK_MAX][WALK_RANK]; /* in elements */
    int64_t rows;                         /* all dims but the last */
    int64_t length;                       /* the last */
} Walk;

void walk_init(Walk *walk, int rank, const int64_t *dims);
/* One more operand with these strides. */
void walk_add(Walk *walk, const int64_t *strides);
/* One more operand: an array broadcast to the shape, right-aligned as numpy
 * does it. -1 when it does not broadcast. */
int walk_broadcast(Walk *walk, const Array *array);
/* Drops axes of length 1 and joins neighbours that every operand runs through
 * in one go. To be called before the walk is used. */
void walk_ready(Walk *walk);
/* Exchanges two axes of a walk that is ready. */
void walk_swap(Walk *walk, int a, int b);
/* The stride of an operand along a row. */
int64_t walk_step(const Walk *walk, int operand);

/* One stretch along the last axis: where each operand starts, and how many
 * elements. */
typedef void WalkRow(void *context, int64_t position, const int64_t *offsets,
                     int64_t count);
/* Visits elements [begin, end) of the walk, in row-major order, in stretches;
 * `position` counts elements from the start of the whole walk. */
void walk_run(const Walk *walk, int64_t begin, int64_t end, WalkRow *row,
              void *context);

#endif
