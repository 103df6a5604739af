// Events become a Responses reply: its many events as they come, or one object.

#include <string.h>

#include "common/arena.h"
#include "relay/dialect/cite.h"
#include "relay/dialect/custom.h"
#include "relay/dialect/responses.h"
#include "relay/dialect/responses_items.h"

enum { TEXT_MOST = 64 << 20 };

struct stream {
    struct responses_object object;
    int64_t sequence;
    int output;                 // the index of the item
    bool open;                  // it has not ended
    bool spoke;                 // its part has been announced, its call has arguments
    bool waits;                 // it has ended, but for output_item.done: was it cut?
    struct responses_item item; // the latest
    const char *place;          // of its deltas: the members that say where they belong
    const char *delta;          // their event
    struct custom custom;
    struct buf text, state, logprobs, annotations, items;
    int annotated; // so often, in this item
    const struct dialect *maker;
    struct chat_usage usage;
    bool redacted, refused;
    enum chat_stop reason;
};

static struct stream *stream_of(struct chat_writer *w)
{
    if (w->own)
        return w->own;
    struct stream *s = w->own = NEW(w->arena, struct stream);
    struct buf *bufs[] = {&s->text, &s->state, &s->logprobs, &s->annotations, &s->items};
    for (size_t i = 0; i < sizeof(bufs) / sizeof(*bufs); i++) {
        *bufs[i] = BUF(TEXT_MOST);
        arena_defer_buf(w->arena, bufs[i]);
    }
    s->output = -1;
    return s;
}

static struct json begin(struct chat_writer *w, struct stream *s, const char *event)
{
    struct json j = {.out = w->out};
    buf_puts(w->out, "event: ");
    buf_puts(w->out, event);
    buf_puts(w->out, "\ndata: ");
    json_obj(&j, NULL);
    json_str(&j, "type", event);
    json_int(&j, "sequence_number", s->sequence++);
    return j;
}

static void finish(struct json *j)
{
    json_end_all(j);
    buf_puts(j->out, "\n\n");
}

static void write_object(struct chat_writer *w, struct stream *s, const char *event,
                         const struct responses_standing *standing)
{
    struct json j = begin(w, s, event);
    static const struct chat_usage unknown;
    bool over = strcmp(standing->status, "in_progress") != 0;
    buf_puts(w->out, ",\"response\":");
    responses_object_write(w->out, &s->object, standing, buf_view(&s->items),
                           over ? &s->usage : &unknown);
    finish(&j);
}

static void write_start(struct chat_writer *w, struct stream *s, const struct chat_event *ev)
{
    responses_object_begin(w, ev->id, ev->text, &s->object);
    s->usage = ev->usage;
    static const struct responses_standing begun = {.status = "in_progress"};
    write_object(w, s, "response.created", &begun);
    write_object(w, s, "response.in_progress", &begun);
}

// --- items ----------------------------------------------------------------------

// Where in the output an event belongs; `index`: the name of the part's index, or NULL.
static struct json begin_at(struct chat_writer *w, struct stream *s, const char *event,
                            const char *index)
{
    struct json j = begin(w, s, event);
    json_str(&j, "item_id", s->item.id);
    json_int(&j, "output_index", s->output);
    if (index)
        json_int(&j, index, 0);
    return j;
}

static const char *part_index(const struct responses_item *item)
{
    return item->kind == PART_TOOL_CALL  ? NULL
           : item->kind == PART_THINKING ? "summary_index"
                                         : "content_index";
}

static const char *delta_of(const struct responses_item *item)
{
    switch (item->kind) {
    case PART_THINKING: return "response.reasoning_summary_text.delta";
    case PART_REFUSAL: return "response.refusal.delta";
    case PART_TOOL_CALL:
        return item->custom ? "response.custom_tool_call_input.delta"
                            : "response.function_call_arguments.delta";
    default: return "response.output_text.delta";
    }
}

static void write_part(struct chat_writer *w, struct stream *s, const char *event, struct str text)
{
    struct json j = begin_at(w, s, event, part_index(&s->item));
    responses_part_write(&j, "part", &s->item, text);
    finish(&j);
}

static void write_item(struct chat_writer *w, struct stream *s, const char *event, bool open)
{
    struct json j = begin(w, s, event);
    json_int(&j, "output_index", s->output);
    responses_item_write(&j, "item", &s->item, open);
    finish(&j);
}

