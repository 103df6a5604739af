// Events become a Converse reply: messages of AWS's event stream as they come, or one object.

#include <string.h>

#include "common/arena.h"
#include "common/clock.h"
#include "relay/dialect/bedrock.h"
#include "relay/dialect/cite.h"
#include "relay/dialect/names.h"
#include "relay/dialect/take.h"

enum { PAYLOAD_MOST = 16 << 20 };

struct stream {
    struct chat_usage usage;
    int block;   // index of the latest block, -1 if there is none
    bool open;   // it has not ended
    bool called; // it is a call
    struct buf payload;
};

static const char *stop_name(enum chat_stop reason)
{
    static const char *const names[] = {
        [STOP_END] = "end_turn",
        [STOP_SEQUENCE] = "stop_sequence",
        [STOP_LENGTH] = "max_tokens",
        [STOP_TOOL] = "tool_use",
        [STOP_FILTER] = "content_filtered",
        [STOP_REFUSAL] = "content_filtered",
        [STOP_PAUSE] = "end_turn",
        [STOP_CONTEXT] = "model_context_window_exceeded",
    };
    return names[reason];
}

static void write_usage(struct json *j, const struct chat_usage *u, int64_t prompt)
{
    int64_t written = u->cache_write_5m + u->cache_write_1h;
    json_obj(j, "usage");
    json_int(j, "inputTokens", prompt);
    json_int(j, "outputTokens", u->completion);
    json_int(j, "totalTokens", prompt + u->cache_read + written + u->completion);
    json_int(j, "cacheReadInputTokens", u->cache_read);
    json_int(j, "cacheWriteInputTokens", written);
    json_end(j);
}

static int64_t input_of(const struct chat_writer *w, const struct chat_usage *u)
{
    return u->known || u->prompt_known ? u->prompt : w->prompt_estimate;
}

static void write_metrics(struct json *j, const struct chat_writer *w)
{
    json_obj(j, "metrics");
    json_int(j, "latencyMs", w->began_ms ? clock_steady_ms() - w->began_ms : 0);
    json_end(j);
}

// --- citations ------------------------------------------------------------------

// "example.com" of "https://example.com/page".
static struct str domain_of(struct str url)
{
    const char *at = memmem(url.p, url.n, "://", 3);
    struct str rest = at ? str_skip(url, (size_t)(at - url.p) + 3) : url, domain = {0};
    str_next(&rest, '/', &domain);
    return domain;
}

// Which part of a document it is is not told elsewhere: all of it.
static void write_location(struct json *j, const struct chat_citation *c)
{
    json_obj(j, "location");
    json_obj(j, c->url.n ? "web" : "documentChar");
    if (c->url.n) {
        json_strn(j, "url", c->url);
        json_strn(j, "domain", domain_of(c->url));
    } else {
        json_int(j, "documentIndex", cite_document_index(c->id));
        json_int(j, "start", 0);
        json_int(j, "end", text_points(c->quote));
    }
    json_end(j);
    json_end(j);
}

static void write_citation(struct json *j, const char *key, const struct chat_citation *c)
{
    json_obj(j, key);
    if (c->title.n)
        json_strn(j, "title", c->title);
    json_arr(j, "sourceContent");
    if (c->quote.n) {
        json_obj(j, NULL);
        json_strn(j, "text", c->quote);
        json_end(j);
    }
    json_end(j);
    write_location(j, c);
    json_end(j);
}

// --- streamed -------------------------------------------------------------------

static void free_payload(void *stream)
{
    buf_free(&((struct stream *)stream)->payload);
}

static struct stream *stream_of(struct chat_writer *w)
{
    if (w->own)
        return w->own;
    struct stream *s = w->own = NEW(w->arena, struct stream);
    *s = (struct stream){.block = -1, .payload = BUF(PAYLOAD_MOST)};
    arena_defer(w->arena, free_payload, s);
    return s;
}

static struct json begin(struct stream *s)
{
    struct json j = {.out = &s->payload};
    buf_clear(&s->payload);
    json_obj(&j, NULL);
    return j;
}

