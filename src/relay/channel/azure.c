// Building Azure's addresses from the channel's resource, API version and deployment.

#include "relay/channel/azure.h"

#include <string.h>

#include "common/arena.h"
#include "relay/channel/provider.h"

static bool is_dated(const char *version)
{
    return version && version[0] >= '0' && version[0] <= '9';
}

// Only operations on a model are scoped to its deployment.
static bool is_scoped(enum relay_mode mode)
{
    return mode != MODE_RESPONSES && mode != MODE_MODELS;
}

// The first dated version with responses (azure.md 2); before it they are had as chat completions.
static const char FIRST_RESPONSES[] = "2025-03-01";

bool azure_has_mode(enum relay_mode mode, const char *version)
{
    return mode != MODE_RESPONSES || !is_dated(version) || strcmp(version, FIRST_RESPONSES) >= 0;
}

struct err *azure_url(struct attempt *t)
{
    const char *path = t->provider->path[t->mode], *version = t->other;
    BUF_HERE(all, 16384);
    if (is_dated(version)) {
        buf_puts(&all, "/openai");
        if (is_scoped(t->mode)) {
            buf_puts(&all, "/deployments/");
            attempt_escape(&all, t->model);
        }
    } else {
        buf_puts(&all, "/openai/v1");
    }
    buf_puts(&all, path);
    if (!text_is_empty(version) && !text_eq(version, "v1")) {
        buf_puts(&all, "?api-version=");
        attempt_escape(&all, version);
    }
    return attempt_url(t, arena_str(t->arena, buf_view(&all)));
}
