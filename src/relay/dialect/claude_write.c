// Events become a messages reply: server-sent events as they come, or one object.

#include <string.h>

#include "common/arena.h"
#include "relay/dialect/carry.h"
#include "relay/dialect/cite.h"
#include "relay/dialect/claude.h"
#include "relay/dialect/names.h"
#include "relay/dialect/take.h"

struct stream {
    struct chat_usage usage;
    int block;  // index of the latest block, -1 if there is none
    bool open;  // it has not ended
    bool spoke; // something was said in it that must be said once: a signature, arguments
    enum chat_stop reason;
    struct str stop_text;
};

static const char *stop_name(enum chat_stop reason, struct str text)
{
    static const char *const names[] = {
        [STOP_END] = "end_turn",      [STOP_SEQUENCE] = "stop_sequence",
        [STOP_LENGTH] = "max_tokens", [STOP_TOOL] = "tool_use",
        [STOP_FILTER] = "refusal",    [STOP_REFUSAL] = "refusal",
        [STOP_PAUSE] = "pause_turn",  [STOP_CONTEXT] = "model_context_window_exceeded",
    };
    return names[reason == STOP_SEQUENCE && !text.p ? STOP_END : reason];
}

static void write_usage(struct json *j, const struct chat_usage *u, int64_t input, int64_t output)
{
    json_obj(j, "usage");
    json_int(j, "input_tokens", input);
    json_int(j, "cache_creation_input_tokens", u->cache_write_5m + u->cache_write_1h);
    json_int(j, "cache_read_input_tokens", u->cache_read);
    if (u->cache_write_5m + u->cache_write_1h > 0) {
        json_obj(j, "cache_creation");
        json_int(j, "ephemeral_5m_input_tokens", u->cache_write_5m);
        json_int(j, "ephemeral_1h_input_tokens", u->cache_write_1h);
        json_end(j);
    }
    json_int(j, "output_tokens", output);
    if (u->thinking) {
        json_obj(j, "output_tokens_details");
        json_int(j, "thinking_tokens", u->thinking);
        json_end(j);
    }
    json_end(j);
}

static int64_t input_of(const struct chat_writer *w, const struct chat_usage *u)
{
    return u->known || u->prompt_known ? u->prompt : w->prompt_estimate;
}

