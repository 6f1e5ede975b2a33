/* Operators that move elements to or from places that an input names. */
#include <string.h>

#include "exec/integer.h"
#include "exec/move.h"
#include "exec/walk.h"

static size_t element_size(const KernelCall *call)
{
    return storage_size(kernel_storage(call, call->inputs[0]));
}

/* Indices made non-negative for an axis of that size; an index outside of it
 * is an error. */
static int read_indices(KernelCall *call, const Array *indices, int64_t size,
                        int64_t **out, Err *err)
{
    const int64_t *given = indices->data;
    *out = arena_block(call->arena, (size_t)indices->count, sizeof **out);
    for (int64_t i = 0; i < indices->count; i++) {
        int64_t index = given[i] < 0 ? given[i] + size : given[i];
        if (index < 0 || index >= size)
            return err_set(err, ERR_BAD_INDEX,
                           "index %lld is outside of an axis of size %lld",
                           (long long)given[i], (long long)size);
        (*out)[i] = index;
    }
    return 0;
}

/* ---- Gather ---- */

typedef struct Gather {
    const char *in;
    char *out;
    const int64_t *indices;
    int64_t count, axis_size;
    size_t run; /* bytes that move together */
} Gather;

static void gather_piece(void *context, int worker, int64_t begin, int64_t end)
{
    const Gather *g = context;
    (void)worker;
    for (int64_t i = begin; i < end; i++) {
        int64_t from = i / g->count * g->axis_size + g->indices[i % g->count];
        memcpy(g->out + (size_t)i * g->run, g->in + (size_t)from * g->run,
               g->run);
    }
}

/* Slices of an array along an axis. */
static void gather_slices(KernelCall *call, const Array *in, int axis,
                          const int64_t *places, int64_t count)
{
    int64_t inner = dims_product(in->dims, axis + 1, in->rank);
    Gather gather = {.in = in->data,
                     .out = call->outputs[0]->data,
                     .indices = places,
                     .count = count,
                     .axis_size = in->dims[axis],
                     .run = (size_t)inner * element_size(call)};
    int64_t outer = dims_product(in->dims, 0, axis);
    if (inner > 0)
        pool_run(call->pool, outer * count, 1 + GRAIN / inner, gather_piece,
                 &gather);
}

/* Gather: slices along `axis`, in the order of the indices. */
int kernel_gather(KernelCall *call, Err *err)
{
    const Array *in = call->inputs[0], *indices = call->inputs[1];
    int axis;
    int64_t *places;
    TRY(kernel_axis(node_int(call->node, "axis", 0), in->rank, &axis, err));
    TRY(read_indices(call, indices, in->dims[axis], &places, err));
    gather_slices(call, in, axis, places, indices->count);
    return 0;
}

/* Compress: the slices along `axis` that a condition chooses, or elements where
 * there is none. The condition may end before they do. */
int kernel_compress(KernelCall *call, Err *err)
{
    const Array *condition = call->inputs[1];
    const bool flattens = !node_attr(call->node, "axis");
    Array in = *call->inputs[0];
    int axis = 0;
    if (flattens)
        array_set_shape(&in, in.type, 1, &call->inputs[0]->count);
    in.data = call->inputs[0]->data;
    TRY(kernel_axis(node_int(call->node, "axis", 0), in.rank, &axis, err));
    int64_t most = at_most(in.dims[axis], condition->count), count = 0;
    int64_t *places = arena_array(call->arena, (size_t)most, sizeof *places);
    for (int64_t i = 0; i < most; i++)
        if (((const int64_t *)condition->data)[i])
            places[count++] = i;
    int64_t dims[RANK_MAX];
    memcpy(dims, in.dims, sizeof dims);
    dims[axis] = count;
    TRY(kernel_make_output(call, 0, in.type, in.rank, dims, err));
    gather_slices(call, &in, axis, places, count);
    return 0;
}

/* ---- Combining what is scattered ---- */

typedef enum Meeting {
    MEET_NONE,
    MEET_ADD,
    MEET_MUL,
    MEET_MAX,
    MEET_MIN
} Meeting;

/* How a value joins what is there: the attribute `reduction`. */
static int read_reduction(const Node *node, Meeting *out, Err *err)
{
    static const char *const names[] = {"none", "add", "mul", "max", "min"};
    *out = MEET_NONE;
    if (!node_attr(node, "reduction"))
        return 0;
    for (int i = MEET_NONE; i <= MEET_MIN; i++)
        if (node_string_is(node, "reduction", names[i])) {
            *out = (Meeting)i;
            return 0;
        }
    return err_set(err, ERR_BAD_ATTRIBUTE, "its reduction is unknown");
}

static double meet_real(Meeting meeting, double a, double b)
{
    switch (meeting) {
    case MEET_ADD:
        return a + b;
    case MEET_MUL:
        return a * b;
    case MEET_MAX:
        return b > a || b != b ? b : a;
    case MEET_MIN:
        return b < a || b != b ? b : a;
    default:
        return b;
    }
}

