// Events become a chat completions reply: chunks as they come, or one object.

#include <string.h>

#include "common/arena.h"
#include "common/clock.h"
#include "relay/dialect/carry.h"
#include "relay/dialect/cite.h"
#include "relay/dialect/openai.h"

static const char *const stop_names[] = {
    [STOP_END] = "stop",        [STOP_SEQUENCE] = "stop",         [STOP_LENGTH] = "length",
    [STOP_TOOL] = "tool_calls", [STOP_FILTER] = "content_filter", [STOP_REFUSAL] = "content_filter",
    [STOP_PAUSE] = "stop",      [STOP_CONTEXT] = "length",
};

struct stream {
    struct str head, tail; // of every chunk, up to the choice's index and behind the choice
    struct str id_part;    // the head up to "choices"
    struct chat_usage usage;
    struct {
        int calls;
        bool began, refused;
        bool arguments;     // of the latest call: some were written
        struct str carried; // state for the next call
        int64_t points, at; // code points of content; those before the open block
    } choice[CHAT_CHOICES_MAX];
};

static bool old_functions(const struct chat_writer *w)
{
    return w->request && w->request->old_functions;
}

// A refusal that was said is an ordinary end; one without words was a filter's.
static const char *stop_name(const struct chat_writer *w, enum chat_stop reason, bool refused)
{
    if (reason == STOP_REFUSAL && refused)
        reason = STOP_END;
    return reason == STOP_TOOL && old_functions(w) ? "function_call" : stop_names[reason];
}

static void write_usage(struct json *j, const struct chat_usage *u)
{
    int64_t written = u->cache_write_5m + u->cache_write_1h;
    int64_t prompt = u->prompt + u->cache_read + written;
    json_obj(j, "usage");
    json_int(j, "prompt_tokens", prompt);
    json_int(j, "completion_tokens", u->completion);
    json_int(j, "total_tokens", prompt + u->completion);
    json_obj(j, "prompt_tokens_details");
    json_int(j, "cached_tokens", u->cache_read);
    if (written)
        json_int(j, "cache_write_tokens", written);
    json_int(j, "audio_tokens", u->audio_in);
    json_end(j);
    json_obj(j, "completion_tokens_details");
    json_int(j, "reasoning_tokens", u->thinking);
    json_int(j, "audio_tokens", u->audio_out);
    json_end(j);
    json_end(j);
}

static void write_envelope(struct chat_writer *w, struct json *j, const char *object, struct str id,
                           struct str model)
{
    json_str(j, "id", chat_reply_id(w, id, "chatcmpl-"));
    json_str(j, "object", object);
    json_int(j, "created", w->created ? w->created : clock_now());
    json_str(j, "model", chat_reply_model(w, model));
}

// --- streamed -------------------------------------------------------------------

// What all chunks have in common is formatted once.
static void prepare(struct chat_writer *w, struct stream *s, const struct chat_event *ev)
{
    BUF_HERE(text, 1 << 20);
    struct json j = {.out = &text};
    json_obj(&j, NULL);
    write_envelope(w, &j, "chat.completion.chunk", ev->id, ev->text);
    char *line = arena_printf(w->arena, "data: %s,\"choices\":[{\"index\":", text.p);
    s->head = str_of(line);
    s->id_part = (struct str){line, s->head.n - strlen("[{\"index\":")};
    s->tail = w->wants_usage ? STR("}],\"usage\":null}\n\n") : STR("}]}\n\n");
    s->usage = ev->usage;
}

static struct stream *stream_of(struct chat_writer *w, const struct chat_event *ev)
{
    if (!w->own) {
        w->own = NEW(w->arena, struct stream);
        prepare(w, w->own, ev);
    }
    return w->own;
}

static void begin(struct chat_writer *w, const struct stream *s, const struct chat_event *ev)
{
    buf_str(w->out, s->head);
    buf_int(w->out, ev->choice);
    buf_puts(w->out, ",\"delta\":{");
}

static void end(struct chat_writer *w, const struct stream *s)
{
    buf_puts(w->out, "},\"finish_reason\":null");
    buf_str(w->out, s->tail);
}

static void write_role(struct chat_writer *w, struct stream *s, const struct chat_event *ev)
{
    if (s->choice[ev->choice].began)
        return;
    s->choice[ev->choice].began = true;
    begin(w, s, ev);
    buf_puts(w->out, "\"role\":\"assistant\",\"content\":\"\"");
    end(w, s);
}

static void write_piece(struct chat_writer *w, const struct stream *s, const struct chat_event *ev,
                        const char *member)
{
    begin(w, s, ev);
    buf_puts(w->out, member);
    json_quote(w->out, ev->text);
    end(w, s);
}

// Where Google's own OpenAI endpoint has it, and clients send it back from.
static void write_carried(struct buf *out, struct str carried)
{
    if (!carried.n)
        return;
    buf_puts(out, ",\"extra_content\":{\"google\":{\"thought_signature\":");
    json_quote(out, carried);
    buf_puts(out, "}}");
}

