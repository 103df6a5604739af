// A Converse request of a caller becomes the canonical conversation.

#include <string.h>

#include "common/arena.h"
#include "common/crypto.h"
#include "relay/dialect/bedrock.h"
#include "relay/dialect/carry.h"
#include "relay/dialect/media.h"
#include "relay/dialect/openai.h"
#include "relay/dialect/take.h"

static struct err *invalid(struct arena *a, const char *field)
{
    return err_new(a, &err_field_invalid, "%s", field);
}

static struct str text_of(yyjson_val *v)
{
    return yyjson_is_str(v) ? (struct str){yyjson_get_str(v), yyjson_get_len(v)} : (struct str){0};
}

// --- blocks ---------------------------------------------------------------------

static struct err *read_blocks(struct arena *a, yyjson_val *list, struct chat_part ***end);

static struct err *read_text(struct arena *a, yyjson_val *in, struct chat_part *p)
{
    p->text = text_of(in);
    return p->text.p ? NULL : invalid(a, "messages.content.text");
}

// What lies in S3 only AWS can read: it stays a reference.
static struct err *read_media(struct arena *a, yyjson_val *in, struct chat_part *p)
{
    yyjson_val *source = yyjson_obj_get(in, "source");
    p->detail = p->kind == PART_AUDIO ? json_text_at(in, "format") : NULL;
    p->data = media_base64(a, json_str_at(source, "bytes"));
    p->mime = media_mime(p->data, media_of_format(json_text_at(in, "format")));
    p->file_id = json_str_at(yyjson_obj_get(source, "s3Location"), "uri");
    return NULL;
}

static struct err *read_document(struct arena *a, yyjson_val *in, struct chat_part *p)
{
    yyjson_val *source = yyjson_obj_get(in, "source");
    yyjson_val *content = yyjson_obj_get(source, "content");
    TRY(read_media(a, in, p));
    p->name = json_text_at(in, "name");
    p->text = json_str_at(source, "text");
    p->cited = json_bool_at(yyjson_obj_get(in, "citations"), "enabled", false);
    if (yyjson_is_arr(content)) {
        struct chat_part *inner = NULL, **end = &inner;
        TRY(read_blocks(a, content, &end));
        p->text = parts_text(a, inner, "\n");
    }
    return NULL;
}

static struct err *read_call(struct arena *a, yyjson_val *in, struct chat_part *p)
{
    yyjson_val *input = yyjson_obj_get(in, "input");
    p->id = json_text_at(in, "toolUseId");
    p->name = json_text_at(in, "name");
    p->text = yyjson_is_obj(input) ? json_text_of(a, input) : STR("{}");
    return text_is_empty(p->name) ? invalid(a, "messages.content.toolUse.name") : NULL;
}

static struct err *read_result(struct arena *a, yyjson_val *in, struct chat_part *p)
{
    struct chat_part **end = &p->parts;
    p->id = json_text_at(in, "toolUseId");
    p->is_error = text_eq(json_text_at(in, "status"), "error");
    return read_blocks(a, yyjson_obj_get(in, "content"), &end);
}

static struct err *read_json(struct arena *a, yyjson_val *in, struct chat_part *p)
{
    p->text = json_text_of(a, in);
    return NULL;
}

// "redactedContent" is base64: what is carried for others is text inside of it.
static struct err *read_thinking(struct arena *a, yyjson_val *in, struct chat_part *p)
{
    yyjson_val *reasoning = yyjson_obj_get(in, "reasoningText");
    struct str text = json_str_at(reasoning, "text");
    p->signature = json_str_at(reasoning, "signature");
    p->redacted = json_str_at(in, "redactedContent");
    struct str carried = p->signature;
    if (p->redacted.n)
        carried = base64_bytes(a, p->redacted);
    if (carried.n && carry_is(carried)) {
        p->signature = p->redacted = (struct str){0};
        p->raw = NULL;
        carry_open(a, carried, p);
    }
    p->text = text.n ? text : p->text;
    return NULL;
}

