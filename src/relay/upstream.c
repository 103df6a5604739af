// One attempt: what is sent to which channel, and what a refusal means.

#include <ctype.h>
#include <string.h>

#include "common/arena.h"
#include "common/clock.h"
#include "common/log.h"
#include "relay/prepared.h"
#include "relay/state.h"
#include "service/metrics.h"

enum { OUT_MOST = 512 << 20, LARGE_BODY = 32 << 10 };

// --- the model's name upstream ----------------------------------------------------

static struct err *map_model(struct relay *r)
{
    const struct snapshot_channel *c = r->choice.channel;
    const char *model = r->head.model;
    for (size_t i = 0; i <= c->models.count; i++) { // more steps than names are a loop
        const char *next = map_get(&c->models, str_of(model));
        if (!next || !strcmp(next, model)) {
            r->sent_model = model;
            return NULL;
        }
        model = next;
    }
    return err_new(r->arena, &err_model_mapping_loop, "channel %lld: %s", (long long)c->row.id,
                   r->head.model);
}

// --- headers ----------------------------------------------------------------------

static struct str caller_header(struct attempt *t, const char *name)
{
    struct relay *r = t->caller;
    return http_header(&r->x->headers, name);
}

// "{api_key}" in an override stands for the channel's key.
static const char *override_value(struct arena *a, struct str value, const char *key)
{
    static const char mark[] = "{api_key}";
    const char *text = arena_str(a, value), *at = strstr(text, mark);
    return at ? arena_printf(a, "%.*s%s%s", (int)(at - text), text, key, at + strlen(mark)) : text;
}

// An override replaces the header of that name, whoever set it.
static void drop_header(struct buf *headers, struct str name)
{
    for (size_t at = 0; at < headers->n;) {
        const char *end = memchr(headers->p + at, '\n', headers->n - at);
        size_t n = end ? (size_t)(end - headers->p) - at + 1 : headers->n - at;
        bool same = n > name.n && headers->p[at + name.n] == ':' &&
                    !strncasecmp(headers->p + at, name.p, name.n);
        if (same) {
            memmove(headers->p + at, headers->p + at + n, headers->n - at - n + 1);
            headers->n -= n;
        } else {
            at += n;
        }
    }
}

static struct err *add_headers(struct relay *r)
{
    struct attempt *t = &r->attempt;
    if (r->body.root || r->x->body.n)
        TRY(attempt_header(t, "Content-Type", STR("application/json")));
    TRY(attempt_header(t, "Accept",
                       str_of(r->head.stream ? t->provider->framing->type : "application/json")));
    TRY(attempt_header(t, "User-Agent", STR("token-factory/" TF_VERSION)));
    const struct snapshot_channel *c = r->choice.channel;
    for (int i = 0; i < c->header_count; i++) {
        drop_header(&t->headers, c->headers[i].name);
        const char *value = override_value(r->arena, c->headers[i].value, t->key);
        TRY(attempt_header(t, arena_str(r->arena, c->headers[i].name), str_of(value)));
    }
    return NULL;
}

// --- the body ---------------------------------------------------------------------

static struct str quoted(struct arena *a, const char *text)
{
    BUF_HERE(out, 4096);
    json_quote(&out, str_of(text));
    return str_of(arena_str(a, buf_view(&out)));
}

// stream_options with include_usage switched on, the rest as it was.
static struct str with_usage(struct arena *a, yyjson_val *options, size_t body_size)
{
    BUF_HERE(out, body_size * 8 + 64); // written anew it may grow, but not beyond that
    struct json j = {.out = &out};
    size_t i, max;
    yyjson_val *name, *value;
    json_obj(&j, NULL);
    json_bool(&j, "include_usage", true);
    yyjson_obj_foreach(options, i, max, name, value)
    {
        if (!yyjson_equals_str(name, "include_usage"))
            json_val(&j, yyjson_get_str(name), value);
    }
    json_end(&j);
    return str_of(arena_str(a, buf_view(&out)));
}

static bool asks_for_usage(const struct relay *r)
{
    return r->head.stream && !r->head.wants_usage && r->attempt.dialect == &openai_dialect &&
           !(r->attempt.provider->quirks & NO_STREAM_USAGE);
}

