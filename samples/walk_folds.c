/*
 * What would be folded in a model, and what not: each merged node with those
 * that went into it and the rules that did it, then each site that was left
 * alone, with the reason.  Nothing is written.
 *
 *     cc walk_folds.c $(pkg-config --cflags --libs repfold)
 *     ./a.out train.onnx
 */
#include <stdio.h>

#include "repfold.h"

static void print_folds(const rp_model *model)
{
    size_t count;
    const rp_fold_record *folds = rp_folds(model, &count);
    for (size_t i = 0; i < count; i++) {
        const rp_fold_record *fold = &folds[i];
        printf("%s (%s), %.0f -> %.0f MACs\n", fold->node, fold->rules,
               fold->macs_before, fold->macs_after);
        for (size_t k = 0; k < fold->consumed_count; k++)
            printf("    %s\n", fold->consumed[k]);
    }
}

static void print_refusals(const rp_model *model)
{
    size_t count;
    const rp_refusal *refusals = rp_refusals(model, &count);
    for (size_t i = 0; i < count; i++)
        printf("%s %s is left: %s, %s\n", refusals[i].op, refusals[i].node,
               refusals[i].reason, refusals[i].fact);
}

int main(int argc, char **argv)
{
    rp_error error = {0};
    if (argc != 2) {
        fprintf(stderr, "usage: walk_folds TRAIN.onnx\n");
        return 2;
    }
    rp_model *model = rp_open(argv[1], NULL, &error);
    int status = model && rp_fold(model, NULL, &error) == 0 ? 0 : 2;
    if (status == 0) {
        print_folds(model);
        print_refusals(model);
    } else {
        fprintf(stderr, "%s: %s\n", error.where, error.message);
    }
    rp_close(model);
    return status;
}
