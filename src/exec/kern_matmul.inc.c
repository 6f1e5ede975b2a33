/* Matrix products for one real type: see kern_matmul.c. */

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
