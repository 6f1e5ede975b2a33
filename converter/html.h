/* The parts of the report as a page. */
#ifndef REPFOLD_CONVERTER_HTML_H
#define REPFOLD_CONVERTER_HTML_H

#include "converter.h"

/*
 * The page being written.  Whatever comes from a model goes through html_text,
 * as text or as a quoted attribute; nothing of it goes into the style or the
 * script, and the policy at the top lets no other script run.
 */
typedef struct Page {
    FILE *out;
    const Options *options;
    const Report *report;
    /* By node of the second model: the fold that made it, or NULL; and the
     * first of its entries in `merged`. */
    const rp_fold_record **fold_of;
    size_t *node_of; /* by fold: that node; SIZE_MAX: it is in a later fold */
    size_t *first;
    /* Entries of the diff that are RP_MERGED, by node of the second model, and
     * then in the first's order. */
    rp_node_match *merged;
    size_t merged_count;
} Page;

void html_print(Page *page, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void html_text(Page *page, const char *text);
/* The last characters of a name that is longer than `room`, after an ellipsis.
 */
void html_tail(Page *page, const char *text, size_t room);

/* A class of the style: "conv", "norm", ... */
const char *html_kind(const char *op);

/* ---- Sections ---- */

void html_graph(Page *page);
void html_folds(Page *page);
void html_refusals(Page *page);
void html_verification(Page *page);
void html_plots(Page *page);
void html_details(Page *page);

/* A line from 1e-17 to 1 with a place for each number, NaN for none: the
 * `limit` and what lies below it, and one or two values. */
void html_ruler(Page *page, double limit, double value, double other);

#endif
