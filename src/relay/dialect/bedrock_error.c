// AWS's errors, read and written: an exception's name and a message (bedrock.md 5.4, 7).

#include <string.h>

#include "common/arena.h"
#include "relay/dialect/bedrock.h"
#include "relay/dialect/openai.h"

// The first row of a name, or of a status, counts. `streamed`: as it may be called inside a stream.
static const struct {
    int status;
    const char *name, *streamed;
} exceptions[] = {
    {400, "ValidationException", "validationException"},
    {401, "UnrecognizedClientException", "validationException"},
    {402, "ServiceQuotaExceededException", "validationException"},
    {403, "AccessDeniedException", "validationException"},
    {403, "UnrecognizedClientException", ""},
    {403, "ExpiredTokenException", ""},
    {403, "InvalidSignatureException", ""},
    {403, "MissingAuthenticationTokenException", ""},
    {404, "ResourceNotFoundException", "validationException"},
    {408, "ModelTimeoutException", "modelStreamErrorException"},
    {504, "ModelTimeoutException", "modelStreamErrorException"},
    {409, "ConflictException", "validationException"},
    {424, "ModelErrorException", "modelStreamErrorException"},
    {424, "ModelStreamErrorException", ""},
    {429, "ThrottlingException", "throttlingException"},
    {429, "ModelNotReadyException", ""},
    {429, "TooManyRequestsException", ""},
    {500, "InternalServerException", "internalServerException"},
    {502, "ModelErrorException", "modelStreamErrorException"},
    {503, "ServiceUnavailableException", "serviceUnavailableException"},
    {529, "ServiceUnavailableException", "serviceUnavailableException"},
};

enum { EXCEPTIONS = sizeof(exceptions) / sizeof(*exceptions) };

// --- read -----------------------------------------------------------------------

// "com.amazon#ThrottlingException:http://..." is a ThrottlingException.
static struct str bare_name(struct str name)
{
    struct str rest = name, piece = name;
    str_next(&rest, ':', &piece);
    for (rest = piece; str_next(&rest, '#', &piece);)
        continue;
    return piece;
}

int bedrock_status(struct str exception)
{
    struct str name = bare_name(exception);
    if (str_is(name, "ServiceQuotaExceededException"))
        return 400;
    if (str_is(name, "UnrecognizedClientException"))
        return 403;
    if (str_is_nocase(name, "ModelErrorException") ||
        str_is_nocase(name, "ModelStreamErrorException"))
        return 502; // their 424 says that the model failed, which is no fault of the request
    for (size_t i = 0; i < EXCEPTIONS; i++)
        if (str_is_nocase(name, exceptions[i].name))
            return exceptions[i].status;
    return 0;
}

static bool says(struct str text, const char *words)
{
    return text.n && memmem(text.p, text.n, words, strlen(words));
}

// "Input is too long for requested model.", "prompt is too long: 203000 tokens > 200000 maximum".
static bool is_context(struct str message)
{
    return says(message, "too long") || says(message, "maximum context length");
}

bool bedrock_read_error(yyjson_val *body, struct chat_error *out)
{
    *out = (struct chat_error){0};
    struct str message = json_str_at(body, "message");
    if (!message.p)
        message = json_str_at(body, "Message");
    if (!message.p)
        return openai_read_error(body, out); // gateways in between
    out->type = bare_name(json_str_at(body, "__type"));
    out->message = message;
    out->status = out->type.n ? bedrock_status(out->type) : 0;
    if (is_context(message))
        out->code = STR("context_length_exceeded");
    return true;
}

// --- written --------------------------------------------------------------------

static size_t row_of(int status)
{
    size_t fallback = 0;
    for (size_t i = 0; i < EXCEPTIONS; i++) {
        if (exceptions[i].status == status)
            return i;
        if (exceptions[i].status == (status >= 500 ? 500 : 400))
            fallback = i;
    }
    return fallback;
}

const char *bedrock_exception(const struct chat_error *e)
{
    if (str_is(e->code, "invalid_api_key"))
        return "UnrecognizedClientException";
    if (str_is(e->code, "insufficient_quota"))
        return "ServiceQuotaExceededException";
    return exceptions[row_of(e->status)].name;
}

static void write_message(struct json *j, const struct chat_error *e)
{
    BUF_HERE(words, (size_t)1 << 20);
    if (str_is(e->code, "context_length_exceeded") && !says(e->message, "too long"))
        buf_puts(&words, "Input is too long for requested model: ");
    buf_str(&words, e->message.n ? e->message : STR("The request failed."));
    json_strn(j, "message", buf_view(&words));
}

void bedrock_write_error(struct buf *out, const struct chat_error *e, const char *request_id)
{
    (void)request_id; // travels in the header x-request-id
    struct json j = {.out = out};
    json_obj(&j, NULL);
    json_str(&j, "__type", bedrock_exception(e));
    write_message(&j, e);
    json_end(&j);
}

void bedrock_write_stream_error(struct buf *out, const struct chat_error *e, const char *request_id)
{
    const char *name = exceptions[row_of(e->status)].streamed;
    (void)request_id;
    BUF_HERE(payload, (size_t)2 << 20);
    struct json j = {.out = &payload};
    json_obj(&j, NULL);
    write_message(&j, e);
    if (!strcmp(name, "modelStreamErrorException"))
        json_int(&j, "originalStatusCode", e->status);
    json_end(&j);
    aws_eventstream_write(out, "exception", name, buf_view(&payload));
}
