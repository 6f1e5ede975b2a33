/* What torch.save writes. */
#ifndef REPFOLD_CHECKPOINT_TORCH_H
#define REPFOLD_CHECKPOINT_TORCH_H

#include "checkpoint/checkpoint.h"

/* The zip format, since PyTorch 1.6. */
int torch_read_zip(Arena *arena, const uint8_t *bytes, size_t size,
                   const char *key, Checkpoint *out, Err *err);

/* The format before: four pickles, then the storages. */
bool torch_is_legacy(const uint8_t *bytes, size_t size);
int torch_read_legacy(Arena *arena, const uint8_t *bytes, size_t size,
                      const char *key, Checkpoint *out, Err *err);

#endif
