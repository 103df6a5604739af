// Chat completions replies, streamed and whole, become events; also those of the many servers that
// call themselves compatible (openai-compatible-west.md 14 lists what they do differently).

#include <string.h>

#include "common/arena.h"
#include "relay/dialect/cite.h"
#include "relay/dialect/names.h"
#include "relay/dialect/openai.h"
#include "relay/dialect/openai_calls.h"
#include "relay/dialect/think.h"

// What one answer needs to remember.
struct answer {
    struct calls calls;
    struct think think;
    bool refused;
};

static struct answer *answer_of(struct chat_reader *r, struct chat_choice *c)
{
    if (!c->own) {
        struct answer *mine = c->own = NEW(r->arena, struct answer);
        calls_init(&mine->calls, r, c);
        think_init(&mine->think, r, c, THINK_SHORT);
    }
    return c->own;
}

// --- usage ----------------------------------------------------------------------

static int64_t cached_of(yyjson_val *usage)
{
    int64_t n = chat_count_at(yyjson_obj_get(usage, "prompt_tokens_details"), "cached_tokens");
    if (!n)
        n = chat_count_at(usage, "prompt_cache_hit_tokens"); // DeepSeek
    return n ? n : chat_count_at(usage, "cached_tokens");    // Moonshot, StepFun
}

// Output that the provider counts beside completion_tokens: xAI's reasoning, and Gemini's thoughts,
// which its compatible endpoint shows in the total only.
static int64_t hidden_output(yyjson_val *usage, int64_t prompt, int64_t completion,
                             int64_t thinking)
{
    int64_t rest = chat_count_at(usage, "total_tokens") - prompt - completion;
    if (thinking > completion || (thinking && rest == thinking))
        return thinking;
    return !thinking && rest > 0 && !cached_of(usage) ? rest : 0;
}

// False if it says nothing: servers send null, {} and zeros until they know.
static bool take_usage(struct chat_usage *out, yyjson_val *usage)
{
    yyjson_val *in = yyjson_obj_get(usage, "prompt_tokens_details");
    yyjson_val *done = yyjson_obj_get(usage, "completion_tokens_details");
    int64_t prompt = chat_count_at(usage, "prompt_tokens");
    int64_t completion = chat_count_at(usage, "completion_tokens");
    if (!prompt && !completion)
        return false;
    int64_t read = cached_of(usage), written = chat_count_at(in, "cache_write_tokens");
    int64_t thinking = chat_count_at(done, "reasoning_tokens");
    read = read < prompt ? read : prompt; // some report more than there is
    written = written < prompt - read ? written : prompt - read;
    struct chat_usage u = {
        .prompt = prompt - read - written,
        .cache_read = read,
        .cache_write_5m = written,
        .completion = completion + hidden_output(usage, prompt, completion, thinking),
        .thinking = thinking,
        .audio_in = chat_count_at(in, "audio_tokens"),
        .image_in = chat_count_at(in, "image_tokens"),
        .audio_out = chat_count_at(done, "audio_tokens"),
    };
    u.known = u.prompt_known = chat_usage_tells(&u);
    *out = u;
    return u.known;
}

// Beside the choices, in Groq's own member, or inside a choice (Moonshot).
static struct err *read_usage(struct chat_reader *r, yyjson_val *body)
{
    yyjson_val *places[] = {
        yyjson_obj_get(body, "usage"),
        yyjson_obj_get(yyjson_obj_get(body, "x_groq"), "usage"),
        yyjson_obj_get(yyjson_arr_get_first(yyjson_obj_get(body, "choices")), "usage"),
    };
    for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++)
        if (yyjson_is_obj(places[i]) && take_usage(&r->usage, places[i]))
            return chat_usage(r);
    return NULL;
}

// --- the end of an answer -------------------------------------------------------

static const struct {
    const char *name;
    enum chat_stop reason;
} stops[] = {
    {"stop", STOP_END},           {"length", STOP_LENGTH},       {"tool_calls", STOP_TOOL},
    {"function_call", STOP_TOOL}, {"tool_call", STOP_TOOL},      {"content_filter", STOP_FILTER},
    {"max_tokens", STOP_LENGTH},  {"model_length", STOP_LENGTH}, {"stop_sequence", STOP_SEQUENCE},
    {"safety", STOP_FILTER},      {"sensitive", STOP_FILTER},    {"refusal", STOP_REFUSAL},
};

static enum chat_stop stop_by_name(const char *name)
{
    for (size_t i = 0; i < sizeof(stops) / sizeof(*stops); i++)
        if (!strcmp(stops[i].name, name))
            return stops[i].reason;
    return STOP_END; // eos, end_turn, normal ...
}