/* Flipping the sign bit puts the numbers of uint64 in the order of int64. */
static int64_t meet_integer(DType type, Meeting meeting, int64_t a, int64_t b)
{
    const int64_t flip = type == DT_UINT64 ? INT64_MIN : 0;
    switch (meeting) {
    case MEET_ADD:
        return (int64_t)((uint64_t)a + (uint64_t)b);
    case MEET_MUL:
        return (int64_t)((uint64_t)a * (uint64_t)b);
    case MEET_MAX:
        return (a ^ flip) > (b ^ flip) ? a : b;
    case MEET_MIN:
        return (a ^ flip) < (b ^ flip) ? a : b;
    default:
        return b;
    }
}

static void meet(const KernelCall *call, Meeting meeting, const Array *out,
                 int64_t at, const Array *updates, int64_t from)
{
    switch (kernel_storage(call, out)) {
    case STORAGE_F32: {
        float *to = (float *)out->data + at;
        *to = (float)meet_real(meeting, (double)*to,
                               (double)((const float *)updates->data)[from]);
        break;
    }
    case STORAGE_F64: {
        double *to = (double *)out->data + at;
        *to = meet_real(meeting, *to, ((const double *)updates->data)[from]);
        break;
    }
    case STORAGE_I64: {
        int64_t *to = (int64_t *)out->data + at;
        int64_t met = meet_integer(out->type, meeting, *to,
                                   ((const int64_t *)updates->data)[from]);
        *to = integer_wrap(out->type, met);
        break;
    }
    }
}

static void copy_data(const KernelCall *call)
{
    const Array *in = call->inputs[0];
    if (call->outputs[0]->data != in->data)
        memcpy(call->outputs[0]->data, in->data,
               (size_t)in->count * element_size(call));
}

/* ---- GatherElements, ScatterElements ---- */

/* Elements of `data` that an index array names: each lies where its index
 * does, but for the axis, whose place the index takes. */
typedef struct Elements {
    KernelCall *call;
    Walk walk; /* over the indices; operand 0 is the data, at place 0 */
    int64_t *places;
    int64_t stride; /* of the axis */
    Meeting meeting;
} Elements;

static int check_elements(const Array *data, const Array *indices, int axis,
                          Err *err)
{
    bool fits = indices->rank == data->rank;
    for (int i = 0; fits && i < data->rank; i++)
        fits = i == axis || indices->dims[i] <= data->dims[i];
    if (!fits)
        return err_set(err, ERR_BAD_SHAPE, "its indices do not fit its data");
    return 0;
}

static int find_elements(KernelCall *call, Elements *out, Err *err)
{
    const Array *data = call->inputs[0], *indices = call->inputs[1];
    int axis;
    int64_t strides[RANK_MAX];
    *out = (Elements){.call = call};
    TRY(kernel_axis(node_int(call->node, "axis", 0), data->rank, &axis, err));
    TRY(check_elements(data, indices, axis, err));
    TRY(read_indices(call, indices, data->dims[axis], &out->places, err));
    dims_strides(data->rank, data->dims, strides);
    out->stride = strides[axis];
    strides[axis] = 0;
    walk_init(&out->walk, indices->rank, indices->dims);
    walk_add(&out->walk, strides);
    walk_ready(&out->walk);
    return 0;
}

static void gather_row(void *context, int64_t position, const int64_t *offsets,
                       int64_t count)
{
    const Elements *e = context;
    size_t size = element_size(e->call);
    int64_t at = offsets[0], step = walk_step(&e->walk, 0);
    const char *in = e->call->inputs[0]->data;
    char *out = (char *)e->call->outputs[0]->data + (size_t)position * size;
    for (int64_t i = 0; i < count; i++, at += step) {
        int64_t from = at + e->places[position + i] * e->stride;
        memcpy(out + (size_t)i * size, in + (size_t)from * size, size);
    }
}

static void gather_elements(void *context, int worker, int64_t begin,
                            int64_t end)
{
    (void)worker;
    walk_run(&((Elements *)context)->walk, begin, end, gather_row, context);
}

int kernel_gather_elements(KernelCall *call, Err *err)
{
    Elements elements;
    TRY(find_elements(call, &elements, err));
    pool_run(call->pool, call->inputs[1]->count, GRAIN, gather_elements,
             &elements);
    return 0;
}

static void scatter_row(void *context, int64_t position, const int64_t *offsets,
                        int64_t count)
{
    const Elements *e = context;
    int64_t at = offsets[0], step = walk_step(&e->walk, 0);
    for (int64_t i = 0; i < count; i++, at += step)
        meet(e->call, e->meeting, e->call->outputs[0],
             at + e->places[position + i] * e->stride, e->call->inputs[2],
             position + i);
}

