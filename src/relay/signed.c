// The opaque state of a model's thinking, for clients that have no place for it: kept under the id
// of the tool call that came of it, because that id always comes back (conversion matrix 7.2).

#include <string.h>

#include "common/arena.h"
#include "common/clock.h"
#include "common/log.h"
#include "relay/dialect/carry.h"
#include "relay/state.h"

enum { CALLS_MOST = 32, STATE_MOST = 1 << 20, KEPT_SECONDS = 86400 };

// What this reply has said so far.
struct signing {
    struct buf thought, state; // of the block that is open
    struct buf wrapped;        // of those before the next call: carried texts, as JSON
    const struct dialect *owner;
    bool redacted;
};

static bool has_no_place(const struct relay *r)
{
    const struct dialect *d = r->route->speaks;
    return r->translated && r->route->mode == MODE_CHAT &&
           (d == &openai_dialect || d == &cohere_dialect) && r->snapshot->settings.relay.kept_days;
}

static bool takes_state(const struct dialect *d)
{
    return d == &claude_dialect || d == &gemini_dialect || d == &responses_dialect ||
           d == &bedrock_dialect;
}

// --- keeping ------------------------------------------------------------------------------

static void free_signing(void *signing)
{
    struct signing *s = signing;
    buf_free(&s->thought);
    buf_free(&s->state);
    buf_free(&s->wrapped);
}

static struct signing *signing_of(struct relay *r)
{
    if (!r->signing) {
        struct signing *s = r->signing = NEW(r->arena, struct signing);
        s->thought = s->state = s->wrapped = BUF(STATE_MOST);
        arena_defer(r->arena, free_signing, s);
    }
    return r->signing;
}

static void wrap(struct signing *s)
{
    ARENA(a);
    if (!s->state.n || !s->owner || s->state.overflow || s->thought.overflow)
        return;
    if (s->wrapped.n)
        buf_puts(&s->wrapped, ",");
    json_quote(&s->wrapped,
               carry_wrap(a, s->owner, buf_view(&s->state), buf_view(&s->thought), s->redacted));
    buf_clear(&s->state);
    buf_clear(&s->thought);
}

static void keep_under(struct relay *r, struct signing *s, struct str call)
{
    const struct relay_setting *set = &r->snapshot->settings.relay;
    struct keep_limits limits = {set->kept_per_user, (int64_t)set->kept_megabytes_per_user << 20};
    struct kept row = {
        .user_id = r->caller->user_id,
        .kind = KEPT_STATE,
        .name = arena_str(r->arena, call),
        .model = r->head.model,
        .created_at = clock_now(),
        .expires_at = clock_now() + KEPT_SECONDS,
    };
    struct str parts[] = {STR("["), buf_view(&s->wrapped), STR("]")};
    if (s->wrapped.n && !s->wrapped.overflow && call.n && call.n <= KEPT_NAME_MAX)
        keep_put(&row, parts, 3, &limits);
    buf_clear(&s->wrapped);
}

void relay_note_state(struct relay *r, const struct chat_event *ev)
{
    if (ev->choice || !has_no_place(r))
        return;
    struct signing *s = signing_of(r);
    switch (ev->type) {
    case CHAT_BLOCK:
        buf_clear(&s->thought);
        buf_clear(&s->state);
        s->redacted = ev->redacted;
        if (ev->kind == PART_TOOL_CALL)
            keep_under(r, s, ev->id);
        break;
    case CHAT_THINKING: buf_str(&s->thought, ev->text); break;
    case CHAT_SIGNATURE:
        buf_str(&s->state, ev->text);
        s->owner = ev->owner;
        s->redacted = ev->redacted;
        break;
    case CHAT_BLOCK_END: wrap(s); break;
    default: break;
    }
}

// --- putting it back ----------------------------------------------------------------------

static bool has_state(const struct chat_message *m)
{
    for (const struct chat_part *p = m->parts; p; p = p->next)
        if (p->kind == PART_THINKING && (p->signature.n || p->redacted.n))
            return true;
    return false;
}

static bool has_call(const struct chat_message *m)
{
    for (const struct chat_part *p = m->parts; p; p = p->next)
        if (p->kind == PART_TOOL_CALL)
            return true;
    return false;
}

// The turns of the model since its user spoke: what its provider wants to see again.
static struct chat_message *loop_of(struct chat_message *all)
{
    struct chat_message *from = all;
    for (struct chat_message *m = all; m; m = m->next)
        if (m->role == ROLE_USER)
            from = m;
    return from;
}

static void put_before(struct relay *r, struct chat_part **at, const char *document)
{
    yyjson_val *list = NULL, *one;
    size_t i, max;
    if (json_read(r->arena, str_of(document), &list))
        return;
    yyjson_arr_foreach(list, i, max, one)
    {
        struct chat_part *part = NEW(r->arena, struct chat_part);
        *part = (struct chat_part){.kind = PART_THINKING};
        struct str carried = {yyjson_get_str(one), yyjson_get_len(one)};
        if (!carried.p || !carry_open(r->arena, carried, part))
            continue;
        part->next = *at;
        *at = part;
        at = &part->next;
    }
}

static struct err *recall(struct relay *r, struct db *db)
{
    int left = CALLS_MOST;
    for (struct chat_message *m = loop_of(r->request.messages); m; m = m->next) {
        if (m->role != ROLE_ASSISTANT || has_state(m))
            continue;
        for (struct chat_part **at = &m->parts; *at; at = &(*at)->next) {
            struct chat_part *call = *at;
            struct kept row;
            if (call->kind != PART_TOOL_CALL || text_is_empty(call->id) || !left--)
                continue;
            struct err *e = keep_find(db, r->arena, r->caller->user_id, KEPT_STATE, call->id, &row);
            if (e && e->kind != &err_not_found)
                return e;
            if (!e)
                put_before(r, at, row.document);
            while (*at != call)
                at = &(*at)->next;
        }
    }
    return NULL;
}

// Without it the provider is asked all the same: it may not mind.
static void recall_on_worker(struct job *job)
{
    struct relay *r = (struct relay *)job;
    DB(db);
    struct err *e = db_lease(relay_pool(), r->arena, &db);
    if (!e)
        e = recall(r, db);
    if (e)
        log_write(LOG_WARN, r->x->request_id, "no state of thinking: %s", e->detail);
}

static void start(struct relay *r)
{
    relay_on_worker(r, recall_on_worker);
}

void relay_recall_state(struct relay *r)
{
    if (r->state_asked || !has_no_place(r) || !takes_state(r->attempt.dialect))
        return;
    for (const struct chat_message *m = loop_of(r->request.messages); m; m = m->next)
        if (m->role == ROLE_ASSISTANT && has_call(m) && !has_state(m))
            r->first = start;
    r->state_asked = true;
}
