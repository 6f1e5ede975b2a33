#include "checkpoint/checkpoint.h"

#include <string.h>

#include "base/half.h"
#include "base/zip.h"
#include "checkpoint/safetensors.h"
#include "checkpoint/torch.h"

/* ORDER Element */
static const struct {
    size_t size;
    const char *name;
} elements[] = {
#define ELEMENT(id, size, storage, dtype, name) {size, dtype},
#include "checkpoint/element.def"
#undef ELEMENT
};

size_t element_size(Element element)
{
    return elements[element].size;
}

const char *element_name(Element element)
{
    return elements[element].name;
}

bool checkpoint_is(const void *bytes, size_t size)
{
    return zip_is(bytes, size) || torch_is_legacy(bytes, size) ||
           safetensors_is(bytes, size);
}

size_t checkpoint_limit(size_t size)
{
    enum { SMALL = 1 << 20 };
    size_t limit;
    if (__builtin_mul_overflow(size, CHECKPOINT_TIMES, &limit) ||
        __builtin_add_overflow(limit, SMALL, &limit))
        return SIZE_MAX;
    return limit;
}

static int check_extent(const Checkpoint *checkpoint, size_t size, Err *err)
{
    size_t limit = checkpoint_limit(size), sum = 0, bytes;
    for (size_t i = 0; i < checkpoint->count; i++) {
        const CheckpointTensor *tensor = &checkpoint->tensors[i];
        if (__builtin_mul_overflow((size_t)tensor->count,
                                   element_size(tensor->element), &bytes) ||
            __builtin_add_overflow(sum, bytes, &sum) || sum > limit)
            return err_set(err, ERR_BUDGET,
                           "%.200s: the tensors up to here would be more than "
                           "%d times as large as the file",
                           tensor->name, CHECKPOINT_TIMES);
    }
    return 0;
}

int checkpoint_read(Arena *arena, const void *bytes, size_t size,
                    const char *key, Checkpoint *out, Err *err)
{
    *out = (Checkpoint){0};
    if (zip_is(bytes, size))
        TRY(torch_read_zip(arena, bytes, size, key, out, err));
    else if (torch_is_legacy(bytes, size))
        TRY(torch_read_legacy(arena, bytes, size, key, out, err));
    else if (!safetensors_is(bytes, size))
        return err_set(err, ERR_BAD_CHECKPOINT,
                       "neither a PyTorch checkpoint nor .safetensors");
    else if (key)
        return err_set(err, ERR_USAGE,
                       ".safetensors has no dicts to choose from by a key");
    else
        TRY(safetensors_read(arena, bytes, size, out, err));
    return check_extent(out, size, err);
}

/* ---- Elements ---- */

bool checkpoint_is_packed(const CheckpointTensor *tensor)
{
    int64_t expected = 1;
    for (int i = tensor->rank; i-- > 0;) {
        if (tensor->dims[i] != 1 && tensor->strides[i] != expected)
            return false;
        expected *= tensor->dims[i];
    }
    return true;
}

/* The bits of one element, in this machine's order. */
static uint64_t read_bits(const uint8_t *bytes, size_t size, bool big_endian)
{
    uint64_t bits = 0;
    for (size_t i = 0; i < size; i++)
        bits |= (uint64_t)bytes[big_endian ? size - 1 - i : i] << 8 * i;
    return bits;
}

static double read_element(const CheckpointTensor *tensor, int64_t place)
{
    size_t size = element_size(tensor->element);
    uint64_t bits = read_bits(tensor->bytes + (size_t)place * size, size,
                              tensor->big_endian);
    uint32_t low = (uint32_t)bits;
    float single;
    double wide;
    switch (tensor->element) {
    case ELEMENT_F16:
        return half_to_double((uint16_t)bits);
    case ELEMENT_BF16:
        return bfloat_to_double((uint16_t)bits);
    case ELEMENT_F32:
        memcpy(&single, &low, sizeof single);
        return (double)single;
    default:
        memcpy(&wide, &bits, sizeof wide);
        return wide;
    }
}

/* Where in a tensor reading has come to: the index along each axis, and the
 * element of the storage. */
typedef struct Place {
    int64_t index[CHECKPOINT_RANK], element;
} Place;

static Place place_of(const CheckpointTensor *tensor, int64_t position)
{
    Place place = {.element = 0};
    for (int axis = tensor->rank; axis-- > 0;) {
        place.index[axis] = position % tensor->dims[axis];
        place.element += place.index[axis] * tensor->strides[axis];
        position /= tensor->dims[axis];
    }
    return place;
}

/* To the next element in row-major order, without a division. */
static void place_advance(const CheckpointTensor *tensor, Place *place)
{
    for (int axis = tensor->rank; axis-- > 0;) {
        place->element += tensor->strides[axis];
        if (++place->index[axis] < tensor->dims[axis])
            return;
        place->element -= tensor->dims[axis] * tensor->strides[axis];
        place->index[axis] = 0;
    }
}

void checkpoint_read_f64(const CheckpointTensor *tensor, int64_t first,
                         int64_t count, double *out)
{
    if (count <= 0)
        return;
    Place place = place_of(tensor, first);
    for (int64_t i = 0; i < count; i++) {
        out[i] = read_element(tensor, place.element);
        place_advance(tensor, &place);
    }
}
