// OpenAI Responses: the dialect's table and its errors.

#include "relay/dialect/responses.h"

#include <string.h>

#include "relay/dialect/openai.h"
#include "relay/dialect/take.h"

// A reply made in the background says what it used when nobody listens: it could not be billed.
static struct err *read_wishes(struct arena *a, yyjson_val *body, struct chat_head *out)
{
    yyjson_val *store = yyjson_obj_get(body, "store");
    bool background, said;
    TRY(take_bool(a, body, "background", &background));
    TRY(take_bool(a, body, "store", &said));
    out->keeps = said || !store || yyjson_is_null(store);
    return background ? err_new(a, &err_background_unsupported, "background") : NULL;
}

static struct err *read_head(struct arena *a, yyjson_val *body, struct chat_head *out)
{
    TRY(take_head(a, body, out));
    bool has = false;
    out->wants_usage = true; // always told
    TRY(take_int(a, body, "max_output_tokens", &has, &out->max_output));
    TRY(take_text(a, body, "previous_response_id", &out->previous));
    out->session = take_session(body);
    TRY(read_wishes(a, body, out));
    return out->max_output < 0 ? err_new(a, &err_field_invalid, "max_output_tokens") : NULL;
}

// --- errors ---------------------------------------------------------------------

bool responses_read_error(yyjson_val *body, struct chat_error *out)
{
    bool found = openai_read_error(body, out);
    if (str_is(out->type, "error")) // the event's own name
        out->type = (struct str){0};
    if (!out->status && str_starts(out->code, "invalid_"))
        out->status = 400;
    return found;
}

static bool says(const struct chat_error *e, const char *word)
{
    size_t n = strlen(word);
    return (e->code.n && memmem(e->code.p, e->code.n, word, n)) ||
           (e->type.n && memmem(e->type.p, e->type.n, word, n)) ||
           (e->message.n && memmem(e->message.p, e->message.n, word, n));
}

struct str responses_error_code(const struct chat_error *e)
{
    static const struct {
        int status;
        const char *word, *code;
    } codes[] = {
        {0, "context_length_exceeded", "context_length_exceeded"},
        {0, "prompt is too long", "context_length_exceeded"},
        {0, "insufficient_quota", "insufficient_quota"},
        {0, "rate_limit", "rate_limit_exceeded"},
        {0, "overloaded", "server_is_overloaded"},
        {429, NULL, "rate_limit_exceeded"},
        {503, NULL, "server_is_overloaded"},
        {529, NULL, "server_is_overloaded"},
        {400, NULL, "invalid_prompt"},
    };
    for (size_t i = 0; i < sizeof(codes) / sizeof(*codes); i++)
        if (codes[i].word ? says(e, codes[i].word) : !e->code.n && codes[i].status == e->status)
            return str_of(codes[i].code);
    return e->code.n ? e->code : STR("server_error");
}

// Without a stream the form is the one of all OpenAI's endpoints.
static void write_error(struct buf *out, const struct chat_error *e, const char *request_id)
{
    openai_dialect.write_error(out, e, request_id);
}

static void write_stream_error(struct buf *out, const struct chat_error *e, const char *request_id)
{
    (void)request_id;
    struct chat_writer w = {.dialect = &responses_dialect, .out = out};
    responses_write_failure(&w, e);
}

static void write_tokens(struct buf *out, int64_t tokens)
{
    struct json j = {.out = out};
    json_obj(&j, NULL);
    json_str(&j, "object", "response.input_tokens");
    json_int(&j, "input_tokens", tokens);
    json_end(&j);
}

static const char *const signs[] = {"response.completed", "response.incomplete", "response.failed",
                                    "\"error\"", NULL};

const struct dialect responses_dialect = {
    .name = "responses",
    .stream_type = "text/event-stream; charset=utf-8",
    .sign_of_life = ": keep-alive\n\n",
    .read_head = read_head,
    .parse_request = responses_parse_request,
    .write_event = responses_write_event,
    .write_answer = responses_write_answer,
    .write_error = write_error,
    .write_stream_error = write_stream_error,
    .write_failure = responses_write_failure,
    .write_tokens = write_tokens,
    .write_request = responses_write_request,
    .read_frame = responses_read_frame,
    .read_whole = responses_read_whole,
    .read_error = responses_read_error,
    .signs = signs,
};