// Text that a guardrail looks at, or that cites its sources: to others it is text.
static struct err *read_guarded(struct arena *a, yyjson_val *in, struct chat_part *p)
{
    (void)a;
    p->text = json_str_at(yyjson_obj_get(in, "text"), "text");
    return NULL;
}

static struct err *read_found(struct arena *a, yyjson_val *in, struct chat_part *p)
{
    struct chat_part *inner = NULL, **end = &inner;
    TRY(read_blocks(a, yyjson_obj_get(in, "content"), &end));
    p->text = found_text(a, json_str_at(in, "title"), json_str_at(in, "source"), inner);
    return NULL;
}

static struct err *read_cited(struct arena *a, yyjson_val *in, struct chat_part *p)
{
    struct chat_part *inner = NULL, **end = &inner;
    TRY(read_blocks(a, yyjson_obj_get(in, "content"), &end));
    p->text = parts_text(a, inner, "");
    return NULL;
}

static const struct {
    const char *name;
    enum part_kind kind;
    struct err *(*read)(struct arena *a, yyjson_val *in, struct chat_part *p);
} kinds[] = {
    {"text", PART_TEXT, read_text},
    {"image", PART_IMAGE, read_media},
    {"document", PART_FILE, read_document},
    {"audio", PART_AUDIO, read_media},
    {"toolUse", PART_TOOL_CALL, read_call},
    {"toolResult", PART_TOOL_RESULT, read_result},
    {"json", PART_TEXT, read_json},
    {"reasoningContent", PART_THINKING, read_thinking},
    {"guardContent", PART_TEXT, read_guarded},
    {"citationsContent", PART_TEXT, read_cited},
    {"searchResult", PART_TEXT, read_found},
};

static const char *ttl_of(yyjson_val *point)
{
    const char *ttl = json_text_at(point, "ttl");
    return ttl ? ttl : "5m";
}

static struct err *read_block(struct arena *a, yyjson_val *in, struct chat_part ***end)
{
    yyjson_val *value = NULL;
    const char *name = bedrock_kind(in, &value);
    if (!name)
        return invalid(a, "messages.content");
    size_t i = 0, count = sizeof(kinds) / sizeof(*kinds);
    while (i < count && strcmp(kinds[i].name, name) != 0)
        i++;
    struct chat_part *p = part_add(a, end, i < count ? kinds[i].kind : PART_RAW);
    p->raw = in;
    p->owner = &bedrock_dialect;
    return i < count ? kinds[i].read(a, value, p) : NULL;
}

static bool is_cache_point(yyjson_val *in, const char **ttl)
{
    yyjson_val *point = yyjson_obj_get(in, "cachePoint");
    *ttl = point ? ttl_of(point) : NULL;
    return yyjson_is_obj(point);
}

// A cache point marks the block in front of it.
static struct err *read_blocks(struct arena *a, yyjson_val *list, struct chat_part ***end)
{
    size_t i, max;
    yyjson_val *in;
    struct chat_part *last = NULL;
    const char *ttl;
    if (list && !yyjson_is_null(list) && !yyjson_is_arr(list))
        return invalid(a, "messages.content");
    yyjson_arr_foreach(list, i, max, in)
    {
        struct chat_part **slot = *end;
        bool point = is_cache_point(in, &ttl);
        if (point && last)
            last->cache_ttl = ttl;
        if (point)
            continue;
        TRY(read_block(a, in, end));
        last = *slot;
    }
    return NULL;
}

// --- messages -------------------------------------------------------------------

static struct err *read_message(struct arena *a, yyjson_val *in, size_t at,
                                struct chat_message ***end)
{
    enum chat_role role = ROLE_USER;
    TRY(take_role(a, in, at, &role));
    struct chat_message *m = message_add(a, end, role);
    struct chat_part **parts = &m->parts;
    TRY(read_blocks(a, yyjson_obj_get(in, "content"), &parts));
    if (m->role == ROLE_USER)
        results_split(a, m, end);
    return NULL;
}

