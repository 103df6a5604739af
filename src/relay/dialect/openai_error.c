// What providers that speak OpenAI's chat protocol say when they refuse: many shapes, one meaning.

#include <string.h>

#include "relay/dialect/openai.h"

static bool is_said(yyjson_val *v)
{
    return (yyjson_is_str(v) && yyjson_get_len(v)) || (yyjson_is_obj(v) && yyjson_obj_size(v));
}

yyjson_val *openai_error_in(yyjson_val *body)
{
    yyjson_val *error = yyjson_obj_get(body, "error");
    return is_said(error) ? error : NULL;
}

// Failures inside a 200 carry no status: the words tell.
static const struct {
    const char *word;
    int status;
} words[] = {
    {"insufficient_quota", 429},      {"rate_limit", 429},     {"quota_exceeded", 429},
    {"invalid_api_key", 401},         {"authentication", 401}, {"permission", 403},
    {"context_length_exceeded", 400}, {"content_filter", 400}, {"invalid_request", 400},
    {"model_not_found", 404},         {"not_found", 404},      {"overloaded", 503},
    {"tool_use_failed", 400},         {"server_error", 500},   {"timeout", 504},
};

static int status_by_words(struct str type, struct str code)
{
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
        size_t n = strlen(words[i].word);
        if ((code.n && memmem(code.p, code.n, words[i].word, n)) ||
            (type.n && memmem(type.p, type.n, words[i].word, n)))
            return words[i].status;
    }
    return 0;
}

// Numeric codes that look like an HTTP status are one (OpenRouter, Azure: "429").
static int status_in(yyjson_val *v)
{
    int64_t n = 0;
    if (yyjson_is_int(v))
        n = yyjson_get_sint(v);
    else if (yyjson_is_str(v) && !str_to_int(str_of(yyjson_get_str(v)), &n))
        return 0;
    return n >= 400 && n <= 599 ? (int)n : 0;
}

static struct str first_text(yyjson_val *object, const char *const *keys)
{
    struct str text = {0};
    for (; *keys && !text.n; keys++)
        text = json_str_at(object, *keys);
    return text;
}

static void fill(yyjson_val *object, struct chat_error *out)
{
    static const char *const messages[] = {"message", "msg", "detail", "error_msg", NULL};
    static const char *const codes[] = {"code", "reason", "error_code", NULL};
    static const char *const statuses[] = {"code", "status", "status_code", "statusCode", NULL};
    out->message = first_text(object, messages);
    out->type = json_str_at(object, "type");
    out->code = first_text(object, codes);
    for (size_t i = 0; statuses[i] && !out->status; i++)
        out->status = status_in(yyjson_obj_get(object, statuses[i]));
    if (out->code.n && status_in(yyjson_obj_get(object, "code")))
        out->code = (struct str){0};
    if (!out->status)
        out->status = status_by_words(out->type, out->code);
}

bool openai_read_error(yyjson_val *body, struct chat_error *out)
{
    *out = (struct chat_error){0};
    if (yyjson_is_arr(body)) // Google's compatible endpoint wraps its errors
        body = yyjson_arr_get_first(body);
    yyjson_val *error = openai_error_in(body);
    if (!error)
        error = yyjson_arr_get_first(yyjson_obj_get(body, "errors")); // Cloudflare
    if (yyjson_is_obj(error)) {
        fill(error, out);
    } else {
        fill(body, out);
        if (yyjson_is_str(error))
            out->message = (struct str){yyjson_get_str(error), yyjson_get_len(error)};
    }
    return error || out->message.n;
}
