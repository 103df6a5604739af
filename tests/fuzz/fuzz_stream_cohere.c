// Streams as Cohere sends them, read and written for callers of all dialects.

#include "dialects.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    dialects_stream(&cohere_dialect, input_of(bytes, n));
    return 0;
}
