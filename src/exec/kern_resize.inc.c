/* Resampling along one axis for one real type: see kern_resize.c. */

static void R(resample_line)(const Resample *r, int64_t line)
{
    const Taps *taps = r->taps;
    const REAL *in =
        (const REAL *)r->in + line / taps->out * taps->in * r->inner;
    REAL *out = (REAL *)r->out + line * r->inner;
    int64_t first = line % taps->out * taps->count;
    for (int64_t i = 0; i < r->inner; i++)
        out[i] = 0;
    for (int64_t t = first; t < first + taps->count; t++) {
        const REAL *from = in + taps->sources[t] * r->inner;
        REAL weight = (REAL)taps->weights[t];
        for (int64_t i = 0; i < r->inner; i++)
            out[i] += weight * from[i];
    }
}
