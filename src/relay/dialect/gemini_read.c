// generateContent replies, streamed and whole, become events.

#include <string.h>

#include "common/arena.h"
#include "relay/dialect/cite.h"
#include "relay/dialect/fence.h"
#include "relay/dialect/gemini.h"
#include "relay/dialect/names.h"

enum { SAID_MOST = 64 << 20 };

struct reading {
    enum gemini_format format;
    struct name_map *names;
};

// What one answer needs to remember.
struct answer {
    struct fence fence;
    bool spoke;      // text came
    struct buf said; // of it, which sources are told of in bytes
    size_t begin;    // where the open block begins in it
};

static struct reading *reading_of(struct chat_reader *r)
{
    if (r->own)
        return r->own;
    struct reading *mine = r->own = NEW(r->arena, struct reading);
    if (r->request && r->target) {
        mine->format = gemini_format(r->request, r->target);
        mine->names = name_map_ruled(r->arena, r->request->tools, GEMINI_NAME_MAX, NAME_LETTERED);
    }
    return mine;
}

static struct answer *answer_of(struct chat_reader *r, struct chat_choice *c)
{
    if (!c->own) {
        struct answer *mine = c->own = NEW(r->arena, struct answer);
        fence_init(&mine->fence, r, c);
        mine->said = BUF(SAID_MOST);
        arena_defer_buf(r->arena, &mine->said);
    }
    return c->own;
}

// --- usage ----------------------------------------------------------------------

static int64_t modality_at(yyjson_val *usage, const char *key, const char *modality)
{
    size_t i, max;
    yyjson_val *item;
    int64_t n = 0;
    yyjson_arr_foreach(yyjson_obj_get(usage, key), i, max, item)
    {
        if (text_eq(json_text_at(item, "modality"), modality))
            n += chat_count_at(item, "tokenCount");
    }
    return n;
}

// Cumulative; a count that is left out is 0. Prompts of Google's own tools are billed as input.
static struct err *read_usage(struct chat_reader *r, yyjson_val *body)
{
    yyjson_val *u = yyjson_obj_get(body, "usageMetadata");
    if (yyjson_obj_size(u) == 0)
        return NULL;
    int64_t prompt = chat_count_at(u, "promptTokenCount");
    int64_t read = chat_count_at(u, "cachedContentTokenCount");
    int64_t thinking = chat_count_at(u, "thoughtsTokenCount");
    read = read < prompt ? read : prompt;
    r->usage = (struct chat_usage){
        .prompt = prompt - read + chat_count_at(u, "toolUsePromptTokenCount"),
        .cache_read = read,
        .completion = chat_count_at(u, "candidatesTokenCount") + thinking,
        .thinking = thinking,
        .audio_in = modality_at(u, "promptTokensDetails", "AUDIO"),
        .image_in = modality_at(u, "promptTokensDetails", "IMAGE"),
        .audio_out = modality_at(u, "candidatesTokensDetails", "AUDIO"),
    };
    return chat_usage(r);
}

// --- parts ----------------------------------------------------------------------

// Integers may come as 1.0, which clients with a schema for integers refuse.
static void write_value(struct arena *a, struct json *j, const char *key, yyjson_val *v)
{
    size_t i, max;
    yyjson_val *name, *item;
    if (yyjson_is_obj(v)) {
        json_obj(j, key);
        yyjson_obj_foreach(v, i, max, name, item) write_value(a, j, yyjson_get_str(name), item);
        json_end(j);
    } else if (yyjson_is_arr(v)) {
        json_arr(j, key);
        yyjson_arr_foreach(v, i, max, item) write_value(a, j, NULL, item);
        json_end(j);
    } else if (yyjson_is_real(v)) {
        json_real(j, key, yyjson_get_real(v));
    } else {
        json_raw(j, key, json_text_of(a, v));
    }
}

static struct str arguments_of(struct chat_reader *r, yyjson_val *args)
{
    if (!yyjson_is_obj(args))
        return STR("{}");
    struct str text = json_text_of(r->scratch, args);
    if (!memmem(text.p, text.n, ".0", 2))
        return text;
    BUF_HERE(out, (size_t)64 << 20);
    struct json j = {.out = &out};
    write_value(r->scratch, &j, NULL, args);
    return (struct str){arena_str(r->scratch, buf_view(&out)), out.n};
}

