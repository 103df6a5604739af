// v2 chat replies, streamed and whole, become events.
//
// Billed units are what Cohere charges for. The tokens beside them count a hidden template, too: it
// stands first, so that of what was cached only the rest behind it is the caller's.

#include <string.h>

#include "common/arena.h"
#include "relay/dialect/cohere.h"
#include "relay/dialect/fence.h"
#include "relay/dialect/names.h"
#include "relay/dialect/openai.h"

enum { LOGPROBS_MOST = 16 << 20 };

struct reading {
    enum cohere_format format;
    struct name_map *names;
    struct fence fence;
    bool spoke; // arguments of the open call came
};

static struct reading *reading_of(struct chat_reader *r)
{
    if (r->own)
        return r->own;
    struct reading *mine = r->own = NEW(r->arena, struct reading);
    if (r->request && r->target) {
        mine->format = cohere_format(r->request);
        mine->names = name_map_ruled(r->arena, r->request->tools, COHERE_NAME_MAX, NAME_WORDS);
    }
    fence_init(&mine->fence, r, chat_choice(r, 0));
    return mine;
}

// --- usage ----------------------------------------------------------------------

static struct err *read_usage(struct chat_reader *r, yyjson_val *usage)
{
    yyjson_val *billed = yyjson_obj_get(usage, "billed_units");
    yyjson_val *tokens = yyjson_obj_get(usage, "tokens");
    yyjson_val *units = yyjson_is_obj(billed) ? billed : tokens;
    int64_t prompt = chat_count_at(units, "input_tokens"),
            cached = chat_count_at(usage, "cached_tokens");
    int64_t completion = chat_count_at(units, "output_tokens");
    int64_t hidden = chat_count_at(tokens, "input_tokens") - prompt;
    if (!prompt && !completion)
        return NULL;
    cached -= hidden > 0 ? hidden : 0;
    cached = cached < 0 ? 0 : cached < prompt ? cached : prompt;
    r->usage = (struct chat_usage){
        .prompt = prompt - cached, .cache_read = cached, .completion = completion};
    return chat_usage(r);
}

// --- content --------------------------------------------------------------------

static struct err *read_text(struct chat_reader *r, struct chat_choice *c, struct str text)
{
    struct reading *mine = reading_of(r);
    return mine->format == COHERE_FORMAT_PROMPT ? fence_text(&mine->fence, text)
                                                : chat_piece(r, c, PART_TEXT, text);
}

static struct err *read_item(struct chat_reader *r, struct chat_choice *c, yyjson_val *item)
{
    TRY(chat_piece(r, c, PART_THINKING, json_str_at(item, "thinking")));
    return read_text(r, c, json_str_at(item, "text"));
}

static struct err *end_text(struct chat_reader *r, struct chat_choice *c)
{
    TRY(fence_end(&reading_of(r)->fence));
    return chat_close(r, c);
}

static struct err *begin_call(struct chat_reader *r, struct chat_choice *c, yyjson_val *call)
{
    struct reading *mine = reading_of(r);
    struct str name = json_str_at(yyjson_obj_get(call, "function"), "name");
    TRY(fence_end(&mine->fence));
    mine->spoke = false;
    return chat_call(r, c, json_str_at(call, "id"), name_from_wire(mine->names, name));
}

// Calls without arguments say "null", or nothing at all (recorded).
static struct err *read_arguments(struct chat_reader *r, struct chat_choice *c, yyjson_val *call)
{
    struct reading *mine = reading_of(r);
    struct str json = json_str_at(yyjson_obj_get(call, "function"), "arguments");
    if (!json.n || (!mine->spoke && str_is(json, "null")))
        return NULL;
    mine->spoke = true;
    return chat_arguments(r, c, json);
}

// --- citations ------------------------------------------------------------------

static void read_source(struct arena *a, yyjson_val *source, struct chat_citation *out)
{
    yyjson_val *document = yyjson_obj_get(source, "document");
    yyjson_val *found = yyjson_obj_get(source, "tool_output");
    out->id = json_str_at(source, "id");
    out->url = json_str_at(document, "url");
    out->title = json_str_at(document, "title");
    out->quote = json_str_at(document, "text");
    if (!out->quote.n)
        out->quote = json_str_at(document, "snippet");
    if (!out->quote.n && yyjson_is_obj(found))
        out->quote = json_text_of(a, found);
}

// Of the thoughts and of the plan nothing is told elsewhere.
static struct err *read_citation(struct chat_reader *r, struct chat_choice *c, yyjson_val *in)
{
    size_t i, max;
    yyjson_val *source;
    const char *type = json_text_at(in, "type");
    if (type && !text_eq(type, "TEXT_CONTENT"))
        return NULL;
    struct chat_citation cite = {.start = chat_count_at(in, "start"),
                                 .end = chat_count_at(in, "end")};
    yyjson_arr_foreach(yyjson_obj_get(in, "sources"), i, max, source)
    {
        read_source(r->scratch, source, &cite);
        TRY(chat_cite(r, c, &cite));
    }
    return NULL;
}

