/*
 * The fuzzer of folding: random networks are folded, and all that must hold is
 * looked at. A seed that fails is shrunk to the smallest graph that still does.
 */
#ifndef REPFOLD_TESTS_FUZZ_FUZZ_H
#define REPFOLD_TESTS_FUZZ_FUZZ_H

#include <stdio.h>

#include "fold/fold.h"

/* A model as bytes, as everything below takes it. */
typedef struct FuzzModel {
    Span file;
    uint64_t seed;
    bool integers; /* nothing rounds: outputs must be equal bit for bit */
    size_t upper;  /* nodes that folding could remove at best */
    rp_fold_options options;
    void (*tamper)(Model *folded); /* plants a fault, to test the test */
} FuzzModel;

/* Belongs to the arena. A symbolic size is called after the number that it is
 * run with: "h7". */
FuzzModel fuzz_generate(Arena *arena, uint64_t seed, bool integers);

/* What was seen in many models. */
typedef struct FuzzCount {
    size_t models, nodes, folds, certificates, removed, upper, exact;
} FuzzCount;

/* NULL when all holds; otherwise what does not, in a word or two, with the
 * particulars in `detail`. */
const char *fuzz_check(Arena *arena, const FuzzModel *model, FuzzCount *count,
                       const char **detail);

/* The smallest model for which fuzz_check still says the same. */
FuzzModel fuzz_shrink(Arena *arena, const FuzzModel *model);

/* Generates and checks one seed, with integers and without. 0, or -1 with the
 * report of the shrunk failure in `report`. */
int fuzz_seed(uint64_t seed, FuzzCount *count, FILE *report);

#endif
