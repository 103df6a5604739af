// Anthropic messages: the dialect's table, its models, its errors.

#include "relay/dialect/claude.h"

#include <string.h>

#include "relay/dialect/openai.h"
#include "relay/dialect/schema.h"
#include "relay/dialect/take.h"

const char claude_format_tool[] = "json_output";

#define OLD .samples = true, .both_samples = true, .prefill = true
#define BUDGET .samples = true, .budget = true, .prefill = true

static const struct claude_model models[] = {
    {"2", 4096, OLD},
    {"instant", 4096, OLD},
    {"3-7-sonnet", 64000, BUDGET, .both_samples = true},
    {"3-5-haiku", 8192, OLD},
    {"3-5-sonnet", 8192, OLD},
    {"3", 4096, OLD},
    {"opus-4-5", 64000, BUDGET, .schema = true, .effort = EFFORT_HIGH},
    {"sonnet-4-5", 64000, BUDGET, .schema = true},
    {"haiku-4-5", 64000, BUDGET, .schema = true},
    {"opus-4-6", 128000, BUDGET, .adaptive = true, .schema = true, .effort = EFFORT_MAX,
     .no_effort = EFFORT_XHIGH},
    {"sonnet-4-6", 128000, BUDGET, .adaptive = true, .schema = true, .effort = EFFORT_MAX,
     .no_effort = EFFORT_XHIGH},
    {"opus-4-1", 32000, BUDGET, .schema = true},
    {"opus-4-0", 32000, BUDGET, .both_samples = true},
    {"opus-4-2", 32000, BUDGET, .both_samples = true}, // dated names: 2025...
    {"opus-4$", 32000, BUDGET, .both_samples = true},
    {"sonnet-4-0", 64000, BUDGET, .both_samples = true},
    {"sonnet-4-2", 64000, BUDGET, .both_samples = true},
    {"sonnet-4$", 64000, BUDGET, .both_samples = true},
    {"fable", 128000, .adaptive = true, .schema = true, .no_force = true, .effort = EFFORT_MAX},
    {"mythos", 128000, .adaptive = true, .schema = true, .no_force = true, .effort = EFFORT_MAX},
    {"", 128000, .adaptive = true, .schema = true, .effort = EFFORT_MAX}, // Opus 4.7 and newer
};

// Others serve their own models over this protocol (DeepSeek, Moonshot, Zhipu).
static const struct claude_model foreign = {
    "", 32000, .samples = true, .both_samples = true, .budget = true, .prefill = true};

static bool is_at(const char *name, const char *sign)
{
    size_t n = strcspn(sign, "$");
    for (size_t i = 0; i < n; i++)
        if (name[i] != sign[i] && !(sign[i] == '-' && (name[i] == '.' || name[i] == '@')))
            return false;
    return sign[n] != '$' || !name[n];
}

// "claude-opus-4-5-20251101", "anthropic/claude-opus-4.5", "us.anthropic.claude-opus-4-5-v1:0".
const struct claude_model *claude_model(const char *name)
{
    const char *found = strstr(name, "claude-");
    if (!found)
        return &foreign;
    const struct claude_model *m = models;
    while (!is_at(found + strlen("claude-"), m->sign))
        m++;
    return m;
}

bool claude_wants_thinking(const struct chat_request *in)
{
    if (in->owner == &claude_dialect) // its effort alone does not switch thinking on
        return in->thinking_adaptive || in->thinking_budget > 0;
    return effort_of(in) > EFFORT_NONE || in->thinking_adaptive;
}

bool claude_signed(const struct chat_part *p)
{
    return p->kind == PART_THINKING && p->owner == &claude_dialect &&
           (p->signature.n || p->redacted.n);
}

// Without a native form a forced tool does it, unless other tools or thinking are in the way.
enum claude_format claude_format(const struct chat_request *in, const struct chat_target *to)
{
    const struct claude_model *m = claude_model(to->model);
    if (in->format == FORMAT_TEXT)
        return CLAUDE_FORMAT_NONE;
    if (in->format == FORMAT_JSON || !schema_is_object(in->schema))
        return CLAUDE_FORMAT_PROMPT;
    if (m->schema)
        return CLAUDE_FORMAT_NATIVE;
    return in->tools || claude_wants_thinking(in) ? CLAUDE_FORMAT_PROMPT : CLAUDE_FORMAT_TOOL;
}

