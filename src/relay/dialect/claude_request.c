// The canonical conversation becomes a messages request for a provider.

#include <string.h>

#include "common/arena.h"
#include "relay/dialect/claude_messages.h"
#include "relay/dialect/history.h"
#include "relay/dialect/openai.h"
#include "relay/dialect/schema.h"
#include "relay/dialect/take.h"

// What is decided before anything is written.
struct plan {
    int64_t max_tokens, budget;
    enum { THINK_UNSAID, THINK_DISABLED, THINK_BUDGET, THINK_ADAPTIVE } thinking;
    const char *effort;
};

// --- thinking -------------------------------------------------------------------

static const char *effort_for(const struct claude_model *m, enum effort e)
{
    if (m->effort == EFFORT_UNSAID || e <= EFFORT_NONE)
        return NULL;
    if (e == EFFORT_MINIMAL)
        e = EFFORT_LOW;
    if (e > m->effort)
        e = m->effort;
    if (m->no_effort != EFFORT_UNSAID && e == m->no_effort)
        e++;
    return effort_names[e];
}

// Inside a tool loop the last turn must begin with its signed thinking; when a client lost it,
// thinking is left out for this request (anthropic.md 5; else 400 "Expected `thinking`").
static bool lost_thinking(const struct claude_writing *w)
{
    const struct chat_message *turn = NULL;
    bool called = false, thought = false;
    for (const struct chat_message *m = w->messages; m; m = m->next)
        if (m->role == ROLE_ASSISTANT)
            turn = m;
    for (const struct chat_part *p = turn ? turn->parts : NULL; p; p = p->next) {
        called = called || p->kind == PART_TOOL_CALL;
        thought = thought || claude_signed(p);
    }
    return called && !thought;
}

// Never beyond what the caller allowed as output: its limit is also what was reserved.
static void plan_budget(const struct claude_writing *w, struct plan *p)
{
    static const int64_t budgets[] = {
        [EFFORT_MINIMAL] = 1024, [EFFORT_LOW] = 2048,    [EFFORT_MEDIUM] = 8192,
        [EFFORT_HIGH] = 16384,   [EFFORT_XHIGH] = 32768, [EFFORT_MAX] = 32768,
        [EFFORT_UNSAID] = 8192,  [EFFORT_NONE] = 1024};
    int64_t budget = w->in->thinking_budget;
    if (budget <= 0)
        budget = budgets[effort_of(w->in)];
    if (budget < 1024)
        budget = 1024;
    if (budget >= p->max_tokens)
        budget = p->max_tokens - 1024 >= 1024 ? p->max_tokens - 1024 : 1024;
    if (p->max_tokens <= 1024 || lost_thinking(w)) {
        chat_dropped(w->to, "thinking");
        return;
    }
    p->thinking = THINK_BUDGET;
    p->budget = budget;
}

static struct plan plan_of(const struct claude_writing *w)
{
    const struct chat_request *in = w->in;
    struct plan p = {.max_tokens = in->head.max_output};
    if (p.max_tokens <= 0 ||
        (p.max_tokens > w->model->max_output && strstr(w->to->model, "claude")))
        p.max_tokens = w->model->max_output;
    bool adaptive = w->model->adaptive && (!w->model->budget || in->thinking_budget <= 0);
    if (!claude_wants_thinking(in)) {
        if (in->effort == EFFORT_NONE && w->model->adaptive)
            p.thinking = THINK_DISABLED;
    } else if (adaptive) {
        p.thinking = THINK_ADAPTIVE;
        p.effort = effort_for(w->model, effort_of(in));
    } else if (w->model->budget) {
        plan_budget(w, &p);
    } else {
        chat_dropped(w->to, "thinking");
    }
    if (w->own && !p.effort)
        p.effort = effort_for(w->model, in->effort);
    return p;
}

static void write_thinking(struct claude_writing *w, const struct plan *p)
{
    static const char *const types[] = {NULL, "disabled", "enabled", "adaptive"};
    const char *display = w->in->thinking_display;
    if (p->thinking == THINK_UNSAID)
        return;
    if (!display && !w->own && p->thinking == THINK_ADAPTIVE)
        display = "summarized"; // newer models show nothing unless asked
    json_obj(&w->j, "thinking");
    json_str(&w->j, "type", types[p->thinking]);
    if (p->thinking == THINK_BUDGET)
        json_int(&w->j, "budget_tokens", p->budget);
    if (display && p->thinking != THINK_DISABLED)
        json_str(&w->j, "display", display);
    json_end(&w->j);
}

