// Streams as a provider of claude sends them, read and written for callers of both dialects.

#include "dialects.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    dialects_stream(&claude_dialect, input_of(bytes, n));
    return 0;
}
