/*
 * Are two models that are in memory the same function?  Prints the verdict for
 * each output, and where the models part when they do.
 *
 *     cc verify_memory.c $(pkg-config --cflags --libs repfold)
 *     ./a.out a.onnx b.onnx
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buffer.h"
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

/* 0 when they are, 1 when not, 2 on trouble. */
static int verify(rp_model *a, rp_model *b, rp_error *error)
{
    rp_verdict *verdict = rp_verify(a, b, NULL, error);
    if (!verdict)
        return 2;
    const rp_verdict_info *info = rp_verdict_get(verdict);
    print_verdict(info);
    int status = strcmp(info->verdict, "equivalent") != 0;
    rp_verdict_free(verdict);
    return status;
}

int main(int argc, char **argv)
{
    rp_error error = {0};
    size_t size_a = 0, size_b = 0;
    if (argc != 3) {
        fprintf(stderr, "usage: verify_memory A.onnx B.onnx\n");
        return 2;
    }
    void *bytes_a = buffer_read(argv[1], &size_a);
    void *bytes_b = buffer_read(argv[2], &size_b);
    rp_model *a = rp_open_memory(bytes_a, size_a, argv[1], NULL, &error);
    rp_model *b = NULL;
    if (a)
        b = rp_open_memory(bytes_b, size_b, argv[2], NULL, &error);
    int status = b ? verify(a, b, &error) : 2;
    if (status == 2)
        fprintf(stderr, "%s: %s\n", error.where, error.message);
    rp_close(b);
    rp_close(a);
    free(bytes_b);
    free(bytes_a);
    return status;
}
