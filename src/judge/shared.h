/*
 * Values that two graphs compute under one name: where both are cut into
 * segments.
 *
 * A name need not mean the same in both. An exporter names values by where
 * they are, so in a reparameterized export the output of the merged kernel has
 * the name that one branch's had; and a fold that takes a factor through a
 * Reshape scales what the Reshape gives. Both graphs are run whole, and a
 * value is no cut point when the two runs are far apart there (distance above
 * FAR_APART) and close again in all that is computed from it (a distance
 * smaller by RECOVERED). No fault is missed by this: the segment that then
 * reaches further is compared under the same kind of bound. When it is faulty,
 * the fault itself may have been what set the runs apart (a shifted pad,
 * before a global average), see shared_cut_within. And where the runs are near
 * each other, a value may have another meaning all the same (a small shift
 * that went on to what is added next), see shared_join.
 */
#ifndef REPFOLD_JUDGE_SHARED_H
#define REPFOLD_JUDGE_SHARED_H

#include "judge/track.h"

typedef struct Shared {
    Cell *a, *b;
    Fact seen;       /* type and shape in the original */
    double *sketch;  /* some of its elements there; NULL while not seen */
    double distance; /* |a - b| / sqrt(|a|^2 + |b|^2) over the sketch; -1
                        where b has not been seen */
    bool same_shape, is_cut;
    bool is_changed; /* computed by another node or from other weights */
    bool is_faulty;  /* its segment was compared, and differs too much */
    bool is_wide;    /* and has values of other meaning inside */
    bool is_joined;  /* a cut point no more, by shared_join */
    bool was_faulty; /* before that */
} Shared;

typedef struct SharedSet {
    Track *a, *b;
    Shared *items; /* in b's order */
    size_t count;
    Precision precision;  /* of the runs that sketches are taken from */
    int64_t sketch;       /* elements in each at most */
    size_t other_meaning; /* that are no cut points */
} SharedSet;

SharedSet *shared_new(Arena *arena, const Graph *a, const Graph *b,
                      Precision precision);
/* What the runs of both models saw, the original's first. */
void shared_see_a(Arena *arena, SharedSet *set, const Value *value,
                  const Array *array);
void shared_see_b(SharedSet *set, const Value *value, const Array *array);
/* Decides which are cut points, and which of them are changed. */
void shared_settle(SharedSet *set);
/* Makes cut points after all of what lies inside the faulty segments, and
 * marks those as wide. True when there was any. */
bool shared_cut_within(SharedSet *set);
/* Faulty segments that read what faulty segments end with: joins them, for one
 * may make good what the other does. Returns how many cut points are gone. */
size_t shared_join(SharedSet *set);
/* Undoes that. */
void shared_part(SharedSet *set);
/* Forgets what comparing segments left in the cells. */
void shared_reset(SharedSet *set);

#endif
