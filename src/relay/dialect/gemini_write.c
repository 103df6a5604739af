// Events become generateContent replies: chunks as they come, or one object.

#include <string.h>

#include "common/arena.h"
#include "common/crypto.h"
#include "relay/dialect/carry.h"
#include "relay/dialect/cite.h"
#include "relay/dialect/gemini.h"
#include "relay/dialect/take.h"

enum { ARGUMENTS_MOST = 64 << 20, STATE_MOST = 16 << 20, TEXT_MOST = 64 << 20 };

static const char *const stop_names[] = {
    [STOP_END] = "STOP",   [STOP_SEQUENCE] = "STOP",      [STOP_LENGTH] = "MAX_TOKENS",
    [STOP_TOOL] = "STOP",  [STOP_FILTER] = "SAFETY",      [STOP_REFUSAL] = "PROHIBITED_CONTENT",
    [STOP_PAUSE] = "STOP", [STOP_CONTEXT] = "MAX_TOKENS",
};

// State of another provider's thinking, on its way to the next call (conversion matrix 7.2).
struct carried {
    struct buf state;   // wrapped, one a line
    struct buf thought; // the text of the block that is open: Anthropic wants it back
};

// What is known of the answer's sources: Google tells it at the end, in bytes of the text.
struct grounding {
    struct buf text;             // all so far
    size_t at;                   // where the open block begins in it
    struct buf chunks, supports; // comma-separated
    int count;
};

struct stream {
    struct str head, tail; // of every chunk, up to the part and behind the choice's index
    struct chat_usage usage;
    struct answer {
        struct buf args; // of the call that is open
        struct carried carried;
        struct grounding grounding;
        const char *id, *name; // of it
        bool began, stopped;
        enum chat_stop reason;
    } *answers[CHAT_CHOICES_MAX];
    bool wrote; // a chunk, so that another element follows it
};

static bool shows_thinking(const struct chat_writer *w)
{
    return w->request && text_eq(w->request->thinking_display, "summarized");
}

// --- carried state --------------------------------------------------------------

static void carried_init(struct arena *a, struct carried *c)
{
    c->state = c->thought = BUF(STATE_MOST);
    arena_defer_buf(a, &c->state);
    arena_defer_buf(a, &c->thought);
}

static void carry(struct chat_writer *w, struct carried *c, const struct dialect *owner,
                  struct str state, bool redacted)
{
    struct str thought = redacted ? (struct str){0} : buf_view(&c->thought);
    if (c->state.n)
        buf_puts(&c->state, "\n");
    if (owner == &gemini_dialect)
        buf_str(&c->state, state);
    else
        buf_str(&c->state, carry_wrap(w->arena, owner, state, thought, redacted));
}

// Google's own signature as it came; what is carried as the base64 that it must look like.
static void write_signature(struct chat_writer *w, struct json *j, struct carried *c)
{
    struct str state = buf_view(&c->state);
    if (state.n)
        json_str(j, "thoughtSignature",
                 carry_is(state) ? base64_text(w->arena, state.p, state.n) : state.p);
    buf_clear(&c->state);
}

// --- sources --------------------------------------------------------------------

static void grounding_init(struct arena *a, struct grounding *g)
{
    struct buf *bufs[] = {&g->text, &g->chunks, &g->supports};
    for (size_t i = 0; i < sizeof(bufs) / sizeof(*bufs); i++) {
        *bufs[i] = BUF(TEXT_MOST);
        arena_defer_buf(a, bufs[i]);
    }
}

static void ground(struct grounding *g, const struct chat_citation *c)
{
    struct str text = str_skip(buf_view(&g->text), g->at);
    size_t start = text_offset(text, c->start), end = text_offset(text, c->end);
    struct json chunk = {.out = &g->chunks, .comma = g->count > 0};
    json_obj(&chunk, NULL);
    json_obj(&chunk, c->url.n ? "web" : "retrievedContext");
    if (c->url.n)
        json_strn(&chunk, "uri", c->url);
    json_strn(&chunk, "title", c->title.p ? c->title : STR(""));
    if (!c->url.n && c->quote.n)
        json_strn(&chunk, "text", c->quote);
    json_end_all(&chunk);
    struct json support = {.out = &g->supports, .comma = g->count > 0};
    json_obj(&support, NULL);
    json_obj(&support, "segment");
    json_int(&support, "startIndex", (int64_t)(g->at + start));
    json_int(&support, "endIndex", (int64_t)(g->at + end));
    json_strn(&support, "text", (struct str){text.p + start, end > start ? end - start : 0});
    json_end(&support);
    json_arr(&support, "groundingChunkIndices");
    json_int(&support, NULL, g->count++);
    json_end_all(&support);
}

