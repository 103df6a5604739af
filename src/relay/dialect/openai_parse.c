// A chat completions request of a caller becomes the canonical conversation.

#include <string.h>

#include "common/arena.h"
#include "relay/dialect/carry.h"
#include "relay/dialect/media.h"
#include "relay/dialect/openai.h"
#include "relay/dialect/take.h"

struct parse {
    struct arena *a;
    struct chat_request *out;
    struct chat_part **system_end;
    struct chat_message **end;
    const char *last_function; // id made for the latest function_call without one
    int functions;
};

// OpenRouter's callers mark parts as Anthropic's do; OpenAI has prompt_cache_breakpoint.
static const char *cache_marker(yyjson_val *part)
{
    yyjson_val *marker = yyjson_obj_get(part, "cache_control");
    if (yyjson_is_obj(marker))
        return text_eq(json_text_at(marker, "ttl"), "1h") ? "1h" : "5m";
    return yyjson_is_obj(yyjson_obj_get(part, "prompt_cache_breakpoint")) ? "5m" : NULL;
}

static void read_image(struct arena *a, yyjson_val *in, struct chat_part *p)
{
    yyjson_val *image = yyjson_obj_get(in, "image_url");
    struct str url =
        yyjson_is_str(image) ? json_str_at(in, "image_url") : json_str_at(image, "url");
    p->detail = json_text_at(image, "detail");
    media_from_url(a, url, p);
}

void openai_read_audio(struct arena *a, yyjson_val *in, struct chat_part *p)
{
    yyjson_val *audio = yyjson_obj_get(in, "input_audio");
    struct str data = json_str_at(audio, "data");
    p->detail = json_text_at(audio, "format");
    if (str_starts(data, "data:"))
        media_from_url(a, data, p);
    else
        p->data = data;
}

static void read_file(struct arena *a, yyjson_val *in, struct chat_part *p)
{
    yyjson_val *file = yyjson_obj_get(in, "file");
    p->name = json_text_at(file, "filename");
    p->file_id = json_str_at(file, "file_id");
    media_from_file(a, json_str_at(file, "file_data"), p);
}

void openai_read_text(struct arena *a, yyjson_val *in, struct chat_part *p)
{
    (void)a;
    p->text = json_str_at(in, p->kind == PART_REFUSAL ? "refusal" : "text");
}

static const struct part_row kinds[] = {
    {"text", PART_TEXT, openai_read_text},
    {"refusal", PART_REFUSAL, openai_read_text},
    {"image_url", PART_IMAGE, read_image},
    {"input_audio", PART_AUDIO, openai_read_audio},
    {"file", PART_FILE, read_file},
    {"input_text", PART_TEXT, openai_read_text},
    {"output_text", PART_TEXT, openai_read_text},
    {0},
};

// A bare text is a part, too.
static struct err *read_part(struct arena *a, yyjson_val *in, struct chat_part ***end)
{
    if (yyjson_is_str(in))
        return take_content(a, in, "messages.content", NULL, end);
    if (!part_is_nothing(in))
        part_read(a, in, kinds, &openai_dialect, end)->cache_ttl = cache_marker(in);
    return NULL;
}

static struct err *read_content(struct arena *a, yyjson_val *content, struct chat_part ***end)
{
    return take_content(a, content, "messages.content", read_part, end);
}

// A custom tool's call has free text: elsewhere a function with one parameter, `input`.
static struct str custom_arguments(struct arena *a, yyjson_val *custom)
{
    struct str input = json_str_at(custom, "input");
    if (!input.p)
        return STR("");
    struct buf text = BUF(input.n * 6 + 32);
    buf_puts(&text, "{\"input\":");
    json_quote(&text, input);
    buf_puts(&text, "}");
    struct str out = {arena_str(a, buf_view(&text)), text.n};
    buf_free(&text);
    return out;
}

static void add_call(struct parse *p, struct chat_part ***end, const char *id, yyjson_val *function)
{
    struct chat_part *call = part_add(p->a, end, PART_TOOL_CALL);
    yyjson_val *args = yyjson_obj_get(function, "arguments");
    call->id = id ? id : arena_printf(p->a, "call_fn_%d", ++p->functions);
    call->name = json_text_at(function, "name");
    call->text = yyjson_is_str(args)   ? json_str_at(function, "arguments")
                 : yyjson_is_obj(args) ? json_text_of(p->a, args)
                                       : custom_arguments(p->a, function);
    if (!id)
        p->last_function = call->id;
}

