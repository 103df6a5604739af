// Responses replies, streamed and whole, become events.
//
// Items follow each other; should a server mix them, what belongs to a later one waits for the one
// that is open.

#include <string.h>

#include "common/arena.h"
#include "relay/dialect/cite.h"
#include "relay/dialect/names.h"
#include "relay/dialect/openai.h"
#include "relay/dialect/openai_calls.h"
#include "relay/dialect/responses.h"

enum { HELD_MAX = 32 << 20 };
enum item_kind { ITEM_OTHER, ITEM_MESSAGE, ITEM_CALL, ITEM_CUSTOM, ITEM_REASONING };

struct item {
    struct item *next;
    int64_t index;
    enum item_kind kind;
    struct str id, name;
    struct str state, raw; // of reasoning; of what only this dialect knows
    bool began, spoke, done;
    const char *via; // the event that tells its reasoning: summaries and the full text may both
    int64_t section; // of the summary
    enum part_kind waits; // what is held
    struct buf held;
};

struct reading {
    struct name_map *names;
    struct item *first, **end, *live; // live: the first that is not over
    struct buf escaped;
    bool refused;
};

static struct reading *reading_of(struct chat_reader *r)
{
    if (r->own)
        return r->own;
    struct reading *mine = r->own = NEW(r->arena, struct reading);
    mine->end = &mine->first;
    mine->escaped = BUF(HELD_MAX);
    arena_defer_buf(r->arena, &mine->escaped);
    if (r->request)
        mine->names = name_map_new(r->arena, r->request->tools, RESPONSES_NAME_MAX);
    return mine;
}

// --- items in their order -------------------------------------------------------

static enum item_kind kind_of(const char *type)
{
    static const struct {
        const char *type;
        enum item_kind kind;
    } kinds[] = {{"message", ITEM_MESSAGE},
                 {"function_call", ITEM_CALL},
                 {"custom_tool_call", ITEM_CUSTOM},
                 {"reasoning", ITEM_REASONING}};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
        if (text_eq(kinds[i].type, type))
            return kinds[i].kind;
    return ITEM_OTHER;
}

static struct item *find_item(struct reading *mine, int64_t index)
{
    struct item *it = mine->first;
    while (it && it->index != index)
        it = it->next;
    return it;
}

static struct item *add_item(struct chat_reader *r, int64_t index, enum item_kind kind)
{
    struct reading *mine = reading_of(r);
    struct item *it = NEW(r->arena, struct item);
    *it = (struct item){.index = index, .kind = kind, .held = BUF(HELD_MAX)};
    arena_defer_buf(r->arena, &it->held);
    *mine->end = it;
    mine->end = &it->next;
    if (!mine->live)
        mine->live = it;
    return it;
}

// A custom tool's text becomes the inside of a JSON string.
static struct str escaped(struct reading *mine, struct str text)
{
    buf_clear(&mine->escaped);
    json_quote(&mine->escaped, text);
    return (struct str){mine->escaped.p + 1, mine->escaped.n - 2};
}

static struct err *send(struct chat_reader *r, const struct item *it, enum part_kind kind,
                        struct str text)
{
    struct chat_choice *c = chat_choice(r, 0);
    if (!text.n)
        return NULL;
    if (it->kind == ITEM_CUSTOM)
        return chat_arguments(r, c, escaped(reading_of(r), text));
    return kind == PART_TOOL_CALL ? chat_arguments(r, c, text) : chat_piece(r, c, kind, text);
}

static struct err *begin(struct chat_reader *r, struct item *it)
{
    struct chat_choice *c = chat_choice(r, 0);
    it->began = true;
    if (it->kind == ITEM_CALL || it->kind == ITEM_CUSTOM)
        TRY(chat_call(r, c, it->id, name_from_wire(reading_of(r)->names, it->name)));
    if (it->kind == ITEM_CUSTOM)
        TRY(chat_arguments(r, c, STR("{\"input\":\"")));
    TRY(send(r, it, it->waits, buf_view(&it->held)));
    buf_clear(&it->held);
    return NULL;
}

static struct err *finish(struct chat_reader *r, const struct item *it)
{
    struct chat_choice *c = chat_choice(r, 0);
    if (it->kind == ITEM_CUSTOM)
        TRY(chat_arguments(r, c, STR("\"}")));
    if (it->kind == ITEM_REASONING)
        TRY(chat_signature(r, c, it->state, !it->spoke));
    if (it->raw.n)
        TRY(chat_raw(r, c, it->raw));
    return chat_close(r, c);
}