static void write_config(struct claude_writing *w, const struct plan *p)
{
    static const char *const known[] = {"effort", "format", NULL};
    yyjson_val *own = w->own ? yyjson_obj_get(w->in->body, "output_config") : NULL;
    bool format = w->format == CLAUDE_FORMAT_NATIVE;
    if (!p->effort && !format && !own)
        return;
    json_obj(&w->j, "output_config");
    if (p->effort)
        json_str(&w->j, "effort", p->effort);
    if (format) {
        json_obj(&w->j, "format");
        json_str(&w->j, "type", "json_schema");
        json_raw(&w->j, "schema",
                 w->own ? json_text_of(w->a, w->in->schema) : schema_limited(w->a, w->in->schema));
        json_end(&w->j);
    }
    if (own)
        ride_along(w->a, &w->j, own, known);
    json_end(&w->j);
}

// --- tools ----------------------------------------------------------------------

static void write_tool(struct claude_writing *w, const struct chat_tool *t)
{
    json_obj(&w->j, NULL);
    json_str(&w->j, "name", name_to_wire(w->a, w->names, t->name));
    if (t->description)
        json_str(&w->j, "description", t->description);
    json_raw(&w->j, "input_schema",
             t->custom ? STR("{\"type\":\"object\",\"properties\":{\"input\":{\"type\":\"string\","
                             "\"description\":\"the raw text\"}},\"required\":[\"input\"]}")
                       : schema_object(w->a, t->schema));
    claude_write_marker(w, t->cache_ttl);
    json_end(&w->j);
}

// The tool whose arguments are the answer.
static void write_format_tool(struct claude_writing *w)
{
    json_obj(&w->j, NULL);
    json_str(&w->j, "name", claude_format_tool);
    json_str(&w->j, "description",
             w->in->schema_description ? w->in->schema_description
                                       : "Gives the answer in the form that is asked for.");
    json_raw(&w->j, "input_schema", schema_object(w->a, w->in->schema));
    json_end(&w->j);
}

static void write_choice(struct claude_writing *w)
{
    static const char *const names[] = {[CHOICE_UNSAID] = "auto",
                                        [CHOICE_AUTO] = "auto",
                                        [CHOICE_NONE] = "none",
                                        [CHOICE_ANY] = "any",
                                        [CHOICE_NAMED] = "tool"};
    enum tool_choice choice = w->in->choice;
    const char *name = w->in->choice_name;
    if (w->format == CLAUDE_FORMAT_TOOL) {
        choice = CHOICE_NAMED;
        name = claude_format_tool;
    }
    bool forced = choice == CHOICE_ANY || choice == CHOICE_NAMED;
    if (forced && (w->thinking || w->model->no_force)) {
        chat_dropped(w->to, "tool_choice");
        choice = CHOICE_AUTO;
    }
    bool single = w->in->parallel == 0 && choice != CHOICE_NONE;
    if (choice == CHOICE_UNSAID && !single)
        return;
    json_obj(&w->j, "tool_choice");
    json_str(&w->j, "type", names[choice]);
    if (choice == CHOICE_NAMED)
        json_str(&w->j, "name", name_to_wire(w->a, w->names, name));
    if (single)
        json_bool(&w->j, "disable_parallel_tool_use", true);
    json_end(&w->j);
}

// A history with calls needs tools: those it used are declared, and none may be called.
static void write_used_tools(struct claude_writing *w)
{
    struct chat_tool *used = NULL, *known;
    for (const struct chat_message *m = w->messages; m; m = m->next)
        for (const struct chat_part *p = m->parts; p; p = p->next) {
            if (p->kind != PART_TOOL_CALL || text_is_empty(p->name))
                continue;
            for (known = used; known && strcmp(known->name, p->name) != 0;)
                known = known->next;
            if (known)
                continue;
            if (!used)
                json_arr(&w->j, "tools");
            known = NEW(w->a, struct chat_tool);
            *known = (struct chat_tool){.next = used, .name = p->name};
            used = known;
            write_tool(w, used);
        }
    if (!used)
        return;
    json_end(&w->j);
    json_obj(&w->j, "tool_choice");
    json_str(&w->j, "type", "none");
    json_end(&w->j);
}

static void write_tools(struct claude_writing *w)
{
    bool any = w->format == CLAUDE_FORMAT_TOOL;
    for (const struct chat_tool *t = w->in->tools; t; t = t->next)
        any = any || !t->hosted || t->owner == &claude_dialect;
    if (!any) {
        write_used_tools(w);
        return;
    }
    json_arr(&w->j, "tools");
    for (const struct chat_tool *t = w->in->tools; t; t = t->next) {
        if (t->raw && t->owner == &claude_dialect)
            json_raw(&w->j, NULL, json_text_of(w->a, t->raw));
        else if (t->hosted)
            chat_dropped(w->to, "tools");
        else
            write_tool(w, t);
    }
    if (w->format == CLAUDE_FORMAT_TOOL)
        write_format_tool(w);
    json_end(&w->j);
    write_choice(w);
}

