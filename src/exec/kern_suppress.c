/*
 * NonMaxSuppression: for each image and class, boxes from the best score down,
 * without those that overlap too much with one that is taken already.
 */
#include <math.h>
#include <stdlib.h>

#include "exec/kernel.h"

typedef struct Box {
    double low[2], high[2], area;
} Box;

typedef struct Candidate {
    double score;
    int64_t box;
} Candidate;

typedef struct Suppression {
    int64_t images, classes, count; /* count of boxes in an image */
    int64_t most;                   /* of one class in one image */
    double overlap, score;          /* what is more is too much, what is less
                                       or the same too little */
    Box *boxes;                     /* of one image */
    Candidate *candidates;          /* of one class */
    int64_t (*chosen)[3];           /* image, class, box */
    size_t chosen_count, capacity;
} Suppression;

/* Two corners in any order, or centre and size. */
static Box box_make(const double *at, bool is_centre)
{
    Box box;
    for (int i = 0; i < 2; i++) {
        double a = is_centre ? at[i] - at[2 + i] / 2 : at[i];
        double b = is_centre ? at[i] + at[2 + i] / 2 : at[2 + i];
        box.low[i] = fmin(a, b);
        box.high[i] = fmax(a, b);
    }
    box.area = (box.high[0] - box.low[0]) * (box.high[1] - box.low[1]);
    return box;
}

/* Intersection over union is above the threshold. */
static bool overlaps(const Box *a, const Box *b, double threshold)
{
    double shared = 1;
    for (int i = 0; i < 2; i++)
        shared *=
            fmax(0, fmin(a->high[i], b->high[i]) - fmax(a->low[i], b->low[i]));
    double both = a->area + b->area - shared;
    return shared > 0 && both > 0 && shared / both > threshold;
}

/* The best first; of equal ones that with the lower index. */
static int compare_candidates(const void *left, const void *right)
{
    const Candidate *a = left, *b = right;
    if (a->score != b->score)
        return a->score > b->score ? -1 : 1;
    return a->box < b->box ? -1 : a->box > b->box;
}

static int64_t list_candidates(const KernelCall *call, Suppression *s,
                               int64_t first)
{
    int64_t count = 0;
    for (int64_t i = 0; i < s->count; i++) {
        double score = kernel_real(call, call->inputs[1], first + i);
        if (score > s->score)
            s->candidates[count++] = (Candidate){score, i};
    }
    qsort(s->candidates, (size_t)count, sizeof *s->candidates,
          compare_candidates);
    return count;
}

static bool is_suppressed(const Suppression *s, size_t first, int64_t box)
{
    for (size_t i = first; i < s->chosen_count; i++)
        if (overlaps(&s->boxes[s->chosen[i][2]], &s->boxes[box], s->overlap))
            return true;
    return false;
}

static void choose(KernelCall *call, Suppression *s, int64_t image,
                   int64_t class)
{
    size_t first = s->chosen_count;
    int64_t count =
        list_candidates(call, s, (image * s->classes + class) * s->count);
    for (int64_t i = 0;
         i < count && (int64_t)(s->chosen_count - first) < s->most; i++) {
        int64_t box = s->candidates[i].box;
        if (is_suppressed(s, first, box))
            continue;
        s->chosen = arena_grow(call->arena, s->chosen, &s->capacity,
                               s->chosen_count + 1, sizeof *s->chosen);
        int64_t *row = s->chosen[s->chosen_count++];
        row[0] = image;
        row[1] = class;
        row[2] = box;
    }
}

static void read_boxes(const KernelCall *call, Suppression *s, int64_t image)
{
    bool is_centre = node_int(call->node, "center_point_box", 0) != 0;
    for (int64_t i = 0; i < s->count; i++) {
        double at[4];
        array_to_f64(call->inputs[0], call->precision,
                     (image * s->count + i) * 4, 4, at);
        s->boxes[i] = box_make(at, is_centre);
    }
}

static int suppression_read(const KernelCall *call, Suppression *s, Err *err)
{
    const Array *boxes = call->inputs[0], *scores = call->inputs[1];
    if (boxes->rank != 3 || scores->rank != 3 || boxes->dims[2] != 4 ||
        boxes->dims[0] != scores->dims[0] || boxes->dims[1] != scores->dims[2])
        return err_set(err, ERR_BAD_SHAPE, "its boxes and scores do not fit");
    *s = (Suppression){.images = scores->dims[0],
                       .classes = scores->dims[1],
                       .count = scores->dims[2],
                       .score = -HUGE_VAL};
    for (int i = 2; i < 5; i++) {
        const Array *limit = kernel_input(call, i);
        if (limit && limit->count != 1)
            return err_set(err, ERR_BAD_SHAPE, "its input %d is not one number",
                           i);
        if (limit && i == 2)
            s->most = kernel_int(call, limit, 0);
        else if (limit)
            *(i == 3 ? &s->overlap : &s->score) = kernel_real(call, limit, 0);
    }
    size_t count = (size_t)s->count + 1;
    s->boxes = arena_array(call->arena, count, sizeof *s->boxes);
    s->candidates = arena_array(call->arena, count, sizeof *s->candidates);
    return 0;
}

int kernel_non_max_suppression(KernelCall *call, Err *err)
{
    Suppression s;
    TRY(suppression_read(call, &s, err));
    for (int64_t image = 0; image < s.images; image++) {
        read_boxes(call, &s, image);
        for (int64_t class = 0; class < s.classes; class ++)
            choose(call, &s, image, class);
    }
    int64_t dims[] = {(int64_t)s.chosen_count, 3};
    TRY(kernel_make_output(call, 0, DT_INT64, 2, dims, err));
    int64_t *out = call->outputs[0]->data;
    for (size_t i = 0; i < s.chosen_count * 3; i++)
        out[i] = s.chosen[i / 3][i % 3];
    return 0;
}
