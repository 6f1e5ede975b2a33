/*
 * Attention.
 *
 * ONNX Attention-25, for each head: scores S = scale Q K^T, capped to
 * c tanh(S / c), plus a mask; Y = softmax(S) V.  Several query heads may share
 * one head of keys and values.  Past keys and values go before the new ones.
 * Query i stands at place i + offset among the keys: the offset is the number
 * of past keys, or how many valid keys there are beyond the queries.
 */
#include <limits.h>
#include <math.h>
#include <string.h>

#include "exec/elementary.h"
#include "exec/gemm.h"
#include "exec/sums.h"

/* One operand: heads of matrices, wherever they lie. (batch, heads, length,
 * width), or with rank 3 (batch, length, heads * width). */
typedef struct Heads {
    const Array *array;
    int64_t heads, length, width;
    int64_t batch_step, head_step, row_step; /* in elements */
} Heads;

/* What output 3 shows, by qk_matmul_output_mode. */
typedef enum Stage {
    STAGE_PRODUCT,
    STAGE_CAPPED,
    STAGE_MASKED,
    STAGE_SOFTMAX
} Stage;

typedef struct Attention {
    Heads q, k, v, y;
    const Array *mask;
    const Array *valid; /* how many keys each batch has; NULL for all */
    bool mask_is_bool, causal;
    int64_t past, left, right; /* bounds of the window; -1 for none */
    double scale, softcap;
    Gemm qk, sv;              /* of one head */
    void **scratch, **scores; /* of each worker */
    const Array *shown;       /* output 3, or NULL */
    Stage stage;
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

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* The keys [first, end) that a query may attend to, were it not for a mask. A
 * mask that is shorter than the keys hides the rest. */
static void keys_of(const Attention *a, int64_t batch, int64_t row,
                    int64_t *first, int64_t *end)
{
    int64_t place = row + a->past;
    *end = a->k.length;
    if (a->valid) {
        int64_t count = ((const int64_t *)a->valid->data)[batch];
        *end = count < 0 ? 0 : smaller(count, *end);
        place = row + *end - a->q.length;
    }
    if (a->mask && a->mask->rank > 0)
        *end = smaller(*end, a->mask->dims[a->mask->rank - 1]);
    if (a->causal)
        *end = smaller(*end, place + 1);
    if (a->right >= 0)
        *end = smaller(*end, place + a->right + 1);
    *first = a->left >= 0 && place > a->left ? place - a->left : 0;
}

#include "exec/real_f32.h"

#include "exec/kern_attention.inc.c"

#include "exec/real_f64.h"

#include "exec/kern_attention.inc.c"

/* ---- Operands ---- */

static void heads_of_four(const Array *array, Heads *out)
{
    *out = (Heads){.array = array,
                   .heads = array->dims[1],
                   .length = array->dims[2],
                   .width = array->dims[3],
                   .row_step = array->dims[3],
                   .head_step = array->dims[2] * array->dims[3]};
    out->batch_step = out->heads * out->head_step;
}

static int heads_of(const KernelCall *call, const Array *array,
                    const char *attribute, Heads *out, Err *err)
{
    if (array->rank == 4) {
        heads_of_four(array, out);
        return 0;
    }
    int64_t heads = node_int(call->node, attribute, 0);
    if (array->rank != 3 || heads < 1 || array->dims[2] % heads)
        return err_set(err, ERR_BAD_SHAPE,
                       "%s does not divide an input of rank %d", attribute,
                       array->rank);
    *out = (Heads){.array = array,
                   .heads = heads,
                   .length = array->dims[1],
                   .width = array->dims[2] / heads,
                   .row_step = array->dims[2]};
    out->head_step = out->width;
    out->batch_step = out->length * out->row_step;
    return 0;
}

static int bad_cache(Err *err)
{
    return err_set(err, ERR_BAD_SHAPE,
                   "the cache does not fit the keys and values");
}

/* Copies rows into a wider tensor, from row `start` of each head on. */
static void copy_rows(const KernelCall *call, const Heads *from,
                      const Heads *to, int64_t start)
{
    size_t size = storage_size(kernel_storage(call, to->array));
    for (int64_t b = 0; b < to->array->dims[0]; b++)
        for (int64_t h = 0; h < to->heads; h++)
            for (int64_t row = 0; row < from->length; row++) {
                int64_t source = b * from->batch_step + h * from->head_step +
                                 row * from->row_step;
                int64_t target = b * to->batch_step + h * to->head_step +
                                 (start + row) * to->row_step;
                memcpy((char *)to->array->data + (size_t)target * size,
                       (const char *)from->array->data + (size_t)source * size,
                       (size_t)from->width * size);
            }
}

/* Puts the past before what is new, in output `slot` where that is wanted. */
static int join_past(const KernelCall *call, const Array *past, int slot,
                     Heads *heads, Err *err)
{
    const Array *present = kernel_output(call, slot);
    Heads before = {0}, whole;
    if (!past && !present)
        return 0;
    if (past) {
        if (past->rank != 4)
            return bad_cache(err);
        heads_of_four(past, &before);
        if (past->dims[0] != heads->array->dims[0] ||
            before.heads != heads->heads || before.width != heads->width)
            return bad_cache(err);
    }
    const int64_t dims[4] = {heads->array->dims[0], heads->heads,
                             before.length + heads->length, heads->width};
    if (!present)
        present = array_new(call->arena, heads->array->type, 4, dims,
                            call->precision);
    heads_of_four(present, &whole);
    if (past)
        copy_rows(call, &before, &whole, 0);
    copy_rows(call, heads, &whole, before.length);
    *heads = whole;
    return 0;
}

/* ---- Checks ---- */

static int check_mask(const Attention *a, Err *err)
{
    const int64_t full[4] = {a->q.array->dims[0], a->q.heads, a->q.length,
                             a->k.length};
    if (!a->mask)
        return 0;
    if (!a->mask_is_bool && !dtype_is_real(a->mask->type))
        return err_set(err, ERR_UNSUPPORTED_TYPE,
                       "a mask of type %s is not supported",
                       dtype_name(a->mask->type));
    for (int i = 0; i < a->mask->rank; i++) {
        int64_t size = a->mask->dims[i];
        int at = 4 - a->mask->rank + i;
        bool fits = at == 3 ? size <= full[3] : size == 1;
        if (at < 0 || (size != full[at] && !fits))
            return err_set(err, ERR_BAD_SHAPE,
                           "the mask does not spread over the scores");
    }
    return 0;
}

static int attention_check(const Attention *a, Err *err)
{
    int64_t batch = a->q.array->dims[0];
    if (a->q.width != a->k.width || a->k.length != a->v.length ||
        a->k.heads != a->v.heads || a->k.heads < 1 || a->q.heads % a->k.heads ||
        batch != a->k.array->dims[0] || batch != a->v.array->dims[0] ||
        a->q.length > INT_MAX || a->k.length > INT_MAX)
        return err_set(err, ERR_BAD_SHAPE,
                       "queries, keys and values do not fit");
    if (a->valid && (a->valid->rank != 1 || a->valid->dims[0] != batch))
        return err_set(err, ERR_BAD_SHAPE,
                       "nonpad_kv_seqlen is not a number for each batch");
    return check_mask(a, err);
}

/* A bound of the window; beyond any length there is none. */
static int64_t window_bound(const KernelCall *call, const char *name)
{
    int64_t bound = node_int(call->node, name, -1);
    return bound > INT_MAX ? -1 : bound;
}

static int read_operands(const KernelCall *call, Attention *a, Err *err)
{
    const Array *key = kernel_input(call, 4), *value = kernel_input(call, 5);
    TRY(heads_of(call, call->inputs[0], "q_num_heads", &a->q, err));
    TRY(heads_of(call, call->inputs[1], "kv_num_heads", &a->k, err));
    TRY(heads_of(call, call->inputs[2], "kv_num_heads", &a->v, err));
    TRY(heads_of(call, kernel_output(call, 0), "q_num_heads", &a->y, err));
    a->valid = kernel_input(call, 6);
    if (!key != !value || (key && a->valid))
        return bad_cache(err);
    int64_t before = a->k.length;
    TRY(join_past(call, key, 1, &a->k, err));
    TRY(join_past(call, value, 2, &a->v, err));
    a->past = a->k.length - before;
    return attention_check(a, err);
}

static int read_stage(const KernelCall *call, Attention *a, Err *err)
{
    int64_t mode = node_int(call->node, "qk_matmul_output_mode", 0);
    if (mode < STAGE_PRODUCT || mode > STAGE_SOFTMAX)
        return err_set(err, ERR_BAD_ATTRIBUTE,
                       "qk_matmul_output_mode is %lld, not 0 to 3",
                       (long long)mode);
    a->stage = (Stage)mode;
    a->shown = kernel_output(call, 3);
    return 0;
}

static void plan_products(const KernelCall *call, Attention *a)
{
    const GemmSet *set = gemm_set(call->precision, call->level);
    int64_t queries = a->q.length, keys = a->k.length;
    a->qk = (Gemm){.set = set,
                   .rows = queries,
                   .columns = keys,
                   .depth = a->q.width,
                   .a = {NULL, a->q.row_step, 1},
                   .b = {NULL, 1, a->k.row_step},
                   .alpha = a->scale,
                   .c_step = keys};
    a->sv = (Gemm){.set = set,
                   .rows = queries,
                   .columns = a->v.width,
                   .depth = keys,
                   .a = {NULL, keys, 1},
                   .b = {NULL, a->v.row_step, 1},
                   .alpha = 1,
                   .c_step = a->y.row_step};
    gemm_plan(&a->qk, 1, 1);
    gemm_plan(&a->sv, 1, 1);
}

/* For each worker: of the products, and a matrix of scores. */
static void make_scratch(const KernelCall *call, Attention *a)
{
    size_t workers = (size_t)pool_threads(call->pool);
    size_t size = storage_size(kernel_storage(call, a->q.array));
    a->scratch = arena_array(call->arena, workers, sizeof *a->scratch);
    a->scores = arena_array(call->arena, workers, sizeof *a->scores);
    for (size_t i = 0; i < workers; i++) {
        a->scratch[i] = arena_block(call->arena, 1,
                                    a->qk.scratch_size > a->sv.scratch_size
                                        ? a->qk.scratch_size
                                        : a->sv.scratch_size);
        a->scores[i] = arena_block(call->arena, (size_t)a->q.length,
                                   (size_t)a->k.length * size);
    }
}

int kernel_attention(KernelCall *call, Err *err)
{
    Attention a = {.mask = kernel_input(call, 3),
                   .causal = node_int(call->node, "is_causal", 0) != 0,
                   .left = window_bound(call, "left_window_size"),
                   .right = window_bound(call, "right_window_size")};
    a.mask_is_bool = a.mask && a.mask->type == DT_BOOL;
    TRY(read_operands(call, &a, err));
    TRY(read_stage(call, &a, err));
    a.scale = node_attr(call->node, "scale")
                  ? (double)node_float(call->node, "scale", 1.0f)
                  : 1 / sqrt((double)a.q.width);
    a.softcap = (double)node_float(call->node, "softcap", 0.0f);
    bool wide = call->precision == PRECISION_F64;
    plan_products(call, &a);
    make_scratch(call, &a);
    pool_run(call->pool, a.q.array->dims[0] * a.q.heads, 1,
             wide ? attention_piece_f64 : attention_piece_f32, &a);
    for (int i = 0; i < pool_threads(call->pool); i++) {
        arena_release(a.scratch[i]);
        arena_release(a.scores[i]);
    }
    return 0;
}
