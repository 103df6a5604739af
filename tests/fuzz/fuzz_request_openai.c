// Requests as a caller of openai sends them, parsed and written for both dialects.

#include "dialects.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    dialects_request(&openai_dialect, input_of(bytes, n));
    return 0;
}
