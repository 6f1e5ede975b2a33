/* MatMul and Gemm. */
#include <cblas.h>
#include <limits.h>
#include <string.h>

#include "exec/kernel.h"
#include "exec/walk.h"

/* c = alpha * a * b, or that added to what c holds; rows x depth times depth x
 * columns, for each of a batch of matrices. */
typedef struct Product {
    const void *a, *b;
    void *c;
    int64_t rows, columns, depth;
    int64_t a_step, b_step; /* from row to row, as stored */
    bool a_transposed, b_transposed, adds;
    double alpha;
    Walk batch; /* operands a and b, in matrices */
    int64_t row_size, row_count, column_size, column_count; /* of blocks */
    Storage storage;
    DType type;
    const Epilogue *epilogue;
} Product;

/* A part of one product: where it begins in elements, and its size. */
typedef struct Block {
    int64_t a, b, c, rows, columns;
} Block;

#include "exec/real_f32.h"

#include "exec/kern_matmul.inc.c"

#include "exec/real_f64.h"

#include "exec/kern_matmul.inc.c"

/* Integers have no BLAS. */
static void product_i64(const Product *p, const Block *block)
{
    const int64_t *a = (const int64_t *)p->a + block->a;
    const int64_t *b = (const int64_t *)p->b + block->b;
    int64_t *c = (int64_t *)p->c + block->c;
    for (int64_t i = 0; i < block->rows; i++)
        for (int64_t j = 0; j < block->columns; j++) {
            int64_t *to = &c[i * p->columns + j];
            uint64_t sum = 0;
            for (int64_t k = 0; k < p->depth; k++)
                sum += (uint64_t)a[p->a_transposed ? k * p->a_step + i
                                                   : i * p->a_step + k] *
                       (uint64_t)b[p->b_transposed ? j * p->b_step + k
                                                   : k * p->b_step + j];
            sum *= (uint64_t)(int64_t)p->alpha;
            sum += p->adds ? (uint64_t)*to : 0;
            *to = integer_wrap(p->type, (int64_t)sum);
        }
}

static void run_block(const Product *p, const Block *block)
{
    if (p->storage == STORAGE_F32)
        product_f32(p, block);
    else if (p->storage == STORAGE_F64)
        product_f64(p, block);
    else
        product_i64(p, block);
}

typedef struct BatchUnit {
    const Product *product;
    int worker;
    int64_t block; /* which block of the matrix */
} BatchUnit;

static void batch_row(void *context, int64_t position, const int64_t *offsets,
                      int64_t count)
{
    const BatchUnit *unit = context;
    const Product *p = unit->product;
    int64_t row = unit->block / p->column_count * p->row_size;
    int64_t column = unit->block % p->column_count * p->column_size;
    Block block = {.rows = p->rows - row, .columns = p->columns - column};
    (void)count; /* always one matrix */
    if (block.rows > p->row_size)
        block.rows = p->row_size;
    if (block.columns > p->column_size)
        block.columns = p->column_size;
    block.a = offsets[0] * p->rows * p->depth +
              row * (p->a_transposed ? 1 : p->a_step);
    block.b = offsets[1] * p->depth * p->columns +
              column * (p->b_transposed ? p->b_step : 1);
    block.c = (position * p->rows + row) * p->columns + column;
    run_block(p, &block);
    for (int64_t i = 0; i < block.rows; i++)
        epilogue_run(p->epilogue, unit->worker, block.c + i * p->columns,
                     block.columns);
}

static void product_piece(void *context, int worker, int64_t begin, int64_t end)
{
    const Product *p = context;
    int64_t blocks = p->row_count * p->column_count;
    for (int64_t i = begin; i < end; i++) {
        BatchUnit unit = {.product = p, .worker = worker, .block = i % blocks};
        walk_run(&p->batch, i / blocks, i / blocks + 1, batch_row, &unit);
    }
}