static struct err *advance(struct chat_reader *r)
{
    struct reading *mine = reading_of(r);
    for (struct item *it; (it = mine->live);) {
        if (!it->began)
            TRY(begin(r, it));
        if (!it->done)
            return NULL;
        TRY(finish(r, it));
        mine->live = it->next;
    }
    return NULL;
}

static struct err *say(struct chat_reader *r, struct item *it, enum part_kind kind, struct str text)
{
    struct reading *mine = reading_of(r);
    if (!text.n || it->done)
        return NULL;
    mine->refused = mine->refused || kind == PART_REFUSAL;
    it->spoke = true;
    if (it == mine->live && it->began)
        return send(r, it, kind, text);
    it->waits = kind;
    buf_str(&it->held, text);
    if (it->held.overflow)
        return err_new(r->arena, &err_upstream_too_large, "an item that waits");
    return advance(r);
}

// --- complete items -------------------------------------------------------------

static struct str kept(struct chat_reader *r, struct str s)
{
    return s.n ? (struct str){arena_str(r->arena, s), s.n} : (struct str){0};
}

static void name_item(struct chat_reader *r, struct item *it, yyjson_val *in)
{
    const char *name =
        responses_joined(r->arena, json_text_at(in, "namespace"), json_text_at(in, "name"));
    if (!it->name.n)
        it->name = str_of(arena_strdup(r->arena, name));
    if (!it->id.n)
        it->id = kept(r, json_str_at(in, "call_id"));
}

static struct err *emit_logprobs(struct chat_reader *r, yyjson_val *list)
{
    struct chat_choice *c = chat_choice(r, 0);
    if (!yyjson_arr_size(list) || !c->open || c->kind != PART_TEXT)
        return NULL;
    return chat_emit(r, (struct chat_event){CHAT_LOGPROBS, .index = c->blocks - 1,
                                            .text = json_text_of(r->scratch, list)});
}

static struct err *emit_annotation(struct chat_reader *r, yyjson_val *annotation)
{
    struct chat_citation cite;
    return cite_read(annotation, &cite) ? chat_cite(r, chat_choice(r, 0), &cite) : NULL;
}

static struct err *emit_annotations(struct chat_reader *r, yyjson_val *list)
{
    size_t i, max;
    yyjson_val *annotation;
    yyjson_arr_foreach(list, i, max, annotation) TRY(emit_annotation(r, annotation));
    return NULL;
}

static struct err *say_part(struct chat_reader *r, struct item *it, yyjson_val *part,
                            enum part_kind kind)
{
    TRY(say(r, it, kind, json_str_at(part, "text")));
    TRY(say(r, it, PART_REFUSAL, json_str_at(part, "refusal")));
    TRY(emit_logprobs(r, yyjson_obj_get(part, "logprobs")));
    return emit_annotations(r, yyjson_obj_get(part, "annotations"));
}

static struct err *say_parts(struct chat_reader *r, struct item *it, yyjson_val *parts,
                             enum part_kind kind)
{
    size_t i, max;
    yyjson_val *part;
    yyjson_arr_foreach(parts, i, max, part)
    {
        if (kind == PART_THINKING && i > 0)
            TRY(say(r, it, kind, STR("\n\n")));
        TRY(say_part(r, it, part, kind));
    }
    return NULL;
}

// What was not told piece by piece.
static struct err *fill(struct chat_reader *r, struct item *it, yyjson_val *in)
{
    yyjson_val *content = yyjson_obj_get(in, "content"), *summary = yyjson_obj_get(in, "summary");
    switch (it->kind) {
    case ITEM_MESSAGE: return it->spoke ? NULL : say_parts(r, it, content, PART_TEXT);
    case ITEM_CALL:
        return it->spoke ? NULL : say(r, it, PART_TOOL_CALL, openai_arguments(r->scratch, in));
    case ITEM_CUSTOM:
        return it->spoke ? NULL : say(r, it, PART_TOOL_CALL, json_str_at(in, "input"));
    case ITEM_REASONING:
        it->state = kept(r, json_str_at(in, "encrypted_content"));
        if (!it->spoke)
            return say_parts(r, it, yyjson_arr_size(summary) ? summary : content, PART_THINKING);
        return NULL;
    default: it->raw = kept(r, json_text_of(r->scratch, in)); return NULL;
    }
}

static struct err *complete(struct chat_reader *r, struct item *it, yyjson_val *in)
{
    if (it->done)
        return NULL;
    name_item(r, it, in);
    TRY(fill(r, it, in));
    it->done = true;
    return advance(r);
}