static void write_grounding(struct json *j, const struct grounding *g)
{
    if (!g->count)
        return;
    json_obj(j, "groundingMetadata");
    json_arr(j, "groundingChunks");
    json_raw(j, NULL, buf_view(&g->chunks));
    json_end(j);
    json_arr(j, "groundingSupports");
    json_raw(j, NULL, buf_view(&g->supports));
    json_end(j);
    json_end(j);
}

// --- usage and stops ------------------------------------------------------------

static void write_usage(struct json *j, const struct chat_usage *u)
{
    int64_t prompt = u->prompt + u->cache_read + u->cache_write_5m + u->cache_write_1h;
    int64_t thinking = u->thinking < u->completion ? u->thinking : u->completion;
    if (!u->known)
        return;
    json_obj(j, "usageMetadata");
    json_int(j, "promptTokenCount", prompt);
    json_int(j, "candidatesTokenCount", u->completion - thinking);
    json_int(j, "totalTokenCount", prompt + u->completion);
    if (thinking)
        json_int(j, "thoughtsTokenCount", thinking);
    if (u->cache_read)
        json_int(j, "cachedContentTokenCount", u->cache_read);
    json_end(j);
}

static void write_envelope(struct chat_writer *w, struct json *j, struct str id, struct str model)
{
    json_str(j, "modelVersion", chat_reply_model(w, model));
    json_str(j, "responseId", chat_reply_id(w, id, ""));
}

// --- streamed -------------------------------------------------------------------

static bool is_array(const struct chat_writer *w)
{
    return w->request && w->request->head.array;
}

