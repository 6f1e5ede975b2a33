/* ArgMax, ArgMin and CumSum for one type: see kern_select.c. SUM is what sums
 * are held in. */

/* `width` lines beside each other, from line `first` on. */
SIMD static void R(arg_lines)(const Arg *arg, int64_t first, int64_t width)
{
    const REAL *x = (const REAL *)arg->in +
                    first / arg->inner * arg->count * arg->inner +
                    first % arg->inner;
    const bool most = arg->most, last = arg->last;
    int64_t *index = arg->out + first;
    REAL best[LINES];
    for (int64_t k = 0; k < width; k++) {
        best[k] = x[k];
        index[k] = 0;
    }
    for (int64_t i = 1; i < arg->count; i++) {
        x += arg->inner;
        LOOP for (int64_t k = 0; k < width; k++)
        {
            REAL low = most ? best[k] : x[k], high = most ? x[k] : best[k];
            bool better = LESS(low, high), worse = LESS(high, low);
            bool takes = better || (last && !worse);
            best[k] = takes ? x[k] : best[k];
            index[k] = takes ? i : index[k];
        }
    }
}

/* `width` running sums beside each other, of lines from `first` on. */
SIMD static void R(cumulate_lines)(const Cumulation *c, int64_t first,
                                   int64_t width)
{
    const int64_t inner = c->inner;
    int64_t at = first / inner * c->count * inner + first % inner;
    int64_t step = c->reverse ? -inner : inner;
    const bool exclusive = c->exclusive;
    SUM sums[LINES];
    for (int64_t k = 0; k < width; k++)
        sums[k] = 0;
    at += c->reverse ? (c->count - 1) * inner : 0;
    for (int64_t i = 0; i < c->count; i++, at += step) {
        const REAL *x = (const REAL *)c->in + at;
        REAL *y = (REAL *)c->out + at;
        LOOP for (int64_t k = 0; k < width; k++)
        {
            SUM before = sums[k], sum = before + (SUM)x[k];
            sums[k] = sum;
            y[k] = TAKEN(exclusive ? before : sum);
        }
    }
}
