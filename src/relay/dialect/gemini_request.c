// The canonical conversation becomes a generateContent request for a provider.

#include <string.h>

#include "common/arena.h"
#include "common/crypto.h"
#include "relay/dialect/carry.h"
#include "relay/dialect/custom.h"
#include "relay/dialect/gemini_messages.h"
#include "relay/dialect/openai.h"
#include "relay/dialect/schema.h"
#include "relay/dialect/take.h"

// --- tools ----------------------------------------------------------------------

// A function without parameters has none at all: older models refuse an empty object.
static bool has_parameters(yyjson_val *schema)
{
    return yyjson_obj_size(schema) > 0 &&
           (yyjson_obj_size(yyjson_obj_get(schema, "properties")) > 0 ||
            !text_eq(json_text_at(schema, "type"), "object") ||
            yyjson_obj_get(schema, "additionalProperties"));
}

static void write_parameters(struct gemini_writing *w, const struct chat_tool *t)
{
    const char *key = w->model->json_schema ? "parametersJsonSchema" : "parameters";
    if (t->custom)
        json_raw(&w->j, key, custom_schema());
    else if (has_parameters(t->schema))
        json_raw(&w->j, key,
                 w->model->json_schema ? schema_gemini(w->a, t->schema)
                                       : schema_openapi(w->a, t->schema));
}

static void write_function(struct gemini_writing *w, const struct chat_tool *t)
{
    json_obj(&w->j, NULL);
    json_str(&w->j, "name", name_to_wire(w->a, w->names, t->name));
    if (t->description)
        json_str(&w->j, "description", t->description);
    write_parameters(w, t);
    json_end(&w->j);
}

static void write_choice(struct gemini_writing *w)
{
    static const char *const modes[] = {[CHOICE_AUTO] = "AUTO",
                                        [CHOICE_NONE] = "NONE",
                                        [CHOICE_ANY] = "ANY",
                                        [CHOICE_NAMED] = "ANY"};
    if (w->in->parallel == 0)
        chat_dropped(w->to, "parallel_tool_calls");
    if (w->in->choice == CHOICE_UNSAID)
        return;
    json_obj(&w->j, "toolConfig");
    json_obj(&w->j, "functionCallingConfig");
    json_str(&w->j, "mode", modes[w->in->choice]);
    if (w->in->choice == CHOICE_NAMED) {
        json_arr(&w->j, "allowedFunctionNames");
        json_str(&w->j, NULL, name_to_wire(w->a, w->names, w->in->choice_name));
        json_end(&w->j);
    }
    json_end(&w->j);
    json_end(&w->j);
}

static void write_tools(struct gemini_writing *w)
{
    bool any = false;
    for (const struct chat_tool *t = w->in->tools; t; t = t->next) {
        if (t->hosted) {
            chat_dropped(w->to, "tools");
            continue;
        }
        if (!any) {
            json_arr(&w->j, "tools");
            json_obj(&w->j, NULL);
            json_arr(&w->j, "functionDeclarations");
        }
        any = true;
        write_function(w, t);
    }
    if (!any)
        return;
    json_end(&w->j);
    json_end(&w->j);
    json_end(&w->j);
    write_choice(w);
}

// --- thinking -------------------------------------------------------------------

static int64_t budget_of(const struct gemini_model *m, enum effort e, int64_t asked)
{
    static const int64_t budgets[] = {
        [EFFORT_MINIMAL] = 512, [EFFORT_LOW] = 1024,      [EFFORT_MEDIUM] = 8192,
        [EFFORT_HIGH] = 24576,  [EFFORT_XHIGH] = 1 << 20, [EFFORT_MAX] = 1 << 20};
    int64_t budget = asked > 0 ? asked : budgets[e];
    return budget < m->least ? m->least : budget > m->most ? m->most : budget;
}

// Level by effort; NULL where the model is to decide.
static const char *level_of(const struct gemini_model *m, enum effort e)
{
    if (e == EFFORT_UNSAID)
        return NULL;
    if (e <= EFFORT_MINIMAL)
        return m->minimal ? "MINIMAL" : "LOW";
    if (e == EFFORT_LOW)
        return "LOW";
    return e == EFFORT_MEDIUM && m->medium ? "MEDIUM" : "HIGH";
}

static void write_thinking(struct gemini_writing *w)
{
    const struct gemini_model *m = w->model;
    enum effort e = effort_of(w->in);
    bool on = e > EFFORT_NONE || w->in->thinking_adaptive;
    if (e == EFFORT_UNSAID && !on)
        return;
    if (m->thinking == THINKS_NOT) {
        if (on)
            chat_dropped(w->to, "thinking");
        return;
    }
    json_obj(&w->j, "thinkingConfig");
    if (on)
        json_bool(&w->j, "includeThoughts", true);
    if (m->thinking == THINKS_LEVEL && level_of(m, e))
        json_str(&w->j, "thinkingLevel", level_of(m, e));
    if (m->thinking == THINKS_BUDGET)
        json_int(&w->j, "thinkingBudget",
                 !on                  ? (m->off ? 0 : m->least)
                 : e == EFFORT_UNSAID ? -1
                                      : budget_of(m, e, w->in->thinking_budget));
    json_end(&w->j);
}

// --- settings -------------------------------------------------------------------

static void write_stops(struct gemini_writing *w)
{
    if (!w->in->stop)
        return;
    json_arr(&w->j, "stopSequences");
    for (size_t i = 0; w->in->stop[i] && i < GEMINI_STOPS_MAX; i++)
        json_str(&w->j, NULL, w->in->stop[i]);
    json_end(&w->j);
}

