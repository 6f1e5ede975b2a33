/*
 * What RepVGG and MobileOne share in timm: a stem, four stages that each halve
 * the size, blocks that end in an optional squeeze and excitation and a ReLU,
 * a classifier.
 */
#ifndef REPFOLD_ZOO_BYOB_H
#define REPFOLD_ZOO_BYOB_H

#include "zoo/architecture.h"
#include "zoo/block.h"

enum { BYOB_STAGES = 4 };

typedef struct RepVgg {
    int stem, widths[BYOB_STAGES];
    int depths[BYOB_STAGES];
    int groups;  /* of every second block's kernels; 0: one */
    int squeeze; /* every block has an SE */
} RepVgg;

/* A stage is of pairs: a depthwise block and a pointwise one. */
typedef struct MobileOneNet {
    int stem, widths[BYOB_STAGES];
    int pairs[BYOB_STAGES];
    int squeezed[BYOB_STAGES]; /* the last so many pairs have an SE */
    int branches;              /* kxk */
} MobileOneNet;

/* relu(se(x)); `reduced` is 0 where there is no SE. */
Feature byob_activate(Net *net, Scope scope, Feature x, int64_t reduced);

/* The scope of the number-th block of a stage. */
Scope byob_block_scope(Net *net, int stage, int number);

/* How wide the stem and the stages are; dense has no meaning here. */
int byob_widths(Net *net, int stem, const int *widths, int64_t *out);
void byob_head(Net *net, Feature x);

/* Stem, widths and depths of a checkpoint; `branch` is the convolution that
 * every block has. */
bool byob_measure(const Keys *keys, const char *branch, int *stem, int *widths,
                  int *depths);

extern const Spelling byob_spellings[];
extern const char *const byob_classifier[];

#endif
