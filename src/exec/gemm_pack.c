#include "exec/gemm_pack.h"

#include <string.h>

/* A panel of a of this depth stays in the innermost cache. */
enum { DEPTH_BYTES = 1536 };

#include "exec/real_f32.h"

#include "exec/gemm_pack.inc.c"

#include "exec/real_f64.h"

#include "exec/gemm_pack.inc.c"

int64_t gemm_depth(const GemmSet *set, int64_t depth)
{
    int64_t most = DEPTH_BYTES / (int64_t)gemm_size(set);
    int64_t blocks = divide_up(depth, most);
    return blocks > 0 ? divide_up(depth, blocks) : 1;
}

void gemm_panels_a(const GemmSet *set, const Matrix *a, double alpha,
                   const GemmBlock *block, void *to)
{
    GemmBlock panel = *block;
    for (int64_t i = 0; i < block->rows; i += set->rows) {
        panel.row = block->row + i;
        panel.rows = block->rows - i < set->rows ? block->rows - i : set->rows;
        if (set->is_f32)
            panel_a_f32(a, alpha, &panel, set->rows,
                        (float *)to + i * block->columns);
        else
            panel_a_f64(a, alpha, &panel, set->rows,
                        (double *)to + i * block->columns);
    }
}

void gemm_pad_b(const GemmSet *set, const GemmBlock *block, void *to,
                int64_t to_step)
{
    size_t size = gemm_size(set);
    int64_t missing = (set->lanes - block->columns % set->lanes) % set->lanes;
    for (int64_t k = 0; missing > 0 && k < block->rows; k++)
        memset((char *)to + (size_t)(k * to_step + block->columns) * size, 0,
               (size_t)missing * size);
}

void gemm_block_b(const GemmSet *set, const Matrix *b, const GemmBlock *block,
                  void *to, int64_t to_step)
{
    if (set->is_f32)
        block_b_f32(b, block, to, to_step);
    else
        block_b_f64(b, block, to, to_step);
    gemm_pad_b(set, block, to, to_step);
}

/* ---- For good ---- */

int64_t gemm_packed_a(const GemmSet *set, int64_t rows, int64_t depth)
{
    return divide_up(rows, set->rows) * set->rows * depth;
}

int64_t gemm_packed_b(const GemmSet *set, int64_t depth, int64_t columns)
{
    int64_t width = gemm_width(set);
    return divide_up(columns, width) * width * depth;
}

typedef struct Packing {
    const GemmSet *set;
    const Matrix *matrix;
    int64_t across, depth; /* rows of a or columns of b */
    int64_t panel;         /* how many of them a panel has */
    char *to;
} Packing;

/* Panel `index` of every block of the depth. */
static void pack_panel(const Packing *p, int64_t index, bool is_a)
{
    int64_t most = gemm_depth(p->set, p->depth);
    int64_t padded = divide_up(p->across, p->panel) * p->panel;
    int64_t at = index * p->panel;
    int64_t count = p->across - at < p->panel ? p->across - at : p->panel;
    for (int64_t k = 0; k < p->depth; k += most) {
        int64_t steps = p->depth - k < most ? p->depth - k : most;
        char *to =
            p->to + (size_t)(k * padded + at * steps) * gemm_size(p->set);
        GemmBlock a = {at, count, k, steps}, b = {k, steps, at, count};
        if (is_a)
            gemm_panels_a(p->set, p->matrix, 1, &a, to);
        else
            gemm_block_b(p->set, p->matrix, &b, to, p->panel);
    }
}

static void pack_a_piece(void *context, int worker, int64_t begin, int64_t end)
{
    (void)worker;
    for (int64_t i = begin; i < end; i++)
        pack_panel(context, i, true);
}

static void pack_b_piece(void *context, int worker, int64_t begin, int64_t end)
{
    (void)worker;
    for (int64_t i = begin; i < end; i++)
        pack_panel(context, i, false);
}

static void pack(Pool *pool, Packing *p, PoolTask *task)
{
    int64_t work = p->panel * p->depth;
    pool_run(pool, divide_up(p->across, p->panel),
             1 + GRAIN / (work > 0 ? work : 1), task, p);
}

void gemm_pack_a(Pool *pool, const GemmSet *set, const Matrix *a, int64_t rows,
                 int64_t depth, void *to)
{
    Packing p = {set, a, rows, depth, set->rows, to};
    pack(pool, &p, pack_a_piece);
}

void gemm_pack_b(Pool *pool, const GemmSet *set, const Matrix *b, int64_t depth,
                 int64_t columns, void *to)
{
    Packing p = {set, b, columns, depth, gemm_width(set), to};
    pack(pool, &p, pack_b_piece);
}