static void write_sampling(struct gemini_writing *w)
{
    const struct chat_request *in = w->in;
    const struct {
        bool said;
        const char *name;
        double value;
    } rows[] = {
        {in->has_temperature, "temperature", in->temperature},
        {in->has_top_p, "topP", in->top_p},
        {in->has_top_k, "topK", (double)in->top_k},
        {in->has_presence, "presencePenalty", in->presence},
        {in->has_frequency, "frequencyPenalty", in->frequency},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        if (rows[i].said)
            json_real(&w->j, rows[i].name, rows[i].value);
    if (in->has_seed)
        json_int(&w->j, "seed", (int32_t)in->seed); // it has 32 bits
    write_stops(w);
    if (in->logprobs >= 0) {
        json_bool(&w->j, "responseLogprobs", true);
        if (in->logprobs)
            json_int(&w->j, "logprobs", in->logprobs);
    }
    if (in->logit_bias)
        chat_dropped(w->to, "logit_bias");
    if (in->verbosity)
        chat_dropped(w->to, "verbosity");
    if (in->head.choices > 1 && !w->to->stream)
        json_int(&w->j, "candidateCount", in->head.choices < 8 ? in->head.choices : 8);
    else if (in->head.choices > 1)
        chat_dropped(w->to, "n");
}

static void write_format(struct gemini_writing *w)
{
    if (w->format != GEMINI_FORMAT_NATIVE)
        return;
    json_str(&w->j, "responseMimeType", "application/json");
    if (w->in->format != FORMAT_SCHEMA)
        return;
    if (w->model->json_schema)
        json_raw(&w->j, "responseJsonSchema", schema_gemini(w->a, w->in->schema));
    else
        json_raw(&w->j, "responseSchema", schema_openapi(w->a, w->in->schema));
}

static void write_config(struct gemini_writing *w)
{
    json_obj(&w->j, "generationConfig");
    if (w->in->head.max_output > 0)
        json_int(&w->j, "maxOutputTokens", w->in->head.max_output);
    write_sampling(w);
    write_format(w);
    write_thinking(w);
    json_end(&w->j);
    if (text_eq(w->in->tier, "flex") || text_eq(w->in->tier, "priority"))
        json_str(&w->j, "serviceTier", w->in->tier);
    chat_drop_labels(w->in, w->to, 0);
}

// --- the same dialect -----------------------------------------------------------

// A part as it came, but without a signature that is somebody else's.
static void write_own_part(struct gemini_writing *w, yyjson_val *part)
{
    size_t i, max;
    yyjson_val *key, *value;
    struct str signature = gemini_text(part, "thoughtSignature");
    bool foreign = signature.n && carry_is(base64_bytes(w->a, signature));
    json_obj(&w->j, NULL);
    yyjson_obj_foreach(part, i, max, key, value)
    {
        const char *name = yyjson_get_str(key);
        if (!foreign || !list_has("thoughtSignature,thought_signature", name))
            json_raw(&w->j, name, json_text_of(w->a, value));
    }
    if (foreign && gemini_at(part, "functionCall") && w->model->signatures)
        json_str(&w->j, "thoughtSignature", "skip_thought_signature_validator");
    json_end(&w->j);
}

static void write_own_content(struct gemini_writing *w, yyjson_val *content)
{
    static const char *const known[] = {"parts", NULL};
    size_t i, max;
    yyjson_val *part, *parts = yyjson_obj_get(content, "parts");
    json_obj(&w->j, NULL);
    ride_along(w->a, &w->j, content, known);
    json_arr(&w->j, "parts");
    if (yyjson_is_obj(parts))
        write_own_part(w, parts);
    yyjson_arr_foreach(parts, i, max, part) write_own_part(w, part);
    json_end(&w->j);
    json_end(&w->j);
}

// What the caller wrote, but for carried signatures and a prompt of the channel.
static void write_own(struct gemini_writing *w)
{
    static const char *const known[] = {"contents", "systemInstruction", "system_instruction",
                                        NULL};
    yyjson_val *system = gemini_at(w->in->body, "systemInstruction"), *content;
    size_t i, max;
    json_obj(&w->j, NULL);
    json_arr(&w->j, "contents");
    yyjson_arr_foreach(yyjson_obj_get(w->in->body, "contents"), i, max, content)
        write_own_content(w, content);
    json_end(&w->j);
    if (system)
        json_raw(&w->j, "systemInstruction", json_text_of(w->a, system));
    else
        gemini_write_system(w);
    ride_along(w->a, &w->j, w->in->body, known);
    json_end(&w->j);
}

struct err *gemini_write_request(struct arena *a, const struct chat_request *in,
                                 const struct chat_target *to, struct buf *out)
{
    struct gemini_writing w = {
        .a = a,
        .in = in,
        .to = to,
        .model = gemini_model(to->model),
        .j = {.out = out},
        .names = name_map_ruled(a, in->tools, GEMINI_NAME_MAX, NAME_LETTERED),
    };
    if (in->owner == &gemini_dialect) {
        write_own(&w);
    } else {
        w.format = gemini_format(in, to);
        json_obj(&w.j, NULL);
        gemini_write_contents(&w);
        gemini_write_system(&w);
        write_tools(&w);
        write_config(&w);
        json_end(&w.j);
    }
    return out->overflow ? err_new(a, &err_body_too_large, "translated request") : NULL;
}
