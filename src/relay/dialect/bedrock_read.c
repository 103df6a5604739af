// Converse replies, streamed and whole, become events.

#include <string.h>

#include "common/arena.h"
#include "relay/dialect/bedrock.h"
#include "relay/dialect/cite.h"
#include "relay/dialect/fence.h"
#include "relay/dialect/names.h"
#include "relay/dialect/think.h"

struct reading {
    enum claude_format format;
    struct name_map *names;
    bool answer_tool;      // the open block is the tool that stands for the wanted format
    bool stopped;          // messageStop was seen: only metadata may follow
    const char *malformed; // it said that the model failed; told when the usage is known
    struct fence fence;
    struct think think;
    bool tags;                // the model's thinking may stand in its text
    struct cited_block cited; // the open text
};

static struct reading *reading_of(struct chat_reader *r)
{
    if (r->own)
        return r->own;
    struct reading *mine = r->own = NEW(r->arena, struct reading);
    if (r->request && r->target) {
        mine->format = bedrock_format(r->request, r->target);
        mine->names = name_map_new(r->arena, r->request->tools, BEDROCK_NAME_MAX);
        mine->tags = bedrock_model(r->target->model)->tags;
    }
    fence_init(&mine->fence, r, chat_choice(r, 0));
    think_init(&mine->think, r, chat_choice(r, 0), THINK_LONG);
    mine->think.then = mine->format == CLAUDE_FORMAT_PROMPT ? &mine->fence : NULL;
    return mine;
}

// --- usage ----------------------------------------------------------------------

// inputTokens has no part of what was read from or written to a cache (bedrock.md 5.5).
static void take_usage(struct chat_usage *u, yyjson_val *usage)
{
    size_t i, max;
    yyjson_val *detail;
    int64_t written = chat_count_at(usage, "cacheWriteInputTokens"), hour = 0;
    yyjson_arr_foreach(yyjson_obj_get(usage, "cacheDetails"), i, max, detail)
    {
        if (text_eq(json_text_at(detail, "ttl"), "1h"))
            hour = chat_count_at(detail, "inputTokens");
    }
    u->prompt = chat_count_at(usage, "inputTokens");
    u->cache_read = chat_count_at(usage, "cacheReadInputTokens");
    u->cache_write_1h = hour < written ? hour : written;
    u->cache_write_5m = written - u->cache_write_1h;
    u->completion = chat_count_at(usage, "outputTokens");
}

// --- blocks ---------------------------------------------------------------------

static struct err *read_text(struct chat_reader *r, struct chat_choice *c, struct str text)
{
    struct reading *mine = reading_of(r);
    mine->cited.points += r->target ? text_points(text) : 0;
    if (mine->tags)
        return think_text(&mine->think, text);
    return mine->format == CLAUDE_FORMAT_PROMPT ? fence_text(&mine->fence, text)
                                                : chat_piece(r, c, PART_TEXT, text);
}

static struct err *end_text(struct reading *mine)
{
    if (mine->tags)
        TRY(think_end(&mine->think));
    return fence_end(&mine->fence);
}

static struct err *begin_call(struct chat_reader *r, struct chat_choice *c, yyjson_val *use)
{
    struct reading *mine = reading_of(r);
    struct str name = json_str_at(use, "name");
    mine->answer_tool = mine->format == CLAUDE_FORMAT_TOOL && str_is(name, claude_format_tool);
    if (mine->answer_tool)
        return NULL;
    TRY(end_text(mine));
    return chat_call(r, c, json_str_at(use, "toolUseId"), name_from_wire(mine->names, name));
}

static struct err *read_arguments(struct chat_reader *r, struct chat_choice *c, struct str json)
{
    return reading_of(r)->answer_tool ? chat_piece(r, c, PART_TEXT, json)
                                      : chat_arguments(r, c, json);
}

// In a stream its members come one by one, in a whole answer together below "reasoningText".
static struct err *read_thinking(struct chat_reader *r, struct chat_choice *c, yyjson_val *thinking)
{
    TRY(chat_piece(r, c, PART_THINKING, json_str_at(thinking, "text")));
    TRY(chat_signature(r, c, json_str_at(thinking, "signature"), false));
    return chat_signature(r, c, json_str_at(thinking, "redactedContent"), true);
}

static struct err *end_block(struct chat_reader *r, struct chat_choice *c)
{
    struct reading *mine = reading_of(r);
    mine->answer_tool = false;
    TRY(end_text(mine));
    TRY(cited_tell(r, c, &mine->cited));
    return chat_close(r, c);
}

