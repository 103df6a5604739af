// Amazon Bedrock's Converse: the dialect's table, its models, its addresses.

#include "relay/dialect/bedrock.h"

#include <string.h>

#include "common/arena.h"
#include "common/crypto.h"
#include "common/http/http.h"
#include "relay/dialect/carry.h"
#include "relay/dialect/schema.h"
#include "relay/dialect/take.h"

#define CLAUDE .thinking = BEDROCK_THINKS_CLAUDE, .caches = true

static const struct bedrock_model models[] = {
    {"claude-opus-4-5", CLAUDE, .schema = true},
    {"claude-sonnet-4-5", CLAUDE, .schema = true},
    {"claude-haiku-4-5", CLAUDE, .schema = true},
    {"claude-opus-4-6", CLAUDE, .schema = true},
    {"claude-sonnet-4-6", CLAUDE, .schema = true},
    {"claude-", CLAUDE},
    {"nova-2", BEDROCK_THINKS_NOVA, .caches = true},
    {"nova-", .caches = true, .tags = true},
    {"gpt-oss", BEDROCK_THINKS_EFFORT, .schema = true},
    {"qwen", BEDROCK_THINKS_QWEN, .schema = true},
    {"deepseek.r1", .no_force = true},
    {"deepseek", .schema = true},
    {"moonshot", .schema = true},
    {"minimax", .schema = true},
    {"mistral", .alone = true, .short_ids = true},
    {"llama", .alone = true, .no_force = true},
    {"writer", .no_status = true},
    {""}, // application profiles do not tell what they are
};

// "us.anthropic.claude-sonnet-4-5-20250929-v1:0", "amazon.nova-pro-v1:0", an ARN with either.
const struct bedrock_model *bedrock_model(const char *id)
{
    const struct bedrock_model *m = models;
    while (!strstr(id, m->sign))
        m++;
    return m;
}

bool bedrock_is_claude(const struct bedrock_model *m)
{
    return m->thinking == BEDROCK_THINKS_CLAUDE;
}

// Without a native form a forced tool does it, unless other tools or thinking are in the way.
enum claude_format bedrock_format(const struct chat_request *in, const struct chat_target *to)
{
    const struct bedrock_model *m = bedrock_model(to->model);
    if (in->format == FORMAT_TEXT || in->owner == &bedrock_dialect)
        return CLAUDE_FORMAT_NONE; // its own words ride along
    if (in->format == FORMAT_JSON || !schema_is_object(in->schema))
        return CLAUDE_FORMAT_PROMPT;
    if (m->schema)
        return CLAUDE_FORMAT_NATIVE;
    bool unforced = m->no_force || (bedrock_is_claude(m) && claude_model(to->model)->no_force);
    return in->tools || unforced || claude_wants_thinking(in) ? CLAUDE_FORMAT_PROMPT
                                                              : CLAUDE_FORMAT_TOOL;
}

const char *bedrock_state(struct arena *a, const struct dialect *owner, struct str state,
                          bool redacted)
{
    struct str shown = carry_for(a, &bedrock_dialect, owner, state, redacted);
    return redacted && carry_is(shown) ? base64_text(a, shown.p, shown.n) : arena_str(a, shown);
}

yyjson_val *bedrock_body(yyjson_val *body)
{
    yyjson_val *inner = yyjson_obj_get(yyjson_obj_get(body, "input"), "converse");
    return yyjson_is_obj(inner) ? inner : body;
}

const char *bedrock_kind(yyjson_val *block, yyjson_val **value)
{
    size_t i, max;
    yyjson_val *key, *member;
    yyjson_obj_foreach(block, i, max, key, member)
    {
        if (yyjson_is_null(member))
            continue;
        *value = member;
        return yyjson_get_str(key);
    }
    return NULL;
}

// --- the address ----------------------------------------------------------------

static struct err *read_head(struct arena *a, yyjson_val *body, struct chat_head *out)
{
    bool has = false;
    *out = (struct chat_head){.choices = 1, .wants_usage = true};
    if (!yyjson_is_obj(body))
        return err_new(a, &err_json_invalid, "not an object");
    TRY(json_no_duplicates(a, body));
    yyjson_val *config = yyjson_obj_get(bedrock_body(body), "inferenceConfig");
    if (config && !yyjson_is_null(config) && !yyjson_is_obj(config))
        return err_new(a, &err_field_invalid, "inferenceConfig");
    if (config)
        TRY(json_no_duplicates(a, config));
    TRY(take_int(a, config, "maxTokens", &has, &out->max_output));
    return out->max_output < 0 ? err_new(a, &err_field_invalid, "inferenceConfig.maxTokens") : NULL;
}

// "/model/ID/converse-stream"; the id is one segment, escaped.
static struct err *read_path(struct arena *a, struct str path, struct str query,
                             struct chat_head *out)
{
    static const char mark[] = "/model/";
    (void)query;
    while (path.n > 1 && path.p[path.n - 1] == '/')
        path.n--;
    const char *at = memmem(path.p, path.n, mark, sizeof(mark) - 1);
    const char *slash = memrchr(path.p, '/', path.n);
    const char *begin = at ? at + sizeof(mark) - 1 : NULL;
    if (!at || slash < begin)
        return err_new(a, &err_field_missing, "modelId");
    struct str name = url_decode(a, (struct str){begin, (size_t)(slash - begin)}, false);
    if (!name.n || !utf8_valid(name))
        return err_new(a, &err_field_invalid, "modelId");
    out->model = arena_str(a, name);
    out->stream =
        str_is((struct str){slash, (size_t)(path.p + path.n - slash)}, "/converse-stream");
    return NULL;
}

static void write_tokens(struct buf *out, int64_t tokens)
{
    struct json j = {.out = out};
    json_obj(&j, NULL);
    json_int(&j, "inputTokens", tokens);
    json_end(&j);
}

static const char *const signs[] = {"messageStop", "metadata", ":exception-type", ":error-code",
                                    NULL};

static const char *const alone[] = {"guardrailConfig", "performanceConfig", "requestMetadata",
                                    NULL};

static bool wants_bytes(const struct chat_target *to, const struct chat_part *p)
{
    (void)to;
    return p->kind == PART_IMAGE || p->kind == PART_FILE;
}

const struct dialect bedrock_dialect = {
    .name = "bedrock",
    .stream_type = "application/vnd.amazon.eventstream",
    .id_header = "x-amzn-requestid",
    .alone = alone,
    .error_header = "x-amzn-errortype",
    .error_type = bedrock_exception,
    .read_head = read_head,
    .read_path = read_path,
    .parse_request = bedrock_parse_request,
    .write_event = bedrock_write_event,
    .write_answer = bedrock_write_answer,
    .write_error = bedrock_write_error,
    .write_stream_error = bedrock_write_stream_error,
    .write_tokens = write_tokens,
    .wants_bytes = wants_bytes,
    .write_request = bedrock_write_request,
    .read_frame = bedrock_read_frame,
    .read_end = bedrock_read_end,
    .read_whole = bedrock_read_whole,
    .read_error = bedrock_read_error,
    .signs = signs,
};
