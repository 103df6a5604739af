// Calling an upstream for the operator: the same provider rows and dialects as a relay, on a
// worker.

#include "relay/probe.h"

#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "common/clock.h"
#include "common/http/fetch.h"
#include "common/json_edit.h"
#include "relay/channel/provider.h"
#include "service/health.h"

enum { PROBE_OUTPUT = 16, MESSAGE_MOST = 500, MODELS_MOST = 1 << 18 };
enum { HEADERS_MOST = 64, PROBE_MS = 60000, ANSWER_MOST = 8 << 20 };

// One call and what came of it.
struct probing {
    struct arena *arena;
    const struct channel *channel;
    struct attempt attempt;
    struct chat_target target;
    struct fetch_answer answer;
    bool said;               // the answer held text, thinking or a call
    struct chat_error error; // the provider's words, if it refused
};

// --- what is sent -------------------------------------------------------------------------

// A key in service, else any: a channel that is off is probed with what it has.
static const char *choose_key(struct arena *a, const struct channel *c)
{
    struct str rest = str_of(c->key), line;
    const char *first = NULL;
    while (str_next(&rest, '\n', &line)) {
        const char *key = arena_str(a, str_trim(line));
        if (!*key)
            continue;
        if (!c->id || health_usable(health_of(c->id, key), clock_steady_ms()))
            return key;
        first = first ? first : key;
    }
    return first ? first : "";
}

static const char *first_of(struct arena *a, const char *list)
{
    struct str rest = str_of(list), item;
    while (str_next(&rest, ',', &item))
        if (str_trim(item).n)
            return arena_str(a, str_trim(item));
    return "";
}

static const char *choose_model(struct arena *a, const struct channel *c, const char *model)
{
    if (!text_is_empty(model))
        return model;
    return text_is_empty(c->test_model) ? first_of(a, c->models) : c->test_model;
}

static const char *mapped(struct arena *a, const struct channel *c, const char *model)
{
    yyjson_val *map;
    if (text_is_empty(c->model_mapping) || json_read(a, str_of(c->model_mapping), &map))
        return model;
    for (size_t i = 0; i <= yyjson_obj_size(map); i++) {
        const char *next = json_text_at(map, model);
        if (!next || !strcmp(next, model))
            break;
        model = next;
    }
    return model;
}

static struct err *begin(struct probing *p, struct arena *a, const struct channel *c,
                         enum relay_mode mode, const char *model)
{
    const struct provider *provider = provider_of(c->type);
    if (!provider)
        return err_new(a, &err_channel_misconfigured, "no provider of type %d", c->type);
    *p = (struct probing){.arena = a, .channel = c};
    p->attempt = (struct attempt){
        .arena = a,
        .provider = provider,
        .mode = provider_mode(provider, mode, model, c->other),
        .base_url = c->base_url,
        .key = choose_key(a, c),
        .model = model,
        .other = c->other,
        .headers = BUF(1 << 16),
    };
    p->attempt.dialect = provider_dialect(provider, p->attempt.mode);
    arena_defer_buf(a, &p->attempt.headers);
    p->target = (struct chat_target){.model = model, .quirks = provider->quirks};
    return NULL;
}

// "{api_key}" in a header of the channel's own stands for its key.
static const char *header_value(struct probing *p, const char *text)
{
    static const char mark[] = "{api_key}";
    const char *at = strstr(text, mark);
    return at ? arena_printf(p->arena, "%.*s%s%s", (int)(at - text), text, p->attempt.key,
                             at + strlen(mark))
              : text;
}

static struct err *add_headers(struct probing *p)
{
    yyjson_val *map = NULL, *name, *value;
    size_t i, max;
    struct attempt *t = &p->attempt;
    TRY(attempt_header(t, "User-Agent", STR("token-factory/" TF_VERSION)));
    if (text_is_empty(p->channel->header_override))
        return NULL;
    TRY(json_read(p->arena, str_of(p->channel->header_override), &map));
    yyjson_obj_foreach(map, i, max, name, value)
    {
        const char *text = yyjson_get_str(value);
        if (text)
            TRY(attempt_header(t, yyjson_get_str(name), str_of(header_value(p, text))));
    }
    return NULL;
}