static void keep_item(struct stream *s)
{
    struct json j = {.out = &s->items};
    if (s->items.n)
        buf_puts(&s->items, ",");
    responses_item_write(&j, NULL, &s->item, false);
}

static void write_item_done(struct chat_writer *w, struct stream *s)
{
    write_item(w, s, "response.output_item.done", false);
    keep_item(s);
}

// Whether the item that ended last was cut is known when the next one begins, or the reply stops.
static void end_wait(struct chat_writer *w, struct stream *s, bool cut)
{
    if (!s->waits)
        return;
    s->waits = false;
    if (cut)
        s->item.status = "incomplete";
    write_item_done(w, s);
}

static void write_raw(struct chat_writer *w, struct stream *s, const struct chat_event *ev)
{
    if (ev->owner != &responses_dialect)
        return; // has no meaning here
    s->output++;
    s->item = (struct responses_item){.kind = PART_RAW, .text = ev->text};
    write_item(w, s, "response.output_item.added", false);
    write_item_done(w, s);
}

static void write_block(struct chat_writer *w, struct stream *s, const struct chat_event *ev)
{
    end_wait(w, s, false);
    if (ev->kind == PART_RAW) {
        write_raw(w, s, ev);
        return;
    }
    s->open = true;
    s->spoke = s->redacted = false;
    s->maker = ev->owner;
    s->custom = (struct custom){0};
    buf_clear(&s->text);
    buf_clear(&s->state);
    buf_clear(&s->logprobs);
    buf_clear(&s->annotations);
    s->annotated = 0;
    s->item = responses_item_begin(w, s->object.base, ++s->output, ev->kind,
                                   arena_str(w->arena, ev->id), arena_str(w->arena, ev->name));
    const char *index = part_index(&s->item);
    s->delta = delta_of(&s->item);
    s->place = arena_printf(w->arena, ",\"item_id\":\"%s\",\"output_index\":%d%s%s%s", s->item.id,
                            s->output, index ? ",\"" : "", index ? index : "", index ? "\":0" : "");
    write_item(w, s, "response.output_item.added", true);
    if (ev->kind == PART_TEXT || ev->kind == PART_REFUSAL)
        write_part(w, s, "response.content_part.added", STR(""));
}

// The most frequent event by far: assembled by hand.
static void write_delta(struct chat_writer *w, struct stream *s, struct str text)
{
    buf_str(w->out, STR("event: "));
    buf_puts(w->out, s->delta);
    buf_str(w->out, STR("\ndata: {\"type\":\""));
    buf_puts(w->out, s->delta);
    buf_str(w->out, STR("\",\"sequence_number\":"));
    buf_int(w->out, s->sequence++);
    buf_puts(w->out, s->place);
    buf_str(w->out, STR(",\"delta\":"));
    json_quote(w->out, text);
    if (s->item.kind == PART_TEXT)
        buf_str(w->out, STR(",\"logprobs\":[]"));
    buf_str(w->out, STR("}\n\n"));
}

static void write_text(struct chat_writer *w, struct stream *s, const struct chat_event *ev)
{
    if (!s->open)
        return;
    if (s->item.kind == PART_THINKING && !s->spoke)
        write_part(w, s, "response.reasoning_summary_part.added", STR(""));
    s->spoke = true;
    s->refused = s->refused || s->item.kind == PART_REFUSAL;
    buf_str(&s->text, ev->text);
    write_delta(w, s, ev->text);
}

static void write_arguments(struct chat_writer *w, struct stream *s, struct str json)
{
    if (!s->open)
        return;
    size_t before = s->text.n;
    if (s->item.custom)
        custom_feed(&s->custom, json, &s->text);
    else
        buf_str(&s->text, json);
    if (s->text.n > before)
        write_delta(w, s, (struct str){s->text.p + before, s->text.n - before});
}

static void end_text(struct chat_writer *w, struct stream *s)
{
    bool refusal = s->item.kind == PART_REFUSAL;
    struct json j = begin_at(w, s, refusal ? "response.refusal.done" : "response.output_text.done",
                             "content_index");
    json_strn(&j, refusal ? "refusal" : "text", s->item.text);
    if (!refusal) {
        json_arr(&j, "logprobs");
        if (s->item.logprobs.n)
            json_raw(&j, NULL, s->item.logprobs);
    }
    finish(&j);
    write_part(w, s, "response.content_part.done", s->item.text);
    s->waits = true;
}

