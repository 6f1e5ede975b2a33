/*
 * Inputs to run two models on: seeded samples, and the user's own data.
 *
 * Samples by number, repeating after the eighth; every real input of a sample
 * is of that kind. Integers are 0 or 1 (valid as mask, index, token or flag),
 * bytes of rank 3 and more (an image) all that a byte can be, and indices into
 * a table all that it has, but 0 or 1 in every one-hot sample and in one of
 * four places of a mixed one (0 is what pads a text most often):
 *
 *     0 mixed         standard normal; an image has the kinds 1, 2 and 4 to 7
 *                     in tiles beside it
 *     1 one-hot       a 1 at each corner, the middle of each border and the
 *                     centre, each in a channel of its own, else 0; in the
 *                     second image of a batch a 2
 *     2 alternating   +1 and -1 in turns, jittered by 1/8
 *     3 large         normal, times 100
 *     4 constant      1
 *     5 tiny          normal, times 1e-6
 *     6 uniform       in [0, 1), as an image scaled to it
 *     7 sparse        normal, nine of ten elements 0
 *
 * A symbolic batch is 1 in even samples and 2 in odd ones. Other symbolic sizes
 * are 64 in even samples and 75 or 67 in odd ones, where the original runs at
 * such a size; else an odd sample keeps its batch alone, or nothing. Where the
 * original does not run at 64 either, `attempt` goes through the sizes that
 * networks are made for (input.c has them).
 */
#ifndef REPFOLD_JUDGE_INPUT_H
#define REPFOLD_JUDGE_INPUT_H

#include "graph/graph.h"
#include "repfold.h"

/* One input that must be given. */
typedef struct InputSlot {
    const Value *a, *b; /* the same input in both models */
    DType type;
    int rank;
    int64_t indices; /* that the tables hold which it looks up; 0: none */
    int64_t *shape;  /* what the user asked for, or NULL */
    Tensor **data;   /* the user's, one for each data sample */
    int data_count;
} InputSlot;

typedef struct InputPlan {
    InputSlot *slots; /* in the order of a's inputs */
    int slot_count;
    uint64_t seed;
    int generated, data; /* samples: first these, then those */
    int shard, shards;   /* they are this one's of so many, from 0 */
    bool varies;         /* some size is symbolic, so odd samples differ */
    bool resizes;        /* and that of another axis than the batch */
    int attempt;         /* at symbolic sizes, from 0 */
} InputPlan;

/* Which symbolic sizes of an odd sample are not those of an even one. */
typedef enum OddSizes { ODD_ALL, ODD_BATCH, ODD_NONE } OddSizes;

/* The inputs without a default, in order. */
int graph_free_inputs(Arena *arena, const Graph *graph, const Value ***out);

/* Plans the samples of two models whose interfaces agree; b may be a. Of the
 * options, samples, seed, shards, input_shapes, input_files and arrays count.
 */
int inputs_plan(Arena *arena, const Model *a, const Model *b,
                const rp_verify_options *options, InputPlan *out, Err *err);

/* Takes other symbolic sizes, and then low indices. False when there is nothing
 * left. */
bool inputs_try_again(InputPlan *plan);
/* "--input-shape x:1,3,H,W", for the first input of a symbolic size. */
const char *inputs_hint(Arena *arena, const InputPlan *plan);

/* How many of that many generated samples are the shard's. They are dealt in
 * pairs, so that what is odd stays so. */
int inputs_generated(const InputPlan *plan, int total);

/* A sample's tensors, in the order of the slots; `odd` is of an odd one. */
void input_sample(Arena *arena, const InputPlan *plan, int index, OddSizes odd,
                  Tensor **out);
/* How messages call it: "sample 1 (one-hot)". */
const char *input_sample_text(Arena *arena, const InputPlan *plan, int index);

#endif
