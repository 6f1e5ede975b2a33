/* RoiAlign for one real type: see kern_region.c. */

/* Takes one sample of all channels into their results, which lie `step` apart.
 * A sample's maximum is that of its four weighted neighbours, as ONNX has it.
 */
static void R(take_sample)(const Pooling *p, const Tap *taps, const REAL *in,
                           bool is_first, REAL *out)
{
    for (int64_t channel = 0; channel < p->channels; channel++) {
        REAL part[PLANE_TAPS], *result = &out[channel * p->out_size];
        for (int t = 0; t < PLANE_TAPS; t++)
            part[t] = (REAL)taps[t].weight * in[taps[t].offset];
        if (p->is_max) {
            REAL most = is_first ? part[0] : *result;
            for (int t = 0; t < PLANE_TAPS; t++)
                most = part[t] > most ? part[t] : most;
            *result = most;
        } else {
            *result += (part[0] + part[1]) + (part[2] + part[3]);
        }
        in += p->in_size;
    }
}

/* All channels of one bin of one region. */
static void R(pool_bin)(const Pooling *p, const Region *region, int64_t bin,
                        REAL *out)
{
    const REAL *in =
        (const REAL *)p->in + region->image * p->channels * p->in_size;
    int64_t samples = region->grid[0] * region->grid[1];
    for (int64_t i = 0; i < p->channels; i++)
        out[i * p->out_size] = 0;
    for (int64_t i = 0; i < samples; i++) {
        Tap taps[PLANE_TAPS];
        sample_taps(p, region, bin, i, taps);
        R(take_sample)(p, taps, in, i == 0, out);
    }
    for (int64_t i = 0; !p->is_max && samples > 0 && i < p->channels; i++)
        out[i * p->out_size] /= (REAL)samples;
}
