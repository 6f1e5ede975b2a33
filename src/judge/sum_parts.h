/*
 * What the parts of region_take share: see sum.c. A take_ function gives the
 * sum that a node makes of its inputs, or NULL where it is none.
 */
#ifndef REPFOLD_JUDGE_SUM_PARTS_H
#define REPFOLD_JUDGE_SUM_PARTS_H

#include "judge/sum.h"

/* y = (x - center) * scale + shift. */
typedef struct Affine {
    Known *input;
    int axis;
    int64_t width;
    Coefs center, scale, shift;
    DType stored; /* the type of a shift that a file holds as it is */
    int steps;
} Affine;

/* sum.c */
Sum *sum_new(Region *region, const Known *known, int parts);
Sum *sum_of_place(Region *region, const Known *known, int place);
void sum_make_bias(Region *region, Sum *sum);
Residue parts_value(const Region *region, const Sum *sum, int64_t c);
/* A sum of what operators gave, but for its bias, as one place. */
Sum *sum_as_place(Region *region, Known *known, Sum *input);
/* The same where the original has such a place; else the sum itself. */
Sum *sum_as_original(Region *region, Known *known, Sum *input);
/* Any sum with its bias as one place. */
Sum *sum_as_whole(Region *region, Known *known, Sum *input);
/* A sum of one channel, whose numbers are the same in all that it is broadcast
 * to. */
Sum *sum_as_uniform(Region *region, Known *known, Sum *input);
Sum *sum_copy(Region *region, const Sum *from, const Known *known);

/* sum_affine.c */
Sum *sum_map(Region *region, const Sum *from, const Known *known,
             const Affine *map);
Sum *take_affine(Region *region, const Known *output);

/* sum_scale.c */
/* Lets scales go into places that can take them: those of sums, and of nodes
 * that commute with positive ones. */
void sum_settle(Region *region, Sum *sum);
/* True when that would change it. */
bool sum_settles(const Region *region, const Sum *sum);
/* True for one place, with nothing done to it. */
bool sum_is_place(const Sum *sum);

/* sum_operator.c */
bool pad_read(Scope *scope, const Node *node, int64_t *amounts, int *spatial);
/* The shape of what a padded or moved place is made of. */
const Fact *place_inside(const Place *place);
/* Takes the zeros that a place has around another one into the operator's
 * padding; false when it is another place. */
bool pad_taken(const Region *region, int place, Operator *linear);
Sum *take_operator(Region *region, Known *output);

/* border.c */
/* Nodes that put a border around what operators give, as these operators with
 * padding. */
Sum *take_border(Region *region, Known *output);

/* sum_concat.c */
Sum *take_concat(Region *region, const Known *output);

/* sum_move.c */
/* True when no operator gave any of it: places alone can be taken apart. */
bool is_of_places(const Sum *sum);
Sum *take_move(Region *region, Known *output);
Sum *take_norm(Region *region, Known *output);

#endif