static struct err *finish(struct chat_reader *r, struct chat_choice *c, enum chat_stop why)
{
    struct answer *mine = answer_of(r, c);
    if (c->stopped)
        return NULL;
    TRY(think_end(&mine->think));
    TRY(calls_end(&mine->calls));
    bool refused = mine->refused && why == STOP_END; // said in the text only
    return chat_stop(r, c, refused ? STOP_REFUSAL : why, (struct str){0});
}

// DeepSeek out of resources, OpenRouter with a failed provider: an answer that is none.
static bool is_failure(const char *reason)
{
    return !strcmp(reason, "error") || !strcmp(reason, "insufficient_system_resource");
}

static struct err *read_finish(struct chat_reader *r, struct chat_choice *c, yyjson_val *choice)
{
    const char *reason = json_text_at(choice, "finish_reason");
    if (text_is_empty(reason))
        return NULL;
    if (is_failure(reason)) {
        struct chat_error e = {503, .code = str_of(reason),
                               .message = STR("The provider could not finish its answer.")};
        return chat_failed(r, &e);
    }
    return finish(r, c, stop_by_name(reason));
}

// --- content --------------------------------------------------------------------

static struct err *say(struct chat_reader *r, struct chat_choice *c, enum part_kind kind,
                       struct str text)
{
    struct answer *mine = answer_of(r, c);
    if (!text.n)
        return NULL;
    mine->refused = mine->refused || kind == PART_REFUSAL;
    if (calls_hold(&mine->calls, kind, text))
        return NULL;
    if (kind == PART_TEXT && r->target && r->target->quirks & THINK_TAGS)
        return think_text(&mine->think, text);
    return chat_piece(r, c, kind, text);
}

// Mistral: {"type":"thinking","thinking":[{"type":"text","text":"..."}]} among texts.
static struct err *say_items(struct chat_reader *r, struct chat_choice *c, enum part_kind kind,
                             yyjson_val *items)
{
    size_t i, max;
    yyjson_val *item;
    yyjson_arr_foreach(items, i, max, item)
    {
        yyjson_val *inner = yyjson_obj_get(item, "thinking");
        if (yyjson_is_arr(inner))
            TRY(say_items(r, c, PART_THINKING, inner));
        else if (yyjson_is_str(inner))
            TRY(say(r, c, PART_THINKING, json_str_at(item, "thinking")));
        else
            TRY(say(r, c, kind, json_str_at(item, "text")));
    }
    return NULL;
}

static struct err *read_content(struct chat_reader *r, struct chat_choice *c, yyjson_val *content)
{
    if (yyjson_is_str(content))
        return say(r, c, PART_TEXT, (struct str){yyjson_get_str(content), yyjson_get_len(content)});
    if (yyjson_is_arr(content))
        return say_items(r, c, PART_TEXT, content);
    if (yyjson_is_num(content)) // Cloudflare: digits arrive as numbers
        return say(r, c, PART_TEXT, json_text_of(r->scratch, content));
    return NULL;
}

static struct err *read_thinking(struct chat_reader *r, struct chat_choice *c, yyjson_val *delta)
{
    static const char *const members[] = {"reasoning_content", "reasoning"};
    for (size_t i = 0; i < sizeof(members) / sizeof(*members); i++) {
        struct str text = json_str_at(delta, members[i]);
        if (text.n)
            return say(r, c, PART_THINKING, text);
    }
    size_t i, max;
    yyjson_val *item;
    yyjson_arr_foreach(yyjson_obj_get(delta, "reasoning_details"), i, max, item)
    {
        struct str text = json_str_at(item, "text");
        TRY(say(r, c, PART_THINKING, text.n ? text : json_str_at(item, "summary")));
    }
    return NULL;
}

static struct err *read_calls(struct chat_reader *r, struct chat_choice *c, yyjson_val *delta)
{
    size_t i, max;
    yyjson_val *call;
    yyjson_arr_foreach(yyjson_obj_get(delta, "tool_calls"), i, max, call)
        TRY(calls_read(&answer_of(r, c)->calls, call));
    yyjson_val *old = yyjson_obj_get(delta, "function_call");
    return yyjson_is_obj(old) ? calls_read_old(&answer_of(r, c)->calls, old) : NULL;
}

static struct err *read_logprobs(struct chat_reader *r, struct chat_choice *c, yyjson_val *choice)
{
    yyjson_val *items = yyjson_obj_get(yyjson_obj_get(choice, "logprobs"), "content");
    if (yyjson_arr_size(items) == 0 || !c->open)
        return NULL;
    return chat_emit(r,
                     (struct chat_event){CHAT_LOGPROBS, .index = c->blocks - 1, .choice = c->number,
                                         .text = json_text_of(r->scratch, items)});
}

static struct err *read_annotations(struct chat_reader *r, struct chat_choice *c,
                                    yyjson_val *message)
{
    size_t i, max;
    yyjson_val *item;
    struct chat_citation cite;
    yyjson_arr_foreach(yyjson_obj_get(message, "annotations"), i, max, item)
    {
        if (cite_read(item, &cite))
            TRY(chat_cite(r, c, &cite));
    }
    return NULL;
}

