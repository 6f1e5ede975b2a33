#include "exec/gemm.h"

#include <string.h>

#include "exec/gemm_pack.h"

enum {
    COLUMN_PANELS = 5,        /* of b in a tile, at least */
    BLOCK_BYTES = 192 * 1024, /* of b in a tile, which stays in the L2 */
    ROW_SIZE = 96,            /* of a in a tile, where a tile packs it */
    ROWS_LEAST = 32,   /* in a tile that is made smaller for the threads */
    TILES_EACH = 4,    /* for each thread, so that none waits for long */
    TILE_BYTES = 2048, /* of the largest micro tile */
    LINE = 64
};

/* ---- Tiles ---- */

/* Columns of which a block of b stays in the cache. */
static int64_t columns_fitting(const Gemm *g)
{
    int64_t width = gemm_width(g->set);
    int64_t row = gemm_depth(g->set, g->depth) * (int64_t)gemm_size(g->set);
    int64_t panels = BLOCK_BYTES / (row * width);
    return (panels > COLUMN_PANELS ? panels : COLUMN_PANELS) * width;
}

/* Raises a number of tiles towards the wanted one, as far as each keeps
 * `least`; returns how many are then wanted of the other operand. */
static int64_t cut(int64_t *count, int64_t whole, int64_t least, int64_t wanted)
{
    int64_t most = at_most(wanted, whole / least);
    if (*count < most)
        *count = most;
    return divide_up(wanted, *count);
}

/* As many tiles as keep blocks in the cache and each thread busy. They are cut
 * first across what need not be packed again or fetched from far for it. */
static void choose_tiles(Gemm *g, int64_t batch, int threads)
{
    int64_t width = gemm_width(g->set);
    int64_t wanted = threads > 1 ? (int64_t)threads * TILES_EACH : 1;
    wanted = divide_up(wanted, batch > 0 ? batch : 1);
    g->row_count = g->a_packed ? 1 : divide_up(g->rows, ROW_SIZE);
    g->column_count =
        g->b_packed ? 1 : divide_up(g->columns, columns_fitting(g));
    if (g->b_packed || g->rows > 2 * g->columns) {
        wanted = cut(&g->row_count, g->rows, ROWS_LEAST, wanted);
        cut(&g->column_count, g->columns, width, wanted);
    } else {
        wanted = cut(&g->column_count, g->columns, width, wanted);
        cut(&g->row_count, g->rows, ROWS_LEAST, wanted);
    }
    g->column_unit = g->b_packed ? width : g->set->lanes;
    g->row_size = divide_up(divide_up(g->rows, g->set->rows), g->row_count) *
                  g->set->rows;
    g->column_size =
        divide_up(divide_up(g->columns, g->column_unit), g->column_count) *
        g->column_unit;
}

/* Where share `index` of `count` begins: shares are whole units, as even as
 * can be. */
static int64_t share(int64_t whole, int64_t unit, int64_t index, int64_t count)
{
    return at_most(divide_up(whole, unit) * index / count * unit, whole);
}

/* From row to row of a block of b: an odd number of cache lines, since rows a
 * power of two apart would fight for the same places. */
static int64_t block_step(const Gemm *g)
{
    int64_t line = LINE / (int64_t)gemm_size(g->set);
    return (divide_up(g->column_size, line) | 1) * line;
}

void gemm_plan(Gemm *g, int64_t batch, int threads)
{
    int64_t size = (int64_t)gemm_size(g->set), a = 0, b = 0;
    g->row_count = g->column_count = 0;
    g->scratch_size = LINE;
    if (g->rows == 0 || g->columns == 0)
        return;
    choose_tiles(g, batch, threads);
    int64_t depth = gemm_depth(g->set, g->depth);
    if (!g->a_packed)
        a = round_up(g->row_size, g->set->rows) * depth * size;
    if (!g->b_packed)
        b = block_step(g) * depth * size;
    g->scratch_size += (size_t)(round_up(a, LINE) + b);
}

/* ---- One tile ---- */

/* Where a tile is in its block of the depth. */
typedef struct Part {
    int64_t row, rows, column, columns; /* of the tile */
    int64_t first, depth;               /* of the block */
    const char *a, *b;                  /* panels, or a block of b */
    int64_t b_step, b_column;           /* from row to row, by column */
    bool adds;
} Part;

/* A panel of a by vectors of b. A part of a vector goes by a copy. */
static void run_micro(const Gemm *g, const Part *part, int64_t row, int rows,
                      int64_t column, int columns)
{
    const GemmSet *set = g->set;
    size_t size = gemm_size(set);
    int width = (int)gemm_width(set), variant = __builtin_ctz((unsigned)rows);
    char copy[TILE_BYTES] __attribute__((aligned(LINE)));
    char *c =
        (char *)g->c +
        (size_t)((part->row + row) * g->c_step + part->column + column) * size;
    const char *a =
        part->a +
        (size_t)(row / set->rows * set->rows * part->depth + row % set->rows) *
            size;
    const char *b = part->b + (size_t)(column * part->b_column) * size;
    const char *start = g->start;
    if (start)
        start =
            part->first == 0 ? start + (size_t)(part->row + row) * size : NULL;
    GemmMicro *run = set->run[variant][(columns - 1) / set->lanes];
    if (columns % set->lanes == 0) {
        run(a, b, part->b_step, part->depth, c, g->c_step, start, part->adds);
        return;
    }
    for (int i = 0; i < rows && part->adds; i++)
        memcpy(copy + (size_t)(i * width) * size,
               c + (size_t)(i * g->c_step) * size, (size_t)columns * size);
    run(a, b, part->b_step, part->depth, copy, width, start, part->adds);
    for (int i = 0; i < rows; i++)
        memcpy(c + (size_t)(i * g->c_step) * size,
               copy + (size_t)(i * width) * size, (size_t)columns * size);
}