// A source without an address is a document; which part of it is not told elsewhere: all of it.
static void write_citation(struct json *j, const char *key, const struct chat_citation *c)
{
    json_obj(j, key);
    json_str(j, "type", c->url.n ? "web_search_result_location" : "char_location");
    json_strn(j, "cited_text", c->quote.p ? c->quote : STR(""));
    if (c->url.n) {
        json_strn(j, "url", c->url);
        json_strn(j, "title", c->title);
        json_str(j, "encrypted_index", "");
    } else {
        json_int(j, "document_index", cite_document_index(c->id));
        json_strn(j, "document_title", c->title);
        json_int(j, "start_char_index", 0);
        json_int(j, "end_char_index", text_points(c->quote));
        json_null(j, "file_id");
    }
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

static void finish(struct json *j)
{
    json_end_all(j);
    buf_puts(j->out, "\n\n");
}

static void write_start(struct chat_writer *w, struct stream *s, const struct chat_event *ev)
{
    s->usage = ev->usage;
    struct json j = begin(w, "message_start");
    json_obj(&j, "message");
    json_str(&j, "id", chat_reply_id(w, ev->id, "msg_"));
    json_str(&j, "type", "message");
    json_str(&j, "role", "assistant");
    json_str(&j, "model", chat_reply_model(w, ev->text));
    json_arr(&j, "content");
    json_end(&j);
    json_null(&j, "stop_reason");
    json_null(&j, "stop_sequence");
    write_usage(&j, &s->usage, input_of(w, &s->usage), 1);
    finish(&j);
}

static struct json begin_block(struct chat_writer *w, struct stream *s)
{
    s->open = true;
    s->spoke = false;
    struct json j = begin(w, "content_block_start");
    json_int(&j, "index", ++s->block);
    return j;
}

static void write_block_body(struct chat_writer *w, struct json *j, const struct chat_event *ev)
{
    json_obj(j, "content_block");
    if (ev->kind == PART_TOOL_CALL) {
        json_str(j, "type", "tool_use");
        json_str(j, "id", id_legal(w->arena, arena_str(w->arena, ev->id), CLAUDE_ID_MAX));
        json_strn(j, "name", ev->name);
        json_obj(j, "input");
        json_end(j);
    } else if (ev->kind == PART_THINKING) {
        json_str(j, "type", "thinking");
        json_str(j, "thinking", "");
        json_str(j, "signature", "");
    } else {
        json_str(j, "type", "text");
        json_str(j, "text", "");
    }
    json_end(j);
}

static void write_block(struct chat_writer *w, struct stream *s, const struct chat_event *ev)
{
    if (ev->redacted || (ev->kind == PART_RAW && ev->owner != &claude_dialect))
        return; // opens with its data; has no meaning here
    struct json j = begin_block(w, s);
    if (ev->kind == PART_RAW)
        json_raw(&j, "content_block", ev->text);
    else
        write_block_body(w, &j, ev);
    finish(&j);
}

// The most frequent event by far: assembled by hand.
static void write_delta(struct chat_writer *w, struct stream *s, const char *type,
                        const char *member, struct str text)
{
    if (!s->open)
        return;
    buf_str(w->out, STR("event: content_block_delta\n"
                        "data: {\"type\":\"content_block_delta\",\"index\":"));
    buf_int(w->out, s->block);
    buf_puts(w->out, ",\"delta\":{\"type\":\"");
    buf_puts(w->out, type);
    buf_puts(w->out, "\",\"");
    buf_puts(w->out, member);
    buf_puts(w->out, "\":");
    json_quote(w->out, text);
    buf_puts(w->out, "}}\n\n");
}

static void write_cited(struct chat_writer *w, const struct stream *s, const struct chat_event *ev)
{
    if (!s->open)
        return;
    struct json j = begin(w, "content_block_delta");
    json_int(&j, "index", s->block);
    json_obj(&j, "delta");
    json_str(&j, "type", "citations_delta");
    write_citation(&j, "citation", &ev->cite);
    finish(&j);
}

static void write_signature(struct chat_writer *w, struct stream *s, const struct chat_event *ev)
{
    struct str state = carry_for(w->arena, &claude_dialect, ev->owner, ev->text, ev->redacted);
    if (!ev->redacted) {
        s->spoke = true;
        write_delta(w, s, "signature_delta", "signature", state);
        return;
    }
    struct json j = begin_block(w, s);
    json_obj(&j, "content_block");
    json_str(&j, "type", "redacted_thinking");
    json_strn(&j, "data", state);
    s->spoke = true;
    finish(&j);
}

// Clients expect a signature and at least one piece of arguments, be they empty.
static void write_block_end(struct chat_writer *w, struct stream *s, const struct chat_event *ev)
{
    if (!s->open)
        return;
    if (ev->kind == PART_THINKING && !s->spoke)
        write_delta(w, s, "signature_delta", "signature", STR(""));
    if (ev->kind == PART_TOOL_CALL && !s->spoke)
        write_delta(w, s, "input_json_delta", "partial_json", STR(""));
    s->open = false;
    struct json j = begin(w, "content_block_stop");
    json_int(&j, "index", s->block);
    finish(&j);
}

static void note_stop(struct chat_writer *w, struct stream *s, const struct chat_event *ev)
{
    s->reason = ev->reason;
    if (ev->text.p)
        s->stop_text = str_of(arena_str(w->arena, ev->text));
}

// The reason and the usage belong into one event, and the usage may follow the reason.
static void write_end(struct chat_writer *w, const struct stream *s)
{
    struct json j = begin(w, "message_delta");
    json_obj(&j, "delta");
    json_str(&j, "stop_reason", stop_name(s->reason, s->stop_text));
    json_strn(&j, "stop_sequence", s->stop_text);
    json_end(&j);
    write_usage(&j, &s->usage, input_of(w, &s->usage), s->usage.completion);
    finish(&j);
    j = begin(w, "message_stop");
    finish(&j);
}

struct err *claude_write_event(struct chat_writer *w, const struct chat_event *ev)
{
    if (ev->choice > 0)
        return NULL; // this dialect has one answer
    if (!w->own)
        ((struct stream *)(w->own = NEW(w->arena, struct stream)))->block = -1;
    struct stream *s = w->own;
    switch (ev->type) {
    case CHAT_START: write_start(w, s, ev); break;
    case CHAT_BLOCK: write_block(w, s, ev); break;
    case CHAT_TEXT: write_delta(w, s, "text_delta", "text", ev->text); break;
    case CHAT_THINKING: write_delta(w, s, "thinking_delta", "thinking", ev->text); break;
    case CHAT_SIGNATURE: write_signature(w, s, ev); break;
    case CHAT_CITATION: write_cited(w, s, ev); break;
    case CHAT_ARGS:
        s->spoke = true;
        write_delta(w, s, "input_json_delta", "partial_json", ev->text);
        break;
    case CHAT_BLOCK_END: write_block_end(w, s, ev); break;
    case CHAT_USAGE: s->usage = ev->usage; break;
    case CHAT_STOP: note_stop(w, s, ev); break;
    case CHAT_END: write_end(w, s); break;
    case CHAT_LOGPROBS:
    case CHAT_FAILED: break;
    }
    return NULL;
}

// --- whole ----------------------------------------------------------------------

static void write_thinking_part(struct chat_writer *w, struct json *j, const struct answer_part *p)
{
    struct str state = buf_view(&p->signature);
    if (state.n)
        state = carry_for(w->arena, &claude_dialect, p->owner, state, p->redacted);
    json_obj(j, NULL);
    if (p->redacted) {
        json_str(j, "type", "redacted_thinking");
        json_strn(j, "data", state);
    } else {
        json_str(j, "type", "thinking");
        json_strn(j, "thinking", buf_view(&p->text));
        json_strn(j, "signature", state);
    }
    json_end(j);
}

static void write_call_part(struct chat_writer *w, struct json *j, const struct answer_part *p)
{
    json_obj(j, NULL);
    json_str(j, "type", "tool_use");
    json_str(j, "id", id_legal(w->arena, p->id, CLAUDE_ID_MAX));
    json_str(j, "name", p->name);
    json_raw(j, "input", object_text(w->arena, buf_view(&p->text)));
    json_end(j);
}

static void write_part(struct chat_writer *w, struct json *j, const struct answer_part *p)
{
    switch (p->kind) {
    case PART_THINKING: write_thinking_part(w, j, p); break;
    case PART_TOOL_CALL: write_call_part(w, j, p); break;
    case PART_RAW:
        if (p->owner == &claude_dialect)
            json_raw(j, NULL, buf_view(&p->text));
        break;
    default:
        json_obj(j, NULL);
        json_str(j, "type", "text");
        json_strn(j, "text", buf_view(&p->text));
        if (p->citations) {
            json_arr(j, "citations");
            for (const struct answer_citation *c = p->citations; c; c = c->next)
                write_citation(j, NULL, &c->cite);
            json_end(j);
        }
        json_end(j);
    }
}

void claude_write_answer(struct chat_writer *w, const struct chat_answer *answer)
{
    const struct answer_choice *c = answer->choices;
    struct json j = {.out = w->out};
    json_obj(&j, NULL);
    json_str(&j, "id", chat_reply_id(w, answer->id, "msg_"));
    json_str(&j, "type", "message");
    json_str(&j, "role", "assistant");
    json_str(&j, "model", chat_reply_model(w, answer->model));
    json_arr(&j, "content");
    for (const struct answer_part *p = c->parts; p; p = p->next)
        write_part(w, &j, p);
    json_end(&j);
    json_str(&j, "stop_reason", stop_name(c->reason, c->stop_text));
    json_strn(&j, "stop_sequence", c->stop_text);
    write_usage(&j, &answer->usage, input_of(w, &answer->usage), answer->usage.completion);
    json_end(&j);
}