static struct err *read_messages(struct arena *a, yyjson_val *body, struct chat_request *out)
{
    size_t i, max;
    yyjson_val *list, *in;
    struct chat_part **system_end = &out->system;
    struct chat_message **end = &out->messages;
    TRY(take_list(a, body, "system", &list));
    TRY(read_blocks(a, list, &system_end));
    TRY(take_list(a, body, "messages", &list));
    if (!list)
        return err_new(a, &err_field_missing, "messages");
    yyjson_arr_foreach(list, i, max, in) TRY(read_message(a, in, i, &end));
    return NULL;
}

// --- tools ----------------------------------------------------------------------

static struct err *read_tool(struct arena *a, yyjson_val *in, size_t at, struct chat_tool *t)
{
    yyjson_val *spec = yyjson_obj_get(in, "toolSpec"), *strict = yyjson_obj_get(spec, "strict");
    *t = (struct chat_tool){
        .name = json_text_at(spec, "name"),
        .description = json_text_at(spec, "description"),
        .schema = yyjson_obj_get(yyjson_obj_get(spec, "inputSchema"), "json"),
        .strict = yyjson_get_bool(strict),
        .strict_said = yyjson_is_bool(strict),
        .raw = in,
        .owner = &bedrock_dialect,
        .hosted = !spec, // systemTool: AWS's own
    };
    if (spec && text_is_empty(t->name))
        return err_new(a, &err_field_invalid, "toolConfig.tools[%zu].toolSpec.name", at);
    return NULL;
}

static struct err *read_tools(struct arena *a, yyjson_val *config, struct chat_request *out)
{
    size_t i, max;
    yyjson_val *list, *in;
    struct chat_tool **end = &out->tools, *last = NULL;
    const char *ttl;
    TRY(take_list(a, config, "tools", &list));
    yyjson_arr_foreach(list, i, max, in)
    {
        if (is_cache_point(in, &ttl)) {
            if (last)
                last->cache_ttl = ttl;
            continue;
        }
        last = NEW(a, struct chat_tool);
        TRY(read_tool(a, in, i, last));
        *end = last;
        end = &last->next;
    }
    return NULL;
}

static const struct {
    const char *name;
    enum tool_choice choice;
} choices[] = {{"auto", CHOICE_AUTO}, {"any", CHOICE_ANY}, {"tool", CHOICE_NAMED}};

static void read_choice(yyjson_val *config, struct chat_request *out)
{
    yyjson_val *value = NULL;
    const char *name = bedrock_kind(yyjson_obj_get(config, "toolChoice"), &value);
    for (size_t i = 0; name && i < sizeof(choices) / sizeof(*choices); i++)
        if (!strcmp(name, choices[i].name))
            out->choice = choices[i].choice;
    out->choice_name = json_text_at(value, "name");
    if (out->choice == CHOICE_NAMED && !out->choice_name)
        out->choice = CHOICE_ANY;
}

// --- how to think ---------------------------------------------------------------

static struct err *read_thinking_switch(struct arena *a, yyjson_val *fields,
                                        struct chat_request *out)
{
    yyjson_val *thinking = yyjson_obj_get(fields, "thinking");
    const char *type = json_text_at(thinking, "type");
    out->thinking_display = json_text_at(thinking, "display");
    if (text_eq(type, "disabled"))
        out->effort = EFFORT_NONE;
    if (text_eq(type, "adaptive"))
        out->thinking_adaptive = true;
    if (!text_eq(type, "enabled"))
        return NULL;
    out->thinking_budget = json_int_at(thinking, "budget_tokens", 0);
    return out->thinking_budget > 0
               ? NULL
               : invalid(a, "additionalModelRequestFields.thinking.budget_tokens");
}

