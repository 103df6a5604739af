// The canonical conversation becomes a chat completions request for a provider.

#include <string.h>

#include "common/arena.h"
#include "common/hash.h"
#include "relay/dialect/openai_messages.h"
#include "relay/dialect/schema.h"
#include "relay/dialect/take.h"

// --- tools ----------------------------------------------------------------------

static void write_function(struct openai_writing *w, const struct chat_tool *t)
{
    openai_begin_part(w, "function");
    json_obj(&w->j, "function");
    json_str(&w->j, "name", name_to_wire(w->a, w->names, t->name));
    if (t->description)
        json_str(&w->j, "description", t->description);
    if (t->custom)
        json_raw(&w->j, "parameters",
                 STR("{\"type\":\"object\",\"properties\":{\"input\":{\"type\":\"string\"}},"
                     "\"required\":[\"input\"]}"));
    else if (t->schema)
        json_raw(&w->j, "parameters", json_text_of(w->a, t->schema));
    if (t->strict_said && (w->own || !t->strict || schema_is_strict(t->schema)))
        json_bool(&w->j, "strict", t->strict);
    json_end(&w->j);
    openai_end_part(w, t->cache_ttl);
}

static bool is_kept(const struct openai_writing *w, const struct chat_tool *t)
{
    return !openai_has(w, NO_TOOLS) && (!t->hosted || t->owner == &openai_dialect);
}

void openai_write_choice(struct json *j, struct arena *a, const struct chat_request *in,
                         const struct name_map *names, bool nested)
{
    static const char *const words[] = {
        [CHOICE_AUTO] = "auto", [CHOICE_NONE] = "none", [CHOICE_ANY] = "required"};
    if (in->choice == CHOICE_NAMED) {
        json_obj(j, "tool_choice");
        json_str(j, "type", "function");
        if (nested)
            json_obj(j, "function");
        json_str(j, "name", name_to_wire(a, names, in->choice_name));
        if (nested)
            json_end(j);
        json_end(j);
    } else if (in->choice != CHOICE_UNSAID) {
        json_str(j, "tool_choice", words[in->choice]);
    }
    if (in->parallel >= 0)
        json_bool(j, "parallel_tool_calls", in->parallel);
}

static void write_tools(struct openai_writing *w)
{
    bool any = false;
    for (const struct chat_tool *t = w->in->tools; t; t = t->next) {
        if (!is_kept(w, t)) {
            chat_dropped(w->to, "tools");
            continue;
        }
        if (!any)
            json_arr(&w->j, "tools");
        any = true;
        if (t->owner == &openai_dialect && (t->hosted || t->custom))
            json_raw(&w->j, NULL, json_text_of(w->a, t->raw));
        else
            write_function(w, t);
    }
    if (!any)
        return;
    json_end(&w->j);
    if (w->in->choice == CHOICE_UNSAID && w->own &&
        yyjson_is_obj(yyjson_obj_get(w->in->body, "tool_choice")))
        json_raw(&w->j, "tool_choice",
                 json_text_of(w->a, yyjson_obj_get(w->in->body, "tool_choice")));
    openai_write_choice(&w->j, w->a, w->in, w->names, true);
}

// --- scalars --------------------------------------------------------------------

static void write_real(struct openai_writing *w, bool said, const char *name, double v,
                       bool allowed)
{
    if (said && allowed)
        json_real(&w->j, name, v);
    else if (said)
        chat_dropped(w->to, name);
}

static void write_stops(struct openai_writing *w, bool allowed)
{
    if (!w->in->stop)
        return;
    if (!allowed) {
        chat_dropped(w->to, "stop");
        return;
    }
    json_arr(&w->j, "stop");
    for (size_t i = 0; w->in->stop[i] && (i < 4 || !openai_has(w, OPENAI_RULES)); i++)
        json_str(&w->j, NULL, w->in->stop[i]);
    json_end(&w->j);
}

