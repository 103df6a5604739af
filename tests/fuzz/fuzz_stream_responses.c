// Streams as a provider of responses sends them, read and written for callers of all dialects.

#include "dialects.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    dialects_stream(&responses_dialect, input_of(bytes, n));
    return 0;
}
