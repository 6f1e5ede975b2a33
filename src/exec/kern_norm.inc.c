/* Normalisation for one real type: see kern_norm.c. Sums are in double. */

SIMD static void R(scale_plane)(const void *in, void *out, int64_t count,
                                const Channels *numbers, int64_t channel)
{
    const REAL *x = in;
    REAL *y = out;
    const REAL mean = ((const REAL *)numbers->mean)[channel];
    const REAL scale = ((const REAL *)numbers->scale)[channel];
    const REAL bias = ((const REAL *)numbers->bias)[channel];
    LOOP for (int64_t i = 0; i < count; i++)
    {
        y[i] = (x[i] - mean) * scale + bias;
    }
}

/* Adds up x - center and its square. */
static void R(moments)(const REAL *x, int64_t count, double center,
                       double *sum, double *squares)
{
    for (int64_t i = 0; i < count; i++) {
        double off = (double)x[i] - center;
        *sum += off;
        *squares += off * off;
    }
}

static void R(normal_block)(const Normal *normal, int64_t block)
{
    const REAL *x = (const REAL *)normal->in + block * normal->size;
    REAL *y = (REAL *)normal->out + block * normal->size;
    const REAL *scale = normal->scale, *bias = normal->bias;
    int64_t base = block % normal->modulus * normal->base_step;
    double n = (double)normal->size, mean = 0, rest = 0, squares = 0;
    if (normal->centers) {
        R(moments)(x, normal->size, 0, &mean, &squares);
        mean /= n;
        squares = 0;
    }
    R(moments)(x, normal->size, mean, &rest, &squares);
    double inverse = 1 / sqrt(squares / n + normal->epsilon);
    for (int64_t i = 0; i < normal->size; i++) {
        int64_t at = base + i / normal->per;
        REAL value = (REAL)(((double)x[i] - mean) * inverse) * scale[at];
        y[i] = bias ? value + bias[at] : value;
    }
    if (normal->mean)
        ((REAL *)normal->mean)[block] = (REAL)mean;
    if (normal->inverse)
        ((REAL *)normal->inverse)[block] = (REAL)inverse;
}

/* y = e^(x - most) */
SIMD static void R(powers)(const REAL *x, REAL *y, int64_t count, int64_t step,
                           REAL most)
{
    if (step == 1) {
        LOOP for (int64_t i = 0; i < count; i++)
        {
            y[i] = R(fast_exp)(x[i] - most);
        }
        return;
    }
    for (int64_t i = 0; i < count; i++)
        y[i * step] = R(fast_exp)(x[i * step] - most);
}

/* exp(x - most) / sum, or x - most - log(sum), along a line. */
static void R(softmax_line)(const REAL *x, REAL *y, int64_t count,
                            int64_t step, bool logarithm)
{
    REAL most = -(REAL)INFINITY;
    for (int64_t i = 0; i < count; i++)
        if (x[i * step] > most || x[i * step] != x[i * step])
            most = x[i * step];
    double sum = 0;
    if (!logarithm)
        R(powers)(x, y, count, step, most);
    for (int64_t i = 0; i < count; i++)
        sum += (double)(logarithm ? M(exp)(x[i * step] - most) : y[i * step]);
    REAL log_sum = (REAL)log(sum), inverse = (REAL)(1 / sum);
    for (int64_t i = 0; i < count; i++)
        y[i * step] = logarithm ? x[i * step] - most - log_sum
                                : y[i * step] * inverse;
}

/* x / norm, where a norm of zero leaves zeros. */
static void R(lp_line)(const REAL *x, REAL *y, int64_t count, int64_t step,
                       int64_t p)
{
    double sum = 0;
    for (int64_t i = 0; i < count; i++) {
        double value = (double)x[i * step];
        sum += p == 1 ? fabs(value) : value * value;
    }
    double norm = p == 1 ? sum : sqrt(sum);
    for (int64_t i = 0; i < count; i++)
        y[i * step] = norm == 0 ? 0 : (REAL)((double)x[i * step] / norm);
}

static void R(run_line)(const Lines *lines, int64_t line)
{
    int64_t at = line / lines->inner * lines->count * lines->inner +
                 line % lines->inner;
    const REAL *x = (const REAL *)lines->in + at;
    REAL *y = (REAL *)lines->out + at;
    if (lines->op == OP_LpNormalization)
        R(lp_line)(x, y, lines->count, lines->inner, lines->p);
    else
        R(softmax_line)(x, y, lines->count, lines->inner,
                        lines->op == OP_LogSoftmax);
}

/* LRN of one image and channel: y = x / (bias + alpha / size * sum of squares
 * of neighbouring channels) ^ beta. */
static void R(respond)(const Response *r, int64_t plane)
{
    const REAL *x = r->in;
    int64_t channel = plane % r->channels;
    int64_t first = channel - (r->size - 1) / 2;
    int64_t last = channel + r->size / 2;
    if (first < 0)
        first = 0;
    if (last >= r->channels)
        last = r->channels - 1;
    for (int64_t i = 0; i < r->inner; i++) {
        double sum = 0;
        for (int64_t c = first; c <= last; c++) {
            double value = (double)x[(plane - channel + c) * r->inner + i];
            sum += value * value;
        }
        double base = r->bias + r->alpha / (double)r->size * sum;
        int64_t at = plane * r->inner + i;
        ((REAL *)r->out)[at] = (REAL)((double)x[at] / pow(base, r->beta));
    }
}
