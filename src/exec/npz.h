/* NumPy's .npz: a zip archive of .npy files, NAME.npy for the array NAME. */
#ifndef REPFOLD_EXEC_NPZ_H
#define REPFOLD_EXEC_NPZ_H

#include "base/mem.h"
#include "graph/tensor.h"

/* FILE.npy, FILE.npz:NAME, or FILE.npz with one array in it. What is wrong with
 * an array is about FILE.npz:NAME. */
int array_read(Arena *arena, const char *path, Tensor **out, Err *err);

/* True for the path of an .npz file without the name of an array. */
bool npz_is(const char *path);

/* Each array of the file, in order, with its name. */
typedef struct NpzVisit {
    int (*array)(struct NpzVisit *self, const char *name, Tensor *tensor,
                 Err *err);
} NpzVisit;
int npz_visit(Arena *arena, const char *path, NpzVisit *visit, Err *err);

#endif
