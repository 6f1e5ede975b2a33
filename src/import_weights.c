/*
 * A checkpoint as a source of weights: every tensor the network asks for, in
 * its own type, straight from the file where it lies there as ONNX wants it.
 * What does not fit is noted and stood in for by zeros, so that all of it can
 * be told at once.
 */
#include "import.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct Entry {
    const CheckpointTensor *tensor;
    bool used;
} Entry;

struct CheckpointWeights {
    WeightSource source;
    Arena *arena;
    const ZooMatch *match;
    const Checkpoint *checkpoint;
    Entry *entries; /* of each tensor of the checkpoint */
    Map *by_name;   /* the network's names: the Entry */
    size_t counts[MISFITS];
    const char *first[MISFITS];
    void (*tell)(void *context, const char *line);
    void *tell_context;
};

/* ---- Types ---- */

/* DT_UNDEFINED of what is no real number. */
static DType type_of(Element element)
{
    switch (element) {
    case ELEMENT_F16:
        return DT_FLOAT16;
    case ELEMENT_BF16:
        return DT_BFLOAT16;
    case ELEMENT_F32:
        return DT_FLOAT;
    case ELEMENT_F64:
        return DT_DOUBLE;
    default:
        return DT_UNDEFINED;
    }
}

const char *weights_type(const Checkpoint *checkpoint)
{
    size_t widest = 0, mixed = 0;
    for (size_t i = 0; i < checkpoint->count; i++) {
        Element element = checkpoint->tensors[i].element;
        if (type_of(element) == DT_UNDEFINED)
            continue;
        widest =
            element_size(element) > widest ? element_size(element) : widest;
        mixed |= element == ELEMENT_BF16;
    }
    if (widest > element_size(ELEMENT_F32))
        return dtype_name(DT_DOUBLE);
    return dtype_name(widest < element_size(ELEMENT_F32) && widest > 0 && !mixed
                          ? DT_FLOAT16
                          : DT_FLOAT);
}

/* ---- Elements ---- */

typedef struct Converted {
    TensorFormula formula;
    const CheckpointTensor *tensor;
    DType type;
} Converted;

/* As the type holds them, so that they are what a file holds. */
static void converted_read(const TensorFormula *formula, int64_t first,
                           int64_t count, double *out)
{
    const Converted *converted = (const Converted *)formula;
    checkpoint_read_f64(converted->tensor, first, count, out);
    for (int64_t i = 0; i < count; i++)
        out[i] = dtype_round(converted->type, out[i]);
}

static void zeros_read(const TensorFormula *formula, int64_t first,
                       int64_t count, double *out)
{
    (void)formula, (void)first;
    memset(out, 0, (size_t)count * sizeof *out);
}

/* A number that the file has and the type has not is refused, as folds do. */
static int check_range(const CheckpointTensor *tensor, const char *name,
                       DType type, Err *err)
{
    enum { PIECE = 512 };
    double values[PIECE];
    for (int64_t at = 0; at < tensor->count; at += PIECE) {
        int64_t rest = tensor->count - at;
        int64_t now = rest < PIECE ? rest : PIECE;
        checkpoint_read_f64(tensor, at, now, values);
        for (int64_t i = 0; i < now; i++)
            if (isfinite(values[i]) && !isfinite(dtype_round(type, values[i])))
                return err_set(err, ERR_BAD_WEIGHTS,
                               "%.200s: %g is beyond the range of %s", name,
                               values[i], dtype_name(type));
    }
    return 0;
}

static const TensorFormula zeros = {zeros_read};

static int take_tensor(Arena *arena, const CheckpointTensor *tensor,
                       const char *name, DType type, Tensor **out, Err *err)
{
    if (type_of(tensor->element) == type && !tensor->big_endian &&
        checkpoint_is_packed(tensor))
        return tensor_new(arena, type, tensor->rank, tensor->dims,
                          tensor->bytes,
                          (size_t)tensor->count * dtype_size(type), out, err);
    if (type_of(tensor->element) != type &&
        (type == DT_FLOAT16 ||
         dtype_size(type) < element_size(tensor->element)))
        TRY(check_range(tensor, name, type, err));
    Converted *converted = arena_alloc(arena, sizeof *converted);
    *converted = (Converted){{converted_read}, tensor, type};
    *out = tensor_from_formula(arena, type, tensor->rank, tensor->dims,
                               &converted->formula);
    return 0;
}

/* ---- What does not fit ---- */

static const char *dims_text(Arena *arena, int rank, const int64_t *dims)
{
    const char *text = rank == 0 ? "a number" : "";
    for (int i = 0; i < rank; i++)
        text = arena_printf(arena, "%s%s%lld", text, i > 0 ? "x" : "",
                            (long long)dims[i]);
    return text;
}

