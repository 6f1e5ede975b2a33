/* GridSample for one real type: see kern_sample.c. */

/* All channels at one place of one image. */
static void R(sample_place)(const Sampling *s, int64_t place)
{
    const REAL *grid = (const REAL *)s->grid + place * s->spatial;
    int64_t image = place / s->places * s->channels;
    const REAL *in = (const REAL *)s->in + image * s->in_size;
    REAL *out = (REAL *)s->out + image * s->places + place % s->places;
    double at[RANK_MAX];
    Tap taps[TAPS_MAX];
    for (int i = 0; i < s->spatial; i++)
        at[i] = (double)grid[i];
    int count = place_taps(s, at, taps);
    for (int64_t channel = 0; channel < s->channels; channel++) {
        REAL sum = 0;
        for (int t = 0; t < count; t++)
            sum += (REAL)taps[t].weight * in[taps[t].offset];
        out[channel * s->places] = sum;
        in += s->in_size;
    }
}
