/* MatMul and Gemm. */
#include <string.h>

#include "exec/gemm.h"
#include "exec/walk.h"

/* c = alpha * a * b, or that added to what c holds; rows x depth times depth x
 * columns, for each of a batch of matrices. */
typedef struct Product {
    Matrix a, b;
    void *c;
    int64_t rows, columns, depth;
    bool adds;
    double alpha;
    Walk batch; /* operands a and b, in matrices */
    Storage storage;
    DType type;
    size_t size; /* of an element */
    Gemm gemm;   /* of one matrix of reals */
    char *scratch;
    size_t scratch_size;
} Product;

/* b in panels. */
typedef struct MatMulPanels {
    Prepared prepared;
    void *data;
} MatMulPanels;

#include "exec/real_f32.h"

#include "exec/kern_matmul.inc.c"

#include "exec/real_f64.h"

#include "exec/kern_matmul.inc.c"

/* Row `row` of a product of integers; a and b begin at these elements. */
static void product_row_i64(const Product *p, int64_t a_first, int64_t b_first,
                            int64_t row, int64_t *c)
{
    const int64_t *a = (const int64_t *)p->a.data + a_first;
    const int64_t *b = (const int64_t *)p->b.data + b_first;
    for (int64_t j = 0; j < p->columns; j++) {
        uint64_t sum = 0;
        for (int64_t k = 0; k < p->depth; k++)
            sum += (uint64_t)a[row * p->a.row_step + k * p->a.column_step] *
                   (uint64_t)b[k * p->b.row_step + j * p->b.column_step];
        sum *= (uint64_t)(int64_t)p->alpha;
        sum += p->adds ? (uint64_t)c[j] : 0;
        c[j] = integer_wrap(p->type, (int64_t)sum);
    }
}

typedef struct BatchUnit {
    const Product *product;
    int worker;
    int64_t part; /* a tile, or of integers a row */
} BatchUnit;

static void batch_part(void *context, int64_t position, const int64_t *offsets,
                       int64_t count)
{
    const BatchUnit *unit = context;
    const Product *p = unit->product;
    int64_t a = offsets[0] * p->rows * p->depth;
    int64_t b = offsets[1] * p->depth * p->columns;
    int64_t c = position * p->rows * p->columns;
    (void)count; /* always one matrix */
    if (p->storage == STORAGE_I64) {
        c += unit->part * p->columns;
        product_row_i64(p, a, b, unit->part, (int64_t *)p->c + c);
        epilogue_run(p->gemm.epilogue, unit->worker, c, p->columns);
        return;
    }
    Gemm gemm = p->gemm;
    gemm.a.data = (const char *)p->a.data + (size_t)a * p->size;
    if (!gemm.b_packed)
        gemm.b.data = (const char *)p->b.data + (size_t)b * p->size;
    gemm.c = (char *)p->c + (size_t)c * p->size;
    gemm.c_first = c;
    gemm_tile(&gemm, unit->part, unit->worker,
              p->scratch + (size_t)unit->worker * p->scratch_size);
}

static void product_piece(void *context, int worker, int64_t begin, int64_t end)
{
    const Product *p = context;
    int64_t parts = p->storage == STORAGE_I64
                        ? p->rows
                        : p->gemm.row_count * p->gemm.column_count;
    for (int64_t i = begin; i < end; i++) {
        BatchUnit unit = {p, worker, i % parts};
        walk_run(&p->batch, i / parts, i / parts + 1, batch_part, &unit);
    }
}

static void *pack_right(const KernelCall *call, const GemmSet *set,
                        const Matrix *b, int64_t depth, int64_t columns)
{
    size_t size = set->is_f32 ? sizeof(float) : sizeof(double);
    void *panels =
        kernel_scratch(call, size, (size_t)gemm_packed_b(set, depth, columns));
    gemm_pack_b(call->pool, set, b, depth, columns, panels);
    return panels;
}

/* One right matrix for all rows is packed as a whole where many tiles would
 * each pack it. */
