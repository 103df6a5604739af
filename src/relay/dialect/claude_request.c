// The canonical conversation becomes a messages request for a provider.

#include <string.h>

#include "common/arena.h"
#include "relay/dialect/claude_messages.h"
#include "relay/dialect/claude_plan.h"
#include "relay/dialect/custom.h"
#include "relay/dialect/history.h"
#include "relay/dialect/openai.h"
#include "relay/dialect/schema.h"
#include "relay/dialect/take.h"

// --- answer format ----------------------------------------------------------------

static void write_config(struct claude_writing *w, const struct claude_plan *p)
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
    json_raw(&w->j, "input_schema", t->custom ? custom_schema() : schema_object(w->a, t->schema));
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
    if (forced && (w->budgeted || w->model->no_force)) {
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
    const struct chat_tool *used = history_tools(w->a, w->messages);
    if (!used)
        return;
    json_arr(&w->j, "tools");
    for (; used; used = used->next)
        write_tool(w, used);
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
    struct claude_sampling s = claude_sampling_of(in, w->to, w->thinking);
    if (s.temperature)
        json_real(&w->j, "temperature", in->temperature > 1 ? 1 : in->temperature);
    if (s.top_p)
        json_real(&w->j, "top_p", in->top_p > 1 ? 1 : in->top_p);
    if (s.top_k)
        json_int(&w->j, "top_k", in->top_k);
    if (!in->stop)
        return;
    json_arr(&w->j, "stop_sequences");
    for (size_t i = 0; in->stop[i]; i++)
        json_str(&w->j, NULL, in->stop[i]);
    json_end(&w->j);
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
    bool marks = strstr(w->to->model, "claude");
    if (w->in->cache_key && marks)
        claude_write_marker(w, "5m"); // the caller cares for caching: mark the last block
    chat_drop_labels(w->in, w->to, LABEL_USER | (marks ? LABEL_CACHE_KEY : 0));
}

static int count_markers(const struct claude_writing *w)
{
    int n = w->in->cache_key != NULL;
    for (const struct chat_tool *t = w->in->tools; t; t = t->next)
        n += t->cache_ttl != NULL;
    return n + history_markers(w->in->system, w->messages);
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
    struct claude_plan plan = claude_plan_of(in, to, w.messages, claude_signed);
    w.thinking = plan.thinking >= THINK_BUDGET;
    w.budgeted = plan.thinking == THINK_BUDGET;
    w.skip = w.own ? 0 : count_markers(&w) - CLAUDE_MARKERS_MAX;
    json_obj(&w.j, NULL);
    json_str(&w.j, "model", to->model);
    json_int(&w.j, "max_tokens", plan.max_tokens);
    write_tools(&w);
    claude_write_system(&w);
    claude_write_messages(&w);
    write_sampling(&w);
    claude_write_thinking(&w.j, in, &plan);
    write_config(&w, &plan);
    claude_note_dropped(in, to);
    if (to->stream)
        json_bool(&w.j, "stream", true);
    write_labels(&w);
    if (w.own)
        ride_along(a, &w.j, in->body, known);
    json_end(&w.j);
    return out->overflow ? err_new(a, &err_body_too_large, "translated request") : NULL;
}
