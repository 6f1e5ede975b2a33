/*
 * Borders: a value that is another one with something constant around it.
 * Exporters write such padding in many ways (Pad and ScatterND, Concat, Where),
 * so it is recognised by what it does: by evaluation.
 */
#ifndef REPFOLD_FOLD_BORDER_H
#define REPFOLD_FOLD_BORDER_H

#include "fold/site.h"

enum { BORDER_NODES_MAX = 64 };

typedef struct Border {
    Node *nodes[BORDER_NODES_MAX]; /* that make it, in the graph's order */
    int count;
    Value *inside;
    int64_t begin[AXES_MAX], end[AXES_MAX]; /* its widths */
    Vec around; /* the border's number in each channel */
} Border;

/* Finds the nodes that may put a border around a value to get this one; false
 * when there are none. */
bool border_find(Fold *fold, Value *value, Border *border);
/* Evaluates them: widths and numbers, or why that is no border. */
Reason border_read(Fold *fold, const Value *value, Border *border,
                   const char **fact);
/* Why the nodes could not go: something else reads what they compute. */
Reason border_obstacle(const Border *border, const Value *value,
                       const Node *reader);

#endif
