/* The names and shapes of a checkpoint's tensors, in an architecture's own
 * spelling. */
#ifndef REPFOLD_ZOO_KEYS_H
#define REPFOLD_ZOO_KEYS_H

#include "zoo/zoo.h"

struct Spelling;

/* In a measured description: a number that shapes do not tell. */
enum { UNTOLD = -1 };

typedef struct Keys {
    Arena *arena;
    const ZooTensor *tensors;
    const char **names; /* of each tensor; NULL: of another network */
    size_t count;
    Map *index; /* by name: the ZooTensor */
} Keys;

/* Names by the spellings. Where the network is a part of another one, whose
 * modules then stand before "stem" in every name, only that part stays. */
Keys *keys_spell(Arena *arena, const ZooList *list,
                 const struct Spelling *spellings);
/* To be called when names have changed. */
void keys_index(Keys *keys);

/* The dims of a tensor of that rank, each from 1 to 2^24; NULL where there is
 * none. */
const int64_t *keys_dims(const Keys *keys, int rank, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Of a convolution that may have been merged with its neighbours:
 * PREFIX.BRANCH.weight or PREFIX.reparam_conv.weight. */
const int64_t *keys_kernel(const Keys *keys, const char *prefix,
                           const char *branch);
/* One more than the highest number that follows the prefix in any name. */
int keys_depth(const Keys *keys, const char *prefix);
/* True where some name has the text in it. */
bool keys_mention(const Keys *keys, const char *text);

#endif
