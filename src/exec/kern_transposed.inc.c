/* ConvTranspose for one real type: see kern_transposed.c. */

/* One output channel: every product added where it falls. `products` is kernel
 * positions by input positions. */
static void R(fold_channel)(const Conv *conv, int64_t channel,
                            const REAL *products)
{
    const Window *w = &conv->window;
    const REAL *bias = conv->bias;
    REAL *out = (REAL *)conv->out + channel * w->out_size;
    REAL start = bias ? bias[channel % (conv->groups * conv->group_out)] : 0;
    for (int64_t i = 0; i < w->out_size; i++)
        out[i] = start;
    int64_t at[WINDOW_AXES];
    for (int64_t t = 0; t < w->kernel_size; t++)
        for (int64_t p = 0; p < w->in_size; p++)
            if (window_hits(w, t, p, at))
                out[(at[0] * w->out[1] + at[1]) * w->out[2] + at[2]] +=
                    products[t * w->in_size + p];
}
