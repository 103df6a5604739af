// The canonical conversation becomes a Responses request for a provider.

#include "relay/dialect/responses_request.h"

#include <string.h>

#include "common/arena.h"
#include "relay/dialect/schema.h"
#include "relay/dialect/take.h"

static bool has(const struct responses_writing *w, enum quirk q)
{
    return w->to->quirks & q;
}

// --- tools ----------------------------------------------------------------------

// A missing `strict` would mean true here.
static void write_tool(struct responses_writing *w, const struct chat_tool *t)
{
    json_obj(&w->j, NULL);
    json_str(&w->j, "type", "function");
    json_str(&w->j, "name", name_to_wire(w->a, w->names, t->name));
    if (t->description)
        json_str(&w->j, "description", t->description);
    if (t->custom)
        json_raw(&w->j, "parameters",
                 STR("{\"type\":\"object\",\"properties\":{\"input\":{\"type\":\"string\"}},"
                     "\"required\":[\"input\"]}"));
    else
        json_raw(&w->j, "parameters", schema_object(w->a, t->schema));
    json_bool(&w->j, "strict", t->strict_said && t->strict && schema_is_strict(t->schema));
    json_end(&w->j);
}

static void write_tools(struct responses_writing *w)
{
    bool any = false;
    for (const struct chat_tool *t = w->in->tools; t; t = t->next) {
        if (t->hosted) {
            chat_dropped(w->to, "tools");
            continue;
        }
        if (!any)
            json_arr(&w->j, "tools");
        any = true;
        write_tool(w, t);
    }
    if (!any)
        return;
    json_end(&w->j);
    openai_write_choice(&w->j, w->a, w->in, w->names, false);
}

// --- reasoning ------------------------------------------------------------------

static bool knows_effort(const struct responses_writing *w)
{
    return !has(w, NO_EFFORT) && (!has(w, OPENAI_RULES) || w->family->reasons);
}

static bool wants_summary(const struct chat_request *in)
{
    if (in->thinking_display)
        return strcmp(in->thinking_display, "omitted") != 0;
    return in->thinking_adaptive || in->thinking_budget > 0;
}

// Models that never reason refuse to be asked for their reasoning.
static bool may_reason(const struct responses_writing *w, enum effort e)
{
    bool known = *w->family->begin && w->family->reasons;
    return knows_effort(w) && (known || e > EFFORT_NONE || w->in->thinking_adaptive);
}

static void write_reasoning(struct responses_writing *w)
{
    enum effort e = effort_of(w->in);
    if (!knows_effort(w)) {
        if (e > EFFORT_NONE)
            chat_dropped(w->to, "reasoning_effort");
        return;
    }
    bool summary = wants_summary(w->in) && may_reason(w, e);
    if (e == EFFORT_UNSAID && !summary)
        return;
    json_obj(&w->j, "reasoning");
    if (e != EFFORT_UNSAID)
        json_str(&w->j, "effort", openai_family_effort(w->family, e));
    if (summary)
        json_str(&w->j, "summary", "auto");
    json_end(&w->j);
}

static void write_include(struct responses_writing *w)
{
    bool reasoning = may_reason(w, effort_of(w->in)), logprobs = w->in->logprobs >= 0;
    if (!reasoning && !logprobs)
        return;
    json_arr(&w->j, "include");
    if (reasoning)
        json_str(&w->j, NULL, "reasoning.encrypted_content");
    if (logprobs)
        json_str(&w->j, NULL, "message.output_text.logprobs");
    json_end(&w->j);
    if (w->in->logprobs > 0)
        json_int(&w->j, "top_logprobs", w->in->logprobs);
}

// --- the rest -------------------------------------------------------------------

