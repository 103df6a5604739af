// Planning output and thinking by the model's family (anthropic.md 5).

#include "relay/dialect/claude_plan.h"

#include <string.h>

#include "relay/dialect/openai.h"

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

// With a budget the last turn of a tool loop must begin with its signed thinking; when a client
// lost it, thinking is left out for this request (anthropic.md 5; else 400 "Expected `thinking`").
// Adaptive thinking asks nothing of what was said before.
static bool lost_thinking(const struct chat_message *messages,
                          bool (*is_signed)(const struct chat_part *p))
{
    const struct chat_message *turn = NULL;
    bool called = false, thought = false;
    for (const struct chat_message *m = messages; m; m = m->next)
        if (m->role == ROLE_ASSISTANT)
            turn = m;
    for (const struct chat_part *p = turn ? turn->parts : NULL; p; p = p->next) {
        called = called || p->kind == PART_TOOL_CALL;
        thought = thought || is_signed(p);
    }
    return called && !thought;
}

// Never beyond what the caller allowed as output: its limit is also what was reserved.
static void plan_budget(const struct chat_request *in, const struct chat_target *to, bool lost,
                        struct claude_plan *p)
{
    static const int64_t budgets[] = {
        [EFFORT_MINIMAL] = 1024, [EFFORT_LOW] = 2048,    [EFFORT_MEDIUM] = 8192,
        [EFFORT_HIGH] = 16384,   [EFFORT_XHIGH] = 32768, [EFFORT_MAX] = 32768,
        [EFFORT_UNSAID] = 8192,  [EFFORT_NONE] = 1024};
    int64_t budget = in->thinking_budget;
    if (budget <= 0)
        budget = budgets[effort_of(in)];
    if (budget < 1024)
        budget = 1024;
    if (budget >= p->max_tokens)
        budget = p->max_tokens - 1024 >= 1024 ? p->max_tokens - 1024 : 1024;
    if (p->max_tokens <= 1024 || lost) {
        chat_dropped(to, "thinking");
        return;
    }
    p->thinking = THINK_BUDGET;
    p->budget = budget;
}

struct claude_plan claude_plan_of(const struct chat_request *in, const struct chat_target *to,
                                  const struct chat_message *messages,
                                  bool (*is_signed)(const struct chat_part *p))
{
    const struct claude_model *m = claude_model(to->model);
    struct claude_plan p = {.max_tokens = in->head.max_output};
    if (p.max_tokens <= 0 || (p.max_tokens > m->max_output && strstr(to->model, "claude")))
        p.max_tokens = m->max_output;
    bool adaptive = m->adaptive && (!m->budget || in->thinking_budget <= 0);
    if (!claude_wants_thinking(in)) {
        if (in->effort == EFFORT_NONE && m->adaptive)
            p.thinking = THINK_DISABLED;
    } else if (adaptive) {
        p.thinking = THINK_ADAPTIVE;
        p.effort = effort_for(m, effort_of(in));
    } else if (m->budget) {
        plan_budget(in, to, lost_thinking(messages, is_signed), &p);
    } else {
        chat_dropped(to, "thinking");
    }
    if (in->owner == &claude_dialect && !p.effort)
        p.effort = effort_for(m, in->effort);
    return p;
}

void claude_write_thinking(struct json *j, const struct chat_request *in,
                           const struct claude_plan *p)
{
    static const char *const types[] = {NULL, "disabled", "enabled", "adaptive"};
    const char *display = in->thinking_display;
    if (p->thinking == THINK_UNSAID)
        return;
    if (!display && in->owner != &claude_dialect && p->thinking == THINK_ADAPTIVE)
        display = "summarized"; // newer models show nothing unless asked
    // With a budget it is what they do anyway, and some do not know the word.
    bool usual = in->owner != &claude_dialect && text_eq(display, "summarized");
    json_obj(j, "thinking");
    json_str(j, "type", types[p->thinking]);
    if (p->thinking == THINK_BUDGET)
        json_int(j, "budget_tokens", p->budget);
    if (display && p->thinking != THINK_DISABLED && !(usual && p->thinking == THINK_BUDGET))
        json_str(j, "display", display);
    json_end(j);
}

void claude_note_dropped(const struct chat_request *in, const struct chat_target *to)
{
    const struct {
        bool said;
        const char *name;
    } rows[] = {
        {in->has_seed, "seed"},
        {in->has_presence, "presence_penalty"},
        {in->has_frequency, "frequency_penalty"},
        {in->logit_bias != NULL, "logit_bias"},
        {in->logprobs >= 0, "logprobs"},
        {in->head.choices > 1, "n"},
        {in->verbosity != NULL, "verbosity"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        if (rows[i].said)
            chat_dropped(to, rows[i].name);
}

static bool keeps(const struct chat_target *to, bool said, bool taken, const char *name)
{
    if (said && !taken)
        chat_dropped(to, name);
    return said && taken;
}

struct claude_sampling claude_sampling_of(const struct chat_request *in,
                                          const struct chat_target *to, bool thinking)
{
    const struct claude_model *m = claude_model(to->model);
    bool free = m->samples && !thinking;
    bool top_p = thinking ? m->samples && in->top_p >= 0.95 : free;
    if (in->has_temperature && free && !m->both_samples)
        top_p = false;
    return (struct claude_sampling){
        .temperature = keeps(to, in->has_temperature, free, "temperature"),
        .top_p = keeps(to, in->has_top_p, top_p, "top_p"),
        .top_k = keeps(to, in->has_top_k, free, "top_k"),
    };
}
