/* From a checkpoint to a graph: what import.c and import_weights.c share. */
#ifndef REPFOLD_IMPORT_H
#define REPFOLD_IMPORT_H

#include "api.h"
#include "checkpoint/checkpoint.h"
#include "zoo/zoo.h"

/* The bytes of a file that begins like a checkpoint, or that can be read but
 * once, or, where `always`, of any; none of a file that onnx/ opens by itself.
 */
int import_look(Arena *arena, const char *path, bool always, Span *bytes,
                Err *err);

/* Makes the model from a checkpoint's bytes, which must outlive its arena. */
int import_model(rp_model *model, Span bytes, const rp_import_options *options,
                 Err *err);

typedef enum Misfit { MISSING, EXTRA, MISSHAPEN, MISFITS } Misfit;

typedef struct CheckpointWeights CheckpointWeights;

CheckpointWeights *weights_from_checkpoint(Arena *arena,
                                           const Checkpoint *checkpoint,
                                           const ZooMatch *match,
                                           const rp_import_options *options);
WeightSource *weights_source(CheckpointWeights *weights);
/* Notes the tensors that the network did not ask for; returns how many of all
 * were not used. */
size_t weights_find_extra(CheckpointWeights *weights, bool dense);
/* Fails where something did not fit. */
int weights_check(const CheckpointWeights *weights, Err *err);

/* The type that holds every tensor exactly, and that operators take: a
 * bfloat16 is held as float32. */
const char *weights_type(const Checkpoint *checkpoint);

#endif