static int64_t divide_up(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

/* Blocks depend on the shape alone: about BLOCKS of them in all, but none so
 * small that packing it would cost more than the product. */
static void choose_blocks(Product *p, int64_t batch)
{
    enum { BLOCKS = 8, LEAST = 48 };
    int64_t wanted = divide_up(BLOCKS, batch);
    p->row_size = p->rows;
    p->column_size = p->columns;
    if (p->rows >= p->columns)
        p->row_size = divide_up(p->rows, wanted);
    else
        p->column_size = divide_up(p->columns, wanted);
    if (p->row_size < LEAST)
        p->row_size = p->rows < LEAST ? p->rows : LEAST;
    if (p->column_size < LEAST)
        p->column_size = p->columns < LEAST ? p->columns : LEAST;
    p->row_count = divide_up(p->rows, p->row_size);
    p->column_count = divide_up(p->columns, p->column_size);
}

static int run_product(KernelCall *call, Product *p, Err *err)
{
    if (p->rows > INT_MAX || p->columns > INT_MAX || p->depth > INT_MAX)
        return err_set(err, ERR_BAD_SHAPE, "it is too large to compute");
    if (p->rows == 0 || p->columns == 0)
        return 0;
    p->epilogue = call->epilogue;
    int64_t batch = dims_product(p->batch.dims, 0, p->batch.rank);
    choose_blocks(p, batch);
    pool_run(call->pool, batch * p->row_count * p->column_count, 1,
             product_piece, p);
    return 0;
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

/* MatMul, as numpy.matmul: a vector on the left is a row, on the right a
 * column. One matrix on the right serves all rows of the left at once. */
int kernel_matmul(KernelCall *call, Err *err)
{
    const Array *a = call->inputs[0], *b = call->inputs[1];
    Array matrix = *a;
    if (a->rank == 0 || b->rank == 0)
        return misfit(a, b, err);
    Product p = {.a = a->data,
                 .b = b->data,
                 .c = call->outputs[0]->data,
                 .alpha = 1,
                 .storage = kernel_storage(call, a),
                 .type = a->type};
    p.depth = a->dims[a->rank - 1];
    p.rows = a->rank > 1 ? a->dims[a->rank - 2] : 1;
    p.columns = b->rank > 1 ? b->dims[b->rank - 1] : 1;
    if (b->dims[b->rank > 1 ? b->rank - 2 : 0] != p.depth)
        return misfit(a, b, err);
    if (b->rank <= 2 && a->rank > 2) {
        p.rows = dims_product(a->dims, 0, a->rank - 1);
        matrix.rank = 2;
    }
    p.a_step = p.depth > 0 ? p.depth : 1;
    p.b_step = p.columns > 0 ? p.columns : 1;
    TRY(make_batch(&p, &matrix, b, err));
    return run_product(call, &p, err);
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

/* Gemm: alpha * A' * B' + beta * C, where ' is a transpose on demand. */
int kernel_gemm(KernelCall *call, Err *err)
{
    const Array *a = call->inputs[0], *b = call->inputs[1];
    const Array *c = kernel_input(call, 2);
    if (a->rank != 2 || b->rank != 2)
        return misfit(a, b, err);
    Product p = {.a = a->data,
                 .b = b->data,
                 .c = call->outputs[0]->data,
                 .a_transposed = node_int(call->node, "transA", 0) != 0,
                 .b_transposed = node_int(call->node, "transB", 0) != 0,
                 .a_step = a->dims[1] > 0 ? a->dims[1] : 1,
                 .b_step = b->dims[1] > 0 ? b->dims[1] : 1,
                 .alpha = (double)node_float(call->node, "alpha", 1),
                 .storage = kernel_storage(call, a),
                 .type = a->type};
    p.rows = a->dims[p.a_transposed ? 1 : 0];
    p.depth = a->dims[p.a_transposed ? 0 : 1];
    p.columns = b->dims[p.b_transposed ? 0 : 1];
    if (b->dims[p.b_transposed ? 1 : 0] != p.depth)
        return misfit(a, b, err);
    walk_init(&p.batch, 0, NULL);
    walk_add(&p.batch, (const int64_t[]){0});
    walk_add(&p.batch, (const int64_t[]){0});
    walk_ready(&p.batch);
    if (c)
        TRY(start_with(&p, c, (double)node_float(call->node, "beta", 1), err));
    return run_product(call, &p, err);
}