// --- scalars --------------------------------------------------------------------

static void write_sampling(struct claude_writing *w)
{
    const struct chat_request *in = w->in;
    bool free = w->model->samples && !w->thinking;
    if (in->has_temperature && free)
        json_real(&w->j, "temperature", in->temperature > 1 ? 1 : in->temperature);
    else if (in->has_temperature)
        chat_dropped(w->to, "temperature");
    bool top_p = w->thinking ? w->model->samples && in->top_p >= 0.95 : free;
    if (in->has_temperature && free && !w->model->both_samples)
        top_p = false;
    if (in->has_top_p && top_p)
        json_real(&w->j, "top_p", in->top_p > 1 ? 1 : in->top_p);
    else if (in->has_top_p)
        chat_dropped(w->to, "top_p");
    if (in->has_top_k && free)
        json_int(&w->j, "top_k", in->top_k);
    else if (in->has_top_k)
        chat_dropped(w->to, "top_k");
    if (!in->stop)
        return;
    json_arr(&w->j, "stop_sequences");
    for (size_t i = 0; in->stop[i]; i++)
        json_str(&w->j, NULL, in->stop[i]);
    json_end(&w->j);
}

static void note_dropped(const struct claude_writing *w)
{
    const struct {
        bool said;
        const char *name;
    } rows[] = {
        {w->in->has_seed, "seed"},
        {w->in->has_presence, "presence_penalty"},
        {w->in->has_frequency, "frequency_penalty"},
        {w->in->logit_bias != NULL, "logit_bias"},
        {w->in->logprobs >= 0, "logprobs"},
        {w->in->head.choices > 1, "n"},
        {w->in->verbosity != NULL, "verbosity"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        if (rows[i].said)
            chat_dropped(w->to, rows[i].name);
}

static void write_labels(struct claude_writing *w)
{
    if (w->own)
        return; // they ride along
    if (w->in->user) {
        json_obj(&w->j, "metadata");
        json_str(&w->j, "user_id", w->in->user);
        json_end(&w->j);
    }
    if (text_eq(w->in->tier, "default"))
        json_str(&w->j, "service_tier", "standard_only");
    else if (text_eq(w->in->tier, "auto") || text_eq(w->in->tier, "priority"))
        json_str(&w->j, "service_tier", "auto");
    if (w->in->cache_key && strstr(w->to->model, "claude"))
        claude_write_marker(w, "5m"); // the caller cares for caching: mark the last block
}

static int count_markers(const struct claude_writing *w)
{
    int n = w->in->cache_key != NULL;
    for (const struct chat_tool *t = w->in->tools; t; t = t->next)
        n += t->cache_ttl != NULL;
    for (const struct chat_part *p = w->in->system; p; p = p->next)
        n += p->cache_ttl != NULL;
    for (const struct chat_message *m = w->messages; m; m = m->next)
        for (const struct chat_part *p = m->parts; p; p = p->next)
            n += p->cache_ttl != NULL;
    return n;
}

static const char *const known[] = {
    "model",         "max_tokens",    "messages", "system",      "stop_sequences",
    "stream",        "temperature",   "top_p",    "top_k",       "thinking",
    "output_config", "output_format", "tools",    "tool_choice", NULL,
};

struct err *claude_write_request(struct arena *a, const struct chat_request *in,
                                 const struct chat_target *to, struct buf *out)
{
    struct claude_writing w = {
        .a = a,
        .in = in,
        .to = to,
        .model = claude_model(to->model),
        .j = {.out = out},
        .names = name_map_new(a, in->tools, CLAUDE_NAME_MAX),
        .messages = history_repair(a, in->messages),
        .format = claude_format(in, to),
        .own = in->owner == &claude_dialect,
    };
    struct plan plan = plan_of(&w);
    w.thinking = plan.thinking >= THINK_BUDGET;
    w.skip = w.own ? 0 : count_markers(&w) - CLAUDE_MARKERS_MAX;
    json_obj(&w.j, NULL);
    json_str(&w.j, "model", to->model);
    json_int(&w.j, "max_tokens", plan.max_tokens);
    write_tools(&w);
    claude_write_system(&w);
    claude_write_messages(&w);
    write_sampling(&w);
    write_thinking(&w, &plan);
    write_config(&w, &plan);
    note_dropped(&w);
    if (to->stream)
        json_bool(&w.j, "stream", true);
    write_labels(&w);
    if (w.own)
        ride_along(a, &w.j, in->body, known);
    json_end(&w.j);
    return out->overflow ? err_new(a, &err_body_too_large, "translated request") : NULL;
}