static struct err *read_items(struct chat_reader *r, yyjson_val *output)
{
    size_t i, max;
    yyjson_val *in;
    yyjson_arr_foreach(output, i, max, in)
        TRY(complete(r, add_item(r, (int64_t)i, kind_of(json_text_at(in, "type"))), in));
    return NULL;
}

// --- the end --------------------------------------------------------------------

static void take_usage(struct chat_reader *r, yyjson_val *usage)
{
    yyjson_val *in = yyjson_obj_get(usage, "input_tokens_details");
    yyjson_val *out = yyjson_obj_get(usage, "output_tokens_details");
    int64_t prompt = chat_count_at(usage, "input_tokens");
    int64_t read = chat_count_at(in, "cached_tokens"),
            written = chat_count_at(in, "cache_write_tokens");
    if (!yyjson_is_obj(usage) || prompt + chat_count_at(usage, "output_tokens") == 0)
        return;
    read = read < prompt ? read : prompt;
    written = written < prompt - read ? written : prompt - read;
    r->usage = (struct chat_usage){
        .prompt = prompt - read - written,
        .cache_read = read,
        .cache_write_5m = written,
        .completion = chat_count_at(usage, "output_tokens"),
        .thinking = chat_count_at(out, "reasoning_tokens"),
        .audio_in = chat_count_at(in, "audio_tokens"),
        .audio_out = chat_count_at(out, "audio_tokens"),
        .image_in = chat_count_at(in, "image_tokens"),
    };
    r->usage.known = r->usage.prompt_known = chat_usage_tells(&r->usage);
}

static enum chat_stop stop_of(struct chat_reader *r, yyjson_val *response)
{
    yyjson_val *details = yyjson_obj_get(response, "incomplete_details");
    const char *reason = json_text_at(details, "reason");
    if (text_eq(reason, "content_filter"))
        return STOP_FILTER;
    if (reason || text_eq(json_text_at(response, "status"), "incomplete"))
        return STOP_LENGTH;
    return reading_of(r)->refused ? STOP_REFUSAL : STOP_END;
}

static struct err *read_failure(struct chat_reader *r, yyjson_val *body)
{
    struct chat_error e;
    responses_read_error(body, &e);
    return chat_failed(r, &e);
}

static void note_items(struct chat_reader *r, yyjson_val *response)
{
    size_t i, max;
    yyjson_val *item;
    yyjson_arr_foreach(yyjson_obj_get(response, "output"), i, max, item)
    {
        struct str id = json_str_at(item, "id");
        if (id.n && r->items->count < CHAT_ITEMS_MOST)
            r->items->ids[r->items->count++] = arena_str(r->arena, id);
    }
}

static struct err *read_final(struct chat_reader *r, yyjson_val *response)
{
    if (r->items)
        note_items(r, response);
    take_usage(r, yyjson_obj_get(response, "usage"));
    if (r->usage.known)
        TRY(chat_usage(r));
    for (struct item *it = reading_of(r)->first; it; it = it->next)
        it->done = true;
    TRY(advance(r));
    TRY(chat_stop(r, chat_choice(r, 0), stop_of(r, response), (struct str){0}));
    return chat_end(r);
}

// --- frames ---------------------------------------------------------------------

static struct err *start(struct chat_reader *r, yyjson_val *response)
{
    return chat_start(r, json_str_at(response, "id"), json_str_at(response, "model"));
}

static struct err *on_created(struct chat_reader *r, yyjson_val *body)
{
    return start(r, yyjson_obj_get(body, "response"));
}

static struct item *item_at(struct chat_reader *r, yyjson_val *body, enum item_kind kind)
{
    int64_t index = json_int_at(body, "output_index", 0);
    struct item *it = find_item(reading_of(r), index);
    return it ? it : add_item(r, index, kind);
}

// Texts and reasoning before a new item are over, whether or not it was said; calls may still grow.
static void end_earlier(struct reading *mine, const struct item *added)
{
    for (struct item *it = mine->live; it && it != added; it = it->next)
        if (it->kind == ITEM_MESSAGE || it->kind == ITEM_OTHER)
            it->done = true;
}

static struct err *on_added(struct chat_reader *r, yyjson_val *body)
{
    yyjson_val *in = yyjson_obj_get(body, "item");
    struct item *it = item_at(r, body, kind_of(json_text_at(in, "type")));
    name_item(r, it, in);
    end_earlier(reading_of(r), it);
    return advance(r);
}

