/* Recurrent layers for one real type: see kern_recurrent.c. */

static void R(affine)(const void *in, void *out, int64_t count,
                      const MapNumbers *numbers)
{
    const REAL *x = in;
    REAL *y = out, alpha = (REAL)numbers->alpha, beta = (REAL)numbers->beta;
    for (int64_t i = 0; i < count; i++)
        y[i] = alpha * x[i] + beta;
}

static void R(scaled_tanh)(const void *in, void *out, int64_t count,
                           const MapNumbers *numbers)
{
    const REAL *x = in;
    REAL *y = out, alpha = (REAL)numbers->alpha, beta = (REAL)numbers->beta;
    for (int64_t i = 0; i < count; i++)
        y[i] = alpha * R(fast_tanh)(beta * x[i]);
}

static void R(activate)(const Layer *l, const Activation *f, REAL *x)
{
    REAL limit = (REAL)l->clip;
    for (int64_t i = 0; l->clip > 0 && i < l->units; i++)
        x[i] = x[i] > limit ? limit : x[i] < -limit ? -limit : x[i];
    f->row(x, x, l->units, &f->numbers);
}

/* x += a; a NULL a is 0. */
static void R(add)(REAL *x, const REAL *a, int64_t count)
{
    for (int64_t i = 0; a && i < count; i++)
        x[i] += a[i];
}

/* x += a * b; a NULL a is 0. */
static void R(add_product)(REAL *x, const REAL *a, const REAL *b, int64_t count)
{
    for (int64_t i = 0; a && i < count; i++)
        x[i] += a[i] * b[i];
}

/* What a state gives to the gates from `first` on. */
static void R(recur)(const Direction *d, const Gemm *part, int64_t first,
                     const REAL *state, const Workspace *w)
{
    Gemm product = *part;
    REAL *to = (REAL *)w->recurrent + first;
    const REAL *bias = d->recurrent_bias;
    product.a.data = state;
    product.c = to;
    gemm_alone(&product, w->worker, w->scratch);
    R(add)(to, bias ? bias + first : NULL, part->columns);
}

static void R(rnn_step)(const Layer *l, const Direction *d, const Workspace *w)
{
    REAL *h = w->h;
    R(recur)(d, &d->recurrent, 0, h, w);
    memcpy(h, w->gates, (size_t)l->units * sizeof *h);
    R(add)(h, w->recurrent, l->units);
    R(activate)(l, &d->functions[0], h);
}

static void R(gru_step)(const Layer *l, const Direction *d, const Workspace *w)
{
    int64_t n = l->units;
    REAL *update = w->gates, *reset = update + n, *hidden = update + 2 * n;
    REAL *own = (REAL *)w->recurrent + 2 * n, *h = w->h, *kept = w->c;
    R(recur)(d, &d->recurrent, 0, h, w);
    R(add)(update, w->recurrent, 2 * n);
    R(activate)(l, &d->functions[0], update);
    R(activate)(l, &d->functions[0], reset);
    if (l->resets_after) {
        R(add_product)(hidden, reset, own, n);
    } else {
        for (int64_t i = 0; i < n; i++)
            kept[i] = reset[i] * h[i];
        R(recur)(d, &d->recurrent_last, 2 * n, kept, w);
        R(add)(hidden, own, n);
    }
    R(activate)(l, &d->functions[1], hidden);
    for (int64_t i = 0; i < n; i++)
        h[i] = (1 - update[i]) * hidden[i] + update[i] * h[i];
}

static void R(lstm_step)(const Layer *l, const Direction *d, const Workspace *w)
{
    int64_t n = l->units;
    REAL *input = w->gates, *output = input + n, *forget = input + 2 * n;
    REAL *cell = input + 3 * n, *h = w->h, *c = w->c;
    const REAL *peep = d->peephole;
    R(recur)(d, &d->recurrent, 0, h, w);
    R(add)(input, w->recurrent, 4 * n);
    R(add_product)(input, peep, c, n);
    R(add_product)(forget, peep ? peep + 2 * n : NULL, c, n);
    R(activate)(l, &d->functions[0], input);
    R(activate)(l, &d->functions[0], forget);
    for (int64_t i = 0; l->couples && i < n; i++)
        forget[i] = 1 - input[i];
    R(activate)(l, &d->functions[1], cell);
    for (int64_t i = 0; i < n; i++)
        c[i] = forget[i] * c[i] + input[i] * cell[i];
    R(add_product)(output, peep ? peep + n : NULL, c, n);
    R(activate)(l, &d->functions[0], output);
    memcpy(cell, c, (size_t)n * sizeof *c);
    R(activate)(l, &d->functions[2], cell);
    for (int64_t i = 0; i < n; i++)
        h[i] = output[i] * cell[i];
}

static void R(step)(const Layer *l, const Direction *d, const Workspace *w)
{
    if (l->op == OP_LSTM)
        R(lstm_step)(l, d, w);
    else if (l->op == OP_GRU)
        R(gru_step)(l, d, w);
    else
        R(rnn_step)(l, d, w);
}

/* A state before the first step, 0 where it is not given. */
static void R(begin)(const Layer *l, const Array *given, int64_t at,
                     REAL *state)
{
    memset(state, 0, (size_t)l->units * sizeof *state);
    R(add)(state, given ? (const REAL *)given->data + at : NULL, l->units);
}

static void R(end)(const Layer *l, const Array *to, int64_t at,
                   const REAL *state)
{
    if (to)
        memcpy((REAL *)to->data + at, state, (size_t)l->units * sizeof *state);
}

/* One sequence in one direction. */
static void R(run_sequence)(const Layer *l, int64_t direction, int64_t sequence,
                            const Workspace *w)
{
    const Direction *d = &l->directions[direction];
    int64_t width = l->gates * l->units, length = l->time;
    int64_t at = state_index(l, direction, sequence);
    if (l->lengths)
        length = l->lengths[sequence];
    R(begin)(l, l->initial_h, at, w->h);
    R(begin)(l, l->initial_c, at, w->c);
    for (int64_t i = 0; i < l->time; i++) {
        int64_t time = d->is_reverse && i < length ? length - 1 - i : i;
        REAL *y =
            (REAL *)l->y->data + output_index(l, direction, sequence, time);
        if (i >= length) {
            memset(y, 0, (size_t)l->units * sizeof *y);
            continue;
        }
        memcpy(w->gates,
               (const REAL *)d->shares + input_row(l, sequence, time) * width,
               (size_t)width * sizeof *y);
        R(add)(w->gates, d->bias, width);
        R(step)(l, d, w);
        memcpy(y, w->h, (size_t)l->units * sizeof *y);
    }
    R(end)(l, l->last_h, at, w->h);
    R(end)(l, l->last_c, at, w->c);
}