// Same dialect: the caller's own bytes, with as little changed as can be.
static struct err *edit_body(struct relay *r)
{
    const struct snapshot_channel *c = r->choice.channel;
    struct json_edit edits[JSON_EDITS_MOST];
    size_t count = 0;
    if (r->hide_usage && yyjson_obj_get(r->body.root, "stream_options"))
        TRY(json_text_read_whole(r->document, &r->body)); // its members are written anew
    if (strcmp(r->sent_model, r->head.model) != 0 && !r->route->speaks->read_path)
        edits[count++] = (struct json_edit){"model", quoted(r->arena, r->sent_model)};
    if (r->hide_usage)
        edits[count++] = (struct json_edit){
            "stream_options",
            with_usage(r->arena, yyjson_obj_get(r->body.root, "stream_options"), r->body.text.n)};
    for (int i = 0; i < c->param_count && count < JSON_EDITS_MOST; i++)
        edits[count++] =
            (struct json_edit){arena_str(r->arena, c->params[i].name), c->params[i].value};
    r->call->pieces = json_text_edit(r->arena, &r->body, edits, count, r->call->body, CALL_PIECES);
    return NULL;
}

void relay_drop_document(struct relay *r)
{
    if (r->parsed || !r->body.root)
        return;
    arena_free(r->document);
    r->document = NULL;
    r->body.root = NULL;
}

static struct err *read_again(struct relay *r)
{
    if (r->parsed || r->body.root || !r->body.text.n)
        return NULL;
    r->document = arena_new();
    return json_text_read(r->document, r->body.text, &r->body);
}

struct err *relay_parse(struct relay *r)
{
    if (r->parsed)
        return NULL;
    if (!r->body.root) // given up after it was read
        TRY(json_read(r->arena, r->body.text, &r->body.root));
    else
        TRY(json_text_read_whole(r->document, &r->body));
    TRY(r->route->speaks->parse_request(r->arena, r->body.root, &r->request));
    r->request.head = r->head;
    r->request.previous = r->head.previous;
    r->parsed = true;
    return NULL;
}

// The channel's own system prompt stands in where the caller gave none.
static void add_system_prompt(struct relay *r, struct chat_request *request)
{
    const char *prompt = r->choice.channel->row.system_prompt;
    if (text_is_empty(prompt) || request->system)
        return;
    struct chat_part *part = NEW(r->arena, struct chat_part);
    part->kind = PART_TEXT;
    part->text = str_of(prompt);
    request->system = part;
}

// What must be fetched before the request can be written: then r->first is set.
static struct err *look_ahead(struct relay *r)
{
    relay_recall_state(r);
    return r->first ? NULL : relay_media(r);
}

static struct err *override_params(struct relay *r, struct str body)
{
    const struct snapshot_channel *c = r->choice.channel;
    struct json_text text;
    struct json_edit edits[JSON_EDITS_MOST];
    size_t count = 0;
    TRY(json_text_read(r->arena, body, &text));
    for (int i = 0; i < c->param_count && count < JSON_EDITS_MOST; i++)
        edits[count++] =
            (struct json_edit){arena_str(r->arena, c->params[i].name), c->params[i].value};
    r->call->pieces = json_text_edit(r->arena, &text, edits, count, r->call->body, CALL_PIECES);
    return NULL;
}

static struct err *translate_body(struct relay *r)
{
    const struct provider *p = r->attempt.provider;
    TRY(relay_parse(r));
    if (r->request.kept && r->attempt.dialect != r->request.owner)
        return err_new(r->arena, &err_state_unsupported, "%s", r->request.kept);
    struct chat_request *request = NEW(r->arena, struct chat_request);
    *request = r->request; // an attempt's changes must not reach the next one
    add_system_prompt(r, request);
    if (p->fix_request)
        TRY(p->fix_request(&r->attempt, request));
    buf_clear(&r->dropped);
    r->target = (struct chat_target){r->sent_model, p->quirks, r->head.stream, &r->dropped};
    TRY(look_ahead(r));
    if (r->first)
        return NULL;
    struct buf *body = NEW(r->arena, struct buf);
    *body = BUF(OUT_MOST);
    arena_defer_buf(r->arena, body);
    TRY(chat_write_request(r->arena, r->attempt.dialect, request, &r->target, body));
    if (body->overflow)
        return err_new(r->arena, &err_body_too_large, "translated request");
    r->call->body[0] = buf_view(body);
    r->call->pieces = 1;
    return r->choice.channel->param_count ? override_params(r, buf_view(body)) : NULL;
}

static struct err *write_body(struct relay *r)
{
    if (r->translated)
        return translate_body(r);
    return r->kept_id ? NULL : edit_body(r);
}

