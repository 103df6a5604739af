// Events become a v2 chat reply: server-sent events as they come, or one object.
//
// What is said before a call is its plan. A stream cannot know that a call will follow: there it is
// content, which clients show as well.

#include <string.h>

#include "common/arena.h"
#include "relay/dialect/cite.h"
#include "relay/dialect/cohere.h"

enum { TEXT_MOST = 64 << 20 };

struct stream {
    struct chat_usage usage;
    int contents, calls, citations; // written so far
    bool open;                      // a content or a call has not ended
    enum part_kind kind;            // of it
    bool arguments;                 // the open call has some
    struct buf text;                // of the open content, which citations repeat
    enum chat_stop reason;
};

static const char *const stop_names[] = {
    [STOP_END] = "COMPLETE",   [STOP_SEQUENCE] = "STOP_SEQUENCE", [STOP_LENGTH] = "MAX_TOKENS",
    [STOP_TOOL] = "TOOL_CALL", [STOP_FILTER] = "ERROR",           [STOP_REFUSAL] = "COMPLETE",
    [STOP_PAUSE] = "COMPLETE", [STOP_CONTEXT] = "MAX_TOKENS",
};

static void write_counts(struct json *j, const char *key, int64_t prompt, int64_t completion)
{
    json_obj(j, key);
    json_int(j, "input_tokens", prompt);
    json_int(j, "output_tokens", completion);
    json_end(j);
}

static void write_usage(struct json *j, const struct chat_usage *u)
{
    int64_t prompt = u->prompt + u->cache_read + u->cache_write_5m + u->cache_write_1h;
    if (!u->known)
        return;
    json_obj(j, "usage");
    write_counts(j, "billed_units", prompt, u->completion);
    write_counts(j, "tokens", prompt, u->completion);
    json_int(j, "cached_tokens", u->cache_read);
    json_end(j);
}

// --- citations ------------------------------------------------------------------

// "doc:2" is the third of the caller's documents, which may have had a name there.
static struct str source_id(const struct chat_writer *w, const struct chat_citation *c)
{
    int64_t n = 0;
    yyjson_val *list = w->request ? yyjson_obj_get(w->request->body, "documents") : NULL;
    if (list && str_starts(c->id, "doc:") && str_to_int(str_skip(c->id, 4), &n) && n >= 0) {
        struct str id = json_str_at(yyjson_arr_get(list, (size_t)n), "id");
        return id.n ? id : c->id;
    }
    return c->id.n ? c->id : c->url;
}

static void write_source(const struct chat_writer *w, struct json *j, const struct chat_citation *c)
{
    struct str id = source_id(w, c);
    json_obj(j, NULL);
    json_str(j, "type", "document");
    json_strn(j, "id", id);
    json_obj(j, "document");
    json_strn(j, "id", id);
    if (c->title.n)
        json_strn(j, "title", c->title);
    if (c->url.n)
        json_strn(j, "url", c->url);
    if (c->quote.n)
        json_strn(j, "text", c->quote);
    json_end(j);
    json_end(j);
}

static void write_citation(const struct chat_writer *w, struct json *j, const char *key,
                           const struct chat_citation *c, struct str content, int index)
{
    json_obj(j, key);
    json_int(j, "start", c->start);
    json_int(j, "end", c->end);
    json_strn(j, "text", text_cut(content, c->start, c->end));
    json_arr(j, "sources");
    write_source(w, j, c);
    json_end(j);
    json_int(j, "content_index", index);
    json_str(j, "type", "TEXT_CONTENT");
    json_end(j);
}

// --- probabilities --------------------------------------------------------------

// One of OpenAI's token objects; the numbers of its tokens are not known.
static void write_token(struct json *j, const char *key, yyjson_val *token)
{
    json_obj(j, key);
    json_strn(j, "text", json_str_at(token, "token"));
    json_arr(j, "token_ids");
    json_end(j);
    json_arr(j, "logprobs");
    json_real(j, NULL, yyjson_get_num(yyjson_obj_get(token, "logprob")));
    json_end(j);
    json_end(j);
}

// --- streamed -------------------------------------------------------------------

static struct json begin(struct chat_writer *w, const char *event)
{
    struct json j = {.out = w->out};
    buf_puts(w->out, "event: ");
    buf_puts(w->out, event);
    buf_puts(w->out, "\ndata: ");
    json_obj(&j, NULL);
    json_str(&j, "type", event);
    return j;
}

static struct json begin_message(struct chat_writer *w, const char *event, int index)
{
    struct json j = begin(w, event);
    json_int(&j, "index", index);
    json_obj(&j, "delta");
    json_obj(&j, "message");
    return j;
}

static void finish(struct json *j)
{
    json_end_all(j);
    buf_puts(j->out, "\n\n");
}

static struct stream *stream_of(struct chat_writer *w)
{
    if (w->own)
        return w->own;
    struct stream *s = w->own = NEW(w->arena, struct stream);
    s->text = BUF(TEXT_MOST);
    arena_defer_buf(w->arena, &s->text);
    return s;
}

