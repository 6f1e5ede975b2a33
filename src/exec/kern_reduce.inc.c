/* Reductions for one type: see kern_reduce.c. SUM is what sums are held in. */

/* Takes in a stretch of elements. */
static void R(take_row)(void *context, int64_t position,
                        const int64_t *offsets, int64_t count)
{
    Reducing *r = context;
    const REAL *x = (const REAL *)r->in + r->origin + offsets[0];
    int64_t step = walk_step(&r->reduced, 0);
    SUM sum = r->R(sum);
    (void)position;
#define EACH(statement)                                                        \
    for (int64_t i = 0; i < count; i++) {                                      \
        SUM v = (SUM)x[i * step];                                              \
        statement;                                                             \
    }                                                                          \
    break
    switch (r->fold) {
    case FOLD_SUM:
        if (step == 1) {
            sum = ADD(sum, R(sum_of)(x, count));
            break;
        }
        EACH(sum = ADD(sum, v));
    case FOLD_ABSOLUTE:
        EACH(sum = ADD(sum, v < 0 ? NEGATE(v) : v));
    case FOLD_SQUARE:
        EACH(sum = ADD(sum, MULTIPLY(v, v)));
    case FOLD_PRODUCT:
        EACH(sum = MULTIPLY(sum, v));
    case FOLD_MOST:
        EACH(sum = LESS(sum, v) || v != v ? v : sum);
    case FOLD_LEAST:
        EACH(sum = LESS(v, sum) || v != v ? v : sum);
    case FOLD_EXPONENTIAL:
        EACH(sum = ADD(sum, (SUM)exp((double)v - r->most)));
    }
#undef EACH
    r->R(sum) = sum;
}

/* One element of the output. */
static void R(reduce_element)(Reducing *r, int64_t position)
{
    REAL *out = r->out;
    int64_t count = r->reduced_count;
    if (r->op == OP_ReduceLogSumExp) {
        r->fold = FOLD_MOST;
        r->R(sum) = R(least)(r);
        walk_run(&r->reduced, 0, count, R(take_row), r);
        r->most = (double)r->R(sum);
        r->most = isinf(r->most) ? 0 : r->most;
        r->fold = FOLD_EXPONENTIAL;
    }
    r->R(sum) = r->fold == FOLD_MOST    ? R(least)(r)
                : r->fold == FOLD_LEAST ? R(greatest)(r)
                                        : (SUM)(r->fold == FOLD_PRODUCT);
    walk_run(&r->reduced, 0, count, R(take_row), r);
    out[position] = (REAL)R(finish)(r, r->R(sum));
}

/* A stretch of outputs whose elements start `step` apart. */
static void R(reduce_row)(void *context, int64_t position,
                          const int64_t *offsets, int64_t count)
{
    Reducing *r = context;
    for (int64_t i = 0; i < count; i++) {
        r->origin = offsets[0] + i * walk_step(&r->kept, 0);
        R(reduce_element)(r, position + i);
    }
}
