// Requests as a caller of Cohere sends them, parsed and written for all dialects.

#include "dialects.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    dialects_request(&cohere_dialect, input_of(bytes, n));
    return 0;
}
