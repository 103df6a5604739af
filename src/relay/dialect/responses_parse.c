// A Responses request of a caller becomes the canonical conversation.

#include <string.h>

#include "common/arena.h"
#include "relay/dialect/carry.h"
#include "relay/dialect/custom.h"
#include "relay/dialect/media.h"
#include "relay/dialect/openai.h"
#include "relay/dialect/responses.h"
#include "relay/dialect/take.h"

struct parse {
    struct arena *a;
    struct chat_request *out;
    struct chat_part **system_end;
    struct chat_message **end;
    struct chat_message *turn; // the assistant's, whose items follow each other
    struct chat_part **turn_end;
};

// --- content parts --------------------------------------------------------------

static void read_image(struct arena *a, yyjson_val *in, struct chat_part *p)
{
    const char *detail = json_text_at(in, "detail");
    p->detail = text_eq(detail, "original") ? "high" : detail;
    p->file_id = json_str_at(in, "file_id");
    media_from_url(a, json_str_at(in, "image_url"), p);
}

static void read_file(struct arena *a, yyjson_val *in, struct chat_part *p)
{
    p->name = json_text_at(in, "filename");
    p->file_id = json_str_at(in, "file_id");
    p->url = json_str_at(in, "file_url");
    media_from_file(a, json_str_at(in, "file_data"), p);
}

static const struct part_row kinds[] = {
    {"input_text", PART_TEXT, openai_read_text},    {"output_text", PART_TEXT, openai_read_text},
    {"text", PART_TEXT, openai_read_text},          {"refusal", PART_REFUSAL, openai_read_text},
    {"input_image", PART_IMAGE, read_image},        {"input_file", PART_FILE, read_file},
    {"input_audio", PART_AUDIO, openai_read_audio}, {0},
};

static struct err *read_part(struct arena *a, yyjson_val *in, struct chat_part ***end)
{
    if (!part_is_nothing(in))
        part_read(a, in, kinds, &responses_dialect, end);
    return NULL;
}

static struct err *read_content(struct arena *a, yyjson_val *content, struct chat_part ***end)
{
    return take_content(a, content, "input.content", read_part, end);
}

// --- items ----------------------------------------------------------------------

static struct chat_part ***turn(struct parse *p)
{
    if (!p->turn) {
        p->turn = message_add(p->a, &p->end, ROLE_ASSISTANT);
        p->turn_end = &p->turn->parts;
    }
    return &p->turn_end;
}

static struct err *read_message(struct parse *p, yyjson_val *in)
{
    static const struct {
        const char *name;
        enum chat_role role;
    } roles[] = {{"user", ROLE_USER},
                 {"assistant", ROLE_ASSISTANT},
                 {"developer", ROLE_SYSTEM},
                 {"system", ROLE_SYSTEM}};
    const char *name = json_text_at(in, "role");
    yyjson_val *content = yyjson_obj_get(in, "content");
    size_t i = 0, count = sizeof(roles) / sizeof(*roles);
    while (i < count && !text_eq(roles[i].name, name))
        i++;
    if (i == count)
        return err_new(p->a, &err_field_invalid, "input.role");
    if (roles[i].role == ROLE_ASSISTANT)
        return read_content(p->a, content, turn(p));
    p->turn = NULL;
    if (roles[i].role == ROLE_SYSTEM && !p->out->messages)
        return read_content(p->a, content, &p->system_end);
    struct chat_part **end = &message_add(p->a, &p->end, roles[i].role)->parts;
    return read_content(p->a, content, &end);
}

const char *responses_joined(struct arena *a, const char *space, const char *name)
{
    if (text_is_empty(space) || !name)
        return name;
    const char *gap = space[strlen(space) - 1] == '_' ? "" : "__";
    return arena_printf(a, "%s%s%s", space, gap, name);
}

static struct err *read_call(struct parse *p, yyjson_val *in)
{
    struct chat_part *call = part_add(p->a, turn(p), PART_TOOL_CALL);
    call->id = json_text_at(in, "call_id");
    call->name = responses_joined(p->a, json_text_at(in, "namespace"), json_text_at(in, "name"));
    call->text = json_str_at(in, "arguments");
    if (text_eq(json_text_at(in, "type"), "custom_tool_call"))
        call->text = custom_arguments(p->a, json_str_at(in, "input"));
    return call->id ? NULL : err_new(p->a, &err_field_missing, "input.call_id");
}

static struct err *read_result(struct parse *p, yyjson_val *in)
{
    struct chat_part **end = &message_add(p->a, &p->end, ROLE_TOOL)->parts;
    struct chat_part *result = part_add(p->a, &end, PART_TOOL_RESULT);
    p->turn = NULL;
    result->id = json_text_at(in, "call_id");
    end = &result->parts;
    TRY(read_content(p->a, yyjson_obj_get(in, "output"), &end));
    return result->id ? NULL : err_new(p->a, &err_field_missing, "input.call_id");
}

