/*
 * Convolution without an im2col.
 *
 * The lanes of a vector are output channels, so that what is read of the input
 * is single numbers, which may lie anywhere: in a spread plane, or for a 1x1
 * kernel in the input as it stands.  No lane is lost to small images, and what
 * a row of outputs sees beyond the upper and lower border is left out.
 *
 * Panels of two or three vectors of output channels are packed in the order of
 * the steps: kernel row by kernel row, in these channel by channel, in these
 * column by column.  A panel meets all positions of a band of rows before the
 * next one does.
 */
#include <string.h>

#include "exec/integer.h"
#include "exec/level.h"
#include "exec/spread.h"

enum {
    BAND_BYTES = 256 * 1024,   /* of the input at once */
    FAMILY_BYTES = 192 * 1024, /* of each one's, where there are several */
    MADE_BYTES = 128 * 1024,   /* of what is computed beside another, at once */
    PLAIN_STEPS = 256,         /* of a 1x1 kernel: more leave the cache */
    UNITS_EACH = 4,            /* of work, for each thread */
    LINE = 64
};

/* How the weights of a group are packed. */
typedef struct Layout {
    const DirectSet *set;
    Precision precision;
    int64_t channels, outputs, height, width; /* of the group's kernel */
    int64_t steps;                            /* the first times the last two */
    int64_t vectors, panels;
} Layout;

typedef struct Panel {
    int64_t vector, vectors;   /* where it begins, and its size */
    int64_t channel, channels; /* the same, of those that are there */
} Panel;

typedef struct Direct {
    Conv *conv;
    Layout layout;
    const char *packed; /* weights of all groups; NULL: each unit packs */
    const char *start;  /* biases, in whole vectors, of all groups */
    bool is_spread;     /* else the input is read as it stands */
    Spread spread;
    int64_t plane; /* from channel to channel of what is read */
    int64_t *offsets;
    int64_t rows, columns; /* of the output, as this file cuts it */
    int64_t band, bands;   /* rows at once */
    int64_t panel_size;    /* of one that a unit packs, in bytes */
    int64_t made_size;     /* of a unit's results, of one beside another */
    int threads;
} Direct;

/* A convolution and those beside, which go unit by unit together. */
typedef struct Family {
    Direct *items;
    int count;
} Family;

/* ---- Packing ---- */

static void layout_make(const KernelCall *call, const Array *weight,
                        int64_t groups, Layout *l)
{
    *l = (Layout){.set = direct_set(call->precision, call->level),
                  .precision = call->precision,
                  .channels = weight->dims[1],
                  .outputs = weight->dims[0] / groups,
                  .height = weight->rank == 4 ? weight->dims[2] : 1,
                  .width = weight->dims[weight->rank - 1]};
    l->steps = l->channels * l->height * l->width;
    l->vectors = divide_up(l->outputs, l->set->lanes);
    l->panels = divide_up(l->vectors, DIRECT_MOST);
}

/* Panels are as even as can be, which from two vectors on makes no panel of
 * one. */
static Panel panel_at(const Layout *l, int64_t index)
{
    int64_t begin = l->vectors * index / l->panels;
    int64_t end = l->vectors * (index + 1) / l->panels;
    int64_t channel = begin * l->set->lanes;
    return (Panel){begin, end - begin, channel,
                   at_most(end * l->set->lanes, l->outputs) - channel};
}

/* Elements of a group's packed weights, and of those before a panel. */
static int64_t group_place(const Layout *l)
{
    return l->vectors * l->set->lanes * l->steps;
}

static int64_t panel_place(const Layout *l, const Panel *panel)
{
    return panel->vector * l->set->lanes * l->steps;
}

/* The step of a tap of a channel. */
static int64_t step_of(const Layout *l, int64_t channel, int64_t tap)
{
    return (tap / l->width * l->channels + channel) * l->width + tap % l->width;
}

#include "exec/real_f32.h"

#include "exec/kern_direct.inc.c"

#include "exec/real_f64.h"

#include "exec/kern_direct.inc.c"

