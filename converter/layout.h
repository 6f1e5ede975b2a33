/*
 * Where the page's graphs have their nodes.  A stage is a column, a node a row
 * of it, and values run in lanes, as branches do in a history of commits.
 */
#ifndef REPFOLD_CONVERTER_LAYOUT_H
#define REPFOLD_CONVERTER_LAYOUT_H

#include "html.h"

enum { ROWS_MAX = 1500 };

/* One model, while its stages are drawn one after the other. */
typedef struct Column {
    const rp_node_info *nodes;
    size_t count;
    int *stage;    /* of each node, as drawn */
    int *row;      /* of each node in the current stage, else -1 */
    int *lane;     /* of the value it computes */
    int *last;     /* the row where that is read last; ROWS_MAX: after all */
    size_t *order; /* the nodes of the current stage, by row */
    size_t size;   /* of order */
    int lanes;
} Column;

/* Constants are not. */
bool node_is_drawn(const rp_node_info *node);

bool column_make(Column *column, const rp_node_info *nodes, size_t count);
void column_free(Column *column);

/* Takes the nodes of a stage in their own order; returns how many. */
int rows_in_order(Column *column, int stage);
/* Takes b's nodes of a stage, each in the row of its partner in a, SIZE_MAX for
 * none, or below the one before it. Raises *rows to what that takes; false
 * without memory. */
bool rows_beside(Column *b, const Column *a, const size_t *partner, int stage,
                 int *rows);
/* Once there are rows: the lane of each value, of at most ROWS_MAX rows. */
void find_lanes(Column *column, int stage);

#endif
