/* Models whose weights are in other files. */
#ifndef REPFOLD_TESTS_EXTERNAL_H
#define REPFOLD_TESTS_EXTERNAL_H

#include "folder.h"

/* One entry of external_data; NULL leaves it out. */
typedef struct Entries {
    const char *location, *offset, *length, *checksum;
} Entries;

/* A float32 tensor of that many elements. */
void external_tensor(Proto *tensor, const char *name, int64_t count,
                     const Entries *entries);
/* A model with y = Relu(Add(x, w)), vectors of 2, w being that tensor, or 7
 * and 8 in the file "w.bin" where it is NULL; both written into the folder.
 * The path of the model. */
const char *external_model(const Proto *w);

/* Such a model whose w is there. */
const char *model_with(const Entries *entries);

/* 1, 2, 3, 4, and a file of the folder that holds them. */
extern const float four_numbers[4];
void put_numbers(const char *name);
/* The elements of w are these two. */
void check_w(const Model *model, double a, double b);

/* Reads it, or fails with external-data and that in the message. */
Model *external_read(const char *path);
void external_refused(const char *path, const char *why);

#endif
