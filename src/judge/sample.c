#include "judge/sample.h"

#include <string.h>

#include "base/random.h"

/* ORDER SampleKind */
static const char *const names[SAMPLE_KINDS] = {
    "mixed",    "one-hot", "alternating", "large",
    "constant", "tiny",    "uniform",     "sparse",
};

const char *sample_name(SampleKind kind)
{
    return names[kind];
}

/* How a mixed image is cut, and the least size of a piece. */
enum { TILE_ROWS = 2, TILE_COLUMNS = 4, TILE_LEAST = 8 };

/* Where an element is. */
typedef struct Place {
    int rank;
    const int64_t *dims;
    int64_t at[RANK_MAX];
} Place;

static void place_next(Place *place)
{
    for (int i = place->rank - 1; i >= 0; i--) {
        if (++place->at[i] < place->dims[i])
            return;
        place->at[i] = 0;
    }
}

/* Batch and channels come first, at most three axes of positions after them.
 * A position at the start, the middle or the end of every axis has its number,
 * in base three; any other has none. The channel of that number is hot, as hot
 * as the image's number in its batch says. */
static double one_hot(const Place *place)
{
    int first = place->rank > 2 ? 2 : place->rank - 1;
    if (place->rank - first > 3)
        first = place->rank - 3;
    int64_t number = 0;
    for (int i = first < 0 ? 0 : first; i < place->rank; i++) {
        int64_t at = place->at[i], last = place->dims[i] - 1;
        if (at != 0 && at != last / 2 && at != last)
            return 0;
        number = number * 3 + (at == 0 ? 0 : at == last ? 2 : 1);
    }
    double hot = place->rank > 1 ? (double)place->at[0] + 1 : 1;
    return place->rank < 3 || place->at[1] == number % place->dims[1] ? hot : 0;
}

static double alternating(const Place *place, double jitter)
{
    int64_t sum = 0;
    for (int i = 0; i < place->rank; i++)
        sum += place->at[i];
    return (sum % 2 ? -1 : 1) * (1 + (jitter - 0.5) / 4);
}

static double real_value(SampleKind kind, const Place *place, uint64_t seed,
                         uint64_t index)
{
    switch (kind) {
    case SAMPLE_ONE_HOT:
        return one_hot(place);
    case SAMPLE_ALTERNATING:
        return alternating(place, random_unit(seed, index));
    case SAMPLE_LARGE:
        return 100 * random_normal(seed, index);
    case SAMPLE_CONSTANT:
        return 1;
    case SAMPLE_TINY:
        return 1e-6 * random_normal(seed, index);
    case SAMPLE_UNIFORM:
        return random_unit(seed, index);
    case SAMPLE_SPARSE:
        return random_unit(~seed, index) < 0.1 ? random_normal(seed, index) : 0;
    default:
        return random_normal(seed, index);
    }
}

/* The kinds that a mixed sample has side by side. No large one: it would drown
 * the others wherever a network takes all of an image together. */
static const SampleKind tiles[TILE_ROWS][TILE_COLUMNS] = {
    {SAMPLE_ONE_HOT, SAMPLE_MIXED, SAMPLE_ALTERNATING, SAMPLE_MIXED},
    {SAMPLE_UNIFORM, SAMPLE_CONSTANT, SAMPLE_TINY, SAMPLE_SPARSE},
};

/* Moves a place in an image into its tile, whose kind is returned; the last
 * tile of a row or column has what is left over. */
static SampleKind enter_tile(Place *place, int64_t *dims)
{
    static const int counts[2] = {TILE_ROWS, TILE_COLUMNS};
    int64_t tile[2];
    for (int k = 0; k < 2; k++) {
        int axis = place->rank - 2 + k;
        int64_t size = place->dims[axis] / counts[k];
        tile[k] = place->at[axis] / size;
        if (tile[k] >= counts[k])
            tile[k] = counts[k] - 1;
        place->at[axis] -= tile[k] * size;
        dims[axis] =
            tile[k] < counts[k] - 1 ? size : place->dims[axis] - tile[k] * size;
    }
    place->dims = dims;
    return tiles[tile[0]][tile[1]];
}

/* Where tiles would be smaller than TILE_LEAST all of it is normal. */
static bool has_tiles(const Place *place)
{
    return place->rank >= 3 &&
           place->dims[place->rank - 2] >= TILE_ROWS * TILE_LEAST &&
           place->dims[place->rank - 1] >= TILE_COLUMNS * TILE_LEAST;
}

static void fill_real(SampleKind kind, DType type, Place *place, int64_t count,
                      uint64_t seed, char *data)
{
    size_t size = dtype_size(type);
    bool tiled = kind == SAMPLE_MIXED && has_tiles(place);
    for (int64_t i = 0; i < count; i++) {
        Place inside = *place;
        int64_t dims[RANK_MAX];
        memcpy(dims, place->dims, (size_t)place->rank * sizeof *dims);
        SampleKind here = tiled ? enter_tile(&inside, dims) : kind;
        double value = real_value(here, &inside, seed, (uint64_t)i);
        tensor_store_f64(type, &value, 1, data + (size_t)i * size);
        place_next(place);
    }
}

/* How many integers there are to draw from, by the type and what it is for. */
static uint64_t integer_range(const SampleShape *shape)
{
    size_t bits = 8 * dtype_size(shape->type);
    bool is_byte = shape->type == DT_UINT8 || shape->type == DT_INT8;
    uint64_t most = UINT64_C(1) << (bits - (shape->type != DT_UINT8));
    if (shape->indices == 0 || shape->type == DT_BOOL)
        return is_byte && shape->rank >= 3 ? 256 : 2;
    return (uint64_t)shape->indices < most ? (uint64_t)shape->indices : most;
}

/* Some of a mixed sample, and all of a one-hot one, are 0 or 1 also where
 * there are more indices. Their lowest byte comes first. */
static void fill_integer(SampleKind kind, const SampleShape *shape,
                         int64_t count, uint64_t seed, char *data)
{
    size_t size = dtype_size(shape->type);
    uint64_t range = integer_range(shape);
    for (int64_t i = 0; i < count; i++) {
        uint64_t bits = random_bits(seed, (uint64_t)i);
        bool is_low =
            shape->indices > 1 && (kind == SAMPLE_ONE_HOT ||
                                   (kind == SAMPLE_MIXED && bits >> 62 == 0));
        uint64_t value =
            kind == SAMPLE_CONSTANT ? range - 1 : bits % (is_low ? 2 : range);
        memcpy(data + (size_t)i * size, &value, size);
    }
}

Tensor *sample_tensor(Arena *arena, SampleKind kind, const SampleShape *shape,
                      uint64_t seed)
{
    void *data;
    Tensor *tensor =
        tensor_alloc(arena, shape->type, shape->rank, shape->dims, &data);
    Place place = {.rank = shape->rank, .dims = shape->dims};
    if (dtype_is_real(shape->type))
        fill_real(kind, shape->type, &place, tensor->count, seed, data);
    else
        fill_integer(kind, shape, tensor->count, seed, data);
    return tensor;
}
