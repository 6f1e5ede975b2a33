/* Col2Im for one real type: see kern_col2im.c. */

/* Adds all blocks of one channel of one image, tap by tap. */
static void R(add_blocks)(const Blocks *b, int64_t channel)
{
    const REAL *in =
        (const REAL *)b->in + channel * b->tap_count * b->block_count;
    REAL *out = (REAL *)b->out + channel * b->image_size;
    memset(out, 0, (size_t)b->image_size * sizeof *out);
    for (int64_t tap = 0; tap < b->tap_count; tap++)
        for (int64_t block = 0; block < b->block_count; block++) {
            int64_t at = image_index(b, tap, block);
            REAL x = in[tap * b->block_count + block];
            if (at >= 0)
                out[at] += x;
        }
}
