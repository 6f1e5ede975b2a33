/*
 * Certificates of a conversion: what does not hold, and what a run finds wrong,
 * is undone, and the rest folded again without it.
 */
#include <stdlib.h>
#include <string.h>

#include "converter.h"

/* For the test of what running finds: as if every certificate held. */
#ifdef REPFOLD_TRUSTS_CERTIFICATES
enum { TRUSTED = 1 };
#else
enum { TRUSTED = 0 };
#endif

/* The last fold that produced the value. */
static const rp_fold_record *fold_of(const rp_model *model, const char *output)
{
    size_t count;
    const rp_fold_record *folds = rp_folds(model, &count);
    while (count-- > 0)
        if (strcmp(folds[count].output, output) == 0)
            return &folds[count];
    return NULL;
}

bool certificates_suffice(const rp_certificates_info *info)
{
    return info->hold || TRUSTED;
}

static char *copy_text(const char *text)
{
    return text ? strdup(text) : NULL;
}

/* The number of a fold when nothing is undone yet: what --stop-after counts. */
static int first_number(const Certified *certified, int number)
{
    for (int first = number, next;; first = next) {
        next = number;
        for (size_t i = 0; i < certified->undone_count; i++)
            next += certified->undone[i].number <= first;
        if (next == first)
            return first;
    }
}

static bool note_undone(Certified *certified, const rp_fold_record *fold,
                        const char *why)
{
    if (certified->undone_count == UNDONE_MAX)
        return false;
    int number = first_number(certified, fold->number);
    size_t i = certified->undone_count++;
    certified->undone[i] = (Undone){
        .number = number,
        .output = copy_text(fold->output),
        .why = copy_text(why),
    };
    certified->outputs[i] = certified->undone[i].output;
    return certified->outputs[i] != NULL;
}

/* Folds the original again without that fold and those before. 1 when that is
 * done, 0 when it cannot be, -1 on trouble. */
static int undo(rp_model *original, rp_model **model, rp_fold_options fold,
                Certified *certified, const char *output, const char *why,
                rp_error *error)
{
    const rp_fold_record *wrong = fold_of(*model, output);
    if (!wrong || !note_undone(certified, wrong, why))
        return 0;
    rp_model *again = rp_reopen(original, error);
    if (!again)
        return -1;
    if (certified->replaced)
        rp_close(*model);
    certified->replaced = true;
    *model = again;
    fold.undo = certified->outputs;
    fold.undo_count = certified->undone_count;
    return rp_fold(again, &fold, error) < 0 ? -1 : 1;
}

/* The first that does not hold and that a fold is to blame for. */
static const rp_certificate *first_failure(const rp_model *model,
                                           const rp_certificates_info *info)
{
    for (size_t i = 0; !TRUSTED && i < info->count; i++)
        if (!info->certificates[i].holds &&
            fold_of(model, info->certificates[i].output))
            return &info->certificates[i];
    return NULL;
}

int certify(rp_model *original, rp_model **model, rp_fold_options fold,
            const rp_certify_options *options, Certified *certified,
            rp_error *error)
{
    for (;;) {
        rp_certificates_free(certified->certificates);
        certified->certificates = rp_certify(original, *model, options, error);
        if (!certified->certificates)
            return -1;
        certified->info = rp_certificates_get(certified->certificates);
        const rp_certificate *failed = first_failure(*model, certified->info);
        int undone = failed ? undo(original, model, fold, certified,
                                   failed->output, failed->why, error)
                            : 0;
        if (undone <= 0)
            return undone;
    }
}

int undo_fault(rp_model *original, rp_model **model, rp_fold_options fold,
               const rp_verdict_info *verdict, Certified *certified,
               rp_error *error)
{
    char why[128];
    if (strcmp(verdict->verdict, "different") != 0 || verdict->fault_count == 0)
        return 0;
    const rp_segment_verdict *fault = &verdict->faults[0];
    snprintf(why, sizeof why,
             "run alone, it differs by %.3g, %.3g times what rounding explains",
             fault->difference, fault->ratio);
    return undo(original, model, fold, certified, fault->output, why, error);
}

void certified_free(Certified *certified)
{
    rp_certificates_free(certified->certificates);
    for (size_t i = 0; i < certified->undone_count; i++) {
        free(certified->undone[i].output);
        free(certified->undone[i].why);
    }
}
