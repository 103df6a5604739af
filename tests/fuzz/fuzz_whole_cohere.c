// Whole replies as Cohere sends them, read and written for all callers.

#include "dialects.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    dialects_whole(&cohere_dialect, input_of(bytes, n));
    return 0;
}
