// The canonical conversation becomes a v2 chat request for a provider.

#include <string.h>

#include "common/arena.h"
#include "relay/dialect/cohere.h"
#include "relay/dialect/cohere_messages.h"
#include "relay/dialect/custom.h"
#include "relay/dialect/history.h"
#include "relay/dialect/openai.h"
#include "relay/dialect/schema.h"
#include "relay/dialect/take.h"

// --- tools ----------------------------------------------------------------------

static bool is_kept(const struct cohere_writing *w, const struct chat_tool *t)
{
    bool other = w->in->choice == CHOICE_NAMED && !text_eq(t->name, w->in->choice_name);
    return !t->hosted && !(other && w->model->chooses);
}

static void write_function(struct cohere_writing *w, const struct chat_tool *t)
{
    json_obj(&w->j, NULL);
    json_str(&w->j, "type", "function");
    json_obj(&w->j, "function");
    json_str(&w->j, "name", name_to_wire(w->a, w->names, t->name));
    if (t->description)
        json_str(&w->j, "description", t->description);
    json_raw(&w->j, "parameters",
             t->custom             ? custom_schema()
             : w->own && t->schema ? json_text_of(w->a, t->schema)
                                   : schema_nameless(w->a, t->schema));
    json_end(&w->j);
    json_end(&w->j);
}

// One switch for all tools, and each of them must require something.
static bool all_strict(const struct cohere_writing *w)
{
    for (const struct chat_tool *t = w->in->tools; t; t = t->next)
        if (is_kept(w, t) &&
            (!t->strict || yyjson_arr_size(yyjson_obj_get(t->schema, "required")) == 0))
            return false;
    return true;
}

// A named tool is the only one that is told (cohere.md 11).
static void write_choice(struct cohere_writing *w)
{
    enum tool_choice choice = w->in->choice;
    if (w->in->parallel == 0)
        chat_dropped(w->to, "parallel_tool_calls");
    if (choice == CHOICE_UNSAID || choice == CHOICE_AUTO)
        return;
    if (w->model->chooses)
        json_str(&w->j, "tool_choice", choice == CHOICE_NONE ? "NONE" : "REQUIRED");
    else
        chat_dropped(w->to, "tool_choice");
}

static void write_tools(struct cohere_writing *w)
{
    bool any = false;
    for (const struct chat_tool *t = w->in->tools; t; t = t->next) {
        if (t->hosted)
            chat_dropped(w->to, "tools");
        if (!is_kept(w, t))
            continue;
        if (!any)
            json_arr(&w->j, "tools");
        any = true;
        write_function(w, t);
    }
    if (!any)
        return;
    json_end(&w->j);
    if (all_strict(w))
        json_bool(&w->j, "strict_tools", true);
    write_choice(w);
}

// --- settings -------------------------------------------------------------------

static double within(double v, double least, double most)
{
    return v < least ? least : v > most ? most : v;
}

// A caller of this dialect is not corrected.
static void write_real(struct cohere_writing *w, bool said, const char *name, double v,
                       double least, double most)
{
    if (said)
        json_real(&w->j, name, w->own ? v : within(v, least, most));
}

static void write_sampling(struct cohere_writing *w)
{
    const struct chat_request *in = w->in;
    if (in->head.max_output > 0)
        json_int(&w->j, "max_tokens", in->head.max_output);
    write_real(w, in->has_temperature, "temperature", in->temperature, 0, 1);
    write_real(w, in->has_top_p, "p", in->top_p, 0.01, 0.99);
    write_real(w, in->has_top_k, "k", (double)in->top_k, 0, 500);
    write_real(w, in->has_frequency, "frequency_penalty", in->frequency, 0, 1);
    write_real(w, in->has_presence, "presence_penalty", in->presence, 0, 1);
    if (in->has_seed)
        json_int(&w->j, "seed", in->seed);
    if (in->logprobs >= 0)
        json_bool(&w->j, "logprobs", true);
    if (in->logprobs > 0)
        chat_dropped(w->to, "top_logprobs");
    if (!in->stop)
        return;
    json_arr(&w->j, "stop_sequences");
    for (size_t i = 0; in->stop[i] && i < COHERE_STOPS_MAX; i++)
        json_str(&w->j, NULL, in->stop[i]);
    json_end(&w->j);
}

