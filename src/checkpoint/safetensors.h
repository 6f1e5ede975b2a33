/* .safetensors: a length, a header in JSON, the tensors' bytes. */
#ifndef REPFOLD_CHECKPOINT_SAFETENSORS_H
#define REPFOLD_CHECKPOINT_SAFETENSORS_H

#include "checkpoint/checkpoint.h"

bool safetensors_is(const uint8_t *bytes, size_t size);
int safetensors_read(Arena *arena, const uint8_t *bytes, size_t size,
                     Checkpoint *out, Err *err);

#endif
