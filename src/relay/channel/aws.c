// Taking a channel's key apart, and what its parts are for.

#include "relay/channel/aws.h"

#include <string.h>

#include "common/arena.h"
#include "common/clock.h"
#include "relay/channel/provider.h"
#include "relay/channel/sigv4.h"

struct credentials {
    const char *api_key; // NULL: the others count
    const char *access_key, *secret, *session;
    const char *region;
};

enum { PARTS_MOST = 4, REGION_MOST = 32 };

// "us-east-1": it becomes part of a host name.
static bool is_region(const char *s)
{
    size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-");
    return n && !s[n] && n <= REGION_MOST && s[0] != '-' && s[n - 1] != '-';
}

static bool is_visible(const char *s)
{
    for (; *s; s++)
        if (*s <= ' ' || *s >= 0x7f)
            return false;
    return true;
}

static struct err *misconfigured(struct attempt *t, const char *why)
{
    return err_new(t->arena, &err_channel_misconfigured, "%s", why);
}

static struct err *read_key(struct attempt *t, struct credentials *out)
{
    const char *parts[PARTS_MOST + 1] = {"", "", "", "", ""};
    struct str rest = str_trim(str_of(t->key)), piece;
    size_t n = 0;
    *out = (struct credentials){0};
    while (n <= PARTS_MOST && str_next(&rest, '|', &piece))
        parts[n++] = arena_str(t->arena, str_trim(piece));
    if (!n || n > PARTS_MOST)
        return misconfigured(t, "the key is \"id|secret|region\" or \"API key|region\"");
    for (size_t i = 0; i < n; i++)
        if (!is_visible(parts[i]))
            return misconfigured(t, "the key has a character that no key has");
    if (!*parts[0] || (n > 2 && !*parts[1]))
        return misconfigured(t, "a part of the key is empty");
    out->region = n > 2 ? parts[2] : parts[1];
    if (!*out->region && t->other)
        out->region = t->other;
    out->api_key = n < 3 ? parts[0] : NULL;
    out->access_key = parts[0];
    out->secret = parts[1];
    out->session = parts[3];
    return is_region(out->region) ? NULL : misconfigured(t, "no region");
}

// --- addresses ------------------------------------------------------------------

static const char *replaced(struct arena *a, const char *text, const char *what, const char *by)
{
    const char *at = strstr(text, what);
    return at ? arena_printf(a, "%.*s%s%s", (int)(at - text), text, by, at + strlen(what)) : text;
}

struct err *aws_url(struct attempt *t)
{
    struct credentials key;
    TRY(read_key(t, &key));
    const char *base = text_is_empty(t->base_url) ? t->provider->base_url : t->base_url;
    t->base_url = replaced(t->arena, base, "{region}", key.region);
    const char *path = attempt_path(t);
    if (t->mode == MODE_MODELS) {
        t->base_url = replaced(t->arena, t->base_url, "://bedrock-runtime", "://bedrock");
        return attempt_url(t, path);
    }
    BUF_HERE(all, 16384);
    buf_puts(&all, "/model/");
    attempt_escape(&all, t->model);
    buf_puts(&all, strrchr(path, '/'));
    buf_puts(&all, t->mode == MODE_CHAT && t->stream ? "-stream" : "");
    return attempt_url(t, arena_str(t->arena, buf_view(&all)));
}

// --- credentials ----------------------------------------------------------------

struct err *auth_aws(struct attempt *t)
{
    struct credentials key;
    TRY(read_key(t, &key));
    if (!key.api_key)
        return NULL;
    return attempt_header(t, "Authorization",
                          str_of(arena_printf(t->arena, "Bearer %s", key.api_key)));
}

// A channel may bring its own Authorization, for a proxy that signs.
static bool is_authorized(struct str headers)
{
    struct str line, name;
    while (str_next(&headers, '\n', &line))
        if (str_next(&line, ':', &name) && str_is_nocase(name, "authorization"))
            return true;
    return false;
}

struct err *aws_sign(struct attempt *t, const char *method, const struct str *body, size_t pieces)
{
    struct credentials key;
    TRY(read_key(t, &key));
    if (key.api_key || is_authorized(buf_view(&t->headers)))
        return NULL;
    struct sigv4 request = {
        .method = method,
        .url = t->url,
        .headers = buf_view(&t->headers),
        .body = body,
        .pieces = pieces,
        .region = key.region,
        .service = "bedrock",
        .access_key = key.access_key,
        .secret = key.secret,
        .session = key.session,
        .now = clock_now(),
    };
    BUF_HERE(lines, 64 << 10);
    TRY(sigv4_sign(t->arena, &request, &lines));
    buf_str(&t->headers, buf_view(&lines));
    return NULL;
}
