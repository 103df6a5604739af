// Putting the channel's key on a request.

#include "relay/channel/auth.h"

#include <stddef.h>

#include "common/arena.h"
#include "relay/channel/provider.h"

// Servers of one's own (the rows without a default address) may have no key at all.
static struct err *credential(struct attempt *t, const char *header, const char *scheme)
{
    if (text_is_empty(t->key)) {
        bool own = t->provider->quirks & NEEDS_BASE_URL;
        return own ? NULL : err_new(t->arena, &err_channel_misconfigured, "no key");
    }
    return attempt_header(t, header, str_of(arena_printf(t->arena, "%s%s", scheme, t->key)));
}

struct err *auth_bearer(struct attempt *t)
{
    return credential(t, "Authorization", "Bearer ");
}

struct err *auth_x_api_key(struct attempt *t)
{
    return credential(t, "x-api-key", "");
}

struct err *auth_api_key(struct attempt *t)
{
    return credential(t, "api-key", "");
}

struct err *auth_google(struct attempt *t)
{
    return str_starts(str_of(t->key), "ya29.") ? auth_bearer(t)
                                               : credential(t, "x-goog-api-key", "");
}

struct err *auth_none(struct attempt *t)
{
    (void)t;
    return NULL;
}
