// Gemini generateContent: the dialect's table, its models, its addresses.

#include "relay/dialect/gemini.h"

#include <string.h>

#include "common/arena.h"
#include "common/http/http.h"
#include "relay/dialect/gemini_messages.h"
#include "relay/dialect/take.h"

#define SECOND .json_schema = true
#define BUDGET .thinking = THINKS_BUDGET, .json_schema = true, .addresses = true
#define THIRD                                                                                      \
    .json_schema = true, .json_with_tools = true, .signatures = true, .rich_results = true,        \
    .addresses = true
#define LEVEL .thinking = THINKS_LEVEL, THIRD

static const struct gemini_model models[] = {
    {"gemini-1", ""},
    {"gemini-2.5-pro", "", BUDGET, .least = 128, .most = 32768},
    {"gemini-2.5-flash-lite", "", BUDGET, .least = 512, .most = 24576, .off = true},
    {"gemini-2.5", "image", SECOND},
    {"gemini-2.5", "tts", SECOND},
    {"gemini-2.5", "", BUDGET, .least = 1, .most = 24576, .off = true},
    {"gemini-2", "", SECOND},
    {"gemini-3-", "image", THIRD},
    {"gemini-3.", "image", THIRD},
    {"gemini-3-pro", "", LEVEL},
    {"gemini-3-", "flash", LEVEL, .minimal = true, .medium = true},
    {"gemini-3.1-flash", "", LEVEL, .minimal = true, .medium = true},
    {"gemini-3.5-flash", "", LEVEL, .minimal = true, .medium = true},
    {"gemini-", "", LEVEL, .medium = true},
    {"gemma", "", .no_system = true},
    {"", "", SECOND}, // tuned ones and whatever a proxy calls its models
};

// "models/gemini-3-pro", "google/gemini-3-pro".
const struct gemini_model *gemini_model(const char *name)
{
    const char *slash = strrchr(name, '/');
    struct str own = str_of(slash ? slash + 1 : name);
    const struct gemini_model *m = models;
    while (!str_starts(own, m->begin) || !strstr(own.p, m->has))
        m++;
    return m;
}

static bool any_function(const struct chat_request *in)
{
    for (const struct chat_tool *t = in->tools; t; t = t->next)
        if (!t->hosted)
            return true;
    return false;
}

// Older models refuse functions together with JSON: there the prompt asks for it.
enum gemini_format gemini_format(const struct chat_request *in, const struct chat_target *to)
{
    if (in->format == FORMAT_TEXT)
        return GEMINI_FORMAT_NONE;
    const struct gemini_model *m = gemini_model(to->model);
    return any_function(in) && !m->json_with_tools ? GEMINI_FORMAT_PROMPT : GEMINI_FORMAT_NATIVE;
}

// --- members --------------------------------------------------------------------

static const char *snake(const char *camel, char *to, size_t most)
{
    size_t n = 0;
    for (; *camel && n + 3 < most; camel++) {
        bool upper = *camel >= 'A' && *camel <= 'Z';
        if (upper)
            to[n++] = '_';
        to[n++] = upper ? (char)(*camel - 'A' + 'a') : *camel;
    }
    to[n] = '\0';
    return to;
}

yyjson_val *gemini_at(yyjson_val *object, const char *camel)
{
    char other[64];
    yyjson_val *v = yyjson_obj_get(object, camel);
    if (!v)
        v = yyjson_obj_get(object, snake(camel, other, sizeof(other)));
    return yyjson_is_null(v) ? NULL : v;
}

struct str gemini_text(yyjson_val *object, const char *camel)
{
    yyjson_val *v = gemini_at(object, camel);
    return yyjson_is_str(v) ? (struct str){yyjson_get_str(v), yyjson_get_len(v)} : (struct str){0};
}