static void write_start(struct chat_writer *w, struct stream *s, const struct chat_event *ev)
{
    s->usage = ev->usage;
    struct json j = begin(w, "message-start");
    json_str(&j, "id", chat_reply_id(w, ev->id, ""));
    json_obj(&j, "delta");
    json_obj(&j, "message");
    json_str(&j, "role", "assistant");
    json_raw(&j, "content", STR("[]"));
    json_str(&j, "tool_plan", "");
    json_raw(&j, "tool_calls", STR("[]"));
    json_raw(&j, "citations", STR("[]"));
    finish(&j);
}

static void write_call(struct chat_writer *w, struct stream *s, const struct chat_event *ev)
{
    struct json j = begin_message(w, "tool-call-start", s->calls++);
    json_obj(&j, "tool_calls");
    json_strn(&j, "id", ev->id);
    json_str(&j, "type", "function");
    json_obj(&j, "function");
    json_strn(&j, "name", ev->name);
    json_str(&j, "arguments", "");
    finish(&j);
}

static void write_content(struct chat_writer *w, struct stream *s, const struct chat_event *ev)
{
    const char *type = ev->kind == PART_THINKING ? "thinking" : "text";
    struct json j = begin_message(w, "content-start", s->contents++);
    json_obj(&j, "content");
    json_str(&j, "type", type);
    json_str(&j, type, "");
    finish(&j);
}

static void write_block(struct chat_writer *w, struct stream *s, const struct chat_event *ev)
{
    if (ev->kind == PART_RAW || ev->redacted)
        return; // has no meaning here
    s->open = true;
    s->kind = ev->kind;
    s->arguments = false;
    buf_clear(&s->text);
    if (ev->kind == PART_TOOL_CALL)
        write_call(w, s, ev);
    else
        write_content(w, s, ev);
}

// The most frequent event by far: assembled by hand.
static void write_text(struct chat_writer *w, struct stream *s, const struct chat_event *ev)
{
    if (!s->open)
        return;
    buf_str(&s->text, ev->text);
    buf_str(w->out, STR("event: content-delta\ndata: {\"type\":\"content-delta\",\"index\":"));
    buf_int(w->out, s->contents - 1);
    buf_puts(w->out, ",\"delta\":{\"message\":{\"content\":{\"");
    buf_puts(w->out, ev->type == CHAT_THINKING ? "thinking\":" : "text\":");
    json_quote(w->out, ev->text);
    buf_puts(w->out, "}}}}\n\n");
}

static void write_arguments(struct chat_writer *w, struct stream *s, struct str json)
{
    if (!s->open || s->kind != PART_TOOL_CALL)
        return;
    s->arguments = true;
    struct json j = begin_message(w, "tool-call-delta", s->calls - 1);
    json_obj(&j, "tool_calls");
    json_obj(&j, "function");
    json_strn(&j, "arguments", json);
    finish(&j);
}

static void write_logprobs(struct chat_writer *w, struct stream *s, const struct chat_event *ev)
{
    ARENA(a);
    yyjson_val *list = NULL, *token;
    size_t i, max;
    if (!s->open || json_read(a, ev->text, &list))
        return;
    yyjson_arr_foreach(list, i, max, token)
    {
        struct json j = begin(w, "content-delta");
        json_int(&j, "index", s->contents - 1);
        json_raw(&j, "delta", STR("{\"message\":{\"content\":{\"text\":\"\"}}}"));
        write_token(&j, "logprobs", token);
        finish(&j);
    }
}

static void write_cited(struct chat_writer *w, struct stream *s, const struct chat_event *ev)
{
    if (!s->open)
        return;
    struct json j = begin_message(w, "citation-start", s->citations);
    write_citation(w, &j, "citations", &ev->cite, buf_view(&s->text), s->contents - 1);
    finish(&j);
    j = begin(w, "citation-end");
    json_int(&j, "index", s->citations++);
    finish(&j);
}

static void write_block_end(struct chat_writer *w, struct stream *s)
{
    bool call = s->kind == PART_TOOL_CALL;
    if (!s->open)
        return;
    if (call && !s->arguments)
        write_arguments(w, s, STR("{}"));
    s->open = false;
    struct json j = begin(w, call ? "tool-call-end" : "content-end");
    json_int(&j, "index", call ? s->calls - 1 : s->contents - 1);
    finish(&j);
}

static void write_end(struct chat_writer *w, const struct stream *s)
{
    struct json j = begin(w, "message-end");
    json_obj(&j, "delta");
    json_str(&j, "finish_reason", stop_names[s->reason]);
    write_usage(&j, &s->usage);
    finish(&j);
    buf_puts(w->out, "data: [DONE]\n\n");
}

