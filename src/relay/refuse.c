// Failures in the words of the caller's dialect.

#include <string.h>

#include "common/arena.h"
#include "common/log.h"
#include "i18n/i18n.h"
#include "relay/state.h"

// Where clients look for a certain code or status, they get it.
static const struct {
    const struct err_kind *kind;
    const char *code; // OpenAI's
    int openai, claude, gemini, cohere, bedrock;
} known[] = {
    {&err_token_missing, "invalid_api_key", 401, 401, 401, 401, 403},
    {&err_token_invalid, "invalid_api_key", 401, 401, 400, 401, 403},
    {&err_quota_insufficient, "insufficient_quota", 429, 402, 429, 402, 400},
    {&err_token_exhausted, "insufficient_quota", 429, 402, 429, 402, 400},
    {&err_previous_not_found, "previous_response_not_found", 400, 400, 400, 400, 400},
    {&err_upstream_rate_limited, "rate_limit_exceeded", 429, 429, 429, 429, 429},
    {&err_rate_limited, "rate_limit_exceeded", 429, 429, 429, 429, 429},
};

static int status_for(const struct dialect *speaks, size_t i)
{
    if (speaks == &claude_dialect)
        return known[i].claude;
    if (speaks == &gemini_dialect)
        return known[i].gemini;
    if (speaks == &cohere_dialect)
        return known[i].cohere;
    return speaks == &bedrock_dialect ? known[i].bedrock : known[i].openai;
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.' || c == '/' || c == ':' || c == '?' || c == '=' || c == '&' ||
           c == '%';
}

// Upstreams like to quote addresses and keys: those are not the caller's business.
static const char *without_secrets(struct arena *a, struct str said)
{
    static const char *const marks[] = {"http://", "https://", "sk-", "key-", "AIza"};
    char *text = arena_str(a, said);
    for (size_t i = 0; i < sizeof(marks) / sizeof(*marks); i++) {
        for (char *at = text; (at = strstr(at, marks[i]));) {
            while (is_word(*at))
                *at++ = '*';
        }
    }
    return text;
}

void relay_error_words(struct arena *a, const struct dialect *speaks, const struct err *e,
                       const struct chat_error *upstream, struct chat_error *out)
{
    *out = chat_error_of(e, i18n_error(a, LANGUAGE_EN, e));
    out->retry_after = e->retry_after;
    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
        if (known[i].kind != e->kind)
            continue;
        out->status = status_for(speaks, i);
        out->code = str_of(known[i].code);
    }
    bool theirs = e->kind == &err_upstream_rejected || e->kind == &err_upstream_rate_limited;
    if (!theirs || !upstream || !upstream->message.n)
        return;
    out->message = str_of(without_secrets(a, upstream->message));
    if (upstream->code.n)
        out->code = upstream->code;
    if (upstream->type.n)
        out->type = upstream->type;
}

static size_t error_headers(const struct exchange *x, const struct dialect *speaks,
                            const struct err *e, const struct chat_error *words,
                            struct http_header *to)
{
    struct arena *a = x->arena;
    size_t n = 0;
    if (speaks->id_header)
        to[n++] = (struct http_header){str_of(speaks->id_header), str_of(x->request_id)};
    if (speaks->error_header)
        to[n++] =
            (struct http_header){str_of(speaks->error_header), str_of(speaks->error_type(words))};
    if (e->retry_after)
        to[n++] =
            (struct http_header){STR("Retry-After"), str_of(arena_printf(a, "%d", e->retry_after))};
    if (e->kind == &err_quota_insufficient || e->kind == &err_token_exhausted)
        to[n++] = (struct http_header){STR("x-should-retry"), STR("false")};
    return n;
}

// `r` is NULL where nothing was relayed.
static void refuse(struct exchange *x, const struct dialect *speaks, const struct err *e,
                   const struct relay *r)
{
    if (!speaks)
        speaks = &openai_dialect;
    struct chat_error words;
    struct http_header headers[6 + LIMIT_HEADERS];
    BUF_HERE(out, 1 << 20);
    relay_error_words(x->arena, speaks, e, r ? &r->upstream_error : NULL, &words);
    speaks->write_error(&out, &words, x->request_id);
    size_t n = error_headers(x, speaks, e, &words, headers);
    n += r ? relay_limit_headers(r, headers + n) : 0;
    enum log_level level = e->kind->status >= 500 ? LOG_WARN : r && r->quiet ? LOG_DEBUG : LOG_INFO;
    log_write(level, x->request_id, "%.*s %.*s: %d %s: %s", STR_ARGS(x->method), STR_ARGS(x->path),
              words.status, e->kind->code, e->detail);
    exchange_reply(x, words.status, "application/json", headers, n, buf_view(&out));
}

void relay_refuse_said(const struct relay *r, const struct err *e)
{
    refuse(r->x, r->route->speaks, e, r);
}

void relay_refuse(struct exchange *x, const struct dialect *speaks, const struct err *e)
{
    refuse(x, speaks, e, NULL);
}