static void pack_panel(const Layout *l, const Panel *panel, const void *weight,
                       void *to)
{
    if (l->precision == PRECISION_F32)
        pack_panel_f32(l, panel, weight, to);
    else
        pack_panel_f64(l, panel, weight, to);
}

typedef struct PackWork {
    Layout layout;
    const char *weight;
    char *to;
    size_t size; /* of an element */
} PackWork;

static void pack_piece(void *context, int worker, int64_t begin, int64_t end)
{
    const PackWork *work = context;
    const Layout *l = &work->layout;
    (void)worker;
    for (int64_t i = begin; i < end; i++) {
        int64_t group = i / l->panels;
        Panel panel = panel_at(l, i % l->panels);
        int64_t to = group * group_place(l) + panel_place(l, &panel);
        pack_panel(l, &panel,
                   work->weight +
                       (size_t)(group * l->outputs * l->steps) * work->size,
                   work->to + (size_t)to * work->size);
    }
}

void *conv_pack_direct(const KernelCall *call, const Array *weight,
                       int64_t groups)
{
    PackWork work = {.weight = weight->data,
                     .size = storage_size(kernel_storage(call, weight))};
    const Layout *l = &work.layout;
    layout_make(call, weight, groups, &work.layout);
    work.to =
        kernel_scratch(call, (size_t)(groups * l->vectors * l->set->lanes),
                       (size_t)l->steps * work.size);
    pool_run(call->pool, groups * l->panels, 1, pack_piece, &work);
    return work.to;
}

bool conv_is_direct(const KernelCall *call, const Array *weight, int64_t groups)
{
    Layout l;
    if (weight->rank > 4)
        return false;
    layout_make(call, weight, groups, &l);
    if (l.height * l.width == 1 && l.steps > PLAIN_STEPS)
        return false;
    return l.vectors >= DIRECT_LEAST &&
           l.outputs * 5 >= l.vectors * l.set->lanes * 4;
}

/* ---- Running ---- */

/* A panel of a band of an image's group. */
typedef struct Unit {
    int64_t plane, group; /* of all images' groups; of its image's */
    int64_t first, last;  /* rows */
    Panel panel;
    const void *weight;
    const char *in; /* the band; NULL where the input is read as it stands */
} Unit;

/* The band of every channel, where the unit before has not left it. */
static void fill_band(const Direct *d, const Unit *unit, char *scratch)
{
    const Conv *conv = d->conv;
    int64_t *held = (int64_t *)scratch;
    int64_t band = 1 + unit->plane * d->bands + unit->first / d->band;
    if (*held == band)
        return;
    *held = band;
    for (int64_t c = 0; c < conv->group_in; c++)
        spread_band(&d->spread, unit->plane * conv->group_in + c, unit->first,
                    unit->last - unit->first,
                    conv_at(conv, unit->in, c * d->plane));
}

/* Finds or packs the weights. */
static const void *unit_weight(const Direct *d, const Unit *unit, char *scratch)
{
    const Conv *conv = d->conv;
    const Layout *l = &d->layout;
    if (d->packed)
        return conv_at(conv, d->packed,
                       unit->group * group_place(l) +
                           panel_place(l, &unit->panel));
    pack_panel(l, &unit->panel,
               conv_at(conv, conv->weight, unit->group * l->outputs * l->steps),
               scratch);
    return scratch;
}

/* Scratch begins with a line that says which band it holds; then come the
 * panel, if it is packed there, the results, if they have no other place, and
 * the band. */
static Unit unit_make(const Direct *d, int64_t index, char *scratch)
{
    int64_t panel = index % d->layout.panels, band = index / d->layout.panels;
    Unit unit = {.plane = band / d->bands,
                 .first = band % d->bands * d->band,
                 .panel = panel_at(&d->layout, panel)};
    unit.group = unit.plane % d->conv->groups;
    unit.last = at_most(unit.first + d->band, d->rows);
    unit.weight = unit_weight(d, &unit, scratch + LINE);
    if (d->is_spread) {
        unit.in = scratch + LINE + d->panel_size + d->made_size;
        fill_band(d, &unit, scratch);
    }
    return unit;
}

