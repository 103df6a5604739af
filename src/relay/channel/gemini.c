// Building Gemini's addresses: model and action, and how a stream is framed.

#include "relay/channel/gemini.h"

#include <string.h>

#include "common/arena.h"
#include "relay/channel/provider.h"

// "tunedModels/mine" and "models/gemini" are names with their folder, "gemini" is not.
static void put_model(struct buf *out, const char *model)
{
    struct str rest = str_of(model), piece;
    const char *gap = strchr(model, '/') ? "/" : "/models/";
    while (str_next(&rest, '/', &piece)) {
        BUF_HERE(one, 16384);
        buf_puts(out, gap);
        buf_str(&one, piece);
        attempt_escape(out, one.p);
        gap = "/";
    }
}

struct err *gemini_url(struct attempt *t)
{
    const char *path = t->provider->path[t->mode], *action = strrchr(path, ':');
    if (!action)
        return attempt_url(t, path);
    if (t->mode == MODE_CHAT && t->stream)
        action = t->array ? ":streamGenerateContent" : ":streamGenerateContent?alt=sse";
    BUF_HERE(all, 16384);
    buf_puts(&all, "/v1beta");
    put_model(&all, t->model);
    buf_puts(&all, action);
    return attempt_url(t, arena_str(t->arena, buf_view(&all)));
}
