// The canonical conversation becomes a Converse request for a provider.

#include <string.h>

#include "common/arena.h"
#include "relay/dialect/bedrock_messages.h"
#include "relay/dialect/claude_plan.h"
#include "relay/dialect/custom.h"
#include "relay/dialect/history.h"
#include "relay/dialect/openai.h"
#include "relay/dialect/schema.h"
#include "relay/dialect/take.h"

// An object that is written only if it gets a member.
static void member_of(struct bedrock_writing *w, bool *open, const char *name)
{
    if (!*open)
        json_obj(&w->j, name);
    *open = true;
}

static void close_object(struct bedrock_writing *w, bool open)
{
    if (open)
        json_end(&w->j);
}

// --- tools ----------------------------------------------------------------------

static void write_spec(struct bedrock_writing *w, const char *name, const char *description,
                       struct str schema, bool strict)
{
    json_obj(&w->j, NULL);
    json_obj(&w->j, "toolSpec");
    json_str(&w->j, "name", name);
    if (!text_is_empty(description))
        json_str(&w->j, "description", description);
    json_obj(&w->j, "inputSchema");
    json_raw(&w->j, "json", schema);
    json_end(&w->j);
    if (strict)
        json_bool(&w->j, "strict", true);
    json_end(&w->j);
    json_end(&w->j);
}

static void write_tool(struct bedrock_writing *w, const struct chat_tool *t)
{
    struct str schema = t->custom ? custom_schema() : schema_object(w->a, t->schema);
    write_spec(w, name_to_wire(w->a, w->names, t->name), t->description, schema,
               t->strict && w->model->schema && !t->custom);
    bedrock_write_point(w, t->cache_ttl);
}

static void write_format_tool(struct bedrock_writing *w)
{
    const char *description = w->in->schema_description;
    write_spec(w, claude_format_tool,
               description ? description : "Gives the answer in the form that is asked for.",
               schema_object(w->a, w->in->schema), false);
}

static void write_choice(struct bedrock_writing *w, bool budgeted)
{
    enum tool_choice choice = w->in->choice;
    const char *name = w->in->choice_name;
    if (w->format == CLAUDE_FORMAT_TOOL) {
        choice = CHOICE_NAMED;
        name = claude_format_tool;
    }
    bool claude = bedrock_is_claude(w->model);
    bool unforced = w->model->no_force || (claude && claude_model(w->to->model)->no_force);
    if ((choice == CHOICE_ANY || choice == CHOICE_NAMED) && (budgeted || unforced)) {
        chat_dropped(w->to, "tool_choice");
        choice = CHOICE_AUTO;
    }
    if (choice == CHOICE_UNSAID || choice == CHOICE_AUTO || choice == CHOICE_NONE)
        return; // auto is what it does anyway
    json_obj(&w->j, "toolChoice");
    json_obj(&w->j, choice == CHOICE_ANY ? "any" : "tool");
    if (choice == CHOICE_NAMED)
        json_str(&w->j, "name", name_to_wire(w->a, w->names, name));
    json_end(&w->j);
    json_end(&w->j);
}

static bool any_tool(const struct bedrock_writing *w)
{
    bool any = w->format == CLAUDE_FORMAT_TOOL;
    for (const struct chat_tool *t = w->in->tools; t; t = t->next)
        any = any || !t->hosted;
    return any;
}

// Is something to be declared? "none" has no word here: nothing is declared, unless the history
// has calls, and then the model is asked in words.
static bool plan_tools(struct bedrock_writing *w)
{
    bool any = any_tool(w), none = w->in->choice == CHOICE_NONE;
    for (const struct chat_tool *t = w->in->tools; t; t = t->next)
        if (t->hosted)
            chat_dropped(w->to, "tools");
    if (any && !none)
        return true;
    w->used = history_tools(w->a, w->messages);
    w->no_calls = w->used != NULL;
    return w->no_calls;
}

static void write_tools(struct bedrock_writing *w, bool budgeted)
{
    json_obj(&w->j, "toolConfig");
    json_arr(&w->j, "tools");
    for (const struct chat_tool *t = w->in->tools; t; t = t->next)
        if (!t->hosted)
            write_tool(w, t);
    if (w->format == CLAUDE_FORMAT_TOOL)
        write_format_tool(w);
    for (const struct chat_tool *t = any_tool(w) ? NULL : w->used; t; t = t->next)
        write_tool(w, t); // a history with calls needs those that it used
    json_end(&w->j);
    write_choice(w, budgeted);
    json_end(&w->j);
}

// --- how to say it ----------------------------------------------------------------

static void write_stops(struct bedrock_writing *w, bool *open)
{
    const char **stop = w->in->stop;
    if (!stop)
        return;
    member_of(w, open, "inferenceConfig");
    json_arr(&w->j, "stopSequences");
    size_t i = 0;
    for (; stop[i] && i < BEDROCK_STOPS_MAX; i++)
        json_str(&w->j, NULL, stop[i]);
    json_end(&w->j);
    if (stop[i])
        chat_dropped(w->to, "stop");
}