// What all chunks have in common is formatted once.
static void prepare(struct chat_writer *w, struct stream *s, const struct chat_event *ev)
{
    BUF_HERE(text, 1 << 20);
    struct json j = {.out = &text};
    json_obj(&j, NULL);
    write_envelope(w, &j, ev->id, ev->text);
    s->tail = str_of(arena_printf(w->arena, "}],%s", text.p + 1));
    s->head = STR("{\"candidates\":[{\"content\":{\"role\":\"model\",\"parts\":[");
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

static struct answer *answer_of(struct chat_writer *w, struct stream *s, int choice)
{
    if (!s->answers[choice]) {
        struct answer *mine = s->answers[choice] = NEW(w->arena, struct answer);
        mine->args = BUF(ARGUMENTS_MOST);
        arena_defer_buf(w->arena, &mine->args);
        carried_init(w->arena, &mine->carried);
        grounding_init(w->arena, &mine->grounding);
    }
    return s->answers[choice];
}

static void begin_frame(struct chat_writer *w, struct stream *s)
{
    buf_puts(w->out, !is_array(w) ? "data: " : s->wrote ? ",\r\n" : "[");
    s->wrote = true;
}

static void end_frame(struct chat_writer *w)
{
    if (!is_array(w))
        buf_puts(w->out, "\n\n");
}

static void begin(struct chat_writer *w, struct stream *s)
{
    begin_frame(w, s);
    buf_str(w->out, s->head);
}

static void end(struct chat_writer *w, const struct stream *s, int choice)
{
    buf_puts(w->out, "]},\"index\":");
    buf_int(w->out, choice);
    buf_str(w->out, s->tail);
    buf_puts(w->out, "}");
    end_frame(w);
}

static void write_text(struct chat_writer *w, struct stream *s, const struct chat_event *ev)
{
    begin(w, s);
    buf_puts(w->out, "{\"text\":");
    json_quote(w->out, ev->text);
    buf_puts(w->out, ev->type == CHAT_THINKING ? ",\"thought\":true}" : "}");
    end(w, s, ev->choice);
}

static void write_thinking(struct chat_writer *w, struct stream *s, const struct chat_event *ev)
{
    buf_str(&answer_of(w, s, ev->choice)->carried.thought, ev->text);
    if (shows_thinking(w))
        write_text(w, s, ev);
}

static void note_block(struct chat_writer *w, struct stream *s, const struct chat_event *ev)
{
    struct answer *mine = answer_of(w, s, ev->choice);
    buf_clear(&mine->args);
    mine->grounding.at = mine->grounding.text.n;
    if (ev->kind == PART_THINKING)
        buf_clear(&mine->carried.thought);
    if (ev->kind == PART_TOOL_CALL) {
        mine->id = arena_str(w->arena, ev->id);
        mine->name = arena_str(w->arena, ev->name);
    }
    if (ev->kind == PART_RAW && ev->owner == &gemini_dialect) {
        begin(w, s);
        buf_str(w->out, ev->text);
        end(w, s, ev->choice);
    }
}

static void write_call_part(struct chat_writer *w, struct json *j, const char *id, const char *name,
                            struct str args, struct carried *c)
{
    json_obj(j, NULL);
    json_obj(j, "functionCall");
    json_str(j, "id", id);
    json_str(j, "name", name);
    json_raw(j, "args", object_text(w->arena, args));
    json_end(j);
    write_signature(w, j, c);
    json_end(j);
}

// A call is one part: its arguments are whole only now.
static void write_block_end(struct chat_writer *w, struct stream *s, const struct chat_event *ev)
{
    struct answer *mine = answer_of(w, s, ev->choice);
    if (ev->kind != PART_TOOL_CALL)
        return;
    struct json j = {.out = w->out};
    begin(w, s);
    write_call_part(w, &j, mine->id, mine->name, buf_view(&mine->args), &mine->carried);
    end(w, s, ev->choice);
}

static void note_stop(struct chat_writer *w, struct stream *s, const struct chat_event *ev)
{
    struct answer *mine = answer_of(w, s, ev->choice);
    mine->stopped = true;
    mine->reason = ev->reason;
}

// The reasons and the usage belong into one chunk, and the usage may follow the reason.
static void write_end(struct chat_writer *w, struct stream *s)
{
    struct json j = {.out = w->out};
    begin_frame(w, s);
    json_obj(&j, NULL);
    json_arr(&j, "candidates");
    for (int i = 0; i < CHAT_CHOICES_MAX; i++) {
        if (!s->answers[i] || !s->answers[i]->stopped)
            continue;
        json_obj(&j, NULL);
        json_raw(&j, "content", STR("{\"role\":\"model\",\"parts\":[{\"text\":\"\"}]}"));
        json_str(&j, "finishReason", stop_names[s->answers[i]->reason]);
        json_int(&j, "index", i);
        write_grounding(&j, &s->answers[i]->grounding);
        json_end(&j);
    }
    json_end(&j);
    write_usage(&j, &s->usage);
    buf_puts(w->out, ",");
    buf_str(w->out, str_skip(s->tail, strlen("}],")));
    buf_puts(w->out, "}");
    end_frame(w);
    if (is_array(w))
        buf_puts(w->out, "]\n");
}

struct err *gemini_write_event(struct chat_writer *w, const struct chat_event *ev)
{
    struct stream *s = stream_of(w, ev);
    struct answer *mine = answer_of(w, s, ev->choice);
    switch (ev->type) {
    case CHAT_BLOCK: note_block(w, s, ev); break;
    case CHAT_TEXT:
        buf_str(&mine->grounding.text, ev->text);
        write_text(w, s, ev);
        break;
    case CHAT_CITATION: ground(&mine->grounding, &ev->cite); break;
    case CHAT_THINKING: write_thinking(w, s, ev); break;
    case CHAT_SIGNATURE: carry(w, &mine->carried, ev->owner, ev->text, ev->redacted); break;
    case CHAT_ARGS: buf_str(&mine->args, ev->text); break;
    case CHAT_BLOCK_END: write_block_end(w, s, ev); break;
    case CHAT_USAGE: s->usage = ev->usage; break;
    case CHAT_STOP: note_stop(w, s, ev); break;
    case CHAT_END: write_end(w, s); break;
    case CHAT_START:
    case CHAT_LOGPROBS:
    case CHAT_FAILED: break;
    }
    const struct grounding *g = &mine->grounding;
    bool full = mine->args.overflow || mine->carried.state.overflow || g->text.overflow ||
                g->chunks.overflow || g->supports.overflow;
    return full ? err_new(w->arena, &err_upstream_too_large, "one answer") : NULL;
}

// --- whole ----------------------------------------------------------------------

static void write_text_part(struct json *j, const struct answer_part *p)
{
    json_obj(j, NULL);
    json_strn(j, "text", buf_view(&p->text));
    if (p->kind == PART_THINKING)
        json_bool(j, "thought", true);
    json_end(j);
}

static void write_thinking_part(struct chat_writer *w, struct json *j, const struct answer_part *p,
                                struct carried *c)
{
    buf_clear(&c->thought);
    buf_str(&c->thought, buf_view(&p->text));
    if (p->signature.n)
        carry(w, c, p->owner, buf_view(&p->signature), p->redacted);
    if (shows_thinking(w) && p->text.n)
        write_text_part(j, p);
}

static void write_part(struct chat_writer *w, struct json *j, const struct answer_part *p,
                       struct carried *c)
{
    switch (p->kind) {
    case PART_THINKING: write_thinking_part(w, j, p, c); break;
    case PART_TOOL_CALL: write_call_part(w, j, p->id, p->name, buf_view(&p->text), c); break;
    case PART_RAW:
        if (p->owner == &gemini_dialect)
            json_raw(j, NULL, buf_view(&p->text));
        break;
    default: write_text_part(j, p);
    }
}

static void write_token(struct json *j, yyjson_val *in)
{
    json_obj(j, NULL);
    json_str(j, "token", json_text_at(in, "token"));
    json_real(j, "logProbability", yyjson_get_num(yyjson_obj_get(in, "logprob")));
    json_end(j);
}

// OpenAI's token objects, as they were collected, in Google's two lists.
static void write_logprobs(struct chat_writer *w, struct json *j, const struct answer_part *p)
{
    size_t i, max, k, most;
    yyjson_val *list = NULL, *token, *top;
    char *text = arena_printf(w->arena, "[%.*s]", (int)p->logprobs.n, p->logprobs.p);
    if (json_read(w->arena, str_of(text), &list))
        return;
    json_obj(j, "logprobsResult");
    json_arr(j, "chosenCandidates");
    yyjson_arr_foreach(list, i, max, token) write_token(j, token);
    json_end(j);
    json_arr(j, "topCandidates");
    yyjson_arr_foreach(list, i, max, token)
    {
        json_obj(j, NULL);
        json_arr(j, "candidates");
        yyjson_arr_foreach(yyjson_obj_get(token, "top_logprobs"), k, most, top) write_token(j, top);
        json_end(j);
        json_end(j);
    }
    json_end(j);
    json_end(j);
}

static void ground_part(struct grounding *g, const struct answer_part *p)
{
    if (p->kind != PART_TEXT && p->kind != PART_REFUSAL)
        return;
    g->at = g->text.n;
    buf_str(&g->text, buf_view(&p->text));
    for (const struct answer_citation *c = p->citations; c; c = c->next)
        ground(g, &c->cite);
}

static void write_candidate(struct chat_writer *w, struct json *j, const struct answer_choice *c)
{
    struct carried *carried = NEW(w->arena, struct carried);
    struct grounding *grounding = NEW(w->arena, struct grounding);
    const struct answer_part *scored = NULL;
    carried_init(w->arena, carried);
    grounding_init(w->arena, grounding);
    json_obj(j, NULL);
    json_obj(j, "content");
    json_str(j, "role", "model");
    json_arr(j, "parts");
    for (const struct answer_part *p = c->parts; p; p = p->next) {
        write_part(w, j, p, carried);
        ground_part(grounding, p);
        scored = !scored && p->logprobs.n ? p : scored;
    }
    json_end(j);
    json_end(j);
    json_str(j, "finishReason", stop_names[c->reason]);
    json_int(j, "index", c->number);
    write_grounding(j, grounding);
    if (scored)
        write_logprobs(w, j, scored);
    json_end(j);
}

void gemini_write_answer(struct chat_writer *w, const struct chat_answer *answer)
{
    struct json j = {.out = w->out};
    json_obj(&j, NULL);
    json_arr(&j, "candidates");
    for (const struct answer_choice *c = answer->choices; c; c = c->next)
        write_candidate(w, &j, c);
    json_end(&j);
    write_usage(&j, &answer->usage);
    write_envelope(w, &j, answer->id, answer->model);
    json_end(&j);
}
