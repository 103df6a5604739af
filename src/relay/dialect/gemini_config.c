// The settings and tools of a generateContent request of a caller.

#include <string.h>

#include "common/arena.h"
#include "relay/dialect/gemini.h"
#include "relay/dialect/openai.h"
#include "relay/dialect/schema.h"
#include "relay/dialect/take.h"

// --- tools ----------------------------------------------------------------------

static yyjson_val *schema_of(struct arena *a, yyjson_val *in, const char *json, const char *openapi)
{
    yyjson_val *schema = gemini_at(in, json);
    if (yyjson_is_obj(schema))
        return schema;
    schema = gemini_at(in, openapi);
    return yyjson_is_obj(schema) ? schema_from_openapi(a, schema) : NULL;
}

static struct chat_tool *add_tool(struct arena *a, struct chat_tool ***end, yyjson_val *raw)
{
    struct chat_tool *t = NEW(a, struct chat_tool);
    t->raw = raw;
    t->owner = &gemini_dialect;
    **end = t;
    *end = &t->next;
    return t;
}

static struct err *read_functions(struct arena *a, yyjson_val *list, struct chat_tool ***end)
{
    size_t i, max;
    yyjson_val *in;
    yyjson_arr_foreach(list, i, max, in)
    {
        struct chat_tool *t = add_tool(a, end, in);
        t->name = json_text_at(in, "name");
        t->description = json_text_at(in, "description");
        t->schema = schema_of(a, in, "parametersJsonSchema", "parameters");
        if (text_is_empty(t->name))
            return err_new(a, &err_field_invalid, "tools.functionDeclarations[%zu].name", i);
    }
    return NULL;
}

// googleSearch and whatever else Google runs itself: one member of a tool each.
static void read_hosted(struct arena *a, yyjson_val *in, struct chat_tool ***end)
{
    size_t i, max;
    yyjson_val *key, *value;
    yyjson_obj_foreach(in, i, max, key, value)
    {
        if (!yyjson_equals_str(key, "functionDeclarations") &&
            !yyjson_equals_str(key, "function_declarations") && !yyjson_is_null(value))
            add_tool(a, end, in)->hosted = true;
    }
}

static bool is_allowed(yyjson_val *names, const char *name)
{
    size_t i, max;
    yyjson_val *item;
    yyjson_arr_foreach(names, i, max, item) if (yyjson_equals_str(item, name)) return true;
    return false;
}

// No other dialect has a list of what may be called: the rest is left out instead.
static void keep_allowed(struct chat_request *out, yyjson_val *names)
{
    for (struct chat_tool **at = &out->tools; *at;)
        if (!(*at)->hosted && !is_allowed(names, (*at)->name))
            *at = (*at)->next;
        else
            at = &(*at)->next;
}

static const struct {
    const char *mode;
    enum tool_choice choice;
} modes[] = {
    {"AUTO", CHOICE_AUTO}, {"ANY", CHOICE_ANY}, {"NONE", CHOICE_NONE}, {"VALIDATED", CHOICE_AUTO}};

static void read_choice(yyjson_val *body, struct chat_request *out)
{
    yyjson_val *config = gemini_at(gemini_at(body, "toolConfig"), "functionCallingConfig");
    yyjson_val *names = gemini_at(config, "allowedFunctionNames");
    struct str mode = json_str_at(config, "mode");
    for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++)
        if (str_is_nocase(mode, modes[i].mode))
            out->choice = modes[i].choice;
    out->parallel = -1;
    if (yyjson_arr_size(names) == 0)
        return;
    keep_allowed(out, names);
    if (out->choice == CHOICE_ANY && yyjson_arr_size(names) == 1) {
        out->choice_name = yyjson_get_str(yyjson_arr_get_first(names));
        out->choice = out->choice_name ? CHOICE_NAMED : CHOICE_ANY;
    }
}

struct err *gemini_parse_tools(struct arena *a, yyjson_val *body, struct chat_request *out)
{
    size_t i, max;
    yyjson_val *list, *in;
    struct chat_tool **end = &out->tools;
    TRY(take_list(a, body, "tools", &list));
    yyjson_arr_foreach(list, i, max, in)
    {
        yyjson_val *functions = gemini_at(in, "functionDeclarations");
        TRY(read_functions(a, functions, &end));
        read_hosted(a, in, &end);
    }
    read_choice(body, out);
    return NULL;
}

// --- settings -------------------------------------------------------------------

static struct err *read_sampling(struct arena *a, yyjson_val *config, struct chat_request *out)
{
    const struct sampling_names names = {
        .temperature = "temperature",
        .top_p = gemini_name(a, config, "topP"),
        .presence = gemini_name(a, config, "presencePenalty"),
        .frequency = gemini_name(a, config, "frequencyPenalty"),
        .seed = "seed",
        .stop = gemini_name(a, config, "stopSequences"),
    };
    TRY(take_sampling(a, config, &names, out));
    double top_k = 0; // a number with a fraction by its type
    TRY(take_real(a, config, gemini_name(a, config, "topK"), &out->has_top_k, &top_k));
    out->top_k = top_k > 0 && top_k < 1e9 ? (int64_t)top_k : 0;
    out->logprobs = -1;
    if (yyjson_get_bool(gemini_at(config, "responseLogprobs")))
        out->logprobs = (int)json_int_at(config, "logprobs", 0);
    return NULL;
}

static void read_format(struct arena *a, yyjson_val *config, struct chat_request *out)
{
    if (!str_is(gemini_text(config, "responseMimeType"), "application/json"))
        return;
    out->schema = schema_of(a, config, "responseJsonSchema", "responseSchema");
    out->format = out->schema ? FORMAT_SCHEMA : FORMAT_JSON;
}

static struct err *read_thinking(struct arena *a, yyjson_val *config, struct chat_request *out)
{
    yyjson_val *thinking = gemini_at(config, "thinkingConfig");
    bool said = false;
    int64_t budget = 0;
    TRY(take_int(a, thinking, gemini_name(a, thinking, "thinkingBudget"), &said, &budget));
    if (yyjson_get_bool(gemini_at(thinking, "includeThoughts")))
        out->thinking_display = "summarized";
    char level[16] = "";
    struct str named = gemini_text(thinking, "thinkingLevel");
    for (size_t i = 0; i < named.n && i < sizeof(level) - 1; i++)
        level[i] = (char)(named.p[i] | 0x20);
    out->effort = effort_by_name(level);
    if (said && budget == 0)
        out->effort = EFFORT_NONE;
    out->thinking_adaptive = said && budget < 0;
    out->thinking_budget = said && budget > 0 ? budget : 0;
    return NULL;
}

struct err *gemini_parse_config(struct arena *a, yyjson_val *body, struct chat_request *out)
{
    yyjson_val *config = gemini_at(body, "generationConfig");
    if (config && !yyjson_is_obj(config))
        return err_new(a, &err_field_invalid, "generationConfig");
    TRY(read_sampling(a, config, out));
    read_format(a, config, out);
    TRY(read_thinking(a, config, out));
    struct str tier = gemini_text(body, "serviceTier");
    if (tier.n)
        out->tier = str_is_nocase(tier, "standard") ? "default" : tier.p;
    return NULL;
}
