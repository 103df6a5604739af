// A messages request of a caller becomes the canonical conversation.

#include <string.h>

#include "common/arena.h"
#include "relay/dialect/carry.h"
#include "relay/dialect/claude.h"
#include "relay/dialect/media.h"
#include "relay/dialect/openai.h"
#include "relay/dialect/take.h"

static const char *cache_marker(yyjson_val *block)
{
    yyjson_val *marker = yyjson_obj_get(block, "cache_control");
    if (!yyjson_is_obj(marker))
        return NULL;
    const char *ttl = json_text_at(marker, "ttl");
    return ttl ? ttl : "5m";
}

static struct err *read_blocks(struct arena *a, yyjson_val *content, struct chat_part ***end);

static struct err *read_text(struct arena *a, yyjson_val *in, struct chat_part *p)
{
    (void)a;
    p->text = json_str_at(in, "text");
    return NULL;
}

static struct err *read_image(struct arena *a, yyjson_val *in, struct chat_part *p)
{
    yyjson_val *source = yyjson_obj_get(in, "source");
    (void)a;
    p->url = json_str_at(source, "url");
    p->file_id = json_str_at(source, "file_id");
    p->data = json_str_at(source, "data");
    p->mime = json_str_at(source, "media_type");
    return NULL;
}

static struct err *read_document(struct arena *a, yyjson_val *in, struct chat_part *p)
{
    yyjson_val *source = yyjson_obj_get(in, "source");
    const char *type = json_text_at(source, "type");
    TRY(read_image(a, in, p));
    p->name = json_text_at(in, "title");
    p->cited = json_bool_at(yyjson_obj_get(in, "citations"), "enabled", false);
    if (text_eq(type, "text")) {
        p->text = p->data;
        p->data = (struct str){0};
    } else if (text_eq(type, "content")) {
        struct chat_part *inner = NULL, **end = &inner;
        TRY(read_blocks(a, yyjson_obj_get(source, "content"), &end));
        p->text = parts_text(a, inner, "\n");
    }
    return NULL;
}

static struct err *read_found(struct arena *a, yyjson_val *in, struct chat_part *p)
{
    struct chat_part *inner = NULL, **end = &inner;
    TRY(read_blocks(a, yyjson_obj_get(in, "content"), &end));
    p->text = found_text(a, json_str_at(in, "title"), json_str_at(in, "source"), inner);
    return NULL;
}

static struct err *read_call(struct arena *a, yyjson_val *in, struct chat_part *p)
{
    yyjson_val *input = yyjson_obj_get(in, "input");
    p->id = json_text_at(in, "id");
    p->name = json_text_at(in, "name");
    p->text = yyjson_is_obj(input) ? json_text_of(a, input) : STR("{}");
    return NULL;
}

static struct err *read_result(struct arena *a, yyjson_val *in, struct chat_part *p)
{
    struct chat_part **end = &p->parts;
    p->id = json_text_at(in, "tool_use_id");
    p->is_error = json_bool_at(in, "is_error", false);
    return read_blocks(a, yyjson_obj_get(in, "content"), &end);
}

static struct err *read_thinking(struct arena *a, yyjson_val *in, struct chat_part *p)
{
    struct str text = json_str_at(in, "thinking");
    p->signature = json_str_at(in, "signature");
    p->redacted = json_str_at(in, "data");
    struct str carried = p->signature.n ? p->signature : p->redacted;
    if (carry_is(carried)) {
        p->signature = p->redacted = (struct str){0};
        p->raw = NULL;
        carry_open(a, carried, p);
    }
    p->text = text.n ? text : p->text;
    return NULL;
}

static const struct {
    const char *type;
    enum part_kind kind;
    struct err *(*read)(struct arena *a, yyjson_val *in, struct chat_part *p);
} kinds[] = {
    {"text", PART_TEXT, read_text},
    {"image", PART_IMAGE, read_image},
    {"document", PART_FILE, read_document},
    {"search_result", PART_TEXT, read_found},
    {"tool_use", PART_TOOL_CALL, read_call},
    {"tool_result", PART_TOOL_RESULT, read_result},
    {"thinking", PART_THINKING, read_thinking},
    {"redacted_thinking", PART_THINKING, read_thinking},
};

static struct err *read_block(struct arena *a, yyjson_val *in, struct chat_part ***end)
{
    const char *type = json_text_at(in, "type");
    if (!type)
        return err_new(a, &err_field_invalid, "messages.content.type");
    if (!strcmp(type, "text") && json_str_at(in, "text").n == 0)
        return NULL; // the provider refuses them, other clients' histories have them
    size_t i = 0, count = sizeof(kinds) / sizeof(*kinds);
    while (i < count && strcmp(kinds[i].type, type) != 0)
        i++;
    struct chat_part *p = part_add(a, end, i < count ? kinds[i].kind : PART_RAW);
    p->raw = in;
    p->owner = &claude_dialect;
    p->cache_ttl = cache_marker(in);
    return i < count ? kinds[i].read(a, in, p) : NULL;
}