static void end_thinking(struct chat_writer *w, struct stream *s)
{
    s->item.state = responses_state(w, s->maker, s->redacted, buf_view(&s->state), s->item.text);
    if (!s->spoke)
        return;
    struct json j = begin_at(w, s, "response.reasoning_summary_text.done", "summary_index");
    json_strn(&j, "text", s->item.text);
    finish(&j);
    write_part(w, s, "response.reasoning_summary_part.done", s->item.text);
}

// Whole as these arguments look, they may be what was left of others.
static bool says_nothing(struct str arguments)
{
    return !arguments.n || str_is(arguments, "{}");
}

static void end_call(struct chat_writer *w, struct stream *s)
{
    bool custom = s->item.custom;
    bool whole = custom ? custom_complete(&s->custom) : responses_is_whole(s->item.text);
    s->item.status = whole ? "completed" : "incomplete";
    s->waits = custom ? s->custom.at == CUSTOM_PLAIN : says_nothing(s->item.text);
    if (s->waits && !custom)
        s->item.text = STR("{}");
    struct json j = begin_at(w, s,
                             custom ? "response.custom_tool_call_input.done"
                                    : "response.function_call_arguments.done",
                             NULL);
    json_strn(&j, custom ? "input" : "arguments", s->item.text);
    finish(&j);
}

static void write_block_end(struct chat_writer *w, struct stream *s)
{
    if (!s->open)
        return;
    s->open = false;
    s->item.text = buf_view(&s->text);
    s->item.logprobs = buf_view(&s->logprobs);
    s->item.annotations = buf_view(&s->annotations);
    s->item.status = "completed";
    if (s->item.kind == PART_TOOL_CALL)
        end_call(w, s);
    else if (s->item.kind == PART_THINKING)
        end_thinking(w, s);
    else
        end_text(w, s);
    if (!s->waits)
        write_item_done(w, s);
}

static void note_signature(struct stream *s, const struct chat_event *ev)
{
    buf_str(&s->state, ev->text);
    s->maker = ev->owner;
    s->redacted = ev->redacted;
}

static void write_annotation(struct chat_writer *w, struct stream *s, const struct chat_event *ev)
{
    if (!s->open)
        return;
    struct json kept = {.out = &s->annotations, .comma = s->annotations.n > 0};
    cite_write_responses(&kept, NULL, &ev->cite);
    struct json j = begin_at(w, s, "response.output_text.annotation.added", "content_index");
    json_int(&j, "annotation_index", s->annotated++);
    cite_write_responses(&j, "annotation", &ev->cite);
    finish(&j);
}

static void note_logprobs(struct stream *s, const struct chat_event *ev)
{
    if (s->logprobs.n)
        buf_puts(&s->logprobs, ",");
    buf_add(&s->logprobs, ev->text.p + 1, ev->text.n - 2); // without the brackets
}

static void write_stop(struct chat_writer *w, struct stream *s, enum chat_stop reason)
{
    s->reason = reason;
    end_wait(w, s, responses_standing(reason, s->refused).incomplete != NULL);
}

static void write_end(struct chat_writer *w, struct stream *s)
{
    struct responses_standing end = responses_standing(s->reason, s->refused);
    write_object(w, s, end.incomplete ? "response.incomplete" : "response.completed", &end);
    if (w->keep)
        responses_object_write(w->keep, &s->object, &end, buf_view(&s->items), &s->usage);
}

struct err *responses_write_event(struct chat_writer *w, const struct chat_event *ev)
{
    if (ev->choice > 0)
        return NULL; // this dialect has one answer
    struct stream *s = stream_of(w);
    switch (ev->type) {
    case CHAT_START: write_start(w, s, ev); break;
    case CHAT_BLOCK: write_block(w, s, ev); break;
    case CHAT_TEXT:
    case CHAT_THINKING: write_text(w, s, ev); break;
    case CHAT_SIGNATURE: note_signature(s, ev); break;
    case CHAT_ARGS: write_arguments(w, s, ev->text); break;
    case CHAT_BLOCK_END: write_block_end(w, s); break;
    case CHAT_USAGE: s->usage = ev->usage; break;
    case CHAT_LOGPROBS: note_logprobs(s, ev); break;
    case CHAT_CITATION: write_annotation(w, s, ev); break;
    case CHAT_STOP: write_stop(w, s, ev->reason); break;
    case CHAT_END: write_end(w, s); break;
    case CHAT_FAILED: break;
    }
    bool full = s->text.overflow || s->items.overflow || s->annotations.overflow;
    return full ? err_new(w->arena, &err_upstream_too_large, "one answer") : NULL;
}

