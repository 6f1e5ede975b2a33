/*
 * Weights from a seed.  An element depends on the seed, the tensor's name and
 * its place alone, so tensors need no memory, any part can be read first, and
 * a wider type holds the same number rounded later.  Only exactly rounded
 * operations are used: the same bytes come out on every machine.
 */
#include <math.h>
#include <string.h>

#include "base/random.h"
#include "zoo/zoo.h"

/* Where a parameter lies, by the last part of its name. Statistics far from
 * mean 0 and variance 1, and layer scales of either sign, so that a fold that
 * leaves one out, or takes a square root too few, shows. A "weight" here is a
 * normalisation's, a vector; a kernel's range is kernel_bound. */
typedef struct Range {
    const char *leaf;
    double low, high;
} Range;

static const Range ranges[] = {
    {"running_mean", -0.3, 0.3}, {"running_var", 0.3, 2.0}, {"bias", -0.2, 0.2},
    {"gamma", -0.5, 0.9},        {"weight", 0.4, 1.4},
};

typedef struct Uniform {
    TensorFormula formula;
    uint64_t stream;
    double low, width;
    DType type;
} Uniform;

/* Each byte is mixed in whole, so that names of one letter's difference have
 * unrelated streams. */
static uint64_t stream_of(uint64_t seed, const char *name)
{
    for (; *name; name++)
        seed = random_bits(seed, (unsigned char)*name);
    return seed;
}

/* Rounded, so that the formula's number is the one a file holds. */
static void uniform_read(const TensorFormula *formula, int64_t first,
                         int64_t count, double *out)
{
    const Uniform *uniform = (const Uniform *)formula;
    for (int64_t i = 0; i < count; i++) {
        double unit = random_unit(uniform->stream, (uint64_t)(first + i));
        out[i] =
            dtype_round(uniform->type, uniform->low + unit * uniform->width);
    }
}

/* Variance gain / fan-in, which makes an output that of the input times gain.
 * A full kernel makes up for the half that an activation takes (He et al.
 * 2015, arXiv 1502.01852). A depthwise one is in a branch that is added to its
 * input, so small that after thirty of those the values are still of order 1:
 * the four stages of every variant have standard deviations of 0.6 to 7. */
static double kernel_bound(int rank, const int64_t *dims)
{
    double fan_in = 1, gain = 1;
    for (int i = 1; i < rank; i++)
        fan_in *= (double)dims[i];
    if (rank == 4)
        gain = dims[1] == 1 ? 0.125 : 2;
    return sqrt(3 * gain / fan_in);
}

static void set_range(Uniform *uniform, const char *name, int rank,
                      const int64_t *dims)
{
    const char *dot = strrchr(name, '.');
    const char *leaf = dot ? dot + 1 : name;
    double bound = kernel_bound(rank, dims);
    uniform->low = -bound;
    uniform->width = 2 * bound;
    if (strcmp(leaf, "weight") == 0 && rank > 1)
        return;
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
        if (strcmp(leaf, ranges[i].leaf) == 0) {
            uniform->low = ranges[i].low;
            uniform->width = ranges[i].high - ranges[i].low;
        }
}

typedef struct SeedWeights {
    WeightSource source;
    uint64_t seed;
} SeedWeights;

static int seed_tensor(WeightSource *self, Arena *arena, const char *name,
                       DType type, int rank, const int64_t *dims, Tensor **out,
                       Err *err)
{
    if (!dtype_is_real(type) || type == DT_BFLOAT16)
        return err_set(err, ERR_UNSUPPORTED_TYPE, "%s: no weights of type %s",
                       name, dtype_name(type));
    Uniform *uniform = arena_alloc(arena, sizeof *uniform);
    uniform->formula.read = uniform_read;
    uniform->stream = stream_of(((SeedWeights *)self)->seed, name);
    uniform->type = type;
    set_range(uniform, name, rank, dims);
    *out = tensor_from_formula(arena, type, rank, dims, &uniform->formula);
    return 0;
}

WeightSource *weights_from_seed(Arena *arena, uint64_t seed)
{
    SeedWeights *weights = arena_alloc(arena, sizeof *weights);
    weights->source.tensor = seed_tensor;
    weights->seed = seed;
    return &weights->source;
}