/* Where a row of the output sees its input. */
static const void *row_input(const Direct *d, const Unit *unit, int64_t row)
{
    const Conv *conv = d->conv;
    int64_t down = conv->window.stride[1] * d->spread.row_size;
    if (unit->in)
        return conv_at(conv, unit->in, (row - unit->first) * down);
    return conv_at(conv, conv->in,
                   unit->plane * conv->group_in * d->plane + row * d->columns);
}

/* The tile moves on by some positions. */
static void move_tile(const Conv *conv, DirectTile *tile, int64_t count)
{
    tile->from = conv_at(conv, tile->from, count);
    tile->out = conv_at(conv, tile->out, count);
    tile->ahead += tile->steps * tile->ahead_step;
}

/* Positions that fill vectors; returns how many are left. */
static int64_t run_across(const Direct *d, DirectTile *tile, int64_t count)
{
    const DirectSet *set = d->layout.set;
    int64_t vectors = count / set->lanes, now;
    for (; vectors >= DIRECT_LEAST; vectors -= now, count -= now * set->lanes) {
        now = divide_up(vectors, divide_up(vectors, DIRECT_MOST));
        set->run_across[now - 1](tile);
        move_tile(d->conv, tile, now * set->lanes);
    }
    return count;
}

static void run_along(const Direct *d, DirectTile *tile, int64_t count)
{
    const DirectSet *set = d->layout.set;
    int64_t vectors = tile->weight_step / set->lanes, now;
    for (; count > 0; count -= now) {
        now = divide_up(count, divide_up(count, set->positions));
        set->run[now - 1][vectors - DIRECT_LEAST](tile);
        move_tile(d->conv, tile, now);
    }
}

/* One row. Only the kernel's rows that lie in the input count. */
static void run_row(const Direct *d, const Unit *unit, int64_t row,
                    DirectTile *tile)
{
    const Conv *conv = d->conv;
    const Layout *l = &d->layout;
    DirectTile t = *tile;
    int64_t at = row * d->columns, first = 0, last = l->height;
    int64_t done = at - unit->first * d->columns;
    int64_t left = at_most(d->columns, conv->window.out_size - at);
    if (d->is_spread)
        window_range(&conv->window, 1, row, &first, &last);
    first *= l->channels * l->width;
    t.steps = at_least(last * l->channels * l->width - first, 0);
    t.offsets += first;
    t.weight = conv_at(conv, t.weight, first * t.weight_step);
    t.out = conv_at(conv, tile->out, done);
    t.from = row_input(d, unit, row);
    run_along(d, &t, run_across(d, &t, left));
    tile->ahead = t.ahead;
}

/* The panel that this thread needs next is fetched while one runs, evenly. */
static void look_ahead(const Direct *d, const Unit *unit, DirectTile *tile)
{
    const Layout *l = &d->layout;
    int64_t size =
        unit->panel.vectors * l->set->lanes * l->steps * (int64_t)d->conv->size;
    int64_t tiles =
        divide_up(d->columns, l->set->positions) * (unit->last - unit->first);
    tile->ahead = unit->weight;
    if (!d->packed || size == 0)
        return;
    tile->ahead += size * d->threads;
    tile->ahead_step = divide_up(size, tiles * l->steps);
}

/* The elements of one channel that a unit computes. */
static int64_t unit_first(const Direct *d, const Unit *unit)
{
    return unit->first * d->columns;
}

static int64_t unit_count(const Direct *d, const Unit *unit)
{
    int64_t last = unit->last * d->columns;
    return at_most(last, d->conv->window.out_size) - unit_first(d, unit);
}

static void *unit_made(const Direct *d, int worker)
{
    return (char *)conv_scratch(d->conv, worker) + LINE + d->panel_size;
}

static void run_unit(const Direct *d, const Unit *unit, void *out,
                     int64_t out_step)
{
    const Conv *conv = d->conv;
    const Layout *l = &d->layout;
    const Panel *panel = &unit->panel;
    DirectTile tile = {
        .offsets = d->offsets,
        .weight = unit->weight,
        .weight_step = panel->vectors * l->set->lanes,
        .start =
            conv_at(conv, d->start,
                    (unit->group * l->vectors + panel->vector) * l->set->lanes),
        .least = conv->least,
        .out = out,
        .out_step = out_step,
        .channels = panel->channels};
    look_ahead(d, unit, &tile);
    for (int64_t row = unit->first; row < unit->last; row++)
        run_row(d, unit, row, &tile);
}

