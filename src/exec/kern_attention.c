/*
 * Attention, without a cache of past keys.
 *
 * ONNX Attention-23: Y = softmax(softcap(scale Q K^T) + mask) V for each head,
 * where several query heads may share one head of keys and values.
 */
#include <cblas.h>
#include <limits.h>
#include <math.h>

#include "exec/kernel.h"

/* One operand: heads of matrices, wherever they lie. (batch, heads, length,
 * width), or with rank 3 (batch, length, heads * width). */
typedef struct Heads {
    const Array *array;
    int64_t heads, length, width;
    int64_t batch_step, head_step, row_step; /* in elements */
} Heads;

typedef struct Attention {
    Heads q, k, v, y;
    const Array *mask;
    bool mask_is_bool, causal;
    double scale, softcap;
    void **scores; /* a matrix of scores for each worker */
} Attention;

/* The mask's element for these places; its axes are right-aligned. */
static int64_t mask_index(const Attention *a, int64_t batch, int64_t head,
                          int64_t row)
{
    int64_t places[4] = {batch, head, row, 0}, index = 0;
    int rank = a->mask->rank;
    for (int i = 0; i < rank; i++) {
        int64_t size = a->mask->dims[i];
        index = index * size + (size == 1 ? 0 : places[4 - rank + i]);
    }
    return index;
}

#include "exec/real_f32.h"

#include "exec/kern_attention.inc.c"

#include "exec/real_f64.h"

#include "exec/kern_attention.inc.c"

static int heads_of(const KernelCall *call, const Array *array,
                    const char *attribute, Heads *out, Err *err)
{
    int64_t width = array->dims[array->rank - 1];
    *out = (Heads){.array = array};
    if (array->rank == 4) {
        out->heads = array->dims[1];
        out->length = array->dims[2];
        out->width = width;
        out->row_step = width;
        out->head_step = out->length * width;
    } else {
        out->heads = node_int(call->node, attribute, 0);
        if (array->rank != 3 || out->heads < 1 || width % out->heads)
            return err_set(err, ERR_BAD_SHAPE,
                           "%s does not divide an input of rank %d", attribute,
                           array->rank);
        out->length = array->dims[1];
        out->width = width / out->heads;
        out->row_step = width;
        out->head_step = out->width;
    }
    out->batch_step = array->dims[0] ? array->count / array->dims[0] : 0;
    return 0;
}

static int attention_check(const KernelCall *call, const Attention *a, Err *err)
{
    const int64_t *batch[3] = {a->q.array->dims, a->k.array->dims,
                               a->v.array->dims};
    if (call->input_count > 4 || call->output_count > 1 ||
        node_int(call->node, "left_window_size", -1) >= 0 ||
        node_int(call->node, "right_window_size", -1) >= 0)
        return err_set(err, ERR_UNSUPPORTED_OPERATOR,
                       "a cache, a window or further outputs are not "
                       "supported");
    if (a->q.width != a->k.width || a->k.length != a->v.length ||
        a->k.heads != a->v.heads || a->k.heads < 1 || a->q.heads % a->k.heads ||
        batch[0][0] != batch[1][0] || batch[1][0] != batch[2][0] ||
        a->q.length > INT_MAX || a->k.length > INT_MAX)
        return err_set(err, ERR_BAD_SHAPE,
                       "queries, keys and values do not fit");
    const int64_t full[4] = {batch[0][0], a->q.heads, a->q.length, a->k.length};
    for (int i = 0; a->mask && i < a->mask->rank; i++) {
        int64_t size = a->mask->dims[i];
        int at = 4 - a->mask->rank + i;
        if (at < 0 || (size != full[at] && (size != 1 || at == 3)))
            return err_set(err, ERR_BAD_SHAPE,
                           "the mask does not spread over the scores");
    }
    return 0;
}

int kernel_attention(KernelCall *call, Err *err)
{
    Attention a = {.mask = kernel_input(call, 3),
                   .causal = node_int(call->node, "is_causal", 0) != 0};
    if (!kernel_output(call, 0))
        return 0;
    TRY(heads_of(call, call->inputs[0], "q_num_heads", &a.q, err));
    TRY(heads_of(call, call->inputs[1], "kv_num_heads", &a.k, err));
    TRY(heads_of(call, call->inputs[2], "kv_num_heads", &a.v, err));
    TRY(heads_of(call, kernel_output(call, 0), "q_num_heads", &a.y, err));
    TRY(attention_check(call, &a, err));
    a.mask_is_bool = a.mask && a.mask->type == DT_BOOL;
    a.scale = node_attr(call->node, "scale")
                  ? (double)node_float(call->node, "scale", 1.0f)
                  : 1 / sqrt((double)a.q.width);
    a.softcap = (double)node_float(call->node, "softcap", 0.0f);
    int workers = call->pool ? pool_threads(call->pool) : 1;
    bool wide = call->precision == PRECISION_F64;
    a.scores = arena_array(call->arena, (size_t)workers, sizeof *a.scores);
    for (int i = 0; i < workers; i++)
        a.scores[i] = arena_block(call->arena, (size_t)a.q.length,
                                  (size_t)a.k.length *
                                      (wide ? sizeof(double) : sizeof(float)));
    int64_t units = a.q.array->dims[0] * a.q.heads;
    if (a.y.array->count > 0)
        pool_run(call->pool, units, 1,
                 wide ? attention_piece_f64 : attention_piece_f32, &a);
    for (int i = 0; i < workers; i++)
        arena_release(call->arena, a.scores[i]);
    return 0;
}
