/* A fuzz target: a report of certificates, held against two models that do not
 * change. It stands alone, since it is linked with the program. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../converter/converter.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static rp_model *open_file(const char *path)
{
    rp_error error = {0};
    rp_model *model = rp_open(path, NULL, &error);
    if (!model) {
        fprintf(stderr, "%s: %s\n", path, error.message);
        abort();
    }
    return model;
}

/* Opened once; the last run of a fuzzer gives them back to nobody. */
static rp_model *a, *b;

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    char path[32], said[512];
    rp_error error = {0};
    if (!a) {
        a = open_file("tests/fuzz/corpus/block.onnx");
        b = rp_reopen(a, &error);
        if (!b || rp_fold(b, NULL, &error) < 0)
            abort();
    }
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    if (fd < 0 || write(fd, bytes, size) != (ssize_t)size)
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    Options options = {.certificate = path, .threads = 1};
    int status = proof_check(&options, a, b, said, sizeof said);
    if (status < YES || status > TROUBLE || (status == NO && !said[0]))
        abort();
    close(fd);
    return 0;
}
