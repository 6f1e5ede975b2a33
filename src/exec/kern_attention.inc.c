/* Attention for one real type: see kern_attention.c. */

SIMD static void R(cap)(const Attention *a, REAL *x)
{
    const REAL cap = (REAL)a->softcap;
    if (a->softcap > 0)
        LOOP for (int64_t j = 0; j < a->k.length; j++)
        {
            x[j] = cap * R(fast_tanh)(x[j] / cap);
        }
}

/* Hides what a query may not attend to; `mask` is where its row begins. */
static void R(hide)(const Attention *a, REAL *x, int64_t first, int64_t end,
                    int64_t mask)
{
    for (int64_t j = 0; j < a->k.length; j++) {
        if (j < first || j >= end)
            x[j] = (REAL)-INFINITY;
        else if (a->mask_is_bool && !((const int64_t *)a->mask->data)[mask + j])
            x[j] = (REAL)-INFINITY;
        else if (a->mask && !a->mask_is_bool)
            x[j] += ((const REAL *)a->mask->data)[mask + j];
    }
}

/* A row with nothing to attend to gives zeros; a NaN makes all of it NaN,
 * through the sum. */
SIMD static void R(softmax)(const Attention *a, REAL *x)
{
    const int64_t count = a->k.length;
    const REAL largest = R(largest_of)(x, count);
    const REAL most = largest == (REAL)-INFINITY ? 0 : largest;
    LOOP for (int64_t j = 0; j < count; j++)
    {
        x[j] = R(fast_exp)(x[j] - most);
    }
    double sum = R(sum_of)(x, count);
    const REAL inverse = sum != 0 ? (REAL)(1 / sum) : 0;
    LOOP for (int64_t j = 0; j < count; j++)
    {
        x[j] *= inverse;
    }
}

/* From the products of one query and all keys to its weights. */
static void R(weigh)(const Attention *a, REAL *x, int64_t batch, int64_t head,
                     int64_t row)
{
    int64_t first, end;
    int64_t mask = a->mask ? mask_index(a, batch, head, row) : 0;
    int64_t shown = ((batch * a->q.heads + head) * a->q.length + row);
    keys_of(a, batch, row, &first, &end);
    for (Stage stage = STAGE_PRODUCT; stage <= STAGE_SOFTMAX; stage++) {
        if (stage == STAGE_CAPPED)
            R(cap)(a, x);
        else if (stage == STAGE_MASKED)
            R(hide)(a, x, first, end, mask);
        else if (stage == STAGE_SOFTMAX)
            R(softmax)(a, x);
        if (a->shown && stage == a->stage)
            memcpy((REAL *)a->shown->data + shown * a->k.length, x,
                   (size_t)a->k.length * sizeof *x);
    }
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
    void *scratch = a->scratch[worker];
    REAL *scores = a->scores[worker];
    Gemm qk = a->qk, sv = a->sv;
    qk.c = scores;
    sv.a.data = scores;
    for (int64_t unit = begin; unit < end; unit++) {
        int64_t batch = unit / a->q.heads, head = unit % a->q.heads;
        int64_t shared = head / (a->q.heads / a->k.heads);
        qk.a.data = R(head_at)(&a->q, batch, head);
        qk.b.data = R(head_at)(&a->k, batch, shared);
        gemm_alone(&qk, worker, scratch);
        for (int64_t row = 0; row < a->q.length; row++)
            R(weigh)(a, scores + row * a->k.length, batch, head, row);
        sv.b.data = R(head_at)(&a->v, batch, shared);
        sv.c = (REAL *)a->y.array->data + batch * a->y.batch_step +
               head * a->y.head_step;
        gemm_alone(&sv, worker, scratch);
    }
}
