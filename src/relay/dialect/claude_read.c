// Messages replies, streamed and whole, become events.

#include <string.h>

#include "common/arena.h"
#include "relay/dialect/cite.h"
#include "relay/dialect/claude.h"
#include "relay/dialect/fence.h"
#include "relay/dialect/names.h"

struct reading {
    enum claude_format format;
    struct name_map *names;
    bool answer_tool; // the open block is the tool that stands for the wanted format
    struct fence fence;
    struct cited_block cited; // the open text
};

static struct reading *reading_of(struct chat_reader *r)
{
    if (r->own)
        return r->own;
    struct reading *mine = r->own = NEW(r->arena, struct reading);
    if (r->request && r->target) {
        mine->format = claude_format(r->request, r->target);
        mine->names = name_map_new(r->arena, r->request->tools, CLAUDE_NAME_MAX);
    }
    fence_init(&mine->fence, r, chat_choice(r, 0));
    return mine;
}

// --- usage ----------------------------------------------------------------------

static void take_count(int64_t *to, yyjson_val *from, const char *key)
{
    int64_t n = chat_count_at(from, key);
    if (n) // later reports repeat or leave out what is known: 0 says nothing
        *to = n;
}

// Compaction is billed beside the message and not in its counts (anthropic.md 7).
static void add_compaction(struct chat_usage *u, yyjson_val *usage)
{
    size_t i, max;
    yyjson_val *step;
    yyjson_arr_foreach(yyjson_obj_get(usage, "iterations"), i, max, step)
    {
        if (!text_eq(json_text_at(step, "type"), "compaction"))
            continue;
        u->prompt += chat_count_at(step, "input_tokens");
        u->cache_read += chat_count_at(step, "cache_read_input_tokens");
        u->cache_write_5m += chat_count_at(step, "cache_creation_input_tokens");
        u->completion += chat_count_at(step, "output_tokens");
    }
}

static void take_usage(struct chat_usage *u, yyjson_val *usage)
{
    yyjson_val *split = yyjson_obj_get(usage, "cache_creation");
    int64_t written = 0, hour = 0;
    take_count(&u->prompt, usage, "input_tokens");
    take_count(&u->cache_read, usage, "cache_read_input_tokens");
    take_count(&written, usage, "cache_creation_input_tokens");
    take_count(&hour, split, "ephemeral_1h_input_tokens");
    if (written > 0) {
        u->cache_write_1h = hour < written ? hour : written;
        u->cache_write_5m = written - u->cache_write_1h;
    }
    take_count(&u->completion, usage, "output_tokens");
    take_count(&u->thinking, yyjson_obj_get(usage, "output_tokens_details"), "thinking_tokens");
    if (chat_count_at(usage, "input_tokens"))
        add_compaction(u, usage);
}

// --- blocks ---------------------------------------------------------------------

static struct err *begin_call(struct chat_reader *r, struct chat_choice *c, yyjson_val *block)
{
    struct reading *mine = reading_of(r);
    yyjson_val *input = yyjson_obj_get(block, "input");
    struct str name = json_str_at(block, "name"), args = {0};
    if (yyjson_obj_size(input)) // complete at once: programmatic calls, whole answers
        args = json_text_of(r->scratch, input);
    mine->answer_tool = mine->format == CLAUDE_FORMAT_TOOL && str_is(name, claude_format_tool);
    if (mine->answer_tool)
        return chat_piece(r, c, PART_TEXT, args);
    TRY(chat_call(r, c, json_str_at(block, "id"), name_from_wire(mine->names, name)));
    return chat_arguments(r, c, args);
}

static struct err *read_text(struct chat_reader *r, struct chat_choice *c, struct str text)
{
    struct reading *mine = reading_of(r);
    mine->cited.points += r->target ? text_points(text) : 0;
    return mine->format == CLAUDE_FORMAT_PROMPT ? fence_text(&mine->fence, text)
                                                : chat_piece(r, c, PART_TEXT, text);
}

// --- citations ------------------------------------------------------------------

static struct str document_id(struct chat_reader *r, yyjson_val *in)
{
    int64_t n = json_int_at(in, "document_index", -1);
    return n < 0 ? json_str_at(in, "source") : cite_document_id(r->scratch, n);
}

