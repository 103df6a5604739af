// Cohere's chat, version 2: the dialect's table, its models, its errors.

#include "relay/dialect/cohere.h"

#include <string.h>

#include "common/arena.h"
#include "common/crypto.h"
#include "relay/dialect/openai.h"
#include "relay/dialect/take.h"

static const struct cohere_model models[] = {
    {"command-r7b", "", .chooses = true},
    {"command-r-plus", ""},
    {"command-r-0", ""},
    {"command-r", "7b", .chooses = true},
    {"command-a", "reasoning", .chooses = true, .thinks = true},
    {"command-", "", .chooses = true},
    {"c4ai-", "", .chooses = true},
    {"", "", .chooses = true, .thinks = true}, // whatever a proxy or a deployment calls its models
};

const struct cohere_model *cohere_model(const char *name)
{
    const char *slash = strrchr(name, '/'); // "cohere/command-a"
    struct str own = str_of(slash ? slash + 1 : name);
    const struct cohere_model *m = models;
    while (!str_starts(own, m->begin) || !strstr(own.p, m->has))
        m++;
    return m;
}

// --- documents and formats ------------------------------------------------------

struct str cohere_document(struct arena *a, const struct chat_part *p)
{
    struct str text = p->text;
    if (p->kind != PART_FILE)
        return (struct str){0};
    if (!text.p && p->data.n && str_starts(p->mime, "text/"))
        text = base64_bytes(a, p->data);
    return text.p && utf8_valid(text) ? text : (struct str){0};
}

bool cohere_has_documents(const struct chat_request *in)
{
    for (const struct chat_message *m = in->messages; m; m = m->next)
        for (const struct chat_part *p = m->parts; p; p = p->next)
            if (p->kind == PART_FILE && (p->text.p || str_starts(p->mime, "text/")))
                return true;
    return in->owner == &cohere_dialect &&
           yyjson_arr_size(yyjson_obj_get(in->body, "documents")) > 0;
}

static bool any_function(const struct chat_request *in)
{
    for (const struct chat_tool *t = in->tools; t; t = t->next)
        if (!t->hosted)
            return true;
    return false;
}

enum cohere_format cohere_format(const struct chat_request *in)
{
    if (in->format == FORMAT_TEXT || in->owner == &cohere_dialect)
        return COHERE_FORMAT_NONE; // a caller of Cohere's own says it himself
    if (any_function(in) || cohere_has_documents(in))
        return COHERE_FORMAT_PROMPT;
    bool fits = text_eq(json_text_at(in->schema, "type"), "object") &&
                yyjson_arr_size(yyjson_obj_get(in->schema, "required")) > 0;
    if (in->format == FORMAT_SCHEMA && fits)
        return COHERE_FORMAT_SCHEMA;
    return in->format == FORMAT_JSON ? COHERE_FORMAT_JSON : COHERE_FORMAT_PROMPT;
}

// --- the head -------------------------------------------------------------------

static struct err *read_head(struct arena *a, yyjson_val *body, struct chat_head *out)
{
    bool has = false;
    TRY(take_head(a, body, out));
    out->wants_usage = true;
    TRY(take_int(a, body, "max_tokens", &has, &out->max_output));
    return out->max_output < 0 ? err_new(a, &err_field_invalid, "max_tokens") : NULL;
}

// --- errors ---------------------------------------------------------------------

static struct str message_of(const struct chat_error *e)
{
    return e->message.n ? e->message : STR("The request failed.");
}

static void write_error(struct buf *out, const struct chat_error *e, const char *request_id)
{
    struct json j = {.out = out};
    json_obj(&j, NULL);
    json_strn(&j, "message", message_of(e));
    json_str(&j, "id", request_id);
    json_end(&j);
}

// Its streams know no other failure; nothing follows, so that no client takes it for an end.
static void write_stream_error(struct buf *out, const struct chat_error *e, const char *request_id)
{
    (void)request_id; // travels in the header x-request-id
    struct json j = {.out = out};
    buf_puts(out, "event: message-end\ndata: ");
    json_obj(&j, NULL);
    json_str(&j, "type", "message-end");
    json_obj(&j, "delta");
    json_str(&j, "finish_reason", "ERROR");
    json_strn(&j, "error", message_of(e));
    json_end_all(&j);
    buf_puts(out, "\n\n");
}

// {"message": ...}, older routes {"data": ...}; proxies speak like OpenAI's.
static bool read_error(yyjson_val *body, struct chat_error *out)
{
    if (openai_error_in(body))
        return openai_read_error(body, out);
    *out = (struct chat_error){.message = json_str_at(body, "message")};
    if (!out->message.n)
        out->message = json_str_at(body, "data");
    return out->message.n > 0;
}

static const char *const signs[] = {"message-end", "[DONE]", NULL};

static const char *const alone[] = {"safety_mode", "priority", NULL};

// Pictures may stay where they are; of files the text is a document.
static bool wants_bytes(const struct chat_target *to, const struct chat_part *p)
{
    (void)to;
    return p->kind == PART_FILE;
}

const struct dialect cohere_dialect = {
    .name = "cohere",
    .stream_type = "text/event-stream; charset=utf-8",
    .sign_of_life = ": keep-alive\n\n",
    .alone = alone,
    .read_head = read_head,
    .parse_request = cohere_parse_request,
    .write_event = cohere_write_event,
    .write_answer = cohere_write_answer,
    .write_error = write_error,
    .write_stream_error = write_stream_error,
    .wants_bytes = wants_bytes,
    .write_request = cohere_write_request,
    .read_frame = cohere_read_frame,
    .read_end = cohere_read_end,
    .read_whole = cohere_read_whole,
    .read_error = read_error,
    .signs = signs,
};
