/* Resampling along one axis for one real type: see kern_resize.c. */

/* A line of `inner` elements for output element `line` of the axis. */
SIMD static void R(resample_line)(const Resample *r, int64_t line)
{
    const Taps *taps = r->taps;
    const REAL *in =
        (const REAL *)r->in + line / taps->out * taps->in * r->inner;
    REAL *out = (REAL *)r->out + line * r->inner;
    int64_t first = line % taps->out * taps->count, inner = r->inner;
    for (int64_t i = 0; i < inner; i++)
        out[i] = 0;
    for (int64_t t = first; t < first + taps->count; t++) {
        const REAL *from = in + taps->sources[t] * inner;
        const REAL weight = (REAL)taps->weights[t];
        LOOP for (int64_t i = 0; i < inner; i++)
        {
            out[i] += weight * from[i];
        }
    }
}

/* All output elements of the last axis, in a line of it. */
static void R(resample_row)(const Resample *r, int64_t row)
{
    const Taps *taps = r->taps;
    const REAL *in = (const REAL *)r->in + row * taps->in;
    REAL *out = (REAL *)r->out + row * taps->out;
    const int64_t *source = taps->sources;
    const double *weight = taps->weights;
    for (int64_t i = 0; i < taps->out; i++) {
        REAL sum = 0;
        for (int64_t t = 0; t < taps->count; t++)
            sum += (REAL)*weight++ * in[*source++];
        out[i] = sum;
    }
}
