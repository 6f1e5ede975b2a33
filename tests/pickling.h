/* Pickles and checkpoints of PyTorch's zip format, written by hand. */
#ifndef REPFOLD_TESTS_PICKLING_H
#define REPFOLD_TESTS_PICKLING_H

#include <stddef.h>
#include <stdint.h>

enum { PICKLE_BYTES = 1 << 14 };

typedef struct Pickling {
    uint8_t bytes[PICKLE_BYTES];
    size_t size;
} Pickling;

/* One tensor of a state dict. */
typedef struct Saved {
    const char *name, *storage, *key;
    int64_t elements, offset;
    int rank;
    int64_t dims[9], strides[9];
} Saved;

void pickle_raw(Pickling *pickle, const void *bytes, size_t size);
#define pickle_ops(pickle, text) pickle_raw(pickle, text, sizeof(text) - 1)
void pickle_text(Pickling *pickle, const char *text);
void pickle_integer(Pickling *pickle, int64_t number);
/* The tensor's value alone. */
void pickle_tensor(Pickling *pickle, const Saved *saved);
/* A dict of tensors, and the opcodes around it. */
void pickle_state(Pickling *pickle, const Saved *saved, size_t count);
void pickle_whole(Pickling *pickle, const Saved *saved, size_t count);

#endif
