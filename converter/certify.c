/*
 * Certificates of a conversion: what does not hold is undone, and the rest
 * folded again without it.
 */
#include <stdlib.h>
#include <string.h>

#include "converter.h"

/* A scale that passes through Relu or a maximum (C14), and a border whose sizes
 * only constant evaluation finds (C13), are not what a certificate can say yet:
 * for such folds the verification of the whole network has to do. */
static bool has_certificate(const rp_fold_record *fold)
{
    return !strstr(fold->rules, "C13") && !strstr(fold->rules, "C14");
}

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

static const rp_fold_record *
first_failure(const rp_model *model, const rp_certificates_info *info,
              const rp_certificate **certificate)
{
    for (size_t i = 0; i < info->count; i++) {
        *certificate = &info->certificates[i];
        const rp_fold_record *fold =
            (*certificate)->holds ? NULL
                                  : fold_of(model, (*certificate)->output);
        if (fold && has_certificate(fold))
            return fold;
    }
    return NULL;
}

bool certificates_suffice(const rp_model *model,
                          const rp_certificates_info *info)
{
    size_t count, uncertified = 0;
    const rp_fold_record *folds = rp_folds(model, &count);
    for (size_t i = 0; i < count; i++)
        uncertified += !has_certificate(&folds[i]);
    for (size_t i = 0; i < info->count; i++) {
        const rp_certificate *certificate = &info->certificates[i];
        const rp_fold_record *fold = fold_of(model, certificate->output);
        if (!certificate->holds && (!fold || has_certificate(fold)))
            return false;
    }
    return info->hold || uncertified > 0;
}

static char *copy_text(const char *text)
{
    return text ? strdup(text) : NULL;
}

static bool note_undone(Certified *certified, const rp_fold_record *fold,
                        const rp_certificate *certificate)
{
    if (certified->undone_count == UNDONE_MAX)
        return false;
    size_t i = certified->undone_count++;
    certified->undone[i] = (Undone){
        .number = fold->number,
        .output = copy_text(fold->output),
        .why = copy_text(certificate->why),
    };
    certified->outputs[i] = certified->undone[i].output;
    return certified->outputs[i] != NULL;
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
        const rp_certificate *certificate = NULL;
        const rp_fold_record *failed =
            first_failure(*model, certified->info, &certificate);
        if (!failed || !note_undone(certified, failed, certificate))
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
        if (rp_fold(again, &fold, error) < 0)
            return -1;
    }
}

void certified_free(Certified *certified)
{
    rp_certificates_free(certified->certificates);
    for (size_t i = 0; i < certified->undone_count; i++) {
        free(certified->undone[i].output);
        free(certified->undone[i].why);
    }
}