// --- citations ------------------------------------------------------------------

static bool is_address(struct str s)
{
    return str_starts(s, "https://") || str_starts(s, "http://");
}

// What it was given: a document by its place, a result of a search by its source.
static struct str source_id(struct chat_reader *r, yyjson_val *location, struct str source)
{
    static const char *const kinds[] = {"documentChar", "documentPage", "documentChunk"};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
        int64_t n = json_int_at(yyjson_obj_get(location, kinds[i]), "documentIndex", -1);
        if (n >= 0)
            return cite_document_id(r->scratch, n);
    }
    return source;
}

static void note_citation(struct chat_reader *r, yyjson_val *in)
{
    yyjson_val *location = yyjson_obj_get(in, "location");
    struct str url = json_str_at(yyjson_obj_get(location, "web"), "url");
    struct str source = json_str_at(in, "source");
    struct chat_citation cite = {
        .url = url.n                ? url
               : is_address(source) ? source
                                    : (struct str){0},
        .title = json_str_at(in, "title"),
        .id = source_id(r, location, source),
        .quote = json_str_at(yyjson_arr_get_first(yyjson_obj_get(in, "sourceContent")), "text"),
    };
    cited_add(r->arena, &reading_of(r)->cited, &cite);
}

// --- the end --------------------------------------------------------------------

static const struct {
    const char *name;
    enum chat_stop reason;
    bool malformed;
} stops[] = {
    {"end_turn", STOP_END},
    {"tool_use", STOP_TOOL},
    {"max_tokens", STOP_LENGTH},
    {"stop_sequence", STOP_SEQUENCE},
    {"guardrail_intervened", STOP_FILTER},
    {"content_filtered", STOP_FILTER},
    {"model_context_window_exceeded", STOP_CONTEXT},
    {"malformed_model_output", STOP_END, .malformed = true},
    {"malformed_tool_use", STOP_END, .malformed = true},
};

static struct err *read_stop(struct chat_reader *r, struct chat_choice *c, yyjson_val *from)
{
    struct reading *mine = reading_of(r);
    const char *name = json_text_at(from, "stopReason");
    enum chat_stop reason = STOP_END;
    mine->stopped = true;
    for (size_t i = 0; name && i < sizeof(stops) / sizeof(*stops); i++) {
        if (strcmp(stops[i].name, name) != 0)
            continue;
        reason = stops[i].reason;
        mine->malformed = stops[i].malformed && r->target ? stops[i].name : NULL;
    }
    TRY(end_block(r, c));
    if (mine->malformed)
        return NULL;
    if (reason == STOP_TOOL && mine->format == CLAUDE_FORMAT_TOOL && !c->called)
        reason = STOP_END;
    yyjson_val *more = yyjson_obj_get(from, "additionalModelResponseFields");
    return chat_stop(r, c, reason, json_str_at(more, "stop_sequence"));
}

static struct err *finish(struct chat_reader *r)
{
    const struct reading *mine = reading_of(r);
    if (!mine->malformed)
        return chat_end(r);
    struct chat_error e = {502, .code = str_of(mine->malformed),
                           .message = STR("The provider could not finish its answer.")};
    return chat_failed(r, &e);
}

static struct err *read_failure(struct chat_reader *r, struct str name, yyjson_val *body)
{
    struct chat_error e;
    bedrock_read_error(body, &e);
    if (name.n) {
        e.type = name;
        e.status = bedrock_status(name);
    }
    return chat_failed(r, &e);
}

// --- frames ---------------------------------------------------------------------

static struct err *read_start(struct chat_reader *r, struct chat_choice *c, yyjson_val *body)
{
    (void)c;
    (void)body;
    return chat_start(r, (struct str){0}, (struct str){0}); // no id, no model
}

static struct err *read_block_start(struct chat_reader *r, struct chat_choice *c, yyjson_val *body)
{
    yyjson_val *use = yyjson_obj_get(yyjson_obj_get(body, "start"), "toolUse");
    return yyjson_is_obj(use) ? begin_call(r, c, use) : NULL;
}

static struct err *read_block_delta(struct chat_reader *r, struct chat_choice *c, yyjson_val *body)
{
    yyjson_val *delta = yyjson_obj_get(body, "delta");
    yyjson_val *thinking = yyjson_obj_get(delta, "reasoningContent");
    yyjson_val *use = yyjson_obj_get(delta, "toolUse");
    yyjson_val *citation = yyjson_obj_get(delta, "citation");
    if (yyjson_is_obj(thinking))
        return read_thinking(r, c, thinking);
    if (yyjson_is_obj(citation))
        note_citation(r, citation);
    if (yyjson_is_obj(use))
        return read_arguments(r, c, json_str_at(use, "input"));
    return read_text(r, c, json_str_at(delta, "text"));
}