static struct str text_of_items(struct arena *a, yyjson_val *items)
{
    struct chat_part *parts = NULL, **end = &parts;
    size_t i, max;
    yyjson_val *item;
    yyjson_arr_foreach(items, i, max, item)
    {
        struct str text = json_str_at(item, "text");
        if (text.n)
            part_add(a, &end, PART_TEXT)->text = text;
    }
    return parts_text(a, parts, "\n\n");
}

static struct err *read_reasoning(struct parse *p, yyjson_val *in)
{
    struct chat_part *part = part_add(p->a, turn(p), PART_THINKING);
    part->text = text_of_items(p->a, yyjson_obj_get(in, "summary"));
    if (!part->text.n)
        part->text = text_of_items(p->a, yyjson_obj_get(in, "content"));
    struct str text = part->text, state = json_str_at(in, "encrypted_content");
    part->owner = &responses_dialect;
    if (!carry_is(state))
        part->signature = state;
    else if (!carry_open(p->a, state, part) || !part->text.n)
        part->text = text;
    return NULL;
}

static const struct {
    const char *type;
    struct err *(*read)(struct parse *p, yyjson_val *in);
} items[] = {
    {"message", read_message},
    {"function_call", read_call},
    {"function_call_output", read_result},
    {"reasoning", read_reasoning},
    {"custom_tool_call", read_call},
    {"custom_tool_call_output", read_result},
};

// What hosted tools did, compactions and the like: for this dialect's providers only.
static void read_other(struct parse *p, yyjson_val *in)
{
    if (text_eq(json_text_at(in, "type"), "item_reference"))
        p->out->kept = "item_reference";
    struct chat_part *part = part_add(p->a, turn(p), PART_RAW);
    part->raw = in;
    part->owner = &responses_dialect;
}

static struct err *read_item(struct parse *p, yyjson_val *in)
{
    const char *type = json_text_at(in, "type");
    if (!type)
        return read_message(p, in);
    for (size_t i = 0; i < sizeof(items) / sizeof(*items); i++)
        if (!strcmp(items[i].type, type))
            return items[i].read(p, in);
    read_other(p, in);
    return NULL;
}

static struct err *read_input(struct parse *p, yyjson_val *body)
{
    yyjson_val *input = yyjson_obj_get(body, "input"), *in;
    struct str instructions = json_str_at(body, "instructions");
    size_t i, max;
    if (instructions.n) {
        struct chat_part *part = part_add(p->a, &p->system_end, PART_TEXT);
        part->text = instructions;
        part->owner = &responses_dialect;
    }
    if (yyjson_is_str(input)) {
        struct chat_part **end = &message_add(p->a, &p->end, ROLE_USER)->parts;
        return read_content(p->a, input, &end);
    }
    if (!yyjson_is_arr(input))
        return err_new(p->a, input ? &err_field_invalid : &err_field_missing, "input");
    yyjson_arr_foreach(input, i, max, in) TRY(read_item(p, in));
    return NULL;
}

// --- tools ----------------------------------------------------------------------

static struct err *read_tools(struct arena *a, yyjson_val *list, const char *space,
                              struct chat_tool ***end);

static struct err *read_tool(struct arena *a, yyjson_val *in, const char *space,
                             struct chat_tool ***end)
{
    const char *type = json_text_at(in, "type"), *name = json_text_at(in, "name");
    if (text_eq(type, "namespace"))
        return read_tools(a, yyjson_obj_get(in, "tools"), name, end);
    yyjson_val *strict = yyjson_obj_get(in, "strict");
    struct chat_tool *t = NEW(a, struct chat_tool);
    *t = (struct chat_tool){
        .name = responses_joined(a, space, name),
        .description = json_text_at(in, "description"),
        .space = space,
        .local = name,
        .schema = yyjson_obj_get(in, "parameters"),
        .strict = yyjson_get_bool(strict),
        .strict_said = yyjson_is_bool(strict),
        .custom = text_eq(type, "custom"),
        .raw = in,
        .owner = &responses_dialect,
    };
    t->hosted = !t->custom && !text_eq(type, "function");
    if (t->custom)
        t->description = custom_description(a, t->description, yyjson_obj_get(in, "format"));
    if (!t->hosted && text_is_empty(name))
        return err_new(a, &err_field_invalid, "tools.name");
    if (t->hosted)
        t->name = NULL;
    if (yyjson_is_null(t->schema))
        t->schema = NULL;
    **end = t;
    *end = &t->next;
    return NULL;
}

static struct err *read_tools(struct arena *a, yyjson_val *list, const char *space,
                              struct chat_tool ***end)
{
    size_t i, max;
    yyjson_val *in;
    yyjson_arr_foreach(list, i, max, in) TRY(read_tool(a, in, space, end));
    return NULL;
}

static bool is_allowed(struct arena *a, yyjson_val *list, const char *name)
{
    size_t i, max;
    yyjson_val *in;
    yyjson_arr_foreach(list, i, max, in)
    {
        if (text_eq(responses_joined(a, json_text_at(in, "namespace"), json_text_at(in, "name")),
                    name))
            return true;
    }
    return false;
}

