/*
 * What the shape functions share.  Private to infer*.c.
 *
 * A shape function reads facts of inputs and writes facts of outputs, which
 * are FACT_UNKNOWN when it is called.  What it cannot know it leaves so; it
 * fails only where known facts contradict the operator.  It must hold for any
 * numbers a file can carry: arithmetic on them is checked or goes through
 * dim_combine.
 */
#ifndef REPFOLD_GRAPH_INFER_H
#define REPFOLD_GRAPH_INFER_H

#include "graph/graph.h"

typedef int InferFunction(InferCall *call, Err *err);

/* A list of integers: of an attribute, or the elements of an input. */
typedef struct IntList {
    const Dim *items;
    int count; /* -1 when not known */
} IntList;

/* Records the fault, with the node's name in front; returns -1. */
int infer_fail(const InferCall *call, Err *err, ErrCode code,
               const char *format, ...) __attribute__((format(printf, 4, 5)));

/* ---- Inputs ---- */

bool infer_has(const InferCall *call, int slot);
/* The fact of an input; one that knows nothing where the input is absent. */
const Fact *infer_in(const InferCall *call, int slot);
/* The type of the first two inputs, whichever is known. */
DType infer_either_type(const InferCall *call);
/* The known tensor of an input, or NULL. */
const Tensor *infer_tensor(const InferCall *call, int slot);
/* The elements of a small integer input. */
IntList infer_ints(const InferCall *call, int slot);
/* Elements of a known input as double, at most `max`; the count or -1. */
int infer_reals(const InferCall *call, int slot, int max, double *out);
/* A list that is an input in newer opsets and an attribute in older ones:
 * count 0 where it is neither, -1 where it is an unknown input. */
IntList infer_list(const InferCall *call, int slot, const char *attribute);
/* The axes of such a list as a set; -1 on error, 0 when they are not known,
 * else 1. */
int infer_axes(const InferCall *call, IntList list, int rank,
               bool set[RANK_MAX], Err *err);
/* An axis in [-rank, rank) made >= 0. */
int infer_axis(const InferCall *call, int64_t axis, int rank, int *out,
               Err *err);
/* An integer attribute that must be in [least, INT32_MAX]. */
int infer_int_attr(const InferCall *call, const char *name, int64_t fallback,
                   int64_t least, int64_t *out, Err *err);
/* The element type that an integer attribute names. */
int infer_type_attr(const InferCall *call, const char *name, DType fallback,
                    DType *out, Err *err);

/* ---- Outputs ---- */

/* A place for the fact of an output, also where the node has none there. */
Fact *infer_out(InferCall *call, int slot);
/* Sets type and dims, which are copied, or are for the caller to fill where
 * none are given; a rank beyond RANK_MAX leaves the rank unknown. */
Dim *infer_set(const InferCall *call, Fact *out, DType type, int rank,
               const Dim *dims);
/* The same type and dims, without elements; the dims may be changed. */
Dim *infer_copy(const InferCall *call, Fact *out, const Fact *in);
/* Gives an integer output of rank 0 or 1 its elements. */
void infer_follow(const InferCall *call, Fact *out, IntList list);
/* Combines two lists element by element, as far as the type can hold it; a
 * list of one element broadcasts. */
typedef Dim InferElement(const InferCall *call, Dim a, Dim b);
IntList infer_map(InferCall *call, DType type, IntList a, IntList b,
                  InferElement *element);

/* ---- Dims ---- */

Dim infer_dim(const InferCall *call, DimOp op, Dim a, Dim b);
/* The size of an axis, which is there when the rank is known. */
Dim infer_axis_size(const InferCall *call, const Fact *fact, int axis);
/* For messages: "float32[1,3,height,width]". */
const char *infer_text(const InferCall *call, const Fact *fact);
/* The product of the dims [first, last). */
Dim infer_product(const InferCall *call, const Dim *dims, int first, int last);
/* Merges two dims that must be the same size; `what` is for the message. */
int infer_same(const InferCall *call, Dim a, Dim b, const char *what, Dim *out,
               Err *err);
/* out = the common shape of both, by numpy's rule. */
int infer_broadcast(const InferCall *call, const Fact *a, const Fact *b,
                    Fact *out, Err *err);
/* The fact of a known tensor. */
void fact_of_tensor(Arena *arena, Symbols *symbols, const Tensor *tensor,
                    Fact *out);
/* A number that the element type can hold stays; another is unknown. */
Dim infer_fit(const InferCall *call, DType type, Dim dim);

/* ---- What operators share ---- */

/* The shapes of a matrix product and of a convolution, for operators that have
 * the operands in these slots (bias -1 for none); the type is theirs. */
int infer_matrix_product(InferCall *call, int a, int b, Err *err);
int infer_convolution(InferCall *call, int in, int weight, int bias, Err *err);

/* One for each name in op.def's column `infer`. */
#define OP(name, min_in, max_in, max_out, since, until, infer, attrs)          \
    InferFunction infer_##infer;
#include "graph/op.def"
#undef OP

#endif
