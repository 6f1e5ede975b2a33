/* What the files that implement repfold.h share. */
#ifndef REPFOLD_API_H
#define REPFOLD_API_H

#include "exec/exec.h"
#include "fold/fold.h"
#include "graph/graph.h"
#include "repfold.h"

struct rp_model {
    Arena *arena; /* the root: the model itself is in it */
    Model *model;
    const char *path;       /* as the user named it */
    const rp_model *origin; /* what it was reopened from, or itself */
    rp_open_options options;
    const rp_import_info *imported; /* NULL: not from a checkpoint */
    Span checkpoint;                /* its bytes */
    FoldReport report;
    const char *saved_data; /* see rp_saved_data */
    bool is_file; /* path names a file that a save must not overwrite */
    bool folded;
    bool renamed;
    bool broken; /* a fold failed half-way */
};

/* Work that may run out of memory. */
typedef int Work(void *context, Err *err);

/* Does the work under the arena's guard; running out of memory becomes
 * ERR_MEMORY, or ERR_BUDGET where the user's own limit was reached. What the
 * work changed must lie in the context, not in locals of the caller's frame
 * that a register could hold. */
int api_guard(Arena *arena, Work *work, void *context, Err *err);

/* Hands an error to the caller, who may have passed NULL; returns -1. `where`
 * is the file it is about where the error says none, or NULL. */
int api_fail(rp_error *error, Err *err, const char *where);

/* Does the work on a model, under its guard; a model that rp_fold left
 * half-way is refused. `where` is as for api_fail. The memory that it
 * may take follows from the size of the file. */
int api_on_model(rp_model *model, Work *work, void *context, const char *where,
                 rp_error *error);
/* The same for work that runs the model: that takes what its tensors take. */
int api_run_model(rp_model *model, Work *work, void *context, const char *where,
                  rp_error *error);

/* A tensor of a folder with a backend test, for an input or output of that
 * type. */
int folder_tensor(Arena *arena, const char *path, DType wanted, Tensor **out,
                  Err *err);
/* The same options, with what is in their data_dirs among the arrays. */
int folders_to_arrays(Arena *arena, const Model *model,
                      const rp_verify_options *given, rp_verify_options *out,
                      Err *err);

/* Writes a .npy file, piece by piece. */
int array_save(Arena *arena, const char *path, const Array *array,
               Precision precision, Err *err);

/* A result that its caller frees: a struct of zeros in an arena of its own,
 * which is its first member. NULL without memory. */
void *api_result(size_t budget, size_t size);

/* What two models leave of the memory that the second was opened with; 0 where
 * it was given no bound. */
size_t api_budget_left(const rp_model *a, const rp_model *b);
/* What the model leaves of the bound that follows from its file, at least 1; 0
 * where there is none. */
size_t api_bound_left(const rp_model *model);

/* A clock that only goes forward. */
double api_seconds(void);

/* The blocks of a graph, in graph order. Requires facts; fills uses. */
void blocks_find(Arena *arena, Graph *graph, const rp_block_info **blocks,
                 size_t *count);

/* The stages of a graph, in order of appearance, and for each node the index of
 * its stage, -1 before the first. Requires facts. */
size_t stages_find(Arena *arena, const Graph *graph,
                   const rp_stage_info **stages, int *of_node);

/* "Conv", "com.microsoft.Gelu" */
const char *op_qualified(Arena *arena, const Node *node);

/* Multiply-accumulates of one node; clears *exact where a size that is not
 * known was taken as 1. Requires facts. */
double node_macs(const Symbols *symbols, const Node *node, bool *exact);

#endif