// --- probabilities --------------------------------------------------------------

static struct err *read_logprobs(struct chat_reader *r, struct chat_choice *c, yyjson_val *items)
{
    size_t i, max;
    yyjson_val *item;
    BUF_HERE(out, LOGPROBS_MOST);
    struct json j = {.out = &out};
    if (!c->open || c->kind != PART_TEXT)
        return NULL;
    json_arr(&j, NULL);
    yyjson_arr_foreach(items, i, max, item)
    {
        yyjson_val *values = yyjson_obj_get(item, "logprobs");
        if (yyjson_arr_size(values) != 1) // one text of several tokens cannot be told apart
            continue;
        json_obj(&j, NULL);
        json_strn(&j, "token", json_str_at(item, "text"));
        json_real(&j, "logprob", yyjson_get_num(yyjson_arr_get_first(values)));
        json_null(&j, "bytes");
        json_arr(&j, "top_logprobs");
        json_end(&j);
        json_end(&j);
    }
    json_end(&j);
    if (out.n <= 2)
        return NULL;
    return chat_emit(
        r, (struct chat_event){CHAT_LOGPROBS, .index = c->blocks - 1, .text = buf_view(&out)});
}

// --- the end --------------------------------------------------------------------

static const struct {
    const char *name;
    enum chat_stop reason;
    bool failed;
} finishes[] = {
    {"COMPLETE", STOP_END},       {"STOP_SEQUENCE", STOP_SEQUENCE}, {"MAX_TOKENS", STOP_LENGTH},
    {"TOOL_CALL", STOP_TOOL},     {"ERROR", STOP_END, true},        {"TIMEOUT", STOP_END, true},
    {"ERROR_TOXIC", STOP_FILTER}, {"ERROR_LIMIT", STOP_CONTEXT},
};

static struct err *fail(struct chat_reader *r, const char *reason, yyjson_val *from)
{
    struct chat_error e = {502, .code = str_of(reason), .message = json_str_at(from, "error")};
    if (!e.message.n)
        e.message = STR("The provider could not finish its answer.");
    return chat_failed(r, &e);
}

static struct err *read_finish(struct chat_reader *r, struct chat_choice *c, yyjson_val *from)
{
    const char *name = json_text_at(from, "finish_reason");
    enum chat_stop reason = STOP_END;
    TRY(read_usage(r, yyjson_obj_get(from, "usage")));
    if (json_str_at(from, "error").n)
        return fail(r, name ? name : "ERROR", from);
    for (size_t i = 0; name && i < sizeof(finishes) / sizeof(*finishes); i++) {
        if (strcmp(finishes[i].name, name) != 0)
            continue;
        if (finishes[i].failed)
            return fail(r, name, from);
        reason = finishes[i].reason;
    }
    TRY(end_text(r, c));
    return chat_stop(r, c, reason, (struct str){0});
}

// --- frames ---------------------------------------------------------------------

static struct err *on_start(struct chat_reader *r, struct chat_choice *c, yyjson_val *body)
{
    (void)c;
    return chat_start(r, json_str_at(body, "id"), (struct str){0});
}

// Contents follow each other; one ends where the next begins, for citations come behind some ends.
static struct err *on_content_start(struct chat_reader *r, struct chat_choice *c, yyjson_val *body)
{
    yyjson_val *message = yyjson_obj_get(yyjson_obj_get(body, "delta"), "message");
    TRY(end_text(r, c));
    return read_item(r, c, yyjson_obj_get(message, "content"));
}

static struct err *on_content_delta(struct chat_reader *r, struct chat_choice *c, yyjson_val *body)
{
    yyjson_val *message = yyjson_obj_get(yyjson_obj_get(body, "delta"), "message");
    yyjson_val *logprobs = yyjson_obj_get(body, "logprobs");
    TRY(read_item(r, c, yyjson_obj_get(message, "content")));
    if (!yyjson_is_obj(logprobs))
        return NULL;
    struct str list = json_text_of(r->scratch, logprobs);
    yyjson_val *items = NULL;
    char *text = arena_printf(r->scratch, "[%.*s]", STR_ARGS(list));
    TRY(chat_json(r, str_of(text), &items));
    return read_logprobs(r, c, items);
}

static struct err *on_plan(struct chat_reader *r, struct chat_choice *c, yyjson_val *body)
{
    yyjson_val *message = yyjson_obj_get(yyjson_obj_get(body, "delta"), "message");
    return chat_piece(r, c, PART_THINKING, json_str_at(message, "tool_plan"));
}

static yyjson_val *call_in(yyjson_val *body)
{
    yyjson_val *message = yyjson_obj_get(yyjson_obj_get(body, "delta"), "message");
    return yyjson_obj_get(message, "tool_calls");
}

static struct err *on_call_start(struct chat_reader *r, struct chat_choice *c, yyjson_val *body)
{
    TRY(begin_call(r, c, call_in(body)));
    return read_arguments(r, c, call_in(body));
}

