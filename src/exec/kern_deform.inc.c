/* DeformConv for one real type: see kern_deform.c. */

/* The samples of one tap at one row of positions: a row of `columns` for each
 * channel of an offset group. */
static void R(sample_tap)(const Deform *d, const MovedTap *tap, REAL *columns)
{
    const Window *w = &d->conv.window;
    int64_t count = d->channels / d->offset_groups, width = w->out[2];
    const REAL *in = (const REAL *)d->conv.in + tap->in;
    const REAL *down = (const REAL *)d->offset + tap->offset;
    const REAL *across = down + w->out_size;
    const REAL *mask = d->mask ? (const REAL *)d->mask + tap->mask : NULL;
    for (int64_t i = 0; i < width; i++) {
        Tap taps[PLANE_TAPS], y[2], x[2];
        axis_taps(tap->y + (double)down[i], w->in[1], y);
        axis_taps(tap->x + (double)(i * w->stride[2]) + (double)across[i],
                  w->in[2], x);
        taps_cross(y, x, w->in[2], taps);
        for (int64_t c = 0; c < count; c++) {
            const REAL *plane = in + c * w->in_size;
            REAL sum = 0;
            for (int t = 0; t < PLANE_TAPS; t++)
                sum += (REAL)taps[t].weight * plane[taps[t].offset];
            columns[c * w->kernel_size * width + i] =
                mask ? sum * mask[i] : sum;
        }
    }
}
