/* Matrix products for one real type: see kern_matmul.c. */

static void R(product)(const Product *p, const Block *block)
{
    const REAL *a = (const REAL *)p->a + block->a;
    const REAL *b = (const REAL *)p->b + block->b;
    REAL *c = (REAL *)p->c + block->c;
    BLAS(gemm)(CblasRowMajor, p->a_transposed ? CblasTrans : CblasNoTrans,
               p->b_transposed ? CblasTrans : CblasNoTrans, (int)block->rows,
               (int)block->columns, (int)p->depth, (REAL)p->alpha, a,
               (int)p->a_step, b, (int)p->b_step, p->adds ? 1 : 0, c,
               (int)p->columns);
}

/* c = beta * addend, of which steps of 0 repeat a row or a column. */
static void R(start_with)(const Product *p, const Array *addend, double beta,
                          int64_t row_step, int64_t column_step)
{
    const REAL *from = addend->data;
    REAL *to = p->c;
    for (int64_t i = 0; i < p->rows; i++)
        for (int64_t j = 0; j < p->columns; j++)
            to[i * p->columns + j] =
                (REAL)beta * from[i * row_step + j * column_step];
}