// Nobody else knows a choice of several: the others are not shown.
static void keep_allowed(struct arena *a, yyjson_val *list, struct chat_request *out)
{
    for (struct chat_tool **at = &out->tools; *at;)
        if ((*at)->hosted || is_allowed(a, list, (*at)->name))
            at = &(*at)->next;
        else
            *at = (*at)->next;
}

static const struct {
    const char *name;
    enum tool_choice choice;
} choices[] = {{"auto", CHOICE_AUTO}, {"none", CHOICE_NONE}, {"required", CHOICE_ANY}};

static void read_choice(struct arena *a, yyjson_val *body, struct chat_request *out)
{
    yyjson_val *in = yyjson_obj_get(body, "tool_choice");
    yyjson_val *parallel = yyjson_obj_get(body, "parallel_tool_calls");
    const char *type = json_text_at(in, "type");
    out->parallel = yyjson_is_bool(parallel) ? yyjson_get_bool(parallel) : -1;
    if (text_eq(type, "allowed_tools")) {
        keep_allowed(a, yyjson_obj_get(in, "tools"), out);
        in = yyjson_obj_get(in, "mode");
    }
    for (size_t i = 0; i < sizeof(choices) / sizeof(*choices); i++)
        if (yyjson_equals_str(in, choices[i].name))
            out->choice = choices[i].choice;
    if (!text_eq(type, "function") && !text_eq(type, "custom"))
        return;
    out->choice_name = responses_joined(a, json_text_at(in, "namespace"), json_text_at(in, "name"));
    if (out->choice_name)
        out->choice = CHOICE_NAMED;
}

// --- the rest -------------------------------------------------------------------

static void read_format(yyjson_val *body, struct chat_request *out)
{
    yyjson_val *text = yyjson_obj_get(body, "text"), *format = yyjson_obj_get(text, "format");
    const char *type = json_text_at(format, "type");
    out->verbosity = json_text_at(text, "verbosity");
    out->schema = yyjson_obj_get(format, "schema");
    if (text_eq(type, "json_schema") && yyjson_is_obj(out->schema)) {
        out->format = FORMAT_SCHEMA;
        out->schema_name = json_text_at(format, "name");
        out->schema_description = json_text_at(format, "description");
        out->schema_strict = json_bool_at(format, "strict", false);
    } else if (text_eq(type, "json_object") || text_eq(type, "json_schema")) {
        out->format = FORMAT_JSON;
    }
}

static void read_reasoning_wish(yyjson_val *body, struct chat_request *out)
{
    yyjson_val *reasoning = yyjson_obj_get(body, "reasoning");
    out->effort = effort_by_name(json_text_at(reasoning, "effort"));
    if (json_text_at(reasoning, "summary") || json_text_at(reasoning, "generate_summary"))
        out->thinking_display = "summarized";
}

static bool includes(yyjson_val *body, const char *what)
{
    size_t i, max;
    yyjson_val *in;
    yyjson_arr_foreach(yyjson_obj_get(body, "include"), i, max, in)
    {
        if (yyjson_equals_str(in, what))
            return true;
    }
    return false;
}

static struct err *read_scalars(struct arena *a, yyjson_val *body, struct chat_request *out)
{
    static const struct sampling_names names = {.temperature = "temperature", .top_p = "top_p"};
    TRY(take_sampling(a, body, &names, out));
    TRY(take_text(a, body, "user", &out->user));
    TRY(take_text(a, body, "safety_identifier", &out->user));
    TRY(take_text(a, body, "service_tier", &out->tier));
    TRY(take_text(a, body, "prompt_cache_key", &out->cache_key));
    int64_t top = json_int_at(body, "top_logprobs", 0);
    out->logprobs = top > 0 || includes(body, "message.output_text.logprobs") ? (int)top : -1;
    out->metadata = yyjson_obj_get(body, "metadata");
    return NULL;
}

// Members that refer to what only OpenAI itself keeps.
static const char *kept_by_provider(yyjson_val *body)
{
    static const char *const members[] = {"previous_response_id", "conversation", "prompt"};
    for (size_t i = 0; i < sizeof(members) / sizeof(*members); i++) {
        yyjson_val *v = yyjson_obj_get(body, members[i]);
        if (v && !yyjson_is_null(v))
            return members[i];
    }
    return NULL;
}

struct err *responses_parse_request(struct arena *a, yyjson_val *body, struct chat_request *out)
{
    *out = (struct chat_request){.body = body, .owner = &responses_dialect};
    yyjson_val *tools;
    struct chat_tool **tools_end = &out->tools;
    struct parse p = {.a = a, .out = out, .system_end = &out->system, .end = &out->messages};
    TRY(responses_dialect.read_head(a, body, &out->head));
    out->kept = kept_by_provider(body);
    TRY(read_input(&p, body));
    TRY(take_list(a, body, "tools", &tools));
    TRY(read_tools(a, tools, NULL, &tools_end));
    read_choice(a, body, out);
    read_format(body, out);
    read_reasoning_wish(body, out);
    return read_scalars(a, body, out);
}
