// Whole replies as Bedrock sends them, written for callers of all dialects.

#include "dialects.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    dialects_whole(&bedrock_dialect, input_of(bytes, n));
    return 0;
}
