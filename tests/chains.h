/*
 * Random chains: of what crops, pads and shifts one image, and of what scales,
 * mixes and turns four channels. A second one is the first with steps merged as
 * folding would, or changed a little.
 */
#ifndef REPFOLD_TESTS_CHAINS_H
#define REPFOLD_TESTS_CHAINS_H

#include "graph/graph.h"

enum { CHANNELS = 4, STEPS = 6, NUMBERS = 8 };

/* ORDER Kind: makers. Those of an image and those of channels. */
typedef enum Kind {
    CROP,
    ZEROS,
    POINT,
    KERNEL,
    AVERAGE,
    MAXIMUM,
    FACTOR,
    UPWARD,
    BORDER_KINDS,
    SCALE = BORDER_KINDS,
    SHIFT,
    MIXED,
    DEEP,
    TAKEN,
    RECTIFIED,
    TURNED,
    SHUFFLED,
    LAST,
    BLOCKS,
    NORMAL,
    ENLARGED,
    KINDS
} Kind;

typedef struct Step {
    Kind kind;
    int n[NUMBERS]; /* 0 to 3 */
    double scale[CHANNELS], mix[CHANNELS * CHANNELS];
} Step;

/* A chain, or the sum of two. */
typedef struct Plan {
    int64_t channels;
    bool is_sized;
    int branches, lengths[2];
    Step steps[2][STEPS];
} Plan;

/* What follows is drawn from this seed. */
void plan_draw(uint64_t seed);
/* 0 to count - 1. */
int plan_pick(int count);
/* Of one channel, or of CHANNELS. */
Plan plan_random(int64_t channels);
/* Some two steps become one, wherever they are, or change places. */
void plan_merge(Plan *plan);
void plan_change(Plan *plan);
/* The model; all its values but input and output are called after the stem.
 * NULL where no size fits. */
Model *plan_model(Arena *arena, const Plan *plan, const char *stem);

#endif
