// Writing the items and the object of a Responses reply.

#include "relay/dialect/responses_items.h"

#include <string.h>

#include "common/arena.h"
#include "common/clock.h"
#include "relay/dialect/carry.h"
#include "relay/dialect/names.h"
#include "relay/dialect/responses.h"

enum { BASE_MAX = 48, TAIL_MOST = 512 << 20 };

// --- items ----------------------------------------------------------------------

static const struct chat_tool *tool_of(const struct chat_writer *w, const char *name)
{
    const struct chat_tool *t = w->request ? w->request->tools : NULL;
    while (t && !(t->name && text_eq(t->name, name)))
        t = t->next;
    return t;
}

struct responses_item responses_item_begin(struct chat_writer *w, const char *base, int n,
                                           enum part_kind kind, const char *call_id,
                                           const char *name)
{
    bool call = kind == PART_TOOL_CALL;
    const struct chat_tool *tool = call ? tool_of(w, name) : NULL;
    bool custom = tool && tool->custom;
    const char *prefix = kind == PART_THINKING ? "rs" : call ? "fc" : "msg";
    return (struct responses_item){
        .kind = kind,
        .id = arena_printf(w->arena, "%s_%s_%d", custom ? "ctc" : prefix, base, n),
        .call_id = call ? id_legal(w->arena, call_id, RESPONSES_ID_MAX) : NULL,
        .name = tool && tool->local ? tool->local : name,
        .space = tool ? tool->space : NULL,
        .custom = custom,
        .status = "in_progress",
    };
}

void responses_part_write(struct json *j, const char *key, const struct responses_item *item,
                          struct str text)
{
    json_obj(j, key);
    if (item->kind == PART_THINKING) {
        json_str(j, "type", "summary_text");
        json_strn(j, "text", text);
    } else if (item->kind == PART_REFUSAL) {
        json_str(j, "type", "refusal");
        json_strn(j, "refusal", text);
    } else {
        json_str(j, "type", "output_text");
        json_strn(j, "text", text);
        json_arr(j, "annotations");
        if (item->annotations.n)
            json_raw(j, NULL, item->annotations);
        json_end(j);
        json_arr(j, "logprobs");
        if (item->logprobs.n)
            json_raw(j, NULL, item->logprobs);
        json_end(j);
    }
    json_end(j);
}

static void write_call(struct json *j, const struct responses_item *item, bool open)
{
    json_str(j, "type", item->custom ? "custom_tool_call" : "function_call");
    json_str(j, "status", item->status);
    json_str(j, "call_id", item->call_id);
    json_str(j, "name", item->name);
    if (item->space)
        json_str(j, "namespace", item->space);
    json_strn(j, item->custom ? "input" : "arguments", open ? STR("") : item->text);
}

static void write_content(struct json *j, const struct responses_item *item, bool open)
{
    bool thinking = item->kind == PART_THINKING;
    json_str(j, "type", thinking ? "reasoning" : "message");
    if (!thinking) {
        json_str(j, "status", item->status);
        json_str(j, "role", "assistant");
    }
    json_arr(j, thinking ? "summary" : "content");
    if (!open && (item->text.n || !thinking))
        responses_part_write(j, NULL, item, item->text);
    json_end(j);
    if (item->state.n)
        json_strn(j, "encrypted_content", item->state);
}

void responses_item_write(struct json *j, const char *key, const struct responses_item *item,
                          bool open)
{
    if (item->kind == PART_RAW) {
        json_raw(j, key, item->text);
        return;
    }
    json_obj(j, key);
    json_str(j, "id", item->id);
    if (item->kind == PART_TOOL_CALL)
        write_call(j, item, open);
    else
        write_content(j, item, open);
    json_end(j);
}

bool responses_is_whole(struct str arguments)
{
    ARENA(a);
    yyjson_val *root;
    return !arguments.n || !json_read(a, arguments, &root);
}

struct str responses_state(struct chat_writer *w, const struct dialect *maker, bool redacted,
                           struct str state, struct str text)
{
    if (!maker || maker == &responses_dialect)
        return state;
    return carry_wrap(w->arena, maker, state, state.n ? text : (struct str){0}, redacted);
}

// --- the object -----------------------------------------------------------------

// What a caller may say, and what it means not to say it.
static const struct {
    const char *name, *fallback;
} echoed[] = {
    {"background", "false"},
    {"instructions", "null"},
    {"max_output_tokens", "null"},
    {"max_tool_calls", "null"},
    {"metadata", "{}"},
    {"parallel_tool_calls", "true"},
    {"previous_response_id", "null"},
    {"prompt_cache_key", "null"},
    {"reasoning", "{\"effort\":null,\"summary\":null}"},
    {"safety_identifier", "null"},
    {"temperature", "1"},
    {"tool_choice", "\"auto\""},
    {"tools", "[]"},
    {"top_logprobs", "0"},
    {"top_p", "1"},
    {"truncation", "\"disabled\""},
    {"user", "null"},
};