static const char *const misfit_names[] = {
    [MISSING] = "missing",
    [EXTRA] = "extra",
    [MISSHAPEN] = "of another shape",
};

static void note(CheckpointWeights *weights, Misfit kind, const char *name,
                 const char *fact)
{
    char line[512];
    if (weights->counts[kind]++ == 0)
        weights->first[kind] = arena_printf(
            weights->arena, "%.100s%s", name,
            kind == MISSHAPEN ? arena_printf(weights->arena, " is %s", fact)
                              : "");
    if (!weights->tell)
        return;
    snprintf(line, sizeof line, "%s: %s%s%s", misfit_names[kind], name,
             *fact ? ", " : "", fact);
    weights->tell(weights->tell_context, line);
}

static bool has_shape(const CheckpointTensor *tensor, int rank,
                      const int64_t *dims)
{
    return tensor->rank == rank &&
           (rank == 0 ||
            memcmp(tensor->dims, dims, (size_t)rank * sizeof *dims) == 0);
}

static int find_tensor(WeightSource *self, Arena *arena, const char *name,
                       DType type, int rank, const int64_t *dims, Tensor **out,
                       Err *err)
{
    CheckpointWeights *weights = (CheckpointWeights *)self;
    Entry *entry = map_get(weights->by_name, name);
    const char *wanted = dims_text(arena, rank, dims);
    *out = tensor_from_formula(arena, type, rank, dims, &zeros);
    if (!entry) {
        note(weights, MISSING, name, wanted);
        return 0;
    }
    const CheckpointTensor *tensor = entry->tensor;
    entry->used = true;
    if (type_of(tensor->element) == DT_UNDEFINED)
        note(weights, MISSHAPEN, name,
             arena_printf(arena, "%s", element_name(tensor->element)));
    else if (!has_shape(tensor, rank, dims))
        note(weights, MISSHAPEN, name,
             arena_printf(arena, "%s, not %s",
                          dims_text(arena, tensor->rank, tensor->dims),
                          wanted));
    else
        return take_tensor(arena, tensor, name, type, out, err);
    return 0;
}

/* How often training has counted a batch: no network computes with it. */
static bool is_counter(const char *name)
{
    static const char tail[] = ".num_batches_tracked";
    size_t length = strlen(name), end = sizeof tail - 1;
    return length > end && strcmp(name + length - end, tail) == 0;
}

size_t weights_find_extra(CheckpointWeights *weights, bool dense)
{
    size_t unused = 0;
    for (size_t i = 0; i < weights->checkpoint->count; i++) {
        const char *name = weights->match->names[i];
        if (weights->entries[i].used)
            continue;
        unused++;
        if (name && !is_counter(name) &&
            !(dense && zoo_only_classifies(weights->match, name)))
            note(weights, EXTRA, weights->checkpoint->tensors[i].name, "");
    }
    return unused;
}

static const char *clause(const CheckpointWeights *weights, Misfit kind)
{
    size_t count = weights->counts[kind];
    if (count == 0)
        return "";
    return arena_printf(weights->arena, "%zu %s (%s%s); ", count,
                        misfit_names[kind], weights->first[kind],
                        count > 1 ? ", ..." : "");
}

int weights_check(const CheckpointWeights *weights, Err *err)
{
    size_t sum = 0;
    for (int i = 0; i < MISFITS; i++)
        sum += weights->counts[i];
    if (sum == 0)
        return 0;
    return err_set(err, ERR_BAD_WEIGHTS,
                   "its tensors are not those of %s: "
                   "%s%s%sall are listed with -v",
                   weights->match->variant, clause(weights, MISSING),
                   clause(weights, EXTRA), clause(weights, MISSHAPEN));
}

CheckpointWeights *weights_from_checkpoint(Arena *arena,
                                           const Checkpoint *checkpoint,
                                           const ZooMatch *match,
                                           const rp_import_options *options)
{
    CheckpointWeights *weights = arena_alloc(arena, sizeof *weights);
    weights->source.tensor = find_tensor;
    weights->arena = arena;
    weights->match = match;
    weights->checkpoint = checkpoint;
    weights->tell = options->mismatch;
    weights->tell_context = options->mismatch_context;
    weights->by_name = map_new(arena);
    weights->entries =
        arena_array(arena, checkpoint->count + 1, sizeof *weights->entries);
    for (size_t i = 0; i < checkpoint->count; i++) {
        weights->entries[i].tensor = &checkpoint->tensors[i];
        if (match->names[i])
            map_put(weights->by_name, match->names[i], &weights->entries[i]);
    }
    return weights;
}

WeightSource *weights_source(CheckpointWeights *weights)
{
    return &weights->source;
}
