/* MaxPool and AveragePool. */
#include <math.h>
#include <string.h>

#include "exec/integer.h"
#include "exec/simd.h"
#include "exec/window.h"

/* A kernel position along the last axis: outputs [begin, end) of a row see an
 * element of the input there, output 0 the one at `shift`. */
typedef struct Tap {
    int64_t shift, begin, end;
} Tap;

/* All of them. Wide ones go block by block, for strides of 1 and 2: then there
 * is at least a block of outputs, of which those behind the last one count for
 * nothing, and rows go on as far as any of them sees. */
typedef struct Taps {
    Tap *list;
    int64_t count, stride, outputs;
    bool is_wide;
} Taps;

enum { BLOCK = 32, NARROW = 8 }; /* fewer outputs than that are not wide */

typedef struct Pooling {
    Window window;
    const void *in;
    void *out;
    int64_t *indices; /* of the maxima, or NULL */
    int64_t least;    /* what the maximum of nothing is, for integers */
    Storage storage;
    bool is_mean, is_integer, counts_pads, column_major;
    Taps taps;                   /* of the last axis */
    Tap all;                     /* what stands where it is seen */
    Taps made;                   /* that alone */
    double *counts[WINDOW_AXES]; /* positions that a mean counts, by output */
    double *inverse;             /* of those of the last axis */
    int64_t before, length;      /* of a line with what is around it; length is
                                    0 where nothing need be */
    int64_t ring;                /* lines that are kept at once; 0 for none */
    /* For each worker; NULL where each window is looked at by itself. */
    double *lines;     /* those, and one more of sums */
    double *padded;    /* one with what is around it */
    const void **rows; /* what a row of outputs sees */
    int64_t row_most;
} Pooling;

/* Which kernel positions of an output see an element, and where position 0
 * lies; along some of the axes. */
typedef struct Place {
    int64_t first[WINDOW_AXES], last[WINDOW_AXES], origin[WINDOW_AXES];
} Place;

/*
 * The outputs of a row go side by side, line by line of the input that they
 * see.  Where a line is seen by several rows, what windows see of it is found
 * once and kept, in two dimensions as long as the next row sees it.  The first
 * of equal elements stays the first either way.
 */
typedef struct Lines {
    double *kept, *sums, *padded;
    const void **rows; /* that are seen at once */
    int64_t done;      /* lines that have been made */
} Lines;

static int64_t line_of(const Window *w, const Place *p, int64_t z, int64_t y)
{
    return (p->origin[0] + z * w->dilation[0]) * w->in[1] + p->origin[1] +
           y * w->dilation[1];
}

static void *line_at(const Pooling *pool, const Lines *lines, int64_t line)
{
    return lines->kept + line % pool->ring * pool->taps.outputs;
}

static void place_axis(const Window *w, int axis, int64_t at, Place *place)
{
    place->origin[axis] = at * w->stride[axis] - w->pad[axis];
    window_range(w, axis, at, &place->first[axis], &place->last[axis]);
}

#include "exec/real_f32.h"

#include "exec/kern_pool_taps.inc.c"

#include "exec/real_f64.h"

#include "exec/kern_pool_taps.inc.c"

#include "exec/real_i64.h"

#include "exec/kern_pool_taps.inc.c"

#include "exec/real_f32.h"

#include "exec/kern_pool.inc.c"

#include "exec/real_f64.h"

#include "exec/kern_pool.inc.c"

#include "exec/real_i64.h"

#include "exec/kern_pool.inc.c"

static void pool_piece(void *context, int worker, int64_t begin, int64_t end)
{
    const Pooling *pool = context;
    int64_t width = pool->taps.outputs;
    Lines lines = {.done = 0};
    if (pool->lines) {
        lines.rows = pool->rows + worker * pool->row_most;
        lines.sums = pool->lines + worker * (pool->ring + 1) * width;
        lines.kept = lines.sums + width;
        lines.padded = pool->padded + worker * pool->length;
    }
    for (int64_t plane = begin; plane < end; plane++)
        if (pool->storage == STORAGE_F32)
            pool_plane_f32(pool, plane, &lines);
        else if (pool->storage == STORAGE_F64)
            pool_plane_f64(pool, plane, &lines);
        else
            pool_plane_i64(pool, plane, &lines);
}

/* Only the positions that any output sees something at: a kernel may be mostly
 * on the padding. */
static void set_taps(const KernelCall *call, Pooling *pool)
{
    const Window *w = &pool->window;
    int64_t stride = w->stride[2], dilation = w->dilation[2], pad = w->pad[2];
    int64_t first =
        divide_up(at_least(pad - stride * (w->out[2] - 1), 0), dilation);
    int64_t end =
        at_most(divide_up(at_least(w->in[2] + pad, 0), dilation), w->kernel[2]);
    Taps taps = {.count = at_least(end - first, 0),
                 .stride = stride,
                 .outputs = w->out[2],
                 .is_wide = stride <= 2 && w->out[2] >= NARROW};
    if (taps.is_wide)
        taps.outputs = at_least(taps.outputs, BLOCK);
    taps.list = arena_array(call->arena, (size_t)taps.count + 1, sizeof(Tap));
    for (int64_t k = 0; k < taps.count; k++) {
        int64_t shift = (first + k) * dilation - pad;
        Tap *tap = &taps.list[k];
        tap->shift = shift;
        tap->begin = shift < 0 ? divide_up(-shift, stride) : 0;
        tap->end = at_most(divide_up(w->in[2] - shift, stride), w->out[2]);
    }
    pool->taps = taps;
    pool->all = (Tap){0, 0, taps.outputs};
    pool->made = (Taps){&pool->all, 1, 1, taps.outputs, taps.outputs >= BLOCK};
}