static struct err *read_call(struct chat_reader *r, struct chat_choice *c, yyjson_val *part,
                             yyjson_val *call)
{
    struct str name = json_str_at(call, "name");
    if (!name.n)
        return NULL; // the end of arguments that came in pieces
    TRY(chat_signature(r, c, json_str_at(part, "thoughtSignature"),
                       !c->open || c->kind != PART_THINKING));
    TRY(chat_call(r, c, json_str_at(call, "id"), name_from_wire(reading_of(r)->names, name)));
    TRY(chat_arguments(r, c, arguments_of(r, yyjson_obj_get(call, "args"))));
    return chat_close(r, c);
}

// A text's signature is kept where it follows the thinking; nobody checks the others.
static struct err *read_text(struct chat_reader *r, struct chat_choice *c, yyjson_val *part,
                             struct str text)
{
    struct answer *mine = answer_of(r, c);
    bool thought = json_bool_at(part, "thought", false);
    struct str signature = json_str_at(part, "thoughtSignature");
    if (thought)
        TRY(chat_piece(r, c, PART_THINKING, text));
    if (c->open && c->kind == PART_THINKING)
        TRY(chat_signature(r, c, signature, false));
    if (thought)
        return NULL;
    mine->spoke = mine->spoke || text.n;
    if (!c->open || c->kind != PART_TEXT)
        mine->begin = mine->said.n;
    if (r->target) // a meter tells nobody
        buf_str(&mine->said, text);
    return reading_of(r)->format == GEMINI_FORMAT_PROMPT ? fence_text(&mine->fence, text)
                                                         : chat_piece(r, c, PART_TEXT, text);
}

static struct err *read_part(struct chat_reader *r, struct chat_choice *c, yyjson_val *part)
{
    yyjson_val *text = yyjson_obj_get(part, "text");
    yyjson_val *call = yyjson_obj_get(part, "functionCall");
    if (yyjson_is_str(text))
        return read_text(r, c, part, json_str_at(part, "text"));
    if (yyjson_is_obj(call))
        return read_call(r, c, part, call);
    if (json_bool_at(part, "thought", false) || yyjson_obj_size(part) == 0)
        return NULL; // a picture drawn while thinking
    TRY(chat_raw(r, c, json_text_of(r->scratch, part)));
    return chat_close(r, c);
}

// --- sources --------------------------------------------------------------------

static struct err *read_support(struct chat_reader *r, struct chat_choice *c, yyjson_val *chunks,
                                yyjson_val *support)
{
    const struct answer *mine = answer_of(r, c);
    yyjson_val *segment = yyjson_obj_get(support, "segment"), *index;
    size_t i, max, start = (size_t)chat_count_at(segment, "startIndex");
    size_t end = (size_t)chat_count_at(segment, "endIndex");
    if (start < mine->begin || end < start || end > mine->said.n)
        return NULL;
    struct str text = str_skip(buf_view(&mine->said), mine->begin);
    struct chat_citation cite = {
        .start = text_points((struct str){text.p, start - mine->begin}),
        .end = text_points((struct str){text.p, end - mine->begin}),
    };
    yyjson_arr_foreach(yyjson_obj_get(support, "groundingChunkIndices"), i, max, index)
    {
        yyjson_val *chunk = yyjson_arr_get(chunks, (size_t)yyjson_get_uint(index));
        yyjson_val *web = yyjson_obj_get(chunk, "web");
        yyjson_val *source = web ? web : yyjson_obj_get(chunk, "retrievedContext");
        cite.url = json_str_at(source, "uri");
        cite.title = json_str_at(source, "title");
        cite.quote = json_str_at(source, "text");
        TRY(chat_cite(r, c, &cite));
    }
    return NULL;
}