static void write_sampling(struct openai_writing *w)
{
    const struct chat_request *in = w->in;
    bool free = !openai_has(w, OPENAI_RULES) || w->family->samples;
    if (openai_has(w, OPENAI_RULES) && w->family->reasons) {
        enum effort e = effort_of(in);
        free = w->family->none && (e == EFFORT_NONE || (e == EFFORT_UNSAID && w->family->samples));
    }
    write_real(w, in->has_temperature, "temperature", in->temperature, free);
    write_real(w, in->has_top_p, "top_p", in->top_p, free);
    write_real(w, in->has_top_k, "top_k", (double)in->top_k, !openai_has(w, OPENAI_RULES));
    write_real(w, in->has_presence, "presence_penalty", in->presence, free);
    write_real(w, in->has_frequency, "frequency_penalty", in->frequency, free);
    write_stops(w, free || w->family->samples);
    if (in->has_seed)
        json_int(&w->j, "seed", in->seed);
    if (in->logit_bias && free)
        json_raw(&w->j, "logit_bias", json_text_of(w->a, in->logit_bias));
    if (in->logprobs >= 0 && free) {
        json_bool(&w->j, "logprobs", true);
        if (in->logprobs)
            json_int(&w->j, "top_logprobs", in->logprobs);
    }
    if (in->head.choices > 1)
        json_int(&w->j, "n", in->head.choices);
}

// The nearest effort this family has (conversion matrix 7.1).
const char *openai_family_effort(const struct openai_family *f, enum effort e)
{
    if (e == EFFORT_NONE && !f->none)
        e = EFFORT_MINIMAL;
    if (e == EFFORT_MINIMAL && !f->minimal)
        e = EFFORT_LOW;
    if (e >= EFFORT_XHIGH)
        e = f->high ? EFFORT_XHIGH : EFFORT_HIGH;
    return effort_names[e];
}

static const char *plain_effort(const struct openai_writing *w, enum effort e)
{
    if (w->own || openai_has(w, THINKING_SWITCH))
        return effort_names[e == EFFORT_MINIMAL && !w->own ? EFFORT_LOW : e];
    return e == EFFORT_NONE      ? NULL
           : e == EFFORT_MINIMAL ? "low"
           : e >= EFFORT_XHIGH   ? "high"
                                 : effort_names[e];
}

static void write_effort(struct openai_writing *w)
{
    enum effort e = effort_of(w->in);
    bool said = w->own && yyjson_obj_get(w->in->body, "thinking");
    bool on = e > EFFORT_NONE || w->in->thinking_adaptive;
    if (openai_has(w, THINKING_SWITCH) && !said && (on || e == EFFORT_NONE)) {
        json_obj(&w->j, "thinking");
        json_str(&w->j, "type", on ? "enabled" : "disabled");
        json_end(&w->j);
    }
    if (w->own && !yyjson_obj_get(w->in->body, "reasoning_effort"))
        return; // said in another way, which rides along
    if (e == EFFORT_UNSAID || (e == EFFORT_NONE && openai_has(w, THINKING_SWITCH)))
        return;
    if (openai_has(w, NO_EFFORT) || (openai_has(w, OPENAI_RULES) && !w->family->reasons)) {
        if (e != EFFORT_NONE)
            chat_dropped(w->to, "reasoning_effort");
        return;
    }
    const char *name =
        openai_has(w, OPENAI_RULES) ? openai_family_effort(w->family, e) : plain_effort(w, e);
    if (name)
        json_str(&w->j, "reasoning_effort", name);
}

static void write_format(struct openai_writing *w)
{
    const struct chat_request *in = w->in;
    if (in->format == FORMAT_TEXT)
        return;
    json_obj(&w->j, "response_format");
    json_str(&w->j, "type", in->format == FORMAT_JSON ? "json_object" : "json_schema");
    if (in->format == FORMAT_SCHEMA) {
        json_obj(&w->j, "json_schema");
        json_str(&w->j, "name", in->schema_name ? in->schema_name : "response");
        if (in->schema_description)
            json_str(&w->j, "description", in->schema_description);
        json_raw(&w->j, "schema", json_text_of(w->a, in->schema));
        json_bool(&w->j, "strict", w->own ? in->schema_strict : schema_is_strict(in->schema));
        json_end(&w->j);
    }
    json_end(&w->j);
}