const char *gemini_name(struct arena *a, yyjson_val *object, const char *camel)
{
    char other[64];
    if (yyjson_obj_get(object, camel))
        return camel;
    return yyjson_obj_get(object, snake(camel, other, sizeof(other))) ? arena_strdup(a, other)
                                                                      : camel;
}

yyjson_val *gemini_body(yyjson_val *body)
{
    yyjson_val *inner = gemini_at(body, "generateContentRequest");
    return inner ? inner : body;
}

// --- the address ----------------------------------------------------------------

static struct err *read_head(struct arena *a, yyjson_val *body, struct chat_head *out)
{
    bool has = false;
    *out = (struct chat_head){.choices = 1, .wants_usage = true};
    if (!yyjson_is_obj(body))
        return err_new(a, &err_json_invalid, "not an object");
    TRY(json_no_duplicates(a, body));
    yyjson_val *config = gemini_at(gemini_body(body), "generationConfig");
    TRY(take_int(a, config, gemini_name(a, config, "maxOutputTokens"), &has, &out->max_output));
    TRY(take_int(a, config, gemini_name(a, config, "candidateCount"), &has, &out->choices));
    if (out->choices < 1 || out->choices > CHAT_CHOICES_MAX)
        return err_new(a, &err_field_invalid, "generationConfig.candidateCount");
    if (out->max_output < 0)
        return err_new(a, &err_field_invalid, "generationConfig.maxOutputTokens");
    return NULL;
}

// ".../models/NAME:ACTION"; the name may have slashes, escaped or not.
static struct err *read_path(struct arena *a, struct str path, struct str query,
                             struct chat_head *out)
{
    static const char mark[] = "/models/";
    const char *at = memmem(path.p, path.n, mark, sizeof(mark) - 1);
    const char *colon = memrchr(path.p, ':', path.n);
    if (!at || !colon || colon < at)
        return err_new(a, &err_field_missing, "model");
    const char *begin = at + sizeof(mark) - 1;
    struct str name = url_decode(a, (struct str){begin, (size_t)(colon - begin)}, false);
    if (str_starts(name, "models/"))
        name = str_skip(name, strlen("models/"));
    if (!utf8_valid(name))
        return err_new(a, &err_field_invalid, "model");
    out->model = arena_str(a, name);
    out->stream = str_starts((struct str){colon + 1, (size_t)(path.p + path.n - colon) - 1},
                             "streamGenerateContent");
    out->array = out->stream && !str_is(url_query(a, query, "alt"), "sse");
    return NULL;
}

static void write_stream_error(struct buf *out, const struct chat_error *e, const char *request_id)
{
    buf_puts(out, "data: ");
    gemini_write_error(out, e, request_id);
    buf_puts(out, "\n\n");
}

static void write_tokens(struct buf *out, int64_t tokens)
{
    struct json j = {.out = out};
    json_obj(&j, NULL);
    json_int(&j, "totalTokens", tokens);
    json_end(&j);
}

static const char *const signs[] = {"TokenCount\"", "\"finishReason\"", "\"error\"",
                                    "\"promptFeedback\"", NULL};

static const char *const alone[] = {"safetySettings", "safety_settings", "labels", NULL};

const struct dialect gemini_dialect = {
    .name = "gemini",
    .stream_type = "text/event-stream; charset=utf-8",
    .sign_of_life = "\n", // its SDKs take a comment for data
    .alone = alone,
    .read_head = read_head,
    .read_path = read_path,
    .parse_request = gemini_parse_request,
    .write_event = gemini_write_event,
    .write_answer = gemini_write_answer,
    .write_error = gemini_write_error,
    .write_stream_error = write_stream_error,
    .write_tokens = write_tokens,
    .wants_bytes = gemini_wants_bytes,
    .write_request = gemini_write_request,
    .read_frame = gemini_read_frame,
    .read_end = gemini_read_end,
    .read_whole = gemini_read_whole,
    .read_error = gemini_read_error,
    .signs = signs,
};