// The channel's own parameters, put into the body as they are for relays.
static struct err * override(struct probing *p, struct str body, struct str *out)
{
    struct json_edit edits[JSON_EDITS_MOST];
    struct json_text text;
    yyjson_val *map, *name, *value;
    size_t i, max, count = 0;
    *out = body;
    if (text_is_empty(p->channel->param_override))
        return NULL;
    TRY(json_read(p->arena, str_of(p->channel->param_override), &map));
    TRY(json_text_read(p->arena, body, &text));
    yyjson_obj_foreach(map, i, max, name, value)
    {
        if (count < JSON_EDITS_MOST)
            edits[count++] =
                (struct json_edit){yyjson_get_str(name), json_text_of(p->arena, value)};
    }
    return json_text_edit(p->arena, &text, edits, count, out, 1) == 1
               ? NULL
               : err_new(p->arena, &err_internal, "edits");
}

static struct err *write_body(struct probing *p, struct str *out)
{
    static struct chat_part hello = {.kind = PART_TEXT, .text = {"hi", 2}};
    static struct chat_message message = {.role = ROLE_USER, .parts = &hello};
    struct chat_request request = {
        .head = {.model = p->attempt.model,
                 .stream = p->target.stream,
                 .wants_usage = p->target.stream,
                 .max_output = PROBE_OUTPUT,
                 .choices = 1},
        .messages = &message,
        .parallel = -1,
        .logprobs = -1,
    };
    const struct provider *provider = p->attempt.provider;
    BUF_HERE(body, 1 << 20);
    if (provider->fix_request)
        TRY(provider->fix_request(&p->attempt, &request));
    TRY(p->attempt.dialect->write_request(p->arena, &request, &p->target, &body));
    return override(p, str_of(arena_str(p->arena, buf_view(&body))), out);
}

// The attempt's lines as fetch wants them.
static size_t split_headers(struct str lines, struct http_header *to)
{
    size_t n = 0;
    struct str line, name;
    while (n < HEADERS_MOST && str_next(&lines, '\n', &line)) {
        struct str value = str_trim(line);
        if (str_next(&value, ':', &name))
            to[n++] = (struct http_header){name, str_trim(value)};
    }
    return n;
}

static struct err *prepare(struct probing *p, struct str body)
{
    struct attempt *t = &p->attempt;
    if (t->provider->log_in)
        TRY(t->provider->log_in(t));
    TRY(attempt_prepare(t));
    TRY(add_headers(p));
    if (body.p)
        TRY(attempt_header(t, "Content-Type", STR("application/json")));
    return t->provider->sign ? t->provider->sign(t, body.p ? "POST" : "GET", &body, 1) : NULL;
}

static struct err *call(struct probing *p, struct str body)
{
    struct attempt *t = &p->attempt;
    TRY(prepare(p, body));
    struct http_header headers[HEADERS_MOST];
    struct fetch request = {
        .url = t->url,
        .headers = headers,
        .header_count = split_headers(buf_view(&t->headers), headers),
        .body = body,
        .proxy = p->channel->proxy,
        .timeout_ms = PROBE_MS,
        .max_bytes = ANSWER_MOST,
    };
    return fetch(p->arena, &request, &p->answer);
}

// --- what came back -----------------------------------------------------------------------

// Upstreams like to repeat the key that they refuse.
static const char *without_key(struct arena *a, struct str text, const char *key)
{
    const char *shown = arena_printf(
        a, "%.*s", (int)(text.n < MESSAGE_MOST ? text.n : MESSAGE_MOST), text.p ? text.p : "");
    size_t n = strlen(key);
    const char *at = n ? strstr(shown, key) : NULL;
    while (at) {
        shown = arena_printf(a, "%.*s***%s", (int)(at - shown), shown, at + n);
        at = strstr(shown, key);
    }
    return utf8_valid(str_of(shown)) ? shown : "";
}

// The provider's own words for its refusal, or the beginning of whatever it sent.
static const char *refusal(struct probing *p)
{
    struct str body = p->answer.body, text = body;
    yyjson_val *root;
    if (!json_read(p->arena, body, &root) && p->attempt.dialect->read_error(root, &p->error) &&
        p->error.message.p)
        text = p->error.message;
    return arena_printf(p->arena, "HTTP %d: %s", p->answer.status,
                        without_key(p->arena, text, p->attempt.key));
}

static struct err *on_event(void *self, const struct chat_event *ev)
{
    struct probing *p = self;
    if (ev->type == CHAT_TEXT || ev->type == CHAT_THINKING || ev->type == CHAT_ARGS ||
        ev->type == CHAT_STOP)
        p->said = true;
    if (ev->type == CHAT_FAILED)
        p->error.message = str_of(arena_str(p->arena, ev->error.message));
    return NULL;
}