static void note_citation(struct chat_reader *r, yyjson_val *in)
{
    struct str title = json_str_at(in, "title");
    struct chat_citation cite = {
        .url = json_str_at(in, "url"),
        .title = title.n ? title : json_str_at(in, "document_title"),
        .id = document_id(r, in),
        .quote = json_str_at(in, "cited_text"),
    };
    cited_add(r->arena, &reading_of(r)->cited, &cite);
}

static void note_citations(struct chat_reader *r, yyjson_val *list)
{
    size_t i, max;
    yyjson_val *in;
    yyjson_arr_foreach(list, i, max, in) note_citation(r, in);
}

// A text block opens with its first text: empty ones are nothing to anybody.
static struct err *begin_block(struct chat_reader *r, struct chat_choice *c, yyjson_val *block)
{
    const char *type = json_text_at(block, "type");
    if (!type)
        return NULL;
    if (text_eq(type, "text")) {
        note_citations(r, yyjson_obj_get(block, "citations"));
        return read_text(r, c, json_str_at(block, "text"));
    }
    if (text_eq(type, "tool_use"))
        return begin_call(r, c, block);
    if (text_eq(type, "redacted_thinking"))
        return chat_signature(r, c, json_str_at(block, "data"), true);
    if (!text_eq(type, "thinking"))
        return chat_raw(r, c, json_text_of(r->scratch, block));
    TRY(chat_piece(r, c, PART_THINKING, json_str_at(block, "thinking")));
    return chat_signature(r, c, json_str_at(block, "signature"), false);
}

static struct err *read_delta(struct chat_reader *r, struct chat_choice *c, yyjson_val *delta)
{
    const char *type = json_text_at(delta, "type");
    if (text_eq(type, "text_delta"))
        return read_text(r, c, json_str_at(delta, "text"));
    if (text_eq(type, "thinking_delta"))
        return chat_piece(r, c, PART_THINKING, json_str_at(delta, "thinking"));
    if (text_eq(type, "signature_delta"))
        return chat_signature(r, c, json_str_at(delta, "signature"), false);
    if (text_eq(type, "citations_delta"))
        note_citation(r, yyjson_obj_get(delta, "citation"));
    if (!text_eq(type, "input_json_delta"))
        return NULL;
    struct str json = json_str_at(delta, "partial_json");
    return reading_of(r)->answer_tool ? chat_piece(r, c, PART_TEXT, json)
                                      : chat_arguments(r, c, json);
}

static struct err *end_block(struct chat_reader *r, struct chat_choice *c)
{
    struct reading *mine = reading_of(r);
    mine->answer_tool = false;
    TRY(fence_end(&mine->fence));
    TRY(cited_tell(r, c, &mine->cited));
    return chat_close(r, c);
}

// --- the end --------------------------------------------------------------------

static const struct {
    const char *name;
    enum chat_stop reason;
} stops[] = {
    {"end_turn", STOP_END},
    {"max_tokens", STOP_LENGTH},
    {"stop_sequence", STOP_SEQUENCE},
    {"tool_use", STOP_TOOL},
    {"pause_turn", STOP_PAUSE},
    {"refusal", STOP_REFUSAL},
    {"model_context_window_exceeded", STOP_CONTEXT},
};

static struct err *read_stop(struct chat_reader *r, struct chat_choice *c, yyjson_val *from)
{
    const char *name = json_text_at(from, "stop_reason");
    enum chat_stop reason = STOP_END;
    if (!name)
        return NULL;
    for (size_t i = 0; i < sizeof(stops) / sizeof(*stops); i++)
        if (!strcmp(stops[i].name, name))
            reason = stops[i].reason;
    if (reason == STOP_TOOL && reading_of(r)->format == CLAUDE_FORMAT_TOOL && !c->called)
        reason = STOP_END;
    TRY(end_block(r, c));
    return chat_stop(r, c, reason, json_str_at(from, "stop_sequence"));
}

static struct err *read_failure(struct chat_reader *r, yyjson_val *body)
{
    struct chat_error e;
    claude_read_error(body, &e);
    return chat_failed(r, &e);
}

// --- frames ---------------------------------------------------------------------

static struct err *read_start(struct chat_reader *r, struct chat_choice *c, yyjson_val *body)
{
    yyjson_val *message = yyjson_obj_get(body, "message");
    (void)c;
    if (r->started)
        return NULL; // a proxy that failed over spliced in a second one
    take_usage(&r->usage, yyjson_obj_get(message, "usage"));
    r->usage.completion = 0; // a placeholder
    r->usage.prompt_known = chat_usage_tells(&r->usage);
    return chat_start(r, json_str_at(message, "id"), json_str_at(message, "model"));
}

