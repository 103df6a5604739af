// A v2 chat request of a caller becomes the canonical conversation.

#include <string.h>

#include "common/arena.h"
#include "relay/dialect/cohere.h"
#include "relay/dialect/media.h"
#include "relay/dialect/take.h"

struct parse {
    struct arena *a;
    struct chat_request *out;
    struct chat_part **system_end;
    struct chat_message **end;
    struct chat_message *user; // the latest of the user's
};

// --- content --------------------------------------------------------------------

static void read_text(struct arena *a, yyjson_val *in, struct chat_part *p)
{
    (void)a;
    p->text = json_str_at(in, p->kind == PART_THINKING ? "thinking" : "text");
}

static void read_image(struct arena *a, yyjson_val *in, struct chat_part *p)
{
    yyjson_val *image = yyjson_obj_get(in, "image_url");
    p->detail = json_text_at(image, "detail");
    media_from_url(a, json_str_at(image, "url"), p);
}

// What a tool found: elsewhere results are texts.
static void read_document(struct arena *a, yyjson_val *in, struct chat_part *p)
{
    yyjson_val *data = yyjson_obj_get(yyjson_obj_get(in, "document"), "data");
    p->text = yyjson_is_str(data) ? (struct str){yyjson_get_str(data), yyjson_get_len(data)}
                                  : json_text_of(a, data);
}

static const struct part_row kinds[] = {
    {"text", PART_TEXT, read_text},
    {"image_url", PART_IMAGE, read_image},
    {"thinking", PART_THINKING, read_text},
    {"document", PART_TEXT, read_document},
    {0},
};

static struct err *read_part(struct arena *a, yyjson_val *in, struct chat_part ***end)
{
    if (!part_is_nothing(in))
        part_read(a, in, kinds, &cohere_dialect, end);
    return NULL;
}

static struct err *read_content(struct arena *a, yyjson_val *content, struct chat_part ***end)
{
    return take_content(a, content, "messages.content", read_part, end);
}

// --- messages -------------------------------------------------------------------

static struct err *read_system(struct parse *p, yyjson_val *in)
{
    yyjson_val *content = yyjson_obj_get(in, "content");
    if (!p->out->messages)
        return read_content(p->a, content, &p->system_end);
    struct chat_part **end = &message_add(p->a, &p->end, ROLE_SYSTEM)->parts;
    return read_content(p->a, content, &end);
}

static struct err *read_user(struct parse *p, yyjson_val *in)
{
    p->user = message_add(p->a, &p->end, ROLE_USER);
    struct chat_part **end = &p->user->parts;
    return read_content(p->a, yyjson_obj_get(in, "content"), &end);
}

static void read_calls(struct parse *p, yyjson_val *in, struct chat_part ***end)
{
    size_t i, max;
    yyjson_val *item;
    yyjson_arr_foreach(yyjson_obj_get(in, "tool_calls"), i, max, item)
    {
        yyjson_val *function = yyjson_obj_get(item, "function");
        struct chat_part *call = part_add(p->a, end, PART_TOOL_CALL);
        call->id = json_text_at(item, "id");
        call->name = json_text_at(function, "name");
        call->text = json_str_at(function, "arguments");
        if (str_is(call->text, "null")) // how its models say that there are none
            call->text = STR("{}");
    }
}

// The plan is what the model said before it called.
static struct err *read_assistant(struct parse *p, yyjson_val *in)
{
    struct chat_part **end = &message_add(p->a, &p->end, ROLE_ASSISTANT)->parts;
    struct str plan = json_str_at(in, "tool_plan");
    TRY(read_content(p->a, yyjson_obj_get(in, "content"), &end));
    if (plan.n)
        part_add(p->a, &end, PART_TEXT)->text = plan;
    read_calls(p, in, &end);
    return NULL;
}

static struct err *read_result(struct parse *p, yyjson_val *in)
{
    struct chat_part **end = &message_add(p->a, &p->end, ROLE_TOOL)->parts;
    struct chat_part *result = part_add(p->a, &end, PART_TOOL_RESULT);
    result->id = json_text_at(in, "tool_call_id");
    end = &result->parts;
    return read_content(p->a, yyjson_obj_get(in, "content"), &end);
}

static const struct {
    const char *role;
    struct err *(*read)(struct parse *p, yyjson_val *in);
} roles[] = {{"user", read_user},
             {"assistant", read_assistant},
             {"tool", read_result},
             {"system", read_system}};

static struct err *read_message(struct parse *p, yyjson_val *in, size_t at)
{
    const char *role = json_text_at(in, "role");
    for (size_t i = 0; role && i < sizeof(roles) / sizeof(*roles); i++)
        if (!strcmp(roles[i].role, role))
            return roles[i].read(p, in);
    return err_new(p->a, &err_field_invalid, "messages[%zu].role", at);
}

static struct err *read_messages(struct parse *p, yyjson_val *body)
{
    size_t i, max;
    yyjson_val *list, *in;
    TRY(take_list(p->a, body, "messages", &list));
    if (yyjson_arr_size(list) == 0)
        return err_new(p->a, &err_field_missing, "messages");
    yyjson_arr_foreach(list, i, max, in) TRY(read_message(p, in, i));
    return NULL;
}

