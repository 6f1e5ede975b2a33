/* ArgMax, ArgMin and CumSum for one type: see kern_select.c. SUM is what sums
 * are held in. */

static inline bool R(beats)(const Arg *arg, REAL value, REAL best)
{
    REAL low = arg->most ? best : value, high = arg->most ? value : best;
    return LESS(low, high) | (IS_NAN(value) & !IS_NAN(best));
}

/* The best of `width` columns of rows that are `step` apart, and in which row
 * it is. */
SIMD static void R(arg_rows)(const Arg *given, const REAL *x, int64_t rows,
                             int64_t step, int64_t width, REAL *best,
                             int64_t *index)
{
    const Arg arg = *given;
    for (int64_t k = 0; k < width; k++) {
        best[k] = x[k];
        index[k] = 0;
    }
    for (int64_t i = 1; i < rows; i++) {
        x += step;
        LOOP for (int64_t k = 0; k < width; k++)
        {
            bool better = R(beats)(&arg, x[k], best[k]);
            bool worse = R(beats)(&arg, best[k], x[k]);
            bool takes = better | (arg.last & !worse);
            best[k] = takes ? x[k] : best[k];
            index[k] = takes ? i : index[k];
        }
    }
}

/* The place of the better of two elements. */
static inline int64_t R(arg_of_two)(const Arg *arg, const REAL *x, int64_t a,
                                    int64_t b)
{
    if (R(beats)(arg, x[a], x[b]))
        return a;
    if (R(beats)(arg, x[b], x[a]))
        return b;
    return arg->last ? at_least(a, b) : at_most(a, b);
}

/* A line without gaps: row by row of it, then the best of the columns and of
 * what is left. */
static int64_t R(arg_line)(const Arg *arg, const REAL *x)
{
    REAL best[LINES];
    int64_t index[LINES], rows = arg->count / LINES, at = 0;
    if (rows > 0)
        R(arg_rows)(arg, x, rows, LINES, LINES, best, index);
    for (int64_t k = 0; rows > 0 && k < LINES; k++)
        at = R(arg_of_two)(arg, x, at, index[k] * LINES + k);
    for (int64_t i = rows * LINES; i < arg->count; i++)
        at = R(arg_of_two)(arg, x, at, i);
    return at;
}

/* `width` lines beside each other, from line `first` on. */
static void R(arg_lines)(const Arg *arg, int64_t first, int64_t width)
{
    const REAL *x = (const REAL *)arg->in +
                    first / arg->inner * arg->count * arg->inner +
                    first % arg->inner;
    REAL best[LINES];
    if (arg->inner == 1)
        arg->out[first] = R(arg_line)(arg, x);
    else
        R(arg_rows)(arg, x, arg->count, arg->inner, width, best,
                    arg->out + first);
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