static struct err *read_block_start(struct chat_reader *r, struct chat_choice *c, yyjson_val *body)
{
    return begin_block(r, c, yyjson_obj_get(body, "content_block"));
}

static struct err *read_block_delta(struct chat_reader *r, struct chat_choice *c, yyjson_val *body)
{
    return read_delta(r, c, yyjson_obj_get(body, "delta"));
}

static struct err *read_block_stop(struct chat_reader *r, struct chat_choice *c, yyjson_val *body)
{
    (void)body;
    return end_block(r, c);
}

static struct err *read_message_delta(struct chat_reader *r, struct chat_choice *c,
                                      yyjson_val *body)
{
    yyjson_val *usage = yyjson_obj_get(body, "usage");
    if (yyjson_is_obj(usage)) {
        take_usage(&r->usage, usage);
        TRY(chat_usage(r));
    }
    return read_stop(r, c, yyjson_obj_get(body, "delta"));
}

static struct err *read_message_stop(struct chat_reader *r, struct chat_choice *c, yyjson_val *body)
{
    (void)body;
    TRY(end_block(r, c));
    TRY(chat_stop(r, c, STOP_END, (struct str){0}));
    return chat_end(r);
}

static struct err *read_error_event(struct chat_reader *r, struct chat_choice *c, yyjson_val *body)
{
    (void)c;
    return read_failure(r, body);
}

// Others (ping, whatever comes next year) say nothing we need.
static const struct {
    const char *type;
    struct err *(*read)(struct chat_reader *r, struct chat_choice *c, yyjson_val *body);
    bool needs_start;
} events[] = {
    {"content_block_delta", read_block_delta, true},
    {"content_block_start", read_block_start, true},
    {"content_block_stop", read_block_stop, true},
    {"message_start", read_start, false},
    {"message_delta", read_message_delta, true},
    {"message_stop", read_message_stop, true},
    {"error", read_error_event, false},
};

struct err *claude_read_frame(struct chat_reader *r, const struct frame *f)
{
    yyjson_val *body = NULL;
    TRY(chat_json(r, f->payload, &body));
    const char *type = json_text_at(body, "type");
    if (!type)
        return yyjson_is_obj(yyjson_obj_get(body, "error")) ? read_failure(r, body) : NULL;
    for (size_t i = 0; i < sizeof(events) / sizeof(*events); i++) {
        if (strcmp(events[i].type, type) != 0)
            continue;
        if (events[i].needs_start)
            TRY(chat_start(r, (struct str){0}, (struct str){0}));
        return events[i].read(r, chat_choice(r, 0), body);
    }
    return NULL;
}

static struct err *read_content(struct chat_reader *r, struct chat_choice *c, yyjson_val *content)
{
    size_t i, max;
    yyjson_val *block;
    yyjson_arr_foreach(content, i, max, block)
    {
        TRY(begin_block(r, c, block));
        TRY(end_block(r, c));
    }
    return NULL;
}

struct err *claude_read_whole(struct chat_reader *r, yyjson_val *body)
{
    yyjson_val *content = yyjson_obj_get(body, "content"), *usage = yyjson_obj_get(body, "usage");
    struct chat_choice *c = chat_choice(r, 0);
    if (text_eq(json_text_at(body, "type"), "error") || !yyjson_is_arr(content))
        return read_failure(r, body);
    take_usage(&r->usage, usage);
    r->usage.prompt_known = r->usage.known = chat_usage_tells(&r->usage);
    TRY(chat_start(r, json_str_at(body, "id"), json_str_at(body, "model")));
    TRY(read_content(r, c, content));
    if (r->usage.known)
        TRY(chat_usage(r));
    TRY(read_stop(r, c, body));
    return read_message_stop(r, c, body);
}

bool claude_skim_whole(struct chat_reader *r, yyjson_val *body)
{
    yyjson_val *usage = yyjson_obj_get(body, "usage");
    if (text_eq(json_text_at(body, "type"), "error") || !yyjson_is_obj(usage) ||
        !yyjson_is_arr(yyjson_obj_get(body, "content")))
        return false;
    take_usage(&r->usage, usage);
    r->usage.prompt_known = r->usage.known = chat_usage_tells(&r->usage);
    return r->usage.known;
}