static int64_t budget_of(const struct chat_request *in, enum effort e)
{
    static const int64_t budgets[] = {
        [EFFORT_MINIMAL] = 1024, [EFFORT_LOW] = 2048, [EFFORT_MEDIUM] = 8192,
        [EFFORT_HIGH] = 16384,   [EFFORT_MAX] = 0,
    };
    int64_t budget = in->thinking_budget > 0 ? in->thinking_budget : budgets[e],
            most = in->head.max_output;
    return budget && most > 0 && budget >= most ? most / 2 : budget;
}

static void write_thinking(struct cohere_writing *w)
{
    enum effort e = effort_of(w->in);
    bool on = e > EFFORT_NONE || w->in->thinking_adaptive;
    if (e == EFFORT_UNSAID && !on)
        return;
    if (!w->model->thinks) {
        if (on)
            chat_dropped(w->to, "thinking");
        return;
    }
    int64_t budget = on ? budget_of(w->in, e) : 0;
    json_obj(&w->j, "thinking");
    json_str(&w->j, "type", on ? "enabled" : "disabled");
    if (budget > 0)
        json_int(&w->j, "token_budget", budget);
    json_end(&w->j);
}

static void write_format(struct cohere_writing *w)
{
    if (w->format != COHERE_FORMAT_SCHEMA && w->format != COHERE_FORMAT_JSON)
        return;
    json_obj(&w->j, "response_format");
    json_str(&w->j, "type", "json_object");
    if (w->format == COHERE_FORMAT_SCHEMA)
        json_raw(&w->j, "json_schema", schema_limited(w->a, w->in->schema));
    json_end(&w->j);
}

static void note_dropped(const struct cohere_writing *w)
{
    const struct {
        bool said;
        const char *name;
    } rows[] = {
        {w->in->logit_bias != NULL, "logit_bias"},
        {w->in->head.choices > 1, "n"},
        {w->in->verbosity != NULL, "verbosity"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        if (rows[i].said)
            chat_dropped(w->to, rows[i].name);
    if (!w->own)
        chat_drop_labels(w->in, w->to, 0);
}

static const char *const known[] = {
    "model",
    "messages",
    "tools",
    "tool_choice",
    "strict_tools",
    "max_tokens",
    "temperature",
    "p",
    "k",
    "seed",
    "frequency_penalty",
    "presence_penalty",
    "stop_sequences",
    "logprobs",
    "stream",
    "thinking",
    NULL,
};

struct err *cohere_write_request(struct arena *a, const struct chat_request *in,
                                 const struct chat_target *to, struct buf *out)
{
    struct cohere_writing w = {
        .a = a,
        .in = in,
        .to = to,
        .model = cohere_model(to->model),
        .j = {.out = out},
        .messages = history_repair(a, in->messages),
        .names = name_map_ruled(a, in->tools, COHERE_NAME_MAX, NAME_WORDS),
        .format = cohere_format(in),
        .own = in->owner == &cohere_dialect,
    };
    json_obj(&w.j, NULL);
    json_str(&w.j, "model", to->model);
    cohere_write_messages(&w);
    write_tools(&w);
    write_sampling(&w);
    write_thinking(&w);
    write_format(&w);
    note_dropped(&w);
    if (to->stream)
        json_bool(&w.j, "stream", true);
    if (w.own)
        ride_along(a, &w.j, in->body, known);
    json_end(&w.j);
    return out->overflow ? err_new(a, &err_body_too_large, "translated request") : NULL;
}
