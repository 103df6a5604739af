// Putting tool calls and their results back together.

#include "relay/dialect/history.h"

#include <string.h>

#include "common/arena.h"
#include "relay/dialect/take.h"

struct call {
    struct call *next;
    const char *was, *id; // as the caller wrote it; as it is now
    const struct chat_part *result;
};

struct repair {
    struct arena *a;
    struct chat_message *first, **end;
    struct chat_message *turn; // the assistant's, while its results are collected
    struct chat_part **turn_end;
    struct call *calls, **calls_end;
    struct chat_message *after, **after_end; // what stands behind the results
    const char **ids;                        // a table of those in use
    size_t slots;
};

static bool claim_id(struct repair *r, const char *id)
{
    size_t at = 5381;
    for (const char *c = id; *c; c++)
        at = at * 33 + (unsigned char)*c;
    for (at &= r->slots - 1; r->ids[at]; at = (at + 1) & (r->slots - 1))
        if (!strcmp(r->ids[at], id))
            return false;
    r->ids[at] = id;
    return true;
}

static const char *own_id(struct repair *r, const char *id)
{
    const char *mine = id;
    for (int i = 2; !claim_id(r, mine); i++)
        mine = arena_printf(r->a, "%s_%d", id, i);
    return mine;
}

static struct chat_part *copy_part(struct repair *r, struct chat_part ***end,
                                   const struct chat_part *p)
{
    struct chat_part *copy = part_add(r->a, end, p->kind);
    *copy = *p;
    copy->next = NULL;
    return copy;
}

static void add_result(struct repair *r, struct chat_part ***end, const struct call *c)
{
    if (c->result) {
        copy_part(r, end, c->result)->id = c->id;
        return;
    }
    struct chat_part *p = part_add(r->a, end, PART_TOOL_RESULT);
    struct chat_part **content = &p->parts;
    p->id = c->id;
    p->is_error = true;
    part_add(r->a, &content, PART_TEXT)->text = STR("[no result: interrupted]");
}

static void close_turn(struct repair *r)
{
    if (r->calls) {
        struct chat_part **end = &message_add(r->a, &r->end, ROLE_TOOL)->parts;
        for (const struct call *c = r->calls; c; c = c->next)
            add_result(r, &end, c);
    }
    if (r->after) {
        *r->end = r->after;
        r->end = r->after_end;
    }
    r->turn = NULL;
    r->calls = NULL;
    r->calls_end = &r->calls;
    r->after = NULL;
    r->after_end = &r->after;
}

static bool has_result(const struct call *calls)
{
    for (const struct call *c = calls; c; c = c->next)
        if (c->result)
            return true;
    return false;
}

// Calls of directly following turns belong to one turn: agents write one message per call.
static void add_turn(struct repair *r, const struct chat_message *m)
{
    if (!r->turn || !r->calls || r->after || has_result(r->calls)) {
        close_turn(r);
        r->turn = message_add(r->a, &r->end, ROLE_ASSISTANT);
        r->turn->name = m->name;
        r->turn_end = &r->turn->parts;
    }
    for (const struct chat_part *p = m->parts; p; p = p->next) {
        struct chat_part *copy = copy_part(r, &r->turn_end, p);
        if (p->kind != PART_TOOL_CALL)
            continue;
        struct call *c = NEW(r->a, struct call);
        c->was = p->id ? p->id : "";
        copy->id = c->id = own_id(r, c->was);
        *r->calls_end = c;
        r->calls_end = &c->next;
    }
}

// The first call of that id without a result; else the last one, whose result is replaced.
static struct call *call_of(struct repair *r, const char *id)
{
    struct call *found = NULL;
    for (struct call *c = r->calls; c; c = c->next)
        if (!strcmp(c->was, id ? id : "")) {
            found = c;
            if (!c->result)
                break;
        }
    return found;
}

static void add_orphan(struct repair *r, const struct chat_part *result)
{
    struct chat_part **end = &message_add(r->a, &r->after_end, ROLE_USER)->parts;
    part_add(r->a, &end, PART_TEXT)->text = STR("[result of an earlier tool call]");
    for (const struct chat_part *p = result->parts; p; p = p->next)
        copy_part(r, &end, p);
}

static void add_results(struct repair *r, const struct chat_message *m)
{
    for (const struct chat_part *p = m->parts; p; p = p->next) {
        struct call *c = call_of(r, p->id);
        if (c)
            c->result = p;
        else
            add_orphan(r, p);
    }
}

static void add_other(struct repair *r, const struct chat_message *m)
{
    struct chat_message *copy = message_add(r->a, &r->after_end, m->role);
    copy->name = m->name;
    copy->parts = m->parts;
}

static size_t table_size(const struct chat_message *in)
{
    size_t calls = 0, slots = 16;
    for (const struct chat_message *m = in; m; m = m->next)
        for (const struct chat_part *p = m->parts; p; p = p->next)
            calls += p->kind == PART_TOOL_CALL;
    while (slots < calls * 2)
        slots *= 2;
    return slots;
}

struct chat_message *history_repair(struct arena *a, const struct chat_message *in)
{
    struct repair r = {.a = a, .slots = table_size(in)};
    r.ids = NEW_ARRAY(a, const char *, r.slots);
    r.end = &r.first;
    r.calls_end = &r.calls;
    r.after_end = &r.after;
    for (const struct chat_message *m = in; m; m = m->next) {
        if (m->role == ROLE_ASSISTANT)
            add_turn(&r, m);
        else if (m->role == ROLE_TOOL)
            add_results(&r, m);
        else
            add_other(&r, m);
    }
    close_turn(&r);
    return r.first;
}

struct chat_tool *history_tools(struct arena *a, const struct chat_message *messages)
{
    struct chat_tool *first = NULL, **at;
    for (const struct chat_message *m = messages; m; m = m->next)
        for (const struct chat_part *p = m->parts; p; p = p->next) {
            if (p->kind != PART_TOOL_CALL || text_is_empty(p->name))
                continue;
            for (at = &first; *at && strcmp((*at)->name, p->name) != 0;)
                at = &(*at)->next;
            if (*at)
                continue;
            *at = NEW(a, struct chat_tool);
            (*at)->name = p->name;
        }
    return first;
}

static int markers(const struct chat_part *parts)
{
    int n = 0;
    for (; parts; parts = parts->next)
        n += parts->cache_ttl != NULL;
    return n;
}

int history_markers(const struct chat_part *system, const struct chat_message *messages)
{
    int n = markers(system);
    for (; messages; messages = messages->next)
        n += markers(messages->parts);
    return n;
}
