/*
 * Symbolic shapes.  A dimension is a number, or a symbol: a name from the
 * file ("batch"), or an expression over other dimensions.  Expressions are
 * interned, so equal expressions are the same Dim and == decides.
 */
#ifndef REPFOLD_GRAPH_SHAPE_H
#define REPFOLD_GRAPH_SHAPE_H

#include "graph/tensor.h"

/* >= 0: the number. < 0: a symbol, an index into Symbols. */
typedef int64_t Dim;

typedef struct Symbols Symbols;

typedef enum DimOp {
    DIM_ADD,
    DIM_SUB,
    DIM_MUL,
    DIM_DIV,  /* rounds towards minus infinity */
    DIM_CEIL, /* DIM_DIV that rounds towards plus infinity */
    DIM_MOD,
    DIM_MIN,
    DIM_MAX
} DimOp;

Symbols *symbols_new(Arena *arena);
/* The symbol of that name; the same name is the same symbol. */
Dim dim_named(Symbols *symbols, const char *name);
/* A symbol equal to nothing else, of any sign. */
Dim dim_unknown(Symbols *symbols);
/* The same for a size, which is not negative. */
Dim dim_size_unknown(Symbols *symbols);
/* True for what these two make. */
bool dim_is_unknown(const Symbols *symbols, Dim dim);
/* The number of symbols so far, and whether a Dim is one of the later ones. */
size_t symbols_count(const Symbols *symbols);
bool dim_is_later(Dim dim, size_t count);
/* Expressions are polynomials in normal form, so a+b-b is a, (a+1)*b is
 * a*b+b, and a*b/b is a. A result out of int64, a division by zero, and an
 * expression beyond reason, is unknown. A value may be a negative number: it
 * is kept as an expression, see dim_is_known. */
Dim dim_combine(Symbols *symbols, DimOp op, Dim a, Dim b);
/* True and the number (which may be negative: Slice ends, Reshape's -1) for a
 * Dim whose value is known. */
bool dim_is_known(const Symbols *symbols, Dim dim, int64_t *value);
/* True when the Dim cannot be negative, whatever its symbols are: names from
 * the file and dim_size_unknown stand for sizes. */
bool dim_is_nonnegative(const Symbols *symbols, Dim dim);
/* A number, negative ones included, as a Dim. */
Dim dim_number(Symbols *symbols, int64_t value);
/* The symbol's text, or the number's, for dumps: "batch", "(height+1)/2". Cut
 * short where it gets out of hand. */
const char *dim_text(Arena *arena, const Symbols *symbols, Dim dim);

/* What is known of a value before anything runs. */
typedef struct Fact {
    DType type; /* DT_UNDEFINED when unknown */
    int rank;   /* -1 when unknown */
    int int_count;
    /* Not NULL where the rank is known. Facts share them, so that nobody writes
     * to them again. */
    const Dim *dims;
    /* The elements of a small integer tensor of rank 0 or 1 (a shape, axes,
     * sizes ...), each known or symbolic; int_count is -1 when not tracked. */
    const Dim *ints;
} Fact;

enum { FACT_INTS_MAX = 64 };

#define FACT_UNKNOWN ((Fact){.rank = -1, .int_count = -1})

/* A fact of dims that live elsewhere. */
Fact fact_of(DType type, int rank, const Dim *dims);
/* Sets the type, and dims that belong to the arena, copies of those given;
 * without any they are for the caller to fill. */
Dim *fact_set(Arena *arena, Fact *fact, DType type, int rank, const Dim *dims);

/* True when every dimension is a number; `count` is their product. */
bool fact_is_static(const Symbols *symbols, const Fact *fact, int64_t *count);

#endif