// --- putting it together ------------------------------------------------------------

static struct err *find_provider(struct relay *r)
{
    const struct snapshot_channel *c = r->choice.channel;
    const struct provider *p = provider_of(c->row.type);
    if (!p)
        return err_new(r->arena, &err_channel_misconfigured, "channel %lld: no provider of type %d",
                       (long long)c->row.id, c->row.type);
    buf_clear(&r->attempt.headers);
    struct buf headers = r->attempt.headers.limit ? r->attempt.headers : BUF(64 << 10);
    enum relay_mode asked = r->kept_id ? MODE_RESPONSES : r->route->mode;
    enum relay_mode mode = provider_mode(p, asked, r->sent_model, c->row.other);
    const struct dialect *dialect = provider_dialect(p, mode);
    r->translated = dialect != r->route->speaks;
    r->attempt = (struct attempt){
        .arena = r->arena,
        .provider = p,
        .mode = mode,
        .dialect = dialect,
        .stream = r->head.stream,
        .base_url = text_is_empty(c->row.base_url) ? p->base_url : c->row.base_url,
        .key = r->choice.key->text,
        .model = r->sent_model,
        .other = c->row.other,
        .tail = r->kept_id ? relay_kept_tail(r) : NULL,
        .headers = headers,
        .caller_header = r->translated ? NULL : caller_header,
        .caller = r,
    };
    if ((r->translated && !relay_is_chat(r)) || !p->path[mode])
        return err_new(r->arena, &err_mode_unsupported, "%s", p->name);
    return NULL;
}

// Between equal dialects the body is only edited, unless something must be put in or taken out.
static bool is_rewritten(const struct relay *r)
{
    const struct snapshot_channel *c = r->choice.channel;
    return relay_is_chat(r) && (!text_is_empty(c->row.system_prompt) ||
                                chat_carries(r->body.root) || relay_keeps_here(r));
}

static struct err *address(struct relay *r)
{
    struct call *c = r->call;
    if (prepared_use(r))
        return NULL;
    TRY(attempt_prepare(&r->attempt));
    TRY(add_headers(r));
    TRY(url_parse(r->arena, r->attempt.url, &c->url));
    c->headers = buf_view(&r->attempt.headers);
    TRY(call_check(c));
    prepared_keep(r);
    return NULL;
}

static struct err *sign(struct relay *r)
{
    struct call *c = r->call;
    const struct provider *p = r->attempt.provider;
    if (!p->sign)
        return NULL;
    TRY(p->sign(&r->attempt, c->method, c->body, c->pieces));
    c->headers = buf_view(&r->attempt.headers);
    return call_check(c);
}

struct err *relay_prepare(struct relay *r)
{
    r->call = NULL; // the last attempt's says nothing about this one
    TRY(read_again(r));
    TRY(map_model(r));
    TRY(find_provider(r));
    r->translated = r->translated || is_rewritten(r);
    r->attempt.array = r->head.array && !r->translated;
    r->hide_usage = asks_for_usage(r);
    struct call *c = r->call = NEW(r->arena, struct call);
    c->arena = r->arena;
    c->method = r->kept_id ? relay_kept_method(r) : "POST";
    c->proxy = r->choice.channel->row.proxy;
    c->owner = r;
    TRY(address(r));
    TRY(write_body(r));
    if (!r->translated && r->body.text.n > LARGE_BODY)
        relay_drop_document(r); // the next one is read into memory that is still in the caches
    return sign(r);
}

// --- what a failure means -------------------------------------------------------------

static const struct {
    int from, to;
    const struct err_kind *kind;
} meanings[] = {
    {401, 401, &err_upstream_credentials}, {402, 403, &err_upstream_credentials},
    {408, 408, &err_upstream_timeout},     {429, 429, &err_upstream_rate_limited},
    {424, 424, &err_upstream_failed}, // Bedrock: the model failed
    {400, 499, &err_upstream_rejected},    {503, 503, &err_upstream_overloaded},
    {529, 529, &err_upstream_overloaded},  {504, 504, &err_upstream_timeout},
    {0, 999, &err_upstream_failed},
};

static int retry_after(const struct call *c)
{
    int64_t seconds;
    struct str value = http_header(&c->headers_in, "retry-after");
    return value.n && str_to_int(str_trim(value), &seconds) && seconds > 0 && seconds < 86400
               ? (int)seconds
               : 0;
}

