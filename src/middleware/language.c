// The language of the answer's texts, as the client asks for it.

#include "middleware/guards.h"

struct err *guard_language(struct http *x)
{
    x->language = i18n_language(http_header(&x->exchange->headers, "accept-language"));
    return NULL;
}