static struct str carried_state(struct chat_writer *w, const struct dialect *owner,
                                struct str state, bool redacted)
{
    return owner == &gemini_dialect ? carry_wrap(w->arena, owner, state, (struct str){0}, redacted)
                                    : (struct str){0};
}

static void write_call(struct chat_writer *w, struct stream *s, const struct chat_event *ev)
{
    int index = s->choice[ev->choice].calls++;
    s->choice[ev->choice].arguments = false;
    if (ev->kind != PART_TOOL_CALL || (old_functions(w) && index > 0))
        return;
    begin(w, s, ev);
    if (old_functions(w)) {
        buf_puts(w->out, "\"function_call\":{\"name\":");
        json_quote(w->out, ev->name);
        buf_puts(w->out, ",\"arguments\":\"\"}");
    } else {
        buf_puts(w->out, "\"tool_calls\":[{\"index\":");
        buf_int(w->out, index);
        buf_puts(w->out, ",\"id\":");
        json_quote(w->out, ev->id);
        buf_puts(w->out, ",\"type\":\"function\",\"function\":{\"name\":");
        json_quote(w->out, ev->name);
        buf_puts(w->out, ",\"arguments\":\"\"}");
        write_carried(w->out, s->choice[ev->choice].carried);
        s->choice[ev->choice].carried = (struct str){0};
        buf_puts(w->out, "}]");
    }
    end(w, s);
}

static void write_args(struct chat_writer *w, struct stream *s, const struct chat_event *ev)
{
    int index = s->choice[ev->choice].calls - 1;
    s->choice[ev->choice].arguments = true;
    if (ev->kind != PART_TOOL_CALL || (old_functions(w) && index > 0))
        return;
    begin(w, s, ev);
    if (old_functions(w)) {
        buf_puts(w->out, "\"function_call\":{\"arguments\":");
        json_quote(w->out, ev->text);
        buf_puts(w->out, "}");
    } else {
        buf_puts(w->out, "\"tool_calls\":[{\"index\":");
        buf_int(w->out, index);
        buf_puts(w->out, ",\"function\":{\"arguments\":");
        json_quote(w->out, ev->text);
        buf_puts(w->out, "}}]");
    }
    end(w, s);
}

// Anthropic's calls may have no arguments at all; clients here parse what they were given.
static void write_block_end(struct chat_writer *w, struct stream *s, const struct chat_event *ev)
{
    struct chat_event none = *ev;
    none.text = STR("{}");
    if (ev->kind == PART_TOOL_CALL && !s->choice[ev->choice].arguments)
        write_args(w, s, &none);
}

static void write_annotation(struct chat_writer *w, const struct stream *s,
                             const struct chat_event *ev)
{
    struct json j = {.out = w->out};
    if (!ev->cite.url.n)
        return; // chat completions cite addresses only
    begin(w, s, ev);
    buf_puts(w->out, "\"annotations\":[");
    cite_write_chat(&j, &ev->cite, s->choice[ev->choice].at);
    buf_puts(w->out, "]");
    end(w, s);
}

static void write_text(struct chat_writer *w, struct stream *s, const struct chat_event *ev)
{
    bool refusal = ev->kind == PART_REFUSAL;
    s->choice[ev->choice].refused |= refusal;
    if (!refusal)
        s->choice[ev->choice].points += text_points(ev->text);
    write_piece(w, s, ev, refusal ? "\"refusal\":" : "\"content\":");
}

static void write_logprobs(struct chat_writer *w, const struct stream *s,
                           const struct chat_event *ev)
{
    begin(w, s, ev);
    buf_puts(w->out, "},\"logprobs\":{\"content\":");
    buf_str(w->out, ev->text);
    end(w, s);
}

static void write_stop(struct chat_writer *w, const struct stream *s, const struct chat_event *ev)
{
    begin(w, s, ev);
    buf_puts(w->out, "},\"finish_reason\":\"");
    buf_puts(w->out, stop_name(w, ev->reason, s->choice[ev->choice].refused));
    buf_puts(w->out, "\"");
    buf_str(w->out, s->tail);
}

static void write_end(struct chat_writer *w, const struct stream *s)
{
    if (w->wants_usage && s->usage.known) {
        buf_str(w->out, s->id_part);
        buf_puts(w->out, "[],");
        struct json j = {.out = w->out};
        write_usage(&j, &s->usage);
        buf_puts(w->out, "}\n\n");
    }
    buf_puts(w->out, "data: [DONE]\n\n");
}

struct err *openai_write_event(struct chat_writer *w, const struct chat_event *ev)
{
    struct stream *s = stream_of(w, ev);
    if (ev->type <= CHAT_ARGS || ev->type == CHAT_STOP)
        write_role(w, s, ev);
    switch (ev->type) {
    case CHAT_BLOCK:
        s->choice[ev->choice].at = s->choice[ev->choice].points;
        if (ev->kind == PART_TOOL_CALL)
            write_call(w, s, ev);
        break;
    case CHAT_TEXT: write_text(w, s, ev); break;
    case CHAT_CITATION: write_annotation(w, s, ev); break;
    case CHAT_THINKING: write_piece(w, s, ev, "\"reasoning_content\":"); break;
    case CHAT_ARGS: write_args(w, s, ev); break;
    case CHAT_BLOCK_END: write_block_end(w, s, ev); break;
    case CHAT_USAGE: s->usage = ev->usage; break;
    case CHAT_LOGPROBS: write_logprobs(w, s, ev); break;
    case CHAT_STOP: write_stop(w, s, ev); break;
    case CHAT_END: write_end(w, s); break;
    case CHAT_SIGNATURE:
        s->choice[ev->choice].carried = carried_state(w, ev->owner, ev->text, ev->redacted);
        break;
    default: break;
    }
    return NULL;
}

