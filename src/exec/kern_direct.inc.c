/* Packing for one real type: see kern_direct.c. */

/* The channels of a panel, step by step; those that are not there are zeros. A
 * few input channels at a time, so that what is written stays in the cache. */
static void R(pack_panel)(const Layout *l, const Panel *panel,
                          const void *weight_, void *to_)
{
    enum { CHANNELS = 16 };
    const REAL *weight = weight_;
    REAL *to = to_;
    int64_t taps = l->height * l->width, wide = panel->vectors * l->set->lanes;
    if (panel->channels < wide)
        memset(to, 0, (size_t)(wide * l->steps) * sizeof *to);
    for (int64_t first = 0; first < l->channels; first += CHANNELS) {
        int64_t last = at_most(first + CHANNELS, l->channels);
        for (int64_t m = 0; m < panel->channels; m++) {
            const REAL *from =
                weight + (panel->channel + m) * l->steps + first * taps;
            int64_t step = step_of(l, first, 0);
            for (int64_t c = first; c < last; c++, step += l->width)
                for (int64_t r = 0; r < l->height; r++) {
                    int64_t down = r * l->channels * l->width;
                    REAL *at = to + (step + down) * wide + m;
                    for (int64_t t = 0; t < l->width; t++)
                        at[t * wide] = *from++;
                }
        }
    }
}
