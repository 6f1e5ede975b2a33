/* Attention for one real type: see kern_attention.c. */

/* Scale is in the product already: softcap, mask, causality, softmax. A row
 * with nothing to attend to gives zeros. */
static void R(scores_row)(const Attention *a, REAL *x, int64_t row,
                          int64_t mask)
{
    int64_t count = a->k.length;
    REAL most = -(REAL)INFINITY;
    double sum = 0;
    for (int64_t j = 0; j < count; j++) {
        if (a->softcap > 0)
            x[j] = (REAL)a->softcap * M(tanh)(x[j] / (REAL)a->softcap);
        if (a->mask && !a->mask_is_bool)
            x[j] += ((const REAL *)a->mask->data)[mask + j];
        bool hidden = a->causal && j > row;
        if (a->mask_is_bool)
            hidden |= !((const int64_t *)a->mask->data)[mask + j];
        x[j] = hidden ? (REAL)-INFINITY : x[j];
        most = x[j] > most || x[j] != x[j] ? x[j] : most;
    }
    if (most == (REAL)-INFINITY)
        most = 0;
    for (int64_t j = 0; j < count; j++) {
        x[j] = M(exp)(x[j] - most);
        sum += (double)x[j];
    }
    REAL inverse = sum != 0 ? (REAL)(1 / sum) : 0;
    for (int64_t j = 0; j < count; j++)
        x[j] *= inverse;
}

static const REAL *R(head_at)(const Heads *heads, int64_t batch, int64_t head)
{
    return (const REAL *)heads->array->data + batch * heads->batch_step +
           head * heads->head_step;
}

static void R(attention_piece)(void *context, int worker, int64_t begin,
                               int64_t end)
{
    const Attention *a = context;
    REAL *scores = a->scores[worker];
    int rows = (int)a->q.length, columns = (int)a->k.length;
    for (int64_t unit = begin; unit < end; unit++) {
        int64_t batch = unit / a->q.heads, head = unit % a->q.heads;
        int64_t shared = head / (a->q.heads / a->k.heads);
        REAL *y = (REAL *)a->y.array->data + batch * a->y.batch_step +
                  head * a->y.head_step;
        BLAS(gemm)(CblasRowMajor, CblasNoTrans, CblasTrans, rows, columns,
                   (int)a->q.width, (REAL)a->scale,
                   R(head_at)(&a->q, batch, head), (int)a->q.row_step,
                   R(head_at)(&a->k, batch, shared), (int)a->k.row_step, 0,
                   scores, columns);
        for (int64_t row = 0; row < rows; row++)
            R(scores_row)(a, scores + row * columns, row,
                          a->mask ? mask_index(a, batch, head, row) : 0);
        BLAS(gemm)(CblasRowMajor, CblasNoTrans, CblasNoTrans, rows,
                   (int)a->v.width, columns, 1, scores, columns,
                   R(head_at)(&a->v, batch, shared), (int)a->v.row_step, 0, y,
                   (int)a->y.row_step);
    }
}
