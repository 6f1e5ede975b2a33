/* Products of quantized numbers for one real type: see kern_integer.c. */

/* What a sum counts times the scales of its factors over that of the output,
 * rounded to the output's integers. */
static int64_t R(requantize)(const Requantization *q, int64_t at)
{
    REAL scale[3];
    for (int i = 0; i < 3; i++)
        scale[i] = ((const REAL *)q->scales[i].array->data)[index_of(
            &q->scales[i], at)];
    double sum = q->sums[at];
    if (q->bias.array)
        sum += (double)element(&q->bias, at);
    return saturate(
        (double)M(rint)((REAL)sum * (scale[0] * scale[1] / scale[2])),
        element(&q->zero, at), q->range);
}