/* Channel by channel, unless these are whole. */
static void finish_unit(const Family *f, int worker, const Unit *unit,
                        int64_t first)
{
    const Direct *d = f->items;
    const Epilogue *epilogue = d->conv->epilogue;
    int64_t count = unit_count(d, unit), channels = unit->panel.channels;
    const void *beside[BESIDE_MOST];
    if (count == d->conv->window.out_size) {
        count *= channels;
        channels = 1;
    }
    for (int64_t m = 0; epilogue && m < channels; m++) {
        for (int i = 1; i < f->count; i++)
            beside[i - 1] =
                conv_at(d->conv, unit_made(&f->items[i], worker), m * count);
        epilogue->run(epilogue->context, worker,
                      first + m * d->conv->window.out_size, count, beside);
    }
}

static void direct_piece(void *context, int worker, int64_t begin, int64_t end)
{
    const Family *f = context;
    const Direct *d = f->items;
    int64_t out_size = d->conv->window.out_size;
    for (int64_t i = begin; i < end; i++) {
        Unit unit;
        for (int k = 1; k < f->count; k++) {
            const Direct *other = &f->items[k];
            unit = unit_make(other, i, conv_scratch(other->conv, worker));
            run_unit(other, &unit, unit_made(other, worker),
                     unit_count(other, &unit));
        }
        unit = unit_make(d, i, conv_scratch(d->conv, worker));
        int64_t first =
            (unit.plane * d->layout.outputs + unit.panel.channel) * out_size +
            unit_first(d, &unit);
        run_unit(d, &unit, conv_at(d->conv, d->conv->out, first), out_size);
        finish_unit(f, worker, &unit, first);
    }
}

/* ---- Cutting ---- */

/* So many bands as keep what one reads in the cache. Where panels cannot be
 * shared out evenly, there are bands enough for that. */
static void cut_bands(Direct *d, int64_t fitting)
{
    int64_t panels = d->layout.panels, threads = d->threads;
    int64_t bands = divide_up(d->rows, at_least(fitting, 1));
    if (panels % threads != 0 && bands * panels < threads * UNITS_EACH)
        bands = round_up(
            at_least(bands, divide_up(threads * UNITS_EACH, panels)), threads);
    d->band = divide_up(d->rows, at_most(bands, d->rows));
}

/* Rows of `columns` outputs of a panel, of one beside another. */
static int64_t fitting_made(const Direct *d, int64_t columns)
{
    int64_t row = columns * d->layout.set->lanes * DIRECT_MOST;
    return MADE_BYTES / (row * (int64_t)d->conv->size);
}

/* The image as it stands is one row, and a band is a part of that. */
static void plan_plain(Direct *d)
{
    const Conv *conv = d->conv;
    int64_t column = at_least(conv->group_in, 1) * (int64_t)conv->size;
    d->plane = conv->window.in_size;
    d->columns = d->layout.set->positions;
    d->rows = divide_up(conv->window.out_size, d->columns);
    cut_bands(d, BAND_BYTES / (column * d->columns));
}

/* A band is some of the image's rows, of which so many bytes are read. */
static void plan_rows(KernelCall *call, Direct *d, int64_t bytes)
{
    const Conv *conv = d->conv;
    const Window *w = &conv->window;
    int64_t channel = at_least(conv->group_in, 1) * (int64_t)conv->size;
    d->plane = w->in_size;
    d->rows = w->out[1];
    d->columns = w->out[2];
    if (d->is_spread) {
        spread_make(call, conv, depthwise_set(call->precision, call->level),
                    &d->spread);
        int64_t more =
            bytes / (d->spread.row_size * channel) - spread_rows(&d->spread, 1);
        cut_bands(d, 1 + more / w->stride[1]);
    } else {
        cut_bands(d, bytes / (d->columns * channel));
    }
}