static struct err *read_blocks(struct arena *a, yyjson_val *content, struct chat_part ***end)
{
    return take_content(a, content, "messages.content", read_block, end);
}

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
    TRY(read_blocks(a, yyjson_obj_get(body, "system"), &system_end));
    TRY(take_list(a, body, "messages", &list));
    if (!list)
        return err_new(a, &err_field_missing, "messages");
    yyjson_arr_foreach(list, i, max, in) TRY(read_message(a, in, i, &end));
    return NULL;
}

static struct err *read_tools(struct arena *a, yyjson_val *body, struct chat_request *out)
{
    size_t i, max;
    yyjson_val *list, *in;
    struct chat_tool **end = &out->tools;
    TRY(take_list(a, body, "tools", &list));
    yyjson_arr_foreach(list, i, max, in)
    {
        const char *type = json_text_at(in, "type");
        yyjson_val *strict = yyjson_obj_get(in, "strict");
        struct chat_tool *t = NEW(a, struct chat_tool);
        *t = (struct chat_tool){
            .name = json_text_at(in, "name"),
            .description = json_text_at(in, "description"),
            .schema = yyjson_obj_get(in, "input_schema"),
            .strict = yyjson_get_bool(strict),
            .strict_said = yyjson_is_bool(strict),
            .cache_ttl = cache_marker(in),
            .raw = in,
            .owner = &claude_dialect,
            .hosted = type && strcmp(type, "custom") != 0,
        };
        if (!t->hosted && text_is_empty(t->name))
            return err_new(a, &err_field_invalid, "tools[%zu].name", i);
        *end = t;
        end = &t->next;
    }
    return NULL;
}

static const struct {
    const char *name;
    enum tool_choice choice;
} choices[] = {
    {"auto", CHOICE_AUTO}, {"none", CHOICE_NONE}, {"any", CHOICE_ANY}, {"tool", CHOICE_NAMED}};

static void read_choice(yyjson_val *body, struct chat_request *out)
{
    yyjson_val *in = yyjson_obj_get(body, "tool_choice");
    const char *type = json_text_at(in, "type");
    for (size_t i = 0; type && i < sizeof(choices) / sizeof(*choices); i++)
        if (!strcmp(type, choices[i].name))
            out->choice = choices[i].choice;
    out->choice_name = json_text_at(in, "name");
    if (out->choice == CHOICE_NAMED && !out->choice_name)
        out->choice = CHOICE_ANY;
    out->parallel = json_bool_at(in, "disable_parallel_tool_use", false) ? 0 : -1;
}

static struct err *read_thinking_switch(struct arena *a, yyjson_val *body, struct chat_request *out)
{
    yyjson_val *thinking = yyjson_obj_get(body, "thinking");
    yyjson_val *config = yyjson_obj_get(body, "output_config");
    const char *type = json_text_at(thinking, "type");
    out->effort = effort_by_name(json_text_at(config, "effort"));
    out->thinking_display = json_text_at(thinking, "display");
    if (text_eq(type, "disabled"))
        out->effort = EFFORT_NONE;
    if (text_eq(type, "adaptive"))
        out->thinking_adaptive = true;
    if (!text_eq(type, "enabled"))
        return NULL;
    out->thinking_budget = json_int_at(thinking, "budget_tokens", 0);
    bool fits = out->thinking_budget >= 1024 &&
                (!out->head.max_output || out->thinking_budget < out->head.max_output);
    return fits ? NULL : err_new(a, &err_field_invalid, "thinking.budget_tokens");
}

static void read_format(yyjson_val *body, struct chat_request *out)
{
    yyjson_val *format = yyjson_obj_get(yyjson_obj_get(body, "output_config"), "format");
    if (!yyjson_is_obj(format))
        format = yyjson_obj_get(body, "output_format"); // its beta name
    out->schema = yyjson_obj_get(format, "schema");
    if (yyjson_is_obj(out->schema))
        out->format = FORMAT_SCHEMA;
}

static struct err *read_scalars(struct arena *a, yyjson_val *body, struct chat_request *out)
{
    static const struct sampling_names names = {
        .temperature = "temperature", .top_p = "top_p", .top_k = "top_k", .stop = "stop_sequences"};
    TRY(take_sampling(a, body, &names, out));
    TRY(take_text(a, body, "service_tier", &out->tier));
    out->user = json_text_at(yyjson_obj_get(body, "metadata"), "user_id");
    out->logprobs = -1;
    return NULL;
}

struct err *claude_parse_request(struct arena *a, yyjson_val *body, struct chat_request *out)
{
    *out = (struct chat_request){.body = body, .owner = &claude_dialect};
    TRY(claude_dialect.read_head(a, body, &out->head));
    TRY(read_messages(a, body, out));
    TRY(read_tools(a, body, out));
    read_choice(body, out);
    TRY(read_thinking_switch(a, body, out));
    read_format(body, out);
    return read_scalars(a, body, out);
}