// State that Gemini wants back with its call, as its OpenAI endpoint names it.
static void add_carried(struct parse *p, yyjson_val *call, struct chat_part ***end)
{
    yyjson_val *google = yyjson_obj_get(yyjson_obj_get(call, "extra_content"), "google");
    struct str state = json_str_at(google, "thought_signature");
    if (!state.n)
        return;
    struct chat_part *part = part_add(p->a, end, PART_THINKING);
    if (!carry_open(p->a, state, part)) {
        part->signature = state;
        part->owner = &gemini_dialect;
    }
}

static void read_calls(struct parse *p, yyjson_val *in, struct chat_part ***end)
{
    size_t i, max;
    yyjson_val *call, *calls = yyjson_obj_get(in, "tool_calls");
    yyjson_arr_foreach(calls, i, max, call)
    {
        yyjson_val *function = yyjson_obj_get(call, "function");
        yyjson_val *custom = yyjson_obj_get(call, "custom");
        add_carried(p, call, end);
        add_call(p, end, json_text_at(call, "id"), function ? function : custom);
    }
    yyjson_val *old = yyjson_obj_get(in, "function_call");
    if (yyjson_is_obj(old))
        add_call(p, end, NULL, old);
}

static struct err *read_assistant(struct parse *p, yyjson_val *in)
{
    struct chat_message *m = message_add(p->a, &p->end, ROLE_ASSISTANT);
    struct chat_part **end = &m->parts;
    m->name = json_text_at(in, "name");
    struct str thinking = json_str_at(in, "reasoning_content");
    if (!thinking.n)
        thinking = json_str_at(in, "reasoning");
    if (thinking.n)
        part_add(p->a, &end, PART_THINKING)->text = thinking;
    TRY(read_content(p->a, yyjson_obj_get(in, "content"), &end));
    struct str refusal = json_str_at(in, "refusal");
    if (refusal.n)
        part_add(p->a, &end, PART_REFUSAL)->text = refusal;
    read_calls(p, in, &end);
    return NULL;
}

static struct err *read_result(struct parse *p, yyjson_val *in)
{
    struct chat_part **end = &message_add(p->a, &p->end, ROLE_TOOL)->parts;
    struct chat_part *result = part_add(p->a, &end, PART_TOOL_RESULT);
    const char *id = json_text_at(in, "tool_call_id");
    result->id = id ? id : p->last_function;
    result->name = json_text_at(in, "name");
    end = &result->parts;
    return read_content(p->a, yyjson_obj_get(in, "content"), &end);
}

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
    struct chat_message *m = message_add(p->a, &p->end, ROLE_USER);
    struct chat_part **end = &m->parts;
    m->name = json_text_at(in, "name");
    return read_content(p->a, yyjson_obj_get(in, "content"), &end);
}

static const struct {
    const char *role;
    struct err *(*read)(struct parse *p, yyjson_val *in);
} roles[] = {
    {"user", read_user},     {"assistant", read_assistant}, {"tool", read_result},
    {"system", read_system}, {"developer", read_system},    {"function", read_result},
};

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

static struct err *read_tool(struct arena *a, yyjson_val *in, yyjson_val *function,
                             struct chat_tool ***end)
{
    struct chat_tool *t = NEW(a, struct chat_tool);
    yyjson_val *custom = yyjson_obj_get(in, "custom");
    yyjson_val *strict = yyjson_obj_get(function, "strict");
    t->raw = in;
    t->owner = &openai_dialect;
    t->custom = custom != NULL;
    t->hosted = !function && !custom;
    t->name = json_text_at(t->custom ? custom : function, "name");
    t->description = json_text_at(t->custom ? custom : function, "description");
    t->schema = yyjson_obj_get(function, "parameters");
    t->strict_said = yyjson_is_bool(strict);
    t->strict = yyjson_get_bool(strict);
    t->cache_ttl = cache_marker(in);
    if (!t->hosted && text_is_empty(t->name))
        return err_new(a, &err_field_invalid, "tools.function.name");
    **end = t;
    *end = &t->next;
    return NULL;
}

static struct err *read_tools(struct arena *a, yyjson_val *body, struct chat_request *out)
{
    size_t i, max;
    yyjson_val *list, *in;
    struct chat_tool **end = &out->tools;
    TRY(take_list(a, body, "tools", &list));
    yyjson_arr_foreach(list, i, max, in)
        TRY(read_tool(a, in, yyjson_obj_get(in, "function"), &end));
    TRY(take_list(a, body, "functions", &list));
    out->old_functions = list && !out->tools;
    yyjson_arr_foreach(list, i, max, in) TRY(read_tool(a, in, in, &end));
    return NULL;
}

