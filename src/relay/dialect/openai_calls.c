// Sorting the tool calls of a reply into blocks that follow each other.

#include "relay/dialect/openai_calls.h"

#include <string.h>

#include "common/arena.h"
#include "relay/dialect/names.h"
#include "relay/dialect/openai.h"

enum { HELD_MAX = 32 << 20 }; // bytes of arguments that may wait for an earlier call

struct call {
    struct call *next;
    int64_t index; // -1: the provider gave none
    struct str id;
    struct buf name, args; // args: not sent yet
    bool began;            // arguments came
    int depth;             // of open braces in them
    bool quoted, escaped, complete;
};

static void text_init(struct arena *a, struct buf *b)
{
    *b = BUF(HELD_MAX);
    arena_defer_buf(a, b);
}

void calls_init(struct calls *s, struct chat_reader *r, struct chat_choice *c)
{
    *s = (struct calls){.r = r, .c = c};
    text_init(r->arena, &s->late_thinking);
    text_init(r->arena, &s->late_text);
}

static struct call *add_call(struct calls *s, int64_t index, struct str id)
{
    struct call *call = NEW(s->r->arena, struct call);
    call->index = index;
    call->id = str_of(arena_str(s->r->arena, id));
    text_init(s->r->arena, &call->name);
    text_init(s->r->arena, &call->args);
    if (s->last)
        s->last->next = call;
    else
        s->first = call;
    return s->last = call;
}

// Whose piece is this? By index, unless the same index comes with another id (a provider that
// numbers every call 0); without an index by id; without either a new name begins a new call.
static struct call *call_of(struct calls *s, int64_t index, struct str id, struct str name)
{
    struct call *found = NULL;
    for (struct call *c = s->first; c; c = c->next)
        if (index >= 0 ? c->index == index : id.n && str_eq(c->id, id))
            found = c;
    if (found && index >= 0 && id.n && found->id.n && name.n && !str_eq(found->id, id))
        found = NULL;
    if (!found && index < 0 && !id.n && s->last && !(name.n && s->last->began))
        found = s->last;
    return found ? found : add_call(s, index, id);
}

// Follows braces and quotes, so that the end of one call's arguments is known.
static void follow(struct call *c, struct str json)
{
    for (size_t i = 0; i < json.n; i++) {
        char at = json.p[i];
        if (c->escaped)
            c->escaped = false;
        else if (c->quoted && at == '\\')
            c->escaped = true;
        else if (at == '"')
            c->quoted = !c->quoted;
        else if (!c->quoted && (at == '{' || at == '['))
            c->depth++;
        else if (!c->quoted && (at == '}' || at == ']') && --c->depth == 0)
            c->complete = true;
    }
}

static struct err *send_args(struct calls *s, struct call *c)
{
    TRY(chat_arguments(s->r, s->c, buf_view(&c->args)));
    buf_clear(&c->args);
    return NULL;
}

static struct err *begin(struct calls *s, struct call *c)
{
    struct chat_reader *r = s->r;
    struct str name = buf_view(&c->name);
    if (r->request) {
        if (!r->own)
            r->own = name_map_new(r->arena, r->request->tools, OPENAI_NAME_MAX);
        name = name_from_wire(r->own, name);
    }
    TRY(chat_call(r, s->c, c->id, name));
    return send_args(s, c);
}

// The call that may begin now: it has a name, or never will, and something follows (names may come
// in pieces). NULL: wait.
static struct call *ready(const struct calls *s, bool all)
{
    struct call *next = s->live ? s->live->next : s->first;
    bool free = !s->live || s->live->complete || all;
    bool follows = next && (next->next || all);
    if (!next || !free || !(next->began || follows))
        return NULL;
    return next->name.n || follows ? next : NULL;
}

static struct err *advance(struct calls *s, bool all)
{
    for (struct call *next; (next = ready(s, all));) {
        s->live = next;
        if (next->name.n) // a call that never got one could not be run by anybody
            TRY(begin(s, next));
    }
    return NULL;
}

static struct err *take(struct calls *s, struct call *c, struct str name, struct str args)
{
    if (!c->began && name.n && !str_eq(buf_view(&c->name), name))
        buf_str(&c->name, name);
    c->began = c->began || args.n;
    follow(c, args);
    if (c == s->live && c->name.n)
        TRY(chat_arguments(s->r, s->c, args));
    else
        buf_str(&c->args, args);
    if (c->args.overflow || c->name.overflow)
        return err_new(s->r->arena, &err_upstream_too_large, "tool call");
    return advance(s, false);
}

struct str openai_arguments(struct arena *a, yyjson_val *call)
{
    yyjson_val *args = yyjson_obj_get(call, "arguments");
    return yyjson_is_obj(args) ? json_text_of(a, args) : json_str_at(call, "arguments");
}

struct err *calls_read(struct calls *s, yyjson_val *in)
{
    yyjson_val *function = yyjson_obj_get(in, "function");
    struct str id = json_str_at(in, "id"), name = json_str_at(function, "name");
    return take(s, call_of(s, json_int_at(in, "index", -1), id, name), name,
                openai_arguments(s->r->scratch, function));
}

struct err *calls_read_old(struct calls *s, yyjson_val *in)
{
    struct str none = {0}, name = json_str_at(in, "name");
    return take(s, call_of(s, 0, none, name), name, openai_arguments(s->r->scratch, in));
}

bool calls_hold(struct calls *s, enum part_kind kind, struct str text)
{
    if (!s->first || (s->live && s->live->complete && !s->live->next))
        return false;
    buf_str(kind == PART_THINKING ? &s->late_thinking : &s->late_text, text);
    return true;
}

struct err *calls_end(struct calls *s)
{
    TRY(advance(s, true));
    TRY(chat_piece(s->r, s->c, PART_THINKING, buf_view(&s->late_thinking)));
    return chat_piece(s->r, s->c, PART_TEXT, buf_view(&s->late_text));
}
