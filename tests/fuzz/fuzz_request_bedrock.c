// Requests of AWS's clients, written for providers of all dialects.

#include "dialects.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    dialects_request(&bedrock_dialect, input_of(bytes, n));
    return 0;
}