/* One after the other, since several may go to one place. */
int kernel_scatter_elements(KernelCall *call, Err *err)
{
    const Array *indices = call->inputs[1];
    Elements elements;
    TRY(find_elements(call, &elements, err));
    TRY(read_reduction(call->node, &elements.meeting, err));
    if (call->inputs[2]->count != indices->count)
        return err_set(err, ERR_BAD_SHAPE,
                       "its updates do not fit its indices");
    copy_data(call);
    if (indices->count > 0)
        walk_run(&elements.walk, 0, indices->count, scatter_row, &elements);
    return 0;
}

/* ---- GatherND, ScatterND ---- */

/* Index tuples along the last axis of an index array, and the slices of data
 * they name. */
typedef struct Tuples {
    int64_t count, length, slice;
    int64_t *places; /* first elements of the slices */
} Tuples;

static int read_tuples(KernelCall *call, int64_t batch, Tuples *t, Err *err)
{
    const Array *in = call->inputs[0], *indices = call->inputs[1];
    const int64_t *given = indices->data;
    int64_t strides[RANK_MAX];
    if (in->rank < 1 || indices->rank < 1 || batch < 0 ||
        batch >= indices->rank || batch >= in->rank ||
        indices->dims[indices->rank - 1] > in->rank - batch)
        return err_set(err, ERR_BAD_SHAPE, "its indices do not fit its data");
    dims_strides(in->rank, in->dims, strides);
    t->length = indices->dims[indices->rank - 1];
    t->count = dims_product(indices->dims, 0, indices->rank - 1);
    t->slice = dims_product(in->dims, (int)(batch + t->length), in->rank);
    t->places = arena_block(call->arena, (size_t)t->count, sizeof(int64_t));
    int64_t batches = dims_product(in->dims, 0, (int)batch);
    int64_t per_batch = batches > 0 ? t->count / batches : 0;
    for (int64_t i = 0; i < t->count; i++) {
        t->places[i] =
            batch > 0 && per_batch > 0 ? i / per_batch * strides[batch - 1] : 0;
        for (int64_t k = 0; k < t->length; k++) {
            int64_t size = in->dims[batch + k];
            int64_t index = given[i * t->length + k];
            index += index < 0 ? size : 0;
            if (index < 0 || index >= size)
                return err_set(err, ERR_BAD_INDEX,
                               "an index is outside of an axis of size %lld",
                               (long long)size);
            t->places[i] += index * strides[batch + k];
        }
    }
    return 0;
}

int kernel_gather_nd(KernelCall *call, Err *err)
{
    const Array *in = call->inputs[0], *indices = call->inputs[1];
    int64_t batch = node_int(call->node, "batch_dims", 0);
    size_t size = element_size(call);
    for (int i = 0; i < batch && i < in->rank && i < indices->rank; i++)
        if (in->dims[i] != indices->dims[i])
            return err_set(err, ERR_BAD_SHAPE,
                           "its batch dims differ between data and indices");
    Tuples t;
    TRY(read_tuples(call, batch, &t, err));
    char *out = call->outputs[0]->data;
    size_t run = (size_t)t.slice * size;
    for (int64_t i = 0; i < t.count; i++)
        memcpy(out + (size_t)i * run,
               (const char *)in->data + (size_t)t.places[i] * size, run);
    return 0;
}

int kernel_scatter_nd(KernelCall *call, Err *err)
{
    const Array *updates = call->inputs[2];
    Meeting meeting;
    Tuples t;
    TRY(read_reduction(call->node, &meeting, err));
    TRY(read_tuples(call, 0, &t, err));
    if (updates->count != t.count * t.slice)
        return err_set(err, ERR_BAD_SHAPE,
                       "its updates do not fit its indices");
    copy_data(call);
    for (int64_t i = 0; i < t.count; i++)
        for (int64_t k = 0; k < t.slice; k++)
            meet(call, meeting, call->outputs[0], t.places[i] + k, updates,
                 i * t.slice + k);
    return 0;
}

/* ---- OneHot ---- */

/* OneHot: values[1] where the index says so, else values[0]; an index outside
 * of [-depth, depth) leaves its line off. */
int kernel_one_hot(KernelCall *call, Err *err)
{
    const Array *indices = call->inputs[0], *values = call->inputs[2];
    const Array *out = call->outputs[0];
    int axis;
    TRY(kernel_axis(node_int(call->node, "axis", -1), out->rank, &axis, err));
    if (values->count != 2)
        return err_set(err, ERR_BAD_SHAPE, "its values are not two");
    size_t size = storage_size(kernel_storage(call, values));
    move_fill(call, out, values->data);
    int64_t depth = out->dims[axis];
    int64_t inner = dims_product(out->dims, axis + 1, out->rank);
    for (int64_t i = 0; i < indices->count; i++) {
        int64_t index = kernel_int(call, indices, i);
        index += index < 0 ? depth : 0;
        if (index < 0 || index >= depth)
            continue;
        int64_t at = (i / inner * depth + index) * inner + i % inner;
        memcpy((char *)out->data + (size_t)at * size,
               (const char *)values->data + size, size);
    }
    return 0;
}