static struct err *read_block_stop(struct chat_reader *r, struct chat_choice *c, yyjson_val *body)
{
    (void)body;
    return end_block(r, c);
}

static struct err *read_metadata(struct chat_reader *r, struct chat_choice *c, yyjson_val *body)
{
    yyjson_val *usage = yyjson_obj_get(body, "usage");
    (void)c;
    if (yyjson_is_obj(usage)) {
        take_usage(&r->usage, usage);
        TRY(chat_usage(r));
    }
    return reading_of(r)->stopped ? finish(r) : NULL;
}

// Others say nothing we need.
static const struct {
    const char *name;
    struct err *(*read)(struct chat_reader *r, struct chat_choice *c, yyjson_val *body);
} events[] = {
    {"contentBlockDelta", read_block_delta},
    {"contentBlockStart", read_block_start},
    {"contentBlockStop", read_block_stop},
    {"messageStart", read_start},
    {"messageStop", read_stop},
    {"metadata", read_metadata},
};

struct err *bedrock_read_frame(struct chat_reader *r, const struct frame *f)
{
    yyjson_val *body = NULL;
    TRY(chat_json(r, f->payload, &body));
    if (f->failed)
        return read_failure(r, f->event, body);
    for (size_t i = 0; i < sizeof(events) / sizeof(*events); i++) {
        if (!str_is(f->event, events[i].name))
            continue;
        TRY(chat_start(r, (struct str){0}, (struct str){0}));
        return events[i].read(r, chat_choice(r, 0), body);
    }
    return NULL;
}

// A reply is complete with its stop; the usage behind it may be lost.
struct err *bedrock_read_end(struct chat_reader *r)
{
    return r->started && reading_of(r)->stopped ? finish(r) : NULL;
}

// --- whole answers --------------------------------------------------------------

static struct err *read_cited(struct chat_reader *r, struct chat_choice *c, yyjson_val *cited)
{
    size_t i, max;
    yyjson_val *piece;
    yyjson_arr_foreach(yyjson_obj_get(cited, "content"), i, max, piece)
        TRY(read_text(r, c, json_str_at(piece, "text")));
    yyjson_arr_foreach(yyjson_obj_get(cited, "citations"), i, max, piece) note_citation(r, piece);
    return NULL;
}

static struct err *read_call(struct chat_reader *r, struct chat_choice *c, yyjson_val *use)
{
    yyjson_val *input = yyjson_obj_get(use, "input");
    TRY(begin_call(r, c, use));
    return yyjson_obj_size(input) ? read_arguments(r, c, json_text_of(r->scratch, input)) : NULL;
}

static struct err *read_reasoning(struct chat_reader *r, struct chat_choice *c, yyjson_val *value)
{
    yyjson_val *text = yyjson_obj_get(value, "reasoningText");
    return read_thinking(r, c, text ? text : value);
}

static struct err *read_block(struct chat_reader *r, struct chat_choice *c, yyjson_val *block)
{
    yyjson_val *value = NULL;
    const char *name = bedrock_kind(block, &value);
    if (!name)
        return NULL;
    if (!strcmp(name, "text"))
        return read_text(r, c, json_str_at(block, "text"));
    if (!strcmp(name, "toolUse"))
        return read_call(r, c, value);
    if (!strcmp(name, "reasoningContent"))
        return read_reasoning(r, c, value);
    if (!strcmp(name, "citationsContent"))
        return read_cited(r, c, value);
    return chat_raw(r, c, json_text_of(r->scratch, block));
}

struct err *bedrock_read_whole(struct chat_reader *r, yyjson_val *body)
{
    yyjson_val *message = yyjson_obj_get(yyjson_obj_get(body, "output"), "message");
    yyjson_val *content = yyjson_obj_get(message, "content"), *block;
    struct chat_choice *c = chat_choice(r, 0);
    size_t i, max;
    if (!yyjson_is_arr(content))
        return read_failure(r, (struct str){0}, body);
    TRY(chat_start(r, (struct str){0}, (struct str){0}));
    yyjson_arr_foreach(content, i, max, block)
    {
        TRY(read_block(r, c, block));
        TRY(end_block(r, c));
    }
    TRY(read_stop(r, c, body));
    return read_metadata(r, c, body);
}
