/* Reductions for one type: see kern_reduce.c. SUM is what sums are held in. */

/* Takes in `count` rows, `step` apart, of `width` elements side by side, each
 * into a sum of its own. A width that a compiler knows is kept in registers.
 */
SIMD static void R(take_rows)(Reducing *r, const REAL *x, int64_t count,
                              int64_t step, int64_t width)
{
    SUM *sums = r->R(sums);
    const double *most = r->most;
#define ROWS(sums, width, expression)                                          \
    for (int64_t i = 0; i < count; i++) {                                      \
        const REAL *row = x + i * step;                                        \
        LOOP for (int64_t k = 0; k < width; k++)                               \
        {                                                                      \
            SUM v = (SUM)row[k], sum = sums[k];                                \
            sums[k] = expression;                                              \
        }                                                                      \
    }
#define EACH(expression)                                                       \
    if (width == LANES) {                                                      \
        SUM own[LANES];                                                        \
        memcpy(own, sums, sizeof own);                                         \
        ROWS(own, LANES, expression)                                           \
        memcpy(sums, own, sizeof own);                                         \
    } else {                                                                   \
        ROWS(sums, width, expression)                                          \
    }                                                                          \
    break
    switch (r->fold) {
    case FOLD_SUM:
        EACH(ADD(sum, v));
    case FOLD_ABSOLUTE:
        EACH(ADD(sum, v < 0 ? NEGATE(v) : v));
    case FOLD_SQUARE:
        EACH(ADD(sum, MULTIPLY(v, v)));
    case FOLD_PRODUCT:
        EACH(MULTIPLY(sum, v));
    case FOLD_MOST:
        EACH((LESS(sum, v) | IS_NAN(v)) ? v : sum);
    case FOLD_LEAST:
        EACH((LESS(v, sum) | IS_NAN(v)) ? v : sum);
    case FOLD_EXPONENTIAL:
        EACH(ADD(sum, (SUM)exp((double)v - most[k])));
    }
#undef EACH
#undef ROWS
}

/* A stretch of what is reduced. One without gaps goes into sums side by side
 * too, row by row of them. */
static void R(take_stretch)(void *context, int64_t position,
                            const int64_t *offsets, int64_t count)
{
    Reducing *r = context;
    const REAL *x = (const REAL *)r->in + r->origin + offsets[0];
    int64_t step = walk_step(&r->reduced, 0), rows = count / r->lanes;
    (void)position;
    if (!r->is_one) {
        R(take_rows)(r, x, count, step, r->lanes);
    } else if (r->fold == FOLD_SUM) {
        r->R(sums)[0] = ADD(r->R(sums)[0], R(sum_of)(x, count));
    } else {
        R(take_rows)(r, x, rows, r->lanes, r->lanes);
        R(take_rows)(r, x + rows * r->lanes, 1, 0, count - rows * r->lanes);
    }
}

static SUM R(join)(const Reducing *r, SUM sum, SUM v)
{
    switch (r->fold) {
    case FOLD_PRODUCT:
        return MULTIPLY(sum, v);
    case FOLD_MOST:
        return LESS(sum, v) || IS_NAN(v) ? v : sum;
    case FOLD_LEAST:
        return LESS(v, sum) || IS_NAN(v) ? v : sum;
    default:
        return ADD(sum, v);
    }
}

/* All that is reduced; where it is for one output, its sums are one in the
 * end. */
static void R(fold_all)(Reducing *r, Fold fold)
{
    SUM *sums = r->R(sums);
    SUM start = fold == FOLD_MOST    ? R(least)(r)
                : fold == FOLD_LEAST ? R(greatest)(r)
                                     : (SUM)(fold == FOLD_PRODUCT);
    r->fold = fold;
    for (int64_t k = 0; k < r->lanes; k++)
        sums[k] = start;
    walk_run(&r->reduced, 0, r->reduced_count, R(take_stretch), r);
    for (int64_t k = 1; r->is_one && k < r->lanes; k++)
        sums[0] = R(join)(r, sums[0], sums[k]);
}

/* Outputs that lie side by side, or one. */
static void R(reduce_outputs)(Reducing *r, int64_t position, int64_t count)
{
    REAL *out = (REAL *)r->out + position;
    if (r->op == OP_ReduceLogSumExp) {
        R(fold_all)(r, FOLD_MOST);
        for (int64_t k = 0; k < r->lanes; k++) {
            double most = (double)r->R(sums)[r->is_one ? 0 : k];
            r->most[k] = isinf(most) ? 0 : most;
        }
        R(fold_all)(r, FOLD_EXPONENTIAL);
    } else {
        R(fold_all)(r, fold_of(r->op));
    }
    for (int64_t k = 0; k < count; k++)
        out[k] = (REAL)R(finish)(r, r->R(sums)[k], r->most[k]);
}

/* A stretch of outputs whose elements start `step` apart. */
static void R(reduce_row)(void *context, int64_t position,
                          const int64_t *offsets, int64_t count)
{
    Reducing *r = context;
    int64_t step = walk_step(&r->kept, 0);
    for (int64_t i = 0, now; i < count; i += now) {
        now = r->is_one ? 1 : at_most(count - i, LINES);
        r->lanes = r->is_one ? clamp(r->reduced.length, 1, LANES) : now;
        r->origin = offsets[0] + i * step;
        R(reduce_outputs)(r, position + i, now);
    }
}