static struct err *on_call_delta(struct chat_reader *r, struct chat_choice *c, yyjson_val *body)
{
    return read_arguments(r, c, call_in(body));
}

static struct err *on_call_end(struct chat_reader *r, struct chat_choice *c, yyjson_val *body)
{
    (void)body;
    return c->kind == PART_TOOL_CALL ? chat_close(r, c) : NULL;
}

static struct err *on_citation(struct chat_reader *r, struct chat_choice *c, yyjson_val *body)
{
    yyjson_val *message = yyjson_obj_get(yyjson_obj_get(body, "delta"), "message");
    return read_citation(r, c, yyjson_obj_get(message, "citations"));
}

static struct err *on_end(struct chat_reader *r, struct chat_choice *c, yyjson_val *body)
{
    return read_finish(r, c, yyjson_obj_get(body, "delta"));
}

// Others (content-end, citation-end, debug) say nothing we need.
static const struct {
    const char *type;
    struct err *(*read)(struct chat_reader *r, struct chat_choice *c, yyjson_val *body);
} events[] = {
    {"content-delta", on_content_delta},
    {"content-start", on_content_start},
    {"tool-plan-delta", on_plan},
    {"tool-call-start", on_call_start},
    {"tool-call-delta", on_call_delta},
    {"tool-call-end", on_call_end},
    {"citation-start", on_citation},
    {"message-start", on_start},
    {"message-end", on_end},
};

static struct err *read_failure(struct chat_reader *r, yyjson_val *body)
{
    struct chat_error e;
    cohere_dialect.read_error(body, &e);
    return chat_failed(r, &e);
}

struct err *cohere_read_frame(struct chat_reader *r, const struct frame *f)
{
    yyjson_val *body = NULL;
    if (str_starts(str_trim(f->payload), "[DONE]"))
        return cohere_read_end(r);
    TRY(chat_json(r, f->payload, &body));
    const char *type = json_text_at(body, "type");
    if (!type)
        return openai_error_in(body) || json_str_at(body, "message").n ? read_failure(r, body)
                                                                       : NULL;
    for (size_t i = 0; i < sizeof(events) / sizeof(*events); i++) {
        if (strcmp(events[i].type, type) != 0)
            continue;
        TRY(on_start(r, NULL, body)); // a meter sees the end only
        return events[i].read(r, chat_choice(r, 0), body);
    }
    return NULL;
}

// Complete when it said why it ended, with or without [DONE].
struct err *cohere_read_end(struct chat_reader *r)
{
    return r->choices && r->choices->stopped ? chat_end(r) : NULL;
}

// --- whole ----------------------------------------------------------------------

static struct err *read_calls(struct chat_reader *r, struct chat_choice *c, yyjson_val *calls)
{
    size_t i, max;
    yyjson_val *call;
    yyjson_arr_foreach(calls, i, max, call)
    {
        TRY(begin_call(r, c, call));
        TRY(read_arguments(r, c, call));
    }
    return NULL;
}

static struct err *read_citations(struct chat_reader *r, struct chat_choice *c, yyjson_val *list,
                                  int64_t content)
{
    size_t i, max;
    yyjson_val *in;
    yyjson_arr_foreach(list, i, max, in)
    {
        if (json_int_at(in, "content_index", content) == content)
            TRY(read_citation(r, c, in));
    }
    return NULL;
}

static struct err *read_content(struct chat_reader *r, struct chat_choice *c, yyjson_val *item,
                                yyjson_val *citations, int64_t index)
{
    TRY(read_item(r, c, item));
    TRY(fence_end(&reading_of(r)->fence));
    TRY(read_citations(r, c, citations, index));
    return NULL;
}

static struct err *read_message(struct chat_reader *r, struct chat_choice *c, yyjson_val *message)
{
    size_t i, max;
    yyjson_val *item, *citations = yyjson_obj_get(message, "citations");
    TRY(chat_piece(r, c, PART_THINKING, json_str_at(message, "tool_plan")));
    yyjson_arr_foreach(yyjson_obj_get(message, "content"), i, max, item)
    {
        TRY(chat_close(r, c));
        TRY(read_content(r, c, item, citations, (int64_t)i));
    }
    return NULL;
}

struct err *cohere_read_whole(struct chat_reader *r, yyjson_val *body)
{
    yyjson_val *message = yyjson_obj_get(body, "message");
    struct chat_choice *c = chat_choice(r, 0);
    if (!yyjson_is_obj(message))
        return read_failure(r, body);
    TRY(chat_start(r, json_str_at(body, "id"), (struct str){0}));
    TRY(read_message(r, c, message));
    TRY(read_logprobs(r, c, yyjson_obj_get(body, "logprobs")));
    TRY(read_calls(r, c, yyjson_obj_get(message, "tool_calls")));
    TRY(read_finish(r, c, body));
    return cohere_read_end(r);
}