// Each family has words of its own for it (bedrock.md 5.1).
static void read_effort(yyjson_val *fields, struct chat_request *out)
{
    yyjson_val *nova = yyjson_obj_get(fields, "reasoningConfig");
    const char *const said[] = {
        json_text_at(yyjson_obj_get(fields, "output_config"), "effort"),
        json_text_at(fields, "reasoning_effort"),
        json_text_at(fields, "reasoning_config"),
        text_eq(json_text_at(nova, "type"), "disabled") ? "none"
                                                        : json_text_at(nova, "maxReasoningEffort"),
    };
    for (size_t i = 0; i < sizeof(said) / sizeof(*said) && out->effort == EFFORT_UNSAID; i++)
        out->effort = effort_by_name(said[i]);
}

static struct err *read_fields(struct arena *a, yyjson_val *body, struct chat_request *out)
{
    yyjson_val *fields = yyjson_obj_get(body, "additionalModelRequestFields");
    yyjson_val *choice = yyjson_obj_get(fields, "tool_choice");
    TRY(take_int(a, fields, "top_k", &out->has_top_k, &out->top_k));
    if (!out->has_top_k)
        TRY(take_int(a, yyjson_obj_get(fields, "inferenceConfig"), "topK", &out->has_top_k,
                     &out->top_k));
    out->parallel = json_bool_at(choice, "disable_parallel_tool_use", false) ? 0 : -1;
    TRY(read_thinking_switch(a, fields, out));
    read_effort(fields, out);
    return NULL;
}

// --- the rest -------------------------------------------------------------------

// The schema is JSON inside a text.
static struct err *read_format(struct arena *a, yyjson_val *body, struct chat_request *out)
{
    yyjson_val *config = yyjson_obj_get(body, "outputConfig");
    yyjson_val *format = yyjson_obj_get(config, "textFormat");
    yyjson_val *schema = yyjson_obj_get(yyjson_obj_get(format, "structure"), "jsonSchema");
    struct str text = json_str_at(schema, "schema");
    if (out->effort == EFFORT_UNSAID)
        out->effort = effort_by_name(json_text_at(config, "effort"));
    if (!text.n)
        return NULL;
    if (json_read(a, text, &out->schema) || !yyjson_is_obj(out->schema))
        return invalid(a, "outputConfig.textFormat.structure.jsonSchema.schema");
    out->format = FORMAT_SCHEMA;
    out->schema_name = json_text_at(schema, "name");
    out->schema_description = json_text_at(schema, "description");
    return NULL;
}

static struct err *read_scalars(struct arena *a, yyjson_val *body, struct chat_request *out)
{
    yyjson_val *config = yyjson_obj_get(body, "inferenceConfig");
    static const struct sampling_names names = {
        .temperature = "temperature", .top_p = "topP", .stop = "stopSequences"};
    TRY(take_sampling(a, config, &names, out));
    out->tier = json_text_at(yyjson_obj_get(body, "serviceTier"), "type");
    if (yyjson_obj_size(yyjson_obj_get(body, "promptVariables")))
        out->kept = "promptVariables"; // of a prompt that is stored at AWS
    out->logprobs = -1;
    return NULL;
}

struct err *bedrock_parse_request(struct arena *a, yyjson_val *body, struct chat_request *out)
{
    *out = (struct chat_request){.body = bedrock_body(body), .owner = &bedrock_dialect};
    TRY(bedrock_dialect.read_head(a, body, &out->head));
    body = out->body;
    yyjson_val *tools = yyjson_obj_get(body, "toolConfig");
    TRY(read_messages(a, body, out));
    TRY(read_tools(a, tools, out));
    read_choice(tools, out);
    TRY(read_fields(a, body, out));
    TRY(read_format(a, body, out));
    return read_scalars(a, body, out);
}
