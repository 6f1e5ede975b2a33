/* Models that are read and written without a change. */
#ifndef REPFOLD_TESTS_ROUNDTRIP_CHECK_H
#define REPFOLD_TESTS_ROUNDTRIP_CHECK_H

#include "graph/graph.h"

typedef struct RoundTrips {
    size_t models, same;
    size_t folded; /* of them, where folding changed something */
} RoundTrips;

/* Every .onnx file below the folder: it must come out byte for byte as it is,
 * when it is copied, when it is written part by part, and after folding where
 * nothing folds. What does not is printed. False where there is no folder. */
bool roundtrip_folder(const char *folder, RoundTrips *trips);

/* Makes the writer take the graphs apart, though nothing is different. */
void roundtrip_touch(Graph *graph);

#endif