static const struct {
    const char *name;
    enum tool_choice choice;
} choices[] = {{"auto", CHOICE_AUTO}, {"none", CHOICE_NONE}, {"required", CHOICE_ANY}};

static void read_choice(yyjson_val *body, struct chat_request *out)
{
    yyjson_val *in = yyjson_obj_get(body, "tool_choice");
    if (!in)
        in = yyjson_obj_get(body, "function_call");
    for (size_t i = 0; i < sizeof(choices) / sizeof(*choices); i++)
        if (yyjson_equals_str(in, choices[i].name))
            out->choice = choices[i].choice;
    yyjson_val *inner = yyjson_obj_get(in, "function");
    if (!inner)
        inner = yyjson_obj_get(in, "custom");
    out->choice_name = json_text_at(inner ? inner : in, "name");
    if (out->choice_name)
        out->choice = CHOICE_NAMED;
    yyjson_val *parallel = yyjson_obj_get(body, "parallel_tool_calls");
    out->parallel = yyjson_is_bool(parallel) ? yyjson_get_bool(parallel) : -1;
}

static void read_format(yyjson_val *body, struct chat_request *out)
{
    yyjson_val *in = yyjson_obj_get(body, "response_format");
    const char *type = json_text_at(in, "type");
    yyjson_val *schema = yyjson_obj_get(in, "json_schema");
    if (text_eq(type, "json_object"))
        out->format = FORMAT_JSON;
    if (!text_eq(type, "json_schema") || !yyjson_is_obj(schema))
        return;
    out->format = FORMAT_SCHEMA;
    out->schema_name = json_text_at(schema, "name");
    out->schema_description = json_text_at(schema, "description");
    out->schema = yyjson_obj_get(schema, "schema");
    out->schema_strict = json_bool_at(schema, "strict", false);
    if (!yyjson_is_obj(out->schema))
        out->format = FORMAT_JSON;
}

static void read_probabilities(yyjson_val *body, struct chat_request *out)
{
    yyjson_val *bias = yyjson_obj_get(body, "logit_bias");
    out->logit_bias = yyjson_is_obj(bias) ? bias : NULL;
    out->logprobs = -1;
    if (json_bool_at(body, "logprobs", false))
        out->logprobs = (int)json_int_at(body, "top_logprobs", 0);
}

// DeepSeek's and OpenRouter's callers switch thinking in their own ways.
static void read_effort(yyjson_val *body, struct chat_request *out)
{
    yyjson_val *reasoning = yyjson_obj_get(body, "reasoning");
    yyjson_val *thinking = yyjson_obj_get(body, "thinking");
    const char *effort = json_text_at(body, "reasoning_effort");
    out->effort = effort_by_name(effort ? effort : json_text_at(reasoning, "effort"));
    out->thinking_budget = json_int_at(reasoning, "max_tokens", 0);
    if (out->thinking_budget <= 0)
        out->thinking_budget = json_int_at(thinking, "budget_tokens", 0);
    if (text_eq(json_text_at(thinking, "type"), "disabled"))
        out->effort = EFFORT_NONE;
}

static struct err *read_labels(struct arena *a, yyjson_val *body, struct chat_request *out)
{
    TRY(take_text(a, body, "user", &out->user));
    TRY(take_text(a, body, "safety_identifier", &out->user));
    TRY(take_text(a, body, "service_tier", &out->tier));
    TRY(take_text(a, body, "prompt_cache_key", &out->cache_key));
    TRY(take_text(a, body, "verbosity", &out->verbosity));
    out->metadata = yyjson_obj_get(body, "metadata");
    return NULL;
}

struct err *openai_parse_request(struct arena *a, yyjson_val *body, struct chat_request *out)
{
    *out = (struct chat_request){.body = body, .owner = &openai_dialect};
    TRY(openai_dialect.read_head(a, body, &out->head));
    struct parse p = {a, out, &out->system, &out->messages, NULL, 0};
    TRY(read_messages(&p, body));
    TRY(read_tools(a, body, out));
    read_choice(body, out);
    read_format(body, out);
    static const struct sampling_names names = {
        "temperature", "top_p", "presence_penalty", "frequency_penalty", "top_k", "seed", "stop"};
    TRY(take_sampling(a, body, &names, out));
    read_probabilities(body, out);
    read_effort(body, out);
    return read_labels(a, body, out);
}