// SDKs throw at "error", in whichever of its two forms they know; Codex acts on the other event.
void responses_write_failure(struct chat_writer *w, const struct chat_error *e)
{
    ARENA(a);
    struct chat_writer alone = {.dialect = w->dialect,
                                .arena = a,
                                .out = w->out,
                                .model = w->model,
                                .id = w->id,
                                .created = w->created};
    struct chat_writer *mine = w->own ? w : &alone;
    struct stream *s = stream_of(mine);
    struct str code = responses_error_code(e);
    struct str message = e->message.n ? e->message : STR("The request failed.");
    end_wait(mine, s, false);
    if (!w->own) {
        responses_object_begin(mine, (struct str){0}, (struct str){0}, &s->object);
        s->sequence = w->passed;
    }
    struct json j = begin(mine, s, "error");
    json_strn(&j, "code", code);
    json_strn(&j, "message", message);
    json_null(&j, "param");
    json_obj(&j, "error");
    json_strn(&j, "type", code);
    json_strn(&j, "code", code);
    json_strn(&j, "message", message);
    json_null(&j, "param");
    finish(&j);
    struct responses_standing failed = {.status = "failed", .error = e};
    write_object(mine, s, "response.failed", &failed);
}

// --- whole ----------------------------------------------------------------------

// What may have been cut without a sign of it keeps the status that it came with.
static void take_call(struct chat_writer *w, struct responses_item *item)
{
    struct custom custom = {0};
    BUF_HERE(text, TEXT_MOST);
    if (!item->custom) {
        if (!says_nothing(item->text))
            item->status = responses_is_whole(item->text) ? "completed" : "incomplete";
        item->text = item->text.n ? item->text : STR("{}");
        return;
    }
    custom_feed(&custom, item->text, &text);
    if (custom.at != CUSTOM_PLAIN)
        item->status = custom_complete(&custom) ? "completed" : "incomplete";
    item->text = (struct str){arena_str(w->arena, buf_view(&text)), text.n};
}

static struct str annotations_of(struct chat_writer *w, const struct answer_part *p)
{
    BUF_HERE(text, TEXT_MOST);
    for (const struct answer_citation *c = p->citations; c; c = c->next) {
        struct json j = {.out = &text, .comma = text.n > 0};
        cite_write_responses(&j, NULL, &c->cite);
    }
    return (struct str){arena_str(w->arena, buf_view(&text)), text.n};
}

static bool take_part(struct chat_writer *w, const char *base, int n, const struct answer_part *p,
                      bool cut, struct responses_item *item)
{
    *item = responses_item_begin(w, base, n, p->kind, p->id, p->name);
    item->status = cut ? "incomplete" : "completed";
    item->text = buf_view(&p->text);
    item->logprobs = buf_view(&p->logprobs);
    item->annotations = annotations_of(w, p);
    if (p->kind == PART_THINKING)
        item->state =
            responses_state(w, p->owner, p->redacted, buf_view(&p->signature), item->text);
    if (p->kind == PART_TOOL_CALL)
        take_call(w, item);
    return p->kind != PART_RAW || p->owner == &responses_dialect;
}

static bool has_refusal(const struct answer_choice *c)
{
    const struct answer_part *p = c->parts;
    while (p && p->kind != PART_REFUSAL)
        p = p->next;
    return p != NULL;
}

void responses_write_answer(struct chat_writer *w, const struct chat_answer *answer)
{
    const struct answer_choice *c = answer->choices;
    struct responses_object object;
    struct responses_item item;
    BUF_HERE(items, TEXT_MOST * 4);
    int n = 0;
    struct responses_standing standing = responses_standing(c->reason, has_refusal(c));
    responses_object_begin(w, answer->id, answer->model, &object);
    for (const struct answer_part *p = c->parts; p; p = p->next) {
        struct json j = {.out = &items, .comma = items.n > 0};
        if (take_part(w, object.base, n, p, standing.incomplete && !p->next, &item)) {
            responses_item_write(&j, NULL, &item, false);
            n++;
        }
    }
    size_t before = w->out->n;
    responses_object_write(w->out, &object, &standing, buf_view(&items), &answer->usage);
    if (w->keep)
        buf_str(w->keep, str_skip(buf_view(w->out), before));
}
