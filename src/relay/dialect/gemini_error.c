// Google's errors, read and written: a code, a status in words, and details (gemini.md 12).

#include <string.h>

#include "common/arena.h"
#include "relay/dialect/gemini.h"
#include "relay/dialect/openai.h"

// The first row of a status in words, or of a code, counts.
static const struct {
    int code;
    const char *status;
} statuses[] = {
    {400, "INVALID_ARGUMENT"},    {401, "UNAUTHENTICATED"},   {403, "PERMISSION_DENIED"},
    {404, "NOT_FOUND"},           {409, "ABORTED"},           {429, "RESOURCE_EXHAUSTED"},
    {499, "CANCELLED"},           {500, "INTERNAL"},          {501, "UNIMPLEMENTED"},
    {503, "UNAVAILABLE"},         {504, "DEADLINE_EXCEEDED"}, {502, "UNAVAILABLE"},
    {529, "UNAVAILABLE"},         {408, "DEADLINE_EXCEEDED"}, {402, "FAILED_PRECONDITION"},
    {400, "FAILED_PRECONDITION"}, {400, "OUT_OF_RANGE"},
};

enum { STATUSES = sizeof(statuses) / sizeof(*statuses) };

static const char *status_of(int code)
{
    for (size_t i = 0; i < STATUSES; i++)
        if (statuses[i].code == code)
            return statuses[i].status;
    return code >= 500 ? "INTERNAL" : "INVALID_ARGUMENT";
}

static int code_of(struct str status)
{
    for (size_t i = 0; i < STATUSES; i++)
        if (str_is(status, statuses[i].status))
            return statuses[i].code;
    return 0;
}

// Reasons that mean the same to both sides.
static const struct {
    const char *code, *reason;
} reasons[] = {
    {"invalid_api_key", "API_KEY_INVALID"},
    {"rate_limit_exceeded", "RATE_LIMIT_EXCEEDED"},
};

enum { REASONS = sizeof(reasons) / sizeof(*reasons) };

static bool has_type(yyjson_val *detail, const char *name)
{
    struct str type = json_str_at(detail, "@type");
    size_t n = strlen(name);
    return type.n > n && !memcmp(type.p + type.n - n, name, n);
}

// "34.4s"; never less than it says.
static int seconds_of(struct str delay)
{
    struct str whole;
    int64_t n = 0;
    bool fraction = delay.n && memchr(delay.p, '.', delay.n);
    if (!delay.n || delay.p[delay.n - 1] != 's')
        return 0;
    delay.n--;
    if (!str_next(&delay, '.', &whole) || !str_to_int(whole, &n) || n < 0 || n >= 86400)
        return 0;
    return (int)n + fraction;
}

static void read_details(yyjson_val *details, struct chat_error *out)
{
    size_t i, max;
    yyjson_val *detail;
    yyjson_arr_foreach(details, i, max, detail)
    {
        if (has_type(detail, "RetryInfo"))
            out->retry_after = seconds_of(json_str_at(detail, "retryDelay"));
        struct str reason = json_str_at(detail, "reason");
        for (size_t k = 0; k < REASONS && has_type(detail, "ErrorInfo"); k++)
            if (str_is(reason, reasons[k].reason))
                out->code = str_of(reasons[k].code);
    }
}

static bool says(struct str text, const char *words)
{
    return text.n && memmem(text.p, text.n, words, strlen(words));
}

static bool is_context(struct str message)
{
    return says(message, "input token count") && says(message, "exceeds");
}

bool gemini_read_error(yyjson_val *body, struct chat_error *out)
{
    *out = (struct chat_error){0};
    if (yyjson_is_arr(body))
        body = yyjson_arr_get_first(body);
    yyjson_val *error = yyjson_obj_get(body, "error");
    if (!yyjson_is_obj(error) || !json_str_at(error, "status").n)
        return openai_read_error(body, out); // gateways in between
    out->type = json_str_at(error, "status");
    out->message = json_str_at(error, "message");
    out->status = (int)json_int_at(error, "code", 0);
    if (out->status < 400 || out->status > 599)
        out->status = code_of(out->type);
    read_details(yyjson_obj_get(error, "details"), out);
    if (!out->code.n && is_context(out->message))
        out->code = STR("context_length_exceeded");
    if (!out->code.n && out->status == 429)
        out->code = STR("rate_limit_exceeded");
    if (str_is(out->code, "invalid_api_key"))
        out->status = 401;
    return true;
}

static void write_details(struct json *j, const struct chat_error *e)
{
    if (!e->code.n && !e->retry_after)
        return;
    json_arr(j, "details");
    if (e->code.n) {
        struct str reason = e->code;
        for (size_t i = 0; i < REASONS; i++)
            if (str_is(e->code, reasons[i].code))
                reason = str_of(reasons[i].reason);
        json_obj(j, NULL);
        json_str(j, "@type", "type.googleapis.com/google.rpc.ErrorInfo");
        json_strn(j, "reason", reason);
        json_str(j, "domain", "token-factory");
        json_end(j);
    }
    if (e->retry_after) {
        char delay[16];
        snprintf(delay, sizeof(delay), "%ds", e->retry_after);
        json_obj(j, NULL);
        json_str(j, "@type", "type.googleapis.com/google.rpc.RetryInfo");
        json_str(j, "retryDelay", delay);
        json_end(j);
    }
    json_end(j);
}

// Gemini CLI shortens its conversation when it reads these words.
static const char CONTEXT[] =
    "The input token count exceeds the maximum number of tokens allowed: ";

void gemini_write_error(struct buf *out, const struct chat_error *e, const char *request_id)
{
    (void)request_id; // travels in the header x-request-id
    struct json j = {.out = out};
    BUF_HERE(words, (size_t)1 << 20);
    if (str_is(e->code, "context_length_exceeded") && !is_context(e->message))
        buf_puts(&words, CONTEXT);
    buf_str(&words, e->message.n ? e->message : STR("The request failed."));
    json_obj(&j, NULL);
    json_obj(&j, "error");
    json_int(&j, "code", e->status == 529 ? 503 : e->status); // Anthropic's alone
    json_strn(&j, "message", buf_view(&words));
    json_str(&j, "status", status_of(e->status));
    write_details(&j, e);
    json_end_all(&j);
}