// Claude Code's user ids are longer than OpenAI takes.
const char *openai_user(struct arena *a, const char *user)
{
    unsigned char digest[SHA256_SIZE];
    if (strlen(user) <= 64)
        return user;
    hash_sha256(str_of(user), digest);
    return hash_hex(a, digest, SHA256_SIZE);
}

void openai_write_tier(struct json *j, const struct chat_request *in, const struct chat_target *to)
{
    static const char *const tiers[] = {"auto", "default", "flex", "priority", "scale"};
    const char *tier = text_eq(in->tier, "standard_only") ? "default" : in->tier;
    size_t i = 0, count = sizeof(tiers) / sizeof(*tiers);
    while (i < count && !text_eq(tier, tiers[i]))
        i++;
    if (i < count && to->quirks & OPENAI_RULES)
        json_str(j, "service_tier", tier);
    else if (tier && i > 1)
        chat_dropped(to, "service_tier");
}

static void write_labels(struct openai_writing *w)
{
    if (w->own)
        return; // they ride along
    if (w->in->user)
        json_str(&w->j, "user", openai_user(w->a, w->in->user));
    openai_write_tier(&w->j, w->in, w->to);
    bool takes_key = openai_has(w, OPENAI_RULES);
    if (w->in->cache_key && takes_key)
        json_str(&w->j, "prompt_cache_key", w->in->cache_key);
    if (w->in->verbosity && openai_has(w, OPENAI_RULES))
        json_str(&w->j, "verbosity", w->in->verbosity);
    else if (w->in->verbosity)
        chat_dropped(w->to, "verbosity");
    // OpenAI takes metadata only of chats that it keeps.
    chat_drop_labels(w->in, w->to, LABEL_USER | (takes_key ? LABEL_CACHE_KEY : 0));
}

static void write_limits(struct openai_writing *w)
{
    if (w->in->head.max_output > 0)
        json_int(&w->j, openai_has(w, OLD_MAX_TOKENS) ? "max_tokens" : "max_completion_tokens",
                 w->in->head.max_output);
    if (!w->to->stream)
        return;
    json_bool(&w->j, "stream", true);
    if (openai_has(w, NO_STREAM_USAGE))
        return;
    json_obj(&w->j, "stream_options");
    json_bool(&w->j, "include_usage", true);
    json_end(&w->j);
}

static const char *const known[] = {
    "model",
    "messages",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "functions",
    "function_call",
    "max_tokens",
    "max_completion_tokens",
    "temperature",
    "top_p",
    "top_k",
    "n",
    "stop",
    "seed",
    "presence_penalty",
    "frequency_penalty",
    "logit_bias",
    "logprobs",
    "top_logprobs",
    "stream",
    "stream_options",
    "response_format",
    "reasoning_effort",
    NULL,
};

struct err *openai_write_request(struct arena *a, const struct chat_request *in,
                                 const struct chat_target *to, struct buf *out)
{
    struct openai_writing w = {
        .a = a,
        .in = in,
        .to = to,
        .family = openai_family(to->model),
        .j = {.out = out},
        .names = name_map_new(a, in->tools, OPENAI_NAME_MAX),
        .own = in->owner == &openai_dialect,
    };
    json_obj(&w.j, NULL);
    json_str(&w.j, "model", to->model);
    openai_write_messages(&w);
    write_tools(&w);
    write_limits(&w);
    write_sampling(&w);
    write_effort(&w);
    write_format(&w);
    write_labels(&w);
    if (w.own)
        ride_along(a, &w.j, in->body, known);
    json_end(&w.j);
    return out->overflow ? err_new(a, &err_body_too_large, "translated request") : NULL;
}