static struct err *read_grounding(struct chat_reader *r, struct chat_choice *c,
                                  yyjson_val *candidate)
{
    yyjson_val *grounding = yyjson_obj_get(candidate, "groundingMetadata"), *support;
    yyjson_val *chunks = yyjson_obj_get(grounding, "groundingChunks");
    size_t i, max;
    yyjson_arr_foreach(yyjson_obj_get(grounding, "groundingSupports"), i, max, support)
        TRY(read_support(r, c, chunks, support));
    return NULL;
}

// --- probabilities --------------------------------------------------------------

static void write_token(struct json *j, yyjson_val *in)
{
    json_str(j, "token", json_text_at(in, "token"));
    json_real(j, "logprob", yyjson_get_num(yyjson_obj_get(in, "logProbability")));
    json_null(j, "bytes");
}

static void write_tops(struct json *j, yyjson_val *in)
{
    size_t i, max;
    yyjson_val *item;
    json_arr(j, "top_logprobs");
    yyjson_arr_foreach(yyjson_obj_get(in, "candidates"), i, max, item)
    {
        json_obj(j, NULL);
        write_token(j, item);
        json_end(j);
    }
    json_end(j);
}

static struct err *read_logprobs(struct chat_reader *r, struct chat_choice *c, yyjson_val *in)
{
    yyjson_val *result = yyjson_obj_get(in, "logprobsResult"), *item;
    yyjson_val *chosen = yyjson_obj_get(result, "chosenCandidates");
    yyjson_val *tops = yyjson_obj_get(result, "topCandidates");
    yyjson_val *top = yyjson_arr_get_first(tops);
    size_t i, max;
    if (yyjson_arr_size(chosen) == 0 || !c->open || c->kind != PART_TEXT)
        return NULL;
    BUF_HERE(out, (size_t)16 << 20);
    struct json j = {.out = &out};
    json_arr(&j, NULL);
    yyjson_arr_foreach(chosen, i, max, item)
    {
        json_obj(&j, NULL);
        write_token(&j, item);
        write_tops(&j, top);
        top = i + 1 < yyjson_arr_size(tops) ? unsafe_yyjson_get_next(top) : NULL;
        json_end(&j);
    }
    json_end(&j);
    return chat_emit(r, (struct chat_event){CHAT_LOGPROBS, .index = c->blocks - 1,
                                            .choice = c->number, .text = buf_view(&out)});
}

// --- the end of an answer -------------------------------------------------------

enum finish { FINE, SAID_OR_FAILED, FAILED };

// Those not named here are filters of some kind.
static const struct {
    const char *name;
    enum chat_stop reason;
    enum finish finish;
} finishes[] = {
    {"STOP", STOP_END, FINE},
    {"MAX_TOKENS", STOP_LENGTH, FINE},
    {"FINISH_REASON_UNSPECIFIED", STOP_END, FINE},
    {"CONTINUATION", STOP_PAUSE, FINE},
    {"OTHER", STOP_END, SAID_OR_FAILED},
    {"LANGUAGE", STOP_END, SAID_OR_FAILED},
    {"MALFORMED_FUNCTION_CALL", STOP_END, FAILED},
    {"UNEXPECTED_TOOL_CALL", STOP_END, FAILED},
    {"TOO_MANY_TOOL_CALLS", STOP_END, FAILED},
    {"MALFORMED_RESPONSE", STOP_END, FAILED},
};

static struct err *stop(struct chat_reader *r, struct chat_choice *c, enum chat_stop reason)
{
    if (!c->stopped)
        TRY(fence_end(&answer_of(r, c)->fence));
    return chat_stop(r, c, reason, (struct str){0});
}

static struct err *fail(struct chat_reader *r, struct str code, struct str message)
{
    struct chat_error e = {502, .code = code, .message = message};
    if (!message.n)
        e.message = STR("The provider could not finish its answer.");
    return chat_failed(r, &e);
}

static struct err *read_finish(struct chat_reader *r, struct chat_choice *c, yyjson_val *candidate)
{
    struct str name = json_str_at(candidate, "finishReason");
    if (!name.n || c->stopped)
        return NULL;
    for (size_t i = 0; i < sizeof(finishes) / sizeof(*finishes); i++) {
        if (!str_is(name, finishes[i].name))
            continue;
        bool failed =
            finishes[i].finish == FAILED || (finishes[i].finish == SAID_OR_FAILED &&
                                             !answer_of(r, c)->spoke && !c->called && r->target);
        return failed ? fail(r, name, json_str_at(candidate, "finishMessage"))
                      : stop(r, c, finishes[i].reason);
    }
    return stop(r, c, STOP_FILTER);
}