// A failure inside a stream or a good status: nothing is known of it but the provider's words.
// Those about keys and money may be about anything (a moderator's 403), and say nothing of this
// channel.
struct err *relay_said_error(struct relay *r)
{
    const struct chat_error *said = &r->upstream_error;
    size_t i = 0;
    while (said->status < meanings[i].from || said->status > meanings[i].to)
        i++;
    const struct err_kind *kind = meanings[i].kind;
    if (kind == &err_upstream_credentials)
        kind = &err_upstream_failed;
    struct err *e = err_new(r->arena, kind, "error in the answer: %.*s",
                            (int)(said->message.n < 300 ? said->message.n : 300),
                            said->message.p ? said->message.p : "");
    if (kind == &err_upstream_rejected)
        e->status = said->status;
    return e;
}

struct err *relay_upstream_error(struct relay *r)
{
    int status = r->call->status;
    yyjson_val *body = NULL;
    r->upstream_error = (struct chat_error){.status = status};
    if (!json_read(r->arena, buf_view(&r->in), &body))
        r->attempt.dialect->read_error(body, &r->upstream_error);
    if (status == 400 && r->upstream_error.status == 401)
        status = 401; // Google's answer to a wrong key
    size_t i = 0;
    while (status < meanings[i].from || status > meanings[i].to)
        i++;
    struct err *e =
        err_new(r->arena, meanings[i].kind, "status %d: %.*s", status,
                (int)(r->upstream_error.message.n < 300 ? r->upstream_error.message.n : 300),
                r->upstream_error.message.p ? r->upstream_error.message.p : "");
    e->status = meanings[i].kind == &err_upstream_rejected ? status : meanings[i].kind->status;
    e->retry_after = retry_after(r->call);
    if (!e->retry_after)
        e->retry_after = r->upstream_error.retry_after;
    return e;
}

// --- its consequences for the channel ---------------------------------------------------

struct disabling {
    struct job job;
    int64_t channel_id;
    char key_id[17];
    char reason[512];
};

static void disable(struct job *job)
{
    struct disabling *d = (struct disabling *)job;
    ARENA(a);
    DB(db);
    struct err *e = db_lease(relay_pool(), a, &db);
    if (!e)
        e = health_disable(db, a, d->channel_id, d->key_id, d->reason);
    if (e)
        log_error("channel %lld: not disabled: %s", (long long)d->channel_id, e->detail);
    free(d);
}

static void take_out_of_service(struct relay *r, const struct err *e)
{
    struct health *h = r->choice.key->health;
    if (atomic_exchange(&h->off, true))
        return; // somebody else saw it first
    struct disabling *d = mem_new(sizeof(*d));
    d->job.on_worker = disable;
    d->channel_id = r->choice.channel->row.id;
    memcpy(d->key_id, h->key_id, sizeof(d->key_id));
    snprintf(d->reason, sizeof(d->reason), "%s", e->detail);
    worker_run(&d->job);
}

static void count_failure(struct relay *r, const struct err *e)
{
    char channel[24];
    snprintf(channel, sizeof(channel), "%lld", (long long)r->choice.channel->row.id);
    metric_add(metric_cell(METRIC_UPSTREAM_ERRORS, channel, e->kind->code, NULL), 1);
}

static bool concerns_key_only(const struct err *e)
{
    return e->kind == &err_upstream_credentials || e->kind == &err_upstream_rate_limited;
}

void relay_attempt_failed(struct relay *r, const struct err *e)
{
    const struct relay_setting *s = &r->snapshot->settings.relay;
    struct health *h = r->choice.key->health;
    if (!r->tried)
        r->tried = NEW(r->arena, struct tried);
    if (relay_unsuited(e)) {
        r->unsuited = true;
        r->attempts--; // nobody was asked
        tried_channel(r->tried, r->choice.channel->row.id);
        return;
    }
    if (concerns_key_only(e) && r->choice.channel->key_count > 1)
        tried_key(r->tried, h);
    else
        tried_channel(r->tried, r->choice.channel->row.id);
    if (!e->kind->retry) {
        health_unsaid(h); // the caller's own fault
        return;
    }
    count_failure(r, e);
    health_bad(h, s->breaker_failures, s->breaker_rest_seconds, clock_steady_ms());
    const char *said =
        r->upstream_error.message.p ? arena_str(r->arena, r->upstream_error.message) : "";
    if (r->choice.channel->row.auto_ban &&
        health_is_fatal(&r->snapshot->settings, r->call ? r->call->status : 0, said))
        take_out_of_service(r, e);
}