/* How far outputs look beyond a line. */
static void set_padding(Pooling *pool)
{
    const Window *w = &pool->window;
    const Taps *taps = &pool->taps;
    if (taps->count == 0 || !taps->is_wide)
        return;
    int64_t end = taps->list[taps->count - 1].shift +
                  (taps->outputs - 1) * taps->stride + 1;
    pool->before = at_least(-taps->list[0].shift, 0);
    if (pool->before > 0 || end > w->in[2])
        pool->length = pool->before + at_least(end, w->in[2]);
}

/* How many positions a mean divides by is a product over the axes: of those
 * that see an element, or of all that lie in the padded input. */
static void set_counts(const KernelCall *call, Pooling *pool)
{
    const Window *w = &pool->window;
    Place place;
    for (int i = 0; i < WINDOW_AXES; i++) {
        pool->counts[i] =
            arena_array(call->arena, (size_t)w->out[i] + 1, sizeof(double));
        for (int64_t at = 0; at < w->out[i]; at++) {
            place_axis(w, i, at, &place);
            int64_t room = w->in[i] + w->pad_end[i] - place.origin[i];
            pool->counts[i][at] =
                (double)(pool->counts_pads
                             ? at_most(divide_up(room, w->dilation[i]),
                                       w->kernel[i])
                             : at_least(place.last[i] - place.first[i], 0));
        }
    }
    pool->inverse =
        arena_array(call->arena, (size_t)w->out[2] + 1, sizeof(double));
    for (int64_t at = 0; at < w->out[2]; at++)
        pool->inverse[at] = 1 / pool->counts[2][at];
}

static void make_room(const KernelCall *call, Pooling *pool)
{
    const Window *w = &pool->window;
    size_t workers = (size_t)pool_threads(call->pool);
    bool is_shared = w->kernel[1] > 2 * w->stride[1] ||
                     w->kernel[0] > 2 * w->stride[0] || pool->length > 0;
    if (is_shared && w->in[0] == 1)
        pool->ring = at_most(w->in[1], (w->kernel[1] - 1) * w->dilation[1] + 1);
    else if (is_shared)
        pool->ring = w->in[0] * w->in[1];
    pool->lines = kernel_scratch(call, workers * (size_t)(pool->ring + 1),
                                 (size_t)pool->taps.outputs * sizeof(double));
    pool->padded =
        kernel_scratch(call, workers * (size_t)pool->length, sizeof(double));
    pool->row_most =
        at_most(w->kernel[0], w->in[0]) * at_most(w->kernel[1], w->in[1]);
    pool->rows = kernel_scratch(call, workers * (size_t)(pool->row_most + 1),
                                sizeof *pool->rows);
}

static int pooling_make(KernelCall *call, Pooling *pool, Err *err)
{
    const Array *in = call->inputs[0], *out = call->outputs[0];
    const Array *indices = kernel_output(call, 1);
    if (in->rank < 2 || out->rank != in->rank)
        return err_set(err, ERR_BAD_SHAPE, "its input has rank %d", in->rank);
    *pool = (Pooling){.in = in->data,
                      .out = out->data,
                      .indices = indices ? indices->data : NULL,
                      .storage = kernel_storage(call, in),
                      .least = in->type == DT_INT8 ? INT8_MIN : 0,
                      .is_integer = !dtype_is_real(in->type)};
    return 0;
}

static void run_pooling(KernelCall *call, Pooling *pool)
{
    const Array *in = call->inputs[0];
    int64_t work = pool->window.out_size * pool->window.kernel_size;
    if (call->outputs[0]->count == 0)
        return;
    set_taps(call, pool);
    set_padding(pool);
    if (pool->is_mean)
        set_counts(call, pool);
    if (pool->is_mean || (!pool->indices && pool->window.out[2] > 1))
        make_room(call, pool);
    pool_run(call->pool, in->dims[0] * in->dims[1],
             1 + GRAIN / (work > 0 ? work : 1), pool_piece, pool);
}

/* MaxPool: of what the window sees; the indices are flat ones of the input. */
int kernel_max_pool(KernelCall *call, Err *err)
{
    Pooling pool;
    TRY(pooling_make(call, &pool, err));
    TRY(window_make(call, call->inputs[0], call->outputs[0], NULL, false,
                    &pool.window, err));
    pool.column_major = node_int(call->node, "storage_order", 0) != 0;
    run_pooling(call, &pool);
    return 0;
}

int kernel_average_pool(KernelCall *call, Err *err)
{
    Pooling pool;
    TRY(pooling_make(call, &pool, err));
    TRY(window_make(call, call->inputs[0], call->outputs[0], NULL, false,
                    &pool.window, err));
    pool.is_mean = true;
    pool.counts_pads = node_int(call->node, "count_include_pad", 0) != 0;
    run_pooling(call, &pool);
    return 0;
}
