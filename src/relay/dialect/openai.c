// OpenAI chat completions: the dialect's table, its models, its errors.

#include "relay/dialect/openai.h"

#include <string.h>

#include "common/arena.h"
#include "relay/dialect/take.h"

const char *const effort_names[] = {
    [EFFORT_NONE] = "none",     [EFFORT_MINIMAL] = "minimal", [EFFORT_LOW] = "low",
    [EFFORT_MEDIUM] = "medium", [EFFORT_HIGH] = "high",       [EFFORT_XHIGH] = "xhigh",
    [EFFORT_MAX] = "max",
};

enum effort effort_by_name(const char *name)
{
    for (enum effort e = EFFORT_NONE; name && e <= EFFORT_MAX; e++)
        if (!strcmp(effort_names[e], name))
            return e;
    return EFFORT_UNSAID;
}

enum effort effort_of_budget(int64_t tokens)
{
    static const struct {
        int64_t up_to;
        enum effort effort;
    } steps[] = {
        {1024, EFFORT_MINIMAL}, {4096, EFFORT_LOW}, {12000, EFFORT_MEDIUM}, {24000, EFFORT_HIGH}};
    for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++)
        if (tokens <= steps[i].up_to)
            return steps[i].effort;
    return EFFORT_XHIGH;
}

enum effort effort_of(const struct chat_request *in)
{
    if (in->effort != EFFORT_UNSAID || in->thinking_budget <= 0)
        return in->effort;
    return effort_of_budget(in->thinking_budget);
}

static const struct openai_family families[] = {
    {"gpt-5-chat", .samples = true},
    {"gpt-5.1-codex", .reasons = true},
    {"gpt-5.2-pro", .reasons = true, .high = true},
    {"gpt-5.4-pro", .reasons = true, .high = true},
    {"gpt-5.5-pro", .reasons = true, .high = true},
    {"gpt-5.1", .reasons = true, .none = true, .samples = true},
    {"gpt-5.2", .reasons = true, .none = true, .samples = true, .high = true},
    {"gpt-5.3", .reasons = true, .none = true, .samples = true, .high = true},
    {"gpt-5.4", .reasons = true, .none = true, .samples = true, .high = true},
    {"gpt-5.", .reasons = true, .none = true, .high = true},
    {"gpt-5", .reasons = true, .minimal = true},
    {"gpt-", .samples = true},
    {"chatgpt-", .samples = true},
    {"o1", .reasons = true},
    {"o3", .reasons = true},
    {"o4", .reasons = true},
};

// Unknown ones are taken for ordinary: deployments and fine-tunes have any name.
const struct openai_family *openai_family(const char *model)
{
    static const struct openai_family ordinary = {
        "", .reasons = true, .none = true, .samples = true, .minimal = true, .high = true};
    const char *slash = strrchr(model, '/'); // "openai/gpt-5"
    struct str name = str_of(slash ? slash + 1 : model);
    for (size_t i = 0; i < sizeof(families) / sizeof(*families); i++)
        if (str_starts(name, families[i].begin))
            return &families[i];
    return &ordinary;
}

static struct err *read_head(struct arena *a, yyjson_val *body, struct chat_head *out)
{
    TRY(take_head(a, body, out));
    bool has = false;
    yyjson_val *options = yyjson_obj_get(body, "stream_options");
    out->wants_usage = out->stream && json_bool_at(options, "include_usage", false);
    TRY(take_int(a, body, "max_tokens", &has, &out->max_output));
    TRY(take_int(a, body, "max_completion_tokens", &has, &out->max_output));
    TRY(take_int(a, body, "n", &has, &out->choices));
    out->session = take_session(body);
    if (out->choices < 1 || out->choices > CHAT_CHOICES_MAX)
        return err_new(a, &err_field_invalid, "n");
    if (out->max_output < 0)
        return err_new(a, &err_field_invalid, "max_tokens");
    return NULL;
}

static const struct {
    int status;
    const char *type;
} types[] = {
    {401, "authentication_error"}, {402, "insufficient_quota"}, {403, "permission_error"},
    {408, "timeout_error"},        {409, "conflict_error"},     {429, "rate_limit_error"},
};

static const char *type_of(int status)
{
    for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
        if (types[i].status == status)
            return types[i].type;
    return status >= 500 ? "server_error" : "invalid_request_error";
}

static void write_error(struct buf *out, const struct chat_error *e, const char *request_id)
{
    (void)request_id; // travels in the header x-request-id
    struct json j = {.out = out};
    json_obj(&j, NULL);
    json_obj(&j, "error");
    json_strn(&j, "message", e->message.n ? e->message : STR("The request failed."));
    json_str(&j, "type", type_of(e->status));
    json_null(&j, "param");
    json_strn(&j, "code", e->code.n ? e->code : (struct str){0});
    json_end_all(&j);
}

static void write_stream_error(struct buf *out, const struct chat_error *e, const char *request_id)
{
    buf_puts(out, "data: ");
    write_error(out, e, request_id);
    buf_puts(out, "\n\n");
}

// With and without the blank that some servers' serialisers put behind a colon.
static const char *const signs[] = {
    "_tokens\"", "\"finish_reason\":\"", "\"finish_reason\": \"", "\"error\"", "[DONE]", NULL,
};

static const char *const alone[] = {"web_search_options", "prediction", NULL};

// Pictures may stay where they are, files may not.
static bool wants_bytes(const struct chat_target *to, const struct chat_part *p)
{
    return p->kind == PART_FILE || (p->kind == PART_IMAGE && to->quirks & NO_ADDRESSES);
}

const struct dialect openai_dialect = {
    .name = "openai",
    .stream_type = "text/event-stream; charset=utf-8",
    .sign_of_life = ": keep-alive\n\n",
    .alone = alone,
    .read_head = read_head,
    .parse_request = openai_parse_request,
    .write_event = openai_write_event,
    .write_answer = openai_write_answer,
    .write_error = write_error,
    .write_stream_error = write_stream_error,
    .wants_bytes = wants_bytes,
    .write_request = openai_write_request,
    .read_frame = openai_read_frame,
    .read_end = openai_read_end,
    .read_whole = openai_read_whole,
    .skim_whole = openai_skim_whole,
    .read_error = openai_read_error,
    .signs = signs,
};