static void run_reals(KernelCall *call, Product *p, int64_t batch)
{
    enum { ROWS_MANY = 96 };
    const MatMulPanels *panels = (const MatMulPanels *)call->prepared;
    const GemmSet *set = gemm_set(call->precision, call->level);
    void *packed = NULL;
    if (panels)
        packed = panels->data;
    else if (batch == 1 && p->rows > ROWS_MANY)
        packed = pack_right(call, set, &p->b, p->depth, p->columns);
    p->gemm = (Gemm){.set = set,
                     .rows = p->rows,
                     .columns = p->columns,
                     .depth = p->depth,
                     .b_packed = packed,
                     .a = p->a,
                     .b = p->b,
                     .alpha = p->alpha,
                     .adds = p->adds,
                     .c_step = p->columns,
                     .epilogue = call->epilogue};
    gemm_plan(&p->gemm, batch, pool_threads(call->pool));
    p->scratch_size = p->gemm.scratch_size;
    p->scratch =
        kernel_scratch(call, (size_t)pool_threads(call->pool), p->scratch_size);
    pool_run(call->pool, batch * p->gemm.row_count * p->gemm.column_count, 1,
             product_piece, p);
}

static void run_product(KernelCall *call, Product *p)
{
    int64_t batch = dims_product(p->batch.dims, 0, p->batch.rank);
    if (p->rows == 0 || p->columns == 0)
        return;
    if (p->storage != STORAGE_I64) {
        run_reals(call, p, batch);
        return;
    }
    p->gemm.epilogue = call->epilogue;
    pool_run(call->pool, batch * p->rows,
             1 + GRAIN / (p->columns * (p->depth + 1)), product_piece, p);
}

static int misfit(const Array *a, const Array *b, Err *err)
{
    return err_set(err, ERR_BAD_SHAPE,
                   "the shapes of its inputs (rank %d and %d) do not fit",
                   a->rank, b->rank);
}

/* The axes before the matrix, broadcast; each operand counts matrices. */
static int make_batch(Product *p, const Array *a, const Array *b, Err *err)
{
    Array a_batch = *a, b_batch = *b;
    a_batch.rank = a->rank > 2 ? a->rank - 2 : 0;
    b_batch.rank = b->rank > 2 ? b->rank - 2 : 0;
    const Array *longer = a_batch.rank >= b_batch.rank ? &a_batch : &b_batch;
    const Array *shorter = longer == &a_batch ? &b_batch : &a_batch;
    int64_t dims[RANK_MAX];
    int shift = longer->rank - shorter->rank;
    for (int i = 0; i < longer->rank; i++)
        dims[i] = i >= shift && longer->dims[i] == 1 ? shorter->dims[i - shift]
                                                     : longer->dims[i];
    walk_init(&p->batch, longer->rank, dims);
    if (walk_broadcast(&p->batch, &a_batch) < 0 ||
        walk_broadcast(&p->batch, &b_batch) < 0)
        return misfit(a, b, err);
    walk_ready(&p->batch);
    return 0;
}

static Product product_new(const KernelCall *call)
{
    const Array *a = call->inputs[0];
    Storage storage = kernel_storage(call, a);
    return (Product){.c = call->outputs[0]->data,
                     .alpha = 1,
                     .storage = storage,
                     .type = a->type,
                     .size = storage_size(storage)};
}

/* MatMul, as numpy.matmul: a vector on the left is a row, on the right a
 * column. One matrix on the right serves all rows of the left at once. */
int kernel_matmul(KernelCall *call, Err *err)
{
    const Array *a = call->inputs[0], *b = call->inputs[1];
    Array matrix = *a;
    if (a->rank == 0 || b->rank == 0)
        return misfit(a, b, err);
    Product p = product_new(call);
    p.depth = a->dims[a->rank - 1];
    p.rows = a->rank > 1 ? a->dims[a->rank - 2] : 1;
    p.columns = b->rank > 1 ? b->dims[b->rank - 1] : 1;
    if (b->dims[b->rank > 1 ? b->rank - 2 : 0] != p.depth)
        return misfit(a, b, err);
    if (b->rank <= 2 && a->rank > 2) {
        p.rows = dims_product(a->dims, 0, a->rank - 1);
        matrix.rank = 2;
    }
    p.a = (Matrix){a->data, p.depth, 1};
    p.b = (Matrix){b->data, p.columns, 1};
    TRY(make_batch(&p, &matrix, b, err));
    run_product(call, &p);
    return 0;
}

