/* Quantization for one real type: see kern_quantize.c. */

/* Elements that have the scales of one row, which is one scale or (step 1) one
 * for each. */
static void R(quantize_row)(const Quantization *q, const Row *row)
{
    const REAL *scale = (const REAL *)q->scale + row->scale;
    const int64_t *zero = q->zero ? q->zero + row->scale : NULL;
    const REAL *reals = (const REAL *)q->in + row->first;
    const int64_t *integers = (const int64_t *)q->in + row->first;
    int64_t *out = (int64_t *)q->out + row->first;
    for (int64_t i = 0; i < row->count; i++) {
        REAL x = q->in_is_real ? reals[i] : (REAL)integers[i];
        out[i] = saturate((double)M(rint)(x / scale[i * q->step]),
                          zero ? zero[i * q->step] : 0, q->range);
    }
}

static void R(dequantize_row)(const Quantization *q, const Row *row)
{
    const REAL *scale = (const REAL *)q->scale + row->scale;
    const int64_t *zero = q->zero ? q->zero + row->scale : NULL;
    const int64_t *in = (const int64_t *)q->in + row->first;
    REAL *out = (REAL *)q->out + row->first;
    for (int64_t i = 0; i < row->count; i++)
        out[i] = (REAL)(in[i] - (zero ? zero[i * q->step] : 0)) *
                 scale[i * q->step];
}

/* The scale takes the input's range, widened to hold 0, to that of the output;
 * the zero point is where 0 comes to lie. */
static void R(choose_scale)(const Array *in, IntegerRange range, REAL *scale,
                            int64_t *zero)
{
    const REAL *x = in->data;
    REAL low = 0, high = 0;
    for (int64_t i = 0; i < in->count; i++) {
        low = x[i] < low ? x[i] : low;
        high = x[i] > high ? x[i] : high;
    }
    REAL width = high > low ? high - low : 1;
    *scale = width / (REAL)(range.most - range.least);
    *zero = saturate((double)M(rint)(-low / *scale), range.least, range);
}