// --- whole ----------------------------------------------------------------------

static struct str joined(struct chat_writer *w, const struct answer_choice *c, enum part_kind kind)
{
    size_t n = 0;
    bool any = false;
    for (const struct answer_part *p = c->parts; p; p = p->next)
        if (p->kind == kind) {
            any = true;
            n += p->text.n;
        }
    if (!any)
        return (struct str){0};
    char *text = arena_raw(w->arena, n + 1), *at = text;
    for (const struct answer_part *p = c->parts; p; p = p->next)
        if (p->kind == kind) {
            memcpy(at, p->text.p, p->text.n);
            at += p->text.n;
        }
    return (struct str){text, n};
}

static const struct answer_part *first_call(const struct answer_choice *c)
{
    const struct answer_part *p = c->parts;
    while (p && p->kind != PART_TOOL_CALL)
        p = p->next;
    return p;
}

static void write_function(struct json *j, const char *key, const struct answer_part *p)
{
    json_obj(j, key);
    json_str(j, "name", p->name);
    json_strn(j, "arguments", p->text.n ? buf_view(&p->text) : STR("{}"));
    json_end(j);
}

static void write_calls(struct chat_writer *w, struct json *j, const struct answer_choice *c)
{
    const struct answer_part *first = first_call(c);
    if (!first)
        return;
    if (old_functions(w)) {
        write_function(j, "function_call", first);
        return;
    }
    struct str carried = {0};
    json_arr(j, "tool_calls");
    for (const struct answer_part *p = c->parts; p; p = p->next) {
        if (p->kind == PART_THINKING && p->signature.n)
            carried = carried_state(w, p->owner, buf_view(&p->signature), p->redacted);
        if (p->kind != PART_TOOL_CALL)
            continue;
        json_obj(j, NULL);
        json_str(j, "id", p->id);
        json_str(j, "type", "function");
        write_function(j, "function", p);
        write_carried(j->out, carried);
        carried = (struct str){0};
        json_end(j);
    }
    json_end(j);
}

static void write_annotations(struct json *j, const struct answer_choice *c)
{
    bool any = false;
    int64_t at = 0;
    for (const struct answer_part *p = c->parts; p; p = p->next) {
        if (p->kind != PART_TEXT)
            continue;
        for (const struct answer_citation *n = p->citations; n; n = n->next) {
            if (!n->cite.url.n)
                continue;
            if (!any)
                json_arr(j, "annotations");
            any = true;
            cite_write_chat(j, &n->cite, at);
        }
        at += text_points(buf_view(&p->text));
    }
    if (any)
        json_end(j);
}

static void write_message(struct chat_writer *w, struct json *j, const struct answer_choice *c)
{
    struct str text = joined(w, c, PART_TEXT), refusal = joined(w, c, PART_REFUSAL);
    struct str thinking = joined(w, c, PART_THINKING);
    if (!text.p && !refusal.p && !first_call(c))
        text = STR("");
    json_obj(j, "message");
    json_str(j, "role", "assistant");
    json_strn(j, "content", text);
    json_strn(j, "refusal", refusal);
    if (thinking.n)
        json_strn(j, "reasoning_content", thinking);
    write_annotations(j, c);
    write_calls(w, j, c);
    json_end(j);
}

static void write_all_logprobs(struct json *j, const struct answer_choice *c)
{
    bool any = false;
    for (const struct answer_part *p = c->parts; p; p = p->next) {
        if (!p->logprobs.n)
            continue;
        if (!any) {
            json_obj(j, "logprobs");
            json_arr(j, "content");
        }
        any = true;
        json_raw(j, NULL, buf_view(&p->logprobs));
    }
    if (!any) {
        json_null(j, "logprobs");
        return;
    }
    json_end(j);
    json_end(j);
}

void openai_write_answer(struct chat_writer *w, const struct chat_answer *answer)
{
    struct json j = {.out = w->out};
    json_obj(&j, NULL);
    write_envelope(w, &j, "chat.completion", answer->id, answer->model);
    json_arr(&j, "choices");
    for (const struct answer_choice *c = answer->choices; c; c = c->next) {
        json_obj(&j, NULL);
        json_int(&j, "index", c->number);
        write_message(w, &j, c);
        write_all_logprobs(&j, c);
        bool refused = joined(w, c, PART_REFUSAL).n > 0;
        json_str(&j, "finish_reason", stop_name(w, c->reason, refused));
        json_end(&j);
    }
    json_end(&j);
    if (answer->usage.known)
        write_usage(&j, &answer->usage);
    json_end(&j);
}