// A delta, or a whole message: they have the same members. Most have nothing but the text.
static struct err *read_message(struct chat_reader *r, struct chat_choice *c, yyjson_val *message)
{
    yyjson_val *content = yyjson_obj_get(message, "content");
    if (yyjson_is_str(content) && yyjson_obj_size(message) == 1)
        return read_content(r, c, content);
    TRY(read_thinking(r, c, message));
    TRY(read_content(r, c, content));
    TRY(read_annotations(r, c, message));
    TRY(say(r, c, PART_REFUSAL, json_str_at(message, "refusal")));
    return read_calls(r, c, message);
}

static struct err *read_choice(struct chat_reader *r, yyjson_val *choice)
{
    struct chat_choice *c = chat_choice(r, (int)json_int_at(choice, "index", 0));
    if (!c)
        return err_new(r->arena, &err_upstream_failed, "choice index out of range");
    yyjson_val *delta = yyjson_obj_get(choice, "delta");
    TRY(read_message(r, c, yyjson_is_obj(delta) ? delta : yyjson_obj_get(choice, "message")));
    TRY(say(r, c, PART_TEXT, json_str_at(choice, "text"))); // legacy completions
    TRY(read_logprobs(r, c, choice));
    return read_finish(r, c, choice);
}

// --- chunks and bodies ----------------------------------------------------------

// Azure's first chunk says nothing of its own: no id, no model, no choices.
static bool is_prelude(yyjson_val *body)
{
    return !json_str_at(body, "id").n && yyjson_arr_size(yyjson_obj_get(body, "choices")) == 0 &&
           !yyjson_is_obj(yyjson_obj_get(body, "usage"));
}

static struct err *read_body(struct chat_reader *r, yyjson_val *body)
{
    size_t i, max;
    yyjson_val *choice;
    if (openai_error_in(body)) {
        struct chat_error e = {0};
        openai_read_error(body, &e);
        return chat_failed(r, &e);
    }
    if (!r->started && is_prelude(body))
        return NULL;
    if (!r->started)
        TRY(chat_start(r, json_str_at(body, "id"), json_str_at(body, "model")));
    yyjson_arr_foreach(yyjson_obj_get(body, "choices"), i, max, choice)
    {
        TRY(read_choice(r, choice));
        if (r->failed)
            return NULL;
    }
    return read_usage(r, body);
}

// A meter is shown only some frames, so that it cannot tell an empty reply.
static struct err *nothing_came(struct chat_reader *r)
{
    if (!r->target)
        return chat_start(r, (struct str){0}, (struct str){0});
    struct chat_error e = {502, .message = STR("The provider answered nothing.")};
    return chat_failed(r, &e);
}

static struct err *read_done(struct chat_reader *r)
{
    if (!r->started)
        TRY(nothing_came(r));
    if (r->failed)
        return NULL;
    chat_choice(r, 0);
    for (struct chat_choice *c = r->choices; c; c = c->next)
        TRY(finish(r, c, STOP_END));
    return chat_end(r);
}

struct err *openai_read_frame(struct chat_reader *r, const struct frame *f)
{
    yyjson_val *body = NULL;
    if (str_starts(str_trim(f->payload), "[DONE]"))
        return read_done(r);
    TRY(chat_json(r, f->payload, &body));
    if (!body)
        return NULL;
    return read_body(r, body);
}

// Complete without [DONE] when every answer said why it ended.
struct err *openai_read_end(struct chat_reader *r)
{
    for (const struct chat_choice *c = r->choices; c; c = c->next)
        if (!c->stopped)
            return NULL;
    return r->choices ? chat_end(r) : NULL;
}

struct err *openai_read_whole(struct chat_reader *r, yyjson_val *body)
{
    TRY(read_body(r, body));
    if (!r->failed && !yyjson_is_arr(yyjson_obj_get(body, "choices")) && r->target)
        TRY(nothing_came(r));
    if (r->failed)
        return NULL;
    TRY(chat_start(r, json_str_at(body, "id"), json_str_at(body, "model")));
    for (struct chat_choice *c = r->choices; c; c = c->next)
        TRY(finish(r, c, STOP_END));
    return chat_end(r);
}

bool openai_skim_whole(struct chat_reader *r, yyjson_val *body)
{
    yyjson_val *choices = yyjson_obj_get(body, "choices"), *usage = yyjson_obj_get(body, "usage");
    yyjson_val *choice;
    size_t i, max;
    if (openai_error_in(body) || yyjson_arr_size(choices) == 0 || !yyjson_is_obj(usage))
        return false;
    yyjson_arr_foreach(choices, i, max, choice)
    {
        const char *reason = json_text_at(choice, "finish_reason");
        if (reason && is_failure(reason))
            return false;
    }
    return take_usage(&r->usage, usage);
}