// --- chunks and bodies ----------------------------------------------------------

static struct err *read_candidate(struct chat_reader *r, yyjson_val *candidate)
{
    struct chat_choice *c = chat_choice(r, (int)json_int_at(candidate, "index", 0));
    yyjson_val *parts = yyjson_obj_get(yyjson_obj_get(candidate, "content"), "parts"), *part;
    size_t i, max;
    if (!c)
        return err_new(r->arena, &err_upstream_failed, "candidate index out of range");
    yyjson_arr_foreach(parts, i, max, part) TRY(read_part(r, c, part));
    TRY(read_logprobs(r, c, candidate));
    TRY(read_grounding(r, c, candidate));
    return read_finish(r, c, candidate);
}

// A prompt that was refused has no candidates at all.
static bool is_blocked(yyjson_val *body)
{
    return json_str_at(yyjson_obj_get(body, "promptFeedback"), "blockReason").n &&
           yyjson_arr_size(yyjson_obj_get(body, "candidates")) == 0;
}

static struct err *read_failure(struct chat_reader *r, yyjson_val *body)
{
    struct chat_error e;
    gemini_read_error(body, &e);
    return chat_failed(r, &e);
}

static struct err *read_chunk(struct chat_reader *r, yyjson_val *body)
{
    size_t i, max;
    yyjson_val *candidate;
    if (yyjson_is_arr(body)) { // an error where streams are arrays
        body = yyjson_arr_get_first(body);
        if (!body)
            return NULL;
    }
    if (yyjson_is_obj(yyjson_obj_get(body, "error")))
        return read_failure(r, body);
    TRY(chat_start(r, json_str_at(body, "responseId"), json_str_at(body, "modelVersion")));
    yyjson_arr_foreach(yyjson_obj_get(body, "candidates"), i, max, candidate)
    {
        TRY(read_candidate(r, candidate));
        if (r->failed)
            return NULL;
    }
    if (is_blocked(body))
        TRY(stop(r, chat_choice(r, 0), STOP_FILTER));
    return read_usage(r, body);
}

struct err *gemini_read_frame(struct chat_reader *r, const struct frame *f)
{
    yyjson_val *body = NULL;
    if (str_starts(str_trim(f->payload), "[DONE]")) // gateways in between
        return NULL;
    TRY(chat_json(r, f->payload, &body));
    return read_chunk(r, body);
}

// There is no terminator: a reply is complete when every answer said why it ended.
struct err *gemini_read_end(struct chat_reader *r)
{
    for (const struct chat_choice *c = r->choices; c; c = c->next)
        if (!c->stopped)
            return NULL;
    return r->choices ? chat_end(r) : NULL;
}

// An answer that says nothing at all; a meter is shown only parts and cannot tell.
static struct err *nothing_came(struct chat_reader *r)
{
    return r->target ? fail(r, (struct str){0}, STR("The provider answered nothing.")) : NULL;
}

// One object, or a stream that was an array.
static struct err *read_chunks(struct chat_reader *r, yyjson_val *body)
{
    size_t i, max;
    yyjson_val *chunk;
    if (!yyjson_is_arr(body))
        return read_chunk(r, body);
    yyjson_arr_foreach(body, i, max, chunk)
    {
        if (!r->failed)
            TRY(read_chunk(r, chunk));
    }
    return NULL;
}

struct err *gemini_read_whole(struct chat_reader *r, yyjson_val *body)
{
    TRY(read_chunks(r, body));
    if (!r->failed && !r->choices)
        TRY(nothing_came(r));
    if (r->failed)
        return NULL;
    TRY(chat_start(r, (struct str){0}, (struct str){0}));
    for (struct chat_choice *c = r->choices; c; c = c->next)
        TRY(stop(r, c, STOP_END));
    return chat_end(r);
}
