// Streams as Bedrock sends them (lines of text stand for their messages), written for all callers.

#include "dialects.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    dialects_stream(&bedrock_dialect, input_of(bytes, n));
    return 0;
}
