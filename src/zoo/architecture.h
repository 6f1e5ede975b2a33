/*
 * What an architecture is: how its modules are spelled, how its numbers are
 * read from a checkpoint's shapes, and how its graph is built from them. A
 * variant is a row of variants.def.
 */
#ifndef REPFOLD_ZOO_ARCHITECTURE_H
#define REPFOLD_ZOO_ARCHITECTURE_H

#include "zoo/keys.h"
#include "zoo/net.h"

/* Whole parts of a name, between dots, and what they are here; "$" at the end
 * of `from` stands for the name's end. */
typedef struct Spelling {
    const char *from, *to;
} Spelling;

typedef struct Architecture {
    const char *name;
    int size;                  /* pixels of its images, usually */
    const Spelling *spellings; /* ended by a NULL */
    /* What spellings cannot say, or NULL. */
    void (*respell)(Keys *keys);
    /* Fills in a description, all of it; false where the tensors are of
     * another architecture. */
    bool (*measure)(const Keys *keys, void *description);
    size_t description_size;
    int (*build)(Net *net, const void *description);
    const char *const *classifier; /* modules behind the features; NULL ends */
} Architecture;

extern const Architecture fastvit, mobileone, repvgg;

#endif