static struct err *on_item_done(struct chat_reader *r, yyjson_val *body)
{
    yyjson_val *in = yyjson_obj_get(body, "item");
    return complete(r, item_at(r, body, kind_of(json_text_at(in, "type"))), in);
}

static struct err *on_text(struct chat_reader *r, yyjson_val *body)
{
    TRY(say(r, item_at(r, body, ITEM_MESSAGE), PART_TEXT, json_str_at(body, "delta")));
    return emit_logprobs(r, yyjson_obj_get(body, "logprobs"));
}

static struct err *on_annotation(struct chat_reader *r, yyjson_val *body)
{
    return emit_annotation(r, yyjson_obj_get(body, "annotation"));
}

static struct err *on_refusal(struct chat_reader *r, yyjson_val *body)
{
    return say(r, item_at(r, body, ITEM_MESSAGE), PART_REFUSAL, json_str_at(body, "delta"));
}

static struct err *on_arguments(struct chat_reader *r, yyjson_val *body)
{
    return say(r, item_at(r, body, ITEM_CALL), PART_TOOL_CALL, json_str_at(body, "delta"));
}

static struct err *on_reasoning(struct chat_reader *r, yyjson_val *body)
{
    struct item *it = item_at(r, body, ITEM_REASONING);
    const char *type = json_text_at(body, "type");
    bool summary = strstr(type, "summary");
    int64_t section = json_int_at(body, summary ? "summary_index" : "content_index", 0);
    if (!it->via)
        it->via = summary ? "summary" : "text";
    if (summary != text_eq(it->via, "summary"))
        return NULL; // the same thoughts in other words
    if (section != it->section && it->spoke)
        TRY(say(r, it, PART_THINKING, STR("\n\n")));
    it->section = section;
    return say(r, it, PART_THINKING, json_str_at(body, "delta"));
}

static struct err *on_final(struct chat_reader *r, yyjson_val *body)
{
    yyjson_val *response = yyjson_obj_get(body, "response");
    TRY(start(r, response));
    if (!reading_of(r)->first && r->target) // a meter was shown nothing before
        TRY(read_items(r, yyjson_obj_get(response, "output")));
    return read_final(r, response);
}

static struct err *on_failed(struct chat_reader *r, yyjson_val *body)
{
    yyjson_val *response = yyjson_obj_get(body, "response");
    take_usage(r, yyjson_obj_get(response, "usage"));
    return read_failure(r, response);
}

// Others say nothing that the end of their item does not say.
static const struct {
    const char *type;
    struct err *(*read)(struct chat_reader *r, yyjson_val *body);
    bool needs_start;
} events[] = {
    {"response.output_text.delta", on_text, true},
    {"response.function_call_arguments.delta", on_arguments, true},
    {"response.custom_tool_call_input.delta", on_arguments, true},
    {"response.reasoning_summary_text.delta", on_reasoning, true},
    {"response.reasoning_text.delta", on_reasoning, true},
    {"response.refusal.delta", on_refusal, true},
    {"response.output_text.annotation.added", on_annotation, true},
    {"response.output_item.added", on_added, true},
    {"response.output_item.done", on_item_done, true},
    {"response.created", on_created, false},
    {"response.in_progress", on_created, false},
    {"response.completed", on_final, false},
    {"response.incomplete", on_final, false},
    {"response.failed", on_failed, false},
    {"error", read_failure, false},
};

struct err *responses_read_frame(struct chat_reader *r, const struct frame *f)
{
    yyjson_val *body = NULL;
    if (str_starts(str_trim(f->payload), "[DONE]"))
        return NULL; // some servers end like chat's
    TRY(chat_json(r, f->payload, &body));
    const char *type = json_text_at(body, "type");
    if (!type)
        return openai_error_in(body) ? read_failure(r, body) : NULL;
    for (size_t i = 0; i < sizeof(events) / sizeof(*events); i++) {
        if (strcmp(events[i].type, type) != 0)
            continue;
        if (events[i].needs_start)
            TRY(chat_start(r, (struct str){0}, (struct str){0}));
        return events[i].read(r, body);
    }
    return NULL;
}

struct err *responses_read_whole(struct chat_reader *r, yyjson_val *body)
{
    yyjson_val *output = yyjson_obj_get(body, "output");
    if (openai_error_in(body) || !yyjson_is_arr(output)) {
        take_usage(r, yyjson_obj_get(body, "usage"));
        return read_failure(r, body);
    }
    TRY(start(r, body));
    TRY(read_items(r, output));
    return read_final(r, body);
}