/* The steps of C broadcast to (rows, columns). */
static int addend_steps(const Product *p, const Array *c, int64_t *row_step,
                        int64_t *column_step, Err *err)
{
    int64_t columns = c->rank > 0 ? c->dims[c->rank - 1] : 1;
    int64_t rows = c->rank > 1 ? c->dims[c->rank - 2] : 1;
    if (c->rank > 2 || (columns != 1 && columns != p->columns) ||
        (rows != 1 && rows != p->rows))
        return err_set(err, ERR_BAD_SHAPE,
                       "C does not broadcast to its output");
    *column_step = columns == 1 ? 0 : 1;
    *row_step = rows == 1 ? 0 : columns;
    return 0;
}

static int start_with(Product *p, const Array *c, double beta, Err *err)
{
    int64_t row_step = 0, column_step = 0;
    TRY(addend_steps(p, c, &row_step, &column_step, err));
    p->adds = true;
    if (p->storage == STORAGE_F32)
        start_with_f32(p, c, beta, row_step, column_step);
    else if (p->storage == STORAGE_F64)
        start_with_f64(p, c, beta, row_step, column_step);
    else
        for (int64_t i = 0; i < p->rows * p->columns; i++)
            ((int64_t *)p->c)[i] =
                (int64_t)beta *
                ((const int64_t *)c->data)[i / p->columns * row_step +
                                           i % p->columns * column_step];
    return 0;
}

/* As stored, or transposed. */
static Matrix matrix_of(const Array *array, bool transposed)
{
    int64_t step = array->dims[1];
    return transposed ? (Matrix){array->data, 1, step}
                      : (Matrix){array->data, step, 1};
}

/* Gemm: alpha * A' * B' + beta * C, where ' is a transpose on demand. */
int kernel_gemm(KernelCall *call, Err *err)
{
    const Array *a = call->inputs[0], *b = call->inputs[1];
    const Array *c = kernel_input(call, 2);
    if (a->rank != 2 || b->rank != 2)
        return misfit(a, b, err);
    bool a_transposed = node_int(call->node, "transA", 0) != 0;
    bool b_transposed = node_int(call->node, "transB", 0) != 0;
    Product p = product_new(call);
    p.alpha = (double)node_float(call->node, "alpha", 1);
    p.a = matrix_of(a, a_transposed);
    p.b = matrix_of(b, b_transposed);
    p.rows = a->dims[a_transposed ? 1 : 0];
    p.depth = a->dims[a_transposed ? 0 : 1];
    p.columns = b->dims[b_transposed ? 0 : 1];
    if (b->dims[b_transposed ? 1 : 0] != p.depth)
        return misfit(a, b, err);
    walk_init(&p.batch, 0, NULL);
    walk_add(&p.batch, (const int64_t[]){0});
    walk_add(&p.batch, (const int64_t[]){0});
    walk_ready(&p.batch);
    double beta = (double)node_float(call->node, "beta", 1);
    if (c && beta != 0) /* 0 times a NaN would be one */
        TRY(start_with(&p, c, beta, err));
    run_product(call, &p);
    return 0;
}

/* One matrix of reals on the right, a constant. */
int prepare_matmul(const KernelCall *call, Prepared **out, Err *err)
{
    const Array *b = kernel_input(call, 1);
    (void)err;
    if (!b || b->rank != 2 || kernel_storage(call, b) == STORAGE_I64)
        return 0;
    bool transposed =
        call->node->op == OP_Gemm && node_int(call->node, "transB", 0) != 0;
    Matrix matrix = matrix_of(b, transposed);
    MatMulPanels *panels = arena_alloc(call->arena, sizeof *panels);
    panels->prepared.replaced = 1 << 1;
    panels->data =
        pack_right(call, gemm_set(call->precision, call->level), &matrix,
                   b->dims[transposed ? 1 : 0], b->dims[transposed ? 0 : 1]);
    *out = &panels->prepared;
    return 0;
}
