/*
 * ONNX's backend test cases: folders with a model.onnx and test_data_set_N,
 * in which input_N.pb and output_N.pb are tensors.
 */
#ifndef REPFOLD_TESTS_CONFORMANCE_CASES_H
#define REPFOLD_TESTS_CONFORMANCE_CASES_H

#include <stdbool.h>

#include "base/mem.h"

typedef struct Case {
    const char *folder, *name, *model;
    const char *const *ops; /* the operators in it, each once */
    size_t op_count;
    int sets;            /* of test data */
    const char *why_not; /* why it is not run; NULL where it is in scope */
} Case;

/* ONNX's rule, and a strict one beside it. */
#define RULE_RTOL 1e-3
#define RULE_ATOL 1e-7
#define STRICT_RTOL 1e-5
#define STRICT_ATOL 1e-6

/* Every case below a folder, by name. NULL and a count of 0 where the folder
 * does not exist. */
Case *cases_find(Arena *arena, const char *root, size_t *count);
/* The folder of a set of test data. */
const char *case_data(Arena *arena, const Case *test, int set);

#endif
