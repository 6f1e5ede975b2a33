/* Packing for one real type: see gemm_pack.c. */

/* One panel of a: the numbers of one step of the depth beside each other. */
static void R(panel_a)(const Matrix *a, double alpha, const GemmBlock *block,
                       int64_t panel_rows, REAL *to)
{
    const REAL *from = (const REAL *)a->data + block->row * a->row_step +
                       block->column * a->column_step;
    REAL factor = (REAL)alpha;
    if (block->rows < panel_rows)
        memset(to, 0, (size_t)(panel_rows * block->columns) * sizeof *to);
    for (int64_t i = 0; i < block->rows; i++)
        for (int64_t k = 0; k < block->columns; k++)
            to[k * panel_rows + i] =
                factor * from[i * a->row_step + k * a->column_step];
}

/* Rows that are contiguous are copied; columns that are, a few at a time so
 * that what is written stays in the cache. */
static void R(block_b)(const Matrix *b, const GemmBlock *block, REAL *to,
                       int64_t to_step)
{
    enum { COLUMNS = 16 };
    const REAL *from = (const REAL *)b->data + block->row * b->row_step +
                       block->column * b->column_step;
    if (b->column_step == 1) {
        for (int64_t k = 0; k < block->rows; k++)
            memcpy(to + k * to_step, from + k * b->row_step,
                   (size_t)block->columns * sizeof *to);
        return;
    }
    for (int64_t first = 0; first < block->columns; first += COLUMNS) {
        int64_t last = first + COLUMNS < block->columns ? first + COLUMNS
                                                        : block->columns;
        for (int64_t k = 0; k < block->rows; k++)
            for (int64_t j = first; j < last; j++)
                to[k * to_step + j] =
                    from[k * b->row_step + j * b->column_step];
    }
}