static void write_sampling(struct responses_writing *w)
{
    const struct chat_request *in = w->in;
    enum effort e = effort_of(in);
    bool free = !has(w, OPENAI_RULES) || w->family->samples;
    if (has(w, OPENAI_RULES) && w->family->reasons)
        free = w->family->none && (e == EFFORT_NONE || (e == EFFORT_UNSAID && w->family->samples));
    const struct {
        bool said, kept;
        const char *name;
        double value;
    } rows[] = {
        {in->has_temperature, free, "temperature", in->temperature},
        {in->has_top_p, free, "top_p", in->top_p},
        {in->has_top_k, false, "top_k", 0},
        {in->has_seed, false, "seed", 0},
        {in->has_presence, false, "presence_penalty", 0},
        {in->has_frequency, false, "frequency_penalty", 0},
        {in->logit_bias != NULL, false, "logit_bias", 0},
        {in->stop != NULL, false, "stop", 0},
        {in->head.choices > 1, false, "n", 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        if (rows[i].said && rows[i].kept)
            json_real(&w->j, rows[i].name, rows[i].value);
        else if (rows[i].said)
            chat_dropped(w->to, rows[i].name);
    }
}

static void write_format(struct responses_writing *w)
{
    const struct chat_request *in = w->in;
    json_obj(&w->j, "format");
    json_str(&w->j, "type", in->format == FORMAT_JSON ? "json_object" : "json_schema");
    if (in->format == FORMAT_SCHEMA) {
        json_str(&w->j, "name", in->schema_name ? in->schema_name : "response");
        if (in->schema_description)
            json_str(&w->j, "description", in->schema_description);
        json_raw(&w->j, "schema", json_text_of(w->a, in->schema));
        bool asked = in->schema_strict || in->owner != &openai_dialect;
        json_bool(&w->j, "strict", asked && schema_is_strict(in->schema));
    }
    json_end(&w->j);
}

static void write_text(struct responses_writing *w)
{
    if (w->in->format == FORMAT_TEXT && !w->in->verbosity)
        return;
    json_obj(&w->j, "text");
    if (w->in->format != FORMAT_TEXT)
        write_format(w);
    if (w->in->verbosity)
        json_str(&w->j, "verbosity", w->in->verbosity);
    json_end(&w->j);
}

static void write_labels(struct responses_writing *w)
{
    const struct chat_request *in = w->in;
    const char *user = in->user ? openai_user(w->a, in->user) : NULL;
    const char *key = in->cache_key;
    if (!key && in->owner == &claude_dialect)
        key = user; // Claude Code's says which session
    if (user)
        json_str(&w->j, "safety_identifier", user);
    if (key)
        json_str(&w->j, "prompt_cache_key", key);
    if (yyjson_is_obj(in->metadata))
        json_val(&w->j, "metadata", in->metadata);
    openai_write_tier(&w->j, in, w->to);
}

static void write_limits(struct responses_writing *w)
{
    int64_t most = w->in->head.max_output;
    if (most > 0)
        json_int(&w->j, "max_output_tokens",
                 most < RESPONSES_OUTPUT_MIN ? RESPONSES_OUTPUT_MIN : most);
    if (w->to->stream)
        json_bool(&w->j, "stream", true);
}

static void write_rest(struct responses_writing *w)
{
    static const char *const known[] = {"model", "input", "instructions", NULL};
    static const char *const ours[] = {
        "model", "input", "instructions", "store", "previous_response_id", NULL};
    if (w->own) {
        ride_along(w->a, &w->j, w->in->body, has(w, STATELESS) ? ours : known);
        if (has(w, STATELESS))
            json_bool(&w->j, "store", false);
        return;
    }
    write_tools(w);
    write_limits(w);
    write_sampling(w);
    write_reasoning(w);
    write_text(w);
    json_bool(&w->j, "store", false);
    write_include(w);
    write_labels(w);
}

struct err *responses_write_request(struct arena *a, const struct chat_request *in,
                                    const struct chat_target *to, struct buf *out)
{
    struct responses_writing w = {
        .a = a,
        .in = in,
        .to = to,
        .family = openai_family(to->model),
        .names = name_map_new(a, in->tools, RESPONSES_NAME_MAX),
        .j = {.out = out},
        .own = in->owner == &responses_dialect,
    };
    json_obj(&w.j, NULL);
    json_str(&w.j, "model", to->model);
    responses_write_input(&w);
    write_rest(&w);
    json_end(&w.j);
    return out->overflow ? err_new(a, &err_body_too_large, "translated request") : NULL;
}
