/* The entry point of libFuzzer, compiled once for each TARGET of readers.h. */
#include "readers.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    return TARGET(bytes, size);
}