static struct err *read_frames(struct probing *p, struct chat_reader *reader)
{
    const struct framing *framing = p->attempt.provider->framing;
    struct cutter cutter = {0};
    struct frame frame;
    while (framing->next(&cutter, p->answer.body, true, p->arena, &frame))
        TRY(chat_read_frame(reader, &frame));
    return chat_read_end(reader);
}

// NULL, or what is wrong with an answer that said 200.
static const char *read_answer(struct probing *p)
{
    ARENA(scratch);
    struct chat_reader reader = {
        .dialect = p->attempt.dialect,
        .arena = p->arena,
        .scratch = scratch,
        .sink = {on_event, p},
        .target = &p->target,
    };
    struct err *e =
        p->target.stream ? read_frames(p, &reader) : chat_read_whole(&reader, p->answer.body);
    if (p->error.message.p)
        return without_key(p->arena, p->error.message, p->attempt.key);
    if (e || !p->said)
        return "The answer is not what this provider's interface promises.";
    return reader.ended || !p->target.stream ? NULL : "The stream broke off.";
}

struct err *probe_channel(struct arena *a, const struct channel *c, const char *model, bool stream,
                          struct probe *out)
{
    struct probing *p = NEW(a, struct probing);
    struct str body;
    *out = (struct probe){.model = choose_model(a, c, model)};
    if (!*out->model)
        return err_new(a, &err_field_missing, "model");
    TRY(begin(p, a, c, MODE_CHAT, mapped(a, c, out->model)));
    p->target.stream = p->attempt.stream = stream;
    TRY(write_body(p, &body));
    int64_t from = clock_steady_ms();
    struct err *e = call(p, body);
    out->ms = clock_steady_ms() - from;
    out->status = p->answer.status;
    if (e && e->kind->status < 500)
        return e;
    if (e)
        out->message = without_key(a, str_of(e->detail), p->attempt.key);
    else if (out->status != 200)
        out->message = refusal(p);
    else
        out->message = read_answer(p);
    out->fine = !out->message;
    return NULL;
}

// --- models -------------------------------------------------------------------------------

static struct err *refused(struct probing *p)
{
    int status = p->answer.status;
    const struct err_kind *kind =
        status == 401 || status == 403 ? &err_upstream_credentials : &err_upstream_failed;
    return err_new(p->arena, kind, "%s", refusal(p));
}

// The array under the first of these members that there is.
static yyjson_val *list_of(yyjson_val *root)
{
    static const char *const names[] = {"data", "models", "modelSummaries",
                                        "inferenceProfileSummaries"};
    yyjson_val *list = yyjson_is_arr(root) ? root : NULL;
    for (size_t i = 0; i < sizeof(names) / sizeof(*names) && !list; i++)
        list = yyjson_obj_get(root, names[i]);
    return list;
}

static struct str name_of(yyjson_val *item)
{
    static const char *const names[] = {"id", "name", "modelId", "inferenceProfileId"};
    struct str name = {0};
    for (size_t i = 0; i < sizeof(names) / sizeof(*names) && !name.p; i++)
        name = json_str_at(item, names[i]);
    return str_starts(name, "models/") ? str_skip(name, strlen("models/")) : name;
}

// {"data": [{"id"}]} as OpenAI and Anthropic do, {"models": [{"name": "models/..."}]} as Google and
// Ollama do, AWS's two lists, or just an array of any.
static void list_models(yyjson_val *root, struct buf *out)
{
    yyjson_val *item;
    size_t i, max;
    yyjson_arr_foreach(list_of(root), i, max, item)
    {
        struct str name = name_of(item);
        if (!name.n || memchr(name.p, ',', name.n))
            continue;
        if (out->n)
            buf_puts(out, ",");
        buf_str(out, name);
    }
}

static struct err *add_models(struct probing *p, const char *path, struct buf *out)
{
    yyjson_val *root;
    p->attempt.path = path;
    TRY(call(p, (struct str){0}));
    if (p->answer.status != 200)
        return refused(p);
    if (json_read(p->arena, p->answer.body, &root))
        return err_new(p->arena, &err_upstream_failed, "the list of models is not JSON");
    list_models(root, out);
    return NULL;
}

struct err *probe_models(struct arena *a, const struct channel *c, const char **models)
{
    struct probing *p = NEW(a, struct probing);
    BUF_HERE(out, MODELS_MOST);
    TRY(begin(p, a, c, MODE_MODELS, ""));
    TRY(add_models(p, NULL, &out));
    if (p->attempt.provider->more_models)
        TRY(add_models(p, p->attempt.provider->more_models, &out));
    *models = arena_str(a, buf_view(&out));
    return NULL;
}
