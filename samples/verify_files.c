/*
 * Are two model files the same function?  Prints the verdict for each output,
 * and where the models part when they do.
 *
 *     cc verify_files.c $(pkg-config --cflags --libs repfold)
 *     ./a.out a.onnx b.onnx
 */
#include <stdio.h>
#include <string.h>

#include "repfold.h"

static void print_verdict(const rp_verdict_info *info)
{
    printf("%s\n", info->verdict);
    for (size_t i = 0; i < info->output_count; i++) {
        const rp_output_verdict *output = &info->outputs[i];
        printf("  %s: %g of its largest value, noise floor %g\n", output->name,
               output->weights, output->noise_floor);
    }
    for (size_t i = 0; i < info->fault_count; i++)
        printf("  they part at %s (%s)\n", info->faults[i].output,
               info->faults[i].node_b);
}

int main(int argc, char **argv)
{
    rp_error error = {0};
    rp_verdict *verdict = NULL;
    if (argc != 3) {
        fprintf(stderr, "usage: verify_files A.onnx B.onnx\n");
        return 2;
    }
    rp_model *a = rp_open(argv[1], NULL, &error);
    rp_model *b = a ? rp_open(argv[2], NULL, &error) : NULL;
    if (b)
        verdict = rp_verify(a, b, NULL, &error);
    int status = 2;
    if (verdict) {
        const rp_verdict_info *info = rp_verdict_get(verdict);
        print_verdict(info);
        status = strcmp(info->verdict, "equivalent") != 0;
    } else {
        fprintf(stderr, "%s: %s\n", error.where, error.message);
    }
    rp_verdict_free(verdict);
    rp_close(b);
    rp_close(a);
    return status;
}
