// Preparing one try at one channel: its address and its headers.

#include "relay/channel/provider.h"

#include <string.h>

#include "common/arena.h"

// --- headers --------------------------------------------------------------------

struct err *attempt_header(struct attempt *t, const char *name, struct str value)
{
    for (size_t i = 0; i < value.n; i++) {
        unsigned char c = (unsigned char)value.p[i];
        if (c == 0x7f || c < ' ')
            return err_new(t->arena, &err_channel_misconfigured, "header %s", name);
    }
    buf_puts(&t->headers, name);
    buf_puts(&t->headers, ": ");
    buf_str(&t->headers, value);
    buf_puts(&t->headers, "\r\n");
    return NULL;
}

static struct err *add_headers(struct attempt *t)
{
    for (const struct provider_header *h = t->provider->headers; h && h->name; h++) {
        struct str value = t->caller_header ? t->caller_header(t, h->name) : (struct str){0};
        if (!value.n && h->fallback)
            value = str_of(h->fallback);
        if (value.n)
            TRY(attempt_header(t, h->name, value));
    }
    return NULL;
}

// --- addresses ------------------------------------------------------------------

static bool is_unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c && strchr("-_.~", c));
}

void attempt_escape(struct buf *out, const char *text)
{
    for (const char *c = text ? text : ""; *c; c++) {
        if (is_unreserved(*c))
            buf_add(out, c, 1);
        else
            buf_printf(out, "%%%02X", (unsigned char)*c);
    }
}

static bool is_version(struct str segment)
{
    return segment.n > 1 && segment.p[0] == 'v' && segment.p[1] >= '0' && segment.p[1] <= '9';
}

static struct str last_segment(struct str *path)
{
    size_t n = path->n;
    while (n && path->p[n - 1] != '/')
        n--;
    struct str segment = str_skip(*path, n);
    path->n = n ? n - 1 : 0;
    return segment;
}

// Of "/v1/chat/completions" it is "v1".
static struct str first_segment(struct str path)
{
    struct str rest = str_skip(path, 1), segment = {0};
    str_next(&rest, '/', &segment);
    return segment;
}

// "/v1", "/api/paas/v4", "/v1beta/openai": the address already says which version.
static bool has_version(struct str base)
{
    struct str last = last_segment(&base);
    return is_version(last) || (str_is(last, "openai") && is_version(last_segment(&base)));
}

// How much of the path's begin, in whole segments, the address ends with: "/openai/v1" of Azure's
// "/openai/v1/models". Never all of it.
static size_t overlap(struct str base, struct str path)
{
    for (size_t n = path.n - 1; n > 0; n--)
        if (path.p[n] == '/' && base.n > n && !memcmp(base.p + base.n - n, path.p, n))
            return n;
    return 0;
}

static struct err *check_base(struct attempt *t, struct str base)
{
    bool known = str_starts(base, "http://") || str_starts(base, "https://");
    for (size_t i = 0; known && i < base.n; i++)
        known = (unsigned char)base.p[i] > ' ' && base.p[i] != 0x7f && base.p[i] != '#';
    return known ? NULL : err_new(t->arena, &err_channel_misconfigured, "base URL");
}

static struct str without_slashes(struct str s)
{
    while (s.n && s.p[s.n - 1] == '/')
        s.n--;
    return s;
}

// Before the query, which both may have.
static struct str with_tail(struct attempt *t, const char *path)
{
    size_t n = strcspn(path, "?");
    if (!t->tail)
        return str_of(path);
    const char *more = path[n] ? path + n + 1 : "";
    return str_of(arena_printf(t->arena, "%.*s%s%s%s", (int)n, path, t->tail,
                               !*more                 ? ""
                               : strchr(t->tail, '?') ? "&"
                                                      : "?",
                               more));
}

struct err *attempt_url(struct attempt *t, const char *path)
{
    const char *given = text_is_empty(t->base_url) ? t->provider->base_url : t->base_url;
    struct str base = str_trim(str_of(given)), query = {0}, tail = with_tail(t, path);
    TRY(check_base(t, base));
    const char *mark = memchr(base.p, '?', base.n);
    if (mark) {
        query = str_skip(base, (size_t)(mark - base.p) + 1);
        base.n = (size_t)(mark - base.p);
    }
    base = without_slashes(base);
    tail = str_skip(tail, overlap(base, tail));
    struct str first = first_segment(tail);
    if (has_version(base) && is_version(first))
        tail = str_skip(tail, 1 + first.n);
    const char *join = memchr(tail.p, '?', tail.n) ? "&" : "?";
    t->url = arena_printf(t->arena, "%.*s%.*s%s%.*s", STR_ARGS(base), STR_ARGS(tail),
                          query.n ? join : "", STR_ARGS(query));
    return NULL;
}

// Puts the model and `other` where the path has their names in braces.
static const char *filled(struct attempt *t, const char *path)
{
    BUF_HERE(out, 16384);
    if (!strchr(path, '{'))
        return path;
    while (*path) {
        if (!strncmp(path, "{model}", 7)) {
            attempt_escape(&out, t->model);
            path += 7;
        } else if (!strncmp(path, "{other}", 7)) {
            attempt_escape(&out, t->other);
            path += 7;
        } else {
            buf_add(&out, path++, 1);
        }
    }
    return arena_str(t->arena, buf_view(&out));
}

// OpenAI's models that only the Responses API serves.
static bool only_responses(const char *model)
{
    static const char *const signs[] = {"-codex",     "-deep-research", "computer-use-preview",
                                        "codex-mini", "o1-pro",         "o3-pro"};
    for (size_t i = 0; i < sizeof(signs) / sizeof(*signs); i++)
        if (strstr(model, signs[i]))
            return true;
    return str_starts(str_of(model), "gpt-5") && strstr(model, "-pro");
}

enum relay_mode provider_mode(const struct provider *p, enum relay_mode mode, const char *model,
                              const char *other)
{
    bool responses =
        p->path[MODE_RESPONSES] && (!p->has_mode || p->has_mode(MODE_RESPONSES, other));
    if (mode == MODE_RESPONSES && !responses)
        return MODE_CHAT;
    bool must = !p->path[MODE_CHAT] || (p->quirks & OPENAI_RULES && only_responses(model));
    return mode == MODE_CHAT && responses && must ? MODE_RESPONSES : mode;
}

const struct dialect *provider_dialect(const struct provider *p, enum relay_mode mode)
{
    bool counts = mode == MODE_TOKENS && p->dialect == &openai_dialect; // only there it can
    return mode == MODE_RESPONSES || mode == MODE_COMPACT || counts ? &responses_dialect
                                                                    : p->dialect;
}

const char *attempt_path(const struct attempt *t)
{
    return t->path ? t->path : t->provider->path[t->mode];
}

struct err *attempt_prepare(struct attempt *t)
{
    const struct provider *p = t->provider;
    if (!attempt_path(t))
        return err_new(t->arena, &err_mode_unsupported, "%s", p->name);
    buf_clear(&t->headers);
    TRY(p->fix_url ? p->fix_url(t) : attempt_url(t, filled(t, attempt_path(t))));
    TRY(p->authorize(t));
    return add_headers(t);
}
