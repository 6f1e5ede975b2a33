/*
 * Which tensors are written outside the model, into one data file beside it,
 * and where in it.  What is written so is either external already or new and
 * big; a plan can also move everything into the model.
 */
#ifndef REPFOLD_ONNX_DATAPLAN_H
#define REPFOLD_ONNX_DATAPLAN_H

#include "graph/graph.h"

/* Below that a tensor is better kept in the model: 1 kB, as in ONNX's own
 * tools. */
enum { DATA_LEAST = 1024 };

typedef struct DataPlace {
    const Tensor *tensor;
    size_t size;
    uint64_t offset;
    bool is_copy; /* the same bytes as an earlier one's, and the same place */
} DataPlace;

typedef struct DataPlan {
    DataPlace *places;   /* in the order of writing */
    DataPlace **by_data; /* sorted, to be found */
    size_t count;
    uint64_t size;        /* of the data file */
    const char *location; /* its name */
} DataPlan;

typedef enum DataChoice {
    DATA_INSIDE, /* nothing is external */
    DATA_AS_IS,  /* what is external stays so, and big new tensors join it */
    DATA_OUTSIDE /* every tensor that is big enough is external */
} DataChoice;

DataPlan *data_plan(Arena *arena, const Model *model, DataChoice choice);

/* The place of a tensor, or NULL when it is inside the model. */
const DataPlace *data_place(const DataPlan *plan, const Tensor *tensor);
/* True for a tensor of the file that is written in another way than it is
 * there. Without a plan none is. */
bool data_moves(const DataPlan *plan, const Tensor *tensor);

/* Bytes of the elements; 0 where they are not known as bytes. */
size_t data_size(const Tensor *tensor);

/* How many external tensors the model has. */
size_t data_external_count(const Model *model);

#endif