static struct claude_sampling sampling_of(const struct bedrock_writing *w, bool thinking)
{
    const struct chat_request *in = w->in;
    if (bedrock_is_claude(w->model))
        return claude_sampling_of(in, w->to, thinking);
    bool nova = strstr(w->to->model, "nova-") != NULL;
    if (in->has_top_k && !nova)
        chat_dropped(w->to, "top_k");
    return (struct claude_sampling){in->has_temperature, in->has_top_p, in->has_top_k && nova};
}

static void write_inference(struct bedrock_writing *w, int64_t max_tokens,
                            const struct claude_sampling *s)
{
    const struct chat_request *in = w->in;
    bool open = false;
    if (max_tokens > 0) {
        member_of(w, &open, "inferenceConfig");
        json_int(&w->j, "maxTokens", max_tokens);
    }
    if (s->temperature) {
        member_of(w, &open, "inferenceConfig");
        json_real(&w->j, "temperature", in->temperature > 1 ? 1 : in->temperature);
    }
    if (s->top_p) {
        member_of(w, &open, "inferenceConfig");
        json_real(&w->j, "topP", in->top_p > 1 ? 1 : in->top_p);
    }
    write_stops(w, &open);
    close_object(w, open);
}

// --- what each family has a word of its own for -----------------------------------

static const char *const fields = "additionalModelRequestFields";

static void write_claude_fields(struct bedrock_writing *w, const struct claude_plan *p, bool top_k,
                                bool tools, bool *open)
{
    if (p->thinking) {
        member_of(w, open, fields);
        claude_write_thinking(&w->j, w->in, p);
    }
    if (p->effort) {
        member_of(w, open, fields);
        json_obj(&w->j, "output_config");
        json_str(&w->j, "effort", p->effort);
        json_end(&w->j);
    }
    if (top_k) {
        member_of(w, open, fields);
        json_int(&w->j, "top_k", w->in->top_k);
    }
    if (w->in->parallel != 0 || !tools)
        return;
    if (w->in->choice == CHOICE_ANY || w->in->choice == CHOICE_NAMED) {
        chat_dropped(w->to, "parallel_tool_calls");
        return;
    }
    member_of(w, open, fields);
    json_obj(&w->j, "tool_choice");
    json_str(&w->j, "type", "auto");
    json_bool(&w->j, "disable_parallel_tool_use", true);
    json_end(&w->j);
}

// The nearest of low, medium, high.
static const char *effort_of_three(enum effort e)
{
    return effort_names[e > EFFORT_HIGH ? EFFORT_HIGH : e < EFFORT_LOW ? EFFORT_LOW : e];
}

static void write_effort(struct bedrock_writing *w, bool *open)
{
    enum effort e = effort_of(w->in);
    if (e == EFFORT_UNSAID && w->in->thinking_adaptive)
        e = EFFORT_MEDIUM;
    if (e <= EFFORT_NONE)
        return;
    switch (w->model->thinking) {
    case BEDROCK_THINKS_EFFORT:
        member_of(w, open, fields);
        json_str(&w->j, "reasoning_effort", effort_of_three(e));
        break;
    case BEDROCK_THINKS_QWEN: // knows two
        member_of(w, open, fields);
        json_str(&w->j, "reasoning_config", e <= EFFORT_LOW ? "low" : "high");
        break;
    case BEDROCK_THINKS_NOVA:
        member_of(w, open, fields);
        json_obj(&w->j, "reasoningConfig");
        json_str(&w->j, "type", "enabled");
        json_str(&w->j, "maxReasoningEffort", effort_of_three(e));
        json_end(&w->j);
        break;
    default: chat_dropped(w->to, "reasoning_effort");
    }
}

static void write_fields(struct bedrock_writing *w, const struct claude_plan *p, bool top_k,
                         bool tools)
{
    bool open = false;
    if (bedrock_is_claude(w->model)) {
        write_claude_fields(w, p, top_k, tools, &open);
    } else {
        write_effort(w, &open);
        if (top_k) {
            member_of(w, &open, fields);
            json_obj(&w->j, "inferenceConfig");
            json_int(&w->j, "topK", w->in->top_k);
            json_end(&w->j);
        }
        if (w->in->parallel == 0 && tools)
            chat_dropped(w->to, "parallel_tool_calls");
    }
    close_object(w, open);
    if (w->in->stop && bedrock_is_claude(w->model)) // which of them it was
        json_raw(&w->j, "additionalModelResponseFieldPaths", STR("[\"/stop_sequence\"]"));
}

// --- the form of the answer, labels -----------------------------------------------

