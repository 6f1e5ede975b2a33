#include "layout.h"

#include <stdlib.h>
#include <string.h>

enum { LANES_MAX = 40 };

bool node_is_drawn(const rp_node_info *node)
{
    return strcmp(node->op, "Constant") != 0;
}

bool column_make(Column *column, const rp_node_info *nodes, size_t count)
{
    *column = (Column){.nodes = nodes,
                       .count = count,
                       .stage = calloc(count + 1, sizeof(int)),
                       .row = calloc(count + 1, sizeof(int)),
                       .lane = calloc(count + 1, sizeof(int)),
                       .last = calloc(count + 1, sizeof(int)),
                       .order = calloc(count + 1, sizeof(size_t))};
    return column->stage && column->row && column->lane && column->last &&
           column->order;
}

void column_free(Column *column)
{
    free(column->stage);
    free(column->row);
    free(column->lane);
    free(column->last);
    free(column->order);
}

/* Where each value is read last, as far as this stage knows. */
static void find_last(Column *column, int stage)
{
    for (size_t i = 0; i < column->count; i++)
        column->last[i] = -1;
    for (size_t i = 0; i < column->count; i++) {
        const rp_node_info *node = &column->nodes[i];
        if (!node_is_drawn(node) || column->stage[i] < stage)
            continue;
        int row = column->row[i] < 0 ? ROWS_MAX : column->row[i];
        for (size_t k = 0; k < node->source_count; k++)
            if (row > column->last[node->sources[k]])
                column->last[node->sources[k]] = row;
    }
}

static int lane_free(const int *busy, int row)
{
    for (int lane = 0; lane < LANES_MAX; lane++)
        if (busy[lane] < row)
            return lane;
    return LANES_MAX - 1;
}

/* Values that come from an earlier stage enter at the top. */
static void lanes_enter(Column *column, int *busy)
{
    for (size_t i = 0; i < column->size; i++) {
        const rp_node_info *node = &column->nodes[column->order[i]];
        for (size_t k = 0; k < node->source_count; k++) {
            size_t source = node->sources[k];
            if (column->row[source] >= 0 || column->lane[source] >= 0 ||
                !node_is_drawn(&column->nodes[source]))
                continue;
            int lane = lane_free(busy, 0);
            column->lane[source] = lane;
            busy[lane] = column->last[source];
        }
    }
}

/* The lane of a source that is read here for the last time goes on. */
static int lane_continued(const Column *column, const rp_node_info *node,
                          int row)
{
    int best = LANES_MAX;
    for (size_t k = 0; k < node->source_count; k++) {
        size_t source = node->sources[k];
        if (column->last[source] == row && column->lane[source] >= 0 &&
            column->lane[source] < best)
            best = column->lane[source];
    }
    return best;
}

void find_lanes(Column *column, int stage)
{
    int busy[LANES_MAX];
    for (int i = 0; i < LANES_MAX; i++)
        busy[i] = -1;
    for (size_t i = 0; i < column->count; i++)
        column->lane[i] = -1;
    find_last(column, stage);
    lanes_enter(column, busy);
    column->lanes = 1;
    for (size_t i = 0; i < column->size; i++) {
        size_t index = column->order[i];
        int row = column->row[index];
        int lane = lane_continued(column, &column->nodes[index], row);
        if (lane == LANES_MAX)
            lane = lane_free(busy, row);
        column->lane[index] = lane;
        busy[lane] = column->last[index] < row ? row : column->last[index];
    }
    for (size_t i = 0; i < column->count; i++)
        if (column->lane[i] >= column->lanes)
            column->lanes = column->lane[i] + 1;
}

int rows_in_order(Column *column, int stage)
{
    column->size = 0;
    for (size_t i = 0; i < column->count; i++) {
        bool here =
            column->stage[i] == stage && node_is_drawn(&column->nodes[i]);
        column->row[i] = here ? (int)column->size : -1;
        if (here)
            column->order[column->size++] = i;
    }
    return (int)column->size;
}

typedef struct Wish {
    size_t node;
    int row;
} Wish;

static int by_row(const void *x, const void *y)
{
    const Wish *a = x, *b = y;
    if (a->row != b->row)
        return a->row < b->row ? -1 : 1;
    return (a->node > b->node) - (a->node < b->node);
}

bool rows_beside(Column *b, const Column *a, const size_t *partner, int stage,
                 int *rows)
{
    Wish *wishes = calloc(b->count + 1, sizeof *wishes);
    int row = -1;
    b->size = 0;
    for (size_t i = 0; wishes && i < b->count; i++) {
        b->row[i] = -1;
        if (b->stage[i] != stage || !node_is_drawn(&b->nodes[i]))
            continue;
        if (partner[i] != SIZE_MAX && a->row[partner[i]] >= 0)
            row = a->row[partner[i]];
        wishes[b->size++] = (Wish){i, row < 0 ? 0 : row};
    }
    if (b->size > 1)
        qsort(wishes, b->size, sizeof *wishes, by_row);
    row = -1;
    for (size_t i = 0; wishes && i < b->size; i++) {
        row = wishes[i].row > row ? wishes[i].row : row + 1;
        b->row[wishes[i].node] = row;
        b->order[i] = wishes[i].node;
    }
    if (row >= *rows)
        *rows = row + 1;
    free(wishes);
    return wishes != NULL;
}