/* Rows of a panel that is not full go by powers of two. */
static void run_panels(const Gemm *g, const Part *part, int64_t row,
                       int64_t column, int columns)
{
    int left = (int)at_most(part->rows - row, g->set->rows);
    for (int rows = g->set->rows; rows > 0; rows /= 2)
        if (left >= rows) {
            run_micro(g, part, row, rows, column, columns);
            row += rows;
            left -= rows;
        }
}

static void finish_rows(const Gemm *g, const Part *part, int worker,
                        int64_t row, int64_t rows)
{
    int64_t first = g->c_first + (part->row + row) * g->c_step + part->column;
    if (!g->epilogue)
        return;
    if (part->columns == g->c_step) {
        epilogue_run(g->epilogue, worker, first, rows * part->columns);
        return;
    }
    for (int64_t i = 0; i < rows; i++)
        epilogue_run(g->epilogue, worker, first + i * g->c_step, part->columns);
}

/* A packed b is too much for the cache: each of its panels meets all rows. */
static void run_by_columns(const Gemm *g, const Part *part, int worker,
                           bool last)
{
    int64_t panel = g->set->rows;
    for (int64_t j = 0; j < part->columns; j += gemm_width(g->set))
        for (int64_t i = 0; i < part->rows; i += panel)
            run_panels(g, part, i, j,
                       (int)at_most(gemm_width(g->set), part->columns - j));
    for (int64_t i = 0; last && i < part->rows; i += panel)
        finish_rows(g, part, worker, i, at_most(panel, part->rows - i));
}

/* Vectors are shared out evenly: one alone would not keep the processor busy.
 */
static void run_by_rows(const Gemm *g, const Part *part, int worker, bool last)
{
    int64_t panel = g->set->rows, lanes = g->set->lanes, columns;
    for (int64_t i = 0; i < part->rows; i += panel) {
        for (int64_t j = 0; j < part->columns; j += columns) {
            int64_t vectors = divide_up(part->columns - j, lanes);
            int64_t panels = divide_up(vectors, GEMM_VECTORS);
            columns =
                at_most(divide_up(vectors, panels) * lanes, part->columns - j);
            run_panels(g, part, i, j, (int)columns);
        }
        if (last)
            finish_rows(g, part, worker, i, at_most(panel, part->rows - i));
    }
}

/* Finds or makes the panels of a and the block of b for this part. */
static void pack_part(const Gemm *g, Part *part, char *scratch)
{
    const GemmSet *set = g->set;
    size_t size = gemm_size(set);
    int64_t width = gemm_width(set);
    GemmBlock a = {part->row, part->rows, part->first, part->depth};
    GemmBlock b = {part->first, part->depth, part->column, part->columns};
    if (g->a_packed) {
        part->a = (const char *)g->a_packed +
                  (size_t)(round_up(g->rows, set->rows) * part->first +
                           part->row * part->depth) *
                      size;
    } else {
        gemm_panels_a(set, &g->a, g->alpha, &a, scratch);
        part->a = scratch;
        scratch += round_up(round_up(g->row_size, set->rows) *
                                gemm_depth(set, g->depth) * (int64_t)size,
                            LINE);
    }
    if (g->b_packed) {
        part->b = (const char *)g->b_packed +
                  (size_t)(round_up(g->columns, width) * part->first +
                           part->column * part->depth) *
                      size;
        part->b_step = width;
        part->b_column = part->depth; /* only from panel to panel */
        return;
    }
    part->b = scratch;
    part->b_step = block_step(g);
    part->b_column = 1;
    if (g->fill) {
        g->fill(g->source, &b, scratch, part->b_step);
        gemm_pad_b(set, &b, scratch, part->b_step);
    } else {
        gemm_block_b(set, &g->b, &b, scratch, part->b_step);
    }
}

void gemm_tile(const Gemm *g, int64_t index, int worker, void *scratch)
{
    int64_t most = gemm_depth(g->set, g->depth);
    int64_t row = index / g->column_count, column = index % g->column_count;
    Part part = {.row = share(g->rows, g->set->rows, row, g->row_count),
                 .column =
                     share(g->columns, g->column_unit, column, g->column_count),
                 .adds = g->adds};
    part.rows = share(g->rows, g->set->rows, row + 1, g->row_count) - part.row;
    part.columns =
        share(g->columns, g->column_unit, column + 1, g->column_count) -
        part.column;
    do {
        part.depth = at_most(most, g->depth - part.first);
        bool last = part.first + part.depth == g->depth;
        pack_part(g, &part, scratch);
        if (g->b_packed)
            run_by_columns(g, &part, worker, last);
        else
            run_by_rows(g, &part, worker, last);
        part.first += part.depth;
        part.adds = true;
    } while (part.first < g->depth);
}

void gemm_alone(const Gemm *g, int worker, void *scratch)
{
    for (int64_t i = 0; i < g->row_count * g->column_count; i++)
        gemm_tile(g, i, worker, scratch);
}