static struct err *read_head(struct arena *a, yyjson_val *body, struct chat_head *out)
{
    TRY(take_head(a, body, out));
    bool has = false;
    out->wants_usage = true; // every stream of this dialect tells it
    out->session = json_text_at(yyjson_obj_get(body, "metadata"), "user_id");
    TRY(take_int(a, body, "max_tokens", &has, &out->max_output));
    return out->max_output < 0 ? err_new(a, &err_field_invalid, "max_tokens") : NULL;
}

// --- errors ---------------------------------------------------------------------

static const struct {
    int status;
    const char *type;
} types[] = {
    {400, "invalid_request_error"}, {401, "authentication_error"}, {402, "billing_error"},
    {403, "permission_error"},      {404, "not_found_error"},      {409, "conflict_error"},
    {413, "request_too_large"},     {429, "rate_limit_error"},     {500, "api_error"},
    {504, "timeout_error"},         {503, "overloaded_error"},     {529, "overloaded_error"},
};

static const char *type_of(int status)
{
    for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
        if (types[i].status == status)
            return types[i].type;
    return status >= 500 ? "api_error" : "invalid_request_error";
}

bool claude_read_error(yyjson_val *body, struct chat_error *out)
{
    yyjson_val *error = yyjson_obj_get(body, "error");
    struct str type = json_str_at(error, "type");
    *out = (struct chat_error){.type = type, .message = json_str_at(error, "message")};
    out->code = json_str_at(yyjson_obj_get(error, "details"), "error_code");
    if (str_is(type, "overloaded_error"))
        out->status = 529;
    for (size_t i = 0; i < sizeof(types) / sizeof(*types) && !out->status; i++)
        if (str_is(type, types[i].type))
            out->status = types[i].status;
    if (out->status)
        return true;
    return openai_read_error(body, out); // gateways in between
}

// Claude Code shortens its conversation when it reads these words, and only then.
static bool is_context(const struct chat_error *e)
{
    return str_is(e->code, "context_length_exceeded") &&
           !(e->message.n && memmem(e->message.p, e->message.n, "prompt is too long", 18));
}

static void write_error(struct buf *out, const struct chat_error *e, const char *request_id)
{
    struct json j = {.out = out};
    json_obj(&j, NULL);
    json_str(&j, "type", "error");
    json_obj(&j, "error");
    json_str(&j, "type", type_of(e->status));
    struct str message = e->message.n ? e->message : STR("The request failed.");
    BUF_HERE(words, (size_t)1 << 20);
    buf_puts(&words, is_context(e) ? "prompt is too long: " : "");
    buf_str(&words, message);
    json_strn(&j, "message", buf_view(&words));
    if (e->code.n) {
        json_obj(&j, "details");
        json_strn(&j, "error_code", e->code);
        json_end(&j);
    }
    json_end(&j);
    json_str(&j, "request_id", request_id);
    json_end(&j);
}

static void write_stream_error(struct buf *out, const struct chat_error *e, const char *request_id)
{
    buf_puts(out, "event: error\ndata: ");
    write_error(out, e, request_id);
    buf_puts(out, "\n\n");
}

static void write_tokens(struct buf *out, int64_t tokens)
{
    struct json j = {.out = out};
    json_obj(&j, NULL);
    json_int(&j, "input_tokens", tokens);
    json_end(&j);
}

static const char *const signs[] = {"message_start", "message_delta", "message_stop", "\"error\"",
                                    NULL};

static const char *const alone[] = {"context_management", "mcp_servers", "container", NULL};

const struct dialect claude_dialect = {
    .name = "claude",
    .stream_type = "text/event-stream; charset=utf-8",
    .sign_of_life = "event: ping\ndata: {\"type\": \"ping\"}\n\n",
    .alone = alone,
    .read_head = read_head,
    .parse_request = claude_parse_request,
    .write_event = claude_write_event,
    .write_answer = claude_write_answer,
    .write_error = write_error,
    .write_stream_error = write_stream_error,
    .write_tokens = write_tokens,
    .write_request = claude_write_request,
    .read_frame = claude_read_frame,
    .read_whole = claude_read_whole,
    .skim_whole = claude_skim_whole,
    .read_error = claude_read_error,
    .signs = signs,
};