// --- documents ------------------------------------------------------------------

// {"id", "data": {"text" or "snippet", "title", ...}}, or a bare text.
static void read_source(struct arena *a, yyjson_val *in, size_t n, struct chat_part *p)
{
    yyjson_val *data = yyjson_obj_get(in, "data");
    const char *title = json_text_at(data, "title");
    struct str text = json_str_at(data, "text");
    if (!text.n)
        text = json_str_at(data, "snippet");
    if (yyjson_is_str(in))
        text = (struct str){yyjson_get_str(in), yyjson_get_len(in)};
    else if (!text.n)
        text = json_text_of(a, data);
    p->text = text;
    p->id = json_text_at(in, "id");
    if (!p->id)
        p->id = arena_printf(a, "doc:%zu", n);
    p->name = title ? title : p->id;
}

// Elsewhere they are files of the user's last message; a request of this dialect keeps its own.
static struct err *read_documents(struct parse *p, yyjson_val *body)
{
    size_t i, max;
    yyjson_val *list, *in;
    TRY(take_list(p->a, body, "documents", &list));
    if (!yyjson_arr_size(list))
        return NULL;
    if (!p->user)
        p->user = message_add(p->a, &p->end, ROLE_USER);
    const char *mode = json_text_at(yyjson_obj_get(body, "citation_options"), "mode");
    bool cited = !text_eq(mode, "OFF") && !text_eq(mode, "DISABLED");
    struct chat_part **end = &p->user->parts;
    while (*end)
        end = &(*end)->next;
    yyjson_arr_foreach(list, i, max, in)
    {
        struct chat_part *file = part_add(p->a, &end, PART_FILE);
        read_source(p->a, in, i, file);
        file->cited = cited;
        file->raw = in;
        file->owner = &cohere_dialect;
    }
    return NULL;
}

// --- tools and settings ---------------------------------------------------------

static struct err *read_tools(struct arena *a, yyjson_val *body, struct chat_request *out)
{
    size_t i, max;
    yyjson_val *list, *in, *strict = yyjson_obj_get(body, "strict_tools");
    struct chat_tool **end = &out->tools;
    TRY(take_list(a, body, "tools", &list));
    yyjson_arr_foreach(list, i, max, in)
    {
        yyjson_val *function = yyjson_obj_get(in, "function");
        struct chat_tool *t = NEW(a, struct chat_tool);
        t->raw = in;
        t->owner = &cohere_dialect;
        t->name = json_text_at(function, "name");
        t->description = json_text_at(function, "description");
        t->schema = yyjson_obj_get(function, "parameters");
        t->strict_said = yyjson_is_bool(strict);
        t->strict = yyjson_get_bool(strict);
        if (text_is_empty(t->name))
            return err_new(a, &err_field_invalid, "tools.function.name");
        *end = t;
        end = &t->next;
    }
    out->parallel = -1;
    const char *choice = json_text_at(body, "tool_choice");
    if (text_eq(choice, "REQUIRED"))
        out->choice = CHOICE_ANY;
    else if (text_eq(choice, "NONE"))
        out->choice = CHOICE_NONE;
    return NULL;
}

static void read_format(yyjson_val *body, struct chat_request *out)
{
    yyjson_val *in = yyjson_obj_get(body, "response_format");
    yyjson_val *schema = yyjson_obj_get(in, "json_schema");
    if (!yyjson_is_obj(schema))
        schema = yyjson_obj_get(in, "schema"); // its older name
    if (!text_eq(json_text_at(in, "type"), "json_object"))
        return;
    out->format = yyjson_is_obj(schema) ? FORMAT_SCHEMA : FORMAT_JSON;
    out->schema = yyjson_is_obj(schema) ? schema : NULL;
}

static void read_thinking(yyjson_val *body, struct chat_request *out)
{
    yyjson_val *thinking = yyjson_obj_get(body, "thinking");
    const char *type = json_text_at(thinking, "type");
    int64_t budget = json_int_at(thinking, "token_budget", 0);
    if (text_eq(type, "disabled"))
        out->effort = EFFORT_NONE;
    else if (text_eq(type, "enabled") && budget > 0)
        out->thinking_budget = budget;
    else if (text_eq(type, "enabled"))
        out->thinking_adaptive = true;
}

struct err *cohere_parse_request(struct arena *a, yyjson_val *body, struct chat_request *out)
{
    *out = (struct chat_request){.body = body, .owner = &cohere_dialect};
    TRY(cohere_dialect.read_head(a, body, &out->head));
    struct parse p = {a, out, &out->system, &out->messages, NULL};
    TRY(read_messages(&p, body));
    TRY(read_documents(&p, body));
    TRY(read_tools(a, body, out));
    read_format(body, out);
    static const struct sampling_names names = {
        "temperature", "p", "presence_penalty", "frequency_penalty", "k", "seed", "stop_sequences"};
    TRY(take_sampling(a, body, &names, out));
    out->logprobs = json_bool_at(body, "logprobs", false) ? 0 : -1;
    read_thinking(body, out);
    return NULL;
}