struct err *cohere_write_event(struct chat_writer *w, const struct chat_event *ev)
{
    if (ev->choice > 0)
        return NULL; // this dialect has one answer
    struct stream *s = stream_of(w);
    switch (ev->type) {
    case CHAT_START: write_start(w, s, ev); break;
    case CHAT_BLOCK: write_block(w, s, ev); break;
    case CHAT_TEXT:
    case CHAT_THINKING: write_text(w, s, ev); break;
    case CHAT_ARGS: write_arguments(w, s, ev->text); break;
    case CHAT_CITATION: write_cited(w, s, ev); break;
    case CHAT_LOGPROBS: write_logprobs(w, s, ev); break;
    case CHAT_BLOCK_END: write_block_end(w, s); break;
    case CHAT_USAGE: s->usage = ev->usage; break;
    case CHAT_STOP: s->reason = ev->reason; break;
    case CHAT_END: write_end(w, s); break;
    case CHAT_SIGNATURE:
    case CHAT_FAILED: break;
    }
    return NULL;
}

// --- whole ----------------------------------------------------------------------

static bool is_content(const struct answer_part *p)
{
    return p->kind == PART_TEXT || p->kind == PART_REFUSAL ||
           (p->kind == PART_THINKING && p->text.n);
}

static bool has_calls(const struct answer_choice *c)
{
    const struct answer_part *p = c->parts;
    while (p && p->kind != PART_TOOL_CALL)
        p = p->next;
    return p != NULL;
}

static void write_item(struct json *j, const struct answer_part *p)
{
    const char *type = p->kind == PART_THINKING ? "thinking" : "text";
    json_obj(j, NULL);
    json_str(j, "type", type);
    json_strn(j, type, buf_view(&p->text));
    json_end(j);
}

static void write_plan(struct json *j, const struct answer_choice *c)
{
    BUF_HERE(plan, TEXT_MOST);
    for (const struct answer_part *p = c->parts; p; p = p->next)
        if (is_content(p) && p->kind != PART_THINKING)
            buf_str(&plan, buf_view(&p->text));
    if (plan.n)
        json_strn(j, "tool_plan", buf_view(&plan));
}

static void write_calls(struct json *j, const struct answer_choice *c)
{
    json_arr(j, "tool_calls");
    for (const struct answer_part *p = c->parts; p; p = p->next) {
        if (p->kind != PART_TOOL_CALL)
            continue;
        json_obj(j, NULL);
        json_str(j, "id", p->id);
        json_str(j, "type", "function");
        json_obj(j, "function");
        json_str(j, "name", p->name);
        json_strn(j, "arguments", p->text.n ? buf_view(&p->text) : STR("{}"));
        json_end(j);
        json_end(j);
    }
    json_end(j);
}

static void write_citations(const struct chat_writer *w, struct json *j,
                            const struct answer_choice *c)
{
    int index = 0;
    bool any = false;
    for (const struct answer_part *p = c->parts; p; p = p->next) {
        for (const struct answer_citation *at = p->citations; at; at = at->next) {
            if (!any)
                json_arr(j, "citations");
            any = true;
            write_citation(w, j, NULL, &at->cite, buf_view(&p->text), index);
        }
        index += is_content(p);
    }
    if (any)
        json_end(j);
}

// With calls the text is the plan, and thoughts alone are content.
static void write_message(const struct chat_writer *w, struct json *j,
                          const struct answer_choice *c)
{
    bool calls = has_calls(c), any = false;
    json_obj(j, "message");
    json_str(j, "role", "assistant");
    for (const struct answer_part *p = c->parts; p; p = p->next) {
        if (!is_content(p) || (calls && p->kind != PART_THINKING))
            continue;
        if (!any)
            json_arr(j, "content");
        any = true;
        write_item(j, p);
    }
    if (any)
        json_end(j);
    if (calls) {
        write_plan(j, c);
        write_calls(j, c);
    } else {
        write_citations(w, j, c);
    }
    json_end(j);
}

static void write_all_logprobs(struct chat_writer *w, struct json *j, const struct answer_choice *c)
{
    bool any = false;
    size_t i, max;
    yyjson_val *list = NULL, *token;
    for (const struct answer_part *p = c->parts; p; p = p->next) {
        struct str all =
            str_of(arena_printf(w->arena, "[%.*s]", (int)p->logprobs.n, p->logprobs.p));
        if (!p->logprobs.n || json_read(w->arena, all, &list))
            continue;
        if (!any)
            json_arr(j, "logprobs");
        any = true;
        yyjson_arr_foreach(list, i, max, token) write_token(j, NULL, token);
    }
    if (any)
        json_end(j);
}

void cohere_write_answer(struct chat_writer *w, const struct chat_answer *answer)
{
    const struct answer_choice *c = answer->choices;
    struct json j = {.out = w->out};
    json_obj(&j, NULL);
    json_str(&j, "id", chat_reply_id(w, answer->id, ""));
    json_str(&j, "finish_reason", stop_names[c->reason]);
    write_message(w, &j, c);
    write_usage(&j, &answer->usage);
    write_all_logprobs(w, &j, c);
    json_end(&j);
}