static void finish(struct chat_writer *w, struct stream *s, struct json *j, const char *event)
{
    json_end_all(j);
    aws_eventstream_write(w->out, "event", event, buf_view(&s->payload));
}

static struct json begin_in_block(struct stream *s, const char *member)
{
    struct json j = begin(s);
    json_int(&j, "contentBlockIndex", s->block);
    json_obj(&j, member);
    return j;
}

static void write_start(struct chat_writer *w, struct stream *s, const struct chat_event *ev)
{
    struct json j = begin(s);
    s->usage = ev->usage;
    json_str(&j, "role", "assistant");
    finish(w, s, &j, "messageStart");
}

// Only a call has a start of its own: others begin with their first piece.
static void write_block(struct chat_writer *w, struct stream *s, const struct chat_event *ev)
{
    if (ev->kind == PART_RAW)
        return; // no stream of this dialect has them
    s->block++;
    s->open = true;
    s->called = ev->kind == PART_TOOL_CALL;
    if (!s->called)
        return;
    struct json j = begin_in_block(s, "start");
    json_obj(&j, "toolUse");
    json_str(&j, "toolUseId", id_legal(w->arena, arena_str(w->arena, ev->id), BEDROCK_ID_MAX));
    json_strn(&j, "name", ev->name);
    finish(w, s, &j, "contentBlockStart");
}

static void write_delta(struct chat_writer *w, struct stream *s, const char *kind,
                        const char *member, struct str text)
{
    if (!s->open)
        return;
    struct json j = begin_in_block(s, "delta");
    if (kind)
        json_obj(&j, kind);
    json_strn(&j, member, text);
    finish(w, s, &j, "contentBlockDelta");
}

static void write_cited(struct chat_writer *w, struct stream *s, const struct chat_event *ev)
{
    if (!s->open)
        return;
    struct json j = begin_in_block(s, "delta");
    write_citation(&j, "citation", &ev->cite);
    finish(w, s, &j, "contentBlockDelta");
}

static void write_signature(struct chat_writer *w, struct stream *s, const struct chat_event *ev)
{
    const char *state = bedrock_state(w->arena, ev->owner, ev->text, ev->redacted);
    write_delta(w, s, "reasoningContent", ev->redacted ? "redactedContent" : "signature",
                str_of(state));
}

static void write_block_end(struct chat_writer *w, struct stream *s)
{
    if (!s->open)
        return;
    s->open = false;
    struct json j = begin(s);
    json_int(&j, "contentBlockIndex", s->block);
    finish(w, s, &j, "contentBlockStop");
}

static void write_more(struct json *j, const struct chat_writer *w, enum chat_stop reason,
                       struct str text)
{
    yyjson_val *paths = w->request && w->request->owner == &bedrock_dialect
                            ? yyjson_obj_get(w->request->body, "additionalModelResponseFieldPaths")
                            : NULL;
    size_t i, max;
    yyjson_val *path;
    yyjson_arr_foreach(paths, i, max, path)
    {
        if (!yyjson_equals_str(path, "/stop_sequence") || reason != STOP_SEQUENCE || !text.n)
            continue;
        json_obj(j, "additionalModelResponseFields");
        json_strn(j, "stop_sequence", text);
        json_end(j);
        return;
    }
}

static void write_stop(struct chat_writer *w, struct stream *s, const struct chat_event *ev)
{
    struct json j = begin(s);
    json_str(&j, "stopReason", stop_name(ev->reason));
    write_more(&j, w, ev->reason, ev->text);
    finish(w, s, &j, "messageStop");
}

static void write_end(struct chat_writer *w, struct stream *s)
{
    struct json j = begin(s);
    write_usage(&j, &s->usage, input_of(w, &s->usage));
    write_metrics(&j, w);
    finish(w, s, &j, "metadata");
}