// The schema is a text here.
static void write_format(struct bedrock_writing *w)
{
    if (w->format != CLAUDE_FORMAT_NATIVE)
        return;
    const char *name = w->in->schema_name, *description = w->in->schema_description;
    struct str schema = bedrock_is_claude(w->model) ? schema_limited(w->a, w->in->schema)
                                                    : json_text_of(w->a, w->in->schema);
    json_obj(&w->j, "outputConfig");
    json_obj(&w->j, "textFormat");
    json_str(&w->j, "type", "json_schema");
    json_obj(&w->j, "structure");
    json_obj(&w->j, "jsonSchema");
    json_strn(&w->j, "schema", schema);
    json_str(&w->j, "name", text_is_empty(name) ? "response" : id_legal(w->a, name, 64));
    if (!text_is_empty(description))
        json_str(&w->j, "description", description);
    for (int i = 0; i < 4; i++)
        json_end(&w->j);
}

enum { LABELS_MOST = 16, LABEL_MOST = 256 };

static bool is_label(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!((s.p[i] >= 'a' && s.p[i] <= 'z') || (s.p[i] >= 'A' && s.p[i] <= 'Z') ||
              (s.p[i] >= '0' && s.p[i] <= '9') || (s.p[i] && strchr(" \t:_@$#=/+,-.", s.p[i]))))
            return false;
    return s.n > 0 && s.n <= LABEL_MOST;
}

static void write_labels(struct bedrock_writing *w)
{
    bool open = false;
    int n = 0;
    unsigned taken = LABEL_METADATA;
    size_t i, max;
    yyjson_val *key, *value;
    struct str user = str_of(w->in->user ? w->in->user : "");
    if (is_label(user)) {
        taken |= LABEL_USER;
        member_of(w, &open, "requestMetadata");
        json_strn(&w->j, "user_id", user);
        n++;
    }
    yyjson_obj_foreach(w->in->metadata, i, max, key, value)
    {
        struct str text = {yyjson_get_str(value), yyjson_get_len(value)};
        bool said = yyjson_is_str(value) && is_label(text) && !yyjson_equals_str(key, "user_id") &&
                    is_label(str_of(yyjson_get_str(key)));
        if (!said || n++ >= LABELS_MOST) {
            taken &= ~(unsigned)LABEL_METADATA;
            continue;
        }
        member_of(w, &open, "requestMetadata");
        json_strn(&w->j, yyjson_get_str(key), text);
    }
    close_object(w, open);
    chat_drop_labels(w->in, w->to, taken);
    bool tier = text_eq(w->in->tier, "priority") || text_eq(w->in->tier, "flex");
    if (tier && !bedrock_is_claude(w->model)) {
        json_obj(&w->j, "serviceTier");
        json_str(&w->j, "type", w->in->tier);
        json_end(&w->j);
    } else if (tier) {
        chat_dropped(w->to, "service_tier");
    }
}

// --- all of it ------------------------------------------------------------------

static int count_markers(const struct bedrock_writing *w, bool tools)
{
    int n = 0;
    for (const struct chat_tool *t = tools ? w->in->tools : NULL; t; t = t->next)
        n += t->cache_ttl && !t->hosted;
    return n + history_markers(w->in->system, w->messages);
}

// Of this dialect's own requests only the conversation may have to be written anew.
static const char *const rewritten[] = {"system", "messages", NULL};

static void write_own(struct bedrock_writing *w)
{
    bedrock_write_system(w);
    bedrock_write_messages(w);
    ride_along(w->a, &w->j, w->in->body, rewritten);
}

static void write_translated(struct bedrock_writing *w)
{
    bool claude = bedrock_is_claude(w->model);
    struct claude_plan plan = {.max_tokens = w->in->head.max_output};
    if (claude)
        plan = claude_plan_of(w->in, w->to, w->messages, bedrock_signed_claude);
    bool thinking = plan.thinking >= THINK_BUDGET, tools = plan_tools(w);
    w->skip = count_markers(w, tools) - BEDROCK_MARKERS_MAX;
    if (tools)
        write_tools(w, plan.thinking == THINK_BUDGET);
    bedrock_write_system(w);
    bedrock_write_messages(w);
    struct claude_sampling sampling = sampling_of(w, thinking);
    write_inference(w, plan.max_tokens, &sampling);
    write_fields(w, &plan, sampling.top_k, tools && !w->no_calls);
    write_format(w);
    claude_note_dropped(w->in, w->to);
    write_labels(w);
}

struct err *bedrock_write_request(struct arena *a, const struct chat_request *in,
                                  const struct chat_target *to, struct buf *out)
{
    struct bedrock_writing w = {
        .a = a,
        .in = in,
        .to = to,
        .model = bedrock_model(to->model),
        .j = {.out = out},
        .names = name_map_new(a, in->tools, BEDROCK_NAME_MAX),
        .messages = history_repair(a, in->messages),
        .format = bedrock_format(in, to),
        .own = in->owner == &bedrock_dialect,
    };
    json_obj(&w.j, NULL);
    if (w.own)
        write_own(&w);
    else
        write_translated(&w);
    json_end(&w.j);
    return out->overflow ? err_new(a, &err_body_too_large, "translated request") : NULL;
}
