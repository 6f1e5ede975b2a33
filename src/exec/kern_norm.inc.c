/* Normalisation for one real type: see kern_norm.c. Sums are in double. */

/* See AffineRow. */
SIMD static void R(scale_channels)(const void *in, const void *added, void *out,
                                   int64_t count, const Channels *channels,
                                   ChannelAt at)
{
    const REAL *x = in, *sum = added;
    REAL *y = out;
    int64_t channel = at.channel;
    for (int64_t i = 0, end = at.left; i < count; end += channels->inner) {
        const REAL mean = ((const REAL *)channels->mean)[channel];
        const REAL scale = ((const REAL *)channels->scale)[channel];
        const REAL bias = ((const REAL *)channels->bias)[channel];
        end = end < count ? end : count;
        if (sum)
            LOOP for (int64_t k = i; k < end; k++)
            {
                y[k] = sum[k] + ((x[k] - mean) * scale + bias);
            }
        else
            LOOP for (int64_t k = i; k < end; k++)
            {
                y[k] = (x[k] - mean) * scale + bias;
            }
        i = end;
        channel = channel + 1 == channels->count ? 0 : channel + 1;
    }
}

/* y = (x - mean) * inverse, times a scale and plus a bias, of which a step of
 * 0 repeats one. */
SIMD static void R(normalize)(const REAL *x, REAL *y, int64_t count,
                              double mean, double inverse, const REAL *scale,
                              const REAL *bias, int64_t step)
{
    if (step == 0) {
        const REAL factor = scale[0], shift = bias[0];
        LOOP for (int64_t i = 0; i < count; i++)
        {
            y[i] = (REAL)(((double)x[i] - mean) * inverse) * factor + shift;
        }
        return;
    }
    LOOP for (int64_t i = 0; i < count; i++)
    {
        y[i] = (REAL)(((double)x[i] - mean) * inverse) * scale[i] + bias[i];
    }
}

static void R(normal_block)(const Normal *normal, int64_t block)
{
    const REAL *x = (const REAL *)normal->in + block * normal->size;
    REAL *y = (REAL *)normal->out + block * normal->size;
    int64_t base = block % normal->modulus * normal->base_step;
    const REAL *scale = (const REAL *)normal->scale + base;
    const REAL *bias = (const REAL *)normal->bias + base;
    double n = (double)normal->size;
    double mean = normal->centers ? R(sum_of)(x, normal->size) / n : 0;
    double squares = R(squares_of)(x, normal->size, mean);
    double inverse = 1 / sqrt(squares / n + normal->epsilon);
    if (normal->per == 1)
        R(normalize)(x, y, normal->size, mean, inverse, scale, bias, 1);
    else
        for (int64_t at = 0; at < normal->size; at += normal->per)
            R(normalize)(x + at, y + at, normal->per, mean, inverse, scale++,
                         bias++, 0);
    if (normal->mean)
        ((REAL *)normal->mean)[block] = (REAL)mean;
    if (normal->inverse)
        ((REAL *)normal->inverse)[block] = (REAL)inverse;
}

/* Row by row of `width` lines that lie side by side, `step` apart along each:
 * the largest elements, of which a NaN need not be one. */
SIMD static void R(find_most)(const REAL *x, int64_t count, int64_t step,
                              int width, REAL *most)
{
    for (int k = 0; k < width; k++)
        most[k] = -(REAL)INFINITY;
    for (int64_t i = 0; i < count; i++) {
        const REAL *row = x + i * step;
        LOOP for (int k = 0; k < width; k++)
        {
            most[k] = row[k] > most[k] ? row[k] : most[k];
        }
    }
}