struct err *bedrock_write_event(struct chat_writer *w, const struct chat_event *ev)
{
    struct stream *s = stream_of(w);
    if (ev->choice > 0)
        return NULL; // this dialect has one answer
    switch (ev->type) {
    case CHAT_START: write_start(w, s, ev); break;
    case CHAT_BLOCK: write_block(w, s, ev); break;
    case CHAT_TEXT: write_delta(w, s, NULL, "text", ev->text); break;
    case CHAT_THINKING: write_delta(w, s, "reasoningContent", "text", ev->text); break;
    case CHAT_SIGNATURE: write_signature(w, s, ev); break;
    case CHAT_ARGS:
        if (s->called)
            write_delta(w, s, "toolUse", "input", ev->text);
        break;
    case CHAT_BLOCK_END: write_block_end(w, s); break;
    case CHAT_USAGE: s->usage = ev->usage; break;
    case CHAT_STOP: write_stop(w, s, ev); break;
    case CHAT_END: write_end(w, s); break;
    case CHAT_CITATION: write_cited(w, s, ev); break;
    case CHAT_LOGPROBS:
    case CHAT_FAILED: break;
    }
    return s->payload.overflow ? err_new(w->arena, &err_upstream_too_large, "an event") : NULL;
}

// --- whole ----------------------------------------------------------------------

static void write_thinking_part(struct chat_writer *w, struct json *j, const struct answer_part *p)
{
    const char *state = NULL;
    if (p->signature.n)
        state = bedrock_state(w->arena, p->owner, buf_view(&p->signature), p->redacted);
    json_obj(j, NULL);
    json_obj(j, "reasoningContent");
    if (p->redacted) {
        json_str(j, "redactedContent", state ? state : "");
    } else {
        json_obj(j, "reasoningText");
        json_strn(j, "text", buf_view(&p->text));
        if (state)
            json_str(j, "signature", state);
        json_end(j);
    }
    json_end(j);
    json_end(j);
}

static void write_call_part(struct chat_writer *w, struct json *j, const struct answer_part *p)
{
    json_obj(j, NULL);
    json_obj(j, "toolUse");
    json_str(j, "toolUseId", id_legal(w->arena, p->id, BEDROCK_ID_MAX));
    json_str(j, "name", p->name);
    json_raw(j, "input", object_text(w->arena, buf_view(&p->text)));
    json_end(j);
    json_end(j);
}

static void write_text_part(struct json *j, const struct answer_part *p)
{
    json_obj(j, NULL);
    if (p->citations) {
        json_obj(j, "citationsContent");
        json_arr(j, "content");
        json_obj(j, NULL);
    }
    json_strn(j, "text", buf_view(&p->text));
    json_end(j);
    if (!p->citations)
        return;
    json_end(j);
    json_arr(j, "citations");
    for (const struct answer_citation *c = p->citations; c; c = c->next)
        write_citation(j, NULL, &c->cite);
    json_end(j);
    json_end(j);
    json_end(j);
}

static void write_part(struct chat_writer *w, struct json *j, const struct answer_part *p)
{
    switch (p->kind) {
    case PART_THINKING: write_thinking_part(w, j, p); break;
    case PART_TOOL_CALL: write_call_part(w, j, p); break;
    case PART_RAW:
        if (p->owner == &bedrock_dialect)
            json_raw(j, NULL, buf_view(&p->text));
        break;
    default: write_text_part(j, p);
    }
}

void bedrock_write_answer(struct chat_writer *w, const struct chat_answer *answer)
{
    const struct answer_choice *c = answer->choices;
    struct json j = {.out = w->out};
    json_obj(&j, NULL);
    json_obj(&j, "output");
    json_obj(&j, "message");
    json_str(&j, "role", "assistant");
    json_arr(&j, "content");
    for (const struct answer_part *p = c->parts; p; p = p->next)
        write_part(w, &j, p);
    json_end(&j);
    json_end(&j);
    json_end(&j);
    json_str(&j, "stopReason", stop_name(c->reason));
    write_usage(&j, &answer->usage, input_of(w, &answer->usage));
    write_metrics(&j, w);
    write_more(&j, w, c->reason, c->stop_text);
    json_end(&j);
}