/* The same units for all. */
static void plan_units(KernelCall *call, Family *f)
{
    Direct *d = f->items;
    bool is_plain = true;
    int64_t band = INT64_MAX;
    for (int i = 0; i < f->count; i++)
        is_plain = is_plain && !d[i].is_spread;
    for (int i = 0; i < f->count; i++) {
        if (is_plain)
            plan_plain(&d[i]);
        else
            plan_rows(call, &d[i], f->count > 1 ? FAMILY_BYTES : BAND_BYTES);
        band = at_most(band, d[i].band);
    }
    if (f->count > 1)
        band = at_least(at_most(band, fitting_made(d, d->columns)), 1);
    for (int i = 0; i < f->count; i++) {
        d[i].band = band;
        d[i].bands = divide_up(d[i].rows, band);
        if (is_plain) {
            d[i].columns *= band;
            d[i].rows = d[i].bands;
            d[i].band = 1;
        }
        if (d[i].is_spread)
            d[i].plane = d[i].spread.row_size * spread_rows(&d[i].spread, band);
        d[i].spread.steady = d[i].bands == 1;
    }
}

static void set_offsets(KernelCall *call, Direct *d)
{
    const Layout *l = &d->layout;
    int64_t *to = d->offsets =
        arena_array(call->arena, (size_t)l->steps + 1, sizeof *to);
    for (int64_t y = 0; y < l->height; y++)
        for (int64_t c = 0; c < l->channels; c++)
            for (int64_t x = 0; x < l->width; x++)
                *to++ =
                    c * d->plane +
                    (d->is_spread ? d->spread.offsets[y * l->width + x] : 0);
}

/* Biases in whole vectors, or zeros. */
static void set_start(KernelCall *call, Direct *d)
{
    const Conv *conv = d->conv;
    const Layout *l = &d->layout;
    int64_t padded = l->vectors * l->set->lanes;
    size_t count = (size_t)(conv->groups * padded);
    char *start = kernel_scratch(call, count, conv->size);
    memset(start, 0, count * conv->size);
    for (int64_t g = 0; conv->bias && g < conv->groups; g++)
        memcpy(conv_at(conv, start, g * padded),
               conv_at(conv, conv->bias, g * l->outputs),
               (size_t)l->outputs * conv->size);
    d->start = start;
}

static void set_scratch(KernelCall *call, Direct *d)
{
    const Layout *l = &d->layout;
    Conv *conv = d->conv;
    int64_t wide = DIRECT_MOST * l->set->lanes * (int64_t)conv->size;
    if (!d->packed)
        d->panel_size = round_up(wide * l->steps, LINE);
    if (!conv->out)
        d->made_size = round_up(wide * d->band * d->columns, LINE);
    conv_make_scratch(call, conv, LINE + (size_t)(d->panel_size + d->made_size),
                      d->is_spread ? l->channels : 0, d->plane);
    memset(conv->scratch, 0, (size_t)d->threads * conv->scratch_size);
}

/* Layouts, and weights that are small enough for that packed. */
static void find_weights(KernelCall *call, Direct *d)
{
    const Array *weight = call->inputs[1];
    layout_make(call, weight, d->conv->groups, &d->layout);
    d->packed = conv_packed(call);
    if (!d->packed && (size_t)weight->count * d->conv->size <= PACKED_BYTES)
        d->packed = conv_pack_direct(call, weight, d->conv->groups);
}

void conv_run_direct(KernelCall *call, Conv *convs, int count)
{
    Direct *d = arena_array(call->arena, (size_t)count, sizeof *d);
    Family f = {d, count};
    if (convs->images == 0 || convs->window.out_size == 0)
        return;
    conv_take_relu(convs);
    for (int i = 0; i < count; i++) {
        d[i].conv = &convs[i];
        d[i].is_spread = !window_is_pointwise(&convs[i].window);
        d[i].threads = pool_threads(call->pool);
        find_weights(conv_call(call, i), &d[i]);
    }
    plan_units(call, &f);
    for (int i = 0; i < count; i++) {
        set_offsets(call, &d[i]);
        set_start(call, &d[i]);
        set_scratch(call, &d[i]);
    }
    pool_run(call->pool,
             convs->images * convs->groups * d->bands * d->layout.panels, 1,
             direct_piece, &f);
}