// Always with a format.
static void write_text_wish(struct json *j, yyjson_val *said)
{
    size_t i, max;
    yyjson_val *name, *value;
    json_obj(j, "text");
    if (!yyjson_is_obj(yyjson_obj_get(said, "format")))
        json_raw(j, "format", STR("{\"type\":\"text\"}"));
    yyjson_obj_foreach(said, i, max, name, value)
    {
        if (!yyjson_is_null(value))
            json_val(j, yyjson_get_str(name), value);
    }
    json_end(j);
}

static struct str tail_of(struct chat_writer *w)
{
    const struct chat_request *in = w->request;
    yyjson_val *body = in && in->owner == &responses_dialect ? in->body : NULL;
    BUF_HERE(text, TAIL_MOST);
    struct json j = {.out = &text};
    json_obj(&j, NULL);
    for (size_t i = 0; i < sizeof(echoed) / sizeof(*echoed); i++) {
        yyjson_val *said = yyjson_obj_get(body, echoed[i].name);
        if (in && in->previous && !strcmp(echoed[i].name, "previous_response_id"))
            json_str(&j, echoed[i].name, in->previous);
        else if (said && !yyjson_is_null(said))
            json_val(&j, echoed[i].name, said);
        else
            json_raw(&j, echoed[i].name, str_of(echoed[i].fallback));
    }
    write_text_wish(&j, yyjson_obj_get(body, "text"));
    json_str(&j, "service_tier", "default");
    json_bool(&j, "store", w->kept);
    json_end(&j);
    *text.p = ',';
    return (struct str){arena_str(w->arena, buf_view(&text)), text.n};
}

void responses_object_begin(struct chat_writer *w, struct str id, struct str model,
                            struct responses_object *out)
{
    const char *mine = w->keep ? w->keep_id : chat_reply_id(w, id, "resp_");
    BUF_HERE(text, 1 << 16);
    struct json j = {.out = &text};
    json_obj(&j, NULL);
    json_str(&j, "id", mine);
    json_str(&j, "object", "response");
    json_int(&j, "created_at", w->created ? w->created : clock_now());
    json_str(&j, "model", chat_reply_model(w, model));
    out->head = str_of(arena_str(w->arena, buf_view(&text)));
    out->base = id_legal(w->arena, mine + strlen("resp_"), BASE_MAX);
    out->tail = tail_of(w);
}

static void write_usage(struct json *j, const struct chat_usage *u)
{
    int64_t written = u->cache_write_5m + u->cache_write_1h;
    int64_t input = u->prompt + u->cache_read + written;
    if (!u->known) {
        json_null(j, "usage");
        return;
    }
    json_obj(j, "usage");
    json_int(j, "input_tokens", input);
    json_obj(j, "input_tokens_details");
    json_int(j, "cached_tokens", u->cache_read);
    json_int(j, "cache_write_tokens", written);
    json_end(j);
    json_int(j, "output_tokens", u->completion);
    json_obj(j, "output_tokens_details");
    json_int(j, "reasoning_tokens", u->thinking);
    json_end(j);
    json_int(j, "total_tokens", input + u->completion);
    json_end(j);
}

static void write_error(struct json *j, const struct chat_error *error)
{
    if (!error) {
        json_null(j, "error");
        return;
    }
    json_obj(j, "error");
    json_strn(j, "code", responses_error_code(error));
    json_strn(j, "message", error->message.n ? error->message : STR("The request failed."));
    json_end(j);
}

static void write_incomplete(struct json *j, const char *reason)
{
    if (!reason) {
        json_null(j, "incomplete_details");
        return;
    }
    json_obj(j, "incomplete_details");
    json_str(j, "reason", reason);
    json_end(j);
}

void responses_object_write(struct buf *out, const struct responses_object *o,
                            const struct responses_standing *standing, struct str items,
                            const struct chat_usage *usage)
{
    struct json j = {.out = out, .depth = 1, .comma = true}; // inside the head's braces
    buf_str(out, o->head);
    json_str(&j, "status", standing->status);
    write_error(&j, standing->error);
    write_incomplete(&j, standing->incomplete);
    json_arr(&j, "output");
    if (items.n)
        json_raw(&j, NULL, items);
    json_end(&j);
    write_usage(&j, usage);
    buf_str(out, o->tail);
}

// A refusal that was said is an answer; one without words was a filter's.
struct responses_standing responses_standing(enum chat_stop reason, bool refused)
{
    if (reason == STOP_LENGTH || reason == STOP_CONTEXT)
        return (struct responses_standing){"incomplete", "max_output_tokens", NULL};
    if (reason == STOP_FILTER || (reason == STOP_REFUSAL && !refused))
        return (struct responses_standing){"incomplete", "content_filter", NULL};
    return (struct responses_standing){"completed", NULL, NULL};
}