/* y = e^(x - most), and the sums of that; y NULL to have the sums alone. */
SIMD static void R(powers)(const REAL *x, REAL *y, int64_t count, int64_t step,
                           int width, const REAL *most, double *sums)
{
    REAL powers[LINES_MOST];
    for (int k = 0; k < width; k++)
        sums[k] = 0;
    for (int64_t i = 0; i < count; i++) {
        const REAL *row = x + i * step;
        REAL *to = y ? y + i * step : powers;
        LOOP for (int k = 0; k < width; k++)
        {
            to[k] = R(fast_exp)(row[k] - most[k]);
        }
        LOOP for (int k = 0; k < width; k++)
        {
            sums[k] += (double)to[k];
        }
    }
}

/* Softmax: exp(x - most) / sum; LogSoftmax: x - most - log(sum). A NaN makes
 * its whole line NaN, through the sum. */
SIMD static void R(softmax_lines)(const REAL *x, REAL *y, int64_t count,
                                  int64_t step, int width, bool logarithm)
{
    REAL most[LINES_MOST], other[LINES_MOST];
    double sums[LINES_MOST];
    R(find_most)(x, count, step, width, most);
    R(powers)(x, logarithm ? NULL : y, count, step, width, most, sums);
    for (int k = 0; k < width; k++)
        other[k] = (REAL)(logarithm ? log(sums[k]) : 1 / sums[k]);
    for (int64_t i = 0; i < count; i++) {
        const REAL *row = x + i * step;
        REAL *to = y + i * step;
        if (logarithm)
            LOOP for (int k = 0; k < width; k++)
            {
                to[k] = row[k] - most[k] - other[k];
            }
        else
            LOOP for (int k = 0; k < width; k++)
            {
                to[k] *= other[k];
            }
    }
}

/* One line without gaps; powers that are not the result, in parts. */
SIMD static void R(softmax_line)(const REAL *x, REAL *y, int64_t count,
                                 bool logarithm)
{
    REAL largest = R(largest_of)(x, count);
    double sum = 0;
    REAL powers[LINES_MOST];
    for (int64_t at = 0, now; at < count; at += now) {
        now = logarithm && count - at > LINES_MOST ? LINES_MOST : count - at;
        REAL *to = logarithm ? powers : y + at;
        LOOP for (int64_t i = 0; i < now; i++)
        {
            to[i] = R(fast_exp)(x[at + i] - largest);
        }
        sum += R(sum_of)(to, now);
    }
    REAL other = (REAL)(logarithm ? log(sum) : 1 / sum);
    LOOP for (int64_t i = 0; i < count; i++)
    {
        y[i] = logarithm ? x[i] - largest - other : y[i] * other;
    }
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

/* 1 for the first of the largest elements, 0 for all others. */
static void R(hard_line)(const REAL *x, REAL *y, int64_t count, int64_t step)
{
    int64_t most = 0;
    for (int64_t i = 0; i < count; i++) {
        most = x[i * step] > x[most * step] ? i : most;
        y[i * step] = 0;
    }
    y[most * step] = 1;
}

/* Up to LINES_MOST lines that lie side by side, from `line` on; returns how
 * many. */
static int64_t R(run_lines)(const Lines *lines, int64_t line, int64_t end)
{
    int64_t inner = lines->inner, width = inner - line % inner;
    int64_t at = line / inner * lines->count * inner + line % inner;
    const REAL *x = (const REAL *)lines->in + at;
    REAL *y = (REAL *)lines->out + at;
    bool logarithm = lines->op == OP_LogSoftmax;
    width = width < end - line ? width : end - line;
    width = width < LINES_MOST ? width : LINES_MOST;
    if (lines->op == OP_Hardmax)
        for (int k = 0; k < (int)width; k++)
            R(hard_line)(x + k, y + k, lines->count, inner);
    else if (lines->op == OP_LpNormalization)
        for (int64_t k = 0; k < width; k++)
            R(lp_line)(x + k, y + k, lines->count, inner, lines->p);
    else if (inner == 1)
        R(softmax_line)(x, y, lines->count, logarithm);
    else
        R(softmax_lines)(x, y, lines->count, inner, (int)width, logarithm);
    return width;
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
