/* MaxPool, AveragePool and the global ones. */
#include <math.h>

#include "exec/simd.h"
#include "exec/sums.h"
#include "exec/window.h"

typedef struct Pooling {
    Window window;
    const void *in;
    void *out;
    int64_t *indices; /* of the maxima, or NULL */
    int64_t least;    /* what the maximum of nothing is, for integers */
    Storage storage;
    bool is_mean, is_integer, counts_pads, column_major;
} Pooling;

/* Which kernel positions of output position `o` see an element, and where
 * position 0 lies. Returns how many positions a mean divides by: those, or all
 * that lie in the padded input. */
static int64_t place_window(const Pooling *pool, int64_t o,
                            int64_t first[WINDOW_AXES],
                            int64_t last[WINDOW_AXES],
                            int64_t origin[WINDOW_AXES])
{
    const Window *w = &pool->window;
    int64_t counted = 1;
    for (int i = WINDOW_AXES - 1; i >= 0; i--) {
        int64_t at = o % w->out[i];
        o /= w->out[i];
        origin[i] = at * w->stride[i] - w->pad[i];
        window_range(w, i, at, &first[i], &last[i]);
        int64_t seen = last[i] - first[i];
        int64_t room = w->in[i] + w->pad_end[i] - origin[i];
        int64_t padded = (room + w->dilation[i] - 1) / w->dilation[i];
        if (padded > w->kernel[i])
            padded = w->kernel[i];
        counted *= pool->counts_pads ? padded : seen > 0 ? seen : 0;
    }
    return counted;
}

/* The outputs along the last axis whose windows lie inside of the input. */
static void inner_columns(const Window *w, int64_t *begin, int64_t *end)
{
    int64_t reach = (w->kernel[2] - 1) * w->dilation[2];
    int64_t last = w->in[2] - 1 - reach + w->pad[2]; /* where one may begin */
    *begin = (w->pad[2] + w->stride[2] - 1) / w->stride[2];
    *end = last < 0 ? 0 : last / w->stride[2] + 1;
    if (*end > w->out[2])
        *end = w->out[2];
}

enum { ROW_MOST = 128 }; /* means at once */

#include "exec/real_f32.h"

#include "exec/kern_pool.inc.c"

#include "exec/real_f64.h"

#include "exec/kern_pool.inc.c"

#include "exec/real_i64.h"

#include "exec/kern_pool.inc.c"

static void pool_piece(void *context, int worker, int64_t begin, int64_t end)
{
    const Pooling *pool = context;
    (void)worker;
    for (int64_t plane = begin; plane < end; plane++)
        if (pool->storage == STORAGE_F32)
            pool_plane_f32(pool, plane);
        else if (pool->storage == STORAGE_F64)
            pool_plane_f64(pool, plane);
        else
            pool_plane_i64(pool, plane);
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
    if (call->outputs[0]->count > 0)
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

static void mean_piece(void *context, int worker, int64_t begin, int64_t end)
{
    const Pooling *pool = context;
    int64_t size = pool->window.in_size;
    double n = (double)size;
    (void)worker;
    for (int64_t plane = begin; plane < end; plane++)
        if (pool->storage == STORAGE_F32)
            ((float *)pool->out)[plane] =
                (float)(sum_of_f32((const float *)pool->in + plane * size,
                                   size) /
                        n);
        else
            ((double *)pool->out)[plane] =
                sum_of_f64((const double *)pool->in + plane * size, size) / n;
}

/* GlobalAveragePool and GlobalMaxPool: one window over all spatial axes. */
int kernel_global_pool(KernelCall *call, Err *err)
{
    const Array *in = call->inputs[0];
    Pooling pool;
    TRY(pooling_make(call, &pool, err));
    int64_t size = dims_product(in->dims, 2, in->rank);
    pool.window = (Window){.in = {1, 1, size},
                           .out = {1, 1, 1},
                           .kernel = {1, 1, size},
                           .stride = {1, 1, 1},
                           .dilation = {1, 1, 1},
                           .in_size = size,
                           .out_size = 1,
                           .kernel_size = size};
    if (call->node->op == OP_GlobalAveragePool)
        pool_run(call->pool, in->dims[0] * in->dims[1],
                 1 + GRAIN / (size > 0 ? size : 1), mean_piece, &pool);
    else
        run_pooling(call, &pool);
    return 0;
}
