/*
 * Checkpoints: the tensors of a state dict, by name, out of what PyTorch's
 * torch.save writes (the zip format, and the one before 1.6) and out of
 * .safetensors. Nothing in a file is ever executed: a pickle is read by a
 * closed interpreter that knows the few names a state dict needs.
 */
#ifndef REPFOLD_CHECKPOINT_CHECKPOINT_H
#define REPFOLD_CHECKPOINT_CHECKPOINT_H

#include <stdbool.h>

#include "base/err.h"
#include "base/mem.h"

typedef enum Element {
#define ELEMENT(id, size, storage, dtype, name) ELEMENT_##id,
#include "checkpoint/element.def"
#undef ELEMENT
    ELEMENT_COUNT
} Element;

size_t element_size(Element element);
/* PyTorch's dtype. */
const char *element_name(Element element);

/* Far more than any network has. */
enum { CHECKPOINT_RANK = 8, CHECKPOINT_TENSORS = 1 << 16 };

/* A view into the file. Every element lies inside it. */
typedef struct CheckpointTensor {
    const char *name;
    Element element;
    int rank;
    int64_t dims[CHECKPOINT_RANK];
    int64_t strides[CHECKPOINT_RANK]; /* in elements, not negative */
    int64_t count;
    const uint8_t *bytes; /* of the first element, at any alignment */
    bool big_endian;
} CheckpointTensor;

typedef struct Checkpoint {
    const char *format; /* "PyTorch", "PyTorch before 1.6", "safetensors" */
    const char *key;    /* under which the state dict was, "" for none */
    CheckpointTensor *tensors; /* in the file's order, names once each */
    size_t count;
} Checkpoint;

/* True when the bytes begin like a checkpoint, whatever the file's name. */
bool checkpoint_is(const void *bytes, size_t size);

/* Reads the state dict under `key`, or with NULL where timm looks for it. The
 * bytes must outlive the arena; tensors stay where they are. */
int checkpoint_read(Arena *arena, const void *bytes, size_t size,
                    const char *key, Checkpoint *out, Err *err);

/* What a file of that size may become: strides of 0, shared storages and
 * compression let a small file hold any number of elements, but no real one
 * comes near. */
enum { CHECKPOINT_TIMES = 8 };
size_t checkpoint_limit(size_t size);

/* True when the elements follow one another in row-major order. */
bool checkpoint_is_packed(const CheckpointTensor *tensor);
/* Elements [first, first + count) in row-major order, of a real type. */
void checkpoint_read_f64(const CheckpointTensor *tensor, int64_t first,
                         int64_t count, double *out);

#endif
